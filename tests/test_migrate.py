"""`keywright migrate`, as a user would call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Keywright

CONFIG = """
default_store = "files"
[stores.files]
backend = "file"
path = "keys"
[stores.db]
backend = "sqlite"
path = "keys.db"
[stores.ci]
backend = "env"
"""


@pytest.fixture(autouse=True)
def keys(home: Path, keywright: Keywright) -> None:
    """Two names of three versions in the file store."""
    (home / "keywright.toml").write_text(CONFIG)
    for arguments in (("generate", "a"), ("rotate", "a"), ("generate", "b", "--type", "oct")):
        assert keywright(*arguments).returncode == 0


def test_there_and_gone(keywright: Keywright) -> None:
    """A dry run, the move, and the removal; after it the other store answers."""
    move = ("migrate", "--from", "files", "--to", "db")

    dry = keywright(*move, "--dry-run")
    done = keywright(*move)
    again = keywright(*move, "--delete-source")

    assert (dry.returncode, dry.stdout) == (0, b"a@2: to copy\na@1: to copy\nb@1: to copy\nto copy 3, identical 0\n")
    assert (done.returncode, done.stdout) == (0, b"a@2: copied\na@1: copied\nb@1: copied\ncopied 3, identical 0\n")
    assert (again.returncode, again.stdout) == (0, b"a: removed\nb: removed\ncopied 0, identical 3, removed 2\n")
    assert keywright("list").stdout == b""
    assert keywright("--store", "db", "export", "a@2").returncode == 0


def test_a_conflict_is_exit_code_4(keywright: Keywright) -> None:
    """Another key in its place is told on stderr; the rest is copied; nothing is removed, and that is said."""
    assert keywright("--store", "db", "generate", "b", "--type", "oct").returncode == 0

    done = keywright("migrate", "--from", "files", "--to", "db", "--delete-source")

    assert done.returncode == 4
    assert done.stdout == b"a@2: copied\na@1: copied\ncopied 2, identical 0, conflict 1\n"
    assert done.stderr == (
        b"keywright: b@1 in store 'db' is another key; decide which one counts, and rename or remove the other\n"
        b"keywright: nothing was removed from the source, for not all of it is in the target\n"
    )
    assert b"a@2" in keywright("list").stdout


def test_a_program_reads_json(keywright: Keywright) -> None:
    """A JSON line for each version, and one for the sum."""
    done = keywright("--json", "migrate", "b", "--from", "files", "--to", "db")

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"reference": "b@1", "outcome": "copied", "dry_run": False},
        {
            "dry_run": False, "copied": 1, "updated": 0, "identical": 0, "conflict": 0, "failed": 0, "removed": 0,
            "kept": 0,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("--from", "files", "--to", "files"), 2,
            "stores 'files' and 'files' are one and the same; name two",
        ),
        (
            ("--from", "files", "--to", "ci"), 5,
            "store 'ci' is read-only (backend 'env'); name a writable one with --store",
        ),
        (("--from", "files", "--to", "db", "z"), 3, "store 'files' has no key z; leave it out"),
        (
            ("--from", "flies", "--to", "db"), 2,
            "{home}/keywright.toml: stores.flies is not configured (did you mean 'files'?); there are: ci, db, files",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be(home: Path, keywright: Keywright, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Stores that are one, that take no writes or are not there; names that are not there: nothing is written."""
    done = keywright("migrate", *arguments)

    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode() == f"keywright: {message.format(home=home)}\n"
    assert keywright("--store", "db", "list").stdout == b""
