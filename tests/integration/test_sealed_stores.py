"""Stores on disk with each of the seals, as a user has them and as someone who can write to the disk changes them."""

from __future__ import annotations

import sqlite3
from binascii import crc32
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from support import Keywright
from support.rings import writable

import keywright as library
from keywright.testing import assert_hidden

CHEAP = "memory = 19\ntime = 2\nlanes = 1\n"

SEALS = {
    "passphrase": ('passphrase = { file = "secret" }\n' + CHEAP, "correct horse", "correct horsf"),
    "master-key": ('key = { file = "secret" }\n', "a0" * 32, "a0" * 31 + "a1"),
}

STORES = {"file": "keys", "sqlite": "keys.db"}
SETTING = {"passphrase": "passphrase", "master-key": "key"}
SEED = library.Secret(bytes(range(0xA0, 0xC0)))
CANARY = library.Registry.load(["keytypes", "nix"])


def canary() -> library.Secret:
    """A Nix key whose seed is easy to find again."""
    key = CANARY.key_type("ed25519").validate(library.Key("ed25519", "canary-1", SEED))
    return CANARY.format("nix").encode_secret(key)


class Sealed(NamedTuple):
    """A sealed store that is configured in `home`: the backend's name and the seal's."""

    home: Path
    backend: str
    seal: str

    def refusal(self, reference: str) -> bytes:
        """What is said where the payload of a version does not open."""
        return (
            f"error: {reference} in store 'main': seals.master: seal {self.seal!r} does not open the payload: "
            f"wrong {SETTING[self.seal]}, or a modified record\nhint: set {SETTING[self.seal]} to the one "
            "in use, add the old one to previous, or restore the record\n"
        ).encode()

    @property
    def strangers_refusal(self) -> bytes:
        """What is said where nothing is sealed, for the master key opens nothing."""
        return (
            f"error: b@1 in store 'main': seals.master: seal {self.seal!r} does not open the keys in this "
            f"store: wrong {SETTING[self.seal]}, or damaged records\nhint: set {SETTING[self.seal]} to "
            "the one in use, or add it to previous, and run `keywright doctor`\n"
        ).encode()

    def configure(self, *, is_sealed: bool = True, more: str = "") -> None:
        """Write the configuration, with the seal or without it."""
        settings = f'[seals.master]\nseal = "{self.seal}"\n{SEALS[self.seal][0]}{more}' if is_sealed else ""
        (self.home / "keywright.toml").write_text(
            f'default_store = "main"\n[stores.main]\nbackend = "{self.backend}"\npath = "{STORES[self.backend]}"\n'
            + ('seal = "master"\n' if is_sealed else "")
            + settings
        )

    def write_secret(self, *, is_right: bool = True) -> None:
        """Put the right passphrase or key where the seal looks for it, or a wrong one."""
        (self.home / "secret").write_text(SEALS[self.seal][1 if is_right else 2] + "\n")
        (self.home / "secret").chmod(0o600)

    def records(self) -> dict[str, bytes]:
        """The records, by whatever names them on disk: metadata and payloads."""
        if self.backend == "sqlite":
            with sqlite3.connect(self.home / "keys.db") as connection:
                return {str(number): line.encode() for number, line in enumerate(connection.iterdump())}
        return {str(path): path.read_bytes() for path in (self.home / "keys").rglob("*") if path.is_file()}

    def payload(self, name: str, version: int) -> bytes:
        """The payload of a version as it stands on disk."""
        if self.backend == "file":
            return (self.home / "keys" / name / f"@{version}" / "key").read_bytes()
        query = "SELECT bytes FROM record, payload WHERE payload.id = payload AND name = ? AND version = ?"
        with sqlite3.connect(self.home / "keys.db") as connection:
            found: bytes = connection.execute(query, (name, version)).fetchone()[0]
        return found

    def put(self, name: str, version: int, payload: bytes) -> None:
        """Exchange a payload on disk, and the checksum that anybody can compute with it."""
        if self.backend == "file":
            directory = self.home / "keys" / name / f"@{version}"
            (directory / "key").write_bytes(payload)
            for old in directory.glob("crc32-*"):
                old.rename(directory / f"crc32-{crc32(payload):08x}")
            return
        check = crc32(payload, crc32(f"{name}@{version}".encode())).to_bytes(4)
        where = "id = (SELECT payload FROM record WHERE name = ? AND version = ?)"
        with sqlite3.connect(self.home / "keys.db") as connection:
            connection.execute(
                f"UPDATE payload SET bytes = ?, crc32 = ? WHERE {where}", (payload, check, name, version)
            )


