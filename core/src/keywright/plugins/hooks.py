"""The hooks. They register, review and notify; they never carry secrets, and they do not do the work.

A plugin is a module (or object) named by an entry point of the group `keywright`. It sets `KEYWRIGHT_API = 1` and
marks its hook implementations with `keywright.hookimpl`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from keywright.plugins.calls import Implementation
from keywright.text import did_you_mean

if TYPE_CHECKING:
    import pluggy

    from keywright.events import KeyEvent, ReviewRequest
    from keywright.plugins.commands import Commands
    from keywright.protocols import Format, InstalledNames, KeyType, Problem, Seal, StoreBackend
    from keywright.settings.model import Options


# The attributes that pluggy's two markers set, without importing pluggy, which few commands need.
_SPEC: Final = {"firstresult": False, "historic": False, "warn_on_impl": None, "warn_on_impl_args": None}
_Function = TypeVar("_Function", bound=Callable[..., Any])
_MARK: Final = "keywright_impl"


@overload
def hookimpl(function: _Function) -> _Function: ...
@overload
def hookimpl(
    *, optionalhook: bool = ..., tryfirst: bool = ..., trylast: bool = ..., specname: str | None = ...
) -> Callable[[_Function], _Function]: ...
def hookimpl(
    function: _Function | None = None,
    *,
    hookwrapper: bool = False,
    optionalhook: bool = False,
    tryfirst: bool = False,
    trylast: bool = False,
    specname: str | None = None,
    wrapper: bool = False,
) -> _Function | Callable[[_Function], _Function]:
    """Mark a function of a plugin as the implementation of the hook whose name it has.

    It sets what `pluggy.HookimplMarker("keywright")` sets, without importing pluggy. Options as in pluggy: `specname`
    names another hook, `tryfirst` and `trylast` order the reviews and observers, and a function with `optionalhook`
    may implement a hook that this version does not have. Wrappers are refused when the plugin loads.
    """
    options = {
        "wrapper": wrapper,
        "hookwrapper": hookwrapper,
        "optionalhook": optionalhook,
        "tryfirst": tryfirst,
        "trylast": trylast,
        "specname": specname,
    }

    def mark(marked: _Function) -> _Function:
        setattr(marked, _MARK, options)
        return marked

    return mark if function is None else mark(function)


def keywright_register_key_types() -> Sequence[KeyType]:  # type: ignore[empty-body]  # (a spec has none)
    """Return key types.

    Objects are checked when they register: all members exist, settings are `Setting`s without reserved names, and
    names consist of `a-z`, digits and `-`. An object that fails the check is listed as a failure.

    Called once, when a registry loads the plugin. If two plugins return the same name, neither gets it, and looking it
    up raises an error that names both. If it raises, the plugin's other objects still load and the failure is listed.
    """


def keywright_register_formats() -> Sequence[Format]:  # type: ignore[empty-body]  # (a spec has none)
    """Return formats. Called, and clashes and failures handled, as for key types."""


def keywright_register_store_backends() -> Sequence[StoreBackend]:  # type: ignore[empty-body]  # (a spec has none)
    """Return store backends. Called, and clashes and failures handled, as for key types."""


def keywright_register_seals() -> Sequence[Seal]:  # type: ignore[empty-body]  # (a spec has none)
    """Return seals. Called, and clashes and failures handled, as for key types."""


def keywright_add_commands(commands: Commands) -> None:
    """Add commands to the command line with `commands.add(…)`.

    Called when the command line looks for a command that the core does not have; a command's arguments are configured
    only if it is used. A path that exists already stays with the plugin that added it first, and the clash is listed.
    If it raises, the rest of the command line works. A plugin NAME whose commands all begin with NAME may name the
    module that adds them in the entry-point group `keywright.commands`; it is used in place of this hook.
    """


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


def keywright_review(request: ReviewRequest) -> Sequence[str | Problem]:  # type: ignore[empty-body]  # (a spec has none)
    """Return objections, each a sentence, or a `Problem` with a hint; `()`, `[]` or None for no objection.

    Called before anything is written, exported (or loaded with its secret half) or bound, and before a secret exists.
    Every plugin is called; a single objection, even an empty one, refuses the operation with PolicyError. If the hook
    raises, or returns anything else, the operation is refused, because the plugin's answer is unknown. If another
    process writes the version meanwhile, that attempt is observed with the outcome `ConflictError`, and the next
    attempt is reviewed with the result of both changes.
    """


def keywright_observe(event: KeyEvent) -> None:
    """Receive an event.

    Called when the outcome is certain, whether success or failure: once for each review that was not a dry run. If it
    raises, the outcome does not change, the other observers are still called, and the failure goes to
    `Registry.report`: a warning on the command line, otherwise the logger `keywright`.
    """


_HOOKS: Final = {name: function for name, function in globals().items() if name.startswith("keywright_")}
for _hook in _HOOKS.values():
    _hook.keywright_spec = _SPEC


def implementations(plugin: object) -> Iterator[Implementation]:
    """The marked functions of a plugin. Raises: whatever the plugin's own attributes raise."""
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        options = getattr(function, _MARK, None)
        if isinstance(options, dict) and callable(function):
            yield Implementation(options.get("specname") or name, function, _required(function), options)


def unfit_hook(plugin: object) -> str:
    """Why a hook of a plugin cannot be used; `""` if all can. Raises: as `implementations`."""
    for hook, _, argnames, options in implementations(plugin):
        if hook not in _HOOKS:
            if options.get("optionalhook"):
                continue
            return f"implements {hook}, which is not a hook of keywright{did_you_mean(hook, list(_HOOKS))}"
        if options.get("wrapper") or options.get("hookwrapper"):
            return f"wraps {hook}, which is refused: a plugin cannot wrap the hooks of others"
        known = _required(_HOOKS[hook])
        unknown = [name for name in argnames if name not in known]
        if unknown:
            has = ", ".join(known) or "no argument"
            return f"implements {hook} with the argument {', '.join(unknown)}, and that hook has {has}"
    return ""


def _required(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the positional arguments that have no default, without the `self` of a method."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ()
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount - len(getattr(function, "__defaults__", None) or ())]
    return names[1:] if getattr(function, "__self__", None) is not None else names


def hook_manager() -> pluggy.PluginManager:
    """A plugin manager that has the hooks of keywright, and no plugin yet."""
    import pluggy

    manager = pluggy.PluginManager("keywright")
    manager.add_hookspecs(sys.modules[__name__])
    return manager
