"""`write_file`: owner-only from the first byte, never over something unasked. Real files throughout."""

from __future__ import annotations

import os
import resource
import socket
import stat
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keywright.cli.io import write_file
from keywright.errors import ConfigError, KeyExistsError, KeywrightError
from keywright.secret import Secret
from keywright.testing import assert_hidden, traceback_with_locals

_SECRET = Secret(b"canary-7f3b-sings-not")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def _in_child(act: Callable[[], None]) -> str:
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


def _as_nobody(act: Callable[[], None]) -> str:
    """As `_in_child`, as a user who owns nothing."""

    def drop_and_act() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65_534, 65_534, 65_534)
            os.setresuid(65_534, 65_534, 65_534)
        act()

    return _in_child(drop_and_act)


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """A directory that others may pass through."""
    directory = tmp_path
    while directory != directory.parent and directory.stat().st_uid == os.geteuid() and directory.name:
        directory.chmod(directory.stat().st_mode | 0o011)
        directory = directory.parent
    return tmp_path


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("data", [b"", b"\0\xff", bytes(range(256)) * 1024], ids=["empty", "two bytes", "256 KiB"])
def test_a_new_file_is_the_owners_alone(tmp_path: Path, data: bytes) -> None:
    """A new file has the bytes and mode 0600 under a umask of 000, and nothing is left beside it."""
    path = tmp_path / "key"

    write_file(str(path), data, force=False)

    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert os.listdir(tmp_path) == ["key"]


def test_a_secret_is_written_as_it_is(tmp_path: Path) -> None:
    """A Secret may be given unrevealed."""
    write_file(str(tmp_path / "key"), _SECRET, force=False)

    assert (tmp_path / "key").read_bytes() == _SECRET.reveal()


