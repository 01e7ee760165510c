"""What a store costs over the same work by hand, with few keys and with many; and beside keyrings.alt."""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from timing import row

import keywright
from keywright import BatchStore, Options, Record, RecordInfo, Registry, Secret, WritableStore

SIZES = (1_000, 100_000, 1_000_000)
PAGE = 100
PAYLOAD = b"cache.example.org-1:" + b"A" * 88
INFO = b"x" * 400
"""As long as the metadata of such a key."""


class Files:
    """A directory of two synced files a key, made beside and renamed into place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "tmp").mkdir(parents=True)

    def create(self, name: str) -> None:
        """Durable: both files, their directory, the name's directory and the root are synced."""
        made, placed = self._root / "tmp" / name, self._root / name
        made.mkdir()
        for file, data in (("key", PAYLOAD), ("meta.json", INFO)):
            descriptor = os.open(made / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, data)
            os.fsync(descriptor)
            os.close(descriptor)
        _sync(made)
        placed.mkdir()
        os.rename(made, placed / "@1")
        _sync(placed)
        _sync(self._root)

    def get(self, name: str) -> None:
        """Read both files."""
        for file in ("key", "meta.json"):
            descriptor = os.open(self._root / name / "@1" / file, os.O_RDONLY)
            os.read(descriptor, 65536)
            os.close(descriptor)


class Rows:
    """A table with a row a key, as durable."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(
            "CREATE TABLE record (name TEXT, version INTEGER, info BLOB, payload BLOB, PRIMARY KEY (name, version))"
        )

    def create(self, name: str) -> None:
        """One INSERT, committed."""
        self._connection.execute("INSERT INTO record VALUES (?, 1, ?, ?)", (name, INFO, PAYLOAD))

    def get(self, name: str) -> None:
        """One SELECT."""
        self._connection.execute("SELECT info, payload FROM record WHERE name = ? AND version = 1", (name,)).fetchone()


class _Keyring(Protocol):
    file_path: str

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...


class PlaintextKeyring:
    """keyrings.alt's, holding `count` passwords `k0`, `k1`, … of one service."""

    def __init__(self, path: Path, count: int) -> None:
        value = b64encode(PAYLOAD).decode()
        path.write_text("[service]\n" + "".join(f"k{number} = {value}\n" for number in range(count)))
        self._keyring = cast("_Keyring", import_module("keyrings.alt.file").PlaintextKeyring())
        self._keyring.file_path = str(path)

    def get(self, name: str) -> None:
        """`get_password`; it must find what was put in."""
        if self._keyring.get_password("service", name) != PAYLOAD.decode():
            raise LookupError(f"PlaintextKeyring does not know {name}")

    def create(self, name: str) -> None:
        """`set_password`."""
        self._keyring.set_password("service", name, PAYLOAD.decode())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


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


def ring_rows(home: Path, *, runs: int) -> Iterator[str]:
    """`list` and `doctor` over a SQLite store of 5,000 and 10,000 Nix keys: both are to be linear."""
    costs: list[tuple[float, float]] = []
    with keywright.open({"stores": {"main": {"backend": "sqlite", "path": str(home / "keys.db")}}}) as ring:
        key = ring.export(ring.generate("first").reference, secret=True)
        assert isinstance(key, Secret)
        store = cast("BatchStore", ring.open_store())
        info = ring.resolve("first@1")
        for half in range(2):
            names = [f"k{half * 5_000 + number}" for number in range(5_000)]
            store.create_many([Record(info.replace(name=name, kid=f"{name}-1"), _renamed(key, name)) for name in names])
            times = [(seconds(_all, ring.list()), seconds(_all, ring.examine())) for _ in range(min(runs, 5))]
            costs.append((min(one for one, _ in times), min(one for _, one in times)))
    for what, first, second in zip(("list", "doctor"), *costs, strict=True):
        yield row(f"{what}, 10,000 keys, ms", second * 1000, at_most=1000 if what == "doctor" else None)
        yield row(f"{what}, 10,000 keys / 5,000", second / first, at_most=2.3)


def _renamed(key: Secret, name: str) -> Secret:
    return Secret(f"{name}-1".encode() + key.reveal()[key.reveal().index(b":") :])


def _all(found: Iterator[object]) -> None:
    for _ in found:
        pass


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
