"""The base class of immutable values behaves as a frozen dataclass does."""

from __future__ import annotations

import copy
import pickle
import pprint
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields, replace

import pytest

from keywright import Attributes, Key, Record, RecordInfo

KEY = Key("oct", "k-1", attributes=Attributes({"use": "sig"}))
INFO = RecordInfo(name="a", version=1, kid="k-1")


def test_dataclasses_work_with_it() -> None:
    """`replace`, `fields` and `asdict` find the attributes, also of a value inside another."""
    assert replace(KEY, kid="k-2") == KEY.replace(kid="k-2") == Key("oct", "k-2", attributes=KEY.attributes)
    assert pprint.pformat(KEY) == repr(KEY)
    assert [one.name for one in fields(INFO)] == list(RecordInfo.__slots__)
    assert asdict(Record(INFO, None))["info"]["name"] == "a"


def test_equality_is_that_of_all_attributes() -> None:
    """Values of another class are never equal."""
    assert Record(INFO, None) == Record(INFO.replace(), None) != Record(INFO.replace(version=2), None)
    assert (INFO == KEY, INFO._values() == INFO) == (False, False)


@pytest.mark.parametrize("value", [KEY, INFO, Record(INFO, None)], ids=["key", "info", "record"])
def test_it_does_not_change_and_can_be_copied(value: Key | RecordInfo | Record) -> None:
    """Neither an attribute nor a new name can be set or deleted."""
    for name in (value.__slots__[0], "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "x")
        with pytest.raises(FrozenInstanceError):
            delattr(value, name)

    assert copy.copy(value) == copy.deepcopy(value) == value
    if value is INFO:
        assert pickle.loads(pickle.dumps(value)) == value


def test_the_text_names_the_attributes() -> None:
    """As a dataclass's does."""
    assert repr(INFO).startswith("RecordInfo(name='a', version=1, key_type='', format=None, kid='k-1', public=None, ")


def test_dataclasses_is_not_imported() -> None:
    """The reason why the class exists."""
    program = "import sys, keywright; keywright.Key, keywright.RecordInfo; print('dataclasses' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
