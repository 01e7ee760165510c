"""Writing: under the lock, by one atomic step that makes a change visible, and recovery from interrupted writes.

One process writes at a time (`under_lock`). Another waits for the lock as long as the setting `timeout` says (a minute
by default: `TIMEOUT`), then raises StoreUnavailableError; `keywright.files.locked` is the waiting itself.
Readers take no lock, except a shared one to read again what seems to be damaged.

Each operation is a sequence of steps, each on the medium before the next begins. The step behind `=>` makes the change
visible. "Note" is the file `pending`, with the name or version that is being changed.

    create_version    tmp/version with all its files => rename to NAME/@N, sync the directories above
    update_info       tmp/file => rename to meta.json
    replace_payload   note, checksum of the new key, tmp/file => rename to key, remove the old checksum, remove the note
    destroy_version   note, tmp/file => rename to meta.json, remove key and checksum, remove the note
    remove_name       note, tmp/file => rename to @removed, remove the versions, @removed and empty directories,
                      remove the note

What a kill leaves, and what the next writer does with it (`_recover`), under the lock, so it is never a live writer's:

    before `=>`       files in `tmp`, a note, a checksum: the old state; `tmp` is emptied, the checksum and note removed
    behind `=>`       key, checksum or versions that the note names: the new state; they are removed, then the note

The sync of the step behind `=>` may have failed, and to sync again would prove nothing, because the system reports a
failure once. So recovery writes that file again before it removes anything.

Descriptors are named for the directory that they are of: `root_fd`, `private_fd` (ROOT/.keywright), `temporary_fd`
(ROOT/.keywright/tmp), `name_fd` (ROOT/NAME), `version_fd` (ROOT/NAME/@N); `lock_fd` is of the lock file.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Final, NamedTuple, TypeVar

from keywright import (
    Guard,
    Record,
    RecordInfo,
    Reference,
    Revision,
    Secret,
    State,
    encode_info,
    errors,
    parse_reference,
)
from keywright.files import NewFile, WriteErrors, locked, make_directories, make_directory, sync, write_file
from keywright_file import files, layout

_NEW_FILE: Final = "file"
_NEW_VERSION: Final = "version"
_NOTHING: Final = Secret(b"")
_COARSEST_CLOCK_NANOSECONDS: Final = 2_000_000_000  # FAT keeps time in steps of two seconds
_T = TypeVar("_T")


# The lock.


def under_lock(
    private_fd: int, subject: str, work: Callable[[int], _T], *, patience: float, shared: bool = False
) -> _T:
    """What `work` returns, given the descriptor of the lock file in `private`, which is locked meanwhile.

    Every use opens the file, so that threads exclude each other too.

    Raises:
        OSError: the file cannot be opened (FileNotFoundError: shared, and it does not exist) or locked.
        CorruptedStoreError: it is not a regular file.
        StoreUnavailableError: another writer held it for `patience` seconds.
    """
    flags = files.SAFELY | (os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT)
    lock_fd = os.open(layout.LOCK, flags, 0o600, dir_fd=private_fd)
    try:
        if not stat.S_ISREG(os.fstat(lock_fd).st_mode):
            raise files.MISPLACED.as_error(subject)  # FIFOs and devices can be locked too
        if not shared:
            os.fchmod(lock_fd, 0o600)
        busy = f"{subject}: locked by another process for longer than the setting `timeout`"
        hint = "stop that process, or raise the setting `timeout` of the store"
        return locked(lock_fd, lambda: work(lock_fd), patience=patience, busy=busy, hint=hint, shared=shared)
    finally:
        with suppress(OSError):  # what was written is written
            os.close(lock_fd)


def next_stamp(lock_fd: int) -> int:
    """A time for new files, in nanoseconds since the epoch, later than any that the store gave out before.

    Revisions are made of it. A clock that stands still or goes back, or a file system that keeps time coarsely, would
    give one stamp twice; the time of the lock file, whose descriptor is `lock`, remembers the last.
    """
    last = os.fstat(lock_fd).st_mtime_ns
    for stamp in (max(time.time_ns(), last + 1), last + _COARSEST_CLOCK_NANOSECONDS):
        os.utime(lock_fd, ns=(stamp, stamp))
        given = os.fstat(lock_fd).st_mtime_ns
        if given > last:
            break
    return given


# The writer.


class Writer(NamedTuple):
    """What a write works with while it holds the store's lock.

    Attributes:
        root_fd, private_fd, temporary_fd: see the module's docstring.
        stamp: the time that this write gives its files (see `next_stamp`).
        path, subject: the store's path, and what is written there, for messages.
    """

    root_fd: int
    private_fd: int
    temporary_fd: int
    stamp: int
    path: str
    subject: str

    def put(self, directory_fd: int, name: str, data: Secret, *, visible: bool = True) -> None:
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
            errors=WriteErrors(
                sync=files.UNDONE_ERRORS, finish=files.UNCERTAIN_ERRORS if visible else files.UNDONE_ERRORS
            ),
            directory=directory_fd,
            temporary=_NEW_FILE,
            temporary_directory=self.temporary_fd,
            time_ns=self.stamp,
        )

    def note(self, reference: Reference) -> None:
        """Announce a change of several steps, which the next writer completes if this one cannot. Raises as `put`."""
        with NewFile(layout.PENDING, directory=self.private_fd) as file:
            file.write(f"{reference}\n".encode())
            file.set_time(self.stamp)
            with files.UNDONE_ERRORS.about(self.subject):
                file.sync()
        files.confirm(self.private_fd, self.subject)

    def remove_note(self) -> None:
        """Remove the note. It need not be durable: completing the change again changes nothing.

        Raises:
            DurabilityError: it could not be removed.
        """
        with files.UNCERTAIN_ERRORS.about(self.subject):
            os.unlink(layout.PENDING, dir_fd=self.private_fd)


def apply(path: str, subject: str, work: Callable[[Writer], _T], *, known: bool = False, patience: float) -> _T:
    """What `work` returns. Meanwhile the store at `path` is locked; a missing one is created.

    `known` says that it existed, so that it is not created again; `patience` is how long to wait for another writer, in
    seconds.

    Raises:
        ReadOnlyStoreError, AccessDeniedError, StoreUnavailableError: nothing was written.
        CorruptedStoreError: `path` is not a store, or not any more, or has something that is not part of one.
        DurabilityError: a sync failed.
    """
    with files.WRITE_ERRORS.about(subject), _root(path, known=known) as root_fd:
        marked = layout.holds_store(root_fd, path)
        if known and not marked:
            raise layout.gone(path)
        with files.open_or_make(root_fd, layout.PRIVATE, subject) as private_fd:

            def locked_work(lock_fd: int) -> _T:
                with files.open_or_make(private_fd, layout.TEMPORARY, subject) as temporary_fd:
                    writer = Writer(root_fd, private_fd, temporary_fd, next_stamp(lock_fd), path, subject)
                    return _work(writer, work, marked=marked)

            return under_lock(private_fd, subject, locked_work, patience=patience)


def _root(path: str, *, known: bool) -> files.Directory:
    """Open the root; create it, and missing directories above it, unless a store was known there."""
    found = layout.open_root(path)
    if found is not None:
        return found
    if known:
        raise layout.gone(path)
    make_directories(path, subject=path, unsynced=files.UNDONE_ERRORS)
    return files.Directory(path, path)


def _work(writer: Writer, work: Callable[[Writer], _T], *, marked: bool) -> _T:
    try:
        _recover(writer)
        if not marked and not layout.holds_store(writer.root_fd, writer.path):
            marker = Secret(layout.MARKER)
            writer._replace(subject=writer.path).put(writer.private_fd, layout.FORMAT, marker, visible=False)
            files.confirm(writer.root_fd, writer.path)
        return work(writer)
    except BaseException:
        # The next writer removes what cannot be removed now; the error that stopped this one says more.
        with suppress(OSError, errors.StoreError):
            _sweep(writer.temporary_fd)
        raise


# Recovery.


def has_leftovers(private_fd: int, subject: str) -> bool:
    """Whether there may be something to recover.

    Raises:
        OSError: the directory cannot be read.
    """
    if files.exists(layout.PENDING, private_fd):
        return True
    try:
        with files.Directory(layout.TEMPORARY, subject, parent=private_fd) as temporary_fd:
            return bool(os.listdir(temporary_fd))
    except FileNotFoundError:
        return False


def _recover(writer: Writer) -> None:
    """Remove unfinished files and complete the change that the note names."""
    _sweep(writer.temporary_fd)
    try:
        data, _ = files.read_file(writer.private_fd, layout.PENDING, writer.subject)
    except FileNotFoundError:
        return
    reference = _noted(data)
    if reference is not None:
        _complete(writer._replace(subject=f"{reference} (left by an interrupted write)"), reference)
    os.unlink(layout.PENDING, dir_fd=writer.private_fd)


def _sweep(temporary_fd: int) -> None:
    """Empty the directory of unfinished files."""
    for name in os.listdir(temporary_fd):
        if not stat.S_ISDIR(files.status(name, temporary_fd).st_mode):
            os.unlink(name, dir_fd=temporary_fd)
            continue
        os.chmod(name, 0o700, dir_fd=temporary_fd)  # the umask may have left it without them
        with files.Directory(name, layout.TEMPORARY, parent=temporary_fd) as directory_fd:
            for file in os.listdir(directory_fd):
                os.unlink(file, dir_fd=directory_fd)
        os.rmdir(name, dir_fd=temporary_fd)


def _noted(data: Secret) -> Reference | None:
    """The reference in a note; None: it was cut short, so the change that it announces never began."""
    if not data.reveal().endswith(b"\n"):
        return None
    try:
        return parse_reference(data.reveal().decode("ascii").removesuffix("\n"), reserved=True)
    except (UnicodeDecodeError, errors.InvalidNameError):
        return None


def _complete(writer: Writer, reference: Reference) -> None:
    name, version = reference
    try:
        found = layout.open_name(writer.root_fd, name, writer.subject)
    except FileNotFoundError:
        return
    with found as name_fd:
        if version is None and files.exists(layout.REMOVED, name_fd):
            writer.put(name_fd, layout.REMOVED, _NOTHING, visible=False)
            _finish_removal(name_fd, name, writer.subject)
        elif version is not None and files.exists(f"@{version}", name_fd):
            with files.Directory(f"@{version}", writer.subject, parent=name_fd) as version_fd:
                _complete_update(writer, version_fd, name, version)
    layout.prune(writer.root_fd, name, writer.subject)


def _complete_update(writer: Writer, version_fd: int, name: str, version: int) -> None:
    found = layout.read_version(version_fd, name, version, writer.subject, with_payload=True)
    if found.key is not None and not found.leftovers:
        return  # it never began, or is done
    # A directory of so few entries is written as a whole, with all that changed in it.
    writer.put(version_fd, layout.METADATA, Secret(found.metadata), visible=False)
    for file in found.leftovers:
        os.unlink(file, dir_fd=version_fd)
    files.confirm(version_fd, writer.subject)


def _finish_removal(name_fd: int, name: str, subject: str) -> list[os.stat_result]:
    """Remove the versions of `name`, whose directory says `@removed`, and then that. Returns what their key files were.

    Raises:
        OSError: something could not be removed, or a sync failed.
        CorruptedStoreError: as `list_entries`, or there is an unknown file beside a key.
    """
    keys = []
    for version in layout.list_entries(name_fd, name, subject, with_removed=True).versions:
        with files.Directory(f"@{version}", subject, parent=name_fd) as version_fd:
            entries = os.listdir(version_fd)
            layout.check_files(entries, name, version, subject)
            if layout.KEY in entries:
                keys.append(files.status(layout.KEY, version_fd))
            for file in entries:
                os.unlink(file, dir_fd=version_fd)
        os.rmdir(f"@{version}", dir_fd=name_fd)
    sync(name_fd)  # or the versions could come back without the mark
    os.unlink(layout.REMOVED, dir_fd=name_fd)
    sync(name_fd)
    return keys


# Changes.


def create_version(writer: Writer, record: Record) -> RecordInfo:
    """Write a version in `tmp`, then move it into its place; the move fails if the version exists.

    Raises:
        KeyExistsError: the version exists.
        UnsupportedOperationError: a destroyed version with a payload, or one that is too long.
        OSError: nothing was written.
        DurabilityError: a sync failed.
    """
    info, subject = record.info, writer.subject
    if info.state is State.DESTROYED and record.payload is not None:
        raise errors.payload_of_destroyed(info.name, info.version)
    encoded = _encoded(info)
    _check_length(info.reference, record.payload)
    with suppress(FileNotFoundError), layout.open_name(writer.root_fd, info.name, subject) as name_fd:
        if files.exists(f"@{info.version}", name_fd):
            raise errors.key_exists(info.name, info.version)
    make_directory(_NEW_VERSION, directory=writer.temporary_fd)
    with files.Directory(_NEW_VERSION, subject, parent=writer.temporary_fd) as new_fd:
        half, data = (layout.PUBLIC_ONLY, _NOTHING) if record.payload is None else (layout.KEY, record.payload)
        if record.payload is not None:
            _write_checksum(new_fd, record.payload)
        # Both are written before either is synced: the file system then has less to do.
        with NewFile(half, directory=new_fd) as payload, NewFile(layout.METADATA, directory=new_fd) as metadata:
            payload.write(data)
            payload.set_time(writer.stamp)
            metadata.write(encoded)
            metadata.set_time(writer.stamp)
            with files.UNDONE_ERRORS.about(subject):
                revision = layout.revision_of(payload=payload.sync(), metadata=metadata.sync())
        files.confirm(new_fd, subject)
    try:
        _place_version(writer, info)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise errors.key_exists(info.name, info.version) from None
        raise
    return info.replace(revision=Revision(revision))


def _place_version(writer: Writer, info: RecordInfo) -> None:
    """Move the new version into its name's directory, which is created if it is missing.

    Every directory on the way is synced, whether it was created now or not: a killed writer may have created it.
    They are synced after the move, so that one commit of a journaling file system contains all of them.
    """
    with ExitStack() as way:
        parent_fds = [writer.root_fd]
        for segment in info.name.split("/"):
            parent_fds.append(way.enter_context(files.open_or_make(parent_fds[-1], segment, writer.subject)))
        os.rename(_NEW_VERSION, f"@{info.version}", src_dir_fd=writer.temporary_fd, dst_dir_fd=parent_fds[-1])
        with files.UNCERTAIN_ERRORS.about(writer.subject):
            for parent_fd in reversed(parent_fds):
                sync(parent_fd)


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
    with layout.open_version(writer.root_fd, info.name, info.version, writer.subject) as version_fd:
        old = _expected(writer, version_fd, info.name, info.version, expected)
        is_destroyed = info.state is State.DESTROYED
        if is_destroyed and old.key is not None:
            raise errors.payload_of_destroyed(info.name, info.version)
        if not is_destroyed and not old.files & {layout.KEY, layout.PUBLIC_ONLY}:
            # A tombstone has neither; in any other state it needs one.
            writer.put(version_fd, layout.PUBLIC_ONLY, _NOTHING, visible=False)
        writer.put(version_fd, layout.METADATA, encoded)
        return _revised(writer, version_fd, info)


def replace_payload(writer: Writer, name: str, version: int, payload: Secret, expected: Revision) -> RecordInfo:
    """Replace the payload.

    Raises:
        UnsupportedOperationError: the version has none, or the new one is too long. Otherwise as `update_info`, and
        DurabilityError: the replaced key file has another name.
    """
    _check_length(f"{name}@{version}", payload)
    with layout.open_version(writer.root_fd, name, version, writer.subject) as version_fd:
        old = _expected(writer, version_fd, name, version, expected)
        if old.key is None:
            raise errors.no_payload(name, version)
        writer.note(Reference(name, version))
        # Both checksums exist while the key is replaced, so that either key is whole.
        _write_checksum(version_fd, payload)
        files.confirm(version_fd, writer.subject)
        writer.put(version_fd, layout.KEY, payload)
        _finish_change(writer, version_fd, old, keep={layout.METADATA, layout.KEY, layout.checksum_of(payload)})
        return _revised(writer, version_fd, old.info)


def destroy_version(writer: Writer, info: RecordInfo, expected: Revision) -> RecordInfo:
    """Replace the metadata, and unlink the payload, which is not read because it may be damaged.

    Raises:
        UnsupportedOperationError: the state is not `destroyed`, or the metadata is too long. Otherwise as
        `update_info`, and DurabilityError: the payload has another name.
    """
    if info.state is not State.DESTROYED:
        raise errors.not_destroyed(info.name, info.version)
    encoded = _encoded(info)
    with layout.open_version(writer.root_fd, info.name, info.version, writer.subject) as version_fd:
        old = _expected(writer, version_fd, info.name, info.version, expected, with_payload=False)
        if old.key is not None:
            writer.note(Reference(info.name, info.version))
        # Metadata first: a version without its key, but not destroyed, would be damaged.
        writer.put(version_fd, layout.METADATA, encoded)
        if old.key is not None:
            _finish_change(writer, version_fd, old, keep={layout.METADATA})
        return _revised(writer, version_fd, info)


def check_guard(writer: Writer, guard: Guard) -> None:
    """Raises: ConflictError, if the record of `guard` does not exist or has another revision."""
    with (
        suppress(FileNotFoundError, errors.KeyNotFoundError),
        layout.open_version(writer.root_fd, guard.name, guard.version, writer.subject) as version_fd,
    ):
        if layout.current_revision(version_fd) == guard.revision:
            return
    raise errors.conflict(guard.name, guard.version)


def _expected(
    writer: Writer, version_fd: int, name: str, version: int, expected: Revision, *, with_payload: bool = True
) -> layout.Version:
    """The version as it is, if it has the revision `expected`."""
    old = layout.read_version(version_fd, name, version, writer.subject, with_payload=with_payload)
    if old.info.revision != expected:
        raise errors.conflict(name, version)
    return old


def _revised(writer: Writer, version_fd: int, info: RecordInfo) -> RecordInfo:
    with files.UNCERTAIN_ERRORS.about(writer.subject):
        return info.replace(revision=Revision(layout.current_revision(version_fd)))


def _encoded(info: RecordInfo) -> Secret:
    """The metadata as it is written."""
    encoded = Secret(encode_info(info))
    _check_length(info.reference, encoded)
    return encoded


def _check_length(reference: str, data: Secret | None) -> None:
    if len(data or b"") > files.LONGEST_FILE_BYTES:
        raise errors.UnsupportedOperationError(
            f'"{reference}" has a payload or metadata of more than {files.LONGEST_FILE_BYTES} bytes, the limit of the '
            "file store",
            hint="store a shorter key, or fewer labels",
        )


def _finish_change(writer: Writer, version_fd: int, old: layout.Version, *, keep: set[str]) -> None:
    with files.UNCERTAIN_ERRORS.about(writer.subject):
        for file in old.files - keep:
            os.unlink(file, dir_fd=version_fd)
        sync(version_fd)
    writer.remove_note()
    _report_other_names([old.key], writer.subject)


def _write_checksum(version_fd: int, payload: Secret) -> None:
    """Create the checksum of a payload, which may exist already. Syncing the directory makes it durable."""
    descriptor = os.open(layout.checksum_of(payload), os.O_WRONLY | os.O_CREAT | files.SAFELY, 0o600, dir_fd=version_fd)
    try:
        os.fchmod(descriptor, 0o600)  # under any umask
    finally:
        os.close(descriptor)


def _report_other_names(keys: Iterable[os.stat_result | None], subject: str) -> None:
    links = [f"-inum {key.st_ino}" for key in keys if key is not None and key.st_nlink > 1]
    if links:
        raise errors.DurabilityError(
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
        DurabilityError: a sync failed, or a removed key file has another name.
    """
    try:
        found = layout.open_name(writer.root_fd, name, writer.subject)
    except FileNotFoundError:
        raise errors.key_not_found(name) from None
    with found as name_fd:
        infos = layout.read_versions(name_fd, name, writer.path)
        if not infos:
            raise errors.key_not_found(name)
        if [info.revision for info in infos] != list(expected):
            raise errors.conflict(name)
        for info in infos:
            # Before anything is removed: a directory with files of other programs could not be removed.
            subject = f"{info.reference} in {writer.path}"
            with files.Directory(f"@{info.version}", subject, parent=name_fd) as version_fd:
                layout.check_files(os.listdir(version_fd), info.name, info.version, subject)
        writer.note(Reference(name, None))
        writer.put(name_fd, layout.REMOVED, _NOTHING)
        with files.UNCERTAIN_ERRORS.about(writer.subject):
            keys = _finish_removal(name_fd, name, writer.subject)
    with files.UNCERTAIN_ERRORS.about(writer.subject):
        layout.prune(writer.root_fd, name, writer.subject)
    writer.remove_note()
    _report_other_names(keys, writer.subject)
