"""JSON objects and base64url: the encodings that JWKs and tokens are made of."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from json import JSONEncoder
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]  # (None where not in C)
from typing import Final, TypeGuard

from keywright import JsonProblem, Secret, read_json_object
from keywright.errors import FormatError, MalformedTokenError

MAXIMUM_DEPTH: Final = 32
"""Objects and arrays inside one another, the outermost included."""

_PROBLEMS: Final = {
    JsonProblem.TOO_DEEP: f"has more than {MAXIMUM_DEPTH} levels",
    JsonProblem.SURROGATE: "has an unpaired surrogate",
}
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def encode_base64url(octets: bytes) -> str:
    """`octets` as unpadded base64url (RFC 7515 §2, RFC 4648 §5)."""
    return encode_segment(octets).decode("ascii")


def encode_segment(octets: bytes) -> bytes:
    """As `encode_base64url`, in bytes."""
    return b2a_base64(octets, newline=False).translate(_TO_URL, b"=")


def decode_base64url(text: str) -> Secret | None:
    """As `decode_segment`, of what may be a secret."""
    octets = decode_segment(text)
    return None if octets is None else Secret(octets)


def decode_segment(text: str) -> bytes | None:
    """The octets that `encode_base64url` would spell as `text`; None if there are none. The empty text spells none.

    Padding, spare bits, `+`, `/`, whitespace and everything else that a second spelling could hide in is refused. It
    returns None and does not raise, so that no traceback goes through a frame that holds the text.
    """
    try:
        encoded = text.encode("ascii")
        octets = a2b_base64(encoded.translate(_FROM_URL) + b"==")
    except ValueError:
        return None
    return octets if encode_segment(octets) == encoded else None


def is_text(value: object) -> bool:
    """Whether it is a text that is not empty."""
    return isinstance(value, str) and value != ""


def is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    """Whether it is a whole number in these bounds; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def read_object(data: bytes, what: str) -> dict[str, object]:
    """The object in `data`; `what` names it in messages: "the header of the token".

    Raises:
        MalformedTokenError: it is not one strict JSON object (`keywright.read_json_object`) with nothing around it, or
            has more than 32 levels.
    """
    # Whitespace around it would be another spelling of the same.
    is_bare = data.startswith(b"{") and data.endswith(b"}")
    document = read_json_object(data, depth=MAXIMUM_DEPTH) if is_bare else JsonProblem.SYNTAX
    if isinstance(document, dict):
        return document
    other = "is not one JSON object in UTF-8 with each member once and nothing around it"
    raise MalformedTokenError(f"{what} {_PROBLEMS.get(document, other)}", hint="get a new token from its issuer")


def write_object(document: Mapping[str, object], what: str) -> bytes:
    """Compact JSON in UTF-8, members in the order they have.

    Raises:
        FormatError: it is not a mapping, a name is not text, JSON cannot represent a value, text is not Unicode, or
            there are more than 32 levels.
    """
    try:
        # A dict is what the encoder takes; another mapping is read once.
        members = document if type(document) is dict else _copy_mapping(document)
        _check_members(members, MAXIMUM_DEPTH)
        return _encode(members).encode()
    except (ValueError, TypeError, RecursionError):
        pass
    raise FormatError(
        f"{what} must be a JSON object (a mapping with text keys) of at most {MAXIMUM_DEPTH} levels",
        hint="use text, numbers, booleans, None, lists and dicts",
    )


def _copy_mapping(document: object) -> dict[str, object]:
    if not isinstance(document, Mapping):
        raise TypeError  # pairs and the empty text would pass for one
    return dict(document)


def _check_members(members: dict[str, object], levels: int) -> None:
    """Refuse depth, and what the encoder would change silently: names that are not text (1 becomes "1")."""
    for name, value in members.items():
        if type(name) is not str:
            raise TypeError
        if type(value) is not str and type(value) is not int:
            _check_value(value, levels - 1)


def _check_value(value: object, levels: int) -> None:
    if not isinstance(value, dict | list | tuple):
        return
    if not levels:
        raise ValueError
    if isinstance(value, dict):
        _check_members(value, levels)
    else:
        for part in value:
            _check_value(part, levels - 1)


def _fast_encoder() -> Callable[[dict[str, object]], str]:
    """What `JSONEncoder.encode` makes again for each call, made once: writing is half of what signing costs."""
    encode = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    if c_make_encoder is None:
        return encode.encode
    # No markers: a value that contains itself was refused for its depth.
    chunks = c_make_encoder(None, encode.default, encode_basestring, None, ":", ",", False, False, False)
    return lambda document: "".join(chunks(document, 0))


_encode = _fast_encoder()
