"""The contract of plugin modules."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from importlib.metadata import entry_points
from inspect import getdoc, signature
from types import ModuleType
from typing import Any, ClassVar, Final

import pluggy
import pytest

from keywright import (
    KEYWRIGHT_API,
    REQUIRED,
    Commands,
    Format,
    KeyType,
    Registry,
    Seal,
    Setting,
    StoreBackend,
)
from keywright.plugins import hooks
from keywright.plugins.validation import unmarked_hooks
from keywright.testing.rules import Contract

_REGISTERING: Final = [name for name in vars(hooks) if name.startswith("keywright_register_")]
# What `isinstance` takes; a secret has no default.
_TYPES: Final[Mapping[str, Any]] = {
    "text": str,
    "path": str,
    "integer": int,
    "boolean": bool,
    "duration": timedelta,
    "secret": (),
    "list": tuple,
    "secrets": tuple,
    "tables": tuple,
    "table": Mapping,
    "values": Mapping,
}


class PluginContract(Contract):
    """The rules for every plugin module.

    Subclass it as `TestX` and name the module, of an installed distribution:

        class TestPlugin(PluginContract):
            module = "keywright_sqlite"

    Some rules run in a separate process in which nothing is loaded yet.
    """

    module: ClassVar[str] = ""

    @pytest.fixture
    def plugin(self) -> ModuleType:
        """The module."""
        assert self.module, f"{type(self).__name__} needs the attribute `module`"
        return import_module(self.module)

    @pytest.fixture
    def manager(self, plugin: ModuleType) -> pluggy.PluginManager:
        """A plugin manager that knows keywright's hooks and this plugin alone."""
        manager = pluggy.PluginManager("keywright")
        manager.add_hookspecs(hooks)
        manager.register(plugin)
        return manager

    def registered(self, manager: pluggy.PluginManager) -> list[tuple[type, KeyType | Format | StoreBackend | Seal]]:
        """The plugin's objects, each with the protocol of its role."""
        roles = (
            (KeyType, manager.hook.keywright_register_key_types),
            (Format, manager.hook.keywright_register_formats),
            (StoreBackend, manager.hook.keywright_register_store_backends),
            (Seal, manager.hook.keywright_register_seals),
        )
        return [(role, item) for role, hook in roles for items in hook() for item in items]

    def settings(self, manager: pluggy.PluginManager) -> Iterator[Setting]:
        """All settings that the plugin and its objects declare."""
        for plugin in manager.get_plugins():
            yield from getattr(plugin, "SETTINGS", ())
        for _role, item in self.registered(manager):
            if not isinstance(item, Format):
                yield from item.settings

    def test_plugin_01_importing_it_is_quick(self) -> None:
        """PLUGIN-01: Importing the module, and asking for its objects, loads no third-party package and nothing slow.

        Why: The command line loads plugins at every start; one `import requests` slows it down for users who never use
        the plugin.

        Do: Move the imports that the failure names into the functions that need them, and those for annotations below
        `if TYPE_CHECKING`. The module prints nothing either.
        """
        assert _run(_LOADED, self.module, _SLOW) == "", "these load at import; import them where they are first used"

    def test_plugin_02_it_says_which_contracts_it_follows(self, plugin: ModuleType) -> None:
        """PLUGIN-02: The module sets KEYWRIGHT_API = 1.

        Why: A keywright with other contracts then refuses the plugin with a clear message, instead of failing later.

        Do: Write the number at the top of the module, as a number, and raise it when you follow a later version.
        """
        assert plugin.KEYWRIGHT_API == KEYWRIGHT_API

    def test_plugin_03_its_hooks_exist(self, manager: pluggy.PluginManager, plugin: ModuleType) -> None:
        """PLUGIN-03: It implements at least one hook, and none that keywright does not have.

        Why: A misspelled hook is never called: the plugin is installed, listed, and does nothing.

        Do: Compare the function's name with the page of hooks, letter by letter, and mark it with
        `@keywright.hookimpl`.
        """
        manager.check_pending()

        assert manager.get_hookcallers(plugin)

    def test_plugin_04_it_is_found_by_its_entry_point(self) -> None:
        """PLUGIN-04: An installed distribution names the module in the entry-point group `keywright`.

        Why: Plugins are found only through this group; a module that is merely installed is ignored.

        Do: Add `[project.entry-points.keywright]` with `NAME = "MODULE"` to pyproject.toml and install the project
        again.
        """
        assert self.module in [entry.value for entry in entry_points(group="keywright")]

    def test_plugin_05_its_objects_do_what_their_role_asks(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-05: Each object has the members of its protocol, and methods with the protocol's parameters.

        Why: The ring calls these names with these keywords; what is missing fails in the middle of a rotation.

        Do: Compare the signature with the protocol's. Parameters of your own come last and have defaults.
        """
        for role, item in self.registered(manager):
            assert isinstance(item, role)
            for method, wanted in vars(role).items():
                if callable(wanted) and not method.startswith("_"):
                    parameters = list(signature(wanted).parameters.values())[1:]
                    offered = signature(getattr(item, method)).parameters
                    kinds = [(one.name, one.kind) for one in parameters]
                    assert [(one.name, one.kind) for one in offered.values()][: len(kinds)] == kinds
                    assert all(one.default is not one.empty for one in [*offered.values()][len(kinds) :])

    def test_plugin_06_its_names_are_well_formed_and_its_own(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-06: Object names are of a-z, digits and '-', and no two objects of one role share one.

        Why: Names are used in configuration, on the command line and in records; if two share a name, neither is used.

        Do: Use the standard name in lower case, and one that no other plugin has.
        """
        names = [(role, item.name) for role, item in self.registered(manager)]

        assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for _role, name in names)
        assert len(set(names)) == len(names)

    def test_plugin_07_its_settings_are_explained(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-07: Each setting has a name of a-z, digits and '_', a help sentence, and bounds only if an integer.

        Why: `--help`, the errors and the reference page are made of these texts; without them, users have to guess.

        Do: Write one line that says what the value does and in which unit it is given.
        """
        for setting in self.settings(manager):
            assert re.fullmatch(r"[a-z][a-z0-9_]*", setting.name)
            assert setting.help.strip()
            assert len(setting.help.splitlines()) == 1
            if setting.type != "integer":
                assert (setting.minimum, setting.maximum, setting.multiple_of) == (None, None, 1)

    def test_plugin_08_asking_twice_gives_the_same_names(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-08: The hooks may be called again and give objects of the same names.

        Why: A program may open several rings, each with a registry of its own.

        Do: Create the objects again in each call, or keep them in a tuple; hand out no generator that is used up.
        """
        first, second = ([item.name for _role, item in self.registered(manager)] for _ in range(2))

        assert first == second

    def test_plugin_09_its_commands_can_be_configured(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-09: Each command has a line of help, examples that start with its words, and arguments that print.

        Why: Users learn a command from its `--help`, and copy the example.

        Do: Give `commands.add` a `help` without line breaks and at least one example that works as it stands.
        """
        commands = Commands()
        manager.hook.keywright_add_commands(commands=commands)

        assert not commands.clashes
        for command in commands.below(()):
            parser = ArgumentParser(prog="keywright " + " ".join(command.path))
            command.configure(parser)
            assert parser.format_help()
            assert command.help.strip()
            assert len(command.help.splitlines()) == 1
            assert command.examples
            assert all(" ".join(("keywright", *command.path)) in example for example in command.examples)

    def test_plugin_10_the_registry_takes_it_without_complaint(self, plugin: ModuleType) -> None:
        """PLUGIN-10: keywright's own registry loads the plugin and all of its objects, and lists no failure.

        Why: An object that is refused there (a setting by a reserved name, a class in place of an instance, a hook
        wrapper) is missing when it is asked for.

        Do: Read the sentence in the failure; it is the one that `keywright plugins --check` prints.
        """
        registry = Registry()

        registry.add(plugin, "under-test")

        assert [str(failure) for failure in registry.failures] == []

    def test_plugin_11_the_order_of_its_hooks_does_not_matter(self) -> None:
        """PLUGIN-11: In a new process the hooks give the same names in whatever order they are called, or alone.

        Why: keywright asks for roles in an order that may change, and only for those that it needs.

        Do: Let no hook depend on what another one has set up; put shared code in a function that both call.
        """
        asked = _names_in_order(self.module, _REGISTERING)

        assert _names_in_order(self.module, _REGISTERING[::-1]) == asked
        for line in asked:
            assert _names_in_order(self.module, [line.partition(" ")[0]]) == [line]

    def test_plugin_12_its_objects_are_explained(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-12: The module and the class of each object have a docstring that starts with a sentence.

        Why: It explains the name to a user who found it in a configuration file.

        Do: Say in one line what the object is and by which standard or program its data can be read.
        """
        for _role, item in self.registered(manager):
            told = getdoc(type(item)) or ""
            assert told.strip(), f"{type(item).__name__} says nothing of itself"
            assert getdoc(import_module(self.module)), "the module says nothing of itself"

    def test_plugin_13_its_defaults_keep_their_own_rules(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-13: The default of a setting is of its type, in its bounds and one of its choices; no secret has one.

        Why: A default that a user could not set fails as soon as a user sets it; a secret that is part of the program
        is not secret.

        Do: Let the default be what parsing gives (a `timedelta` for a duration, a tuple for a list), None for "not
        given", or `REQUIRED`.
        """
        for setting in self.settings(manager):
            default = setting.default
            if default is None or default is REQUIRED:
                continue
            assert isinstance(default, _TYPES[setting.type]), setting.name
            assert setting.type != "secrets" or default == (), setting.name
            assert isinstance(default, bool) == (setting.type == "boolean"), setting.name
            assert not setting.choices or default in setting.choices, setting.name
            if isinstance(default, int):
                assert setting.minimum is None or default >= setting.minimum, setting.name
                assert setting.maximum is None or default <= setting.maximum, setting.name
                assert default % setting.multiple_of == 0, setting.name

    def test_plugin_14_it_leaves_the_process_as_it_was(self) -> None:
        """PLUGIN-14: Importing the module, and asking for its objects, changes nothing in the process around it.

        Why: keywright is a library too: a thread, a signal handler or a variable that appears with it breaks programs
        that never asked for your plugin.

        Do: Start threads and set handlers in the functions that need them, and undo what you set.
        """
        assert _run(_CHANGES, self.module) == ""

    def test_plugin_15_no_hook_lacks_its_mark(self, plugin: ModuleType) -> None:
        """PLUGIN-15: Every function of the module whose name starts with `keywright_` is marked with `hookimpl`.

        Why: A hook without the mark is never called: the plugin is installed, and what it registers is missing.

        Do: Write `@keywright.hookimpl` above the function, or give one that is not a hook another name.
        """
        assert unmarked_hooks(plugin) == []


# Programs that look at a plugin module in a new interpreter, where nothing is loaded and nothing was asked yet.

_KEPT: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")

# What starting to use a module loads. What keywright itself imports on the way is not the plugin's: of each import, the
# innermost frame counts that is one of the two.
_LOADED: Final = """
import sys
from importlib import import_module
asked, owners = set(), {"keywright", "__main__", sys.argv[1].partition(".")[0]}
class Watch:
    def find_spec(name, path=None, target=None):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"].partition(".")[0] not in owners:
            frame = frame.f_back
        if frame.f_globals["__name__"].partition(".")[0] != "keywright":
            asked.add(name)
sys.meta_path.insert(0, Watch)
plugin = import_module(sys.argv[1])
for name in sorted(vars(plugin)):
    if name.startswith("keywright_register_"):
        getattr(plugin, name)()
loaded = {name.partition(".")[0] for name in asked & set(sys.modules)} - {sys.argv[1].partition(".")[0]}
foreign = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("keywright")}
slow = asked & set(sys.modules) & set(sys.argv[2].split(","))
print(*sorted(foreign | slow))
"""

_SLOW: Final = (
    "argparse,asyncio,concurrent.futures,ctypes,email,http,importlib.metadata,inspect,json,logging,multiprocessing,"
    "pathlib,random,shutil,socket,sqlite3,ssl,subprocess,tempfile,unittest,urllib.request,uuid,xml,zipfile"
)

_NAMES: Final = """
import sys
from importlib import import_module
plugin = import_module(sys.argv[1])
for name in sys.argv[2:]:
    if hasattr(plugin, name):
        print(name, *(item.name for item in getattr(plugin, name)()))
"""

# What is different once the module gave its objects: `threads`, `signals`, `environment`, …
_CHANGES: Final = """
import os, signal, sys, threading, warnings
from importlib import import_module
def seen():
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    hooks = [sys.excepthook, sys.displayhook, sys.stdout, sys.stderr, sys.getrecursionlimit(), os.umask(0o77)]
    return {
        "threads": threading.active_count(), "signals": handlers, "environment": dict(os.environ), "hooks": hooks,
        "directory": os.getcwd(), "path": list(sys.path), "warnings": list(warnings.filters),
    }
os.umask(0o77)
before = seen()
plugin = import_module(sys.argv[1])
for name in sorted(vars(plugin)):
    if name.startswith("keywright_register_"):
        getattr(plugin, name)()
after = seen()
print(*(what for what in before if before[what] != after[what]))
"""


def _names_in_order(module: str, hooks: list[str]) -> list[str]:
    """What each of the hooks that the module has returns, called in this order: a line of names for each, sorted."""
    return sorted(_run(_NAMES, module, *hooks).splitlines())


def _run(program: str, *arguments: str) -> str:
    """What a program prints, on both streams; a plugin that prints is seen as well."""
    # Not all variables, for this process may have imported the plugin, and a measurement of coverage is an import.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = subprocess.run(  # noqa: S603 - our own interpreter and programs
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    return (done.stdout + done.stderr).rstrip("\n")
