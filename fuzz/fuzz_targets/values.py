"""Times, durations, pairs, and the values of settings, given as text or as TOML."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.target import Target
from keywright import Secret, Setting, format_time, parse_time
from keywright.cli.parser import attributes_of, duration_of, pairs_of, time_of
from keywright.durations import format_duration, parse_duration
from keywright.errors import ConfigError
from keywright.setting_values import parse_setting
from keywright.settings import Given, SettingType

__all__ = ["TARGET"]

_NOW: Final = datetime(2026, 11, 21, 20, 52, 13, 1, UTC)
_SHOWN: Final = b"fuzz: stores.local.x 2026-11-21"
_TYPES: Final[dict[SettingType, type]] = {
    "text": str, "integer": int, "boolean": bool, "path": str, "duration": timedelta, "secret": Secret, "list": tuple,
    "table": dict, "values": dict,
}  # fmt: skip


def check(data: bytes) -> None:
    """Each reader refuses in its own way, or gives what is written as it was read."""
    text = data.decode(errors="surrogateescape")
    _check_time(text, data)
    _check_duration(text, data)
    for pairs in (
        attempt(lambda: pairs_of([*text.splitlines(), "x=y"], "--label"), ConfigError, given=(data,), secrets=()),
        attempt(lambda: attributes_of([*text.splitlines(), "x=y"]), ConfigError, given=(data,), secrets=()),
    ):
        require(pairs is None or pairs["x"] == "y", "a pair got lost")
    for setting_type in _TYPES:
        _check_setting(setting_type, text, data, textual=True)
        _check_setting(setting_type, text, data, textual=False)
    _check_document(data)


def _check_time(text: str, data: bytes) -> None:
    attempt(lambda: (time_of(text, "--expires", _NOW),), ConfigError, given=(data,))
    try:
        time = parse_time(text)
    except ValueError as error:
        check_sentence(str(error), (data,), _SHOWN)
        return
    require(time.tzinfo is UTC, "a time is not in UTC")
    require(parse_time(format_time(time)) == time, "a time does not come back")


def _check_duration(text: str, data: bytes) -> None:
    attempt(lambda: (duration_of(text, "--overlap"),), ConfigError, given=(data,))
    try:
        duration = parse_duration(text)
    except ValueError as error:
        check_sentence(str(error), (data,), _SHOWN)
        return
    require(timedelta(0) <= duration <= timedelta(days=36500), "a duration is out of bounds")
    require(parse_duration(format_duration(duration)) == duration, "a duration does not come back")


def _check_document(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not _has_path(value):
        for setting_type in _TYPES:
            _check_setting(setting_type, value, data, textual=False)


def _has_path(value: object) -> bool:
    """Whether a pointer in it could lead to a file of this machine."""
    texts = [one for one in value.values() if isinstance(one, str)] if isinstance(value, dict) else []
    return any("/" in text or "~" in text for text in texts)


def _check_setting(setting_type: SettingType, value: object, data: bytes, *, textual: bool) -> None:
    choices = ("one", "two") if setting_type == "text" else ()
    for setting in (Setting("x", setting_type), Setting("x", setting_type, minimum=-5, maximum=99, choices=choices)):
        given = Given(value, "stores.local.x", "fuzz", "/nowhere", textual)
        # The name of a variable may be repeated where it looks like one.
        shown = _SHOWN + (data if isinstance(value, dict) else b"")
        parsed = attempt(
            partial(parse_setting, setting, given),
            ConfigError,
            given=(data,),
            secrets=(data,),
            known=shown + repr(setting).encode(),
            shown=shown,
        )
        if parsed is not None:
            require(isinstance(parsed, _TYPES[setting_type]), "a value of another type than declared")


TARGET = Target(
    check,
    seeds=(
        b"2026-11-21T20:52:13Z", b"2026-11-21T20:52:13.000001+01:00", b"2026-11-21", b"90d", b"36500d", b"0s", b"-12",
        b"99", b"true", b"a,b, c", b'a=b\nc:=[1,{"d":null}]\nx', b'{"env":"HOME"}', b'{"env":"PATH"}',
        b'{"file":"missing"}', b'["a","b"]', b'{"a":{"b":[1,true,"c",{"d":"e"}]}}', b"~root/x", b"9999999999w",
    ),
    words=(
        *b"T00:00:00Z +23:59 -24:00 0001-01-01 9999-12-31 :60 .0000001 = := ~".split(), b"\0",
        b'{"env":', b'{"file":', b"1e999", b"NaN", b"[[[[", b'{"a":', b"w", b"d", b"h",
    ),
    maximum_bytes=512,
)  # fmt: skip
