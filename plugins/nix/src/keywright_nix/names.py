"""Nix key names: what stands before the colon of a key and of every signature it makes."""

from __future__ import annotations

__all__ = ["fault_in", "numbered", "unreadable"]


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


def numbered(name: str, version: int) -> str:
    """The key name for version `version` (from 1) of `name`: `cache` → `cache-1`; `cache-5` → `cache-5`, `cache-6`.

    That is the habit of Nix's manual page: a suffix with a number, one higher for each new key.
    """
    stem, dash, number = name.rpartition("-")
    counts_already = dash and number.isascii() and number.isdecimal() and (number == "0" or number[0] != "0")
    return f"{stem}-{int(number) + version - 1}" if counts_already else f"{name}-{version}"
