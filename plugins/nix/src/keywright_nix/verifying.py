"""Whether a narinfo carries as many signatures of trusted keys as are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keywright_nix.narinfo import NarInfo
from keywright_nix.signatures import holding

__all__ = ["Verdict", "judge"]


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        holding: the names of trusted keys of which a signature holds, sorted.
        broken: the names of trusted keys under which there is a signature that does not hold, though none does.
        stray: the names of those under which one does hold, and another does not.
        others: how many signatures are of no trusted key.
        keys: how many distinct keys stand behind `holding`: of one key under two names one counts.
    """

    holding: tuple[str, ...]
    broken: tuple[str, ...]
    stray: tuple[str, ...]
    others: int
    keys: int


def judge(info: NarInfo, trusted: Mapping[str, bytes]) -> Verdict:
    """Check every signature of a narinfo. `trusted`: name → 32 bytes."""
    message = info.fingerprint()
    held: set[str] = set()
    failed: set[str] = set()
    others = 0
    for text in info.signatures:
        name = text.partition(":")[0]
        if name not in trusted:
            others += 1
        elif holding(message, [text], {name: trusted[name]}):
            held.add(name)
        else:
            failed.add(name)
    return Verdict(
        tuple(sorted(held)),
        tuple(sorted(failed - held)),
        tuple(sorted(failed & held)),
        others,
        len({trusted[name] for name in held}),
    )
