"""`EnvStore`: versions of names as environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from keywright import Record, RecordInfo
from keywright.errors import DamagedStoreError, KeyNotFoundError
from keywright_env.variables import FILE, is_set, kind, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["EnvStore", "default_variable", "is_default"]

PREFIX: Final = "KEYWRIGHT_KEY_"
_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def default_variable(name: str) -> str | None:
    """`KEYWRIGHT_KEY_` and the name in upper case, each character but A-Z and 0-9 as `_`.

    None where that ends in `_FILE`: it would be read as the file of another name's variable.
    """
    rest = "".join(character if character.isascii() and character.isalnum() else "_" for character in name.upper())
    return None if rest.endswith(FILE) else PREFIX + rest


def is_default(variable: str) -> bool:
    """Whether a variable of the environment is one that `default_variable` gives, or its `_FILE`."""
    return variable.startswith(PREFIX) and _CHARACTERS.issuperset(variable)


class EnvStore:
    """A `Store` that reads the environment at each call. Safe to use from threads."""

    def __init__(self, variables: Mapping[tuple[str, int], str]) -> None:
        self._variables = dict(variables)
        self._names = {name for name, _ in self._variables}

    def __repr__(self) -> str:
        return "<env store>"

    def get(self, name: str, version: int) -> Record:
        """One record: the variable's bytes, or the file's.

        Raises:
            KeyNotFoundError: no variable holds it, or the one that would is not set.
            ConfigError: the variable and its `_FILE` are both set.
            DamagedStoreError: the variable or file is empty, or the file over 1 MiB.
            StoreUnavailableError: the file cannot be opened or read.
            AccessDeniedError: the file may not be read, is no regular file, or others may write it.
        """
        variable = self._variable(name, version)
        if variable is None:
            raise KeyNotFoundError(
                f"no environment variable holds {name}@{version}; name one in the setting `variables`"
            )
        found = kind(variable)
        if found is None:
            raise KeyNotFoundError(
                f"{name}@{version} would be in the environment variable {variable}, or in a file that "
                f"{variable}{FILE} points to, and neither is set; set one, or name another in the setting `variables`"
            )
        return Record(RecordInfo(name=name, version=version), read(variable, found))

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """What is set of a name, ascending; nothing is read.

        Raises:
            ConfigError: a variable and its `_FILE` are both set.
            DamagedStoreError: one is set, and one that `variables` names for a higher version is not. Without that
                the older key would silently be the primary again.
        """
        numbers = sorted(version for listed, version in self._variables if listed == name) or [1]
        places = {number: place for number in numbers if (place := self._variable(name, number)) is not None}
        there = [number for number, variable in places.items() if kind(variable) is not None]
        if there and there[-1] < max(places):
            newest = max(places)
            raise DamagedStoreError(
                f"{name}@{newest} would be in the environment variable {places[newest]}, or in a file that "
                f"{places[newest]}{FILE} points to, and neither is set although {name}@{there[-1]} is there; set one, "
                f"or take {name}@{newest} out of the setting `variables`"
            )
        return tuple(RecordInfo(name=name, version=number) for number in there)

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names in `variables` of which something is set, sorted.

        A default variable does not tell its name (`a.b` and `a-b` share one), so what stands there is not listed.
        """
        left = limit
        for name in sorted(self._names):
            if left is not None and left <= 0:
                return
            if name.startswith(prefix) and name > after and self._any_set(name):
                left = None if left is None else left - 1
                yield name

    def _any_set(self, name: str) -> bool:
        return any(is_set(variable) for (listed, _), variable in self._variables.items() if listed == name)

    def examine(self) -> Iterator[str]:
        """One sentence for each variable that is set twice or leads to a file that others may read.

        As `keywright.ExaminedStore.examine`. The default variables that are set are looked at too.
        """
        from keywright_env.variables import faults

        default = {variable.removesuffix(FILE) for variable in os.environ if is_default(variable)}
        for variable in sorted({*self._variables.values(), *default}):
            yield from faults(variable)

    def _variable(self, name: str, version: int) -> str | None:
        if name in self._names:
            return self._variables.get((name, version))
        return default_variable(name) if version == 1 else None
