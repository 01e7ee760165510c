"""joserfc, jwcrypto and real `jose` decrypt our tokens and we decrypt theirs; no one decrypts what was changed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import joserfc.jwe
import joserfc.jwk
import jwcrypto.jwe  # type: ignore[import-untyped]  # it ships no types
import jwcrypto.jwk  # type: ignore[import-untyped]  # it ships no types
import pytest
from joserfc.errors import JoseError, SecurityWarning
from jwcrypto.common import JWException  # type: ignore[import-untyped]  # it ships no types
from support.jose import Jose, Jwk, public

from keywright import Secret
from keywright.errors import InvalidSignatureError, MalformedTokenError
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, jwe_decrypt, jwe_encrypt

PLAINTEXT = b'{"sub":"user-7","n":[1,2.5,null]}'

RSA = create_rsa_key(2048)

P256, P384, P521, X25519 = map(create_curve_key, ("P-256", "P-384", "P-521", "X25519"))

# Each algorithm of either kind at least twice, each curve too.
SAMPLE: list[tuple[str, str, Jwk]] = [
    ("A128KW", "A128GCM", create_secret_key(128)),
    ("A128KW", "A256CBC-HS512", create_secret_key(128)),
    ("A192KW", "A192GCM", create_secret_key(192)),
    ("A192KW", "A128CBC-HS256", create_secret_key(192)),
    ("A256KW", "A256GCM", create_secret_key(256)),
    ("A256KW", "A192CBC-HS384", create_secret_key(256)),
    ("A128GCMKW", "A256GCM", create_secret_key(128)),
    ("A128GCMKW", "A128CBC-HS256", create_secret_key(128)),
    ("A192GCMKW", "A128GCM", create_secret_key(192)),
    ("A192GCMKW", "A192CBC-HS384", create_secret_key(192)),
    ("A256GCMKW", "A192GCM", create_secret_key(256)),
    ("A256GCMKW", "A256CBC-HS512", create_secret_key(256)),
    ("dir", "A128GCM", create_secret_key(128)),
    ("dir", "A192GCM", create_secret_key(192)),
    ("dir", "A256GCM", create_secret_key(256)),
    ("dir", "A128CBC-HS256", create_secret_key(256)),
    ("dir", "A192CBC-HS384", create_secret_key(384)),
    ("dir", "A256CBC-HS512", create_secret_key(512)),
    ("RSA-OAEP", "A256GCM", RSA),
    ("RSA-OAEP", "A128CBC-HS256", RSA),
    ("RSA-OAEP-256", "A128GCM", RSA),
    ("RSA-OAEP-256", "A256CBC-HS512", RSA),
    ("ECDH-ES", "A128GCM", P256),
    ("ECDH-ES", "A256GCM", P384),
    ("ECDH-ES", "A256CBC-HS512", P521),
    ("ECDH-ES", "A192CBC-HS384", X25519),
    ("ECDH-ES+A128KW", "A192GCM", P521),
    ("ECDH-ES+A128KW", "A128CBC-HS256", X25519),
    ("ECDH-ES+A192KW", "A256GCM", P384),
    ("ECDH-ES+A192KW", "A192CBC-HS384", P256),
    ("ECDH-ES+A256KW", "A128GCM", X25519),
    ("ECDH-ES+A256KW", "A256CBC-HS512", P256),
]

# What this program has: no X25519, and no RSA-OAEP with the OpenSSL of today.
SAMPLE_OF_JOSE = [one for one in SAMPLE if one[2] is not X25519 and one[2] is not RSA]


def sampled(sample: list[tuple[str, str, Jwk]]) -> pytest.MarkDecorator:
    """Parameters with readable names."""
    ids = [f"{algorithm} {encryption} {jwk.get('crv', jwk['kty'])}" for algorithm, encryption, jwk in sample]
    return pytest.mark.parametrize(("algorithm", "encryption", "jwk"), sample, ids=ids)


def names_of(algorithm: str, encryption: str) -> dict[str, Any]:
    """As our arguments."""
    return {"key_algorithm": algorithm, "content_algorithm": encryption}


def tampered(token: str) -> list[str]:
    """The token with a character in the middle of each segment changed; of those that are empty, added to."""
    parts = token.split(".")
    changed = []
    for number, part in enumerate(parts):
        middle = len(part) // 2
        other = "AAAA" if not part else part[:middle] + ("B" if part[middle] == "A" else "A") + part[middle + 1 :]
        changed.append(".".join((*parts[:number], other, *parts[number + 1 :])))
    return changed


def refused_here(token: str, jwk: Jwk, algorithm: str, encryption: str) -> None:
    """Fails unless each of the changed tokens is refused."""
    for changed in tampered(token):
        with pytest.raises((InvalidSignatureError, MalformedTokenError)):
            jwe_decrypt(changed, jwk, **names_of(algorithm, encryption))


@pytest.fixture
def joserfc_registry() -> joserfc.jwe.JWERegistry:
    """joserfc with all that it can do."""
    algorithms = [*{one[0] for one in SAMPLE}, *{one[1] for one in SAMPLE}]
    return joserfc.jwe.JWERegistry(algorithms=algorithms)


@sampled(SAMPLE)
def test_joserfc(algorithm: str, encryption: str, jwk: Jwk, joserfc_registry: joserfc.jwe.JWERegistry) -> None:
    """Both ways, and tampering refused on both sides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        key = joserfc.jwk.import_key(dict(jwk))
        ours = jwe_encrypt(PLAINTEXT, public(jwk), **names_of(algorithm, encryption))
        header = {"alg": algorithm, "enc": encryption}
        theirs = joserfc.jwe.encrypt_compact(header, PLAINTEXT, key, registry=joserfc_registry)

        assert joserfc.jwe.decrypt_compact(ours, key, registry=joserfc_registry).plaintext == PLAINTEXT
        for changed in tampered(ours):
            with pytest.raises((JoseError, ValueError)):
                joserfc.jwe.decrypt_compact(changed, key, registry=joserfc_registry)
    found = jwe_decrypt(theirs, jwk, **names_of(algorithm, encryption))
    assert found.plaintext == Secret(PLAINTEXT)
    refused_here(theirs, jwk, algorithm, encryption)


