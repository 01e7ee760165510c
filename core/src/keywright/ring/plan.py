"""What to make: from arguments, the `[keys.NAME]` table and what went before, to one settled plan."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from keywright.config.model import KEY_SETTING_NAMES, fault_in_kid
from keywright.errors import ConfigError
from keywright.keys import Attributes
from keywright.ring.given_texts import check_mappings, check_texts
from keywright.ring.labels import check_labels
from keywright.ring.located import located
from keywright.ring.times import check_times
from keywright.settings.model import Given, Options
from keywright.settings.values import check_options

if TYPE_CHECKING:
    from keywright.config.model import KeyTable
    from keywright.keys import Key
    from keywright.plugins.registry import Registry
    from keywright.protocols import Format, KeyType

__all__ = ["Plan", "Wanted", "import_plan", "kid_for", "make_plan"]

# The pairs that imply each other where only one of type and format is given.
DEFAULT_TYPE: Final = "ed25519"
_FORMAT_OF_TYPE: Final = {"ed25519": "nix"}
_FORMAT_OTHERWISE: Final = "jwk"


class Wanted(NamedTuple):
    """What a caller asked for; None and empty where it left the choice.

    Attributes:
        options: settings of the key type, such as `bits`; text is read as the setting's type says.
    """

    type: str | None = None
    format: str | None = None
    kid: str | None = None
    labels: Mapping[str, str] | None = None
    attributes: Mapping[str, object] | None = None
    activates: datetime | None = None
    expires: datetime | None = None
    overlap: timedelta | None = None
    options: Mapping[str, object] | None = None


class Plan(NamedTuple):
    """What will be made."""

    key_type: KeyType
    format: Format
    options: Options
    kid: str | None
    labels: Mapping[str, str]
    attributes: Attributes
    activates: datetime | None
    expires: datetime | None
    overlap: timedelta | None


def make_plan(
    plugins: Registry, table: KeyTable, wanted: Wanted, *, before: Wanted | None = None, now: datetime
) -> Plan:
    """Settle a plan: what was asked for, else what `[keys.NAME]` says, else what went before, else the defaults.

    Raises:
        UnknownPluginError: no plugin for the type or format.
        ConfigError: a setting or time is wrong, a text is empty, the kid has another placeholder than `{name}` and
            `{version}` or more than 1024 characters, or the format cannot carry the type.
    """
    check_texts(type=wanted.type, format=wanted.format, kid=wanted.kid)
    check_mappings(
        labels={} if wanted.labels is None else wanted.labels,
        attributes={} if wanted.attributes is None else wanted.attributes,
    )
    fault = None if wanted.kid is None else fault_in_kid(wanted.kid, table.name)
    if fault is not None:
        raise ConfigError(f"kid {fault}")
    common = table.common()
    before = before or Wanted()
    type_name = common.optional_text("type") if wanted.type is None else wanted.type
    format_name = common.optional_text("format") if wanted.format is None else wanted.format
    declared = wanted.type is None and wanted.format is None and (type_name or format_name) is not None
    with located(table.source, table.path) if declared else nullcontext():
        key_type, format_ = _pair(plugins, type_name, format_name, before)
    given = dict(table.specific()) if common["type"] in (None, key_type.name) else {}
    if before.type == key_type.name:
        given = {**_given(before.options, source="the version before"), **given}
    given |= _given(wanted.options, source="argument")
    options = check_options(
        given,
        key_type.settings,
        owner=f"key type {key_type.name!r}",
        path=table.path,
        source=table.source,
        beside=KEY_SETTING_NAMES,
    )
    overlap = wanted.overlap if wanted.overlap is not None else cast("timedelta | None", common["overlap"])
    expires_in = cast("timedelta | None", common["expires_in"])
    ends = wanted.expires
    if ends is None and expires_in is not None:
        ends = (wanted.activates or now) + expires_in
    activates, expires = check_times(wanted.activates, ends, overlap, now)
    with located(table.source, f"{table.path}.labels"):
        declared_labels = check_labels(common.table("labels"))
    labels = {**(before.labels or {}), **declared_labels, **check_labels(wanted.labels or {})}
    attributes = {**(before.attributes or {}), **common.mapping("attributes"), **(wanted.attributes or {})}
    return Plan(
        key_type=key_type,
        format=format_,
        options=options,
        kid=common.optional_text("kid") if wanted.kid is None else wanted.kid,
        labels=dict(sorted(labels.items())),
        attributes=Attributes(attributes),
        activates=activates,
        expires=expires,
        overlap=overlap,
    )


def import_plan(
    key_type: KeyType,
    format_: Format,
    *,
    kid: str | None,
    labels: Mapping[str, str] | None,
    activates: datetime | None,
    expires: datetime | None,
    overlap: timedelta | None,
    now: datetime,
) -> Plan:
    """The plan for a key that is there already: `[keys.NAME]` has no say in what kind of key others made.

    Raises:
        ConfigError: a label is none, or the key would never sign.
    """
    activates, expires = check_times(activates, expires, overlap, now)
    return Plan(
        key_type=key_type,
        format=format_,
        options=Options(),
        kid=kid,
        labels=check_labels(labels or {}),
        attributes=Attributes(),
        activates=activates,
        expires=expires,
        overlap=overlap,
    )


def _pair(plugins: Registry, type_name: str | None, format_name: str | None, before: Wanted) -> tuple[KeyType, Format]:
    """The key type and the format. What is left open goes on as before where that fits, and else is implied."""
    if format_name is None:
        if type_name is None:
            type_name = before.type or DEFAULT_TYPE
        kept = None if before.format is None else plugins.format(before.format)
        if kept is not None and type_name in kept.key_types:
            format_name = kept.name
        else:
            format_name = _FORMAT_OF_TYPE.get(type_name, _FORMAT_OTHERWISE)
    elif type_name is None and before.type in plugins.format(format_name).key_types:
        type_name = before.type
    # A type that does not exist is the better news than the format it would have had.
    key_type = plugins.key_type(type_name) if type_name is not None else None
    format_ = plugins.format(format_name)
    key_type = key_type or plugins.key_type(format_.key_types[0])
    if key_type.name not in format_.key_types:
        carries = ", ".join(format_.key_types)
        raise ConfigError(
            f"format {format_.name!r} cannot carry a key of type {key_type.name!r}; it carries: {carries}"
        )
    return key_type, format_


def _given(options: Mapping[str, object] | None, *, source: str) -> dict[str, Given]:
    return {
        name: Given(value, name, source, "", textual=isinstance(value, str)) for name, value in (options or {}).items()
    }


def kid_for(plan: Plan, name: str, version: int, key: Key) -> str | None:
    """The kid by the plan's template or the format's default; None: draw one.

    A template may hold `{name}` and `{version}`.
    """
    if plan.kid is not None:
        return plan.kid.replace("{name}", name).replace("{version}", str(version))
    return plan.format.default_kid(name, version, key)
