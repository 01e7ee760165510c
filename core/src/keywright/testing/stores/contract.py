"""The contract of every store, read-only ones included, and what the contracts of stores share."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar, Final, cast

import pytest

from keywright import Capabilities, Record, RecordInfo, Revision, ScannedStore, Secret, State, Store, WritableStore
from keywright.errors import KeyNotFoundError
from keywright.testing.leaks import assert_hidden
from keywright.testing.processes import run_in_threads
from keywright.testing.rules import Contract

OpenStore = Callable[[], AbstractContextManager[Store]]
"""Opens the store under test as another process would; leaving the context closes it."""

OpenWritableStore = Callable[[], AbstractContextManager[WritableStore]]
"""As `OpenStore`, for a writable store."""

Held = Mapping[str, Secret | None]
"""What a store holds: names, and the payloads of version 1."""

ABSENT: Final = "no-such/name"
OTHER_REVISION: Final = Revision("no revision of any store")


def unrevised(info: RecordInfo) -> RecordInfo:
    """`info` as it was before the store gave it a revision."""
    return replace(info, revision=Revision(""))


def revisions(store: Store, name: str) -> list[Revision]:
    """The revisions of all versions of a name."""
    return [info.revision for info in store.versions(name)]


# Each of these opens the store for one call alone.


def create(open_store: OpenWritableStore, info: RecordInfo, payload: Secret | None = None) -> RecordInfo:
    """Create a record."""
    with open_store() as store:
        return store.create(Record(info, payload))


def read(open_store: OpenStore, name: str = "a", version: int = 1) -> Record:
    """Get a record."""
    with open_store() as store:
        return store.get(name, version)


def update_info(open_store: OpenWritableStore, info: RecordInfo, expected: Revision | None = None) -> RecordInfo:
    """Replace the metadata, from the revision in `info` unless another one is expected."""
    with open_store() as store:
        return store.update_info(info, info.revision if expected is None else expected)


def replace_payload(
    open_store: OpenWritableStore, info: RecordInfo, payload: Secret, expected: Revision | None = None
) -> RecordInfo:
    """Replace the payload, from the revision in `info` unless another one is expected."""
    with open_store() as store:
        return store.replace_payload(info.name, info.version, payload, info.revision if expected is None else expected)


def destroy(open_store: OpenWritableStore, info: RecordInfo, expected: Revision | None = None) -> RecordInfo:
    """Leave a tombstone, from the revision in `info` unless another one is expected."""
    with open_store() as store:
        return store.destroy(replace(info, state=State.DESTROYED), info.revision if expected is None else expected)


def remove(open_store: OpenWritableStore, name: str) -> None:
    """Remove a name as it is now."""
    with open_store() as store:
        store.remove(name, revisions(store, name))


def check_only(open_store: OpenStore, record: Record) -> None:
    """Assert that the store holds this record and no other: by `get`, `versions` and `names`."""
    with open_store() as store:
        assert store.get(record.info.name, record.info.version) == record
        assert list(store.versions(record.info.name)) == [record.info]
        assert list(store.names()) == [record.info.name]


def listed(open_store: OpenStore) -> list[str]:
    """All names."""
    with open_store() as store:
        return list(store.names())


def clear(open_store: OpenWritableStore) -> None:
    """Remove every name, so that the next example finds an empty store."""
    with open_store() as store:
        for name in list(store.names()):
            store.remove(name, revisions(store, name))


class StoreContract(Contract):
    """The rules for every store.

    Subclass it as `TestX`, declare what the store can do, and give it two fixtures:

    * `capabilities`: as the store's backend declares them; rules for other capabilities are skipped;
    * `open_store`: a function that opens the store again each time it is called (see `OpenStore`);
    * `held`: the content of the store, names to payloads of version 1. At least three names, of which two have a common
      beginning, and none that starts with `no-such`.

        class TestEnv(StoreContract):
            capabilities = EnvBackend.capabilities

            @pytest.fixture
            def open_store(self, monkeypatch): ...

            @pytest.fixture
            def held(self): return {"a": Secret(b"1"), "a/b": Secret(b"2"), "c": Secret(b"3")}

    A writable store subclasses `WritableStoreContract` instead, one that signs `SigningStoreContract`, and one that
    keeps its records in files of its own `OnDiskStoreContract`.
    """

    capabilities: ClassVar[Capabilities]
    """What the store can do, as its backend declares it."""

    proves: ClassVar[frozenset[str]] = frozenset()
    """The capabilities that this contract has the rules for."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_store`")

    @pytest.fixture
    def held(self, open_store: OpenStore) -> Held:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `held`")

    def needs(self, capability: str) -> None:
        """Skip the rule if the store declines this capability."""
        if not getattr(self.capabilities, capability):
            pytest.skip(f"the store declares {capability}=False")

    def declines(self, capability: str) -> None:
        """Skip the rule if the store has this capability."""
        if getattr(self.capabilities, capability):
            pytest.skip(f"the store declares {capability}=True")

    def test_store_01_get_of_an_absent_name_is_not_found(self, open_store: OpenStore) -> None:
        """STORE-01: `get` of a name that is not there raises KeyNotFoundError, which says the name in one line.

        Why: "There is no such key" makes users check the store and the spelling; any other error makes them look for
        damage.

        Do: Raise KeyNotFoundError with the name in its message if the store answered that it has no such name. If it
        could not be reached, raise StoreUnavailableError.
        """
        with pytest.raises(KeyNotFoundError) as caught:
            read(open_store, ABSENT)

        assert ABSENT in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1

    def test_store_02_get_of_an_absent_version_is_not_found(self, open_store: OpenStore, held: Held) -> None:
        """STORE-02: `get` of a version that a name lacks raises KeyNotFoundError, which says the name.

        Why: Another version of the key in its place would sign with a key that was not requested.

        Do: Look for exactly this version, and fall back on no other.
        """
        for name in held:
            with pytest.raises(KeyNotFoundError) as caught:
                read(open_store, name, 2)

            assert name in str(caught.value)

    def test_store_03_an_absent_name_has_no_versions(self, open_store: OpenStore) -> None:
        """STORE-03: `versions` of a name that is not there is empty, and no error.

        Why: Before the first key is created, the ring asks for the existing versions; an error would stop it.

        Do: Return an empty sequence if the store answered that it has no such name.
        """
        with open_store() as store:
            assert list(store.versions(ABSENT)) == []

    def test_store_04_get_gives_the_payload_exactly(self, open_store: OpenStore, held: Held) -> None:
        """STORE-04: `get` gives each record by its name and version, payload byte for byte and as a Secret.

        Why: A key with one byte more or less is not a key, and bytes outside a Secret end up in logs.

        Do: Return the stored bytes, without stripping or decoding, wrapped in a Secret as soon as they are read.
        """
        for name, payload in held.items():
            record = read(open_store, name)

            assert (record.info.name, record.info.version) == (name, 1)
            assert record.payload == payload

    def test_store_05_versions_and_get_agree(self, open_store: OpenStore, held: Held) -> None:
        """STORE-05: `versions` gives the same metadata as `get`, revision included.

        Why: The ring decides by `versions` which key signs, and writes with the revision that it found there.

        Do: Build both from one function that reads the metadata.
        """
        for name in held:
            with open_store() as store:
                infos = list(store.versions(name))
                assert infos == [store.get(name, 1).info]

    def test_store_06_names_come_in_the_order_of_their_bytes(self, open_store: OpenStore, held: Held) -> None:
        """STORE-06: `names` gives every name once, in the order of their bytes.

        Why: Lists are paged and compared between stores by that order; a migration would miss what sorts elsewhere.

        Do: Sort by bytes. A database's collation, a directory's order and a depth-first walk (`a-b` sorts before
        `a/b`) are other orders.
        """
        assert listed(open_store) == sorted(held)

    def test_store_07_a_prefix_is_a_plain_string(self, open_store: OpenStore, held: Held) -> None:
        """STORE-07: `names(prefix)` gives the names that start with these characters, at a segment's end or not.

        Why: `list prod/` and `list pro` are both used, and a `%` that matches everything shows unrelated names.

        Do: Compare characters. Escape what is a pattern for the storage: `%`, `_`, `*`, `[`.
        """
        prefixes = {name[:end] for name in held for end in range(len(name) + 1)} | {ABSENT, "%", "_", "*", "["}
        with open_store() as store:
            for prefix in sorted(prefixes):
                assert list(store.names(prefix)) == [name for name in sorted(held) if name.startswith(prefix)]

    def test_store_08_after_is_exclusive_and_need_not_be_there(self, open_store: OpenStore, held: Held) -> None:
        """STORE-08: `names(after=…)` starts with the first name that sorts after that text.

        Why: `after` is the last name of the page before, which may have been removed since.

        Do: Take every name that is greater than the text, whether a name equals it or not.
        """
        with open_store() as store:
            for name in held:
                for after in (name, name + ".", name[:-1]):
                    assert list(store.names(after=after)) == [other for other in sorted(held) if other > after]

    def test_store_09_limit_is_the_most_that_comes(self, open_store: OpenStore, held: Held) -> None:
        """STORE-09: `names(limit=n)` gives the first n names: none for 0, all for more than there are.

        Why: With a page of another size, the reader skips names or never ends.

        Do: Count the names that are returned, after prefix and `after` were applied. 0 is a limit, None means no limit.
        """
        with open_store() as store:
            for limit in range(len(held) + 2):
                assert list(store.names(limit=limit)) == sorted(held)[:limit]

    def test_store_10_pages_join_to_the_whole(self, open_store: OpenStore, held: Held) -> None:
        """STORE-10: Pages by `after` and `limit`, the store reopened for each, give every name of a prefix once.

        Why: Pages are asked for by different processes, with nothing but the last name in common.

        Do: Keep no cursor between two calls; let prefix, `after` and `limit` work together.
        """
        for prefix in sorted({name[:1] for name in held} | {""}):
            wanted = [name for name in sorted(held) if name.startswith(prefix)]
            for size in (1, 2):
                found: list[str] = []
                for _ in range(len(wanted) + 1):
                    with open_store() as store:
                        found += store.names(prefix, after=found[-1] if found else "", limit=size)

                assert found == wanted

    def test_store_83_a_scan_gives_the_versions_of_each_name(self, open_store: OpenStore, held: Held) -> None:
        """STORE-83: If the store has `scan`, it yields for each name of `names(prefix)` what `versions` returns.

        Why: `list` reads by it; a name or version that it leaves out is a key that is not listed.

        Do: Read names and metadata in one statement, ordered by name and version; apply the prefix as `names` does.
        """
        with open_store() as store:
            if not hasattr(store, "scan"):
                pytest.skip("the store has no `scan`")
            for prefix in sorted({name[:1] for name in held} | {"", ABSENT}):
                scanned = list(cast("ScannedStore", store).scan(prefix))

                assert scanned == [store.versions(name) for name in store.names(prefix)]

    def test_store_11_threads_may_read_at_once(self, open_store: OpenStore, held: Held) -> None:
        """STORE-11: Eight threads that read one opened store at once all see what it holds.

        Why: A service opens its store once and answers from many threads.

        Do: Keep no state of a call on the store object, or guard it with a lock.
        """

        def look(store: Store) -> list[dict[str, Secret | None]]:
            return [{name: store.get(name, 1).payload for name in store.names()} for _ in range(4)]

        with open_store() as store:
            seen = run_in_threads([lambda: look(store)] * 8)

        assert all(one == dict(held) for looks in seen for one in looks)

    def test_store_12_a_record_shows_no_payload(self, open_store: OpenStore, held: Held) -> None:
        """STORE-12: Neither the store nor its records show a payload in their repr.

        Why: Objects are printed by debuggers, test runners and error reports.

        Do: Keep payloads only as Secret, and give the store a repr that says where it is, not what is in it.
        """
        for name in held:
            with open_store() as store:
                record = store.get(name, 1)
                if record.payload is not None:
                    assert_hidden(record.payload, f"{store!r} {record!r}", public=record.info.public or b"")

    def test_store_13_only_a_writable_store_has_the_methods_that_write(self, open_store: OpenStore) -> None:
        """STORE-13: A read-only store has none of the methods that write; a writable one has all five.

        Why: A caller that writes to a read-only store should get the error before a key is generated, not after.

        Do: Omit `create`, `update_info`, `replace_payload`, `destroy` and `remove` if the backend declares
        writable=False, and have all of them if it declares True.
        """
        writing = ["create", "update_info", "replace_payload", "destroy", "remove"]
        with open_store() as store:
            found = [method for method in writing if hasattr(store, method)]

        assert found == (writing if self.capabilities.writable else [])

    def test_store_14_the_contract_is_that_of_the_capabilities(self) -> None:
        """STORE-14: The test class declares what the store can do, and is the contract for these capabilities.

        Why: A capability without the rules that prove it is an unchecked claim.

        Do: Set `capabilities` to what the backend declares. Subclass WritableStoreContract for writable=True,
        SigningStoreContract for keys_stay_inside=True, StoreContract for neither; OnDiskStoreContract needs
        persistent=True.
        """
        declared = getattr(self, "capabilities", None)
        assert isinstance(declared, Capabilities), "set `capabilities` to what the store's backend declares"

        can = {name for name, value in declared._asdict().items() if value}
        proven = frozenset[str]().union(*(getattr(kind, "proves", ()) for kind in type(self).__mro__))

        assert can & {"writable", "keys_stay_inside"} <= proven, "the store can do what this contract has no rules for"
        assert proven <= can, "the contract has rules for what the store cannot do"

    def test_store_15_what_keeps_no_metadata_invents_none(self, open_store: OpenStore, held: Held) -> None:
        """STORE-15: A store that keeps no metadata reports name and version of a record, and nothing else.

        Why: A guessed key type, format or time is treated as known, and decides which key signs.

        Do: With metadata=False, leave every other member of RecordInfo at its default; the ring finds out from the
        payload. If the store does know more, declare metadata=True.
        """
        self.declines("metadata")
        with open_store() as store:
            for name in held:
                for info in (*store.versions(name), store.get(name, 1).info):
                    assert unrevised(info) == RecordInfo(name=name, version=1)

    def test_store_16_only_a_signing_store_has_the_methods_that_sign(self, open_store: OpenStore) -> None:
        """STORE-16: A store that does not sign inside has no `generate` or `signer`; one that does has both.

        Why: The ring generates keys inside if it can; half an implementation would fail when a key is needed.

        Do: Omit both methods if the backend declares keys_stay_inside=False, and have both if it declares True.
        """
        with open_store() as store:
            found = [method for method in ("generate", "signer") if hasattr(store, method)]

        assert found == (["generate", "signer"] if self.capabilities.keys_stay_inside else [])
