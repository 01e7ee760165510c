"""The JWK Set of a ring: what is published and what never is; the command, and the file that it keeps up to date."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import jwcrypto.jwk  # type: ignore[import-untyped]  # it ships no types
import jwcrypto.jws  # type: ignore[import-untyped]  # as above
import pytest
from jose_support import Clock, assert_nothing_shows, hide, public, refusal, refused, roca_modulus, rsa_key
from joserfc import jws as joserfc_jws
from joserfc.jwk import KeySet
from support.errors import text_of

from keywright import Attributes, KeyRing, Secret, WritableStore
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    DurabilityError,
    InvalidKeyError,
    InvalidNameError,
    InvalidSignatureError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    PolicyError,
    StoreUnavailableError,
    UnsupportedKeyError,
)
from keywright.testing import assert_hidden
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, jwks, signer, verify
from keywright_jose.cli.published_set import check_published, write_public
from keywright_jose.jwk.set import public_keys

DAY = timedelta(days=1)
TYPES = {
    "ec-p256": "ES256", "ec-p384": "ES384", "ec-p521": "ES512", "ed25519": "EdDSA", "rsa": "PS256",
}  # fmt: skip


def generate(ring: KeyRing, name: str, **options: Any) -> None:
    ring.generate(name, **{"type": "ed25519", "format": "jwk", **options})


def kids(ring: KeyRing, *names: str) -> list[object]:
    return [key["kid"] for key in jwks(ring, names)["keys"]]


def references(ring: KeyRing, *names: str) -> list[str]:
    return [key.reference for key in public_keys(ring, names, report=print)]


def members(ring: KeyRing, name: str) -> dict[str, object]:
    (key,) = jwks(ring, [name])["keys"]
    return key


def test_the_members_of_a_key(ring: KeyRing) -> None:
    generate(ring, "jwt", type="ec-p256", kid="one")
    exported = json.loads(ring.export("jwt"))

    assert members(ring, "jwt") == {
        "kty": "EC", "crv": "P-256", "x": exported["x"], "y": exported["y"],
        "kid": "one", "use": "sig", "alg": "ES256",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("type", "attributes", "use", "alg"),
    [
        pytest.param("ec-p384", {}, "sig", "ES384", id="a default"),
        pytest.param("rsa", {}, "sig", "PS256", id="the default of RSA"),
        pytest.param("rsa", {"alg": "RS256"}, "sig", "RS256", id="its own alg"),
        pytest.param("ed25519", {"alg": "Ed25519", "use": "sig"}, "sig", "Ed25519", id="its own both"),
        pytest.param("x25519", {}, "enc", None, id="cannot sign"),
        pytest.param("x25519", {"alg": "ECDH-ES"}, "enc", "ECDH-ES", id="cannot sign, its own alg"),
        pytest.param("ec-p256", {"use": "enc"}, "enc", None, id="could sign, for encryption"),
        pytest.param("ec-p256", {"alg": "ECDH-ES+A128KW"}, "enc", "ECDH-ES+A128KW", id="an alg of encryption"),
        pytest.param("rsa", {"alg": "RSA-OAEP-256"}, "enc", "RSA-OAEP-256", id="an alg of encryption, RSA"),
        pytest.param("rsa", {"alg": "RS1"}, None, "RS1", id="an alg that is not signed with here"),
        pytest.param("ec-p256", {"alg": "house"}, None, "house", id="an alg that no one registered"),
        pytest.param("ec-p256", {"key_ops": ["sign"]}, "sig", "ES256", id="key_ops of signing"),
        pytest.param("ec-p256", {"key_ops": ["deriveBits"]}, "enc", None, id="key_ops of agreement"),
        pytest.param("rsa", {"key_ops": ["sign", "decrypt"]}, None, None, id="key_ops of both"),
    ],
)
def test_use_and_alg(ring: KeyRing, type: str, attributes: dict[str, object], use: str | None, alg: str | None) -> None:
    """The key's own go first; what is left open follows from the others, or stays open where they disagree."""
    generate(ring, "key", type=type, attributes=attributes)

    found = members(ring, "key")

    assert (found.get("use"), found.get("alg")) == (use, alg)
    assert "sign" not in json.dumps(found.get("key_ops"))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # joserfc's opinion of the name
