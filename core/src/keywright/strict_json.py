"""Strict JSON (RFC 8259): one meaning for each text, so that two programs cannot read the same bytes differently.

`json.loads` keeps the last of two members with one name, takes NaN and Infinity, and reads unpaired surrogates. Here
each of them is a problem. Problems are returned and not raised: the text may be a secret, and a traceback with locals
would show it.
"""

from __future__ import annotations

from enum import Enum
from json import JSONDecoder
from math import isfinite
from typing import Final, NoReturn

MAXIMUM_DEPTH: Final = 32
"""Objects and arrays inside one another, the outermost included."""


class JsonProblem(Enum):
    """Why a text or a value is not strict JSON. The value is the end of a sentence: `f"{file} {problem.value}"`."""

    ENCODING = "is not UTF-8"
    BYTE_ORDER_MARK = "starts with a byte order mark"
    SYNTAX = "is not valid JSON"
    DUPLICATE_MEMBER = "has an object with two members of the same name"
    NOT_FINITE = "has a number that is not finite"
    SURROGATE = "has an unpaired surrogate"
    TOO_DEEP = "has too many levels of objects and arrays"
    NOT_OBJECT = "is not a JSON object"
    NOT_JSON = "has a value that JSON cannot represent"
    NAME_NOT_TEXT = "has a member whose name is not text"


class _RefusedError(ValueError):
    def __init__(self, problem: JsonProblem) -> None:
        self.problem = problem


def read_json(data: bytes | str, *, depth: int = MAXIMUM_DEPTH) -> object:
    """Read one JSON value, with or without JSON white space around it.

    Args:
        data: the text, as UTF-8 if it is bytes.
        depth: how many objects and arrays may be inside one another.

    Returns:
        The value, or the `JsonProblem` if the text is not valid. A number of more than 4300 digits is `SYNTAX`. It
        raises nothing.
    """
    try:
        text = data if isinstance(data, str) else str(data, "utf-8")
    except UnicodeDecodeError:
        return JsonProblem.ENCODING
    try:
        value: object = _decoder.decode(text)
    except _RefusedError as error:
        return error.problem
    except RecursionError:
        return JsonProblem.TOO_DEEP
    except ValueError:
        return JsonProblem.BYTE_ORDER_MARK if text.startswith("\ufeff") else JsonProblem.SYNTAX
    # Only these can contain the remaining problems, and the search costs more than reading.
    if text.count("{") + text.count("[") > depth or "\\u" in text or isinstance(data, str):
        return json_problem(value, depth=depth) or value
    return value


def read_json_object(data: bytes | str, *, depth: int = MAXIMUM_DEPTH) -> dict[str, object] | JsonProblem:
    """Read one JSON object. As `read_json`, and any other value is `JsonProblem.NOT_OBJECT`."""
    value = read_json(data, depth=depth)
    if isinstance(value, dict):
        return value
    return value if isinstance(value, JsonProblem) else JsonProblem.NOT_OBJECT


def json_problem(value: object, *, depth: int = MAXIMUM_DEPTH) -> JsonProblem | None:
    """Why strict JSON cannot represent a value; None if it can.

    Args:
        value: made of dict, list, str, int, float, bool and None. Tuples are `NOT_JSON`: they would come back as lists.
        depth: how many dicts and lists may be inside one another.
    """
    if isinstance(value, str):
        return None if value.isascii() or _is_unicode(value) else JsonProblem.SURROGATE
    if value is None or isinstance(value, bool | int):
        return None
    if isinstance(value, float):
        return None if isfinite(value) else JsonProblem.NOT_FINITE
    if not isinstance(value, dict | list):
        return JsonProblem.NOT_JSON
    if depth <= 0:
        return JsonProblem.TOO_DEEP
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            return JsonProblem.NAME_NOT_TEXT
        value = [*value, *value.values()]
    return next((problem for part in value if (problem := json_problem(part, depth=depth - 1))), None)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError(JsonProblem.DUPLICATE_MEMBER)
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise _RefusedError(JsonProblem.NOT_FINITE)
    return number


def _refuse(_constant: str) -> NoReturn:
    raise _RefusedError(JsonProblem.NOT_FINITE)


_decoder: Final = JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_refuse)
