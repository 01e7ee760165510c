"""Migrations killed at any moment: `python -m kills.migrations 2000`, and what became of the keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from shutil import rmtree

from kills.worker import ended, forked, killed_after, print_table, stop, told_to_stop

import keywright
from keywright import KeyRing, Record, RecordInfo, Revision, Secret
from keywright.errors import ConflictError, KeywrightError
from keywright.lifecycle import primary
from keywright.ring import changes, create, migrate  # before the fork: a child must be killed at work, not at imports

PAIRS = (("file", "sqlite"), ("sqlite", "file"), ("file", "file"), ("sqlite", "sqlite"))
_NAMES = 9
_PARTS = (changes, create, migrate)
_FIRE_SECONDS = 0.6
_Everything = dict[str, tuple[RecordInfo, Secret | None]]


@dataclass
class Figures:
    """What happened.

    Attributes:
        migrations: how many came to their end.
        kills: how many were killed before.
        inside: of these, how many had written something.
        writes: what writers did to the source meanwhile.
        lost: versions that were missing or changed at an end. Never anything but 0: an assertion fails first.
    """

    migrations: int = 0
    kills: int = 0
    inside: int = 0
    writes: int = 0
    lost: int = 0


def run(directory: Path, pair: tuple[str, str], *, kills: int, seed: int, writers: int = 0) -> Figures:
    """Fill a source, migrate it under fire until it is done, compare, and start again until so many were killed."""
    chance, figures = Random(seed), Figures()
    while figures.kills < kills:
        place = directory / str(figures.migrations)
        config = _config(place, pair)
        _fill(config, chance)
        _campaign(config, chance, figures, kills, writers)
        figures.migrations += 1
        rmtree(place)
    return figures


def _config(place: Path, pair: tuple[str, str]) -> Mapping[str, object]:
    place.mkdir(parents=True)
    old, new = (
        {"backend": backend, "path": str(place / name)} for name, backend in zip(("old", "new"), pair, strict=True)
    )
    return {"default_store": "old", "stores": {"old": old, "new": new}}


def _fill(config: Mapping[str, object], chance: Random) -> None:
    with keywright.open(config) as ring:
        for number in range(_NAMES):
            name = f"name{number}"
            ring.generate(name, type=chance.choice(["ed25519", "oct"]), labels={"n": str(number)})
            for _ in range(chance.randrange(3)):
                ring.rotate(name, overlap=timedelta(days=chance.randrange(1, 9)))
        ring.disable("name0@1", reason="audit")
        ring.destroy("name1@1", reason="over")


def _campaign(config: Mapping[str, object], chance: Random, figures: Figures, kills: int, writers: int) -> None:
    if writers:
        _under_fire(config, chance, figures, writers)
    before = _everything(config, "old")
    deletes = chance.random() < 0.5
    while (code := _migration(config, chance, figures, kills, deletes=deletes, update=bool(writers))) is None:
        _check_meanwhile(config, before, stale=bool(writers))
        figures.inside += _is_inside(config, before)
    assert code == 0
    after = _everything(config, "new")
    assert after == before, "the target is not what the source was"
    assert _everything(config, "old") == ({} if deletes else before)
    kids = [info.kid for info, _ in after.values()]
    assert len(set(kids)) == len(kids), "a key is there twice"


def _under_fire(config: Mapping[str, object], chance: Random, figures: Figures, writers: int) -> None:
    """Migrate, killed and not, while others write to the source."""
    children = [forked(partial(_write, config, chance.randrange(1000))) for _ in range(writers)]
    until = time.monotonic() + _FIRE_SECONDS
    while time.monotonic() < until:
        code = _migration(config, chance, figures, figures.kills + 1, deletes=False, update=True)
        assert code in (None, 0, 4)
        figures.inside += code is None and bool(_everything(config, "new"))
    for writer in children:
        figures.writes += stop(writer)


def _migration(
    config: Mapping[str, object], chance: Random, figures: Figures, kills: int, *, deletes: bool, update: bool
) -> int | None:
    """A migration's exit code; None: it was killed, as it is while there are fewer kills than that."""
    kill = figures.kills < kills
    # Every other kill comes after a number of versions, so that some lie inside a migration on any machine.
    last = chance.randrange(1, _NAMES) if kill and figures.kills % 2 == 0 else None
    child = forked(partial(_migrate, config, last, delete=deletes, update=update))
    code = ended(child, chance.random() ** 2 * 0.12 if kill and last is None else None)
    figures.kills += code is None
    return code


