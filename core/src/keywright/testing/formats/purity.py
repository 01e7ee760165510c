"""Whether a call reaches for the world: files, environment, clock or randomness."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

__all__ = ["reached_for"]

_CLOCK: Final = frozenset(
    (
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"),
        *("process_time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime", "sleep"),
    )
)
_NOW: Final = frozenset(("now", "today", "utcnow"))
_OPEN: Final = frozenset(("open", "open_code"))
_WORLD: Final = frozenset(
    ("posix", "nt", "os", "random", "_random", "secrets", "_socket", "select", "_posixsubprocess")
)
_HARMLESS: Final = frozenset(("fspath", "_fspath", "fsencode", "fsdecode"))


def reached_for(action: Callable[[], object]) -> list[str]:
    """Call `action` and name the functions of the outside world that it called, directly or not, in Python or C.

    Modules that it imports on first use would count as files: call it once before. What C code does inside itself, and
    calls of classes, are not seen.
    """
    found: list[str] = []

    def watch(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call":
            module, name = _origin(called)
        elif event == "call":
            module, name = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        else:
            return
        if _is_outside(module, name):
            found.append(f"{module}.{name}")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return found


def _origin(called: object) -> tuple[str, str]:
    """The module and the name of a built-in function or method."""
    owner = getattr(called, "__self__", None)
    module = getattr(called, "__module__", None) or getattr(owner, "__module__", None)
    return str(module or type(owner).__module__), str(getattr(called, "__name__", ""))


def _is_outside(module: str, name: str) -> bool:
    if module in _WORLD:
        return name not in _HARMLESS
    return (
        (module == "time" and name in _CLOCK)
        or (module in ("datetime", "_datetime") and name in _NOW)
        or (module in ("io", "_io") and name in _OPEN)
    )
