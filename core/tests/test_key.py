"""`Key` and `Attributes`."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.keys import Attributes, Key
from keywright.secret import Secret
from keywright.testing import assert_hidden
from keywright.testing.strategies import attributes

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
