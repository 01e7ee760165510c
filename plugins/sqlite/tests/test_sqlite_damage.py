"""Damage of the file shows: whatever is read is what was written, or CorruptedStoreError."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from refusals import refuses

from keywright import Record, RecordInfo, Secret, State, WritableStore
from keywright.errors import CorruptedStoreError, KeyNotFoundError
from keywright_sqlite.links import find_gap, link

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]

PAGE_BYTES = 4096
HEADER_BYTES = 100
ABSENT = (("0", 1), ("a", 3), ("c", 1), ("zz", 1))

Content = dict[tuple[str, int], Record]
Found = dict[object, object]
Damages = Iterator[tuple[str, bytes]]  # what is damaged, and the file


@pytest.fixture
def written(path: str, opened: Opener, make: Make) -> Content:
    """A closed store with some of everything: versions, a tombstone, a name that went, one public, long ones."""
    with opened(path) as store:
        for name, version, payload in (
            ("a", 1, b"the first secret"), ("a", 2, b""), ("a/b", 1, None), ("c", 1, b"goes"), ("d", 1, b"gone too"),
            ("e", 1, bytes(range(256)) * 20), ("f", 1, b'{"k":"AAAA","kty":"oct"}'),
        ):  # fmt: skip
            store.create(make(name, version, payload))
        store.remove("c", [info.revision for info in store.versions("c")])
        tomb = replace(store.get("d", 1).info, state=State.DESTROYED)
        store.destroy(tomb, tomb.revision)
        for number in range(16):  # few to a page, so that there are pages above pages
            record = make(f"n{number:02}", payload=b"%d" % number)
            store.create(replace(record, info=replace(record.info, reason="r" * 400)))
        keys = [(name, info.version) for name in store.names() for info in store.versions(name)]
        return {(name, version): store.get(name, version) for name, version in keys}


def _read(path: str, opened: Opener, keys: list[tuple[str, int]]) -> Found:
    """What each question is answered by, DAMAGED where that is it. Any other error fails the test by itself."""
    found: Found = {}
    try:
        with opened(path, seconds=0) as store:
            for question, ask in _questions(store, keys):
                try:
                    found[question] = ask()
                except KeyNotFoundError:
                    found[question] = None
                except CorruptedStoreError:
                    found[question] = CorruptedStoreError
    except CorruptedStoreError:
        found["open"] = CorruptedStoreError
    return found


def _questions(store: WritableStore, keys: list[tuple[str, int]]) -> Iterator[tuple[object, Callable[[], object]]]:
    yield "names", lambda: list(store.names())
    for name in dict(keys):
        yield name, partial(store.versions, name)
    for key in keys:
        yield key, partial(store.get, *key)


def _truth(written: Content) -> Found:
    infos: dict[str, tuple[RecordInfo, ...]] = {}
    for (name, _), record in written.items():
        infos[name] = (*infos.get(name, ()), record.info)
    names = {name: infos.get(name, ()) for name, _ in [*written, *ABSENT]}
    return {"names": list(infos)} | names | written | dict.fromkeys(ABSENT)


def _flipped_bits(content: bytes) -> Damages:
    """A third of those in the headers of the file and its pages, where one bit moves everything; of the rest a few."""
    chance = random.Random(3)
    for at in range(len(content)):
        start = HEADER_BYTES if at < PAGE_BYTES else 0
        in_header = at < HEADER_BYTES or at % PAGE_BYTES in range(start, start + 12)
        for bit in range(8):
            if chance.random() < (1 / 3 if in_header else 1 / 1000):
                yield f"bit {bit} of byte {at}", content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def _cut_short(content: bytes) -> Damages:
    """At each 512-byte boundary, a byte before and a byte behind."""
    for length in range(len(content)):
        if (length + 1) % 512 < 3:
            yield f"{length} bytes", content[:length]


def _misplaced_pages(content: bytes) -> Damages:
    """A page that is empty, or another of the same file."""
    pages = [content[at : at + PAGE_BYTES] for at in range(0, len(content), PAGE_BYTES)]
    for number in range(len(pages)):
        for other in (bytes(PAGE_BYTES), b"\xff" * PAGE_BYTES, *pages[:number], *pages[number + 1 :]):
            yield f"page {number + 1}", b"".join([*pages[:number], other, *pages[number + 1 :]])


def _torn_pages(content: bytes) -> Damages:
    """A page of which the first or the last sectors are empty."""
    for page in range(0, len(content), PAGE_BYTES):
        for length in range(512, PAGE_BYTES, 512):
            for start in (page, page + PAGE_BYTES - length):
                yield f"bytes from {start} on", content[:start] + bytes(length) + content[start + length :]


def _rows_out_of_order(content: bytes) -> Damages:
    """The pointers to the rows of a page mixed, or one doubled (sqlite.org/fileformat2.html §1.6)."""
    for page in range(PAGE_BYTES, len(content), PAGE_BYTES):
        start = page + {2: 12, 5: 12, 10: 8, 13: 8}.get(content[page], 0)
        if start > page:
            end = start + 2 * int.from_bytes(content[page + 3 : page + 5], "big")
            for mixed in _mixed([content[at : at + 2] for at in range(start, end, 2)]):
                yield f"pointers from {start} on: {mixed}", content[:start] + b"".join(mixed) + content[end:]


def _mixed(pointers: list[bytes]) -> Iterator[list[bytes]]:
    yield pointers[::-1]
    for at in range(1, len(pointers)):
        yield pointers[at:] + pointers[:at]
        before, (one, other), behind = pointers[: at - 1], pointers[at - 1 : at + 1], pointers[at + 1 :]
        for pair in ([other, one], [one, one], [other, other]):
            yield before + pair + behind


@pytest.mark.parametrize("damages", [_flipped_bits, _cut_short, _misplaced_pages, _torn_pages, _rows_out_of_order])
def test_no_damage_reads_as_another_value(
    path: str, opened: Opener, written: Content, damages: Callable[[bytes], Damages]
) -> None:
    """Every name, version, record and absence is as it was, or damage. (All bits were tried: see the README.)"""
    content, truth, keys = Path(path).read_bytes(), _truth(written), [*written, *ABSENT]
    assert _read(path, opened, keys) == truth

    for what, damaged in damages(content):
        Path(path).write_bytes(damaged)
        for question, answer in _read(path, opened, keys).items():
            assert answer is CorruptedStoreError or answer == truth[question], f"{what}: {question}"


ROW = "{path}: the row of a@1 is damaged; restore the database from a backup"
LOST = "{path}: a record is damaged or lost; restore the database from a backup"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param("UPDATE payload SET bytes = x'6f662061ff' WHERE id = 1", ROW, id="payload longer"),
        pytest.param("UPDATE payload SET bytes = x'6f662062' WHERE id = 1", ROW, id="a bit of the payload"),
        pytest.param("UPDATE payload SET bytes = x'' WHERE id = 1", ROW, id="payload empty"),
        pytest.param("UPDATE payload SET crc32 = x'00000000' WHERE id = 1", ROW, id="checksum of the payload"),
        pytest.param("DELETE FROM payload WHERE id = 1", ROW, id="payload lost"),
        pytest.param("UPDATE record SET payload = NULL WHERE name = 'a'", ROW, id="public only"),
        pytest.param("UPDATE record SET payload = 3 - payload WHERE name > ''", ROW, id="payloads swapped"),
        pytest.param("UPDATE payload SET id = -id; UPDATE payload SET id = 3 + id", ROW, id="their places swapped"),
        pytest.param("UPDATE record SET revision = 'r' WHERE name = 'a'", ROW, id="revision"),
        pytest.param("UPDATE record SET info = x'7b7d' WHERE name = 'a'", ROW, id="metadata"),
        pytest.param("UPDATE record SET crc32 = 0 WHERE name = 'a'", ROW, id="checksum of the row"),
        pytest.param("UPDATE record SET name = 'aa' WHERE name = 'a'", LOST, id="name, in its place"),
        pytest.param("UPDATE record SET name = 'z' WHERE name = 'a'", LOST, id="name, elsewhere"),
        pytest.param("UPDATE record SET version = 2 WHERE name = 'a'", LOST, id="version"),
        pytest.param("DELETE FROM record WHERE name = 'a'", LOST, id="row lost"),
        pytest.param("DELETE FROM record WHERE name <= 'a'", LOST, id="first row lost too"),
        pytest.param("DELETE FROM record", LOST, id="all rows lost"),
    ],
)  # fmt: skip
def test_a_damaged_row_is_an_error(store: WritableStore, path: str, make: Make, statement: str, message: str) -> None:
    """A row that is not what was written is never taken for a key, for a public one or for none; nor written over."""
    info = store.create(make("a", payload=b"of a"))
    store.create(make("b", payload=b"of b"))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.executescript(statement)

    for call in (
        lambda: store.get("a", 1),
        lambda: store.replace_payload(info.name, info.version, Secret(b"new"), info.revision),
    ):
        with refuses(CorruptedStoreError, message.format(path=path)):
            call()


def test_a_link_that_is_damaged_hides_nothing(store: WritableStore, path: str, make: Make) -> None:
    """Records that are found are still read; what would need the link to be sure of says so, and writes nothing."""
    for name in ("a", "b", "c", "d"):
        store.create(make(name))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE record SET next = next + 1 WHERE name = 'b'")

    assert [store.get(name, 1).info.name for name in "abcd"] == ["a", "b", "c", "d"]
    assert store.versions("d")
    assert store.versions("a")  # read up to the next name, and no further
    for call in (
        lambda: list(store.names()),
        lambda: store.versions("b"),
        lambda: store.versions("c"),
        lambda: store.get("b", 2),
        lambda: store.create(make("b", 2)),
        lambda: store.remove("b", [store.get("b", 1).info.revision]),
    ):
        with refuses(CorruptedStoreError, LOST.format(path=path)):
            call()
    assert list(store.names(after="c")) == ["d"]


def test_a_search_led_astray_to_the_row_itself_is_damage() -> None:
    """Where "before a@1" finds a@1, which is linked to what "from a@1 on" finds, there is no place for another a@1."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        raw.create_collation("astray", lambda one, other: -1 if one == other else (one > other) - (one < other))
        raw.execute("CREATE TABLE record (name TEXT COLLATE astray, version INTEGER, next INTEGER)")
        rows = [("a", 1, link("a@1", "b@1")), ("b", 1, link("b@1", None))]
        raw.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)

        with refuses(CorruptedStoreError, LOST.format(path="keys.db")):
            find_gap(raw, "keys.db", "a", 1)


