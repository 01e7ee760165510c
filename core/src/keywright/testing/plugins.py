"""The contract of plugin modules."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from types import ModuleType
from typing import ClassVar

import pluggy
import pytest

from keywright import hookspecs
from keywright.cli.commands import Commands
from keywright.protocols import Format, KeyType, Seal, StoreBackend
from keywright.settings import Setting

__all__ = ["PluginContract"]

# Prints what importing a module loads beyond what keywright itself has loaded, third-party modules first.
_PROBE = """
import sys, sysconfig
from keywright import Key, Setting, Store, hookimpl  # what these load is keywright's, not the plugin's
from importlib import import_module
before = set(sys.modules)
import_module(sys.argv[1])
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
foreign = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("keywright")}
slow = (set(sys.modules) - before) & set(sys.argv[2].split(","))
print(",".join(sorted(foreign)), ",".join(sorted(slow)), sep="\\n")
"""

_SLOW = (
    "asyncio,concurrent.futures,ctypes,email,http,importlib.metadata,inspect,json,logging,multiprocessing,pathlib,"
    "random,shutil,socket,sqlite3,ssl,subprocess,tempfile,unittest,urllib.request,uuid,xml,zipfile"
)


class PluginContract:
    """What every plugin module promises. Subclass it as `TestX` and say which module:

    class TestPlugin(PluginContract):
        module = "keywright_sqlite"
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
        manager.add_hookspecs(hookspecs)
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
        """All settings that the plugin's objects declare."""
        for _role, item in self.registered(manager):
            if not isinstance(item, Format):
                yield from item.settings

    def test_plugin_01_importing_it_is_quick(self) -> None:
        """PLUGIN-01: Importing the module loads no third-party package, and none of the slow ones of Python's own."""
        result = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", _PROBE, self.module, _SLOW], capture_output=True, text=True, check=False
        )

        assert result.stderr == ""
        assert result.stdout.splitlines() == ["", ""], "these load at import; import them where they are first used"

    def test_plugin_02_it_says_which_contracts_it_follows(self, plugin: ModuleType) -> None:
        """PLUGIN-02: The module says KEYWRIGHT_API = 1."""
        assert plugin.KEYWRIGHT_API == hookspecs.KEYWRIGHT_API

    def test_plugin_03_its_hooks_exist(self, manager: pluggy.PluginManager, plugin: ModuleType) -> None:
        """PLUGIN-03: It implements at least one hook, and none that keywright does not have."""
        manager.check_pending()

        assert manager.get_hookcallers(plugin)

    def test_plugin_04_it_is_found_by_its_entry_point(self) -> None:
        """PLUGIN-04: An installed distribution names the module in the entry-point group `keywright`."""
        assert self.module in [entry.value for entry in entry_points(group="keywright")]

    def test_plugin_05_its_objects_do_what_their_role_asks(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-05: Each object has the members of its protocol, and methods that take what the protocol's take."""
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
        """PLUGIN-06: Object names are of a-z, digits and '-', and no two objects of one role share one."""
        names = [(role, item.name) for role, item in self.registered(manager)]

        assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for _role, name in names)
        assert len(set(names)) == len(names)

    def test_plugin_07_its_settings_are_explained(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-07: Each setting has a name of a-z, digits and '_', a help sentence, and bounds only if an integer."""
        for setting in self.settings(manager):
            assert re.fullmatch(r"[a-z][a-z0-9_]*", setting.name)
            assert setting.help.strip()
            assert len(setting.help.splitlines()) == 1
            if setting.type != "integer":
                assert (setting.minimum, setting.maximum, setting.multiple_of) == (None, None, 1)

    def test_plugin_08_asking_twice_gives_the_same_names(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-08: The hooks may be called again and give objects of the same names."""
        first, second = ([item.name for _role, item in self.registered(manager)] for _ in range(2))

        assert first == second

    def test_plugin_09_its_commands_can_be_configured(self, manager: pluggy.PluginManager) -> None:
        """PLUGIN-09: Each command has a line of help, examples that start with its words, and arguments that print."""
        commands = Commands()
        manager.hook.keywright_add_commands(commands=commands)

        assert not commands.clashes
        for command in commands.below(()):
            parser = ArgumentParser(prog="keywright " + " ".join(command.path))
            command.configure(parser)
            assert parser.format_help()
            assert len(command.help.splitlines()) == 1
            assert command.examples
            assert all(" ".join(("keywright", *command.path)) in example for example in command.examples)
