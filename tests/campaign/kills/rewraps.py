"""Changes of a master key killed at any moment: `python -m kills.rewraps 1000`, and what became of the keys."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from kills.worker import ended, forked, killed_after, print_table, stop, told_to_stop

import keywright
from keywright import KeyRing, Secret, State
from keywright.errors import KeywrightError, SealError
from keywright.ring import changes, create  # before the fork: a child must be killed at work, not at imports

Pair = tuple[str, str]
"""A store backend and a seal."""

PAIRS: tuple[Pair, ...] = tuple((store, seal) for store in ("file", "sqlite") for seal in ("passphrase", "master-key"))
_SETTINGS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "passphrase": ("passphrase", {"memory": 19, "time": 2, "lanes": 1}),
    "master-key": ("key", {}),
}
_NAMES = 8
_PARTS = (changes, create)
_LONGEST_MOMENT_SECONDS = {"passphrase": 0.25, "master-key": 0.1}
_FIRE_SECONDS = 1.0
_Everything = dict[str, Secret]


@dataclass
class Figures:
    """What happened.

    Attributes:
        changes: how many changes of the master key came to their end.
        kills: how many were killed before.
        inside: of these, how many had sealed some records again, and not all.
        writes: what writers did to the store meanwhile.
        looks: how often every record was opened while a change was going on.
        lost: versions that did not open, or were missing or changed. Never anything but 0: an assertion fails first.
    """

    changes: int = 0
    kills: int = 0
    inside: int = 0
    writes: int = 0
    looks: int = 0
    lost: int = 0


class Place:
    """A sealed store in a directory, with the files that hold its master key and the one before."""

    def __init__(self, directory: Path, pair: Pair, chance: Random) -> None:
        directory.mkdir(parents=True)
        self.backend, self.seal = pair
        self._directory, self._chance = directory, chance
        self._current, self._old, self.done = directory / "current", directory / "old", directory / "done"
        self._current.write_text(self._draw())
        self.done.touch()

    def change(self) -> None:
        """Draw another master key; the one that was current is the previous one."""
        os.replace(self._current, self._old)
        self._current.write_text(self._draw())

    def open(self, *, previous: bool = True) -> KeyRing:
        """A ring, with or without the previous master key."""
        setting, costs = _SETTINGS[self.seal]
        seal: dict[str, object] = {"seal": self.seal, setting: {"file": str(self._current)}, **costs}
        seal |= {"previous": [{"file": str(self._old)}]} if previous and self._old.exists() else {}
        store = {"backend": self.backend, "path": str(self._directory / "keys"), "seal": "master"}
        return keywright.open({"stores": {"main": store}, "seals": {"master": seal}})

    def _draw(self) -> str:
        return self._chance.randbytes(32).hex()


def run(directory: Path, pair: Pair, *, kills: int, seed: int, writers: int = 0) -> Figures:
    """Fill a sealed store; change its master key under fire until that is done, again and again."""
    chance, figures = Random(seed), Figures()
    place = Place(directory / "store", pair, chance)
    with place.open() as ring:
        for number in range(_NAMES):
            ring.generate(f"name{number}", type=chance.choice(["ed25519", "oct"]))
        ring.rotate("name0")
        ring.destroy("name0@1")
    while figures.kills < kills:
        _change(place, figures, kills, writers, chance)
        figures.changes += 1
    return figures


def _change(place: Place, figures: Figures, kills: int, writers: int, chance: Random) -> None:
    before = _everything(place)
    place.change()
    with _watched(place, figures):
        if writers:
            _under_fire(place, figures, writers, chance, before)
            before = _everything(place)
        while _rewrap(place, figures, kills, chance) is None:
            assert _everything(place) == before, "a key is lost, or changed"
    assert _left(place) == 0, "something is still sealed with the previous master key"
    assert _everything(place, previous=False) == before, "a key is lost, or changed"
    _check_what_was_written(place, before)


def _check_what_was_written(place: Place, found: _Everything) -> None:
    """Each key that a writer made is there, with the last label that each writer gave it."""
    labels = {}
    for line in place.done.read_text().splitlines():
        reference, key, value = line.split(" ")
        assert reference in found, "a key that was made meanwhile is lost"
        labels[reference, key] = value
    with place.open(previous=False) as ring:
        store = ring.open_store()
        for (reference, key), value in labels.items():
            name, _, version = reference.partition("@")
            assert store.get(name, int(version)).info.labels[key] == value, "a label is lost"


def _under_fire(place: Place, figures: Figures, writers: int, chance: Random, before: _Everything) -> None:
    """Seal again, killed and not, while others make keys, rotate and relabel."""
    children = [forked(partial(_write, place, number, chance.randrange(1000))) for number in range(writers)]
    until = time.monotonic() + _FIRE_SECONDS
    while time.monotonic() < until:
        assert _rewrap(place, figures, figures.kills + 1, chance) in (None, 0)
        found = _everything(place)
        assert {reference: found.get(reference) for reference in before} == before, "a key is lost, or changed"
        before |= found
    for writer in children:
        writes = stop(writer)
        assert writes != 99, "a writer could not open what it had to"
        figures.writes += writes


def _rewrap(place: Place, figures: Figures, kills: int, chance: Random) -> int | None:
    """The exit code of a change; None: it was killed, as it is while there are fewer kills than that."""
    kill = figures.kills < kills
    # Every other kill comes after a number of records, so that some lie inside a change on any machine.
    last = chance.randrange(1, _NAMES) if kill and figures.kills % 2 == 0 else None
    moment = chance.random() * _LONGEST_MOMENT_SECONDS[place.seal] if kill and last is None else None
    code = ended(forked(partial(_seal_again, place, last)), moment)
    if code is not None:
        assert code == 0, "a record could not be sealed again"
        return code
    figures.kills += 1
    figures.inside += 0 < _left(place) < len(_everything(place))
    return None


def _seal_again(place: Place, last: int | None) -> int:
    """Change the master key; with `last`, killed when so many records are sealed again."""
    with place.open() as ring:
        return int(any(one.error is not None for one in killed_after(last, ring.rewrap())))


def _left(place: Place) -> int:
    """How many records do not open without the previous master key."""
    left = 0
    with place.open(previous=False) as ring:
        store = ring.open_store()
        for name in store.names():
            for info in store.versions(name):
                try:
                    ring.get_record(info.reference)
                except SealError:
                    left += 1
    return left


def _everything(place: Place, *, previous: bool = True) -> _Everything:
    """Each version's secret half, by its reference; every record is opened."""
    found = {}
    with place.open(previous=previous) as ring:
        store = ring.open_store()
        for name in store.names():
            for info in store.versions(name):
                found[info.reference] = ring.get_record(info.reference)[1].secret or Secret(b"")
                assert bool(found[info.reference]) == (info.state is not State.DESTROYED)
    return found