def test_a_lost_record_is_not_made_again(store: WritableStore, path: str, make: Make) -> None:
    """A version whose row was lost is taken: another key under its name would be a second one."""
    store.create(make("a"))
    store.create(make("b"))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DELETE FROM record WHERE name = 'a'")

    with pytest.raises(CorruptedStoreError):
        store.create(make("a"))

    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM payload").fetchone() == (2,)


def test_a_name_that_is_no_text_is_damage(store: WritableStore, path: str, make: Make) -> None:
    """Bytes outside UTF-8 in a text column are not quoted."""
    store.create(make("a"))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE record SET name = CAST(x'ff' AS TEXT) WHERE name = 'a'")

    with refuses(CorruptedStoreError, f"{path}: the database is damaged; restore it from a backup"):
        list(store.names())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"CREATE TABLE record", b"CREATE TABLE rec\xf9rd", id="statement"),
        pytest.param(b"tablerecordrecord", b"tablerec\xf9rdrecord", id="name, which SQLite would quote"),
    ],
)
def test_a_schema_that_is_no_text_is_damage(path: str, opened: Opener, make: Make, before: bytes, after: bytes) -> None:
    """Where SQLite's own message cannot even be read, ours can."""
    with opened(path) as store:
        store.create(make("a"))
    place = Path(path)
    assert before in place.read_bytes()
    place.write_bytes(place.read_bytes().replace(before, after))

    with refuses(CorruptedStoreError, f"{path}: the database is damaged; restore it from a backup"), opened(path):
        pass


def test_the_first_row_is_linked_to_the_end(path: str, store: WritableStore, make: Make) -> None:
    """The number in the schema is what an empty store's link must be, and is again once all names went."""
    info = store.create(make("a"))
    store.remove("a", [info.revision])

    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name, version, next FROM record").fetchall() == [("", 0, link("@0", None))]
    assert link("@0", None) == 1811104489
