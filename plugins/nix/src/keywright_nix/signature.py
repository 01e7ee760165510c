"""Signatures as text, `NAME:BASE64`, which of them are valid under which keys, and the keys that are trusted.

They are verified by libsodium, as Nix does: RFC 8032 leaves room, and `cryptography` (OpenSSL) accepts what libsodium
refuses: public keys and commitments of small order, for which signatures are valid without any secret, and public keys
that are not encoded canonically.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from keywright import Secret, ed25519_point_problem
from keywright.errors import InvalidSignatureError, MalformedKeyError
from keywright_nix.key import (
    PUBLIC_BYTES,
    SECRET_BYTES,
    SIGNATURE_BYTES,
    decode_base64,
    decode_base64_leniently,
    hides_key,
    is_unicode,
    problem_in,
    read_key,
    read_key_leniently,
)


class Signature(NamedTuple):
    """A signature.

    Attributes:
        name: The name of the key that made it.
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
        InvalidSignatureError: `text` is anything else.
    """
    return _read(text, decode_base64)


def parse_signature_leniently(text: str) -> Signature:
    """Read `NAME:BASE64` as Nix reads it (`src/libutil/base-n.cc`), which accepts signatures that are spelled so.

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
        if len(raw) == SIGNATURE_BYTES:
            return Signature(name, raw.reveal())
    raise InvalidSignatureError("this is not a Nix signature", hint="it must be NAME:BASE64 of 64 bytes: copy it whole")


def parse_public_key(text: str) -> tuple[str, bytes]:
    """Name and 32 bytes of `NAME:BASE64`.

    Raises:
        MalformedKeyError: `text` is not a public Nix key, is a secret one, or is a point under which anyone could
            sign.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise MalformedKeyError("the Nix key is not Unicode text", hint="it must be NAME:BASE64") from None
    name, raw = read_key(Secret(data))
    shown = "the Nix key" if hides_key(name) else f"the Nix key {name}"
    if len(raw) == SECRET_BYTES:
        raise MalformedKeyError(
            f"{shown} is a secret key", hint="pass the public key; replace the secret key, which was exposed"
        )
    if not is_sound_point(raw.reveal()):
        raise MalformedKeyError(f"{shown} is not a secure Ed25519 key: anyone could sign with it", hint="remove it")
    return name, raw.reveal()


def is_sound_point(raw: bytes) -> bool:
    """Whether 32 bytes are a canonical public key: y reduced modulo p, and not of small order.

    Whether they are a point on the curve at all is checked when they are used.
    """
    return ed25519_point_problem(raw, on_curve=False) is None


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature of 64 bytes under a public key of 32.

    Raises:
        InvalidSignatureError: libsodium does not accept it either.
    """
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    if len(signature) == SIGNATURE_BYTES and len(public) == PUBLIC_BYTES:
        with suppress(BadSignatureError):
            crypto_sign_open(signature + message, public)
            return
    raise InvalidSignatureError("the signature is not valid", hint="the data or the signature was modified")


def verify_signature(public_key: str, message: bytes, signature: str) -> None:
    """Check a Nix signature (`NAME:BASE64`) of `message` under a Nix public key (`NAME:BASE64`).

    Raises:
        MalformedKeyError: `public_key` is not a public Nix key.
        InvalidSignatureError: The signature is malformed, made by a key of another name, or not valid.
    """
    name, public = parse_public_key(public_key)
    parsed = parse_signature(signature)
    if parsed.name != name:
        raise InvalidSignatureError(f"the signature is by another key than {name}", hint="verify it with that key")
    verify(public, message, parsed.raw)


def is_valid(public: bytes, message: bytes, text: str) -> bool:
    """Whether `text` is a signature of `message` in canonical base64 that is valid under `public` (32 bytes)."""
    try:
        verify(public, message, parse_signature(text).raw)
    except InvalidSignatureError:
        return False
    return True


def valid_spelling(public: bytes, message: bytes, text: str) -> str | None:
    """A signature that Nix accepts under `public`, spelled as Nix writes it; None if it is not valid."""
    try:
        name, raw = parse_signature_leniently(text)
        verify(public, message, raw)
    except InvalidSignatureError:
        return None
    return signature_text(name, raw)


class Verdict(NamedTuple):
    """Which signatures of a narinfo are valid.

    Attributes:
        holding: The names of trusted keys with a valid signature, sorted.
        broken: The names of trusted keys with invalid signatures only, sorted.
        stray: The names of trusted keys with both valid and invalid signatures, sorted.
        others: How many signatures are of keys that are not trusted.
        keys: How many distinct keys `holding` stands for: one key under two names counts once.
        is_canonical: Whether every valid signature is spelled as Nix writes it.
    """

    holding: tuple[str, ...]
    broken: tuple[str, ...]
    stray: tuple[str, ...]
    others: int
    keys: int
    is_canonical: bool


def judge(message: bytes, signatures: Iterable[str], trusted: Mapping[str, bytes]) -> Verdict:
    """Check every signature of a message, read as Nix reads it. `trusted`: name → 32 bytes."""
    held: set[str] = set()
    failed: set[str] = set()
    others = 0
    is_canonical = True
    for text in signatures:
        name = text.partition(":")[0]
        if name not in trusted:
            others += 1
            continue
        spelled = valid_spelling(trusted[name], message, text)
        if spelled is None:
            failed.add(name)
        else:
            held.add(name)
            is_canonical = is_canonical and text == spelled
    return Verdict(
        tuple(sorted(held)),
        tuple(sorted(failed - held)),
        tuple(sorted(failed & held)),
        others,
        len({trusted[name] for name in held}),
        is_canonical,
    )


