"""What a store costs over the same work by hand: fsyncs and renames, INSERT and SELECT; and beside keyrings.alt."""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import cast

from keywright import Options, Record, RecordInfo, Registry, Secret, WritableStore

__all__ = ["create_rows", "get_rows"]

PAYLOAD = b"cache.example.org-1:" + b"A" * 88


def create_rows(home: Path, *, runs: int) -> Iterator[str]:
    """Durable creation, the store's and the same by hand in turn."""
    for backend, by_hand in (("file", _file_by_hand), ("sqlite", _sqlite_by_hand)):
        hand = by_hand(home / f"{backend}-hand")
        with open_store(backend, home / backend) as store:
            ratios = [_over(cast(WritableStore, store), hand, number) for number in range(runs * 10)]
        yield _row(f"{backend} create / the same by hand", statistics.median(ratios[5:]), 1.3)


def _over(store: WritableStore, by_hand: Callable[[int], None], number: int) -> float:
    return _seconds(lambda: store.create(record(f"k{number}"))) / _seconds(lambda: by_hand(number))


def get_rows(home: Path, *, runs: int) -> Iterator[str]:
    """One record out of a thousand, and PlaintextKeyring with as many."""
    keyring = _plaintext_keyring(home / "keyring.cfg", 1000)
    theirs = _median(lambda: keyring("service", "user500"), 20)
    yield f"{'PlaintextKeyring get, 1,000 keys':44} {theirs * 1e6:8.0f} µs"
    for backend in ("file", "sqlite"):
        with open_store(backend, home / f"{backend}-get") as opened:
            store = cast(WritableStore, opened)
            for number in range(1000):
                store.create(record(f"k{number}"))
            mine = _median(partial(store.get, "k500", 1), runs * 10)
        yield f"{f'{backend} get, 1,000 keys':44} {mine * 1e6:8.0f} µs"
        ratio = theirs / mine
        yield f"{f'PlaintextKeyring get / {backend} get':44} {ratio:8.0f} ×    budget 500 ×  {_verdict(ratio >= 500)}"


def open_store(backend: str, path: Path) -> AbstractContextManager[object]:
    """A store of this kind with its default settings."""
    plugin = Registry.load().store_backend(backend)
    defaults = {setting.name: setting.default for setting in plugin.settings}
    return plugin.open(Options({**defaults, "path": str(path)}))


def record(name: str) -> Record:
    """A record like those of Nix signing keys."""
    info = RecordInfo(name=name, version=1, key_type="ed25519", format="nix", kid=f"{name}-1", public=bytes(32))
    return Record(info, Secret(PAYLOAD))


def _file_by_hand(root: Path) -> Callable[[int], None]:
    """A temporary directory with two synced files, renamed into place, and its parent synced."""
    root.mkdir()
    (root / "tmp").mkdir()

    def create(number: int) -> None:
        made, placed = root / "tmp" / f"k{number}", root / f"k{number}"
        made.mkdir()
        for name in ("key", "meta.json"):
            descriptor = os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, PAYLOAD)
            os.fsync(descriptor)
            os.close(descriptor)
        _sync(made)
        placed.mkdir()
        os.rename(made, placed / "@1")
        _sync(placed)
        _sync(root)

    return create


def _sqlite_by_hand(path: Path) -> Callable[[int], None]:
    """A raw INSERT of as many bytes, as durable."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE record (name TEXT, version INTEGER, info BLOB, payload BLOB, PRIMARY KEY (name, version))"
    )
    info = bytes(400)

    def create(number: int) -> None:
        connection.execute("INSERT INTO record VALUES (?, 1, ?, ?)", (f"k{number}", info, PAYLOAD))

    return create


def _plaintext_keyring(path: Path, count: int) -> Callable[[str, str], object]:
    keyring = import_module("keyrings.alt.file").PlaintextKeyring()
    keyring.file_path = str(path)
    path.write_text("[service]\n" + "".join(f"user{number} = c2VjcmV0\n" for number in range(count)))
    return cast(Callable[[str, str], object], keyring.get_password)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _median(call: Callable[[], object], runs: int) -> float:
    return statistics.median(_seconds(call) for _ in range(runs))


def _row(name: str, ratio: float, budget: float) -> str:
    return f"{name:44} {ratio:8.2f} ×    budget {budget:.2f} ×  {_verdict(ratio <= budget)}"


def _verdict(kept: bool) -> str:
    return "kept" if kept else "MISSED"
