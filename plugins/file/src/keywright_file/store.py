"""The file store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from keywright import Guard, Problem, Record, RecordInfo, Revision, Secret
from keywright.errors import CorruptedStoreError, StoreError, StoreUnavailableError, key_not_found
from keywright_file import layout, write
from keywright_file.files import READ_ERRORS, Directory, exists

_T = TypeVar("_T")


def _identity(root: os.stat_result) -> tuple[int, int]:
    return root.st_dev, root.st_ino


class FileStore:
    """Keys in a directory; a `GuardedStore`. Safe to use from threads and processes, and after a fork.

    It keeps nothing open between two calls. Reading takes no lock and writes nothing. A store that existed and does
    not any more is damage, until it is opened again: it is neither taken for an empty one nor made again.

    Every method may raise AccessDeniedError, CorruptedStoreError and StoreUnavailableError; those that write also
    ReadOnlyStoreError and DurabilityError.
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
            AccessDeniedError, CorruptedStoreError, StoreUnavailableError: as `FileBackend.open` says.
        """
        with READ_ERRORS.about(self._path):
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
            with layout.open_version(root, name, version, subject) as directory:
                found = layout.read_version(directory, name, version, subject, with_payload=True)
            return Record(found.info, found.payload)

        record = self._read(subject, read)
        if record is None:
            raise key_not_found(name, version)
        return record

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions of a name, ascending, tombstones included; `()` if there are none."""

        def read(root: int) -> tuple[RecordInfo, ...]:
            try:
                directory = layout.open_name(root, name, f"{name} in {self._path}")
            except FileNotFoundError:
                return ()
            with directory as opened:
                return layout.read_versions(opened, name, self._path)

        return self._read(f"{name} in {self._path}", read) or ()

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names that start with `prefix` and sort after `after`, in the order of their bytes, at most `limit`.

        Lazy: names that come or go while it is read may be seen or not. It opens no metadata and no key.
        """
        end = None if limit is None else max(limit, 0)
        return self._each(lambda root: islice(layout.walk(root, self._path, prefix, after), end))

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """Add a version, and the store if it does not exist yet. Returns its info with the revision filled in.

        Raises:
            KeyExistsError: the version exists already; nothing was written.
            ConflictError: the record of `guard` has another revision; nothing was written.
            UnsupportedOperationError: its state is `destroyed` but it has a payload, or it is too long.
        """
        return self._write(record.info.reference, lambda writer: write.create_version(writer, record), guard)

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace a version's metadata if its revision is `expected`.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs, or that of the record of `guard`; nothing was written.
            UnsupportedOperationError: the state is `destroyed` and the version has a payload, or it is too long.
        """
        return self._write(info.reference, lambda writer: write.update_info(writer, info, expected), guard)

    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        """Replace a version's payload if its revision is `expected`.

        What is replaced or destroyed is unlinked, not overwritten: solid-state disks and journals keep copies that
        no program reaches. A seal makes them worthless.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs, or that of the record of `guard`; nothing was written.
            UnsupportedOperationError: the version has no payload, or the new one is too long.
            DurabilityError: also if the old key file has another name (a hard link).
        """
        return self._write(
            f"{name}@{version}",
            lambda writer: write.replace_payload(writer, name, version, payload, expected),
            guard,
        )

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace a version's metadata and unlink its payload, if its revision is `expected`.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs, or that of the record of `guard`; nothing was written.
            UnsupportedOperationError: the state is not `destroyed`, or the metadata is too long.
            DurabilityError: also if the old key file has another name (a hard link).
        """
        return self._write(info.reference, lambda writer: write.destroy_version(writer, info, expected), guard)

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name if the revisions of all its versions, ascending, are `expected`.

        Raises:
            KeyNotFoundError: the name does not exist.
            ConflictError: a version was changed, added or removed; nothing was removed.
        """
        self._write(name, lambda writer: write.remove_name(writer, name, expected))

    def check(self) -> Iterator[Problem]:
        """The problems of the directory and what is in it. As `keywright.CheckedStore.check`."""
        from keywright_file.check import check

        return self._each(lambda root: check(root, self._path, self._patience))

    def _each(self, look: Callable[[int], Iterator[_T]]) -> Iterator[_T]:
        with READ_ERRORS.about(self._path):
            root = self._root()
            if root is not None:
                with root as opened:
                    yield from look(opened)

    def _write(self, what: str, change: Callable[[write.Writer], _T], guard: Guard | None = None) -> _T:
        def work(writer: write.Writer) -> _T:
            self._known = _identity(os.fstat(writer.root_fd))
            if guard is not None:
                write.check_guard(writer, guard)
            return change(writer)

        self._check_open()
        subject = f"{what} in {self._path}"
        return write.apply(self._path, subject, work, known=self._known is not None, patience=self._patience)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError(f"{self._path}: the store is closed", hint="open it again")

    def _root(self) -> Directory | None:
        """The root, checked; None if it does not exist and never did."""
        self._check_open()
        known = self._known  # before looking: another thread may make the store meanwhile
        root = layout.open_root(self._path)
        if root is None:
            if known is not None:
                raise layout.gone(self._path)
            return None
        try:
            identity = _identity(root.status)
            if identity != known or not exists(f"{layout.PRIVATE}/{layout.FORMAT}", root.descriptor):
                if layout.holds_store(root.descriptor, self._path):
                    self._known = identity
                elif known is not None:
                    raise layout.gone(self._path)
        except BaseException:
            os.close(root.descriptor)
            raise
        return root

    def _read(self, subject: str, read: Callable[[int], _T]) -> _T | None:
        """What `read` makes of the root; None if there is no root.

        What looks damaged may be a writer at work; so it is read again while no writer can be.
        """
        with READ_ERRORS.about(subject):
            root = self._root()
            if root is None:
                return None
            with root as opened:
                try:
                    return read(opened)
                except (CorruptedStoreError, FileNotFoundError):
                    pass
                with (
                    suppress(FileNotFoundError),  # no lock file, so no writer
                    Directory(layout.PRIVATE, subject, parent=opened) as private,
                ):
                    return write.under_lock(
                        private, subject, lambda _: read(opened), patience=self._patience, shared=True
                    )
                return read(opened)

    def _recover(self, root: int) -> None:
        # A user who may only read can do without; if it fails, the next write tries again and reports why.
        with suppress(OSError, StoreError):
            with Directory(layout.PRIVATE, self._path, parent=root) as private:
                found = write.has_leftovers(private, self._path)
            if found:
                write.apply(self._path, self._path, lambda _: None, patience=0)
