"""`--json`: for every command and each kind of failure, stdout is JSON and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support import COMMAND, Keywright, Told, started
from support.errors import printed

from keywright import Context, Registry, Secret, errors
from keywright.cli.commands import core_commands
from keywright.cli.failures import exit_code

PUBLIC = b"test-1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8032 §7.1, TEST 1

SIGNATURE = "AAAA"

JWE = ["--key-file", "oct.jwk", "--key-algorithm", "dir", "--content-algorithm", "A256GCM"]
API_KEY = "KEY_ID"
INFO = {"reference", "kid", "state"}
KEY = {"format", "half", "data"}

# For each command: arguments that succeed, and the keys of its document (of each line, for lists).
DONE: dict[str, tuple[list[str], set[str]]] = {
    "generate": (["new"], INFO),
    "ensure": ([], INFO),
    "import": (["new", "--public"], INFO),
    "rotate": (["a"], INFO),
    "export": (["a"], {"reference", *KEY}),
    "convert": (["--from", "nix", "--to", "jwk"], KEY),
    "list": ([], {"name", "versions"}),
    "show": (["a"], {"name", "versions"}),
    "label": (["a", "x=y"], INFO),
    "disable": (["a"], INFO),
    "enable": (["a@1"], INFO),
    "compromise": (["a@1", "--yes"], INFO),
    "destroy": (["a@1", "--yes"], INFO),
    "sign": (["a"], {"reference", "kid", "algorithm", "signature"}),
    "verify": (["a", "--signature", SIGNATURE], INFO),
    "rewrap": (["--store", "sealed"], {"rewrapped", "current"}),
    "audit verify": ([], {"lines", "faults"}),
    "audit head": ([], {"hash"}),
    "audit show": ([], {"operation", "name"}),
    "migrate": (["--from", "local", "--to", "other"], {"dry_run"}),
    "doctor": ([], {"problems"}),
    "plugins": ([], {"plugins", "failures"}),
    "config show": ([], {"path", "value", "source"}),
    "config check": ([], {"source", "problems"}),
    "config schema": ([], {"properties"}),
    "config path": ([], {"path"}),
    "init": (["--config", "other.toml"], {"path"}),
    "nix key generate-secret": (["--key-name", "a"], KEY),
    "nix key convert-secret-to-public": ([], KEY),
    "nix key check": (["a.pub"], {"file", "deviations"}),
    "nix sign": (["cache", "--key", "a"], {"changed", "unchanged", "faults"}),
    "nix verify": (["cache", "--trusted-public-keys", PUBLIC.decode()], {"verified", "bad"}),
    "nix trusted-public-keys": ([], {"keys"}),
    "jose jwk create-secret-key": ([], KEY),
    "jose jwk create-curve-key": ([], KEY),
    "jose jwk create-rsa-key": (["--bits", "2048"], KEY),
    "jose jwk thumbprint": (["ed.jwk"], {"thumbprint"}),
    "jose jwks": (["a"], {"keys"}),
    "jose jws sign": (["--key", "a"], {"token"}),
    "jose jws verify": (["--key", "a"], {"header", "claims", "kid", "reference"}),
    "jose jwe encrypt": (JWE, {"token"}),
    "jose jwe decrypt": (JWE, {"header", "plaintext"}),
    "jose api-key create": ([], {"key_id", "api_key"}),
    "jose api-key verify": ([], {"key_id", "labels"}),
    "jose api-key list": ([], {"key_id", "status"}),
    "jose api-key revoke": ([API_KEY, "--yes"], {"key_id"}),
}


@pytest.fixture
def ready(home: Path, keywright: Keywright) -> Keywright:
    """The command, in a home with a configuration, the key `a` and a JWK."""
    (home / "keywright.toml").write_text(
        'default_store = "local"\n[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n'
        '[stores.other]\nbackend = "sqlite"\npath = "other.db"\n[keys.declared]\ntype = "ed25519"\n'
        '[stores.sealed]\nbackend = "file"\npath = "sealed"\nseal = "master"\n'
        '[seals.master]\nseal = "master-key"\nkey = { file = "master" }\n[plugin.audit]\npath = "audit.log"\n'
    )
    (home / "master").touch(0o600)
    (home / "master").write_text("0" * 64)
    assert keywright("generate", "a").returncode == 0
    assert keywright("jose", "jwk", "create-curve-key", "-o", "ed.jwk").returncode == 0
    assert keywright("jose", "jwk", "create-secret-key", "--bits", "256", "-o", "oct.jwk").returncode == 0
    (home / "a.pub").write_bytes(PUBLIC)
    (home / "cache").mkdir()
    (home / "cache" / "nix-cache-info").write_text("StoreDir: /nix/store\n")
    return keywright


def documents(stdout: bytes) -> list[dict[str, Any]]:
    """All of stdout as JSON: one document, or one a line."""
    try:
        found = [json.loads(stdout)]
    except ValueError:
        found = [json.loads(line) for line in stdout.splitlines()]
    assert all(isinstance(one, dict) for one in found)
    return found


def commands() -> list[str]:
    """The paths of all commands."""
    plugins = Registry.load()
    table = core_commands(lambda: plugins)
    plugins.add_commands(table)
    return [" ".join(path) for path in table.table]


@pytest.mark.parametrize("command", commands())
def test_what_is_done_is_told_in_json(ready: Keywright, command: str) -> None:
    """Exit 0, a document with what it is about, and not a word on stderr."""
    arguments, members = DONE[command]
    given = PUBLIC
    if command == "nix key convert-secret-to-public":
        given = ready("nix", "key", "generate-secret", "--key-name", "a").stdout
    if command == "doctor":
        ready("ensure")
    if command == "verify":
        signature = json.loads(ready("sign", "a", "--json", input=given).stdout)["signature"]
        arguments = [signature if word == SIGNATURE else word for word in arguments]
    if command.startswith("jose j"):
        given = b"{}"
    if command.endswith(("jws verify", "jwe decrypt")):
        other = command.replace("verify", "sign").replace("decrypt", "encrypt")
        given = ready(*other.split(), *arguments, input=b"{}").stdout
    if command.startswith("jose api-key ") and not command.endswith("create"):
        made = json.loads(ready("jose", "api-key", "create", "--json").stdout)
        given = made["api_key"].encode()
        arguments = [made["key_id"] if word == API_KEY else word for word in arguments]

    done = ready(*command.split(), *arguments, "--json", input=given)

    assert (done.returncode, done.stderr) == (0, b"")
    assert all(members <= one.keys() for one in documents(done.stdout))
    assert documents(done.stdout)


@pytest.mark.parametrize("command", commands())
def test_wrong_arguments_are_told_in_json(ready: Keywright, command: str) -> None:
    """An unknown option ends every command in exit 2 and the document of the error."""
    done = ready("--json", *command.split(), "--there-is-no-such-option")

    assert done.returncode == 2
    assert documents(done.stdout) == [_document("ConfigError", 2, done.stderr)]


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        pytest.param(["generat", "b"], "ConfigError", 2, id="no such command"),
        pytest.param(["generate"], "ConfigError", 2, id="an argument is missing"),
        pytest.param(["generate", "B"], "InvalidNameError", 2, id="name"),
        pytest.param(["generate", "b", "--type", "x"], "UnknownPluginError", 2, id="plugin"),
        pytest.param(["--store", "x", "list"], "ConfigError", 2, id="configuration"),
        pytest.param(["--config", "absent.toml", "list"], "ConfigError", 2, id="no configuration file"),
        pytest.param(["show", "b"], "KeyNotFoundError", 3, id="not found"),
        pytest.param(["generate", "a"], "KeyExistsError", 4, id="exists"),
        pytest.param(["sign", "a@1", "absent"], "ConfigError", 2, id="no file"),
        pytest.param(["import", "b"], "NotExportableError", 5, id="refused"),
        pytest.param(["import", "b", "ed.jwk", "--format", "nix"], "MalformedKeyError", 65, id="malformed"),
        pytest.param(["verify", "a", "--signature", "A" * 88], "InvalidSignatureError", 1, id="the answer is no"),
        pytest.param(["export", "a", "-o", "ed.jwk"], "KeyExistsError", 4, id="file exists"),
        pytest.param(["destroy", "a@1"], "ConfigError", 2, id="no terminal to ask on"),
        pytest.param(["compromise", "a@1"], "ConfigError", 2, id="no terminal to ask on, compromise"),
    ],
)
def test_every_failure_is_told_in_json(ready: Keywright, arguments: list[str], kind: str, code: int) -> None:
    """One document with the error's class, message and exit code; the message for people is the same."""
    done = ready(*arguments, "--json", input=PUBLIC)

    (document,) = documents(done.stdout)
    assert done.returncode == code
    assert document == _document(kind, code, done.stderr)


