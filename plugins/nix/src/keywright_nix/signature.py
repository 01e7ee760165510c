"""Signatures as text, `NAME:BASE64`, and which of them are valid under which keys."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from keywright import Secret
from keywright.errors import InvalidSignatureError, MalformedKeyError
from keywright_nix.ed25519 import is_sound_point, verify
from keywright_nix.key import SECRET_BYTES, decode_base64, decode_base64_leniently, hides_key, read_key
from keywright_nix.narinfo import NarInfo


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
    return _read(text, decode_base64)


def parse_signature_leniently(text: str) -> Signature:
    """Read `NAME:BASE64` as Nix reads it (`src/libutil/base-n.cc`), who counts a signature that is spelled so.

    It stops at the first '=', skips line feeds, needs no padding and ignores bits that belong to no byte.

    Raises:
        InvalidSignatureError: Nix would refuse it too.
    """
    return _read(text, lambda encoded: decode_base64_leniently(encoded)[0])


def _read(text: str, decode: Callable[[Secret], Secret]) -> Signature:
    name, _, encoded = text.partition(":")
    if name:
        try:
            raw = decode(Secret(encoded.encode(errors="surrogatepass")))
        except MalformedKeyError:
            raw = Secret(b"")
        if len(raw) == SECRET_BYTES:
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
    if len(raw) == SECRET_BYTES:
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


def valid_names(message: bytes, signatures: Iterable[str], keys: dict[str, bytes]) -> set[str]:
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


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        holding: the names of trusted keys of which a signature holds, sorted.
        broken: the names of trusted keys under which there is a signature that does not hold, though none does.
        stray: the names of those under which one does hold, and another does not.
        others: how many signatures are of no trusted key.
        keys: how many distinct keys stand behind `holding`: of one key under two names one counts.
        is_canonical: each of those that hold is spelled as Nix writes it.
    """

    holding: tuple[str, ...]
    broken: tuple[str, ...]
    stray: tuple[str, ...]
    others: int
    keys: int
    is_canonical: bool


def judge(info: NarInfo, trusted: Mapping[str, bytes]) -> Verdict:
    """Check every signature of a narinfo, read as Nix reads it. `trusted`: name → 32 bytes."""
    message = info.fingerprint()
    held: set[str] = set()
    failed: set[str] = set()
    others = 0
    is_canonical = True
    for text in info.signatures:
        name = text.partition(":")[0]
        if name not in trusted:
            others += 1
            continue
        try:
            raw = parse_signature_leniently(text).raw
            verify(trusted[name], message, raw)
        except InvalidSignatureError:
            failed.add(name)
        else:
            held.add(name)
            is_canonical = is_canonical and text == signature_text(name, raw)
    return Verdict(
        tuple(sorted(held)),
        tuple(sorted(failed - held)),
        tuple(sorted(failed & held)),
        others,
        len({trusted[name] for name in held}),
        is_canonical,
    )


def sentence(verdict: Verdict, needed: int) -> str:
    """What there is to say of a narinfo of which fewer than `needed` keys have signed."""
    held = f"{verdict.keys} of {needed} signatures needed hold"
    if verdict.holding:
        held += f" ({', '.join(verdict.holding)})"
    if len(verdict.holding) > verdict.keys:
        held += ", for one key under two names counts once"
    if verdict.broken:
        return f"{held}; under {', '.join(verdict.broken)} there is one that does not"
    if verdict.others:
        return f"{held}; {verdict.others} are of keys that are not trusted"
    return held if verdict.holding else f"{held}; it has none"
