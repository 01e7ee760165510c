"""Nix key names: what stands before the colon of a key and of every signature it makes."""

from __future__ import annotations

__all__ = ["fault_in", "hides_key", "looks_like_key", "numbered", "unreadable"]

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_LONGEST_SHOWN = 40  # digits of base64 in a row; the shortest secret has 43
_SHORTEST_KEY = 43  # digits of base64, padding left out, of 32 bytes


def fault_in(name: str) -> str | None:
    """What keeps `name` from being a Nix key name, as the end of a sentence; None if nothing does.

    Nix checks nothing (`src/libutil/signature/local-keys.cc`), but cannot read back a key whose name is empty or
    holds a colon, and parts `trusted-public-keys` at whitespace. What does not print is refused with it: such
    names look the same and are not.
    """
    fault = unreadable(name)
    if fault:
        return fault
    if " " in name or not name.isprintable():
        return "holds whitespace, a control character or another one that does not print"
    return None


def unreadable(name: str) -> str | None:
    """What keeps Nix itself from reading a key of this name back, as the end of a sentence; None if nothing does."""
    if not name:
        return "is empty"
    if ":" in name:
        return "holds a colon, and Nix takes the name to end at the first one"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "is no Unicode text"
    return None


def hides_key(name: str) -> bool:
    """Whether `name` may be a key in a name's place, or hold one, and so is not to be shown.

    More than 40 digits of base64 stand in a row in it.
    """
    runs = "".join(character if character in _DIGITS else " " for character in name).split()
    return any(len(run) > _LONGEST_SHOWN for run in runs)


def looks_like_key(text: str) -> bool:
    """Whether `text`, which should be a path, looks like a key by itself: NAME:BASE64 with 43 digits or more."""
    name, _, payload = text.partition(":")
    digits = "".join(payload.partition("=")[0].split())
    return bool(payload) and (hides_key(name) or (len(digits) >= _SHORTEST_KEY and not digits.strip(_DIGITS)))


def numbered(name: str, version: int) -> str:
    """The key name for version `version` (from 1) of `name`: `cache` → `cache-1`; `cache-5` → `cache-5`, `cache-6`.

    That is the habit of Nix's manual page: a suffix with a number, one higher for each new key.
    """
    stem, dash, number = name.rpartition("-")
    counts_already = dash and number.isascii() and number.isdecimal() and (number == "0" or number[0] != "0")
    return f"{stem}-{int(number) + version - 1}" if counts_already else f"{name}-{version}"
