"""Rotation by the clock: which names are due, and rotating those."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from keywright.errors import (
    ConfigError,
    KeyExistsError,
    KeywrightError,
    PolicyError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright.keys import check_name
from keywright.lifecycle import Phase, newest_in_use, phases, why_not
from keywright.records import RecordInfo
from keywright.ring.arguments import check_texts
from keywright.ring.create import rotate_after
from keywright.ring.plan import NewVersion, make_plan

if TYPE_CHECKING:
    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore


class Due(NamedTuple):
    """A name whose `rotate_every` has passed, or for which that is unknown.

    Attributes:
        name: the key's name.
        newest: the version that is too old, or whose age is unknown, or the last one if no version signs; None if it
            could not be read, or is in another store.
        since: since when it is due, in UTC; None if that is unknown.
        made: the version that follows it; None if none was created.
        error: why it could not be read, or rotated, or why it is unknown whether it is due.
    """

    name: str
    newest: RecordInfo | None
    since: datetime | None
    made: RecordInfo | None = None
    error: KeywrightError | None = None


def due(context: RingContext, names: tuple[str, ...], store: str | None) -> Iterator[Due]:
    """`KeyRing.due`."""
    for one, _ in _find_due(context, names, store):
        yield one


def rotate_due(context: RingContext, names: tuple[str, ...], store: str | None) -> Iterator[Due]:
    """`KeyRing.rotate_due`."""
    for one, infos in _find_due(context, names, store):
        if one.error is not None:
            yield one
            continue
        try:
            opened = context.stores.get(store, name=one.name)
            _ = opened.writable  # a read-only store is refused before its keys are opened
            yield one._replace(made=rotate_after(context, opened, infos, NewVersion()))
        except KeyExistsError as error:
            newest = context.stores.get(store, name=one.name).store.versions(one.name)[-1]
            if newest.version == infos[-1].version:
                yield one._replace(error=error)  # such as a kid that exists; else another process rotated it meanwhile
        except KeywrightError as error:
            yield one._replace(error=error)


def _find_due(
    context: RingContext, names: tuple[str, ...], store: str | None
) -> Iterator[tuple[Due, tuple[RecordInfo, ...]]]:
    """What is due, each with the versions that were judged."""
    check_texts(store=store)
    for name in names:  # before any of them is rotated
        table = context.config.key(check_name(name))
        if "rotate_every" not in table.given:
            raise ConfigError(
                f"key {name} has no rotation period",
                hint=f"set {table.path}.rotate_every, or run `keywright rotate {name}`",
            )
    for name in names or context.config.keys:
        table = context.config.key(name)
        try:
            every = table.common().optional_duration("rotate_every")
            # Also if there seems to be none: a misspelt one would never be noticed.
            make_plan(context.registry, table, NewVersion(), now=context.clock())
            if every is None:
                continue
            opened = context.stores.get(store, name=name)
            infos = tuple(opened.store.versions(name))
        except KeywrightError as error:
            yield Due(name, None, None, error=error), ()
            continue
        # With a store given, only the names of that store count; those of others are ignored.
        is_expected = bool(names) or (store is None and context.stores.default is None)
        found = None
        if infos:
            found = _judge(context, opened, infos, every)
        elif is_expected:
            found = _missing(context, opened, name)
        if found is not None:
            yield found, infos


def _missing(context: RingContext, opened: OpenStore, name: str) -> Due | None:
    """A name that its store lacks, and another store has or could not be asked for; None: it never existed."""
    holders, silent = context.stores.elsewhere(opened, name)
    if holders:
        return Due(name, None, None, error=context.stores.not_found(opened, name))
    if not silent:
        return None
    unasked = StoreUnavailableError(
        f"store {opened.name!r} has no key {name}, and it is unknown whether {silent[0]!r} has it, because that "
        f"store is not available",
        hint=f"make it available, or create one here with `keywright ensure --allow-duplicate {name}`",
    )
    return Due(name, None, None, error=unasked)


def _judge(context: RingContext, opened: OpenStore, infos: tuple[RecordInfo, ...], every: timedelta) -> Due | None:
    """Whether the name is due by its newest version in use, or that is unknown; None: it is not."""
    now = context.clock()
    newest = newest_in_use(infos, now)
    if newest is None:
        if any(one.phase is Phase.ANNOUNCED for one in phases(infos, now)):
            return None
        name = infos[-1].name
        reason, hint = why_not(infos, now, context.stores.option(opened, name))
        silenced = PolicyError(
            f"no version of {name} signs, so it is not rotated automatically: {reason}",
            hint=f"{hint} by hand, or leave out {context.config.key(name).path}.rotate_every",
        )
        return Due(name, infos[-1], None, error=silenced)
    ends = (None if newest.created is None else newest.created + every, newest.expires)
    since = min((end for end in ends if end is not None), default=None)
    if since is not None and since <= now:
        return Due(newest.name, newest, since)
    if newest.created is not None:
        return None
    hint = (
        f"run `keywright rotate {newest.name}`; the new version will have a creation time"
        if opened.capabilities.writable
        else f"leave out {context.config.key(newest.name).path}.rotate_every, or migrate it to a store with metadata"
    )
    unknown = UnsupportedOperationError(
        f"store {opened.name!r} has no creation time of {newest.reference}, so it is unknown when it is due",
        hint=hint,
    )
    return Due(newest.name, newest, None, error=unknown)
