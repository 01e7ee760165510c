"""Writing: under the lock, by one atomic step that makes a change visible, and recovery from interrupted writes.

One process writes at a time (`under_lock`). Another waits for the lock as long as the setting `timeout` says (a minute
by default: `TIMEOUT`), then raises StoreUnavailableError; `keywright.files.locked` is the waiting itself.
Readers take no lock, except a shared one to look again at what seems to be damaged.

What is half made lies in one directory, `tmp`. Where more than one step follows the one that makes a change visible
(a key file or a checksum is to be removed, or a whole name), a note in `pending` says which before the first. Both are
looked at under the lock, so they are never a live writer's.

The sync of what made such a change visible may have failed, and to sync that again would prove nothing: the system
reports a failure once. So it is written again before anything is removed.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Final, NamedTuple, TypeVar

from keywright import Guard, Record, RecordInfo, Reference, Revision, Secret, State, encode_info, parse_reference
from keywright.errors import (
    ConflictError,
    DurabilityError,
    InvalidNameError,
    KeyExistsError,
    KeyNotFoundError,
    StoreError,
    UnsupportedOperationError,
)
from keywright.files import NewFile, WriteErrors, locked, make_directories, make_directory, sync, write_file
from keywright_file import layout
from keywright_file.files import (
    COMPLETING,
    CONFIRMING,
    LONGEST_FILE_BYTES,
    SAFELY,
    WRITING,
    Directory,
    confirm,
    exists,
    misplaced,
    open_or_make,
    read_file,
    status,
)

_NEW_FILE: Final = "file"
_NEW_VERSION: Final = "version"
_NOTHING: Final = Secret(b"")
_COARSEST_CLOCK_NANOSECONDS: Final = 2_000_000_000  # FAT keeps time in steps of two seconds
_T = TypeVar("_T")


# The lock.


def under_lock(private: int, subject: str, work: Callable[[int], _T], *, patience: float, shared: bool = False) -> _T:
    """What `work` returns, given the descriptor of the lock file in `private`, which is locked meanwhile.

    Every use opens the file, so that threads exclude each other too.

    Raises:
        OSError: the file cannot be opened (FileNotFoundError: shared, and it does not exist) or locked.
        CorruptedStoreError: it is not a regular file.
        StoreUnavailableError: another writer held it for `patience` seconds.
    """
    flags = SAFELY | (os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT)
    descriptor = os.open(layout.LOCK, flags, 0o600, dir_fd=private)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise misplaced(subject)  # FIFOs and devices can be locked too
        if not shared:
            os.fchmod(descriptor, 0o600)
        busy = f"{subject}: another process locked the store for longer than the setting `timeout` allows"
        hint = "end that process, or raise `timeout`"
        return locked(descriptor, lambda: work(descriptor), patience=patience, busy=busy, hint=hint, shared=shared)
    finally:
        with suppress(OSError):  # what was written is written
            os.close(descriptor)


def next_stamp(lock: int) -> int:
    """A time for new files, in nanoseconds since the epoch, later than any that the store gave out before.

    Revisions are made of it. A clock that stands still or goes back, or a file system that keeps time coarsely, would
    give one stamp twice; the time of the lock file, whose descriptor is `lock`, remembers the last.
    """
    last = os.fstat(lock).st_mtime_ns
    for stamp in (max(time.time_ns(), last + 1), last + _COARSEST_CLOCK_NANOSECONDS):
        os.utime(lock, ns=(stamp, stamp))
        given = os.fstat(lock).st_mtime_ns
        if given > last:
            break
    return given


# The writer.


class Writer(NamedTuple):
    """What a write works with while it holds the store's lock.

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

    def put(self, directory: int, name: str, data: Secret, *, visible: bool = True) -> None:
        """Write a file and move it into its place, over what is there, which makes a change visible.

        `visible` is False where the change is not visible yet, or has long been.

        Raises:
            OSError: nothing was written.
            DurabilityError: a sync failed.
        """
        write_file(
            name,
            data,
            replace=True,
            subject=self.subject,
            errors=WriteErrors(sync=CONFIRMING, finish=COMPLETING if visible else CONFIRMING),
            directory=directory,
            temporary=_NEW_FILE,
            temporary_directory=self.temporary,
            time_ns=self.stamp,
        )

    def drop(self, directory: int, names: Iterable[str]) -> None:
        """Remove files.

        Raises:
            DurabilityError: one could not be removed, or a sync failed.
        """
        with COMPLETING.about(self.subject):
            for name in names:
                os.unlink(name, dir_fd=directory)
            sync(directory)

    def note(self, reference: Reference) -> None:
        """Announce a change of several steps, which the next writer completes if this one cannot. Raises as `put`."""
        with NewFile(layout.PENDING, directory=self.private) as file:
            file.write(f"{reference}\n".encode())
            file.set_time(self.stamp)
            with CONFIRMING.about(self.subject):
                file.sync()
        confirm(self.private, self.subject)

    def strike(self) -> None:
        """Take the note away. It need not be durable: what it asks for is done, and doing it again changes nothing.

        Raises:
            DurabilityError: it could not be removed.
        """
        with COMPLETING.about(self.subject):
            os.unlink(layout.PENDING, dir_fd=self.private)


