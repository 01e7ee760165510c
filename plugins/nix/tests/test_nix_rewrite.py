"""Reading and rewriting one narinfo, in place or by a new file, every way in which it can fail, and batches."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from nix_signing import refusal

from keywright.errors import (
    AccessDeniedError,
    DurabilityError,
    FormatError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright_nix.rewrite import (
    Batch,
    Outcome,
    Replacement,
    read_narinfo,
    replace,
    rewrite,
    without_zeros,
)

OLD = b"StorePath: x\n"
TAIL = b"Sig: a-1:x\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.narinfo"
    path.write_bytes(OLD)
    path.chmod(0o640)
    return path


def rewritten(path: Path, new: bytes) -> bool:
    """Rewrite and put in place. Returns whether it was done by a new file."""
    old, status = read_narinfo(str(path))
    replacement = rewrite(str(path), old, new, status)
    if replacement is not None:
        replace(replacement)
    return replacement is not None


def read(path: Path, new: bytes) -> tuple[bytes, bytes, os.stat_result]:
    old, status = read_narinfo(str(path))
    return old, new, status


def left(path: Path) -> list[str]:
    return sorted(name for name in os.listdir(path.parent) if name != path.name)


def test_an_addition_is_appended(file: Path) -> None:
    before = file.stat().st_ino

    assert not rewritten(file, OLD + TAIL)

    assert file.read_bytes() == OLD + TAIL
    assert (file.stat().st_ino, stat.S_IMODE(file.stat().st_mode), left(file)) == (before, 0o640, [])


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o640, 0o777, 0o604, 0o4644])
@pytest.mark.parametrize("new", [TAIL + OLD, b"", OLD[:-1]], ids=["in front", "nothing", "less"])
def test_another_change_makes_a_new_file(file: Path, new: bytes, mode: int) -> None:
    """What is more than an addition takes the place of the old file, with its mode, and leaves nothing beside."""
    file.chmod(mode)

    assert rewritten(file, new)

    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode), left(file)) == (new, mode, [])


def test_where_an_addition_makes_a_new_file(file: Path) -> None:
    """If its owner may not write the file, even for root; or if it has another name, which keeps the old bytes."""
    snapshot = file.parent / "snapshot"
    os.link(file, snapshot)
    assert rewritten(file, OLD + TAIL)
    assert (file.read_bytes(), snapshot.read_bytes()) == (OLD + TAIL, OLD)

    file.chmod(0o444)
    assert rewritten(file, OLD + TAIL + TAIL)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (OLD + TAIL + TAIL, 0o444)


def test_the_border_of_a_page(file: Path) -> None:
    """What would cross from one page of 4096 bytes to the next is not appended: a kill could cut it there."""
    sizes = {4096 - len(TAIL): False, 4097 - len(TAIL): True, 4095: True, 4096: False, 8192 - len(TAIL): False}
    for size, by_new_file in sizes.items():
        file.write_bytes(b"x" * size)

        assert rewritten(file, b"x" * size + TAIL) == by_new_file
        assert file.read_bytes() == b"x" * size + TAIL


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_owner_stays(file: Path) -> None:
    os.chown(file, 1234, 2345)

    rewritten(file, b"new")

    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 2345)


def test_until_it_is_put_in_place_the_old_one_stands(file: Path) -> None:
    replacement = rewrite(str(file), *read(file, b"new"))

    assert replacement is not None
    assert replacement.beside == str(file.parent / ".keywright-x.narinfo.tmp")
    assert (file.read_bytes(), left(file)) == (OLD, [".keywright-x.narinfo.tmp"])


def change_bytes(path: Path) -> None:
    path.write_bytes(OLD + b"URL: x\n")


def change_inode(path: Path) -> None:
    """Another replaces it by one that looks the same."""
    copy = path.with_name("copy")
    copy.write_bytes(OLD)
    os.utime(copy, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    copy.rename(path)


@pytest.mark.parametrize("change", [change_bytes, change_inode])
@pytest.mark.parametrize("new", [OLD + TAIL, b"new"], ids=["append", "new file"])
def test_a_file_that_changed_meanwhile_is_left_alone(file: Path, change: Callable[[Path], None], new: bytes) -> None:
    old, status = read_narinfo(str(file))
    change(file)
    theirs = file.read_bytes()

    with refusal(StoreUnavailableError, f"{file}: changed while it was signed; run the command again"):
        replace(rewrite(str(file), old, new, status) or pytest.fail("it was appended"))

    assert (file.read_bytes(), left(file)) == (theirs, [])


@pytest.mark.parametrize("new", [OLD + TAIL, b"new"], ids=["append", "new file"])
def test_a_file_that_vanished_meanwhile_does_not_come_back(file: Path, new: bytes) -> None:
    old, status = read_narinfo(str(file))
    file.unlink()

    with pytest.raises(FileNotFoundError):
        replace(rewrite(str(file), old, new, status) or pytest.fail("it was appended"))

    assert not file.exists()
    assert left(file) == []


def make_socket(path: Path) -> None:
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


@pytest.mark.parametrize("make", [os.mkfifo, make_socket, Path.mkdir])
def test_what_is_no_file_is_refused_and_not_waited_for(
    file: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    file.unlink()
    make(file)

    with refusal(FormatError, f"{file}: is not a regular file; remove it from the cache"):
        read_narinfo(str(file))


def test_a_symbolic_link_is_not_followed(file: Path) -> None:
    file.rename(file.with_name("y.narinfo"))
    for target in ("y.narinfo", "missing", "x.narinfo"):
        file.symlink_to(target)

        with refusal(FormatError, f"{file}: is a symbolic link; sign the file that it leads to", target):
            read_narinfo(str(file))
        file.unlink()


def test_what_cannot_be_read(file: Path) -> None:
    long = file.with_name("x" * 300)
    os.truncate(file, 100_000_000)

    with refusal(FormatError, f"{file}: has more than 8388608 bytes; this is not a narinfo"):
        read_narinfo(str(file))
    with refusal(
        StoreUnavailableError,
        f"{long}: cannot be read (File name too long); the narinfo is unchanged: check the disk",
    ):
        read_narinfo(str(long))
    with pytest.raises(FileNotFoundError):
        read_narinfo(str(file.with_name("gone")))


def test_zeros_at_the_end_are_removed_and_no_others() -> None:
    for data, without in ((OLD + bytes(100), OLD), (OLD, OLD), (b"", b""), (b"a\0b\n", b"a\0b\n"), (bytes(3), b"")):
        assert without_zeros(data) == without


@pytest.mark.parametrize("start", [4096, 100], ids=["append", "new file"])
def test_on_a_full_disk_the_narinfo_stays_as_it_was(small: Path, start: int) -> None:
    file = small / "x.narinfo"
    file.write_bytes(b"x" * start)
    with pytest.raises(OSError, match="No space"):
        (small / "filler").write_bytes(bytes(65536))
    new = file.read_bytes() + TAIL if start == 4096 else b"new"

    with refusal(
        StoreUnavailableError,
        f"{file}: cannot be written (No space left on device); the narinfo is unchanged: check the disk",
    ):
        rewritten(file, new)

    assert (file.read_bytes(), left(file)) == (b"x" * start, ["filler"])


def test_a_read_only_file_system(small: Path) -> None:
    file = small / "x.narinfo"
    file.write_bytes(OLD)
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)

    for new in (OLD + TAIL, b"new"):
        with refusal(ReadOnlyStoreError, f"{file}: is on a read-only file system; remount it"):
            rewritten(file, new)


def test_a_short_write_is_taken_back(file: Path) -> None:
    for limit, message in (
        (len(OLD), "cannot be written (File too large); the narinfo is unchanged: check the disk"),
        (len(OLD) + 1, "could not be written whole; the narinfo is unchanged: free disk space"),
    ):
        code = (
            "import resource, sys; from pathlib import Path\n"
            "from keywright_nix.rewrite import read_narinfo, rewrite\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
            "old, status = read_narinfo(sys.argv[1])\n"
            f"try: rewrite(sys.argv[1], old, old + {TAIL!r}, status)\n"
            "except Exception as error: print(type(error).__name__, error.text, sep=': ')"
        )

        done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=60)

        assert (done.stdout, done.stderr) == (f"StoreUnavailableError: {file}: {message}\n", "")
        assert file.read_bytes() == OLD


@pytest.mark.parametrize("name", ["fchmod", "write", "close"])
def test_a_failure_while_a_new_file_is_written(file: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever stops it, an error or Ctrl-C, takes the new file along."""
    arguments = read(file, b"new")
    error = KeyboardInterrupt() if name == "close" else OSError(5, "Input/output error")
    monkeypatch.setattr(f"os.{name}", _raising(error))

    with pytest.raises(KeyboardInterrupt if name == "close" else StoreUnavailableError):
        rewrite(str(file), *arguments)

    monkeypatch.undo()
    assert (file.read_bytes(), left(file)) == (OLD, [])


