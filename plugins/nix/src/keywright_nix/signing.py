"""Signing one narinfo: what is to be done to it, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from keywright.errors import FormatError, InvalidSignatureError, KeywrightError
from keywright_nix.ed25519 import verify
from keywright_nix.narinfo import NarInfo
from keywright_nix.rewrite import Replacement, read_narinfo, rewrite, without_zeros
from keywright_nix.signatures import parse_signature, read_leniently, signature_text
from keywright_nix.usual import line_to_append, store_of

__all__ = ["Bound", "Job", "Outcome", "sign_narinfo", "signatures_of"]


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
_CHANGED, _UNCHANGED, _NOT_VOUCHED, _GONE = map(Outcome, ("changed", "unchanged", "not vouched for", "gone"))


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
            return _written(path, data, data + line, status, job)
    try:
        info = NarInfo.parse(without_zeros(data), where=path)
    except KeywrightError as error:
        return Outcome("faulty", error)
    message = info.fingerprint()
    if job.store_dir and store_of(message) != job.store_dir:
        why = "StorePath is of another store than nix-cache-info says; take it out of this cache"
        return Outcome("faulty", FormatError(f"{path}: {why}"))
    present = info.signatures
    kept = [text for text in present if text.partition(":")[0] not in job.drop] if job.drop else present
    if job.vouching is not None and not _holds(info, *job.vouching):
        is_done = bound and len(kept) == len(present) and all(_holds(info, key.name, key.public) for key in bound)
        return _UNCHANGED if is_done else _NOT_VOUCHED
    wanted, clashing = _signed(bound, message, kept)
    if wanted != set(present):
        info = info.with_signatures(wanted)
    return _written(path, data, info.render(), status, job, clashing)


def _written(
    path: str, old: bytes, new: bytes, status: os.stat_result, job: Job, clashing: tuple[str, ...] = ()
) -> Outcome:
    if new == old:
        return Outcome("unchanged", clashing=clashing) if clashing else _UNCHANGED
    try:
        replacement = None if job.dry_run else rewrite(path, old, new, status)
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


def _signed(bound: Sequence[Bound], message: bytes, kept: Sequence[str]) -> tuple[set[str], tuple[str, ...]]:
    """The signatures that a narinfo is to have, and the names of keys under which one does not hold."""
    wanted = set(kept)
    clashing: tuple[str, ...] = ()
    for key in bound:
        start = f"{key.name}:"
        present = [text for text in kept if text.startswith(start)]
        if not present:
            wanted.add(signature_text(key.name, key.sign(message)))
            continue
        ours, others = signatures_of(key, message, present)
        wanted = wanted.difference(present) | ours | others
        clashing += (key.name,) if others else ()
    return wanted, clashing


def signatures_of(key: Bound, message: bytes, present: Collection[str]) -> tuple[set[str], set[str]]:
    """What is to stand under a key's name where `present` (`NAME:BASE64`, all under it) does: its own, and the others.

    One that holds stays, and no other is made beside it. If it is spelled as Nix reads it, yet not as Nix writes it,
    it is spelled anew. The others do not hold; they may be another key's.
    """
    first = None if key.varies else signature_text(key.name, key.sign(message))
    if first is not None and all(text == first for text in present):
        return {first}, set()
    spelled = {text: _respelled(key, message, text) for text in present}
    ours = {text for text in spelled.values() if text is not None}
    others = {text for text, own in spelled.items() if own is None}
    return ours or {first or signature_text(key.name, key.sign(message))}, others


def _respelled(key: Bound, message: bytes, text: str) -> str | None:
    """A signature as Nix writes it; None if it does not hold."""
    try:
        raw = read_leniently(text).raw
        verify(key.public, message, raw)
    except InvalidSignatureError:
        return None
    return signature_text(key.name, raw)
