"""What `keywright doctor` asks of a store of files: every entry of the tree, read through or not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from keywright.errors import StoreError
from keywright.files import OPEN_TO_OTHERS
from keywright_file.files import READING, Directory, check_file, check_key_file, status
from keywright_file.layout import (
    BESIDE_THE_KEY,
    FORMAT,
    IN_THE_PRIVATE_AREA,
    KEY,
    LOCK,
    NOT_A_NAME,
    NOT_A_VERSION,
    OUTSIDE_A_NAME,
    PENDING,
    PRIVATE,
    REMOVED,
    TEMPORARY,
    below,
    is_checksum,
    is_file,
    is_name,
    is_the_systems,
    misplaced_file,
    read_version,
    unexpected,
    version_number,
)
from keywright_file.write import under_lock


def examine(root: int, path: str, patience: float) -> Iterator[str]:
    """One sentence for each problem. Read-only; writers wait no longer than it takes to look at one version again.

    `patience` is how long to wait for a writer, in seconds.

    Raises:
        OSError, StoreError: it cannot be examined.
    """
    try:
        directory = Directory(PRIVATE, path, parent=root)
    except FileNotFoundError:
        return  # there was never a write
    with directory as private:
        settled = _Settled(private, path, patience)
        sentences = [
            *_caught(path, settled(lambda: _private(private, path))),
            *_caught(path, _names(root, "", settled)),
        ]
    # One problem may be met by more than one way.
    yield from dict.fromkeys(sentences)


class _Settled:
    """What is found; if anything is, what is found while there is no writer: it may have been one at work."""

    def __init__(self, private: int, path: str, patience: float) -> None:
        self.path = path
        self._private = private
        self._patience = patience

    def __call__(self, look: Callable[[], Iterator[str]]) -> Iterator[str]:
        def looked(_: object = None) -> list[str]:
            return [*_caught(self.path, look())]

        found = looked()
        if found:
            with suppress(FileNotFoundError):
                found = under_lock(self._private, self.path, looked, patience=self._patience, shared=True)
        yield from found


def _private(private: int, path: str) -> Iterator[str]:
    yield from _exposed(private, f"{path}/{PRIVATE}")
    entries = sorted(os.listdir(private))
    for entry in entries:
        if entry == TEMPORARY:
            yield from _caught(path, _temporary(private, path))
        elif entry in (FORMAT, LOCK, PENDING):
            yield from _caught(path, _file(private, entry, f"{path}/{PRIVATE}/{entry}"))
        else:
            yield str(unexpected(path, IN_THE_PRIVATE_AREA, f"{PRIVATE}/{entry}"))
    if PENDING in entries:
        yield f"{path}: an interrupted write is not completed; mend what else is found, then write to the store"


def _temporary(private: int, path: str) -> Iterator[str]:
    with Directory(TEMPORARY, path, parent=private) as temporary:
        yield from _exposed(temporary, f"{path}/{PRIVATE}/{TEMPORARY}")
        if os.listdir(temporary):
            yield f"{path}: interrupted writes left files in {PRIVATE}/{TEMPORARY}, which may hold keys; remove them"


def _names(directory: int, name: str, settled: _Settled) -> Iterator[str]:
    """The faults of a directory of the tree and all below; `name` is empty for the root."""
    subject = f"{name} in {settled.path}" if name else settled.path
    for entry in sorted(os.listdir(directory)):
        if is_the_systems(entry):
            continue
        longer = below(name, entry)
        if is_name(longer) and stat.S_ISDIR(_mode(directory, entry)):
            yield from _caught(subject, _below(directory, entry, longer, settled))
        else:
            # Called before the next turn of the loop.
            yield from _caught(subject, settled(lambda: _entry(directory, entry, name, settled.path)))  # noqa: B023  (called here)


def _below(directory: int, entry: str, name: str, settled: _Settled) -> Iterator[str]:
    subject = f"{name} in {settled.path}"
    with suppress(FileNotFoundError), Directory(entry, subject, parent=directory) as opened:
        yield from _exposed(opened, subject)
        yield from _names(opened, name, settled)


def _mode(directory: int, entry: str) -> int:
    """0: it was removed since it was listed."""
    try:
        return status(entry, directory).st_mode
    except FileNotFoundError:
        return 0


def _entry(directory: int, entry: str, name: str, path: str) -> Iterator[str]:
    """The faults of a version, or of what has no place among names."""
    subject = f"{name} in {path}" if name else path
    mode = _mode(directory, entry)
    if not mode:
        return
    number = version_number(entry)
    if entry == REMOVED:
        yield f"{subject}: a removal was interrupted, and hides its versions; remove the directory, or {REMOVED} in it"
    elif not stat.S_ISDIR(mode):
        raise misplaced_file(name, entry, subject)
    elif not entry.startswith("@"):
        raise unexpected(path, NOT_A_NAME, below(name, entry))
    elif number is None:
        raise unexpected(subject, NOT_A_VERSION, below(name, entry))
    elif not name:
        raise unexpected(path, OUTSIDE_A_NAME, entry)
    else:
        version = f"{name}@{number} in {path}"
        with Directory(entry, version, parent=directory) as opened:
            yield from _exposed(opened, version)
            yield from _caught(version, _version(opened, name, number, version))


def _version(directory: int, name: str, number: int, subject: str) -> Iterator[str]:
    for file in sorted(os.listdir(directory)):
        if file.startswith("."):
            # No fault of the store's, but editors keep copies of what they edit under such names.
            yield str(unexpected(subject, BESIDE_THE_KEY, f"{name}/@{number}/{file}"))
        elif is_file(file):
            yield from _caught(subject, _file(directory, file, subject))
    version = read_version(directory, name, number, subject, with_payload=True)
    for file in map(_shown, sorted(version.leftovers)):
        if version.key is None:
            yield f"{subject}: the file `{file}` of a version that has no secret is still there; remove that file"
        else:
            yield (
                f"{subject}: the checksum of another payload stands beside the key; of the files `{file}`, keep "
                "that which has the CRC-32 of the key, and remove the others"
            )


def _file(directory: int, name: str, subject: str) -> Iterator[str]:
    found = status(name, directory)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        yield (
            f"{subject}: a file has a second name (a hard link), through which it may be read, changed or outlive its "
            "end; make it a copy of its own"
        )
    if name == KEY:
        check_key_file(found, subject)
        return
    check_file(found, subject)
    if found.st_mode & OPEN_TO_OTHERS:
        yield f"{subject}: the file `{_shown(name)}` may be read by other users; take that away with chmod 0600"


def _shown(file: str) -> str:
    # Without the digits: what a doctor says is read by more people than the store is.
    return "crc32-…" if is_checksum(file) else file


def _exposed(directory: int, subject: str) -> Iterator[str]:
    if os.fstat(directory).st_mode & OPEN_TO_OTHERS:
        yield f"{subject}: the directory may be read by other users; take that away with chmod 0700"


def _caught(subject: str, faults: Iterable[str]) -> Iterator[str]:
    """The faults, and what stopped the look for more."""
    try:
        yield from faults
    except StoreError as error:
        yield str(error)
    except OSError as error:
        yield str(READING.error(error, subject))
