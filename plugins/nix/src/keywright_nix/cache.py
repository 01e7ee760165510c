"""The narinfos of a binary cache on a file system, and its `nix-cache-info`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Final

from keywright.errors import AccessDeniedError, ConfigError, FormatError, KeywrightError, StoreUnavailableError
from keywright_nix.key import looks_like_key
from keywright_nix.store_path import is_store_directory

_SUFFIX: Final = ".narinfo"
_BEGIN: Final = ".keywright-"
_END: Final = ".tmp"  # so that an upload of `*.narinfo` skips it, also after a kill
_CACHE_INFO: Final = "nix-cache-info"
_MAXIMUM_INFO_BYTES: Final = 65_536
_SORTED: Final = 4096  # names at once, to bound memory


class Cache:
    """The narinfos of a directory, or some of them."""

    def __init__(self, directory: str, names: Sequence[str] | None = None) -> None:
        """`names` are the file names of some narinfos; None: all of the directory."""
        self.directory = directory
        self.named = names

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Lock out other keywright writers, and sweep what a killed one left. A kill releases the lock.

        The value is a descriptor of the directory.

        Raises:
            StoreUnavailableError: Another process signs here, or the file system has no locks.
            AccessDeniedError, ConfigError: The directory cannot be read.
        """
        import fcntl

        try:
            descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _unreadable(self.directory, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                why, hint = "another keywright signs here", "wait until it is done"
            else:
                why, hint = f"cannot be locked ({error.strerror})", "work where the file system has locks"
            raise StoreUnavailableError(f"{self.directory}: {why}", hint=hint) from None
        try:
            self.sweep()
            yield descriptor
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Remove what unfinished rewrites left beside the narinfos. Only while it is locked."""
        ends = (_SUFFIX, _SUFFIX + _END)  # the first is the name that earlier versions used
        if self.named is None:
            left = (name for name in self._listed() if name.startswith(_BEGIN) and name.endswith(ends))
        else:
            left = (one for name in self.named for one in (temporary(name), _BEGIN + name))
        for name in left:
            with suppress(OSError):  # where this fails, writing fails too, and is reported
                os.unlink(f"{self.directory}/{name}")

    def names(self) -> Iterator[str]:
        """The file names of the narinfos, in no order; those that come and go meanwhile may be missed.

        Raises:
            AccessDeniedError, ConfigError: The directory cannot be read.
        """
        if self.named is not None:
            yield from self.named
            return
        for name in self._listed():
            if name.endswith(_SUFFIX) and not name.startswith("."):
                yield name

    def check(self) -> None:
        """Make sure that this is a binary cache, or that the named files exist.

        Raises:
            ConfigError: The directory or a file does not exist, or the directory has neither a narinfo nor a
                `nix-cache-info`.
            AccessDeniedError: It cannot be read.
        """
        has_info = self.named is not None or os.path.lexists(f"{self.directory}/{_CACHE_INFO}")
        if not has_info and not any(True for _ in self.names()):
            raise ConfigError(
                f"{self.directory}: is not a binary cache: it has neither {_CACHE_INFO} nor a narinfo",
                hint="check the path",
            )
        for name in self.named or ():
            path = f"{self.directory}/{name}"
            try:
                os.lstat(path)
            except OSError as error:
                raise _unreadable(path, error) from None

    def count(self) -> int:
        """How many narinfos exist now. It reads every name. Raises: as `check`."""
        self.check()
        return sum(1 for _ in self.names())

    def _listed(self) -> Iterator[str]:
        """All names, nearly in the order of their inodes, so that neighbours on the disk come together.

        ext4 lists them in the order of a hash; synced in that order, they take twice as long.
        """
        try:
            with os.scandir(self.directory) as entries:
                while some := sorted((entry.inode(), entry.name) for entry in islice(entries, _SORTED)):
                    for _, name in some:
                        yield name
        except OSError as error:
            raise _unreadable(self.directory, error) from None


def temporary(name: str) -> str:
    """The file name of a new narinfo while it waits beside the old one."""
    return f"{_BEGIN}{name}{_END}"


def find_caches(targets: Sequence[str]) -> list[Cache]:
    """The caches of a command line: directories, `file://` URLs of directories, and files `*.narinfo`.

    Files of one directory make one cache, in any order. A directory that is named twice, by any path, counts once, and
    is shown as it was named first.

    Raises:
        ConfigError: A target is something else. Whether it exists is not checked.
    """
    shown: dict[str, str] = {}
    found: dict[str, dict[str, None] | None] = {}
    for target in targets:
        path = _path_of(target)
        directory, name = (path, "") if os.path.isdir(path) or not path.endswith(_SUFFIX) else os.path.split(path)
        place = os.path.realpath(directory)
        shown.setdefault(place, directory or os.curdir)
        names = found.setdefault(place, {})
        if not name:
            found[place] = None
        elif names is not None:
            names[name] = None
    return [Cache(shown[place], None if names is None else tuple(names)) for place, names in found.items()]


def _path_of(target: str) -> str:
    if not target:
        raise ConfigError("the path of the binary cache is empty", hint="name a directory, a file:// URL or a narinfo")
    path = target
    if "://" in target:
        from urllib.parse import unquote_to_bytes, urlsplit

        try:
            parts = urlsplit(target)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
            raise ConfigError(
                "only local caches are supported: a directory or a file:// URL",
                hint="copy the cache here, sign it, and copy it back",
            )
        path = os.fsdecode(unquote_to_bytes(os.fsencode(parts.path)))
    if "\0" in path:
        raise ConfigError("the path of the binary cache has a NUL byte", hint="pass another path")
    if looks_like_key(path) and not os.path.lexists(path):
        raise ConfigError("CACHE is the path of a binary cache, and this looks like a key", hint="name a directory")
    return path.rstrip("/") or "/"


def _unreadable(path: str, error: OSError) -> KeywrightError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{path}: cannot be read ({error.strerror})", hint="run as the owner of the file")
    return ConfigError(f"{path}: cannot be read ({error.strerror})", hint="check the path")


# ---- nix-cache-info


def store_dir_of(cache_info: bytes, *, where: str = _CACHE_INFO) -> bytes:
    """The `StoreDir` in the text of a `nix-cache-info`, such as `/nix/store`; empty if it has none.

    Without one, clients of any store accept the cache (`src/libstore/binary-cache-store.cc`, init). `where` names the
    file in messages.

    Raises:
        FormatError: It has two that differ, or one that is not an absolute path without a slash at the end.
    """
    lines = (line.partition(b":") for line in cache_info.split(b"\n"))
    found = {value.strip(b" \t\r\n") for name, colon, value in lines if colon and name == b"StoreDir"}
    if len(found) > 1:
        raise FormatError(
            f"{where}: has two different StoreDir lines, which clients refuse", hint="remove the wrong one"
        )
    if not found:
        return b""
    directory = found.pop()
    if not is_store_directory(directory):
        raise FormatError(f"{where}: StoreDir is not a store directory", hint="write one, such as /nix/store")
    return directory


def read_store_dir(directory: str) -> bytes:
    """As `store_dir_of` the `nix-cache-info` in the directory of a binary cache; empty if it has no such file.

    Raises:
        FormatError: As `store_dir_of`, or the file is not a regular file, or has more than 64 KiB.
        AccessDeniedError, StoreUnavailableError: The file cannot be read.
    """
    path = f"{directory}/{_CACHE_INFO}"
    try:
        return store_dir_of(_read(path), where=path)
    except FileNotFoundError:
        return b""
    except PermissionError as error:
        raise AccessDeniedError(
            f"{path}: cannot be read ({error.strerror})", hint="run as the owner of the file"
        ) from None
    except OSError as error:
        raise StoreUnavailableError(f"{path}: cannot be read ({error.strerror})", hint="check the disk") from None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FormatError(f"{path}: is not a regular file", hint="restore the file that Nix wrote")
        data = os.read(descriptor, _MAXIMUM_INFO_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MAXIMUM_INFO_BYTES:
        raise FormatError(f"{path}: has more than {_MAXIMUM_INFO_BYTES} bytes", hint="restore the file that Nix wrote")
    return data
