"""Which faults strike where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from faults.tracing import CHANGING, OPENING, OTHER, SYNCING, Call

_FAULTS: Final = ("EIO", "ENOSPC", "EINTR", "SIGKILL", "dead")
_WRITE: Final = re.compile(r"^p?write(64)?\(.*, (?P<size>\d+)(, (?P<offset>\d+))?\) = \d+$")
_MAKING: Final = ("open", "creat", "mkdir", "link", "symlink", "rename")


@dataclass(frozen=True)
class Fault:
    """What strikes.

    Attributes:
        kind: an errno, `SIGKILL` (before the call; what is left after a call is what is there before the next),
            `dead` (from here on every call fails that changes anything), `short` (files grow no further than `limit`
            bytes), `room` (`limit` pages of 4 KiB are free), `inodes` (`limit` more files can be made).
        call: the system call, as strace counts it; None for the last three.
        limit: see `kind`.
    """

    kind: str
    call: Call | None = None
    limit: int = 0

    @property
    def rules(self) -> list[str]:
        """strace's."""
        call = self.call
        if call is None:
            return []
        if self.kind == "dead":
            return [f"?{name}:error=EIO:when={call.before.get(name, 0) + 1}+" for name in CHANGING]
        what = "signal=SIGKILL" if self.kind == "SIGKILL" else f"error={self.kind}"
        return [f"{call.name}:{what}:when={call.nth}"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.call.text}" if self.call else f"{self.kind} {self.limit}"


def every_fault(calls: Sequence[Call]) -> Iterator[Fault]:
    """All faults for every call that changes or opens something, and EIO for every other."""
    for call in calls:
        if call.name in OTHER:
            yield Fault("EIO", call)
        elif call.name in (*OPENING, *CHANGING):
            kinds = (kind for kind in _FAULTS if kind != "dead" or call.name not in OPENING)
            yield from (Fault(kind, call) for kind in kinds)


def one_fault_each(calls: Sequence[Call]) -> Iterator[Fault]:
    """An error or a death, in turn, at every call that changes or opens something, and the disk's death at syncs."""
    is_death = False
    for call in calls:
        if call.name in (*OPENING, *CHANGING):
            may_die = call.name in CHANGING or "O_CREAT" in call.text
            yield Fault("SIGKILL" if is_death and may_die else _natural(call.name), call)
            is_death = not is_death
        if call.name in SYNCING and call.phase == "write":
            yield Fault("dead", call)  # trying again does not help


def _natural(name: str) -> str:
    """The error that a call of this kind meets most often."""
    return "ENOSPC" if name not in SYNCING and name.startswith(_MAKING) else "EIO"


def short_files(calls: Sequence[Call]) -> Iterator[Fault]:
    """For every write: files end where it begins, a byte into it, in its middle, and a byte before its end."""
    ends = set()
    for call in calls:
        if match := _WRITE.search(call.text):
            size = int(match["size"])
            start = int(match["offset"] or 0)
            ends |= {start, start + 1, start + size // 2, start + size - 1}
    yield from (Fault("short", limit=end) for end in sorted(ends))


def no_room(calls: Sequence[Call]) -> Iterator[Fault]:
    """From no room at all to more than enough."""
    written = sum(call.name.startswith(("write", "pwrite")) for call in calls)
    made = sum("O_CREAT" in call.text or call.name.startswith("mkdir") for call in calls)
    yield from (Fault("room", limit=limit) for limit in range(written + 3))
    yield from (Fault("inodes", limit=limit) for limit in range(made + 2))