@pytest.fixture(params=[(store, seal) for store in STORES for seal in SEALS], ids="-".join)
def sealed(request: pytest.FixtureRequest, home: Path) -> Sealed:
    """Each kind of store with each seal, empty."""
    sealed = Sealed(home, *request.param)
    sealed.configure()
    sealed.write_secret()
    return sealed


def test_keys_are_used_as_ever(sealed: Sealed, keywright: Keywright) -> None:
    """Generating, signing, verifying, rotating, exporting and destroying work as without a seal."""
    assert keywright("generate", "a").stdout == b"a@1\n"
    signature = keywright("sign", "a", input=b"message").stdout.strip().decode()
    assert keywright("verify", "a", "--signature", signature, input=b"message").returncode == 0
    assert keywright("rotate", "a").stdout == b"a@2\n"
    assert keywright("export", "a@1", "--secret").stdout.startswith(b"a-1:")
    assert keywright("destroy", "a@1", "--yes").returncode == 0
    assert keywright("sign", "a", input=b"message").returncode == 0
    assert keywright("doctor").returncode == 0
    assert keywright("rewrap").stdout == b"rewrapped 0, current 2\n"


def test_no_file_of_the_store_shows_a_secret(sealed: Sealed, keywright: Keywright) -> None:
    """After import, rotation and a change of metadata, no file next to the configuration holds the key."""
    assert keywright("import", "canary", "--format", "nix", input=canary().reveal()).returncode == 0
    assert keywright("label", "canary@1", "team=infra").returncode == 0
    assert keywright("rotate", "canary").returncode == 0
    written = [path for path in sealed.home.rglob("*") if path.is_file()]

    assert any(b"keywright-sealed-1:" + sealed.seal.encode() in path.read_bytes() for path in written)
    for path in written:
        assert_hidden(SEED, path.read_bytes())
    assert keywright("export", "canary@1", "--secret").stdout == canary().reveal()


def test_a_wrong_master_key_opens_and_changes_nothing(sealed: Sealed, keywright: Keywright) -> None:
    """With another passphrase or key, reading and writing exit 6, and the store stays as it was."""
    assert keywright("generate", "a").returncode == 0
    before = sealed.records()
    sealed.write_secret(is_right=False)

    for command in (("sign", "a"), ("export", "a", "--secret"), ("rotate", "a")):
        done = keywright(*command, input=b"message")
        assert (done.returncode, done.stdout) == (6, b"")
    assert keywright("sign", "a").stderr == sealed.refusal("a@1")
    made = keywright("generate", "b")
    assert (made.returncode, made.stdout) == (6, b"")
    assert made.stderr == sealed.strangers_refusal
    assert sealed.records() == before
    sealed.write_secret()
    assert keywright("sign", "a", input=b"message").returncode == 0


@pytest.mark.parametrize("target", [("a", 2), ("b", 1)], ids=["another version", "another name"])
def test_a_payload_moved_by_hand_is_refused(sealed: Sealed, keywright: Keywright, target: tuple[str, int]) -> None:
    """A payload that is put into another record on disk does not open there; its own record is as it was."""
    for command in (("generate", "a"), ("rotate", "a"), ("generate", "b")):
        assert keywright(*command).returncode == 0
    sealed.put(*target, sealed.payload("a", 1))

    done = keywright("sign", target[0], input=b"message")

    refusal = sealed.refusal(f"{target[0]}@{target[1]}")
    assert (done.returncode, done.stdout, done.stderr) == (6, b"", refusal)
    assert keywright("export", "a@1", "--secret").returncode == 0


@pytest.mark.parametrize("change", [{"name": "c"}, {"version": 2}, {"kid": "b-1"}], ids=["name", "version", "kid"])
def test_a_record_moved_whole_is_refused(sealed: Sealed, keywright: Keywright, change: dict[str, object]) -> None:
    """A record with all that belongs to it, under another name, version or kid, does not open there."""
    assert keywright("generate", "a").returncode == 0
    sealed.configure(is_sealed=False)
    with library.open(sealed.home / "keywright.toml") as ring:
        store = writable(ring)
        record = store.get("a", 1)
        info = replace(record.info, **{"name": "moved", "revision": library.Revision(""), **change})  # type: ignore[arg-type]  # (of the fields' own types)
        info = replace(info, name="a") if "version" in change else info
        store.create(library.Record(info, record.payload))
    sealed.configure()

    done = keywright("sign", info.reference, input=b"message")

    assert (done.returncode, done.stdout, done.stderr) == (6, b"", sealed.refusal(info.reference))
    assert keywright("export", "a@1", "--secret").returncode == 0


def test_a_changed_payload_is_refused(sealed: Sealed, keywright: Keywright) -> None:
    """A bit flipped on disk, in the header or in the key, makes a record that does not open."""
    assert keywright("generate", "a").returncode == 0
    payload = sealed.payload("a", 1)
    start = payload.index(b"\n") + 1

    for at in (start, start + 25, start + 60, len(payload) - 20):
        sealed.put("a", 1, payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :])
        done = keywright("sign", "a", input=b"message")
        assert (done.returncode, done.stdout, done.stderr) == (6, b"", sealed.refusal("a@1"))


