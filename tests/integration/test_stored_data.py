"""What earlier versions wrote is read, verified, rotated, rewrapped, migrated and examined (`tests/fixtures`)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fixtures.make import describe, subjects, use_environment
from support import COMMAND

import keywright
from keywright import KeyRing
from keywright.errors import (
    ExpiredTokenError,
    InvalidSignatureError,
    NotExportableError,
    PolicyError,
    ReadOnlyStoreError,
    SealError,
)
from keywright_jose import jwe_decrypt, list_api_keys, verify, verify_api_key
from keywright_nix import NarInfo

WRITTEN = sorted((Path(__file__).parents[1] / "fixtures").glob("v*"))
SEALED = ("files-argon2", "files-master", "db-scrypt", "db-master")
WRITABLE = ("files", "db", *SEALED)
# Each store once as the source, and each once as the target.
MIGRATIONS = {
    "files": "db-master",
    "db": "files-argon2",
    "files-argon2": "files",
    "files-master": "db",
    "db-scrypt": "files-master",
    "db-master": "db-scrypt",
}


class Written(NamedTuple):
    """A copy of what one version wrote."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "keywright.toml"

    def document(self, name: str) -> Any:
        return json.loads((self.root / name).read_bytes())

    def ring(self, *, profile: str | None = None, store: str | None = None) -> KeyRing:
        """A ring whose clock shows the time that `expected.json` was written for."""
        now = datetime.fromisoformat(self.document("expected.json")["now"])
        return keywright.open(str(self.config), profile=profile, store=store, clock=lambda: now)

    def without(self, *tables: str) -> None:
        """Take tables, or lines that start so, out of the configuration."""
        parts = self.config.read_text().split("\n\n")
        kept = [part for part in parts if not part.startswith(tables)]
        lines = "\n\n".join(kept).splitlines()
        self.config.write_text("\n".join(line for line in lines if not line.startswith(tables)))

    def command(self, *arguments: str, code: int = 0) -> bytes:
        """Stdout of `keywright ARGUMENTS`, which exits with `code`."""
        done = subprocess.run(
            [COMMAND, *arguments, "--config", str(self.config)], cwd=self.root, capture_output=True, timeout=60
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(params=WRITTEN, ids=lambda path: path.name)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Written]:
    root = tmp_path / "written"
    shutil.copytree(request.param, root)
    for path in (root, *root.rglob("*")):  # git keeps no permissions
        path.chmod(0o700 if path.is_dir() else 0o600)
    one = Written(root)
    with use_environment(root, one.document("environment.json")):
        yield one


def test_every_record_is_read(written: Written) -> None:
    """Kids, public halves, secrets, attributes, states, times, labels and phases are what they were."""
    expected = written.document("expected.json")["stores"]

    with written.ring() as ring:
        found = {store: describe(ring, store) for store in expected}
        listed = {store: list(ring.names(store=store)) for store in expected}
        unlisted = ring.load("ci/unlisted", store="ci")

    for store, names in expected.items():
        assert found[store] == names, store
        assert sorted(names, key=str.encode) == listed[store]
    assert (unlisted.type, unlisted.kid) == ("oct", "hmac by hand")


def test_profiles_and_chains_find_what_they_found(written: Written) -> None:
    """A profile chooses another store, and a chain asks its stores in their order."""
    expected = written.document("expected.json")["stores"]

    with written.ring(profile="ci") as ring:
        assert list(ring.names()) == list(expected["ci"])
    with written.ring(profile="sealed") as ring:
        assert set(ring.names()) == set(expected["db-master"])
    with written.ring(store="both") as ring:
        assert set(ring.names()) == set(expected["ci"]) | set(expected["files"])
        ring.label("files/web", {"by": "chain"})
        with pytest.raises(ReadOnlyStoreError):
            ring.label("ci/jwt", {"by": "chain"})
    with written.ring() as ring:
        assert ring.show("files/web", store="files").versions[0].info.labels == {"by": "chain"}


def test_signatures_still_verify(written: Written) -> None:
    """A signature and a token hold as long as the version that made them may verify, and never of another message."""
    message = (written.root / "message").read_bytes()
    stores = written.document("expected.json")["stores"]
    seen = set()

    with written.ring() as ring:
        for made in written.document("tokens.json")["signatures"]:
            reference, store = f"{made['name']}@{made['version']}", made["store"]
            signature = base64.b64decode(made["signature"])
            phase = stores[store][made["name"]][made["version"] - 1]["phase"]
            seen.add((made["algorithm"], phase))
            if phase not in ("signing", "verifying"):
                with pytest.raises(PolicyError):
                    ring.verify(reference, message, signature, store=store)
                continue

            assert ring.verify(made["name"], message, signature, store=store).reference == reference
            with pytest.raises(InvalidSignatureError):
                ring.verify(reference, message + b".", signature, store=store)
            if "jws" in made:
                token = verify(made["jws"], ring.verifier(made["name"], store=store))
                assert token.payload == b'{"sub":"%s"}' % reference.encode()

    assert {algorithm for algorithm, phase in seen if phase == "signing"} >= {
        *("EdDSA", "ES256", "ES384", "ES512", "RS256", "PS256", "HS256", "HS512"),
    }
    assert {"signing", "verifying", "retired", "expired", "disabled", "compromised", "destroyed"} == {
        phase for _, phase in seen
    }


