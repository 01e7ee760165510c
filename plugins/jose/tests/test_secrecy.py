"""No key, content key or plaintext shows in what an error takes along: messages, local variables, causes."""

from __future__ import annotations

import json
import traceback
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import pytest
from jose_support import Jwk, assert_nothing_shows, names, refusal, text
from support.errors import text_of

from keywright import Secret
from keywright.errors import KeywrightError
from keywright.testing import assert_hidden, everything_in
from keywright_jose import (
    create_curve_key,
    create_rsa_key,
    create_secret_key,
    jwe_decode,
    jwe_encode,
    jwe_encrypt,
    jws_decode,
    jws_encode,
    signer,
    verifier,
    verify,
)
from keywright_jose.json import decode_base64url

SECRET_MEMBERS = ("k", "d", "p", "q", "dp", "dq", "qi")

OCT = {**create_secret_key(512), "alg": "HS256", "kid": "a"}
EC = {**create_curve_key("P-256"), "alg": "ES256"}
ED = {**create_curve_key("Ed25519"), "alg": "EdDSA"}
RSA = {**create_rsa_key(2048), "alg": "RS256"}
NONE: Any = 7
TOKEN = signer(OCT).sign({})
PUBLIC_AS_SECRET = b"-----BEGIN PUBLIC KEY-----\n" + urlsafe_b64encode(bytes(range(90)))


def in_our_frames(error: BaseException) -> BaseException:
    """The error, its traceback beginning in the first frame of ours: the caller's own variables are his."""
    step: TracebackType | None = error.__traceback__
    while step is not None and not str(step.tb_frame.f_globals.get("__name__")).startswith("keywright"):
        step = step.tb_next
    assert step is not None
    return error.with_traceback(step)


def expired() -> str:
    return signer(OCT).sign({"exp": 1})


def keys_in(key: Any) -> list[Jwk]:
    found: list[Jwk] = []
    if isinstance(key, dict):
        found.append(key)
        found += [one for one in key.get("keys", ()) if isinstance(one, dict)]
    return found


WRONG: dict[str, Jwk] = {
    "use": {"use": "enc"},
    "key_ops": {"key_ops": ["encrypt"]},
    "another alg": {"alg": "HS512"},
    "alg a number": {"alg": 7},
    "kty RSA": {"kty": "RSA"},
    "kty EC": {"kty": "EC", "crv": "P-256"},
    "padding": {"k": OCT["k"] + "="},
    "a short k": {"k": OCT["k"][:30]},
    "a public key": {"k": text(PUBLIC_AS_SECRET)},
    "a line of OpenSSH": {"k": text(b"x" * 40 + b" ssh-rsa " + bytes(range(65, 90)))},
    "NaN": {"a": float("nan")},
    "an object": {"a": object()},
    "no kid": {"kid": ""},
}
CALLS: list[Any] = [
    *(
        pytest.param(call, {**OCT, **more}, id=f"{name}, {fault}")
        for name, call in {
            "signer": lambda key: signer(key, "HS256"),
            "verifier": lambda key: verifier(key, algorithms=["HS256"]),
            "verify": lambda key: verify(TOKEN, key, algorithms=["HS256"]),
            "encode": lambda key: jws_encode({}, key, signature_algorithm="HS256"),
            "decode": lambda key: jws_decode(TOKEN, key, signature_algorithm="HS256"),
        }.items()
        for fault, more in WRONG.items()
    ),
    pytest.param(lambda key: signer(key, "ES256"), {**EC, "d": ED["d"]}, id="halves EC"),
    pytest.param(lambda key: signer(key, "EdDSA"), {**ED, "d": EC["d"]}, id="halves Ed25519"),
    pytest.param(lambda key: signer(key, "RS256"), {**RSA, "d": create_rsa_key(2048)["d"]}, id="halves RSA"),
    pytest.param(lambda key: signer(key, "ES256"), {**EC, "x": EC["y"]}, id="off curve"),
    pytest.param(lambda key: signer(key, "ES256"), {**EC, "d": text(bytes(32))}, id="zero"),
    pytest.param(lambda key: signer(key, "RS256"), {**RSA, "p": RSA["q"]}, id="RSA numbers"),
    pytest.param(lambda key: signer(key, "RS256"), {n: v for n, v in RSA.items() if n != "qi"}, id="RSA incomplete"),
    pytest.param(signer, {"keys": [OCT, EC]}, id="set signs"),
    pytest.param(verifier, {"keys": [OCT, EC]}, id="set mixed"),
    pytest.param(verifier, {"keys": [OCT, OCT]}, id="set with one kid"),
    pytest.param(verifier, {"keys": [OCT, {**OCT, "kid": "b", "k": "!"}]}, id="set malformed"),
    pytest.param(verifier, {"keys": [OCT, None]}, id="set with null"),
    pytest.param(verifier, {"no": OCT["k"], "d": EC["d"]}, id="no JWK"),
    # Wrong arguments beside a good key.
    pytest.param(lambda key: signer(key, "none"), OCT, id="no algorithm"),
    pytest.param(lambda key: signer(key, headers={"crit": []}), OCT, id="crit"),
    pytest.param(lambda key: signer(key, headers={"kid": "b"}), OCT, id="other kid"),
    pytest.param(lambda key: signer(key, headers=NONE), OCT, id="headers"),
    pytest.param(lambda key: signer(key).sign(NONE), OCT, id="claims"),
    pytest.param(lambda key: signer(key).sign(b"a" * 300_000), OCT, id="too much"),
    pytest.param(lambda key: signer(key).sign({"a": object()}), EC, id="claims EC"),
    pytest.param(lambda key: jws_encode(NONE, key), OCT, id="no claims"),
    pytest.param(lambda key: jws_encode({}, key, ttl=-1), OCT, id="ttl"),
    pytest.param(lambda key: jws_encode({"exp": 1}, key, ttl=1), OCT, id="ttl and exp"),
    pytest.param(lambda key: jws_encode({}, key, ttl=1, clock=lambda: datetime.now(UTC).replace(tzinfo=None)), OCT,
                 id="clock"),
    pytest.param(lambda key: verifier(key, algorithms="HS256"), OCT, id="algorithms"),
    pytest.param(lambda key: verify("a.b", key), OCT, id="two segments"),
    pytest.param(lambda key: verify(TOKEN[:-1], key), OCT, id="spelling"),
    pytest.param(lambda key: verify(TOKEN[:-4], key), OCT, id="shorter signature"),
    pytest.param(lambda key: verify(TOKEN.replace("e30", "e31"), key), OCT, id="payload"),
    pytest.param(lambda key: verify(TOKEN, key), {**OCT, **create_secret_key(512)}, id="other key"),
    pytest.param(lambda key: verify(TOKEN, key), EC, id="other kind of key"),
    pytest.param(lambda key: jws_decode(TOKEN, key, check_claims={"a": 1}), OCT, id="claim missing"),
    pytest.param(lambda key: jws_decode(TOKEN, key, check_claims=NONE), OCT, id="expectation"),
    pytest.param(lambda key: jws_decode(TOKEN, key, time_drift=-1), OCT, id="drift"),
    pytest.param(lambda key: jws_decode(expired(), key), OCT, id="expired"),
    pytest.param(lambda key: jws_decode(signer(key).sign(b"["), key), OCT, id="no claims in it"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "key"), CALLS)