@contextmanager
def _watched(place: Place, figures: Figures) -> Iterator[None]:
    """Meanwhile another process opens every record, over and over."""
    watcher = forked(partial(_watch, place))
    try:
        yield
    finally:
        looks = stop(watcher)
    assert looks != 99, "a record did not open while it was sealed again"
    figures.looks += looks


def _watch(place: Place) -> int:
    """Open every record until told to stop. Returns how often all were opened, 90 at most."""
    stopped = told_to_stop()
    looks = 0
    with place.open() as ring:
        store = ring.open_store()
        while not stopped:
            for name in store.names():
                for info in store.versions(name):
                    ring.get_record(info.reference)
            looks = min(looks + 1, 90)
            time.sleep(0.002)
    return looks


def _write(place: Place, number: int, seed: int) -> int:
    """Make keys, rotate and relabel until told to stop, and write down what was done. Returns how much, 90 at most."""
    chance, done, key = Random(seed), 0, f"by{number}"
    stopped = told_to_stop()
    with place.open() as ring, place.done.open("a") as made:
        while not stopped and done < 90:
            name, value = f"name{chance.randrange(_NAMES)}", str(chance.random())
            try:
                reference = chance.choice((_rotate, _generate, _same))(ring, name, chance)
                ring.label(reference, {key: value})
            except SealError:
                raise
            except KeywrightError:
                continue  # someone else was faster
            made.write(f"{reference} {key} {value}\n")
            made.flush()
            done += 1
            time.sleep(0.05)
    return done


def _rotate(ring: KeyRing, name: str, _chance: Random) -> str:
    return ring.rotate(name).reference


def _same(ring: KeyRing, name: str, chance: Random) -> str:
    return chance.choice(ring.show(name).versions).info.reference


def _generate(ring: KeyRing, _name: str, chance: Random) -> str:
    return ring.generate(f"late{chance.randrange(20)}").reference


def _row(directory: Path, pair: Pair, kills: int, writers: int) -> Sequence[int]:
    found = run(directory, pair, kills=kills, seed=7, writers=writers)
    return found.changes, found.kills, found.inside, found.writes, found.looks, found.lost


if __name__ == "__main__":
    HEAD = "store | seal | writers | changes | kills | inside | writes meanwhile | looks | lost"
    print_table("kills.rewraps", __doc__, 1000, HEAD, PAIRS, _row)
