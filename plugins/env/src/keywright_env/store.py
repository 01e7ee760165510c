"""`EnvStore`: versions of names as environment variables, or as files that variables lead to."""

from __future__ import annotations

import os
import stat
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from keywright import Problem, Record, RecordInfo, Secret, errors
from keywright.files import ErrorTable, Report, unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PREFIX: Final = "KEYWRIGHT_KEY_"
FILE: Final = "_FILE"
MAXIMUM_BYTES: Final = 1_048_576
_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_OPENING: Final = ErrorTable(
    denied=Report("{subject} points to a file that this user may not read", "make it readable for this user only"),
    other=Report("{subject} points to a file that cannot be opened: {reason}", "check the path"),
)
_READING: Final = ErrorTable(
    other=Report("{subject} points to a file that cannot be read: {reason}", "check the path and the disk")
)


def default_variable(name: str) -> str | None:
    """`KEYWRIGHT_KEY_` and the name in upper case, each character but A-Z and 0-9 as `_`.

    None where that ends in `_FILE`: it would be read as the file of another name's variable.
    """
    rest = "".join(character if character.isascii() and character.isalnum() else "_" for character in name.upper())
    return None if rest.endswith(FILE) else PREFIX + rest


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
            CorruptedStoreError: the variable or file is empty, or the file over 1 MiB.
            StoreUnavailableError: the file cannot be opened or read.
            AccessDeniedError: the file may not be read, is not a regular file, or others may write it.
        """
        variable = self._variable(name, version)
        if variable is None:
            raise errors.KeyNotFoundError(
                f'no environment variable is configured for key "{name}@{version}"',
                hint=f'add "{name}@{version}" to the setting `variables`',
            )
        payload = _read(variable)
        if payload is None:
            raise errors.KeyNotFoundError(
                f'no environment variable for key "{name}@{version}" is set',
                hint=f"set {variable} to the key, or {variable}{FILE} to the path of a file with the key",
            )
        return Record(RecordInfo(name=name, version=version), payload)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """What is set of a name, ascending; nothing is read.

        Raises:
            ConfigError: a variable and its `_FILE` are both set.
            CorruptedStoreError: one is set, and one that `variables` names for a higher version is not. Without that
                the older key would silently be the primary again.
        """
        numbers = sorted(version for listed, version in self._variables if listed == name) or [1]
        places = {number: place for number in numbers if (place := self._variable(name, number)) is not None}
        found = [number for number, variable in places.items() if _kind(variable) is not None]
        if found and found[-1] < max(places):
            newest = max(places)
            raise errors.CorruptedStoreError(
                f'no environment variable for key "{name}@{newest}" is set, but one for version {found[-1]} is',
                hint=f'set {places[newest]}, or remove "{name}@{newest}" from the setting `variables`',
            )
        return tuple(RecordInfo(name=name, version=number) for number in found)

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names in `variables` of which something is set, sorted.

        A default variable does not tell its name (`a.b` and `a-b` share one), so what is there is not listed.
        """
        places = self._variables.items()
        there = {name for (name, _), variable in places if variable in os.environ or variable + FILE in os.environ}
        found = (name for name in sorted(there) if name.startswith(prefix) and name > after)
        return islice(found, None if limit is None else max(limit, 0))

    def check(self) -> Iterator[Problem]:
        """A problem for each variable that is set twice or leads to a file that others may read.

        As `keywright.CheckedStore.check`. The default variables that are set are looked at too.
        """
        default = {
            variable.removesuffix(FILE)
            for variable in os.environ
            if variable.startswith(PREFIX) and _CHARACTERS.issuperset(variable)
        }
        for variable in sorted({*self._variables.values(), *default}):
            yield from _problems(variable)

    def _variable(self, name: str, version: int) -> str | None:
        if name in self._names:
            return self._variables.get((name, version))
        return default_variable(name) if version == 1 else None


# One variable, and the file that its `_FILE` points to.


def _kind(variable: str) -> Literal["value", "file"] | None:
    """Where the key is: in the variable, in a file, or nowhere.

    Raises:
        ConfigError: both are set.
    """
    value, file = variable in os.environ, variable + FILE in os.environ
    if value and file:
        raise errors.ConfigError(
            f"the environment variables {variable} and {variable}{FILE} are both set",
            hint=f"unset {variable}, or unset {variable}{FILE}",
        )
    return "value" if value else "file" if file else None


def _read(variable: str) -> Secret | None:
    """The bytes exactly as they are there; None if neither the variable nor its file is set."""
    kind = _kind(variable)
    if kind is None:
        return None
    if kind == "file":
        return _read_file(variable + FILE)[0]
    payload = Secret(os.fsencode(os.environ.get(variable, "")))
    if not payload:
        raise errors.CorruptedStoreError(
            f"the environment variable {variable} is set but empty", hint="set it to the key, or unset it"
        )
    return payload


def _problems(variable: str) -> Iterator[Problem]:
    """The problems of a variable, set or not, and of the file that its `_FILE` points to."""
    try:
        if _kind(variable) != "file":
            _read(variable)
            return
        _, found = _read_file(variable + FILE)
    except errors.KeywrightError as error:
        yield Problem(variable, str(error), error.hint or "set it to a key")
        return
    # Container secrets are root's and readable by all: only processes inside the container can read them.
    if found.st_uid != 0 and found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Problem(
            variable + FILE,
            "points to a file that other users may read",
            "run `chmod go-r` on it, and replace the key if others may have read it",
        )


def _read_file(variable: str) -> tuple[Secret, os.stat_result]:
    """The file's bytes, and what it is.

    No message repeats the variable's value: if the two were mixed up, it is the key itself.
    """
    descriptor = _open_file(variable)
    try:
        with _READING.about(variable):
            found = os.fstat(descriptor)
            reason = unsafe(found, regular=True, owners={found.st_uid})  # whose it is does not matter
            if reason == "kind":
                raise errors.AccessDeniedError(
                    f"{variable} does not point to a regular file", hint="point it to the key's file"
                )
            if reason:
                raise errors.AccessDeniedError(
                    f"{variable} points to a file that other users may write",
                    hint="run `chmod go-w` on it, and check that the key in it is still yours",
                )
            with open(descriptor, "rb", closefd=False) as file:
                payload = Secret(file.read(MAXIMUM_BYTES + 1))
    finally:
        os.close(descriptor)
    if not payload:
        raise errors.CorruptedStoreError(
            f"{variable} points to an empty file", hint="write the key into it, or unset the variable"
        )
    if len(payload) > MAXIMUM_BYTES:
        raise errors.CorruptedStoreError(
            f"{variable} points to a file of over 1 MiB, larger than any key", hint="point it to the key's"
        )
    return payload, found


def _open_file(variable: str) -> int:
    if not hasattr(os, "O_NONBLOCK"):
        raise errors.UnsupportedOperationError(
            f"{variable}: this system cannot tell who may write a file", hint="put the key into the variable itself"
        )
    if not os.environ.get(variable):
        raise errors.CorruptedStoreError(
            f"the environment variable {variable} is set but empty", hint="set it to a path, or unset it"
        )
    try:
        # O_NONBLOCK: a named pipe would otherwise keep this process waiting for a writer.
        return os.open(os.environ.get(variable, ""), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        failure = _OPENING.error(error, variable)
    # Not in the handler: the system's error knows the variable's value, and would stay as the context of this one.
    raise failure
