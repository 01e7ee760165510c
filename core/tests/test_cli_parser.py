"""How a command line is taken apart: words and options before the command is known, and each command's own options."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FunctionType

import pytest
from support.errors import text_of

from keywright import Commands, Registry
from keywright.cli import app
from keywright.cli.commands import core_commands
from keywright.cli.failures import BUG, exit_code, report
from keywright.cli.overview import overview
from keywright.cli.parser import CommandLine, command_parser, no_such_command
from keywright.errors import ConfigError, KeywrightError
from keywright.plugins.commands import Command


@pytest.fixture(scope="module")
def commands() -> Commands:
    """The core's own commands."""
    return core_commands(Registry)


AFTER_WORDS = "{} must follow the command"
EVERYWHERE = {"--config", "--json", "--quiet", "--verbose", "--debug", "--version", "--help"}
OF_CONFIGURATION = {"--profile", "--option"}
WITH_RING = {*OF_CONFIGURATION, "--store"}


@pytest.mark.parametrize(
    ("words", "beside"),
    [
        *((words, WITH_RING) for words in ("list", "doctor")),
        *((words, OF_CONFIGURATION) for words in ("config show", "config check", "config schema", "plugins")),
        *((words, set()) for words in ("config path", "convert", "init")),
    ],
)
def test_no_command_has_an_option_without_effect(commands: Commands, words: str, beside: set[str]) -> None:
    """`--store` goes with the key ring, `--profile` and `--option` with the configuration, the rest with all."""
    help_text = command_parser(commands.table[tuple(words.split())]).format_help()

    options = {option for option in (*EVERYWHERE, *WITH_RING) if f"{option} " in f"{help_text} "}

    assert options - EVERYWHERE == beside


def test_options_that_repeat_are_all_kept(commands: Commands) -> None:
    """`--option` may stand any number of times, `-v` counts, and `--version` takes no value."""
    parser = command_parser(commands.table["config", "show"])

    read = parser.parse_args(["--option", "a", "1", "--option", "b", "2", "-vv", "--version"])

    assert (read.option, read.verbose, read.version) == ([["a", "1"], ["b", "2"]], 2, True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(
            "--config a list --config=b --profile p --option k 1 --option l 2 -- --config c",
            {"config": "b", "profile": "p", "option": [["k", "1"], ["l", "2"]]},
            id="the last wins, and options add up",
        ),
        pytest.param("export a -qo out --config b", {"config": "b"}, id="behind letters of a command"),
        pytest.param("list --json=x --option k --profile p", {"profile": "p"}, id="what does not fit is passed over"),
        pytest.param(
            "list --option k v --profile --config b --json=",
            {"config": "b", "option": [["k", "v"]]},
            id="several times",
        ),
        pytest.param("list --profile --json=x --option", {}, id="none that fits"),
        pytest.param("list --config --prof p", {}, id="nothing that is abbreviated"),
        pytest.param("list", {}, id="none"),
        pytest.param("list -h", {"help": True}, id="a letter"),
        pytest.param(
            "--json list --debug --version --help",
            {"json": True, "debug": True, "version": True, "help": True},
            id="flags anywhere",
        ),
        pytest.param("show b --reason=--json -- --help", {}, id="in a value and behind the end"),
        pytest.param("list -- -h", {}, id="a letter behind the end"),
        pytest.param("list --json=x", {}, id="a flag with a value"),
    ],
)
def test_options_are_found_before_the_command_is_known(line: str, found: dict[str, object]) -> None:
    """The configuration, and what an error and an overview need, are read from anywhere before `--`."""
    options = vars(CommandLine(line.split()).options)

    names = ("config", "profile", "option", "json", "debug", "version", "help")
    assert {name: options[name] for name in names if options[name]} == found


