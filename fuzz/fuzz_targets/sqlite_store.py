"""An SQLite store whose database or log was changed anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.metadata import INFO
from fuzz_targets.scratch import emptied, scratch_directory
from fuzz_targets.target import Target
from keywright import Options, Record, RecordInfo, Secret, State, Store, check_name
from keywright.errors import AccessDeniedError, DamagedStoreError, KeyNotFoundError, StoreUnavailableError
from keywright_sqlite.backend import SqliteBackend
from keywright_sqlite.store import SqliteStore

__all__ = ["TARGET"]

_PAYLOAD: Final = b"cache.example.org-3:as the format wrote it"
_PAGE: Final = 4096
_PATCH: Final = 4  # bytes: two say where, one how many more follow, one what for all of them to be XORed with
_T = TypeVar("_T")


def check(data: bytes) -> None:
    """Whatever stands in the files: no answer but records of names that are names, or an error of a store."""
    if not data:
        return
    path = emptied(_directory() / "store") / "keys.db"
    database, log = _damaged(data[0] % 5, data[1:])
    _write(path, database)
    if log:
        _write(path.with_name("keys.db-wal"), log)
    known = [f" {path.resolve()}: cache.example.org@3 b/c@1"]

    def tried(call: Callable[[], _T]) -> _T | None:
        return attempt(
            call,
            AccessDeniedError,
            DamagedStoreError,
            KeyNotFoundError,
            StoreUnavailableError,
            given=(database, log),
            shown="".join(known).encode(),
        )

    tried(lambda: _read(path, tried, known))


def _read(path: Path, tried: Callable[[Callable[[], object]], object], known: list[str]) -> bool:
    with SqliteBackend().open(Options({"path": str(path), "timeout": timedelta(0)})) as store:
        assert isinstance(store, SqliteStore)  # it has `examine`, which the protocol does not ask for
        found: list[str] = []
        tried(partial(_collect, store, found))
        known += [f" {name}@" for name in found]
        require(all(check_name(name) == name for name in found), "a name that is none")
        require(all(one < other for one, other in pairwise(found)), "names out of order")
        for name in {"cache.example.org", "b/c", *found[:8]}:
            tried(partial(_read_name, store, name))
        for sentence in store.examine():
            check_sentence(sentence, (_PAYLOAD,), str(path).encode())
    return True


def _collect(store: Store, found: list[str]) -> bool:
    for name in store.names():
        found.append(name)  # noqa: PERF402 - what came before an error counts too
    return True


def _read_name(store: Store, name: str) -> bool:
    infos = store.versions(name)
    require(all(one.version < other.version for one, other in pairwise(infos)), "versions out of order")
    for info in infos:
        require(info.name == name and info.version >= 1 and isinstance(info.revision, str), "another record")
        record = store.get(name, info.version)
        require(record.info == info, "two answers")
        require(record.payload is None or isinstance(record.payload, Secret), "a payload of another kind")
    return True


def _damaged(how: int, rest: bytes) -> tuple[bytes, bytes]:
    """The database and its log."""
    database, whole, log = _template()
    if how == 0:
        return _patched(whole, rest), b""
    if how == 1:
        return rest + whole[len(rest) :], b""
    if how == 2:
        return whole[: int.from_bytes(rest[:2], "big")] + rest[2:], b""
    if how == 3:
        return database, _patched(log, rest)
    return database, rest


def _patched(content: bytes, patches: bytes) -> bytes:
    changed = bytearray(content)
    for at in range(0, len(patches) - _PATCH + 1, _PATCH):
        where, length, mask = int.from_bytes(patches[at : at + 2], "big"), patches[at + 2], patches[at + 3]
        for place in range(where, min(where + 1 + length % 16, len(changed))):
            changed[place] ^= mask
    return bytes(changed)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


@cache
def _directory() -> Path:
    return scratch_directory("sqlite")


@cache
def _template() -> tuple[bytes, bytes, bytes]:
    """A database as it is while its last writes are in the log, the same with everything in it, and that log."""
    path = emptied(_directory() / "template") / "keys.db"
    with SqliteBackend().open(Options({"path": str(path), "timeout": timedelta(0)})) as store:
        store.create(Record(INFO, Secret(_PAYLOAD)))
        store.create(Record(RecordInfo(name="cache.example.org", version=4, public=bytes(32)), None))
        store.create(Record(RecordInfo(name="b/c", version=1, state=State.DESTROYED), None))
        database, log = path.read_bytes(), path.with_name("keys.db-wal").read_bytes()
    whole = path.read_bytes()
    shutil.rmtree(path.parent)
    return database, whole, log


def mutate(data: bytes, random: Random) -> bytes:
    """A few more patches, most of them where SQLite keeps what it goes by."""
    how, rest = (data[:1], data[1:]) if data and data[0] % 5 in (0, 3) else (random.choice((b"\0", b"\0", b"\3")), b"")
    rest = rest[: len(rest) // _PATCH * _PATCH]
    for _ in range(random.randrange(1, 4)):
        page = random.randrange(4) * _PAGE
        within = random.choice((random.randrange(120), random.randrange(_PAGE), _PAGE - random.randrange(1, 600)))
        where = min(page + within, 0xFFFF)
        length, mask = random.choice((0, 0, 0, 1, 3)), random.choice((1, 2, 4, 128, 255, random.randrange(256)))
        rest += where.to_bytes(2, "big") + bytes((length, mask))
    return how + rest[-40 * _PATCH :]


TARGET = Target(
    check,
    seeds=(
        b"\0",
        b"\0\0\x12\0\3",
        b"\0\0\x44\0\xff",
        b"\1",
        b"\1SQLite format 3\0\x10\0\2\2",
        b"\2\x10\0",
        b"\2\x2f\xff",
        b"\3",
        b"\3\0\x20\0\1",
        b"\4\x37\x7f\x06\x82\0\x2d\xe2\x18",
    ),
    words=(b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"kwrt", b"\x10\0", b"\x0d\0\0\0", b"\x0a\0\0\0"),
    maximum_bytes=4096,
    mutate=mutate,
)
