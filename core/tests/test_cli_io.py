"""Files that take a result, and Ctrl-C between the steps of a long command. Real files and signals throughout."""

from __future__ import annotations

import errno
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
from support.errors import text_of

from keywright.cli.io import in_whole_steps, write_file
from keywright.errors import ConfigError, DurabilityError, KeyExistsError, KeywrightError
from keywright.secret import Secret
from keywright.testing import assert_hidden, traceback_with_locals

SECRET = Secret(b"canary-7f3b-sings-not")
EXISTS = "{}: already exists; pass --force to replace it, or choose another path"
NOT_A_FILE = "{}: is not a regular file; choose another path, or leave -o out to print the result"
NO_DIRECTORY = 'directory "{folder}" does not exist; run `mkdir -p {folder}`'
NO_PLACE = "{}: cannot be an output file ({}); choose another path"
CHARACTER = "the output path contains an invalid character; choose another path"


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


def contents(directory: Path) -> dict[str, tuple[int, int, int]]:
    """The entries of a directory: file number, size and time of change by name."""
    return {
        entry.name: (entry.inode(), entry.stat(follow_symlinks=False).st_size, entry.stat().st_mtime_ns)
        for entry in os.scandir(directory)
        if entry.name != "dangling"
    }


@pytest.mark.parametrize("name", ["key", "k" * 255], ids=["short", "longest"])
@pytest.mark.parametrize("force", [False, True])
def test_a_new_file_is_the_owners_alone(tmp_path: Path, name: str, force: bool) -> None:
    """It has the bytes and mode 0600, and nothing lies beside it."""
    path = tmp_path / name

    write_file(str(path), SECRET, force=force)

    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (SECRET.reveal(), 0o600)
    assert os.listdir(tmp_path) == [name]


NO_FILES = {
    "directory": ("directory", NOT_A_FILE),
    "fifo": ("fifo", NOT_A_FILE),
    "socket": ("socket", NOT_A_FILE),
    "device": ("/dev/full", NOT_A_FILE),
    "no directory": ("missing/key", NO_DIRECTORY),
    "no directory, dot": ("missing/.", NO_DIRECTORY),
    "through no directory": ("missing/../key", NO_DIRECTORY),
    "slash": ("missing/", "{}: is a directory; pass the path of a file in it"),
    "through a file": ("file/key", NO_PLACE.format("{}", "Not a directory")),
    "a name too long": ("k" * 256, NO_PLACE.format("{}", "File name too long")),
    "NUL": ("a\0b", CHARACTER),
    "half a character": ("a\ud800b", CHARACTER),
    "empty": ("", "the output path is empty; pass a path, or leave -o out to print the result"),
}
REFUSED = [
    *(pytest.param(name, False, KeyExistsError, EXISTS, id=name) for name in ("file", "link", "dangling")),
    *(pytest.param(path, False, ConfigError, message, id=words) for words, (path, message) in NO_FILES.items()),
    *(
        pytest.param(path, True, ConfigError, message, id=f"{words}-force")
        for words, (path, message) in NO_FILES.items()
    ),
]


@pytest.mark.parametrize(("path", "force", "error", "message"), REFUSED)
def test_what_cannot_be_written_to_is_left_alone(
    place: Path, path: str, force: bool, error: type[KeywrightError], message: str
) -> None:
    """It is refused, what is neither file nor link with `force` too; nothing is made or changed, and no data shown."""
    before = contents(place)

    with pytest.raises(error) as caught:
        write_file(path, SECRET, force=force)

    assert text_of(caught.value) == message.format(path, folder=os.path.dirname(path))
    assert contents(place) == before
    assert_hidden(SECRET, traceback_with_locals(caught.value))


@pytest.mark.parametrize("name", ["file", "link"])
def test_force_replaces_what_has_the_name(place: Path, name: str) -> None:
    """It becomes a file of the owner's own; what a link pointed to, or an open file, stays as it is."""
    before = sorted(os.listdir())
    with Path("file").open("rb") as reader:
        write_file(name, SECRET, force=True)

        assert reader.read() == b"before"
    assert not Path(name).is_symlink()
    assert (Path(name).read_bytes(), stat.S_IMODE(Path(name).stat().st_mode)) == (SECRET.reveal(), 0o600)
    assert Path("file").read_bytes() == (SECRET.reveal() if name == "file" else b"before")
    assert sorted(os.listdir()) == before


def in_child(prepare: Callable[[], None], path: Path, *, force: bool) -> str:
    """The error of writing a file in a child process that has called `prepare`: `CLASS: MESSAGE`, or `""`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prepare()
            write_file(str(path), SECRET, force=force)
            text = ""
        except KeywrightError as error:
            text = f"{type(error).__name__}: {text_of(error)}"
        except BaseException:
            text = traceback.format_exc()
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


def become_another_user() -> None:
    """Be a user who owns nothing, if this user may."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(65_534, 65_534, 65_534)
        os.setresuid(65_534, 65_534, 65_534)


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

    error = in_child(become_another_user, directory / "key", force=False)

    directory.chmod(0o700)
    assert error == outcome.format(directory / "key")
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

    error = in_child(become_another_user, path, force=True)

    assert (
        error == f"StoreUnavailableError: {path}: cannot be written (Operation not permitted), nothing was left there"
    )
    assert (path.read_bytes(), os.listdir(directory)) == (b"before", ["key"])


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("limit", "most", "problem"),
    [
        (resource.RLIMIT_FSIZE, 16, "cannot be written (File too large), nothing was left there"),
        (resource.RLIMIT_NOFILE, 3, "cannot be created (Too many open files); choose another directory"),
    ],
    ids=["full", "no descriptor"],
)
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, force: bool, limit: int, most: int, problem: str) -> None:
    """Neither the file nor a piece of it stays, and that is not a matter of permission."""
    path = tmp_path / "key"

    error = in_child(lambda: resource.setrlimit(limit, (most, most)), path, force=force)

    assert error == f"StoreUnavailableError: {path}: {problem}"
    assert os.listdir(tmp_path) == []


def test_a_file_that_the_disk_may_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If its directory is not synced, the file is there and the message says so."""

    def fail(_path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("keywright.files.sync_directory", fail)
    path = tmp_path / "key"

    with pytest.raises(DurabilityError) as caught:
        write_file(str(path), b"data", force=False)

    assert path.read_bytes() == b"data"
    assert text_of(caught.value) == (
        f"{path}: written, but the system did not confirm that it is on the disk (Input/output error); check the disk"
    )


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
def test_a_handler_of_the_program_stays() -> None:
    """A program that ignores Ctrl-C still ignores it."""
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

    assert (done, signal.getsignal(signal.SIGINT)) == (["print"], signal.default_int_handler)