@pytest.mark.parametrize("type", TYPES)
def test_the_set_verifies_with_all(ring: KeyRing, type: str) -> None:
    generate(ring, "jwt", type=type)
    ring.rotate("jwt")
    generate(ring, "other", type="ec-p256")
    generate(ring, "agree", type="x25519")
    token = signer(ring.signer("jwt")).sign({"sub": "7"})
    published: Any = jwks(ring)  # joserfc has a type of its own for it
    text = json.dumps(published)

    found = verify(token, published)
    theirs = joserfc_jws.deserialize_compact(token, KeySet.import_key_set(published), algorithms=[TYPES[type]])
    third = jwcrypto.jws.JWS()
    third.deserialize(token)
    third.verify(jwcrypto.jwk.JWKSet.from_json(text).get_key(found.kid))

    assert found.payload == theirs.payload == third.payload == b'{"sub":"7"}'
    assert found.kid == ring.signer("jwt").kid
    assert refused(verify, token[:-8] + "AAAAAAAA", published)[0] is InvalidSignatureError


def test_which_versions(ring: KeyRing, clock: Clock) -> None:
    generate(ring, "jwt")
    ring.rotate("jwt", overlap=DAY)  # 1 is retired in a day
    ring.rotate("jwt")  # 2 goes on verifying
    ring.rotate("jwt", expires=clock.now + DAY)  # 4 expires
    for change in (ring.disable, ring.compromise, ring.destroy):
        made = ring.rotate("jwt", activate_in=30 * DAY, attributes={})
        change(made.reference)
    ring.rotate("jwt", activate_in=20 * DAY, attributes={})

    before = references(ring, "jwt")
    clock.now += DAY
    after = references(ring, "jwt")

    assert before == ["jwt@1", "jwt@2", "jwt@3", "jwt@4", "jwt@8"]
    assert after == ["jwt@2", "jwt@3", "jwt@8"]


def test_the_order(ring: KeyRing) -> None:
    """By name, then oldest first, however it is asked; what is asked twice is there once."""
    for name in ("b", "a-1", "a/1", "c"):
        generate(ring, name)
    ring.rotate("b")

    assert references(ring) == ["a-1@1", "a/1@1", "b@1", "b@2", "c@1"]
    assert references(ring, "c", "b", "a/1", "b") == ["a/1@1", "b@1", "b@2", "c@1"]
    assert kids(ring, "c", "b") == kids(ring, "b", "c")


def test_without_names(ring: KeyRing) -> None:
    """All asymmetric keys of the format jwk; what is left out is told, but for keys that have ended."""
    told: list[str] = []
    generate(ring, "jwt")
    ring.generate("cache.example.org")
    ring.generate("gone.example.org")
    ring.disable("gone.example.org")
    for name in ("session", "cookie", "ended"):
        ring.generate(name, type="oct")
    ring.destroy("ended")

    found = public_keys(ring, (), report=told.append)

    assert [key.reference for key in found] == ["jwt@1"]
    assert told == [
        "symmetric keys left out: 2; they cannot be published",
        "keys of other formats left out: 1; name one to publish it",
    ]


def test_a_key_of_another_format_by_name(ring: KeyRing) -> None:
    """Asked for by name, a Nix key is published as the JWK that it is."""
    ring.generate("cache.example.org")

    found = members(ring, "cache.example.org")

    assert (found["kid"], found["kty"], found["use"], found["alg"]) == ("cache.example.org-1", "OKP", "sig", "EdDSA")


