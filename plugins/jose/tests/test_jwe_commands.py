"""`keywright jose jwe encrypt` and `decrypt`: what is read, printed and refused."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jose_support import MEMORY, Observer, names, refusal, refused
from support.errors import text_of

import keywright
from keywright import KeyRing, Registry, Secret
from keywright.errors import (
    ConfigError,
    InvalidSignatureError,
    KeyExistsError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PolicyError,
)
from keywright_jose import create_curve_key, create_secret_key, jwe_decrypt, jwe_encrypt
from keywright_jose.jwe.algorithms import CONTENT_ALGORITHMS, KEY_ALGORITHMS

Run = Callable[..., bytes]

ALGORITHMS = ("--key-algorithm", "A256KW", "--content-algorithm", "A256GCM")
AGREEMENT = ("--key-algorithm", "ECDH-ES", "--content-algorithm", "A128GCM")
WRAP = names("A256KW")
AGREE = names("ECDH-ES", "A128GCM")
JWK = create_secret_key(256)
KEY = ("--key-file", "key.jwk")
GONE = "so it cannot encrypt; use the primary version, or rotate the key"


@pytest.fixture
def ring(observer: Observer) -> Iterator[KeyRing]:
    registry = Registry.load()
    registry.add(observer, "observer")
    with keywright.open(MEMORY, registry=registry) as opened:
        opened.generate("box", type="x25519", format="jwk")
        opened.generate("wrapping", type="oct", format="jwk", bits=256)
        yield opened


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.jwk").write_text(json.dumps(JWK) + "\n")
    return tmp_path


@pytest.fixture
def run(ring: KeyRing, directory: Path, command: Callable[..., Any]) -> Run:
    def run_command(name: str, *arguments: str, **options: Any) -> bytes:
        code, out, err = command(f"jwe {name}", *arguments, ring=ring, **options)
        assert (code, err) == (0, b"")
        return bytes(out)

    return run_command


def test_bytes_there_and_back(run: Run) -> None:
    token = run("encrypt", *KEY, *ALGORITHMS, given=b"\x00\xff\n")

    assert token.count(b".") == 4
    assert token.endswith(b"\n")
    assert run("decrypt", *KEY, *ALGORITHMS, given=token) == b"\x00\xff\n"
    assert run("decrypt", *KEY, *ALGORITHMS, "-", given=token.replace(b"\n", b"\r\n")) == b"\x00\xff\n"
    assert run("decrypt", *KEY, *ALGORITHMS, given=token.strip()) == b"\x00\xff\n"


def test_files_are_read(run: Run, directory: Path) -> None:
    (directory / "plaintext").write_bytes(b"hi")
    (directory / "token").write_bytes(run("encrypt", *KEY, *ALGORITHMS, "plaintext"))

    assert run("decrypt", "--key-file", "-", *ALGORITHMS, "token", given=json.dumps(JWK).encode()) == b"hi"


def test_the_header_is_what_was_asked_for(run: Run) -> None:
    token = run("encrypt", *KEY, *ALGORITHMS, "--header", "cty=JWT", "--header", "n:=[1]").decode().strip()

    header = jwe_decrypt(token, JWK, **WRAP).header

    assert header == {"alg": "A256KW", "enc": "A256GCM", "cty": "JWT", "n": [1]}


def test_json_documents(run: Run) -> None:
    """With `--json` the token is a document, and so is what was decrypted, in base64."""
    token = json.loads(run("encrypt", *KEY, *ALGORITHMS, given=b"\xff", as_json=True))["token"]

    document = json.loads(run("decrypt", *KEY, *ALGORITHMS, given=token.encode(), as_json=True))

    assert document == {
        "header": {"alg": "A256KW", "enc": "A256GCM"},
        "kid": None,
        "plaintext": "/w==",
        "encoding": "base64",
    }


def test_plaintext_goes_to_a_file_of_the_owners(run: Run, directory: Path) -> None:
    """`-o` makes a file with mode 0600, prints nothing, and replaces nothing unless forced."""
    token = jwe_encrypt(b"hi", JWK, **WRAP).encode()

    printed = run("decrypt", *KEY, *ALGORITHMS, "-o", "plaintext", given=token)

    assert (printed, (directory / "plaintext").read_bytes()) == (b"", b"hi")
    assert stat.S_IMODE((directory / "plaintext").stat().st_mode) == 0o600
    assert refused(run, "decrypt", *KEY, *ALGORITHMS, "-o", "plaintext", given=token)[0] is KeyExistsError
    run("decrypt", *KEY, *ALGORITHMS, "-o", "plaintext", "--force", given=token)


def test_keys_of_the_ring(run: Run, ring: KeyRing) -> None:
    """A name encrypts for its primary, and decrypts with each version that may."""
    first = run("encrypt", "--key", "box", *AGREEMENT, given=b"first")
    ring.rotate("box")
    second = run("encrypt", "--key", "box", *AGREEMENT, given=b"second")

    assert [run("decrypt", "--key", "box", *AGREEMENT, given=one) for one in (first, second)] == [b"first", b"second"]
    assert run("decrypt", "--key", "box@1", *AGREEMENT, given=first) == b"first"
    assert jwe_decrypt(first.strip(), ring.load("box@1"), **AGREE).header["kid"] == ring.load("box@1").kid
    wrapped = run("encrypt", "--key", "wrapping", *ALGORITHMS, given=b"hi")
    assert run("decrypt", "--key", "wrapping", *ALGORITHMS, given=wrapped) == b"hi"


@pytest.mark.parametrize(("change", "state"), [("compromise", "compromised"), ("destroy", "destroyed")])
def test_nothing_is_encrypted_for_a_key_that_ended(run: Run, ring: KeyRing, change: str, state: str) -> None:
    getattr(ring, change)("box@1")

    assert refused(run, "encrypt", "--key", "box", *AGREEMENT, given=b"hi") == (
        PolicyError,
        f"box@1 is {state}, {GONE}",
    )


def test_no_secret_is_opened_to_encrypt_for_a_public_half(run: Run, observer: Observer) -> None:
    """Encrypting for an asymmetric key is not an export of it; decrypting is one, as is whatever a symmetric one "
    "does."""
    token = run("encrypt", "--key", "box", *AGREEMENT, given=b"hi")

    assert observer.exported == []
    run("decrypt", "--key", "box", *AGREEMENT, given=token)
    assert observer.exported == ["box@1"]
    run("encrypt", "--key", "wrapping", *ALGORITHMS, given=b"hi")
    assert observer.exported == ["box@1", "wrapping@1"]


