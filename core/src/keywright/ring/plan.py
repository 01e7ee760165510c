"""What to make: from arguments, the `[keys.NAME]` table and what went before, to one settled plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from keywright.errors import ConfigError, PolicyError
from keywright.key import Attributes
from keywright.ring.labels import check_labels
from keywright.settings import Given, Options, check_options

if TYPE_CHECKING:
    from keywright.config import KeyTable
    from keywright.key import Key
    from keywright.protocols import Format, KeyType
    from keywright.registry import Registry

__all__ = ["Plan", "Wanted", "check_kid_rotates", "check_times", "import_plan", "kid_for", "make_plan"]

# The pairs that imply each other where only one of type and format is given.
DEFAULT_TYPE: Final = "ed25519"
_FORMAT_OF_TYPE: Final = {"ed25519": "nix"}
_FORMAT_OTHERWISE: Final = "jwk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
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
        ConfigError: a setting is wrong, the format cannot carry the type, or the times are in the wrong order.
    """
    common = table.common()
    before = before or Wanted()
    type_name = wanted.type or common.optional_text("type")
    format_name = wanted.format or common.optional_text("format")
    if type_name is None and format_name is None:
        type_name, format_name = before.type, before.format
    key_type, format_ = _pair(plugins, type_name, format_name)
    given = dict(table.specific()) if common["type"] in (None, key_type.name) else {}
    if before.type == key_type.name:
        given = {**_given(before.options, source="the version before"), **given}
    given |= _given(wanted.options, source="argument")
    options = check_options(
        given, key_type.settings, owner=f"key type {key_type.name!r}", path=table.path, source=table.source
    )
    check_times(wanted.activates, wanted.expires, now)
    labels = {**(before.labels or {}), **common.table("labels"), **(wanted.labels or {})}
    attributes = {**(before.attributes or {}), **common.table("attributes"), **(wanted.attributes or {})}
    return Plan(
        key_type=key_type,
        format=format_,
        options=options,
        kid=wanted.kid or common.optional_text("kid"),
        labels=check_labels(labels),
        attributes=Attributes(attributes),
        activates=wanted.activates,
        expires=wanted.expires,
        overlap=wanted.overlap if wanted.overlap is not None else cast("timedelta | None", common["overlap"]),
    )


def import_plan(
    key_type: KeyType,
    format_: Format,
    *,
    kid: str | None,
    labels: Mapping[str, str] | None,
    expires: datetime | None,
    now: datetime,
) -> Plan:
    """The plan for a key that is there already: `[keys.NAME]` has no say in what others made.

    Raises:
        ConfigError: a label is none, or the key would never sign.
    """
    check_times(None, expires, now)
    return Plan(
        key_type=key_type,
        format=format_,
        options=Options(),
        kid=kid,
        labels=check_labels(labels or {}),
        attributes=Attributes(),
        activates=None,
        expires=expires,
        overlap=None,
    )


def _pair(plugins: Registry, type_name: str | None, format_name: str | None) -> tuple[KeyType, Format]:
    if format_name is None:
        type_name = type_name or DEFAULT_TYPE
        format_name = _FORMAT_OF_TYPE.get(type_name, _FORMAT_OTHERWISE)
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


def check_times(activates: datetime | None, expires: datetime | None, now: datetime) -> None:
    """Check that a version will have a time in which it signs.

    Raises:
        ConfigError: a time has no zone, or `expires` is not after `activates` and now.
    """
    for name, time in (("activates", activates), ("expires", expires)):
        if time is not None and time.tzinfo is None:
            raise ConfigError(f"{name} must be a time with a zone, such as 2027-01-31T12:00:00Z")
    if expires is not None and expires <= max(now, activates or now):
        raise ConfigError("expires must be after the activation and after now, or the key would never sign")


def kid_for(plan: Plan, name: str, version: int, key: Key) -> str | None:
    """The kid by the plan's template or the format's default; None: draw one.

    A template may hold `{name}` and `{version}`.
    """
    if plan.kid is not None:
        return plan.kid.replace("{name}", name).replace("{version}", str(version))
    return plan.format.default_kid(name, version, key)


def check_kid_rotates(plan: Plan, name: str, last_version: int, last: Key) -> None:
    """Refuse to guess how a kid that was chosen by hand goes on.

    Raises:
        PolicyError: the configured kid has no `{version}`, so the next version would get the same; or the format
            derives kids from names, and the last version's kid was not derived so.
    """
    if plan.kid is not None:
        if "{version}" not in plan.kid and plan.kid == last.kid:
            raise PolicyError(f"the kid of {name} would stay the same; set keys.{name}.kid to a text with {{version}}")
        return
    derived = plan.format.default_kid(name, last_version, last)
    if derived is not None and name in derived and derived != last.kid:
        raise PolicyError(
            f"the kid of {name}@{last_version} was chosen by hand, so the next one is not guessed; say --kid, or set "
            f"keys.{name}.kid to a text with {{version}}"
        )
