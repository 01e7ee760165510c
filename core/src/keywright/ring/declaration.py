"""Declared keys: whether what a `[keys.NAME]` table says could be made, found out without making it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from keywright.errors import ConfigError, KeywrightError, PluginError, SealError, StoreError, UnsupportedKeyError
from keywright.keys import Attributes
from keywright.records import RecordInfo
from keywright.ring.conversion import check_carried, read_back
from keywright.ring.operation import describe
from keywright.ring.plan import Plan, Wanted, kid_for, make_plan
from keywright.ring.version import random_kid
from keywright.secret import Secret
from keywright.settings.model import Options

if TYPE_CHECKING:
    from keywright.config.model import KeyTable
    from keywright.keys import Key
    from keywright.ring.base import RingBase
    from keywright.ring.opened import OpenedStore

__all__ = ["declaration_faults"]

_SLOW_BITS: Final = 1000


def declaration_faults(ring: RingBase, table: KeyTable, *, review: bool = True) -> Iterator[KeywrightError]:
    """What would keep a declared key from being made, or rotated by the clock. Nothing is written or observed.

    With `review`, reviewers are asked of a key that no version was ever made of, as for a dry run. Where the store is
    read-only by its kind, somebody else puts the keys in it, and nothing but the settings is looked at; where it cannot
    be reached, what depends on what it holds is left out.
    """
    try:
        plan = make_plan(ring.plugins, table, Wanted(), now=ring.now())
        opened = ring.open_store(name=table.name)
    except (StoreError, SealError):
        return
    except KeywrightError as fault:
        yield fault
        return
    if not opened.capabilities.writable:
        return
    checks: list[Callable[[], object]] = [partial(_check_kid, plan, table), partial(_check_format, opened, plan, table)]
    if _is_new(opened, table.name):
        checks.append(lambda: opened.writable)
        if review:
            checks.append(partial(_check_policy, ring, opened, plan, table))
    for check in checks:
        try:
            check()
        except KeywrightError as fault:
            yield type(fault)(f"{table.source}: {table.path}: {fault}")
        except Exception as error:  # noqa: BLE001  (a stranger's key type or format; its words could quote the key)
            yield PluginError(
                f"{table.source}: {table.path}: a plugin failed with {type(error).__name__}; report it to its author"
            )


def _is_new(opened: OpenedStore, name: str) -> bool:
    """Whether the store says that no version was ever made."""
    try:
        return not opened.store.versions(name)
    except KeywrightError:
        return False


def _check_kid(plan: Plan, table: KeyTable) -> None:
    if plan.kid is not None and "{version}" not in plan.kid and table.common()["rotate_every"] is not None:
        raise ConfigError(
            "kid is the same for every version, so rotate_every could make none; set kid to a text with {version}"
        )


def _check_format(opened: OpenedStore, plan: Plan, table: KeyTable) -> None:
    """Raises: as what makes a version, where the format does not take the kid of the first or second, or attributes."""
    fresh = plan.key_type.generate(_quick(plan))
    whole = replace(fresh, attributes=Attributes({**plan.attributes, **fresh.attributes}))
    if opened.capabilities.signing:
        if whole.public is None:
            return  # the store alone knows whether it can make one
        whole = whole.without_secret()
    for version in (1, 2):
        named = replace(whole, kid=kid_for(plan, table.name, version, whole) or random_kid())
        _check_encoded(plan, named)


def _check_encoded(plan: Plan, key: Key) -> None:
    encode = plan.format.encode_public if key.secret is None else plan.format.encode_secret
    encoded = encode(key)
    again = read_back(plan.format, encoded if isinstance(encoded, Secret) else Secret(encoded), lenient=False)
    check_carried(plan.format, key, again)
    if plan.key_type.complete(again) != key:
        raise UnsupportedKeyError(f"format {plan.format.name!r} gives another key back than it gets; name another")


def _quick(plan: Plan) -> Options:
    """The options of the plan, but of a type whose keys are all large and slow to make, the smallest one's."""
    for setting in plan.key_type.settings:
        if setting.name == "bits" and (setting.minimum or 0) > _SLOW_BITS:
            return Options({**plan.options, "bits": setting.minimum})
    return plan.options


def _check_policy(ring: RingBase, opened: OpenedStore, plan: Plan, table: KeyTable) -> None:
    info = RecordInfo(
        name=table.name,
        version=1,
        key_type=plan.key_type.name,
        format=plan.format.name,
        expires=plan.expires,
        labels=plan.labels,
    )
    bits = plan.options.integer("bits") if "bits" in plan.options else None
    ring.observers.review(describe("generate", opened, info, ring.now(), bits, dry_run=True))
