"""Signed tokens between implementations: each verifies the others' and refuses what was changed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import joserfc.jwk
import jwcrypto.jwk  # type: ignore[import-untyped]  # it ships no types
import jwcrypto.jws  # type: ignore[import-untyped]  # it ships no types
import pytest
from jose import jws as python_jose
from joserfc import jws as joserfc_jws
from support.jose import Jose, Jwk, public

from keywright.errors import KeywrightError
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, signer, verify

Sign = Callable[[Jwk, str, bytes], str]

Verify = Callable[[Jwk, str, str], bytes]

ALGORITHMS = [
    *(f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA", "Ed25519"
]  # fmt: skip

_RSA = create_rsa_key(2048)

_KEYS: dict[str, Jwk] = {
    **{f"HS{bits}": dict(create_secret_key(512)) for bits in (256, 384, 512)},
    **{f"{family}{bits}": dict(_RSA) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": dict(create_curve_key("P-256")),
    "ES384": dict(create_curve_key("P-384")),
    "ES512": dict(create_curve_key("P-521")),
    "EdDSA": dict(create_curve_key("Ed25519")),
    "Ed25519": dict(create_curve_key("Ed25519")),
}

PAYLOAD = b'{"sub":"user-7","n":[1,2.5,null]}'


def tampered(token: str) -> list[str]:
    """The token with one thing changed at a time: each segment, the algorithm, the signature's length."""
    head, payload, signature = token.split(".")
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return [
        f"{head}.{payload[:-4]}AAAA.{signature}",
        f"{head}.{payload}.{signature[:middle]}{other}{signature[middle + 1 :]}",
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature[:-4]}",
        f"{head}.{payload}.{signature}AAAA",
        f"eyJhbGciOiJub25lIn0.{payload}.",
        f"eyJhbGciOiJub25lIn0.{payload}.{signature}",
    ]


def our_sign(key: Jwk, algorithm: str, payload: bytes) -> str:
    """keywright."""
    return signer(key, algorithm).sign(payload)


def our_verify(key: Jwk, algorithm: str, token: str) -> bytes:
    """keywright."""
    return verify(token, key, algorithms=[algorithm]).payload


def joserfc_sign(key: Jwk, algorithm: str, payload: bytes) -> str:
    """joserfc."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of algorithms that it would rather not see
        return joserfc_jws.serialize_compact(
            {"alg": algorithm}, payload, joserfc.jwk.import_key(key), algorithms=[algorithm]
        )


def joserfc_verify(key: Jwk, algorithm: str, token: str) -> bytes:
    """joserfc."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = joserfc_jws.deserialize_compact(token, joserfc.jwk.import_key(key), algorithms=[algorithm])
    return bytes(found.payload)


def jwcrypto_sign(key: Jwk, algorithm: str, payload: bytes) -> str:
    """jwcrypto."""
    token = jwcrypto.jws.JWS(payload)
    token.allowed_algs = [algorithm]
    token.add_signature(jwcrypto.jwk.JWK(**key), algorithm, json.dumps({"alg": algorithm}))
    return str(token.serialize(compact=True))


def jwcrypto_verify(key: Jwk, algorithm: str, token: str) -> bytes:
    """jwcrypto."""
    found = jwcrypto.jws.JWS()
    found.allowed_algs = [algorithm]
    found.deserialize(token, jwcrypto.jwk.JWK(**key))
    return bytes(found.payload)


def python_jose_sign(key: Jwk, algorithm: str, payload: bytes) -> str:
    """python-jose's own token functions, which keywright does not call."""
    return str(python_jose.sign(payload, key, algorithm=algorithm))


def python_jose_verify(key: Jwk, algorithm: str, token: str) -> bytes:
    """python-jose's own token functions."""
    return bytes(python_jose.verify(token, key, [algorithm]))


LIBRARIES: dict[str, tuple[Sign, Verify, tuple[str, ...]]] = {
    "joserfc": (joserfc_sign, joserfc_verify, tuple(ALGORITHMS)),
    "jwcrypto": (jwcrypto_sign, jwcrypto_verify, tuple(name for name in ALGORITHMS if name != "Ed25519")),
    "python-jose": (
        python_jose_sign,
        python_jose_verify,
        tuple(name for name in ALGORITHMS if name[:2] in ("HS", "RS", "ES")),
    ),
}

PAIRS = [(name, algorithm) for name, (_, _, able) in LIBRARIES.items() for algorithm in able]


@pytest.mark.parametrize(("library", "algorithm"), PAIRS)
def test_each_verifies_the_others_and_refuses_what_was_changed(library: str, algorithm: str) -> None:
    """Our token is good there and theirs here, and none of the changed ones is."""
    their_sign, their_verify, _ = LIBRARIES[library]
    key = _KEYS[algorithm]

    for sign, check, error in ((our_sign, their_verify, Exception), (their_sign, our_verify, KeywrightError)):
        token = sign(key, algorithm, PAYLOAD)
        assert check(public(key), algorithm, token) == PAYLOAD
        for changed in tampered(token):
            with pytest.raises(error):  # each library has errors of its own
                check(public(key), algorithm, changed)


OF_JOSE = [name for name in ALGORITHMS if name[:2] in ("HS", "RS", "PS", "ES")]


@pytest.mark.peer
@pytest.mark.parametrize("algorithm", OF_JOSE)
def test_real_jose_and_we_verify_each_others(algorithm: str, home: Path, jose_program: Jose) -> None:
    """`jose jws ver` takes our token and refuses the changed ones; we take what `jose jws sig` made, and only that."""
    key = _KEYS[algorithm]
    (home / "secret.jwk").write_text(json.dumps({**key, "alg": algorithm}))
    (home / "public.jwk").write_text(json.dumps({**public(key), "alg": algorithm}))
    (home / "payload").write_bytes(PAYLOAD)

    def verified(token: str) -> tuple[int, bytes]:
        (home / "token").write_text(token)
        done = jose_program("jws", "ver", "-i", "token", "-k", "public.jwk", "-O", "-")
        return done.returncode, done.stdout

    ours = our_sign(key, algorithm, PAYLOAD)
    template = f'{{"protected":{{"alg":"{algorithm}"}}}}'
    made = jose_program("jws", "sig", "-I", "payload", "-k", "secret.jwk", "-c", "-s", template)

    assert made.returncode == 0, made.stderr
    theirs = made.stdout.decode().strip()
    assert our_verify(public(key), algorithm, theirs) == PAYLOAD
    for changed in tampered(theirs):
        with pytest.raises(KeywrightError):
            our_verify(public(key), algorithm, changed)
    assert verified(ours) == (0, PAYLOAD)
    for changed in tampered(ours):
        assert verified(changed)[0] != 0, changed


@pytest.mark.peer
def test_real_jose_lacks_eddsa(jose_program: Jose) -> None:
    """Why EdDSA is not in the table above; if this fails, add it."""
    listed = jose_program("alg").stdout.decode().split()

    assert set(OF_JOSE) <= set(listed)
    assert "EdDSA" not in listed
