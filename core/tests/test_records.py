"""Records and the canonical JSON of their metadata."""

from __future__ import annotations

import json
from array import array
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from zlib import crc32

import pytest
from hypothesis import example, given, strategies as st
from refusals import refuses
from support.errors import text_of
from tables import cases

from keywright.errors import CorruptedStoreError
from keywright.keys import Attributes
from keywright.records import Record, RecordInfo, Revision, State, decode_info, encode_info, format_time, parse_time
from keywright.secret import Secret
from keywright.testing import assert_hidden
from keywright.testing.strategies import record_infos, times


def test_what_is_not_given_is_empty() -> None:
    """An info of name and version alone is enabled, without limits, was never stored, and shares no labels."""
    info = RecordInfo(name="a", version=1)

    assert info.reference == "a@1"
    assert (info.key_type, info.format, info.kid, info.public, info.attributes) == ("", None, "", None, Attributes())
    assert (info.state, info.state_since, info.reason) == (State.ENABLED, None, "")
    assert (info.created, info.activates, info.expires, info.overlap) == (None, None, None, None)
    assert (info.labels, info.revision) == ({}, Revision(""))
    assert info.labels is not RecordInfo(name="a", version=1).labels
    with pytest.raises(TypeError):
        RecordInfo("a", 1)  # type: ignore[call-arg]  # by place, one more or less would be another meaning


def test_records_neither_change_nor_show_their_payload() -> None:
    """No member of a record or an info can be set; the repr has the metadata and a word for the payload."""
    payload = Secret(b"canary-7f3b-sings-not")
    record = Record(RecordInfo(name="a", version=1), payload)

    assert "payload=<secret>" in repr(record)
    assert_hidden(payload, repr(record))
    with pytest.raises(FrozenInstanceError):
        record.payload = Secret(b"x")  # type: ignore[misc]  # the mistake that is tested
    with pytest.raises(FrozenInstanceError):
        record.info.kid = "x"  # type: ignore[misc]  # the mistake that is tested


def test_states_are_stored_by_these_words() -> None:
    """Stores write these words: another spelling would make what is stored unreadable."""
    assert [str(state) for state in State] == ["enabled", "disabled", "compromised", "destroyed"]


_DAMAGED = "a.json: the metadata is damaged; restore it from a backup"
_NEWER = "a.json: the metadata was written by a newer keywright; upgrade keywright"

_INFO = RecordInfo(
    name="prod/jwt",
    version=3,
    key_type="ec-p256",
    format="jwk",
    kid="k-3",
    public=b"\x04public",
    attributes=Attributes({"use": "sig"}),
    state=State.DISABLED,
    state_since=datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC),
    reason="on leave",
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    activates=None,
    expires=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
    overlap=timedelta(days=14),
    labels={"b": "2", "a": "ä"},
)
_TEXT = (
    b'{"crc32":"8db0cc5a","activates":null,"attributes":{"use":"sig"},"created":"2026-01-02T03:04:05Z",'
    b'"expires":"2027-01-02T03:04:05Z","format":"jwk","key_type":"ec-p256","kid":"k-3",'
    b'"labels":{"a":"\\u00e4","b":"2"},"metadata_version":1,"name":"prod/jwt","overlap":1209600000000,'
    b'"public":"BHB1YmxpYw==","reason":"on leave","state":"disabled",'
    b'"state_since":"2026-11-21T20:52:13.000001Z","version":3}\n'
)


def test_the_spelling_is_fixed() -> None:
    """Metadata written today are read by every later version: one line of JSON, checksum first, members sorted.

    The revision is the store's own, and is not in it.
    """
    assert encode_info(_INFO) == encode_info(replace(_INFO, revision=Revision("r"))) == _TEXT
    assert decode_info(_TEXT, where="a.json") == _INFO


@given(info=record_infos())
@example(RecordInfo(name="a", version=1, reason="\udcff", labels={"\udcfe": "\ud800"}))  # no UTF-8 on a command line
def test_metadata_round_trip(info: RecordInfo) -> None:
    """Any metadata come back as they went in, with the revision that the store gives."""
    encoded = encode_info(info)

    assert decode_info(encoded, where="a.json", revision="r") == replace(info, revision=Revision("r"))
    assert encoded.isascii()
    assert encoded.count(b"\n") == 1
    assert info.reference == f"{info.name}@{info.version}"


def test_every_truncation_and_every_flipped_bit_is_damage() -> None:
    """Metadata that were cut short anywhere, or in which any bit differs, are damaged, and never another value."""
    for place in range(len(_TEXT)):
        with refuses(CorruptedStoreError, _DAMAGED):
            decode_info(_TEXT[:place], where="a.json")
        for bit in range(8):
            with refuses(CorruptedStoreError, _DAMAGED):
                decode_info(_TEXT[:place] + bytes([_TEXT[place] ^ 1 << bit]) + _TEXT[place + 1 :], where="a.json")


@given(
    data=st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(lambda value: json.dumps(value).encode())
)
def test_arbitrary_bytes_are_damage(data: bytes) -> None:
    """Bytes that `encode_info` never wrote raise CorruptedStoreError and nothing else."""
    with refuses(CorruptedStoreError, _DAMAGED):
        decode_info(data, where="a.json")