def apply(path: str, subject: str, work: Callable[[Writer], _T], *, known: bool = False, patience: float) -> _T:
    """What `work` returns. Meanwhile the store at `path` is locked; a missing one is made, and nothing stays half made.

    `known` says that there was one, which is not made again; `patience` is how long to wait for another writer, in
    seconds.

    Raises:
        ReadOnlyStoreError, AccessDeniedError, StoreUnavailableError: nothing was written.
        CorruptedStoreError: `path` is not a store, or not any more, or something in it is not part of one.
        DurabilityError: a sync failed.
    """
    with WRITING.about(subject), _root(path, known=known) as root:
        marked = layout.holds_store(root, path)
        if known and not marked:
            raise layout.gone(path)
        with open_or_make(root, layout.PRIVATE, subject) as private:

            def do(lock: int) -> _T:
                with open_or_make(private, layout.TEMPORARY, subject) as temporary:
                    writer = Writer(root, private, temporary, next_stamp(lock), path, subject)
                    return _work(writer, work, marked=marked)

            return under_lock(private, subject, do, patience=patience)


def _root(path: str, *, known: bool) -> Directory:
    """Open the root; make it, and what is missing above it, unless a store was known there."""
    root = layout.open_root(path)
    if root is None:
        if known:
            raise layout.gone(path)
        make_directories(path, subject=path, unsynced=CONFIRMING)
        return Directory(path, path)
    return root


def _work(writer: Writer, work: Callable[[Writer], _T], *, marked: bool) -> _T:
    try:
        _recover(writer)
        if not marked and not layout.holds_store(writer.root, writer.path):
            marker = Secret(layout.MARKER)
            writer._replace(subject=writer.path).put(writer.private, layout.FORMAT, marker, visible=False)
            confirm(writer.root, writer.path)
        return work(writer)
    except BaseException:
        # What cannot be removed now is by the next writer; the error that stopped this one says more.
        with suppress(OSError, StoreError):
            _sweep(writer.temporary)
        raise


# Recovery.


def has_leftovers(private: int, subject: str) -> bool:
    """Whether there may be something to recover.

    Raises:
        OSError: the directory cannot be read.
    """
    if exists(layout.PENDING, private):
        return True
    try:
        with Directory(layout.TEMPORARY, subject, parent=private) as temporary:
            return bool(os.listdir(temporary))
    except FileNotFoundError:
        return False


def _recover(writer: Writer) -> None:
    """Remove what is half made and complete what is noted."""
    _sweep(writer.temporary)
    try:
        data, _ = read_file(writer.private, layout.PENDING, writer.subject)
    except FileNotFoundError:
        return
    reference = _noted(data)
    if reference is not None:
        _complete(writer._replace(subject=f"{reference} (left by an interrupted write)"), reference)
    os.unlink(layout.PENDING, dir_fd=writer.private)


def _sweep(temporary: int) -> None:
    """Empty the directory for what is half made."""
    for name in os.listdir(temporary):
        if not stat.S_ISDIR(status(name, temporary).st_mode):
            os.unlink(name, dir_fd=temporary)
            continue
        os.chmod(name, 0o700, dir_fd=temporary)  # its maker may have come no further than a strange umask
        with Directory(name, layout.TEMPORARY, parent=temporary) as directory:
            for file in os.listdir(directory):
                os.unlink(file, dir_fd=directory)
        os.rmdir(name, dir_fd=temporary)


