"""The doctor: looks at every store, record and plugin, and says what is wrong and what to do. It repairs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, cast

from keywright import lifecycle
from keywright.config.layers import dotted
from keywright.errors import KeyNotFoundError
from keywright.records import State, format_time
from keywright.ring.chain import BACKEND as CHAIN
from keywright.ring.declaration import declaration_faults
from keywright.ring.doubled import doubled, twins
from keywright.ring.finding import Finding, attempt, each
from keywright.ring.finding import told as as_told
from keywright.ring.plan import Wanted, make_plan
from keywright.ring.settings_check import configured
from keywright.text import format_duration

if TYPE_CHECKING:
    from datetime import timedelta

    from keywright.config.model import KeyTable
    from keywright.protocols import ExaminedStore
    from keywright.records import RecordInfo
    from keywright.ring.opened import OpenedStore
    from keywright.ring.reading import Reading

__all__ = ["Finding", "examine"]


class _Half(Enum):
    """What of a key is there."""

    SECRET = 1
    PUBLIC = 2
    NONE = 3


def examine(ring: Reading, only: str | None = None) -> Iterator[Finding]:
    """What is wrong with plugins, settings, declared keys and stores; with `only`, of stores that one and its seal."""
    for failure in ring.plugins.failures:
        yield as_told(failure.subject, failure.reason, way_out="mend or uninstall it")
    told = set()
    for part in configured(ring.config, ring.plugins, ring.observers.configured, only):
        for finding in _examined(part.subject, part.examine):
            told.add(finding[1:])
            yield finding
    declared: dict[str, dict[str, KeyTable]] = {}
    # A policy that is ill itself has been told of; it would object to each key.
    yield from _declared(ring, only, declared, review=not told)
    holders: dict[str, list[str]] = {}
    same = twins(ring) if only is None else {}
    for store in ring.config.stores if only is None else (only,):
        if store in same:
            subject = f"stores {same[store]!r} and {store!r}"
            yield Finding(
                subject, "are one and the same place", "remove one of the two tables, or correct its settings"
            )
        for finding in _store(ring, store, declared.get(store, {}), {} if store in same else holders):
            # What is wrong with a seal is not said again of each record that it does not open.
            if finding[1:] not in told:
                yield finding
    yield from doubled(ring, holders)


def _declared(
    ring: Reading, only: str | None, declared: dict[str, dict[str, KeyTable]], *, review: bool
) -> Iterator[Finding]:
    """What is wrong with `[keys.NAME]` tables; `declared` learns which store is to have the others' names."""
    for table in ring.config.keys.values():
        common = attempt("configuration", table.common)
        if isinstance(common, Finding):
            yield common
            continue
        fault = attempt("configuration", partial(make_plan, ring.plugins, table, Wanted(), now=ring.now()))
        if isinstance(fault, Finding):
            yield fault
        else:
            for one in each("configuration", partial(declaration_faults, ring, table, review=review)):
                yield one if isinstance(one, Finding) else as_told("configuration", str(one))
            home = only or common.optional_text("store") or ring.config.default_store
            declared.setdefault(home, {})[table.name] = table


def _store(
    ring: Reading, store: str, declared: Mapping[str, KeyTable], holders: dict[str, list[str]]
) -> Iterator[Finding]:
    """What is wrong with one store; `holders` learns which names it holds that are not destroyed."""
    subject = f"store {store!r}"
    if ring.config.stores[store].backend == CHAIN:
        # Its stores are examined themselves.
        found = attempt(subject, partial(_listed, ring, store))
        if isinstance(found, Finding):
            yield found
        for table in declared.values():
            yield from _in_chain(ring, store, table)
        return
    opened = attempt(subject, lambda: ring.open_store(store))
    if isinstance(opened, Finding):
        yield opened
        return
    plain = attempt(subject, lambda: opened.store)
    if isinstance(plain, Finding):
        yield plain
        return
    told = set()
    if hasattr(plain, "examine"):
        for finding in _examined(subject, cast("ExaminedStore", plain).examine):
            told.add(finding[1:])
            yield finding
    for finding in _names(ring, opened, declared, holders):
        # What the store said of itself is not said again of each name that suffers from it.
        if finding[1:] not in told:
            yield finding


def _names(
    ring: Reading, opened: OpenedStore, declared: Mapping[str, KeyTable], holders: dict[str, list[str]]
) -> Iterator[Finding]:
    listed = set()
    for name in each(f"store {opened.name!r}", lambda: opened.store.names("")):
        if isinstance(name, Finding):
            yield name
            continue
        if name in declared:
            listed.add(name)
        yield from _name(ring, opened, name, declared.get(name), holders)
    # A store that cannot list its names, or does not know them all, may still hold these.
    for name in sorted(declared.keys() - listed):
        yield from _name(ring, opened, name, declared[name], holders)