def _with(**changes: object) -> bytes:
    return _checked({**json.loads(_TEXT), **changes})


def _checked(members: dict[str, Any]) -> bytes:
    """These members with a checksum that is right."""
    members = {name: value for name, value in members.items() if name != "crc32"}
    return _sealed(json.dumps(members, separators=(",", ":"))[1:].encode() + b"\n")


def _sealed(rest: bytes) -> bytes:
    return b'{"crc32":"%08x",' % crc32(rest) + rest


def _without(member: str) -> bytes:
    return _checked({name: value for name, value in json.loads(_TEXT).items() if name != member})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]\n", id="list"),
        pytest.param(b"null\n", id="null"),
        pytest.param(b"1\n", id="number"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"9" * 5_000, id="number of 5000 digits"),
        pytest.param(_TEXT + _TEXT, id="twice"),
        pytest.param(_TEXT + b"\n", id="two newlines"),
        pytest.param(_TEXT[:-1], id="no newline"),
        pytest.param(_TEXT[:-1] + b"\r\n", id="CRLF"),
        pytest.param(b" " + _TEXT, id="leading space"),
        pytest.param(b"\xef\xbb\xbf" + _TEXT, id="byte-order mark"),
        pytest.param(_TEXT.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(_TEXT.replace(b'"kid":"k-3"', b'"kid":"k-3","kid":"k-3"'), id="member twice"),
        pytest.param(_TEXT.replace(b"\\u00e4", "ä".encode()), id="another spelling of a letter"),
        pytest.param(json.dumps(json.loads(_TEXT), sort_keys=True).encode() + b"\n", id="spaces"),
        pytest.param(_with(more=1), id="unknown member"),
        *(pytest.param(_without(member), id=f"no {member}") for member in json.loads(_TEXT) if member != "crc32"),
        pytest.param(b"{" + _TEXT[20:], id="no checksum"),
        pytest.param(_TEXT.replace(b"8db0cc5a", b"8DB0CC5A"), id="checksum in upper case"),
        pytest.param(_with(metadata_version=0), id="version zero of the metadata"),
        pytest.param(_with(metadata_version=True), id="metadata version true"),
        pytest.param(_with(metadata_version="2"), id="metadata version as text"),
        pytest.param(_with(metadata_version=None), id="no metadata version"),
        pytest.param(_with(name="../a"), id="name out of the store"),
        pytest.param(_with(name=None), id="no name"),
        pytest.param(_with(version=0), id="version zero"),
        pytest.param(_with(version=True), id="version true"),
        pytest.param(_with(version="3"), id="version as text"),
        pytest.param(_with(version=3.0), id="version as fraction"),
        pytest.param(_with(key_type=None), id="no key type"),
        pytest.param(_with(format=1), id="format as number"),
        pytest.param(_with(kid=None), id="no kid"),
        pytest.param(_with(public="BHB1YmxpYw"), id="public half without padding"),
        pytest.param(_with(public="BHB1 YmxpYw=="), id="public half with a space"),
        pytest.param(_with(public="BHB1_mxpYw=="), id="public half in another alphabet"),
        pytest.param(_with(attributes=[]), id="attributes as list"),
        pytest.param(_with(state="gone"), id="unknown state"),
        pytest.param(_with(state=["enabled"]), id="state as list"),
        pytest.param(_with(created="2026-01-02T03:04:05"), id="time without zone"),
        pytest.param(_with(created="2026-02-30T03:04:05Z"), id="no such day"),
        pytest.param(_with(created="9999-12-31T23:59:59-01:00"), id="time out of range"),
        pytest.param(_with(created=0), id="time as number"),
        pytest.param(_with(overlap=1.5), id="overlap as fraction"),
        pytest.param(_with(overlap=10**30), id="overlap out of range"),
        pytest.param(_with(overlap=True), id="overlap true"),
        pytest.param(_with(labels={"a": 1}), id="label as number"),
        pytest.param(_with(labels=[]), id="labels as list"),
    ],
)
def test_what_was_not_written_so_is_damage(data: bytes) -> None:
    """Metadata that differ from what `encode_info` writes are damaged, with the place and the hint."""
    with pytest.raises(CorruptedStoreError) as caught:
        decode_info(data, where="a.json")

    assert text_of(caught.value) == _DAMAGED
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "data", [_with(metadata_version=2), _checked({"metadata_version": 7, "new": []})], ids=["2", "7"]
)
def test_metadata_of_a_newer_keywright_are_told_apart(data: bytes) -> None:
    """A newer version of the metadata is not damage: the hint is to upgrade."""
    with refuses(CorruptedStoreError, _NEWER):
        decode_info(data, where="a.json")


@given(time=times())
def test_times_round_trip(time: datetime) -> None:
    """A time comes back to the microsecond, in UTC."""
    assert parse_time(format_time(time)) == time
    assert parse_time(format_time(time)).tzinfo is UTC
    assert format_time(time).endswith("Z")


