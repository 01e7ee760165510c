"""Real `jose` uses our JWKs, and we use those of real `jose`."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Keywright
from support.jose import Jose

pytestmark = pytest.mark.peer

ALGORITHMS = {
    "HS256": ["--type", "oct", "--bits", "256"],
    "HS512": ["--type", "oct", "--bits", "512"],
    "ES256": ["--type", "ec-p256"],
    "ES384": ["--type", "ec-p384"],
    "ES512": ["--type", "ec-p521"],
    "PS256": ["--type", "rsa", "--bits", "2048"],
    "RS256": ["--type", "rsa", "--bits", "2048"],
}

Run = Callable[..., bytes]


@pytest.fixture
def jose(jose_program: Jose) -> Run:
    """Runs `jose` and returns its stdout; a failure of it fails the test."""

    def run(*arguments: str, input: bytes = b"") -> bytes:
        done = jose_program(*arguments, given=input)
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout

    return run


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_that_jose_made_signs_here(algorithm: str, home: Path, keywright: Keywright, jose: Run) -> None:
    """A JWK of `jose jwk gen` imports, exports as the same key, and `jose jws ver` accepts what we sign with it."""
    (home / "made.jwk").write_bytes(jose("jwk", "gen", "-i", json.dumps({"alg": algorithm})))
    made = json.loads((home / "made.jwk").read_text())

    imported = keywright("import", "token", "made.jwk")

    assert imported.returncode == 0, imported.stderr
    exported = json.loads(keywright("export", "token", "--secret").stdout)
    assert {name: exported[name] for name in made if name != "key_ops"} == {
        name: made[name] for name in made if name != "key_ops"
    }
    header = b64url(json.dumps({"alg": algorithm}).encode())
    payload = b64url(b"hello")
    signed = keywright("sign", "token", "--algorithm", algorithm, input=f"{header}.{payload}".encode())
    assert signed.returncode == 0, signed.stderr
    signature = signed.stdout.decode().strip().replace("+", "-").replace("/", "_").rstrip("=")
    (home / "token.jws").write_text(f"{header}.{payload}.{signature}")
    assert jose("jws", "ver", "-i", "token.jws", "-k", "made.jwk", "-O", "-") == b"hello"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_of_ours_signs_and_verifies_in_jose(algorithm: str, home: Path, keywright: Keywright, jose: Run) -> None:
    """`jose jws sig` and `jws ver` take our exported JWK, and we accept the signature that `jose` made."""
    made = keywright("generate", "token", "--format", "jwk", *ALGORITHMS[algorithm], "--attribute", f"alg={algorithm}")
    assert made.returncode == 0, made.stderr
    keywright("export", "token", "--secret", "-o", "secret.jwk")
    (home / "message").write_bytes(b"hello")

    jws = jose("jws", "sig", "-I", "message", "-k", "secret.jwk", "-c").decode().strip()

    (home / "token.jws").write_text(jws)
    assert jose("jws", "ver", "-i", "token.jws", "-k", "secret.jwk", "-O", "-") == b"hello"
    signing_input, _, signature = jws.rpartition(".")
    raw = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    verified = keywright("verify", "token", "--signature", b64encode(raw).decode(), input=signing_input.encode())
    assert verified.stdout == b"token@1\n", verified.stderr
    tampered = keywright("verify", "token", "--signature", b64encode(raw).decode(), input=signing_input.encode() + b"A")
    assert tampered.returncode == 1


def b64url(data: bytes) -> str:
    """Unpadded base64url (RFC 7515 §2)."""
    return b64encode(data).decode().replace("+", "-").replace("/", "_").rstrip("=")
