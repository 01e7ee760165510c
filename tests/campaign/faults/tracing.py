"""One piece of work in a process of its own, its system calls watched, and one of them made to fail.

The process is forked from one that has loaded everything already, and strace is attached before it begins. So the
count of a system call starts with the work, and an attachment costs 4 ms where a start under strace costs 260.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

__all__ = ["CHANGING", "OPENING", "OTHER", "SYNCING", "Call", "Run", "TracingRefusedError", "run"]

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
