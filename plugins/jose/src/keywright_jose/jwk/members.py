"""The members of one JWK, hidden from tracebacks: read strictly from JSON, written canonically."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from json import JSONEncoder
from typing import Final, final

from keywright import Attributes, JsonProblem, Secret, json_problem, read_json_object
from keywright.errors import FormatError, MalformedKeyError, UnsupportedKeyError
from keywright_jose.json import MAXIMUM_DEPTH, decode_base64url
from keywright_jose.jwk.usage import Problem
from keywright_jose.keys import EXPORT_AGAIN

MAXIMUM_BYTES: Final = 65_536

_encode = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_NOT_JSON: Final = (
    "the JWK is not JSON in UTF-8, or is followed by something else",
    "pass one JSON object in UTF-8, without duplicate members",
)
_SURROGATE: Final = ("the JWK has an unpaired surrogate (RFC 8259 §8.2)", "change that member")
_PROBLEMS: Final = {
    JsonProblem.BYTE_ORDER_MARK: (
        "the JWK starts with a byte order mark (RFC 8259 §8.1)",
        "save it as UTF-8 without one",
    ),
    JsonProblem.DUPLICATE_MEMBER: ("the JWK has a duplicate member (RFC 7517 §4)", f"remove it, or {EXPORT_AGAIN}"),
    JsonProblem.NOT_FINITE: ("the JWK has NaN or Infinity, which JSON cannot represent", "remove that member"),
    JsonProblem.SURROGATE: _SURROGATE,
    JsonProblem.TOO_DEEP: (f"the JWK has more than {MAXIMUM_DEPTH} levels", "remove the member that has more"),
    JsonProblem.NOT_OBJECT: ("the JWK is JSON, but not an object", "pass the key itself, which has a member kty"),
    JsonProblem.NOT_JSON: ("the JWK has a value that JSON cannot represent", "remove that attribute"),
    JsonProblem.NAME_NOT_TEXT: ("the JWK has a member whose name is not text", "remove that attribute"),
}


def malformed(problem: str) -> MalformedKeyError:
    """The error for a JWK that no program should have written."""
    return MalformedKeyError(problem, hint=EXPORT_AGAIN)


def as_error(problem: Problem, error: type[FormatError] = MalformedKeyError) -> FormatError:
    """The error for a problem."""
    message, hint = problem
    return error(message, hint=hint)


@final
class Members:
    """The members of one JWK: text to JSON values. The dict is taken over, not copied.

    Its `repr` shows nothing, for `d` and `k` are the key itself. Refusals name members from our own code only.
    """

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def __repr__(self) -> str:
        return "<members>"

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def reveal(self) -> dict[str, object]:
        """The members themselves. Call it inside an expression, as `Secret.reveal`."""
        return self._values

    def joined(self, others: Mapping[str, object]) -> Members:
        """These members and `others`, which win."""
        return Members({**self._values, **others})

    def among(self, names: frozenset[str]) -> frozenset[str]:
        """Those of `names` that are there."""
        return names.intersection(self._values)

    def attributes(self, taken: frozenset[str]) -> Attributes:
        """The members that are not in `taken`."""
        return Attributes({name: value for name, value in self._values.items() if name not in taken})

    def text(self, name: str) -> str:
        """A member that is text. Not for secrets.

        Raises:
            MalformedKeyError: it is missing, not text, or empty.
        """
        self._require_text(name)
        return str(self._values[name])

    def octets(self, name: str) -> Secret:
        """The octets of a base64url member, at least one.

        Raises:
            MalformedKeyError: it is missing, not text, empty, longer than 65536 characters, or not canonical base64url
                without padding.
        """
        self._require_text(name)
        if len(str(self._values[name])) > MAXIMUM_BYTES:
            raise malformed(f"the JWK member {name} is longer than that of any key")
        octets = decode_base64url(str(self._values[name]))
        if octets is None:
            raise malformed(f"the JWK member {name} is not canonical base64url without padding (RFC 7515 §2)")
        return octets

    def _require_text(self, name: str) -> None:
        if name not in self._values:
            raise malformed(f"the JWK member {name} is missing")
        if not isinstance(self._values[name], str) or not self._values[name]:
            raise malformed(f"the JWK member {name} must be text that is not empty")


def read_members(data: Secret) -> Members:
    """Read one JSON object; whitespace around it is allowed (RFC 8259 §2).

    Raises:
        MalformedKeyError: too large or too deep, a byte order mark, no UTF-8, no JSON, something after it, no object,
            a member twice at any depth, a number that is not finite, an unpaired surrogate, or a JWK Set.
    """
    if len(data) > MAXIMUM_BYTES:
        raise MalformedKeyError(
            f"the JWK has more than {MAXIMUM_BYTES} bytes", hint="pass one key, without attachments"
        )
    members = load_members(data)
    if isinstance(members, JsonProblem):
        raise as_error(_PROBLEMS.get(members, _NOT_JSON))
    if is_set(members):
        raise MalformedKeyError(
            "this is a JWK Set (RFC 7517 §5), not a JWK", hint="pass one of the keys in its member keys at a time"
        )
    return members


def is_set(members: Members) -> bool:
    """Whether this is a JWK Set (RFC 7517 §5). What has a `kty` is a JWK, whatever else it has."""
    return "keys" in members and "kty" not in members


def load_members(data: Secret) -> Members | JsonProblem:
    """The members of one JSON object, or why there are none. It raises nothing, for a frame here holds the text."""
    document = read_json_object(data.reveal(), depth=MAXIMUM_DEPTH)
    return document if isinstance(document, JsonProblem) else Members(document)


def checked_members(members: Members) -> Members:
    """The same members, which come from a program and not from JSON, once they were checked like those that do.

    Raises:
        MalformedKeyError: too deep, or JSON cannot represent something in them.
    """
    problem = json_problem(members.reveal(), depth=MAXIMUM_DEPTH)
    if problem:
        raise as_error(_PROBLEMS[problem])
    return members


def attributes_problem(attributes: Attributes) -> Problem | None:
    """Why a JWK cannot have these attributes; None if it can."""
    try:
        problem = json_problem(attributes.plain(), depth=MAXIMUM_DEPTH)
    except RecursionError:
        problem = JsonProblem.TOO_DEEP
    return _PROBLEMS[problem] if problem else None


def write_members(members: Members) -> Secret:
    """Compact JSON in UTF-8, members sorted by name, no newline at the end.

    Raises:
        UnsupportedKeyError: there is an unpaired surrogate, a number of more than 4300 digits, or too much.
    """
    outcome = _dump(members)
    if isinstance(outcome, tuple):
        raise as_error(outcome, UnsupportedKeyError)
    return outcome


def write_base64(members: Members) -> Secret:
    """What `write_members` writes, in standard base64 (RFC 4648 §4).

    Raises:
        UnsupportedKeyError: as `write_members`.
    """
    return Secret(b2a_base64(write_members(members).reveal(), newline=False))


def _dump(members: Members) -> Secret | Problem:
    """It raises nothing, as `load_members`."""
    try:
        encoded = Secret(_encode(members.reveal()).encode())
    except UnicodeEncodeError:
        return _SURROGATE
    except ValueError:
        return "a JWK cannot carry a number of more than 4300 digits", "remove that attribute"
    if len(encoded) > MAXIMUM_BYTES:
        return f"the JWK has more than {MAXIMUM_BYTES} bytes", "remove large attributes"
    return encoded
