"""`keywright doctor`: each kind of fault, planted in a real store, is found and told in one exact sentence."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import pytest
from support import started

import keywright
from keywright import Capabilities, KeyRing, Options, Record, RecordInfo, Registry, Setting, StoreBackend, hookimpl
from keywright.errors import ConfigError, DamagedStoreError
from keywright.testing import assert_hidden

NOBODY = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
START = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)


class Ring:
    """Opens rings over the same three stores, each with a clock that the test sets."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.keys = str(home / "keys")
        self.db = str(home / "keys.db")
        self.now = START
        self.registry = Registry.load()
        self.stores: dict[str, object] = {
            "file": {"backend": "file", "path": self.keys},
            "db": {"backend": "sqlite", "path": self.db},
            "env": {"backend": "env", "variables": {"listed": "TEST_KEY"}},
        }

    def open(
        self, keys: Mapping[str, object] = {}, *, stores: Mapping[str, object] | None = None, store: str | None = None
    ) -> KeyRing:
        """A ring over the stores `file` (the default), `db` and `env`, or others."""
        tables = self.stores if stores is None else stores
        config = {"default_store": next(iter(tables)), "stores": tables, "keys": keys}
        return keywright.open(config, clock=lambda: self.now, registry=self.registry, store=store)

    def make(self, *names: str, store: str = "file") -> None:
        """Make keys."""
        with self.open() as ring:
            for name in names:
                ring.generate(name, store=store)

    def findings(
        self, keys: Mapping[str, object] = {}, *, stores: Mapping[str, object] | None = None, store: str | None = None
    ) -> list[str]:
        """What the doctor says."""
        with self.open(keys, stores=stores, store=store) as ring:
            return [str(finding) for finding in ring.examine()]


@pytest.fixture
def ring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Ring:
    """No store holds anything, and no variable is set."""
    for variable in [*os.environ]:
        if variable.startswith(("KEYWRIGHT_", "TEST_KEY")):
            monkeypatch.delenv(variable)
    return Ring(home)


