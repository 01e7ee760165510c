"""Files that take a result, and Ctrl-C between the steps of a long command. Real files and signals throughout."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keywright.cli.io import in_whole_steps, write_file
from keywright.errors import ConfigError, KeyExistsError, KeywrightError
from keywright.secret import Secret
from keywright.testing import assert_hidden, traceback_with_locals

SECRET = Secret(b"canary-7f3b-sings-not")
EXISTS = "{}: exists already and is not overwritten; choose another path, or say --force"
NOT_A_FILE = "{}: is no regular file; choose another path, or leave -o out to print the result"
NO_DIRECTORY = "{}: its directory does not exist; make it first"
NO_PLACE = "{}: cannot be an output file ({}); choose another path"
CHARACTER = "the output path holds a character that no file name can; choose another path"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, where something of each kind lies."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"before")
    Path("file").chmod(0o666)
    Path("link").symlink_to("file")
    Path("dangling").symlink_to("missing")
    Path("directory").mkdir()
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    return tmp_path


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def contents(directory: Path) -> dict[str, tuple[int, int, int]]:
    """What lies in a directory: file number, size and time of change by name."""
    return {
        entry.name: (entry.inode(), entry.stat(follow_symlinks=False).st_size, entry.stat().st_mtime_ns)
        for entry in os.scandir(directory)
        if entry.name != "dangling"
    }


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("data", [b"", b"\0\xff", bytes(range(256)) * 1024], ids=["empty", "two bytes", "256 KiB"])
def test_a_new_file_is_the_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, force: bool
) -> None:
    """It has the bytes and mode 0600 under a umask of 000; a Secret may be given unrevealed; nothing lies beside it."""
    monkeypatch.chdir(tmp_path)

    write_file("key", data, force=force)
    write_file(f"{tmp_path}/{'k' * 255}", Secret(data), force=force)  # the longest name that there is

    assert sorted(os.listdir()) == ["key", "k" * 255]
    for path in map(Path, os.listdir()):
        assert path.read_bytes() == data
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_nlink) == (0o600, 1)


@pytest.mark.parametrize(
    ("path", "force", "error", "message"),
    [
        *(pytest.param(name, False, KeyExistsError, EXISTS, id=name) for name in ("file", "link", "dangling")),
        *(
            pytest.param(path, force, ConfigError, message, id=f"{words}-force" if force else words)
            for force in (False, True)
            for words, path, message in (
                ("directory", "directory", NOT_A_FILE),
                ("fifo", "fifo", NOT_A_FILE),
                ("socket", "socket", NOT_A_FILE),
                ("device", "/dev/full", NOT_A_FILE),
                ("no directory", "missing/key", NO_DIRECTORY),
                ("no directory, dot", "missing/.", NO_DIRECTORY),
                ("through no directory", "missing/../key", NO_DIRECTORY),
                ("slash", "missing/", "{}: names a directory; name a file in it"),
                ("through a file", "file/key", NO_PLACE.format("{}", "Not a directory")),
                ("a name too long", "k" * 256, NO_PLACE.format("{}", "File name too long")),
                ("NUL", "a\0b", CHARACTER),
                ("half a character", "a\ud800b", CHARACTER),
                ("empty", "", "the output path is empty; name a file, or leave -o out to print the result"),
            )
        ),
    ],
)
def test_what_cannot_be_written_to_is_left_alone(
    place: Path, path: str, force: bool, error: type[KeywrightError], message: str
) -> None:
    """It is refused, what is neither file nor link with `force` too; nothing is made or changed, and no data shown."""
    before = contents(place)

    with pytest.raises(error) as caught:
        write_file(path, SECRET, force=force)

    assert str(caught.value) == message.format(path)
    assert contents(place) == before
    assert_hidden(SECRET, traceback_with_locals(caught.value))


def test_force_replaces_a_file(place: Path) -> None:
    """A file that others may read becomes the owner's own, and who has the old one open sees nothing of the new."""
    before = sorted(os.listdir())
    with Path("file").open("rb") as reader:
        write_file("file", SECRET, force=True)

        assert reader.read() == b"before"
    assert Path("file").read_bytes() == SECRET.reveal()
    assert stat.S_IMODE(Path("file").stat().st_mode) == 0o600
    assert sorted(os.listdir()) == before


def test_force_replaces_the_link_itself(place: Path) -> None:
    """The link makes way for a file, and what it pointed to stays as it is."""
    write_file("link", b"after", force=True)

    assert not Path("link").is_symlink()
    assert (Path("link").read_bytes(), Path("file").read_bytes()) == (b"after", b"before")


