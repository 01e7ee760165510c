"""What is wrong with plugins, settings, declared keys, stores and their records. Nothing is repaired.

`examine` goes through plugins that failed, the settings of seals, stores and plugins, the declared keys, each store
with its records, and at last the names that several stores have (`duplicates`). A check is an iterator of problems;
what it raises is one more problem (`_collected`), so that it hides no other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from keywright import lifecycle
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
from keywright.ring.duplicates import find_duplicates, find_same_places
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
_REPORT_IT: Final = "report it to the plugin's author"


def _problem(subject: str, error: Exception) -> Problem:
    if isinstance(error, KeywrightError):
        return Problem.of(subject, error)
    # Its message could quote a secret.
    return Problem(subject, f"a plugin failed with {type(error).__name__}", _REPORT_IT)


def _tried(subject: str, action: Callable[[], _T]) -> _T | Problem:
    """What `action` returns, or how it failed."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001  (a broken plugin must not hide other problems)
        return _problem(subject, error)


def _collected(subject: str, iterate: Callable[[], Iterable[_T]]) -> Iterator[_T | Problem]:
    """What `iterate` returns, and at the end how it failed, if it did."""
    try:
        yield from iterate()
    except Exception as error:  # noqa: BLE001  (a broken plugin must not hide other problems)
        yield _problem(subject, error)


def examine(context: RingContext, only: str | None = None) -> Iterator[Problem]:
    """What is wrong with plugins, settings, declared keys and stores; with `only`, of stores that one and its seal."""
    return _Examination(context, only).problems()


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
                hint=_REPORT_IT,
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


# The examination


class _Half(Enum):
    """Which half of a key is available."""

    SECRET = 1
    PUBLIC = 2
    NONE = 3


