"""Encrypting a token (RFC 7516 §5.1), in the compact serialization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywright import Encrypter, Key, Secret
from keywright.errors import FormatError, PolicyError
from keywright_jose.compact import MAXIMUM_BYTES, further_members
from keywright_jose.json import encode_base64url, encode_segment, write_object
from keywright_jose.jwe.algorithms import KeyAlgorithm, cannot_encrypt, check_content_algorithm, check_key_algorithm
from keywright_jose.jwe.keys import JweKeyInput, encrypting_key, hide_jwe_key

_HEADER: Final = "the header of a token"
_RESERVED: Final = ("alg", "enc", "epk", "iv", "tag", "p2s", "p2c", "zip", "crit", "b64")
_TOO_MUCH: Final = f"a token has at most {MAXIMUM_BYTES} bytes, and this one would have more; say less"


def jwe_encrypt(
    plaintext: bytes | Secret,
    key: Mapping[str, object] | Key | Encrypter,
    *,
    key_algorithm: str,
    content_algorithm: str,
    headers: Mapping[str, object] | None = None,
) -> str:
    """Encrypt bytes.

    Args:
        plaintext: the bytes.
        key: a JWK, or a key of a ring (`ring.encrypter(NAME)`, `ring.load(NAME)`), whose `kid` then goes into the
            header. Of an asymmetric one only the public half is used.
        key_algorithm: the header's `alg`: `A128KW`, `A192KW`, `A256KW`, `A128GCMKW`, `A192GCMKW`, `A256GCMKW`, `dir`,
            `RSA-OAEP`, `RSA-OAEP-256`, `ECDH-ES`, `ECDH-ES+A128KW`, `ECDH-ES+A192KW` or `ECDH-ES+A256KW`.
        content_algorithm: the header's `enc`: `A128GCM`, `A192GCM`, `A256GCM`, `A128CBC-HS256`, `A192CBC-HS384` or
            `A256CBC-HS512`.
        headers: more members of the header, such as `kid`, `typ`, `cty`, and for ECDH-ES `apu` and `apv`. Nothing is
            added that was not asked for, but what the algorithm needs: `epk`, or `iv` and `tag`.

    Raises:
        ConfigError: `key` is not a key, or an object of a ring for another purpose.
        FormatError: `plaintext` is not bytes or too long, or JSON cannot represent `headers`, or they are wrong.
        MalformedKeyError, UnsupportedKeyError: the JWK is malformed, or a JWK Set.
        InvalidKeyError: the key is weak, wrong, or of another size than the algorithm's.
        UnsupportedOperationError: an algorithm is not supported here, or not one of the key's type; `headers` have
            a member that the algorithms set, `zip` or `crit`.
        NotExportableError: an `oct` key without its octets.
        PolicyError: by its `alg`, `use` or `key_ops` the key is for something else, or `headers` say another `kid`
            than the key's, or a ring has no version to encrypt for any more.
        KeyNotFoundError, StoreError, SealError: a ring's key cannot be read.
    """
    given, hidden = hide_jwe_key(key), _hidden(plaintext)
    del key, plaintext
    return encrypted_token(hidden, given, key_algorithm, content_algorithm, headers)


def encrypted_token(
    plaintext: Secret | None,
    given: JweKeyInput,
    key_algorithm: object,
    content_algorithm: object,
    headers: Mapping[str, object] | None,
) -> str:
    """As `jwe_encrypt`, of what was hidden; no plaintext: `FormatError`."""
    # Here and not at import, for the libraries load with these.
    from keywright_jose._jose import check_backend, encrypt
    from keywright_jose.jwe.key_management import content_key_for

    check_backend()
    algorithm, content = check_key_algorithm(key_algorithm), check_content_algorithm(content_algorithm)
    more = checked_headers(headers, algorithm)
    key = encrypting_key(given, algorithm, content)
    if plaintext is None:
        raise FormatError("the plaintext of a token is bytes; encode text before")
    if len(plaintext) > MAXIMUM_BYTES:
        raise FormatError(_TOO_MUCH)
    kid = _kid(key, more, is_of_ring=isinstance(given, Key | Encrypter))
    fresh = content_key_for(key, algorithm, content, more)
    members = {"alg": algorithm.name, "enc": content.name, **fresh.members, **kid, **more}
    header = encode_segment(write_object(members, _HEADER))
    parts = encrypt(content.name, fresh.key, plaintext, header)
    if parts is None:
        raise cannot_encrypt(content.name)
    token = ".".join((header.decode("ascii"), *map(encode_base64url, (fresh.encrypted, *parts))))
    if len(token) > MAXIMUM_BYTES:
        raise FormatError(_TOO_MUCH)
    return token


def _hidden(plaintext: object) -> Secret | None:
    """It raises nothing, for the plaintext is still in sight."""
    if isinstance(plaintext, Secret):
        return plaintext
    return Secret(plaintext) if isinstance(plaintext, bytes) else None


def checked_headers(
    headers: Mapping[str, object] | None, algorithm: KeyAlgorithm, what: str = "headers"
) -> dict[str, object]:
    """More members of a header, if they may be there; `what` names them in messages.

    Raises:
        FormatError, UnsupportedOperationError: as `jwe_encrypt`.
    """
    reserved = _RESERVED if algorithm.way.startswith("agree") else (*_RESERVED, "apu", "apv")
    return further_members(
        headers, reserved, f"{what} cannot say {{}}, which is the algorithm's to say or not done here; leave it out"
    )


def _kid(key: Key, headers: Mapping[str, object], *, is_of_ring: bool) -> dict[str, object]:
    if key.kid and headers.get("kid", key.kid) != key.kid:
        raise PolicyError("headers say another kid than the key's own, so nobody would decrypt the token; leave it out")
    return {"kid": key.kid} if is_of_ring and key.kid and "kid" not in headers else {}
