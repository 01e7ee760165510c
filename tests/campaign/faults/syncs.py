"""What a trace says of syncs: which failed and was passed over or tried again, and what was never synced at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

from faults.tracing import CHANGING, OPENING, SYNCING, Call

__all__ = ["failed_syncs", "is_rewritten", "target", "unsynced"]

_DESCRIPTOR: Final = re.compile(r"\d+<([^>]*)>")
_NAMED: Final = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')
_WRITING: Final = ("write", "pwrite", "ftruncate")
_ENTERING: Final = ("rename", "link", "unlink", "mkdir", "rmdir")


def target(call: Call) -> str:
    """The path of the first descriptor, the directory of the case left out."""
    found = _DESCRIPTOR.search(call.text)
    return (found[1] or "/") if found else "?"


def failed_syncs(calls: Sequence[Call]) -> Iterator[tuple[Call, Sequence[Call]]]:
    """Syncs that failed although there was something to sync, each with the calls after it.

    A file that was synced before, and not changed since, has nothing to lose: SQLite syncs its log at a commit, and
    again at the checkpoint. A signal is no failure: the sync is simply asked for again.
    """
    for number, call in enumerate(calls):
        failed = call.name in SYNCING and "(INJECTED)" in call.text and "EINTR" not in call.text
        if failed and _is_dirty(target(call), calls[:number]):
            yield call, calls[number + 1 :]


def _is_dirty(path: str, before: Sequence[Call]) -> bool:
    for call in reversed(before):
        if call.name in SYNCING:
            if target(call) == path and "(INJECTED)" not in call.text:
                return False
        elif call.name in CHANGING and path in call.text:
            return True
    return True  # whoever was killed before may have left it so


def is_rewritten(path: str, later: Sequence[Call]) -> bool | None:
    """Whether a file whose sync failed was written again before its next sync; None: it has no next sync.

    Nor has a directory, if a file was moved into it before, and a file that was made anew: what is synced then is new.
    """
    for call in later:
        if _is_new(path, call):
            return None
        if call.name.startswith(_WRITING) and target(call) == path:
            return True
        if call.name in SYNCING and target(call) == path:
            return False
    return None


def _is_new(path: str, call: Call) -> bool:
    """Whether a call makes the file `path`, or moves something into the directory `path`."""
    if call.name.startswith("rename"):
        return os.path.dirname(os.path.join("/", *_NAMED.findall(call.text)[-1])) == path
    return "O_EXCL" in call.text and os.path.join("/", *_NAMED.findall(call.text)[0]) == path


def unsynced(calls: Sequence[Call]) -> Iterator[str]:
    """What an operation that says it is done has left to chance: files and directories changed, and not synced after.

    Also, as a sentence, what was given its name before it was synced: after a power cut the name might lead to nothing.
    """
    dirty: dict[str, None] = {}
    for call in calls:
        if call.phase == "close" or " = -1 " in call.text:
            continue
        if call.name in SYNCING:
            dirty.pop(target(call), None)
        elif call.name.startswith(_WRITING):
            # What is cut to nothing may come back: an open clears the log of a database.
            if not (call.name == "ftruncate" and ", 0) =" in call.text):
                dirty[target(call)] = None
        elif call.name.startswith(_ENTERING) or (call.name in OPENING and "O_CREAT" in call.text):
            paths = [os.path.join("/", directory, name) for directory, name in _NAMED.findall(call.text)]
            moved = [path for path in dirty if f"{path}/".startswith(f"{paths[0]}/")]
            if call.name.startswith(("rename", "link")):
                yield from (f"{path} has its name before it is synced" for path in moved)
            if call.name.startswith(("rename", "unlink", "rmdir")):
                for path in moved:
                    del dirty[path]
            dirty.update(dict.fromkeys(os.path.dirname(path) for path in paths))
    yield from dirty
