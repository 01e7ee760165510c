"""The writes, for who holds the lock: each has one step that makes it visible, and that step is atomic."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from keywright import Record, RecordInfo, Reference, Revision, Secret, State, encode_info
from keywright.errors import ConflictError, DurabilityUnknownError, KeyExistsError, UnsupportedOperationError
from keywright_file.checksum import checksum_of, write_checksum
from keywright_file.faults import Completing
from keywright_file.files import LONGEST_FILE_BYTES, Directory, NewFile, confirm, make_directory
from keywright_file.lookup import no_such_name, open_version, read_versions
from keywright_file.names import REMOVED, open_name, place_version, prune
from keywright_file.recovery import finish_removal
from keywright_file.version import (
    KEY,
    METADATA,
    PUBLIC_ONLY,
    Version,
    check_files,
    current_revision,
    read_version,
    revision_of,
    version_directory,
)
from keywright_file.writer import Writer

__all__ = ["create_version", "remove_name", "update_version"]

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
