"""What is wrong with plugins, settings, declared keys, stores and their records. Nothing is repaired."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeVar, cast

from keywright import lifecycle
from keywright.config.layers import dotted
from keywright.errors import (
    ConfigError,
    KeyNotFoundError,
    KeywrightError,
    PluginError,
    SealError,
    StoreError,
    UnsupportedKeyError,
)
from keywright.keys import Attributes
from keywright.protocols import Problem
from keywright.records import RecordInfo, State, format_time
from keywright.ring.codec import is_read_back
from keywright.ring.plan import NewVersion, Plan, make_plan
from keywright.ring.sealing import open_seal
from keywright.ring.stores import CHAIN
from keywright.secret import Secret
from keywright.settings.model import Options
from keywright.settings.values import parse_setting
from keywright.text import format_duration

if TYPE_CHECKING:
    from keywright.config.model import KeyConfig, PluginConfig, SealConfig
    from keywright.plugins.registry import Registry
    from keywright.protocols import CheckedPlugin, CheckedStore
    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore
    from keywright.settings.model import RawValue, Setting

_T = TypeVar("_T")
_SLOW_BITS: Final = 1000
_SHOWN: Final = 3


def _attempt(subject: str, action: Callable[[], _T]) -> _T | Problem:
    """What `action` returns, or how it failed."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001  (a broken plugin must not hide other problems)
        return _failed(subject, error)


def _each(subject: str, iterate: Callable[[], Iterable[_T]]) -> Iterator[_T | Problem]:
    """What `iterate` returns, and at the end how it failed, if it did."""
    try:
        yield from iterate()
    except Exception as error:  # noqa: BLE001  (a broken plugin must not hide other problems)
        yield _failed(subject, error)


def _failed(subject: str, error: Exception) -> Problem:
    if isinstance(error, KeywrightError):
        return Problem.of(subject, error)
    # Its message could quote a secret.
    return Problem(subject, f"a plugin failed with {type(error).__name__}", "report it to the plugin's author")


def _checked(subject: str, check: Callable[[], Iterable[KeywrightError | Problem]]) -> Iterator[Problem]:
    """The problems that `check` returns, and at the end how it failed, if it did."""
    for problem in _each(subject, check):
        yield problem if isinstance(problem, Problem) else Problem.of(subject, problem)


def _failure(subject: str, action: Callable[[], object]) -> Iterator[Problem]:
    """How `action` failed, if it did."""
    found = _attempt(subject, action)
    if isinstance(found, Problem):
        yield found


class _Half(Enum):
    """Which half of a key is available."""

    SECRET = 1
    PUBLIC = 2
    NONE = 3


def examine(context: RingContext, only: str | None = None) -> Iterator[Problem]:
    """What is wrong with plugins, settings, declared keys and stores; with `only`, of stores that one and its seal."""
    for failure in context.registry.failures:
        yield Problem(failure.subject, failure.reason, "fix or uninstall it")
    reported = set()
    for subject, check_table in _configured(context, only):
        for problem in _checked(subject, check_table):
            reported.add(problem[1:])
            yield problem
    declared: dict[str, dict[str, KeyConfig]] = {}
    for table in context.config.keys.values():
        plan = _attempt("configuration", partial(_plan_of, context, table))
        if isinstance(plan, Problem):
            yield plan
            continue
        # A policy that is wrong itself is reported; it would object to each key.
        problems = partial(_declaration_problems, context, table, plan, review=not reported)
        yield from _checked("configuration", problems)
        home = only or table.common().optional_text("store") or context.config.default_store
        declared.setdefault(home, {})[table.name] = table
    holders: dict[str, list[str]] = {}
    same = _same_places(context) if only is None else {}
    for store in context.config.stores if only is None else (only,):
        if store in same:
            hint = "remove one of the two tables, or correct its settings"
            yield Problem(_subject(same[store], store), "have the same location", hint)
        for problem in _store(context, store, declared.get(store, {}), {} if store in same else holders):
            # A problem of a seal is not repeated for each record that it does not open.
            if problem[1:] not in reported:
                yield problem
    yield from _duplicates(context, holders)


