"""What stores keep: metadata, a file store and an SQLite store that were changed anywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeVar
from zlib import crc32

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.target import Target, emptied, scratch_directory
from keywright import (
    Attributes,
    Options,
    Record,
    RecordInfo,
    Secret,
    State,
    Store,
    check_name,
    decode_info,
    encode_info,
)
from keywright.errors import (
    AccessDeniedError,
    CorruptedStoreError,
    InvalidNameError,
    KeyNotFoundError,
    StoreUnavailableError,
)
from keywright_file import TIMEOUT, FileBackend
from keywright_file.store import FileStore
from keywright_sqlite import SqliteBackend
from keywright_sqlite.store import SqliteStore

_WHERE: Final = "the file"


def check_metadata(data: bytes) -> None:
    """What is read is written so that it reads the same; damage of one bit is seen."""
    info = attempt(lambda: decode_info(data, where=_WHERE, revision="7"), CorruptedStoreError, given=(data,))
    if info is None:
        return
    require(info.revision == "7" and info.version >= 1 and check_name(info.name) == info.name, "a record of no name")
    written = encode_info(info)
    again = decode_info(written, where=_WHERE, revision="7")
    require(repr(again) == repr(info) and again.attributes.plain().keys() == info.attributes.plain().keys(), "unstable")
    require(encode_info(again) == written, "metadata have two canonical spellings")
    bit = crc32(data) % (8 * len(written))
    flipped = bytearray(written)
    flipped[bit // 8] ^= 1 << bit % 8
    refused = attempt(lambda: decode_info(bytes(flipped), where=_WHERE), CorruptedStoreError, given=(data,))
    require(refused is None, "a flipped bit goes unseen")


def _rewrapped(data: bytes) -> bytes:
    """JSON metadata with the checksum that fits, if they are JSON at all."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict):
        return data
    document.pop("crc32", None)
    rest = json.dumps(document, sort_keys=True, separators=(",", ":"))[1:].encode() + b"\n"
    return b'{"crc32":"%08x",' % crc32(rest) + rest


def mutate_metadata(data: bytes, random: Random) -> bytes | None:
    """As `mutated_object`, with a checksum that fits, mostly."""
    made = mutated_object(data, random, _METADATA_WORDS)
    return _rewrapped(made) if made is not None and random.randrange(8) else made


_INFO = RecordInfo(
    name="cache.example.org",
    version=3,
    key_type="ed25519",
    format="nix",
    kid="cache.example.org-3",
    public=bytes(range(32)),
    attributes=Attributes({"use": "sig", "key_ops": ["verify"]}),
    state=State.DISABLED,
    state_since=datetime(2026, 11, 21, 20, 52, 13, 1, UTC),
    reason="audit",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    activates=datetime(2026, 2, 1, tzinfo=UTC),
    expires=datetime(9999, 12, 31, tzinfo=UTC),
    overlap=timedelta(days=14),
    labels={"team": "infra"},
)
_METADATA_WORDS = (
    "metadata_version", "name", "version", "key_type", "format", "kid", "public", "attributes", "state", "state_since",
    "reason", "created", "activates", "expires", "overlap", "labels", "crc32", "enabled", "compromised", "destroyed",
    "AA==", "A", "a@1", "../a", "2026-11-21T20:52:13+00:00", "2026-W47-6T00:00:00Z", "20261121T205213Z",
    "0001-01-01T00:00:00+23:59", "2026-11-21", "2026-11-21T20:52:13",
)  # fmt: skip


_PAYLOAD: Final = b"cache.example.org-3:as the format wrote it"
_FIRST, _SECOND, _THIRD = ("cache.example.org", 3), ("cache.example.org", 4), ("b/c", 1)
_PLACES: Final = (
    "cache.example.org/@3/meta.json",
    "cache.example.org/@3/key",
    "cache.example.org/@4/meta.json",
    "cache.example.org/@4/public-only",
    "b/c/@1/meta.json",
    "b/c/@1/key",
    ".keywright/format",
    ".keywright/pending",
    ".keywright/lock",
    ".keywright/tmp/left",
)
_ENTRIES: Final = ("", "b", "cache.example.org", "cache.example.org/@3", ".keywright")
"""Directories in which a file or a directory is made whose name is the input."""
_T = TypeVar("_T")


class _Damage(NamedTuple):
    """What was done to the store.

    Attributes:
        place: the file that was written, or `DIRECTORY/…`.
        content: what was written, or the name of what was made.
        shown: what messages may repeat.
    """

    place: str
    content: bytes
    shown: bytes

    @property
    def hides(self) -> bool:
        """Whether it is the mark of a removal, which hides the name it stands in, as `doctor` says."""
        return self.content == b"@removed" and self.place.endswith("/…")

    def tried(self, call: Callable[[], _T]) -> _T | None:
        """What a store answers; None: it refused as it may."""
        return attempt(
            call,
            AccessDeniedError,
            CorruptedStoreError,
            KeyNotFoundError,
            StoreUnavailableError,
            given=(self.content,),
            secrets=(self.content,) if self.place.endswith("/key") else (),
            known=self.shown,
            shown=self.shown,
        )


