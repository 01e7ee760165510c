"""What changes while the doctor looks is no fault; what is listed and not there is one."""

from __future__ import annotations

from typing import cast

import pytest

import keywright
from keywright import Record, WritableStore
from keywright.errors import KeyNotFoundError


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_key_that_is_taken_away_after_it_was_listed(monkeypatch: pytest.MonkeyPatch, is_made_anew: bool) -> None:
    """Also if another has its name by the time that the doctor looks again."""
    with keywright.open({"stores": {"main": {"backend": "memory"}}}) as ring:
        ring.generate("gone")
        store = cast("WritableStore", ring.open_store().store)
        revisions = [info.revision for info in store.versions("gone")]

        def get(name: str, version: int) -> Record:
            store.remove("gone", expected=revisions)
            if is_made_anew:
                ring.generate("gone")
            raise KeyNotFoundError(f"memory holds no {name}@{version}; make it")

        monkeypatch.setattr(store, "get", get)

        assert list(ring.examine()) == []


def test_a_key_that_is_listed_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store contradicts itself."""
    with keywright.open({"stores": {"main": {"backend": "memory"}}}) as ring:
        ring.generate("lost")
        store = ring.open_store().store

        def get(name: str, version: int) -> Record:
            raise KeyNotFoundError(f"memory holds no {name}@{version}; make it")

        monkeypatch.setattr(store, "get", get)

        assert [f"{one.subject}: {one.what}" for one in ring.examine()] == [
            "lost@1 in store 'main': memory holds no lost@1"
        ]
