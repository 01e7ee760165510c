"""The commands of one plugin, found without loading any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keywright.cli.arguments import first_word
from keywright.cli.commands import Commands
from keywright.cli.shortcut import add_commands_of

Install = Callable[..., None]

SOUND = """
KEYWRIGHT_API = 1

def add_commands(commands):
    commands.add("swift fly", help="fly", configure=print, run=print, examples=["keywright swift fly"])
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Install:
    """Installs a distribution that names a module for the commands of `swift`; each test's has a name of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def lay_down(text: str = SOUND, distribution: str = "swift") -> None:
        module = f"kw_{abs(hash(request.node.nodeid))}_{distribution}"
        metadata = tmp_path / f"{distribution}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_text(f"[keywright.commands]\nswift = {module}\n")
        (tmp_path / f"{module}.py").write_text(text)

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


def test_two_who_claim_one_name(install: Install) -> None:
    """Neither is taken, as with plugins."""
    install()
    install(distribution="swallow")

    assert added() == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("raise ImportError", id="fails on import"),
        pytest.param("1 / 0", id="fails otherwise"),
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
    """Nothing is added and nothing told: whoever loads the plugin tells what is wrong with it."""
    install(text)

    assert added() == []


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
    assert first_word(arguments.split()) == word