def test_nothing_secret_gets_out(ring: KeyRing) -> None:
    """No secret half, no member that no one knows, no symmetric key: neither when it works nor in a refusal."""
    canary = "canary-" + "q7Z3v9" * 4
    secrets = [Secret(canary.encode())]
    for type in (*TYPES, "x25519", "oct"):
        generate(ring, type, type=type, attributes={"hidden": canary, "key_ops": ["sign"]} if type in TYPES else {})
        jwk = json.loads(ring.export(type, secret=True).reveal())
        secrets += [
            Secret(urlsafe_b64decode(jwk[member] + "==")) for member in ("d", "p", "q", "dp", "dq", "qi", "k")
            if member in jwk
        ]  # fmt: skip

    shown = [json.dumps(jwks(ring)), *(json.dumps(jwks(ring, [type])) for type in (*TYPES, "x25519"))]
    shown += [repr(public_keys(ring, (), report=shown.append)), refused(jwks, ring, ["oct"])[1]]

    assert len(secrets) == 13
    for secret in secrets:
        for text in shown:
            assert_hidden(secret, text)


def test_no_payload_is_opened(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(ring, "jwt")
    store = ring.open_store()
    monkeypatch.setattr(store, "get", None)

    assert len(jwks(ring)["keys"]) == 1


def test_certificates_are_public(ring: KeyRing) -> None:
    jwk = {**create_curve_key("Ed25519"), "x5u": "https://example.org/chain.pem", "kid": "c", "mine": 7}
    ring.import_key("jwt", json.dumps(jwk).encode())

    assert members(ring, "jwt")["x5u"] == "https://example.org/chain.pem"
    assert "mine" not in members(ring, "jwt")


def test_a_weak_key(ring: KeyRing) -> None:
    """A key for which anyone who verifies would refuse the whole set is refused before."""
    ring.import_key("weak", hide(rsa_key(roca_modulus(2048))), format="jwk", public=True)

    message = (
        "weak@1 cannot be published: the RSA key was generated by a faulty chip and can be factored "
        "(CVE-2017-15361); create a new key on other hardware"
    )
    assert refused(jwks, ring, ["weak"]) == (InvalidKeyError, message)
    assert refused(jwks, ring) == (InvalidKeyError, message)


def test_symmetric(ring: KeyRing) -> None:
    ring.generate("session", type="oct")

    assert refused(jwks, ring, ["session"]) == (
        UnsupportedKeyError,
        "session@1 is a symmetric key, which is never published; sign with an asymmetric key",
    )


def test_no_version_verifies(ring: KeyRing) -> None:
    generate(ring, "jwt")
    ring.disable("jwt")

    assert refused(jwks, ring, ["jwt"]) == (
        PolicyError,
        "no version of jwt verifies now, so there is nothing to publish; create one with `keywright rotate jwt`",
    )


def test_one_kid_twice(ring: KeyRing) -> None:
    generate(ring, "a", kid="same")
    generate(ring, "b", kid="same")

    message = "a@1 and b@1 have the same kid, so verifiers could not tell them apart; publish one of them, by its name"
    assert refused(jwks, ring) == (PolicyError, message)
    assert refused(jwks, ring, ["b", "a"]) == (PolicyError, message)
    assert kids(ring, "a") == ["same"]


NO_KEY = (
    "the store has no asymmetric JWK that verifies now; create one with `keywright generate NAME --type ec-p256 "
    "--format jwk`, or pass --store"
)
NO_LIST = "names must be a list of key names; for a single key pass a list of one"


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [([], KeyNotFoundError, NO_KEY), ("jwt", ConfigError, NO_LIST), (None, ConfigError, NO_LIST),
     ([7], ConfigError, NO_LIST)],
    ids=["none in the store", "a text", "nothing", "a number"],
)  # fmt: skip
def test_refusals(ring: KeyRing, names: Any, kind: type[KeywrightError], message: str) -> None:
    ring.generate("session", type="oct")

    assert refused(jwks, ring, names) == (kind, message)