def test_encrypted_tokens_are_still_decrypted(written: Written) -> None:
    """A JWE is decrypted by its version, also where that is no more the primary."""
    message = (written.root / "message").read_bytes()

    with written.ring() as ring:
        for made in written.document("tokens.json")["encrypted"]:
            algorithms = {name: made[name] for name in ("key_algorithm", "content_algorithm")}
            found = jwe_decrypt(made["jwe"], ring.decrypter(made["name"], store=made["store"]), **algorithms)
            assert found.plaintext.reveal() == message
            assert found.reference == f"{made['name']}@{made['version']}"


def test_api_keys_are_still_good_or_not(written: Written) -> None:
    """An API key that was active is good with its labels, one that ended or was revoked is not."""
    refused = {"expired": ExpiredTokenError, "revoked": InvalidSignatureError}

    for made in written.document("tokens.json")["api_keys"]:
        with written.ring(store=made["store"]) as ring:
            assert {one.key_id: one.status for one in list_api_keys(ring)}[made["key_id"]] == made["status"]
            if made["status"] == "active":
                assert verify_api_key(ring, made["api_key"]).labels == {"user_id": "7"}
                continue
            with pytest.raises(refused[made["status"]]):
                verify_api_key(ring, made["api_key"])


def test_a_signed_narinfo_is_still_good(written: Written) -> None:
    """The signature in the cache is valid, and the version that made it makes the same again."""
    (path,) = (written.root / "cache").glob("*.narinfo")
    narinfo = NarInfo.parse(path.read_bytes())

    with written.ring() as ring:
        trusted = [ring.export(f"files/cache.example.org@{number}").decode() for number in (1, 2, 3)]
        again = base64.b64encode(ring.sign("files/cache.example.org", narinfo.fingerprint())).decode()

    assert narinfo.verify(trusted) == {"cache.example.org-2"}
    assert narinfo.signatures == (f"cache.example.org-2:{again}",)


@pytest.mark.parametrize("store", WRITABLE)
def test_keys_are_rotated(written: Written, store: str) -> None:
    """Each key of our own gets a next version, which signs; what was there stays as it was."""
    with written.ring() as ring:
        before = describe(ring, store)
        ours = [
            name
            for name, versions in before.items()
            if not name.startswith("api-keys/")
            and "partner" not in name
            and not name.endswith("/guarded")
            and versions[-1]["phase"] in ("signing", "announced")
        ]
        for name in ours:
            info = ring.rotate(name, kid="next", overlap=timedelta(days=1), activate_in=timedelta(0), store=store)
            assert info.version == len(before[name]) + 1
        after = describe(ring, store)

    assert len(ours) >= (3 if store in SEALED else 10)
    for name, versions in before.items():
        stays = ("secret_sha256", "public", "kid", "state", "reason", "created", "labels")
        kept = [{member: version[member] for member in stays} for version in after[name][: len(versions)]]
        assert kept == [{member: version[member] for member in stays} for version in versions], name
        if name in ours:
            assert (after[name][-1]["phase"], after[name][-1]["kid"]) == ("signing", "next")


@pytest.mark.parametrize("store", SEALED)
def test_sealed_stores_are_rewrapped(written: Written, store: str) -> None:
    """What the older master key sealed is sealed with the newer, and then opens without the older."""
    with written.ring() as ring:
        before = describe(ring, store)
        results = list(ring.rewrap(store=store))
        again = list(ring.rewrap(store=store))

    assert not any(one.error for one in (*results, *again))
    changed = {one.reference for one in results if one.is_changed}
    assert changed == {f"{store}/{reference}" for reference in ("box@1", "cache.example.org@1", "jwt@1")}
    assert not any(one.is_changed for one in again)
    written.without("previous")
    with written.ring() as ring:
        assert describe(ring, store) == before


@pytest.mark.parametrize("store", SEALED)
def test_what_the_older_master_key_sealed_needs_it(written: Written, store: str) -> None:
    """Without `previous` the older half is refused, and nothing is guessed; the newer half opens."""
    written.without("previous")

    with written.ring() as ring:
        with pytest.raises(SealError):
            ring.load(f"{store}/cache.example.org@1", store=store)
        assert ring.load(f"{store}/cache.example.org@2", store=store).secret is not None


