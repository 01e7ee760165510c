"""The narinfos of a cache: which places are one, what is listed, who may write; and `nix-cache-info`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from nix_signing import MakeCache, as_another_user, refusal

from keywright.errors import ConfigError, FormatError, StoreUnavailableError
from keywright_nix.cache import Cache, find_caches, read_store_dir, store_dir_of


def found(*targets: str) -> list[tuple[str, object]]:
    return [(cache.directory, cache.named) for cache in find_caches(targets)]


def test_a_directory_is_named_by_path_or_url() -> None:
    for target, directory in (
        ("cache", "cache"),
        ("/srv/cache/", "/srv/cache"),
        ("/", "/"),
        ("file:///srv/cache", "/srv/cache"),
        ("file://localhost/srv/cache/", "/srv/cache"),
        ("file:///srv/a%20cache?compression=zstd", "/srv/a cache"),
        ("file:///srv/%ff", "/srv/\udcff"),
    ):
        assert found(target) == [(directory, None)]


def test_single_files(make_cache: MakeCache) -> None:
    cache = str(make_cache())
    (Path(cache) / "directory.narinfo").mkdir()

    assert found("a.narinfo", f"{cache}/x.narinfo", "b.narinfo", "a.narinfo") == [
        (".", ("a.narinfo", "b.narinfo")),
        (cache, ("x.narinfo",)),
    ]
    assert found(f"{cache}/x.narinfo", cache, f"{cache}/y.narinfo") == [(cache, None)]
    assert found(f"{cache}/directory.narinfo") == [(f"{cache}/directory.narinfo", None)]


@pytest.mark.parametrize("first", range(5))
def test_a_place_by_several_paths_is_one_cache(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
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


def test_what_is_no_place_is_refused() -> None:
    empty = "the path of the binary cache is empty; name a directory, a file:// URL or a narinfo"
    key = "CACHE is the path of a binary cache, and this looks like a key; name a directory"
    rule = (
        "only local caches are supported: a directory or a file:// URL; copy the cache here, sign it, and copy it back"
    )
    urls = ("https://cache.example.org", "s3://cache", "file://elsewhere/srv", "file://", "http://[")
    for target, message in (
        ("", empty),
        ("file:///srv/%00", "the path of the binary cache has a NUL byte; pass another path"),
        (f"cache-1:{'A' * 86}==", key),
        *((url, rule) for url in urls),
    ):
        with refusal(ConfigError, message, target):
            find_caches([target])


def test_names_that_lie_together_come_together(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sorted by inode, so many at once, and none is left out."""
    place = make_cache(100)
    for at_once in (7, 100, 4096):
        monkeypatch.setattr("keywright_nix.cache._SORTED", at_once)

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


def test_a_directory_of_other_files_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "photo.jpeg").touch()
    rule = "is not a binary cache: it has neither nix-cache-info nor a narinfo; check the path"

    for look in (Cache(str(tmp_path)).check, Cache(str(tmp_path)).count):
        with refusal(ConfigError, f"{tmp_path}: {rule}"):
            look()


def test_a_narinfo_or_a_cache_info_makes_a_cache(make_cache: MakeCache) -> None:
    assert Cache(str(make_cache(0))).count() == 0
    cache = make_cache(1, name="other")
    (cache / "nix-cache-info").unlink()

    Cache(str(cache)).check()


