"""Arguments, exit codes and allow-lists: obeyed or refused, never guessed, and never quoted."""

from __future__ import annotations

import gc
import json
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from support import COMMAND, Keywright, Told
from support.errors import printed

from keywright import Registry
from keywright.cli import app, main
from keywright.cli.app import Loading
from keywright.cli.commands import core_commands
from keywright.plugins.commands import Command, Commands

CANARY = "canary-7f3b-sings-not"


EMPTY = [
    *(f"generate a {option}" for option in ("--kid", "--type", "--format", "--bits")),
    *("export a --format", "export a -o", "list --store", "verify a --signature", "disable a --reason"),
]
TWICE = ["generate a --type", "list --store", "convert --to nix --from", "jose jwk create-curve-key --curve"]
WITHOUT_EFFECT = [
    *(
        f"{words} {option}"
        for words in ("init", "config path", "jose jwk thumbprint")
        for option in ("--store", "--profile")
    ),
    *("init --option a", "config path --option a", "jose jwk thumbprint --option a", "plugins --store"),
]
REFUSED = {
    **{f"{line} ''": f"{line.split()[-1]} is empty; give it a value, or leave it out" for line in EMPTY},
    "generate a --kid=": "--kid is empty; give it a value, or leave it out",
    **{f"{line} x {line.split()[-1]} y": f"{line.split()[-1]} is given twice" for line in TWICE},
    **{
        f"{line} x": "{1} does not apply to keywright {0}; leave it out".format(*line.removesuffix(" a").rsplit(" ", 1))
        for line in WITHOUT_EFFECT
    },
    "--store x convert --from nix --to jwk": "--store does not apply to keywright convert; leave it out",
    "nix key generate-secret --log-format CANARY": (
        "argument --log-format: must be one of 'raw', 'internal-json', 'bar', 'bar-with-logs'"
    ),
    "jose jwk create-secret-key --format '(choose from CANARY)'": (
        "argument --format: must be one of 'object', 'base64'"
    ),
    "jose jwk create-secret-key --bits CANARY": "argument --bits: takes a value of type int",
    "list --CANARY": "unknown option of keywright list",
    "generate -x": "unknown option of keywright generate",
    "sign --kidd a": "--kidd is not an option of keywright sign",
    "list --CANARY=x": "unknown option of keywright list",
    "list -z": "unknown option of keywright list",
    "ensure --dry-run": "--dry-run is not an option of keywright ensure",
    "list --dry-run=CANARY": "--dry-run is not an option of keywright list",
    f"list --{'x' * 29}": "unknown option of keywright list",
    "list --Dry-Run": "unknown option of keywright list",
    "list --labl CANARY": "--labl is not an option of keywright list (did you mean '--label'?)",
    "list a CANARY": "keywright list takes 1 argument, 2 given",
    "list --json=CANARY": "argument --json: takes no value",
}


@pytest.mark.parametrize(("line", "message"), REFUSED.items(), ids=REFUSED)
def test_what_does_not_fit_is_refused(told: Told, line: str, message: str) -> None:
    """Exit 2 and one line that quotes no argument."""
    code, out, err = told(*shlex.split(line.replace("CANARY", CANARY)))

    assert (code, out) == (2, "")
    message, _, hint = message.partition("; ")
    assert err.startswith(f"error: {message}\nhint: {hint or 'see keywright '}")
    assert CANARY not in err


TWO_OF_ONE = "--attribute gives one name twice; remove one of them"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param("a=1 a:=2", TWO_OF_ONE, id="both ways"),
        pytest.param("a:=2 a=1", TWO_OF_ONE, id="both ways turned"),
        pytest.param(
            'a:={"b":{"c":1,"c":2}}',
            "the JSON of --attribute has a member twice; remove one",
            id="a member",
        ),
        pytest.param(
            "a:=NaN", "the value of --attribute NAME:=VALUE is not valid JSON; for text pass NAME=VALUE", id="NaN"
        ),
        pytest.param(
            "a:=1e999",
            "the value of --attribute NAME:=VALUE is not valid JSON; for text pass NAME=VALUE",
            id="infinite",
        ),
        pytest.param(":=1", "--attribute requires NAME=VALUE or NAME:=JSON; such as --attribute use=sig", id="no name"),
    ],
)
def test_attributes_are_not_guessed(told: Told, words: str, message: str) -> None:
    """What names nothing, or one thing twice, or is not JSON, is refused."""
    options = [part for word in words.split() for part in ("--attribute", word)]

    assert told("generate", "a", "--type", "oct", *options) == (2, "", printed(message))


def test_the_letters_of_flags_may_stand_together_before_a_command(told: Told) -> None:
    """`-vvv` and `-qv` are flags wherever they stand."""
    assert told("-vvv", "list") == (0, "", "")
    assert told("-qv", "list", "-vvvv") == (0, "", "")


def test_init_writes_where_config_says(told: Told, home: Path) -> None:
    """`--config` names the file to write, and the one in the current directory stays as it is."""
    (home / "keywright.toml").write_text("# mine\n")

    code, out, _ = told("--config", "other.toml", "init", "--force")

    assert (code, out) == (0, f"{home}/other.toml\n")
    assert (home / "keywright.toml").read_text() == "# mine\n"
    assert "[stores.local]" in (home / "other.toml").read_text()


