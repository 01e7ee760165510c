"""A canary secret is hunted everywhere: what is printed, raised, logged, written, listed and pickled."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import pprint
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import COMMAND, Keywright, feed, started
from support.errors import text_of

import keywright as library
from keywright.cli import app
from keywright.errors import KeywrightError
from keywright.testing import assert_hidden, traceback_with_locals

SEED = library.Secret(bytes(range(0xA0, 0xC0)))
OCTETS = library.Secret(b"qX9~vT3!kZ7^mB5$wR1%hJ8&dL4*fN6+")
PLUGINS = library.Registry.load()


def _nix() -> library.Secret:
    key = PLUGINS.key_type("ed25519").validate(library.Key("ed25519", "canary-1", SEED))
    return PLUGINS.format("nix").encode_secret(key)


def _b64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


NIX = _nix()
OCT = library.Secret(json.dumps({"kty": "oct", "k": _b64url(OCTETS.reveal()), "kid": "c"}).encode())
OKP = library.Secret(
    json.dumps(
        {"kty": "OKP", "crv": "Ed25519", "d": _b64url(SEED.reveal()), "x": _b64url(NIX.reveal()[-44:][:32])}
    ).encode()
)

# Ways to spoil a key's text; some leave it sound for one reader or the other.
SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "truncated by one": lambda text: text[:-1],
    "truncated by ten": lambda text: text[:-10],
    "half of it": lambda text: text[: len(text) // 2],
    "twice": lambda text: text + text,
    "a line feed inside": lambda text: text[:40] + b"\n" + text[40:],
    "a NUL inside": lambda text: text[:40] + b"\0" + text[40:],
    "a letter more": lambda text: text + b"A",
    "not UTF-8": lambda text: text + b"\xff",
    "a space before": lambda text: b" " + text,
    "a BOM before": lambda text: b"\xef\xbb\xbf" + text,
    "without its name": lambda text: text.partition(b":")[2],
    "without a colon": lambda text: text.replace(b":", b""),
    "name and payload swapped": lambda text: b":".join(reversed(text.split(b":", 1))),
    "quoted": lambda text: b'"' + text + b'"',
    "in a list": lambda text: b"[" + text + b"]",
    "in a set": lambda text: b'{"keys":[' + text + b"]}",
    "another kty": lambda text: text.replace(b"oct", b"RSA").replace(b"OKP", b"EC"),
    "another crv": lambda text: text.replace(b"Ed25519", b"X25519"),
    "an unknown crv": lambda text: text.replace(b"Ed25519", b"Ed448"),
    "a member twice": lambda text: text.replace(b"{", b'{"kty":"oct",', 1),
    "padded": lambda text: text.replace(b'"}', b'="}'),
    "a contradicting use": lambda text: text.replace(b"{", b'{"use":"sig","key_ops":["encrypt"],', 1),
    "halves that disagree": lambda text: text[:-6] + b"AAAA==",
}
CANARIES = {"nix": NIX, "oct": OCT, "okp": OKP}
COMMANDS = {
    "import": ["import", "canary"],
    "import nix": ["import", "canary", "--format", "nix"],
    "import jwk": ["import", "canary", "--format", "jwk"],
    "import public": ["import", "canary", "--public"],
    "import lenient": ["import", "canary", "--lenient"],
    "convert": ["convert", "--from", "nix", "--to", "jwk"],
    "convert lenient": ["convert", "--from", "nix", "--to", "nix", "--lenient"],
    "convert back": ["convert", "--from", "jwk", "--to", "nix"],
    "convert strictly": ["convert", "--from", "jwk", "--to", "nix", "--strict"],
    "public of nix": ["nix", "key", "convert-secret-to-public"],
    "thumbprint": ["jose", "jwk", "thumbprint"],
}


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty home."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "KEYWRIGHT_CONFIG", "KEYWRIGHT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return home


def assert_no_canary(shown: str | bytes) -> None:
    """No canary shows, in any spelling."""
    public = NIX.reveal()[-44:]
    assert_hidden(SEED, shown, public=public)
    assert_hidden(OCTETS, shown)


class _Stdin(io.BytesIO):
    """Standard input that hands over bytes."""

    @property
    def buffer(self) -> _Stdin:
        return self

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_that_reads_a_key_shows_it(
    command: str,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Sound or spoiled: no output, log, exception, or local variable in a traceback holds the canary."""
    caplog.set_level(logging.DEBUG)
    for spoil in SPOILED.values():
        monkeypatch.setattr(sys, "stdin", _Stdin(spoil(CANARIES[canary].reveal())))
        error = _error_of(COMMANDS[command])
        if error is not None:
            assert "\n" not in text_of(error)
            assert_no_canary(text_of(error))
            assert_no_canary(repr(error))
            assert_no_canary(traceback_with_locals(error))
        captured = capfdbinary.readouterr()
        assert_no_canary(captured.out)
        assert_no_canary(captured.err)
    assert_no_canary(caplog.text)


def _error_of(arguments: list[str]) -> KeywrightError | None:
    try:
        app.dispatch(arguments)
    except KeywrightError as error:
        return error
    return None


