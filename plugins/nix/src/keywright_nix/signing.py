"""Signing one narinfo: what is to be done to it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from keywright.errors import InvalidSignatureError, KeywrightError
from keywright_nix.ed25519 import verify
from keywright_nix.narinfo import NarInfo
from keywright_nix.rewrite import Replacement, read_narinfo, rewrite, without_zeros
from keywright_nix.signatures import parse_signature, signature_text

__all__ = ["Bound", "Job", "Outcome", "sign_narinfo"]


class Bound(NamedTuple):
    """A key that signs.

    Attributes:
        name: the Nix key name.
        public: 32 bytes.
        sign: message in, signature of 64 bytes out.
    """

    name: str
    public: bytes
    sign: Callable[[bytes], bytes]


class Job(NamedTuple):
    """What is to be done to each narinfo.

    Attributes:
        keys: each gives the key that signs now, so that one that was compromised meanwhile stops.
        drop: the names of keys whose signatures are taken away.
        vouching: name and 32 bytes of the public key that must have signed before; None: nobody need have.
        dry_run: nothing is written.
    """

    keys: tuple[Callable[[], Bound], ...]
    drop: frozenset[str] = frozenset()
    vouching: tuple[str, bytes] | None = None
    dry_run: bool = False


class Outcome(NamedTuple):
    """What became of one narinfo.

    Attributes:
        kind: `changed`, `unchanged`, `not vouched for`, `gone` or `faulty`.
        error: what is wrong with a faulty one.
        clashing: names of ours under which it has a signature that is not ours.
        replacement: what is yet to take a changed one's place.
    """

    kind: str
    error: KeywrightError | None = None
    clashing: tuple[str, ...] = ()
    replacement: Replacement | None = None


# One of each, so that a list of them is sent between processes in a few bytes.
_CHANGED, _UNCHANGED, _NOT_VOUCHED, _GONE = map(Outcome, ("changed", "unchanged", "not vouched for", "gone"))


def sign_narinfo(path: str, job: Job) -> Outcome:
    """Do the job on one file. What goes wrong with the file is the outcome's, not raised.

    Raises:
        KeywrightError: a key signs no more.
    """
    bound = [key() for key in job.keys]
    try:
        data, status = read_narinfo(path)
        info = NarInfo.parse(without_zeros(data), where=path)
    except FileNotFoundError:
        return _GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    present = info.signatures
    kept = [text for text in present if text.partition(":")[0] not in job.drop] if job.drop else present
    if job.vouching is not None and not _holds(info, *job.vouching):
        is_done = bound and len(kept) == len(present) and all(_holds(info, key.name, key.public) for key in bound)
        return _UNCHANGED if is_done else _NOT_VOUCHED
    ours = [signature_text(key.name, key.sign(info.fingerprint())) for key in bound]
    clashing = _clashing(bound, ours, kept) if kept else ()
    if len(kept) < len(present) or not all(text in kept for text in ours):
        info = info.with_signatures([*kept, *ours])
    new = info.render()
    if new == data:
        return Outcome("unchanged", clashing=clashing) if clashing else _UNCHANGED
    try:
        replacement = None if job.dry_run else rewrite(path, data, new, status)
    except FileNotFoundError:
        return _GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    return Outcome("changed", clashing=clashing, replacement=replacement) if clashing or replacement else _CHANGED


def _holds(info: NarInfo, name: str, public: bytes) -> bool:
    """Whether the narinfo has a signature of this key that holds."""
    for text in info.signatures:
        if text.startswith(name + ":"):
            try:
                verify(public, info.fingerprint(), parse_signature(text).raw)
            except InvalidSignatureError:
                continue
            return True
    return False


def _clashing(bound: Sequence[Bound], ours: Sequence[str], kept: Sequence[str]) -> tuple[str, ...]:
    """The names of ours under which there is another signature. (Ed25519 makes one signature of one message.)"""
    return tuple(
        key.name
        for key, text in zip(bound, ours, strict=True)
        if any(other != text and other.startswith(key.name + ":") for other in kept)
    )