@pytest.mark.parametrize(("source", "target"), MIGRATIONS.items(), ids=MIGRATIONS)
def test_stores_are_migrated(written: Written, source: str, target: str) -> None:
    """All versions, tombstones and public keys move to another store, and are there what they were."""
    written.without("[plugin.policy]")

    with written.ring() as ring:
        moving, staying = describe(ring, source), describe(ring, target)
        results = list(ring.migrate(from_=source, to=target, delete_source=True, allow_referenced=True))
        assert {one.outcome for one in results} == {"copied", "removed"}
        assert not any(one.error for one in results)
        assert describe(ring, source) == {}
        assert describe(ring, target) == {**moving, **staying}


def test_the_policy_refuses_what_it_refused(written: Written) -> None:
    """Size, seal, export and operation: each rule of the configuration is still asked."""
    with written.ring() as ring:
        with pytest.raises(PolicyError, match="256"):
            ring.generate("files/short", type="oct", bits=128)
        with pytest.raises(PolicyError):
            ring.generate("db-master/new", store="files")
        with pytest.raises(PolicyError):
            ring.export("files/guarded", secret=True)
        with pytest.raises(PolicyError):
            ring.rotate("files/guarded")
        with pytest.raises(NotExportableError):
            ring.export("files/partner-nix", secret=True)
        assert ring.label("files/guarded", {"seen": "yes"}).labels == {"seen": "yes"}
        assert ring.generate("files/guarded-too", format="nix").version == 1


def test_declared_keys_are_made_and_rotated_as_declared(written: Written) -> None:
    """`[keys.…]` tables of then say today what is made, when it is due, and as what."""
    with written.ring() as ring:
        assert [info.reference for info in ring.ensure()] == ["files/never-made@1"]
        (due,) = ring.rotate_due()
        assert due.error is None
        assert due.made is not None
        assert (due.made.reference, due.made.kid, due.made.labels) == (
            "files/declared@2",
            "declared.2",
            {"team": "web"},
        )
        assert due.made.overlap == timedelta(days=7)
        assert ring.load("files/declared").attributes == {
            "use": "sig",
            "alg": "HS512",
            "key_ops": ["sign", "verify"],
        }


def test_doctor_finds_what_it_found(written: Written) -> None:
    """Expired, disabled, overdue and never-made keys are found; the stores themselves have no fault."""
    with written.ring() as ring:
        assert subjects(ring, written.root) == written.document("expected.json")["doctor"]


def test_the_log_goes_on(written: Written) -> None:
    """The log verifies up to the head that was recorded, is appended to, and shows what is done to it."""
    audit = written.document("expected.json")["audit"]
    log = written.root / "log/audit.jsonl"
    before = log.read_bytes()

    written.command("audit", "verify", "--expect", audit["head"])
    with written.ring() as ring:
        ring.label("files/web", {"logged": "today"})

    lines = log.read_bytes().splitlines()
    assert log.read_bytes().startswith(before)
    assert len(lines) == audit["lines"] + 2
    assert json.loads(lines[-2])["previous"] == audit["head"]
    written.command("audit", "verify", "--expect", audit["head"])
    log.write_bytes(log.read_bytes().replace(b'"version":1', b'"version":3', 1))
    written.command("audit", "verify", code=1)


def test_the_command_line_takes_the_configuration(written: Written) -> None:
    """`config check`, `list`, `verify`, `rotate` and `doctor` work on what an earlier version left."""
    (made,) = [
        one
        for one in written.document("tokens.json")["signatures"]
        if (one["name"], one["version"]) == ("db/cache.example.org", 2)
    ]
    written.command("config", "check", "-q")
    initial = [COMMAND, "config", "check", "-q", "--config", "init.toml"]
    subprocess.run(initial, cwd=written.root, check=True, timeout=60)
    listed = written.command("list", "--json", "--store", "db-scrypt").splitlines()
    verified = written.command(
        "verify", "db/cache.example.org", "--signature", made["signature"], "message", "--store", "db"
    )
    rotated = written.command("rotate", "files-master/jwt", "--store", "files-master")
    found = json.loads(written.command("doctor", "--json", code=1))

    names = written.document("expected.json")["stores"]["db-scrypt"]
    assert [json.loads(line)["name"] for line in listed] == sorted(names)
    assert verified == b"db/cache.example.org@2\n"
    assert rotated == b"files-master/jwt@2\n"
    assert "files/never-made in store 'files'" in {one["subject"] for one in found["problems"]}
