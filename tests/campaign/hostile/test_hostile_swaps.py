"""An attacker swaps directories for links in a loop: nothing is read from the attacker's, and nothing written there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from hostile.surroundings import NOBODY, contents, needs_root, record
from kills.stores import OPENERS
from kills.worker import Open

from keywright.errors import StoreError

ATTACK_SECONDS = 0.8


@contextmanager
def swapping(directory: Path, other: Path, user: int) -> Iterator[None]:
    """Meanwhile, a process of `user` swaps a directory for a link to another, and back, as fast as it can."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.setresuid(user, user, user)
            signal.alarm(30)
            _swap(directory, other)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def _swap(directory: Path, other: Path) -> None:
    kept = directory.with_name(directory.name + ".kept")
    while True:
        with suppress(OSError):
            directory.rename(kept)
            directory.symlink_to(other)
            time.sleep(0.0002)
        with suppress(OSError):
            directory.unlink()
            kept.rename(directory)
            time.sleep(0.0002)


def attack(opened: Open, swapped: Path, other: Path, *, user: int) -> tuple[int, int]:
    """Read and write while the swapping goes on; returns how much of it worked, and how much was refused."""
    ours = record().payload
    before = sorted((str(path), path.lstat().st_size) for path in other.rglob("*"))
    bytes_before = contents(other)
    worked = refused = number = 0
    end = time.monotonic() + ATTACK_SECONDS
    with swapping(swapped, other, user):
        while time.monotonic() < end:
            number += 1
            calls: list[Callable[[Open], object]] = [read, partial(write, number=number)]
            for call in calls:
                try:
                    answer = call(opened)
                except StoreError:
                    refused += 1
                    continue
                worked += 1
                assert answer in (ours, None), "what was read is the attacker's"
    assert sorted((str(path), path.lstat().st_size) for path in other.rglob("*")) == before
    assert contents(other) == bytes_before, "something was written to the attacker's directory"
    return worked, refused


def read(opened: Open) -> object:
    with opened() as store:
        return store.get("a", 1).payload


def write(opened: Open, number: int) -> None:
    with opened() as store:
        store.create(record(f"new/n{number}", payload=b"canary-new"))


def make(opened: Open, payload: bytes) -> None:
    with opened() as store:
        store.create(record(payload=payload))
        store.create(record("new/first", payload=payload))


@pytest.mark.parametrize("level", ["store", "above"])
def test_a_directory_swapped_by_another_user(kind: str, place: Path, level: str) -> None:
    """Who may rename in a directory above, but is another user, gets no key, and foists none on anybody."""
    needs_root()
    mine, theirs = place / "mine", place / "theirs"
    for directory in (mine, theirs):
        directory.mkdir(mode=0o700)
    opened = OPENERS[kind](mine)
    make(opened, b"canary-one")
    make(OPENERS[kind](theirs), b"canary-evil")
    for path in (*theirs.rglob("*"), theirs, place):
        os.chown(path, NOBODY, NOBODY)
    if level == "store":
        os.chown(mine, NOBODY, NOBODY)
        swapped = mine / ("keys" if kind == "file" else "keys.db")
        other = theirs / swapped.name
    else:
        swapped, other = mine, theirs

    worked, refused = attack(opened, swapped, other, user=NOBODY)

    assert refused, f"{worked} calls worked, and none met the attacker"


@pytest.mark.parametrize("inner", ["a", "a/@1", "new", ".keywright", ".keywright/tmp"])
def test_a_directory_swapped_inside_a_store(place: Path, inner: str) -> None:
    """No link is followed inside a store of files, even if its owner's own processes make it."""
    mine, theirs = place / "mine", place / "theirs"
    for directory in (mine, theirs):
        directory.mkdir(mode=0o700)
    opened = OPENERS["file"](mine)
    make(opened, b"canary-one")
    make(OPENERS["file"](theirs), b"canary-evil")

    worked, refused = attack(opened, mine / "keys" / inner, theirs / "keys" / inner, user=os.geteuid())

    assert refused, f"{worked} calls worked, and none met the attacker"
