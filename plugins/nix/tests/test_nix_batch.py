"""A batch of rewritten narinfos: how many there are before they are brought to the medium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest

from keywright.errors import DurabilityUnknownError
from keywright_nix.rewrite import Batch, Outcome, Replacement

APPENDED = Outcome("changed")


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
    """An empty one."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield Batch(str(tmp_path), descriptor)
    os.close(descriptor)


def waiting(tmp_path: Path, number: int) -> Outcome:
    """One that is `gone` when it is to be put in place."""
    return Outcome("changed", replacement=Replacement(str(tmp_path / "x"), f"{tmp_path}/{number}", (0, 0, 0)))


@pytest.mark.parametrize("count", [0, 1, 1023, 1024])
def test_it_is_full_at_1024(batch: Batch, tmp_path: Path, count: int) -> None:
    """Those that were appended to and those that wait count alike; once all are done it is empty again."""
    outcomes = [*(waiting(tmp_path, number) for number in range(count)), *[APPENDED] * (1024 - count)]
    full = []

    for outcome in outcomes:
        full.append(batch.is_full)
        batch.add("x", outcome)
    full.append(batch.is_full)
    finished = [outcome.kind for _, outcome in batch.finish()]

    assert full == [False] * 1024 + [True]
    assert finished == ["gone"] * count
    assert not batch.is_full


def test_the_next_is_gathered_while_one_is_synced(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is put in place before its own batch is on the medium; nobody waits for that but the next one's end."""
    may_end, synced = Event(), []

    def sync(_descriptor: int) -> None:
        assert may_end.wait(20)
        synced.append("synced")

    monkeypatch.setattr("keywright_nix.rewrite._sync_file_system", sync)
    batch.add("first", waiting(tmp_path, 1))

    begun = list(batch.advance())
    batch.add("second", waiting(tmp_path, 2))
    before = list(synced)
    may_end.set()
    then = [(name, outcome.kind, *synced) for name, outcome in batch.advance()]
    last = [name for name, _ in batch.finish()]

    assert (begun, before) == ([], [])
    assert then == [("first", "gone", "synced")]
    assert last == ["second"]
    assert synced == ["synced", "synced"]


@pytest.mark.parametrize("then", ["advance", "finish"])
def test_a_sync_that_fails_beside_is_told(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """It is seen when the next batch ends, and of the one that failed nothing is put in place."""

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("keywright_nix.rewrite._sync_file_system", fail)
    batch.add("first", waiting(tmp_path, 1))
    assert list(batch.advance()) == []
    told = []

    with pytest.raises(DurabilityUnknownError) as caught:
        told += list(getattr(batch, then)())

    assert told == []
    assert str(caught.value) == (
        f"{tmp_path}: the system does not confirm that the last signatures are on the medium (Input/output error); "
        "look to the disk, then run the same command again"
    )


def test_closing_waits_for_what_is_under_way(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards nobody uses the descriptor any more; twice, or with nothing under way, does no harm."""
    synced = []

    def sync(_descriptor: int) -> None:
        sleep(0.2)
        synced.append("synced")

    monkeypatch.setattr("keywright_nix.rewrite._sync_file_system", sync)
    batch.close()
    batch.add("first", waiting(tmp_path, 1))
    assert list(batch.advance()) == []

    batch.close()
    batch.close()

    assert synced == ["synced"]


def test_without_a_thread(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no more threads, the batch is brought to the medium before anything else is done."""
    synced: list[int] = []

    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("keywright_nix.rewrite._sync_file_system", synced.append)
    monkeypatch.setattr("threading.Thread.start", refuse)
    batch.add("first", waiting(tmp_path, 1))

    begun = list(batch.advance())

    assert (begun, len(synced)) == ([], 1)
    assert [name for name, _ in batch.finish()] == ["first"]
