"""Names that tests of the ring share, and rings over three stores for `doctor` to examine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import keywright
from keywright import Format, Key, KeyEvent, KeyRing, Problem, Registry, ReviewRequest, Secret, WritableStore, hookimpl
from keywright.errors import MalformedKeyError

NOW = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
"""The time that the clock of a test's ring begins with."""

# The example key of Nix's manual ("nix key generate-secret").
NIX_BASE64 = b"E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
NIX = Secret(b"cache.example.org-0:" + NIX_BASE64)
NIX_PUBLIC = b"cache.example.org-0:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="
ODD_NIX = Secret(b"a b:" + NIX_BASE64)
ODD = "has whitespace, a control character or another one that does not print"
"""What messages say of its name."""

SIGNING_KEY = "pass the name of a key for signatures; `keywright generate NAME` creates one"
"""The hint where a key is not for signatures."""

DECIDE = (
    "leave both where they are, set keys.{0}.store to the store whose key counts, and migrate the other names by "
    "naming them"
)
"""The hint where two stores have different keys of one name."""

ANOTHER_KEY = "{0}@1 in store 'new' is another key; " + DECIDE

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Sealed = Callable[..., KeyRing]
Wait = Callable[..., None]
Table = dict[str, Any]
Meanwhile = Callable[..., None]


def writable(ring: KeyRing, store: str | None = None, *, name: str | None = None) -> WritableStore:
    """A store of the ring, to write to it directly."""
    return cast(WritableStore, ring.open_store(store, name=name))


def problem_text(problem: Problem) -> str:
    """The message of a problem, and its hint after a semicolon if it is not the general one."""
    return problem.message if problem.hint == "correct it" else f"{problem.message}; {problem.hint}"


class Claiming:
    """A format of that name that writes and claims what another one does; `read` may give another key back."""

    KEYWRIGHT_API = 1
    key_types = ("oct", "ed25519")
    carries_kid = True

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


class Guard:
    """A plugin that objects to what it is told to, and remembers what it is asked and what it hears.

    Attributes:
        objections: what it objects with, by operation, or by operation and version, as `migrate a@2`.
    """

    KEYWRIGHT_API = 1

    def __init__(self) -> None:
        self.objections: dict[str, Sequence[str]] = {}
        self.requests: list[ReviewRequest] = []
        self.events: list[KeyEvent] = []

    @hookimpl
    def keywright_review(self, request: ReviewRequest) -> Sequence[str]:
        self.requests.append(request)
        version = f"{request.operation} {request.name}@{request.version}"
        return self.objections.get(version, self.objections.get(request.operation, ()))

    @hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        self.events.append(event)


class Bare:
    """The format `bare`: a half of an ed25519 key in hex, and no kid. As a plugin it registers itself."""

    KEYWRIGHT_API = 1
    name = "bare"
    key_types = ("ed25519",)
    carries_kid = False

    @hookimpl
    def keywright_register_formats(self) -> tuple[Format, ...]:
        return (self,)

    def encode_secret(self, key: Key) -> Secret:
        assert key.secret is not None
        return Secret(b"bare secret " + key.secret.reveal().hex().encode())

    def encode_public(self, key: Key) -> bytes:
        assert key.public is not None
        return b"bare public " + key.public.hex().encode()

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        found = re.fullmatch(rb"bare (secret|public) ([0-9a-f]{64})", data.reveal())
        if found is None:
            raise MalformedKeyError("not a bare key", hint="write 64 hex digits")
        half = bytes.fromhex(found[2].decode())
        if found[1] == b"secret":
            return Key("ed25519", default_kid, Secret(half))
        return Key("ed25519", default_kid, None, half)

    def default_kid(self, name: str, version: int, key: Key) -> str:
        return f"{name}-{version}"

    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith(b"bare ")


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
        """What the doctor says: of each problem the subject, the message and the hint, in one text."""
        problems = self.problems(keys, stores=stores, store=store)
        return [f"{problem.subject}: {problem_text(problem)}" for problem in problems]

    def problems(
        self, keys: Mapping[str, object] = {}, *, stores: Mapping[str, object] | None = None, store: str | None = None
    ) -> list[Problem]:
        """The doctor's problems."""
        with self.open(keys, stores=stores, store=store) as ring:
            return list(ring.examine())
