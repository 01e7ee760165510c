"""The commands of one plugin, found without loading any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from keywright.cli.commands_table import Commands
from keywright.cli.parser import CommandLine
from keywright.command_modules import add_commands_of, faults_of_modules

Install = Callable[..., str]

PLUGIN, COMMANDS = "[keywright]\nswift = MODULE\n", "[keywright.commands]\nswift = MODULE\n"
BOTH = PLUGIN + COMMANDS
WAY_OUT = "correct the module, or leave the entry point out"

SOUND = """
KEYWRIGHT_API = 1

def add_commands(commands):
    commands.add("swift fly", help="fly", configure=print, run=print, examples=["keywright swift fly"])
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Install:
    """Installs a distribution that names a module for the commands of `swift`; each test's has a name of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def lay_down(text: str = SOUND, distribution: str = "swift", points: str = BOTH) -> str:
        module = f"kw_{abs(hash(request.node.nodeid))}_{distribution}"
        metadata = tmp_path / f"{distribution}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_text(points.replace("MODULE", module))
        (tmp_path / f"{module}.py").write_text(text)
        return module

    return lay_down


def added(plugin: str = "swift", *, allowed: list[str] | None = None) -> list[tuple[tuple[str, ...], str]]:
    """Path and owner of what is added."""
    commands = Commands()
    add_commands_of(plugin, commands, allowed=allowed)
    return [(command.path, command.owner) for command in commands.table.values()]


@pytest.mark.parametrize("allowed", [None, ["swift"], ["other", "swift"]])
def test_what_a_plugin_names_is_added(install: Install, allowed: list[str] | None) -> None:
    """Its commands are in the table, and are the plugin's."""
    install()

    assert added(allowed=allowed) == [(("swift", "fly"), "swift")]


def test_nobody_else_is_asked(install: Install) -> None:
    """Another word is another plugin."""
    install()

    assert added("fly") == []


@pytest.mark.parametrize("allowed", [[], ["other"]])
def test_who_is_not_allowed_is_not_imported(install: Install, tmp_path: Path, allowed: list[str]) -> None:
    """The allow-list holds here too."""
    install(f"open({str(tmp_path / 'imported')!r}, 'w')\n{SOUND}")

    assert added(allowed=allowed) == []
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("points", [BOTH, PLUGIN, COMMANDS])
@pytest.mark.parametrize("other", ["swallow", "woodpecker"])
def test_two_who_claim_one_name(install: Install, other: str, points: str) -> None:
    """Neither is taken, as with plugins, whichever of the two groups it is, and whoever comes first."""
    install()
    install(distribution=other, points=points)

    assert added() == []


def test_commands_for_a_plugin_of_somebody_else(install: Install) -> None:
    """A name on the allow-list is a plugin's, not a word that anybody may take."""
    install(points=PLUGIN)
    install(distribution="swallow", points=COMMANDS)

    assert added(allowed=["swift"]) == []


def test_commands_without_a_plugin(install: Install) -> None:
    """What the registry would not load adds nothing here either."""
    install(points=COMMANDS)

    assert added() == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("raise ImportError", id="fails on import"),
        pytest.param("1 / 0", id="fails otherwise"),
        pytest.param("raise SystemExit(0)", id="leaves on import"),
        pytest.param(f"{SOUND}    raise SystemExit(3)", id="leaves when asked"),
        pytest.param(SOUND.replace('"swift fly"', '""'), id="a command without a word"),
        pytest.param(SOUND.replace("API = 1", "API = 2"), id="another API"),
        pytest.param(SOUND.replace("KEYWRIGHT_API = 1", ""), id="says no API"),
        pytest.param("KEYWRIGHT_API = 1", id="adds nothing"),
        pytest.param(f"{SOUND}    raise ValueError", id="raises when asked"),
        pytest.param(SOUND.replace('"swift fly"', '"list"'), id="a command of the core"),
        pytest.param(
            f"{SOUND}    commands.add('fly', help='', configure=print, run=print, examples=())", id="two words"
        ),
        pytest.param(SOUND + SOUND.partition(":\n")[2], id="one path twice"),
    ],
)
def test_whatever_is_odd_goes_by_the_hook(install: Install, text: str) -> None:
    """Nothing is added; `keywright plugins` tells what is wrong with it."""
    module = install(text)

    assert added() == []
    ((name, fault),) = faults_of_modules({("swift", "swift")}, Commands())
    assert name == "swift"
    assert fault.startswith(f"names the module {module} in keywright.commands, which is not used: ")


def test_ctrl_c_is_nobodys_fault(install: Install) -> None:
    """It ends the command line, whoever's code it meets."""
    install(f"{SOUND}    raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        added()


def _never(*_: object) -> NoReturn:
    pytest.fail("nothing is configured or run here")


def by_hook(*paths: str, owner: str = "swift") -> Commands:
    """What hooks added."""
    commands = Commands()
    commands.owner = owner
    for path in paths:
        commands.add(path, help="", configure=_never, run=_never, examples=())
    return commands


@pytest.mark.parametrize(
    ("commands", "is_fault"),
    [
        pytest.param(by_hook("swift fly"), False, id="the same"),
        pytest.param(by_hook("swift fly", "swift land"), True, id="one less"),
        pytest.param(by_hook(), True, id="one more"),
        pytest.param(by_hook("swift fly", owner="swallow"), True, id="another plugin's"),
    ],
)
def test_a_module_that_differs_from_the_hook(install: Install, commands: Commands, is_fault: bool) -> None:
    """Two ways to one table must lead to the same."""
    module = install()

    other = "adds other commands than the plugin's hook keywright_add_commands, which --help asks"
    way_out = "have both add the same, or leave the entry point out"
    fault = ("swift", f"names the module {module} in keywright.commands, which {other}; {way_out}")
    assert list(faults_of_modules({("swift", "swift")}, commands)) == [fault] * is_fault


def test_a_command_that_another_took_first_is_no_difference(install: Install) -> None:
    """What a hook would have added counts."""
    install()
    commands = by_hook("swift fly", owner="")
    commands.owner = "swift"
    commands.add("swift fly", help="", configure=_never, run=_never, examples=())

    assert list(faults_of_modules({("swift", "swift")}, commands)) == []


def test_who_did_not_load_is_not_asked(install: Install) -> None:
    """What the registry left out is not imported to be looked at."""
    install("1 / 0")

    assert list(faults_of_modules({("swift", "swallow"), ("swallow", "swift")}, Commands())) == []


@pytest.mark.parametrize(
    ("owners", "winner"),
    [(["", "swift"], ""), (["swallow", "swift"], "swift"), (["swift", "swallow"], "swift"), (["a", "b"], "a")],
)
def test_a_plugins_own_name_is_its_own(owners: list[str], winner: str) -> None:
    """A command stays with whoever came first, but the core's, and a plugin's that begins with its own name."""
    commands = Commands()
    for owner in owners:
        commands.owner = owner
        commands.add("swift fly", help="", configure=_never, run=_never, examples=())

    (loser,) = {*owners} - {winner}
    assert commands.table["swift", "fly"].owner == winner
    assert [(first.owner, second.owner) for first, second in commands.clashes] == [(winner, loser)]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("nix sign --key a", "nix"),
        ("--json -qv nix sign", "nix"),
        ("--config nix --option a b jose", "jose"),
        ("--config=nix jose", "jose"),
        ("--config", None),
        ("--json", None),
        ("--bogus nix", None),
        ("", None),
    ],
)
def test_first_word(arguments: str, word: str | None) -> None:
    """The first that is neither a global option nor the value of one."""
    assert CommandLine(arguments.split()).find(Commands()).stray == word