def check_settings(context: RingContext) -> Iterator[KeywrightError]:
    """What is wrong with the settings, as far as that shows without the stores' records: for `config check`."""
    is_wrong = False
    for subject, check_table in _configured(context):
        try:
            for problem in check_table():
                is_wrong = is_wrong or subject.startswith("plugin ")
                yield ConfigError(f"{problem.subject}: {problem.message}", hint=problem.hint)
        except KeywrightError as error:
            yield error
    for name, table in context.config.stores.items():
        try:
            # Opened, for only the backend can judge some settings; whether it can be reached is not about settings.
            if table.backend == CHAIN:
                next(context.stores.names("", name), None)
            else:
                _ = context.stores.get(name).store
        except (StoreError, SealError):
            continue
        except KeywrightError as problem:
            yield problem
    for key in context.config.keys.values():
        try:
            plan = _plan_of(context, key)
        except KeywrightError as problem:
            yield problem
        else:
            # A plugin that reported a problem of its own would, as a reviewer, repeat it for each key.
            yield from _declaration_problems(context, key, plan, review=not is_wrong)


# Seals, and the places that settings point to


def _configured(context: RingContext, only: str | None = None) -> Iterator[tuple[str, Callable[[], Iterator[Problem]]]]:
    """The seals, the secrets of stores and the plugins, with a function that returns the problems.

    With `only`, of stores that one and its seal.
    """
    config, registry = context.config, context.registry
    stores = config.stores.values() if only is None else (config.stores[only],)
    used = {store.seal for store in stores}
    for seal in config.seals.values():
        if only is None or seal.name in used:
            yield (f"seal {seal.name!r}", partial(_check_seal, seal, registry))
    for store in stores:
        settings = _store_settings(registry, store.backend)
        yield (f"store {store.name!r}", partial(_exposed, f"store {store.name!r}", settings, store.given))
    for name, table in config.plugin.items():
        settings = registry.settings.get(name, ())
        yield (f"plugin {name!r}", partial(_exposed, f"plugin {name!r}", settings, table.given))
        yield (f"plugin {name!r}", partial(_shared_places, context, table, settings))
    for name, observer in context.observers.configured.items():
        if hasattr(observer, "check"):
            yield (f"plugin {name!r}", cast("CheckedPlugin", observer).check)


def _store_settings(registry: Registry, backend: str) -> Sequence[Setting]:
    found = registry.store_backends.get(backend)
    return () if found is None else found.settings


def _check_seal(table: SealConfig, registry: Registry) -> Iterator[Problem]:
    """Raises: as `open_seal`."""
    seal = registry.seals.get(table.seal)
    yield from _exposed(f"seal {table.name!r}", () if seal is None else seal.settings, table.given)
    open_seal(table, registry)


def _shared_places(context: RingContext, table: PluginConfig, settings: Sequence[Setting]) -> Iterator[Problem]:
    """A problem for each file that a plugin would write to and that a store, or a store's directory, contains."""
    for path, place in _places(settings, table.given):
        for store in context.config.stores.values():
            for _, other in _places(_store_settings(context.registry, store.backend), store.given):
                if place == other or place.startswith(other + os.sep):
                    message = f"{path} is in the place of store {store.name!r}"
                    yield Problem(f"plugin {table.name!r}", message, "set another path")


def _places(settings: Sequence[Setting], given: Mapping[str, RawValue]) -> Iterator[tuple[str, str]]:
    """The valid paths that are set: the path of the setting, and that of the file or directory."""
    for setting in settings:
        if setting.type == "path" and setting.name in given:
            try:
                path = str(parse_setting(setting, given[setting.name]))
            except ConfigError:
                continue  # reported where the setting is read
            yield given[setting.name].path, os.path.realpath(path)


def _exposed(subject: str, settings: Sequence[Setting], given: Mapping[str, RawValue]) -> Iterator[Problem]:
    """A problem for each file with a secret in it that others may read."""
    secrets = {setting.name for setting in settings if setting.type in ("secret", "secrets")}
    pointers = [given[name] for name in given if name in secrets]
    if pointers:
        from keywright.settings.pointers import exposed

        for pointer in pointers:
            for message, hint in exposed(pointer):
                yield Problem(subject, message, hint)


# Declared keys


def _plan_of(context: RingContext, table: KeyConfig) -> Plan:
    return make_plan(context.registry, table, NewVersion(), now=context.clock())


def _declaration_problems(
    context: RingContext, table: KeyConfig, plan: Plan, *, review: bool
) -> Iterator[KeywrightError]:
    """What would prevent a declared key from being created, or rotated by the clock. Nothing is written or observed.

    With `review`, reviewers are asked about a key that no version exists of, as for a dry run. If the store is
    read-only by its kind, another program writes its keys, and only the settings are examined; if it cannot be reached,
    what depends on its records is left out.
    """
    try:
        opened = context.stores.get(name=table.name)
    except (StoreError, SealError):
        return
    except KeywrightError as problem:
        yield problem
        return
    if not opened.capabilities.writable:
        return
    checks: list[Callable[[], object]] = [
        partial(_check_kid, plan, table),
        partial(_check_format, context.registry, opened, plan, table),
    ]
    if _is_new(opened, table.name):
        checks.append(lambda: opened.writable)
        if review:
            checks.append(partial(_check_policy, context, opened, plan, table))
    for check in checks:
        try:
            check()
        except KeywrightError as problem:
            yield problem.prefixed(f"{table.source}: {table.path}: ")
        except Exception as error:  # noqa: BLE001  (a third-party key type or format; its message could quote the key)
            yield PluginError(
                f"{table.source}: {table.path}: a plugin failed with {type(error).__name__}",
                hint="report it to the plugin's author",
            )


