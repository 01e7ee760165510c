"""What a store costs over the same work by hand, with few keys and with many; and beside keyrings.alt."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, cast

from by_hand import PAYLOAD, Files, PlaintextKeyring, Rows

from keywright import Options, Record, RecordInfo, Registry, Secret, WritableStore

__all__ = ["keyring_rows", "store_rows"]

SIZES = (1_000, 100_000, 1_000_000)
PAGE = 100


class Costs(NamedTuple):
    """Of one store holding so many keys: seconds, and the ratios to the same by hand."""

    create: float
    create_over: float
    get: float
    get_over: float
    page: float


def store_rows(home: Path, *, runs: int, large: bool) -> Iterator[str]:
    """Both stores at each size; the file store up to 100,000 keys, and only the smallest unless `large`."""
    for backend, sizes in (("file", SIZES[:2]), ("sqlite", SIZES)):
        costs: list[Costs] = []
        with opened(backend, home / backend) as store:
            hand: Files | Rows = Files(home / "files-by-hand") if backend == "file" else Rows(home / "rows-by-hand")
            done = 0
            for size in sizes if large else sizes[:1]:
                fill(store, hand, range(done, size), f"{backend} {size:,}")
                done = size + 2 * runs
                costs.append(measure(store, hand, range(size, done), runs))
                yield from _rows(backend, size, costs)


def measure(store: WritableStore, hand: Files | Rows, fresh: Sequence[int], runs: int) -> Costs:
    """Each operation and the same by hand, in turn, on names drawn at random."""
    names = [f"k{number}" for number in fresh]
    creates = [(seconds(store.create, record(name)), seconds(hand.create, name)) for name in names]
    draw = random.Random(1)
    drawn = [f"k{draw.randrange(fresh[0])}" for _ in range(20 * runs)]
    gets = [(seconds(store.get, name, 1), seconds(hand.get, name)) for name in drawn]
    pages = [seconds(page, store, name) for name in drawn[: 4 * runs]]
    return Costs(*_median_and_ratio(creates), *_median_and_ratio(gets), statistics.median(pages))


def _rows(backend: str, size: int, costs: list[Costs]) -> Iterator[str]:
    now, first = costs[-1], costs[0]
    where = f"at {size:,} keys"
    yield row(f"{backend} create {where}, µs", now.create * 1e6)
    yield row(f"{backend} create / the same by hand", now.create_over, at_most=1.3)
    yield row(f"{backend} get {where}, µs", now.get * 1e6)
    yield row(f"{backend} get / the same by hand", now.get_over)
    if len(costs) > 1:
        yield row(f"{backend} get {where} / at {SIZES[0]:,}", now.get / first.get, at_most=3)
        yield row(
            f"{backend} page of {PAGE} names {where} / at {SIZES[0]:,}",
            now.page / first.page,
            at_most=2 if backend == "sqlite" else None,
        )


def keyring_rows(home: Path, *, runs: int) -> Iterator[str]:
    """Both stores and PlaintextKeyring with a thousand keys each."""
    keyring = PlaintextKeyring(home / "keyring.cfg", SIZES[0])
    theirs_get = statistics.median(seconds(keyring.get, "k500") for _ in range(runs))
    theirs_create = statistics.median(seconds(keyring.create, f"new{number}") for number in range(runs))
    yield row("PlaintextKeyring get at 1,000 keys, µs", theirs_get * 1e6)
    yield row("PlaintextKeyring create at 1,000 keys, µs", theirs_create * 1e6)
    for backend in ("file", "sqlite"):
        with opened(backend, home / backend) as store:
            for number in range(SIZES[0]):
                store.create(record(f"k{number}"))
            get = statistics.median(seconds(store.get, "k500", 1) for _ in range(20 * runs))
            create = statistics.median(seconds(store.create, record(f"new{number}")) for number in range(2 * runs))
        yield row(f"PlaintextKeyring get / {backend} get", theirs_get / get, at_least=500)
        yield row(f"PlaintextKeyring create / {backend} create", theirs_create / create, at_least=10)


def opened(backend: str, path: Path) -> AbstractContextManager[WritableStore]:
    """A store of this kind with its default settings, as a context."""
    plugin = Registry.load().store_backend(backend)
    defaults = {setting.name: setting.default for setting in plugin.settings}
    return cast("AbstractContextManager[WritableStore]", plugin.open(Options({**defaults, "path": str(path)})))


def fill(store: WritableStore, hand: Files | Rows, numbers: range, what: str) -> None:
    """Create the keys of these numbers, durably, in both; says on stderr how far it is."""
    for number in numbers:
        store.create(record(f"k{number}"))
        hand.create(f"k{number}")
        if number % 10_000 == 0 and number:
            print(f"\r{what}: {number:,} made", end="", file=sys.stderr, flush=True)


def record(name: str) -> Record:
    """A record like those of Nix signing keys."""
    info = RecordInfo(name=name, version=1, key_type="ed25519", format="nix", kid=f"{name}-1", public=bytes(32))
    return Record(info, Secret(PAYLOAD))


def page(store: WritableStore, after: str) -> list[str]:
    """The next names."""
    return list(store.names(after=after, limit=PAGE))


def seconds(call: Callable[..., object], *arguments: object) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def _median_and_ratio(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(ours for ours, _ in pairs), statistics.median(ours / hand for ours, hand in pairs)


def row(name: str, figure: float, *, at_most: float | None = None, at_least: float | None = None) -> str:
    """One line: a figure, and its budget if it has one."""
    line = f"{name:50} {figure:10,.2f}"
    if at_most is not None:
        return f"{line}   at most {at_most:g}: {'kept' if figure <= at_most else 'MISSED'}"
    if at_least is not None:
        return f"{line}   at least {at_least:g}: {'kept' if figure >= at_least else 'MISSED'}"
    return line
