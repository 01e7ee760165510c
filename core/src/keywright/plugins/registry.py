"""The registry: role and name → plugin object, and the failures to load, with reasons."""

from __future__ import annotations

import sys
from _thread import RLock  # `threading` has the same, and imports more
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from keywright.errors import PluginError, UnknownPluginError
from keywright.plugins.calls import call, guarded, sequence
from keywright.plugins.commands import load_commands
from keywright.plugins.discovery import (
    COMMANDS,
    KEYWRIGHT_API,
    NOT_SEARCHED,
    OBSERVERS,
    PLUGINS,
    ROLES,
    SETTINGS,
    EntryPoint,
    find_entry_points,
    passed_over,
)
from keywright.plugins.hooks import implementations, unfit_hook
from keywright.plugins.validation import fault_of, unmarked_hooks
from keywright.protocols import ExtensibleFormat, Format, InstalledNames, JWKKeyType, KeyType, Seal, StoreBackend
from keywright.secret import shown_name
from keywright.settings.model import Setting
from keywright.text import did_you_mean

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.plugins.commands import Commands
    from keywright.plugins.observers import Observers


_HOOKS: Final = {
    "key type": "keywright_register_key_types",
    "format": "keywright_register_formats",
    "store backend": "keywright_register_store_backends",
    "seal": "keywright_register_seals",
}


_GROUPS: Final = {role: group for group, role in ROLES.items()}
_INDEX: Final = frozenset((*ROLES, OBSERVERS, SETTINGS))

_CONFIGURED: Final = "is configured"
_OTHER_HOOKS: Final = {
    "keywright_add_commands": "commands",
    "keywright_review": "reviews",
    "keywright_observe": "observes",
    "keywright_configure": _CONFIGURED,
}


class Plugin(NamedTuple):
    """A plugin that loaded: its entry point's name, its distribution, and what it does (`format nix`, `reviews`)."""

    name: str
    distribution: str
    version: str
    provides: tuple[str, ...]


class Failure(NamedTuple):
    """Something that did not load. `subject` names the plugin and its distribution, `reason` says why."""

    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


class _Claim(NamedTuple):
    owner: str
    thing: object


