"""The contract of stores that take keys in."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given

from keywright.errors import ConflictError, KeyExistsError, UnsupportedOperationError
from keywright.protocols import ExaminedStore, Store
from keywright.records import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, traceback_with_locals
from keywright.testing.stores.interrupted import InterruptedStoreContract
from keywright.testing.stores.model import check_histories
from keywright.testing.stores.records import OTHER_REVISION, OpenWritableStore, clear
from keywright.testing.strategies import records

__all__ = ["WritableStoreContract", "findings"]

_CANARY = Secret(b"a canary that must not sing")


def findings(store: Store) -> list[str]:
    """What `examine` finds; nothing if the store has none."""
    return list(cast("ExaminedStore", store).examine()) if hasattr(store, "examine") else []


class WritableStoreContract(InterruptedStoreContract):
    """What a writable store promises. Subclass it as `TestX`, say what the store can do, and give it one fixture:

    * `capabilities`: as the store's backend declares them;
    * `open_store`: a function that opens the store anew each time it is called, empty at first and with what was
      written from then on.

        class TestSqlite(WritableStoreContract):
            capabilities = SqliteBackend.capabilities

            @pytest.fixture
            def open_store(self, tmp_path):
                options = Options({"path": str(tmp_path / "keys.db")})
                return lambda: SqliteBackend().open(options)

    A store that keeps its records in files of its own subclasses `OnDiskStoreContract` instead.
    """

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

        Why: Formats and seals write what they like; a store that strips a line end breaks keys that it never looked at.

        Do: Treat the payload as bytes throughout: binary files, BLOB columns, base64 where only text will do.
        """
        self.create(open_store, RecordInfo(name="a", version=1), Secret(data))

        with open_store() as store:
            assert store.get("a", 1).payload == Secret(data)

    def test_store_51_no_payload_is_not_an_empty_one(self, open_store: OpenWritableStore) -> None:
        """STORE-51: A record without payload comes back without, a record with an empty one with an empty one.

        Why: None says that the key was destroyed or never came; an empty payload is a damaged key.

        Do: Store whether there is a payload, apart from its bytes.
        """
        self.create(open_store, RecordInfo(name="a", version=1), None)
        self.create(open_store, RecordInfo(name="a", version=2), Secret(b""))

        with open_store() as store:
            assert store.get("a", 1).payload is None
            assert store.get("a", 2).payload == Secret(b"")

    @SHORT_LAW
    @given(record=records())
    def test_store_52_records_come_back_whole(self, open_store: OpenWritableStore, record: Record) -> None:
        """STORE-52: Any record comes back as it went in, revision aside.

        Why: A migration compares what it wrote with what it read, and removes the source when they agree.

        Do: See which member differs; STORE-23 and STORE-50 look at each half alone.
        """
        clear(open_store)
        info = self.described(record.info)

        stored = self.create(open_store, info, record.payload)

        with open_store() as store:
            assert store.get(info.name, info.version) == Record(stored, record.payload)
        assert replace(stored, revision=Revision("")) == info

    def test_store_53_a_payload_is_replaced_and_the_metadata_stay(self, open_store: OpenWritableStore) -> None:
        """STORE-53: `update` of the payload alone, as sealing anew does, keeps the metadata and moves the revision.

        Why: When a master key is replaced, every payload is written anew, while labels and states live on.

        Do: Write the new payload beside the old, then let it take its place in one step, with a fresh revision.
        """
        old = self.create(
            open_store, self.described(RecordInfo(name="a", version=1, labels={"x": "1"})), Secret(b"old")
        )

        with open_store() as store:
            new = store.update(Record(old, Secret(b"new and longer")), expected=old.revision)

        assert new.revision != old.revision
        assert replace(new, revision=old.revision) == old
        with open_store() as store:
            assert store.get("a", 1) == Record(new, Secret(b"new and longer"))

    def test_store_54_metadata_and_payload_do_not_change_at_once(self, open_store: OpenWritableStore) -> None:
        """STORE-54: `update` of both at once raises UnsupportedOperationError and changes neither.

        Why: Many stores can put one thing in place in one step, and not two; half of such an update would be neither
        the old record nor the new.

        Do: Refuse it even if your store could. The one change of both is a destruction: state `destroyed`, payload
        None.
        """
        old = self.create(open_store, RecordInfo(name="a", version=1), Secret(b"old"))

        for record in (
            Record(replace(old, reason="r"), Secret(b"new")),
            Record(replace(old, reason="r"), None),
            Record(replace(old, state=State.DESTROYED), Secret(b"new")),
        ):
            with open_store() as store, pytest.raises(UnsupportedOperationError):
                store.update(record, expected=old.revision)

        with open_store() as store:
            assert store.get("a", 1) == Record(old, Secret(b"old"))

    def test_store_55_no_error_shows_a_payload(self, open_store: OpenWritableStore) -> None:
        """STORE-55: No refusal shows the payload that was given or the one that is held, locals included.

        Why: Error reports are sent to other people, with the locals of every frame.

        Do: Call `reveal()` inside an expression alone, cut causes with `from None`, and never put a value of the
        record's into a message.
        """
        old = self.create(open_store, RecordInfo(name="a", version=1), _CANARY)

        with open_store() as store:
            with pytest.raises(KeyExistsError) as exists:
                store.create(Record(old, _CANARY))
            with pytest.raises(ConflictError) as conflict:
                store.update(Record(old, _CANARY), expected=Revision("another"))
            with pytest.raises(UnsupportedOperationError) as both:
                store.update(Record(replace(old, reason="r"), Secret(b"new")), expected=old.revision)

        for caught in (exists, conflict, both):
            assert_hidden(_CANARY, traceback_with_locals(caught.value))

    def test_store_56_any_history_gives_what_the_model_says(self, open_store: OpenWritableStore) -> None:
        """STORE-56: After each step of any history of writes, good and refused, the store is as the model says.

        Why: Faults hide in the order of things: a destruction after a replacement, a name made again after a removal.

        Do: Run the steps that the test prints by hand; it prints the shortest history that it found.
        """
        check_histories(open_store, metadata=self.capabilities.metadata)

    def test_store_57_a_sound_store_has_no_findings(self, open_store: OpenWritableStore) -> None:
        """STORE-57: If the store has `examine`, it finds nothing in a sound store: new, in use, reopened, emptied.

        Why: A doctor that cries wolf is not asked again.

        Do: Report what is wrong, not what is unusual; files of a write that is under way are no fault.
        """
        with open_store() as store:
            assert findings(store) == []
        infos = [self.create(open_store, RecordInfo(name=name, version=1), _CANARY) for name in ("a", "a/b", "c")]

        with open_store() as store:
            if self.capabilities.metadata:
                store.update(Record(replace(infos[0], state=State.DESTROYED), None), expected=infos[0].revision)
            store.update(Record(infos[1], Secret(b"other")), expected=infos[1].revision)
            store.remove("c", expected=[infos[2].revision])
            store.create(Record(RecordInfo(name="d", version=1), None))
            assert findings(store) == []

        with open_store() as store:
            assert findings(store) == []
        clear(open_store)
        with open_store() as store:
            assert findings(store) == []

    def test_store_58_a_payload_is_not_replaced_from_another_revision(self, open_store: OpenWritableStore) -> None:
        """STORE-58: `update` of the payload with a revision that is not the record's raises ConflictError.

        Why: Who seals a key anew from what it read before a rotation of the master key would bring back the old seal.

        Do: Compare `expected` whatever is updated, before anything is written.
        """
        old = self.create(open_store, RecordInfo(name="a", version=1), Secret(b"old"))
        with open_store() as store:
            new = store.update(Record(old, Secret(b"new")), expected=old.revision)

        for stale in (old.revision, OTHER_REVISION, Revision("")):
            with open_store() as store, pytest.raises(ConflictError):
                store.update(Record(new, Secret(b"lost")), expected=stale)

        with open_store() as store:
            assert store.get("a", 1) == Record(new, Secret(b"new"))
            assert list(store.versions("a")) == [new]

    def test_store_59_a_destroyed_version_has_no_payload(self, open_store: OpenWritableStore) -> None:
        """STORE-59: A record that is `destroyed` and has a payload is refused, by `create` and by `update`.

        Why: A tombstone with a key in it says that the key is gone, and keeps it.

        Do: Raise UnsupportedOperationError and write nothing. Without a payload, create the tombstone: a migration
        brings it along.
        """
        self.needs("metadata")
        tomb = RecordInfo(name="a", version=1, state=State.DESTROYED)
        held = self.create(open_store, RecordInfo(name="b", version=1), _CANARY)

        with open_store() as store:
            with pytest.raises(UnsupportedOperationError):
                store.create(Record(tomb, _CANARY))
            with pytest.raises(UnsupportedOperationError):
                store.update(Record(replace(held, state=State.DESTROYED), _CANARY), expected=held.revision)

        with open_store() as store:
            assert list(store.names()) == ["b"]
            assert store.get("b", 1) == Record(held, _CANARY)
        stored = self.create(open_store, tomb)
        with open_store() as store:
            assert store.get("a", 1) == Record(stored, None)
