"""`keywright jose jwk …`, run with the core's parser and context."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jose_support import FORMAT, published, refused

from keywright import Commands, Secret
from keywright.errors import KeyExistsError
from keywright_jose import thumbprint
from keywright_jose.cli import add_commands

Run = Callable[..., bytes]


@pytest.fixture
def run(command: Callable[..., Any]) -> Run:
    def run_command(name: str, *arguments: str, **options: Any) -> bytes:
        code, out, err = command(f"jwk {name}", *arguments, **options)
        assert (code, err) == (0, b"")
        return bytes(out)

    return run_command


def test_four_commands_with_examples_and_help() -> None:
    """Each command has a line of help and an example that starts with its own path."""
    commands = Commands()

    add_commands(commands)

    assert sorted(path for path in commands.table if path[1] == "jwk") == [
        ("jose", "jwk", name) for name in ("create-curve-key", "create-rsa-key", "create-secret-key", "thumbprint")
    ]
    for path, command in commands.table.items():
        assert command.help
        assert all(example.startswith(f"keywright {' '.join(path)} ") for example in command.examples)


@pytest.mark.parametrize(
    ("arguments", "type"),
    [
        (("create-secret-key",), "oct"),
        (("create-secret-key", "--bits", "128"), "oct"),
        (("create-curve-key",), "ec-p256"),
        (("create-curve-key", "--curve", "P-384"), "ec-p384"),
        (("create-curve-key", "--curve", "P-521"), "ec-p521"),
        (("create-curve-key", "--curve", "Ed25519"), "ed25519"),
        (("create-curve-key", "--curve", "X25519"), "x25519"),
        (("create-rsa-key", "--bits", "2048"), "rsa"),
    ],
)
def test_create_prints_one_line_that_imports(run: Run, arguments: tuple[str, ...], type: str) -> None:
    """A new key is one line of canonical JSON, which the strict reader takes as it is, newline included."""
    out = run(*arguments)

    key = FORMAT.decode(Secret(out), default_kid="")

    assert key.type == type
    assert FORMAT.encode_secret(key).reveal() + b"\n" == out
    assert run(*arguments) != out


@pytest.mark.parametrize("arguments", [("create-secret-key", "--bits", "512"), ("create-curve-key",)])
def test_base64_is_of_the_json(run: Run, arguments: tuple[str, ...]) -> None:
    plain = run(*arguments, "--format", "base64")
    document = json.loads(run(*arguments, "--format", "base64", as_json=True))

    assert (document["format"], document["half"], document["encoding"]) == ("jwk", "secret", "base64")
    for text in (plain.decode().removesuffix("\n"), document["data"]):
        decoded = Secret(b64decode(text, validate=True))
        assert FORMAT.encode_secret(FORMAT.decode(decoded, default_kid="")) == decoded


def test_json_is_the_document_of_every_key(run: Run) -> None:
    """With `--json` the JWK is the text `data` of the same document that `export` prints."""
    document = json.loads(run("create-secret-key", "--bits", "256", as_json=True))

    assert FORMAT.decode(Secret(document.pop("data").encode()), default_kid="").type == "oct"
    assert document == {"format": "jwk", "half": "secret"}


def test_output_is_replaced_by_force_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "key.jwk"
    path.write_bytes(b"precious")

    assert refused(run, "create-secret-key", "-o", str(path))[0] is KeyExistsError

    assert path.read_bytes() == b"precious"
    run("create-secret-key", "--output", str(path), "--force")
    assert path.read_bytes().startswith(b'{"k":"')


@pytest.mark.parametrize("arguments", [(), ("-",), ("FILE",)])
def test_thumbprint_reads_stdin_or_a_file(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    jwk = json.dumps(published("ed25519")).encode() + b"\n"
    (tmp_path / "key").write_bytes(jwk)
    given = b"" if arguments == ("FILE",) else jwk

    out = run("thumbprint", *(word.replace("FILE", str(tmp_path / "key")) for word in arguments), given=given)

    assert out == thumbprint(published("ed25519")).encode() + b"\n"


def test_thumbprint_as_json(run: Run) -> None:
    out = run("thumbprint", given=json.dumps(published("rsa")).encode(), as_json=True)

    assert json.loads(out) == {"thumbprint": thumbprint(published("rsa"))}


def test_help_recommends_sizes() -> None:
    commands = Commands()
    add_commands(commands)
    parser = ArgumentParser(formatter_class=RawDescriptionHelpFormatter)

    commands.table["jose", "jwk", "create-secret-key"].configure(parser)

    lines = parser.format_help().splitlines()
    for name in ("HS256", "A128KW", "A192KW", "A256KW", "A128CBC-HS256"):
        assert [line for line in lines if line.strip().startswith(name)]
