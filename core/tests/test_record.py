"""`Record` and `RecordInfo`."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given

from keywright.keys import Attributes
from keywright.records import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing import assert_hidden
from keywright.testing.strategies import record_infos


def test_what_nobody_said_is_empty() -> None:
    """An info of name and version alone is enabled, without limits, and was never stored."""
    info = RecordInfo(name="a", version=1)

    assert (info.key_type, info.format, info.kid, info.public, info.attributes) == ("", None, "", None, Attributes())
    assert (info.state, info.state_since, info.reason) == (State.ENABLED, None, "")
    assert (info.created, info.activates, info.expires, info.overlap) == (None, None, None, None)
    assert (info.labels, info.revision) == ({}, Revision(""))


@given(info=record_infos())
def test_the_reference_is_name_and_version(info: RecordInfo) -> None:
    """`reference` is `NAME@N`."""
    assert info.reference == f"{info.name}@{info.version}"


def test_labels_are_not_shared_by_default() -> None:
    """Two infos without labels have each a mapping of their own."""
    assert RecordInfo(name="a", version=1).labels is not RecordInfo(name="a", version=1).labels


def test_a_record_does_not_show_its_payload() -> None:
    """The repr of a record has the metadata and a word for the payload."""
    payload = Secret(b"canary-7f3b-sings-not")

    shown = repr(Record(RecordInfo(name="a", version=1), payload))

    assert "payload=<secret>" in shown
    assert_hidden(payload, shown)


def test_records_do_not_change() -> None:
    """No member of a record or an info can be set."""
    record = Record(RecordInfo(name="a", version=1), None)

    with pytest.raises(FrozenInstanceError):
        record.payload = Secret(b"x")  # type: ignore[misc]  # the mistake that is tested
    with pytest.raises(FrozenInstanceError):
        record.info.kid = "x"  # type: ignore[misc]  # the mistake that is tested


def test_the_states_are_spelt_as_they_are_stored() -> None:
    """The four states and their spelling are part of every store's format."""
    assert [str(state) for state in State] == ["enabled", "disabled", "compromised", "destroyed"]


def test_states_are_stored_by_these_words() -> None:
    """Stores write these words: another spelling would make what is stored unreadable."""
    assert [str(state) for state in State] == ["enabled", "disabled", "compromised", "destroyed"]


def test_the_members_of_an_info_are_named() -> None:
    """So many members of the same kinds are given by name alone: a place more or less would be another meaning."""
    with pytest.raises(TypeError):
        RecordInfo("a", 1)  # type: ignore[call-arg]  # that is the fault
