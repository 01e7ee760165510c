"""What the next version of a name will be: as the last one was, unless somebody says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from keywright.errors import ConfigError, PolicyError
from keywright.keys import Attributes
from keywright.records import RecordInfo, State
from keywright.ring.conversion import public_attributes
from keywright.ring.plan import Plan, Wanted, kid_for, make_plan
from keywright.settings.model import Given

if TYPE_CHECKING:
    from keywright.config.model import KeyTable
    from keywright.keys import Key
    from keywright.plugins.registry import Registry
    from keywright.protocols import Format
    from keywright.ring.opened import OpenedStore

__all__ = ["plan_rotation"]

# Certificates are of the last version's public half, so the next version has none of them (RFC 7517 §4.6 to §4.9).
_CERTIFICATES: Final = frozenset({"x5c", "x5t", "x5t#S256", "x5u"})


def plan_rotation(
    plugins: Registry, table: KeyTable, opened: OpenedStore, last: RecordInfo, wanted: Wanted, now: datetime
) -> Plan:
    """The plan of the version after `last`.

    Raises:
        PolicyError: the kid, the size or the attributes would have to be guessed.
        ConfigError: no new key has the size of the last one. Beside that, and UnknownPluginError: as `make_plan`.
    """
    last_key = opened.load(last)
    if last_key.secret is None and last.state is not State.DESTROYED and opened.signing is None:
        raise PolicyError(
            f"{last.reference} is a public key, imported without its secret half, so its owner rotates it; store the "
            "next one with import --next --public"
        )
    # What the format publishes of a destroyed key is not all that it was: to sign with that would be a guess.
    is_gone = last_key.secret is None and opened.signing is None
    attributes = Attributes() if is_gone else last_key.attributes
    bits, refusal = _bits_before(plugins, table, last, last_key)
    before = Wanted(
        type=last.key_type,
        format=last.format,
        labels=last.labels,
        attributes={name: value for name, value in attributes.items() if name not in _CERTIFICATES},
        options={} if bits is None else {"bits": bits},
    )
    plan = make_plan(plugins, table, wanted, before=before, now=now)
    if wanted.attributes is not None and not wanted.attributes:
        plan = plan._replace(attributes=Attributes())
    says_bits = "bits" in (wanted.options or {}) or "bits" in table.specific()
    if says_bits or plan.key_type.name != last.key_type:
        refusal = None
    says_attributes = wanted.attributes is not None or "attributes" in table.given
    if is_gone and not says_attributes and _carries_attributes(plugins.format(last.format or ""), last_key):
        raise _attributes_unknown(table, last, size=isinstance(refusal, PolicyError))
    if wanted.kid is None:
        _check_kid(plugins, table, plan, last, last_key)
    if refusal is not None:
        raise refusal
    return plan


def _attributes_unknown(table: KeyTable, last: RecordInfo, *, size: bool) -> PolicyError:
    """What went with the secret of `last`, and is said all at once; `size`: that, too."""
    what, bits, bits_set = (" and the size", ", and --bits", f", and {table.path}.bits") if size else ("", "", "")
    return PolicyError(
        f"the attributes{what} of {last.reference} are not known any more; say --attribute or --no-attributes{bits}, "
        f"or set {table.path}.attributes, to {{}} for none{bits_set}"
    )


def _carries_attributes(format_: Format, key: Key) -> bool:
    """Whether the format publishes a `use`; where it publishes nothing, as for `oct`, it may carry all the same."""
    if key.public is None:
        return True
    return bool(public_attributes(format_, replace(key, attributes=Attributes({"use": "sig"}))))


def _bits_before(
    plugins: Registry, table: KeyTable, last: RecordInfo, last_key: Key
) -> tuple[int | None, PolicyError | ConfigError | None]:
    """The size that goes on, or why none does, for a type that has sizes."""
    key_type = plugins.key_type(last.key_type)
    setting = next((setting for setting in key_type.settings if setting.name == "bits"), None)
    if setting is None:
        return None, None
    way_out = f"say --bits, or set {table.path}.bits"
    if last_key.secret is None and last_key.public is None:
        return None, PolicyError(f"the size of {last.reference} is not known any more; {way_out}")
    bits = key_type.bits(last_key)
    from keywright.settings.values import parse_setting

    try:
        parse_setting(setting, Given(bits, "bits", last.reference, ""))
    except ConfigError:
        return None, ConfigError(
            f"{last.reference} has {bits} bits, and bits of a new key must be {setting.rule()}; {way_out}"
        )
    return bits, None


def _check_kid(plugins: Registry, table: KeyTable, plan: Plan, last: RecordInfo, last_key: Key) -> None:
    """Refuse to guess how a kid that was chosen by hand goes on."""
    if plan.kid is not None:
        if "{version}" not in plan.kid and kid_for(plan, last.name, last.version + 1, last_key) == last.kid:
            raise PolicyError(
                f"the kid of {last.name} would stay the same; set {table.path}.kid to a text with {{version}}"
            )
        return
    default_kid = plugins.format(last.format or "").default_kid
    counted, following = (default_kid(last.name, version, last_key) for version in (last.version, last.version + 1))
    # A format that does not count versions derives the next kid from the next key, whatever the last one was called.
    if counted != following and counted != last.kid:
        raise PolicyError(
            f"the kid of {last.reference} was chosen by hand, so the next one is not guessed; say --kid, or set "
            f"{table.path}.kid to a text with {{version}}"
        )
