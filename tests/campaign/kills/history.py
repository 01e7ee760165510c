"""What a worker does with a store, with secrets that can be found again, and what the store holds after it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

from keywright import State

SHARED = "shared/by-all"  # every worker rotates it and counts on its first version
_MOST_VERSIONS = 6
_SECRETS_EACH = 1000  # in one life of a worker
_MOST_WORKERS = 8


class Version(NamedTuple):
    """One version of a name, as it should be. `secret` None: it has no payload. `label`: what its label `n` says."""

    state: State
    secret: int | None
    label: int
    revision: str


Versions = Mapping[int, Version]


class Operation(NamedTuple):
    """A write that a worker is about to make; `number` is its new secret or label.

    kind: `create`, `again` (a version that is there already: refused), `label`, `replace` (the payload), `destroy`,
    `remove` (the name), and on the shared name `rotate` and `count`.
    """

    kind: str
    name: str
    version: int
    number: int


def names_of(worker: int) -> tuple[str, ...]:
    """The names that only this worker writes; their directories lie among those of the others."""
    return (f"w{worker}", f"w{worker}/inner", f"common/below/w{worker}")


def number_for(life: int, worker: int, step: int) -> int:
    """A number that no other step of any worker has."""
    return (life * _MOST_WORKERS + worker) * _SECRETS_EACH + step


def choose(chance: Random, names: Mapping[str, Versions], worker: int, number: int, *, shared: bool) -> Operation:
    """The next write of a worker, given what its names hold."""
    if shared and chance.random() < 0.3:
        return Operation(chance.choice(("rotate", "count")), SHARED, 0, number)
    name = chance.choice(names_of(worker))
    versions = names.get(name, {})
    if not versions:
        return Operation("create", name, 1, number)
    if len(versions) >= _MOST_VERSIONS or chance.random() < 0.05:
        return Operation("remove", name, 0, number)
    version = chance.choice(list(versions))
    kinds = ["create", "create", "again", "label", "label"]
    if versions[version].state is State.ENABLED:
        kinds += ["replace", "replace", "destroy", "destroy"]
    kind = chance.choice(kinds)
    return Operation(kind, name, max(versions) + 1 if kind == "create" else version, number)


def after(operation: Operation, versions: Versions, revision: str = "") -> Versions:
    """What a name holds after a write of its own worker that succeeded; `revision` is what the write returned."""
    kind, _, version, number = operation
    if kind == "remove":
        return {}
    if kind == "create":
        return {**versions, version: Version(State.ENABLED, number, 0, revision)}
    if kind == "again":
        return versions
    changed = versions[version]._replace(revision=revision)
    if kind == "label":
        changed = changed._replace(label=number)
    elif kind == "replace":
        changed = changed._replace(secret=number)
    else:
        changed = changed._replace(state=State.DESTROYED, secret=None, label=number)
    return {**versions, version: changed}


_MARK = re.compile(rb"kw-secret:([0-9]{10});")
_LENGTHS = (1, 2, 7, 40, 300, 1500)  # marks of 21 bytes: within a page of a database, and over several


def secret(number: int) -> bytes:
    """The bytes of secret `number`: its mark again and again; how often follows from the number."""
    return b"kw-secret:%010d;" % number * _LENGTHS[number % len(_LENGTHS)]


def number_of(data: bytes) -> int | None:
    """Which secret this is; None: none, or a torn one."""
    match = _MARK.match(data)
    if match is None:
        return None
    number = int(match[1])
    return number if data == secret(number) else None


def marks(data: bytes) -> set[int]:
    """The secrets of which `data` holds at least a part."""
    return {int(digits) for digits in _MARK.findall(data)}


def contents(place: str) -> Iterator[tuple[str, bytes]]:
    """Every file below a directory: its path there, and all its bytes."""
    for directory, _, files in os.walk(place):
        for file in files:
            path = os.path.join(directory, file)
            with open(path, "rb") as opened:
                yield os.path.relpath(path, place), opened.read()