def _noted(data: Secret) -> Reference | None:
    """None: the note was cut short, so its writer never came to the change that it announces."""
    if not data.reveal().endswith(b"\n"):
        return None
    try:
        return parse_reference(data.reveal().decode("ascii").removesuffix("\n"), reserved=True)
    except (UnicodeDecodeError, InvalidNameError):
        return None


def _complete(writer: Writer, reference: Reference) -> None:
    name, version = reference
    try:
        found = layout.open_name(writer.root, name, writer.subject)
    except FileNotFoundError:
        return
    with found as directory:
        if version is None and exists(layout.REMOVED, directory):
            writer.put(directory, layout.REMOVED, _NOTHING, visible=False)
            _finish_removal(directory, name, writer.subject)
        elif version is not None and exists(f"@{version}", directory):
            with Directory(f"@{version}", writer.subject, parent=directory) as opened:
                _complete_update(writer, opened, name, version)
    layout.prune(writer.root, name, writer.subject)


def _complete_update(writer: Writer, directory: int, name: str, version: int) -> None:
    found = layout.read_version(directory, name, version, writer.subject, with_payload=True)
    if found.key is not None and not found.leftovers:
        return  # it never began, or is done
    # A directory of so few entries is written as a whole, with all that changed in it.
    writer.put(directory, layout.METADATA, Secret(found.metadata), visible=False)
    for file in found.leftovers:
        os.unlink(file, dir_fd=directory)
    confirm(directory, writer.subject)


def _finish_removal(directory: int, name: str, subject: str) -> list[os.stat_result]:
    """Remove the versions of `name`, whose directory says `@removed`, and then that. Returns what their key files were.

    Raises:
        OSError: something could not be removed, or a sync failed.
        CorruptedStoreError: as `list_entries`, or there is an unknown file beside a key.
    """
    keys = []
    for version in layout.list_entries(directory, name, subject, with_removed=True).versions:
        with Directory(f"@{version}", subject, parent=directory) as opened:
            files = os.listdir(opened)
            layout.check_files(files, name, version, subject)
            if layout.KEY in files:
                keys.append(status(layout.KEY, opened))
            for file in files:
                os.unlink(file, dir_fd=opened)
        os.rmdir(f"@{version}", dir_fd=directory)
    sync(directory)  # or the versions could come back without the mark
    os.unlink(layout.REMOVED, dir_fd=directory)
    sync(directory)
    return keys


# Changes.


def create_version(writer: Writer, record: Record) -> RecordInfo:
    """Write a version beside, then move it into its place; the move refuses a place that is taken.

    Raises:
        KeyExistsError: the version exists.
        UnsupportedOperationError: a destroyed version with a payload, or one that is too long.
        OSError: nothing was written.
        DurabilityError: a sync failed.
    """
    info, subject = record.info, writer.subject
    if info.state is State.DESTROYED and record.payload is not None:
        raise UnsupportedOperationError(
            f"{info.reference}: a destroyed version has no payload", hint="leave the payload out"
        )
    encoded = _encoded(info)
    _check_length(info.reference, record.payload)
    with suppress(FileNotFoundError), layout.open_name(writer.root, info.name, subject) as directory:
        if exists(f"@{info.version}", directory):
            raise _taken(info)
    make_directory(_NEW_VERSION, directory=writer.temporary)
    with Directory(_NEW_VERSION, subject, parent=writer.temporary) as new:
        half, data = (layout.PUBLIC_ONLY, _NOTHING) if record.payload is None else (layout.KEY, record.payload)
        if record.payload is not None:
            _write_checksum(new, record.payload)
        # Both are written before either is synced: the file system then has less to do.
        with NewFile(half, directory=new) as payload, NewFile(layout.METADATA, directory=new) as metadata:
            payload.write(data)
            payload.set_time(writer.stamp)
            metadata.write(encoded)
            metadata.set_time(writer.stamp)
            with CONFIRMING.about(subject):
                revision = layout.revision_of(payload=payload.sync(), metadata=metadata.sync())
        confirm(new, subject)
    try:
        _place_version(writer, info)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise _taken(info) from None
        raise
    return info.replace(revision=Revision(revision))


