"""The writes, for who holds the lock: each has one step that makes it visible, and that step is atomic."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from keywright import Record, RecordInfo, Reference, Revision, Secret, State, encode_info
from keywright.errors import ConflictError, KeyExistsError, UnsupportedOperationError
from keywright_file.faults import Completing
from keywright_file.files import Directory, NewFile, confirm, make_directory, sync
from keywright_file.lookup import no_such_name, open_version, read_versions
from keywright_file.names import REMOVED, make_name, open_name, prune
from keywright_file.recovery import finish_removal
from keywright_file.version import (
    KEY,
    METADATA,
    PUBLIC_ONLY,
    Version,
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
        UnsupportedOperationError: a destroyed version with a payload.
        OSError: nothing was written.
        DurabilityUnknownError: a sync failed.
    """
    info, subject = record.info, writer.subject
    _refuse_payload_of_destroyed(record)
    place = version_directory(info.version)
    if _stands(writer.root, info.name, place, subject):
        raise _taken(info)
    make_directory(writer.temporary, _NEW_VERSION)
    half = (PUBLIC_ONLY, _NOTHING) if record.payload is None else (KEY, record.payload)
    with Directory(_NEW_VERSION, subject, parent=writer.temporary) as new:
        # Both are written before either is synced: the file system then has less to do.
        with (
            NewFile(new, *half, writer.stamp, subject) as payload,
            NewFile(new, METADATA, Secret(encode_info(info)), writer.stamp, subject) as metadata,
        ):
            revision = revision_of(payload=payload.confirm(), metadata=metadata.confirm())
        confirm(new, subject)
    with make_name(writer.root, info.name, subject) as directory:
        try:
            os.rename(_NEW_VERSION, place, src_dir_fd=writer.temporary, dst_dir_fd=directory)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _taken(info) from None
            raise
        with Completing(subject):
            sync(directory)
    return replace(info, revision=Revision(revision))


def _stands(root: int, name: str, place: str, subject: str) -> bool:
    try:
        with open_name(root, name, subject) as directory:
            os.stat(place, dir_fd=directory, follow_symlinks=False)
            return True
    except FileNotFoundError:
        return False


def _taken(info: RecordInfo) -> KeyExistsError:
    return KeyExistsError(f"{info.reference}: is in the store already; nothing was written")


def update_version(writer: Writer, record: Record, expected: Revision) -> RecordInfo:
    """Replace the metadata or the payload, or destroy.

    Raises:
        KeyNotFoundError: there is no such version.
        ConflictError: its revision is another.
        UnsupportedOperationError: metadata and payload change at once without a destruction.
        OSError: nothing was written.
        AccessDeniedError, DamagedStoreError: what is there cannot be trusted.
        DurabilityUnknownError: a sync failed.
    """
    info, subject = record.info, writer.subject
    _refuse_payload_of_destroyed(record)
    with open_version(writer.root, info.name, info.version, subject) as directory:
        old = read_version(directory, info.name, info.version, subject, with_payload=True)
        if old.info.revision != expected:
            raise ConflictError(f"{info.reference}: changed since it was read; nothing was written, read it again")
        if info.state is State.DESTROYED and old.payload is not None:
            _destroy(writer, directory, info)
        elif record.payload == old.payload:
            _replace_metadata(writer, directory, info, old)
        elif encode_info(info) == old.metadata:
            _replace_payload(writer, directory, record, old)
        else:
            raise UnsupportedOperationError(
                f"{info.reference}: metadata and payload do not change in one update; make two updates"
            )
        with Completing(subject):
            return replace(info, revision=Revision(current_revision(directory)))


def _refuse_payload_of_destroyed(record: Record) -> None:
    if record.info.state is State.DESTROYED and record.payload is not None:
        raise UnsupportedOperationError(
            f"{record.info.reference}: a destroyed version has no payload; leave the payload out"
        )


def _destroy(writer: Writer, directory: int, info: RecordInfo) -> None:
    # Metadata first: a version without its key, but not destroyed, would be damaged.
    writer.note(Reference(info.name, info.version))
    writer.put(directory, METADATA, Secret(encode_info(info)))
    writer.drop(directory, KEY)
    writer.strike()


def _replace_metadata(writer: Writer, directory: int, info: RecordInfo, old: Version) -> None:
    if not old.files & {KEY, PUBLIC_ONLY}:
        writer.put(directory, PUBLIC_ONLY, _NOTHING)  # what is destroyed needs it as soon as it is not
    writer.put(directory, METADATA, Secret(encode_info(info)))


def _replace_payload(writer: Writer, directory: int, record: Record, old: Version) -> None:
    if record.payload is not None and old.payload is not None:
        writer.put(directory, KEY, record.payload)
        return
    # While both files are there, `public-only` decides; the key file is a leftover.
    writer.note(Reference(record.info.name, record.info.version))
    if record.payload is None:
        writer.put(directory, PUBLIC_ONLY, _NOTHING)
        writer.drop(directory, KEY)
    else:
        writer.put(directory, KEY, record.payload)
        writer.drop(directory, PUBLIC_ONLY)
    writer.strike()


def remove_name(writer: Writer, name: str, expected: Sequence[Revision]) -> None:
    """Mark a name as removed, then remove its versions; the mark makes it visible at once for all of them.

    Raises:
        KeyNotFoundError: there is no such name.
        ConflictError: the revisions of its versions are others.
        OSError: nothing was removed.
        AccessDeniedError, DamagedStoreError: what is there cannot be trusted.
        DurabilityUnknownError: a sync failed.
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
        writer.note(Reference(name, None))
        writer.put(directory, REMOVED, _NOTHING)
        with Completing(writer.subject):
            finish_removal(directory, writer.subject)
    with Completing(writer.subject):
        prune(writer.root, name, writer.subject)
    writer.strike()
