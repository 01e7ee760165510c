"""Signing one narinfo: what is to be done to it, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from keywright.errors import KeywrightError
from keywright_nix.rewrite import Replacement, read_narinfo, rewrite
from keywright_nix.usual import line_to_append

__all__ = ["Bound", "Job", "Outcome", "sign_narinfo", "written"]


class Bound(NamedTuple):
    """A key that signs.

    Attributes:
        name: the Nix key name.
        public: 32 bytes.
        sign: message in, signature of 64 bytes out.
        varies: two signatures of one message may differ, as those of a store do that adds random bits to them.
    """

    name: str
    public: bytes
    sign: Callable[[bytes], bytes]
    varies: bool = False


class Job(NamedTuple):
    """What is to be done to each narinfo.

    Attributes:
        keys: each gives the key that signs now, so that one that was compromised meanwhile stops.
        drop: the names of keys whose signatures are taken away.
        vouching: name and 32 bytes of the public key that must have signed before; None: nobody need have.
        dry_run: nothing is written.
        store_dir: the store that every path must be of, such as `/nix/store`; empty: any.
    """

    keys: tuple[Callable[[], Bound], ...]
    drop: frozenset[str] = frozenset()
    vouching: tuple[str, bytes] | None = None
    dry_run: bool = False
    store_dir: bytes = b""

    @property
    def only_adds(self) -> bool:
        """Whether it does nothing but to add signatures."""
        return not (self.drop or self.vouching)


class Outcome(NamedTuple):
    """What became of one narinfo.

    Attributes:
        kind: `changed`, `unchanged`, `not vouched for`, `gone` or `faulty`.
        error: what is wrong with a faulty one.
        clashing: names of ours under which it has a signature that does not hold.
        replacement: what is yet to take a changed one's place.
    """

    kind: str
    error: KeywrightError | None = None
    clashing: tuple[str, ...] = ()
    replacement: Replacement | None = None


# One of each, so that a list of them is sent between processes in a few bytes.
_CHANGED, UNCHANGED, NOT_VOUCHED, _GONE = map(Outcome, ("changed", "unchanged", "not vouched for", "gone"))


def sign_narinfo(path: str, job: Job) -> Outcome:
    """Do the job on one file. What goes wrong with the file is the outcome's, not raised.

    Raises:
        KeywrightError: a key signs no more.
    """
    bound = [key() for key in job.keys]
    try:
        data, status = read_narinfo(path)
    except FileNotFoundError:
        return _GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    if job.only_adds and len(bound) == 1:  # as in most runs, and then to most narinfos
        line = line_to_append(data, bound[0].name, bound[0].sign, job.store_dir)
        if line is not None:
            return written(path, data, data + line, status, job)
    from keywright_nix.resigning import resign

    return resign(path, data, status, bound, job)


def written(
    path: str, old: bytes, new: bytes, status: os.stat_result, job: Job, clashing: tuple[str, ...] = ()
) -> Outcome:
    """Write a narinfo anew, if it is not what it was and the job is no dry run: what became of it."""
    if new == old:
        return Outcome("unchanged", clashing=clashing) if clashing else UNCHANGED
    try:
        replacement = None if job.dry_run else rewrite(path, old, new, status)
    except FileNotFoundError:
        return _GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    return Outcome("changed", clashing=clashing, replacement=replacement) if clashing or replacement else _CHANGED