@sampled(SAMPLE)
def test_jwcrypto(algorithm: str, encryption: str, jwk: Jwk) -> None:
    """Both ways, and tampering refused on both sides."""
    key = jwcrypto.jwk.JWK(**jwk)
    allowed = [algorithm, encryption]
    ours = jwe_encrypt(PLAINTEXT, public(jwk), **names_of(algorithm, encryption))
    theirs = jwcrypto.jwe.JWE(PLAINTEXT, json.dumps({"alg": algorithm, "enc": encryption}), algs=allowed)
    theirs.add_recipient(key)

    read = jwcrypto.jwe.JWE(algs=allowed)
    read.deserialize(ours, key)

    assert read.payload == PLAINTEXT
    token = theirs.serialize(compact=True)
    assert jwe_decrypt(token, jwk, **names_of(algorithm, encryption)).plaintext == Secret(PLAINTEXT)
    refused_here(token, jwk, algorithm, encryption)
    for changed in tampered(ours):
        with pytest.raises((JWException, ValueError)):
            jwcrypto.jwe.JWE(algs=allowed).deserialize(changed, key)


@pytest.mark.peer
@sampled(SAMPLE_OF_JOSE)
def test_jose(algorithm: str, encryption: str, jwk: Jwk, jose_program: Jose, home: Path) -> None:
    """Both ways, and tampering refused on both sides."""
    (home / "key.jwk").write_text(json.dumps(jwk))
    template = json.dumps({"protected": {"alg": algorithm, "enc": encryption}})
    ours = jwe_encrypt(PLAINTEXT, public(jwk), **names_of(algorithm, encryption))

    theirs = jose_program("jwe", "enc", "-i", template, "-I-", "-k", "key.jwk", "-c", given=PLAINTEXT)
    read = jose_program("jwe", "dec", "-i-", "-k", "key.jwk", given=ours.encode())

    assert theirs.returncode == 0, theirs.stderr
    token = theirs.stdout.decode().strip()
    assert jwe_decrypt(token, jwk, **names_of(algorithm, encryption)).plaintext == Secret(PLAINTEXT)
    refused_here(token, jwk, algorithm, encryption)
    assert (read.returncode, read.stdout) == (0, PLAINTEXT), read.stderr
    # It does not look at an encrypted key where there must be none.
    for changed in tampered(ours) if ours.split(".")[1] else [*tampered(ours)[:1], *tampered(ours)[2:]]:
        # By its exit code alone: it prints what it decrypts before it knows whether the tag holds.
        assert jose_program("jwe", "dec", "-i-", "-k", "key.jwk", given=changed.encode()).returncode != 0, changed


@pytest.mark.peer
@pytest.mark.parametrize("algorithm", ["A128KW", "A256GCMKW", "ECDH-ES", "ECDH-ES+A256KW"])
def test_keys_that_jose_made(algorithm: str, jose_program: Jose, home: Path) -> None:
    """Its keys say what they are for (`alg`, `key_ops`), and are good for that here."""
    jwk = json.loads(jose_program("jwk", "gen", "-i", json.dumps({"alg": algorithm})).stdout)
    (home / "key.jwk").write_text(json.dumps(jwk))
    names = names_of(algorithm, "A128CBC-HS256")

    token = jwe_encrypt(PLAINTEXT, jwk, **names)

    assert jose_program("jwe", "dec", "-i-", "-k", "key.jwk", given=token.encode()).stdout == PLAINTEXT
    assert jwe_decrypt(token, jwk, **names).plaintext == Secret(PLAINTEXT)