@pytest.mark.parametrize(
    ("line", "words", "rest", "stray"),
    [
        pytest.param("config show --json", "config show", "--json", None, id="words"),
        pytest.param("-q config -vv show x", "config show", "-q -vv x", None, id="flags between"),
        pytest.param("--store s list", "list", "--store s", None, id="a value before"),
        pytest.param("--option k v list", "list", "--option k v", None, id="two values before"),
        pytest.param("--store=s list list", "list", "--store=s list", None, id="a value joined"),
        pytest.param("config", "config", "", None, id="half a command"),
        pytest.param("-q config --json shwo x", "config", "-q --json shwo x", "shwo", id="a word that leads nowhere"),
    ],
)
def test_words_are_told_from_options(commands: Commands, line: str, words: str, rest: str, stray: str | None) -> None:
    """Global options may stand before, between and after the words of a command."""
    assert CommandLine(line.split()).find(commands) == (tuple(words.split()), rest.split(), stray)


@pytest.mark.parametrize(("word", "hint"), [("shwo", " (did you mean 'show'?)"), ("shrewd", "")])
def test_a_word_that_leads_nowhere(commands: Commands, word: str, hint: str) -> None:
    """The error says what exists."""
    error = no_such_command(CommandLine(["config", word]).find(commands), commands)

    assert text_of(error) == f'"{word}" is not a command of keywright config{hint}; see keywright config --help'


@pytest.mark.parametrize(
    ("line", "group", "problem"),
    [
        *((f"{option} list", "", AFTER_WORDS.format("the option of a command")) for option in ("-z", "-qz", "-", "--")),
        *((f"{option} list", "", AFTER_WORDS.format(option[:6])) for option in ("--type", "--bits=8")),
        ("--bogus nix", "", AFTER_WORDS.format("--bogus")),
        ("config --type show", " config", AFTER_WORDS.format("--type")),
        ("--json=x list", "", "argument --json: takes no value"),
        ("--config --json -q list", "", "argument --config: expected one argument"),
        ("config --store", " config", "--store requires a value"),
        ("--config", "", "--config requires a value"),
        ("--option a", "", "--option requires two values"),
    ],
)
def test_what_is_no_command_line_is_refused(commands: Commands, line: str, group: str, problem: str) -> None:
    """An option that is not known before the command is, or lacks its value, is refused."""
    with pytest.raises(ConfigError) as caught:
        CommandLine(line.split()).find(commands)

    assert text_of(caught.value) == f"{problem}; see keywright{group} --help"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a command line where one store is configured, and returns its stdout."""
    monkeypatch.chdir(tmp_path)
    Path("keywright.toml").write_text('[stores.main]\nbackend = "sqlite"\npath = "keys.db"\n')

    def run(line: str) -> str:
        assert app.run(line.split()) == 0
        return capsys.readouterr().out

    return run


def test_a_document_says_where_the_key_went(run: Callable[[str], str]) -> None:
    """With `--json`, `-o -` puts the key into the document; a file, replaced with `--force`, is named in it."""
    run("generate a --type oct")
    Path("key").write_bytes(b"old")

    inside = json.loads(run("export a --secret --json -o -"))
    outside = json.loads(run("export a --secret --json -o key --force"))

    assert (inside["half"], "output" in inside) == ("secret", False)
    assert (outside["output"], "data" in outside) == ("key", False)
    assert Path("key").read_text().strip() == inside["data"]


def test_reasons_are_passed_on(run: Callable[[str], str]) -> None:
    """The `--reason` of each change of state is shown with the version."""
    run("generate a --type oct")
    for state in ("disable", "enable", "compromise"):
        run(f"{state} a@1 --reason because-of-{state}{' --yes' if state == 'compromise' else ''}")
        assert f"because-of-{state}" in run("show a --json")


def test_the_overview(run: Callable[[str], str]) -> None:
    """`--help` has a purpose and a first example, and lists every command by task, or those of the group."""
    more = "Run `keywright help COMMAND` for details and examples.\n"
    text = run("--help")

    assert text.startswith(
        "usage: keywright COMMAND …\n\nMake, encode, store and use cryptographic keys.\n\nmake keys:\n  generate  "
    )
    assert text.endswith(f"\n\n{more}First try: keywright generate cache.example.org\n")
    assert "more:" not in text.split("\n")  # each command of the core has a task
    assert "\nof the plugin jose:\n  jose jwk create-secret-key  print " in text
    assert run("config --help") == (
        "usage: keywright config COMMAND …\n"
        "\n"
        "  config show    print the configuration in use, with the sources\n"
        "  config check   check the whole configuration, with all its profiles\n"
        "  config schema  print a JSON Schema of the configuration file\n"
        "  config path    print the path of the configuration file in use\n"
        "\n"
        "Run `keywright config COMMAND --help` for details and examples.\n"
    )


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_overview_fits_the_terminal(commands: Commands, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Help texts are wrapped under their column; a long name has a line of its own; no command is left out."""
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    far = Command(
        ("nix", "key", "convert-secret-to-public"), "word " * 40, lambda _: None, lambda *_: 0, (), True, "nix"
    )
    listed = [*commands.table.values(), far]

    lines = overview("keywright", listed).splitlines()

    assert max(map(len, lines)) <= min(columns, 100) - 2
    assert "  nix key convert-secret-to-public" in lines
    assert sum(line.count("word") for line in lines) == 40
    for command in listed:
        name = f"  {' '.join(command.path)}"
        assert [line for line in lines if line == name or line.startswith(f"{name}  ")]


