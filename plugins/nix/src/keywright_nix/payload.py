"""The base64 behind the colon of a Nix key: read strictly, or as Nix reads it (`src/libutil/base-n.cc`)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from keywright import Secret
from keywright.errors import MalformedKeyError

__all__ = ["PUBLIC_BYTES", "SECRET_BYTES", "read_leniently", "read_strictly"]

PUBLIC_BYTES = 32
SECRET_BYTES = 64  # the seed, then the public half

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WHITESPACE = b" \t\r\v\f"  # without the line feed, which Nix skips


def read_strictly(payload: Secret) -> Secret:
    """The 32 or 64 bytes of canonical base64: standard alphabet, padded, no spare bits, nothing beside.

    Raises:
        MalformedKeyError: it is anything else.
    """
    _refuse_line_feeds(payload)
    _refuse_characters(payload, allowed=_ALPHABET + b"=")
    digits = len(payload.reveal().rstrip(b"="))
    padding = len(payload) - digits
    if len(payload) % 4 or padding > 2 or payload.reveal().count(b"=") != padding:
        raise MalformedKeyError(
            "the base64 of the Nix key is cut short or padded wrongly; it ends in '==' (secret key) or '=' (public "
            "key): copy it whole"
        )
    _check_length(digits)
    raw = Secret(a2b_base64(payload.reveal()))
    if b2a_base64(raw.reveal(), newline=False) != payload.reveal():
        raise MalformedKeyError(
            "the last base64 character of the Nix key sets bits that belong to no byte, so it was changed since it "
            "was made: copy it again, or say --lenient"
        )
    return raw


def read_leniently(payload: Secret) -> tuple[Secret, tuple[str, ...]]:
    """The 32 or 64 bytes as Nix reads them, and a sentence for each deviation from canonical base64.

    Nix stops at the first '=', skips line feeds, needs no padding and ignores spare bits.

    Raises:
        MalformedKeyError: Nix would refuse it too: another character, or another length.
    """
    wrapped = Secret(payload.reveal().partition(b"=")[0])
    body = Secret(wrapped.reveal().replace(b"\n", b""))
    _refuse_characters(body, allowed=_ALPHABET)
    _check_length(len(body))
    raw = Secret(a2b_base64(body.reveal() + b"=="))
    deviations = [
        "the base64 is broken into lines; they were joined" if len(body) != len(wrapped) else None,
        _padding_deviation(Secret(payload.reveal()[len(wrapped) :]), canonical=b"=" * (-len(body) % 4)),
        "the last base64 character sets bits that belong to no byte; they were ignored"
        if not b2a_base64(raw.reveal()).startswith(body.reveal())
        else None,
    ]
    return raw, tuple(deviation for deviation in deviations if deviation)


def _padding_deviation(rest: Secret, *, canonical: bytes) -> str | None:
    """What is odd about `rest`, which starts at the first '='."""
    if rest.reveal() == canonical:
        return None
    if not rest.reveal().strip(b"="):
        return "the base64 padding is missing or of the wrong length; it was put right"
    if rest.reveal().rstrip(b"\n") == canonical:
        return "more than one line feed ends the key; they were left out"
    return "something follows the base64 padding; it was left out"


def _refuse_line_feeds(payload: Secret) -> None:
    if b"\n" in payload.reveal():
        raise MalformedKeyError(
            "the base64 of the Nix key holds a line feed, or more than one ends it; put it on one line, or say "
            "--lenient"
        )


def _refuse_characters(payload: Secret, *, allowed: bytes) -> None:
    """Say what kind of character stands where only `allowed` may, the likeliest mistake first."""
    strange = Secret(payload.reveal().translate(None, allowed))
    if not strange:
        return
    if b":" in strange.reveal():
        raise MalformedKeyError(
            "the Nix key has a second colon, and Nix takes the name to end at the first; write NAME:BASE64 with no "
            "colon in the name"
        )
    if strange.reveal().translate(None, _WHITESPACE) != strange.reveal():
        raise MalformedKeyError(
            "the base64 of the Nix key holds a space, tab or carriage return; take it out (a file with Windows line "
            "ends has them)"
        )
    if not strange.reveal().strip(b"-_"):
        raise MalformedKeyError(
            "the base64 of the Nix key is of the URL-safe kind, with '-' and '_'; Nix reads '+' and '/' in their place"
        )
    raise MalformedKeyError("the base64 of the Nix key holds a character that is none of base64's; copy it again")


def _check_length(digits: int) -> None:
    """Refuse a number of base64 digits (padding left out) that makes neither 32 nor 64 bytes."""
    size = digits * 6 // 8
    if size == 0:
        raise MalformedKeyError("nothing follows the colon of the Nix key; write NAME:BASE64")
    if size not in (PUBLIC_BYTES, SECRET_BYTES):
        raise MalformedKeyError(
            f"the base64 of the Nix key stands for {size} bytes; a secret key has {SECRET_BYTES} and a public key "
            f"{PUBLIC_BYTES}: copy it whole"
        )
