"""The contract of every store, read-only ones included."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import ClassVar

import pytest

from keywright.errors import KeyNotFoundError
from keywright.protocols import Store
from keywright.record import Record
from keywright.secret import Secret
from keywright.testing.leaks import assert_hidden

__all__ = ["OpenStore", "StoreContract"]

OpenStore = Callable[[], AbstractContextManager[Store]]
"""Opens the store under test anew, as another process would find it; leaving the context closes it."""

ABSENT = "no-such/name"


class StoreContract:
    """What every store promises. Subclass it as `TestX` and give it two fixtures:

    * `open_store`: a function that opens the store anew each time it is called (see `OpenStore`);
    * `held`: what the store then holds, names to payloads of version 1. At least three names, of which two start
      alike, and none that starts with `no-such`.

        class TestEnv(StoreContract):
            @pytest.fixture
            def open_store(self, monkeypatch): ...

            @pytest.fixture
            def held(self): return {"a": Secret(b"1"), "a/b": Secret(b"2"), "c": Secret(b"3")}

    A store that takes writes subclasses `WritableStoreContract` instead.
    """

    writable: ClassVar[bool] = False

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_store`")

    @pytest.fixture
    def held(self, open_store: OpenStore) -> Mapping[str, Secret | None]:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `held`")

    def test_store_01_get_of_an_absent_name_is_not_found(self, open_store: OpenStore) -> None:
        """STORE-01: `get` of a name that is not there raises KeyNotFoundError, which says the name in one line."""
        with open_store() as store, pytest.raises(KeyNotFoundError) as caught:
            store.get(ABSENT, 1)

        assert ABSENT in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1

    def test_store_02_get_of_an_absent_version_is_not_found(
        self, open_store: OpenStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-02: `get` of a version that a name lacks raises KeyNotFoundError, which says the name."""
        for name in held:
            with open_store() as store, pytest.raises(KeyNotFoundError) as caught:
                store.get(name, 2)

            assert name in str(caught.value)

    def test_store_03_an_absent_name_has_no_versions(self, open_store: OpenStore) -> None:
        """STORE-03: `versions` of a name that is not there is empty, and no error."""
        with open_store() as store:
            assert list(store.versions(ABSENT)) == []

    def test_store_04_get_gives_the_payload_exactly(
        self, open_store: OpenStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-04: `get` gives each record by its name and version, payload byte for byte and as a Secret."""
        for name, payload in held.items():
            with open_store() as store:
                record = store.get(name, 1)

            assert (record.info.name, record.info.version) == (name, 1)
            assert record.payload == payload

    def test_store_05_versions_and_get_agree(self, open_store: OpenStore, held: Mapping[str, Secret | None]) -> None:
        """STORE-05: `versions` gives the same metadata as `get`, revision included."""
        for name in held:
            with open_store() as store:
                infos = list(store.versions(name))
                assert infos == [store.get(name, 1).info]

    def test_store_06_names_come_in_the_order_of_their_bytes(
        self, open_store: OpenStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-06: `names` gives every name once, in the order of their bytes."""
        with open_store() as store:
            assert list(store.names()) == sorted(held)

    def test_store_07_a_prefix_is_a_plain_string(
        self, open_store: OpenStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-07: `names(prefix)` gives the names that start with these characters, at a segment's end or not."""
        prefixes = {name[:end] for name in held for end in range(len(name) + 1)} | {ABSENT, "%", "_", "*", "["}
        with open_store() as store:
            for prefix in sorted(prefixes):
                assert list(store.names(prefix)) == [name for name in sorted(held) if name.startswith(prefix)]

    def test_store_08_after_is_exclusive_and_need_not_be_there(
        self, open_store: OpenStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-08: `names(after=…)` starts with the first name that sorts after that text."""
        with open_store() as store:
            for name in held:
                for after in (name, name + ".", name[:-1]):
                    assert list(store.names(after=after)) == [other for other in sorted(held) if other > after]

    def test_store_09_limit_is_the_most_that_comes(
        self, open_store: OpenStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-09: `names(limit=n)` gives the first n names: none for 0, all for more than there are."""
        with open_store() as store:
            for limit in range(len(held) + 2):
                assert list(store.names(limit=limit)) == sorted(held)[:limit]

    def test_store_10_pages_join_to_the_whole(self, open_store: OpenStore, held: Mapping[str, Secret | None]) -> None:
        """STORE-10: Pages by `after` and `limit`, each of a store opened anew, give every name of a prefix once."""
        prefix = min(held)[:1]
        wanted = [name for name in sorted(held) if name.startswith(prefix)]
        for size in (1, 2):
            found: list[str] = []
            for _ in range(len(wanted) + 1):
                with open_store() as store:
                    found += store.names(prefix, after=found[-1] if found else "", limit=size)

            assert found == wanted

    def test_store_11_threads_may_read_at_once(self, open_store: OpenStore, held: Mapping[str, Secret | None]) -> None:
        """STORE-11: Eight threads that read one opened store at once all see what it holds."""

        def read(store: Store) -> dict[str, Secret | None]:
            return {name: store.get(name, 1).payload for name in store.names()}

        with open_store() as store, ThreadPoolExecutor(8) as pool:
            seen = [future.result() for future in [pool.submit(read, store) for _ in range(32)]]

        assert all(one == dict(held) for one in seen)

    def test_store_12_a_record_shows_no_payload(self, open_store: OpenStore, held: Mapping[str, Secret | None]) -> None:
        """STORE-12: Neither the store nor its records show a payload in their repr."""
        for name in held:
            with open_store() as store:
                record: Record = store.get(name, 1)
                if record.payload is not None:
                    assert_hidden(record.payload, f"{store!r} {record!r}", public=record.info.public or b"")

    def test_store_13_only_a_writable_store_has_the_methods_that_write(self, open_store: OpenStore) -> None:
        """STORE-13: A read-only store has no `create`, `update` or `remove`; a writable one has all three."""
        with open_store() as store:
            found = [method for method in ("create", "update", "remove") if hasattr(store, method)]

        assert found == (["create", "update", "remove"] if self.writable else [])
