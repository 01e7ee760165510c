"""Commands from a process that has imported keywright already: each a process of its own, in a quarter of the time.

A child has its own directory, environment, descriptors and umask. What shows how a program starts (`python -X`, other
variables for Python, the locale, coverage) takes a real start.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

_PIPE_BYTES = 60_000  # written at once without a reader
_READ_AT_START = ("PYTHON", "COVERAGE", "LC_", "LANG", "TZ", "LD_")


class ForkServer:
    """Starts `keywright ARGUMENTS`, one at a time."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, arguments: Sequence[str], *, input: bytes, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run` with pipes."""
        command = [self._command, *arguments]
        plain = len(input) <= _PIPE_BYTES and not any(name.startswith(_READ_AT_START) for name in env)
        if not plain or not self._lock.acquire(blocking=False):
            return subprocess.run(command, input=input, capture_output=True, cwd=cwd, env=env, timeout=timeout)
        try:
            status, out, err = self._run(command, input, cwd, env, timeout)
        finally:
            self._lock.release()
        return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), out, err)

    def close(self) -> None:
        """End the server."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(10)

    def _run(
        self, command: list[str], input: bytes, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes, bytes]:
        server = self._started()
        os.umask(umask := os.umask(0))
        request = json.dumps({"argv": command, "cwd": str(cwd), "env": dict(env), "umask": umask}).encode()
        (given, give), (out, out_end), (err, err_end) = os.pipe(), os.pipe(), os.pipe()
        os.write(give, input)
        os.close(give)
        socket.send_fds(server, [len(request).to_bytes(4, "big")], [given, out_end, err_end])
        server.sendall(request)
        for one in (given, out_end, err_end):
            os.close(one)
        child = int.from_bytes(_exactly(server, 4), "big")
        found = _read_all((out, err), time.monotonic() + timeout)
        if found is None:
            os.kill(child, signal.SIGKILL)
        status = int.from_bytes(_exactly(server, 4), "big")
        if found is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return status, *found

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            program = f"from support.fork_server import serve; serve({theirs.fileno()})"
            environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path(__file__).parents[1])}
            self._process = subprocess.Popen(
                [sys.executable, "-c", program], pass_fds=[theirs.fileno()], env=environment, cwd="/",
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            theirs.close()
        return self._socket


def _read_all(descriptors: tuple[int, int], ends: float) -> tuple[bytes, bytes] | None:
    """What comes from both until they are closed; None if that takes too long."""
    found = dict.fromkeys(descriptors, b"")
    with selectors.DefaultSelector() as selector:
        for one in descriptors:
            selector.register(one, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(ends - time.monotonic()) if ends > time.monotonic() else []
            if not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                found[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
        is_whole = not selector.get_map()
    for one in descriptors:
        os.close(one)
    return (found[descriptors[0]], found[descriptors[1]]) if is_whole else None


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError("the fork server is gone")
        data += more
    return data


def serve(descriptor: int) -> None:
    """Fork a child for each request, until the socket is closed. The answer is its process id, and then its status."""
    from keywright import Registry
    from keywright.cli import app, main  # noqa: F401  (`app` is imported by each start)

    Registry.load().failures  # noqa: B018  (imports all plugins)
    connection = socket.socket(fileno=descriptor)
    while True:
        size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
        if not size:
            return
        request = json.loads(_exactly(connection, int.from_bytes(size, "big")))
        child = os.fork()
        if child == 0:
            _become(request, descriptors)
            os._exit(_exit_code(main))
        for one in descriptors:
            os.close(one)
        connection.sendall(child.to_bytes(4, "big"))
        _, status = os.waitpid(child, 0)
        connection.sendall(status.to_bytes(4, "big"))


def _become(request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Take over what a new process has."""
    for number, one in enumerate(descriptors):
        os.dup2(one, number)
    os.closerange(3, 256)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    os.umask(request["umask"])
    sys.argv = request["argv"]
    sys.path[:] = [one for one in sys.path if one]
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        old = getattr(sys, name)
        number = ("stdin", "stdout", "stderr").index(name)
        new = open(  # noqa: SIM115  (until the process ends)
            number, mode, encoding=old.encoding, errors=old.errors, buffering=1 if name == "stderr" else -1
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _exit_code(run: Any) -> int:
    """What the console script exits with."""
    code = int(run())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = 120
    return code
