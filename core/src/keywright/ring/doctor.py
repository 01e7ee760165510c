"""What the doctor finds, and how looking may fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

from keywright import lifecycle
from keywright.config.paths import dotted
from keywright.durations import format_duration
from keywright.errors import (
    ConfigError,
    KeyNotFoundError,
    KeywrightError,
    PluginError,
    SealError,
    StoreError,
    UnknownPluginError,
    UnsupportedKeyError,
)
from keywright.key import Attributes
from keywright.metadata import format_time
from keywright.record import RecordInfo, State
from keywright.ring.codec import check_carried, read_back
from keywright.ring.create import random_kid
from keywright.ring.operations import describe
from keywright.ring.plan import Plan, Wanted, kid_for, make_plan
from keywright.ring.sealing import open_seal
from keywright.ring.stores import BACKEND as CHAIN
from keywright.secret import Secret
from keywright.setting_values import parse_setting
from keywright.settings import Options

if TYPE_CHECKING:
    from datetime import timedelta

    from keywright.config import Config, KeyTable, SealTable
    from keywright.config.tables import PluginTable
    from keywright.key import Key
    from keywright.protocols import ExaminedPlugin, ExaminedStore
    from keywright.registry import Registry
    from keywright.ring.context import RingBase
    from keywright.ring.keyring import Reading
    from keywright.ring.stores import OpenedStore
    from keywright.settings import Given, Setting


_T = TypeVar("_T")


class Finding(NamedTuple):
    """Something that is wrong. As text: `SUBJECT: WHAT; WAY OUT`.

    Attributes:
        subject: `store 'local'`, `NAME in store 'local'`, `NAME@N in store 'local'`, `stores 'a' and 'b'`, `seal
            'master'`, a plugin, or `configuration`.
        what: the fault.
        way_out: what to do.
    """

    subject: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}; {self.way_out}"


def attempt(subject: str, action: Callable[[], _T]) -> _T | Finding:
    """What `action` returns, or how it failed."""
    return next(each(subject, lambda: (action(),)))


def each(subject: str, iterate: Callable[[], Iterable[_T]]) -> Iterator[_T | Finding]:
    """What `iterate` gives, and at the end how it failed, if it did."""
    try:
        yield from iterate()
    except UnknownPluginError as error:
        # It ends in what is installed, and with why a plugin failed.
        what = str(error).removeprefix(subject).lstrip(": ")
        yield Finding(subject, what, "install, allow or mend its plugin, or correct the name")
    except KeywrightError as error:
        yield as_told(subject, str(error))
    except Exception as error:  # noqa: BLE001  (a broken plugin must not hide what is wrong elsewhere)
        # Its words could quote what the plugin held.
        yield Finding(subject, f"a plugin failed with {type(error).__name__}", "report it to the plugin's author")


def as_told(subject: str, sentence: str, *, way_out: str = "correct that") -> Finding:
    """`SUBJECT: WHAT; WAY OUT`, as our errors say it, in its parts; `way_out` is for one that says none."""
    said = sentence.removeprefix(subject).lstrip(": ")
    what, semicolon, last = said.rpartition("; ")
    return Finding(subject, what, last) if semicolon else Finding(subject, last, way_out)


class Configured(NamedTuple):
    """A table of the configuration that can be looked at.

    Attributes:
        subject: `seal 'master'`, `store 'local'` or `plugin 'audit'`.
        examine: one sentence for each fault, as `ExaminedPlugin.examine`; may raise what the object's own code does.
    """

    subject: str
    examine: Callable[[], Iterator[str]]


def configured(config: Config, plugins: Registry, only: str | None = None) -> Iterator[Configured]:
    """The seals, the secrets of stores and the plugins of a ring; with `only`, of stores that one and its seal."""
    stores = config.stores.values() if only is None else (config.stores[only],)
    used = {store.seal for store in stores}
    for seal in config.seals.values():
        if only is None or seal.name in used:
            yield Configured(f"seal {seal.name!r}", partial(_examine_seal, seal, plugins))
    for store in stores:
        backend = plugins.store_backends.get(store.backend)
        settings = () if backend is None else backend.settings
        yield Configured(f"store {store.name!r}", partial(_exposed, settings, store.given))
    for name, table in config.plugin.items():
        settings = plugins.settings.get(name, ())
        yield Configured(f"plugin {name!r}", partial(_exposed, settings, table.given))
        yield Configured(f"plugin {name!r}", partial(_shared_places, config, plugins, table))
    for name, listener in plugins.listeners.items():
        if hasattr(listener, "examine"):
            yield Configured(f"plugin {name!r}", cast("ExaminedPlugin", listener).examine)


def _examine_seal(table: SealTable, plugins: Registry) -> Iterator[str]:
    """Raises: as `open_seal`."""
    seal = plugins.seals.get(table.seal)
    yield from _exposed(() if seal is None else seal.settings, table.given)
    open_seal(table, plugins)


def _shared_places(config: Config, plugins: Registry, table: PluginTable) -> Iterator[str]:
    """One sentence for each file that a plugin would write to and that is a store's, or lies in a store's directory."""
    for path, place in _places(plugins.settings.get(table.name, ()), table.given):
        for store in config.stores.values():
            backend = plugins.store_backends.get(store.backend)
            for _, other in _places(() if backend is None else backend.settings, store.given):
                if place == other or place.startswith(other + os.sep):
                    yield f"{path} is in the place of store {store.name!r}; set another path"


def _places(settings: Sequence[Setting], given: Mapping[str, Given]) -> Iterator[tuple[str, str]]:
    """The paths of settings that are given and lead somewhere: the setting's own, and the file's or directory's."""
    for setting in settings:
        if setting.type == "path" and setting.name in given:
            try:
                path = str(parse_setting(setting, given[setting.name]))
            except ConfigError:
                continue  # its owner tells of it
            yield given[setting.name].path, os.path.realpath(path)


def _exposed(settings: Sequence[Setting], given: Mapping[str, Given]) -> Iterator[str]:
    """One sentence for each file with a secret in it that others may read."""
    secrets = {setting.name for setting in settings if setting.type in ("secret", "secrets")}
    pointers = [given[name] for name in given if name in secrets]
    if pointers:
        from keywright.setting_pointers import exposed

        for pointer in pointers:
            yield from exposed(pointer)


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
    ring.plugins.review(describe("generate", opened, info, ring.now(), bits, dry_run=True))


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
    for part in configured(ring.config, ring.plugins, only):
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
