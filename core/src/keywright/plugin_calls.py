"""Calling what strangers wrote: a plugin that fails takes no other along, and a hook that is none of ours is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from keywright.spelling import did_you_mean

if TYPE_CHECKING:
    import pluggy

__all__ = ["call", "guarded", "sequence", "unfit_hook"]

_T = TypeVar("_T")


def guarded(action: Callable[..., _T], *arguments: object) -> tuple[_T | None, str]:
    """What a plugin's code returned and `""`, or None and how it failed: a bad plugin takes no other along."""
    try:
        return action(*arguments), ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (SystemExit among them, and whatever a plugin thought up)
        return None, _told(error)


def call(implementation: pluggy.HookImpl, argument: object) -> Any:
    """Call one implementation; as pluggy allows, it may leave the argument out."""
    return implementation.function(*([argument] if implementation.argnames else []))


def unfit_hook(manager: pluggy.PluginManager, plugin: object) -> str:
    """Which hook of a plugin is none of ours, or not to be had so; `""` if all are."""
    from keywright import hookspecs

    for caller in manager.get_hookcallers(plugin) or ():
        for one in caller.get_hookimpls():
            if one.plugin is plugin and not (caller.has_spec() or one.optionalhook):
                known = [name for name in vars(hookspecs) if name.startswith("keywright_")]
                return f"implements {caller.name}, which is no hook of keywright{did_you_mean(caller.name, known)}"
            if one.plugin is plugin and (one.wrapper or one.hookwrapper):
                return f"wraps {caller.name}, which is refused: a plugin hears a hook, it does not stand around others"
    return ""


def sequence(returned: object) -> Sequence[object]:
    """What a hook returned, if it is a list or tuple; else TypeError."""
    # A text is a sequence too, of letters, and never what its plugin meant.
    if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
        raise TypeError(f"it returned {type(returned).__name__}, where a list or tuple belongs")
    return returned


def _told(error: BaseException) -> str:
    """An exception on one line."""
    try:
        sentence = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  (its class is the plugin's too)
        sentence = ""
    return " ".join(f"{type(error).__name__}: {sentence}".split()).removesuffix(":")
