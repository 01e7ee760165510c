"""What every write begins and ends with: the root, the lock, recovery, and a place for what is half made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from keywright import Reference, Secret
from keywright.errors import StoreError
from keywright_file.faults import Completing, Writing
from keywright_file.files import confirm, open_or_make, sync, write_file
from keywright_file.lock import locked, next_stamp
from keywright_file.recovery import TEMPORARY, note, recover, strike, sweep
from keywright_file.root import PRIVATE, gone, holds_store, make_root, mark_root

__all__ = ["LOCK", "Writer", "write"]

LOCK: Final = "lock"
_NEW_FILE: Final = "file"
_T = TypeVar("_T")


class Writer(NamedTuple):
    """Somebody who holds the store's lock.

    Attributes:
        root, private, temporary: descriptors of the root, its private directory, and that for what is half made.
        stamp: the time that this write gives its files (see `next_stamp`).
        path, subject: the store's path, and what is written there, for messages.
    """

    root: int
    private: int
    temporary: int
    stamp: int
    path: str
    subject: str

    def put(self, directory: int, name: str, data: Secret) -> None:
        """Write a file and move it into its place, over what is there, which makes a change visible.

        Raises:
            OSError: nothing was written.
            DurabilityUnknownError: a sync failed.
        """
        self._place(directory, name, data)
        with Completing(self.subject):
            sync(directory)

    def prepare(self, directory: int, name: str, data: Secret) -> None:
        """The same where the change is not visible yet, or has long been.

        Raises:
            OSError, DurabilityUnknownError: as `put`.
        """
        self._place(directory, name, data)
        confirm(directory, self.subject)

    def _place(self, directory: int, name: str, data: Secret) -> None:
        write_file(self.temporary, _NEW_FILE, data, self.stamp, self.subject)
        os.rename(_NEW_FILE, name, src_dir_fd=self.temporary, dst_dir_fd=directory)

    def drop(self, directory: int, names: Iterable[str]) -> None:
        """Remove files.

        Raises:
            DurabilityUnknownError: one could not be removed, or a sync failed.
        """
        with Completing(self.subject):
            for name in names:
                os.unlink(name, dir_fd=directory)
            sync(directory)

    def note(self, reference: Reference) -> None:
        """Announce a change of several steps, which the next writer completes if this one cannot.

        Raises:
            OSError: nothing was written.
            DurabilityUnknownError: a sync failed.
        """
        note(self.private, reference, self.stamp, self.subject)

    def strike(self) -> None:
        """Take the note away.

        Raises:
            DurabilityUnknownError: it could not be removed.
        """
        with Completing(self.subject):
            strike(self.private)


def write(
    path: str,
    subject: str,
    work: Callable[[Writer], _T],
    *,
    known: bool = False,
    patience: float,
) -> _T:
    """What `work` returns. The store at `path` is locked meanwhile, and made if there is none; nothing stays half made.

    `known` says that there was one, which is not made again; `patience` is how long to wait for another writer, in
    seconds.

    Raises:
        ReadOnlyStoreError, AccessDeniedError, StoreUnavailableError: nothing was written.
        DamagedStoreError: `path` is no store, or not any more, or something in it is no part of one.
        DurabilityUnknownError: a sync failed.
    """
    with Writing(subject), make_root(path, known=known) as root:
        marked = holds_store(root, path)
        if known and not marked:
            raise gone(path)
        with open_or_make(root, PRIVATE, subject) as private:

            def do(lock: int) -> _T:
                with open_or_make(private, TEMPORARY, subject) as temporary:
                    writer = Writer(root, private, temporary, next_stamp(lock), path, subject)
                    return _work(writer, work, marked=marked)

            return locked(private, LOCK, "exclusive", subject, do, patience=patience)


def _work(writer: Writer, work: Callable[[Writer], _T], *, marked: bool) -> _T:
    try:
        recover(writer)
        if not marked and not holds_store(writer.root, writer.path):
            mark_root(writer.root, writer.private, writer.temporary, writer.stamp, writer.path)
        return work(writer)
    except BaseException:
        # What cannot be removed now is by the next writer; the error that stopped this one says more.
        with suppress(OSError, StoreError):
            sweep(writer.temporary)
        raise
