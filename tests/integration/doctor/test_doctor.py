"""`keywright doctor`: what it finds, and what is not a fault; it changes nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from support import started
from support.errors import text_of
from support.rings import NOW, Ring, writable

import keywright
from keywright import Capabilities, Options, Problem, Record, RecordInfo, Setting, StoreBackend, WritableStore, hookimpl
from keywright.errors import ConfigError, CorruptedStoreError, KeyNotFoundError
from keywright.testing import assert_hidden


def test_nothing_is_found_where_all_is_well(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of each kind and state in each store, announced, destroyed and public ones among them, are not a finding."""
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
    """Keys that are made, rotated and destroyed meanwhile are not findings, nor is what is half made."""
    config = {"default_store": store, "stores": ring.stores}
    script = (
        "import contextlib, itertools, keywright\n"
        "from keywright.errors import DurabilityError\n"
        f"ring = keywright.open({config!r})\n"
        "for number in itertools.count():\n"
        "    ring.generate(f'n{number}/x')\n"
        "    ring.rotate(f'n{number}/x')\n"
        "    store = ring.open_store()\n"
        "    ring.generate('gone')\n"
        # The doctor that opens a database may keep its log from being cut at this moment.
        "    with contextlib.suppress(DurabilityError):\n"
        "        ring.destroy(f'n{number}/x@1')\n"
        "    with contextlib.suppress(DurabilityError):\n"
        "        store.remove('gone', [info.revision for info in store.versions('gone')])\n"
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
        with pytest.raises(CorruptedStoreError):
            opened.disable("a")
        opened.destroy("a")

    assert not key.exists()
    assert ring.findings() == []


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
            "KEYWRIGHT_KEY_X_FILE: points to a file that other users may read; run `chmod go-r` on it, and "
            "replace the key if others may have read it"
        ),
        "KEYWRIGHT_KEY_Y: the environment variable KEYWRIGHT_KEY_Y is set but empty; set it to the key, or unset it",
        (
            "TEST_KEY: the environment variables TEST_KEY and TEST_KEY_FILE are both set; unset TEST_KEY, or unset "
            "TEST_KEY_FILE"
        ),
    ]


def test_a_public_key_after_one_of_our_own(ring: Ring) -> None:
    """Who may write to a store, and knows no passphrase, can add what needs none to be opened; it would verify."""
    ring.make("a", "stranger")
    with ring.open() as opened:
        opened.import_key("partner", opened.export("a"), public=True)
        info = opened.show("stranger").versions[0].info
        later = NOW + timedelta(days=1000)
        writable(opened).create(Record(replace(info, name="a", version=2, activates=later), None))

    assert ring.problems() == [
        Problem(
            "a@2 in store 'file'",
            "is a public key after a secret one, and no command puts one there",
            "check who can write to the store, then destroy it: nothing that it verifies was signed here",
        )
    ]
    with ring.open() as opened:
        opened.destroy("a@2")
    assert ring.findings() == []


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_key_that_is_taken_away_after_it_was_listed(monkeypatch: pytest.MonkeyPatch, is_made_anew: bool) -> None:
    """Also if another has its name by the time that the doctor looks again."""
    with keywright.open({"stores": {"main": {"backend": "memory"}}}) as ring:
        ring.generate("gone")
        store = cast("WritableStore", ring.open_store())
        revisions = [info.revision for info in store.versions("gone")]

        def get(name: str, version: int) -> Record:
            store.remove("gone", revisions)
            if is_made_anew:
                ring.generate("gone")
            raise KeyNotFoundError(f"memory holds no {name}@{version}; make it")

        monkeypatch.setattr(store, "get", get)

        assert list(ring.examine()) == []