def _is_new(opened: OpenStore, name: str) -> bool:
    """Whether no version exists, as far as the store answers."""
    try:
        return not opened.store.versions(name)
    except KeywrightError:
        return False


def _check_kid(plan: Plan, table: KeyConfig) -> None:
    if plan.kid is not None and "{version}" not in plan.kid and table.common()["rotate_every"] is not None:
        raise ConfigError(
            "kid is the same for every version, so rotate_every could make none",
            hint="set kid to a text with {version}",
        )


def _check_format(registry: Registry, opened: OpenStore, plan: Plan, table: KeyConfig) -> None:
    """Raises: as what creates a version, if the format rejects the kid of the first or second, or attributes."""
    key = plan.key_type.generate(_fast_options(plan))
    key = key.replace(attributes=Attributes({**plan.attributes, **key.attributes}))
    if opened.capabilities.keys_stay_inside:
        if key.public is None:
            return  # only the store knows whether it can create one
        key = key.without_secret()
    for version in (1, 2):
        named = key.replace(kid=plan.kid_for(table.name, version, key))
        encoded = Secret(plan.format.encode_public(named)) if key.secret is None else plan.format.encode_secret(named)
        if not is_read_back(registry, plan.format, named, encoded):
            raise UnsupportedKeyError(
                f"format {plan.format.name!r} does not read back the key that it writes", hint="name another"
            )


def _fast_options(plan: Plan) -> Options:
    """The options of the plan; with the smallest size if all keys of the type are large and slow to generate."""
    for setting in plan.key_type.settings:
        if setting.name == "bits" and (setting.minimum or 0) > _SLOW_BITS:
            return Options({**plan.options, "bits": setting.minimum})
    return plan.options


def _check_policy(context: RingContext, opened: OpenStore, plan: Plan, table: KeyConfig) -> None:
    operations, info = context.operations, plan.info(table.name, 1)
    operations.rehearse(lambda: operations.describe("generate", opened, info, bits=plan.bits, dry_run=True))


# Stores and their records


def _store(
    context: RingContext, store: str, declared: Mapping[str, KeyConfig], holders: dict[str, list[str]]
) -> Iterator[Problem]:
    """What is wrong with one store; `holders` gets the names of which it has a version that is not destroyed."""
    subject = f"store {store!r}"
    if context.config.stores[store].backend == CHAIN:
        # Its stores are examined themselves.
        yield from _failure(subject, lambda: list(context.stores.names("", store)))
        for table in declared.values():
            yield from _in_chain(context, store, table)
        return
    plain = _attempt(subject, lambda: context.stores.get(store).store)
    if isinstance(plain, Problem):
        yield plain
        return
    reported = set()
    if hasattr(plain, "check"):
        for problem in _checked(subject, cast("CheckedStore", plain).check):
            # And as an error that is raised for a name which it affects would say it.
            messages = (problem.message, *(f"{problem.subject}{joint}{problem.message}" for joint in (": ", " ")))
            reported |= {(message, problem.hint) for message in messages}
            yield problem
    for problem in _names(context, context.stores.get(store), declared, holders):
        # What the store reported is not repeated for each name that it affects.
        if problem[1:] not in reported:
            yield problem


def _names(
    context: RingContext, opened: OpenStore, declared: Mapping[str, KeyConfig], holders: dict[str, list[str]]
) -> Iterator[Problem]:
    listed, last = set(), ""
    for infos in _scanned(opened):
        last = infos[0].name
        listed.add(last)
        yield from _name(context, opened, infos, last, declared.get(last), holders)
    for name in _each(f"store {opened.name!r}", opened.names):
        if isinstance(name, Problem):
            yield name
        elif name > last:
            listed.add(name)
            yield from _unscanned(context, opened, name, declared.get(name), holders)
    # A store that cannot list its names, or not all of them, may have these.
    for name in sorted(declared.keys() - listed):
        yield from _unscanned(context, opened, name, declared[name], holders)