def test_a_relative_path_is_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare file name goes into the current directory."""
    monkeypatch.chdir(tmp_path)

    write_file("key", b"data", force=False)

    assert (tmp_path / "key").read_bytes() == b"data"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    """A name of 255 bytes, the most that file systems take, is no trouble."""
    path = tmp_path / ("k" * 255)

    write_file(str(path), b"data", force=False)

    assert path.read_bytes() == b"data"


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    """Without force, an existing file is refused and stays as it is."""
    path = tmp_path / "key"
    path.write_bytes(b"before")

    with pytest.raises(KeyExistsError) as caught:
        write_file(str(path), _SECRET, force=False)

    assert str(caught.value) == f"{path}: exists already and is not overwritten; choose another path, or say --force"
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.usefixtures("open_umask")
def test_force_replaces_an_open_file_by_an_owners_own(tmp_path: Path) -> None:
    """With force, a world-readable file becomes 0600, and who has the old one open sees nothing of the new."""
    path = tmp_path / "key"
    path.write_bytes(b"before")
    path.chmod(0o666)
    with path.open("rb") as reader:
        write_file(str(path), _SECRET, force=True)

        assert reader.read() == b"before"
    assert path.read_bytes() == _SECRET.reveal()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, target: str) -> None:
    """Without force, a link counts as something that is there, wherever it points to."""
    (tmp_path / "there").write_bytes(b"before")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)

    with pytest.raises(KeyExistsError) as caught:
        write_file(str(link), _SECRET, force=False)

    assert str(caught.value) == f"{link}: exists already and is not overwritten; choose another path, or say --force"
    assert (tmp_path / "there").read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["link", "there"]


def test_force_replaces_the_link_itself(tmp_path: Path) -> None:
    """With force, the link makes way for a file, and what it pointed to stays as it is."""
    (tmp_path / "target").write_bytes(b"before")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")

    write_file(str(link), b"after", force=True)

    assert not link.is_symlink()
    assert link.read_bytes() == b"after"
    assert (tmp_path / "target").read_bytes() == b"before"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["directory", "fifo", "socket"])
def test_what_is_no_file_is_left_alone(tmp_path: Path, kind: str, force: bool) -> None:
    """A directory, fifo or socket is refused, with force too."""
    path = tmp_path / "it"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    before = path.lstat().st_ino

    with pytest.raises(ConfigError) as caught:
        write_file(str(path), _SECRET, force=force)

    assert str(caught.value) == (
        f"{path}: is no regular file; choose another path, or leave -o out to print the result"
    )
    assert path.lstat().st_ino == before


@pytest.mark.parametrize("force", [False, True])
def test_a_device_is_refused(force: bool) -> None:
    """`/dev/full` is no place for a key, and stays a device with force too."""
    with pytest.raises(ConfigError) as caught:
        write_file("/dev/full", _SECRET, force=force)

    assert str(caught.value) == (
        "/dev/full: is no regular file; choose another path, or leave -o out to print the result"
    )
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """A directory is not made by the way."""
    path = tmp_path / "missing" / "key"

    with pytest.raises(ConfigError) as caught:
        write_file(str(path), _SECRET, force=False)

    assert str(caught.value) == f"{path}: its directory does not exist; make it first"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("force", [False, True])
def test_an_empty_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool) -> None:
    """An empty path is refused before anything is written."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    with pytest.raises(ConfigError) as caught:
        write_file("", _SECRET, force=force)

    assert str(caught.value) == "the output path is empty; name a file, or leave -o out to print the result"
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        pytest.param("new/", "names a directory; name a file in it", id="slash"),
        pytest.param("new/.", "its directory does not exist; make it first", id="slash and dot"),
        pytest.param("new/../key", "its directory does not exist; make it first", id="through what is not there"),
    ],
)
def test_a_path_of_a_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, rule: str
) -> None:
    """A path that only a directory could have, or that leads through a missing one, is refused; nothing is made."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError) as caught:
        write_file(name, _SECRET, force=False)

    assert str(caught.value) == f"{name}: {rule}"
    assert os.listdir(tmp_path) == []


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    """A path that leads through a file is refused with what the system says."""
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "key"

    with pytest.raises(ConfigError) as caught:
        write_file(str(path), _SECRET, force=False)

    assert str(caught.value) == f"{path}: cannot be an output file (Not a directory); choose another path"


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """A name of 256 bytes is refused with what the system says."""
    path = tmp_path / ("k" * 256)

    with pytest.raises(ConfigError) as caught:
        write_file(str(path), _SECRET, force=False)

    assert str(caught.value) == f"{path}: cannot be an output file (File name too long); choose another path"


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=["NUL", "half a character"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    """Characters that no file name can hold are refused, and not repeated."""
    with pytest.raises(ConfigError) as caught:
        write_file(os.path.join(tmp_path, name), _SECRET, force=False)

    assert str(caught.value) == "the output path holds a character that no file name can; choose another path"


def test_a_directory_that_is_not_ours_is_refused(reachable: Path) -> None:
    """A user who may not write in the directory is told so, and nothing appears in it."""
    directory = reachable / "locked"
    directory.mkdir()
    directory.chmod(0o555)
    path = directory / "key"

    outcome = _as_nobody(lambda: write_file(str(path), _SECRET, force=False))

    assert outcome == f"AccessDeniedError: {path}: cannot be created (Permission denied); choose another directory"
    assert os.listdir(directory) == []


def test_a_directory_that_is_not_to_be_entered_is_refused(reachable: Path) -> None:
    """A user who may not even look is told so."""
    directory = reachable / "closed"
    directory.mkdir()
    directory.chmod(0o000)
    path = directory / "key"

    outcome = _as_nobody(lambda: write_file(str(path), _SECRET, force=False))

    directory.chmod(0o700)
    assert outcome == f"ConfigError: {path}: cannot be an output file (Permission denied); choose another path"


def test_a_file_of_somebody_else_is_not_replaced_in_a_sticky_directory(reachable: Path) -> None:
    """With force, what the system will not replace stays, and no temporary file does."""
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    directory = reachable / "sticky"
    directory.mkdir()
    directory.chmod(0o1777)
    path = directory / "key"
    path.write_bytes(b"before")

    outcome = _as_nobody(lambda: write_file(str(path), _SECRET, force=True))

    assert outcome == (
        f"StoreUnavailableError: {path}: cannot be written (Operation not permitted); nothing was left there"
    )
    assert path.read_bytes() == b"before"
    assert os.listdir(directory) == ["key"]


@pytest.mark.parametrize("force", [False, True])
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, force: bool) -> None:
    """When the medium takes no more, neither the file nor a piece of it stays."""
    path = tmp_path / "key"

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        write_file(str(path), b"x" * 10_000, force=force)

    outcome = _in_child(write_too_much)

    assert outcome == f"StoreUnavailableError: {path}: cannot be written (File too large); nothing was left there"
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_opened_for_other_reasons_is_told_apart(tmp_path: Path) -> None:
    """When the process has no descriptor left, that is not a matter of permission."""
    path = tmp_path / "key"

    def write_without_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        write_file(str(path), b"x", force=False)

    outcome = _in_child(write_without_descriptors)

    assert outcome == (
        f"StoreUnavailableError: {path}: cannot be created (Too many open files); choose another directory"
    )


def test_no_refusal_shows_the_data(tmp_path: Path) -> None:
    """Neither message nor locals of a refusal show what was to be written."""
    (tmp_path / "key").write_bytes(b"before")

    for path, error in ((tmp_path / "key", KeyExistsError), (tmp_path / "no" / "key", ConfigError)):
        with pytest.raises(error) as caught:
            write_file(str(path), _SECRET, force=False)
        assert_hidden(_SECRET, traceback_with_locals(caught.value))


def test_interrupted_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of writing takes the temporary file away and stays Ctrl-C."""

    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)

    with pytest.raises(KeyboardInterrupt):
        write_file(str(tmp_path / "key"), b"data", force=False)

    assert os.listdir(tmp_path) == []
