"""New keys and thumbprints: the functions, and the commands `keywright jose jwk …`."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jose_support import FORMAT, assert_nothing_shows, decode, published, refusal, refused
from support.errors import text_of

from keywright import Commands, Secret
from keywright.errors import ConfigError, KeyExistsError, KeywrightError, MalformedKeyError, UnsupportedOperationError
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, thumbprint
from keywright_jose.cli import add_commands

_AGAIN = "export the key again from the program that made it"
_BITS = "the bits of {} must be a multiple of 8 from {} to 8192; such as {}"
_CURVE = "the curve of the key is not supported; use one of P-256, P-384, P-521, Ed25519, X25519"
_FORMAT = 'the format of a new key must be object or base64; pass "object" or "base64"'
_CURVES = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "X25519": 32}


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


@pytest.mark.parametrize("bits", [128, 136, 256, 512, 1024, 2048, 4096, 8192])
def test_secret_key_has_the_size_asked_for(bits: int) -> None:
    jwk = create_secret_key(bits)

    assert jwk.keys() == {"k", "kty"}
    assert jwk["kty"] == "oct"
    assert len(_octets(jwk["k"])) * 8 == bits
    assert create_secret_key(bits) != jwk


@pytest.mark.parametrize("curve", _CURVES)
def test_curve_key_has_its_members(curve: str) -> None:
    """`create_curve_key` gives a private JWK on that curve, fixed length, without kid."""
    jwk = create_curve_key(curve)

    kty, coordinates = ("EC", {"x", "y"}) if curve.startswith("P-") else ("OKP", {"x"})
    assert jwk.keys() == {"crv", "d", "kty"} | coordinates
    assert (jwk["kty"], jwk["crv"]) == (kty, curve)
    assert {len(_octets(jwk[name])) for name in coordinates | {"d"}} == {_CURVES[curve]}
    assert create_curve_key(curve) != jwk


def test_rsa_key_has_all_its_numbers() -> None:
    jwk = create_rsa_key(2048)

    assert jwk.keys() == {"kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"}
    assert (jwk["kty"], jwk["e"]) == ("RSA", "AQAB")
    assert int.from_bytes(_octets(jwk["n"]), "big").bit_length() == 2048


def test_the_defaults() -> None:
    assert len(_octets(create_secret_key()["k"])) == 256
    assert create_curve_key()["crv"] == "P-256"
    assert len(_octets(create_rsa_key()["n"])) == 384


def test_base64_is_of_the_canonical_json() -> None:
    for made, kty in (
        (create_secret_key(512, "base64"), "oct"),
        (create_curve_key("Ed25519", "base64"), "OKP"),
        (create_rsa_key(2048, "base64"), "RSA"),
    ):
        decoded = b64decode(made, validate=True)

        jwk = json.loads(decoded)
        assert jwk["kty"] == kty
        assert decoded == json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()


def test_new_keys_are_read_and_written_the_same() -> None:
    for jwk in (create_secret_key(128), *map(create_curve_key, _CURVES), create_rsa_key(2048)):
        assert json.loads(FORMAT.encode_secret(decode(jwk)).reveal()) == jwk


@pytest.mark.parametrize(
    ("create", "arguments", "message"),
    [
        *(
            pytest.param(create_secret_key, (bits,), _BITS.format("a symmetric key", 128, 256), id=f"secret {bits!r}")
            for bits in (0, 8, 120, -256, 129, 8200, 256.0, "256", None, True)
        ),
        *(
            pytest.param(create_rsa_key, (bits,), _BITS.format("an RSA key", 2048, 3072), id=f"rsa {bits!r}")
            for bits in (0, 1024, 2047, 2052, 8200, 2048.0, "2048", None)
        ),
        *(
            pytest.param(create_curve_key, (curve,), _CURVE, id=f"curve {curve!r}")
            for curve in ("", "p-256", "secp256k1", "Ed448", None, ["P-256"])
        ),
        pytest.param(create_secret_key, (256, "jwk"), _FORMAT, id="format of secret"),
        pytest.param(create_curve_key, ("P-256", None), _FORMAT, id="format of curve"),
        pytest.param(create_rsa_key, (2048, ["object"]), _FORMAT, id="format of rsa"),
    ],
)
def test_wrong_arguments_are_refused(create: Callable[..., object], arguments: tuple[object], message: str) -> None:
    assert refused(create, *arguments) == (ConfigError, message)


_TEXT = "the JWK member {} must be text that is not empty; " + _AGAIN
_FOREIGN = "the JWK member crv is not a parameter of a key whose kty is oct; remove it, or change kty"


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        pytest.param({"kty": None}, MalformedKeyError, _TEXT.format("kty"), id="kty null"),
        pytest.param({"kty": "oct"}, MalformedKeyError, _FOREIGN, id="oct with others"),
    ],
)
def test_thumbprint_refuses_what_is_no_key(change: dict[str, object], kind: type[KeywrightError], message: str) -> None:
    error = refusal(_Thumbprint(published("ed25519") | change))

    assert (type(error), text_of(error)) == (kind, message)
    assert_nothing_shows(error, json.dumps(published("ed25519")).encode())


class _Thumbprint:
    """Calls `thumbprint`, and shows nothing itself."""

    def __init__(self, jwk: object) -> None:
        self._jwk: Any = jwk

    def __call__(self) -> str:
        return thumbprint(self._jwk)

    def __repr__(self) -> str:
        return "<call>"


def test_thumbprint_wants_a_mapping() -> None:
    jwk: Any = [("kty", "oct")]
    assert refused(thumbprint, jwk) == (
        MalformedKeyError,
        "a JWK must be a mapping of member names to values; pass the dict of one key",
    )


def test_thumbprint_of_a_symmetric_key_is_refused() -> None:
    """RFC 7638 defines one for oct too, but it would let anybody test guesses of the key (its §7)."""
    error = refusal(_Thumbprint(published("oct")))

    assert (type(error), text_of(error)) == (
        UnsupportedOperationError,
        "an oct key has no thumbprint, because with a hash of the secret guesses can be tested; set a random kid",
    )
    assert_nothing_shows(error, json.dumps(published("oct")).encode())


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