def _scanned(opened: OpenStore) -> Iterator[Sequence[RecordInfo]]:
    """What a scan of the store yields until it fails: the name that it fails at is then read alone, and reported."""
    with suppress(Exception):
        if hasattr(opened.store, "scan"):
            yield from opened.scan()


def _unscanned(
    context: RingContext, opened: OpenStore, name: str, table: KeyConfig | None, holders: dict[str, list[str]]
) -> Iterator[Problem]:
    infos = _attempt(f"{name} in store {opened.name!r}", lambda: opened.store.versions(name))
    if isinstance(infos, Problem):
        holders.setdefault(name, []).append(opened.name)
        yield infos
    else:
        yield from _name(context, opened, infos, name, table, holders)


def _name(
    context: RingContext,
    opened: OpenStore,
    infos: Sequence[RecordInfo],
    name: str,
    table: KeyConfig | None,
    holders: dict[str, list[str]],
) -> Iterator[Problem]:
    subject = f"{name} in store {opened.name!r}"
    if not infos:
        if table is not None:
            yield from _missing(opened, subject, table)
        return
    is_ours = False
    for info in infos:
        where = f"{info.reference} in store {opened.name!r}"
        found = _attempt(where, partial(_read, context, opened, info))
        if isinstance(found, Problem):
            yield found
        elif found is _Half.PUBLIC and is_ours and not opened.capabilities.keys_stay_inside:
            # Another process can add a public key to a sealed store without the master key.
            what = "is a public key after a secret one, and no command puts one there"
            yield Problem(
                where,
                what,
                "check who can write to the store, then destroy it: nothing that it verifies was signed here",
            )
        is_ours = is_ours or found is _Half.SECRET
    is_destroyed = all(info.state is State.DESTROYED for info in infos)
    if not is_destroyed:
        holders.setdefault(name, []).append(opened.name)
    # A name that has only tombstones was destroyed on purpose, unless it is still declared.
    if table is not None or not is_destroyed:
        yield from _lifecycle(context, infos, subject, table)


def _in_chain(context: RingContext, chain: str, table: KeyConfig) -> Iterator[Problem]:
    """What is wrong with a declared name that is looked for in a chain, beside what is wrong with its records."""
    subject = f"{table.name} in chain {chain!r}"
    try:
        opened = context.stores.get(chain, name=table.name)
        infos = opened.store.versions(table.name)
    except Exception:  # noqa: BLE001  (the store that fails is reported itself)
        return
    refusal = _attempt(subject, lambda: opened.writable)
    if infos:
        yield from _lifecycle(context, infos, subject, table)
        if isinstance(refusal, Problem) and table.common()["rotate_every"] is not None:
            yield refusal
    elif not isinstance(refusal, Problem):
        yield from _missing(opened, subject, table)


def _read(context: RingContext, opened: OpenStore, info: RecordInfo) -> _Half:
    """Open a record as its users would: unseal, decode, and check that all parts belong together."""
    try:
        key = opened.load(info)
    except KeyNotFoundError:
        if info not in opened.store.versions(info.name):
            return _Half.NONE  # removed since it was listed, and perhaps created again
        raise
    if key.secret is not None:
        return _Half.SECRET
    if key.public is not None:
        context.registry.key_type(key.type).validate(key)
    return _Half.NONE if key.public is None or info.state is State.DESTROYED else _Half.PUBLIC


def _missing(opened: OpenStore, subject: str, table: KeyConfig) -> Iterator[Problem]:
    if opened.capabilities.writable:
        what = f"is declared as {table.path}, but does not exist"
        yield Problem(subject, what, f"run `keywright ensure {table.name}`")
        return
    # The store's own error names the place where it looked, and what should be there.
    yield from _failure(subject, lambda: opened.store.get(table.name, 1))


def _lifecycle(
    context: RingContext, infos: Sequence[RecordInfo], subject: str, table: KeyConfig | None
) -> Iterator[Problem]:
    now = context.clock()
    if lifecycle.primary(infos, now) is None:
        reason, hint = lifecycle.why_not(infos, now)
        yield Problem(subject, f"no version signs: {reason}", hint)
        return
    rotate_every = None if table is None else table.common().optional_duration("rotate_every")
    if table is None or rotate_every is None:
        return
    newest = lifecycle.overdue(infos, rotate_every, now)
    if newest is not None and newest.created is not None:
        yield Problem(
            subject,
            f"its rotation is overdue: version {newest.version} was created at "
            f"{format_time(newest.created.replace(microsecond=0))}, and {table.path}.rotate_every is "
            f"{format_duration(rotate_every)}",
            f"run `keywright rotate --due {table.name}`",
        )