BOTH = "the key and the {} cannot both be read from standard input; pass a file for one of them"
NO_PAIR = "--header is not NAME=TEXT or NAME:=JSON; such as sub=alice or admin:=true"
NO_ZIP = "--header cannot have zip: the algorithm sets it, or it is not supported; leave it out"
NO_KEYS = "the key file is not a valid JWK or JWK Set; it must be one JSON object in UTF-8, without duplicate members"
ENCRYPT = ("encrypt", *KEY, *ALGORITHMS)


@pytest.mark.parametrize(
    ("arguments", "given", "error", "message"),
    [
        pytest.param(("encrypt", "--key-file", "-", *ALGORITHMS), b"", ConfigError, BOTH.format("plaintext"), id="in"),
        pytest.param(("decrypt", "--key-file", "-", *ALGORITHMS, "-"), b"", ConfigError, BOTH.format("token"), id="-"),
        pytest.param((*ENCRYPT, "--header", "typ"), b"", ConfigError, NO_PAIR, id="a header without value"),
        pytest.param((*ENCRYPT, "--header", "zip=DEF"), b"", ConfigError, NO_ZIP, id="zip"),
        *(
            pytest.param(
                (command, *KEY, "--key-algorithm", key, "--content-algorithm", content),
                b"",
                ConfigError,
                f"{option} is not supported; use one of {', '.join(known)}",
                id=f"{command} {option}",
            )
            for command in ("encrypt", "decrypt")
            for option, key, content, known in (
                ("--key-algorithm", "NOPE", "A256GCM", KEY_ALGORITHMS),
                ("--content-algorithm", "A256KW", "NOPE", CONTENT_ALGORITHMS),
            )
        ),
        pytest.param(("decrypt", "--key-file", "stdin", *ALGORITHMS, "key.jwk"), b"{", MalformedKeyError, NO_KEYS,
                     id="no key file"),
    ],
)  # fmt: skip
def test_what_is_refused(
    run: Run, arguments: tuple[str, ...], given: bytes, error: type[KeywrightError], message: str
) -> None:
    assert refused(run, *arguments, given=given) == (error, message)


