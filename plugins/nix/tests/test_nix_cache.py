"""The narinfos of a cache: which places are one, what is listed, and who may write."""

from __future__ import annotations

import os
import signal
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest
from nix_signing import MakeCache, refusal

from keywright.errors import AccessDeniedError, ConfigError, StoreUnavailableError
from keywright_nix.cache import Cache, find_caches, temporary


def found(*targets: str) -> list[tuple[str, object]]:
    """Directory and names of what is found."""
    return [(cache.directory, cache.named) for cache in find_caches(targets)]


@pytest.mark.parametrize(
    ("target", "directory"),
    [
        pytest.param("cache", "cache", id="relative"),
        pytest.param("/srv/cache/", "/srv/cache", id="slash at the end"),
        pytest.param("/", "/", id="root"),
        pytest.param("file:///srv/cache", "/srv/cache", id="URL"),
        pytest.param("file://localhost/srv/cache/", "/srv/cache", id="URL with a host"),
        pytest.param("file:///srv/a%20cache?compression=zstd", "/srv/a cache", id="URL with escapes and a query"),
        pytest.param("file:///srv/%ff", "/srv/\udcff", id="URL that is not UTF-8"),
    ],
)
def test_directories(target: str, directory: str) -> None:
    """A directory is named by its path or a file:// URL."""
    assert found(target) == [(directory, None)]


def test_single_files(make_cache: MakeCache) -> None:
    """Files of one directory make one cache, each once, and none if the directory is named too."""
    cache = str(make_cache())

    assert found("a.narinfo", f"{cache}/x.narinfo", "b.narinfo", "a.narinfo") == [
        (".", ("a.narinfo", "b.narinfo")),
        (cache, ("x.narinfo",)),
    ]
    assert found(f"{cache}/x.narinfo", cache, f"{cache}/y.narinfo") == [(cache, None)]


@pytest.mark.parametrize("first", range(5))
def test_a_place_by_several_paths(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """A directory that is named in several ways is one cache, and called as it was first."""
    cache = make_cache()
    (cache.parent / "link").symlink_to("cache")
    monkeypatch.chdir(cache)
    paths = [str(cache), f"{cache}//", str(cache.parent / "link"), ".", f"{cache.parent}/link/../cache"]
    given = [*paths[first:], *paths[:first], f"file://{cache.parent}/link"]

    assert found(*given) == [(given[0].rstrip("/"), None)]
    assert found(f"{given[0]}/x.narinfo", *(f"{path}/y.narinfo" for path in given)) == [
        (given[0].rstrip("/"), ("x.narinfo", "y.narinfo"))
    ]
    assert found(f"{given[1]}/x.narinfo", given[0]) == [(given[1].rstrip("/"), None)]


def test_a_directory_that_is_called_as_a_file(tmp_path: Path) -> None:
    """What ends in .narinfo and is a directory counts as one."""
    (tmp_path / "x.narinfo").mkdir()

    assert found(str(tmp_path / "x.narinfo")) == [(str(tmp_path / "x.narinfo"), None)]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param(
            "",
            "the path of the binary cache is empty; name a directory, a file:// URL or a narinfo",
            id="empty",
        ),
        *(
            pytest.param(
                target,
                "a binary cache is reached as a directory or by a file:// URL alone; copy it here, and back when it "
                "is done",
                id=target,
            )
            for target in ("https://cache.example.org", "s3://cache", "file://elsewhere/srv", "file://", "http://[")
        ),
        pytest.param("file:///srv/%00", "the path of the binary cache holds a zero byte; correct it", id="zero byte"),
        pytest.param(
            f"cache-1:{'A' * 86}==",
            "CACHE is the path of a binary cache, and this looks like a key; name a directory",
            id="a key",
        ),
    ],
)
def test_what_is_no_place(target: str, message: str) -> None:
    """What cannot be a cache on a file system is refused before anything is done."""
    with refusal(ConfigError, message):
        find_caches([target])


def test_a_pipe_is_no_cache(tmp_path: Path) -> None:
    """Nobody waits for its other end."""
    os.mkfifo(tmp_path / "cache")

    def ring(*_: object) -> NoReturn:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(5)
    try:
        with pytest.raises(ConfigError) as caught, Cache(str(tmp_path / "cache")).locked():
            pass
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

    assert str(caught.value) == f"{tmp_path}/cache: cannot be read (Not a directory); correct the path"


