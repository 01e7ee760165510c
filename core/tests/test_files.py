"""`keywright.files`: writing whole files, locks, checks of owners and modes, and errors of the system. Real files."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import sleep
from types import FrameType
from typing import Any

import pytest
from refusals import refuses
from support.errors import text_of
from tables import cases

from keywright import Secret
from keywright.errors import (
    AccessDeniedError,
    CorruptedStoreError,
    DurabilityError,
    KeywrightError,
    PolicyError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright.files import (
    OPEN_TO_OTHERS,
    ErrorTable,
    NewFile,
    Report,
    Unsafe,
    WriteErrors,
    check_owner,
    has_locks,
    locked,
    make_directories,
    make_directory,
    sync_directory,
    unsafe,
    write_file,
)

FULL = ErrorTable(
    denied="{subject}: denied ({reason})",
    read_only="{subject}: read-only",
    full="{subject}: full",
    misplaced="{subject}: misplaced",
    missing="{subject}: missing",
    other="{subject}: other ({reason})",
)
SHORT = ErrorTable(
    denied=Report("{subject}: no", error=PolicyError), other=Report("{subject}: unknown", error=DurabilityError)
)
ERRORS = WriteErrors(
    create=ErrorTable(other="{subject}: create"),
    write=ErrorTable(other="{subject}: write"),
    sync=ErrorTable(other="{subject}: sync"),
    finish=ErrorTable(other=Report("{subject}: finish", error=DurabilityError)),
)
OTHER_USER = 65_534


# --- What the system reports ---


@cases(
    ("table", "numbers", "kind", "message"),
    {
        "denied": (FULL, (errno.EACCES, errno.EPERM), AccessDeniedError, "x: denied ({})"),
        "read-only": (FULL, (errno.EROFS,), ReadOnlyStoreError, "x: read-only"),
        "full": (FULL, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), StoreUnavailableError, "x: full"),
        "misplaced": (
            FULL,
            (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO),
            CorruptedStoreError,
            "x: misplaced",
        ),
        "missing": (FULL, (errno.ENOENT,), StoreUnavailableError, "x: missing"),
        "other, or no number": (FULL, (errno.EIO, None), StoreUnavailableError, "x: other ({})"),
        "a class is given": (SHORT, (errno.EPERM,), PolicyError, "x: no"),
        "read-only is denied": (SHORT, (errno.EROFS,), PolicyError, "x: no"),
        "no entry": (SHORT, (errno.ENOSPC,), DurabilityError, "x: unknown"),
    },
)
def test_an_error_of_the_system_has_the_callers_words(
    table: ErrorTable, numbers: tuple[int | None, ...], kind: type[KeywrightError], message: str
) -> None:
    """The class and the message follow from the reason; what the system's error held is not repeated."""
    for number in numbers:
        with pytest.raises(kind) as caught, table.about("x"):
            raise OSError(number, "a reason that holds input")

        assert type(caught.value) is kind
        assert text_of(caught.value) == message.format(os.strerror(number or 0))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_what_is_no_error_of_the_system_passes() -> None:
    """A table is about errors of the system alone, and braces in a path stay as they are."""
    with pytest.raises(KeyError), FULL.about("x"):
        raise KeyError("mine")
    with FULL.about("x"):
        pass
    assert text_of(SHORT.error(OSError(errno.EIO, ""), "/{subject}/{0}")) == "/{subject}/{0}: unknown"


# --- Who may change a file ---


def status(mode: int, owner: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))


FILE, DIRECTORY, PIPE = stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO
ME = os.geteuid()


@cases(
    ("found", "rules", "reason"),
    {
        "mine": (status(FILE | 0o644, ME), {}, None),
        "roots": (status(DIRECTORY | 0o755, 0), {}, None),
        "directory": (status(DIRECTORY | 0o755, 0), {"regular": True}, "kind"),
        "pipe": (status(PIPE | 0o600, ME), {"regular": True}, "kind"),
        "another-users": (status(FILE | 0o600, ME + 77), {}, "owner"),
        "allowed-owner": (status(FILE | 0o600, ME + 77), {"owners": {ME + 77}}, None),
        "owner-not-allowed": (status(FILE | 0o600, ME), {"owners": {ME + 77}}, "owner"),
        "group-writable": (status(FILE | 0o620, ME), {}, "mode"),
        "world-writable": (status(FILE | 0o602, ME), {}, "mode"),
        "group-readable": (status(FILE | 0o640, ME), {"forbidden": OPEN_TO_OTHERS}, "mode"),
        "any-mode": (status(FILE | 0o666, ME), {"forbidden": 0}, None),
    },
)
def test_unsafe(found: os.stat_result, rules: dict[str, object], reason: Unsafe | None) -> None:
    """The first rule that a file breaks is named: its kind, its owner, then its mode."""
    assert unsafe(found, **rules) == reason  # type: ignore[arg-type]  # the table's