def test_a_public_key_of_the_ring_does_not_decrypt(run: Run, ring: KeyRing) -> None:
    """What was imported as a public half can be encrypted for only."""
    whole = create_curve_key("X25519")
    public = Secret(json.dumps({name: value for name, value in whole.items() if name != "d"}).encode())
    ring.import_key("theirs", public, format="jwk", public=True)

    token = run("encrypt", "--key", "theirs", *AGREEMENT, given=b"hi")

    assert jwe_decrypt(token.strip(), whole, **AGREE).plaintext == Secret(b"hi")
    assert refused(run, "decrypt", "--key", "theirs", *AGREEMENT, given=token) == (
        NotExportableError,
        "this is a public key, and the secret half is needed; load the secret key for this",
    )


def test_a_token_for_another_version_names_it(run: Run, ring: KeyRing) -> None:
    """Of a version which one is needed the token's `kid` says, of a name whether that version may."""
    ring.generate("old", type="x25519")
    token = run("encrypt", "--key", "old", *AGREEMENT, given=b"hi")
    ring.rotate("old", overlap=timedelta(0))

    assert refused(run, "decrypt", "--key", "old@2", *AGREEMENT, given=token) == (
        InvalidSignatureError,
        "the token was encrypted for old@1, not for old@2; pass --key old@1",
    )
    assert refused(run, "decrypt", "--key", "old", *AGREEMENT, given=token) == (
        InvalidSignatureError,
        "the token was encrypted for old@1, which is retired; to decrypt it nevertheless, pass --key old@1",
    )
    assert run("decrypt", "--key", "old@1", *AGREEMENT, given=token) == b"hi"
    ring.destroy("old@1")
    assert text_of(refusal(run, "decrypt", "--key", "old", *AGREEMENT, given=token)) == (
        "the token was encrypted for old@1, which is destroyed; get a new token"
    )
    foreign = jwe_encrypt(b"", {**create_curve_key("X25519"), "kid": "x"}, **AGREE, headers={"kid": "x"}).encode()
    for reference in ("old", "old@2"):
        error = refusal(run, "decrypt", "--key", reference, *AGREEMENT, given=foreign)
        assert text_of(error) == (
            "none of the keys has the kid of the token; pass the key with that kid, or reject the token"
        )


def test_a_name_of_which_no_version_decrypts(run: Run, ring: KeyRing) -> None:
    """A token says which version it is for, and what became of that; one without is told what became of all."""
    token = run("encrypt", "--key", "box", *AGREEMENT, given=b"hi")
    jwk = {name: value for name, value in json.loads(ring.export("box", format="jwk")).items() if name != "kid"}
    foreign = jwe_encrypt(b"hi", jwk, **AGREE).encode()
    ring.disable("box@1")

    assert refused(run, "decrypt", "--key", "box", *AGREEMENT, given=token) == (
        InvalidSignatureError,
        "the token was encrypted for box@1, which is disabled; to decrypt it nevertheless, pass --key box@1",
    )
    assert refused(run, "decrypt", "--key", "box", *AGREEMENT, given=foreign) == (
        PolicyError,
        "box may not decrypt: version 1 is disabled; have the data encrypted for an enabled version",
    )


def test_versions_that_are_encrypted_for(run: Run, ring: KeyRing) -> None:
    """What is announced already, for anyone who has its public half may do so; and not what was replaced."""
    ring.rotate("box", activate_in=timedelta(days=1))
    token = run("encrypt", "--key", "box@2", *AGREEMENT, given=b"hi")

    assert run("decrypt", "--key", "box", *AGREEMENT, given=token) == b"hi"
    ring.rotate("box")
    for version in ("box@1", "box@2"):
        assert refused(run, "encrypt", "--key", version, *AGREEMENT, given=b"hi") == (
            PolicyError,
            f"{version} is verifying, {GONE}",
        )
