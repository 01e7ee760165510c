"""`trusted-public-keys` as Nix reads it, and the traps in it (`src/libstore/keys.cc`, getDefaultPublicKeys)."""

from __future__ import annotations

from typing import NamedTuple

from keywright import Key, Secret
from keywright.errors import MalformedKeyError
from keywright_nix.ed25519 import is_sound_point
from keywright_nix.key import NixFormat, hides_key, problem_in

__all__ = ["TrustedKeys", "parse_trusted"]

_PARTED_BY = " \t\n\r"  # Nix's own whitespace; Python counts more as such
_SURELY_A_NAME = 40  # characters; a secret that stands in the name's place by mistake has 43 at least
_COMMA = "a comma follows it, and Nix drops what comes after that in silence; part keys by spaces alone"
_COMMENT = "its name holds a '#', where nix.conf takes a comment to begin, and then Nix refuses to work; rename the key"


class TrustedKeys(NamedTuple):
    """What was read.

    Attributes:
        keys: name → 32 bytes, those under which Nix would verify.
        warnings: a sentence for each trap, names and positions in it, never a key's bytes.
        malformed: how many are none, and make Nix refuse all its work.
    """

    keys: dict[str, bytes]
    warnings: tuple[str, ...]
    malformed: int


def parse_trusted(text: str) -> TrustedKeys:
    """Read public keys (`NAME:BASE64`) parted by whitespace, as they stand in `nix.conf`, and say what is amiss.

    What Nix does with it counts: of two keys of one name the first; of keys joined by a comma the first, for its
    base64 ends there. A malformed key, with which Nix refuses to work at all, is left out, and so is one under which
    nothing can verify, or whose name no text can hold.
    """
    keys: dict[str, bytes] = {}
    taken: dict[str, bytes] = {}
    warnings: list[str] = []
    malformed = 0
    for position, word in enumerate(_words(text), start=1):
        name, colon, payload = word.partition(":")
        try:
            key, deviations = _read(word if _is_unicode(name) else f"_{colon}{payload}")
        except MalformedKeyError as error:
            malformed += 1
            subject = _subject(position, name if colon else "", limit=_SURELY_A_NAME)
            warnings.append(f"{subject} is left out, and Nix would refuse to work at all: {error}")
            continue
        if not _is_unicode(name):
            warnings.append(f"key {position} is left out: its name is no Unicode text; give the key another name")
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
    return TrustedKeys(keys, tuple(warnings), malformed)


def _words(text: str) -> list[str]:
    for character in _PARTED_BY[1:]:
        text = text.replace(character, _PARTED_BY[0])
    return [word for word in text.split(_PARTED_BY[0]) if word]


def _read(word: str) -> tuple[Key, list[str]]:
    """The public key that Nix reads in `word`, and how it deviates from a canonical one.

    Raises:
        MalformedKeyError: Nix reads none.
    """
    joined = "," in word.partition(":")[2]
    try:
        # What is no text behind the colon becomes bytes that are none of base64's.
        data = Secret(word.encode(errors="surrogatepass"))
        key, deviations = NixFormat().decode_lenient(data, default_kid="")
    except MalformedKeyError:
        if not joined:
            raise
        raise MalformedKeyError("the base64 of the Nix key holds a comma; part keys by spaces alone") from None
    if key.secret is not None:
        raise MalformedKeyError("it is a secret key, which is none any more; give the public half of a new one")
    comment = [_COMMENT] if "#" in key.kid else []
    if joined:
        return key, [*comment, _COMMA]
    if problem_in(key.kid):
        doubt = "its name holds a character that does not print; give the key another name"
        return key, [*comment, doubt, *deviations[1:]]
    return key, [*comment, *deviations]


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


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
    is_shown = not problem_in(name) and not hides_key(name) and len(name) <= limit
    return f"key {position} ({name})" if is_shown else f"key {position}"
