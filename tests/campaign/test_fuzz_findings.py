"""What fuzzing found, each as the behaviour that it broke, with the smallest input."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.errors import text_of

import keywright
from keywright.errors import CorruptedStoreError
from keywright_nix.signature import parse_trusted


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An SQLite store that holds `a@1`, closed."""
    with keywright.open(_settings(tmp_path)) as ring:
        ring.generate("a", type="oct", format="jwk")
    return tmp_path / "keys.db"


def _settings(directory: Path) -> dict[str, object]:
    return {"stores": {"local": {"backend": "sqlite", "path": str(directory / "keys.db")}}}


def _change(database: Path, statement: str) -> None:
    """Run a statement that the STRICT table would refuse, and make it STRICT again."""
    _replace_in_schema(database, "STRICT, WITHOUT ROWID", "WITHOUT ROWID")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)
    _replace_in_schema(database, "WITHOUT ROWID", "STRICT, WITHOUT ROWID")


def _replace_in_schema(database: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'record'", (old, new))


def _assert_plain(database: Path, error: CorruptedStoreError) -> None:
    """Whichever check of the store sees it first, the message is one line about the database."""
    assert text_of(error).startswith(f"{database}: ")
    assert text_of(error).isprintable()


def test_a_schema_that_is_no_text_is_damage(database: Path) -> None:
    """A byte of SQLite's own schema that is not UTF-8 raises CorruptedStoreError (sqlite3 raises "
    "UnicodeDecodeError)."""
    content = database.read_bytes()
    assert content.count(b"version INTEGER NOT NULL") == 1
    database.write_bytes(content.replace(b"version INTEGER NOT NULL", b"version INTEGER \xb1OT NULL"))

    with (
        keywright.open(_settings(database.parent)) as ring,
        pytest.raises(CorruptedStoreError) as caught,
    ):
        list(ring.list())

    assert text_of(caught.value) == f"{database}: the database is damaged; restore it from a backup"


def test_a_row_of_no_name_is_damage(database: Path) -> None:
    """A row whose name is not valid raises CorruptedStoreError and shows it nowhere (it was listed before)."""
    _change(database, "UPDATE record SET name = 'a\nb'")

    with (
        keywright.open(_settings(database.parent)) as ring,
        pytest.raises(CorruptedStoreError) as caught,
    ):
        list(ring.open_store().names())

    _assert_plain(database, caught.value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("info = 7", id="metadata a number"),
        pytest.param("info = 'text'", id="metadata text"),
        pytest.param("revision = x'00'", id="revision bytes"),
        pytest.param("version = x'4a4b'", id="version bytes"),
    ],
)
def test_a_column_of_another_type_is_damage(database: Path, change: str) -> None:
    """A row with a value of another type than its column's raises CorruptedStoreError (it was a TypeError)."""
    _change(database, f"UPDATE record SET {change}")

    with (
        keywright.open(_settings(database.parent)) as ring,
        pytest.raises(CorruptedStoreError) as caught,
    ):
        ring.show("a")

    _assert_plain(database, caught.value)


def test_a_key_inside_a_name_is_not_told() -> None:
    """A seed that a comma joins to the next key is a part of that key's name, and in no warning (it was quoted)."""
    seed = "S" * 43 + "="

    keys, warnings, _ = parse_trusted(f"{seed},b-1:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc")

    assert list(keys) == [f"{seed},b-1"]
    assert warnings == ("key 1: the base64 padding is missing or of the wrong length; it was corrected",)