def test_a_place_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    for names, shown in ((None, path), (["x.narinfo"], path / "x.narinfo")):
        with refusal(ConfigError, f"{shown}: cannot be read (No such file or directory); check the path"):
            Cache(str(path), names).check()


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "pipe"])
def test_a_place_that_is_no_directory(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It is not taken for a cache, neither to read nor to write, and no one waits for the other end of a pipe."""
    make(tmp_path / "place")
    cache = find_caches([str(tmp_path / "place")])[0]
    message = f"{tmp_path}/place: cannot be read (Not a directory); check the path"

    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(5)
    try:
        with refusal(ConfigError, message):
            cache.check()
        with refusal(ConfigError, message), cache.locked():
            pass
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_what_may_not_be_read(make_cache: MakeCache, tmp_path: Path) -> None:
    """A directory and a nix-cache-info that the system does not let this user see are an error of their own."""
    cache, info = make_cache(), tmp_path / "nix-cache-info"
    cache.chmod(0o311)
    info.touch(0o000)
    program = (
        "import sys; from keywright_nix.cache import Cache, read_store_dir\n"
        "for look in (Cache(sys.argv[1]).count, lambda: read_store_dir(sys.argv[2])):\n"
        "    try: look()\n"
        "    except Exception as error: print(type(error).__name__, error.text, sep=': ')"
    )

    shown = as_another_user(program, cache, tmp_path)

    assert shown.splitlines() == [
        f"AccessDeniedError: {path}: cannot be read (Permission denied); run as the owner of the file"
        for path in (cache, info)
    ]


def test_one_writer_at_a_time(make_cache: MakeCache) -> None:
    cache = make_cache()
    message = f"{cache}: another keywright signs here; wait until it is done"

    with Cache(str(cache)).locked(), refusal(StoreUnavailableError, message), Cache(str(cache), ["x.narinfo"]).locked():
        pass
    with Cache(str(cache)).locked():
        pass


def test_where_nothing_can_be_locked_nothing_is_written(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_descriptor: int, _how: int) -> None:
        raise OSError(95, "Operation not supported")

    cache = make_cache()
    message = f"{cache}: cannot be locked (Operation not supported); work where the file system has locks"
    monkeypatch.setattr("fcntl.flock", flock)

    with refusal(StoreUnavailableError, message), Cache(str(cache)).locked():
        pass


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


# nix-cache-info: which store a binary cache is for.


def test_the_store_directory() -> None:
    """As Nix reads it: lines of name, colon and value, whitespace around the value removed."""
    for text, directory in (
        (b"StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n", b"/nix/store"),  # as Nix writes it
        (b"Priority: 40\nStoreDir: /gnu/store", b"/gnu/store"),
        (b"StoreDir:/nix/store\r\n", b"/nix/store"),
        (b"StoreDir:\t /nix/store \n", b"/nix/store"),
        (b"StoreDir: /nix/store\nStoreDir: /nix/store\n", b"/nix/store"),
        (b"StoreDir: /a/b.c/.d\n", b"/a/b.c/.d"),
        (b"", b""),
        (b"Priority: 40\n\n\xff\nStoreDir\n", b""),
        (b"storedir: /nix/store\n StoreDir: /x\nXStoreDir: /y\n", b""),
    ):
        assert store_dir_of(text) == directory, text


def test_what_no_client_could_use_is_refused() -> None:
    two = "x: has two different StoreDir lines, which clients refuse; remove the wrong one"
    none = "x: StoreDir is not a store directory; write one, such as /nix/store"
    with refusal(FormatError, two):
        store_dir_of(b"StoreDir: /nix/store\nStoreDir: /gnu/store\n", where="x")
    for value in (b"", b"store", b"/", b"/nix/store/", b"/nix/../store", b"/nix//store", b"/nix;", b"/n\xc3\xa4"):
        with refusal(FormatError, none, value):
            store_dir_of(b"StoreDir: %b\n" % value, where="x")


@given(text=st.binary() | st.lists(st.sampled_from([b"StoreDir", b":", b" ", b"\n", b"/a", b"/b"])).map(b"".join))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        directory = store_dir_of(text)
    except FormatError:
        directory = b""

    assert directory == b"" or (directory.startswith(b"/") and b"StoreDir:" in text)


def test_the_file_of_a_cache(tmp_path: Path) -> None:
    """It is read where it is, by a symbolic link too; without the file, the cache names no store."""
    assert read_store_dir(str(tmp_path)) == b""

    (tmp_path / "elsewhere").write_bytes(b"StoreDir: /nix/store\n" + b"x" * (65_536 - 21))
    (tmp_path / "nix-cache-info").symlink_to("elsewhere")

    assert read_store_dir(str(tmp_path)) == b"/nix/store"


def test_what_is_read_or_refused_does_not_stay_open(tmp_path: Path) -> None:
    path = tmp_path / "nix-cache-info"
    before = len(os.listdir("/dev/fd"))

    for size in (0, 65_537):
        path.write_bytes(b"x" * size)
        with suppress(FormatError):
            read_store_dir(str(tmp_path))

    assert len(os.listdir("/dev/fd")) == before


def test_a_file_that_is_none_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "nix-cache-info"
    irregular = "is not a regular file; restore the file that Nix wrote"

    def check(kind: type[Exception], rule: str) -> None:
        with refusal(kind, f"{path}: {rule}"):
            read_store_dir(str(tmp_path))

    path.write_bytes(b"x" * 65_537)
    check(FormatError, "has more than 65536 bytes; restore the file that Nix wrote")
    path.write_bytes(b"StoreDir: x\n")
    check(FormatError, "StoreDir is not a store directory; write one, such as /nix/store")
    path.unlink()
    path.mkdir()
    check(FormatError, irregular)
    path.rmdir()
    os.mkfifo(path)
    check(FormatError, irregular)
    path.unlink()
    path.symlink_to("nix-cache-info")
    check(StoreUnavailableError, "cannot be read (Too many levels of symbolic links); check the disk")