@pytest.mark.parametrize("at_once", [7, 100, 4096])
def test_names_that_lie_together_come_together(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """They are sorted by inode, so many at once, and none is left out."""
    monkeypatch.setattr("keywright_nix.cache._SORTED", at_once)
    place = make_cache(100)

    names = list(Cache(str(place)).names())

    inodes = [os.stat(place / name).st_ino for name in names]
    assert sorted(names) == sorted(path.name for path in place.glob("*.narinfo"))
    assert sum(first > second for first, second in pairwise(inodes)) <= 101 // at_once


def test_names(make_cache: MakeCache) -> None:
    """Narinfos are listed, also those with odd names; temporary files and what else lies there are not."""
    cache = make_cache(2)
    for other in ("x.narinfo.bak", "narinfo", ".keywright-x.narinfo.tmp", ".x.narinfo", "log"):
        (cache / other).touch()
    odd = os.fsdecode(b"\xff\n.narinfo")
    (cache / odd).touch()

    assert sorted(Cache(str(cache)).names()) == [f"{0:032}.narinfo", f"{1:032}.narinfo", odd]
    assert Cache(str(cache)).count() == 3


def test_an_empty_cache(make_cache: MakeCache) -> None:
    """A cache that holds its nix-cache-info alone has no narinfo, and is one."""
    assert Cache(str(make_cache(0))).count() == 0


def test_a_directory_of_other_files(tmp_path: Path) -> None:
    """A directory with neither a narinfo nor a nix-cache-info is no cache."""
    (tmp_path / "photo.jpeg").touch()

    for look in (Cache(str(tmp_path)).check, Cache(str(tmp_path)).count):
        with refusal(
            ConfigError,
            f"{tmp_path}: is no binary cache, for it holds neither nix-cache-info nor a narinfo; correct the path",
        ):
            look()


def test_a_cache_without_its_cache_info(make_cache: MakeCache) -> None:
    """A narinfo makes a cache of a directory, too."""
    cache = make_cache(1)
    (cache / "nix-cache-info").unlink()

    Cache(str(cache)).check()


@pytest.mark.parametrize("names", [None, ["x.narinfo"]], ids=["directory", "file"])
def test_a_place_that_is_not_there(tmp_path: Path, names: list[str] | None) -> None:
    """A directory or file that is named and is not there is an error."""
    with pytest.raises(ConfigError) as caught:
        Cache(str(tmp_path / "missing"), names).check()

    path = tmp_path / "missing" if names is None else tmp_path / "missing" / "x.narinfo"
    assert str(caught.value) == f"{path}: cannot be read (No such file or directory); correct the path"


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    """A file that is no narinfo is not taken for a cache, neither to read nor to write."""
    (tmp_path / "secret-key").touch()
    cache = find_caches([str(tmp_path / "secret-key")])[0]
    message = f"{tmp_path / 'secret-key'}: cannot be read (Not a directory); correct the path"

    with pytest.raises(ConfigError) as counted:
        cache.check()
    with pytest.raises(ConfigError) as locked, cache.locked():
        pass

    assert (str(counted.value), str(locked.value)) == (message, message)


def test_a_place_that_may_not_be_read(make_cache: MakeCache) -> None:
    """What the system does not let this user see is an error of its own."""
    cache = make_cache()
    cache.chmod(0o311)
    code = (
        "import sys; from keywright_nix.cache import Cache\n"
        "try: Cache(sys.argv[1]).count()\n"
        "except Exception as error: print(type(error).__name__, error, sep=': ')"
    )

    told = _as_nobody(code, cache)

    assert told == f"{AccessDeniedError.__name__}: {cache}: cannot be read (Permission denied); run as who may\n"


def _as_nobody(code: str, cache: Path) -> str:
    import sys

    for parent in [cache, *cache.parents][1:-1]:
        if parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o111)
    command = [sys.executable, "-c", code, str(cache)]
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.stderr == ""
    return done.stdout


def test_one_writer_at_a_time(make_cache: MakeCache) -> None:
    """While one has the cache, a second one is refused; afterwards it is free."""
    cache = make_cache()

    with (
        Cache(str(cache)).locked(),
        pytest.raises(StoreUnavailableError) as caught,
        Cache(str(cache), ["x.narinfo"]).locked(),
    ):
        pass
    with Cache(str(cache)).locked():
        pass

    assert str(caught.value) == f"{cache}: another keywright signs here; wait until it is done"


def test_a_file_system_without_locks(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be locked nothing is written. (No such file system is to be had here.)"""

    def flock(_descriptor: int, _how: int) -> None:
        raise OSError(95, "Operation not supported")

    cache = make_cache()
    monkeypatch.setattr("fcntl.flock", flock)

    with (
        refusal(
            StoreUnavailableError,
            f"{cache}: cannot be locked (Operation not supported); work where the file system has locks",
        ),
        Cache(str(cache)).locked(),
    ):
        pass


def test_what_is_half_done_is_not_uploaded() -> None:
    """What is written beside a narinfo is hidden, and no narinfo by its name."""
    assert temporary("x.narinfo") == ".keywright-x.narinfo.tmp"


@pytest.mark.parametrize("end", ["", ".tmp"], ids=["as once", "as now"])
def test_what_a_killed_run_left_is_swept(make_cache: MakeCache, end: str) -> None:
    """Locking takes temporary files of ours away, and nothing else; for single files, theirs alone."""
    cache = make_cache(1)
    ours = [cache / f".keywright-{number}.narinfo{end}" for number in range(3)]
    others = [cache / name for name in (".keywright-x", ".keywright-x.tmp", ".other.narinfo", "1.narinfo", "1.tmp")]
    for path in (*ours, *others):
        path.touch()

    with Cache(str(cache), ["0.narinfo"]).locked():
        after_one = [path.exists() for path in ours]
    with Cache(str(cache)).locked():
        after_all = [path.exists() for path in ours]

    assert after_one == [False, True, True]
    assert after_all == [False, False, False]
    assert all(path.exists() for path in others)