@pytest.mark.parametrize(
    ("line", "same"),
    [("help", "--help"), ("help sign", "sign --help"), ("help config", "config --help"), ("-V", "--version"),
     ("sign -V", "--version"), ("-V show", "--version")],
)  # fmt: skip
def test_help_and_version_in_other_words(run: Callable[[str], str], line: str, same: str) -> None:
    """`keywright help COMMAND` and `-V`, which other programs have."""
    assert run(line) == run(same) != ""


def test_an_error_of_no_kind_is_our_bug() -> None:
    """The base class is never raised; should it be, the exit code says that it is no fault of the user's."""
    assert exit_code(KeywrightError("raised by mistake")) == BUG


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
def test_an_internal_error_is_reported(capsys: pytest.CaptureFixture[str], debug: bool) -> None:
    """The message has the class of an unknown error; its text and traceback are printed with `--debug` only."""
    code = report(["list", "--debug"] if debug else ["list"], RuntimeError("of a plugin"))

    err = capsys.readouterr().err
    hint = "report it" if debug else "report it; --debug shows more (check it for secrets before you send it)"
    problem = "internal error (RuntimeError): this is a bug in keywright"
    assert code == BUG
    assert ("RuntimeError: of a plugin\n" in err) == debug
    assert err.endswith(f"error: {problem}\nhint: {hint}\n")


def _raise(inner: Callable[[], None] | None = None) -> None:
    if inner is not None:
        inner()
    raise RuntimeError


@pytest.mark.parametrize(
    ("modules", "owner"),
    [
        (["keywright.ring.keyring", "keywright_nix.key"], 'the plugin "nix"'),
        (["keywright_nix.key", "a.library"], 'the plugin "nix"'),
        (["keywright_nix.key", "keywright.records"], "keywright"),
        (["keywright.ring.keyring", "a.library"], "keywright"),
    ],
)
def test_an_internal_error_names_where_it_comes_from(
    capsys: pytest.CaptureFixture[str], modules: list[str], owner: str
) -> None:
    """That is the innermost code of keywright or of a plugin; a library is blamed on its caller."""
    call = None
    for module in reversed(modules):
        there = FunctionType(_raise.__code__, {"__name__": module}, argdefs=(None,))
        call = partial(there, call)
    assert call is not None

    with pytest.raises(RuntimeError) as caught:
        call()

    assert report(["list"], caught.value) == BUG
    assert f"this is a bug in {owner}\n" in capsys.readouterr().err
