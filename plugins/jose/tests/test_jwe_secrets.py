"""No key, content key or plaintext shows in the traceback of a refusal, local variables included."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from jose_support import assert_nothing_shows, refusal

from keywright import Secret
from keywright.errors import KeywrightError
from keywright.testing import assert_hidden
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, jwe_decode, jwe_encode, jwe_encrypt
from keywright_jose.json import decode_base64url

Hidden = Callable[[KeywrightError, bytes], None]

PLAINTEXT = b"Zq7xv81kw3mJt09Uo5Ry"
CLAIMS = {"said": PLAINTEXT.decode()}
WRAP: dict[str, Any] = {"key_algorithm": "A256KW", "content_algorithm": "A128CBC-HS256"}
KEYS: dict[str, dict[str, Any]] = {
    "A256KW": create_secret_key(256),
    "A256GCMKW": create_secret_key(256),
    "dir": create_secret_key(256),
    "RSA-OAEP": create_rsa_key(2048),
    "ECDH-ES": create_curve_key("P-256"),
    "ECDH-ES+A128KW": create_curve_key("X25519"),
}


def given(jwk: dict[str, Any]) -> Any:
    """A key that is gone from the caller's own variables."""
    return dict(jwk)


def own_frames(error: KeywrightError) -> str:
    """What the error says, and the local variables of this package's frames that it passed: the tests' hold secrets."""
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    own = (frame for frame in shown.stack if "keywright_jose" in frame.filename)
    return "\n".join((str(error), *(str(frame.locals) for frame in own)))


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("algorithm", KEYS)
def test_tampered_tokens(algorithm: str, part: int) -> None:
    """Whatever part of a token was changed, and whatever its algorithm: the key stays out of sight."""
    names: dict[str, Any] = {"key_algorithm": algorithm, "content_algorithm": "A256GCM"}
    parts = jwe_encode(CLAIMS, KEYS[algorithm], **names).split(".")
    parts[part] = "A" * max(len(parts[part]), 4)

    error = refusal(jwe_decode, ".".join(parts), given(KEYS[algorithm]), **names)

    assert_nothing_shows(error, json.dumps(KEYS[algorithm]).encode())


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"check_claims": {"said": "another thing"}}, id="another claim"),
        pytest.param({"check_claims": {"more": 1}}, id="a claim that is not there"),
        pytest.param({"check_claims": 7}, id="a wrong expectation"),
        pytest.param({"clock": lambda: datetime(2100, 1, 1, tzinfo=UTC)}, id="expired"),
        pytest.param({"clock": lambda: 7}, id="a wrong clock"),
    ],
)
def test_claims_that_are_refused(options: dict[str, Any]) -> None:
    """A token that decrypts and is not good: neither its claims nor the key show."""
    token = jwe_encode(CLAIMS | {"exp": 2_000_000_000}, KEYS["A256KW"], **WRAP)

    error = refusal(jwe_decode, token, given(KEYS["A256KW"]), **WRAP, **options)

    assert_hidden(Secret(PLAINTEXT), own_frames(error))
    assert "2000000000" not in own_frames(error)
    assert_nothing_shows(error, json.dumps(KEYS["A256KW"]).encode())


@pytest.mark.parametrize(
    "plaintext",
    [
        pytest.param(PLAINTEXT, id="no JSON"),
        pytest.param(json.dumps({"exp": PLAINTEXT.decode()}).encode(), id="a time that is text"),
        pytest.param(json.dumps([PLAINTEXT.decode()]).encode(), id="an array"),
        pytest.param(b'{"a":"%b","a":1}' % PLAINTEXT, id="a member twice"),
    ],
)
def test_plaintexts_that_are_no_claims(plaintext: bytes) -> None:
    """What was decrypted does not show where it is no JSON, or has a time that is none."""
    token = jwe_encrypt(plaintext, KEYS["A256KW"], **WRAP)

    error = refusal(jwe_decode, token, given(KEYS["A256KW"]), **WRAP)

    assert_hidden(Secret(PLAINTEXT), own_frames(error))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"key_algorithm": "A128KW"}, id="a key of another size"),
        pytest.param({"key_algorithm": "RSA1_5"}, id="an algorithm that is not done"),
        pytest.param({"headers": {"alg": "dir"}}, id="a wrong header"),
        pytest.param({"key": {"kty": "oct", "k": "short!"}}, id="a malformed key"),
        pytest.param({"key": None}, id="no key"),
    ],
)
def test_encrypting_that_is_refused(changes: dict[str, Any]) -> None:
    """Neither the claims nor the key show where nothing comes of it."""
    arguments = {**WRAP, **changes}
    key = arguments.pop("key", KEYS["A256KW"])

    error = refusal(jwe_encode, json.loads(json.dumps(CLAIMS)), key, **arguments)
    other = refusal(jwe_encrypt, bytes(PLAINTEXT), key, **arguments)

    for one in (error, other):
        shown = own_frames(one)
        assert_hidden(Secret(PLAINTEXT), shown)
        assert_hidden(decode_base64url(KEYS["A256KW"]["k"]) or Secret(b""), shown)


def test_claims_that_are_no_json_do_not_show() -> None:
    """One value that JSON cannot carry takes none of the others along."""
    error = refusal(jwe_encode, {**CLAIMS, "a": object()}, KEYS["A256KW"], **WRAP)

    assert_hidden(Secret(PLAINTEXT), own_frames(error))
