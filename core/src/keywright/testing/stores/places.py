"""The files of a store: looked at, spoiled and put back."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

__all__ = ["Kept", "Place"]


class Kept(NamedTuple):
    """An entry as it was.

    Attributes:
        status: what the system said of it.
        data: the bytes of a file; None for a directory or anything else.
    """

    status: os.stat_result
    data: bytes | None


class Place:
    """Where a store keeps its records: `path`, what is in it, and what stands beside it under a longer name.

    Entries are named by their path from the directory above, `keys.db-wal` or `keys/a/@1/key`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> dict[str, os.stat_result]:
        """Every file and directory, directories before what is in them."""
        found: dict[str, os.stat_result] = {}
        for name in sorted(os.listdir(self.path.parent)):
            if name.startswith(self.path.name):
                self._add(name, found)
        return found

    def _add(self, name: str, found: dict[str, os.stat_result]) -> None:
        found[name] = os.lstat(self.at(name))
        if stat.S_ISDIR(found[name].st_mode):
            for below in sorted(os.listdir(self.at(name))):
                self._add(f"{name}/{below}", found)

    def strangers(self) -> list[str]:
        """What stands beside it and does not begin with its name."""
        return sorted(name for name in os.listdir(self.path.parent) if not name.startswith(self.path.name))

    def at(self, name: str) -> Path:
        """The path of an entry."""
        return self.path.parent / name

    def keep(self) -> dict[str, Kept]:
        """All of it."""
        return {
            name: Kept(status, self.at(name).read_bytes() if stat.S_ISREG(status.st_mode) else None)
            for name, status in self.entries().items()
        }

    def files(self) -> dict[str, bytes]:
        """What the files hold."""
        return {name: kept.data for name, kept in self.keep().items() if kept.data is not None}

    def overwrite(self, name: str, data: bytes) -> None:
        """Change what is in a file, as a failing disk does: the file, its mode and its times stay."""
        status = os.lstat(self.at(name))
        self.at(name).write_bytes(data)
        os.utime(self.at(name), ns=(status.st_atime_ns, status.st_mtime_ns))

    def restore(self, kept: dict[str, Kept]) -> None:
        """Put everything back as it was kept; what stayed as it was is not touched."""
        for name, status in reversed(self.entries().items()):
            if name not in kept or stat.S_IFMT(kept[name].status.st_mode) != stat.S_IFMT(status.st_mode):
                self.discard(name)
        now = self.keep()
        for name, (status, data) in kept.items():
            if name not in now:
                self._make(name, data)
            elif data != now[name].data and data is not None:
                self.at(name).write_bytes(data)
            if name not in now or now[name].status != status:
                os.chmod(self.at(name), stat.S_IMODE(status.st_mode))
                os.utime(self.at(name), ns=(status.st_atime_ns, status.st_mtime_ns))

    def _make(self, name: str, data: bytes | None) -> None:
        if data is None:
            self.at(name).mkdir(mode=0o700)
        else:
            self.at(name).write_bytes(data)

    def discard(self, name: str) -> None:
        """Remove an entry, and what is in it."""
        if self.at(name).is_dir() and not self.at(name).is_symlink():
            shutil.rmtree(self.at(name))
        else:
            self.at(name).unlink(missing_ok=True)

    def protect(self, *, files: int, directories: int) -> None:
        """Give all files and all directories these permissions, inner ones first."""
        for name, status in reversed(self.entries().items()):
            os.chmod(self.at(name), directories if stat.S_ISDIR(status.st_mode) else files)

    def give(self, user: int) -> None:
        """Make a user the owner of it all, and of the directory above."""
        for path in (self.path.parent, *map(self.at, self.entries())):
            os.chown(path, user, user, follow_symlinks=False)
