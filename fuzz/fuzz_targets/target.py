"""`Target`: what one fuzz target is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

__all__ = ["Target"]


class Target(NamedTuple):
    """One decoder, held to its contract.

    Attributes:
        check: takes any bytes; raises if the contract is broken, whatever it raises.
        seeds: inputs to start from, most of them good ones.
        words: what libFuzzer may strew in (its dictionary).
        maximum_bytes: longer inputs are not tried.
        mutate: another input made of one, in the terms of the format, or None if that cannot be done to it; tried
            in turn with libFuzzer's own.
    """

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    maximum_bytes: int = 4096
    mutate: Callable[[bytes, Random], bytes | None] | None = None
