"""Signing a narinfo, whatever it is like and whatever is to be done to it: more than to append a line."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from keywright.errors import FormatError, InvalidSignatureError, KeywrightError
from keywright_nix.ed25519 import verify
from keywright_nix.job import Bound, Job
from keywright_nix.narinfo import NarInfo
from keywright_nix.outcome import NOT_VOUCHED, UNCHANGED, Outcome, written
from keywright_nix.rewrite import without_zeros
from keywright_nix.signatures import parse_signature, read_leniently, signature_text

__all__ = ["resign", "signatures_of"]


def resign(path: str, data: bytes, status: os.stat_result, bound: Sequence[Bound], job: Job) -> Outcome:
    """Do the job on a narinfo that was read, with the keys that sign now. Raises: as `sign_narinfo`."""
    try:
        info = NarInfo.parse(without_zeros(data), where=path)
    except KeywrightError as error:
        return Outcome("faulty", error)
    message = info.fingerprint()
    if job.store_dir and _store_of(message) != job.store_dir:
        why = "StorePath is of another store than nix-cache-info says; take it out of this cache"
        return Outcome("faulty", FormatError(f"{path}: {why}"))
    present = info.signatures
    kept = [text for text in present if text.partition(":")[0] not in job.drop] if job.drop else present
    if job.vouching is not None and not _holds(info, *job.vouching):
        is_done = bound and len(kept) == len(present) and all(_holds(info, key.name, key.public) for key in bound)
        return UNCHANGED if is_done else NOT_VOUCHED
    wanted, clashing = _signed(bound, message, kept)
    if wanted != set(present):
        info = info.with_signatures(wanted)
    return written(path, data, info.render(), status, job, clashing)


def _store_of(fingerprint: bytes) -> bytes:
    """`/nix/store` of `1;/nix/store/HASH-NAME;…`."""
    return fingerprint[2 : fingerprint.index(b";", 2)].rpartition(b"/")[0]


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
