"""The narinfos of a binary cache on a file system."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from keywright.errors import AccessDeniedError, ConfigError, KeywrightError, StoreUnavailableError

__all__ = ["TEMPORARY", "Cache", "find_caches"]

TEMPORARY: Final = ".keywright-"
"""How the names of files that a rewriting has not finished begin."""

_SUFFIX: Final = ".narinfo"
_MARKER: Final = "nix-cache-info"


class Cache:
    """The narinfos of a directory, or some of them."""

    def __init__(self, directory: str, names: Sequence[str] | None = None) -> None:
        """`names` are those of the narinfos that are meant; None: all that are there."""
        self.directory = directory
        self.named = names

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Keep other writers of ours away meanwhile, and sweep what a killed one left. A kill gives the place free.

        The value is a descriptor of the directory.

        Raises:
            StoreUnavailableError: one is at work there, or the file system has no locks.
            AccessDeniedError, ConfigError: the place cannot be read.
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
                why = "another keywright signs here; wait until it is done"
            else:
                why = f"cannot be locked ({error.strerror}); work where the file system has locks"
            raise StoreUnavailableError(f"{self.directory}: {why}") from None
        try:
            self.sweep()
            yield descriptor
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Take away what rewritings that were not finished left beside the narinfos. Only while it is locked."""
        if self.named is None:
            left = (name for name in self._listed() if name.startswith(TEMPORARY) and name.endswith(_SUFFIX))
        else:
            left = (TEMPORARY + name for name in self.named)
        for name in left:
            with suppress(OSError):  # whoever may not take it away may not write here either, and is told then
                os.unlink(f"{self.directory}/{name}")

    def names(self) -> Iterator[str]:
        """The file names of the narinfos, in no order; those that come and go meanwhile may be missed.

        Raises:
            AccessDeniedError, ConfigError: the place cannot be read.
        """
        if self.named is not None:
            yield from self.named
            return
        for name in self._listed():
            if name.endswith(_SUFFIX) and not name.startswith("."):
                yield name

    def count(self) -> int:
        """How many narinfos there are now.

        Raises:
            ConfigError: there is no such place or file, or it is no binary cache: it has neither a narinfo nor a
                `nix-cache-info`.
            AccessDeniedError: it cannot be read.
        """
        if self.named is not None:
            for name in self.named:
                self._check_there(name)
            return len(self.named)
        found = sum(1 for _ in self.names())
        if not found and not os.path.lexists(f"{self.directory}/{_MARKER}"):
            raise ConfigError(
                f"{self.directory}: is no binary cache, for it holds neither {_MARKER} nor a narinfo; correct the path"
            )
        return found

    def _check_there(self, name: str) -> None:
        path = f"{self.directory}/{name}"
        try:
            os.lstat(path)
        except OSError as error:
            raise _unreadable(path, error) from None

    def _listed(self) -> Iterator[str]:
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    yield entry.name
        except OSError as error:
            raise _unreadable(self.directory, error) from None


def find_caches(targets: Sequence[str]) -> list[Cache]:
    """What a command line names: directories, `file://` URLs of directories, and files `*.narinfo`.

    Files of one directory make one cache, whatever stands between them; a place that is named twice counts once.

    Raises:
        ConfigError: a target is none of these. That a place is there is seen when it is used.
    """
    found: dict[str, dict[str, None] | None] = {}
    for target in targets:
        path = _path_of(target)
        if os.path.isdir(path) or not path.endswith(_SUFFIX):
            found[path] = None
            continue
        directory, name = os.path.split(path)
        names = found.setdefault(directory or os.curdir, {})
        if names is not None:
            names[name] = None
    return [Cache(directory, None if names is None else tuple(names)) for directory, names in found.items()]


def _path_of(target: str) -> str:
    if not target:
        raise ConfigError("the path of the binary cache is empty; name a directory, a file:// URL or a narinfo")
    path = _path_of_url(target) if "://" in target else target
    if "\0" in path:
        raise ConfigError("the path of the binary cache holds a zero byte; correct it")
    return path.rstrip("/") or "/"


def _path_of_url(url: str) -> str:
    from urllib.parse import unquote_to_bytes, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise ConfigError(
            "a binary cache is reached as a directory or by a file:// URL alone; copy it here, and back when it is done"
        )
    return os.fsdecode(unquote_to_bytes(os.fsencode(parts.path)))


def _unreadable(path: str, error: OSError) -> KeywrightError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{path}: cannot be read ({error.strerror}); run as who may")
    return ConfigError(f"{path}: cannot be read ({error.strerror}); correct the path")
