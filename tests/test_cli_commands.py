"""What holds for every command: what it returns, what it prints of paths, and what it leaves behind in the process."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from support import COMMAND, Keywright

from keywright.cli import dispatch
from keywright.cli.loading import Loading
from keywright.plugins.commands import Command, Commands


@pytest.mark.parametrize("returned", ["done", None, 256, -1, 0.0])
def test_what_is_no_exit_code_is_a_bug_of_the_command(returned: object) -> None:
    """A command that returns anything but a whole number from 0 to 255 does not end in success."""
    commands = Commands()
    commands.add(
        "odd",
        help="return something",
        configure=lambda _: None,
        run=lambda _arguments, _context: returned,  # type: ignore[arg-type,return-value]  # (what is tested)
        examples=["keywright odd"],
        global_options=False,
    )
    command: Command = commands.table["odd",]

    with pytest.raises(TypeError):
        dispatch._run(command, Namespace(output="-"), Loading([], command))


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["list", "--help"], ["lisst"], ["generate", "--bogus"]]
)
def test_garbage_is_collected_again_afterwards(arguments: list[str], home: Path, environment: dict[str, str]) -> None:
    """A program that calls the command line in its own process has its garbage collector back, whatever happened."""
    script = (
        "import gc, sys; from keywright.cli import main; sys.argv[0] = 'keywright'\n"
        "try: main()\nexcept SystemExit: pass\nsys.exit(0 if gc.isenabled() else 9)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=home, env=environment, capture_output=True, timeout=60
    )

    assert done.returncode == 0, done.stderr


def test_an_attribute_has_a_name(keywright: Keywright) -> None:
    """`:=VALUE` names nothing."""
    done = keywright("generate", "x", "--type", "oct", "--attribute", ":=1")

    assert done.returncode == 2
    assert done.stderr == b"keywright: --attribute takes NAME=VALUE; write it so\n"


def test_a_schema_that_goes_to_a_file_is_told(home: Path, keywright: Keywright) -> None:
    """With `--json` and `-o`, stdout says where the result is, as for every command."""
    done = keywright("config", "schema", "--json", "-o", "schema.json")

    assert json.loads(done.stdout) == {"output": "schema.json"}
    assert json.loads((home / "schema.json").read_text())["type"] == "object"


def test_a_path_does_not_steer_the_terminal(home: Path, environment: dict[str, str]) -> None:
    """What does not print in the path of the configuration stands as a backslash escape."""
    odd = home / "d\x1b[31m\nx"
    odd.mkdir()
    (odd / "keywright.toml").write_text('[stores.it]\nbackend = "memory"\n')

    for command in (["config", "show"], ["config", "check"]):
        done = subprocess.run([COMMAND, *command], cwd=odd, env=environment, capture_output=True, timeout=60)

        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout
        assert rb"d\x1b[31m\nx" in done.stdout


def test_a_misspelt_name_is_found_by_a_type_checker(tmp_path: Path) -> None:
    """Names that are loaded when asked for are known to mypy, and those that are not there are errors."""
    pytest.importorskip("mypy")
    source = tmp_path / "stranger.py"
    source.write_text("from keywright import Secret, Sceret\nimport keywright\nkeywright.KeyRnig\nsecret: Secret\n")

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(source)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert 'has no attribute "Sceret"' in done.stdout
    assert 'has no attribute "KeyRnig"' in done.stdout
    assert done.stdout.count("error:") == 2


@pytest.mark.parametrize(
    ("more", "variables"),
    [
        pytest.param("", {}, id="sound"),
        pytest.param("", {"KEYWRIGHT_PROFILE": "nope"}, id="unknown profile"),
        pytest.param("", {"KEYWRIGHT__NOPE__X": "1"}, id="variable that reaches nothing"),
        pytest.param("unknown = 1\n", {}, id="unknown setting"),
    ],
)
def test_the_allow_list_holds_whatever_else_is_wrong(
    more: str, variables: dict[str, str], home: Path, keywright: Keywright
) -> None:
    """Help and commands that need no configuration load what is allowed, though the configuration has a fault."""
    (home / "keywright.toml").write_text(f'plugins = ["nix", "keytypes"]\n{more}')

    told = keywright("--help", env=variables)

    assert told.returncode == 0
    assert b"nix key generate-secret" in told.stdout
    assert b"jose jwk" not in told.stdout
    assert keywright("nix", "key", "generate-secret", "--key-name", "a-1", env=variables).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "allowed"),
    [
        pytest.param([], {}, True, id="no profile"),
        pytest.param(["--profile", "other"], {}, True, id="a profile without a list"),
        pytest.param(["--profile", "narrow"], {}, False, id="a profile with one"),
        pytest.param([], {"KEYWRIGHT_PROFILE": "narrow"}, False, id="a profile that a variable names"),
        pytest.param(["--profile", "absent"], {}, True, id="no such profile"),
    ],
)
@pytest.mark.parametrize("more", ["", "unknown = 1\n"], ids=["sound", "unknown setting"])
def test_a_profiles_allow_list_holds_whatever_else_is_wrong(
    arguments: list[str], variables: dict[str, str], allowed: bool, more: str, home: Path, keywright: Keywright
) -> None:
    """A fault beside it does not bring back what a profile leaves out."""
    (home / "keywright.toml").write_text(
        f'{more}plugins = ["nix", "keytypes"]\n[profiles.narrow]\nplugins = ["keytypes"]\n[profiles.other]\n'
    )

    done = keywright(*arguments, "nix", "key", "check", "absent", env=variables)

    assert (b"there is no such command" not in done.stderr) == allowed


def test_a_command_of_a_plugin_that_is_left_out(home: Path, keywright: Keywright) -> None:
    """The allow-list is why it is not there. Where no configuration can be read, all that is installed goes on."""
    command = ("nix", "key", "generate-secret", "--key-name", "a-1")
    (home / "keywright.toml").write_text('plugins = ["keytypes", "jose", "sqlite"]\n')
    left_out = keywright(*command)
    misspelt = keywright("nxi")
    (home / "keywright.toml").write_text("broken")
    unreadable = keywright(*command)

    assert (left_out.returncode, left_out.stderr) == (
        2, b"keywright: there is no such command: the setting `plugins` leaves the plugin 'nix' out; add it there\n"
    )  # fmt: skip
    assert misspelt.stderr.startswith(b"keywright: there is no such command; keywright has: ")
    assert unreadable.returncode == 0
