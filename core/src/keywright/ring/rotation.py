"""What the next version of a name will be: as the last one was, unless somebody says otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from keywright.errors import PolicyError
from keywright.record import RecordInfo
from keywright.ring.plan import Plan, Wanted, check_kid_rotates, make_plan

if TYPE_CHECKING:
    from keywright.config import KeyTable
    from keywright.key import Key
    from keywright.registry import Registry

__all__ = ["plan_rotation"]


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
        attributes=last_key.attributes.plain(),
        options={} if bits is None else {"bits": bits},
    )
    plan = make_plan(plugins, table, wanted, before=before, now=now)
    if wanted.kid is None:
        check_kid_rotates(plan, last.name, last.version, last_key)
    said = bits is not None or "bits" in (wanted.options or {}) or "bits" in table.specific()
    if "bits" in plan.options and not said:
        raise PolicyError(
            f"the size of {last.reference} is not known any more; say --bits, or set keys.{last.name}.bits"
        )
    return plan


def _bits_before(plugins: Registry, last: RecordInfo, last_key: Key) -> int | None:
    key_type = plugins.key_type(last.key_type)
    has_sizes = any(setting.name == "bits" for setting in key_type.settings)
    known = last_key.secret is not None or last_key.public is not None
    return key_type.bits(last_key) if has_sizes and known else None