def _name(
    ring: Reading, opened: OpenedStore, name: str, table: KeyTable | None, holders: dict[str, list[str]]
) -> Iterator[Finding]:
    subject = f"{name} in store {opened.name!r}"
    infos = attempt(subject, lambda: opened.store.versions(name))
    if isinstance(infos, Finding):
        holders.setdefault(name, []).append(opened.name)
        yield infos
        return
    if not infos:
        if table is not None:
            yield from _never_made(opened, subject, table)
        return
    is_ours = False
    for info in infos:
        where = f"{info.reference} in store {opened.name!r}"
        found = attempt(where, partial(_read, ring, opened, info))
        if isinstance(found, Finding):
            yield found
        elif found is _Half.PUBLIC and is_ours and not opened.capabilities.signing:
            # Who may write to a sealed store, and cannot open it, can add this much.
            what = "is a public key after one of our own, and no command puts one there"
            yield Finding(where, what, "find out who did; destroy it, for this ring signed nothing that it verifies")
        is_ours = is_ours or found is _Half.SECRET
    ended = all(info.state is State.DESTROYED for info in infos)
    if not ended:
        holders.setdefault(name, []).append(opened.name)
    # A name of tombstones alone was ended on purpose, unless somebody still declares it.
    if table is not None or not ended:
        yield from _lifecycle(ring, infos, subject, table)


def _in_chain(ring: Reading, chain: str, table: KeyTable) -> Iterator[Finding]:
    """What is wrong with a declared name that a chain answers for, beside what is wrong with its records."""
    subject = f"{table.name} in chain {chain!r}"
    opened = attempt(subject, partial(ring.open_store, chain, name=table.name))
    infos = opened if isinstance(opened, Finding) else attempt(subject, partial(opened.store.versions, table.name))
    if isinstance(opened, Finding) or isinstance(infos, Finding):
        return  # the store that fails is told of itself
    fault = attempt(subject, lambda: opened.writable)
    if infos:
        yield from _lifecycle(ring, infos, subject, table)
        if isinstance(fault, Finding) and table.common()["rotate_every"] is not None:
            yield fault
    elif not isinstance(fault, Finding):
        yield from _never_made(opened, subject, table)


def _read(ring: Reading, opened: OpenedStore, info: RecordInfo) -> _Half:
    """Open a record as whoever uses it would: unseal, decode, and check that all of it belongs together."""
    try:
        key = opened.load(info)
    except KeyNotFoundError:
        if info not in opened.store.versions(info.name):
            return _Half.NONE  # removed since it was listed, and perhaps made anew
        raise
    if key.secret is not None:
        return _Half.SECRET
    if key.public is not None:
        ring.plugins.key_type(key.type).complete(key)
    return _Half.NONE if key.public is None or info.state is State.DESTROYED else _Half.PUBLIC


def _never_made(opened: OpenedStore, subject: str, table: KeyTable) -> Iterator[Finding]:
    if opened.capabilities.writable:
        what = f"is declared as {dotted('keys', table.name)}, and no version of it was ever made"
        yield Finding(subject, what, f"run `keywright ensure {table.name}`")
        return
    # It knows where it looked, and what would have to be there.
    found = attempt(subject, lambda: opened.store.get(table.name, 1))
    if isinstance(found, Finding):
        yield found


def _lifecycle(ring: Reading, infos: Sequence[RecordInfo], subject: str, table: KeyTable | None) -> Iterator[Finding]:
    now = ring.now()
    if lifecycle.primary(infos, now) is None:
        why = f"no version signs: {lifecycle.why_not(infos, now)}"
        yield as_told(subject, why, way_out="wait until then, or rotate to make one that signs at once")
        return
    rotate_every = None if table is None else cast("timedelta | None", table.common()["rotate_every"])
    if table is None or rotate_every is None:
        return
    newest = lifecycle.overdue(infos, rotate_every, now)
    if newest is not None and newest.created is not None:
        yield Finding(
            subject,
            f"its rotation is overdue: version {newest.version} was made at "
            f"{format_time(newest.created.replace(microsecond=0))}, and {dotted('keys', table.name)}.rotate_every is "
            f"{format_duration(rotate_every)}",
            f"run `keywright rotate --due {table.name}`",
        )


def _listed(ring: Reading, store: str) -> list[str]:
    return list(ring.names(store=store))


def _examined(subject: str, examine: Callable[[], Iterator[str]]) -> Iterator[Finding]:
    for sentence in each(subject, examine):
        yield sentence if isinstance(sentence, Finding) else as_told(subject, sentence)
