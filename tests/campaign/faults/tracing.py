"""The system calls of one process, made to fail by strace, and whether what they wrote was synced."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

SYNCING: Final = ("fsync", "fdatasync", "sync_file_range", "msync")
OPENING: Final = ("open", "openat", "openat2", "creat")
CHANGING: Final = (
    *SYNCING,
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"),
    *("truncate", "ftruncate", "fallocate"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"),
    *("chmod", "fchmod", "fchmodat", "utimensat"),
)
"""Whatever changes what is on a disk, or asks the disk to confirm it."""
OTHER: Final = (
    *("read", "pread64", "getdents64"),
    *("stat", "fstat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink"),
    *("flock", "fcntl", "mmap", "close"),
)
"""What else is asked of a disk. Not lseek: it fails on no directory, and C's rewinddir could not tell."""

_PATIENCE_SECONDS: Final = 60
_ANY_TRACER: Final = (0x59616D61, ctypes.c_ulong(-1))  # PR_SET_PTRACER, for kernels that trace descendants alone
_LINE: Final = re.compile(r"(?P<name>\w+)\((?P<rest>.*)")
_MARK: Final = re.compile(r'sendto\(\d+<[^>]*>, "(?P<mark>given|done)')
_PHASES: Final = {"given": "write", "done": "close"}


class TracingRefusedError(Exception):
    """The system does not let strace attach."""


@dataclass(frozen=True)
class Call:
    """A system call that concerns the store.

    Attributes:
        name: the call's.
        nth: how many of that name there were up to it, this one included.
        text: strace's line, the directory of the case left out.
        phase: `open`, `write` (from the moment that the store was given something), `close` (after it returned).
        before: how many calls of each name came before, whatever they concerned.
    """

    name: str
    nth: int
    text: str
    phase: str
    before: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """How the work ended: its exit status (negative: the signal), what it told, and its calls that name `within`."""

    status: int
    told: list[bytes]
    calls: list[Call]


def run(
    work: Callable[[Callable[[bytes], None]], int],
    within: str,
    trace: str,
    *,
    inject: Sequence[str] = (),
    largest_file: int | None = None,
) -> Run:
    """Do `work` in a forked process, which gets a function to tell lines and returns the exit status.

    `within` is the directory of the case, `trace` where strace writes; `inject` are rules of strace's. With
    `largest_file` (bytes), writes beyond it are short, then fail.

    Raises:
        TracingRefusedError: strace cannot attach here.
    """
    ours, theirs = socket.socketpair()
    with ours:
        child = os.fork()
        if child == 0:
            _child(work, theirs)
        theirs.close()
        strace = _attach(child, trace, inject)
        if largest_file is not None:
            resource.prlimit(child, resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
        try:
            ours.settimeout(_PATIENCE_SECONDS)
            ours.sendall(b"go")
            told = b"".join(iter(lambda: ours.recv(1 << 16), b""))
        except TimeoutError:
            told = b"hung\n"
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        strace.communicate()
    with open(trace, encoding="utf-8", errors="replace") as lines:
        return Run(status, told.splitlines(), _calls(lines.read(), within))


def _child(work: Callable[[Callable[[bytes], None]], int], report: socket.socket) -> NoReturn:
    try:
        ctypes.CDLL(None).prctl(*_ANY_TRACER, 0, 0, 0)
        report.recv(2)
        # Not by `write`, which is made to fail.
        os._exit(work(lambda line: report.sendall(line + b"\n")))
    finally:
        os._exit(99)


def _attach(child: int, trace: str, inject: Sequence[str]) -> subprocess.Popen[str]:
    watched = ",".join(f"?{name}" for name in (*OPENING, *CHANGING, *OTHER, "sendto"))
    rules = [option for rule in inject for option in ("-e", f"inject={rule}")]
    command = ["strace", "-p", str(child), "-y", "-s", "8", "-o", trace, "-e", f"trace={watched}", *rules]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    said = strace.stderr.readline()
    if "attached" not in said:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise TracingRefusedError(said.strip())
    return strace


def _calls(trace: str, within: str) -> list[Call]:
    phase = "open"
    counts: Counter[str] = Counter()
    calls = []
    for line in trace.splitlines():
        if mark := _MARK.match(line):
            phase = _PHASES[mark["mark"]]
        elif (match := _LINE.match(line)) and match["name"] != "sendto":
            name = match["name"]
            if within in line:
                calls.append(Call(name, counts[name] + 1, line.replace(within, ""), phase, dict(counts)))
            counts[name] += 1
    return calls


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
    again at the checkpoint. A signal is not a failure: the sync is simply asked for again.
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
    return True  # a process that was killed before may have left it so


def is_rewritten(path: str, later: Sequence[Call]) -> bool | None:
    """Whether a file whose sync failed was written again before its next sync; None: it has no next sync.

    Nor has a directory, if a file was moved into it before, and a file that was made again: what is synced then is new.
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
