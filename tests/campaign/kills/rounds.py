"""Rounds of kills, and whether each store holds what its writers said."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple, Self, cast

from kills.history import SHARED, Operation, Version, Versions, after, contents, marks, number_of
from kills.worker import Life, Open, Report, start

from keywright import CheckedStore, Record, WritableStore
from keywright.errors import StoreError

_LEFT = "has files .keywright-*.new, which an interrupted writer left"
Found = Mapping[int, Record]


class Checked:
    """What is known of one store.

    Attributes:
        names: what each name of one worker holds.
        rotations: each version of the name that all write, and its secret.
        count: how often they counted there.
        revisions: all that were ever seen.
    """

    def __init__(self, directory: Path, kind: str) -> None:
        self.directory = directory
        self.kind = kind
        self.names: dict[str, Versions] = {}
        self.rotations: dict[int, int] = {}
        self.count = 0
        self.revisions: set[str] = set()

    def alive(self) -> dict[int, str]:
        """The secrets that are someone's, and the file of each in a file store."""
        owned = {
            version.secret: f"keys/{name}/@{number}/key"
            for name, versions in self.names.items()
            for number, version in versions.items()
            if version.secret is not None
        }
        return owned | {secret: f"keys/{SHARED}/@{version}/key" for version, secret in self.rotations.items()}


def check(store: Checked, open_store: Open, reports: Sequence[Sequence[Report]]) -> int:
    """Compare, and learn what became of the operations that were under way; returns how many of them took effect.

    Raises:
        AssertionError: something is lost, torn, came back, or lies where it should not.
    """
    finished = [report for said in reports for report in said if report.outcome is not None]
    under_way = [said[-1].operation for said in reports if said and said[-1].outcome is None]
    gone = _replay(store, finished)
    left = gone & _on_disk(store.directory)
    assert not left, f"secrets {sorted(left)} are in a file, though their end was reported"
    with open_store() as opened:
        found = {
            name: {info.version: opened.get(name, info.version) for info in opened.versions(name)}
            for name in opened.names()
        }
        effects = _settle_shared(store, found.pop(SHARED, {}), finished, under_way)
        for name in sorted(found.keys() | store.names.keys()):
            effects += _settle(store, name, found.get(name, {}), [one for one in under_way if one.name == name])
        # The workers are dead: no one misses the locks that reading these files takes away.
        _where(store)
        _examine(store, opened)
    assert _on_disk(store.directory) == store.alive().keys(), "closing the store changed which secrets are in its files"
    return effects


def _replay(store: Checked, finished: Iterable[Report]) -> set[int]:
    """Bring what is known up to date; returns the secrets that must be nowhere now."""
    before = store.alive().keys()
    used = set()
    for (kind, name, version, number), outcome in finished:
        used.add(number)
        if name != SHARED:
            assert outcome is not None
            store.names[name] = after(Operation(kind, name, version, number), store.names.get(name, {}), outcome)
            if kind in ("create", "label", "replace", "destroy"):
                assert outcome not in store.revisions, f"{name}@{version}: revision {outcome} came twice"
                store.revisions.add(outcome)
        elif kind == "rotate" and outcome != "lost":
            assert version not in store.rotations, f"{name}@{version} was made twice"
            store.rotations[version] = number
    return (used | before) - store.alive().keys()


def _settle(store: Checked, name: str, found: Found, under_way: Sequence[Operation]) -> int:
    """Compare a name of one worker's: it is as it was, or as its one operation under way would have left it."""
    old = store.names.get(name, {})
    actual = {number: _version(record) for number, record in sorted(found.items())}
    store.names[name] = actual
    seen, store.revisions = store.revisions, store.revisions | {version.revision for version in actual.values()}
    if actual == old:
        return 0
    for operation in under_way:
        took_effect = _is(actual, after(operation, old), seen)
        # A write of several steps may have changed the revision before it changed anything that it stands for.
        if took_effect or _is(actual, _touched(operation, old), seen):
            return took_effect
    raise AssertionError(f"{name} holds {actual}, not {old}; under way: {[*under_way]}")


def _touched(operation: Operation, old: Versions) -> Versions:
    return {
        number: version._replace(revision="") if number == operation.version else version
        for number, version in old.items()
    }


def _version(record: Record) -> Version:
    info, payload = record.info, record.payload
    number = None
    if payload is not None:
        number = number_of(payload.reveal())
        assert number is not None, f"{info.reference} is torn"
    return Version(info.state, number, int(info.labels["n"]), info.revision)


def _is(actual: Versions, expected: Versions, seen: set[str]) -> bool:
    """Whether they are equal; where no revision is expected, one that was never seen is right."""
    settled = {
        number: one
        if one.revision or number not in actual or actual[number].revision in seen
        else one._replace(revision=actual[number].revision)
        for number, one in expected.items()
    }
    return actual == settled


def _settle_shared(store: Checked, found: Found, finished: Iterable[Report], under_way: Iterable[Operation]) -> int:
    """The name that all write: no hole, no loss, each success exactly once."""
    actual = {number: _version(record) for number, record in found.items()}
    assert sorted(actual) == [*range(1, len(actual) + 1)], f"{SHARED} has versions {sorted(actual)}"
    open_rotations = {(one.version, one.number) for one in under_way if one.kind == "rotate"}
    secrets = {number: version.secret for number, version in actual.items()}
    new = [(number, secret) for number, secret in secrets.items() if number not in store.rotations]
    assert secrets.items() >= store.rotations.items(), f"{SHARED} lost a version"
    assert open_rotations.issuperset(new), f"{SHARED} has versions {new} that no one made"
    asked = {report.operation.version for report in finished if report.operation.kind == "rotate"}
    assert asked <= actual.keys(), f"{SHARED}: versions {asked - actual.keys()} were taken, and are not there"
    store.rotations.update((number, secret) for number, secret in new if secret is not None)
    counts = [
        report.operation.number for report in finished if report.operation.kind == "count" and report.outcome != "lost"
    ]
    assert len(set(counts)) == len(counts), f"{SHARED}: two counted the same number"
    count = actual[1].label if actual else 0
    uncertain = count - store.count - len(counts)
    assert 0 <= uncertain <= sum(one.kind == "count" for one in under_way), f"{SHARED} counted {count}"
    store.count = count
    return len(new) + uncertain


