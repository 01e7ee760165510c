"""A file system of 64 KiB that fills up: nothing that was made is lost, and with room again all works again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hostile.surroundings import contents, fill, record, told
from kills.worker import Open
from support import Keywright

from keywright import Record, RecordInfo, State
from keywright.errors import StoreUnavailableError

FULL = {
    "file": (
        "{name}@1 in {path}: there is no room (No space left on device); nothing was written; make room and try again"
    ),
    "sqlite": "{path}: the disk is full; nothing was written; make room and try again",
}


def make_until_full(opened: Open) -> tuple[dict[str, Record], str, str]:
    """What could be made, what could not, and why."""
    made: dict[str, Record] = {}
    with opened() as store:
        for number in range(1000):
            new = record(f"k{number}", payload=b"canary-%03d;" % number * 20)
            try:
                made[new.info.name] = replace(new, info=store.create(new))
            except StoreUnavailableError as error:
                assert {name: store.get(name, 1) for name in store.names()} == made  # the same handle still reads
                return made, new.info.name, str(error)
    raise AssertionError("it never filled up")


def test_a_disk_that_fills_up(
    kind: str, place: Path, store_path: Path, opened: Open, mounted: Callable[[str], None]
) -> None:
    """The key that does not fit is refused and leaves no trace; those before it stay; room is all that is missing."""
    mounted("size=64k,mode=700")
    (place / ".filler").write_bytes(b"x" * 8192)

    made, refused, message = make_until_full(opened)

    assert message == FULL[kind].format(name=refused, path=store_path)
    assert made
    with opened() as store:
        assert {name: store.get(name, 1) for name in store.names()} == made
    assert f"canary-{refused[1:]:0>3}".encode() not in contents(place)

    (place / ".filler").unlink()
    with opened() as store:
        assert {name: store.get(name, 1) for name in store.names()} == made
        tombstone = replace(made["k0"].info, state=State.DESTROYED)
        store.update(Record(tombstone, None), expected=made["k0"].info.revision)
        assert b"canary-000" not in contents(place)
        store.create(record(refused))
        assert store.get(refused, 1).payload == record().payload


@pytest.mark.parametrize("what", ["destroy", "remove"])
def test_the_end_of_a_key_on_a_full_disk(
    kind: str, place: Path, opened: Open, mounted: Callable[[str], None], what: str
) -> None:
    """It is done or refused, never half done; with room again it can be done."""
    mounted("size=128k,mode=700")
    with opened() as store:
        info = store.create(record())

    def end(info: RecordInfo) -> None:
        with opened() as store:
            if what == "remove":
                store.remove("a", expected=[info.revision])
            else:
                store.update(Record(replace(info, state=State.DESTROYED), None), expected=info.revision)

    fill(place / ".filler")
    outcome = told(lambda: end(info))
    (place / ".filler").unlink()

    assert outcome == "done" or outcome.startswith("StoreUnavailableError: ")
    with opened() as store:
        if outcome != "done":
            assert store.get("a", 1) == Record(info, record().payload)
            end(info)
        assert [one.state for one in store.versions("a")] == ([] if what == "remove" else [State.DESTROYED])
        assert b"canary-one" not in contents(place)


def test_reading_on_a_full_disk(place: Path, opened: Open, mounted: Callable[[str], None]) -> None:
    """Where not one byte fits any more, keys are read."""
    mounted("size=64k,mode=700")
    with opened() as store:
        info = store.create(record())
    fill(place / ".filler")

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        assert list(store.names()) == ["a"]


def test_a_full_disk_on_the_command_line(
    kind: str, place: Path, configured: Path, keywright: Keywright, mounted: Callable[[str], None]
) -> None:
    """Exit 6 and one line; what was made before is there, and with room again the same command works."""
    mounted("size=64k,mode=700")
    (place / ".filler").write_bytes(b"x" * 12_288)
    made = []
    for number in range(100):
        done = keywright("generate", f"k{number}")
        if done.returncode:
            break
        made.append(f"k{number}")

    assert done.returncode == 6
    assert done.stdout == b""
    assert done.stderr.decode() in [
        f"keywright: {line.format(name=f'k{len(made)}', path=configured)}\n"
        for line in (
            FULL[kind],
            "{path}: SQLite reports SQLITE_IOERR_SHMSIZE; nothing was written; check the disk and try again",
        )
    ]

    (place / ".filler").unlink()
    listed = keywright("list", "--json")
    assert listed.stdout.count(b"\n") == len(made)
    assert all(keywright("export", name).returncode == 0 for name in made)
    assert keywright("generate", f"k{len(made)}").returncode == 0
    assert keywright("doctor").returncode == 0
