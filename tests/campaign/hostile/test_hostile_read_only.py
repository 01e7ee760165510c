"""Places that take no writes: reading works, writing is refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hostile.surroundings import NOBODY, needs_root, nobody, record
from kills.worker import Open
from support import Keywright

from keywright import Record
from keywright.errors import ReadOnlyStoreError

MOUNT = {
    "file": (
        "{what} in {path}: the file system is mounted read-only; nothing was written; remount it, or use another store"
    ),
    "sqlite": (
        "{path}: the file or its directory takes no writes from this user; nothing was written; use a writable place"
    ),
}


def test_a_read_only_mount(kind: str, store_path: Path, opened: Open, mounted: Callable[[str], None]) -> None:
    """A store on a file system that was mounted read-only is read, and not written."""
    mounted("size=1m,mode=700")
    with opened() as store:
        info = store.create(record())
    mounted("remount,ro")

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        assert list(store.names()) == ["a"]
        writes: Sequence[tuple[str, Callable[[], object]]] = [
            ("b@1", lambda: store.create(record("b"))),
            ("a@1", lambda: store.update(record(new="label"), expected=info.revision)),
            ("a", lambda: store.remove("a", expected=[info.revision])),
        ]
        for what, write in writes:
            with pytest.raises(ReadOnlyStoreError) as refused:
                write()
            assert str(refused.value) == MOUNT[kind].format(what=what, path=store_path)


def test_a_read_only_mount_on_the_command_line(
    kind: str, configured: Path, keywright: Keywright, mounted: Callable[[str], None]
) -> None:
    """What reads works as ever; what writes is exit 5."""
    mounted("size=1m,mode=700")
    assert keywright("generate", "a").returncode == 0
    mounted("remount,ro")

    for command in (["list"], ["show", "a"], ["export", "a"], ["export", "a", "--secret"], ["doctor"]):
        assert keywright(*command).returncode == 0, command
    assert keywright("sign", "a", input=b"hello").returncode == 0
    for command, what in [
        (["generate", "b"], "b@1"),
        (["rotate", "a"], "a@2"),
        (["label", "a", "x=y"], "a@1"),
        (["destroy", "a@1", "--yes"], "a@1"),
    ]:
        done = keywright(*command)
        assert (done.returncode, done.stdout) == (5, b""), command
        assert done.stderr.decode() == f"keywright: {MOUNT[kind].format(what=what, path=configured)}\n"


def test_no_store_on_a_read_only_mount(kind: str, opened: Open, mounted: Callable[[str], None]) -> None:
    """Where there is no store and none can be made, there are no keys, and a write says why."""
    mounted("size=1m,mode=700")
    mounted("remount,ro")

    with opened() as store:
        assert list(store.names()) == []
        with pytest.raises(ReadOnlyStoreError):
            store.create(record())


def own(place: Path, *, mode: int) -> None:
    """Give all below to nobody; directories get this mode."""
    for directory, _, files in os.walk(place, topdown=False):
        for name in files:
            os.chown(os.path.join(directory, name), NOBODY, NOBODY)
        os.chown(directory, NOBODY, NOBODY)
        os.chmod(directory, mode)


OWNED = {
    "file": (
        "AccessDeniedError: {path}: the system denies access (Permission denied); run as the store's owner, or correct "
        "the permissions"
    ),
    "sqlite": (
        "AccessDeniedError: {path} belongs to another user, who could change it; use a store of your own, or have root "
        "`chown` it"
    ),
}


def test_another_users_store(kind: str, place: Path, store_path: Path, opened: Open) -> None:
    """A store for its owner alone is no empty store to another user."""
    needs_root()
    with opened() as store:
        store.create(record())
    own(place, mode=0o700)
    os.chmod(place, 0o755)
    os.chown(place, 0, 0)

    def open_it() -> str:
        with opened() as store:
            return str(list(store.names()))

    assert nobody(open_it) == "['a']"

    assert nobody(open_it, NOBODY - 1) == OWNED[kind].format(path=store_path)


def test_a_store_in_a_sticky_directory(kind: str, place: Path, opened: Open) -> None:
    """In a directory like /tmp, where everybody makes and nobody else removes, a store works."""
    os.chmod(place, 0o1777)

    with opened() as store:
        info = store.create(record())

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        store.remove("a", expected=[info.revision])


def test_a_name_taken_by_another_user_in_a_sticky_directory(
    kind: str, place: Path, store_path: Path, opened: Open
) -> None:
    """Who was there first with a store of that name is refused, by name, and not handed a key."""
    needs_root()
    os.chmod(place, 0o1777)

    def squat() -> None:
        with opened() as store:
            store.create(record())

    assert nobody(squat) == "None"

    def use() -> str:
        with opened() as store:
            store.create(record("b", payload=b"canary-two"))
        return "done"

    assert nobody(use, NOBODY - 1).startswith("AccessDeniedError: ")
    assert b"canary-two" not in b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