def _taken(info: RecordInfo) -> KeyExistsError:
    return KeyExistsError(f"{info.reference}: already exists; nothing was written", hint="use the next version")


def _place_version(writer: Writer, info: RecordInfo) -> None:
    """Move the new version into its name's directory, which is made where it is missing.

    Every directory on the way is synced, whether it was made now or not: a writer that was killed may have made it.
    That comes after the move, for then one commit of a journal holds all of them.
    """
    with ExitStack() as way:
        parents = [writer.root]
        for segment in info.name.split("/"):
            parents.append(way.enter_context(open_or_make(parents[-1], segment, writer.subject)))
        os.rename(_NEW_VERSION, f"@{info.version}", src_dir_fd=writer.temporary, dst_dir_fd=parents[-1])
        with COMPLETING.about(writer.subject):
            for parent in reversed(parents):
                sync(parent)


def update_info(writer: Writer, info: RecordInfo, expected: Revision) -> RecordInfo:
    """Replace the metadata.

    Raises:
        KeyNotFoundError: the version does not exist.
        ConflictError: its revision differs.
        UnsupportedOperationError: the state is `destroyed` and the version has a payload, or the metadata is too long.
        OSError: nothing was written.
        AccessDeniedError, CorruptedStoreError: what is there cannot be trusted.
        DurabilityError: a sync failed.
    """
    encoded = _encoded(info)
    with layout.open_version(writer.root, info.name, info.version, writer.subject) as directory:
        old = _expected(writer, directory, info.reference, expected)
        is_destroyed = info.state is State.DESTROYED
        if is_destroyed and old.key is not None:
            raise UnsupportedOperationError(f"{info.reference}: a destroyed version has no payload", hint="use destroy")
        if not is_destroyed and not old.files & {layout.KEY, layout.PUBLIC_ONLY}:
            # What was destroyed needs it as soon as it is not.
            writer.put(directory, layout.PUBLIC_ONLY, _NOTHING, visible=False)
        writer.put(directory, layout.METADATA, encoded)
        return _revised(writer, directory, info)


def replace_payload(writer: Writer, reference: Reference, payload: Secret, expected: Revision) -> RecordInfo:
    """Replace the payload.

    Raises:
        UnsupportedOperationError: the version has none, or the new one is too long. Otherwise as `update_info`, and
        DurabilityError: what was replaced has another name.
    """
    name, version = reference.name, reference.version or 0
    _check_length(str(reference), payload)
    with layout.open_version(writer.root, name, version, writer.subject) as directory:
        old = _expected(writer, directory, str(reference), expected)
        if old.key is None:
            raise UnsupportedOperationError(
                f"{reference}: has no payload that could be replaced", hint="import it instead"
            )
        writer.note(reference)
        # Both checksums exist while the key is replaced, so that either key is whole.
        _write_checksum(directory, payload)
        confirm(directory, writer.subject)
        writer.put(directory, layout.KEY, payload)
        _finish_change(writer, directory, old, keep={layout.METADATA, layout.KEY, layout.checksum_of(payload)})
        return _revised(writer, directory, old.info)


def destroy_version(writer: Writer, info: RecordInfo, expected: Revision) -> RecordInfo:
    """Replace the metadata, and unlink the payload. What is destroyed is not read: it may be damaged.

    Raises:
        UnsupportedOperationError: the state is not `destroyed`, or the metadata is too long. Otherwise as
        `update_info`, and DurabilityError: the payload has another name.
    """
    if info.state is not State.DESTROYED:
        raise UnsupportedOperationError(f"{info.reference}: its state is not destroyed", hint="use update_info")
    encoded = _encoded(info)
    with layout.open_version(writer.root, info.name, info.version, writer.subject) as directory:
        old = _expected(writer, directory, info.reference, expected, with_payload=False)
        if old.key is not None:
            writer.note(Reference(info.name, info.version))
        # Metadata first: a version without its key, but not destroyed, would be damaged.
        writer.put(directory, layout.METADATA, encoded)
        if old.key is not None:
            _finish_change(writer, directory, old, keep={layout.METADATA})
        return _revised(writer, directory, info)


