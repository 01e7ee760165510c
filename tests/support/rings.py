"""Names that tests of the ring share, and rings over three stores for `doctor` to examine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keywright
from keywright import Format, Key, KeyRing, Registry, Secret, hookimpl

NOW = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
"""The time that the clock of a test's ring begins with."""

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Wait = Callable[..., None]
Table = dict[str, Any]
Meanwhile = Callable[..., None]


class Claiming:
    """A format of that name that writes and claims what another one does; `read` may give another key back."""

    KEYWRIGHT_API = 1
    key_types = ("oct", "ed25519")

    def __init__(self, name: str, other: Format, read: Callable[[Key], Key] = lambda key: key) -> None:
        self.name = name
        self._other = other
        self._read = read
        self.encode_secret, self.encode_public = other.encode_secret, other.encode_public
        self.default_kid = other.default_kid
        self.sniff = other.sniff

    @hookimpl
    def keywright_register_formats(self) -> tuple[Format, ...]:
        return (self,)

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return self._read(self._other.decode(data, default_kid=default_kid))


class Ring:
    """Opens rings over the same three stores, each with a clock that the test sets."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.keys = str(home / "keys")
        self.db = str(home / "keys.db")
        self.now = NOW
        self.registry = Registry.load()
        self.stores: dict[str, object] = {
            "file": {"backend": "file", "path": self.keys},
            "db": {"backend": "sqlite", "path": self.db},
            "env": {"backend": "env", "variables": {"listed": "TEST_KEY"}},
        }

    def open(
        self, keys: Mapping[str, object] = {}, *, stores: Mapping[str, object] | None = None, store: str | None = None
    ) -> KeyRing:
        """A ring over the stores `file` (the default), `db` and `env`, or others."""
        tables = self.stores if stores is None else stores
        config = {"default_store": next(iter(tables)), "stores": tables, "keys": keys}
        return keywright.open(config, clock=lambda: self.now, registry=self.registry, store=store)

    def make(self, *names: str, store: str = "file") -> None:
        """Make keys."""
        with self.open() as ring:
            for name in names:
                ring.generate(name, store=store)

    def findings(
        self, keys: Mapping[str, object] = {}, *, stores: Mapping[str, object] | None = None, store: str | None = None
    ) -> list[str]:
        """What the doctor says."""
        with self.open(keys, stores=stores, store=store) as ring:
            return [str(finding) for finding in ring.examine()]
