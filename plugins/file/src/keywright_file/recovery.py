"""What a writer that was interrupted left behind, found without looking at the keys.

Whatever is half made lies in one directory, `tmp`. Where more than one step follows the one that makes a change visible
(a key file or a checksum is to be removed, or a whole name), a note in `pending` says which before the first. Both are
looked at under the lock, so they are never a live writer's.

The sync of what made such a change visible may have failed, and to sync that again would prove nothing: the system
tells of a failure once. So it is written anew before anything is removed.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from keywright import Reference, Secret, parse_reference
from keywright.errors import InvalidNameError
from keywright_file.files import Directory, confirm, read_file, sync, write_file
from keywright_file.names import REMOVED, list_entries, open_name, prune
from keywright_file.version import KEY, METADATA, check_files, read_version, version_directory

if TYPE_CHECKING:
    from keywright_file.writer import Writer

__all__ = ["PENDING", "TEMPORARY", "finish_removal", "has_leftovers", "note", "recover", "strike", "sweep"]

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
