"""`keywright migrate`, as a user would call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Keywright
from support.errors import joined, printed

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


UNSEALED = (
    'warning: store "db" has no seal: {} stored unencrypted\nhint: pass a store with a seal as --to to encrypt them\n'
)


def test_all_there_already_is_not_nothing(keywright: Keywright) -> None:
    """A second run finds all of it identical, and says nothing on stderr. (The guide moves and removes.)"""
    assert keywright("migrate", "--from", "files", "--to", "db").returncode == 0

    again = keywright("migrate", "--from", "files", "--to", "db")

    assert (again.returncode, again.stdout, again.stderr) == (0, b"copied 0, identical 3\n", b"")


def test_a_conflict_is_exit_code_4(keywright: Keywright) -> None:
    """Another key in its place is reported on stderr; the rest is copied; nothing is removed, and that is said."""
    assert keywright("--store", "db", "generate", "b", "--type", "oct").returncode == 0
    nothing = "warning: nothing {} removed from the source: some keys {} not copied"
    settled = "; pass the NAMEs that were copied to remove only those"

    move = ("migrate", "--from", "files", "--to", "db", "--delete-source", "--allow-referenced")
    dry = keywright(*move, "--dry-run")
    alone = keywright(*move, "b")
    done = keywright(*move)

    assert (dry.returncode, dry.stdout) == (4, b"a@2: to copy\na@1: to copy\nto copy 2, identical 0, conflict 1\n")
    assert joined(dry.stderr).endswith(f"{nothing.format('would be', 'would be')}{settled}\n")
    assert (alone.returncode, alone.stderr.decode().splitlines()[-1]) == (4, nothing.format("was", "were"))
    assert (done.returncode, done.stdout) == (4, b"a@2: copied\na@1: copied\ncopied 2, identical 0, conflict 1\n")
    assert joined(done.stderr) == (
        "error: b@1 in store 'db' is another key; leave both where they are, set keys.b.store to the store "
        f"whose key counts, and migrate the other names by naming them\n{nothing.format('was', 'were')}{settled}\n"
    )
    assert b"a@2" in keywright("list").stdout
    moved = keywright(*move, "a")
    assert (moved.returncode, moved.stdout) == (0, b"a: removed\ncopied 0, identical 2, removed 1\n")


def test_a_program_reads_json(keywright: Keywright) -> None:
    """A JSON line for each version, and one for the sum."""
    done = keywright("--json", "migrate", "b", "--from", "files", "--to", "db")

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"reference": "b@1", "outcome": "copied", "dry_run": False},
        {
            "dry_run": False, "copied": 1, "updated": 0, "identical": 0, "conflict": 0, "failed": 0, "removed": 0,
            "kept": 0, "unsealed": 0,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("--from", "files", "--to", "files"), 2,
            "stores 'files' and 'files' have the same location; pass different stores with --from and --to",
        ),
        (
            ("--from", "files", "--to", "ci"), 5,
            "store 'ci' is read-only, so nothing can be copied into it; name another one with --to",
        ),
        (
            ("--from", "ci", "--to", "db", "--delete-source"), 5,
            "store 'ci' is read-only, so nothing can be removed from it; leave out --delete-source",
        ),
        (("--from", "files", "--to", "db", "z"), 3, "store 'files' has no key z; leave it out"),
        (
            ("--from", "db", "--to", "files", "a"), 3,
            (
                "store 'db' has no key a, and store 'files' has it; leave it out, or exchange --from and --to if they "
                "are mixed up"
            ),
        ),
        (
            ("--from", "files", "--to", "db", "--delete-source"), 2,
            (
                "{home}/keywright.toml: default_store points a at store 'files', where it is to be removed, "
                "and not at 'db'; set it to 'db' first, or pass --allow-referenced"
            ),
        ),
        (
            ("--from", "files", "--to", "db", "--allow-referenced"), 2,
            "allow_referenced is about removing from the source; pass --delete-source, or leave out --allow-referenced",
        ),
        (
            ("--from", "files", "--to", "db", "--store", "db"), 2,
            "--store does not apply to keywright migrate; leave it out",
        ),
        (
            ("--from", "flies", "--to", "db"), 2,
            "{home}/keywright.toml: stores.flies is not configured (did you mean 'files'?); available: ci, db, files",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be(home: Path, keywright: Keywright, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Stores that are one, that take no writes or are not there; names that are not there: nothing is written."""
    done = keywright("migrate", *arguments)

    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode() == printed(f"{message.format(home=home)}")
    assert keywright("--store", "db", "list").stdout == b""


