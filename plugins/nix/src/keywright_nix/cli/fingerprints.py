"""`nix sign -`: fingerprints in JSON lines in, the same with signatures out. For paths that have no narinfo here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from keywright import JsonProblem, read_json_object
from keywright.errors import ConfigError, FormatError
from keywright_nix.realisation import realisation_fingerprint
from keywright_nix.signing import signatures_of
from keywright_nix.store_path import is_path_fingerprint

if TYPE_CHECKING:
    from keywright import Context
    from keywright_nix.signing import Bound

_MAXIMUM_BYTES: Final = 8 * 1024 * 1024


def sign_fingerprints(context: Context, keys: Sequence[Callable[[], Bound]]) -> int:
    """Answer each line of stdin as it comes. Returns the exit code.

    A line is an object with the member `fingerprint`, of a path or a realisation; nothing else is signed. It comes
    back with all its members, and with ours added to its `signatures`: text, or `{"keyName", "sig"}` if it has such.

    Raises:
        FormatError: A line is anything else; those before it are answered.
        ConfigError: Stdin is closed, or cannot be read.
        KeywrightError: A key does not sign any more.
    """
    count = 0
    for count, line in enumerate(_lines(), start=1):
        bound = [key() for key in keys]
        document, message, signatures = _read(line, f"standard input:{count}")
        for key in bound:
            signatures = _signed(key, message, signatures)
        document["signatures"] = signatures
        context.print(json.dumps(document))
    context.note(f"keywright: signed {count} fingerprints")
    return 0


def _lines() -> Iterator[bytes]:
    if sys.stdin is None:
        raise ConfigError("standard input is closed, so there is nothing to read; give JSON lines")
    try:
        while line := sys.stdin.buffer.readline(_MAXIMUM_BYTES + 1):
            yield line
    except OSError as error:
        raise ConfigError(f"standard input: cannot be read ({error.strerror}); give JSON lines") from None


def _read(line: bytes, where: str) -> tuple[dict[str, object], bytes, list[object]]:
    """The document of a line, its fingerprint and its signatures."""
    if len(line) > _MAXIMUM_BYTES:
        raise FormatError(f"{where}: has more than {_MAXIMUM_BYTES} bytes; give one object a line")
    document = read_json_object(line)
    fingerprint = None if isinstance(document, JsonProblem) else document.get("fingerprint")
    if isinstance(document, JsonProblem) or not isinstance(fingerprint, str):
        raise FormatError(f"{where}: is no JSON object with a text as fingerprint, or has a member twice; correct it")
    message = fingerprint.encode()
    if not is_path_fingerprint(message) and not _is_realisation(message):
        raise FormatError(
            f"{where}: has a fingerprint that is not spelled as Nix spells a path's or a realisation's; correct it"
        )
    signatures = document.get("signatures", [])
    if not isinstance(signatures, list) or {type(one) for one in signatures} not in (set(), {str}, {dict}):
        raise FormatError(f"{where}: has signatures that are no list of texts or of objects; correct it")
    return document, message, signatures


def _is_realisation(message: bytes) -> bool:
    try:
        return realisation_fingerprint(message) == message
    except FormatError:
        return False


def _signed(key: Bound, message: bytes, signatures: list[object]) -> list[object]:
    """The signatures, in their order, followed by the key's if none of them is valid."""
    texts = [f"{one.get('keyName')}:{one.get('sig')}" if isinstance(one, dict) else str(one) for one in signatures]
    present = {text for text in texts if text.startswith(f"{key.name}:")}
    ours, others = signatures_of(key, message, present)
    kept = [one for one, text in zip(signatures, texts, strict=True) if text not in present - ours - others]
    added = sorted(ours - present)
    if signatures and isinstance(signatures[0], dict):
        return kept + [{"keyName": key.name, "sig": text.partition(":")[2]} for text in added]
    return [*kept, *added]
