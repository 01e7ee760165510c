"""JSON objects and base64url: the encodings that JWKs and tokens are made of."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from json import JSONDecoder, JSONEncoder
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]  # (None where not in C)
from math import isfinite
from typing import Final, NoReturn

from keywright import Secret
from keywright.errors import FormatError, MalformedTokenError

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def encode_base64url(octets: bytes) -> str:
    """`octets` as unpadded base64url."""
    return encode_segment(octets).decode("ascii")


def encode_segment(octets: bytes) -> bytes:
    """As `encode_base64url`, in bytes."""
    return b2a_base64(octets, newline=False).translate(_TO_URL, b"=")


def decode_base64url(text: str) -> Secret | None:
    """The octets that `encode_base64url` would spell as `text`; None if there are none.

    Padding, spare bits, `+`, `/`, whitespace and everything else that a second spelling could hide in is refused. It
    returns None and does not raise, so that no traceback goes through a frame that holds the text.
    """
    try:
        octets = Secret(a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=="))
    except ValueError:
        return None
    return octets if encode_base64url(octets.reveal()) == text else None


def decode_segment(text: str) -> bytes | None:
    """As `decode_base64url`, of what is no secret: a segment of a token. The empty text spells no octets."""
    try:
        encoded = text.encode("ascii")
        octets = a2b_base64(encoded.translate(_FROM_URL) + b"==")
    except ValueError:
        return None
    return octets if encode_segment(octets) == encoded else None


MAXIMUM_DEPTH: Final = 32
"""Objects and arrays inside one another, the outermost included."""


class _RefusedError(ValueError):
    pass


def read_object(data: bytes, what: str) -> dict[str, object]:
    """The object in `data`; `what` names it in messages: "the header of the token".

    Raises:
        MalformedTokenError: no UTF-8, no JSON, no object, something around it, a member twice at any depth, a number
            that is not finite, an unpaired surrogate, or more than 32 levels.
    """
    fault = f"{what} is not one JSON object in UTF-8 with each member once and nothing around it"
    try:
        document = _decode(str(data, "utf-8"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise MalformedTokenError(f"{fault}; have it issued anew")
    # Both are rare, and cost more to rule out than the rest of the reading.
    if data.count(b"{") + data.count(b"[") > MAXIMUM_DEPTH and not _is_shallow(document, MAXIMUM_DEPTH):
        raise MalformedTokenError(f"{what} has more than {MAXIMUM_DEPTH} levels; have it issued anew")
    if b"\\u" in data and not _is_unicode(document):
        raise MalformedTokenError(f"{what} holds an unpaired surrogate; have it issued anew")
    return document


def write_object(document: Mapping[str, object], what: str) -> bytes:
    """Compact JSON in UTF-8, members in the order they have.

    Raises:
        FormatError: it is no mapping, a name is no text, a value is nothing that JSON can carry or no Unicode, or
            there are more than 32 levels.
    """
    try:
        # A dict is what the encoder takes; another mapping is read once.
        members = document if type(document) is dict else _taken_over(document)
        _check_parts(members, MAXIMUM_DEPTH)
        return _encode(members).encode()
    except (ValueError, TypeError, RecursionError):
        pass
    raise FormatError(
        f"{what} must be a mapping of texts to JSON values, in Unicode, of at most {MAXIMUM_DEPTH} levels; correct it"
    )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise _RefusedError
    return number


def _refuse(_constant: str) -> NoReturn:
    raise _RefusedError


def _decode(text: str) -> object:
    if not text.startswith("{") or not text.endswith("}"):
        raise _RefusedError  # whitespace around it is another spelling of the same
    return _decoder.decode(text)


def _is_shallow(value: object, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return parts is None or (levels > 0 and all(_is_shallow(part, levels - 1) for part in parts))


def _is_unicode(value: object) -> bool:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
        return True
    if isinstance(value, dict):
        return all(_is_unicode(part) for part in (*value, *value.values()))
    return not isinstance(value, list) or all(map(_is_unicode, value))


def _taken_over(document: object) -> dict[str, object]:
    if not isinstance(document, Mapping):
        raise _RefusedError  # pairs and the empty text would pass for one
    return dict(document)


def _check_parts(members: dict[str, object], levels: int) -> None:
    """Refuse what the encoder would change without a word (names that are no text: 1 becomes "1"), and depth."""
    for name, value in members.items():
        if type(name) is not str:
            raise _RefusedError
        if type(value) is not str and type(value) is not int:
            _check_value(value, levels - 1)


def _check_value(value: object, levels: int) -> None:
    if not isinstance(value, dict | list | tuple):
        return
    if not levels:
        raise _RefusedError
    if isinstance(value, dict):
        _check_parts(value, levels)
    else:
        for part in value:
            _check_value(part, levels - 1)


def _fast_encoder() -> Callable[[dict[str, object]], str]:
    """What `JSONEncoder.encode` makes anew for each call, made once: writing is half of what signing costs."""
    encode = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    if c_make_encoder is None:
        return encode.encode
    # No markers: what holds itself was refused for its depth.
    chunks = c_make_encoder(None, encode.default, encode_basestring, None, ":", ",", False, False, False)
    return lambda document: "".join(chunks(document, 0))


_encode = _fast_encoder()
_decoder = JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
