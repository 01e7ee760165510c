"""How the key of the content comes along: agreed on, encrypted under another key, or known already (RFC 7518 §4)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from os import urandom
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from keywright import Key, Secret
from keywright.errors import FormatError, InvalidKeyError
from keywright_jose._jose import Encrypted, aes_wrapping_key, decrypt, encrypt, rsa_wrapping_key, unwrap, wrap
from keywright_jose.compact import COPY_AGAIN, malformed, rejected
from keywright_jose.json import decode_segment, encode_base64url
from keywright_jose.jwe.algorithms import AGREEING, ContentAlgorithm, KeyAlgorithm, cannot_encrypt
from keywright_jose.jwk.codec import decode_members, kind_of_type
from keywright_jose.jwk.members import Members, checked_members
from keywright_jose.keys import new_private, private_object, public_object, public_octets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    from keywright_jose.keys import PrivateObject, PublicObject

_GCM_IV_BYTES: Final = 12
_GCM_TAG_BYTES: Final = 16
_WRAP_BYTES: Final = 8


class ContentKey(NamedTuple):
    """A new key for the content of one token.

    Attributes:
        key: the key.
        encrypted: as the token carries it; empty if it does not.
        members: what the header needs so that the key can be recovered: `epk`, or `iv` and `tag`.
    """

    key: Secret
    encrypted: bytes
    members: dict[str, object]


def content_key_for(
    key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, headers: Mapping[str, object]
) -> ContentKey:
    """A content key that the owner of `key` can get again.

    Raises:
        InvalidKeyError: the key is weak or wrong.
        FormatError: `apu` or `apv` in `headers` is not canonical base64url.
        UnsupportedOperationError: the libraries cannot encrypt so here.
    """
    if algorithm.way == "direct":
        return ContentKey(_octets(key), b"", {})
    members: dict[str, object] = {}
    if algorithm.way == "agree":
        agreed, members = agreed_with_ephemeral(key, content.name, content.key_bytes * 8, headers)
        return ContentKey(agreed, b"", members)
    fresh = Secret(urandom(content.key_bytes))
    encrypted: bytes | None = None
    if algorithm.way == "gcm":
        found = encrypt(f"A{algorithm.bits}GCM", _octets(key), fresh)
        if found:
            encrypted = found.ciphertext
            members = {"iv": encode_base64url(found.iv), "tag": encode_base64url(found.tag)}
    elif algorithm.way == "rsa":
        encrypted = wrap(rsa_wrapping_key(public_object(key), algorithm.name), fresh)
    elif algorithm.way == "wrap":
        encrypted = wrap(aes_wrapping_key(_octets(key)), fresh)
    else:
        agreed, members = agreed_with_ephemeral(key, algorithm.name, algorithm.bits, headers)
        encrypted = wrap(aes_wrapping_key(agreed), fresh)
    if encrypted is None:
        raise cannot_encrypt(algorithm.name)
    return ContentKey(fresh, encrypted, members)


def content_key_of(
    key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, header: Mapping[str, object], encrypted: bytes
) -> Secret:
    """The content key of a token; a random one where it cannot be had, so that no sender learns why (RFC 7516 §11.5).

    Raises:
        MalformedTokenError: `encrypted` cannot be such a key, for its length, or because there must be none; `epk`,
            `apu`, `apv`, `iv` or `tag` in the header is missing or malformed.
        InvalidSignatureError: `epk` is on another curve than the key.
        NotExportableError: the key has no secret half.
        InvalidKeyError: the key is weak or wrong.
    """
    _check_length(algorithm, content, encrypted)
    anything = Secret(urandom(content.key_bytes))
    found = _decrypted(key, algorithm, content, header, encrypted)
    return found if found is not None and len(found) == content.key_bytes else anything


def _decrypted(
    key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, header: Mapping[str, object], encrypted: bytes
) -> Secret | None:
    if algorithm.way == "direct":
        return _octets(key)
    if algorithm.way == "gcm":
        octets = _octets(key)
        iv = _header_octets(header, "iv", _GCM_IV_BYTES)
        tag = _header_octets(header, "tag", _GCM_TAG_BYTES)
        return decrypt(f"A{algorithm.bits}GCM", octets, Encrypted(iv, encrypted, tag))
    if algorithm.way == "rsa":
        return unwrap(rsa_wrapping_key(private_object(key, primes=False), algorithm.name), encrypted)
    if algorithm.way == "wrap":
        return unwrap(aes_wrapping_key(_octets(key)), encrypted)
    if algorithm.way == "agree":
        return agreed_with_sender(key, content.name, content.key_bytes * 8, header)
    agreed = agreed_with_sender(key, algorithm.name, algorithm.bits, header)
    return None if agreed is None else unwrap(aes_wrapping_key(agreed), encrypted)


def _check_length(algorithm: KeyAlgorithm, content: ContentAlgorithm, encrypted: bytes) -> None:
    if algorithm.way == "rsa":
        return  # as long as the modulus, which the library checks
    length = {"gcm": content.key_bytes, "direct": 0, "agree": 0}.get(algorithm.way, content.key_bytes + _WRAP_BYTES)
    if len(encrypted) != length:
        problem = f"the encrypted key of the token does not have the {length} bytes that its algorithms need"
        raise malformed(problem, COPY_AGAIN)


def _header_octets(header: Mapping[str, object], name: str, length: int) -> bytes:
    value = header.get(name)
    octets = decode_segment(value) if isinstance(value, str) else None
    if octets is None or len(octets) != length:
        raise malformed(
            f"the member {name} of the token's header is not canonical base64url of {length} bytes (RFC 7518 §4.7.1)"
        )
    return octets


def _octets(key: Key) -> Secret:
    return cast("Secret", key.secret)  # that there are some was checked when the key was chosen


def agreed_with_ephemeral(
    key: Key, algorithm: str, bits: int, headers: Mapping[str, object]
) -> tuple[Secret, dict[str, object]]:
    """The key agreed on with the recipient, and the `epk` with which the recipient agrees on it.

    Args:
        key: theirs; only its public half is used.
        algorithm: what the key is for: `enc`, or `alg` if the key wraps another (RFC 7518 §4.6.2).
        bits: how long the key shall be.
        headers: hold `apu` and `apv`, if anything does.

    Raises:
        InvalidKeyError: the point is not on its curve, or of low order.
        FormatError: `apu` or `apv` is not canonical base64url.
    """
    parties = _parties(headers)
    if parties is None:
        raise FormatError(
            "apu or apv in headers is not canonical base64url without padding (RFC 7518 §4.6.1)",
            hint="encode it with base64url, without padding",
        )
    public = public_object(key)
    ephemeral = new_private(key.type)
    agreed = derived(_shared(ephemeral, public), algorithm, bits, parties)
    if agreed is None:
        raise InvalidKeyError(
            "the X25519 key is a point of low order, so anyone could decrypt",
            hint="get the key again from its publisher",
        )
    epk = Key(key.type, public=public_octets(ephemeral.public_key()))
    return agreed, {"epk": kind_of_type(key.type).public_members(epk)}


def agreed_with_sender(key: Key, algorithm: str, bits: int, header: Mapping[str, object]) -> Secret | None:
    """The key agreed on with the sender; None if there cannot be one. Args: as `agreed_with_ephemeral`.

    Raises:
        MalformedTokenError: `epk` is missing, no public key of EC or X25519, not on its curve, or holds a private
            key; `apu` or `apv` is not canonical base64url.
        InvalidSignatureError: `epk` is on another curve than the key.
        NotExportableError, InvalidKeyError: as `private_object`.
    """
    parties = _parties(header)
    if parties is None:
        raise malformed("apu or apv in the token's header is not canonical base64url without padding (RFC 7518 §4.6.1)")
    private = private_object(key)
    return derived(_shared(private, _sender(header.get("epk"), key.type)), algorithm, bits, parties)


def derived(shared: Secret | None, algorithm: str, bits: int, parties: tuple[bytes, bytes]) -> Secret | None:
    """A key of `bits` bits, by the Concat KDF (RFC 7518 §4.6.2); None of None. `parties`: `apu` and `apv`."""
    if shared is None:
        return None
    info = b"".join(
        (*(len(part).to_bytes(4, "big") + part for part in (algorithm.encode(), *parties)), bits.to_bytes(4, "big"))
    )
    return Secret(ConcatKDFHash(SHA256(), bits // 8, info).derive(shared.reveal()))


def _sender(epk: object, type: str) -> PublicObject:
    key: Key | None = None
    if isinstance(epk, dict):
        with suppress(FormatError):
            key = decode_members(checked_members(Members(epk)))
    if key is None or key.secret is not None or key.type not in AGREEING:
        raise malformed(
            "the epk of the token's header is not a public JWK on P-256, P-384, P-521 or X25519 (RFC 7518 §4.6.1.1)"
        )
    if key.type != type:
        raise rejected("the token was encrypted for a key on another curve")
    with suppress(InvalidKeyError):
        return public_object(key)
    raise malformed("the epk of the token's header is not on its curve", "reject the token")


def _parties(members: Mapping[str, object]) -> tuple[bytes, bytes] | None:
    values = (members.get(name, "") for name in ("apu", "apv"))
    apu, apv = (decode_segment(value) if isinstance(value, str) else None for value in values)
    return None if apu is None or apv is None else (apu, apv)


def _shared(private: PrivateObject, public: PublicObject) -> Secret | None:
    """The x of the shared point; None if the other point is of low order (RFC 7748 §6.1)."""
    if isinstance(private, X25519PrivateKey):
        try:
            return Secret(private.exchange(cast("X25519PublicKey", public)))
        except ValueError:
            return None
    agreeing = cast("ec.EllipticCurvePrivateKey", private)
    return Secret(agreeing.exchange(ec.ECDH(), cast("ec.EllipticCurvePublicKey", public)))
