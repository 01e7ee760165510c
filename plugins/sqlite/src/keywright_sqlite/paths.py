"""Where the setting `path` leads to."""

from __future__ import annotations

import os

from keywright.errors import StoreUnavailableError
from keywright_sqlite.failures import lookup_error

__all__ = ["resolve"]


def resolve(path: str) -> str:
    """`path` as an absolute path without symlinks; SQLite keeps the log beside the file, not beside a link to it.

    Raises:
        AccessDeniedError: this user may not search a directory on the way.
        StoreUnavailableError: a link on the way leads to nothing (a volume that is not mounted is no empty store), or
            the way changed while it was followed.
    """
    _check_links(os.path.abspath(path))
    try:
        return os.path.realpath(path)
    except OSError as error:
        raise lookup_error(path, error) from None


def _check_links(path: str) -> None:
    missing = path
    while not os.path.exists(missing):
        # Of what is missing and no link, something above is there: the root at the latest.
        if os.path.islink(missing) and _is_missing(missing):
            raise StoreUnavailableError(
                f"{missing}: is a link to nothing; mount or make what it leads to, or set another `path`"
            )
        missing = os.path.dirname(missing)


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:  # what it leads to cannot be seen, and may be there
        pass
    return False
