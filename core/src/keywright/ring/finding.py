"""What the doctor finds, and how looking may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from keywright.errors import KeywrightError, UnknownPluginError

__all__ = ["Finding", "attempt", "each", "told"]

_T = TypeVar("_T")


class Finding(NamedTuple):
    """Something that is wrong. As text: `SUBJECT: WHAT; WAY OUT`.

    Attributes:
        subject: `store 'local'`, `NAME in store 'local'`, `NAME@N in store 'local'`, `stores 'a' and 'b'`, `seal
            'master'`, a plugin, or `configuration`.
        what: the fault.
        way_out: what to do.
    """

    subject: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}; {self.way_out}"


def attempt(subject: str, action: Callable[[], _T]) -> _T | Finding:
    """What `action` returns, or how it failed."""
    return next(each(subject, lambda: (action(),)))


def each(subject: str, iterate: Callable[[], Iterable[_T]]) -> Iterator[_T | Finding]:
    """What `iterate` gives, and at the end how it failed, if it did."""
    try:
        yield from iterate()
    except UnknownPluginError as error:
        # It ends in what is installed, and with why a plugin failed.
        what = str(error).removeprefix(subject).lstrip(": ")
        yield Finding(subject, what, "install, allow or mend its plugin, or correct the name")
    except KeywrightError as error:
        yield told(subject, str(error))
    except Exception as error:  # noqa: BLE001  (a broken plugin must not hide what is wrong elsewhere)
        # Its words could quote what the plugin held.
        yield Finding(subject, f"a plugin failed with {type(error).__name__}", "report it to the plugin's author")


def told(subject: str, sentence: str, *, way_out: str = "correct that") -> Finding:
    """`SUBJECT: WHAT; WAY OUT`, as our errors say it, in its parts; `way_out` is for one that says none."""
    said = sentence.removeprefix(subject).lstrip(": ")
    what, semicolon, last = said.rpartition("; ")
    return Finding(subject, what, last) if semicolon else Finding(subject, last, way_out)