MEMORY = '[stores.mem]\nbackend = "memory"\n'


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_store_that_forgets_is_no_end_of_a_migration(home: Path, keywright: Keywright, dry_run: bool) -> None:
    """Nothing is removed for a copy that ends with the process, insisted or not; a mere copy is warned of."""
    (home / "keywright.toml").write_text(CONFIG + MEMORY)
    dry = ("--dry-run",) if dry_run else ()
    before = keywright("list").stdout

    for words in ((), ("--allow-referenced",)):
        refused = keywright("migrate", "--from", "files", "--to", "mem", "--delete-source", *words, *dry)
        assert (refused.returncode, refused.stdout) == (2, b"")
        assert joined(refused.stderr) == (
            "error: store 'mem' is in memory only, so keys removed from store 'files' would be "
            "lost; leave out --delete-source, or name another store with --to\n"
        )
    copied = keywright("migrate", "--from", "files", "--to", "mem", *dry)

    assert copied.returncode == 0
    assert copied.stderr == (b'warning: store "mem" is in memory only; copied keys are lost when the command ends\n')
    assert keywright("list").stdout == before


SEALED = """
[stores.sealed]
backend = "file"
path = "sealed"
seal = "machine"
[seals.machine]
seal = "master-key"
key = { env = "MASTER" }
"""

MASTER = {"MASTER": "bmV3" + "A" * 39 + "="}


def test_what_loses_its_seal_is_counted(home: Path, keywright: Keywright) -> None:
    """Secrets that lie in the target as they are: those that were copied and those that were there, no others."""
    (home / "keywright.toml").write_text(CONFIG + SEALED)
    assert keywright("migrate", "--from", "files", "--to", "sealed", env=MASTER).stderr == b""
    assert keywright("--store", "sealed", "destroy", "a@1", "--yes", env=MASTER).returncode == 0
    move = ("migrate", "--from", "sealed", "--to", "db")

    dry = keywright(*move, "--dry-run", env=MASTER)
    one = keywright(*move, "b", env=MASTER)
    done = keywright(*move, env=MASTER)
    read = keywright("--json", *move, env=MASTER)

    assert dry.stderr == UNSEALED.format("2 secrets would be").encode()
    assert one.stderr == UNSEALED.format("1 secret is").encode()
    assert (done.returncode, done.stdout) == (0, b"a@2: copied\na@1: copied\ncopied 2, identical 1\n")
    assert done.stderr == UNSEALED.format("2 secrets are").encode()
    assert json.loads(read.stdout.splitlines()[-1])["unsealed"] == 2
    assert keywright("migrate", "b", "--from", "db", "--to", "sealed", env=MASTER).stderr == b""


@pytest.mark.parametrize("place", [0, 1])
def test_one_store_is_not_enough(keywright: Keywright, place: int) -> None:
    """`--store`, before the command too, is refused: it would have no effect."""
    words = ["migrate", "--from", "files", "--to", "db"]
    words[place:place] = ["--store", "db"]

    done = keywright(*words)

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--store does not apply to keywright migrate" in done.stderr


@pytest.mark.parametrize(
    ("to", "hint"), [("files", b"; did you mean --from files --to db?"), ("spare", b"")], ids=["mixed up", "both empty"]
)
def test_a_source_without_keys_is_told(home: Path, keywright: Keywright, to: str, hint: bytes) -> None:
    """Nothing to copy is not a success to be taken for one; where the target has keys, the two may be mixed up."""
    (home / "keywright.toml").write_text(CONFIG + '[stores.spare]\nbackend = "file"\npath = "spare"\n')

    done = keywright("migrate", "--from", "db", "--to", to)
    quiet = keywright("-q", "migrate", "--from", "db", "--to", to)

    assert (done.returncode, done.stdout) == (0, b"copied 0, identical 0\n")
    assert done.stderr == b'Store "db" lists no keys' + hint + b"\n"
    assert (quiet.returncode, quiet.stderr) == (0, b"")


def test_a_key_left_behind_is_not_imported_twice(home: Path, keywright: Keywright) -> None:
    """`import` refuses a name that another configured store has, as `generate` does, unless told --allow-duplicate."""
    secret = keywright("export", "a", "--secret").stdout
    switched = ("--option", "default_store", "db")

    refused = keywright(*switched, "import", "a", input=secret)
    told = keywright(*switched, "import", "a", "--allow-duplicate", input=secret)

    assert (refused.returncode, refused.stdout) == (4, b"")
    assert refused.stderr == (
        b"error: store 'files' has a already, and the configuration now points it at store 'db'\nhint: move it with "
        b"`keywright migrate --from files --to db a`, or pass --allow-duplicate for a second key\n"
    )
    assert (told.returncode, told.stdout) == (0, b"a@1\n")
