"""A lock that a busy thread does not take again before others had their turn."""

from __future__ import annotations

from threading import Lock

__all__ = ["Turns"]


class Turns:
    """Whoever waits for the lock holds the gate, so that who just released the lock queues behind.

    With a plain lock, a thread that writes in a loop kept a fork waiting for seconds.
    """

    def __init__(self) -> None:
        self._gate = Lock()
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._gate:
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def stop(self) -> None:
        """Take the lock and let nobody queue: in a forked child, a thread at the gate would never come through."""
        self._gate.acquire()
        self._lock.acquire()

    def go_on(self) -> None:
        """The reverse of `stop`."""
        self._lock.release()
        self._gate.release()