def test_a_refusal_shows_no_key(call: Callable[[Any], object], key: Jwk) -> None:
    """Whatever is wrong, of a key or beside a good one, the key does not show, nor does what it was made from."""
    with pytest.raises(KeywrightError) as caught:
        call(key)

    shown = everything_in(in_our_frames(caught.value))
    assert caught.value.__cause__ is None
    for one in keys_in(key):
        public = repr([value for name, value in one.items() if name not in SECRET_MEMBERS]).encode()
        for name in SECRET_MEMBERS:
            if len(str(one.get(name, ""))) > 8:
                assert_hidden(Secret(str(one[name]).encode()), shown, public=public)
                assert_hidden(Secret(urlsafe_b64decode(str(one[name]).rstrip("=") + "==")), shown, public=public)


def test_the_check_sees_a_key_in_a_local_variable() -> None:
    """The test above would fail if a key stood in one of our frames."""
    code = compile("def f(key):\n    octets = key['k']\n    raise ValueError('a')", "<ours>", "exec")
    module: dict[str, Any] = {"__name__": "keywright_jose.made_up"}
    exec(code, module)

    with pytest.raises(ValueError, match="a") as caught:
        module["f"](OCT)

    with pytest.raises(pytest.fail.Exception):
        assert_hidden(Secret(OCT["k"].encode()), everything_in(in_our_frames(caught.value)))


PLAINTEXT = b"Zq7xv81kw3mJt09Uo5Ry"
CLAIMS = {"said": PLAINTEXT.decode()}
WRAP = names("A256KW", "A128CBC-HS256")
KEYS: dict[str, dict[str, Any]] = {
    "A256KW": create_secret_key(256),
    "A256GCMKW": create_secret_key(256),
    "dir": create_secret_key(256),
    "RSA-OAEP": create_rsa_key(2048),
    "ECDH-ES": create_curve_key("P-256"),
    "ECDH-ES+A128KW": create_curve_key("X25519"),
}


def own_frames(error: KeywrightError) -> str:
    """What the error says, and the local variables of this package's frames that it passed: the tests' hold secrets."""
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    own = (frame for frame in shown.stack if "keywright_jose" in frame.filename)
    return "\n".join((text_of(error), *(str(frame.locals) for frame in own)))


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("algorithm", KEYS)
def test_tampered_tokens(algorithm: str, part: int) -> None:
    options = names(algorithm)
    parts = jwe_encode(CLAIMS, KEYS[algorithm], **options).split(".")
    parts[part] = "A" * max(len(parts[part]), 4)

    error = refusal(jwe_decode, ".".join(parts), dict(KEYS[algorithm]), **options)

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
    token = jwe_encode(CLAIMS | {"exp": 2_000_000_000}, KEYS["A256KW"], **WRAP)

    error = refusal(jwe_decode, token, dict(KEYS["A256KW"]), **WRAP, **options)

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
    token = jwe_encrypt(plaintext, KEYS["A256KW"], **WRAP)

    error = refusal(jwe_decode, token, dict(KEYS["A256KW"]), **WRAP)

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
    arguments = {**WRAP, **changes}
    key = arguments.pop("key", KEYS["A256KW"])

    for one in (
        refusal(jwe_encode, json.loads(json.dumps(CLAIMS)), key, **arguments),
        refusal(jwe_encrypt, bytes(PLAINTEXT), key, **arguments),
        refusal(jwe_encode, {**CLAIMS, "a": object()}, KEYS["A256KW"], **WRAP),
    ):
        shown = own_frames(one)
        assert_hidden(Secret(PLAINTEXT), shown)
        assert_hidden(decode_base64url(KEYS["A256KW"]["k"]) or Secret(b""), shown)
