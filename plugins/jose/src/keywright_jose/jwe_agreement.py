"""Agreeing on a key with an ephemeral one: ECDH-ES (RFC 7518 §4.6; RFC 8037 §3.2 for X25519)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keywright import Key, Secret
from keywright.errors import FormatError, InvalidKeyError, InvalidSignatureError, MalformedTokenError
from keywright_jose.base64url import decode_segment
from keywright_jose.jwe_algorithms import AGREEING
from keywright_jose.jwk_decode import decode_members
from keywright_jose.jwk_json import checked_members
from keywright_jose.jwk_kinds import kind_of_type
from keywright_jose.jwk_members import Members
from keywright_jose.key_objects import private_object, public_object

if TYPE_CHECKING:
    from keywright_jose.key_objects import PrivateObject, PublicObject

__all__ = ["agreed_with_ephemeral", "agreed_with_sender", "derived"]

_PARTIES: Final = ("apu", "apv")


def agreed_with_ephemeral(
    key: Key, algorithm: str, bits: int, headers: Mapping[str, object]
) -> tuple[Secret, dict[str, object]]:
    """The key agreed on with whom the token is for, and the `epk` that lets them agree too.

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
            "apu and apv of a header are canonical base64url without padding (RFC 7518 §4.6.1); correct them"
        )
    public = public_object(key)
    ephemeral = _ephemeral(public)
    agreed = derived(_shared(ephemeral, public), algorithm, bits, parties)
    if agreed is None:
        raise InvalidKeyError(
            "the point of the X25519 key is of low order, so that anybody could decrypt; get the key again from "
            "whoever published it"
        )
    return agreed, {"epk": _public_members(key.type, cast("ec.EllipticCurvePrivateKey", ephemeral).public_key())}


def agreed_with_sender(key: Key, algorithm: str, bits: int, header: Mapping[str, object]) -> Secret | None:
    """The key agreed on with whoever made the token; None if none can be. Args: as `agreed_with_ephemeral`.

    Raises:
        MalformedTokenError: `epk` is missing, no public key of EC or X25519, not on its curve, or holds a private
            key; `apu` or `apv` is not canonical base64url.
        InvalidSignatureError: `epk` is on another curve than the key.
        NotExportableError, InvalidKeyError: as `private_object`.
    """
    parties = _parties(header)
    if parties is None:
        raise MalformedTokenError(
            "apu or apv in the token's header is not canonical base64url without padding (RFC 7518 §4.6.1); have it "
            "issued anew"
        )
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
    key = _ephemeral_key(epk)
    if key is None or key.secret is not None or key.type not in AGREEING:
        raise MalformedTokenError(
            "the epk of the token's header is no public key as a JWK, on P-256, P-384, P-521 or X25519 (RFC 7518 "
            "§4.6.1.1); have the token issued anew"
        )
    if key.type != type:
        raise InvalidSignatureError("the token was encrypted for a key on another curve than this one; refuse it")
    public = _on_its_curve(key)
    if public is None:
        raise MalformedTokenError("the epk of the token's header is not on its curve; refuse the token")
    return public


def _ephemeral_key(epk: object) -> Key | None:
    try:
        return decode_members(checked_members(Members(epk))) if isinstance(epk, dict) else None
    except FormatError:
        return None


def _on_its_curve(key: Key) -> PublicObject | None:
    try:
        return public_object(key)
    except InvalidKeyError:
        return None


def _parties(members: Mapping[str, object]) -> tuple[bytes, bytes] | None:
    values = [members.get(name, "") for name in _PARTIES]
    first, second = (decode_segment(value) if isinstance(value, str) else None for value in values)
    return None if first is None or second is None else (first, second)


def _ephemeral(public: PublicObject) -> PrivateObject:
    if isinstance(public, X25519PublicKey):
        return X25519PrivateKey.generate()
    return ec.generate_private_key(cast("ec.EllipticCurvePublicKey", public).curve)


def _shared(private: PrivateObject, public: PublicObject) -> Secret | None:
    """The x of the shared point; None if it says nothing, for the other's point is of low order (RFC 7748 §6.1)."""
    if isinstance(private, X25519PrivateKey):
        try:
            return Secret(private.exchange(cast("X25519PublicKey", public)))
        except ValueError:
            return None
    agreeing = cast("ec.EllipticCurvePrivateKey", private)
    return Secret(agreeing.exchange(ec.ECDH(), cast("ec.EllipticCurvePublicKey", public)))


def _public_members(type: str, public: ec.EllipticCurvePublicKey | X25519PublicKey) -> dict[str, object]:
    form = (
        (Encoding.Raw, PublicFormat.Raw)
        if isinstance(public, X25519PublicKey)
        else (Encoding.X962, PublicFormat.UncompressedPoint)
    )
    return kind_of_type(type).public_members(Key(type, public=public.public_bytes(*form)))
