"""Little room: a small file system in memory, filled until so much is free."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from faults.matrix import Fault

__all__ = ["MountRefusedError", "fill", "small"]

_PAGE = 4096


class MountRefusedError(Exception):
    """The system does not let us mount."""


@contextmanager
def small(directory: str) -> Iterator[None]:
    """Mount a tmpfs of 512 KiB at `directory`.

    Raises:
        MountRefusedError: that is not allowed here.
    """
    os.makedirs(directory, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", directory]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MountRefusedError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


@contextmanager
def fill(directory: str, fault: Fault) -> Iterator[None]:
    """Leave `fault.limit` pages, or inodes, free meanwhile."""
    status = os.statvfs(directory)
    if fault.kind == "inodes":
        options = f"remount,nr_inodes={status.f_files - status.f_ffree + fault.limit}"
        subprocess.run(["mount", "-o", options, directory], check=True)
        yield
        subprocess.run(["mount", "-o", f"remount,nr_inodes={status.f_files}", directory], check=True)
        return
    filler = os.path.join(directory, "filler")
    with open(filler, "wb") as file:
        file.write(bytes((status.f_bfree - fault.limit) * _PAGE))
    yield
    os.unlink(filler)