def test_who_may_not_give_files_away_keeps_the_new_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fchown", _raising(PermissionError(1, "Operation not permitted")))

    assert rewritten(file, b"new")

    assert file.read_bytes() == b"new"


def test_a_rename_that_fails_leaves_the_old_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.rename", _raising(PermissionError(1, "Operation not permitted")))

    with refusal(AccessDeniedError, f"{file}: cannot be written (Operation not permitted); run as its owner"):
        rewritten(file, b"new")

    assert (file.read_bytes(), left(file)) == (OLD, [])


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, Path.touch])
def test_what_stands_in_the_way_is_left_alone(file: Path, make: Callable[[Path], object]) -> None:
    beside = file.with_name(".keywright-x.narinfo.tmp")
    make(beside)
    old, status = read_narinfo(str(file))

    with refusal(
        StoreUnavailableError,
        (
            f"{beside}: is in the way of the new narinfo: an earlier run left it; delete "
            f"it, then run the same command again"
        ),
    ):
        rewrite(str(file), old, b"new", status)

    assert (file.read_bytes(), left(file)) == (OLD, [beside.name])


def test_a_part_that_cannot_be_taken_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk takes half a line and then does not give it back, the message says how to repair the file."""
    write = os.write
    arguments = read(file, OLD + TAIL)
    message = (
        f"{file}: was only partly written, and could not be restored (Input/output error); check the disk, "
        f"then run `truncate -s {len(OLD)}` on it, and sign again"
    )
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:5]))
    monkeypatch.setattr("os.ftruncate", _raising(OSError(5, "Input/output error")))

    with refusal(StoreUnavailableError, message):
        rewrite(str(file), *arguments)

    assert file.read_bytes() == OLD + TAIL[:5]


def test_a_failed_append_is_no_change(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing was written nothing is taken back: even the time of the file stays."""
    arguments = read(file, OLD + TAIL)
    monkeypatch.setattr("os.write", _raising(OSError(5, "Input/output error")))

    with refusal(
        StoreUnavailableError,
        f"{file}: cannot be written (Input/output error); the narinfo is unchanged: check the disk",
    ):
        rewrite(str(file), *arguments)

    assert (file.read_bytes(), file.stat().st_ctime_ns) == (OLD, arguments[2].st_ctime_ns)


