"""Calls of code that plugins bring: whatever one raises becomes a sentence, and the other plugins go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import pluggy

_T = TypeVar("_T")


class Implementation(NamedTuple):
    """A function of a plugin that is marked with `hookimpl`.

    Attributes:
        hook: the hook that it implements.
        function: the function.
        argnames: its positional arguments without a default.
        options: those of the mark.
    """

    hook: str
    function: Callable[..., Any]
    argnames: tuple[str, ...]
    options: dict[str, Any]


def guarded(action: Callable[..., _T], *arguments: object) -> tuple[_T | None, str]:
    """What a plugin's code returned and `""`, or None and how it failed."""
    try:
        return action(*arguments), ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (SystemExit too)
        return None, _on_one_line(error)


def call(implementation: pluggy.HookImpl | Implementation, argument: object) -> Any:
    """Call one implementation; as pluggy allows, it may leave the argument out."""
    return implementation.function(*([argument] if implementation.argnames else []))


def sequence(returned: object) -> Sequence[object]:
    """What a hook returned, if it is a list or tuple; else TypeError."""
    # A text is a sequence too, of letters, and never what its plugin meant.
    if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
        raise TypeError(f"it returned {type(returned).__name__}, and not a list or tuple")
    return returned


def _on_one_line(error: BaseException) -> str:
    """An exception on one line."""
    try:
        sentence = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  (its class is the plugin's too)
        sentence = ""
    return " ".join(f"{type(error).__name__}: {sentence}".split()).removesuffix(":")
