"""Values that are written as text: times, durations, pairs, settings, names and references."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from fuzz_targets.contract import attempt, check_sentence, require, text_of
from fuzz_targets.target import Target
from keywright import Secret, Setting, check_name, format_time, parse_reference, parse_time
from keywright.cli.parser import attributes_of, duration_of, pairs_of, time_of
from keywright.errors import ConfigError, InvalidNameError
from keywright.settings.model import RawValue, SettingType
from keywright.settings.values import parse_setting
from keywright.text import format_duration, parse_duration
from keywright_env.store import default_variable
from keywright_nix.key import numbered_name, problem_in

_NOW: Final = datetime(2026, 11, 21, 20, 52, 13, 1, UTC)
_SHOWN: Final = b"fuzz: stores.local.x 2026-11-21"
_TYPES: Final[dict[SettingType, type]] = {
    "text": str, "integer": int, "boolean": bool, "path": str, "duration": timedelta, "secret": Secret, "list": tuple,
    "table": dict, "values": dict,
}  # fmt: skip


def check_values(data: bytes) -> None:
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
        check_sentence(text_of(error), (data,), _SHOWN)
        return
    require(time.tzinfo is UTC, "a time is not in UTC")
    require(parse_time(format_time(time)) == time, "a time does not come back")


def _check_duration(text: str, data: bytes) -> None:
    attempt(lambda: (duration_of(text, "--overlap"),), ConfigError, given=(data,))
    try:
        duration = parse_duration(text)
    except ValueError as error:
        check_sentence(text_of(error), (data,), _SHOWN)
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
        given = RawValue(value, "stores.local.x", "fuzz", "/nowhere", textual)
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


_SEGMENT = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z))[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?")
_VERSION = re.compile("[1-9][0-9]{0,8}")


def check_references(data: bytes) -> None:
    """What is read prints as it was; what the grammar allows is read, and nothing else."""
    text = data.decode(errors="surrogateescape")
    # A name is repeated by no message, however harmless it looks.
    reference = attempt(lambda: parse_reference(text), InvalidNameError, given=(data,))
    name = attempt(lambda: check_name(text), InvalidNameError, given=(data,))
    written, at, version = text.partition("@")
    allowed = _is_name(written) and (not at or _VERSION.fullmatch(version) is not None)
    require((reference is not None) == allowed, "the grammar of references says otherwise")
    require((name is not None) == _is_name(text), "the grammar of names says otherwise")
    if reference is not None:
        require(str(reference) == text, "a reference prints as another text")
        require(parse_reference(str(reference)) == reference, "a reference does not come back")
        _check_derived(reference.name, reference.version or 1)


def _is_name(text: str) -> bool:
    return len(text.encode(errors="surrogateescape")) <= 200 and all(map(_SEGMENT.fullmatch, text.split("/")))


def _check_derived(name: str, version: int) -> None:
    require(problem_in(numbered_name(name, version)) is None, "a name makes no Nix key name")
    require(numbered_name(name, version) != numbered_name(name, version + 1), "two versions share a Nix key name")
    variable = default_variable(name)
    require(variable is None or re.fullmatch("KEYWRIGHT_KEY_[A-Z0-9_]+", variable) is not None, "no variable's name")


TARGETS: Final = {
    "values": Target(
        check_values,
        seeds=(
            b"a\x1b=1\na\x1b=2",  # a name that acts on a terminal, twice
            *b"2026-11-21T20:52:13Z 2026-11-21T20:52:13.000001+01:00 2026-11-21 90d 36500d 0s -12 99 true".split(),
            *b'{"env":"HOME"} {"env":"PATH"} {"file":"missing"} ["a","b"] ~root/x 9999999999w'.split(),
            b"a,b, c",
            b'a=b\nc:=[1,{"d":null}]\nx',
            b'{"a":{"b":[1,true,"c",{"d":"e"}]}}',
        ),
        words=(
            *b"T00:00:00Z +23:59 -24:00 0001-01-01 9999-12-31 :60 .0000001 = := ~".split(),
            *b'{"env": {"file": 1e999 NaN [[[[ {"a": w d h'.split(),
            b"\0",
        ),
        maximum_bytes=512,
    ),
    "references": Target(
        check_references,
        seeds=b"cache.example.org prod/jwt@3 a-5@999999999 con.txt a@0 a/b_c/d-0@10 com1 a.".split(),
        words=(*b"@ / .. ../ con lpt9 nul. @0 @01 \xc2\xb2 -0 _file".split(), b"\n", b"\0"),
        maximum_bytes=256,
    ),
}
