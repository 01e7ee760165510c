"""A file store with one of its files, or one more, filled with anything."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeVar

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.metadata import INFO, resealed
from fuzz_targets.metadata import mutate as mutated_metadata
from fuzz_targets.scratch import emptied, scratch_directory
from fuzz_targets.target import Target
from keywright import Options, Record, RecordInfo, Secret, State, check_name, encode_info
from keywright.errors import (
    AccessDeniedError,
    DamagedStoreError,
    InvalidNameError,
    KeyNotFoundError,
    StoreUnavailableError,
)
from keywright_file.backend import TIMEOUT, FileBackend
from keywright_file.store import FileStore

__all__ = ["TARGET"]

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
            DamagedStoreError,
            KeyNotFoundError,
            StoreUnavailableError,
            given=(self.content,),
            secrets=(self.content,) if self.place.endswith("/key") else (),
            known=self.shown,
            shown=self.shown,
        )


def check(data: bytes) -> None:
    """Whatever stands in a file: no answer but a record, or an error of a store. What is not touched is still there."""
    if not data:
        return
    path = emptied(_directory() / "store")
    for name, good in _template().items():
        _write(path, name, good)
    content = data[1:]
    place = _damage(path, data[0], content)
    if place is None:
        return
    # What was asked for stands in messages, and in quotes in what Python prints of a local variable.
    asked = b"".join(f"'{name}' {name}@{version}".encode() for name, version in (_FIRST, _SECOND, _THIRD))
    shown = str(path).encode() + asked + b"".join(good for name, good in _template().items() if name != place)
    may_be_shown = _is_name(content) or (place.endswith("/…") and _is_a_files_name(content))
    damage = _Damage(place, content, shown + (b"\n" + content if may_be_shown else b""))
    store = damage.tried(lambda: FileBackend().open(Options({"path": str(path), "timeout": TIMEOUT})).__enter__())
    if store is None:
        require(not place.endswith(("key", "meta.json", "public-only")), "a damaged version keeps the store closed")
        return
    _check_names(store, damage)
    for name, version in (_FIRST, _SECOND, _THIRD):
        _check_record(damage.tried(partial(store.get, name, version)), name, version, damage)
    sentences = damage.tried(lambda: list(store.examine())) or []
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
        require(own or not elsewhere, "a version that nobody touched is not to be had")
        return
    require((record.info.name, record.info.version) == (name, version), "a record of another version")
    if (name, version) == _FIRST and damage.place != "cache.example.org/@3/meta.json":
        expected = damage.content if damage.place == "cache.example.org/@3/key" else _PAYLOAD
        require(record.payload == Secret(expected), "a payload reads as another")


def _damage(path: Path, place: int, content: bytes) -> str | None:
    """Do it. Returns which file was written, None if the system has no such name."""
    place %= len(_PLACES) + 2 * len(_ENTRIES)
    if place < len(_PLACES):
        _write(path, _PLACES[place], content)
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
    """Whether it is one that somebody may have chosen, and no key: short, readable, without a long run."""
    text = content.decode(errors="surrogateescape")
    return text.isprintable() and len(text) <= 40 and not re.search("[A-Za-z0-9]{20}", text)


def _write(path: Path, name: str, content: bytes) -> None:
    place = path / name
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for above in place.parents:
        if above == path:
            break
        above.chmod(0o700)
    place.write_bytes(content)
    place.chmod(0o600)


@cache
def _directory() -> Path:
    return scratch_directory("file")


@cache
def _template() -> dict[str, bytes]:
    """The files of a store with a secret, a public and a destroyed version."""
    path = _directory() / "template"
    with FileBackend().open(Options({"path": str(path), "timeout": TIMEOUT})) as store:
        store.create(Record(INFO, Secret(_PAYLOAD)))
        store.create(Record(RecordInfo(name=_SECOND[0], version=_SECOND[1], public=bytes(32)), None))
        store.create(Record(RecordInfo(name=_THIRD[0], version=_THIRD[1], state=State.DESTROYED), None))
    files = [place for place in path.rglob("*") if place.is_file()]
    return {str(place.relative_to(path)): place.read_bytes() for place in files}


def mutate(data: bytes, random: Random) -> bytes | None:
    """Other metadata in the same place."""
    made = mutated_metadata(data[1:], random)
    return None if made is None else data[:1] + made


TARGET = Target(
    check,
    seeds=(
        b"\0" + encode_info(INFO),
        b"\1" + _PAYLOAD,
        b"\2" + resealed(encode_info(INFO).replace(b'"version":3', b'"version":4')),
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
    mutate=mutate,
)
