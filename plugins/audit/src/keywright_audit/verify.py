"""Whether a log is one chain, as it was written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from keywright.errors import ConfigError, FormatError
from keywright_audit.log import LONGEST_BYTES, Line, begins_a_log, read_line, settled_size


class Finding(NamedTuple):
    """Something about a line.

    Attributes:
        line: its number in the file, from 1; 0: it is about the whole.
        what: `changed`, `missing`, `order`, `foreign`, `start`, `end`; of a note `cut` or `recovered`.
        sentence: the same for people.
    """

    line: int
    what: str
    sentence: str


class Verified(NamedTuple):
    """What became of a log.

    Attributes:
        lines: how many there are.
        hash: of the last whole line; None without one.
        faults: what was changed, ascending by line.
        notes: what a crash left, and the log accounts for.
    """

    lines: int
    hash: str | None
    faults: Sequence[Finding]
    notes: Sequence[Finding]


def verify(path: str, *, expected: str | None = None) -> Verified:
    """Read a log from its first line to its last.

    `expected` is the hash of a line that was seen before, as `keywright audit head` prints it. Without one, it
    cannot be seen that whole lines are missing at the end, or that all hashes were made again.

    Raises:
        ConfigError: the file cannot be read.
        StoreUnavailableError: a writer held it for a minute.
        FormatError: it is not an audit log.
    """
    chain = _Chain(expected)
    for number, raw in lines_of(path):
        chain.take(number, raw)
    chain.end()
    if not chain.begins:
        raise FormatError(f"{path}: is not an audit log", hint="pass another file")
    places = _places(path, {wanted for _, wanted in chain.unlinked}) if chain.unlinked else {}
    faults = [*chain.faults, *(_unlinked(number, places.get(wanted)) for number, wanted in chain.unlinked)]
    return Verified(chain.lines, chain.last, sorted(faults), chain.notes)


class _Chain:
    """The lines so far."""

    def __init__(self, expected: str | None) -> None:
        self.lines = 0
        self.begins = True
        self.last: str | None = None
        self.faults: list[Finding] = []
        self.notes: list[Finding] = []
        self.unlinked: list[tuple[int, str]] = []
        self._foreign: list[tuple[int, bytes]] = []
        self._expected = expected

    def take(self, number: int, raw: bytes) -> None:
        """The next line, with its line feed if it has one."""
        self.lines = number
        if number == 1:
            self.begins = begins_a_log(raw)
        line = read_line(raw.removesuffix(b"\n"))
        if line is None:
            self._foreign.append((number, raw))
            return
        if self._foreign:
            self._account(number, line)
        if not line.is_sound:
            self.faults.append(Finding(number, "changed", "was modified after it was written"))
        elif line.previous != self.last:
            self._link(number, line.previous)
        if line.hash == self._expected:
            self._expected = None
        self.last = line.hash

    def end(self) -> None:
        """There are no more."""
        if self._foreign and self._foreign[-1][1].endswith(b"\n"):
            self._blame()
        elif self._foreign:
            number, size = self._foreign[0][0], sum(len(raw) for _, raw in self._foreign)
            sentence = (
                f"was cut while it was written ({size} bytes); the next line will be preceded by one that says so"
            )
            self.notes.append(Finding(number, "cut", sentence))
        if self._expected is not None:
            sentence = "no line has the expected hash: the end was cut off, or the whole log was rewritten"
            self.faults.append(Finding(0, "end", sentence))

    def _link(self, number: int, previous: str | None) -> None:
        if previous is not None and self.last is not None:
            self.unlinked.append((number, previous))
        elif previous is None:
            self.faults.append(Finding(number, "start", "begins another log, though lines stand before it"))
        else:
            self.faults.append(Finding(number, "start", "is the first, and another stood before it: lines are missing"))

    def _account(self, number: int, line: Line) -> None:
        """What is not a line is accounted for by the `recovered` line right after it."""
        cut = b"".join(raw for _, raw in self._foreign)[:-1]  # without the line feed that the recovery put there
        members = line.members() or {}
        reported = (members.get("cut_bytes"), members.get("cut_sha256"))
        if line.kind != "recovered" or reported != (len(cut), sha256(cut).hexdigest()):
            self._blame()
            return
        sentence = f"was cut while it was written ({len(cut)} bytes), as line {number} says"
        self.notes.append(Finding(self._foreign[0][0], "recovered", sentence))
        self._foreign.clear()

    def _blame(self) -> None:
        self.faults += (Finding(number, "foreign", "is not a line of an audit log") for number, _ in self._foreign)
        self._foreign.clear()


def _places(path: str, wanted: set[str]) -> dict[str, int]:
    """The numbers of the lines that have these hashes."""
    lines = ((number, read_line(raw.removesuffix(b"\n"))) for number, raw in lines_of(path))
    return {line.hash: number for number, line in lines if line is not None and line.hash in wanted}


def _unlinked(number: int, place: int | None) -> Finding:
    if place is None:
        return Finding(number, "missing", "does not follow the line before it: lines between are missing, or changed")
    return Finding(
        number, "order", f"follows line {place}, and not the one before it: lines were moved, copied or put between"
    )


def lines_of(path: str) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from 1; with its line feed, if it has one.

    Raises:
        ConfigError: the file cannot be read.
        StoreUnavailableError: a writer held it for a minute.
        FormatError: a line is longer than any that the log has.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{path}: is not a regular file", hint="name the audit log")
            left = settled_size(descriptor, path)
            number = 0
            while left > 0:
                line = file.readline(min(left, LONGEST_BYTES))
                number += 1
                left -= len(line)
                if len(line) == LONGEST_BYTES and left:
                    raise FormatError(
                        f"{path}: line {number} is longer than any of an audit log", hint="pass another file"
                    )
                if not line:
                    return  # the file was cut meanwhile
                yield number, line
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({os.strerror(error.errno or 0)})", hint="check the path") from None
    except ValueError:
        raise ConfigError(
            "the path of the audit log has a character that no file name can have", hint="name another"
        ) from None
