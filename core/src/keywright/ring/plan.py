"""What to create: from arguments, the `[keys.NAME]` table and the version before to one plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from keywright.config.model import KEY_SETTING_NAMES, fault_in_kid
from keywright.errors import ConfigError, PolicyError
from keywright.keys import Attributes
from keywright.records import RecordInfo, State
from keywright.ring.arguments import check_duration, check_labels, check_texts, check_times, error_context, options_of
from keywright.ring.codec import public_attributes
from keywright.settings.model import Options, RawValue

if TYPE_CHECKING:
    from keywright.config.model import KeyConfig
    from keywright.keys import Key
    from keywright.plugins.registry import Registry
    from keywright.protocols import Format, KeyType
    from keywright.ring.stores import OpenStore

DEFAULT_TYPE: Final = "ed25519"
# The formats that are chosen for a type if none is given, as far as they are installed.
_PREFERRED: Final = {"ed25519": "nix"}
_PREFERRED_OTHERWISE: Final = "jwk"
# Certificates are of the last version's public half, so the next version has none of them (RFC 7517 §4.6 to §4.9).
_CERTIFICATES: Final = frozenset({"x5c", "x5t", "x5t#S256", "x5u"})


class NewVersion(NamedTuple):
    """What a caller asked for; None and empty where it left the choice.

    Attributes:
        activate_in: of a next version, instead of `activates`.
        options: settings of the key type, such as `bits`; text is parsed as the setting's type requires.
    """

    type: str | None = None
    format: str | None = None
    kid: str | None = None
    labels: Mapping[str, str] | None = None
    attributes: Mapping[str, object] | None = None
    activates: datetime | None = None
    activate_in: timedelta | None = None
    expires: datetime | None = None
    overlap: timedelta | None = None
    options: Mapping[str, object] | None = None


class Plan(NamedTuple):
    """What will be created."""

    key_type: KeyType
    format: Format
    options: Options
    kid: str | None
    labels: Mapping[str, str]
    attributes: Attributes
    activates: datetime | None
    expires: datetime | None
    overlap: timedelta | None

    @property
    def bits(self) -> int | None:
        """The size that was chosen, in bits; None if the key type has no such setting."""
        return self.options.integer("bits") if "bits" in self.options else None

    def info(self, name: str, version: int, **others: Any) -> RecordInfo:
        """The metadata of a version that is created by this plan; `others` are further fields."""
        return RecordInfo(
            name=name,
            version=version,
            key_type=self.key_type.name,
            format=self.format.name,
            activates=self.activates,
            expires=self.expires,
            overlap=self.overlap,
            labels=self.labels,
            **others,
        )

    def kid_for(self, name: str, version: int, key: Key) -> str:
        """The kid by the plan's template, which may contain `{name}` and `{version}`, or the format's default.

        Without both it is 128 random bits in hex: for keys whose hash would reveal something about their secret.
        """
        if self.kid is not None:
            return self.kid.replace("{name}", name).replace("{version}", str(version))
        return self.format.default_kid(name, version, key) or os.urandom(16).hex()


def make_plan(
    registry: Registry, table: KeyConfig, wanted: NewVersion, *, before: NewVersion | None = None, now: datetime
) -> Plan:
    """Make a plan: what was asked for, else what `[keys.NAME]` says, else the version before, else the defaults.

    Raises:
        UnknownPluginError: no plugin for the type or format is installed.
        ConfigError: a setting or time is wrong, a text is empty, the kid has another placeholder than `{name}` and
            `{version}` or more than 1024 characters, or the format cannot carry the type.
    """
    check_texts(type=wanted.type, format=wanted.format, kid=wanted.kid)
    fault = None if wanted.kid is None else fault_in_kid(wanted.kid, table.name)
    if fault is not None:
        raise ConfigError(f"kid {fault}")
    common = table.common()
    before = before or NewVersion()
    type_name = common.optional_text("type") if wanted.type is None else wanted.type
    format_name = common.optional_text("format") if wanted.format is None else wanted.format
    declared = wanted.type is None and wanted.format is None and (type_name or format_name) is not None
    with error_context(table.source, table.path) if declared else nullcontext():
        key_type, format_ = _choose_pair(registry, type_name, format_name, before)
    given = dict(table.specific()) if common["type"] in (None, key_type.name) else {}
    if before.type == key_type.name:
        given = {**_given(before.options, source="the version before"), **given}
    given |= _given(wanted.options, source="")
    owner = f"key type {key_type.name!r}"
    options = options_of(table, key_type.settings, owner, KEY_SETTING_NAMES, given=given)
    overlap = wanted.overlap if wanted.overlap is not None else common.optional_duration("overlap")
    expires_in = common.optional_duration("expires_in")
    ends = wanted.expires
    if ends is None and expires_in is not None:
        ends = (wanted.activates or now) + expires_in
    activates, expires = check_times(wanted.activates, ends, overlap, now)
    with error_context(table.source, f"{table.path}.labels"):
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


def _choose_pair(
    registry: Registry, type_name: str | None, format_name: str | None, before: NewVersion
) -> tuple[KeyType, Format]:
    """The key type and the format. One that was left open stays as before if it fits, and is else implied."""
    if format_name is None:
        if type_name is None:
            type_name = before.type or DEFAULT_TYPE
        kept = None if before.format is None else registry.format(before.format)
        if kept is not None and type_name in kept.key_types:
            format_name = kept.name
        else:
            format_name = _default_format(registry, type_name)
    elif type_name is None and before.type in registry.format(format_name).key_types:
        type_name = before.type
    # That a type does not exist is more useful than an error about the format it would have.
    key_type = registry.key_type(type_name) if type_name is not None else None
    format_ = registry.format(format_name)
    key_type = key_type or registry.key_type(format_.key_types[0])
    if key_type.name not in format_.key_types:
        carries = ", ".join(format_.key_types)
        raise ConfigError(
            f"format {format_.name!r} cannot carry a key of type {key_type.name!r}", hint=f"it carries: {carries}"
        )
    return key_type, format_


def _default_format(registry: Registry, type_name: str) -> str:
    """The name of the format for a type: the preferred one, else the only installed one that carries it.

    Raises:
        ConfigError: several others carry it, or none does.
    """
    preferred = _PREFERRED.get(type_name, _PREFERRED_OTHERWISE)
    if preferred in registry.names("format") and type_name in registry.format(preferred).key_types:
        return preferred
    registry.key_type(type_name)  # that the type does not exist is more useful than that no format carries it
    if preferred not in registry.formats and registry.has_gaps:
        registry.format(preferred)  # raises: it may be in a plugin that failed, and another one would be a guess
    carrying = [format_.name for format_ in registry.formats.values() if type_name in format_.key_types]
    if not carrying:
        raise ConfigError(
            f"no installed format carries keys of type {type_name!r}",
            hint="install a plugin with a format for them; `keywright plugins` lists what is installed",
        )
    if len(carrying) > 1:
        raise ConfigError(
            f"several formats carry keys of type {type_name!r}", hint=f"pass --format: {', '.join(carrying)}"
        )
    return carrying[0]


def _given(options: Mapping[str, object] | None, *, source: str) -> dict[str, RawValue]:
    return {
        name: RawValue(value, name, source, "", textual=isinstance(value, str))
        for name, value in (options or {}).items()
    }


def activation_of(table: KeyConfig, activate_in: timedelta | None, now: datetime) -> datetime | None:
    """When a next version starts to sign: after `activate_in`, else as the table says, else at once (None)."""
    if activate_in is None:
        activate_in = table.common().optional_duration("activate_in")
    check_duration("activate_in", activate_in)
    # Without a wait there is no time: the version signs at once on every clock.
    return now + activate_in if activate_in else None


def plan_rotation(
    registry: Registry, table: KeyConfig, opened: OpenStore, last: RecordInfo, wanted: NewVersion, now: datetime
) -> Plan:
    """The plan of the version after `last`.

    Raises:
        PolicyError: the kid, the size or the attributes would have to be guessed.
        ConfigError: no new key has the size of the last one. Also, and UnknownPluginError: as `make_plan`.
    """
    activates = activation_of(table, wanted.activate_in, now)
    last_key = opened.load(last)
    if last_key.secret is None and last.state is not State.DESTROYED and opened.signing is None:
        raise PolicyError(
            f"{last.reference} is a public key, imported without its secret half, so its owner rotates it",
            hint="store the next one with import --as-new-version --public",
        )
    # What the format publishes of a destroyed key is not all that it was: to sign with that would be a guess.
    is_gone = last_key.secret is None and opened.signing is None
    attributes = Attributes() if is_gone else last_key.attributes
    bits, refusal = _bits_before(registry, table, last, last_key)
    before = NewVersion(
        type=last.key_type,
        format=last.format,
        labels=last.labels,
        attributes={name: value for name, value in attributes.items() if name not in _CERTIFICATES},
        options={} if bits is None else {"bits": bits},
    )
    plan = make_plan(registry, table, wanted._replace(activates=activates), before=before, now=now)
    if wanted.attributes is not None and not wanted.attributes:
        plan = plan._replace(attributes=Attributes())
    has_bits = "bits" in (wanted.options or {}) or "bits" in table.specific()
    if has_bits or plan.key_type.name != last.key_type:
        refusal = None
    has_attributes = wanted.attributes is not None or "attributes" in table.given
    if is_gone and not has_attributes and _carries_attributes(registry.format(last.format or ""), last_key):
        raise _attributes_unknown(table, last, size=isinstance(refusal, PolicyError))
    if wanted.kid is None:
        _check_kid(registry, table, plan, last, last_key)
    if refusal is not None:
        raise refusal
    return plan


def _attributes_unknown(table: KeyConfig, last: RecordInfo, *, size: bool) -> PolicyError:
    """Names everything that is gone with the secret of `last` at once; `size`: the size, too."""
    what, bits, bits_set = (" and the size", ", and --bits", f", and {table.path}.bits") if size else ("", "", "")
    return PolicyError(
        f"the attributes{what} of {last.reference} are no longer known",
        hint=f"pass --attribute or --no-attributes{bits}, or set {table.path}.attributes, to {{}} for none{bits_set}",
    )


def _carries_attributes(format_: Format, key: Key) -> bool:
    """Whether the format publishes a `use`; one that publishes nothing, as for `oct`, may carry it nevertheless."""
    if key.public is None:
        return True
    return bool(public_attributes(format_, key.replace(attributes=Attributes({"use": "sig"}))))


def _bits_before(
    registry: Registry, table: KeyConfig, last: RecordInfo, last_key: Key
) -> tuple[int | None, PolicyError | ConfigError | None]:
    """The size of the last key, or why the next one cannot have it; for a type that has sizes."""
    key_type = registry.key_type(last.key_type)
    setting = next((setting for setting in key_type.settings if setting.name == "bits"), None)
    if setting is None:
        return None, None
    hint = f"pass --bits, or set {table.path}.bits"
    if last_key.secret is None and last_key.public is None:
        return None, PolicyError(f"the size of {last.reference} is no longer known", hint=hint)
    bits = key_type.bits(last_key)
    from keywright.settings.values import parse_setting

    try:
        parse_setting(setting, RawValue(bits, "bits", last.reference, ""))
    except ConfigError:
        return None, ConfigError(
            f"{last.reference} has {bits} bits, and bits of a new key must be {setting.rule()}", hint=hint
        )
    return bits, None


def _check_kid(registry: Registry, table: KeyConfig, plan: Plan, last: RecordInfo, last_key: Key) -> None:
    """Refuse to guess the kid that follows one that was chosen by hand."""
    if plan.kid is not None:
        if "{version}" not in plan.kid and plan.kid_for(last.name, last.version + 1, last_key) == last.kid:
            raise PolicyError(
                f"the kid of {last.name} would stay the same", hint=f"set {table.path}.kid to a text with {{version}}"
            )
        return
    default_kid = registry.format(last.format or "").default_kid
    counted, following = (default_kid(last.name, version, last_key) for version in (last.version, last.version + 1))
    # A format that does not count versions derives the next kid from the next key, whatever the last one was.
    if counted != following and counted != last.kid:
        raise PolicyError(
            f"the kid of {last.reference} was chosen by hand, so the next one cannot be derived",
            hint=f"pass --kid, or set {table.path}.kid to a text with {{version}}",
        )
