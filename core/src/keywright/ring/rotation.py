"""What the next version of a name will be: as the last one was, unless somebody says otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from keywright.errors import PolicyError
from keywright.record import RecordInfo
from keywright.ring.plan import Plan, Wanted, kid_for, make_plan

if TYPE_CHECKING:
    from keywright.config import KeyTable
    from keywright.key import Key
    from keywright.registry import Registry

__all__ = ["plan_rotation"]

# Certificates are of the last version's public half, so the next version has none of them (RFC 7517 §4.6 to §4.9).
_CERTIFICATES: Final = frozenset({"x5c", "x5t", "x5t#S256", "x5u"})


def plan_rotation(
    plugins: Registry, table: KeyTable, last: RecordInfo, last_key: Key, wanted: Wanted, now: datetime
) -> Plan:
    """The plan of the version after `last`.

    Raises:
        PolicyError: the kid or the size would have to be guessed.
        ConfigError, UnknownPluginError: as `make_plan`.
    """
    bits = _bits_before(plugins, last, last_key)
    before = Wanted(
        type=last.key_type,
        format=last.format,
        labels=last.labels,
        attributes={name: value for name, value in last_key.attributes.items() if name not in _CERTIFICATES},
        options={} if bits is None else {"bits": bits},
    )
    plan = make_plan(plugins, table, wanted, before=before, now=now)
    if wanted.kid is None:
        _check_kid(plugins, table, plan, last, last_key)
    said = "bits" in (wanted.options or {}) or "bits" in table.specific()
    if "bits" in plan.options and plan.key_type.name == last.key_type and bits is None and not said:
        raise PolicyError(f"the size of {last.reference} is not known any more; say --bits, or set {table.path}.bits")
    return plan


def _bits_before(plugins: Registry, last: RecordInfo, last_key: Key) -> int | None:
    key_type = plugins.key_type(last.key_type)
    has_sizes = any(setting.name == "bits" for setting in key_type.settings)
    known = last_key.secret is not None or last_key.public is not None
    return key_type.bits(last_key) if has_sizes and known else None


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
