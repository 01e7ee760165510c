"""The contract of stores that take records, whether or not these have payloads."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import KeyExistsError
from keywright.protocols import WritableStore
from keywright.records import Record, RecordInfo, Revision
from keywright.secret import Secret
from keywright.testing.laws import SHORT_LAW
from keywright.testing.stores.contract import StoreContract
from keywright.testing.strategies import labels, names, record_infos

__all__ = ["OTHER_REVISION", "OpenWritableStore", "RecordStoreContract", "clear", "unrevised"]

OpenWritableStore = Callable[[], AbstractContextManager[WritableStore]]
"""As `OpenStore`, for a store that takes writes."""

OTHER_REVISION = Revision("no revision of any store")

_HARD_NAMES = (
    *("a" * 200, "a" * 199, "z/" * 99 + "z", "z/" * 98 + "z", "a", "a/1", "a/1/1", "a.1", "a-1", "a_1", "a1", "1/a"),
    *("key", "a/key", "meta.json", "a/meta.json", "lock", "format", "tmp", "pending", "index", "x.tmp", "x.new"),
    *(
        "0",
        "00",
        "1.0",
        "a--b",
        "a__b",
        "a..b",
        "a.b/c.d",
        "con-1",
        "com10",
        "lost",
        "lost-found",
        "e5",
        "null",
        "true",
    ),
)


def clear(open_store: OpenWritableStore) -> None:
    """Remove every name, so that the next example finds an empty store."""
    with open_store() as store:
        for name in list(store.names()):
            store.remove(name, expected=[info.revision for info in store.versions(name)])


def unrevised(info: RecordInfo) -> RecordInfo:
    """`info` as it was before the store gave it a revision."""
    return replace(info, revision=Revision(""))


class RecordStoreContract(StoreContract):
    """What writable and signing stores have in common; subclass `WritableStoreContract` or `SigningStoreContract`."""

    proves: ClassVar[frozenset[str]] = frozenset({"writable"})

    @pytest.fixture
    def open_store(self) -> OpenWritableStore:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_store`")

    @pytest.fixture
    def held(self, open_store: OpenWritableStore) -> Mapping[str, Secret | None]:
        """Six names that are easy to mistake for one another."""
        payloads = {name: self.payload(name.encode() * 4) for name in ("b", "a", "a/1", "a.b", "a/b", "ab-c_d")}
        for name, payload in payloads.items():
            self.create(open_store, RecordInfo(name=name, version=1), payload)
        return payloads

    def payload(self, data: bytes) -> Secret | None:
        """The payload of a record that holds `data`: None for stores that take no payloads."""
        return Secret(data)

    def described(self, info: RecordInfo) -> RecordInfo:
        """`info`, or as much of it as a store can keep that keeps no metadata."""
        return info if self.capabilities.metadata else RecordInfo(name=info.name, version=info.version)

    def create(self, open_store: OpenWritableStore, info: RecordInfo, payload: Secret | None = None) -> RecordInfo:
        """Create a record in a store opened for that alone."""
        with open_store() as store:
            return store.create(Record(info, payload))

    def test_store_20_what_was_created_is_there_after_reopening(self, open_store: OpenWritableStore) -> None:
        """STORE-20: `create` returns the info with a revision, and the store, opened anew, holds just that.

        Why: A key that was handed out and is not there after the next start is lost, with all that it signed.

        Do: Commit before you return. Do not leave it to the closing of the store: the process may be killed.
        """
        info = self.described(
            RecordInfo(name="a", version=1, key_type="t", format="f", kid="k", public=b"\0p", labels={"l": "v"})
        )

        stored = self.create(open_store, info, self.payload(b"payload"))

        assert stored.revision
        assert unrevised(stored) == info
        with open_store() as store:
            assert store.get("a", 1) == Record(stored, self.payload(b"payload"))
            assert list(store.names()) == ["a"]

    def test_store_21_a_taken_version_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-21: `create` of a version that is there raises KeyExistsError and changes nothing.

        Why: Overwriting a key loses it for good; and rotation relies on it that of two who make a version one is told.

        Do: Create only what is absent, by one atomic step of the storage (a unique row, a link, a rename that refuses);
        looking first and writing then is two steps.
        """
        first = self.create(
            open_store, self.described(RecordInfo(name="a", version=1, kid="first")), self.payload(b"first")
        )

        with open_store() as store, pytest.raises(KeyExistsError) as caught:
            store.create(Record(self.described(RecordInfo(name="a", version=1, kid="second")), self.payload(b"second")))

        assert "a@1" in str(caught.value)
        with open_store() as store:
            assert store.get("a", 1) == Record(first, self.payload(b"first"))
            assert list(store.versions("a")) == [first]

    @SHORT_LAW
    @given(drawn=st.lists(names(), min_size=1, max_size=6, unique=True))
    def test_store_22_any_name_can_be_stored(self, open_store: OpenWritableStore, drawn: list[str]) -> None:
        """STORE-22: Any set of names of the grammar can be stored side by side, and comes back in order.

        Why: Names are chosen by people; one that only this store refuses or confuses shows up in the middle of a
        migration.

        Do: Map names to the storage without loss and without a collision: `a` stands beside `a/1`, and one name has
        up to 200 bytes.
        """
        clear(open_store)

        for name in drawn:
            self.create(open_store, RecordInfo(name=name, version=1), self.payload(name.encode()))

        with open_store() as store:
            assert list(store.names()) == sorted(drawn)
            assert [store.get(name, 1).payload for name in drawn] == [self.payload(name.encode()) for name in drawn]

    @SHORT_LAW
    @given(info=record_infos())
    def test_store_23_metadata_survive_exactly(self, open_store: OpenWritableStore, info: RecordInfo) -> None:
        """STORE-23: Every member of the metadata comes back as it went in, to the microsecond and the character.

        Why: Activation, expiry and overlap decide which key signs and which verifies; rounded, two machines disagree.

        Do: Keep what `keywright.encode_info` makes of the info, or prove that your own columns lose nothing:
        microseconds, empty against absent, characters outside ASCII, NUL. Else declare metadata=False.
        """
        self.needs("metadata")
        clear(open_store)

        stored = self.create(open_store, info)

        assert unrevised(stored) == info
        with open_store() as store:
            assert store.get(info.name, info.version) == Record(stored, None)
            assert list(store.versions(info.name)) == [stored]

    def test_store_24_versions_ascend_as_numbers(self, open_store: OpenWritableStore) -> None:
        """STORE-24: `versions` ascends by number, 10 after 9, in whatever order they were made.

        Why: The highest version is the newest; sorted as texts, the tenth rotation goes back to the ninth key.

        Do: Sort by the number, up to 999,999,999.
        """
        numbers = [10, 2, 1, 999_999_999, 9, 11]

        for version in numbers:
            self.create(open_store, RecordInfo(name="a", version=version), self.payload(b"%d" % version))

        with open_store() as store:
            assert [info.version for info in store.versions("a")] == sorted(numbers)
            assert all(store.get("a", number).payload == self.payload(b"%d" % number) for number in numbers)
            assert list(store.names()) == ["a"]

    def test_store_36_a_revision_that_came_along_is_not_kept(self, open_store: OpenWritableStore) -> None:
        """STORE-36: `create` gives a revision of its own to an info that has one, as it comes from another store.

        Why: Two stores that share revisions would take each other's updates.

        Do: Ignore `info.revision` in `create` and `update`; only `expected` is compared.
        """
        stored = self.create(open_store, RecordInfo(name="a", version=1, revision=OTHER_REVISION))

        assert stored.revision not in ("", OTHER_REVISION)

    @SHORT_LAW
    @given(given_labels=labels())
    def test_store_37_labels_that_change_later_change_nothing(
        self, open_store: OpenWritableStore, given_labels: dict[str, str]
    ) -> None:
        """STORE-37: The store keeps labels as they were at the call, whatever becomes of the mapping, in or out.

        Why: Labels that change behind the store's back were never written, and are gone after the next start.

        Do: Copy the labels when they come in and when they go out.
        """
        self.needs("metadata")
        clear(open_store)
        kept = dict(given_labels)
        with open_store() as store:
            store.create(Record(RecordInfo(name="a", version=1, labels=given_labels), None))
            given_labels["added"] = "later"
            for info in (store.get("a", 1).info, store.versions("a")[0]):
                if isinstance(info.labels, dict):
                    info.labels["added"] = "by a reader"

            assert store.get("a", 1).info.labels == kept

    def test_store_39_hard_names_stand_side_by_side(self, open_store: OpenWritableStore) -> None:
        """STORE-39: Names of 200 bytes or 100 segments, and such as a store's own files may have, share a store.

        Why: The longest name and the one called `lock` are the ones that nobody tries before a customer does.

        Do: Keep names apart from the store's own files, from version numbers and from each other; leave room for 200
        bytes and whatever you add to them.
        """
        for version in (1, 2):
            for name in _HARD_NAMES:
                self.create(
                    open_store, RecordInfo(name=name, version=version), self.payload(f"{name} {version}".encode())
                )

        with open_store() as store:
            assert list(store.names()) == sorted(_HARD_NAMES)
            for name in sorted(_HARD_NAMES):
                assert [info.version for info in store.versions(name)] == [1, 2]
                assert store.get(name, 2).payload == self.payload(f"{name} 2".encode())
                store.remove(name, expected=[info.revision for info in store.versions(name)])
            assert list(store.names()) == []
