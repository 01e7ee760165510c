"""The contract of stores that are not on this machine's disk, and what a test does to the network between."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Literal, Protocol

import pytest

from keywright import Record, RecordInfo, Secret, State, WritableStore
from keywright.errors import (
    AccessDeniedError,
    DurabilityError,
    KeyNotFoundError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)
from keywright.testing.leaks import assert_hidden, everything_in, refusal
from keywright.testing.stores.contract import OpenWritableStore, check_only, listed, revisions
from keywright.testing.stores.writable import WritableStoreContract

_PAYLOAD = Secret(b"a payload that no error may show")
_NEW = Secret(b"what replaces it, and is hidden too")
_UNKNOWN = (StoreUnavailableError, DurabilityError)
_WRITES = ("create", "update_info", "replace_payload", "destroy", "remove")


class Network(Protocol):
    """What happens between a store and its server. Each holds while its `with` block runs, for stores opened before."""

    def losing(self, what: Literal["request", "reply"]) -> AbstractContextManager[None]:
        """The connection breaks before the server gets the next request that writes, or before it replies to it."""
        ...

    def silent(self) -> AbstractContextManager[None]:
        """The server takes requests and answers none."""
        ...

    def down(self) -> AbstractContextManager[None]:
        """The server is not there, and all connections to it are closed. Afterwards it is there, with its records."""
        ...

    def denied(self) -> AbstractContextManager[OpenWritableStore]:
        """A function that opens the store as a user who may read it and may not write."""
        ...


class RemoteStoreContract(WritableStoreContract):
    """The rules for a writable store on another machine, such as a server that several machines use.

    Subclass it as `TestX`, declare what the store can do, and give it the fixture that `WritableStoreContract` needs.
    `open_store` connects again each time; all processes that open it get the same store.

    Those rules of `WritableStoreContract` that other machines rely on cannot be declined: what was
    written is there after reopening and after the writer was killed (STORE-69), one of many writers wins a version
    (STORE-60), rotations leave no hole (STORE-61), no update is lost (STORE-62), readers see whole records (STORE-63),
    and a process that forks keeps a working store on both sides (STORE-64, STORE-65). The capabilities `shared` and
    `persistent` are therefore required (STORE-14).

    Two more fixtures make it ask what happens when something goes wrong on the way; without them, these rules are
    skipped:

    * `network`: a `Network`, such as a small proxy in front of a real server that the test starts;
    * `dump`: a function that returns all bytes that the server has now.

        class TestServer(RemoteStoreContract):
            capabilities = ServerBackend.capabilities

            @pytest.fixture
            def open_store(self, server):
                options = Options.of(ServerBackend.settings, url=server.new_database())
                return lambda: ServerBackend().open(options)
    """

    proves: ClassVar[frozenset[str]] = frozenset({"shared", "persistent"})

    patience: ClassVar[float] = 15.0
    """The seconds after which a call must have given up on a server that does not answer."""

    secrets: ClassVar[tuple[Secret, ...]] = ()
    """What no error may show besides payloads: the password of `open_store`."""

    @pytest.fixture
    def network(self) -> Network:
        """Override this."""
        pytest.skip("the test class has no fixture `network`")

    @pytest.fixture
    def dump(self) -> Callable[[], bytes]:
        """Override this."""
        pytest.skip("the test class has no fixture `dump`")

    @pytest.mark.parametrize("write", _WRITES)
    def test_store_90_a_lost_request_is_no_success(
        self, open_store: OpenWritableStore, network: Network, write: str
    ) -> None:
        """STORE-90: A write whose request is lost raises StoreUnavailableError or DurabilityError and changes nothing.

        Why: A key that was reported as stored and is not there is lost, with everything that it signed.

        Do: Report a write as done only if the server answered it. Raise one of the two errors for everything that
        breaks on the way; a store that sends a request again must know that the first did not arrive.
        """
        with self._one(open_store) as (store, record):
            with network.losing("request"):
                outcome = self._outcome(store, write, record)
            if outcome is None:  # it was sent again, and then it is done
                self._check(open_store, write, record)
            else:
                self._hides(outcome)
                check_only(open_store, record) if write != "create" else self._check_absent(open_store)
                assert self._outcome(store, write, record) is None
                self._check(open_store, write, record)

    @pytest.mark.parametrize("write", _WRITES)
    def test_store_91_a_lost_reply_is_not_misread(
        self, open_store: OpenWritableStore, network: Network, write: str
    ) -> None:
        """STORE-91: A write whose reply is lost succeeds, or raises StoreUnavailableError or DurabilityError.

        Why: After KeyExistsError or ConflictError the caller believes in another writer, and takes the next version or
        gives up on a key that is its own.

        Do: Do not send a write again that may have happened. Either say that it is unknown, or read back and compare
        the revision that you gave.
        """
        with self._one(open_store) as (store, record):
            with network.losing("reply"):
                outcome = self._outcome(store, write, record)

            if outcome is not None:
                self._hides(outcome)
            self._check(open_store, write, record)

    def test_store_92_a_server_that_comes_back_is_used(self, open_store: OpenWritableStore, network: Network) -> None:
        """STORE-92: While the server is away every call raises StoreUnavailableError; afterwards an open store works.

        Why: A service that must be restarted after each restart of its server is down for longer than the server; and
        "there is no such key" would make it create another.

        Do: Take a connection that failed out of the pool, and connect again at the next call. One call may fail.
        """
        with self._one(open_store) as (store, record):
            with network.down():
                calls: list[Callable[[], object]] = [
                    lambda: store.get("a", 1),
                    lambda: store.versions("a"),
                    lambda: list(store.names()),
                    lambda: store.create(Record(RecordInfo(name="b", version=1), _NEW)),
                ]
                for call in calls:
                    self._hides(refusal(StoreUnavailableError, call))
            try:
                found = store.get("a", 1)
            except StoreUnavailableError:
                found = store.get("a", 1)

            assert found == record
            assert store.versions("b") in ((), [])

    def test_store_93_an_absent_server_is_unavailable(self, open_store: OpenWritableStore, network: Network) -> None:
        """STORE-93: Opening a store whose server is not there, or its first call, raises StoreUnavailableError.

        Why: Any other error would be taken for a wrong setting, a missing key or a bug, and the program would go on.

        Do: Translate what the client library raises, at the place where it is called.
        """
        with network.down():
            began = time.monotonic()
            self._hides(refusal(StoreUnavailableError, self._open_and_read, open_store))

            assert time.monotonic() - began < self.patience

    @pytest.mark.parametrize("write", ["get", "create"])
    def test_store_94_a_silent_server_is_given_up(
        self, open_store: OpenWritableStore, network: Network, write: str
    ) -> None:
        """STORE-94: A call that gets no answer raises StoreUnavailableError or DurabilityError within `patience`.

        Why: A program that waits without end is as good as down, and does not say why.

        Do: Set a timeout for connecting and for each reply, and raise when it passes.
        """
        with self._one(open_store) as (store, record):
            with network.silent():
                began = time.monotonic()
                outcome = self._outcome(store, "create" if write == "create" else "get", record)

            assert outcome is not None
            assert time.monotonic() - began < self.patience
            self._hides(outcome)

    @pytest.mark.parametrize("write", _WRITES)
    def test_store_95_who_may_not_write_is_denied(
        self, open_store: OpenWritableStore, network: Network, write: str
    ) -> None:
        """STORE-95: With credentials that may not write, writes raise AccessDeniedError or ReadOnlyStoreError.

        Why: As StoreUnavailableError it would be tried again without end; and a half of a write is a damaged record.

        Do: Translate the server's refusal, and leave the permission to the server.
        """
        with self._one(open_store) as (_, record):
            with network.denied() as open_denied, open_denied() as store:
                assert store.get("a", 1) == record
                outcome = self._outcome(store, write, record, (AccessDeniedError, ReadOnlyStoreError))

            assert outcome is not None
            self._hides(outcome)
            check_only(open_store, record)

    @pytest.mark.parametrize("write", ["replace_payload", "destroy", "remove"])
    def test_store_96_the_server_keeps_no_old_payload(
        self, open_store: OpenWritableStore, dump: Callable[[], bytes], write: str
    ) -> None:
        """STORE-96: After `replace_payload`, `destroy` and `remove`, the server has the old payload no more.

        Why: People destroy a key because its secret must be gone; and who reads a backup finds what is left.

        Do: Delete the payload in the same step as the record. If the server keeps versions or a log, say in the
        documentation what it keeps and for how long.
        """
        with self._one(open_store) as (store, record):
            assert _PAYLOAD.reveal() in dump()

            assert self._outcome(store, write, record) is None

        assert _PAYLOAD.reveal() not in dump()

    @contextmanager
    def _one(self, open_store: OpenWritableStore) -> Iterator[tuple[WritableStore, Record]]:
        """An open store that was used, and its only record."""
        with open_store() as store:
            info = store.create(Record(self.described(RecordInfo(name="a", version=1, kid="k")), _PAYLOAD))
            yield store, Record(info, _PAYLOAD)

    def _outcome(
        self, store: WritableStore, write: str, record: Record, errors: tuple[type[StoreError], ...] = _UNKNOWN
    ) -> StoreError | None:
        """Call a method of the store. Returns None if it returned, and one of these errors if it raised that."""
        info = record.info
        calls: dict[str, Callable[[], Any]] = {
            "get": lambda: store.get("a", 1),
            "create": lambda: store.create(Record(RecordInfo(name="b", version=1), _NEW)),
            "update_info": lambda: store.update_info(info.replace(state=State.DISABLED), info.revision),
            "replace_payload": lambda: store.replace_payload("a", 1, _NEW, info.revision),
            "destroy": lambda: store.destroy(info.replace(state=State.DESTROYED), info.revision),
            "remove": lambda: store.remove("a", [info.revision]),
        }
        try:
            calls[write]()
        except errors as error:
            return error
        return None

    def _check(self, open_store: OpenWritableStore, write: str, record: Record) -> None:
        """Assert that the write happened as a whole, once."""
        with open_store() as store:
            if write == "remove":
                assert revisions(store, "a") == []
                return
            now = store.get("b" if write == "create" else "a", 1)
        assert now.payload == {"update_info": _PAYLOAD, "destroy": None}.get(write, _NEW)
        assert write == "create" or now.info.revision != record.info.revision

    def _check_absent(self, open_store: OpenWritableStore) -> None:
        assert listed(open_store) == ["a"]

    def _open_and_read(self, open_store: OpenWritableStore) -> None:
        with open_store() as store:
            try:
                store.get("a", 1)
            except KeyNotFoundError as error:
                raise AssertionError("it says that there is no such key") from error

    def _hides(self, error: StoreError) -> None:
        shown = everything_in(error, local_variables=False)
        for secret in (_PAYLOAD, _NEW, *self.secrets):
            assert_hidden(secret, shown)