class Registry:
    """The installed plugins and what they provide. A plugin is imported when it is first needed.

    An index in entry points (`keywright.key_types`, `keywright.formats`, `keywright.store_backends`, `keywright.seals`,
    `keywright.observers`, `keywright.settings`) says which plugin provides what. A plugin that is not in the index is
    imported by `load`. A look-up that finds nothing, and the properties that list, import all that the role has.

    Attributes:
        report: is called with one sentence for each failure that did not stop an operation: an observer that failed, a
            store of a chain that was skipped. By default the logger `keywright` of Python's logging. A ring uses the
            one that its registry had when the ring was opened.
    """

    def __init__(self) -> None:
        """A registry without plugins; see `load` and `add`."""
        self._claims: dict[str, dict[str, list[_Claim]]] = {role: {} for role in _HOOKS}
        self._objects: dict[str, object] = {}
        self._plugins: dict[str, Plugin] = {}
        self._failures: list[Failure] = []
        self._left_out: list[str] = []
        self._installed: frozenset[str] = frozenset()
        self._waiting: dict[str, EntryPoint] = {}
        self._index: dict[str, dict[str, list[str]]] = {}
        self._lock = RLock()
        self.report: Callable[[str], None] = _log

    @classmethod
    def load(cls, allowed: Sequence[str] | None = None) -> Registry:
        """Find the plugins that entry points name; with `allowed`, only those on this list.

        A plugin that fails is recorded as a failure, and the rest load.

        Raises:
            PluginError: `allowed` names a plugin that is not installed.
        """
        registry = cls()
        entry_points = find_entry_points(groups=None)
        claimed: dict[str, list[EntryPoint]] = {}
        for entry_point in entry_points:
            if entry_point.group == PLUGINS:
                claimed.setdefault(entry_point.name, []).append(entry_point)
        for name in allowed or ():
            if name not in claimed:
                known = ", ".join(claimed) or "none"
                raise PluginError(
                    f"plugins names {name!r}, which is not installed{did_you_mean(name, claimed)}",
                    hint=f"installed: {known}",
                )
        for name, claimants in claimed.items():
            if allowed is not None and name not in allowed:
                registry._left_out.append(name)
            elif len(claimants) > 1:
                owners = " and ".join(f"{one.distribution} {one.version}".rstrip() for one in claimants)
                registry._fail(f"plugin {name!r}", f"is claimed by {owners}, so neither is loaded; uninstall one")
            else:
                registry._waiting[name] = claimants[0]
        registry._installed = frozenset(registry._waiting)
        registry._read_index(entry_points)
        indexed = {name for names in registry._index.values() for plugins in names.values() for name in plugins}
        registry._load(name for name in registry._waiting if name not in indexed)
        return registry

    def _read_index(self, entry_points: Sequence[EntryPoint]) -> None:
        """Note which plugin is said to provide what. A line belongs to the plugin of its distribution and module."""
        owners = {(one.distribution, one.value): name for name, one in self._waiting.items()}
        for line in entry_points:
            if line.group in _INDEX and (line.distribution, line.value) in owners:
                names = self._index.setdefault(line.group, {}).setdefault(line.name, [])
                names.append(owners[line.distribution, line.value])

    def _load(self, names: Iterable[str]) -> None:
        """Import and register those of these plugins that wait for it."""
        for name in sorted(names):
            entry_point = self._waiting.pop(name, None)
            if entry_point is not None:
                self._import(entry_point)

    def _ordered(self) -> list[str]:
        """The names of the plugins that are loaded: the installed ones sorted, then those that were added by hand."""
        return sorted(
            self._objects, key=lambda name: (name not in self._installed, name if name in self._installed else "")
        )

    def _load_all(self) -> None:
        with self._lock:
            self._load(list(self._waiting))

    def _load_role(self, role: str) -> None:
        """Load the plugins that provide objects of a role, as the index says."""
        with self._lock:
            self._load({plugin for plugins in self._index.get(_GROUPS[role], {}).values() for plugin in plugins})

    def _import(self, entry_point: EntryPoint) -> None:
        # The extras that may follow in brackets have no meaning any more.
        module_name, _, attribute = (part.strip() for part in entry_point.value.partition("[")[0].partition(":"))

        def imported() -> object:
            __import__(module_name)
            plugin: object = sys.modules[module_name]
            for part in attribute.split(".") if attribute else ():
                plugin = getattr(plugin, part)
            return plugin

        plugin, failed = guarded(imported)
        if failed:
            subject = _subject(entry_point.name, entry_point.distribution, entry_point.version)
            self._fail(subject, f"failed on import with {failed}")
            return
        self.add(plugin, entry_point.name, entry_point.distribution, entry_point.version)

    def add(self, plugin: object, name: str, distribution: str = "", version: str = "") -> None:
        """Register a plugin object, as `load` does for installed ones. Failures are recorded, not raised."""
        subject = _subject(name, distribution, version)
        with self._lock:
            misfit, failed = guarded(self._misfit, plugin, name)
            if failed:
                misfit = f"does not fit the hooks: {failed}"
            if misfit:
                self._fail(subject, misfit)
                return
            self._objects[name] = plugin
            unmarked = ", ".join(unmarked_hooks(plugin))
            if unmarked:
                self._fail(subject, f"has functions named like hooks without @hookimpl, never called: {unmarked}")
            hooks = {one.hook: one for one in implementations(plugin)}
            objects = [
                f"{role} {provided}"
                for role, hook in _HOOKS.items()
                if hook in hooks
                for provided in self._collect(hooks[hook].function, role, subject)
            ]
            others = [what for hook, what in _OTHER_HOOKS.items() if hook in hooks]
            self._plugins[name] = Plugin(name, distribution, version, (*objects, *others))
            self._check_index(name, subject, hooks)

    def _misfit(self, plugin: object, name: str) -> str:
        """Why a plugin is not even looked at; `""` if it is."""
        said = getattr(plugin, "KEYWRIGHT_API", None)
        if said != KEYWRIGHT_API:
            says = "does not say which keywright API it is for" if said is None else f"is for keywright API {said!r}"
            return f"{says}; this keywright has API {KEYWRIGHT_API}: install a version that fits"
        if name in self._objects:
            return "has the name of a plugin that is loaded already; give it another"
        twin = next((other for other, one in self._objects.items() if one is plugin), None)
        if twin is not None:
            return f"is the same object as plugin {twin!r}, which is loaded already; name it once"
        return unfit_hook(plugin)

    def _collect(self, function: Callable[[], object], role: str, subject: str) -> Iterator[str]:
        """Ask one plugin for its objects of one role; yield the names of those that are sound."""
        hook_name = _HOOKS[role]
        things, failed = guarded(lambda: list(sequence(function())))
        if failed:
            self._fail(subject, f"failed in {hook_name} with {failed}")
        for thing in things or ():
            found, failed = guarded(lambda: (fault_of(thing, role), str(getattr(thing, "name", ""))))  # noqa: B023  (called here)
            fault, name = found or (f"it fails with {failed}", "")
            if fault:
                self._fail(subject, f"returned an object from {hook_name} that is not a {role}: {fault}")
                continue
            self._claims[role].setdefault(name, []).append(_Claim(subject, thing))
            yield name

    def _check_index(self, name: str, subject: str, hooks: Mapping[str, object]) -> None:
        """Record where the index says something else than the plugin, which is then found late, or not at all."""
        listed = {
            (group, entry)
            for group, entries in self._index.items()
            for entry, plugins in entries.items()
            if name in plugins
        }
        if not listed:
            return
        provided = {
            (_GROUPS[role], entry)
            for role, claims in self._claims.items()
            for entry, claimants in claims.items()
            if any(one.owner == subject for one in claimants)
        }
        if {"keywright_review", "keywright_observe"} & hooks.keys():
            provided.add((OBSERVERS, name))
        if "keywright_configure" in hooks:
            provided.add((SETTINGS, name))
        for group, entry in sorted(listed ^ provided):
            says = "lists" if (group, entry) in listed else "lacks"
            self._fail(subject, f"does not do what its index says: the entry-point group {group!r} {says} {entry!r}")

    def _fail(self, subject: str, reason: str) -> None:
        failure = Failure(subject, " ".join(reason.split()))
        # Commands may be added more than once, and fail the same way each time.
        if failure not in self._failures:
            self._failures.append(failure)

    # Looking up

    def key_type(self, name: str) -> KeyType:
        """The key type of that name.

        Raises:
            UnknownPluginError: it does not exist; the message lists what is installed and what failed to load.
            PluginError: two plugins claim the name.
        """
        return cast(KeyType, self._find("key type", name))

    def format(self, name: str) -> Format:
        """The format of that name. Raises: as `key_type`."""
        return self._extended(cast(Format, self._find("format", name)))

    def store_backend(self, name: str) -> StoreBackend:
        """The store backend of that name. Raises: as `key_type`."""
        return cast(StoreBackend, self._find("store backend", name))

    def seal(self, name: str) -> Seal:
        """The seal of that name. Raises: as `key_type`."""
        return cast(Seal, self._find("seal", name))

    def _find(self, role: str, name: str) -> object:
        with self._lock:
            self._load(self._index.get(_GROUPS[role], {}).get(name, ()))
        if name not in self._claims[role]:
            self._load_all()
        claims = self._claims[role].get(name, ())
        if len(claims) == 1:
            return claims[0].thing
        if claims:
            raise PluginError(_clash(role, name, claims))
        known = self._claims[role]
        failed = "".join(f". {failure}" for failure in self._failures)
        none = "none" if self._plugins else "none (`keywright plugins` prints what was searched)"
        installed = ", ".join(sorted(known)) or none
        left_out = f"; the setting `plugins` leaves out: {', '.join(self._left_out)}" if self._left_out else ""
        unused = "".join(f". {folder}: {NOT_SEARCHED}" for folder in passed_over())
        what = f"no {role} is called {shown_name(name)!r}{did_you_mean(name, known)}"
        raise UnknownPluginError(what, hint=f"installed: {installed}{left_out}{failed}{unused}")

    @property
    def key_types(self) -> Mapping[str, KeyType]:
        """The key types by name, those that two plugins claim left out."""
        return cast("Mapping[str, KeyType]", self._sound("key type"))

    @property
    def formats(self) -> Mapping[str, Format]:
        """The formats by name, those that two plugins claim left out."""
        return {name: self._extended(cast(Format, found)) for name, found in self._sound("format").items()}

    def _extended(self, format_: Format) -> Format:
        """The format with the key types of other plugins that describe themselves to it."""
        if not hasattr(format_, "with_key_types"):
            return format_
        described = [one for one in self.key_types.values() if hasattr(one, "jwk_members")]
        others = [cast(JWKKeyType, one) for one in described if one.name not in format_.key_types]
        return cast(ExtensibleFormat, format_).with_key_types(others) if others else format_

    @property
    def store_backends(self) -> Mapping[str, StoreBackend]:
        """The store backends by name, those that two plugins claim left out."""
        return cast("Mapping[str, StoreBackend]", self._sound("store backend"))

    @property
    def seals(self) -> Mapping[str, Seal]:
        """The seals by name, those that two plugins claim left out."""
        return cast("Mapping[str, Seal]", self._sound("seal"))

    def _sound(self, role: str) -> dict[str, object]:
        self._load_role(role)
        claims = self._claims[role]
        return {name: claims[name][0].thing for name in sorted(claims) if len(claims[name]) == 1}

    def names(self, role: str) -> list[str]:
        """The names of the objects of a role (`key type`, `format`, `store backend`, `seal`), without loading any."""
        return sorted({*self._claims[role], *self._index.get(_GROUPS[role], ())})

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that loaded, all of them now."""
        self._load_all()
        return tuple(self._plugins[name] for name in self._ordered())

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What did not load, clashes of object names included."""
        self._load_all()
        clashes = [
            Failure(f"{role} {name!r}", _clash(role, name, claims).removeprefix(f"{role} {name!r} "))
            for role, names in self._claims.items()
            for name, claims in names.items()
            if len(claims) > 1
        ]
        return (*self._failures, *clashes)

    @property
    def has_gaps(self) -> bool:
        """Whether a plugin failed to load, or two claim one name."""
        return bool(self.failures)

    # Calling the other hooks

    def add_commands(self, commands: Commands) -> None:
        """Let every plugin add its commands: by the module that it names for them, else by its hook.

        A plugin that fails is remembered as a failure; what else it adds stays.
        """
        modules = {(one.name, one.distribution): one for one in find_entry_points(groups=(COMMANDS,))}
        for plugin in self.plugins:
            module = modules.get((plugin.name, plugin.distribution))
            hooks = [one for one in implementations(self._objects[plugin.name]) if one.hook == "keywright_add_commands"]
            if module is not None:
                added, failure = load_commands(module)
                if added is not None:
                    commands.extend(added)
                    continue
                self._fail(f"plugin {plugin.name!r}", failure)
            for hook in hooks:
                commands.owner = plugin.name
                _, failed = guarded(call, hook, commands)
                if failed:
                    self._fail(f"plugin {plugin.name!r}", f"failed in keywright_add_commands with {failed}")
        commands.owner = ""
        for first, second in commands.clashes:
            owner = f"plugin {first.owner!r}" if first.owner else "keywright itself"
            path = " ".join(first.path)
            self._fail(
                f"plugin {second.owner!r}", f"adds the command {path!r}, which stays with {owner}; uninstall one"
            )

    def observers(self, config: Config | None = None) -> Observers:
        """The plugins that review and observe what a ring over `config` does.

        Raises:
            ConfigError: a `[plugin.NAME]` table is not the table of a plugin with settings, or a setting is wrong.
            PluginError: a plugin failed while it was configured.
        """
        from keywright.plugins.observers import observers

        with self._lock:
            self._load({name for names in self._index.get(OBSERVERS, {}).values() for name in names})
            configured = config.plugin if config is not None else ()
            self._load(configured)
            if any(name not in self._plugins or _CONFIGURED not in self._plugins[name].provides for name in configured):
                self._load_all()  # for the error, which lists those that can be configured
            plugins = {name: self._objects[name] for name in self._ordered()}
        return observers(plugins, config, self._known, lambda: self.failures, self.report)

    def _known(self) -> InstalledNames:
        sizable = (name for name, one in self.key_types.items() if any(that.name == "bits" for that in one.settings))
        return InstalledNames(tuple(self.key_types), tuple(self.formats), frozenset(sizable))

    @property
    def settings(self) -> Mapping[str, Sequence[Setting]]:
        """What may be set in `[plugin.NAME]`, by the plugin's name."""
        from keywright.plugins.observers import settings_of

        self._load_all()
        return {name: settings_of(plugin) for name, plugin in self._objects.items() if settings_of(plugin)}


def _subject(name: str, distribution: str, version: str) -> str:
    return f"plugin {name!r}" + (f" of {distribution} {version}".rstrip() if distribution else "")


def _log(sentence: str) -> None:
    import logging

    logging.getLogger("keywright").warning("%s", sentence)


def _clash(role: str, name: str, claims: Sequence[_Claim]) -> str:
    owners = " and ".join(claim.owner for claim in claims)
    return f"{role} {name!r} is claimed by {owners}, so neither is used; uninstall one, or leave it out of `plugins`"
