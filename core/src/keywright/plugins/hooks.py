"""The hooks. They register, review and notify; they never carry secrets, and they do no work.

A plugin is a module (or object) named by an entry point of the group `keywright`. It says `KEYWRIGHT_API = 1` and
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
    from keywright.protocols import Format, KeyType, Known, Seal, StoreBackend
    from keywright.settings.model import Options


hookspec = pluggy.HookspecMarker("keywright")
hookimpl = pluggy.HookimplMarker("keywright")


@hookspec
def keywright_register_key_types() -> Sequence[KeyType]:  # type: ignore[empty-body]  # (a spec has none)
    """Return key types (they serve generation).

    What an object must be like is checked as it registers: all members are there, settings are `Setting`s whose names
    mean nothing else, names are of `a-z`, digits and `-`. One that is not so is listed as a failure.

    Called once, when a registry loads the plugin. A name that two plugins return belongs to neither: both owners
    are named when it is asked for. If it raises, the plugin's other objects still load and the failure is listed.
    """


@hookspec
def keywright_register_formats() -> Sequence[Format]:  # type: ignore[empty-body]  # (a spec has none)
    """Return formats (they serve encoding). Called, and clashes and failures handled, as for key types."""


@hookspec
def keywright_register_store_backends() -> Sequence[StoreBackend]:  # type: ignore[empty-body]  # (a spec has none)
    """Return store backends (they serve storage). Called, and clashes and failures handled, as for key types."""


@hookspec
def keywright_register_seals() -> Sequence[Seal]:  # type: ignore[empty-body]  # (a spec has none)
    """Return seals. Called, and clashes and failures handled, as for key types."""


@hookspec
def keywright_add_commands(commands: Commands) -> None:
    """Add commands to the command line with `commands.add(…)`.

    Called when the command line looks for a command that is none of the core's; what a command needs is configured
    only if it was asked for. A path that is taken stays with whoever added it first, and the clash is listed. If it
    raises, the rest of the command line works. A plugin NAME whose commands all begin with NAME may name the
    module that adds them in the entry-point group `keywright.commands`; it is used in place of this hook.
    """


@hookspec
def keywright_configure(options: Options, known: Known) -> object:
    """Return a plugin for one ring: an object whose `keywright_review` and `keywright_observe` hear what it does.

    Called when a ring is opened whose configuration has a `[plugin.NAME]` table, with its settings: NAME is the
    plugin's entry point, and what may be set stands in its `SETTINGS`, a sequence of `Setting`. Return None if there is
    nothing to listen to. `known` says what key types and formats a setting can name; leave it out if none does. What
    `keywright doctor` and `keywright config check` should know of, such as a file that cannot be written, a method
    `examine` of the object tells (`keywright.ExaminedPlugin`). If it raises a ConfigError, that is the user's to mend;
    whatever else it raises refuses the ring too, for a policy that nobody reads is none. Rings with other settings get
    another object.
    """


@hookspec
def keywright_review(request: ReviewRequest) -> Sequence[str]:  # type: ignore[empty-body]  # (a spec has none)
    """Return objections, each a sentence; `()`, `[]` or None if there are none.

    Called before anything is written, exported (or loaded with its secret half) or bound, and before a secret exists.
    Every plugin is asked; one objection from any of them, an empty one too, refuses the operation with PolicyError. If
    it raises, or returns anything else, the operation is refused, for nobody knows what it would have said. Where
    somebody else writes the version meanwhile, that attempt is observed with the outcome `ConflictError`, and the next
    is reviewed with what would come of both.
    """


@hookspec
def keywright_observe(event: KeyEvent) -> None:
    """Hear what happened.

    Called after the outcome is certain, good or bad: once for each review that was no dry run. If it raises, the
    outcome stands, the other observers are told, and `Registry.report` hears of the failure: on the command line a
    warning, else the logger `keywright`.
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
                return f"implements {caller.name}, which is no hook of keywright{did_you_mean(caller.name, known)}"
            if one.plugin is plugin and (one.wrapper or one.hookwrapper):
                return f"wraps {caller.name}, which is refused: a plugin hears a hook, it does not stand around others"
    return ""
