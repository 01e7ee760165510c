"""Small promises of the key ring that only show when they are broken: where, with which words, and when it closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

import keywright
from keywright import Capabilities, KeyRing, Options, Record, RecordInfo, Registry, Seal, Secret, Setting, hookimpl
from keywright import StoreBackend as Backend
from keywright.errors import ConfigError, KeyNotFoundError
from keywright.testing import MemorySeal

PLUGINS = ("keytypes", "nix", "jose", "memory")


class Empty:
    """A read-only backend without keys that counts how often it is open."""

    KEYWRIGHT_API = 1
    name = "empty"
    settings: tuple[Setting, ...] = ()
    capabilities = Capabilities(writable=False, metadata=False)

    def __init__(self) -> None:
        self.open_now = 0

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[Backend]:
        return (self,)

    def open(self, options: Options) -> AbstractContextManager[Empty]:
        @contextmanager
        def opened() -> Iterator[Empty]:
            self.open_now += 1
            yield self
            self.open_now -= 1

        return opened()

    def get(self, name: str, version: int) -> Record:
        raise KeyNotFoundError(f"{name}@{version} was looked for")

    def versions(self, name: str) -> Sequence[RecordInfo]:
        return ()

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return iter(())


@pytest.fixture
def empty() -> Empty:
    """The backend `empty`."""
    return Empty()


@pytest.fixture
def with_empty(empty: Empty) -> Registry:
    """The plugins of these tests and the backend `empty`."""
    registry = Registry.load(PLUGINS)
    registry.add(empty, "empty")
    return registry


@pytest.fixture
def ring() -> Iterator[KeyRing]:
    """A ring over two stores in memory; keys called `apart` belong in the second."""
    tables = {"stores": {"first": {"backend": "memory"}, "second": {"backend": "memory"}}}
    document = {"default_store": "first", **tables, "keys": {"apart": {"store": "second"}}}
    with keywright.open(document, registry=Registry.load(PLUGINS)) as ring:
        yield ring


def test_leaving_the_ring_closes_its_stores(empty: Empty, with_empty: Registry) -> None:
    """A store is open from its first use to the end of the `with` block."""
    with keywright.open({"stores": {"main": {"backend": "empty"}}}, registry=with_empty) as ring:
        before = empty.open_now
        assert list(ring.open_store().store.names()) == []
        during = empty.open_now

    assert (before, during, empty.open_now) == (0, 1, 0)


@pytest.mark.parametrize(("reference", "sought"), [("a", "a@1"), ("a@3", "a@3")])
def test_a_read_only_store_says_where_it_looked(with_empty: Registry, reference: str, sought: str) -> None:
    """What a read-only store has not is told in the store's words, for the version that was asked for or the first."""
    document = {"stores": {"main": {"backend": "empty"}}}

    with keywright.open(document, registry=with_empty) as ring, pytest.raises(KeyNotFoundError) as caught:
        ring.load(reference)

    assert str(caught.value) == f"{sought} was looked for"


def test_the_store_that_was_asked_for_is_the_default() -> None:
    """`open(store=…)` goes before the configured default, whether or not a clock was given."""
    tables = {"default_store": "first", "stores": {"first": {"backend": "memory"}, "second": {"backend": "memory"}}}

    with keywright.open(tables, store="second", registry=Registry.load(PLUGINS)) as ring:
        assert ring.open_store().name == "second"


def test_a_name_keeps_to_its_store(ring: KeyRing) -> None:
    """`[keys.NAME] store` holds for making a key and for every version after."""
    ring.generate("apart", type="oct")
    ring.rotate("apart")

    assert [info.version for info in ring.open_store("second").store.versions("apart")] == [1, 2]
    assert list(ring.open_store("first").store.names()) == []


def test_without_a_reason_none_is_written(ring: KeyRing) -> None:
    """A version that is disabled, enabled or compromised without a reason has none."""
    ring.generate("a", type="oct")

    reasons = [change("a@1").reason for change in (ring.disable, ring.enable, ring.compromise)]

    assert reasons == ["", "", ""]


def test_after_a_destroyed_secret_any_other_may_come(ring: KeyRing) -> None:
    """A destroyed symmetric key cannot be compared with the next one, and does not stand in its way."""
    ring.generate("a", type="oct")
    ring.generate("b", type="oct")
    other = ring.export("b", secret=True)
    ring.destroy("a@1")

    info = ring.import_key("a", Secret(other.reveal()), as_next=True)

    assert info.reference == "a@2"


def test_a_key_of_another_kind_may_come_next(ring: KeyRing) -> None:
    """A symmetric key has no public half that could be the same as that of the version before, nor the other way."""
    ring.generate("a", type="ec-p256", format="jwk")
    ring.generate("b", type="oct")

    info = ring.import_key("a", ring.export("b", secret=True), as_next=True)
    back = ring.import_key("b", ring.export("a@1", secret=True), as_next=True)

    assert (info.reference, back.reference) == ("a@2", "b@2")


def test_a_wrong_setting_of_a_seal_is_told_as_the_seals() -> None:
    """A setting that the seal does not know is refused by the name of the seal, not of the store that it is on."""

    class Sealing:
        KEYWRIGHT_API = 1

        @hookimpl
        def keywright_register_seals(self) -> Sequence[Seal]:
            return (MemorySeal(),)

    registry = Registry.load(PLUGINS)
    registry.add(Sealing(), "sealing")
    document = {
        "stores": {"main": {"backend": "memory", "seal": "master"}},
        "seals": {"master": {"seal": "memory", "zzz": "1"}},
    }

    with keywright.open(document, registry=registry) as ring, pytest.raises(ConfigError) as caught:
        ring.generate("a")

    assert "seals.master.zzz is no setting of seal 'memory'; it has: " in str(caught.value)
