"""A store in memory that behaves as one on a server does, with a network in between that loses what it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

from keywright import WritableStore
from keywright.errors import AccessDeniedError, StoreUnavailableError
from keywright.stores.memory import MemoryStore

_WRITES = ("create", "update_info", "replace_payload", "destroy", "remove")


class LossyNetwork:
    """A `keywright.testing.Network` in front of a server, which is a memory store."""

    def __init__(self, kind: type[LossyStore]) -> None:
        self.server = MemoryStore()
        self.kind = kind
        self.loses: str | None = None
        self.state = "up"

    def open_store(self) -> AbstractContextManager[WritableStore]:
        """Opens the store of the kind under test."""
        return nullcontext(self.kind(self))

    @contextmanager
    def losing(self, what: Literal["request", "reply"]) -> Iterator[None]:
        self.loses = what
        yield
        self.loses = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        self.state = "silent"
        yield
        self.state = "up"

    @contextmanager
    def down(self) -> Iterator[None]:
        self.state = "down"
        yield
        self.state = "up"

    @contextmanager
    def denied(self) -> Iterator[Callable[[], AbstractContextManager[WritableStore]]]:
        yield lambda: nullcontext(self.kind(self, may_write=False))

    def dump(self) -> bytes:
        """All payloads that the server has."""
        records = [record for versions in self.server._records.values() for record in versions.values()]
        return b" ".join(record.payload.reveal() for record in records if record.payload is not None)


class LossyStore:
    """A sound client of that server. Its methods are those of `MemoryStore`, sent by `send`."""

    def __init__(self, network: LossyNetwork, *, may_write: bool = True) -> None:
        self.network = network
        self.may_write = may_write

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self.send(name, *given, **named)

    def send(self, name: str, *given: Any, **named: Any) -> Any:
        """One request and its reply."""
        network = self.network
        if network.state != "up":
            self.wait()
            raise StoreUnavailableError("the server does not answer", hint="try again later")
        if name in _WRITES and not self.may_write:
            raise AccessDeniedError("the server denies it", hint="ask for the permission")
        lost, network.loses = (network.loses, None) if name in _WRITES else (None, network.loses)
        if lost == "request":
            raise StoreUnavailableError("the connection broke", hint="try again later")
        reply = getattr(network.server, name)(*given, **named)
        if lost == "reply":
            raise StoreUnavailableError("the connection broke", hint="look whether it happened")
        return reply

    def wait(self) -> None:
        """Until the timeout."""
        time.sleep(0.01)
