"""Whether a narinfo carries as many signatures of trusted keys as are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keywright.errors import InvalidSignatureError
from keywright_nix.ed25519 import verify
from keywright_nix.narinfo import NarInfo
from keywright_nix.signatures import read_leniently, signature_text

__all__ = ["Verdict", "judge", "sentence"]


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        holding: the names of trusted keys of which a signature holds, sorted.
        broken: the names of trusted keys under which there is a signature that does not hold, though none does.
        stray: the names of those under which one does hold, and another does not.
        others: how many signatures are of no trusted key.
        keys: how many distinct keys stand behind `holding`: of one key under two names one counts.
        is_canonical: each of those that hold is spelled as Nix writes it.
    """

    holding: tuple[str, ...]
    broken: tuple[str, ...]
    stray: tuple[str, ...]
    others: int
    keys: int
    is_canonical: bool


def judge(info: NarInfo, trusted: Mapping[str, bytes]) -> Verdict:
    """Check every signature of a narinfo, read as Nix reads it. `trusted`: name → 32 bytes."""
    message = info.fingerprint()
    held: set[str] = set()
    failed: set[str] = set()
    others = 0
    is_canonical = True
    for text in info.signatures:
        name = text.partition(":")[0]
        if name not in trusted:
            others += 1
            continue
        try:
            raw = read_leniently(text).raw
            verify(trusted[name], message, raw)
        except InvalidSignatureError:
            failed.add(name)
        else:
            held.add(name)
            is_canonical = is_canonical and text == signature_text(name, raw)
    return Verdict(
        tuple(sorted(held)),
        tuple(sorted(failed - held)),
        tuple(sorted(failed & held)),
        others,
        len({trusted[name] for name in held}),
        is_canonical,
    )


def sentence(verdict: Verdict, needed: int) -> str:
    """What there is to say of a narinfo of which fewer than `needed` keys have signed."""
    held = f"{verdict.keys} of {needed} signatures needed hold"
    if verdict.holding:
        held += f" ({', '.join(verdict.holding)})"
    if len(verdict.holding) > verdict.keys:
        held += ", for one key under two names counts once"
    if verdict.broken:
        return f"{held}; under {', '.join(verdict.broken)} there is one that does not"
    if verdict.others:
        return f"{held}; {verdict.others} are of keys that are not trusted"
    return held if verdict.holding else f"{held}; it has none"
