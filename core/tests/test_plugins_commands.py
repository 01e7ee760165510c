"""The commands of one plugin, found without loading any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from made_plugins import plugin
from tables import cases

from keywright import Registry
from keywright.cli.parser import CommandLine
from keywright.plugins.commands import Commands, commands_of

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
    return [(command.path, command.owner) for command in commands_of(plugin, allowed=allowed).table.values()]


def test_what_a_plugin_names_is_added(install: Install) -> None:
    """Its commands are in the table, and are the plugin's; another word is another plugin."""
    install()

    for allowed in (None, ["swift"], ["other", "swift"]):
        assert added(allowed=allowed) == [(("swift", "fly"), "swift")]
    assert added("fly") == []


def test_who_is_not_allowed_is_not_imported(install: Install, tmp_path: Path) -> None:
    """The allow-list holds here too."""
    install(f"open({str(tmp_path / 'imported')!r}, 'w')\n{SOUND}")

    assert added(allowed=[]) == added(allowed=["other"]) == []
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("points", [BOTH, PLUGIN, COMMANDS])
@pytest.mark.parametrize("other", ["swallow", "woodpecker"])
def test_two_who_claim_one_name(install: Install, other: str, points: str) -> None:
    """Neither is taken, as with plugins, whichever of the two groups it is, and whichever comes first."""
    install()
    install(distribution=other, points=points)

    assert added() == []


def test_commands_without_a_plugin_of_the_same_distribution(install: Install) -> None:
    """What the registry would not load adds nothing here either: a name is a plugin's, not anybody's."""
    install(points=COMMANDS)
    assert added() == []

    install(distribution="swallow", points=PLUGIN)
    assert added(allowed=["swift"]) == []


@cases(
    "text",
    {
        "fails on import": "raise ImportError",
        "fails otherwise": "1 / 0",
        "leaves on import": "raise SystemExit(0)",
        "leaves when asked": f"{SOUND}    raise SystemExit(3)",
        "a command without a word": SOUND.replace('"swift fly"', '""'),
        "another API": SOUND.replace("API = 1", "API = 2"),
        "says no API": SOUND.replace("KEYWRIGHT_API = 1", ""),
        "adds nothing": "KEYWRIGHT_API = 1",
        "raises when asked": f"{SOUND}    raise ValueError",
        "a command of the core": SOUND.replace('"swift fly"', '"list"'),
        "two words": f"{SOUND}    commands.add('fly', help='', configure=print, run=print, examples=())",
        "one path twice": SOUND + SOUND.partition(":\n")[2],
    },
)
def test_whatever_is_odd_goes_by_the_hook(install: Install, text: str) -> None:
    """Nothing is added; `keywright plugins` tells what is wrong with it."""
    module = install(text)

    assert added() == []
    commands, failures = by_registry()
    assert commands == [("swift", "hook")]
    ((subject, reason),) = failures
    assert subject == "plugin 'swift'"
    assert reason.startswith(f"names the module {module} in keywright.commands, which is not used: ")
    assert reason.endswith("; correct the module, or leave the entry point out")


def test_ctrl_c_is_nobodys_fault(install: Install) -> None:
    """It ends the command line, anyone's code it meets."""
    install(f"{SOUND}    raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        added()


@cases(
    ("points", "paths"),
    {"both": (BOTH, [("swift", "fly")]), "no module": (PLUGIN, [("swift", "hook")])},
)
def test_the_module_is_used_in_place_of_the_hook(install: Install, points: str, paths: list[tuple[str, ...]]) -> None:
    """Where a plugin names a module for its commands, which is optional, all of them come from there."""
    install(points=points)

    assert by_registry() == (paths, [])


def test_a_module_that_another_distribution_names_is_not_used(install: Install, tmp_path: Path) -> None:
    """A name in the group for commands counts only for the distribution that has the plugin."""
    install(points=PLUGIN)
    install(f"open({str(tmp_path / 'imported')!r}, 'w')\n{SOUND}", distribution="swallow", points=COMMANDS)

    assert by_registry() == ([("swift", "hook")], [])
    assert not (tmp_path / "imported").exists()


def by_registry() -> tuple[list[tuple[str, ...]], list[tuple[str, str]]]:
    """The paths that a registry adds for a plugin `swift` whose hook adds `swift hook`, and the failures."""
    registry, commands = Registry(), Commands()
    registry.add(
        plugin(
            add_commands=lambda commands: commands.add("swift hook", help="", configure=_never, run=_never, examples=())
        ),
        "swift",
        "swift",
    )

    registry.add_commands(commands)

    return list(commands.table), list(registry.failures)


def _never(*_: object) -> NoReturn:
    pytest.fail("nothing is configured or run here")


@pytest.mark.parametrize(
    ("owners", "winner"),
    [(["", "swift"], ""), (["swallow", "swift"], "swift"), (["swift", "swallow"], "swift"), (["a", "b"], "a")],
)
def test_a_plugins_own_name_is_its_own(owners: list[str], winner: str) -> None:
    """A command stays with the plugin that came first, but the core's, and a plugin's that begins with its own name."""
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
        ("--json", None),
        ("", None),
    ],
)
def test_first_word(arguments: str, word: str | None) -> None:
    """The first that is neither a global option nor the value of one."""
    assert CommandLine(arguments.split()).find(Commands()).stray == word
