"""The files on disk: whose they are, who can open them, what is refused, and places that take no writes."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import cast

import pytest
from refusals import refuses
from support.errors import text_of
from support.problems import lines_of

from keywright import CheckedStore, Record, Secret, WritableStore
from keywright.errors import AccessDeniedError, CorruptedStoreError, StoreError, StoreUnavailableError
from keywright_sqlite import files
from keywright_sqlite.database import image

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Unprivileged = Callable[[Callable[[], str]], str]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away and acts as others")


def test_no_descriptor_stays_open(tmp_path: Path, opened: Opener, make: Make) -> None:
    """Making a store, its directories and its files leaves no descriptor behind."""
    before = len(os.listdir("/dev/fd"))

    with opened(str(tmp_path / "new" / "deep" / "keys.db")) as store:
        store.create(make())

    assert len(os.listdir("/dev/fd")) == before


def database(*statements: str) -> Callable[[Path], object]:
    """Makes an empty store, or another program's database, and changes it."""

    def prepare(place: Path) -> None:
        if not statements[0].startswith("CREATE"):
            place.write_bytes(image())
        with closing(sqlite3.connect(place)) as raw:
            for statement in statements:
                raw.execute(statement)

    return prepare


NO_FILE = " is not a regular file; point the setting `path` to a file"
NO_DATABASE = " is not a SQLite database; restore it from a backup, or set `path` to another file"
EMPTY = " is empty; restore it from a backup, or remove it"
DAMAGED = ": the database is damaged; restore it from a backup"
FOREIGN = " is the database of another program; set `path` to another file, or restore it from a backup"
NEWER = " was written by a newer keywright (layout 99, and this one knows 1); upgrade keywright"
OTHERS: dict[str, tuple[Callable[[Path], object], type[StoreError], str]] = {
    "text": (lambda place: place.write_text("this is a text file\n" * 99), CorruptedStoreError, NO_DATABASE),
    "empty": (lambda place: place.touch(), CorruptedStoreError, EMPTY),
    "shorter-than-a-header": (lambda place: place.write_bytes(image()[:50]), CorruptedStoreError, DAMAGED),
    "cut-short": (lambda place: place.write_bytes(image()[:4096]), CorruptedStoreError, DAMAGED),
    "scrambled": (
        lambda place: place.write_bytes(image()[:100] + b"\xff" * 40 + image()[140:]), CorruptedStoreError, DAMAGED
    ),
    "another-programs": (database("CREATE TABLE cookies (name TEXT)"), CorruptedStoreError, FOREIGN),
    "another-application-id": (database("PRAGMA application_id = 7"), CorruptedStoreError, FOREIGN),
    "newer": (database("PRAGMA user_version = 99"), CorruptedStoreError, NEWER),
    "without-a-version": (database("PRAGMA user_version = 0"), CorruptedStoreError, DAMAGED),
    "directory": (lambda place: place.mkdir(0o700), StoreUnavailableError, NO_FILE),
    "pipe": (lambda place: os.mkfifo(place, 0o600), StoreUnavailableError, NO_FILE),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_store_is_refused_and_left_alone(path: str, opened: Opener, what: str) -> None:
    """Whatever else stands at the path is an error when the store is opened, never an empty store."""
    prepare, error, message = OTHERS[what]
    place = Path(path)
    prepare(place)
    if place.is_file():
        place.chmod(0o600)
    before = place.read_bytes() if place.is_file() else None

    with refuses(error, path + message), opened(path):
        pass

    assert (place.read_bytes() if place.is_file() else None) == before


@pytest.mark.parametrize("made", [True, False], ids=["there", "to-be-made"])
@pytest.mark.parametrize("above", [".", ".."], ids=["its-directory", "above"])
@pytest.mark.parametrize("danger", ["writable", "another-users"])
def test_a_directory_where_others_may_rename_is_refused(
    tmp_path: Path, opened: Opener, make: Make, danger: str, above: str, made: bool
) -> None:
    """Anyone who may rename the database, or a directory above it, may put another in its place.

    So may the owner of a directory with a sticky bit. The user's path is a link elsewhere.
    """
    if danger == "another-users" and os.geteuid():
        pytest.skip("only root gives directories away")
    real = tmp_path / "top" / "real"
    real.mkdir(parents=True, mode=0o700)
    (tmp_path / "link").symlink_to(real)
    if made:
        with opened(str(real / "keys.db")) as store:
            store.create(make())
    directory = (real / above).resolve()
    if danger == "writable":
        directory.chmod(0o777)
        message = (
            f"{directory} is writable by all users, who could replace the database; run "
            f"`chmod o-w {directory}`, and check that the keys in it are still yours"
        )
    else:
        directory.chmod(0o1755)
        os.chown(directory, 1234, 1234)
        message = (
            f"{directory} belongs to another user, who could replace the database; use a "
            "directory of your own, or have root `chown` it"
        )

    with refuses(AccessDeniedError, message), opened(str(tmp_path / "link" / "keys.db")) as store:
        store.create(make("other"))

    assert [found.name for found in real.iterdir()] == ["keys.db"] * made


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("file/keys.db", "Not a directory", id="through-a-file"),
        pytest.param("k" * 300, "File name too long", id="too-long"),
        pytest.param("loop.db", "Too many levels of symbolic links", id="link-to-itself"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, opened: Opener, name: str, reason: str) -> None:
    """What cannot be there is not taken for missing; the system's own word for it is passed on."""
    (tmp_path / "file").touch()
    (tmp_path / "loop.db").symlink_to("loop.db")
    path = str(tmp_path / name)

    with (
        refuses(StoreUnavailableError, f"{path}: the store cannot be reached: {reason}; set `path` to another file"),
        opened(path),
    ):
        pass


@pytest.mark.parametrize("mode", [pytest.param(m, id=f"{m:04o}") for m in (0o640, 0o604, 0o620, 0o602, 0o610)])
@pytest.mark.parametrize("end", [pytest.param("", id="db"), "-wal", "-shm", "-journal"])
def test_files_open_to_others_are_refused(path: str, opened: Opener, make: Make, end: str, mode: int) -> None:
    """A file that others may read or write is named, with the command that fixes it."""
    with opened(path) as store:
        store.create(make())
    target = Path(path + end)
    target.touch()
    target.chmod(mode)

    with pytest.raises(AccessDeniedError) as caught, opened(path):
        pass

    assert text_of(caught.value) == (
        f"{path}{end} is open to other users; if it is a store, run `chmod 600 {path}{end}`, and replace the keys "
        f"if others may have "
        "read them"
    )


@pytest.mark.parametrize("mode", [0o1777, 0o770, 0o775, 0o500])
def test_a_directory_that_keeps_what_is_mine_is_used(tmp_path: Path, path: str, opened: Opener, mode: int) -> None:
    """The sticky bit keeps others from renaming, and who is in a group is someone's choice."""
    with opened(path):
        pass
    tmp_path.chmod(mode)

    with opened(path) as store:
        assert list(store.names()) == []
    tmp_path.chmod(0o700)


@AS_ROOT
@pytest.mark.parametrize(
    ("directory", "mode", "message"),
    [
        pytest.param("", 0o755, "this user may not read it; run `chmod 600 {}` as its owner", id="file"),
        pytest.param(
            "closed", 0o000, "this user may not look into its directory; ask the owner for access", id="directory"
        ),
    ],
)
def test_what_this_user_may_not_read_is_refused(
    shared_directory: str,
    opened: Opener,
    make: Make,
    unprivileged: Unprivileged,
    directory: str,
    mode: int,
    message: str,
) -> None:
    """Root's store is not this user's, and what cannot be looked at is not taken for missing."""
    path = os.path.join(shared_directory, directory, "keys.db")
    with opened(path) as store:
        store.create(make())
    os.chmod(os.path.dirname(path), mode)

    def read() -> str:
        with opened(path) as store:
            return f"names: {list(store.names())}"

    assert unprivileged(read) == f"AccessDeniedError: {path}: {message.format(path)}"


def test_any_file_name_will_do(tmp_path: Path, opened: Opener, make: Make) -> None:
    """Characters that mean something in a URI mean nothing here, and bytes need be no text."""
    for name in ("a b", "50%", "what?", "#1", "%41", "käse", "'", '"', "a&mode=ro", "a\nb", "\udcff.db"):
        path = str(tmp_path / name)
        with opened(path) as store:
            store.create(make("a"))

        with opened(path) as store:
            assert list(store.names()) == ["a"], name
        assert os.listdir(tmp_path) == [name]
        os.unlink(path)


def test_a_symbolic_link_is_followed(tmp_path: Path, opened: Opener, make: Make) -> None:
    """The log stands beside the database, not beside the link."""
    (tmp_path / "real").mkdir()
    with opened(str(tmp_path / "real" / "keys.db")) as store:
        store.create(make("first"))
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "keys.db")

    with opened(str(tmp_path / "link.db")) as store:
        store.create(make("a"))
        beside = sorted(found.name for found in (tmp_path / "real").iterdir())

    assert beside == ["keys.db", "keys.db-shm", "keys.db-wal"]
    assert sorted(found.name for found in tmp_path.iterdir()) == ["link.db", "real"]