def check_file_store(data: bytes) -> None:
    """Whatever stands in a file: no answer but a record, or an error of a store. What is not touched is still there."""
    if not data:
        return
    path = emptied(_file_directory() / "store")
    for name, good in _file_template().items():
        _write_file(path, name, good)
    content = data[1:]
    place = _damage(path, data[0], content)
    if place is None:
        return
    # What was asked for stands in messages, and in quotes in what Python prints of a local variable.
    asked = b"".join(f"'{name}' {name}@{version}".encode() for name, version in (_FIRST, _SECOND, _THIRD))
    shown = str(path).encode() + asked + b"".join(good for name, good in _file_template().items() if name != place)
    may_be_shown = _is_name(content) or (place.endswith("/…") and _is_a_files_name(content))
    damage = _Damage(place, content, shown + (b"\n" + content if may_be_shown else b""))
    store = damage.tried(lambda: FileBackend().open(Options({"path": str(path), "timeout": TIMEOUT})).__enter__())
    if store is None:
        require(not place.endswith(("key", "meta.json", "public-only")), "a damaged version keeps the store closed")
        return
    _check_names(store, damage)
    for name, version in (_FIRST, _SECOND, _THIRD):
        _check_record(damage.tried(partial(store.get, name, version)), name, version, damage)
    sentences = damage.tried(lambda: [f"{one.subject}: {one.message}; {one.hint}" for one in store.check()]) or []
    for sentence in sentences:
        check_sentence(sentence, (content,), damage.shown)
    require(bool(sentences) or not damage.hides, "a removal that was interrupted goes untold")


def _check_names(store: FileStore, damage: _Damage) -> None:
    names = damage.tried(lambda: list(store.names()))
    require(names is None or damage.hides or {"cache.example.org", "b/c"} <= set(names), "a name got lost")
    for name, count in (("cache.example.org", 2), ("b/c", 1)):
        infos = damage.tried(partial(store.versions, name))
        require(infos is None or damage.hides or len(infos) >= count, "a version got lost")


def _check_record(record: Record | None, name: str, version: int, damage: _Damage) -> None:
    if record is None:
        elsewhere = damage.place.startswith(("cache.example.org/@", "b/c/@"))
        own = damage.place.startswith(f"{name}/@{version}")
        require(own or not elsewhere, "a version that no one touched is not available")
        return
    require((record.info.name, record.info.version) == (name, version), "a record of another version")
    if (name, version) == _FIRST and damage.place != "cache.example.org/@3/meta.json":
        expected = damage.content if damage.place == "cache.example.org/@3/key" else _PAYLOAD
        require(record.payload == Secret(expected), "a payload reads as another")


def _damage(path: Path, place: int, content: bytes) -> str | None:
    """Do it. Returns which file was written, None if the system has no such name."""
    place %= len(_PLACES) + 2 * len(_ENTRIES)
    if place < len(_PLACES):
        _write_file(path, _PLACES[place], content)
        return _PLACES[place]
    number, is_directory = divmod(place - len(_PLACES), 2)
    if not content or b"/" in content or b"\0" in content or content in (b".", b"..") or len(content) > 200:
        return None
    entry = os.path.join(os.fsencode(path), _ENTRIES[number].encode(), content)
    if not os.path.lexists(entry):
        if is_directory:
            os.mkdir(entry, 0o700)
        else:
            os.close(os.open(entry, os.O_CREAT | os.O_WRONLY, 0o600))
    return f"{_ENTRIES[number]}/…"


def _is_name(content: bytes) -> bool:
    try:
        check_name(content.decode(errors="surrogateescape"))
    except InvalidNameError:
        return False
    return True


def _is_a_files_name(content: bytes) -> bool:
    """Whether it is one that someone may have chosen, and no key: short, readable, without a long run."""
    text = content.decode(errors="surrogateescape")
    return text.isprintable() and len(text) <= 40 and not re.search("[A-Za-z0-9]{20}", text)


def _write_file(path: Path, name: str, content: bytes) -> None:
    place = path / name
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for above in place.parents:
        if above == path:
            break
        above.chmod(0o700)
    place.write_bytes(content)
    place.chmod(0o600)


@cache
def _file_directory() -> Path:
    return scratch_directory("file")


@cache
def _file_template() -> dict[str, bytes]:
    """The files of a store with a secret, a public and a destroyed version."""
    path = _file_directory() / "template"
    with FileBackend().open(Options({"path": str(path), "timeout": TIMEOUT})) as store:
        store.create(Record(_INFO, Secret(_PAYLOAD)))
        store.create(Record(RecordInfo(name=_SECOND[0], version=_SECOND[1], public=bytes(32)), None))
        store.create(Record(RecordInfo(name=_THIRD[0], version=_THIRD[1], state=State.DESTROYED), None))
    files = [place for place in path.rglob("*") if place.is_file()]
    return {str(place.relative_to(path)): place.read_bytes() for place in files}


