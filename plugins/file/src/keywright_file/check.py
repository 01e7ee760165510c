"""What `keywright doctor` asks of a store of files: every entry of the tree, read through or not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

from keywright import Problem
from keywright.errors import StoreError
from keywright.files import OPEN_TO_OTHERS
from keywright_file import layout
from keywright_file.files import READ_ERRORS, Directory, check_file, check_key_file, status
from keywright_file.write import under_lock


def check(root: int, path: str, patience: float) -> Iterator[Problem]:
    """The problems. Read-only; writers wait no longer than it takes to look at one version again.

    `patience` is how long to wait for a writer, in seconds.

    Raises:
        OSError, StoreError: it cannot be checked.
    """
    try:
        directory = Directory(layout.PRIVATE, path, parent=root)
    except FileNotFoundError:
        return  # there was never a write
    with directory as private:
        settled = partial(_settled, private, path, patience)
        problems = [*settled(lambda: _private(private, path)), *_caught(path, _names(root, "", path, settled))]
    # One problem may be met by more than one way.
    yield from dict.fromkeys(problems)


Settled = Callable[[Callable[[], Iterator[Problem]]], list[Problem]]


def _settled(private: int, path: str, patience: float, look: Callable[[], Iterator[Problem]]) -> list[Problem]:
    """What `look` finds; if it finds anything, what it finds while no writer is at work, who may have caused it."""
    found = [*_caught(path, look())]
    if not found:
        return found
    try:
        return under_lock(private, path, lambda _: [*_caught(path, look())], patience=patience, shared=True)
    except FileNotFoundError:
        return found  # no lock file, so no writer
    except StoreError as error:
        return [Problem.of(path, error)]


def _private(private: int, path: str) -> Iterator[Problem]:
    yield from _exposed(private, f"{path}/{layout.PRIVATE}")
    entries = sorted(os.listdir(private))
    for entry in entries:
        if entry == layout.TEMPORARY:
            yield from _caught(path, _temporary(private, path))
        elif entry in (layout.FORMAT, layout.LOCK, layout.PENDING):
            yield from _caught(path, _file(private, entry, f"{path}/{layout.PRIVATE}/{entry}"))
        else:
            yield Problem.of(path, layout.unexpected(path, layout.IN_THE_PRIVATE_AREA, f"{layout.PRIVATE}/{entry}"))
    if layout.PENDING in entries:
        yield Problem(
            path,
            "an interrupted write was not completed",
            "fix the other problems, then run any command that writes, such as `keywright label`",
        )


def _temporary(private: int, path: str) -> Iterator[Problem]:
    with Directory(layout.TEMPORARY, path, parent=private) as temporary:
        yield from _exposed(temporary, f"{path}/{layout.PRIVATE}/{layout.TEMPORARY}")
        if os.listdir(temporary):
            message = f"interrupted writes left files in {layout.PRIVATE}/{layout.TEMPORARY}, which may contain keys"
            yield Problem(path, message, "remove them")


def _names(directory: int, name: str, path: str, settled: Settled) -> Iterator[Problem]:
    """The faults of a directory of the tree and all below; `name` is empty for the root."""
    subject = f"{name} in {path}" if name else path
    for entry in sorted(os.listdir(directory)):
        if layout.is_the_systems(entry):
            continue
        longer = layout.below(name, entry)
        if layout.is_name(longer) and stat.S_ISDIR(_mode(directory, entry)):
            yield from _caught(subject, _below(directory, entry, longer, path, settled))
        else:
            # Called before the next turn of the loop.
            yield from _caught(subject, settled(lambda: _entry(directory, entry, name, path)))  # noqa: B023  (called here)


def _below(directory: int, entry: str, name: str, path: str, settled: Settled) -> Iterator[Problem]:
    subject = f"{name} in {path}"
    with suppress(FileNotFoundError), Directory(entry, subject, parent=directory) as opened:
        yield from _exposed(opened, subject)
        yield from _names(opened, name, path, settled)


def _mode(directory: int, entry: str) -> int:
    """0: it was removed since it was listed."""
    try:
        return status(entry, directory).st_mode
    except FileNotFoundError:
        return 0


def _entry(directory: int, entry: str, name: str, path: str) -> Iterator[Problem]:
    """The faults of a version, or of what has no place among names."""
    subject = f"{name} in {path}" if name else path
    mode = _mode(directory, entry)
    if not mode:
        return
    number = layout.version_number(entry)
    if entry == layout.REMOVED:
        message = "a removal was interrupted, and hides its versions"
        yield Problem(subject, message, f"remove the directory, or {layout.REMOVED} in it")
    elif not stat.S_ISDIR(mode):
        yield Problem.of(subject, layout.misplaced_file(name, entry, subject))
    elif not entry.startswith("@"):
        yield Problem.of(path, layout.unexpected(path, layout.NOT_A_NAME, layout.below(name, entry)))
    elif number is None:
        yield Problem.of(subject, layout.unexpected(subject, layout.NOT_A_VERSION, layout.below(name, entry)))
    elif not name:
        yield Problem.of(path, layout.unexpected(path, layout.OUTSIDE_A_NAME, entry))
    else:
        version = f"{name}@{number} in {path}"
        with Directory(entry, version, parent=directory) as opened:
            yield from _exposed(opened, version)
            yield from _caught(version, _version(opened, name, number, version))


def _version(directory: int, name: str, number: int, subject: str) -> Iterator[Problem]:
    for file in sorted(os.listdir(directory)):
        if file.startswith("."):
            # No fault of the store's, but editors keep copies of what they edit under such names.
            yield Problem.of(subject, layout.unexpected(subject, layout.BESIDE_THE_KEY, f"{name}/@{number}/{file}"))
        elif layout.is_file(file):
            yield from _caught(subject, _file(directory, file, subject))
    version = layout.read_version(directory, name, number, subject, with_payload=True)
    for file in map(_shown, sorted(version.leftovers)):
        if version.key is None:
            yield Problem(
                subject, f"the file `{file}` of a version that has no secret still exists", "remove that file"
            )
        else:
            yield Problem(
                subject,
                "the checksum of another payload is beside the key",
                f"of the files `{file}`, keep the one with the CRC-32 of the key, and remove the others",
            )


def _file(directory: int, name: str, subject: str) -> Iterator[Problem]:
    found = status(name, directory)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        message = "a file has a second name (a hard link), which may be used to read, change or keep it"
        yield Problem(subject, message, "replace it with a copy")
    if name == layout.KEY:
        check_key_file(found, subject)
        return
    check_file(found, subject)
    if found.st_mode & OPEN_TO_OTHERS:
        yield Problem(subject, f"the file `{_shown(name)}` may be read by other users", "run `chmod 0600` on it")


def _shown(file: str) -> str:
    # Without the digits: what a doctor says is read by more people than the store is.
    return "crc32-…" if layout.is_checksum(file) else file


def _exposed(directory: int, subject: str) -> Iterator[Problem]:
    if os.fstat(directory).st_mode & OPEN_TO_OTHERS:
        yield Problem(subject, "the directory may be read by other users", "run `chmod 0700` on it")


def _caught(subject: str, faults: Iterable[Problem]) -> Iterator[Problem]:
    """The faults, and what stopped the look for more."""
    try:
        yield from faults
    except StoreError as error:
        yield Problem.of(subject, error)
    except OSError as error:
        yield Problem.of(subject, READ_ERRORS.error(error, subject))
