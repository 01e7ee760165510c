"""Names that several whole-system tests use."""

from __future__ import annotations

import fcntl
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

COMMAND = str(Path(sys.executable).with_name("keywright"))


class Keywright(Protocol):
    """Runs `keywright ARGUMENTS`; stdout and stderr are bytes."""

    def __call__(
        self, *arguments: str, input: bytes = b"", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]: ...


Told = Callable[..., tuple[int, str, str]]
"""Runs a command line in this process: exit code, stdout, stderr."""

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]

# A shell that runs the tests in the background has them ignore the signal, and whatever they start.
_HEARD = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def started(command: Sequence[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process with pipes. It does not outlive the block: a test that fails does not wait for it for ever."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **{**pipes, **settings}) as process:
        try:
            yield process
        finally:
            process.kill()


def ctrl_c(
    home: Path, environment: dict[str, str], *arguments: str, begun: Callable[[subprocess.Popen[bytes]], bool]
) -> tuple[int, bytes, bytes]:
    """The exit code and the output of `keywright ARGUMENTS`, which gets a SIGINT as soon as it has `begun`."""
    # Coverage has a lock that an interrupt leaves locked.
    own = {name: value for name, value in environment.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", _HEARD, COMMAND, *arguments]
    with started(command, cwd=home, env=own, stdin=subprocess.PIPE) as running:
        _wait(running, lambda: begun(running))
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    return running.returncode, out, err


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to its stdin, and wait until it has read that."""
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
    stdin = process.stdin
    _wait(process, lambda: struct.unpack("i", fcntl.ioctl(stdin, termios.FIONREAD, bytes(4))) == (0,))


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while process.poll() is None and not ready():
        assert time.monotonic() < ends, "it does not begin"
        time.sleep(0.001)
