"""The file store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from keywright import Record, RecordInfo, Revision
from keywright.errors import DamagedStoreError, StoreError, StoreUnavailableError
from keywright_file.files import READING, Directory, exists
from keywright_file.layout import (
    FORMAT,
    PRIVATE,
    gone,
    holds_store,
    no_such_version,
    open_name,
    open_root,
    open_version,
    read_version,
    read_versions,
    walk,
)
from keywright_file.write import Writer, create_version, has_leftovers, remove_name, under_lock, update_version, write

_T = TypeVar("_T")


def _identity(root: os.stat_result) -> tuple[int, int]:
    return root.st_dev, root.st_ino


class FileStore:
    """Keys in a directory; a `WritableStore`. Safe to use from threads and processes, and after a fork.

    It keeps nothing open between two calls. Reading takes no lock and writes nothing. A store that existed and does
    not any more is damage, until it is opened again: it is neither taken for an empty one nor made again.

    Every method may raise AccessDeniedError, DamagedStoreError and StoreUnavailableError; those that write also
    ReadOnlyStoreError and DurabilityUnknownError.
    """

    def __init__(self, path: str, timeout: timedelta) -> None:
        """The store at `path`, which need not exist. Nothing is touched before the context is entered.

        `timeout` is how long to wait for a lock that another process holds.
        """
        self._path = os.path.abspath(path)
        self._patience = timeout.total_seconds()
        self._closed = False
        self._known: tuple[int, int] | None = None  # device and inode of the root whose marker was read

    def __enter__(self) -> Self:
        """Check that `path` is a store or can become one, and complete what an interrupted writer left.

        Raises:
            AccessDeniedError, DamagedStoreError, StoreUnavailableError: as `FileBackend.open` says.
        """
        with READING.about(self._path):
            root = self._root()
            if root is not None:
                with root as opened:
                    self._recover(opened)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._closed = True

    def get(self, name: str, version: int) -> Record:
        """One record.

        Raises:
            KeyNotFoundError: the version does not exist.
        """
        subject = f"{name}@{version} in {self._path}"

        def read(root: int) -> Record:
            with open_version(root, name, version, subject) as directory:
                found = read_version(directory, name, version, subject, with_payload=True)
            return Record(found.info, found.payload)

        record = self._read(subject, read)
        if record is None:
            raise no_such_version(name, version)
        return record

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions of a name, ascending, tombstones included; `()` if there are none."""

        def read(root: int) -> tuple[RecordInfo, ...]:
            try:
                directory = open_name(root, name, f"{name} in {self._path}")
            except FileNotFoundError:
                return ()
            with directory as opened:
                return read_versions(opened, name, self._path)

        return self._read(f"{name} in {self._path}", read) or ()

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names that start with `prefix` and sort after `after`, in the order of their bytes, at most `limit`.

        Lazy: names that come or go while it is read may be seen or not. It opens no metadata and no key.
        """
        end = None if limit is None else max(limit, 0)
        return self._each(lambda root: islice(walk(root, self._path, prefix, after), end))

    def create(self, record: Record) -> RecordInfo:
        """Add a version, and the store if there is none yet. Returns its info with the revision filled in.

        Raises:
            KeyExistsError: the version exists already; nothing was written.
            UnsupportedOperationError: its state is `destroyed` but it has a payload, or it is too long.
        """
        return self._write(record.info.reference, lambda writer: create_version(writer, record))

    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        """Replace a version's metadata, or its payload, or destroy it, iff its revision is `expected`.

        What is replaced or destroyed is unlinked, not overwritten: solid-state disks and journals keep copies that
        no program reaches. A seal makes them worthless.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs; nothing was written.
            UnsupportedOperationError: metadata and payload change at once without a destruction, or the state is
                `destroyed` but there is a payload, or it is too long.
            DurabilityUnknownError: besides, a key file that was taken away has another name (a hard link).
        """
        return self._write(record.info.reference, lambda writer: update_version(writer, record, expected))

    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        """Remove a whole name, iff the revisions of all its versions, ascending, are `expected`.

        Raises:
            KeyNotFoundError: the name does not exist.
            ConflictError: a version changed, came or went; nothing was removed.
        """
        self._write(name, lambda writer: remove_name(writer, name, expected))

    def examine(self) -> Iterator[str]:
        """One sentence for each problem of the directory and what is in it. As `keywright.ExaminedStore.examine`."""
        from keywright_file.check import examine

        return self._each(lambda root: examine(root, self._path, self._patience))

    def _each(self, look: Callable[[int], Iterator[str]]) -> Iterator[str]:
        with READING.about(self._path):
            root = self._root()
            if root is not None:
                with root as opened:
                    yield from look(opened)

    def _write(self, what: str, change: Callable[[Writer], _T]) -> _T:
        def work(writer: Writer) -> _T:
            self._known = _identity(os.fstat(writer.root))
            return change(writer)

        self._check_open()
        subject = f"{what} in {self._path}"
        return write(self._path, subject, work, known=self._known is not None, patience=self._patience)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError(f"{self._path}: the store was closed; open it again")

    def _root(self) -> Directory | None:
        """The root, checked; None if there is none and never was."""
        self._check_open()
        known = self._known  # before looking: another thread may make the store meanwhile
        root = open_root(self._path)
        if root is None:
            if known is not None:
                raise gone(self._path)
            return None
        try:
            identity = _identity(root.status)
            if identity != known or not exists(f"{PRIVATE}/{FORMAT}", root.descriptor):
                if holds_store(root.descriptor, self._path):
                    self._known = identity
                elif known is not None:
                    raise gone(self._path)
        except BaseException:
            os.close(root.descriptor)
            raise
        return root

    def _read(self, subject: str, read: Callable[[int], _T]) -> _T | None:
        """What `read` makes of the root; None if there is no root.

        What looks damaged may be a writer at work; so it is read again while no writer can be.
        """
        with READING.about(subject):
            root = self._root()
            if root is None:
                return None
            with root as opened:
                try:
                    return read(opened)
                except (DamagedStoreError, FileNotFoundError):
                    pass
                with (
                    suppress(FileNotFoundError),  # no lock file, so no writer
                    Directory(PRIVATE, subject, parent=opened) as private,
                ):
                    return under_lock(private, subject, lambda _: read(opened), patience=self._patience, shared=True)
                return read(opened)

    def _recover(self, root: int) -> None:
        # A user who may only read can do without; if it fails, the next write tries again and reports why.
        with suppress(OSError, StoreError):
            with Directory(PRIVATE, self._path, parent=root) as private:
                found = has_leftovers(private, self._path)
            if found:
                write(self._path, self._path, lambda _: None, patience=0)
