"""The contract of writable stores."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, cast

import pytest
from hypothesis import given, strategies as st

from keywright import (
    Attributes,
    BatchStore,
    CheckedStore,
    Problem,
    Record,
    RecordInfo,
    Revision,
    Secret,
    State,
    Store,
)
from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright.testing.leaks import assert_hidden, traceback_with_locals
from keywright.testing.processes import run_until_killed
from keywright.testing.rules import SHORT_LAW
from keywright.testing.stores.concurrency import ConcurrencyRules
from keywright.testing.stores.contract import (
    ABSENT,
    OTHER_REVISION,
    Held,
    OpenWritableStore,
    check_only,
    clear,
    create,
    destroy,
    listed,
    read,
    remove,
    replace_payload,
    revisions,
    unrevised,
    update_info,
)
from keywright.testing.stores.model import check_histories
from keywright.testing.strategies import labels, names, record_infos, records

_CANARY: Final = Secret(b"a canary that must not sing")
_HARD_NAMES: Final = (
    *("a" * 200, "a" * 199, "z/" * 99 + "z", "z/" * 98 + "z", "a", "a/1", "a/1/1", "a.1", "a-1", "a_1", "a1", "1/a"),
    *("key", "a/key", "meta.json", "a/meta.json", "lock", "format", "tmp", "pending", "index", "x.tmp", "x.new"),
    *("0", "00", "1.0", "a--b", "a__b", "a..b", "a.b/c.d", "con-1", "com10", "lost", "lost-found", "e5", "null"),
    "true",
)
_BARE: Final = RecordInfo(name="a", version=1)
_BATCH: Final = 200  # records
_TIME: Final = datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC)
_METADATA: Final[dict[str, Any]] = {
    "key_type": "t",
    "format": "f",
    "kid": "k",
    "reason": "r",
    "public": b"\0p",
    "labels": {"l": "v"},
    "attributes": Attributes({"alg": "EdDSA"}),
    "state": State.DISABLED,
    "overlap": timedelta(days=1),
    **dict.fromkeys(("state_since", "created", "activates", "expires"), _TIME),
}


def problems(store: Store) -> list[Problem]:
    """What `check` finds; nothing if the store has none."""
    return list(cast("CheckedStore", store).check()) if hasattr(store, "check") else []


class WritableStoreContract(ConcurrencyRules):
    """The rules for a writable store.

    Subclass it as `TestX`, declare what the store can do, and give it one fixture:

    * `capabilities`: as the store's backend declares them;
    * `open_store`: a function that opens the store again each time it is called, empty at first and with what was
      written from then on.

        class TestSqlite(WritableStoreContract):
            capabilities = SqliteBackend.capabilities

            @pytest.fixture
            def open_store(self, tmp_path):
                options = Options.of(SqliteBackend.settings, path=str(tmp_path / "keys.db"))
                return lambda: SqliteBackend().open(options)

    A store that keeps its records in files of its own subclasses `OnDiskStoreContract` instead.
    """

    @pytest.fixture
    def held(self, open_store: OpenWritableStore) -> Held:
        """Six names that are easy to mistake for one another."""
        payloads = {name: self.payload(name.encode() * 4) for name in ("b", "a", "a/1", "a.b", "a/b", "ab-c_d")}
        for name, payload in payloads.items():
            create(open_store, RecordInfo(name=name, version=1), payload)
        return payloads

    def test_store_20_what_was_created_is_there_after_reopening(self, open_store: OpenWritableStore) -> None:
        """STORE-20: `create` returns the info with a revision, and the store, reopened, contains just that.

        Why: A key that was used and is gone after the next start is lost, with everything that it signed.

        Do: Commit before you return. Do not leave it to the closing of the store: the process may be killed.
        """
        info = self.described(
            RecordInfo(name="a", version=1, key_type="t", format="f", kid="k", public=b"\0p", labels={"l": "v"})
        )

        stored = create(open_store, info, self.payload(b"payload"))

        assert stored.revision
        assert unrevised(stored) == info
        check_only(open_store, Record(stored, self.payload(b"payload")))

    def test_store_21_a_taken_version_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-21: `create` of a version that is there raises KeyExistsError and changes nothing.

        Why: Overwriting a key loses it permanently; and rotation relies on an error for the second of two writers.

        Do: Create only what is absent, by one atomic step of the storage (a unique row, a link, a rename that refuses);
        looking first and writing then is two steps.
        """
        first = self.make(open_store, b"first", kid="first")

        with pytest.raises(KeyExistsError) as caught:
            self.make(open_store, b"second", kid="second")

        assert "a@1" in str(caught.value)
        check_only(open_store, Record(first, self.payload(b"first")))

    @SHORT_LAW
    @given(drawn=st.lists(names(), min_size=1, max_size=6, unique=True))
    def test_store_22_any_name_can_be_stored(self, open_store: OpenWritableStore, drawn: list[str]) -> None:
        """STORE-22: Any set of names of the grammar can be stored side by side, and comes back in order.

        Why: Users choose names; a name that only this store refuses or confuses fails in the middle of a migration.

        Do: Map names to the storage without loss and without a collision: `a` and `a/1` can both exist, and a name has
        up to 200 bytes.
        """
        clear(open_store)

        for name in drawn:
            self.make(open_store, name.encode(), name=name)

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

        stored = create(open_store, info)

        assert unrevised(stored) == info
        check_only(open_store, Record(stored, None))

    def test_store_24_versions_ascend_as_numbers(self, open_store: OpenWritableStore) -> None:
        """STORE-24: `versions` ascends by number, 10 after 9, independent of the order of creation.

        Why: The highest version is the newest; sorted as text, the tenth rotation would return to the ninth key.

        Do: Sort by the number, up to 999,999,999.
        """
        numbers = [10, 2, 1, 999_999_999, 9, 11]

        for version in numbers:
            self.make(open_store, b"%d" % version, version=version)

        with open_store() as store:
            assert [info.version for info in store.versions("a")] == sorted(numbers)
            assert all(store.get("a", number).payload == self.payload(b"%d" % number) for number in numbers)
            assert list(store.names()) == ["a"]

    def test_store_25_metadata_are_updated_and_the_payload_stays(self, open_store: OpenWritableStore) -> None:
        """STORE-25: `update_info` replaces the metadata, keeps the payload and gives a new revision.

        Why: Labels and states change while the key stays, and other readers must notice.

        Do: Replace all members of the info (what is left out is gone), leave the payload alone, make a new revision.
        """
        self.needs("metadata")
        old = self.make(open_store, labels={"x": "1"})

        new = update_info(open_store, replace(old, labels={"y": "2"}))

        assert new.revision not in ("", old.revision)
        assert new.labels == {"y": "2"}
        assert read(open_store) == Record(new, self.payload(b"p"))

    def test_store_26_an_update_from_another_revision_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-26: `update_info` with a revision that is not the record's raises ConflictError and changes nothing.

        Why: A process that read the record before it was marked as compromised would enable it again.

        Do: Compare `expected` with the stored revision in the transaction, or under the lock, that writes.
        """
        self.needs("metadata")
        old = self.make(open_store)
        new = update_info(open_store, replace(old, reason="r"))

        for stale in (old.revision, OTHER_REVISION, Revision("")):
            with pytest.raises(ConflictError) as caught:
                update_info(open_store, replace(old, reason="lost"), stale)

            assert "a@1" in str(caught.value)
        assert read(open_store) == Record(new, self.payload(b"p"))

    def test_store_27_a_revision_never_recurs_when_content_does(self, open_store: OpenWritableStore) -> None:
        """STORE-27: Metadata changed and changed back, or removed and made again, have a revision of their own.

        Why: With a revision that comes twice, an update that should conflict goes through.

        Do: Use a counter that never goes back, or random bytes; not a hash of the content, nor a count per record.
        """
        self.needs("metadata")
        seen = [self.make(open_store)]
        for reason in ("there", ""):
            info = replace(_BARE, reason=reason)
            seen.append(update_info(open_store, info, seen[-1].revision))
        remove(open_store, "a")
        seen.append(self.make(open_store))

        assert len({stored.revision for stored in seen}) == len(seen)

    def test_store_28_an_update_of_what_is_absent_is_not_found(self, open_store: OpenWritableStore) -> None:
        """STORE-28: An update of an absent name or version raises KeyNotFoundError and creates nothing.

        Why: A record that an update recreates after its removal has lost its other versions and its history.

        Do: Never insert in an update; raise KeyNotFoundError even if the revision does not match either.
        """
        held = self.make(open_store)

        for name, version in ((ABSENT, 1), ("a", 2)):
            with pytest.raises(KeyNotFoundError) as caught:
                update_info(open_store, RecordInfo(name=name, version=version), held.revision)
            assert name in str(caught.value)
            with pytest.raises(KeyNotFoundError):
                replace_payload(open_store, RecordInfo(name=name, version=version), Secret(b"p"), held.revision)
            with pytest.raises(KeyNotFoundError):
                destroy(open_store, RecordInfo(name=name, version=version), held.revision)
        check_only(open_store, Record(held, self.payload(b"p")))

    def test_store_29_a_destroyed_version_stays_as_a_tombstone(self, open_store: OpenWritableStore) -> None:
        """STORE-29: A version that `destroy` erased stays listed, and its number stays taken.

        Why: The tombstone records that a key existed and when it ended; if its number is reused, another key appears
        to be the old one.

        Do: Keep the record with payload None, and let its metadata count as a version everywhere.
        """
        self.needs("metadata")
        old = self.make(open_store, kid="k")

        new = destroy(open_store, old)

        check_only(open_store, Record(new, None))
        with pytest.raises(KeyExistsError):
            self.make(open_store)

    def test_store_30_remove_takes_the_whole_name_and_no_other(self, open_store: OpenWritableStore, held: Held) -> None:
        """STORE-30: `remove` removes every version of a name, and no similar names.

        Why: A migration removes name by name; anything else that is removed is lost.

        Do: Match the whole name: `a` is neither `a/b` nor `a.b`.
        """
        self.make(open_store, version=2)

        remove(open_store, "a")

        with open_store() as store:
            assert list(store.versions("a")) == []
            rest = {name: store.get(name, 1).payload for name in store.names()}
        assert rest == {name: payload for name, payload in held.items() if name != "a"}
        with pytest.raises(KeyNotFoundError):
            read(open_store)

    def test_store_31_remove_from_another_state_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-31: `remove` with other revisions, more, fewer or in another order raises ConflictError.

        Why: A version that was created after the copy would be removed without having been copied.

        Do: Compare the list of all revisions, ascending by version, where you remove; then remove all or nothing.
        """
        infos = [self.make(open_store, version=version) for version in (1, 2)]
        one, two = (info.revision for info in infos)

        for expected in ([], [one], [two], [two, one], [one, two, two], [one, OTHER_REVISION]):
            with open_store() as store, pytest.raises(ConflictError):
                store.remove("a", expected)

        with open_store() as store:
            assert list(store.versions("a")) == infos
            assert store.get("a", 1).payload == self.payload(b"p")

    def test_store_32_remove_of_what_is_absent_is_not_found(self, open_store: OpenWritableStore) -> None:
        """STORE-32: `remove` of a name that is not there raises KeyNotFoundError, whatever was expected.

        Why: A migration must notice that a name was removed meanwhile, even if it expected no versions.

        Do: Look for the name before comparing revisions.
        """
        for expected in ([], [OTHER_REVISION]):
            with open_store() as store, pytest.raises(KeyNotFoundError):
                store.remove(ABSENT, expected)

    def test_store_33_a_removed_name_can_be_made_again(self, open_store: OpenWritableStore) -> None:
        """STORE-33: After `remove`, version 1 can be created with other content.

        Why: A migration may be reversed, and then recreates the name.

        Do: Keep nothing of a removed name that still counts as a version.
        """
        self.make(open_store, b"old", name="a/b", kid="old")
        clear(open_store)

        stored = self.make(open_store, b"new", name="a/b", kid="new")

        assert read(open_store, "a/b") == Record(stored, self.payload(b"new"))

    def test_store_36_a_revision_that_came_along_is_not_kept(self, open_store: OpenWritableStore) -> None:
        """STORE-36: `create` gives a revision of its own to an info that has one, as it comes from another store.

        Why: Two stores that share revisions would accept each other's updates.

        Do: Ignore `info.revision` in `create` and `update_info`; only `expected` is compared.
        """
        stored = create(open_store, replace(_BARE, revision=OTHER_REVISION))

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
            store.create(Record(replace(_BARE, labels=given_labels), None))
            given_labels["added"] = "later"
            for info in (store.get("a", 1).info, store.versions("a")[0]):
                if isinstance(info.labels, dict):
                    info.labels["added"] = "by a reader"

            assert store.get("a", 1).info.labels == kept

    def test_store_38_names_may_be_removed_while_they_are_listed(
        self, open_store: OpenWritableStore, held: Held
    ) -> None:
        """STORE-38: A loop over `names` that removes each name sees every name once.

        Why: This is how a store is emptied; if names are skipped, keys remain that are believed to be removed.

        Do: Go on from the last name that was given out, not from a position or an open cursor.
        """
        seen = []
        with open_store() as store:
            for name in store.names():
                store.remove(name, revisions(store, name))
                seen.append(name)

        assert seen == sorted(held)
        assert listed(open_store) == []

    def test_store_39_hard_names_stand_side_by_side(self, open_store: OpenWritableStore) -> None:
        """STORE-39: Names of 200 bytes or 100 segments, and names like those of a store's own files, share a store.

        Why: The longest name and a name such as `lock` are usually not tested.

        Do: Keep names separate from the store's own files, from version numbers and from each other; leave room for 200
        bytes and anything that you add to them.
        """
        for version in (1, 2):
            for name in _HARD_NAMES:
                self.make(open_store, f"{name} {version}".encode(), name=name, version=version)

        with open_store() as store:
            assert list(store.names()) == sorted(_HARD_NAMES)
            for name in sorted(_HARD_NAMES):
                assert [info.version for info in store.versions(name)] == [1, 2]
                assert store.get(name, 2).payload == self.payload(f"{name} 2".encode())
                store.remove(name, revisions(store, name))
            assert list(store.names()) == []

    def test_store_40_names_that_stay_are_paged_once(self, open_store: OpenWritableStore, held: Held) -> None:
        """STORE-40: Pages show each name that stays exactly once, even if others are added or removed between them.

        Why: If a listing skips a name while others rotate, a check of due keys skips it, too.

        Do: Begin a page at the first name after `after`; never count how many were returned before.
        """
        found: list[str] = []
        for number in range(len(held) + 1):
            with open_store() as store:
                found += store.names(after=found[-1] if found else "", limit=1)
                store.create(Record(RecordInfo(name=f"0/{number}", version=1), None))
                if number:
                    store.remove(f"0/{number - 1}", revisions(store, f"0/{number - 1}"))

        assert found == sorted(held)

    def test_store_41_what_cannot_be_kept_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-41: A store that keeps no metadata refuses a record with any, and writes nothing of it.

        Why: A key whose expiry or state was dropped silently is valid forever.

        Do: With metadata=False, raise UnsupportedOperationError in `create` and `update_info` for every info with more
        than name and version.
        """
        self.declines("metadata")
        held, payload = self.make(open_store), self.payload(b"p")

        for member, value in _METADATA.items():
            info = replace(_BARE, **{member: value})
            with pytest.raises(UnsupportedOperationError):
                create(open_store, replace(info, name="b"), payload)
            with pytest.raises(UnsupportedOperationError):
                update_info(open_store, info, held.revision)

        check_only(open_store, Record(held, payload))

    def test_store_42_reserved_names_are_stored_like_others(self, open_store: OpenWritableStore) -> None:
        """STORE-42: A record whose name begins with `keywright.` is stored, listed and removed like any other.

        Why: keywright keeps records of its own under such names; the ring hides them from users.

        Do: Give no name a meaning of your own. `check_name(name, reserved=True)` accepts these too.
        """
        stored = self.make(open_store, name="keywright.store")

        check_only(open_store, Record(stored, self.payload(b"p")))
        remove(open_store, "keywright.store")
        assert listed(open_store) == []

    # Batches

    def _batches(self, open_store: OpenWritableStore) -> AbstractContextManager[BatchStore]:
        with open_store() as store:
            if not hasattr(store, "create_many"):
                pytest.skip("the store has no `create_many`")
        return cast("AbstractContextManager[BatchStore]", open_store())

    def test_store_85_a_batch_gives_a_result_for_each_record(self, open_store: OpenWritableStore) -> None:
        """STORE-85: `create_many` creates what is absent, and returns a result for each record in the given order.

        Why: A migration reports each key; one that is reported as another's result is removed from the source unread.

        Do: Keep the order of the records. Report a version that exists as `exists`, with the KeyExistsError that
        `create` would raise, and a record that is refused as `failed`; both leave the rest alone.
        """
        records = [Record(RecordInfo(name=f"b/{n}", version=1), self.payload(b"%d" % n)) for n in range(5)]
        bad = Record(RecordInfo(name="c", version=1, state=State.DESTROYED), Secret(b"p"))
        held = self.make(open_store, b"held", name="b/2")

        with self._batches(open_store) as store:
            results = store.create_many([*records[:4], bad, records[4]])
            assert list(store.create_many([])) == []

        outcomes = [result.outcome for result in results]
        assert outcomes == ["created", "created", "exists", "created", "failed", "created"]
        assert isinstance(results[2].error, KeyExistsError)
        assert isinstance(results[4].error, UnsupportedOperationError)
        with open_store() as store:
            assert list(store.names()) == [f"b/{n}" for n in range(5)]
            for number, result in ((0, results[0]), (1, results[1]), (3, results[3]), (4, results[5])):
                assert result.error is None
                assert store.get(f"b/{number}", 1) == Record(result.info or held, self.payload(b"%d" % number))
            assert store.get("b/2", 1) == Record(held, self.payload(b"held"))

    def test_store_86_a_batch_that_is_killed_leaves_a_prefix(self, open_store: OpenWritableStore) -> None:
        """STORE-86: After a kill during `create_many`, the first records of it are there, whole, and no later one.

        Why: Versions of one name are created in order; a later one without those before it would be the only one.

        Do: Write in the given order, or all in one transaction.
        """
        self.needs("persistent")
        names = [f"b/{number:03}" for number in range(_BATCH)]
        with self._batches(open_store):
            pass

        def work(seconds: float) -> None:
            with self._batches(open_store) as store:
                records = [self.written(name, 1, name) for name in names]
                signal.setitimer(signal.ITIMER_REAL, seconds)  # its signal ends the process
                store.create_many(records)
                os.kill(os.getpid(), signal.SIGKILL)

        for milliseconds in (1, 3, 9):
            run_until_killed(partial(work, milliseconds / 1000))

            found = listed(open_store)
            assert found == names[: len(found)]
            for name in found:
                self.check_written(read(open_store, name), name)
            clear(open_store)

    # What follows is about payloads, which a store does not take whose keys stay inside.

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"\0", id="NUL"),
            pytest.param(bytes(range(256)), id="every byte"),
            pytest.param(b"line\r\nline\n", id="line ends"),
            pytest.param(bytes(range(256)) * 256, id="64 KiB"),
        ],
    )
    def test_store_50_payloads_come_back_byte_for_byte(self, open_store: OpenWritableStore, data: bytes) -> None:
        """STORE-50: A payload of any bytes, none to 64 KiB, comes back exactly.

        Why: Formats and seals write any bytes; a store that strips a line end breaks keys.

        Do: Treat the payload as bytes throughout: binary files, BLOB columns, base64 where only text will do.
        """
        self.declines("keys_stay_inside")
        create(open_store, _BARE, Secret(data))

        assert read(open_store).payload == Secret(data)

    def test_store_51_no_payload_is_not_an_empty_one(self, open_store: OpenWritableStore) -> None:
        """STORE-51: A record without payload comes back without one, a record with an empty payload with an empty one.

        Why: None means that the key was destroyed or never imported; an empty payload is a damaged key.

        Do: Store whether a payload exists separately from its bytes.
        """
        self.declines("keys_stay_inside")
        create(open_store, _BARE, None)
        create(open_store, replace(_BARE, version=2), Secret(b""))

        assert read(open_store).payload is None
        assert read(open_store, version=2).payload == Secret(b"")

    @SHORT_LAW
    @given(record=records())
    def test_store_52_records_come_back_whole(self, open_store: OpenWritableStore, record: Record) -> None:
        """STORE-52: Any record comes back as it went in, revision aside.

        Why: A migration compares what it wrote with what it read, and removes the source when they agree.

        Do: See which member differs; STORE-23 and STORE-50 look at each half alone.
        """
        self.declines("keys_stay_inside")
        clear(open_store)
        info = self.described(record.info)

        stored = create(open_store, info, record.payload)

        assert read(open_store, info.name, info.version) == Record(stored, record.payload)
        assert unrevised(stored) == info

    def test_store_53_a_payload_is_replaced_and_the_metadata_stay(self, open_store: OpenWritableStore) -> None:
        """STORE-53: `replace_payload`, as `rewrap` does it, keeps the metadata and changes the revision.

        Why: When a master key is replaced, every payload is rewritten, while labels and states stay.

        Do: Write the new payload beside the old one, then replace it in one step, with a new revision.
        """
        self.declines("keys_stay_inside")
        old = self.make(open_store, b"old", labels={"x": "1"})

        new = replace_payload(open_store, old, Secret(b"new and longer"))

        assert new.revision != old.revision
        assert replace(new, revision=old.revision) == old
        assert read(open_store) == Record(new, Secret(b"new and longer"))

    def test_store_54_what_has_no_payload_gets_none(self, open_store: OpenWritableStore) -> None:
        """STORE-54: `replace_payload` of a version without a payload is refused, and `destroy` to another state.

        Why: A public-only version that gets a secret half, or a tombstone that gets its key back, is another key.

        Do: Raise UnsupportedOperationError and write nothing: in `replace_payload` if there is nothing to replace, in
        `destroy` unless the new state is `destroyed`.
        """
        self.declines("keys_stay_inside")
        bare = create(open_store, _BARE)
        with pytest.raises(UnsupportedOperationError):
            replace_payload(open_store, bare, Secret(b"new"))
        check_only(open_store, Record(bare, None))
        remove(open_store, "a")

        old = self.make(open_store, b"old")
        with open_store() as store, pytest.raises(UnsupportedOperationError):
            store.destroy(old, old.revision)
        check_only(open_store, Record(old, Secret(b"old")))

        if self.capabilities.metadata:
            tomb = destroy(open_store, old)
            with pytest.raises(UnsupportedOperationError):
                replace_payload(open_store, tomb, Secret(b"new"))
            check_only(open_store, Record(tomb, None))

    def test_store_55_no_error_shows_a_payload(self, open_store: OpenWritableStore) -> None:
        """STORE-55: No refusal shows the given payload or the stored one, locals included.

        Why: Error reports are sent to other people, with the locals of every frame.

        Do: Call `reveal()` inside an expression alone, cut causes with `from None`, and never put a value of the
        record's into a message.
        """
        self.declines("keys_stay_inside")
        old = create(open_store, _BARE, _CANARY)

        with open_store() as store:
            with pytest.raises(KeyExistsError) as exists:
                store.create(Record(old, _CANARY))
            with pytest.raises(ConflictError) as conflict:
                store.replace_payload(old.name, old.version, _CANARY, Revision("another"))
            with pytest.raises(UnsupportedOperationError) as refused:
                store.update_info(replace(old, state=State.DESTROYED), old.revision)

        for caught in (exists, conflict, refused):
            assert_hidden(_CANARY, traceback_with_locals(caught.value))

    def test_store_56_any_history_gives_what_the_model_says(self, open_store: OpenWritableStore) -> None:
        """STORE-56: After each step of any history of writes, accepted and refused, the store agrees with the model.

        Why: Bugs depend on the order of steps: a destruction after a replacement, a name created again after a removal.

        Do: Run the steps that the test prints by hand; it prints the shortest history that it found.
        """
        self.declines("keys_stay_inside")
        check_histories(open_store, metadata=self.capabilities.metadata)

    def test_store_57_a_sound_store_has_no_findings(self, open_store: OpenWritableStore) -> None:
        """STORE-57: If the store has `check`, it yields nothing for a valid store: new, in use, reopened, emptied.

        Why: After false alarms, users ignore `doctor`.

        Do: Report problems, not what is unusual; files of a write in progress are not a problem.
        """
        self.declines("keys_stay_inside")

        def check() -> list[Problem]:
            with open_store() as store:
                return problems(store)

        assert check() == []
        infos = [create(open_store, RecordInfo(name=name, version=1), _CANARY) for name in ("a", "a/b", "c")]

        with open_store() as store:
            if self.capabilities.metadata:
                store.destroy(replace(infos[0], state=State.DESTROYED), infos[0].revision)
            store.replace_payload("a/b", 1, Secret(b"other"), infos[1].revision)
            store.remove("c", [infos[2].revision])
            store.create(Record(RecordInfo(name="d", version=1), None))
            assert problems(store) == []

        assert check() == []
        clear(open_store)
        assert check() == []

    def test_store_58_a_payload_is_not_replaced_from_another_revision(self, open_store: OpenWritableStore) -> None:
        """STORE-58: `replace_payload` with a revision that is not the record's raises ConflictError.

        Why: A process that rewraps a key that it read before a change of the master key would restore the old seal.

        Do: Compare `expected` whatever is updated, before anything is written.
        """
        self.declines("keys_stay_inside")
        old = self.make(open_store, b"old")
        new = replace_payload(open_store, old, Secret(b"new"))

        for stale in (old.revision, OTHER_REVISION, Revision("")):
            with pytest.raises(ConflictError):
                replace_payload(open_store, new, Secret(b"lost"), stale)

        check_only(open_store, Record(new, Secret(b"new")))

    def test_store_59_a_destroyed_version_has_no_payload(self, open_store: OpenWritableStore) -> None:
        """STORE-59: `create` of a destroyed record with a payload is refused, and `update_info` to `destroyed` of one.

        Why: A tombstone with a payload states that the key is gone, and still contains it.

        Do: Raise UnsupportedOperationError and write nothing. Without a payload, create the tombstone: a migration
        copies it.
        """
        self.declines("keys_stay_inside")
        self.needs("metadata")
        tomb = replace(_BARE, state=State.DESTROYED)
        held = create(open_store, RecordInfo(name="b", version=1), _CANARY)

        with pytest.raises(UnsupportedOperationError):
            create(open_store, tomb, _CANARY)
        with pytest.raises(UnsupportedOperationError):
            update_info(open_store, replace(held, state=State.DESTROYED))

        check_only(open_store, Record(held, _CANARY))
        stored = create(open_store, tomb)
        assert read(open_store) == Record(stored, None)