@pytest.mark.parametrize("link", ["keys.db", "above", "far/above"])
def test_a_link_to_nothing_is_no_empty_store(tmp_path: Path, opened: Opener, link: str) -> None:
    """What it leads to may stand on a volume that is not mounted; nothing is made in its place."""
    target = tmp_path / link
    target.parent.mkdir(exist_ok=True)
    target.symlink_to(tmp_path / "volume" / "place")
    path = target if link == "keys.db" else target / "deep" / "keys.db"

    message = f"{target} is a broken link; mount or create its target, or set another `path`"
    with refuses(StoreUnavailableError, message), opened(str(path)):
        pass

    assert not (tmp_path / "volume").exists()


def test_a_link_that_becomes_a_directory_on_the_way_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opener
) -> None:
    """Between looking whether it is a link and reading it, someone put a directory there."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = str(tmp_path / "link" / "keys.db")
    real = os.readlink

    def swapped(target: str) -> str:
        os.unlink(target)
        os.mkdir(target)
        return real(target)

    monkeypatch.setattr(os, "readlink", swapped)
    message = f"{path}: the store cannot be reached: Invalid argument; set `path` to another file"
    with refuses(StoreUnavailableError, message), opened(path):
        pass


def test_a_second_name_left_by_a_killed_process_goes(tmp_path: Path, path: str, opened: Opener, make: Make) -> None:
    """A process that dies between link and unlink leaves no other way to the keys; other links are not ours."""
    with opened(path) as store:
        store.create(make())
    os.link(path, tmp_path / ".keywright-0123456789abcdef.new")
    os.link(path, tmp_path / "mine.db")

    with opened(path):
        pass

    assert sorted(found.name for found in tmp_path.iterdir()) == ["keys.db", "mine.db"]


def test_an_open_store_whose_file_was_replaced_is_damage(
    tmp_path: Path, path: str, opened: Opener, store: WritableStore, make: Make
) -> None:
    """A backup put in the place of the open file is not mixed with what the log says of the old one."""
    backup = str(tmp_path / "backup.db")
    with opened(backup) as other:
        other.create(make("restored"))
    store.create(make("old"))
    os.replace(backup, path)

    with pytest.raises(CorruptedStoreError) as caught:
        store.create(make("new"))

    assert text_of(caught.value) == (
        f"{path} was replaced while it was open; close the store everywhere, move {path}-wal and {path}-shm away, and "
        "open it again"
    )
    os.rename(path + "-wal", tmp_path / "old-wal")
    os.rename(path + "-shm", tmp_path / "old-shm")
    with opened(path) as again:
        assert list(again.names()) == ["restored"]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        pytest.param(
            os.unlink,
            CorruptedStoreError,
            "{} was removed after it was opened; restore it from a backup, or open the store again",
            id="removed",
        ),
        pytest.param(lambda path: os.truncate(path, 0), CorruptedStoreError, "{}" + EMPTY, id="emptied"),
        pytest.param(
            lambda path: os.chmod(path, 0o644),
            AccessDeniedError,
            "{0} is open to other users; if it is a store, run `chmod 600 {0}`, and replace the keys if others "
            "may have read them",
            id="opened to others",
        ),
        pytest.param(
            lambda path: os.chown(path, 1234, 1234),
            AccessDeniedError,
            "{} belongs to another user, who could change it; use a store of your own, or have root `chown` it",
            id="given to another user",
            marks=AS_ROOT,
        ),
    ],
)
def test_an_open_store_notices_what_happens_to_its_file(
    path: str, store: WritableStore, make: Make, change: Callable[[str], object], kind: type[StoreError], message: str
) -> None:
    """The next call is refused, and no new file takes its place: keys in it would be lost."""
    store.create(make())
    change(path)
    there = os.path.exists(path)

    with refuses(kind, message.format(path)):
        store.create(make("b"))

    assert os.path.exists(path) == there


def test_a_copy_made_by_vacuum_into_is_a_store(tmp_path: Path, path: str, opened: Opener, make: Make) -> None:
    """A backup that SQLite itself made is one of ours, and gets its log again."""
    copy = str(tmp_path / "copy.db")
    with opened(path) as store:
        store.create(make("a"))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("VACUUM INTO ?", (copy,))
    os.chmod(copy, 0o600)

    with opened(copy) as store:
        assert store.get("a", 1).payload == Secret(b"a secret payload")
        store.create(make("b"))
        assert os.path.exists(copy + "-wal")


OTHER_USER = 65534
CLONE_NEWUSER = 0x10000000  # linux/sched.h
PR_SET_DUMPABLE = 4  # linux/prctl.h


@AS_ROOT
@pytest.mark.parametrize(("owner", "writes"), [(OTHER_USER, True), (0, False)])
def test_writes_are_asked_for_as_the_user_that_we_act_as(shared_directory: str, owner: int, writes: bool) -> None:
    """What root, who started the process, may write does not count once it acts as someone else."""
    path = Path(shared_directory) / "keys.db"
    path.touch(mode=0o600)
    os.chown(path, owner, owner)
    os.chown(shared_directory, OTHER_USER, OTHER_USER)

    os.seteuid(OTHER_USER)
    try:
        found = files.accepts_writes(str(path))
    finally:
        os.seteuid(0)

    assert found == writes


@AS_ROOT
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has user namespaces")
def test_root_outside_of_a_user_namespace_is_no_stranger(
    shared_directory: str, opened: Opener, make: Make, unprivileged: Unprivileged
) -> None:
    """In a container without root, `/` and `/tmp` are root's outside, who has no number there; a store works."""
    os.chown(shared_directory, OTHER_USER, OTHER_USER)
    path = os.path.join(shared_directory, "keys.db")
    system = ctypes.CDLL(None, use_errno=True)

    def use() -> str:
        system.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or its own /proc is root's, since it gave up being root
        if system.unshare(CLONE_NEWUSER):
            return os.strerror(ctypes.get_errno())
        Path("/proc/self/uid_map").write_text(f"0 {OTHER_USER} 1")
        outside = os.stat("/").st_uid
        with opened(path) as store:
            store.create(make("a"))
        with opened(path) as store:
            return f"{os.geteuid()} {outside} {list(store.names())}"

    told = unprivileged(use)

    if told in (os.strerror(1), os.strerror(28)):
        pytest.skip("this system lets no one make a user namespace")
    assert told == f"0 {OTHER_USER} ['a']"


SECOND_NAME = (
    "{path}: has a second name (a hard link), under which the keys would outlive the store; remove that name, or "
    "replace the database with a copy"
)
GROUP = (
    "{directory}: is writable by its group, who could replace the database; run `chmod g-w {directory}`, and check "
    "that the keys in it are still yours"
)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda directory: os.link(directory / "keys.db", directory / "mine.db"), SECOND_NAME, id="link"),
        *(
            pytest.param(lambda directory, mode=mode: directory.chmod(mode), problem, id=f"{mode:o}")
            for mode, problem in ((0o770, GROUP), (0o730, GROUP), (0o1770, None), (0o750, None))
        ),
    ],
)
def test_doctor_reports_who_could_get_at_the_keys(
    tmp_path: Path, path: str, store: WritableStore, make: Make, change: Callable[[Path], object], problem: str | None
) -> None:
    """A second name, and a group that may rename files: with the sticky bit it may not."""
    store.create(make("a"))
    change(tmp_path)

    found = lines_of(cast("CheckedStore", store).check())

    tmp_path.chmod(0o700)
    assert found == ([] if problem is None else [problem.format(path=path, directory=tmp_path)])