@pytest.mark.parametrize("stop", ["SystemExit('boom')", "SystemExit()", "SystemExit(0)", "GeneratorExit", "ValueError"])
def test_a_plugin_that_stops_the_program_is_a_bug(told: Told, monkeypatch: pytest.MonkeyPatch, stop: str) -> None:
    """Only our own parser ends a command early; anything else that does is reported, with exit 70."""
    monkeypatch.setattr("keywright.cli.commands.read.run_list", lambda *_: exec(f"raise {stop}"))

    code, out, err = told("list")

    assert (code, out) == (70, "")
    kind = stop.partition("(")[0]
    assert err.startswith(f"error: internal error ({kind}): this is a bug in keywright\nhint: report it")


@pytest.fixture
def stranger(home: Path, environment: dict[str, str]) -> dict[str, str]:
    """A plugin that leaves a file behind when it is imported; the environment in which it is installed."""
    metadata = home / "site" / "stranger-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "entry_points.txt").write_text("[keywright]\nstranger = stranger_module\n")
    (home / "site" / "stranger_module.py").write_text(
        f"open({str(home / 'imported')!r}, 'w').close()\nKEYWRIGHT_API = 1\n"
    )
    return {"PYTHONPATH": str(home / "site")}


LINES = [
    *("generate a", "convert --from nix --to jwk", "init", "config path", "lst", "show -- --help", "list --help"),
    *("--help", "--version", "", "nix --help", "nix key generate-secret --key-name a --option cores 4"),
    *("jose jwk create-curve-key", "plugins"),
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("missing", ["", ', "absent"'], ids=["", "one is not installed"])
def test_what_is_not_on_the_allow_list_is_never_imported(
    keywright: Keywright, home: Path, stranger: dict[str, str], line: str, missing: str
) -> None:
    """`plugins = […]` holds for every command, for help and for mistakes."""
    allowed = f'plugins = ["keytypes", "nix", "jose", "sqlite"{missing}]\n'
    (home / "keywright.toml").write_text(allowed + '[stores.a]\nbackend = "sqlite"\npath = "keys.db"\n')

    done = keywright(*line.split(), env=stranger)

    assert done.returncode != 70, done.stderr
    assert not (home / "imported").exists()


def test_without_an_allow_list_it_is_imported(keywright: Keywright, home: Path, stranger: dict[str, str]) -> None:
    """The test above would notice."""
    keywright("list", env=stranger)

    assert (home / "imported").exists()


@pytest.mark.parametrize(
    "line", ["--help", "list --help", "jose jwk create-curve-key", "nix key generate-secret --version"]
)
def test_a_broken_configuration_matters_only_to_what_needs_one(keywright: Keywright, home: Path, line: str) -> None:
    """Help and commands that read no configuration go on; a command with a ring reports the problem."""
    (home / "keywright.toml").write_text("nonsense")

    assert keywright(*line.split()).returncode == 0
    assert keywright("list").returncode == 2


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
        app._run(command, Namespace(output="-"), Loading(Namespace(), command))


@pytest.mark.parametrize("line", ["--version", "--help", "list --help", "lisst", "generate --bogus"])
def test_garbage_is_collected_again_afterwards(
    line: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that calls the command line in its own process has its garbage collector back in any case."""
    monkeypatch.chdir(home)
    monkeypatch.setattr("sys.argv", ["keywright", *line.split()])

    main()

    assert gc.isenabled()
    assert capsys.readouterr() != ("", "")


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

    done = keywright("--help", env=variables)

    assert done.returncode == 0
    assert b"nix key generate-secret" in done.stdout
    assert b"jose jwk" not in done.stdout
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

    assert (b"is not enabled" not in done.stderr) == allowed


def test_a_command_of_a_plugin_that_is_left_out(home: Path, keywright: Keywright) -> None:
    """The allow-list is why it is not there. Where no configuration can be read, all that is installed goes on."""
    command = ("nix", "key", "generate-secret", "--key-name", "a-1")
    (home / "keywright.toml").write_text('plugins = ["keytypes", "jose", "sqlite"]\n')
    left_out, misspelt = keywright(*command), keywright("nxi")
    (home / "keywright.toml").write_text("broken")
    unreadable = keywright(*command)

    message = b'error: plugin "nix" is not enabled\nhint: add "nix" to the setting `plugins`\n'
    assert (left_out.returncode, left_out.stderr) == (2, message)
    assert misspelt.stderr.startswith(b'error: "nxi" is not a command of keywright')
    assert unreadable.returncode == 0


def test_each_command_says_what_it_does_in_a_few_words() -> None:
    """One line below 60 characters, which fits beside the longest name."""
    commands, registry = Commands(), Registry.load()
    commands.extend(core_commands(lambda: registry))
    registry.add_commands(commands)

    assert {" ".join(path): len(one.help) for path, one in commands.table.items() if len(one.help) >= 60} == {}
