"""Signatures and public keys as texts, `NAME:BASE64`, and what holds under which."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterable
from typing import NamedTuple

from keywright import Secret
from keywright.errors import InvalidSignatureError, MalformedKeyError
from keywright_nix import payload
from keywright_nix.ed25519 import is_sound_point, verify
from keywright_nix.key_text import read_key
from keywright_nix.names import hides_key

__all__ = [
    "Signature",
    "holding",
    "parse_public_key",
    "parse_signature",
    "read_leniently",
    "signature_text",
    "verify_signature",
]


class Signature(NamedTuple):
    """A signature.

    Attributes:
        name: of the key that made it.
        raw: 64 bytes.
    """

    name: str
    raw: bytes


def signature_text(name: str, raw: bytes) -> str:
    """`NAME:BASE64` of a signature's 64 bytes."""
    return f"{name}:{b2a_base64(raw, newline=False).decode()}"


def parse_signature(text: str) -> Signature:
    """Read `NAME:BASE64`, 64 bytes in canonical base64.

    Raises:
        InvalidSignatureError: it is none.
    """
    return _read(text, payload.read_strictly)


def read_leniently(text: str) -> Signature:
    """Read `NAME:BASE64` as Nix reads it (`src/libutil/base-n.cc`), who counts a signature that is spelled so.

    It stops at the first '=', skips line feeds, needs no padding and ignores bits that belong to no byte.

    Raises:
        InvalidSignatureError: Nix would refuse it too.
    """
    return _read(text, lambda encoded: payload.read_leniently(encoded)[0])


def _read(text: str, decode: Callable[[Secret], Secret]) -> Signature:
    name, _, encoded = text.partition(":")
    if name:
        try:
            raw = decode(Secret(encoded.encode(errors="surrogatepass")))
        except MalformedKeyError:
            raw = Secret(b"")
        if len(raw) == payload.SECRET_BYTES:
            return Signature(name, raw.reveal())
    raise InvalidSignatureError("this is no signature of Nix's; it must be NAME:BASE64 of 64 bytes: copy it whole")


def parse_public_key(text: str) -> tuple[str, bytes]:
    """Name and 32 bytes of `NAME:BASE64`.

    Raises:
        MalformedKeyError: it is no public key of Nix's, a secret one, or a point under which anybody could sign.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise MalformedKeyError("the Nix key is no Unicode text; it must be NAME:BASE64") from None
    name, raw = read_key(Secret(data))
    if len(raw) == payload.SECRET_BYTES:
        raise MalformedKeyError(f"{_called(name)} is a secret one; give its public half, and make it a new one")
    if not is_sound_point(raw.reveal()):
        raise MalformedKeyError(f"{_called(name)} is no sound Ed25519 key: anybody could sign under it; remove it")
    return name, raw.reveal()


def _called(name: str) -> str:
    return "the Nix key" if hides_key(name) else f"the Nix key {name}"


def verify_signature(public_key: str, message: bytes, signature: str) -> None:
    """Check a Nix signature (`NAME:BASE64`) of `message` under a Nix public key (`NAME:BASE64`).

    Raises:
        MalformedKeyError: the key is none.
        InvalidSignatureError: the signature is malformed, made by a key of another name, or does not hold.
    """
    name, public = parse_public_key(public_key)
    parsed = parse_signature(signature)
    if parsed.name != name:
        raise InvalidSignatureError(f"the signature was made by another key than {name}; verify it under that one")
    verify(public, message, parsed.raw)


def holding(message: bytes, signatures: Iterable[str], keys: dict[str, bytes]) -> set[str]:
    """The names in `keys` (name → 32 bytes) of which at least one of `signatures` holds."""
    found = set()
    for text in signatures:
        try:
            signature = parse_signature(text)
            if signature.name in keys and signature.name not in found:
                verify(keys[signature.name], message, signature.raw)
                found.add(signature.name)
        except InvalidSignatureError:
            continue
    return found
