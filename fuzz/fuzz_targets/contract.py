"""What every target asks of a refusal: the right class, one line, and nothing of the input in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeVar

from keywright.errors import KeywrightError

OWN_PACKAGES: Final = (
    "keywright",
    "keywright_env",
    "keywright_file",
    "keywright_jose",
    "keywright_keytypes",
    "keywright_nix",
    "keywright_seal",
    "keywright_sqlite",
)
_WINDOW: Final = 8
_NAME: Final = 3
_SHORT: Final = 4096
_LONGEST_LOCAL: Final = 2000
_T = TypeVar("_T")


class ContractBrokenError(Exception):
    """A finding."""


def require(holds: bool, rule: str) -> None:
    """Report a finding unless `holds`. (`assert` would be gone under `-O`.)"""
    if not holds:
        raise ContractBrokenError(rule)


def attempt(
    call: Callable[[], _T],
    *allowed: type[KeywrightError],
    given: Iterable[bytes],
    secrets: Iterable[bytes] = (),
    known: bytes = b"",
    shown: bytes = b"",
) -> _T | None:
    """What `call` returns, or None if it refused as it may. Any other exception passes through: a finding.

    Args:
        call: must not return None.
        allowed: the classes it may raise.
        given: input that no message may hold eight bytes in a row of.
        secrets: input that no local variable of our own frames may hold so either, while the error passes them.
        known: input that is not a secret, such as the name beside one.
        shown: what a message may repeat, such as the path of the file; names one a line.
    """
    try:
        return call()
    except allowed as error:
        require(not _is_base(error), "the base class of errors was raised")
        check_sentence(text_of(error), given, shown)
        _check_causes(error, given, shown)
        _check_locals(error, secrets, known)
        return None


def text_of(error: BaseException) -> str:
    """The message of an error, and its hint after a semicolon if it has one."""
    return error.text if isinstance(error, KeywrightError) else str(error)


def check_sentence(text: str, given: Iterable[bytes], shown: bytes = b"") -> None:
    """Whether a message is one printable line without the input."""
    require(bool(text), "a message is empty")
    require(text.isprintable(), "a message is more than one line, or holds what a terminal acts on")
    _check_hidden(text, given, shown)


def _check_hidden(text: str, given: Iterable[bytes], shown: bytes) -> None:
    message = text.encode(errors="surrogatepass")
    # Taken out whole, or a word of ours and the beginning of a name would pass for a quotation.
    for name in sorted(set(shown.split(b"\n")), key=len, reverse=True):
        message = message.replace(name, b"\0") if len(name) >= _NAME else message
    said = _windows(message)
    for data in given:
        # Most inputs are short, and come up again for the next message.
        quoted = said & _windows(data) if len(data) <= _SHORT else {window for window in said if window in data}
        if any(_tells(window, shown) for window in quoted):
            raise ContractBrokenError("a message quotes the input")


def _check_causes(error: BaseException, given: Iterable[bytes], shown: bytes) -> None:
    """What a traceback would print before the error itself."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        _check_hidden(str(before), given, shown)
        _check_causes(before, given, shown)


def _check_locals(error: BaseException, secrets: Iterable[bytes], known: bytes) -> None:
    hidden = set[bytes]().union(*map(_windows, secrets))
    if not hidden:
        return
    # As a `repr` shows it, too: the end of an escape and what follows may be in the secret by chance.
    known += b"\n" + repr(known.decode(errors="surrogateescape")).encode()
    for text in _locals(error):
        if any(_tells(window, known) for window in _windows(text) & hidden):
            raise ContractBrokenError("a local variable of a frame that raises holds the secret")


def _locals(error: BaseException) -> Iterator[bytes]:
    step = error.__traceback__
    while step is not None:
        if str(step.tb_frame.f_globals.get("__name__")).startswith("keywright"):
            for value in step.tb_frame.f_locals.values():
                yield repr(value)[:_LONGEST_LOCAL].encode(errors="surrogatepass")
        step = step.tb_next


@lru_cache(256)
def _windows(text: bytes) -> frozenset[bytes]:
    return frozenset(text[at : at + _WINDOW] for at in range(len(text) - _WINDOW + 1))


def _tells(window: bytes, known: bytes) -> bool:
    """Whether these bytes can only come from the input: no run of one character, not known, not the program's own."""
    return len(set(window)) >= _WINDOW // 2 and window not in known and window not in _own_words()


def _is_base(error: KeywrightError) -> bool:
    return type(error) is KeywrightError or type(error).__name__ == "StoreError"


@cache
def _own_words() -> bytes:
    """The program's own text, literals that go over several lines joined: what it says without hearing it."""
    sources = []
    for package in OWN_PACKAGES:
        spec = find_spec(package)
        for place in spec.submodule_search_locations or () if spec else ():
            sources += [path.read_bytes() for path in sorted(Path(place).rglob("*.py")) if "testing" not in path.parts]
    return re.sub(rb"[\"']\s*f?[\"']", b"", b"\n".join(sources))
