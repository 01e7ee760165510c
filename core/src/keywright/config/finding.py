"""Where the configuration file is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from keywright.config.environment import Environment
from keywright.errors import ConfigError

__all__ = ["CONFIG_NAME", "find_config", "user_directory", "working_directory"]

CONFIG_NAME: Final = "keywright.toml"


def find_config(
    path: str | None = None, *, environ: Mapping[str, str] | None = None, cwd: str | None = None
) -> str | None:
    """The absolute path of the file that would be read, or None: the built-in defaults hold.

    `path` (`--config`), else `$KEYWRIGHT_CONFIG` (empty counts as unset), else `keywright.toml` in `cwd` or above it
    up to the repository root (where `.git` is; outside a repository: in `cwd` only), else
    `keywright/keywright.toml` in `$XDG_CONFIG_HOME` (`~/.config`). A file that is named outright is returned
    whether or not it is there.

    Raises:
        ConfigError: the current directory is needed and gone.
    """
    environ = Environment(os.environ if environ is None else environ)
    cwd = working_directory() if cwd is None else cwd
    named = environ.get("KEYWRIGHT_CONFIG") if path is None else path
    if named or path is not None:
        return os.path.join(cwd, named or "")
    return _above(cwd) or _of_user(environ)


def _above(directory: str) -> str | None:
    candidate = os.path.join(directory, CONFIG_NAME)
    if os.path.lexists(candidate):
        return candidate
    found: str | None = None
    while True:
        candidate = os.path.join(directory, CONFIG_NAME)
        if found is None and os.path.lexists(candidate):
            found = candidate
        if os.path.lexists(os.path.join(directory, ".git")):
            return found
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _of_user(environ: Environment) -> str | None:
    directory = user_directory("XDG_CONFIG_HOME", ".config", environ)
    candidate = directory and os.path.join(directory, "keywright", CONFIG_NAME)
    return candidate if candidate and os.path.lexists(candidate) else None


def user_directory(variable: str, default: str, environ: Environment) -> str | None:
    """`$variable`, else `default` in the home directory; None where no home directory is known.

    A relative path in either variable is ignored (XDG Base Directory Specification 0.8, "Basics").
    """
    directory = environ.get(variable, "")
    if os.path.isabs(directory):
        return directory
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        home = _home_by_user_database()
    return os.path.join(home, default) if os.path.isabs(home) else None


def _home_by_user_database() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def working_directory() -> str:
    """The current directory.

    Raises:
        ConfigError: it is gone.
    """
    try:
        return os.getcwd()
    except OSError:
        raise ConfigError("the current directory does not exist any more; change to another") from None
