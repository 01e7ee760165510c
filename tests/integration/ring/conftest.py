"""What the tests of the key ring share: a clock that waits for no one, real plugins, and refusals looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from support.errors import text_of
from support.rings import NOW, Guard, Meanwhile, Refused, Rings, Sealed, Wait

import keywright
import keywright_seal
from keywright import (
    Capabilities,
    Key,
    KeyRing,
    KeyType,
    Options,
    Record,
    RecordInfo,
    Registry,
    Seal,
    Secret,
    Setting,
    StoreBackend,
    hookimpl,
)
from keywright.errors import KeyNotFoundError
from keywright.testing import MemorySeal, MemorySigningBackend, assert_hidden, traceback_with_locals

PLUGINS = ("keytypes", "nix", "jose", "memory", "chain")
_IDENTITIES = count()


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """The ring's clock: 2027-01-01 12:00 UTC."""
    return Clock()


@pytest.fixture
def wait(clock: Clock) -> Wait:
    """Moves the clock on by a duration, given as to `timedelta`."""

    def on(**duration: float) -> None:
        clock.time += timedelta(**duration)

    return on


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Has something happen once, just before a store's next call of a method, or `after` it and before it returns."""

    def arrange(store: object, method: str, happens: Callable[[], object], *, after: bool = False) -> None:
        plain = getattr(store, method)

        def late(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(store, method, plain)
            if not after:
                happens()
            found = plain(*arguments, **named)
            if after:
                happens()
            return found

        monkeypatch.setattr(store, method, late)

    return arrange


class Extras:
    """The stand-ins of `keywright.testing`, as a plugin."""

    KEYWRIGHT_API = 1

    def __init__(self, key_types: Mapping[str, KeyType]) -> None:
        self._key_types = key_types

    @hookimpl
    def keywright_register_seals(self) -> Sequence[Seal]:
        return (MemorySeal(),)

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (MemorySigningBackend(self._key_types),)


@pytest.fixture
def registry(seen: list[Key]) -> Registry:
    """Key types, nix and jwk, chains, and what is in memory: store, seal, signing store. Tests may add more."""
    registry = Registry.load(PLUGINS)
    registry.add(Extras(registry.key_types), "extras")
    return registry


@pytest.fixture
def guard(registry: Registry) -> Guard:
    """A plugin that hears everything, and may object."""
    guard = Guard()
    registry.add(guard, "guard")
    return guard


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """Every key that a key type was asked to validate in this test: its secret must show in no refusal."""
    seen: list[Key] = []

    def watch(kind: type[KeyType]) -> None:
        validate = kind.validate

        def validated(self: KeyType, key: Key) -> Key:
            if key.secret is not None and all(other.secret != key.secret for other in seen):
                seen.append(key)
            return validate(self, key)

        monkeypatch.setattr(kind, "validate", validated)

    for kind in {type(key_type) for key_type in Registry.load(PLUGINS).key_types.values()}:
        watch(kind)
    return seen


@pytest.fixture
def refused(seen: list[Key]) -> Refused:
    """Expects an error of just this class, message and hint, whose traceback with locals shows no secret."""

    @contextmanager
    def refused(kind: type[Exception], message: str) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        assert text_of(caught.value) == message
        assert type(caught.value) is kind
        shown = traceback_with_locals(caught.value)
        for key in seen:
            assert key.secret is not None
            assert_hidden(key.secret, shown, public=key.public or b"")

    return refused


@pytest.fixture
def ring(registry: Registry, clock: Clock) -> Iterator[Rings]:
    """Opens rings: `ring(keys={…}, stores={…}, …)` as a configuration says; one memory store if none is said."""
    with ExitStack() as opened:

        def open_ring(*, store: str | None = None, **tables: object) -> KeyRing:
            document = {"stores": {"main": {"backend": "memory"}}, **tables}
            return opened.enter_context(keywright.open(document, store=store, clock=clock, registry=registry))

        yield open_ring


@pytest.fixture
def shared() -> dict[str, str]:
    """The table of a memory store that every ring of this test sees the same records in."""
    return {"backend": "memory", "id": f"ring-{next(_IDENTITIES)}"}


@pytest.fixture
def two_stores(shared: dict[str, str]) -> dict[str, dict[str, str]]:
    """The tables of the memory stores `old` and `new`."""
    return {name: {**shared, "id": f"{shared['id']}-{name}"} for name in ("old", "new")}


@pytest.fixture
def sealed_by(ring: Rings, registry: Registry, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """Opens rings over one store that has a seal: `sealed_by("NEW", "OLD")` with one master key and previous ones."""
    registry.add(keywright_seal, "seal")
    monkeypatch.setenv("OLD", "a0" * 32)
    monkeypatch.setenv("NEW", "b1" * 32)

    def open_ring(key: str, *previous: str) -> KeyRing:
        seal = {"seal": "master-key", "key": {"env": key}, "previous": [{"env": one} for one in previous]}
        return ring(stores={"main": {**shared, "seal": "s"}}, seals={"s": seal})

    return open_ring


@pytest.fixture
def canary_seal(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The table of a seal with a master key."""
    monkeypatch.setenv("RING_MASTER", "correct horse battery staple")
    return {"seal": "memory", "master": {"env": "RING_MASTER"}}


class Plain:
    """A read-only backend that knows payloads alone, as environment variables do: `NAME` has version 1."""

    KEYWRIGHT_API = 1
    name = "plain"
    settings: tuple[Setting, ...] = ()
    capabilities = Capabilities(writable=False, metadata=False)

    def __init__(self) -> None:
        self.payloads: dict[str, Secret] = {}

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (self,)

    def open(self, options: Options) -> AbstractContextManager[Plain]:
        return nullcontext(self)

    def get(self, name: str, version: int) -> Record:
        if name not in self.payloads or version != 1:
            raise KeyNotFoundError(f"{name}: not here")
        return Record(RecordInfo(name=name, version=1), self.payloads[name])

    def versions(self, name: str) -> Sequence[RecordInfo]:
        return (RecordInfo(name=name, version=1),) if name in self.payloads else ()

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        found = sorted(name for name in self.payloads if name.startswith(prefix) and name > after)
        return iter(found[:limit])


@pytest.fixture
def plain(registry: Registry) -> dict[str, Secret]:
    """The payloads of the backend `plain`, by name; it is read-only and keeps no metadata."""
    backend = Plain()
    registry.add(backend, "plain")
    return backend.payloads