def mutate_file_store(data: bytes, random: Random) -> bytes | None:
    """Other metadata in the same place."""
    made = mutate_metadata(data[1:], random)
    return None if made is None else data[:1] + made


_PAGE: Final = 4096
_PATCH: Final = 4  # bytes: two say where, one how many more follow, one what for all of them to be XORed with


def check_sqlite_store(data: bytes) -> None:
    """Whatever stands in the files: no answer but records of names that are names, or an error of a store."""
    if not data:
        return
    path = emptied(_sqlite_directory() / "store") / "keys.db"
    database, log = _damaged(data[0] % 5, data[1:])
    _write_database(path, database)
    if log:
        _write_database(path.with_name("keys.db-wal"), log)
    known = [f" {path.resolve()}: cache.example.org@3 b/c@1"]

    def tried(call: Callable[[], _T]) -> _T | None:
        return attempt(
            call,
            AccessDeniedError,
            CorruptedStoreError,
            KeyNotFoundError,
            StoreUnavailableError,
            given=(database, log),
            shown="".join(known).encode(),
        )

    tried(lambda: _read(path, tried, known))


def _read(path: Path, tried: Callable[[Callable[[], object]], object], known: list[str]) -> bool:
    with SqliteBackend().open(Options({"path": str(path), "timeout": timedelta(0)})) as store:
        assert isinstance(store, SqliteStore)  # it has `check`, which the protocol does not ask for
        found: list[str] = []
        tried(partial(_collect, store, found))
        known += [f" {name}@" for name in found]
        require(all(check_name(name) == name for name in found), "not a valid name")
        require(all(one < other for one, other in pairwise(found)), "names out of order")
        for name in {"cache.example.org", "b/c", *found[:8]}:
            tried(partial(_read_name, store, name))
        for problem in store.check():
            for text in problem:
                check_sentence(text, (_PAYLOAD,), str(path).encode())
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
    database, whole, log = _sqlite_template()
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


def _write_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


@cache
def _sqlite_directory() -> Path:
    return scratch_directory("sqlite")


@cache
def _sqlite_template() -> tuple[bytes, bytes, bytes]:
    """A database as it is while its last writes are in the log, the same with everything in it, and that log."""
    path = emptied(_sqlite_directory() / "template") / "keys.db"
    with SqliteBackend().open(Options({"path": str(path), "timeout": timedelta(0)})) as store:
        store.create(Record(_INFO, Secret(_PAYLOAD)))
        store.create(Record(RecordInfo(name="cache.example.org", version=4, public=bytes(32)), None))
        store.create(Record(RecordInfo(name="b/c", version=1, state=State.DESTROYED), None))
        database, log = path.read_bytes(), path.with_name("keys.db-wal").read_bytes()
    whole = path.read_bytes()
    shutil.rmtree(path.parent)
    return database, whole, log


def mutate_sqlite_store(data: bytes, random: Random) -> bytes:
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


TARGETS: Final = {
    "metadata": Target(
        check_metadata,
        seeds=(
            encode_info(_INFO),
            encode_info(RecordInfo(name="a", version=1)),
            encode_info(RecordInfo(name="b/c", version=999_999_999, state=State.DESTROYED)),
            encode_info(_INFO).replace(b'"metadata_version":1', b'"metadata_version":2'),
            _rewrapped(encode_info(_INFO).replace(b'"metadata_version":1', b'"metadata_version":2')),
        ),
        words=tuple(f'"{word}"'.encode() for word in _METADATA_WORDS),
        maximum_bytes=4096,
        mutate=mutate_metadata,
    ),
    "file_store": Target(
        check_file_store,
        seeds=(
            b"\0" + encode_info(_INFO),
            b"\1" + _PAYLOAD,
            b"\2" + _rewrapped(encode_info(_INFO).replace(b'"version":3', b'"version":4')),
            b"\3",
            b"\4" + encode_info(RecordInfo(name="b/c", version=1, state=State.DESTROYED)),
            b"\5" + _PAYLOAD,
            b"\6keywright file store 1\n",
            b"\6keywright file store 2\n",
            b"\7b/c@1\n",
            b"\7cache.example.org\n",
            b"\x0a.hidden",
            b"\x0c@removed",
            b"\x0e@5",
            b"\x0f@07",
            b"\x11lost+found",
        ),
        words=(b"keywright file store ", *b"@removed @1 @ cache.example.org b/c key meta.json".split(), b"\n"),
        maximum_bytes=2048,
        mutate=mutate_file_store,
    ),
    "sqlite_store": Target(
        check_sqlite_store,
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
        mutate=mutate_sqlite_store,
    ),
}