class _Examination:
    """One run of `examine`, and what its checks remember for later ones.

    Attributes:
        declared: for each store, or chain, the declared keys that are looked for in it.
        holders: for each name the stores that have, or may have, a version of it that is not destroyed.
        same: the stores that are the same place as another one before them, each with that one.
    """

    def __init__(self, context: RingContext, only: str | None) -> None:
        """As for `examine`."""
        self._context = context
        self._only = only
        self.declared: dict[str, dict[str, KeyConfig]] = {}
        self.holders: dict[str, list[str]] = {}
        self.same = find_same_places(context) if only is None else {}

    def problems(self) -> Iterator[Problem]:
        """All of them."""
        context, only = self._context, self._only
        for failure in context.registry.failures:
            yield Problem(failure.subject, failure.reason, "fix or uninstall it")
        reported = set()
        for subject, check_table in _configured(context, only):
            for problem in _collected(subject, check_table):
                reported.add(problem[1:])
                yield problem
        # A policy that is wrong itself is reported; it would object to each key.
        review = not reported
        for table in context.config.keys.values():
            yield from _collected("configuration", partial(self._declared_key, table, review=review))
        for store in context.config.stores if only is None else (only,):
            # A problem of a seal is not repeated for each record that it does not open.
            yield from (problem for problem in self._store(store) if problem[1:] not in reported)
        yield from find_duplicates(context, self.holders)

    def _declared_key(self, table: KeyConfig, *, review: bool) -> Iterator[Problem]:
        plan = _plan_of(self._context, table)
        home = self._only or table.common().optional_text("store") or self._context.config.default_store
        self.declared.setdefault(home, {})[table.name] = table
        for error in _declaration_problems(self._context, table, plan, review=review):
            yield Problem.of("configuration", error)

    def _store(self, store: str) -> Iterator[Problem]:
        stores, subject = self._context.stores, f"store {store!r}"
        if store in self.same:
            hint = "remove one of the two tables, or correct its settings"
            yield Problem(f"stores {self.same[store]!r} and {store!r}", "have the same location", hint)
        if self._context.config.stores[store].backend == CHAIN:
            # Its stores are examined themselves.
            listed = _collected(subject, lambda: stores.names("", store))
            yield from (found for found in listed if isinstance(found, Problem))
            for table in self.declared.get(store, {}).values():
                yield from self._in_chain(store, table)
            return
        plain = _tried(subject, lambda: stores.get(store).store)
        if isinstance(plain, Problem):
            yield plain
            return
        reported = set()
        if hasattr(plain, "check"):
            for problem in _collected(subject, cast("CheckedStore", plain).check):
                # And as an error that is raised for a name which it affects would say it.
                messages = (problem.message, *(f"{problem.subject}{joint}{problem.message}" for joint in (": ", " ")))
                reported |= {(message, problem.hint) for message in messages}
                yield problem
        # What the store reported is not repeated for each name that it affects.
        yield from (problem for problem in self._names(stores.get(store)) if problem[1:] not in reported)

    def _names(self, opened: OpenStore) -> Iterator[Problem]:
        declared, scanned, last = self.declared.get(opened.name, {}), set(), ""
        for infos in _scanned(opened):
            last = infos[0].name
            scanned.add(last)
            yield from self._name(opened, infos, last)
        for name in _collected(f"store {opened.name!r}", opened.names):
            if isinstance(name, Problem):
                yield name
            elif name > last:
                scanned.add(name)
                yield from self._unscanned(opened, name)
        # A store that cannot list its names, or not all of them, may have these.
        for name in sorted(declared.keys() - scanned):
            yield from self._unscanned(opened, name)

    def _unscanned(self, opened: OpenStore, name: str) -> Iterator[Problem]:
        infos = _tried(f"{name} in store {opened.name!r}", lambda: opened.store.versions(name))
        if isinstance(infos, Problem):
            self._hold(opened, name)
            yield infos
        else:
            yield from self._name(opened, infos, name)

    def _hold(self, opened: OpenStore, name: str) -> None:
        if opened.name not in self.same:
            self.holders.setdefault(name, []).append(opened.name)

    def _name(self, opened: OpenStore, infos: Sequence[RecordInfo], name: str) -> Iterator[Problem]:
        subject, table = f"{name} in store {opened.name!r}", self.declared.get(opened.name, {}).get(name)
        if not infos:
            if table is not None:
                yield from _missing(opened, subject, table)
            return
        is_ours = False
        for info in infos:
            where = f"{info.reference} in store {opened.name!r}"
            found = _tried(where, partial(self._read, opened, info))
            if isinstance(found, Problem):
                yield found
            elif found is _Half.PUBLIC and is_ours and not opened.capabilities.keys_stay_inside:
                # Another process can add a public key to a sealed store without the master key.
                yield Problem(
                    where,
                    "is a public key after a secret one, and no command puts one there",
                    "check who can write to the store, then destroy it: nothing that it verifies was signed here",
                )
            is_ours = is_ours or found is _Half.SECRET
        is_destroyed = all(info.state is State.DESTROYED for info in infos)
        if not is_destroyed:
            self._hold(opened, name)
        # A name that has only tombstones was destroyed on purpose, unless it is still declared.
        if table is not None or not is_destroyed:
            yield from self._lifecycle(opened, infos, subject, table)

    def _in_chain(self, chain: str, table: KeyConfig) -> Iterator[Problem]:
        """What is wrong with a declared name that is looked for in a chain, beside what is wrong with its records."""
        subject = f"{table.name} in chain {chain!r}"
        try:
            opened = self._context.stores.get(chain, name=table.name)
            infos = opened.store.versions(table.name)
        except Exception:  # noqa: BLE001  (the store that fails is reported itself)
            return
        refusal = _tried(subject, lambda: opened.writable)
        if infos:
            yield from self._lifecycle(opened, infos, subject, table)
            if isinstance(refusal, Problem) and table.common()["rotate_every"] is not None:
                yield refusal
        elif not isinstance(refusal, Problem):
            yield from _missing(opened, subject, table)

    def _read(self, opened: OpenStore, info: RecordInfo) -> _Half:
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
            self._context.registry.key_type(key.type).validate(key)
        return _Half.NONE if key.public is None or info.state is State.DESTROYED else _Half.PUBLIC

    def _lifecycle(
        self, opened: OpenStore, infos: Sequence[RecordInfo], subject: str, table: KeyConfig | None
    ) -> Iterator[Problem]:
        now = self._context.clock()
        if lifecycle.primary(infos, now) is None:
            option = self._context.stores.option(opened, infos[-1].name)
            reason, hint = lifecycle.why_not(infos, now, option)
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


def _scanned(opened: OpenStore) -> Iterator[Sequence[RecordInfo]]:
    """What a scan of the store yields until it fails: the name that it fails at is then read alone, and reported."""
    with suppress(Exception):
        if hasattr(opened.store, "scan"):
            yield from opened.scan()


def _missing(opened: OpenStore, subject: str, table: KeyConfig) -> Iterator[Problem]:
    if opened.capabilities.writable:
        what = f"is declared as {table.path}, but does not exist"
        yield Problem(subject, what, f"run `keywright ensure {table.name}`")
        return
    # The store's own error names the place where it looked, and what should be there.
    found = _tried(subject, lambda: opened.store.get(table.name, 1))
    if isinstance(found, Problem):
        yield found
