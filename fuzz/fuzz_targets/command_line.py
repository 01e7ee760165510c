"""Whole command lines, in a directory of their own: no internal error, and nothing of a key on stderr."""

from __future__ import annotations

import gc
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import keywright
from fuzz_targets.contract import check_sentence, require
from fuzz_targets.target import Target, emptied, scratch_directory
from keywright.cli.app import run

_CONFIG: Final = b"""
default_store = "local"
[stores.local]
backend = "file"
path = "keys"
[stores.other]
backend = "sqlite"
path = "keys.db"
[stores.ci]
backend = "env"
[keys."prod.jwt"]
type = "oct"
format = "jwk"
"""
_CODES: Final = (0, 1, 2, 3, 4, 5, 6, 65)
_NIX_KEY: Final = (
    b"cache.example.org-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884QvjZ1gpu5XhtiKSBIWzYpa4QS4WTpU0lSgQ=="
)
_JWK: Final = b'{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}'


def check(data: bytes) -> None:
    """Arguments, one a line, up to a NUL; what follows is standard input."""
    lines, _, given = data.partition(b"\0")
    arguments = [line.decode(errors="surrogateescape") for line in lines.split(b"\n")]
    if not _is_harmless(arguments):
        return
    with _standard_streams(given) as (out, err):
        code = run(arguments)
        # The command line ends with its process, and so leaves everything uncollected.
        gc.unfreeze()
        stdout, stderr = out.getvalue(), err.getvalue().decode(errors="surrogateescape")
    require(code in _CODES, f"exit code {code}")
    require("Traceback" not in stderr and "this is a bug in" not in stderr, "an internal error")
    for line in stderr.splitlines():
        check_sentence(line or "-", (given,), shown=lines)
    asked = "--json" in arguments[: arguments.index("--") if "--" in arguments else None]
    if asked and code not in (0, 1):
        document = json.loads(stdout.splitlines()[-1])
        require(document["error"]["exit_code"] == code, "the document says another exit code")


def _is_harmless(arguments: list[str]) -> bool:
    """Whether nothing is reached outside of the directory, and nothing takes seconds."""
    text = "\n".join(arguments)
    return not any(part in text for part in ("/", "..", "~", "rsa", "8192", "4096"))


@contextmanager
def _standard_streams(given: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err = io.BytesIO(), io.BytesIO()
    template = _template()
    before = os.getcwd(), sys.stdin, sys.stdout, sys.stderr, dict(os.environ)
    work = template.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(template, work)
    os.chdir(work)
    os.environ.clear()
    os.environ.update(HOME=str(work.parent), KEYWRIGHT_KEY_A=_NIX_KEY.decode(), PATH="")
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    sys.stdout, sys.stderr = (io.TextIOWrapper(stream, errors="backslashreplace") for stream in (out, err))
    try:
        yield out, err
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream in (sys.stdout, sys.stderr):
            stream.detach()
        cwd, sys.stdin, sys.stdout, sys.stderr, environ = before
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)


@cache
def _template() -> Path:
    """A directory with a configuration and a store that holds a key with two versions, and a destroyed one."""
    path = emptied(scratch_directory("command").resolve() / "template")
    (path / "keywright.toml").write_bytes(_CONFIG)
    config = str(path / "keywright.toml")
    with keywright.open(config) as ring:
        ring.generate("prod.jwt")
        ring.rotate("prod.jwt")
        ring.generate("b", type="ed25519", format="nix")
        ring.generate("gone", type="ec-p256")
        ring.destroy("gone@1")
    return path


_WORDS: Final = (
    b"",
    *b"""
    generate ensure import export convert list show rotate label disable enable compromise destroy sign verify
    doctor plugins config check schema path init nix key generate-secret convert-secret-to-public jose jwk
    create-secret-key create-curve-key thumbprint --key-name --from --to --secret --public --kid --strict
    --lenient --type --format --bits --label --attribute --activates --expires --overlap --activate-in --as-new-version
    --reason --yes --signature --algorithm --config --profile --store --option --json -q -v --debug --version
    --help -h -o --force -- - --curve --backend --check a a@1 b b@1 gone prod.jwt prod.jwt@2 jwk ed25519
    oct ec-p256 256 90d
    2027-01-31 2027-01-31T12:00:00Z use=sig key_ops:=["sign"] team=infra team= HS256 EdDSA other ci local
    stores.local.path keywright.toml out AA== P-256
    """.split(),
)


def mutate(data: bytes, random: Random) -> bytes:
    """Arguments taken away, put in and swapped; another standard input."""
    lines, _, given = data.partition(b"\0")
    arguments = lines.split(b"\n")
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(arguments))
        step = random.randrange(4)
        if step == 0 and len(arguments) > 1:
            del arguments[at]
        elif step == 1:
            arguments[at] = random.choice(_WORDS)
        elif step == 2:
            other = random.randrange(len(arguments))
            arguments[at], arguments[other] = arguments[other], arguments[at]
        else:
            arguments.insert(at + 1, random.choice(_WORDS))
    if random.randrange(4) == 0:
        given = random.choice((b"", _NIX_KEY, _JWK, given[::-1]))
    return b"\n".join(arguments) + b"\0" + given


_COMMANDS: Final = (
    ("convert --from nix --to jwk", _NIX_KEY),
    ("convert --from nix --to jwk --secret --kid a --json", _NIX_KEY),
    ("convert --from jwk --to nix --strict", _JWK),
    ("nix key generate-secret --key-name a-1", b""),
    ("nix key convert-secret-to-public", _NIX_KEY),
    ("jose jwk create-secret-key --bits 256", b""),
    ("jose jwk thumbprint", _JWK),
    ("generate a --label team=infra --expires 90d", b""),
    ('generate prod.jwt --format jwk --attribute use=sig --attribute key_ops:=["sign"]', b""),
    ("import a --json", _NIX_KEY),
    ("import a --public --format jwk --store other", _JWK),
    ("export a --store ci --format jwk -o out", b""),
    ("sign a --store ci", b"message"),
    ("verify a --signature AA== --store ci --json", b"message"),
    ("ensure", b""),
    ("show prod.jwt --json", b""),
    ("export prod.jwt@1 --secret --format jwk", b""),
    ("rotate prod.jwt --activate-in 7d --overlap 14d", b""),
    ("label b team=infra", b""),
    ("disable prod.jwt@2 --reason audit --json", b""),
    ("sign prod.jwt --algorithm HS256", b"message"),
    ("verify b --signature AA==", b"message"),
    ("import b --as-new-version --public", _NIX_KEY),
    ("destroy prod.jwt@1 --yes", b""),
    ("export gone", b""),
    ("list --json --option stores.local.path other", b""),
    ("config show", b""),
    ("config check --profile ci", b""),
    ("doctor --json", b""),
    ("destroy a@1 --yes", b""),
    ("init --backend file", b""),
    ("--version --json", b""),
    ("rotate --help", b""),
)


TARGETS: Final = {
    "command_line": Target(
        check,
        seeds=tuple(line.replace(" ", "\n").encode() + b"\0" + given for line, given in _COMMANDS),
        words=tuple(b"\n" + word for word in _WORDS),
        maximum_bytes=1024,
        mutate=mutate,
    ),
}
