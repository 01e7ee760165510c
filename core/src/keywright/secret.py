"""`Secret`: bytes that are not shown by accident."""

from __future__ import annotations

import re
from _operator import _compare_digest
from typing import Any, Final, NoReturn, final


@final
class Secret:
    """Bytes that are shown only by an explicit call of `reveal()`.

    `repr`, `str`, f-strings and `dataclasses.asdict` show `<secret>`; pickling is refused; `==` takes constant time,
    independent of where the bytes differ. Call `reveal()` inside an expression, never into a local variable, so that a
    traceback that prints locals shows nothing.

    Python cannot wipe memory: the bytes stay in the process until they are overwritten.
    """

    __slots__ = ("_value",)

    _value: bytes

    def __init__(self, value: bytes) -> None:
        """Hide a copy of `value`.

        Raises:
            TypeError: `value` is not bytes-like.
        """
        if not isinstance(value, bytes | bytearray | memoryview):
            # Text that should have been secret: a traceback with locals would show it.
            del value  # type: ignore[unreachable]  # reached by callers without a type checker
            raise TypeError("a Secret hides bytes; encode text first")
        object.__setattr__(self, "_value", bytes(value))

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __len__(self) -> int:
        """The length in bytes."""
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # What `hmac.compare_digest` is without OpenSSL: importing that costs 3 ms of every start.
        return _compare_digest(self._value, other._value)

    # A hash would be an equality test that does not take constant time.
    __hash__ = None  # type: ignore[assignment]  # (how Python spells unhashable)

    def __repr__(self) -> str:
        return "<secret>"

    def __format__(self, _spec: str) -> str:
        return "<secret>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            "a Secret cannot be pickled, because pickles end up in caches and queues: pass the key's name instead"
        )

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "a Secret cannot be pickled, because pickles end up in caches and queues: pass the key's name instead"
        )


_LONGEST_NAME: Final = 255
_CHANGES: Final = "(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]"  # compiled when it is needed


def looks_like_a_secret(text: str) -> bool:
    """Whether a text that should be a path looks like a key or token that was given in its place."""
    if len(text) > _LONGEST_NAME or re.search("[A-Za-z0-9_+=-]{40}|[{}\n]", text):
        return True
    # Base64 with a slash in it. Its characters change between upper case, lower case and digits two times in three;
    # those of words and directories hardly do.
    return any(10 * len(re.findall(_CHANGES, run)) > 3 * len(run) for run in re.findall("[A-Za-z0-9+/=_-]{20,}", text))


def shown_name(name: str) -> str:
    """A name as given, for a message; a placeholder if it looks like a key or token given by mistake."""
    return "<looks like a key or token>" if looks_like_a_secret(name) else name
