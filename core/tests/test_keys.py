"""Keys, their attributes, and the names and references that they are stored under."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import InvalidNameError
from keywright.keys import MAXIMUM_NAME_BYTES, Attributes, Key, Reference, check_name, parse_reference
from keywright.secret import Secret
from keywright.testing import assert_hidden
from keywright.testing.strategies import attributes, names, versions

_CANARY = Secret(b"canary-7f3b-sings-not")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        pytest.param(Key("oct"), "Key(type='oct', kid='', holds nothing, <attributes none>)", id="nothing"),
        pytest.param(
            Key("oct", "k", _CANARY), "Key(type='oct', kid='k', holds secret, <attributes none>)", id="secret"
        ),
        pytest.param(
            Key("ed25519", "k", None, b"p"),
            "Key(type='ed25519', kid='k', holds public, <attributes none>)",
            id="public",
        ),
        pytest.param(
            Key("ed25519", "k", _CANARY, b"p", Attributes({"use": "sig", "alg": "EdDSA"})),
            "Key(type='ed25519', kid='k', holds secret and public, <attributes alg, use>)",
            id="both",
        ),
    ],
)
def test_its_repr_says_what_it_holds(key: Key, shown: str) -> None:
    """The repr names type, kid, the halves that are there, and the attributes' names."""
    assert repr(key) == str(key) == shown


def test_no_view_shows_the_secret_half() -> None:
    """Neither repr, `asdict`, a traceback with locals nor attributes that are secrets themselves show anything."""
    hidden = _CANARY.reveal().decode()
    key = Key("oct", secret=_CANARY, attributes=Attributes({"oth": [{"d": hidden}]}))
    try:
        raise ValueError(key)
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))

    assert_hidden(_CANARY, f"{key!r} {key!s} {key} {asdict(key)!r} {copy.deepcopy(key)!r} {shown}")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_key_is_not_pickled(protocol: int) -> None:
    """A key with a secret half is refused by every pickle protocol."""
    with pytest.raises(TypeError):
        pickle.dumps(Key("oct", secret=_CANARY), protocol)


def test_it_does_not_change() -> None:
    """No member of a key can be set."""
    key = Key("oct", secret=_CANARY)

    with pytest.raises(FrozenInstanceError):
        key.kid = "other"  # type: ignore[misc]  # the mistake that is tested


def test_keys_compare_by_value() -> None:
    """Two keys are equal iff all of their members are."""
    key = Key("oct", "k", Secret(b"s"), b"p", Attributes({"a": [1]}))

    assert key == Key("oct", "k", Secret(b"s"), b"p", Attributes({"a": [1]}))
    assert key != Key("rsa", "k", Secret(b"s"), b"p", Attributes({"a": [1]}))
    assert key != Key("oct", "j", Secret(b"s"), b"p", Attributes({"a": [1]}))
    assert key != Key("oct", "k", Secret(b"t"), b"p", Attributes({"a": [1]}))
    assert key != Key("oct", "k", Secret(b"s"), b"q", Attributes({"a": [1]}))
    assert key != Key("oct", "k", Secret(b"s"), b"p", Attributes({"a": [2]}))


def test_without_secret_keeps_the_rest() -> None:
    """`without_secret` takes the secret half away and nothing else."""
    key = Key("ed25519", "k", _CANARY, b"p", Attributes({"use": "sig"}))

    assert key.without_secret() == Key("ed25519", "k", None, b"p", Attributes({"use": "sig"}))


@given(values=st.dictionaries(st.text(max_size=4), _JSON, max_size=4))
def test_attributes_give_plain_values_back(values: dict[str, object]) -> None:
    """`plain` gives equal JSON values back, each time a fresh copy."""
    held = Attributes(values)

    assert held.plain() == values
    assert held == values
    assert set(held) == set(values)
    assert len(held) == len(values)
    assert held.plain() is not held.plain()


@given(held=attributes())
def test_attributes_equal_their_copies(held: Attributes) -> None:
    """Attributes made from attributes, or from their plain values, are equal."""
    assert Attributes(held) == held == Attributes(held.plain())
    assert copy.copy(held) is held
    assert copy.deepcopy(held) is held


def test_attributes_do_not_change_with_what_they_were_made_of() -> None:
    """Neither the mapping that came in nor the one that went out changes what is held, at any depth."""
    source: dict[str, object] = {"list": [1, {"deep": [2]}]}
    held = Attributes(source)

    source["list"] = None
    held.plain()["list"].append(3)
    held.plain()["list"][1]["deep"].append(4)

    assert held.plain() == {"list": [1, {"deep": [2]}]}


def test_nested_values_are_immutable() -> None:
    """Lists become tuples, and objects become attributes."""
    held = Attributes({"list": [{"deep": [2]}]})

    (inner,) = held["list"] if isinstance(held["list"], tuple) else ()
    assert isinstance(inner, Mapping)
    assert inner["deep"] == (2,)


def test_attributes_show_names_alone() -> None:
    """The repr of attributes, nested or not, shows no value."""
    held = Attributes({"b": "hidden", "a": {"c": "hidden"}})

    assert repr(held) == "<attributes a, b>"
    assert repr(held["a"]) == "<attributes c>"


def test_attributes_have_no_hash_and_equal_mappings_alone() -> None:
    """Attributes are values of JSON, not keys of dicts."""
    with pytest.raises(TypeError):
        hash(Attributes())
    assert (Attributes() == []) is False
    assert Attributes({"a": 1}) != {"a": 2}


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
