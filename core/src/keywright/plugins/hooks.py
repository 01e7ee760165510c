"""The hooks. They register, review and notify; they never carry secrets, and they do not do the work.

A plugin is a module (or object) named by an entry point of the group `keywright`. It sets `KEYWRIGHT_API = 1` and
marks its hook implementations with `keywright.hookimpl`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from keywright.text import did_you_mean

if TYPE_CHECKING:
    from keywright.events import KeyEvent, ReviewRequest
    from keywright.plugins.commands import Commands
    from keywright.protocols import Format, InstalledNames, KeyType, Seal, StoreBackend
    from keywright.settings.model import Options


hookspec = pluggy.HookspecMarker("keywright")
hookimpl = pluggy.HookimplMarker("keywright")


@hookspec
def keywright_register_key_types() -> Sequence[KeyType]:  # type: ignore[empty-body]  # (a spec has none)
    """Return key types.

    Objects are checked when they register: all members exist, settings are `Setting`s without reserved names, and
    names consist of `a-z`, digits and `-`. An object that fails the check is listed as a failure.

    Called once, when a registry loads the plugin. If two plugins return the same name, neither gets it, and looking it
    up raises an error that names both. If it raises, the plugin's other objects still load and the failure is listed.
    """


@hookspec
def keywright_register_formats() -> Sequence[Format]:  # type: ignore[empty-body]  # (a spec has none)
    """Return formats. Called, and clashes and failures handled, as for key types."""


@hookspec
def keywright_register_store_backends() -> Sequence[StoreBackend]:  # type: ignore[empty-body]  # (a spec has none)
    """Return store backends. Called, and clashes and failures handled, as for key types."""


@hookspec
def keywright_register_seals() -> Sequence[Seal]:  # type: ignore[empty-body]  # (a spec has none)
    """Return seals. Called, and clashes and failures handled, as for key types."""


@hookspec
def keywright_add_commands(commands: Commands) -> None:
    """Add commands to the command line with `commands.add(…)`.

    Called when the command line looks for a command that the core does not have; a command's arguments are configured
    only if it is used. A path that exists already stays with the plugin that added it first, and the clash is listed.
    If it raises, the rest of the command line works. A plugin NAME whose commands all begin with NAME may name the
    module that adds them in the entry-point group `keywright.commands`; it is used in place of this hook.
    """


@hookspec
def keywright_configure(options: Options, known: InstalledNames) -> object:
    """Return a plugin for one ring: an object whose `keywright_review` and `keywright_observe` are called for it.

    Called when a ring is opened whose configuration has a `[plugin.NAME]` table, with its settings: NAME is the
    plugin's entry point, and its `SETTINGS`, a sequence of `Setting`, declares what may be set. Return None if the
    plugin does not review or observe this ring. `known` has the key types and formats that a setting can name; the
    parameter can be omitted. A method `check` of the object can report problems, such as a file that cannot be
    written, to `keywright doctor` and `keywright config check` (`keywright.CheckedPlugin`). If the hook raises a
    ConfigError, the user has to correct the setting; any other exception also prevents opening the ring, because a
    policy must not be ignored silently. Rings with other settings get another object.
    """


@hookspec
def keywright_review(request: ReviewRequest) -> Sequence[str]:  # type: ignore[empty-body]  # (a spec has none)
    """Return objections, each a sentence; `()`, `[]` or None for no objection.

    Called before anything is written, exported (or loaded with its secret half) or bound, and before a secret exists.
    Every plugin is called; a single objection, even an empty one, refuses the operation with PolicyError. If the hook
    raises, or returns anything else, the operation is refused, because the plugin's answer is unknown. If another
    process writes the version meanwhile, that attempt is observed with the outcome `ConflictError`, and the next
    attempt is reviewed with the result of both changes.
    """


@hookspec
def keywright_observe(event: KeyEvent) -> None:
    """Receive an event.

    Called when the outcome is certain, whether success or failure: once for each review that was not a dry run. If it
    raises, the outcome does not change, the other observers are still called, and the failure goes to
    `Registry.report`: a warning on the command line, otherwise the logger `keywright`.
    """


def hook_manager() -> pluggy.PluginManager:
    """A plugin manager that has the hooks of keywright, and no plugin yet."""
    manager = pluggy.PluginManager("keywright")
    manager.add_hookspecs(sys.modules[__name__])
    return manager


def unfit_hook(manager: pluggy.PluginManager, plugin: object) -> str:
    """Why a hook of a registered plugin cannot be used; `""` if all can."""
    for caller in manager.get_hookcallers(plugin) or ():
        for one in caller.get_hookimpls():
            if one.plugin is plugin and not (caller.has_spec() or one.optionalhook):
                known = [name for name in globals() if name.startswith("keywright_")]
                return f"implements {caller.name}, which is not a hook of keywright{did_you_mean(caller.name, known)}"
            if one.plugin is plugin and (one.wrapper or one.hookwrapper):
                return f"wraps {caller.name}, which is refused: a plugin hears a hook, it does not stand around others"
    return ""