def sentence(verdict: Verdict, needed: int) -> str:
    """Why a narinfo that fewer than `needed` keys have signed is not trusted."""
    held = f"{verdict.keys} valid trusted signatures, {needed} required"
    if verdict.holding:
        held += f" ({', '.join(verdict.holding)})"
    if len(verdict.holding) > verdict.keys:
        held += "; one key under two names counts once"
    if verdict.broken:
        return f"{held}; under {', '.join(verdict.broken)} one is not valid"
    if verdict.others:
        return f"{held}; {verdict.others} are by keys that are not trusted"
    return held if verdict.holding else f"{held}; the narinfo has none"


# ---- `trusted-public-keys` as Nix reads it (`src/libstore/keys.cc`, getDefaultPublicKeys), and warnings of its traps

_SEPARATORS = "[ \t\n\r]+"  # Nix's own whitespace; Python's has more
_LONGEST_SHOWN = 40  # characters; a secret in place of the name has at least 43
_COMMA = "a comma follows it, and Nix ignores what comes after that; separate keys by spaces"
_COMMENT = "its name has a '#', which begins a comment in nix.conf, so Nix refuses to work; rename the key"


class TrustedKeys(NamedTuple):
    """What was read.

    Attributes:
        keys: Name → 32 bytes, those under which Nix would verify.
        warnings: A sentence for each trap, with names and positions, never the bytes of a key.
        malformed: How many are not valid keys, so that Nix refuses to work at all.
    """

    keys: dict[str, bytes]
    warnings: tuple[str, ...]
    malformed: int


def parse_trusted(text: str) -> TrustedKeys:
    """Read public keys (`NAME:BASE64`) separated by whitespace, as in `nix.conf`, and warn of mistakes.

    The result is what Nix uses: of two keys of one name the first; of keys joined by a comma the first, because its
    base64 ends there. A malformed key, with which Nix refuses to work at all, is left out, and so is one under which
    nothing can verify, or whose name is not Unicode text.
    """
    keys: dict[str, bytes] = {}
    taken: dict[str, bytes] = {}
    warnings: list[str] = []
    malformed = 0
    words = [word for word in re.split(_SEPARATORS, text) if word]
    for position, word in enumerate(words, start=1):
        name, colon, payload = word.partition(":")
        try:
            public, deviations = _read_trusted(word if is_unicode(name) else f"_{colon}{payload}")
        except MalformedKeyError as error:
            malformed += 1
            subject = _subject(position, name if len(name) <= _LONGEST_SHOWN and colon else "")
            warnings.append(f"{subject} is left out, and Nix would refuse to work at all: {error.text}")
            continue
        if not is_unicode(name):
            warnings.append(f"key {position} is left out: its name is not Unicode text; give the key another name")
            continue
        subject = _subject(position, name)
        warnings += [f"{subject}: {deviation}" for deviation in deviations]
        again = _repeated(name, public, taken)
        if again:
            warnings.append(f"{subject} {again}")
        if taken.setdefault(name, public) != public:
            continue
        if is_sound_point(public):
            keys[name] = public
        else:
            warnings.append(f"{subject} is left out: no signature is accepted under such a point; remove it")
    return TrustedKeys(keys, tuple(warnings), malformed)


def _read_trusted(word: str) -> tuple[bytes, list[str]]:
    """The public key that Nix reads in `word`, and how it deviates from a canonical one.

    Raises:
        MalformedKeyError: Nix refuses it.
    """
    joined = "," in word.partition(":")[2]
    try:
        # Surrogates after the colon become bytes that are not base64.
        name, raw, deviations = read_key_leniently(Secret(word.encode(errors="surrogatepass")))
    except MalformedKeyError:
        if not joined:
            raise
        raise MalformedKeyError("the base64 of the Nix key has a comma in it", hint="separate keys by spaces") from None
    if len(raw) != PUBLIC_BYTES:
        raise MalformedKeyError(
            "it is a secret key, which is no longer secret", hint="replace the key, and pass the new public half"
        )
    found = [_COMMENT] if "#" in name else []
    if joined:
        found.append(_COMMA)
    elif problem_in(name):
        found += ["its name has a character that does not print; rename the key", *deviations[1:]]
    else:
        found += deviations
    return raw.reveal(), found


def _repeated(name: str, public: bytes, taken: dict[str, bytes]) -> str:
    """How a key repeats an earlier one, as the end of a sentence; empty if it does not."""
    if taken.get(name) == public:
        return "is listed twice; remove one"
    if name in taken:
        return "is a different key with a name that another one has, and Nix ignores it; rename one of the two"
    if public in taken.values():
        return "is listed under another name too, and counts once; remove one"
    return ""


def _subject(position: int, name: str) -> str:
    # What is before a colon may be a misplaced key, or text that steers a terminal.
    return f"key {position}" if problem_in(name) or hides_key(name) else f"key {position} ({name})"