def database(ring: Ring, *statements: str) -> None:
    """Change the database behind the store's back."""
    with closing(sqlite3.connect(ring.db, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_nothing_is_found_where_all_is_well(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of each kind and state in each store, announced, destroyed and public ones among them, are no finding."""
    assert ring.findings() == []
    ring.make("a", "b/c", "gone")
    ring.make("d", store="db")
    with ring.open() as opened:
        opened.rotate("a", activate_in=timedelta(days=7))
        opened.generate("jwk", type="ec-p256", format="jwk")
        opened.import_key("partner", opened.export("b/c"), public=True)
        opened.destroy("gone")
        monkeypatch.setenv("TEST_KEY", opened.export("b/c", secret=True).reveal().decode())

    assert ring.findings({"d": {"store": "db", "rotate_every": "1d"}}) == []


def test_the_doctor_changes_nothing(ring: Ring) -> None:
    """Every file is as it was before, time of change included."""
    ring.make("a")
    ring.make("b", store="db")
    (ring.home / "keys" / "a" / "@1" / "key").chmod(0o644)

    def state() -> dict[Path, tuple[int, int, bytes]]:
        files = [path for path in ring.home.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
        return {path: (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    assert ring.findings() != []

    assert state() == before


@pytest.mark.parametrize("store", ["file", "db"])
def test_a_writer_at_work_is_no_fault(ring: Ring, store: str) -> None:
    """Keys that are made, rotated and destroyed meanwhile are no findings, nor is what is half made."""
    config = {"default_store": store, "stores": ring.stores}
    script = (
        "import contextlib, itertools, keywright\n"
        "from keywright.errors import DurabilityUnknownError\n"
        f"ring = keywright.open({config!r})\n"
        "for number in itertools.count():\n"
        "    ring.generate(f'n{number}/x')\n"
        "    ring.rotate(f'n{number}/x')\n"
        "    store = ring.open_store().store\n"
        "    ring.generate('gone')\n"
        # The doctor that opens a database may keep its log from being cut at this moment.
        "    with contextlib.suppress(DurabilityUnknownError):\n"
        "        ring.destroy(f'n{number}/x@1')\n"
        "    with contextlib.suppress(DurabilityUnknownError):\n"
        "        store.remove('gone', expected=[info.revision for info in store.versions('gone')])\n"
        "    print(number, flush=True)\n"
    )
    with started([sys.executable, "-c", script], stderr=None) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        found: list[str] = []
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            found += ring.findings(store=store)
        assert writer.poll() is None

    assert found == []


def test_a_damaged_key_can_be_destroyed(ring: Ring) -> None:
    """What cannot be read need not be read to be taken away; nothing else can be done with it."""
    ring.make("a")
    key = Path(ring.keys, "a", "@1", "key")
    key.write_bytes(b"cut")

    with ring.open() as opened:
        with pytest.raises(DamagedStoreError):
            opened.disable("a")
        opened.destroy("a")

    assert not key.exists()
    assert ring.findings() == []


# Faults in the store of files: what is done below its root, and what is said; PATH is the root.


def _other_key(root: Path) -> None:
    _replace_key(root, (root / "b" / "@1" / "key").read_bytes())


def _replace_key(root: Path, data: bytes) -> None:
    """As somebody would who knows of the checksum."""
    (root / "a" / "@1" / "key").write_bytes(data)
    next((root / "a" / "@1").glob("crc32-*")).rename(root / "a" / "@1" / f"crc32-{crc32(data):08x}")


def _leftover_key(root: Path) -> None:
    kept = (root / "a" / "@1" / "key").read_bytes()
    with keywright.open({"stores": {"file": {"backend": "file", "path": str(root)}}}) as ring:
        ring.destroy("a")
    (root / "a" / "@1" / "key").write_bytes(kept)
    (root / "a" / "@1" / "key").chmod(0o600)


def _stray(root: Path) -> None:
    # Deeper than a writer ever leaves it, so that opening the store does not clear it.
    (root / ".keywright" / "tmp" / "x" / "y").mkdir(parents=True)


def _pending(root: Path) -> None:
    (root / ".keywright" / "pending").write_text("a@1\n")
    (root / ".keywright" / "pending").chmod(0o600)
    (root / "a" / "@1" / "meta.json").unlink()


CHMOD = "take that away with chmod"
FILE_FAULTS: list[tuple[str, Callable[[Path], object], list[str]]] = [
    ("key open to others", lambda root: (root / "a/@1/key").chmod(0o640), [
        ("store 'file': a@1 in PATH: the key file may be read or changed by others; take that away with chmod 0600, "
        "and count the key as seen"),
    ]),
    ("metadata open to others", lambda root: (root / "a/@1/meta.json").chmod(0o644), [
        f"store 'file': a@1 in PATH: the file `meta.json` may be read by other users; {CHMOD} 0600",
    ]),
    ("metadata writable by others", lambda root: (root / "a/@1/meta.json").chmod(0o666), [
        f"store 'file': a@1 in PATH: the file may be changed by other users; {CHMOD} go-w",
    ]),
    ("directory open to others", lambda root: (root / "a").chmod(0o755), [
        f"store 'file': a in PATH: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("version open to others", lambda root: (root / "a/@1").chmod(0o750), [
        f"store 'file': a@1 in PATH: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("private area open to others", lambda root: (root / ".keywright").chmod(0o755), [
        f"store 'file': PATH/.keywright: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("temporaries open to others", lambda root: (root / ".keywright/tmp").chmod(0o755), [
        f"store 'file': PATH/.keywright/tmp: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("lock open to others", lambda root: (root / ".keywright/lock").chmod(0o644), [
        f"store 'file': PATH/.keywright/lock: the file `lock` may be read by other users; {CHMOD} 0600",
    ]),
    ("hard link", lambda root: os.link(root / "a/@1/key", root.parent / "second"), [
        ("store 'file': a@1 in PATH: a file has a second name (a hard link), through which it may be read, changed or "
        "outlive its end; make it a copy of its own"),
    ]),
    ("stray temporary", _stray, [
        "store 'file': PATH: interrupted writes left files in .keywright/tmp, which may hold keys; remove them",
    ]),
    ("pending note", _pending, [
        "store 'file': PATH: an interrupted write is not completed; mend what else is found, then write to the store",
        "store 'file': a@1 in PATH: a file is missing; restore it from a backup",
    ]),
    ("stranger in the private area", lambda root: (root / ".keywright/other").touch(), [
        "store 'file': PATH: what keywright did not write stands in .keywright; move it away",
    ]),
    ("unknown file beside a key", lambda root: (root / "a/@1/other").touch(), [
        ("store 'file': a@1 in PATH: a file that keywright did not write stands beside the key; restore it from a "
        "backup"),
    ]),
    ("file among the names", lambda root: (root / "a/other").touch(), [
        "store 'file': a in PATH: a file or link stands among the names; restore it from a backup",
    ]),
    ("no name", lambda root: (root / "UPPER").mkdir(), [
        "store 'file': PATH: a directory among the names has no name's name; restore it from a backup",
    ]),
    ("no version", lambda root: (root / "a/@01").mkdir(), [
        "store 'file': a in PATH: a directory among the versions has no version's name; restore it from a backup",
    ]),
    ("version without a name", lambda root: (root / "@1").mkdir(), [
        "store 'file': PATH: a version stands where only names belong; restore it from a backup",
    ]),
    ("half removed", lambda root: (root / "a/@removed").touch(), [
        ("store 'file': a in PATH: a removal was interrupted, and hides its versions; remove the directory, or "
        "@removed in it"),
    ]),
    ("key of a destroyed version", _leftover_key, [
        "store 'file': a@1 in PATH: the file `key` of a version that has no secret is still there; remove that file",
    ]),
    ("key lost", lambda root: (root / "a/@1/key").unlink(), [
        "store 'file': a@1 in PATH: the key file is missing; restore it from a backup",
    ]),
    ("metadata damaged", lambda root: (root / "a/@1/meta.json").write_text("{}"), [
        "store 'file': a@1 in PATH: the metadata is damaged; restore it from a backup",
    ]),
    ("another key", _other_key, [
        "a@1 in store 'file': is another key than its metadata says; restore it from a backup",
    ]),
    ("key changed", lambda root: (root / "a/@1/key").write_bytes(b"canary"), [
        "store 'file': a@1 in PATH: the key file is damaged; restore it from a backup",
    ]),
    ("no key", lambda root: _replace_key(root, b"canary"), [
        ("a@1 in store 'file': does not decode: the Nix key has no colon; write its name and a colon before the "
        "base64: NAME:BASE64"),
    ]),
    ("marker damaged", lambda root: (root / ".keywright/format").write_bytes(b"x"), [
        "store 'file': PATH: the marker .keywright/format is damaged; restore it from a backup",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "expected"), [pytest.param(plant, said, id=name) for name, plant, said in FILE_FAULTS]
)
def test_faults_in_a_store_of_files(ring: Ring, plant: Callable[[Path], object], expected: list[str]) -> None:
    """Each is told once, and nothing else is."""
    ring.make("a", "b")

    plant(Path(ring.keys))

    assert [said.replace(ring.keys, "PATH") for said in ring.findings()] == expected


INSERT = "INSERT INTO payload (crc32, bytes) VALUES (x'00000000', x'63616e617279')"
SWAPPED = "UPDATE record SET payload = 3 - payload"
DATABASE_FAULTS: list[tuple[str, Sequence[str], list[str]]] = [
    ("secret without a version", [INSERT], [
        "store 'db': PATH: the database holds secrets that no version owns; restore it from a backup",
    ]),
    ("shared payload", ["UPDATE record SET payload = 1", "DELETE FROM payload WHERE id = 2"], [
        "store 'db': PATH: two versions share one payload; restore the database from a backup",
        "b in store 'db': PATH: the row of b@1 is damaged; restore the database from a backup",
    ]),
    ("another table", ["CREATE TABLE other (x)"], [
        ("store 'db': PATH: the database has other tables, indexes or triggers than keywright makes; restore it from a "
        "backup"),
    ]),
    ("a trigger", ["CREATE TRIGGER t AFTER INSERT ON payload BEGIN SELECT 1; END"], [
        ("store 'db': PATH: the database has other tables, indexes or triggers than keywright makes; restore it from a "
        "backup"),
    ]),
    ("a table lost", ["DROP TABLE payload"], [
        ("store 'db': PATH: the database has other tables, indexes or triggers than keywright makes; restore it from a "
        "backup"),
        "a@1 in store 'db': PATH: the database is damaged; restore it from a backup",
        "b@1 in store 'db': PATH: the database is damaged; restore it from a backup",
    ]),
    ("payloads swapped", [SWAPPED], [
        "a in store 'db': PATH: the row of a@1 is damaged; restore the database from a backup",
        "b in store 'db': PATH: the row of b@1 is damaged; restore the database from a backup",
    ]),
    ("payload lost", ["DELETE FROM payload WHERE id = 1"], [
        "a@1 in store 'db': PATH: the row of a@1 is damaged; restore the database from a backup",
    ]),
    ("metadata damaged", ["UPDATE record SET info = x'7b7d' WHERE name = 'a'"], [
        "a in store 'db': PATH: the row of a@1 is damaged; restore the database from a backup",
    ]),
    ("newer", ["PRAGMA user_version = 9"], [
        "store 'db': PATH was written by a newer keywright (layout 9, and this one knows 1); upgrade this one",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "expected"), [pytest.param(done, said, id=name) for name, done, said in DATABASE_FAULTS]
)
def test_faults_in_a_database(ring: Ring, statements: Sequence[str], expected: list[str]) -> None:
    """Each is told once, and nothing else is."""
    ring.make("a", "b", store="db")

    database(ring, *statements)

    assert [said.replace(ring.db, "PATH") for said in ring.findings()] == expected


def test_a_damaged_page_of_a_database(ring: Ring) -> None:
    """The integrity check finds what no statement of the store would touch."""
    ring.make("a", store="db")
    data = bytearray(Path(ring.db).read_bytes())
    data[36:40] = (7).to_bytes(4, "big")  # the number of free pages (sqlite.org/fileformat2.html §1.3)
    Path(ring.db).write_bytes(data)

    assert ring.findings(store="db") == [
        f"store 'db': {ring.db}: the database fails SQLite's integrity check; restore it from a backup"
    ]


def test_files_of_a_database(ring: Ring) -> None:
    """Its directory's permissions, a second name, what an interrupted first write left: each is told."""
    ring.make("a", store="db")
    ring.home.chmod(0o770)
    (ring.home / ".keywright-0011.new").touch()
    os.link(ring.db, ring.home / "second")

    assert ring.findings(store="db") == [
        (
            f"store 'db': {ring.db} has a second name (a hard link), under which the keys would outlive the store; "
            "remove that name, or make the store a copy of its own"
        ),
        (
            f"store 'db': {ring.home} is writable by its group, who could put another database in the store's place; "
            f"run `chmod g-w {ring.home}`, and see that the keys in it are still yours"
        ),
        f"store 'db': {ring.home} has files .keywright-*.new, which an interrupted writer left; remove them",
    ]


def test_a_database_open_to_others(ring: Ring) -> None:
    """It does not open, and the finding says why; seen while it is open, it is said once."""
    ring.make("a", store="db")
    said = (
        f"store 'db': {ring.db} is open to other users; run `chmod 600 {ring.db}`, and replace the keys if others may "
        "have read them"
    )
    with ring.open(store="db") as opened:
        assert [*opened.examine()] == []
        os.chmod(ring.db, 0o644)

        assert [str(finding) for finding in opened.examine()] == [said]
    assert ring.findings(store="db") == [said]


def test_the_log_of_a_database_that_is_gone(ring: Ring) -> None:
    """It may hold keys, though the store looks empty."""
    Path(ring.db + "-wal").write_bytes(b"canary")

    assert ring.findings(store="db") == [
        (
            f"store 'db': {ring.db}-wal holds what was written to a database that is not there, keys perhaps among it; "
            "put the database back beside it, or remove it"
        )
    ]


def test_a_log_that_cannot_be_cleared(ring: Ring) -> None:
    """Where the directory takes no writes, what is left in the log stays there, and that is told."""
    with tempfile.TemporaryDirectory() as directory, ring.open() as opened:
        opened.generate("a", store="db")
        for end in ("", "-wal", "-shm"):
            copy = Path(directory) / f"keys.db{end}"
            copy.write_bytes(Path(ring.db + end).read_bytes())
            copy.chmod(0o600)
            os.chown(copy, *NOBODY)
        os.chown(directory, *NOBODY)
        os.chmod(directory, 0o500)
        path = os.path.join(os.path.realpath(directory), "keys.db")

        os.seteuid(NOBODY[0])
        try:
            told = ring.findings(stores={"db": {"backend": "sqlite", "path": path}})
        finally:
            os.seteuid(os.getuid())
            os.chmod(directory, 0o700)

    assert told == [
        (
            f"store 'db': {path}-wal holds writes that cannot be moved into the database here, old secrets perhaps "
            "among them; open the store once where it is writable"
        )
    ]


def test_variables(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set twice, empty, or in a file that others may read: told for those in `variables` and the default ones."""
    ring.make("a")
    with ring.open() as opened:
        (ring.home / "exposed").write_bytes(opened.export("a", secret=True).reveal())
    (ring.home / "exposed").chmod(0o644)
    if os.geteuid() == 0:
        os.chown(ring.home / "exposed", 65534, 65534)  # root's own would be a container's secret
    monkeypatch.setenv("TEST_KEY", "canary")
    monkeypatch.setenv("TEST_KEY_FILE", "canary")
    monkeypatch.setenv("KEYWRIGHT_KEY_X_FILE", str(ring.home / "exposed"))
    monkeypatch.setenv("KEYWRIGHT_KEY_Y", "")

    assert ring.findings(store="env") == [
        (
            "store 'env': KEYWRIGHT_KEY_X_FILE points to a file that other users may read; run `chmod go-r` on it, and "
            "replace the key if others may have read it"
        ),
        "store 'env': the environment variable KEYWRIGHT_KEY_Y is set but empty; set it to the key, or unset it",
        (
            "store 'env': the environment variables TEST_KEY and TEST_KEY_FILE are both set, and only one can be "
            "meant; unset the other"
        ),
    ]


def test_keys_that_are_declared(ring: Ring) -> None:
    """Never made, or due for rotation: each is told, where `[keys.NAME]` says that it is kept."""
    ring.make("old", "fresh")
    ring.now += timedelta(days=90)
    with ring.open() as opened:
        opened.rotate("fresh", activate_in=timedelta(days=1))
    keys: dict[str, object] = {
        "fresh": {"rotate_every": "90d"},
        "never": {"store": "db"},
        "old": {"rotate_every": "90d"},
        "var": {"store": "env"},
    }

    assert ring.findings(keys) == [
        (
            "old in store 'file': its rotation is overdue: version 1 was made at 2027-01-01T12:00:00Z, and "
            "keys.old.rotate_every is 90d; run `keywright rotate --due old`"
        ),
        (
            "never in store 'db': is declared as keys.never, and no version of it was ever made; run `keywright ensure "
            "never`"
        ),
        (
            "var in store 'env': var@1 would be in the environment variable KEYWRIGHT_KEY_VAR, or in a file that "
            "KEYWRIGHT_KEY_VAR_FILE points to, and neither is set; set one, or name another in the setting `variables`"
        ),
    ]
    ring.now -= timedelta(microseconds=1)
    assert ring.findings(keys)[0].startswith("never")


def test_a_setting_that_cannot_be_read(ring: Ring) -> None:
    """A key's table that is wrong is a finding, and the rest is looked at."""
    ring.make("a")

    assert ring.findings({"a": {"rotate_every": {"env": "TEST_KEY_NOT_SET"}}}) == [
        (
            "configuration: given settings: keys.a.rotate_every points to the environment variable TEST_KEY_NOT_SET, "
            "which is not set; set it"
        )
    ]


def test_names_without_a_primary(ring: Ring) -> None:
    """Told with the reason, but not of a name whose versions were all destroyed and that nobody declares."""
    ring.make("compromised", "disabled", "ended")
    with ring.open() as opened:
        opened.generate("later", activates=START + timedelta(days=1))
        opened.compromise("compromised")
        opened.disable("disabled")
        opened.destroy("ended")
    older = "and an older one never takes its place"

    said = [
        f"compromised in store 'file': no version signs: version 1 is compromised, {older}; rotate to make a new one",
        f"disabled in store 'file': no version signs: version 1 is disabled, {older}; enable it again, or rotate",
        (
            "later in store 'file': no version signs: version 1 is announced and signs from 2027-01-02 12:00:00 UTC; "
            "wait until then, or rotate to make one that signs at once"
        ),
    ]
    assert ring.findings() == said
    assert ring.findings({"ended": {}}) == [
        *said[:2],
        f"ended in store 'file': no version signs: version 1 is destroyed, {older}; rotate to make a new one",
        said[2],
    ]


def migrated(ring: Ring, *names: str) -> None:
    """Copy names from `file` to `db`, and leave them in `file`."""
    with ring.open() as opened:
        assert [moved.outcome for moved in opened.migrate(*names, from_="file", to="db")] == ["copied"] * len(names)


def test_in_the_middle_of_a_migration(ring: Ring) -> None:
    """One finding for both stores, with the command that ends it; which one is to keep the names is configured."""
    ring.make("a", "b", "c", "d", "only-here")
    migrated(ring, "a", "b", "c", "d")
    to_db = {name: {"store": "db"} for name in ("a", "b", "c", "d", "only-here")}

    before = ring.findings()
    switched = ring.findings(to_db)

    assert before == [
        (
            "stores 'db' and 'file': 4 names are in both, and the configuration looks for them in store 'file': a, b, "
            "c and 1 more; run `keywright migrate --from db --to file --delete-source`, or if store 'db' is to keep "
            "them, change the configuration first"
        )
    ]
    assert [said for said in switched if "only-here" not in said] == [
        (
            "stores 'file' and 'db': 4 names are in both, and the configuration looks for them in store 'db': a, b, c "
            "and 1 more; run `keywright migrate --from file --to db --delete-source`, or if store 'file' is to keep "
            "them, change the configuration first"
        )
    ]
    assert ring.findings(store="db") == []
    with ring.open(to_db) as opened:
        list(opened.migrate(from_="file", to="db", delete_source=True))
    assert ring.findings(to_db) == []


def test_only_the_names_that_are_doubled_move(ring: Ring) -> None:
    """Where the store holds others that are to stay, the command names those that are not."""
    ring.make("a", "stays")
    migrated(ring, "a")

    assert ring.findings({"a": {"store": "db"}}) == [
        (
            "stores 'file' and 'db': one name is in both, and the configuration looks for it in store 'db': a; run "
            "`keywright migrate --from file --to db --delete-source a`, or if store 'file' is to keep it, change the "
            "configuration first"
        )
    ]
    with ring.open({"a": {"store": "db"}}) as opened:
        list(opened.migrate("a", from_="file", to="db", delete_source=True))
    assert ring.findings({"a": {"store": "db"}}) == []


def test_two_keys_of_one_name(ring: Ring) -> None:
    """Told apart from those that hold the same; what is configured for the name settles it, and tombstones are none."""
    ring.make("a", "b", "gone", "same", "x.y")
    migrated(ring, "same")
    ring.make("a", "b", "gone", "x.y", store="db")
    with ring.open() as opened:
        opened.destroy("gone", store="db")
        opened.rotate("same", store="db")  # it is the same key all the same

    same = (
        "stores 'db' and 'file': one name is in both, and the configuration looks for it in store 'file': same; run "
        "`keywright migrate --from db --to file --delete-source same`, or if store 'db' is to keep it, change the "
        "configuration first"
    )
    assert ring.findings() == [
        same,
        (
            "stores 'file' and 'db': hold different keys under one name: a, b, x.y; set keys.a.store to the store "
            "whose key counts, and that of the others likewise"
        ),
    ]
    assert ring.findings({"a": {"store": "db"}, "b": {"store": "file"}}) == [
        same,
        (
            "stores 'file' and 'db': hold different keys under one name: x.y; set keys.\"x.y\".store to the store "
            "whose key counts"
        ),
    ]


def test_a_name_that_is_doubled_and_not_looked_for(ring: Ring) -> None:
    """The configuration is to say first which of the two it is to have."""
    ring.make("a")
    migrated(ring, "a")

    assert ring.findings(stores={"spare": {"backend": "memory"}, **ring.stores}) == [
        (
            "stores 'file' and 'db': one name is in both, and the configuration looks for it in neither: a; set "
            "keys.a.store to the store that keeps it"
        )
    ]


def test_a_name_that_is_doubled_in_a_chain(ring: Ring) -> None:
    """Of a chain, what is written to keeps it."""
    ring.make("a", "b")
    migrated(ring, "a")
    chained = {"both": {"backend": "chain", "stores": ["file", "db"], "write_to": "db"}, **ring.stores}

    assert ring.findings(stores=chained) == [
        (
            "stores 'file' and 'db': one name is in both, and the configuration looks for it in store 'db': a; run "
            "`keywright migrate --from file --to db --delete-source`, or if store 'file' is to keep it, change the "
            "configuration first"
        )
    ]
    with ring.open(stores=chained) as opened:
        list(opened.migrate(from_="file", to="db", delete_source=True))
    assert ring.findings(stores=chained) == []


def test_a_name_that_is_doubled_where_nothing_can_be_removed(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command empties a variable."""
    ring.make("listed")
    with ring.open() as opened:
        monkeypatch.setenv("TEST_KEY", opened.export("listed", secret=True).reveal().decode())

    assert ring.findings() == [
        (
            "stores 'env' and 'file': one name is in both, and the configuration looks for it in store 'file': listed; "
            "store 'env' is read-only, so if the other is to keep it, unset it there by hand"
        )
    ]


def test_stores_that_do_not_open(ring: Ring) -> None:
    """A finding each, whatever the reason, and the next store is examined all the same."""
    ring.make("a")
    (Path(ring.keys) / "a" / "@1").chmod(0o750)
    Path(ring.db).write_bytes(b"canary" * 100)
    os.chmod(ring.db, 0o600)
    (ring.home / "plain").touch()

    told = ring.findings(
        stores={
            "absent": {"backend": "absent"},
            "bad": {"backend": "file"},
            "damaged": {"backend": "sqlite", "path": ring.db},
            "file": {"backend": "file", "path": ring.keys},
            "plain": {"backend": "file", "path": str(ring.home / "plain")},
        }
    )

    assert [said.partition("; installed")[0] for said in told] == [
        "store 'absent': given settings: stores.absent.backend: no store backend is called 'absent'",
        (
            "store 'bad': given settings: stores.bad.path is missing: store backend 'file' needs it, a path, as text; "
            "correct that"
        ),
        f"store 'damaged': {ring.db} is no SQLite database; restore it from a backup, or correct `path`",
        f"store 'file': a@1 in {ring.keys}: the directory may be read by other users; take that away with chmod 0700",
        f"store 'plain': {ring.home / 'plain'}: is no directory; set `path` to one, or to where one can be made",
    ]
    assert_hidden(keywright.Secret(b"canary"), "\n".join(told))


class _Broken:
    """A store that fails as no store should."""

    name = "broken"
    settings: Sequence[Setting] = ()
    capabilities = Capabilities(writable=False, metadata=True)

    def open(self, _: Options) -> AbstractContextManager[_Broken]:
        return nullcontext(self)

    def examine(self) -> Iterator[str]:
        yield "it creaks; oil it"
        raise RuntimeError("canary")

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        yield "a"
        yield "b"
        raise ValueError("canary")

    def versions(self, name: str) -> Sequence[RecordInfo]:
        if name == "a":
            raise KeyError("canary")
        return (RecordInfo(name=name, version=1, key_type="ed25519", public=b"too short"),)

    def get(self, name: str, version: int) -> Record:
        return Record(self.versions(name)[0], None)


class _Plugin:
    KEYWRIGHT_API = 1

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (_Broken(),)


def test_a_broken_store(ring: Ring) -> None:
    """What fails with no error of ours is a finding without its words; a public half is checked too."""
    ring.registry.add(_Plugin(), "creaking")

    report = "report it to the plugin's author"
    assert ring.findings(stores={"x": {"backend": "broken"}}) == [
        "store 'x': it creaks; oil it",
        f"store 'x': a plugin failed with RuntimeError; {report}",
        f"a in store 'x': a plugin failed with KeyError; {report}",
        "b@1 in store 'x': the public half of an ed25519 key has 32 bytes (RFC 8032 §5.1.5); give the point alone",
        f"store 'x': a plugin failed with ValueError; {report}",
    ]


def test_plugins_that_failed(ring: Ring) -> None:
    """Each is a finding, with a way out where it says none itself."""
    ring.registry.add(object(), "old", "dist", "1.0")

    assert ring.findings() == [
        (
            "plugin 'old' of dist 1.0: does not say which keywright API it is for; this keywright has API 1: install a "
            "version that fits"
        )
    ]


def test_a_store_that_is_not_configured(ring: Ring) -> None:
    """The ring's own store is an argument, so this is no finding but an error."""
    with ring.open(store="other") as opened, pytest.raises(ConfigError) as caught:
        opened.examine()

    assert str(caught.value) == "given settings: stores.other is not configured; there are: db, env, file"


def test_declared_keys_in_a_chain(ring: Ring) -> None:
    """What is due, was never made, or lies where the chain does not write is told of a chain, too."""
    ring.make("old")
    ring.now += timedelta(days=91)
    chained = {"both": {"backend": "chain", "stores": ["file", "db"], "write_to": "db"}, **ring.stores}
    keys: dict[str, object] = {
        "never": {"store": "both"},
        "old": {"store": "both", "rotate_every": "90d"},
    }

    assert ring.findings(keys, stores=chained) == [
        (
            "never in chain 'both': is declared as keys.never, and no version of it was ever made; run `keywright "
            "ensure never`"
        ),
        (
            "old in chain 'both': its rotation is overdue: version 1 was made at 2027-01-01T12:00:00Z, and "
            "keys.old.rotate_every is 90d; run `keywright rotate --due old`"
        ),
        (
            "old in chain 'both': old is in store 'file', and the chain 'both' writes to 'db'; move it with `keywright "
            "migrate --from file --to db old`, or name store 'file'"
        ),
    ]


def test_one_place_under_two_names(ring: Ring) -> None:
    """That is what is told, and not that every name is there twice."""
    ring.make("a")
    stores = {**ring.stores, "again": ring.stores["file"]}

    assert ring.findings(stores=stores) == [
        "stores 'file' and 'again': are one and the same place; remove one of the two tables, or correct its settings"
    ]
