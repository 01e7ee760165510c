"""Names that several stores have: migrations that are not complete, and conflicts that no migration resolves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from itertools import combinations
from typing import TYPE_CHECKING, Final

from keywright.config.layers import dotted
from keywright.protocols import Problem
from keywright.records import RecordInfo
from keywright.ring.stores import CHAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore

_SHOWN: Final = 3


class _Case(Enum):
    """What a name is that two stores have."""

    MOVING = "one of them is looked in: migrated in part, or copied before the configuration was changed"
    UNUSED = "neither is looked in"
    DIFFERENT = "two keys, or one that was imported twice"


def find_same_places(context: RingContext) -> Mapping[str, str]:
    """The stores that are the same place as another one before them, each with that one."""
    found: dict[str, str] = {}
    places: dict[str, OpenStore] = {}
    for name, table in context.config.stores.items():
        # A chain has no place, and what cannot be opened is reported elsewhere.
        with suppress(Exception):
            if table.backend != CHAIN:
                opened = context.stores.get(name)
                first = next((other for other, place in places.items() if opened.is_same_place(place)), None)
                if first is None:
                    places[name] = opened
                else:
                    found[name] = first
    return found


def find_duplicates(context: RingContext, holders: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """A problem for each case and pair of stores that have names in common.

    `holders` has for every name the stores that have it.
    """
    found: dict[_Case, dict[tuple[str, str], list[str]]] = {case: {} for case in _Case}
    for name, stores in holders.items():
        homes = _looked_for_in(context, name) if len(stores) > 1 else ()
        home = next((store for store in homes if store in stores), None)
        for one, other in combinations(stores, 2):
            if _differ(context, name, one, other):
                if name not in context.config.keys or "store" not in context.config.key(name).given:
                    found[_Case.DIFFERENT].setdefault((one, other), []).append(name)
            elif home is None:
                found[_Case.UNUSED].setdefault((one, other), []).append(name)
            elif home in (one, other):
                found[_Case.MOVING].setdefault((other if home == one else one, home), []).append(name)
    for case, pairs in found.items():
        for (one, other), names in pairs.items():
            message, hint = _text(context, case, (one, other), names, holders)
            yield Problem(f"stores {one!r} and {other!r}", message, hint)


def _text(
    context: RingContext,
    case: _Case,
    stores: tuple[str, str],
    names: Sequence[str],
    holders: Mapping[str, Sequence[str]],
) -> tuple[str, str]:
    """Message and hint for the names of a pair of stores; of `MOVING` the second is the one that is looked in."""
    source, target = stores
    count, it = ("one name is", "it") if len(names) == 1 else (f"{len(names)} names are", "them")
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    looked_for = f"{count} in both, and the configuration looks for {it} in"
    if case is _Case.MOVING:
        message = f"{looked_for} store {target!r}: {shown}"
        for store in stores:
            if not context.stores.get(store).capabilities.writable:
                return (
                    message,
                    f"store {store!r} is read-only, so if the other is to keep {it}, unset {it} there by hand",
                )
        command = f"keywright migrate --from {source} --to {target} --delete-source"
        if _has_others(context, holders, source, target, names):
            command = " ".join((command, *names))
        return message, f"run `{command}`, or if store {source!r} is to keep {it}, change the configuration first"
    likewise = "" if len(names) == 1 else ", and that of the others likewise"
    setting = f"{dotted('keys', names[0])}.store"
    if case is _Case.UNUSED:
        return f"{looked_for} neither: {shown}", f"set {setting} to the store that keeps it{likewise}"
    message = f"have different keys under one name, or one key that was imported twice: {', '.join(names)}"
    return message, f"set {setting} to the store whose key counts{likewise}"


def _has_others(
    context: RingContext, holders: Mapping[str, Sequence[str]], source: str, target: str, names: Sequence[str]
) -> bool:
    """Whether `migrate` without names would move other names of the source too, or refuse to remove anything."""
    moved = set(names)
    return any(
        source in stores and name not in moved and (target in stores or target not in _looked_for_in(context, name))
        for name, stores in holders.items()
    )


def _looked_for_in(context: RingContext, name: str) -> Sequence[str]:
    """The stores in which the configuration looks for a name; of a chain, the one that is written to comes first."""
    with suppress(Exception):  # a table that is wrong is reported elsewhere
        table = context.stores.configured(name)
        if table.backend != CHAIN:
            return (table.name,)
        write_to = table.given.get("write_to")
        return (*((str(write_to.value),) if write_to else ()), *context.stores.chain(table).stores)
    return ()


def _differ(context: RingContext, name: str, one: str, other: str) -> bool:
    """Whether two stores have no version of a name in common, or have a version with different keys or times."""
    with suppress(Exception):  # a store that fails is reported elsewhere
        # A key that was imported twice has two creation times, and neither takes precedence.
        timed = all(context.stores.get(store).capabilities.metadata for store in (one, other))
        first, second = (_identities(context.stores.get(store), name, timed=timed) for store in (one, other))
        both = first.keys() & second.keys()
        return not both or any(first[version] != second[version] for version in both)
    return False


def _identities(opened: OpenStore, name: str, *, timed: bool) -> dict[int, tuple[object, ...]]:
    """What identifies the key of each version."""

    def identity(info: RecordInfo) -> tuple[object, ...]:
        times = (info.created, info.expires, info.overlap) if timed else ()
        return info.key_type, info.kid, info.public, *times

    return {info.version: identity(opened.described(info)) for info in opened.store.versions(name)}
