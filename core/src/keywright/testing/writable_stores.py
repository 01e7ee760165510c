"""The contract of stores that take keys in."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import ConflictError, KeyExistsError, UnsupportedOperationError
from keywright.protocols import ExaminedStore, Store
from keywright.record import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, traceback_with_locals
from keywright.testing.record_stores import OpenWritableStore, RecordStoreContract, clear
from keywright.testing.store_model import check_against_model
from keywright.testing.strategies import records

__all__ = ["WritableStoreContract"]

_CANARY = Secret(b"a canary that must not sing")


def _findings(store: Store) -> list[str]:
    return list(cast("ExaminedStore", store).examine()) if hasattr(store, "examine") else []


class WritableStoreContract(RecordStoreContract):
    """What a writable store promises. Subclass it as `TestX` and give it one fixture:

    * `open_store`: a function that opens the store anew each time it is called, empty at first and with what was
      written from then on.

        class TestSqlite(WritableStoreContract):
            @pytest.fixture
            def open_store(self, tmp_path):
                options = Options({"path": str(tmp_path / "keys.db")})
                return lambda: SqliteBackend().open(options)
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
        """STORE-50: A payload of any bytes, none to 64 KiB, comes back exactly."""
        self.create(open_store, RecordInfo(name="a", version=1), Secret(data))

        with open_store() as store:
            assert store.get("a", 1).payload == Secret(data)

    def test_store_51_no_payload_is_not_an_empty_one(self, open_store: OpenWritableStore) -> None:
        """STORE-51: A record without payload comes back without, a record with an empty one with an empty one."""
        self.create(open_store, RecordInfo(name="a", version=1), None)
        self.create(open_store, RecordInfo(name="a", version=2), Secret(b""))

        with open_store() as store:
            assert store.get("a", 1).payload is None
            assert store.get("a", 2).payload == Secret(b"")

    @SHORT_LAW
    @given(record=records())
    def test_store_52_records_come_back_whole(self, open_store: OpenWritableStore, record: Record) -> None:
        """STORE-52: Any record comes back as it went in, revision aside."""
        clear(open_store)

        stored = self.create(open_store, record.info, record.payload)

        with open_store() as store:
            assert store.get(record.info.name, record.info.version) == Record(stored, record.payload)
        assert replace(stored, revision=Revision("")) == record.info

    def test_store_53_a_payload_is_replaced_and_the_metadata_stay(self, open_store: OpenWritableStore) -> None:
        """STORE-53: `update` of the payload alone, as sealing anew does, keeps the metadata and moves the revision."""
        old = self.create(open_store, RecordInfo(name="a", version=1, labels={"x": "1"}), Secret(b"old"))

        with open_store() as store:
            new = store.update(Record(old, Secret(b"new and longer")), expected=old.revision)

        assert new.revision != old.revision
        assert replace(new, revision=old.revision) == old
        with open_store() as store:
            assert store.get("a", 1) == Record(new, Secret(b"new and longer"))

    def test_store_54_metadata_and_payload_do_not_change_at_once(self, open_store: OpenWritableStore) -> None:
        """STORE-54: `update` of both at once raises UnsupportedOperationError and changes neither."""
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
        """STORE-55: No refusal shows the payload that was given or the one that is held, locals included."""
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

    @SHORT_LAW
    @given(data=st.data())
    def test_store_56_any_history_gives_what_the_model_says(
        self, open_store: OpenWritableStore, data: st.DataObject
    ) -> None:
        """STORE-56: After each step of any history of writes, good and refused, the store opened anew is the model."""
        clear(open_store)

        check_against_model(open_store, data)

    def test_store_57_a_sound_store_has_no_findings(self, open_store: OpenWritableStore) -> None:
        """STORE-57: If the store has `examine`, it finds nothing in a sound store: new, in use, reopened, emptied."""
        with open_store() as store:
            assert _findings(store) == []
        infos = [self.create(open_store, RecordInfo(name=name, version=1), _CANARY) for name in ("a", "a/b", "c")]

        with open_store() as store:
            store.update(Record(replace(infos[0], state=State.DESTROYED), None), expected=infos[0].revision)
            store.update(Record(infos[1], Secret(b"other")), expected=infos[1].revision)
            store.remove("c", expected=[infos[2].revision])
            store.create(Record(RecordInfo(name="d", version=1), None))
            assert _findings(store) == []

        with open_store() as store:
            assert _findings(store) == []