# Names that more than one store has: migrations that are not complete, and conflicts that none resolves


def _same_places(context: RingContext) -> Mapping[str, str]:
    """The stores that are the same place as another one before them, each with that one."""
    found: dict[str, str] = {}
    places: dict[str, OpenStore] = {}
    for name, table in context.config.stores.items():
        opened = None if table.backend == CHAIN else _attempt(name, partial(context.stores.get, name))
        if opened is None or isinstance(opened, Problem):
            continue  # a chain has no place, and what cannot be opened is reported elsewhere
        first = next((other for other, place in places.items() if opened.is_same_place(place)), None)
        if first is None:
            places[name] = opened
        else:
            found[name] = first
    return found


def _duplicates(context: RingContext, holders: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """A finding for each pair of stores that have names in common, and another for names that no migration can move.

    `holders` has for every name the stores that have it.
    """
    moving: dict[tuple[str, str], list[str]] = {}
    unused: dict[tuple[str, str], list[str]] = {}
    different: dict[tuple[str, str], list[str]] = {}
    for name, stores in holders.items():
        if len(stores) == 1:
            continue
        home = next((store for store in _looked_for_in(context, name) if store in stores), None)
        for one, other in combinations(stores, 2):
            if _attempt(name, partial(_differ, context, name, one, other)) is True:
                if name not in context.config.keys or "store" not in context.config.key(name).given:
                    different.setdefault((one, other), []).append(name)
            elif home is None:
                unused.setdefault((one, other), []).append(name)
            elif home in (one, other):
                moving.setdefault((other if home == one else one, home), []).append(name)
    for (source, target), names in moving.items():
        yield _moving(context, holders, source, target, names)
    for (one, other), names in unused.items():
        setting = f"{dotted('keys', names[0])}.store"
        yield Problem(
            _subject(one, other),
            f"{_both(names)}, and the configuration looks for {_them(names)} in neither: {_some(names)}",
            f"set {setting} to the store that keeps it" + _likewise(names),
        )
    for (one, other), names in different.items():
        yield Problem(
            _subject(one, other),
            f"hold different keys, or one that was imported twice, under one name: {', '.join(names)}",
            f"set {dotted('keys', names[0])}.store to the store whose key counts" + _likewise(names),
        )


def _moving(
    context: RingContext, holders: Mapping[str, Sequence[str]], source: str, target: str, names: Sequence[str]
) -> Problem:
    """Names that were migrated in part, or copied while the configuration still points at the source."""
    what = f"{_both(names)}, and the configuration looks for {_them(names)} in store {target!r}: {_some(names)}"
    for store in (source, target):
        if not context.stores.get(store).capabilities.writable:
            it = _them(names)
            way = f"store {store!r} is read-only, so if the other is to keep {it}, unset {it} there by hand"
            return Problem(_subject(source, target), what, way)
    # Without names, `migrate` would move everything else in the source too, or refuse to remove anything.
    moved = set(names)
    stays = any(
        source in stores and name not in moved and (target in stores or target not in _looked_for_in(context, name))
        for name, stores in holders.items()
    )
    command = f"keywright migrate --from {source} --to {target} --delete-source"
    if stays:
        command = " ".join((command, *names))
    return Problem(
        _subject(source, target),
        what,
        f"run `{command}`, or if store {source!r} is to keep {_them(names)}, change the configuration first",
    )


def _looked_for_in(context: RingContext, name: str) -> tuple[str, ...]:
    """The stores in which the configuration looks for a name; of a chain, the one that is written to comes first."""

    def stores() -> tuple[str, ...]:
        table = context.stores.configured(name)
        if table.backend != CHAIN:
            return (table.name,)
        write_to = table.given.get("write_to")
        return (*((str(write_to.value),) if write_to else ()), *context.stores.chain(table).stores)

    found = _attempt(name, stores)
    return () if isinstance(found, Problem) else found


def _differ(context: RingContext, name: str, one: str, other: str) -> bool:
    """Whether two stores have no version of a name in common, or have a version with different keys or times."""
    # A key that was imported twice has two creation times, and neither takes precedence.
    timed = all(context.stores.get(store).capabilities.metadata for store in (one, other))
    first, second = (_identities(context.stores.get(store), name, timed=timed) for store in (one, other))
    both = first.keys() & second.keys()
    return not both or any(first[version] != second[version] for version in both)


def _identities(opened: OpenStore, name: str, *, timed: bool) -> dict[int, tuple[object, ...]]:
    """What identifies the key of each version."""

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
