"""Other programs and libraries read what we write, and we read what they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import joserfc.jwk
import jwcrypto.jwk  # type: ignore[import-untyped]  # it ships no types
import pytest
from jose_support import FORMAT, decode

from keywright import Key, Secret
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, thumbprint

Jose = Callable[..., bytes]

_OURS = {
    "HS256": create_secret_key(256),
    "HS512": create_secret_key(512),
    "ES256": create_curve_key("P-256"),
    "ES384": create_curve_key("P-384"),
    "ES512": create_curve_key("P-521"),
    "RS256": create_rsa_key(2048),
}
_ASYMMETRIC = {
    **{algorithm: jwk for algorithm, jwk in _OURS.items() if jwk["kty"] != "oct"},
    "EdDSA": create_curve_key("Ed25519"),
    "ECDH-ES": create_curve_key("X25519"),
}


def _public(jwk: dict[str, str]) -> bytes:
    return FORMAT.encode_public(decode(jwk))


@pytest.mark.peer
@pytest.mark.parametrize(
    "template",
    [
        *({"alg": name} for name in ("HS256", "HS512", "A128KW", "A256GCM", "A256CBC-HS512", "dir")),
        *({"alg": name} for name in ("ES256", "ES384", "ES512", "ECDH-ES", "RS256", "PS256")),
        {"kty": "oct", "bytes": 37},
        {"kty": "EC", "crv": "P-521", "key_ops": ["deriveKey"], "use": "enc", "kid": "a"},
    ],
    ids=json.dumps,
)
def test_jwk_of_jose_is_read_and_written_byte_for_byte(jose: Jose, template: dict[str, Any]) -> None:
    if template == {"alg": "dir"}:
        template = template | {"kty": "oct", "bytes": 32}
    data = jose("jwk", "gen", "-i", json.dumps(template))

    key = FORMAT.decode(Secret(data), default_kid="")

    assert json.loads(FORMAT.encode_secret(key).reveal()) == json.loads(data)
    if key.type != "oct":
        assert json.loads(FORMAT.encode_public(key)) == json.loads(jose("jwk", "pub", "-i-", given=data))


@pytest.mark.peer
@pytest.mark.parametrize("algorithm", [name for name in _ASYMMETRIC if name not in ("EdDSA", "ECDH-ES")])
def test_jose_gives_the_same_thumbprint(jose: Jose, algorithm: str) -> None:
    jwk = _ASYMMETRIC[algorithm]

    assert jose("jwk", "thp", "-i-", "-a", "S256", given=json.dumps(jwk).encode()).decode() == thumbprint(jwk)


@pytest.mark.parametrize("algorithm", _ASYMMETRIC)
def test_joserfc_reads_ours_and_agrees_on_the_thumbprint(algorithm: str) -> None:
    jwk = _ASYMMETRIC[algorithm]

    secret = joserfc.jwk.import_key(dict(jwk))
    public = joserfc.jwk.import_key(json.loads(_public(jwk)))

    assert secret.as_dict(private=True) == jwk
    assert public.as_dict(private=False) == json.loads(_public(jwk))
    assert secret.thumbprint() == thumbprint(jwk)


@pytest.mark.parametrize("algorithm", _ASYMMETRIC)
def test_jwcrypto_reads_ours_and_agrees(algorithm: str) -> None:
    jwk = _ASYMMETRIC[algorithm]

    key = jwcrypto.jwk.JWK(**jwk)

    assert json.loads(key.export_private()) == jwk
    assert json.loads(key.export_public()) == json.loads(_public(jwk))
    assert key.thumbprint() == thumbprint(jwk)


@pytest.mark.parametrize(
    "options",
    [
        {"kty": "oct", "size": 256},
        *({"kty": "EC", "crv": curve} for curve in ("P-256", "P-384", "P-521")),
        *({"kty": "OKP", "crv": curve} for curve in ("Ed25519", "X25519")),
        {"kty": "RSA", "size": 2048},
    ],
    ids=json.dumps,
)
def test_keys_of_jwcrypto_are_read(options: dict[str, Any]) -> None:
    exported = jwcrypto.jwk.JWK.generate(**options).export()

    key: Key = FORMAT.decode(Secret(exported.encode()), default_kid="")

    assert json.loads(FORMAT.encode_secret(key).reveal()) == json.loads(exported)
