"""Finds the entry points of keywright's groups without importing a plugin.

It finds what `importlib.metadata` finds, but for distributions in the current directory. That module costs 32 ms;
reading `*.dist-info/entry_points.txt` costs 1 to 3 ms for 150 distributions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

KEYWRIGHT_API: Final = 1
"""The version of the contracts. A plugin that says another, or none, is refused with a line that says so."""
PLUGINS: Final = "keywright"
"""The group of the plugins: name and module."""
COMMANDS: Final = "keywright.commands"
"""The group of the plugins that have commands: the same name, and the module that adds them."""
ROLES: Final[Mapping[str, str]] = {
    "keywright.key_types": "key type",
    "keywright.formats": "format",
    "keywright.store_backends": "store backend",
    "keywright.seals": "seal",
}
"""The groups of the index with what they list: the name of an object, and the plugin that provides it."""
OBSERVERS: Final = "keywright.observers"
"""The group of the index for plugins that review or observe every ring: their name, and the plugin."""
SETTINGS: Final = "keywright.settings"
"""The group of the index for plugins that `[plugin.NAME]` configures: their name, and the plugin."""
NOT_SEARCHED: Final = "has plugins, and is not searched because it is the current directory"
"""The reason for which a folder of `passed_over` is passed over."""

_METADATA: Final = (".dist-info", ".egg-info")
_CHUNK_BYTES: Final = 65_536  # a buffer of 1 MiB costs 8 times as much
_PREFIX: Final = "keywright"


class EntryPoint(NamedTuple):
    """One line of a group: `name = value`, and the distribution that declares it."""

    name: str
    value: str
    distribution: str
    version: str
    group: str = PLUGINS


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path or ".")
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


# Taken once: what is found must not change when the program changes its directory.
_START: Final = _identity(".")
_OWN_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_STARTED_IN_OWN: Final = _START is not None and _identity(_OWN_FOLDER) == _START


def find_entry_points(
    path: Sequence[str] | None = None, *, groups: Sequence[str] | None = (PLUGINS,)
) -> list[EntryPoint]:
    """All entry points of these groups (None: of all groups of keywright) on `path`, by name.

    The default path is `searched_folders`. A distribution that is on the path twice counts where it comes first, as it
    does for imports. What cannot be read is skipped.
    """
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder in searched_folders() if path is None else path:
        for distribution, version, points in _distributions(folder):
            if distribution not in seen:
                seen.add(distribution)
                found += [EntryPoint(name, value, distribution, version, group) for name, value, group in points]
    return sorted(one for one in found if groups is None or one.group in groups)


def searched_folders() -> list[str]:
    """The folders and archives of `sys.path`, without the current directory.

    That is left out (relative entries, and the folder in which the process started), because a file that happens to be
    there must not become a plugin. It counts if keywright itself was imported from it, or if Python installs packages
    there.
    """
    return [folder for folder in _path() if not _is_here(folder)]


def passed_over() -> list[str]:
    """The folders of `sys.path` that have plugins and are not searched."""
    return [folder for folder in _path() if _is_here(folder) and any(points for *_, points in _distributions(folder))]


def _path() -> list[str]:
    """`sys.path`, where `""` is the folder of keywright if the process started in that."""
    own = _OWN_FOLDER if _STARTED_IN_OWN else "."
    return [folder or own for folder in sys.path]


def _is_here(folder: str) -> bool:
    """Whether it is the current directory, and on the path for no better reason."""
    if not os.path.isabs(folder):
        return True
    return not _STARTED_IN_OWN and _START is not None and _identity(folder) == _START and not _is_site_folder(folder)


def _is_site_folder(folder: str) -> bool:
    """Whether it is the interpreter's own; any folder may be called `site-packages`."""
    import site

    return folder in site.getsitepackages() or (bool(site.ENABLE_USER_SITE) and folder == site.getusersitepackages())


def _distributions(folder: str) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """The distributions in a folder or archive: normalised name, version, and (name, value, group) of our groups."""
    try:
        with os.scandir(folder) as entries:
            # pip renames what it uninstalls to `~ame`, and that is what stays of it if pip is interrupted.
            directories = sorted(one.name for one in entries if one.name.endswith(_METADATA) and one.name[0] != "~")
    except NotADirectoryError:
        yield from _archived(folder)
    except (OSError, ValueError):
        return
    else:
        for directory in directories:
            name, _, version = directory.rpartition(".")[0].partition("-")
            text = _declared(f"{folder}/{directory}/entry_points.txt")
            yield _normalised(name), version, list(_lines_of(text)) if b"[keywright" in text else []


def _archived(path: str) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """The distributions in a file on the path, such as a zip archive."""
    from importlib.metadata import distributions

    for one in distributions(path=[path]):
        points = [(point.name, point.value, point.group) for point in one.entry_points]
        yield _normalised(one.name or ""), one.version or "", [point for point in points if _is_ours(point[2])]


def _normalised(name: str) -> str:
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def _is_ours(group: str) -> bool:
    return group == _PREFIX or group.startswith(f"{_PREFIX}.")


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


def _lines_of(text: bytes) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in text.decode(errors="replace").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.strip("[]")
        elif _is_ours(section) and "=" in stripped and not stripped.startswith("#"):
            name, _, value = (part.strip() for part in stripped.partition("="))
            if name and value:
                yield name, value, section
