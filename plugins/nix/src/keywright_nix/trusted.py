"""`trusted-public-keys` as Nix reads it (`src/libstore/keys.cc`, getDefaultPublicKeys), and warnings of its traps."""

from __future__ import annotations

import re
from typing import NamedTuple

from keywright import Secret
from keywright.errors import MalformedKeyError
from keywright_nix.key import PUBLIC_BYTES, hides_key, is_unicode, problem_in, read_key_leniently
from keywright_nix.signature import is_sound_point

_SEPARATORS = re.compile("[ \t\n\r]+")  # Nix's own whitespace; Python's has more
_LONGEST_SHOWN = 40  # characters; a secret in place of the name has at least 43
_COMMA = "a comma follows it, and Nix drops what comes after that in silence; part keys by spaces alone"
_COMMENT = "its name holds a '#', where nix.conf takes a comment to begin, and then Nix refuses to work; rename the key"


class TrustedKeys(NamedTuple):
    """What was read.

    Attributes:
        keys: Name → 32 bytes, those under which Nix would verify.
        warnings: A sentence for each trap, with names and positions, never the bytes of a key.
        malformed: How many are not valid keys, so that Nix refuses to work at all.
    """

    keys: dict[str, bytes]
    warnings: tuple[str, ...]
    malformed: int


def parse_trusted(text: str) -> TrustedKeys:
    """Read public keys (`NAME:BASE64`) separated by whitespace, as in `nix.conf`, and warn of mistakes.

    The result is what Nix uses: of two keys of one name the first; of keys joined by a comma the first, because its
    base64 ends there. A malformed key, with which Nix refuses to work at all, is left out, and so is one under which
    nothing can verify, or whose name is not Unicode text.
    """
    keys: dict[str, bytes] = {}
    taken: dict[str, bytes] = {}
    warnings: list[str] = []
    malformed = 0
    words = [word for word in _SEPARATORS.split(text) if word]
    for position, word in enumerate(words, start=1):
        name, colon, payload = word.partition(":")
        try:
            public, deviations = _read(word if is_unicode(name) else f"_{colon}{payload}")
        except MalformedKeyError as error:
            malformed += 1
            subject = _subject(position, name if len(name) <= _LONGEST_SHOWN and colon else "")
            warnings.append(f"{subject} is left out, and Nix would refuse to work at all: {error.text}")
            continue
        if not is_unicode(name):
            warnings.append(f"key {position} is left out: its name is not Unicode text; give the key another name")
            continue
        subject = _subject(position, name)
        warnings += [f"{subject}: {deviation}" for deviation in deviations]
        again = _repeated(name, public, taken)
        if again:
            warnings.append(f"{subject} {again}")
        if taken.setdefault(name, public) != public:
            continue
        if is_sound_point(public):
            keys[name] = public
        else:
            warnings.append(f"{subject} is left out: no signature is accepted under such a point; remove it")
    return TrustedKeys(keys, tuple(warnings), malformed)


def _read(word: str) -> tuple[bytes, list[str]]:
    """The public key that Nix reads in `word`, and how it deviates from a canonical one.

    Raises:
        MalformedKeyError: Nix refuses it.
    """
    joined = "," in word.partition(":")[2]
    try:
        # Surrogates after the colon become bytes that are not base64.
        name, raw, deviations = read_key_leniently(Secret(word.encode(errors="surrogatepass")))
    except MalformedKeyError:
        if not joined:
            raise
        raise MalformedKeyError("the base64 of the Nix key holds a comma", hint="part keys by spaces alone") from None
    if len(raw) != PUBLIC_BYTES:
        raise MalformedKeyError(
            "it is a secret key, which is no longer secret", hint="give the public half of a new one"
        )
    found = [_COMMENT] if "#" in name else []
    if joined:
        found.append(_COMMA)
    elif problem_in(name):
        found += ["its name holds a character that does not print; give the key another name", *deviations[1:]]
    else:
        found += deviations
    return raw.reveal(), found


def _repeated(name: str, public: bytes, taken: dict[str, bytes]) -> str:
    """How a key repeats an earlier one, as the end of a sentence; empty if it does not."""
    if taken.get(name) == public:
        return "is there twice; leave one out"
    if name in taken:
        return "is another key of a name that is there already, and Nix drops it in silence; rename one of the two"
    if public in taken.values():
        return "is a key that is there already under another name, and counts once; leave one out"
    return ""


def _subject(position: int, name: str) -> str:
    # What is before a colon may be a misplaced key, or text that steers a terminal.
    return f"key {position}" if problem_in(name) or hides_key(name) else f"key {position} ({name})"
