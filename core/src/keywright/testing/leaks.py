"""Whether a secret shows in a text, in any spelling."""

from __future__ import annotations

import ast
import base64
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import pytest

from keywright import Secret

_E = TypeVar("_E", bound=BaseException)

_WINDOW: Final = 8
_LITERAL = re.compile(rb"b'(?:[^'\\\n]|\\.)*'|b\"(?:[^\"\\\n]|\\.)*\"")
_HEX = re.compile(rb"[0-9a-fA-F]{8,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{8,}")
_NUMBER = re.compile(rb"[0-9]{17,4000}")
_NUMBERS = re.compile(rb"[0-9]{1,3}(?:, ?[0-9]{1,3}){7,}")


def assert_hidden(secret: Secret, shown: str | bytes, *, public: bytes = b"") -> None:
    """Fail the test if `shown` holds 8 bytes in a row of `secret`, or all of a shorter one.

    Found in the clear, as hexadecimal, base64, base64url, a Python bytes literal, a list of numbers and one decimal
    number. Stretches that `public` holds too, or of fewer than four different bytes, prove nothing and are passed
    over.
    """
    width = max(1, min(_WINDOW, len(secret)))
    windows = _windows(secret, public, width)
    for view in _views(shown.encode(errors="surrogatepass") if isinstance(shown, str) else shown):
        if not windows.isdisjoint(view[at : at + width] for at in range(len(view))):
            pytest.fail("a secret shows in a text that must not hold it")


def traceback_with_locals(error: BaseException) -> str:
    """The traceback of `error` as the tools show it that print local variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def refusal(kind: type[_E], call: Callable[..., object], *arguments: object, **named: object) -> _E:
    """The error that the call must raise; in a frame of its own, as its traceback may be searched for secrets."""
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    return caught.value


def everything_in(error: BaseException, *, local_variables: bool = True) -> str:
    """All that an error takes along: message, `repr`, arguments, members and notes, and its traceback with locals.

    Those of its causes and contexts too, also of the ones that `from None` keeps out of tracebacks: error trackers and
    debuggers show them all the same.
    """
    shown: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        shown += [str(one), repr(one), repr(one.args), repr(vars(one))]
        if local_variables:
            shown.append(traceback_with_locals(one))
    return "\n".join(shown)


def _literal(text: str) -> Iterator[bytes]:
    """The bytes of what looks like a bytes literal; nothing where it only looks so, as random bytes may."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape
        try:
            yield ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return


def _windows(secret: Secret, public: bytes, width: int) -> set[bytes]:
    windows = {secret.reveal()[at : at + width] for at in range(len(secret) - width + 1)}
    return {window for window in windows if len(set(window)) >= min(4, width) and window not in public}


def _views(shown: bytes) -> Iterator[bytes]:
    """`shown`, and what parts of it mean in the usual spellings of bytes."""
    yield shown
    for literal in _LITERAL.findall(shown):
        yield from _literal(literal.decode("latin-1"))
    for run in _HEX.findall(shown):
        yield from (bytes.fromhex(run[at : at + (len(run) - at) // 2 * 2].decode()) for at in (0, 1))
    unwrapped = shown.translate(bytes.maketrans(b"-_", b"+/"), b"\r\n")
    for run in _BASE64.findall(unwrapped):
        yield from (base64.b64decode(run[at : at + (len(run) - at) // 4 * 4]) for at in range(4))
    for run in _NUMBER.findall(shown):
        number = int(run)
        yield number.to_bytes(len(run) // 2 + 1)
        yield number.to_bytes(len(run) // 2 + 1, "little")
    for run in _NUMBERS.findall(shown):
        yield bytes(int(part) & 255 for part in run.split(b","))
