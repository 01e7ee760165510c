"""The strict JSON reader: what it reads, each problem it finds, and that it shows nothing of the text."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st
from support.errors import text_of

from keywright import JsonProblem, json_problem, read_json, read_json_object
from keywright.errors import FormatError

DEEP = 32
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
TEXTS: dict[str, tuple[bytes, JsonProblem]] = {
    "nothing": (b"", JsonProblem.SYNTAX),
    "white space": (b" \n", JsonProblem.SYNTAX),
    "other white space": (b"\xc2\xa0{}", JsonProblem.SYNTAX),
    "cut": (b'{"a":', JsonProblem.SYNTAX),
    "something after it": (b"{} {}", JsonProblem.SYNTAX),
    "two objects": (b"{}{}", JsonProblem.SYNTAX),
    "NUL after it": (b"{}\0", JsonProblem.SYNTAX),
    "bare name": (b"{a:1}", JsonProblem.SYNTAX),
    "escape that does not exist": (b'"\\x41"', JsonProblem.SYNTAX),
    "leading zero": (b"[01]", JsonProblem.SYNTAX),
    "hexadecimal": (b"[0x10]", JsonProblem.SYNTAX),
    "comment": (b"{} // comment", JsonProblem.SYNTAX),
    "trailing comma": (b'{"a":1,}', JsonProblem.SYNTAX),
    "single quotes": (b"{'a':1}", JsonProblem.SYNTAX),
    "control character": (b'"a\nb"', JsonProblem.SYNTAX),
    "too many digits": (b"1" * 4301, JsonProblem.SYNTAX),
    "Latin-1": (b'"\xe9"', JsonProblem.ENCODING),
    "UTF-16": ('"é"'.encode("utf-16"), JsonProblem.ENCODING),
    "overlong": (b'"\xc0\xaf"', JsonProblem.ENCODING),
    "surrogate as UTF-8": (b'"\xed\xa0\x80"', JsonProblem.ENCODING),
    "byte order mark": (b"\xef\xbb\xbf{}", JsonProblem.BYTE_ORDER_MARK),
    "a member twice": (b'{"a":1,"a":1}', JsonProblem.DUPLICATE_MEMBER),
    "a member twice, spelled differently": (b'{"a":1,"\\u0061":1}', JsonProblem.DUPLICATE_MEMBER),
    "a member twice, inside": (b'[{"b":{"a":1,"a":2}}]', JsonProblem.DUPLICATE_MEMBER),
    "a member twice, deep inside": (b'{"a":[[{"b":1,"b":1}]]}', JsonProblem.DUPLICATE_MEMBER),
    "NaN": (b"[NaN]", JsonProblem.NOT_FINITE),
    "Infinity": (b'{"a":Infinity}', JsonProblem.NOT_FINITE),
    "-Infinity": (b"-Infinity", JsonProblem.NOT_FINITE),
    "a number beyond floats": (b"1e400", JsonProblem.NOT_FINITE),
    "a negative number beyond floats": (b'{"a":[-1e999]}', JsonProblem.NOT_FINITE),
    "a float of 5000 digits": (b"9" * 5000 + b".0", JsonProblem.NOT_FINITE),
    "unpaired surrogate": (b'"\\ud800"', JsonProblem.SURROGATE),
    "unpaired surrogate in a name": (b'[{"\\udc00":1}]', JsonProblem.SURROGATE),
    "surrogates the wrong way round": (b'"\\udc00\\ud800"', JsonProblem.SURROGATE),
    "arrays too deep": (b"[" * (DEEP + 1) + b"]" * (DEEP + 1), JsonProblem.TOO_DEEP),
    "objects too deep": (b'{"a":' * DEEP + b"[]" + b"}" * DEEP, JsonProblem.TOO_DEEP),
    "deeper than the interpreter recurses": (b"[" * 100_000 + b"]" * 100_000, JsonProblem.TOO_DEEP),
}


@given(VALUES)
def test_what_json_writes_comes_back(value: object) -> None:
    assert read_json(json.dumps(value).encode(), depth=100) == value
    assert read_json(json.dumps(value, ensure_ascii=False), depth=100) == value


@pytest.mark.parametrize(("data", "problem"), TEXTS.values(), ids=TEXTS)
def test_problems_are_returned(data: bytes, problem: JsonProblem) -> None:
    assert read_json(data) is problem
    assert read_json_object(data) is problem


def test_valid_at_the_limits() -> None:
    deep = b"[" * DEEP + b"]" * DEEP
    for data, value in (
        (b' \t\r\n{"a":[1,2.5,true,null]}\n', {"a": [1, 2.5, True, None]}),
        (deep, json.loads(deep)),
        (b'"' + b"{[" * 100 + b'"', "{[" * 100),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"1" * 4300, int("1" * 4300)),
        ('{"é":1}'.encode(), {"é": 1}),
    ):
        assert read_json(data) == value


@pytest.mark.parametrize("data", [b"[]", b'"a"', b"1", b"null", b"true"])
def test_an_object_is_asked_for(data: bytes) -> None:
    assert read_json_object(data) is JsonProblem.NOT_OBJECT
    assert read_json_object(b'{"a":%s}' % data) == {"a": json.loads(data)}


def test_depth_is_the_callers() -> None:
    assert read_json(b'[{"a":[]}]', depth=3) == [{"a": []}]
    assert read_json(b'[{"a":[]}]', depth=2) is JsonProblem.TOO_DEEP


def test_text_that_is_not_unicode() -> None:
    """A command line gives what was not UTF-8 as surrogates."""
    assert read_json('"\udc80"') is JsonProblem.SURROGATE
    assert read_json('{"\udc80":1}') is JsonProblem.SURROGATE


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, "b", None, True, 0.5, "é"]}, None),
        ((1, 2), JsonProblem.NOT_JSON),
        ({"a": b"bytes"}, JsonProblem.NOT_JSON),
        ([{1: "a"}], JsonProblem.NAME_NOT_TEXT),
        ([float("inf")], JsonProblem.NOT_FINITE),
        ({"\ud800": 1}, JsonProblem.SURROGATE),
    ],
    ids=["valid", "tuple", "bytes", "name", "infinity", "surrogate"],
)
def test_values_of_a_program(value: object, problem: JsonProblem | None) -> None:
    assert json_problem(value) is problem


def test_a_value_inside_itself_is_too_deep() -> None:
    value: list[object] = []
    value.append({"a": value})

    assert json_problem(value) is JsonProblem.TOO_DEEP


@pytest.mark.parametrize("read", [read_json, read_json_object])
def test_no_exception_leads_to_the_text(read: Callable[[bytes], object]) -> None:
    """An error that the caller raises next has no context, whose frames would hold the text."""
    with pytest.raises(FormatError) as caught:
        raise FormatError(str(read(b'{"k":"c2VjcmV0","k":"c2VjcmV0"}')))

    assert text_of(caught.value) == "JsonProblem.DUPLICATE_MEMBER"
    assert caught.value.__context__ is None
