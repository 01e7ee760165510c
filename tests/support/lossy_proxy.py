"""A proxy on Unix sockets in front of a real server, which loses what a test tells it to."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Literal

_CHUNK = 1 << 16


class LossyProxy:
    """Listens at `path` until it is closed. Part of a `keywright.testing.Network`.

    `writes` says whether a request changes something: those are lost.
    """

    def __init__(self, path: Path, server: Path, writes: Callable[[bytes], bool]) -> None:
        self._path, self._server, self._writes = path, server, writes
        self._loses: str | None = None
        self._is_silent = False
        self._open: set[socket.socket] = set()
        self._listen()

    def close(self) -> None:
        """Close the socket and all connections."""
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()
        self._path.unlink(missing_ok=True)

    @contextmanager
    def losing(self, what: Literal["request", "reply"]) -> Iterator[None]:
        """Close the connection before the next request that writes is passed on, or before its reply is."""
        self._loses = what
        yield
        self._loses = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Take requests and pass none on."""
        self._is_silent = True
        yield
        self._is_silent = False

    @contextmanager
    def down(self) -> Iterator[None]:
        """Close everything, and listen again afterwards."""
        self.close()
        yield
        self._listen()

    def _listen(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        self._open |= {client, server}
        with suppress(OSError, ValueError), client, server:
            server.connect(str(self._server))
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for one in ready:
                    data = one.recv(_CHUNK)
                    if not data:
                        return
                    if one is server:
                        client.sendall(data)
                    elif not self._is_silent:
                        lost, self._loses = (self._loses, None) if self._writes(data) else (None, self._loses)
                        if lost == "request":
                            return
                        server.sendall(data)
                        if lost == "reply":
                            server.recv(_CHUNK)  # so that it was done
                            return
        self._open -= {client, server}
