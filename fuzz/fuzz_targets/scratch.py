"""A directory in memory for targets that need files."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["emptied", "scratch_directory"]


def scratch_directory(name: str) -> Path:
    """A new directory, removed when the process ends; in `TMPDIR` if that is set, as the campaign does."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") and "TMPDIR" not in os.environ else None
    path = Path(tempfile.mkdtemp(prefix=f"keywright-fuzz-{name}-", dir=memory))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def emptied(directory: Path) -> Path:
    """The directory, made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    return directory
