"""`keywright doctor`: where all is well it finds nothing, whoever writes meanwhile; it changes nothing."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support import started
from support.rings import NOW, Ring

from keywright import Record
from keywright.errors import DamagedStoreError


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


def test_a_public_key_after_one_of_our_own(ring: Ring) -> None:
    """Who may write to a store, and knows no passphrase, can add what needs none to be opened; it would verify."""
    ring.make("a", "stranger")
    with ring.open() as opened:
        opened.import_key("partner", opened.export("a"), public=True)
        info = opened.show("stranger").versions[0].info
        later = NOW + timedelta(days=1000)
        opened.open_store().writable.create(Record(replace(info, name="a", version=2, activates=later), None))

    (finding,) = ring.findings()
    assert finding == (
        "a@2 in store 'file': is a public key after one of our own, and no command puts one there; find out who did; "
        "destroy it, for this ring signed nothing that it verifies"
    )
    with ring.open() as opened:
        opened.destroy("a@2")
    assert ring.findings() == []
