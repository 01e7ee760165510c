"""Names that more than one store holds: what a migration leaves on its way, and what no migration settles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Final

from keywright.config.layers import dotted
from keywright.ring.chain import BACKEND as CHAIN
from keywright.ring.finding import Finding, attempt

if TYPE_CHECKING:
    from keywright.records import RecordInfo
    from keywright.ring.opened import OpenedStore
    from keywright.ring.reading import Reading

__all__ = ["doubled", "twins"]

_SHOWN: Final = 3

_Pairs = dict[tuple[str, str], list[str]]


def twins(ring: Reading) -> Mapping[str, str]:
    """The stores whose place is another one's that stands before them, each with that one."""
    found: dict[str, str] = {}
    places: dict[str, OpenedStore] = {}
    for name, table in ring.config.stores.items():
        opened = None if table.backend == CHAIN else attempt(name, partial(ring.open_store, name))
        if opened is None or isinstance(opened, Finding):
            continue  # a chain has no place, and what cannot be opened is told elsewhere
        first = next((other for other, place in places.items() if opened.is_same_place(place)), None)
        if first is None:
            places[name] = opened
        else:
            found[name] = first
    return found


def doubled(ring: Reading, holders: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """A finding for each pair of stores that hold names both, and another for those that no migration settles.

    `holders` says of every name which stores hold it.
    """
    moving: _Pairs = {}
    unused: _Pairs = {}
    different: _Pairs = {}
    for name, stores in holders.items():
        if len(stores) == 1:
            continue
        home = next((store for store in _looked_for_in(ring, name) if store in stores), None)
        for one, other in combinations(stores, 2):
            if attempt(name, partial(_differ, ring, name, one, other)) is True:
                if name not in ring.config.keys or "store" not in ring.config.key(name).given:
                    different.setdefault((one, other), []).append(name)
            elif home is None:
                unused.setdefault((one, other), []).append(name)
            elif home in (one, other):
                moving.setdefault((other if home == one else one, home), []).append(name)
    for (source, target), names in moving.items():
        yield _moving(ring, holders, source, target, names)
    for (one, other), names in unused.items():
        setting = f"{dotted('keys', names[0])}.store"
        yield Finding(
            _subject(one, other),
            f"{_both(names)}, and the configuration looks for {_them(names)} in neither: {_some(names)}",
            f"set {setting} to the store that keeps it" + _likewise(names),
        )
    for (one, other), names in different.items():
        yield Finding(
            _subject(one, other),
            f"hold different keys, or one that was imported twice, under one name: {', '.join(names)}",
            f"set {dotted('keys', names[0])}.store to the store whose key counts" + _likewise(names),
        )


def _moving(
    ring: Reading, holders: Mapping[str, Sequence[str]], source: str, target: str, names: Sequence[str]
) -> Finding:
    """What is half moved, or was copied and not switched over to yet."""
    what = f"{_both(names)}, and the configuration looks for {_them(names)} in store {target!r}: {_some(names)}"
    for store in (source, target):
        if not ring.open_store(store).capabilities.writable:
            it = _them(names)
            way = f"store {store!r} is read-only, so if the other is to keep {it}, unset {it} there by hand"
            return Finding(_subject(source, target), what, way)
    # Whatever else the source holds would be moved, too, or stop the removal of all.
    moved = set(names)
    stays = any(
        source in stores and name not in moved and (target in stores or target not in _looked_for_in(ring, name))
        for name, stores in holders.items()
    )
    command = f"keywright migrate --from {source} --to {target} --delete-source"
    if stays:
        command = " ".join((command, *names))
    return Finding(
        _subject(source, target),
        what,
        f"run `{command}`, or if store {source!r} is to keep {_them(names)}, change the configuration first",
    )


def _looked_for_in(ring: Reading, name: str) -> tuple[str, ...]:
    """The stores in which the configuration looks for a name; of a chain the one first that is written to."""
    table = attempt(name, lambda: ring.config.store(ring.config.key(name).common().optional_text("store")))
    if isinstance(table, Finding):
        return ()
    if table.backend != CHAIN:
        return (table.name,)
    chain = attempt(name, lambda: ring._chain(table))  # noqa: SLF001  (its own part)
    if isinstance(chain, Finding):
        return ()
    write_to = table.given.get("write_to")
    return (*((str(write_to.value),) if write_to else ()), *chain.stores)


def _differ(ring: Reading, name: str, one: str, other: str) -> bool:
    """Whether two stores hold no version both, or one that no migration settles."""
    # A key that was imported twice is one key; its times are of two, and none of them wins.
    timed = all(ring.open_store(store).capabilities.metadata for store in (one, other))
    first, second = (_keys(ring, name, store, timed=timed) for store in (one, other))
    both = first.keys() & second.keys()
    return not both or any(first[version] != second[version] for version in both)


def _keys(ring: Reading, name: str, store: str, *, timed: bool) -> dict[int, tuple[object, ...]]:
    opened = ring.open_store(store)

    def identity(info: RecordInfo) -> tuple[object, ...]:
        times = (info.created, info.expires, info.overlap) if timed else ()
        return info.key_type, info.kid, info.public, *times

    return {info.version: identity(opened.described(info)) for info in opened.store.versions(name)}


def _subject(one: str, other: str) -> str:
    return f"stores {one!r} and {other!r}"


def _both(names: Sequence[str]) -> str:
    return "one name is in both" if len(names) == 1 else f"{len(names)} names are in both"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _likewise(names: Sequence[str]) -> str:
    return "" if len(names) == 1 else ", and that of the others likewise"