@pytest.mark.parametrize("line", ["--config", "--profile", "config --store", "--option", "--option a.b"])
def test_an_option_without_its_value_and_a_command(told: Told, line: str) -> None:
    """One line says what is missing, and no list of commands hides it."""
    *group, option = line.removesuffix(" a.b").split()
    words = "two values" if option == "--option" else "a value"
    hint = f"see {' '.join(('keywright', *group))} --help"

    assert told(*line.split()) == (2, "", printed(f"{option} requires {words}; {hint}"))


@pytest.mark.parametrize("words", ["", "nix key"])
def test_no_command(told: Told, words: str) -> None:
    """People get the list of commands, programs a document; after options, a message stands below the list."""
    (bare, _, overview), (code, out, listed) = told(*words.split()), told(*words.split(), "--json")

    group = f"keywright {words}".rstrip()
    message = f"error: a command is missing\nhint: see {group} --help\n"
    assert json.loads(out) == _document("ConfigError", 2, message.encode())
    assert (code, bare, listed) == (2, 2, overview + message)
    assert overview.startswith(f"usage: {group} COMMAND")
    for line in ("--store a", "-q", "--option a.b c") if not words else ():
        assert told(*line.split()) == (2, "", listed)


def _document(kind: str, code: int, stderr: bytes) -> dict[str, Any]:
    """The document that belongs to an error as it is printed for people."""
    message, _, hint = stderr.decode().removeprefix("error: ").removesuffix("\n").partition("\nhint: ")
    return {"error": {"type": kind, "message": message, "hint": hint or None, "exit_code": code}}


