"""The contract of stores that take records, whether or not these have payloads."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError
from keywright.protocols import WritableStore
from keywright.record import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing.laws import SHORT_LAW
from keywright.testing.stores import ABSENT, StoreContract
from keywright.testing.strategies import labels, names, record_infos

__all__ = ["OpenWritableStore", "RecordStoreContract", "clear"]

OpenWritableStore = Callable[[], AbstractContextManager[WritableStore]]
"""As `OpenStore`, for a store that takes writes."""

_OTHER_REVISION = Revision("no revision of any store")


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

    writable: ClassVar[bool] = True

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

    def create(self, open_store: OpenWritableStore, info: RecordInfo, payload: Secret | None = None) -> RecordInfo:
        """Create a record in a store opened for that alone."""
        with open_store() as store:
            return store.create(Record(info, payload))

    def test_store_20_what_was_created_is_there_after_reopening(self, open_store: OpenWritableStore) -> None:
        """STORE-20: `create` returns the info with a revision, and the store, opened anew, holds just that."""
        info = RecordInfo(name="a", version=1, key_type="t", format="f", kid="k", public=b"\0p", labels={"l": "v"})

        stored = self.create(open_store, info, self.payload(b"payload"))

        assert stored.revision
        assert unrevised(stored) == info
        with open_store() as store:
            assert store.get("a", 1) == Record(stored, self.payload(b"payload"))
            assert list(store.names()) == ["a"]

    def test_store_21_a_taken_version_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-21: `create` of a version that is there raises KeyExistsError and changes nothing."""
        first = self.create(open_store, RecordInfo(name="a", version=1, kid="first"), self.payload(b"first"))

        with open_store() as store, pytest.raises(KeyExistsError) as caught:
            store.create(Record(RecordInfo(name="a", version=1, kid="second"), self.payload(b"second")))

        assert "a@1" in str(caught.value)
        with open_store() as store:
            assert store.get("a", 1) == Record(first, self.payload(b"first"))
            assert list(store.versions("a")) == [first]

    @SHORT_LAW
    @given(drawn=st.lists(names(), min_size=1, max_size=6, unique=True))
    def test_store_22_any_name_can_be_stored(self, open_store: OpenWritableStore, drawn: list[str]) -> None:
        """STORE-22: Any set of names of the grammar can be stored side by side, and comes back in order."""
        clear(open_store)

        for name in drawn:
            self.create(open_store, RecordInfo(name=name, version=1), self.payload(name.encode()))

        with open_store() as store:
            assert list(store.names()) == sorted(drawn)
            assert [store.get(name, 1).payload for name in drawn] == [self.payload(name.encode()) for name in drawn]

    @SHORT_LAW
    @given(info=record_infos())
    def test_store_23_metadata_survive_exactly(self, open_store: OpenWritableStore, info: RecordInfo) -> None:
        """STORE-23: Every member of the metadata comes back as it went in, to the microsecond and the character."""
        clear(open_store)

        stored = self.create(open_store, info)

        assert unrevised(stored) == info
        with open_store() as store:
            assert store.get(info.name, info.version) == Record(stored, None)
            assert list(store.versions(info.name)) == [stored]

    def test_store_24_versions_ascend_as_numbers(self, open_store: OpenWritableStore) -> None:
        """STORE-24: `versions` ascends by number, 10 after 9, in whatever order they were made."""
        numbers = [10, 2, 1, 999_999_999, 9, 11]

        for version in numbers:
            self.create(open_store, RecordInfo(name="a", version=version), self.payload(b"%d" % version))

        with open_store() as store:
            assert [info.version for info in store.versions("a")] == sorted(numbers)
            assert all(store.get("a", number).payload == self.payload(b"%d" % number) for number in numbers)
            assert list(store.names()) == ["a"]

    def test_store_25_metadata_are_updated_and_the_payload_stays(self, open_store: OpenWritableStore) -> None:
        """STORE-25: `update` with the right revision replaces the metadata, keeps the payload, gives a new revision."""
        old = self.create(open_store, RecordInfo(name="a", version=1, labels={"x": "1"}), self.payload(b"p"))

        with open_store() as store:
            new = store.update(Record(replace(old, labels={"y": "2"}), self.payload(b"p")), expected=old.revision)

        assert new.revision not in ("", old.revision)
        assert new.labels == {"y": "2"}
        with open_store() as store:
            assert store.get("a", 1) == Record(new, self.payload(b"p"))

    def test_store_26_an_update_from_another_revision_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-26: `update` with a revision that is not the record's raises ConflictError and changes nothing."""
        old = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))
        with open_store() as store:
            new = store.update(Record(replace(old, reason="r"), self.payload(b"p")), expected=old.revision)

        for stale in (old.revision, _OTHER_REVISION, Revision("")):
            with open_store() as store, pytest.raises(ConflictError) as caught:
                store.update(Record(replace(old, reason="lost"), self.payload(b"p")), expected=stale)

            assert "a@1" in str(caught.value)
        with open_store() as store:
            assert store.get("a", 1) == Record(new, self.payload(b"p"))

    def test_store_27_a_revision_never_recurs_when_content_does(self, open_store: OpenWritableStore) -> None:
        """STORE-27: Metadata changed and changed back, or removed and made again, have a revision of their own."""
        info = RecordInfo(name="a", version=1)
        seen = [self.create(open_store, info, self.payload(b"p"))]
        for reason in ("there", ""):
            with open_store() as store:
                seen.append(
                    store.update(Record(replace(info, reason=reason), self.payload(b"p")), expected=seen[-1].revision)
                )
        with open_store() as store:
            store.remove("a", expected=[seen[-1].revision])
        seen.append(self.create(open_store, info, self.payload(b"p")))

        assert len({stored.revision for stored in seen}) == len(seen)

    def test_store_28_an_update_of_what_is_absent_is_not_found(self, open_store: OpenWritableStore) -> None:
        """STORE-28: `update` of an absent name or version raises KeyNotFoundError and makes nothing."""
        held = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))

        for name, version in ((ABSENT, 1), ("a", 2)):
            with open_store() as store, pytest.raises(KeyNotFoundError) as caught:
                store.update(Record(RecordInfo(name=name, version=version), None), expected=held.revision)

            assert name in str(caught.value)
        with open_store() as store:
            assert list(store.names()) == ["a"]
            assert list(store.versions("a")) == [held]

    def test_store_29_a_destroyed_version_stays_as_a_tombstone(self, open_store: OpenWritableStore) -> None:
        """STORE-29: A version updated to `destroyed` without payload stays listed, and its number stays taken."""
        old = self.create(open_store, RecordInfo(name="a", version=1, kid="k"), self.payload(b"p"))

        with open_store() as store:
            new = store.update(Record(replace(old, state=State.DESTROYED), None), expected=old.revision)

        with open_store() as store:
            assert store.get("a", 1) == Record(new, None)
            assert list(store.versions("a")) == [new]
            assert list(store.names()) == ["a"]
        with open_store() as store, pytest.raises(KeyExistsError):
            store.create(Record(RecordInfo(name="a", version=1), self.payload(b"p")))

    def test_store_30_remove_takes_the_whole_name_and_no_other(
        self, open_store: OpenWritableStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-30: `remove` takes every version of a name, and leaves names that only look like it."""
        self.create(open_store, RecordInfo(name="a", version=2), self.payload(b"p"))

        with open_store() as store:
            store.remove("a", expected=[info.revision for info in store.versions("a")])

        rest = {name: payload for name, payload in held.items() if name != "a"}
        with open_store() as store:
            assert list(store.versions("a")) == []
            assert {name: store.get(name, 1).payload for name in store.names()} == rest
        with open_store() as store, pytest.raises(KeyNotFoundError):
            store.get("a", 1)

    def test_store_31_remove_from_another_state_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-31: `remove` with other revisions, more, fewer or in another order raises ConflictError."""
        infos = [self.create(open_store, RecordInfo(name="a", version=v), self.payload(b"p")) for v in (1, 2)]
        one, two = (info.revision for info in infos)

        for expected in ([], [one], [two], [two, one], [one, two, two], [one, _OTHER_REVISION]):
            with open_store() as store, pytest.raises(ConflictError):
                store.remove("a", expected=expected)

        with open_store() as store:
            assert list(store.versions("a")) == infos
            assert store.get("a", 1).payload == self.payload(b"p")

    def test_store_32_remove_of_what_is_absent_is_not_found(self, open_store: OpenWritableStore) -> None:
        """STORE-32: `remove` of a name that is not there raises KeyNotFoundError, whatever was expected."""
        for expected in ([], [_OTHER_REVISION]):
            with open_store() as store, pytest.raises(KeyNotFoundError):
                store.remove(ABSENT, expected=expected)

    def test_store_33_a_removed_name_can_be_made_again(self, open_store: OpenWritableStore) -> None:
        """STORE-33: After `remove`, version 1 can be created with other content."""
        self.create(open_store, RecordInfo(name="a/b", version=1, kid="old"), self.payload(b"old"))
        clear(open_store)

        stored = self.create(open_store, RecordInfo(name="a/b", version=1, kid="new"), self.payload(b"new"))

        with open_store() as store:
            assert store.get("a/b", 1) == Record(stored, self.payload(b"new"))

    def test_store_34_one_of_many_threads_wins_a_version(self, open_store: OpenWritableStore) -> None:
        """STORE-34: Of eight threads that create one version at once, one wins and seven get KeyExistsError."""

        def create(store: WritableStore, number: int) -> RecordInfo | None:
            record = Record(RecordInfo(name="a", version=1, kid=str(number)), self.payload(b"%d" % number))
            try:
                return store.create(record)
            except KeyExistsError:
                return None

        with open_store() as store, ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda number: create(store, number), range(8)))

        (winner,) = [stored for stored in results if stored is not None]
        with open_store() as store:
            assert store.get("a", 1) == Record(winner, self.payload(winner.kid.encode()))

    def test_store_35_one_of_many_threads_wins_an_update(self, open_store: OpenWritableStore) -> None:
        """STORE-35: Of eight threads that update from one revision at once, one wins and seven get ConflictError."""
        old = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))

        def update(store: WritableStore, number: int) -> RecordInfo | None:
            try:
                return store.update(Record(replace(old, reason=str(number)), self.payload(b"p")), expected=old.revision)
            except ConflictError:
                return None

        with open_store() as store, ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda number: update(store, number), range(8)))

        (winner,) = [stored for stored in results if stored is not None]
        with open_store() as store:
            assert store.get("a", 1).info == winner

    def test_store_36_a_revision_that_came_along_is_not_kept(self, open_store: OpenWritableStore) -> None:
        """STORE-36: `create` gives a revision of its own to an info that has one, as it comes from another store."""
        stored = self.create(open_store, RecordInfo(name="a", version=1, revision=_OTHER_REVISION))

        assert stored.revision not in ("", _OTHER_REVISION)

    @SHORT_LAW
    @given(given_labels=labels())
    def test_store_37_labels_that_change_later_change_nothing(
        self, open_store: OpenWritableStore, given_labels: dict[str, str]
    ) -> None:
        """STORE-37: The store keeps labels as they were at the call, whatever becomes of the mapping."""
        clear(open_store)
        kept = dict(given_labels)
        with open_store() as store:
            store.create(Record(RecordInfo(name="a", version=1, labels=given_labels), None))
            given_labels["added"] = "later"

            assert store.get("a", 1).info.labels == kept

    def test_store_38_names_may_be_removed_while_they_are_listed(
        self, open_store: OpenWritableStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-38: A loop over `names` that removes each name sees every name once."""
        with open_store() as store:
            seen = []
            for name in store.names():
                store.remove(name, expected=[info.revision for info in store.versions(name)])
                seen.append(name)

        assert seen == sorted(held)
        with open_store() as store:
            assert list(store.names()) == []
