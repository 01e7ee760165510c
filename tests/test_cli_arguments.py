"""Arguments are obeyed or refused, never guessed, and never quoted; the allow-list holds for every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import Keywright

from keywright.cli import app

Told = Callable[..., tuple[int, str, str]]
CANARY = "canary-7f3b-sings-not"


@pytest.fixture
def told(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command line in this process, in an empty home: exit code, stdout, stderr."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "KEYWRIGHT_CONFIG", "KEYWRIGHT_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = app.run(arguments)
        return (code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            pytest.param([*words, option, ""], f"{option} is empty: give it a value, or leave it out", id=option)
            for words, option in (
                (["generate", "a"], "--kid"),
                (["generate", "a"], "--type"),
                (["generate", "a"], "--format"),
                (["generate", "a"], "--bits"),
                (["export", "a"], "--format"),
                (["export", "a"], "-o"),
                (["list"], "--store"),
                (["verify", "a"], "--signature"),
                (["disable", "a"], "--reason"),
            )
        ),
        pytest.param(["generate", "a", "--kid="], "--kid is empty: give it a value, or leave it out", id="equals"),
        *(
            pytest.param([*words, option, "x", option, "y"], f"{option} is given twice: leave one out", id=f"2{option}")
            for words, option in (
                (["generate", "a"], "--type"),
                (["list"], "--store"),
                (["convert", "--to", "nix"], "--from"),
                (["jose", "jwk", "create-curve-key"], "--curve"),
            )
        ),
        *(
            pytest.param(
                [*words, option, *values],
                f"{option} has no meaning for keywright {' '.join(words)}: leave it out",
                id=f"{words[0]} {option}",
            )
            for words in (["convert"], ["init"], ["config", "path"], ["jose", "jwk", "thumbprint"])
            for option, values in (("--store", ["x"]), ("--profile", ["x"]), ("--option", ["x", "y"]))
            if words != ["convert"]
        ),
        pytest.param(
            ["plugins", "--store", "x"], "--store has no meaning for keywright plugins: leave it out", id="plugins"
        ),
        pytest.param(
            ["--store", "x", "convert", "--from", "nix", "--to", "jwk"],
            "--store has no meaning for keywright convert: leave it out",
            id="convert",
        ),
        pytest.param(
            ["nix", "key", "generate-secret", "--log-format", CANARY],
            "argument --log-format: takes one of 'raw', 'internal-json', 'bar', 'bar-with-logs'",
            id="a choice",
        ),
        pytest.param(
            ["jose", "jwk", "create-secret-key", "--format", f"(choose from {CANARY})"],
            "argument --format: takes one of 'object', 'base64'",
            id="a choice that looks like the message",
        ),
        pytest.param(
            ["jose", "jwk", "create-secret-key", "--bits", CANARY],
            "argument --bits: takes a value of type int",
            id="a number",
        ),
        pytest.param(["list", f"--{CANARY}"], "there is no such option", id="unknown option"),
        pytest.param(["list", f"--{CANARY}=x"], "there is no such option", id="unknown option with a value"),
        pytest.param(["list", "-z"], "there is no such option", id="unknown letter"),
        pytest.param(["ensure", "--dry-run"], "there is no option --dry-run", id="unknown words"),
        pytest.param(["list", f"--dry-run={CANARY}"], "there is no option --dry-run", id="unknown words with a value"),
        pytest.param(["list", f"--{'x' * 29}"], "there is no such option", id="long"),
        pytest.param(["list", "--Dry-Run"], "there is no such option", id="capitals"),
        pytest.param(["list", "--labl", CANARY], "there is no option --labl (did you mean '--label'?)", id="nearly"),
        pytest.param(["list", "a", CANARY], "there is an argument too many", id="too many"),
        pytest.param(["list", f"--json={CANARY}"], "argument --json: takes no value", id="a flag with a value"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(told: Told, arguments: list[str], message: str) -> None:
    """Exit 2 and one line that quotes no argument."""
    code, out, err = told(*arguments)

    assert (code, out) == (2, "")
    assert err.startswith(f"keywright: {message}; see keywright ")
    assert err.endswith(" --help\n")
    assert CANARY not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["a=1", "a:=2"], "--attribute names one thing twice; leave one out", id="both ways"),
        pytest.param(["a:=2", "a=1"], "--attribute names one thing twice; leave one out", id="both ways turned"),
        pytest.param(
            ['a:={"b":{"c":1,"c":2}}'],
            "--attribute NAME:=VALUE names a member of an object twice; leave one out",
            id="a member",
        ),
        pytest.param(["a:=NaN"], "--attribute NAME:=VALUE takes JSON; for text write NAME=VALUE", id="NaN"),
    ],
)
def test_attributes_are_not_guessed(told: Told, words: list[str], message: str) -> None:
    """What names one thing twice, or is no JSON, is refused."""
    code, out, err = told("generate", "a", "--type", "oct", *(part for word in words for part in ("--attribute", word)))

    assert (code, out, err) == (2, "", f"keywright: {message}\n")


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
    """Only our own parser ends a command early; whatever else does is told, with exit 70."""
    monkeypatch.setattr("keywright.cli.commands.read.run_list", lambda *_: exec(f"raise {stop}"))

    code, out, err = told("list")

    assert (code, out) == (70, "")
    kind = stop.partition("(")[0]
    assert err.startswith(f"keywright: internal error ({kind}): this is a bug in keywright or a plugin, please report")


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
    ["generate", "a"],
    ["convert", "--from", "nix", "--to", "jwk"],
    ["init"],
    ["config", "path"],
    ["lst"],
    ["show", "--", "--help"],
    ["list", "--help"],
    ["--help"],
    ["--version"],
    [],
    ["nix", "--help"],
    ["nix", "key", "generate-secret", "--key-name", "a", "--option", "cores", "4"],
    ["jose", "jwk", "create-curve-key"],
    ["plugins"],
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
@pytest.mark.parametrize("missing", ["", ', "absent"'], ids=["", "one is not installed"])
def test_what_is_not_on_the_allow_list_is_never_imported(
    keywright: Keywright, home: Path, stranger: dict[str, str], line: list[str], missing: str
) -> None:
    """`plugins = […]` holds for every command, for help and for mistakes."""
    allowed = f'plugins = ["keytypes", "nix", "jose", "sqlite"{missing}]\n'
    (home / "keywright.toml").write_text(allowed + '[stores.a]\nbackend = "sqlite"\npath = "keys.db"\n')

    done = keywright(*line, env=stranger)

    assert done.returncode != 70, done.stderr
    assert not (home / "imported").exists()


def test_without_an_allow_list_it_is_imported(keywright: Keywright, home: Path, stranger: dict[str, str]) -> None:
    """The test above would notice."""
    keywright("list", env=stranger)

    assert (home / "imported").exists()


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["list", "--help"],
        ["jose", "jwk", "create-curve-key"],
        ["nix", "key", "generate-secret", "--version"],
    ],
    ids=" ".join,
)
def test_a_broken_configuration_matters_only_to_what_needs_one(
    keywright: Keywright, home: Path, line: list[str]
) -> None:
    """Help and commands that read no configuration go on; a command with a ring tells the fault."""
    (home / "keywright.toml").write_text("nonsense")

    assert keywright(*line).returncode == 0
    assert keywright("list").returncode == 2