def stop_with(error: BaseException, told: Told, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, Any], str]:
    """The exit code, the member `error` of the document, and stderr of a command that raises `error`."""

    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr("keywright.cli.commands.config.run_config_path", fail)
    code, out, err = told("config", "path", "--json")
    document = json.loads(out)
    assert document.keys() == {"error"}
    return code, document["error"], err


@pytest.mark.parametrize("error", [name for name in errors.__all__ if name != "KeywrightError"])
def test_every_class_of_error_has_its_document(error: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """For any error that a command raises, the document has its class and exit code."""
    raised: errors.KeywrightError = getattr(errors, error)("it is so", hint="do this")

    code, document, err = stop_with(raised, told, monkeypatch)

    assert code == exit_code(raised)
    assert document == {"type": error, "message": "it is so", "hint": "do this", "exit_code": code}
    assert err == "error: it is so\nhint: do this\n"


@pytest.mark.parametrize(("stop", "expected"), [(RuntimeError, 70), (SystemExit, 70), (KeyboardInterrupt, 130)])
def test_what_is_no_error_of_ours_has_a_document_too(
    stop: type[BaseException], expected: int, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug and Ctrl-C have one in JSON; the message of a bug is not repeated."""
    code, document, err = stop_with(stop("canary"), told, monkeypatch)

    assert (code, document["exit_code"], document["type"]) == (expected, expected, stop.__name__)
    assert {"error": document} == _document(stop.__name__, expected, err.encode())
    assert "canary" not in f"{document} {err}"


@pytest.mark.parametrize("line", ["show b", "show b --reason=--json", "show b -- --json", "verify -- --json x"])
def test_no_document_is_printed_unasked(told: Told, line: str) -> None:
    """`--json` in a value or after `--` is not the option."""
    code, out, _ = told(*line.split())

    assert (code in (2, 3), out) == (True, "")


def test_a_key_that_is_no_text_is_in_base64(capsys: pytest.CaptureFixture[str]) -> None:
    """`encoding` says so."""
    context = Context(Registry, read_config=lambda: pytest.fail("no configuration is read"), json=True)

    context.write_key(Secret(b"\xff\x00"), format="raw", secret=True, reference="a@1")

    assert json.loads(capsys.readouterr().out) == {
        "reference": "a@1", "format": "raw", "half": "secret", "data": "/wA=", "encoding": "base64"
    }  # fmt: skip


def test_an_export_names_the_version_that_it_holds(ready: Keywright, home: Path) -> None:
    """Of a bare name the primary, of NAME@N that one, the format that was asked for, and with `-o` the file."""
    ready("rotate", "a")

    primary = json.loads(ready("export", "a", "--json", "--secret").stdout)
    first = json.loads(ready("export", "a@1", "--json", "--format", "jwk").stdout)
    to_file = json.loads(ready("export", "a", "-o", "out", "--json").stdout)

    assert (primary["reference"], primary["half"], primary["data"][:4]) == ("a@2", "secret", "a-2:")
    assert (first["reference"], first["format"], json.loads(first["data"])["kid"]) == ("a@1", "jwk", "a-1")
    assert to_file == {"reference": "a@2", "format": "nix", "half": "public", "output": "out"}
    assert (home / "out").read_bytes() == ready("export", "a").stdout


def test_every_fault_of_a_configuration_is_in_the_document(ready: Keywright, home: Path) -> None:
    """`config check` has them all in `problems`, and the last as `error`."""
    with (home / "keywright.toml").open("a") as file:
        file.write("[stores.b]\nbackend='file'\n[keys.k]\nbits=3\ntype='rsa'\n[keys.l]\ntype='none'\n")

    done = ready("config", "check", "--json", "--option", "default_store", "local")

    (document,) = documents(done.stdout)
    assert done.returncode == 2
    assert [problem["exit_code"] for problem in document["problems"]] == [2, 2, 2]
    assert document["error"] == document["problems"][-1]
    messages = [line for line in done.stderr.decode().splitlines() if line.startswith("error: ")]
    assert messages == [f"error: {problem['message']}" for problem in document["problems"]]


def test_no_configuration_file_and_the_version(keywright: Keywright) -> None:
    """`config path` says null, and no by its exit code; `--version` has a document in either order."""
    done = keywright("config", "path", "--json")

    assert (done.returncode, json.loads(done.stdout)) == (1, {"path": None})
    for arguments in (("--json", "--version"), ("list", "--version", "--json")):
        assert json.loads(keywright(*arguments).stdout).keys() == {"name", "version"}


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("change", "answer", "code", "state"),
    [
        ("destroy", b"\xffno\n", 1, "enabled"),
        ("compromise", b"\n", 1, "enabled"),
        ("compromise", b"y\n", 0, "compromised"),
    ],
)
def test_what_cannot_be_undone_is_asked_for(home: Path, change: str, answer: bytes, code: int, state: str) -> None:
    """Who answers no at the terminal gets the version, still enabled, and exit 1."""
    terminal, other = os.openpty()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = [COMMAND, change, "a@1", "--json"]
    with started(command, cwd=home, env=environment, stdin=other, stderr=other) as running:
        os.write(terminal, answer)
        out, _ = running.communicate(timeout=60)

    os.close(other)
    os.close(terminal)
    assert running.returncode == code
    assert (json.loads(out)["reference"], json.loads(out)["state"]) == ("a@1", state)


@pytest.fixture
def key(home: Path, keywright: Keywright) -> None:
    """A key `a` in a store."""
    (home / "keywright.toml").write_text('[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n')
    assert keywright("generate", "a").returncode == 0


@pytest.mark.usefixtures("key")
def test_what_is_destroyed_is_not_destroyed_again(keywright: Keywright) -> None:
    """It asks nothing, not even where there is no terminal; it says so, changes nothing and is not a failure."""
    assert keywright("destroy", "a@1", "--yes", "--reason", "first").returncode == 0
    before = keywright("show", "a", "--json").stdout

    again, with_reason = keywright("destroy", "a@1"), keywright("destroy", "a", "--reason", "second")

    note = "a@1 is already destroyed, nothing was changed"
    for done, words in ((again, note), (with_reason, f"{note}; the reason was not recorded")):
        assert (done.returncode, done.stdout, done.stderr.decode()) == (0, b"a@1\n", f"{words}\n")
    assert keywright("show", "a", "--json").stdout == before


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(("change", "state"), [("disable", "disabled"), ("compromise", "compromised")])
def test_a_reason_that_is_not_kept_is_told(keywright: Keywright, change: str, state: str) -> None:
    """Of a version that is in the state already the first reason stays, and stderr says so."""
    sure = ["--yes"] * (change == "compromise")

    first = keywright(change, "a", "--reason", "first", *sure)
    second = keywright(change, "a", "--reason", "second")

    note = f"a@1 is already {state}; the reason was not recorded\n".encode()
    assert (first.returncode, first.stderr) == (0, b"")
    assert (second.returncode, second.stdout, second.stderr) == (0, b"a@1\n", note)


@pytest.mark.usefixtures("key")
def test_what_comes_next_is_for_programs_too(keywright: Keywright) -> None:
    """Each event of `next` has a word and a version beside its sentence."""
    assert keywright("rotate", "a", "--activate-in", "7d", "--overlap", "14d").returncode == 0

    planned = json.loads(keywright("show", "a", "--json").stdout)["next"]

    assert [(one["event"], one["version"], sorted(one)) for one in planned] == [
        ("starts", 2, ["event", "time", "version", "what"]),
        ("ends", 1, ["event", "time", "version", "what"]),
    ]
