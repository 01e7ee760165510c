"""Values that stores and formats meet, as Hypothesis strategies, and ways to damage bytes."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from keywright import Attributes, Record, RecordInfo, Secret, State, check_name
from keywright.errors import InvalidNameError

_FIRST: Final = string.ascii_lowercase + string.digits
_ODD_NAMES: Final = (
    *("0", "a" * 200, "a/b", "a/1", "1/1", "a.b", "a-", "a_", "z/" * 99 + "z", "con-1", "com10", "x.tmp", "meta.json"),
)


def _is_name(text: str) -> bool:
    try:
        check_name(text)
    except InvalidNameError:
        return False
    return True


def names() -> st.SearchStrategy[str]:
    """Key names, all that the grammar allows (see `keywright.check_name`), the longest included."""
    segments = st.builds(str.__add__, st.sampled_from(_FIRST), st.text(_FIRST + "._-", max_size=12))
    joined = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(_is_name)
    return joined | st.sampled_from(_ODD_NAMES)


def plugin_names() -> st.SearchStrategy[str]:
    """Names of key types and formats."""
    return st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


def versions() -> st.SearchStrategy[int]:
    """Version numbers, 1 to 999999999."""
    return st.integers(1, 20) | st.integers(1, 999_999_999)


def texts(max_size: int = 40) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can express, NUL and line ends included."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


def times() -> st.SearchStrategy[datetime]:
    """Times in UTC, to the microsecond, years 1 to 9999."""
    return st.datetimes(timezones=st.just(UTC))


def durations() -> st.SearchStrategy[timedelta]:
    """Durations of 0 to 36500 days, to the microsecond."""
    return st.timedeltas(timedelta(0), timedelta(days=36_500))


def labels() -> st.SearchStrategy[dict[str, str]]:
    """Labels of a version."""
    return st.dictionaries(texts(), texts(), max_size=4)


def attributes() -> st.SearchStrategy[Attributes]:
    """Attributes with any JSON value."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts()
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(8), inner, max_size=3), max_leaves=6
    )
    return st.dictionaries(texts(8), values, max_size=3).map(Attributes)


def record_infos() -> st.SearchStrategy[RecordInfo]:
    """Metadata with every member filled in any way that its type allows; `revision` is `""`."""
    return st.builds(
        RecordInfo,
        name=names(),
        version=versions(),
        key_type=st.just("") | plugin_names(),
        format=st.none() | plugin_names(),
        kid=texts(),
        public=st.none() | st.binary(max_size=80),
        attributes=attributes(),
        state=st.sampled_from(State),
        state_since=st.none() | times(),
        reason=texts(),
        created=st.none() | times(),
        activates=st.none() | times(),
        expires=st.none() | times(),
        overlap=st.none() | durations(),
        labels=labels(),
    )


def payloads() -> st.SearchStrategy[Secret]:
    """Payloads of 0 to 200 bytes."""
    return st.binary(max_size=200).map(Secret)


def records() -> st.SearchStrategy[Record]:
    """Records: a destroyed one has no payload, of the others some have none."""

    def with_payload(info: RecordInfo) -> st.SearchStrategy[Record]:
        payload = st.none() if info.state is State.DESTROYED else st.none() | payloads()
        return payload.map(lambda drawn: Record(info, drawn))

    return record_infos().flatmap(with_payload)


def spread(length: int, count: int) -> range:
    """At most about `count` positions in `length`."""
    return range(0, length, max(1, length // count))


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
