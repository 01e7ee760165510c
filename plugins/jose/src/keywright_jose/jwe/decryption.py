"""Decrypting a token (RFC 7516 §5.2), in the compact serialization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from keywright import Decrypter, Key, Secret
from keywright.errors import InvalidSignatureError, MalformedTokenError
from keywright_jose.compact import Header, read_header, segment_octets, split_token
from keywright_jose.jwe.algorithms import ContentAlgorithm, KeyAlgorithm, check_content_algorithm, check_key_algorithm
from keywright_jose.jwe.keys import JweKeyInput, candidates, hide_jwe_key

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
    first, *rest = split_token(token, 5)
    header = read_header(first)
    _check_header(header, algorithm, content)
    names = ("encrypted key", "initialization vector", "ciphertext", "authentication tag")
    encrypted_key, iv, ciphertext, tag = map(segment_octets, rest, names)
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
        "the token cannot be decrypted with this key; it was changed, or encrypted for another: refuse it"
    )


def _check_header(header: Header, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> None:
    encryption = header.members.get("enc")
    if not isinstance(encryption, str):
        raise MalformedTokenError("the header of the token has no enc that is a text; have it issued anew")
    if header.algorithm != algorithm.name or encryption != content.name:
        raise InvalidSignatureError(
            "the token was encrypted with other algorithms than those that are allowed; refuse it"
        )
    for name in _ALL_PARAMETERS:
        if name in header.members and name not in _PARAMETERS.get(algorithm.way, ()):
            raise MalformedTokenError(
                f"the header of the token has {name}, which means nothing under its alg; have it issued without"
            )


def _check_lengths(content: ContentAlgorithm, iv: bytes, ciphertext: bytes, tag: bytes) -> None:
    for what, octets, length in (
        ("initialization vector", iv, content.iv_bytes),
        ("authentication tag", tag, content.tag_bytes),
    ):
        if len(octets) != length:
            raise MalformedTokenError(
                f"the {what} of the token has not the {length} bytes of {content.name} ({content.section}); "
                "copy the token whole"
            )
    if content.is_cbc and (not ciphertext or len(ciphertext) % _AES_BLOCK):
        raise MalformedTokenError(
            f"the ciphertext of the token is not whole blocks of {_AES_BLOCK} bytes, as {content.name} makes them; "
            "copy the token whole"
        )
