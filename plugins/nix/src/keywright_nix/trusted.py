"""`trusted-public-keys` as Nix reads it, and the traps in it (`src/libstore/keys.cc`, getDefaultPublicKeys)."""

from __future__ import annotations

from typing import NamedTuple

from keywright import Key, Secret
from keywright.errors import MalformedKeyError
from keywright_nix.ed25519 import is_sound_point
from keywright_nix.format import NixFormat
from keywright_nix.names import fault_in

__all__ = ["TrustedKeys", "parse_trusted"]

_PARTED_BY = " \t\n\r"  # Nix's own whitespace; Python counts more as such
_SURELY_A_NAME = 40  # characters; a secret that stands in the name's place by mistake has 43 at least


class TrustedKeys(NamedTuple):
    """What was read.

    Attributes:
        keys: name → 32 bytes, those under which Nix would verify.
        warnings: a sentence for each trap, names and positions in it, never a key's bytes.
    """

    keys: dict[str, bytes]
    warnings: tuple[str, ...]


def parse_trusted(text: str) -> TrustedKeys:
    """Read public keys (`NAME:BASE64`) parted by whitespace, as they stand in `nix.conf`, and say what is amiss.

    What Nix does with it counts: of two keys of one name the first; of keys joined by a comma the first, for its
    base64 ends there. A malformed key, with which Nix refuses to work at all, is left out, and so is one under which
    nothing can verify.
    """
    keys: dict[str, bytes] = {}
    taken: dict[str, bytes] = {}
    warnings: list[str] = []
    for position, word in enumerate(_words(text), start=1):
        try:
            key, deviations = _read(word)
        except MalformedKeyError as error:
            subject = _subject(position, word.partition(":")[0] if ":" in word else "", limit=_SURELY_A_NAME)
            warnings.append(f"{subject} is left out, and Nix would refuse to work at all: {error}")
            continue
        subject = _subject(position, key.kid, limit=len(key.kid))
        public = key.public or b""
        warnings += [f"{subject}: {deviation}" for deviation in deviations]
        again = _repeated(key.kid, public, taken)
        if again:
            warnings.append(f"{subject} {again}")
        if taken.setdefault(key.kid, public) != public:
            continue
        if is_sound_point(public):
            keys[key.kid] = public
        else:
            warnings.append(f"{subject} is left out: no signature is accepted under such a point; remove it")
    return TrustedKeys(keys, tuple(warnings))


def _words(text: str) -> list[str]:
    for character in _PARTED_BY[1:]:
        text = text.replace(character, _PARTED_BY[0])
    return [word for word in text.split(_PARTED_BY[0]) if word]


def _read(word: str) -> tuple[Key, list[str]]:
    """The public key that Nix reads in `word`, and how it deviates from a canonical one.

    Raises:
        MalformedKeyError: Nix reads none.
    """
    try:
        data = word.encode()
    except UnicodeEncodeError:
        raise MalformedKeyError("it is no Unicode text; copy it again") from None
    joined = "," in word.partition(":")[2]
    try:
        key, deviations = NixFormat().decode_lenient(Secret(data), default_kid="")
    except MalformedKeyError:
        if not joined:
            raise
        raise MalformedKeyError("the base64 of the Nix key holds a comma; part keys by spaces alone") from None
    if key.secret is not None:
        raise MalformedKeyError("it is a secret key, which is none any more; give the public half of a new one")
    if joined:
        return key, ["a comma follows it, and Nix drops what comes after that in silence; part keys by spaces alone"]
    if fault_in(key.kid):
        return key, ["its name holds a character that does not print; give the key another name", *deviations[1:]]
    return key, list(deviations)


def _repeated(name: str, public: bytes, taken: dict[str, bytes]) -> str:
    """What is odd about one more key, as the end of a sentence, if it resembles one before."""
    if taken.get(name) == public:
        return "is there twice; leave one out"
    if name in taken:
        return "is another key of a name that is there already, and Nix drops it in silence; rename one of the two"
    if public in taken.values():
        return "is a key that is there already under another name, and counts once; leave one out"
    return ""


def _subject(position: int, name: str, *, limit: int) -> str:
    # What stands before a colon may be a key put there by mistake, or text that steers a terminal.
    return f"key {position}" if fault_in(name) or len(name) > limit else f"key {position} ({name})"