def check_guard(writer: Writer, guard: Guard) -> None:
    """Raises: ConflictError, if the record of `guard` does not exist or has another revision."""
    with (
        suppress(FileNotFoundError, KeyNotFoundError),
        layout.open_version(writer.root, guard.name, guard.version, writer.subject) as directory,
    ):
        if layout.current_revision(directory) == guard.revision:
            return
    raise _conflict(f"{guard.name}@{guard.version}", "written")


def _conflict(subject: str, done: str) -> ConflictError:
    return ConflictError(f"{subject}: changed since it was read; nothing was {done}", hint="read it and try again")


def _expected(
    writer: Writer, directory: int, reference: str, expected: Revision, *, with_payload: bool = True
) -> layout.Version:
    """The version as it is, if it has the revision `expected`."""
    name, _, number = reference.partition("@")
    old = layout.read_version(directory, name, int(number), writer.subject, with_payload=with_payload)
    if old.info.revision != expected:
        raise _conflict(reference, "written")
    return old


def _revised(writer: Writer, directory: int, info: RecordInfo) -> RecordInfo:
    with COMPLETING.about(writer.subject):
        return info.replace(revision=Revision(layout.current_revision(directory)))


def _encoded(info: RecordInfo) -> Secret:
    """The metadata as it is written."""
    encoded = Secret(encode_info(info))
    _check_length(info.reference, encoded)
    return encoded


def _check_length(reference: str, data: Secret | None) -> None:
    if len(data or b"") > LONGEST_FILE_BYTES:
        raise UnsupportedOperationError(
            f"{reference}: the payload or its metadata is longer than {LONGEST_FILE_BYTES} bytes, the most that the "
            f"file store keeps",
            hint="use a shorter one",
        )


def _finish_change(writer: Writer, directory: int, old: layout.Version, *, keep: set[str]) -> None:
    writer.drop(directory, old.files - keep)
    writer.strike()
    _report_other_names([old.key], writer.subject)


def _write_checksum(directory: int, payload: Secret) -> None:
    """Put the checksum of a payload into a directory, where it may stand already. Syncing that makes it durable."""
    descriptor = os.open(layout.checksum_of(payload), os.O_WRONLY | os.O_CREAT | SAFELY, 0o600, dir_fd=directory)
    try:
        os.fchmod(descriptor, 0o600)  # a umask may have taken more away than it should
    finally:
        os.close(descriptor)


def _report_other_names(keys: Iterable[os.stat_result | None], subject: str) -> None:
    links = [f"-inum {key.st_ino}" for key in keys if key is not None and key.st_nlink > 1]
    if links:
        raise DurabilityError(
            f"{subject}: the change was made, but the old key can still be read under another name (a hard link)",
            hint=f"look for it with `find {' -o '.join(links)}` and remove it",
        )


def remove_name(writer: Writer, name: str, expected: Sequence[Revision]) -> None:
    """Mark a name as removed, then remove its versions; the mark makes it visible at once for all of them.

    Raises:
        KeyNotFoundError: the name does not exist.
        ConflictError: the revisions of its versions differ.
        OSError: nothing was removed.
        AccessDeniedError, CorruptedStoreError: what is there cannot be trusted, or an unknown file is beside a key.
        DurabilityError: a sync failed, or what was taken away has another name.
    """
    try:
        found = layout.open_name(writer.root, name, writer.subject)
    except FileNotFoundError:
        raise layout.no_such_name(name) from None
    with found as directory:
        infos = layout.read_versions(directory, name, writer.path)
        if not infos:
            raise layout.no_such_name(name)
        if [info.revision for info in infos] != list(expected):
            raise _conflict(name, "removed")
        for info in infos:
            # While nothing is removed yet: a directory with files of others would not go, and they are theirs.
            subject = f"{info.reference} in {writer.path}"
            with Directory(f"@{info.version}", subject, parent=directory) as opened:
                layout.check_files(os.listdir(opened), info.name, info.version, subject)
        writer.note(Reference(name, None))
        writer.put(directory, layout.REMOVED, _NOTHING)
        with COMPLETING.about(writer.subject):
            keys = _finish_removal(directory, name, writer.subject)
    with COMPLETING.about(writer.subject):
        layout.prune(writer.root, name, writer.subject)
    writer.strike()
    _report_other_names(keys, writer.subject)