def test_names_are_names(ring: KeyRing) -> None:
    assert refused(jwks, ring, ["../jwt"])[0] is InvalidNameError
    assert refused(jwks, ring, ["jwt@1"])[0] is InvalidNameError
    assert refused(jwks, ring, ["jwt"])[0] is KeyNotFoundError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"kid": ""}, "odd@1 has no kid, so tokens cannot refer to it; import it with --kid", id="no kid"),
        pytest.param(
            {"attributes": Attributes({"use": 7})},
            (
                "odd@1 cannot be published: the JWK member use must be text that is not empty; change that "
                "member, or remove it"
            ),
            id="what no JWK can say",
        ),
    ],
)
def test_records_that_cannot_be_published(ring: KeyRing, changes: dict[str, Any], message: str) -> None:
    generate(ring, "jwt")
    store = cast(WritableStore, ring.open_store())
    record = store.get("jwt", 1)
    store.create(replace(record, info=replace(record.info, name="odd", **changes)))

    assert refused(jwks, ring, ["odd"]) == (UnsupportedKeyError, message)


Run = Callable[..., tuple[str, str]]

OLD = b'{"keys":[]}\n'
NEW = b'{"keys":["new"]}\n'


@pytest.fixture
def jwt_ring(ring: KeyRing) -> KeyRing:
    """A ring over a store in memory, with one key for tokens."""
    ring.generate("jwt", type="ec-p256")
    return ring


@pytest.fixture
def run(jwt_ring: KeyRing, command: Callable[..., Any]) -> Run:
    def run_command(*arguments: str, **options: Any) -> tuple[str, str]:
        code, out, err = command("jwks", *arguments, ring=jwt_ring, **options)
        assert code == 0
        return out.decode(), err.decode()

    return run_command


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_prints_the_set(jwt_ring: KeyRing, run: Run) -> None:
    out, err = run()

    assert out.count("\n") == 1
    assert json.loads(out) == jwks(jwt_ring)
    assert err == ""
    assert run("jwt") == run("-o", "-") == run(as_json=True) == (out, "")


def test_it_tells_what_it_left_out(jwt_ring: KeyRing, run: Run) -> None:
    """A note on stderr, unless names or quiet were asked for."""
    jwt_ring.generate("session", type="oct")
    jwt_ring.generate("cache.example.org")

    assert run()[1] == (
        "symmetric keys left out: 1; they cannot be published\nkeys of other formats left out: 1; name one "
        "to publish it\n"
    )
    assert run(quiet=True)[1] == run("jwt")[1] == ""


