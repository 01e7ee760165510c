"""A real Redis server for the tests of the example store."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support import started
from support.peers import find_peer

_START_SECONDS = 30.0


@contextmanager
def redis_server(directory: Path, *settings: str) -> Iterator[str]:
    """The URL of a durable Redis server on a Unix socket in `directory`, which also has its data; killed at the end.

    `settings` are more arguments of `redis-server`. The test is skipped if Redis is not installed.
    """
    path = directory / "socket"
    command = [find_peer("redis-server"), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
    command += ["--dir", str(directory), "--logfile", "log", "--save", "", "--appendonly", "yes"]
    command += ["--appendfsync", "always", "--maxmemory-policy", "noeviction", *settings]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        ends = time.monotonic() + _START_SECONDS
        while not _answers(path):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < ends, "the Redis server does not answer"
            time.sleep(0.01)
        yield f"unix://{path}"


def _answers(path: Path) -> bool:
    """Whether the server is ready, or asks for a password."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_START_SECONDS)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return connection.recv(100).startswith((b"+PONG", b"-NOAUTH"))
    return False
