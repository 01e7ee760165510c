"""`Target`: what one fuzz target is made of; and directories in memory for targets that need files."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple


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


def scratch_directory(name: str) -> Path:
    """A new directory, removed when the process ends; in `TMPDIR` if that is set, as the campaign does."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") and "TMPDIR" not in os.environ else None
    path = Path(tempfile.mkdtemp(prefix=f"keywright-fuzz-{name}-", dir=memory))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def emptied(directory: Path) -> Path:
    """The directory, made again."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    return directory