def test_without_users_only_the_kind_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows every file seems to be open to others."""
    monkeypatch.setattr(os, "name", "nt")

    assert unsafe(status(FILE | 0o666, 77)) is None
    assert unsafe(status(PIPE | 0o600, 77), regular=True) == "kind"


def test_check_owner() -> None:
    """What others could change is refused, with what to do about it."""
    check_owner(status(FILE | 0o644, ME), "x", "the file")

    with refuses(AccessDeniedError, "x: the file belongs to another user; run as that user, or change its owner"):
        check_owner(status(FILE | 0o600, ME + 77), "x", "the file")
    with refuses(AccessDeniedError, "x: the log may be changed by other users; run `chmod go-w` on it"):
        check_owner(status(FILE | 0o660, ME), "x", "the log")


# --- Writing ---


@pytest.fixture(params=[0o000, 0o777], ids=["open-umask", "closed-umask"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("data", [b"", b"\0\xff" * 100_000], ids=["empty", "long"])
def test_a_written_file_is_whole_and_alone(tmp_path: Path, data: bytes, replace: bool) -> None:
    """It has the bytes, the mode under any umask, one name, and nothing is left beside it."""
    path = tmp_path / "key"
    if replace:
        path.write_bytes(b"before")

    write_file(str(path), Secret(data), replace=replace, subject="x", errors=ERRORS)

    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert os.listdir(tmp_path) == ["key"]


def test_mode_owner_and_time(tmp_path: Path) -> None:
    """They are as the caller wants them; an owner who cannot be set is passed over."""
    path = tmp_path / "key"
    owner = os.stat_result((0, 0, 0, 0, OTHER_USER, OTHER_USER, 0, 0, 0, 0))

    write_file(str(path), b"x", replace=False, subject="x", errors=ERRORS, mode=0o644, owner=owner, time_ns=10**18)

    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o644
    assert found.st_uid == (OTHER_USER if ME == 0 else ME)
    assert found.st_mtime_ns == 10**18


def test_in_open_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in open directories; without one, a bare name is in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "tmp").mkdir()
    keys, tmp = (os.open(tmp_path / name, os.O_RDONLY) for name in ("keys", "tmp"))

    write_file(
        "a", b"1", replace=True, subject="x", errors=ERRORS, directory=keys, temporary="t", temporary_directory=tmp
    )
    write_file("b", b"2", replace=False, subject="x", errors=ERRORS, directory=keys)
    write_file("c", b"3", replace=False, subject="x", errors=ERRORS)
    os.close(keys)
    os.close(tmp)

    assert (tmp_path / "keys/a").read_bytes() == b"1"
    assert (tmp_path / "keys/b").read_bytes() == b"2"
    assert (tmp_path / "c").read_bytes() == b"3"
    assert os.listdir(tmp_path / "tmp") == []
    assert sorted(os.listdir(tmp_path / "keys")) == ["a", "b"]


@pytest.mark.parametrize("kind", ["file", "link", "dangling-link", "directory"])
def test_what_exists_is_not_replaced_unasked(tmp_path: Path, kind: str) -> None:
    """Anything that has the name refuses the write, and nothing is left beside it; a link is never followed."""
    path, target = tmp_path / "key", tmp_path / "target"
    if kind == "file":
        path.write_bytes(b"before")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(target)
    if kind == "link":
        target.write_bytes(b"theirs")
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(FileExistsError):
        write_file(str(path), b"x", replace=False, subject="x", errors=ERRORS)

    assert sorted(os.listdir(tmp_path)) == before
    if kind != "directory":
        write_file(str(path), b"mine", replace=True, subject="x", errors=ERRORS)
        assert (path.is_symlink(), path.read_bytes(), sorted(os.listdir(tmp_path))) == (False, b"mine", before)
    if kind == "link":
        assert target.read_bytes() == b"theirs"


def test_another_process_may_remove_the_temporary_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is left between two steps may be removed by any finder; the file is written all the same."""
    real = os.link

    def link(source: str, target: str, **more: Any) -> None:
        real(source, target, **more)
        os.unlink(source)

    monkeypatch.setattr(os, "link", link)

    write_file(str(tmp_path / "key"), b"x", replace=False, subject="x", errors=ERRORS)

    assert os.listdir(tmp_path) == ["key"]


