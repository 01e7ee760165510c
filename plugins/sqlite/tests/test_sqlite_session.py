"""What an error or an interrupt leaves of a session, the error or the next call puts right."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from keywright import Record, WritableStore
from keywright.errors import KeyExistsError
from keywright_sqlite.session import Session
from keywright_sqlite.store import SqliteStore

Make = Callable[..., Record]


@pytest.fixture
def session(store: WritableStore, make: Make) -> Session:
    """The session of `store`, which holds `a`."""
    store.create(make("a"))
    assert isinstance(store, SqliteStore)
    return store._session


@pytest.mark.usefixtures("session")
def test_a_refused_write_locks_nobody_out(path: str, store: WritableStore, make: Make) -> None:
    """Its transaction is undone at once, not when the store is next used."""
    with pytest.raises(KeyExistsError):
        store.create(make("a"))

    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_a_transaction_that_was_left_open(session: Session, store: WritableStore, make: Make) -> None:
    """It is undone, and the call goes on."""
    left = session._connection
    assert left is not None
    left.execute("BEGIN IMMEDIATE")
    left.execute("DELETE FROM record")

    store.create(make("b"))

    assert list(store.names()) == ["a", "b"]


def test_a_connection_that_was_not_to_stay(session: Session) -> None:
    """One that takes no locks, or keeps all others out, is not used a second time."""
    left, session._lasting = session._connection, False

    assert session.read(lambda connection: connection is left) is False


def test_a_thread_that_waits_no_more(session: Session, store: WritableStore) -> None:
    """What it left is forgotten, so that not every call lets it go first."""
    session._waiting.add(-1)

    store.get("a", 1)

    assert not session._waiting