def test_a_file_is_kept_up_to_date(jwt_ring: KeyRing, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"

    made = run("-o", str(path), as_json=True)
    before = path.stat()
    again = run("-o", str(path), as_json=True)
    after = path.stat()
    jwt_ring.rotate("jwt")
    changed = run("-o", str(path), as_json=True)

    assert json.loads(made[0]) == {"output": str(path), "changed": True, "references": ["jwt@1"]}
    assert json.loads(again[0]) == {"output": str(path), "changed": False, "references": ["jwt@1"]}
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert json.loads(changed[0]) == {"output": str(path), "changed": True, "references": ["jwt@1", "jwt@2"]}
    assert json.loads(path.read_bytes()) == jwks(jwt_ring)
    assert run("-o", str(path)) == ("", "")


def test_no_key_leaves_the_file_as_it_was(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(OLD)

    assert refused(run, "other", "-o", str(path))[0] is KeyNotFoundError
    assert path.read_bytes() == OLD


def test_a_file_that_is_no_set_is_not_replaced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "key.jwk"
    path.write_text("a key")

    assert refused(run, "-o", str(path))[0] is KeyExistsError
    assert path.read_text() == "a key"
    run("-o", str(path), "--force")
    assert json.loads(path.read_bytes())["keys"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_is_for_everybody_to_read(tmp_path: Path, umask: int) -> None:
    """Mode 0644 under any umask, and nothing else in the directory."""
    before = os.umask(umask)
    try:
        changed = write_public(str(tmp_path / "set"), NEW)
    finally:
        os.umask(before)

    assert changed
    assert mode(tmp_path / "set") == 0o644
    assert os.listdir(tmp_path) == ["set"]


@pytest.mark.parametrize("old_mode", [0o600, 0o640, 0o444, 0o664])
def test_an_old_files_mode_stays(tmp_path: Path, old_mode: int) -> None:
    path = tmp_path / "set"
    path.write_bytes(OLD)
    path.chmod(old_mode)

    write_public(str(path), NEW)

    assert (path.read_bytes(), mode(path)) == (NEW, old_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_old_files_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_bytes(OLD)
    os.chown(path, 65534, 65533)

    write_public(str(path), NEW)

    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_same_length_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_bytes(NEW.swapcase())

    assert write_public(str(path), NEW)
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("target", ["there", "not there"])
def test_a_symbolic_link(tmp_path: Path, target: str) -> None:
    """A link is refused, whether or not it leads to something, and both are as they were."""
    if target == "there":
        (tmp_path / target).write_bytes(OLD)
    path = tmp_path / "set"
    path.symlink_to(target)

    assert refused(write_public, str(path), NEW) == (
        ConfigError,
        f"{path}: is a symbolic link, which is not followed; name the file that it leads to",
    )
    assert os.readlink(path) == target
    assert [one.read_bytes() for one in tmp_path.iterdir() if not one.is_symlink()] == [OLD] * (target == "there")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("", "the output path is empty; name a file, or leave -o out to print the result", id="empty"),
        pytest.param("HERE/", "HERE/: names a directory; name a file in it", id="slash"),
        pytest.param("HERE/no/set", "HERE/no/set: its directory does not exist; create it first", id="no directory"),
        pytest.param(
            "HERE/sub", "HERE/sub: is not a regular file; choose another path, or leave -o out to print the result",
            id="a directory",
        ),
        pytest.param(
            "HERE/file/set", "HERE/file/set: cannot be an output file (Not a directory); choose another path",
            id="below a file",
        ),
        pytest.param(
            "HERE/" + "x" * 300,
            "HERE/" + "x" * 300 + ": cannot be an output file (File name too long); choose another path", id="long",
        ),
        pytest.param(
            "HERE/\0", "the output path has a character that no file name can have; choose another path", id="NUL"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_file(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_bytes(OLD)

    found = refused(write_public, name.replace("HERE", str(tmp_path)), NEW)

    assert found == (ConfigError, message.replace("HERE", str(tmp_path)))
    assert sorted(os.listdir(tmp_path)) == ["file", "sub"]


@pytest.mark.parametrize(
    ("number", "error", "rule", "held"),
    [
        (1, StoreUnavailableError, "cannot be written ({}) and is as it was; choose another directory", OLD),
        (2, DurabilityError,
         "written, but the system did not confirm that it is on the disk ({}); check the disk", NEW),
    ],
    ids=["the file", "its directory"],
)  # fmt: skip
def test_what_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception], rule: str, held: bytes
) -> None:
    """What may not be on the disk does not take the old one's place; each step of `write_file` is tested there."""
    path = tmp_path / "set"
    path.write_bytes(OLD)
    calls = iter(range(1, 9))
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        fsync(descriptor)
        if next(calls) == number:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)

    assert refused(write_public, str(path), NEW) == (error, f"{path}: {rule.format('Input/output error')}")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (held, ["set"])


def _child(
    path: Path, *before: str, call: str = f"write_public(sys.argv[1], {NEW!r})", user: str = ""
) -> subprocess.CompletedProcess[str]:
    work = (
        f"import os, sys\nfrom keywright_jose.cli.published_set import check_published, write_public\n{user}\n"
        f"try: {call}\nexcept Exception as error: print(type(error).__name__, error.text, sep='\\n')\n"
    )
    # What measures coverage could not be written where there is no room, or by another user.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [*before, sys.executable, "-c", work, str(path)], capture_output=True, text=True, timeout=60, env=environment
    )


@pytest.mark.parametrize("access", [0o755, 0o700])
def test_a_directory_of_somebody_elses(access: int) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        pytest.skip("this needs root and setpriv")
    with TemporaryDirectory() as directory:
        path = Path(directory, "set")
        path.write_bytes(OLD)
        Path(directory).chmod(access)

        done = _child(path, setpriv, "--reuid=65534", "--regid=65534", "--clear-groups")

        if done.stderr:
            pytest.skip("another user cannot run this Python")
        message = f"{path}: cannot be written (Permission denied) and is as it was; choose another directory"
        assert done.stdout.splitlines() == [AccessDeniedError.__name__, message]
        assert (path.read_bytes(), os.listdir(directory)) == (OLD, ["set"])


PUBLIC = public(create_curve_key("P-256"))
OTHER = '{"keys":[{"kty":"LMS","pub":"AAAA"}]}'


@pytest.mark.parametrize(
    "held",
    [
        pytest.param("", id="empty"),
        pytest.param('{"keys":[]}', id="no keys"),
        pytest.param(json.dumps({"keys": [PUBLIC]}), id="public"),
        pytest.param(json.dumps({"keys": [PUBLIC]}, indent=2) + "\n", id="of another program"),
        pytest.param(OTHER, id="of another type"),
    ],
)
def test_what_was_published_is_replaced(tmp_path: Path, held: str) -> None:
    path = tmp_path / "set"
    path.write_text(held)

    check_published(str(path))


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(json.dumps({"keys": [PUBLIC, create_curve_key("Ed25519")]}), id="a private key beside a public"),
        pytest.param(json.dumps({"keys": [create_rsa_key(2048)]}), id="a set of private keys"),
        pytest.param(json.dumps({"keys": [create_secret_key(256)]}), id="a symmetric key"),
        pytest.param(json.dumps(create_rsa_key(2048)), id="a private key"),
        pytest.param(json.dumps(PUBLIC), id="a public key"),
        pytest.param("a-1:" + "A" * 86 + "==", id="a Nix key"),
        pytest.param('{"keys":{}}', id="keys that are not an array"),
        pytest.param('{"keys":["text"]}', id="keys that are not objects"),
        pytest.param('{"keys":[],"keys":[]}', id="twice"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_nothing_else_is(tmp_path: Path, held: str) -> None:
    """It is told, and shows nothing of what is there."""
    path = tmp_path / "set"
    path.write_text(held)

    error = refusal(check_published, str(path))

    assert (type(error), text_of(error)) == (
        KeyExistsError,
        (
            f"{path}: exists already and is not a public JWK Set, so it is not replaced; choose another path, or pass "
            "--force"
        ),
    )
    assert_nothing_shows(error, held.encode())


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with path.open("wb") as file:
        file.write(b'{"keys":[]}')
        file.truncate(1 << 34)

    assert refused(check_published, str(path))[0] is KeyExistsError


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    for name in ("fifo", "link", "none", "none/set", ".", "", "\0", "x" * 300):
        check_published(str(tmp_path / name) if name else name)

    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_what_cannot_be_read() -> None:
    with TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory, "set")
        path.write_text('{"keys":[]}')
        path.chmod(stat.S_IWUSR)

        done = _child(
            path, call="check_published(sys.argv[1])", user="os.setgroups([]); os.setgid(65534); os.setuid(65534)"
        )

    assert done.stdout.splitlines() == [
        "AccessDeniedError",
        f"{path}: cannot be read, so it is not replaced; choose another path, or pass --force",
    ], done.stderr
