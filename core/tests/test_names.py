"""The grammar of names and references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import InvalidNameError
from keywright.keys import MAXIMUM_NAME_BYTES, Reference, check_name, parse_reference
from keywright.testing.strategies import names, versions

_EMPTY = "a key name must not be empty; use something like cache.example.org or prod/jwt"
_LONG = "a key name has at most 200 bytes; choose a shorter one"
_GRAMMAR = (
    "a key name is made of segments of a-z, 0-9, '.', '_' and '-', joined by '/', each starting with a letter or "
    "digit; use something like cache.example.org or prod/jwt"
)
_DOT = "no segment of a key name ends in '.' (Windows drops it); leave the dot out"
_DEVICE = "a segment of this key name is a device name on Windows; choose another"
_ONE_VERSION = "a key name belongs here, and not one of its versions; leave out the @ and the number"
_VERSION = "a version is a whole number from 1; write NAME@3, or NAME alone for the primary"


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "0",
        "cache.example.org",
        "cache.example.org-1",
        "prod/jwt",
        "a/b/c/d",
        "a..b",
        "a--_._b",
        "a-",
        "a_",
        "console",
        "con-1",
        "com",
        "com10",
        "lpt",
        "nulls",
        "auxiliary/prn2",
        "a" * MAXIMUM_NAME_BYTES,
    ],
)
def test_a_name_is_returned_as_it_is(name: str) -> None:
    """A name that keeps to the grammar comes back unchanged."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("", _EMPTY, id="empty"),
        pytest.param("a" * 201, _LONG, id="201 bytes"),
        pytest.param("/", _GRAMMAR, id="a slash"),
        pytest.param("/a", _GRAMMAR, id="leading slash"),
        pytest.param("a/", _GRAMMAR, id="trailing slash"),
        pytest.param("a//b", _GRAMMAR, id="empty segment"),
        pytest.param(".", _GRAMMAR, id="here"),
        pytest.param("..", _GRAMMAR, id="parent"),
        pytest.param("../a", _GRAMMAR, id="out of the store"),
        pytest.param("a/../b", _GRAMMAR, id="parent inside"),
        pytest.param(".hidden", _GRAMMAR, id="leading dot"),
        pytest.param("-a", _GRAMMAR, id="leading hyphen"),
        pytest.param("_a", _GRAMMAR, id="leading underscore"),
        pytest.param("a/-b", _GRAMMAR, id="hyphen leads the second segment"),
        pytest.param("A", _GRAMMAR, id="upper case"),
        pytest.param("a b", _GRAMMAR, id="space"),
        pytest.param(" a", _GRAMMAR, id="leading space"),
        pytest.param("a\n", _GRAMMAR, id="trailing newline"),
        pytest.param("a\0", _GRAMMAR, id="NUL"),
        pytest.param("a\\b", _GRAMMAR, id="backslash"),
        pytest.param("a:b", _GRAMMAR, id="colon"),
        pytest.param("a@1", _ONE_VERSION, id="a version"),
        pytest.param("prod/jwt@999999999", _ONE_VERSION, id="a large version"),
        pytest.param("a@b", _GRAMMAR, id="at"),
        pytest.param("a@0", _GRAMMAR, id="at no version"),
        pytest.param("a@1@2", _GRAMMAR, id="at twice"),
        pytest.param("a%2fb", _GRAMMAR, id="percent"),
        pytest.param("ä", _GRAMMAR, id="umlaut"),
        pytest.param("а", _GRAMMAR, id="Cyrillic a"),
        pytest.param("１", _GRAMMAR, id="wide digit"),
        pytest.param("\ud800", _GRAMMAR, id="half a character"),
        pytest.param("a.", _DOT, id="trailing dot"),
        pytest.param("a./b", _DOT, id="dot ends the first segment"),
        pytest.param("con", _DEVICE, id="con"),
        pytest.param("nul.txt", _DEVICE, id="nul.txt"),
        pytest.param("a/aux", _DEVICE, id="aux inside"),
        pytest.param("prn/a", _DEVICE, id="prn first"),
        pytest.param("com1", _DEVICE, id="com1"),
        pytest.param("com0.a.b", _DEVICE, id="com0"),
        pytest.param("lpt9", _DEVICE, id="lpt9"),
    ],
)
def test_what_is_no_name_is_refused(name: str, message: str) -> None:
    """What breaks the grammar is refused with the rule that it breaks, and is not quoted."""
    with pytest.raises(InvalidNameError) as caught:
        check_name(name)

    assert str(caught.value) == message


@given(text=st.text() | st.text("ab./-_@A", max_size=12))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Whatever is accepted is ASCII, short, and means the same on every file system."""
    try:
        name = check_name(text)
    except InvalidNameError:
        return

    assert name == text
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-/")
    assert 0 < len(name.encode()) <= MAXIMUM_NAME_BYTES
    assert all(segment[0].isalnum() and segment[-1] != "." for segment in name.split("/"))


@given(name=names())
def test_names_of_the_strategy_are_names(name: str) -> None:
    """The kit's strategy keeps to the grammar."""
    assert check_name(name) == name


@given(name=names(), version=st.none() | versions())
def test_references_round_trip(name: str, version: int | None) -> None:
    """A reference written out is read back as the same one."""
    reference = Reference(name, version)

    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", _EMPTY, id="empty"),
        pytest.param("@1", _EMPTY, id="no name"),
        pytest.param("A@1", _GRAMMAR, id="no such name"),
        pytest.param("a@", _VERSION, id="no version"),
        pytest.param("a@0", _VERSION, id="zero"),
        pytest.param("a@-1", _VERSION, id="negative"),
        pytest.param("a@+1", _VERSION, id="plus"),
        pytest.param("a@01", _VERSION, id="leading zero"),
        pytest.param("a@1.0", _VERSION, id="fraction"),
        pytest.param("a@1_0", _VERSION, id="underscore"),
        pytest.param("a@ 1", _VERSION, id="space"),
        pytest.param("a@1\n", _VERSION, id="newline"),
        pytest.param("a@١", _VERSION, id="Arabic digit"),
        pytest.param("a@1000000000", _VERSION, id="ten digits"),
        pytest.param("a@1@2", _VERSION, id="two versions"),
        pytest.param("a@latest", _VERSION, id="word"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, message: str) -> None:
    """What is no reference is refused with the rule that it breaks."""
    with pytest.raises(InvalidNameError) as caught:
        parse_reference(text)

    assert str(caught.value) == message


def test_the_highest_version_can_be_named() -> None:
    """Versions go up to 999999999."""
    assert parse_reference("a@999999999") == Reference("a", 999_999_999)


_OUTSIDE = [chr(code) for code in range(128) if chr(code) not in "0123456789abcdefghijklmnopqrstuvwxyz"]


@pytest.mark.parametrize("character", _OUTSIDE, ids=lambda character: f"{ord(character):02x}")
def test_only_letters_and_digits_start_a_name(character: str) -> None:
    """Of ASCII, nothing but a-z and 0-9 starts a name."""
    with pytest.raises(InvalidNameError) as refused:
        check_name(f"{character}a")

    assert str(refused.value) == _GRAMMAR


@pytest.mark.parametrize(
    "character", [each for each in _OUTSIDE if each not in "._-/"], ids=lambda character: f"{ord(character):02x}"
)
def test_nothing_else_stands_inside_a_name(character: str) -> None:
    """Of ASCII, nothing but those, `.`, `_`, `-` and the slash stands inside a name."""
    with pytest.raises(InvalidNameError) as refused:
        check_name(f"a{character}a")

    assert str(refused.value) == _GRAMMAR