def test_an_interrupted_append_is_taken_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        write(descriptor, data)
        raise KeyboardInterrupt

    arguments = read(file, OLD + TAIL)
    monkeypatch.setattr("os.write", interrupted)

    with pytest.raises(KeyboardInterrupt):
        rewrite(str(file), *arguments)

    assert file.read_bytes() == OLD


def _raising(error: BaseException) -> Callable[..., object]:
    real = os.close

    def fail(descriptor: int, *_: object) -> object:
        if isinstance(error, KeyboardInterrupt):
            real(descriptor)
        raise error

    return fail


# A batch of rewritten narinfos: how many are written before they are synced.

APPENDED = Outcome("changed")


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
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
    """Nothing is renamed before its own batch is on the medium; only the end of the next batch waits for that."""
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
def test_a_sync_that_fails_is_reported(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """It is seen when the next batch ends, and of the one that failed nothing is put in place."""

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("keywright_nix.rewrite._sync_file_system", fail)
    batch.add("first", waiting(tmp_path, 1))
    assert list(batch.advance()) == []
    given = []
    message = (
        f"{tmp_path}: the system did not confirm that the last signatures are on disk (Input/output error); "
        "check the disk, then run the same command again"
    )

    with refusal(DurabilityError, message):
        given += list(getattr(batch, then)())

    assert given == []


def test_closing_waits_for_what_is_under_way(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the descriptor is not in use; twice, or with nothing under way, does no harm."""
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
