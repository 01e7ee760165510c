"""Encrypted tokens in the compact serialization (RFC 7516 §5): encrypting and decrypting one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from keywright import Decrypter, Encrypter, Key, Secret
from keywright.errors import FormatError, InvalidSignatureError
from keywright_jose import compact
from keywright_jose.json import encode_base64url, encode_segment, write_object
from keywright_jose.jwe.algorithms import (
    ContentAlgorithm,
    KeyAlgorithm,
    cannot_encrypt,
    check_content_algorithm,
    check_key_algorithm,
)
from keywright_jose.jwe.keys import JweKeyInput, candidates, encrypting_key, hide_jwe_key

_RESERVED: Final = ("alg", "enc", "epk", "iv", "tag", "p2s", "p2c", "zip", "crit", "b64")


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
        raise FormatError("the plaintext of a token must be bytes", hint="encode text first")
    if len(plaintext) > compact.MAXIMUM_BYTES:
        raise compact.too_long()
    compact.check_kid(more, key.kid, "decrypt")
    kid = {"kid": key.kid} if key.kid and isinstance(given, Key | Encrypter) else {}
    fresh = content_key_for(key, algorithm, content, more)
    members = {"alg": algorithm.name, "enc": content.name, **fresh.members, **kid, **more}
    header = encode_segment(write_object(members, "the header of a token"))
    parts = encrypt(content.name, fresh.key, plaintext, header)
    if parts is None:
        raise cannot_encrypt(content.name)
    token = ".".join((header.decode("ascii"), *map(encode_base64url, (fresh.encrypted, *parts))))
    if len(token) > compact.MAXIMUM_BYTES:
        raise compact.too_long()
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
    return compact.further_members(headers, what, reserved, "algorithm")


_AES_BLOCK: Final = 16
# By way: the members of a header that mean something under it (RFC 7518 §4.6.1, §4.7.1, §4.8.1).
_PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "agree": ("epk", "apu", "apv"),
    "agree and wrap": ("epk", "apu", "apv"),
    "gcm": ("iv", "tag"),
}
_ALL_PARAMETERS: Final = ("epk", "apu", "apv", "iv", "tag", "p2s", "p2c")


class Jwe(NamedTuple):
    """A token that was decrypted.

    Attributes:
        header: its header.
        plaintext: the octets that were encrypted. Claims in them (expiry, audience) were not checked. Anyone with
            the public half of an asymmetric key can encrypt for it, so this says nothing about the sender.
        kid: that of the key; None if it has none.
        reference: `NAME@N`, the version that a ring's decrypter decrypted with; None if it was none.
    """

    header: dict[str, object]
    plaintext: Secret
    kid: str | None
    reference: str | None = None


def jwe_decrypt(
    token: str | bytes, key: Mapping[str, object] | Key | Decrypter, *, key_algorithm: str, content_algorithm: str
) -> Jwe:
    """Decrypt a token.

    Args:
        token: in the compact serialization.
        key: a secret JWK, a JWK Set of such, a ring's decrypter (`ring.decrypter(NAME)`), or one version of a ring's
            key (`ring.load(NAME@N)`).
        key_algorithm: the one that is allowed, as for `jwe_encrypt`; the token must have it.
        content_algorithm: the same.

    Raises:
        MalformedTokenError: it is not exactly what the RFC says a token is: five segments in canonical base64url, a
            header of one JSON object with each member once, nothing in it that is not understood (`crit`, `zip`) or
            not of its `alg`; keys, IV, tag and ciphertext of the lengths that the algorithms ask for; an `epk` that
            is a public key on its curve; 262144 bytes at most.
        InvalidSignatureError: it was encrypted for another key or with another algorithm, or changed.
        ConfigError: `key` is not a key, or an object of a ring for another purpose.
        MalformedKeyError, UnsupportedKeyError: a JWK is malformed.
        InvalidKeyError: the key is weak, wrong, or of another size than the algorithm's; a set has a `kid` twice, keys
            without one, symmetric keys beside others, or no key for this.
        UnsupportedOperationError: an algorithm is not supported here, or not one of the key's type.
        NotExportableError: the key has no secret half.
        PolicyError: by its `alg`, `use` or `key_ops` the key is for something else, or a ring's decrypts no more.
        KeyNotFoundError, StoreError, SealError: a ring's key cannot be read.
    """
    given = hide_jwe_key(key)
    del key
    return decrypted_token(token, given, key_algorithm, content_algorithm)


def decrypted_token(token: str | bytes, given: JweKeyInput, key_algorithm: object, content_algorithm: object) -> Jwe:
    """As `jwe_decrypt`, with a key that was hidden."""
    # Here and not at import, for the libraries load with these.
    from keywright_jose._jose import Encrypted, check_backend, decrypt
    from keywright_jose.jwe.key_management import content_key_of

    check_backend()
    algorithm, content = check_key_algorithm(key_algorithm), check_content_algorithm(content_algorithm)
    find = candidates(given, algorithm, content)
    first, *rest = compact.split_token(token, 5)
    header = compact.read_header(first)
    _check_header(header, algorithm, content)
    names = ("encrypted key", "initialization vector", "ciphertext", "authentication tag")
    encrypted_key, iv, ciphertext, tag = map(compact.segment_octets, rest, names)
    _check_lengths(content, iv, ciphertext, tag)
    found = find(header.kid)
    for key, reference in found:
        try:
            content_key = content_key_of(key, algorithm, content, header.members, encrypted_key)
        except InvalidSignatureError:
            if len(found) == 1:
                raise
            continue  # it is for another version, on its curve
        plaintext = decrypt(content.name, content_key, Encrypted(iv, ciphertext, tag), first.encode())
        if plaintext is not None:
            return Jwe(header.copied(), plaintext, key.kid or None, reference)
    raise InvalidSignatureError(
        "the token cannot be decrypted with this key", hint="it was modified, or encrypted for another key: reject it"
    )


def _check_header(header: compact.Header, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> None:
    encryption = header.members.get("enc")
    if not isinstance(encryption, str):
        raise compact.malformed("the header of the token has no enc that is text")
    if header.algorithm != algorithm.name or encryption != content.name:
        raise compact.rejected("the token was encrypted with algorithms that are not allowed")
    for name in _ALL_PARAMETERS:
        if name in header.members and name not in _PARAMETERS.get(algorithm.way, ()):
            raise compact.malformed(f"the header of the token has {name}, which its alg does not use", compact.WITHOUT)


def _check_lengths(content: ContentAlgorithm, iv: bytes, ciphertext: bytes, tag: bytes) -> None:
    for what, octets, length in (
        ("initialization vector", iv, content.iv_bytes),
        ("authentication tag", tag, content.tag_bytes),
    ):
        if len(octets) != length:
            problem = f"the {what} of the token does not have the {length} bytes of {content.name} ({content.section})"
            raise compact.malformed(problem, compact.COPY_AGAIN)
    if content.is_cbc and (not ciphertext or len(ciphertext) % _AES_BLOCK):
        problem = (
            f"the ciphertext of the token is not in whole blocks of {_AES_BLOCK} bytes, as {content.name} requires"
        )
        raise compact.malformed(problem, compact.COPY_AGAIN)
