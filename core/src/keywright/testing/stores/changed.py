"""The contract of stores that take records, second part: records that change and go."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright.keys import Attributes
from keywright.records import Record, RecordInfo, Revision, State
from keywright.secret import Secret
from keywright.testing.stores.contract import ABSENT
from keywright.testing.stores.records import OTHER_REVISION, OpenWritableStore, RecordStoreContract, clear

__all__ = ["ChangedStoreContract"]

_TIME = datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC)
_BARE = RecordInfo(name="a", version=1)
_TOLD = (
    replace(_BARE, key_type="t"),
    replace(_BARE, format="f"),
    replace(_BARE, kid="k"),
    replace(_BARE, public=b"\0p"),
    replace(_BARE, attributes=Attributes({"alg": "EdDSA"})),
    replace(_BARE, state=State.DISABLED),
    replace(_BARE, state_since=_TIME),
    replace(_BARE, reason="r"),
    replace(_BARE, created=_TIME),
    replace(_BARE, activates=_TIME),
    replace(_BARE, expires=_TIME),
    replace(_BARE, overlap=timedelta(days=1)),
    replace(_BARE, labels={"l": "v"}),
)


class ChangedStoreContract(RecordStoreContract):
    """Part of `WritableStoreContract` and `SigningStoreContract`."""

    def test_store_25_metadata_are_updated_and_the_payload_stays(self, open_store: OpenWritableStore) -> None:
        """STORE-25: `update` with the right revision replaces the metadata, keeps the payload, gives a new revision.

        Why: Labels and states change while the key lives on, and who else has read it must notice.

        Do: Replace all members of the info (what is left out is gone), leave the payload alone, make a fresh revision.
        """
        self.needs("metadata")
        old = self.create(open_store, RecordInfo(name="a", version=1, labels={"x": "1"}), self.payload(b"p"))

        with open_store() as store:
            new = store.update(Record(replace(old, labels={"y": "2"}), self.payload(b"p")), expected=old.revision)

        assert new.revision not in ("", old.revision)
        assert new.labels == {"y": "2"}
        with open_store() as store:
            assert store.get("a", 1) == Record(new, self.payload(b"p"))

    def test_store_26_an_update_from_another_revision_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-26: `update` with a revision that is not the record's raises ConflictError and changes nothing.

        Why: Somebody who read the record before it was marked as compromised would enable it again.

        Do: Compare `expected` with the stored revision in the transaction, or under the lock, that writes.
        """
        self.needs("metadata")
        old = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))
        with open_store() as store:
            new = store.update(Record(replace(old, reason="r"), self.payload(b"p")), expected=old.revision)

        for stale in (old.revision, OTHER_REVISION, Revision("")):
            with open_store() as store, pytest.raises(ConflictError) as caught:
                store.update(Record(replace(old, reason="lost"), self.payload(b"p")), expected=stale)

            assert "a@1" in str(caught.value)
        with open_store() as store:
            assert store.get("a", 1) == Record(new, self.payload(b"p"))

    def test_store_27_a_revision_never_recurs_when_content_does(self, open_store: OpenWritableStore) -> None:
        """STORE-27: Metadata changed and changed back, or removed and made again, have a revision of their own.

        Why: With a revision that comes twice, an update that should conflict goes through.

        Do: Use a counter that never goes back, or random bytes; not a hash of the content, nor a count per record.
        """
        self.needs("metadata")
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
        """STORE-28: `update` of an absent name or version raises KeyNotFoundError and makes nothing.

        Why: A record that an update brings back after somebody removed it has lost its neighbours, and its history.

        Do: Never insert in `update`; say KeyNotFoundError even if the revision would not fit either.
        """
        held = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))

        for name, version in ((ABSENT, 1), ("a", 2)):
            with open_store() as store, pytest.raises(KeyNotFoundError) as caught:
                store.update(Record(RecordInfo(name=name, version=version), None), expected=held.revision)

            assert name in str(caught.value)
        with open_store() as store:
            assert list(store.names()) == ["a"]
            assert list(store.versions("a")) == [held]

    def test_store_29_a_destroyed_version_stays_as_a_tombstone(self, open_store: OpenWritableStore) -> None:
        """STORE-29: A version updated to `destroyed` without payload stays listed, and its number stays taken.

        Why: The tombstone says that there was a key and when it ended; its number used again would pass another key
        off as the old one.

        Do: Keep the record with payload None, and let its metadata count as a version everywhere.
        """
        self.needs("metadata")
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
        """STORE-30: `remove` takes every version of a name, and leaves names that only look like it.

        Why: A migration removes name by name; what it takes besides is lost.

        Do: Match the whole name: `a` is neither `a/b` nor `a.b`.
        """
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
        """STORE-31: `remove` with other revisions, more, fewer or in another order raises ConflictError.

        Why: A version that was made since the copy was taken would be removed uncopied.

        Do: Compare the list of all revisions, ascending by version, where you remove; then remove all or nothing.
        """
        infos = [self.create(open_store, RecordInfo(name="a", version=v), self.payload(b"p")) for v in (1, 2)]
        one, two = (info.revision for info in infos)

        for expected in ([], [one], [two], [two, one], [one, two, two], [one, OTHER_REVISION]):
            with open_store() as store, pytest.raises(ConflictError):
                store.remove("a", expected=expected)

        with open_store() as store:
            assert list(store.versions("a")) == infos
            assert store.get("a", 1).payload == self.payload(b"p")

    def test_store_32_remove_of_what_is_absent_is_not_found(self, open_store: OpenWritableStore) -> None:
        """STORE-32: `remove` of a name that is not there raises KeyNotFoundError, whatever was expected.

        Why: A migration that meets a name which went meanwhile must be told, even if it expected nothing.

        Do: Look for the name before comparing revisions.
        """
        for expected in ([], [OTHER_REVISION]):
            with open_store() as store, pytest.raises(KeyNotFoundError):
                store.remove(ABSENT, expected=expected)

    def test_store_33_a_removed_name_can_be_made_again(self, open_store: OpenWritableStore) -> None:
        """STORE-33: After `remove`, version 1 can be created with other content.

        Why: A migration may be turned round, and brings a name back to where it was.

        Do: Leave nothing of a removed name that still counts as a version.
        """
        self.create(open_store, self.described(RecordInfo(name="a/b", version=1, kid="old")), self.payload(b"old"))
        clear(open_store)

        stored = self.create(
            open_store, self.described(RecordInfo(name="a/b", version=1, kid="new")), self.payload(b"new")
        )

        with open_store() as store:
            assert store.get("a/b", 1) == Record(stored, self.payload(b"new"))

    def test_store_38_names_may_be_removed_while_they_are_listed(
        self, open_store: OpenWritableStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-38: A loop over `names` that removes each name sees every name once.

        Why: That is how a store is emptied; with names passed over, keys stay behind that were thought gone.

        Do: Go on from the last name that was given out, not from a position or an open cursor.
        """
        with open_store() as store:
            seen = []
            for name in store.names():
                store.remove(name, expected=[info.revision for info in store.versions(name)])
                seen.append(name)

        assert seen == sorted(held)
        with open_store() as store:
            assert list(store.names()) == []

    def test_store_40_names_that_stay_are_paged_once(
        self, open_store: OpenWritableStore, held: Mapping[str, Secret | None]
    ) -> None:
        """STORE-40: Pages show each name that stays exactly once, whatever comes and goes between them.

        Why: A listing that skips a name while others rotate makes a check of due keys pass over it.

        Do: Begin a page at the first name after `after`; never count how many were given out before.
        """
        found: list[str] = []
        for number in range(len(held) + 1):
            with open_store() as store:
                found += store.names(after=found[-1] if found else "", limit=1)
                store.create(Record(RecordInfo(name=f"0/{number}", version=1), None))
                if number:
                    store.remove(
                        f"0/{number - 1}",
                        expected=[info.revision for info in store.versions(f"0/{number - 1}")],
                    )

        assert found == sorted(held)

    def test_store_41_what_cannot_be_kept_is_refused(self, open_store: OpenWritableStore) -> None:
        """STORE-41: A store that keeps no metadata refuses a record with any, and writes nothing of it.

        Why: A key whose expiry or state was dropped in silence is valid for ever.

        Do: With metadata=False, raise UnsupportedOperationError in `create` and `update` for every info that says more
        than name and version.
        """
        self.declines("metadata")
        held = self.create(open_store, RecordInfo(name="a", version=1), self.payload(b"p"))

        with open_store() as store:
            for told in _TOLD:
                with pytest.raises(UnsupportedOperationError):
                    store.create(Record(replace(told, name="b"), self.payload(b"p")))
                with pytest.raises(UnsupportedOperationError):
                    store.update(Record(told, self.payload(b"p")), expected=held.revision)

        with open_store() as store:
            assert list(store.names()) == ["a"]
            assert store.get("a", 1) == Record(held, self.payload(b"p"))