@cases(
    ("time", "text"),
    {
        "seconds": (datetime(2026, 11, 21, 20, 52, 13, tzinfo=UTC), "2026-11-21T20:52:13Z"),
        "microseconds": (datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC), "2026-11-21T20:52:13.000001Z"),
        "zone": (datetime(2026, 11, 21, 20, 52, 13, tzinfo=timezone(timedelta(hours=2))), "2026-11-21T18:52:13Z"),
        "year one": (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    },
)
def test_times_are_written_in_utc(time: datetime, text: str) -> None:
    """Times are RFC 3339 in UTC, without a fraction that is zero."""
    assert format_time(time) == text


@cases(
    ("text", "time"),
    {
        "zone": ("2026-11-21T20:52:13+02:00", datetime(2026, 11, 21, 18, 52, 13, tzinfo=UTC)),
        "tenths": ("2026-11-21T20:52:13.5Z", datetime(2026, 11, 21, 20, 52, 13, 500_000, tzinfo=UTC)),
        "unknown zone": ("2026-11-21T20:52:13-00:00", datetime(2026, 11, 21, 20, 52, 13, tzinfo=UTC)),
    },
)
def test_times_of_any_zone_are_read(text: str, time: datetime) -> None:
    """Times of other zones and with other fractions are read as what they are in UTC."""
    assert parse_time(text) == time


_FORM = "a date, a time and a zone, such as 2026-11-21T20:52:13Z"
_NONE = "a date and time that exist"


_NO_TIMES = {
    "": _FORM,
    "tomorrow": _FORM,
    "2026-11-21": _FORM,
    "2026-11-21T20:52:13": _FORM,  # no zone
    "20261121T205213Z": _FORM,  # ISO 8601, basic form
    "2026-W47-6T20:52:13Z": _FORM,
    "2026-11-21x20:52:13Z": _FORM,
    "2026-11-21T20:52Z": _FORM,
    "2026-11-21T20:52:13.1234567Z": _FORM,
    "2026-11-21T20:52:13Z\n": _FORM,
    "٢٠٢٦-11-21T20:52:13Z": _FORM,
    "2026-02-30T20:52:13Z": _NONE,
    "2026-11-21T24:52:13Z": _NONE,
    "2026-11-21T20:52:60Z": _NONE,
    "2026-11-21T20:52:13+99:00": _NONE,
    "0000-01-01T00:00:00Z": _NONE,
    "9999-12-31T23:59:59-01:00": _NONE,
    "0001-01-01T00:00:00+01:00": _NONE,
}


def test_what_is_no_time_is_refused() -> None:
    """What is not an RFC 3339 time raises ValueError, whose message says what is."""
    for text, message in _NO_TIMES.items():
        with refuses(ValueError, message):
            parse_time(text)


@given(text=st.text())
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """No text makes `parse_time` raise anything but ValueError."""
    try:
        assert parse_time(text).tzinfo is UTC
    except ValueError:
        return


@cases(
    "rest",
    {"no JSON": b"no JSON\n", "no UTF-8": b'"name":"\xff"}\n', "nested without end": b'"a":' + b"[" * 200_000},
)
def test_a_right_checksum_over_nonsense_is_damage(rest: bytes) -> None:
    """The checksum says that nothing changed since, not that it was written by us."""
    with refuses(CorruptedStoreError, _DAMAGED):
        decode_info(_sealed(rest), where="a.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(*one, id=f"{one[0]}: {name}")
        for name, one in {
            "number in a label": ("labels", {"a": 1}),
            "number for a label": ("labels", {1: "a"}),
            "label in bytes": ("labels", {"a": b"1"}),
            "number": ("kid", 7),
            "none": ("reason", None),
            "bytes": ("key_type", b"oct"),
            "number for a format": ("format", 7),
            "zero": ("version", 0),
            "yes": ("version", True),
            "text for a number": ("version", "1"),
            "space": ("name", "a b"),
            "no zone": ("created", datetime(2026, 1, 1)),  # noqa: DTZ001  (the mistake)
            "date as text": ("expires", "2026-01-01"),
            "seconds": ("overlap", 5),
            "text for bytes": ("public", "point"),
            "numbers for bytes": ("public", array("b", b"point")),
            "text for a state": ("state", "enabled"),
            "not a number": ("attributes", Attributes({"n": float("nan")})),
            "no JSON": ("attributes", Attributes({"n": b"bytes"})),
        }.items()
    ],
)
def test_what_would_not_be_read_back_is_not_written(field: str, value: Any) -> None:
    """The error names the field, and not the value; a store then writes nothing."""
    with pytest.raises(TypeError, match=f"cannot be stored as they are: {field}$"):
        encode_info(replace(_INFO, **{field: value}))


def test_what_is_read_back_equal_is_written() -> None:
    """Another zone, another mapping and other bytes are equal to what is read."""
    values: tuple[tuple[str, Any], ...] = (
        ("created", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))),
        ("labels", MappingProxyType({"a": "1"})),
        ("public", bytearray(b"point")),
        ("attributes", Attributes({"n": [1, {"m": None}]})),
    )
    for field, value in values:
        info = replace(_INFO, **{field: value})

        assert decode_info(encode_info(info), where="", revision=info.revision) == info
