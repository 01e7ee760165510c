"""What may be done to a store, and what the store must hold afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from keywright import State

__all__ = ["SHARED", "Operation", "Version", "Versions", "after", "choose", "names_of", "number_for"]

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

    kind: `create`, `again` (a version that is there already: refused), `label`, `replace` (the payload), `withdraw`
    (the payload, and the version stays), `destroy`, `remove` (the name), and on the shared name `rotate` and `count`.
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
    if versions[version].secret is not None:
        kinds += ["withdraw"]
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
    elif kind == "withdraw":
        changed = changed._replace(secret=None)
    else:
        changed = changed._replace(state=State.DESTROYED, secret=None, label=number)
    return {**versions, version: changed}