def _is_inside(config: Mapping[str, object], before: _Everything) -> bool:
    return 0 < len(_everything(config, "new")) < len(before) or len(_everything(config, "old")) < len(before)


def _check_meanwhile(config: Mapping[str, object], before: _Everything, *, stale: bool) -> None:
    """After a kill each version is whole in one store at least; the target, if not `stale`, has no other primary."""
    old, new = _everything(config, "old"), _everything(config, "new")
    assert {**new, **old} == before, "a version is lost, or changed"
    if stale:
        return  # what it was given before the source changed is not up to date yet
    with keywright.open(config) as ring:
        now = ring.now()
        for name in {info.name for info, _ in before.values()}:
            infos = [info for info, _ in before.values() if info.name == name]
            signing = primary(infos, now)
            there = primary([info for info, _ in new.values() if info.name == name], now)
            assert there in (None, signing), f"{name} has another primary"


def _migrate(config: Mapping[str, object], last: int | None, *, delete: bool, update: bool) -> int:
    """Migrate; with `last`, killed when so many versions are dealt with."""
    with keywright.open(config) as ring:
        found = ring.migrate(from_="old", to="new", delete_source=delete, allow_referenced=delete, update=update)
        try:
            moved = list(killed_after(last, found))
        except ConflictError:
            return 4  # it kept changing
        return int(any(one.error is not None for one in moved))


def _write(config: Mapping[str, object], seed: int) -> int:
    """Change the source until told to stop. Returns how much was done, 200 at most."""
    chance, done, stopped = Random(seed), 0, told_to_stop()
    with keywright.open(config) as ring:
        while not stopped and done < 200:
            try:
                _change(ring, chance)
            except KeywrightError:
                continue  # there is nothing that signs, or someone else was faster
            done += 1
            time.sleep(0.003)
    return done


def _change(ring: KeyRing, chance: Random) -> None:
    name = f"name{chance.randrange(_NAMES)}"
    version = chance.randrange(1, ring.show(name).versions[-1].info.version + 1)
    changes: tuple[Callable[[], object], ...] = (
        lambda: ring.rotate(name),
        lambda: ring.label(f"{name}@{version}", {"at": str(chance.random())}),
        lambda: ring.disable(f"{name}@{version}"),
        lambda: ring.enable(f"{name}@{version}"),
        lambda: ring.compromise(f"{name}@{version}"),
        lambda: ring.generate(f"late{chance.randrange(50)}"),
    )
    chance.choice(changes)()


def _everything(config: Mapping[str, object], store: str) -> _Everything:
    with keywright.open(config) as ring:
        kept = ring.open_store(store)
        found = {}
        for name in kept.names():
            for info in kept.versions(name):
                record: Record = kept.get(name, info.version)
                found[info.reference] = (replace(record.info, revision=Revision("")), record.payload)
        return found


def _row(directory: Path, pair: tuple[str, str], kills: int, writers: int) -> Sequence[int]:
    found = run(directory, pair, kills=kills, seed=7, writers=writers)
    return found.migrations, found.kills, found.inside, found.writes, found.lost


if __name__ == "__main__":
    HEAD = "from | to | writers | migrations | kills | inside | writes meanwhile | lost"
    print_table("kills.migrations", __doc__, 2000, HEAD, PAIRS, _row)