def test_a_key_that_is_listed_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store contradicts itself."""
    with keywright.open({"stores": {"main": {"backend": "memory"}}}) as ring:
        ring.generate("lost")
        store = ring.open_store()

        def get(name: str, version: int) -> Record:
            raise KeyNotFoundError(f"memory holds no {name}@{version}", hint="make it")

        monkeypatch.setattr(store, "get", get)

        assert list(ring.examine()) == [Problem("lost@1 in store 'main'", "memory holds no lost@1", "make it")]


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

    assert told == [
        (
            "store 'absent': given settings: stores.absent.backend: no store backend is called 'absent'; installed: "
            "chain, env, file, memory, sqlite"
        ),
        "store 'bad': given settings: stores.bad.path is missing; store backend 'file' needs it: a path (a string)",
        f"store 'damaged': {ring.db} is not a SQLite database; restore it from a backup, or set `path` to another file",
        f"a@1 in {ring.keys}: the directory may be read by other users; run `chmod 0700` on it",
        f"store 'plain': {ring.home / 'plain'} is not a directory; set `path` to a directory",
    ]
    assert_hidden(keywright.Secret(b"canary"), "\n".join(told))


class _Broken:
    """A store that fails as no store should; its backend, and the plugin that registers it."""

    KEYWRIGHT_API = 1
    name = "broken"
    settings: Sequence[Setting] = ()
    capabilities = Capabilities(writable=False, metadata=True)

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (self,)

    def open(self, _: Options) -> AbstractContextManager[_Broken]:
        return nullcontext(self)

    def check(self) -> Iterator[Problem]:
        yield Problem("the hinge", "it creaks", "oil it")
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


def test_a_broken_store(ring: Ring) -> None:
    """What fails with no error of ours is a finding without its words; a public half is checked too."""
    ring.registry.add(_Broken(), "creaking")

    report = "report it to the plugin's author"
    assert ring.findings(stores={"x": {"backend": "broken"}}) == [
        "the hinge: it creaks; oil it",
        f"store 'x': a plugin failed with RuntimeError; {report}",
        f"a in store 'x': a plugin failed with KeyError; {report}",
        "b@1 in store 'x': the public half of an ed25519 key must have 32 bytes (RFC 8032 §5.1.5); pass the point only",
        f"store 'x': a plugin failed with ValueError; {report}",
    ]


def test_plugins_that_failed(ring: Ring) -> None:
    """Each is a finding, with a hint where it says none itself."""
    ring.registry.add(object(), "old", "dist", "1.0")

    assert ring.findings() == [
        (
            "plugin 'old' of dist 1.0: does not say which keywright API it is for; this keywright has API 1: install a "
            "version that fits; fix or uninstall it"
        )
    ]


def test_a_store_that_is_not_configured(ring: Ring) -> None:
    """The ring's own store is an argument, so this is not a finding but an error."""
    with ring.open(store="other") as opened, pytest.raises(ConfigError) as caught:
        opened.examine()

    assert text_of(caught.value) == "given settings: stores.other is not configured; available: db, env, file"


def test_keys_that_are_declared(ring: Ring) -> None:
    """Never made, or due for rotation: each is reported, where `[keys.NAME]` says that it is kept."""
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
            "old in store 'file': its rotation is overdue: version 1 was created at 2027-01-01T12:00:00Z, "
            "and keys.old.rotate_every is 90d; run `keywright rotate --due old`"
        ),
        "never in store 'db': is declared as keys.never, but does not exist; run `keywright ensure never`",
        (
            "var in store 'env': no environment variable for key \"var@1\" is set; set KEYWRIGHT_KEY_VAR to the key, "
            "or KEYWRIGHT_KEY_VAR_FILE to the path of a file with the key"
        ),
    ]
    ring.now -= timedelta(microseconds=1)
    assert ring.findings(keys)[0].startswith("never")


def test_a_setting_that_cannot_be_read(ring: Ring) -> None:
    """A key's table that is wrong is a finding, and the rest is looked at."""
    ring.make("a")

    assert ring.findings({"a": {"rotate_every": {"env": "TEST_KEY_NOT_SET"}}}) == [
        (
            "configuration: given settings: keys.a.rotate_every points to the environment variable "
            "TEST_KEY_NOT_SET, which is not set; set it, or change the setting"
        )
    ]


def test_names_without_a_primary(ring: Ring) -> None:
    """Reported with the reason, but not for a name whose versions were all destroyed and that no one declares."""
    ring.make("compromised", "disabled", "ended")
    with ring.open() as opened:
        opened.generate("later", activates=NOW + timedelta(days=1))
        opened.compromise("compromised")
        opened.disable("disabled")
        opened.destroy("ended")
    older = "and older versions are not used again"

    said = [
        (
            f"compromised in store 'file': no version signs: version 1 is compromised, {older}; run "
            "`keywright rotate compromised`"
        ),
        (
            f"disabled in store 'file': no version signs: version 1 is disabled, {older}; run `keywright enable "
            f"disabled@1`, or run `keywright rotate disabled`"
        ),
        (
            "later in store 'file': no version signs: version 1 is announced and signs from 2027-01-02 "
            "12:00:00 UTC; wait until then, or run `keywright rotate later --activate-in 0s`"
        ),
    ]
    assert ring.findings() == said
    assert ring.findings({"ended": {}}) == [
        *said[:2],
        f"ended in store 'file': no version signs: version 1 is destroyed, {older}; run `keywright rotate ended`",
        said[2],
    ]


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
        "never in chain 'both': is declared as keys.never, but does not exist; run `keywright ensure never`",
        (
            "old in chain 'both': its rotation is overdue: version 1 was created at 2027-01-01T12:00:00Z, "
            "and keys.old.rotate_every is 90d; run `keywright rotate --due old`"
        ),
        (
            "old in chain 'both': old is in store 'file', and the chain 'both' writes to 'db'; move it with `keywright "
            "migrate --from file --to db old`, or pass --store file"
        ),
    ]
