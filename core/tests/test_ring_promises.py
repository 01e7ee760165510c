"""Small promises of the key ring: which store is used, when it is closed, and what an error says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from support.errors import text_of

import keywright
from keywright import (
    Capabilities,
    KeyRing,
    Options,
    Record,
    RecordInfo,
    Registry,
    Seal,
    Secret,
    Setting,
    StoreBackend as Backend,
    hookimpl,
)
from keywright.errors import ConfigError, KeyNotFoundError
from keywright.testing import MemorySeal

Rings = Callable[..., KeyRing]

TWO_STORES = {"default_store": "first", "stores": {name: {"backend": "memory"} for name in ("first", "second")}}


class Empty:
    """A read-only backend without keys that counts how often it is open, and a seal."""

    KEYWRIGHT_API = 1
    name = "empty"
    settings: tuple[Setting, ...] = ()
    capabilities = Capabilities(writable=False, metadata=False)

    def __init__(self) -> None:
        self.open_now = 0

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[Backend]:
        return (self,)

    @hookimpl
    def keywright_register_seals(self) -> Sequence[Seal]:
        return (MemorySeal(),)

    @contextmanager
    def open(self, options: Options) -> Iterator[Empty]:
        self.open_now += 1
        yield self
        self.open_now -= 1

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
def ring(empty: Empty) -> Iterator[Rings]:
    """Opens rings over a configuration; without one, over two stores in memory."""
    registry = Registry.load(("keytypes", "nix", "jose", "memory"))
    registry.add(empty, "empty")
    with ExitStack() as opened:
        yield lambda store=None, **tables: opened.enter_context(
            keywright.open(TWO_STORES | tables, store=store, registry=registry)
        )


def test_leaving_the_ring_closes_its_stores(ring: Rings, empty: Empty) -> None:
    """A store is open from its first use to the end of the `with` block."""
    with ring(stores={"first": {"backend": "empty"}}) as opened:
        before = empty.open_now
        assert list(opened.open_store().names()) == []
        during = empty.open_now

    assert (before, during, empty.open_now) == (0, 1, 0)


@pytest.mark.parametrize(("reference", "sought"), [("a", "a@1"), ("a@3", "a@3")])
def test_a_read_only_store_says_where_it_looked(ring: Rings, reference: str, sought: str) -> None:
    """The error for a missing key is the store's own, for the version that was asked for or the first."""
    with pytest.raises(KeyNotFoundError) as caught:
        ring(stores={"first": {"backend": "empty"}}).load(reference)

    assert text_of(caught.value) == f"{sought} was looked for"


def test_the_store_that_was_asked_for_is_the_default(ring: Rings) -> None:
    """`open(store=…)` takes precedence over the configured default."""
    opened = ring(store="second")
    opened.generate("a", type="oct")

    assert list(opened.names(store="second")) == ["a"]


def test_a_name_keeps_to_its_store(ring: Rings) -> None:
    """`[keys.NAME] store` is used to create a key and every version after."""
    opened = ring(keys={"apart": {"store": "second"}})
    opened.generate("apart", type="oct")
    opened.rotate("apart")

    assert [info.version for info in opened.open_store("second").versions("apart")] == [1, 2]
    assert list(opened.open_store("first").names()) == []


def test_without_a_reason_none_is_written(ring: Rings) -> None:
    """A version that is disabled, enabled or compromised without a reason has none."""
    opened = ring()
    opened.generate("a", type="oct")

    reasons = [change("a@1").reason for change in (opened.disable, opened.enable, opened.compromise)]

    assert reasons == ["", "", ""]


def test_after_a_destroyed_secret_any_other_may_come(ring: Rings) -> None:
    """A destroyed symmetric key cannot be compared with the next one, and does not prevent it."""
    opened = ring()
    opened.generate("a", type="oct")
    opened.generate("b", type="oct")
    opened.destroy("a@1")

    info = opened.import_key("a", Secret(opened.export("b", secret=True).reveal()), as_new_version=True)

    assert info.reference == "a@2"


def test_a_key_of_another_kind_may_come_next(ring: Rings) -> None:
    """A symmetric key has no public half that could be the same as that of the version before, nor the other way."""
    opened = ring()
    opened.generate("a", type="ec-p256", format="jwk")
    opened.generate("b", type="oct")

    info = opened.import_key("a", opened.export("b", secret=True), as_new_version=True)
    back = opened.import_key("b", opened.export("a@1", secret=True), as_new_version=True)

    assert (info.reference, back.reference) == ("a@2", "b@2")


def test_a_wrong_setting_of_a_seal_names_the_seal(ring: Rings) -> None:
    """A setting that the seal does not have is refused with the name of the seal, not of the store that uses it."""
    seals = {"master": {"seal": "memory", "zzz": "1"}}
    opened = ring(stores={"first": {"backend": "memory", "seal": "master"}}, seals=seals)

    with pytest.raises(
        ConfigError, match=r"seals\.master\.zzz is not a setting of seal 'memory'\nhint: seal 'memory' has: "
    ):
        opened.generate("a")