def _on_disk(directory: Path) -> set[int]:
    return {number for number, _ in _places(directory)}


def _places(directory: Path) -> list[tuple[int, str]]:
    return sorted((number, path) for path, data in contents(str(directory)) for number in marks(data))


def _where(store: Checked) -> None:
    """Every secret that is someone's is there, and no other; in a file store, each in its own file alone."""
    alive = store.alive()
    places = _places(store.directory)
    there = {number for number, _ in places}
    assert there <= alive.keys(), f"secrets {sorted(there - alive.keys())} are no one's, and in a file"
    assert there >= alive.keys(), f"secrets {sorted(alive.keys() - there)} are in no file"
    if store.kind == "file":
        assert places == sorted(alive.items()), "a secret is in another file than its own"


def _examine(store: Checked, opened: WritableStore) -> None:
    examined = cast(CheckedStore, opened)  # the type of a backend's `open` does not say so
    made = [path for path, _ in contents(str(store.directory)) if path.startswith(".keywright-")]
    if made:
        # A process was killed while it made the database. No key is in these, but no one knows whether its maker lives.
        assert [problem.message for problem in examined.check()] in ([], [_LEFT])
        for path in made:
            (store.directory / path).unlink()
    problems = [*examined.check()]
    assert not problems, f"check finds {problems}"


_LONGEST_WAIT_SECONDS = 0.05
_LONGEST_FIRST_WAIT_SECONDS = 0.005  # so that the making of a store is interrupted too
_LIVES_OF_A_STORE = (2, 10, 40)  # then a new one


class Place(NamedTuple):
    """A kind of store, and a directory for one after another; `open` opens the one in the directory that it gets."""

    kind: str
    open: Callable[[Path], Open]
    directory: Path


@dataclass
class Figures:
    """What happened. The last two are what must not."""

    kills: int = 0
    inside: int = 0  # kills that came while an operation was under way
    opening: int = 0  # kills that came before the first
    done: int = 0
    refused: int = 0  # lost a race, as one must
    took_effect: int = 0  # operations that were under way and are done
    stores: int = 0
    seconds: float = 0.0

    def __iadd__(self, other: Self) -> Self:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def run(
    place: Place,
    *,
    kills: int,
    workers: int,
    seed: int,
    progress: Callable[[Figures], None] = lambda _: None,
) -> Figures:
    """Kill `workers` processes at a time until `kills` were killed.

    Raises:
        AssertionError: the store is not what its workers said; the message says where it is kept.
    """
    figures = Figures()
    chance = Random(seed)
    began = time.monotonic()
    life = 0
    while figures.kills < kills:
        figures.stores += 1
        directory = place.directory / f"{place.kind}-{workers}-{figures.stores}"
        directory.mkdir(mode=0o700)
        store = Checked(directory, place.kind)
        open_store = place.open(directory)
        waits = [_LONGEST_FIRST_WAIT_SECONDS] + [_LONGEST_WAIT_SECONDS] * chance.choice(_LIVES_OF_A_STORE)
        for wait in waits[: -(-(kills - figures.kills) // workers)]:
            life += 1
            try:
                reports = _live(open_store, store, life, workers, chance, wait)
                figures.took_effect += check(store, open_store, reports)
            except (AssertionError, StoreError) as error:
                again = f"seed {seed}, {workers} at a time, life {life}, kept in {directory}"
                raise AssertionError(f"{error} ({again})") from error
            _count(figures, reports)
            figures.seconds = time.monotonic() - began
            progress(figures)
        shutil.rmtree(directory)
    return figures


def _live(
    open_store: Open, store: Checked, number: int, workers: int, chance: Random, wait: float
) -> list[list[Report]]:
    """One life of each worker."""
    lives = [Life(number, worker, chance.getrandbits(32), shared=workers > 1) for worker in range(workers)]
    started = [start(open_store, store.names, life) for life in lives]
    ends = []
    for child, pipe in started:
        assert os.read(pipe, 1) == b"\n", "a worker did not start"
        ends.append((time.monotonic() + chance.uniform(0, wait), child))
    for end, child in sorted(ends):
        time.sleep(max(0.0, end - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    return [_reports(_last_words(child, pipe)) for child, pipe in started]


def _last_words(child: int, pipe: int) -> str:
    _, status = os.waitpid(child, 0)
    with open(pipe, "rb") as opened:
        said = opened.read().decode()
    assert os.WIFSIGNALED(status), f"a worker ended by itself: {said.splitlines()[-1]}"
    return said


def _reports(said: str) -> list[Report]:
    reports: list[Report] = []
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        if word == "intent":
            kind, name, version, number = rest.split()
            reports.append(Report(Operation(kind, name, int(version), int(number)), None))
        else:
            reports[-1] = reports[-1]._replace(outcome=rest if word == "done" else "lost")
    return reports


def _count(figures: Figures, reports: list[list[Report]]) -> None:
    figures.kills += len(reports)
    figures.opening += sum(not said for said in reports)
    figures.inside += sum(bool(said) and said[-1].outcome is None for said in reports)
    figures.done += sum(report.outcome not in (None, "lost") for said in reports for report in said)
    figures.refused += sum(report.outcome == "lost" for said in reports for report in said)