def test_a_key_put_there_unsealed_is_refused(sealed: Sealed, keywright: Keywright) -> None:
    """An unsealed payload, in the place of a sealed one or as a record of its own, is not trusted."""
    for name in ("a", "planted"):
        assert keywright("generate", name).returncode == 0
    for name in ("a", "planted"):
        sealed.put(name, 1, canary().reveal())

    for name in ("a", "planted"):
        done = keywright("sign", name, input=b"message")
        assert (done.returncode, done.stdout) == (6, b"")
        assert done.stderr.decode() == (
            f"error: {name}@1 is not sealed, though store 'main' has a seal, so it is not trusted\nhint: move it "
            "in "
            "with `keywright migrate` from a store without a seal\n"
        )


def test_a_record_put_back_whole_is_not_detected(sealed: Sealed, keywright: Keywright) -> None:
    """What the guide says is not detected: an older copy of the same version opens, with the older master key alone."""
    assert keywright("generate", "a").returncode == 0
    old = sealed.payload("a", 1)
    sealed.write_secret(is_right=False)
    (sealed.home / "old").write_text(SEALS[sealed.seal][1] + "\n")
    sealed.configure(more='previous = [{ file = "old" }]\n')
    assert keywright("generate", "b").returncode == 0
    assert keywright("rewrap").stdout == b"rewrapped 1, current 1\n"

    sealed.put("a", 1, old)

    assert keywright("sign", "a", input=b"message").returncode == 0
    sealed.configure()
    assert keywright("export", "b@1", "--secret").returncode == 0
    assert keywright("export", "a@1", "--secret").returncode == 6


def test_a_master_key_changes_twice(sealed: Sealed, keywright: Keywright) -> None:
    """`previous` is a list: keys under any of several master keys open, and are sealed again at once."""
    older = {"passphrase": "orbit maple", "master-key": "b1" * 32}[sealed.seal]
    (sealed.home / "secret").write_text(older + "\n")
    assert keywright("generate", "a").returncode == 0
    sealed.write_secret()
    (sealed.home / "older").write_text(older + "\n")
    sealed.configure(more='previous = [{ file = "older" }]\n')
    assert keywright("generate", "b").returncode == 0
    sealed.write_secret(is_right=False)
    sealed.configure(more='previous = [{ env = "OLD" }, { file = "older" }]\n')
    old = {"OLD": SEALS[sealed.seal][1]}

    assert keywright("rewrap", env=old).stdout == b"rewrapped 2, current 0\n"
    shown = keywright("config", "show").stdout.decode()

    assert 'seals.master.previous = [{ "env" = "OLD" }, { "file" = "older" }]  # ' in shown
    sealed.configure()
    for name in ("a", "b"):
        assert keywright("export", name, "--secret").returncode == 0


@pytest.mark.parametrize("secret", ["missing", "wrong"])
def test_what_needs_no_secret_asks_for_none(sealed: Sealed, keywright: Keywright, secret: str) -> None:
    """Without the master key, or with a wrong one, lists, public halves and labels work; what needs it says which."""
    assert keywright("generate", "a", "--label", "team=infra").returncode == 0
    if secret == "missing":
        (sealed.home / "secret").unlink()
    else:
        sealed.write_secret(is_right=False)

    assert keywright("list").stdout.startswith(b"a@1")
    assert keywright("export", "a").stdout.startswith(b"a-1:")
    for command in (("show", "a"), ("label", "a@1", "team=web"), ("disable", "a@1")):
        assert keywright(*command).returncode == 0
    done = keywright("export", "a@1", "--secret")
    assert (done.returncode, done.stdout) == (6 if secret == "wrong" else 2, b"")
    if secret == "missing":
        assert done.stderr.decode() == (
            f"error: {sealed.home}/keywright.toml: seals.master.{SETTING[sealed.seal]} points to a file in "
            f"{sealed.home}, which cannot be read (No such file or directory)\nhint: check the path\n"
        )


def test_processes_share_the_salt_of_a_store(home: Path, keywright: Keywright) -> None:
    """Keys of several processes under one passphrase have one salt, so that reading them all stretches it once."""
    sealed = Sealed(home, "sqlite", "passphrase")
    sealed.configure()
    sealed.write_secret()

    for name in ("a", "b", "c"):
        assert keywright("generate", name).returncode == 0

    salts = {sealed.payload(name, 1).partition(b"\n")[2][6:22] for name in ("a", "b", "c")}
    assert len(salts) == 1