GOOD_PATH = [
    ["show", "canary"],
    ["list"],
    ["export", "canary"],
    ["export", "canary", "--format", "jwk"],
    ["sign", "canary", "keywright.toml"],
    ["label", "canary", "team=web"],
    ["rotate", "canary"],
    ["disable", "canary@1"],
    ["enable", "canary@1"],
    ["generate", "canary"],
    ["import", "canary", "keywright.toml"],
    ["rotate", "absent"],
    ["export", "canary@9", "--secret"],
    ["verify", "canary", "--signature", "A" * 88, "keywright.toml"],
    ["config", "show"],
    ["config", "check"],
    ["plugins"],
    ["compromise", "canary@1", "--yes"],
    ["destroy", "canary@1", "--yes"],
    ["export", "canary@1", "--secret"],
]


@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_a_stored_canary_is_printed_only_when_asked_for(backend: str, home: Path, keywright: Keywright) -> None:
    """Only `export --secret` prints the secret, loud or in JSON; after `destroy` no file holds it."""
    (home / "keywright.toml").write_text(f'[stores.it]\nbackend = "{backend}"\npath = "keys"\n')
    assert keywright("import", "canary", input=NIX.reveal()).returncode == 0
    assert keywright("export", "canary", "--secret").stdout == NIX.reveal()

    for arguments in GOOD_PATH:
        for extra in ([], ["--json", "-vv", "--debug"]):
            done = keywright(*arguments, *extra)
            assert_no_canary(done.stdout)
            assert_no_canary(done.stderr)
            assert done.returncode != 70, done.stderr

    for path in home.rglob("*"):
        if path.is_file():
            assert_no_canary(path.read_bytes())


@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_nobody_else_can_read_what_holds_the_canary(backend: str, home: Path, environment: dict[str, str]) -> None:
    """Under umask 000, every file that holds the secret is its owner's alone, and no temporary file is left."""
    (home / "keywright.toml").write_text(f'[stores.it]\nbackend = "{backend}"\npath = "keys"\n')
    (home / "tmp").mkdir()

    script = "umask 000; keywright import canary && keywright export canary --secret -o out && keywright rotate canary"

    done = subprocess.run(
        ["sh", "-c", script],
        input=NIX.reveal(), cwd=home, env={**environment, "TMPDIR": str(home / "tmp")}, capture_output=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    holding = [path for path in home.rglob("*") if path.is_file() and NIX.reveal() in path.read_bytes()]
    assert len(holding) >= 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in holding)
    assert list((home / "tmp").iterdir()) == []


@pytest.mark.peer
def test_every_file_that_is_made_is_made_owner_only(
    peer: Callable[[str], str], home: Path, environment: dict[str, str]
) -> None:
    """The system calls themselves: each file that a command creates has no bit for others from the start."""
    # A measurement of coverage makes files of its own.
    environment = {name: value for name, value in environment.items() if not name.startswith("COV")}
    for backend in ("file", "sqlite"):
        (home / "keywright.toml").write_text(f'[stores.it]\nbackend = "{backend}"\npath = "keys-{backend}"\n')
        trace = home / f"{backend}.trace"

        done = subprocess.run(
            [
                *(peer("strace"), "-f", "-qq", "-o", str(trace), "-e", "trace=open,openat,creat,mkdir,mkdirat,execve"),
                *(sys.executable, "-m", "keywright", "import", "canary"),
            ],
            input=NIX.reveal(), cwd=home, env=environment, capture_output=True, preexec_fn=lambda: os.umask(0),
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        calls = trace.read_text().splitlines()
        made = [call for call in calls if "O_CREAT" in call and "/dev/" not in call and "__pycache__" not in call]
        assert made, calls
        assert all(", 0600)" in call for call in made), made
        assert all(", 0700)" in call for call in calls if "mkdir" in call and "= 0" in call and "pycache" not in call)
        assert len([call for call in calls if "execve(" in call]) == 1, "a child process would show its arguments"
        assert_no_canary("\n".join(calls))


def test_the_canary_is_in_no_command_line_while_a_command_runs(home: Path, environment: dict[str, str]) -> None:
    """`/proc/*/cmdline` and the environment of a running import do not hold what it reads."""
    with started([COMMAND, "import", "canary"], cwd=home, env=environment, stdin=subprocess.PIPE) as running:
        feed(running, NIX.reveal())
        for process in _processes():
            assert_no_canary(process)
        running.communicate(timeout=60)

    assert running.returncode == 0


def _processes() -> Iterator[bytes]:
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            try:
                yield (directory / "cmdline").read_bytes()
            except OSError:
                continue


def test_values_do_not_show_and_are_not_pickled() -> None:
    """No repr, str, format, pretty print or JSON of anything that holds the secret shows it; no pickle is made."""
    with library.open({"stores": {"it": {"backend": "memory"}}}, registry=PLUGINS) as ring:
        ring.import_key("canary", NIX)
        key = ring.load("canary")
        signer = ring.signer("canary")
        record = ring.open_store().get("canary", 1)
        exported = ring.export("canary", secret=True)
        things = [key, signer, signer.current(), record, exported, ring, ring.open_store(), ring.show("canary")]

        for thing in things:
            for shown in (repr(thing), str(thing), f"{thing}", pprint.pformat(thing), json.dumps(thing, default=repr)):
                assert_no_canary(shown)
        for thing in (key, record, exported, signer, ring):
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                with pytest.raises(TypeError):
                    pickle.dumps(thing, protocol)
        assert copy.deepcopy(key) == key
