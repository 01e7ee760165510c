"""Signing fingerprints: JSON lines in, the same with signatures out. For paths that no narinfo here describes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from keywright.errors import ConfigError, FormatError
from keywright_nix.realisation import realisation_fingerprint
from keywright_nix.signing import signatures_of
from keywright_nix.store_path import decode_base32, split_store_path

if TYPE_CHECKING:
    from keywright import Context
    from keywright_nix.signing import Bound


_MAXIMUM_BYTES: Final = 8 * 1024 * 1024
_PARTS: Final = 5


def sign_fingerprints(context: Context, keys: Sequence[Callable[[], Bound]]) -> int:
    """Answer each line of stdin as it comes. Returns the exit code.

    A line is an object with the member `fingerprint`, a path's or a realisation's; nothing else is signed. It comes
    back with all its members, and with ours added to its `signatures`: texts, or `{"keyName", "sig"}` where it has
    such.

    Raises:
        FormatError: a line is anything else; those before it are answered.
        ConfigError: stdin is closed, or cannot be read.
        KeywrightError: a key signs no more.
    """
    count = 0
    for number, line in enumerate(_lines(), start=1):
        bound = [key() for key in keys]
        document = _document(line, number)
        message = _message(document, number)
        signatures = _signatures(document, number)
        for key in bound:
            signatures = _signed(key, message, signatures)
        document["signatures"] = signatures
        context.print(json.dumps(document))
        count += 1
    context.note(f"keywright: signed {count} fingerprints")
    return 0


def is_path_fingerprint(text: bytes) -> bool:
    """Whether this is a store path's fingerprint just as Nix spells it (`ValidPathInfo::fingerprint`)."""
    parts = text.split(b";")
    if len(parts) != _PARTS or parts[0] != b"1" or not parts[2].startswith(b"sha256:"):
        return False
    try:
        directory, _ = split_store_path(parts[1])
        decode_base32(parts[2].removeprefix(b"sha256:"), 32)
        references = parts[4].split(b",") if parts[4] else []
        in_store = all(split_store_path(reference)[0] == directory for reference in references)
    except ValueError:
        return False
    return in_store and references == sorted(set(references)) and _is_size(parts[3])


def _is_size(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 20 and str(int(text)).encode() == text and 0 < int(text) < 2**64


def _lines() -> Iterator[bytes]:
    if sys.stdin is None:
        raise ConfigError("standard input is closed, so there is nothing to read; give JSON lines")
    try:
        while line := sys.stdin.buffer.readline(_MAXIMUM_BYTES + 1):
            yield line
    except OSError as error:
        raise ConfigError(f"standard input: cannot be read ({error.strerror}); give JSON lines") from None


def _document(line: bytes, number: int) -> dict[str, object]:
    if len(line) > _MAXIMUM_BYTES:
        raise _fault(number, f"has more than {_MAXIMUM_BYTES} bytes; give one object a line")
    try:
        document = json.loads(line, object_pairs_hook=_members, parse_constant=_refused)
        json.dumps(document, allow_nan=False)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("fingerprint"), str):
        raise _fault(number, "is no JSON object with a text as fingerprint, or has a member twice; correct it")
    return document


def _message(document: dict[str, object], number: int) -> bytes:
    message = cast(str, document["fingerprint"]).encode(errors="surrogatepass")
    if not is_path_fingerprint(message) and not _is_realisation(message):
        raise _fault(
            number, "has a fingerprint that is not spelled as Nix spells a path's or a realisation's; correct it"
        )
    return message


def _is_realisation(message: bytes) -> bool:
    try:
        return realisation_fingerprint(message) == message
    except FormatError:
        return False


def _signatures(document: dict[str, object], number: int) -> list[object]:
    signatures = document.get("signatures", [])
    kinds = {type(one) for one in signatures} if isinstance(signatures, list) else {None}
    if kinds not in (set(), {str}, {dict}):
        raise _fault(number, "has signatures that are no list of texts or of objects; correct it")
    return list(cast("list[object]", signatures))


def _signed(key: Bound, message: bytes, signatures: list[object]) -> list[object]:
    """The signatures, in their order, and the key's after them if there is none that holds."""
    texts = [_text(one) for one in signatures]
    present = {text for text in texts if text.startswith(f"{key.name}:")}
    ours, others = signatures_of(key, message, present)
    kept = [one for one, text in zip(signatures, texts, strict=True) if text not in present - ours - others]
    return kept + [_spelled(text, like=signatures) for text in sorted(ours - present)]


def _text(signature: object) -> str:
    """`NAME:BASE64` of a signature that is a text or `{"keyName", "sig"}`."""
    if isinstance(signature, dict):
        return f"{signature.get('keyName')}:{signature.get('sig')}"
    return str(signature)


def _spelled(text: str, *, like: Sequence[object]) -> object:
    name, _, encoded = text.partition(":")
    return {"keyName": name, "sig": encoded} if like and isinstance(like[0], dict) else text


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _refused(_: str) -> object:
    raise ValueError("no JSON")


def _fault(number: int, what: str) -> FormatError:
    return FormatError(f"standard input:{number}: {what}")