def in_child(act: Callable[[], None]) -> str:
    """What `act` raises in a process of its own: `CLASS: MESSAGE`, or `""`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            act()
            text = ""
        except KeywrightError as error:
            text = f"{type(error).__name__}: {error}"
        except BaseException:
            text = traceback.format_exc()
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


def as_nobody(path: Path, *, force: bool) -> str:
    """What writing a file raises for a user who owns nothing."""

    def drop_and_write() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65_534, 65_534, 65_534)
            os.setresuid(65_534, 65_534, 65_534)
        write_file(str(path), SECRET, force=force)

    return in_child(drop_and_write)


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """A directory that others may pass through."""
    directory = tmp_path
    while directory != directory.parent and directory.stat().st_uid == os.geteuid() and directory.name:
        directory.chmod(directory.stat().st_mode | 0o011)
        directory = directory.parent
    return tmp_path


DENIED = "AccessDeniedError: {}: cannot be created (Permission denied); choose another directory"
UNSEEN = "ConfigError: {}: cannot be an output file (Permission denied); choose another path"


@pytest.mark.parametrize(("mode", "outcome"), [(0o555, DENIED), (0o000, UNSEEN)], ids=["no writing", "no looking"])
def test_a_directory_that_is_not_ours_is_refused(reachable: Path, mode: int, outcome: str) -> None:
    """Nothing appears in it."""
    directory = reachable / "directory"
    directory.mkdir(mode)

    told = as_nobody(directory / "key", force=False)

    directory.chmod(0o700)
    assert told == outcome.format(directory / "key")
    assert os.listdir(directory) == []


def test_a_file_of_another_user_is_not_replaced_in_a_sticky_directory(reachable: Path) -> None:
    """With force, what the system will not replace stays, and no temporary file does."""
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    directory = reachable / "sticky"
    directory.mkdir()
    directory.chmod(0o1777)
    path = directory / "key"
    path.write_bytes(b"before")

    told = as_nobody(path, force=True)

    assert told == f"StoreUnavailableError: {path}: cannot be written (Operation not permitted); nothing was left there"
    assert (path.read_bytes(), os.listdir(directory)) == (b"before", ["key"])


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("limit", "most", "problem"),
    [
        (resource.RLIMIT_FSIZE, 4096, "cannot be written (File too large); nothing was left there"),
        (resource.RLIMIT_NOFILE, 3, "cannot be created (Too many open files); choose another directory"),
    ],
    ids=["full", "no descriptor"],
)
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, force: bool, limit: int, most: int, problem: str) -> None:
    """Neither the file nor a piece of it stays, and that is not a matter of permission."""
    path = tmp_path / "key"

    def write_under_limit() -> None:
        resource.setrlimit(limit, (most, most))
        write_file(str(path), b"x" * 10_000, force=force)

    assert in_child(write_under_limit) == f"StoreUnavailableError: {path}: {problem}"
    assert os.listdir(tmp_path) == []


def test_interrupted_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of writing takes the temporary file away and stays Ctrl-C."""

    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)

    with pytest.raises(KeyboardInterrupt):
        write_file(str(tmp_path / "key"), b"data", force=False)

    assert os.listdir(tmp_path) == []


@pytest.fixture
def handler() -> Iterator[None]:
    """A shell that runs the tests in the background has them ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize(
    ("line", "done"),
    [
        pytest.param("[count ! print] [count print] work", ["count", "print"], id="within a step"),
        pytest.param("[count print] ! work", ["count", "print"], id="between two steps"),
        pytest.param("[count ! print ! hang] work", ["count", "print"], id="twice within a step"),
    ],
)
def test_ctrl_c_leaves_a_step_whole(line: str, done: list[str]) -> None:
    """A step comes to its end and nothing begins after it; between steps, and the second time, it is heard at once."""
    found: list[str] = []

    def work() -> None:
        with in_whole_steps() as step:
            for part in line.split():
                if part.startswith("["):
                    step.__enter__()
                if part == "!":
                    signal.raise_signal(signal.SIGINT)
                else:
                    found.append(part.strip("[]"))
                if part.endswith("]"):
                    step.__exit__(None, None, None)

    with pytest.raises(KeyboardInterrupt):
        work()

    assert found == done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("handler")
def test_an_error_of_the_step_is_not_lost() -> None:
    """It is the context of the interrupt."""

    def work() -> None:
        with in_whole_steps() as step, step:
            signal.raise_signal(signal.SIGINT)
            raise ValueError("of the step")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()

    assert repr(caught.value.__context__) == "ValueError('of the step')"


@pytest.mark.usefixtures("handler")
def test_the_way_of_a_program_stays() -> None:
    """A program that ignores Ctrl-C goes on ignoring it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with in_whole_steps() as step, step:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.raise_signal(signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("handler")
def test_outside_the_main_thread_it_does_nothing() -> None:
    """Only the main thread may have handlers."""
    done: list[str] = []

    def work() -> None:
        with in_whole_steps() as step, step:
            done.append("print")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert done == ["print"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
