"""Writing: under the lock, with one atomic step that makes a change visible, and recovery of what was interrupted."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal, NamedTuple, TypeVar

from keywright import Record, RecordInfo, Reference, Revision, Secret, State, encode_info, parse_reference
from keywright.errors import (
    ConflictError,
    DurabilityUnknownError,
    InvalidNameError,
    KeyExistsError,
    StoreError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright_file.files import (
    LONGEST_FILE_BYTES,
    Completing,
    Directory,
    NewFile,
    Writing,
    confirm,
    make_directory,
    misplaced,
    open_or_make,
    read_file,
    sync,
    write_file,
)
from keywright_file.layout import (
    KEY,
    METADATA,
    PRIVATE,
    PUBLIC_ONLY,
    REMOVED,
    Version,
    check_files,
    checksum_of,
    current_revision,
    gone,
    holds_store,
    list_entries,
    make_root,
    mark_root,
    no_such_name,
    open_name,
    open_version,
    place_version,
    prune,
    read_version,
    read_versions,
    revision_of,
    version_directory,
    write_checksum,
)

_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FIRST_PAUSE_SECONDS: Final = 0.000_5
_LONGEST_PAUSE_SECONDS: Final = 0.01
_COARSEST_CLOCK_NANOSECONDS: Final = 2_000_000_000  # FAT keeps time in steps of two seconds


def locked(
    directory: int,
    name: str,
    kind: Literal["exclusive", "shared"],
    subject: str,
    work: Callable[[int], _T],
    *,
    patience: float,
) -> _T:
    """What `work` returns, given the descriptor of the lock file, which is locked by `flock` meanwhile.

    Every use opens the file anew, so that threads exclude each other too. The kernel lets go when the process ends,
    however it ends. It is no `with` block of its own: a signal handler that raises, as Ctrl-C does, may come between
    an `__enter__` in Python and the block, and nobody would let go.

    Raises:
        OSError: the file cannot be opened (FileNotFoundError: shared, and there is none) or locked.
        DamagedStoreError: it is no plain file.
        StoreUnavailableError: another writer held it for `patience` seconds.
    """
    if kind == "exclusive":
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600, dir_fd=directory)
    else:
        descriptor = os.open(name, os.O_RDONLY | _SAFELY, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise misplaced(subject)  # FIFOs and devices can be locked too
        if kind == "exclusive":
            os.fchmod(descriptor, 0o600)
        _wait(descriptor, fcntl.LOCK_EX if kind == "exclusive" else fcntl.LOCK_SH, subject, patience)
        return work(descriptor)
    finally:
        # What was written stands, whether these fail or not; the close unlocks too.
        try:
            # Said aloud: a child that another thread forked meanwhile has this descriptor open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError:
            pass
        finally:
            with suppress(OSError):
                os.close(descriptor)


def _wait(descriptor: int, operation: int, subject: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        if time.monotonic() >= deadline:
            raise StoreUnavailableError(
                f"{subject}: another process held the store's lock for longer than the setting `timeout` allows; end "
                "it, or raise `timeout`, and try again"
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


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


TEMPORARY: Final = "tmp"
PENDING: Final = "pending"


def has_leftovers(private: int, subject: str) -> bool:
    """Whether there may be something to recover.

    Raises:
        OSError: the directory cannot be read.
    """
    try:
        os.stat(PENDING, dir_fd=private, follow_symlinks=False)
        return True
    except FileNotFoundError:
        pass
    try:
        with Directory(TEMPORARY, subject, parent=private) as temporary:
            return bool(os.listdir(temporary))
    except FileNotFoundError:
        return False


def recover(writer: Writer) -> None:
    """Remove what is half made and complete what is noted.

    Raises:
        OSError: something could not be read, written or removed.
        DamagedStoreError: the version that is noted is damaged.
        DurabilityUnknownError: a sync failed.
    """
    sweep(writer.temporary)
    try:
        data, _ = read_file(writer.private, PENDING, writer.subject)
    except FileNotFoundError:
        return
    reference = _noted(data)
    if reference is not None:
        _complete(writer._replace(subject=f"{reference} (left by an interrupted write)"), reference)
    strike(writer.private)


def _noted(data: Secret) -> Reference | None:
    """None: the note was cut short, so its writer never came to the change that it announces."""
    if not data.reveal().endswith(b"\n"):
        return None
    try:
        return parse_reference(data.reveal().decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, InvalidNameError):
        return None


def _complete(writer: Writer, reference: Reference) -> None:
    try:
        directory = open_name(writer.root, reference.name, writer.subject)
    except FileNotFoundError:
        return
    with directory as opened:
        if reference.version is None:
            _complete_removal(writer, opened, reference.name)
        else:
            _complete_update(writer, opened, reference.name, reference.version)
    prune(writer.root, reference.name, writer.subject)


def _complete_removal(writer: Writer, directory: int, name: str) -> None:
    try:
        os.stat(REMOVED, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return  # it never began, or is done
    writer.prepare(directory, REMOVED, Secret(b""))
    finish_removal(directory, name, writer.subject)


def _complete_update(writer: Writer, directory: int, name: str, number: int) -> None:
    try:
        place = Directory(version_directory(number), writer.subject, parent=directory)
    except FileNotFoundError:
        return
    with place as opened:
        found = read_version(opened, name, number, writer.subject, with_payload=True)
        if found.key is not None and not found.leftovers:
            return  # it never began, or is done
        # A directory of so few entries is written as a whole, with whatever else changed in it.
        writer.prepare(opened, METADATA, Secret(found.metadata))
        for file in found.leftovers:
            os.unlink(file, dir_fd=opened)
        confirm(opened, writer.subject)


def note(private: int, reference: Reference, stamp: int, subject: str) -> None:
    """Announce a change to `reference`, durably.

    Raises:
        OSError: the note could not be written.
        DurabilityUnknownError: a sync failed.
    """
    write_file(private, PENDING, Secret(f"{reference}\n".encode()), stamp, subject)
    confirm(private, subject)


def strike(private: int) -> None:
    """Take the note away. It need not be durable: what it asks for is done, and doing it again changes nothing."""
    os.unlink(PENDING, dir_fd=private)


def sweep(temporary: int) -> None:
    """Empty the directory for what is half made.

    Raises:
        OSError: something could not be removed.
    """
    for name in os.listdir(temporary):
        if not stat.S_ISDIR(os.stat(name, dir_fd=temporary, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=temporary)
            continue
        os.chmod(name, 0o700, dir_fd=temporary)  # its maker may have come no further than a strange umask
        with Directory(name, TEMPORARY, parent=temporary) as directory:
            for file in os.listdir(directory):
                os.unlink(file, dir_fd=directory)
        os.rmdir(name, dir_fd=temporary)


def finish_removal(directory: int, name: str, subject: str) -> list[os.stat_result]:
    """Remove the versions of `name`, whose directory says `@removed`, and then that. Returns what their key files were.

    Raises:
        OSError: something could not be removed, or a sync failed.
        DamagedStoreError: as `list_entries`, or there is an unknown file beside a key.
    """
    keys = []
    for version in list_entries(directory, name, subject, with_removed=True).versions:
        place = version_directory(version)
        with Directory(place, subject, parent=directory) as opened:
            files = frozenset(os.listdir(opened))
            check_files(files, name, version, subject)
            if KEY in files:
                keys.append(os.stat(KEY, dir_fd=opened, follow_symlinks=False))
            for file in files:
                os.unlink(file, dir_fd=opened)
        os.rmdir(place, dir_fd=directory)
    sync(directory)  # or the versions could come back without the mark
    os.unlink(REMOVED, dir_fd=directory)
    sync(directory)
    return keys


_NEW_VERSION: Final = "version"
_NOTHING: Final = Secret(b"")


def create_version(writer: Writer, record: Record) -> RecordInfo:
    """Write a version beside, then move it into its place; the move refuses a place that is taken.

    Raises:
        KeyExistsError: the version is there.
        UnsupportedOperationError: a destroyed version with a payload, or one that is too long.
        OSError: nothing was written.
        DurabilityUnknownError: a sync failed.
    """
    info, subject = record.info, writer.subject
    encoded = _encoded(record)
    place = version_directory(info.version)
    if _stands(writer.root, info.name, place, subject):
        raise _taken(info)
    make_directory(writer.temporary, _NEW_VERSION)
    half = (PUBLIC_ONLY, _NOTHING) if record.payload is None else (KEY, record.payload)
    with Directory(_NEW_VERSION, subject, parent=writer.temporary) as new:
        if record.payload is not None:
            write_checksum(new, record.payload)
        # Both are written before either is synced: the file system then has less to do.
        with (
            NewFile(new, *half, writer.stamp, subject) as payload,
            NewFile(new, METADATA, encoded, writer.stamp, subject) as metadata,
        ):
            revision = revision_of(payload=payload.confirm(), metadata=metadata.confirm())
        confirm(new, subject)
    try:
        place_version(writer.root, info.name, writer.temporary, _NEW_VERSION, place, subject)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise _taken(info) from None
        raise
    return replace(info, revision=Revision(revision))


def _stands(root: int, name: str, place: str, subject: str) -> bool:
    try:
        with open_name(root, name, subject) as directory:
            os.stat(place, dir_fd=directory, follow_symlinks=False)
            return True
    except FileNotFoundError:
        return False


def _taken(info: RecordInfo) -> KeyExistsError:
    return KeyExistsError(f"{info.reference}: is in the store already; nothing was written; take the next version")


def update_version(writer: Writer, record: Record, expected: Revision) -> RecordInfo:
    """Replace the metadata or the payload, or destroy.

    Raises:
        KeyNotFoundError: there is no such version.
        ConflictError: its revision is another.
        UnsupportedOperationError: metadata and payload change at once without a destruction, or one is too long.
        OSError: nothing was written.
        AccessDeniedError, DamagedStoreError: what is there cannot be trusted.
        DurabilityUnknownError: a sync failed, or what was taken away has another name.
    """
    info, subject = record.info, writer.subject
    encoded = _encoded(record)
    destroying = info.state is State.DESTROYED
    with open_version(writer.root, info.name, info.version, subject) as directory:
        # What is destroyed is not read: it may be damaged.
        old = read_version(directory, info.name, info.version, subject, with_payload=not destroying)
        if old.info.revision != expected:
            raise ConflictError(f"{info.reference}: changed since it was read; nothing was written, read it again")
        if destroying and old.key is not None:
            _destroy(writer, directory, Reference(info.name, info.version), encoded, old)
        elif record.payload == old.payload:
            _replace_metadata(writer, directory, encoded, old, destroyed=destroying)
        elif encoded.reveal() == old.metadata:
            _replace_payload(writer, directory, record, old)
        else:
            raise UnsupportedOperationError(
                f"{info.reference}: metadata and payload do not change in one update; make two updates"
            )
        with Completing(subject):
            return replace(info, revision=Revision(current_revision(directory)))


def _encoded(record: Record) -> Secret:
    """The metadata as they are written, if the record is one that can be."""
    if record.info.state is State.DESTROYED and record.payload is not None:
        raise UnsupportedOperationError(
            f"{record.info.reference}: a destroyed version has no payload; leave the payload out"
        )
    encoded = Secret(encode_info(record.info))
    if max(len(encoded), len(record.payload or b"")) > LONGEST_FILE_BYTES:
        raise UnsupportedOperationError(
            f"{record.info.reference}: the payload or its metadata are longer than {LONGEST_FILE_BYTES} bytes, which "
            "the file store does not take; use a shorter one"
        )
    return encoded


def _destroy(writer: Writer, directory: int, reference: Reference, encoded: Secret, old: Version) -> None:
    # Metadata first: a version without its key, but not destroyed, would be damaged.
    writer.note(reference)
    writer.put(directory, METADATA, encoded)
    writer.drop(directory, old.files - {METADATA})
    writer.strike()
    _report_other_names([old.key], writer.subject)


def _replace_metadata(writer: Writer, directory: int, encoded: Secret, old: Version, *, destroyed: bool) -> None:
    if not destroyed and not old.files & {KEY, PUBLIC_ONLY}:
        writer.prepare(directory, PUBLIC_ONLY, _NOTHING)  # what was destroyed needs it as soon as it is not
    writer.put(directory, METADATA, encoded)


def _replace_payload(writer: Writer, directory: int, record: Record, old: Version) -> None:
    writer.note(Reference(record.info.name, record.info.version))
    if record.payload is None:
        # From here on `public-only` decides; the key file is a leftover.
        writer.put(directory, PUBLIC_ONLY, _NOTHING)
        writer.drop(directory, old.files - {METADATA})
    else:
        # Both checksums stand there while the key is replaced, so that either key is whole.
        write_checksum(directory, record.payload)
        confirm(directory, writer.subject)
        if PUBLIC_ONLY in old.files:
            writer.prepare(directory, KEY, record.payload)
            os.unlink(PUBLIC_ONLY, dir_fd=directory)  # which decided until now
        else:
            writer.put(directory, KEY, record.payload)
        writer.drop(directory, old.files - {METADATA, KEY, PUBLIC_ONLY, checksum_of(record.payload)})
    writer.strike()
    _report_other_names([old.key], writer.subject)


def _report_other_names(keys: Iterable[os.stat_result | None], subject: str) -> None:
    links = [f"-inum {key.st_ino}" for key in keys if key is not None and key.st_nlink > 1]
    if links:
        raise DurabilityUnknownError(
            f"{subject}: the change is made, but a key file that it took away has another name (a hard link), under "
            f"which the key can still be read; look for it with `find {' -o '.join(links)}` and remove it"
        )


def remove_name(writer: Writer, name: str, expected: Sequence[Revision]) -> None:
    """Mark a name as removed, then remove its versions; the mark makes it visible at once for all of them.

    Raises:
        KeyNotFoundError: there is no such name.
        ConflictError: the revisions of its versions are others.
        OSError: nothing was removed.
        AccessDeniedError, DamagedStoreError: what is there cannot be trusted, or somebody else put a file to a key.
        DurabilityUnknownError: a sync failed, or what was taken away has another name.
    """
    try:
        found = open_name(writer.root, name, writer.subject)
    except FileNotFoundError:
        raise no_such_name(name) from None
    with found as directory:
        infos = read_versions(directory, name, writer.path)
        if not infos:
            raise no_such_name(name)
        if [info.revision for info in infos] != list(expected):
            raise ConflictError(f"{name}: changed since it was read; nothing was removed, read it again")
        _check_alone(directory, infos, writer.path)
        writer.note(Reference(name, None))
        writer.put(directory, REMOVED, _NOTHING)
        with Completing(writer.subject):
            keys = finish_removal(directory, name, writer.subject)
    with Completing(writer.subject):
        prune(writer.root, name, writer.subject)
    writer.strike()
    _report_other_names(keys, writer.subject)


def _check_alone(directory: int, infos: Iterable[RecordInfo], path: str) -> None:
    """Refuse, while nothing is removed yet, versions whose directory would not go: what others put there is theirs."""
    for info in infos:
        subject = f"{info.reference} in {path}"
        with Directory(version_directory(info.version), subject, parent=directory) as opened:
            check_files(os.listdir(opened), info.name, info.version, subject)
