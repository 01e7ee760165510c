"""Finds the entry points of the group `keywright`, and of `keywright.commands`, without importing anything.

`importlib.metadata` costs 32 ms; reading `*.dist-info/entry_points.txt` costs 1 to 3 ms for 150 distributions.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

KEYWRIGHT_API: Final = 1
"""The version of the contracts. A plugin that says another, or none, is refused with a line that says so."""
PLUGINS: Final = "keywright"
"""The group of the plugins: name and module."""
COMMANDS: Final = "keywright.commands"
"""The group of the plugins that have commands: the same name, and the module that adds them."""
_METADATA: Final = (".dist-info", ".egg-info")
_CHUNK_BYTES: Final = 65_536  # a buffer of 1 MiB costs 8 times as much


class EntryPoint(NamedTuple):
    """One line of a group: `name = value`, and the distribution that says it."""

    name: str
    value: str
    distribution: str
    version: str
    group: str = PLUGINS


def find_entry_points(path: Sequence[str] | None = None, *, groups: Sequence[str] = (PLUGINS,)) -> list[EntryPoint]:
    """All entry points of these groups on `path` (default: `sys.path` without the current directory), by name.

    A distribution that is on the path twice counts where it comes first, as it does for imports. The current
    directory is left out, unless Python installs packages there: a file that happens to lie there must not become a
    plugin. What cannot be read is skipped.
    """
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder in _folders() if path is None else path:
        for directory in _installed(folder):
            stem = directory.rpartition(".")[0]
            name, _, version = stem.partition("-")
            distribution = re.sub(r"[-_.]+", "-", name).lower()
            if distribution not in seen:
                seen.add(distribution)
                text = _declared(f"{folder}/{directory}/entry_points.txt")
                if b"[keywright" in text:
                    lines = _lines_of(text, groups)
                    found += [EntryPoint(name, value, distribution, version, group) for name, value, group in lines]
    return sorted(found)


def _folders() -> Iterator[str]:
    for folder in sys.path:
        if not _is_here(folder) or _is_site_folder(folder):
            yield folder


def _is_here(folder: str) -> bool:
    try:
        return not folder or os.path.samefile(folder, ".")
    except (OSError, ValueError):
        return False


def _is_site_folder(folder: str) -> bool:
    """Whether it is the interpreter's own; a folder that is merely called `site-packages` may be anybody's."""
    import site

    return folder in site.getsitepackages() or (bool(site.ENABLE_USER_SITE) and folder == site.getusersitepackages())


def _installed(folder: str) -> list[str]:
    """The names of the metadata directories in `folder`; none if it is not a directory, or not to be read."""
    try:
        with os.scandir(folder) as entries:
            # pip renames what it uninstalls to `~ame`, and that is what stays of it if pip is interrupted.
            return sorted(one.name for one in entries if one.name.endswith(_METADATA) and one.name[0] != "~")
    except (OSError, ValueError):
        return []


def _declared(path: str) -> bytes:
    """The entry points that a distribution declares, `b""` if there are none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        text = b""
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            text += chunk
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return text


def _lines_of(text: bytes, groups: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in text.decode(errors="replace").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.strip("[]")
        elif section in groups and "=" in stripped and not stripped.startswith("#"):
            name, _, value = (part.strip() for part in stripped.partition("="))
            if name and value:
                yield name, value, section
