"""Keys, their attributes, and the names and references that they are stored under."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable, Iterable
from dataclasses import FrozenInstanceError, asdict, replace

import pytest
from hypothesis import given, strategies as st
from support.errors import text_of
from tables import cases

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


@cases(
    ("key", "shown"),
    {
        "nothing": (Key("oct"), "Key(type='oct', kid='', holds nothing, <attributes none>)"),
        "secret": (Key("oct", "k", _CANARY), "Key(type='oct', kid='k', holds secret, <attributes none>)"),
        "public": (Key("ed25519", "k", None, b"p"), "Key(type='ed25519', kid='k', holds public, <attributes none>)"),
        "both": (
            Key("ed25519", "k", _CANARY, b"p", Attributes({"use": "sig", "alg": "EdDSA"})),
            "Key(type='ed25519', kid='k', holds secret and public, <attributes alg, use>)",
        ),
    },
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


def test_a_secret_key_is_not_pickled() -> None:
    """A key with a secret half is refused by every pickle protocol."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(Key("oct", secret=_CANARY), protocol)


def test_keys_are_values() -> None:
    """Two keys are equal iff all of their members are; none can be set; `without_secret` takes one half away alone."""
    key = Key("oct", "k", Secret(b"s"), b"p", Attributes({"a": [1]}))

    assert key == Key("oct", "k", Secret(b"s"), b"p", Attributes({"a": [1]}))
    for other in (
        replace(key, type="rsa"),
        replace(key, kid="j"),
        replace(key, secret=Secret(b"t")),
        replace(key, public=b"q"),
        replace(key, attributes=Attributes({"a": [2]})),
    ):
        assert key != other
    with pytest.raises(FrozenInstanceError):
        key.kid = "other"  # type: ignore[misc]  # the mistake that is tested
    assert key.without_secret() == Key("oct", "k", None, b"p", Attributes({"a": [1]}))


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


def test_attributes_do_not_change() -> None:
    """Neither the mapping that came in nor the one that went out changes what is held; within, nothing can change."""
    source: dict[str, object] = {"list": [1, {"deep": [2]}]}
    held = Attributes(source)

    source["list"] = None
    held.plain()["list"].append(3)
    held.plain()["list"][1]["deep"].append(4)

    assert held.plain() == {"list": [1, {"deep": [2]}]}
    assert held["list"] == (1, Attributes({"deep": (2,)}))


def test_attributes_are_values_of_json() -> None:
    """Their repr, nested or not, shows names alone; they have no hash, and equal attributes only."""
    held = Attributes({"b": "hidden", "a": {"c": "hidden"}})

    assert (repr(held), repr(held["a"])) == ("<attributes a, b>", "<attributes c>")
    with pytest.raises(TypeError):
        hash(Attributes())
    assert (Attributes() == []) is False
    assert Attributes({"a": 1}) != {"a": 2}


_EMPTY = "a key name must not be empty; use something like cache.example.org or prod/jwt"
_LONG = "a key name has at most 200 bytes; choose a shorter one"
_GRAMMAR = (
    "key names have only a-z, 0-9, '.', '_' and '-', in segments joined by '/' that start with a letter or "
    "digit; use something like cache.example.org or prod/jwt"
)
_DOT = "a segment of the key name ends in '.', which Windows drops; leave the dot out"
_DEVICE = "a segment of the key name is a device name on Windows; choose another"
_ONE_VERSION = "a key name is expected, without a version; leave out the @ and the number"
_VERSION = "the version after @ is not a whole number from 1; write NAME@3, or NAME alone for the primary"


_NAMES = (
    "a 0 cache.example.org cache.example.org-1 prod/jwt a/b/c/d a..b a--_._b a- a_ console con-1 com com10 lpt nulls "
    "auxiliary/prn2"
)


def test_a_name_is_returned_as_it_is() -> None:
    """A name that keeps to the grammar comes back unchanged."""
    for name in (*_NAMES.split(), "a" * MAXIMUM_NAME_BYTES):
        assert check_name(name) == name


def _answers(check: Callable[[str], object], texts: Iterable[str]) -> dict[str, str]:
    """What is said of each text."""
    answers = {}
    for text in texts:
        try:
            answers[text] = f"accepted: {check(text)}"
        except InvalidNameError as error:
            answers[text] = text_of(error)
    return answers


@cases(
    ("names", "message"),
    {
        "empty": ([""], _EMPTY),
        "201 bytes": (["a" * 201], _LONG),
        "slashes": (["/", "/a", "a/", "a//b"], _GRAMMAR),
        "dots": ([".", "..", "../a", "a/../b", ".hidden"], _GRAMMAR),
        "starts": (["-a", "_a", "a/-b"], _GRAMMAR),
        "spaces and ends": (["a b", " a", "a\n", "a\0"], _GRAMMAR),
        "other characters": (["A", "a\\b", "a:b", "a%2fb", "ä", "а", "１", "\ud800"], _GRAMMAR),
        "versions": (["a@1", "prod/jwt@999999999"], _ONE_VERSION),
        "no versions": (["a@b", "a@0", "a@1@2"], _GRAMMAR),
        "a dot at the end": (["a.", "a./b"], _DOT),
        "devices": (["con", "nul.txt", "a/aux", "prn/a", "com1", "com0.a.b", "lpt9"], _DEVICE),
    },
)
def test_what_is_no_name_is_refused(names: list[str], message: str) -> None:
    """What breaks the grammar is refused with the rule that it breaks, and is not quoted."""
    assert _answers(check_name, names) == dict.fromkeys(names, message)


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


@given(name=names(), version=st.none() | versions() | st.just(999_999_999))
def test_references_round_trip(name: str, version: int | None) -> None:
    """The kit's strategy keeps to the grammar, and a reference written out is read back as the same one."""
    reference = Reference(name, version)

    assert check_name(name) == name
    assert parse_reference(str(reference)) == reference


_NO_VERSIONS = ("", "0", "-1", "+1", "01", "1.0", "1_0", " 1", "1\n", "١", "1000000000", "1@2", "latest")


@cases(
    ("texts", "message"),
    {
        "no name": (["", "@1"], _EMPTY),
        "no such name": (["A@1"], _GRAMMAR),
        "no version": ([f"a@{version}" for version in _NO_VERSIONS], _VERSION),
    },
)
def test_what_is_no_reference_is_refused(texts: list[str], message: str) -> None:
    """What is not a reference is refused with the rule that it breaks."""
    assert _answers(parse_reference, texts) == dict.fromkeys(texts, message)


def test_the_characters_of_a_name() -> None:
    """Of ASCII, only a-z and 0-9 start a name, and only those, `.`, `_`, `-` and the slash stand inside it."""
    others = set(map(chr, range(128))) - set("0123456789abcdefghijklmnopqrstuvwxyz")
    names = [f"{each}a" for each in others] + [f"a{each}a" for each in others - set("._-/")]

    assert _answers(check_name, names) == dict.fromkeys(names, _GRAMMAR)