STEPS = {
    "create": ("open", 0, "create"),
    "mode": ("fchmod", 0, "create"),
    "write": ("write", 0, "write"),
    "time": ("utime", 0, "write"),
    "sync": ("fsync", 0, "sync"),
    "close": ("close", 0, "write"),
    "rename": ("rename", 0, "write"),
    "open the directory": ("open", 1, "finish"),
    "sync the directory": ("fsync", 1, "finish"),
}


@contextmanager
def failing(name: str, number: int, error: BaseException | None = None) -> Iterator[None]:
    """Meanwhile the call with this number of a function of `os` fails, after it closed what it was to close."""
    real: Callable[..., object] = getattr(os, name)
    left = number

    def call(*arguments: object, **more: object) -> object:
        nonlocal left
        left -= 1
        if left == -1:
            if name == "close":
                real(*arguments)
            raise error or OSError(errno.EIO, "injected")
        return real(*arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, call)
        yield


@cases(("call", "number", "step"), STEPS)
def test_each_step_has_its_error(tmp_path: Path, call: str, number: int, step: str) -> None:
    """A step that fails raises its error; the file is as before until the last step, and nothing is left beside it.

    Without a table for it, the caller gets what the system says; Ctrl-C at any step leaves nothing either.
    """
    path = tmp_path / "key"
    path.write_bytes(b"before")
    before = len(os.listdir("/dev/fd"))

    def write(errors: WriteErrors) -> None:
        write_file(str(path), b"after", replace=True, subject="x", errors=errors, time_ns=1)

    with failing(call, number), pytest.raises(KeywrightError, match=f"^x: {step}$"):
        write(ERRORS)

    assert path.read_bytes() == (b"after" if step == "finish" else b"before")
    with failing(call, number), pytest.raises(OSError, match="injected"):
        write(WriteErrors())
    with failing(call, number, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        write(ERRORS)
    assert os.listdir(tmp_path) == ["key"]
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("replace", [False, True])
def test_a_signal_at_any_moment_leaves_the_old_file_or_the_new(tmp_path: Path, replace: bool) -> None:
    """Whatever instruction a handler raises at, no temporary file stays and nothing is written in part."""
    path = tmp_path / "file"
    code = write_file.__code__.co_filename

    def raise_at(moment: int) -> bool:
        """Write, with a signal handler that raises at that instruction; whether there are so many."""
        count = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal count
            if frame.f_code.co_filename != code:
                return None
            frame.f_trace_opcodes = True
            count += event == "opcode"
            if event == "opcode" and count == moment:
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            write_file(str(path), b"new", replace=replace, subject="s", errors=ERRORS)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    moment = 1
    while True:
        path.unlink(missing_ok=True)
        if replace:
            path.write_bytes(b"old")
        if not raise_at(moment):
            break
        assert [file.read_bytes() for file in tmp_path.iterdir()] in ([b"new"], [b"old"] if replace else []), moment
        moment += 1
    assert moment > 100


def test_a_new_file_stays_or_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written whole, though the system takes it in parts; it stays, or goes if its block fails."""
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
        with NewFile(str(tmp_path / "stays")) as file:
            file.write(b"0123456789")
            assert file.sync().st_size == 10
    with pytest.raises(KeyError), NewFile(str(tmp_path / "goes")):
        raise KeyError
    with pytest.raises(FileExistsError):
        NewFile(str(tmp_path / "stays"))

    assert os.listdir(tmp_path) == ["stays"]
    assert (tmp_path / "stays").read_bytes() == b"0123456789"


@cases(
    ("replace", "calls"),
    {
        "replace": (True, ["open", "fchmod", "write", "fsync", "rename", "open", "fsync"]),
        "new": (False, ["open", "fchmod", "write", "fsync", "link", "unlink", "open", "fsync"]),
    },
)
def test_the_order_of_the_system_calls(tmp_path: Path, replace: bool, calls: list[str]) -> None:
    """The bytes are on the medium before the name leads to them, and the directory is synced after that."""
    seen: list[str] = []

    def spy(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **more: object) -> object:
            seen.append(name)
            return real(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in {*calls}:
            patch.setattr(os, name, spy(name, getattr(os, name)))
        write_file(str(tmp_path / "key"), b"x", replace=replace, subject="x", errors=WriteErrors())

    assert seen == calls


@pytest.mark.usefixtures("umask")
def test_directories_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    """Missing directories are made with mode 0700 under any umask; those that exist stay as they are."""
    path = tmp_path / "old" / "one" / "two"
    (tmp_path / "old").mkdir()
    (tmp_path / "old").chmod(0o750)

    for _ in range(2):
        make_directories(str(path), subject="x", unsynced=SHORT)
    make_directory(str(tmp_path / "old"))

    modes = [stat.S_IMODE(directory.stat().st_mode) for directory in (path.parents[1], path.parents[0], path)]
    assert modes == [0o750, 0o700, 0o700]


@pytest.mark.parametrize("path", ["one", "one/two", "one/two/"])
def test_directories_of_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)

    make_directories(path, subject="x", unsynced=SHORT)

    assert (tmp_path / path).is_dir()


def test_a_directory_that_is_not_synced(tmp_path: Path) -> None:
    """An entry that the system does not confirm is an error in the caller's words."""
    with failing("fsync", 0), pytest.raises(DurabilityError, match=r"^x: unknown$"):
        make_directories(str(tmp_path / "new"), subject="x", unsynced=SHORT)


def test_directories_that_are_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that the system does not confirm is an error in the caller's words; an empty path is where one is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    sync_directory("")
    with pytest.raises(NotADirectoryError):
        sync_directory("file")
    with failing("fsync", 0), refuses(DurabilityError, "x: unknown"):
        make_directories(str(tmp_path / "new"), subject="x", unsynced=SHORT)


# --- Locks ---


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


def use(path: Path, work: Callable[[], object], *, patience: float = 0, shared: bool = False) -> object:
    with path.open("rb") as file:
        return locked(file.fileno(), work, patience=patience, busy="busy", hint="wait", shared=shared)


@pytest.mark.parametrize("shared", [False, True])
def test_a_lock_keeps_others_out(lock_file: Path, shared: bool) -> None:
    """While work is done under a lock, another open file waits in vain, unless both share; afterwards it is free."""

    def nested() -> object:
        with refuses(StoreUnavailableError, "busy; wait"):
            use(lock_file, lambda: None)
        if shared:
            return use(lock_file, lambda: "done", shared=True)
        with refuses(StoreUnavailableError, "busy; wait"):
            use(lock_file, lambda: None, patience=0.05, shared=True)
        return "done"

    assert use(lock_file, nested, shared=shared) == "done"
    assert use(lock_file, lambda: "free") == "free"


def test_a_lock_is_waited_for(lock_file: Path) -> None:
    """Who has patience gets the lock once it is released."""
    held = Event()

    def hold() -> None:
        held.set()
        sleep(0.02)

    thread = Thread(target=use, args=(lock_file, hold))
    thread.start()
    held.wait(60)

    assert use(lock_file, lambda: "mine", patience=60) == "mine"
    thread.join()


def test_waiting_takes_little(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is asked for again after half a millisecond, then after twice as long, up to ten."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        sleep(seconds)

    def nested() -> None:
        monkeypatch.setattr("keywright.files.time.sleep", pause)
        with pytest.raises(StoreUnavailableError):
            use(lock_file, lambda: None, patience=0.1)

    use(lock_file, nested)

    assert len(pauses) > 5
    assert pauses == pytest.approx([0.0005, 0.001, 0.002, 0.004, 0.008, *[0.01] * len(pauses)][: len(pauses)])


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, OSError])
def test_an_error_releases_the_lock(lock_file: Path, error: type[BaseException]) -> None:
    """However the work ends, nothing stays locked, and the error is the work's."""

    def fail() -> None:
        raise error("mine")

    with lock_file.open("rb") as file:
        with pytest.raises(error, match="mine"):
            locked(file.fileno(), fail, patience=0, busy="busy", hint="wait")
        assert use(lock_file, lambda: "free") == "free"


def test_a_child_of_a_fork_does_not_keep_the_lock(lock_file: Path) -> None:
    """A lock is released even though a child that was forked meanwhile still has the file open."""
    children: list[tuple[int, int]] = []

    def fork() -> None:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        os.close(reading)
        children.append((child, writing))

    use(lock_file, fork)

    try:
        assert use(lock_file, lambda: "free") == "free"
    finally:
        child, writing = children[0]
        os.close(writing)
        os.waitpid(child, 0)


def test_a_failed_unlock_takes_nothing_back(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done under the lock is done; closing the file releases it too."""
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN:
            raise OSError(errno.EIO, "")
        real(descriptor, operation)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        assert use(lock_file, lambda: "done") == "done"
    assert use(lock_file, lambda: "free") == "free"


def test_systems_without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there are locks can be asked for."""
    assert has_locks()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert not has_locks()


def test_importing_it_loads_little() -> None:
    """A plugin that imports it at its start pays for nothing but what `keywright` needs anyway."""
    script = (
        "import sys, keywright.files; "
        "print(*sorted({'fcntl', 'threading', 'tempfile', 'pathlib', 'dataclasses', 'inspect'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("\n", "")
