"""`keywright jose jwks`, and the file that it keeps up to date: old or new, never half, never through a link."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from jose_support import assert_nothing_shows, public, refusal, refused

from keywright import KeyRing
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    DurabilityUnknownError,
    KeyExistsError,
    KeyNotFoundError,
    StoreUnavailableError,
)
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key, jwks
from keywright_jose.cli.published_set import check_published, write_public

Run = Callable[..., tuple[str, str]]

OLD = b'{"keys":[]}\n'
NEW = b'{"keys":["new"]}\n'


@pytest.fixture
def ring(ring: KeyRing) -> KeyRing:
    """A ring over a store in memory, with one key for tokens."""
    ring.generate("jwt", type="ec-p256")
    return ring


@pytest.fixture
def run(ring: KeyRing, command: Callable[..., Any]) -> Run:
    def run_command(*arguments: str, **options: Any) -> tuple[str, str]:
        code, out, err = command("jwks", *arguments, ring=ring, **options)
        assert code == 0
        return out.decode(), err.decode()

    return run_command


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_prints_the_set(ring: KeyRing, run: Run) -> None:
    out, err = run()

    assert out.count("\n") == 1
    assert json.loads(out) == jwks(ring)
    assert err == ""
    assert run("jwt") == run("-o", "-") == run(as_json=True) == (out, "")


def test_it_tells_what_it_left_out(ring: KeyRing, run: Run) -> None:
    """A note on stderr, unless names or quiet were asked for."""
    ring.generate("session", type="oct")
    ring.generate("cache.example.org")

    assert run()[1] == (
        "keywright: symmetric keys left out: 1; they are published never\n"
        "keywright: keys of other formats left out: 1; name one to publish it\n"
    )
    assert run(quiet=True)[1] == run("jwt")[1] == ""


def test_a_file_is_kept_up_to_date(ring: KeyRing, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"

    made = run("-o", str(path), as_json=True)
    before = path.stat()
    again = run("-o", str(path), as_json=True)
    after = path.stat()
    ring.rotate("jwt")
    changed = run("-o", str(path), as_json=True)

    assert json.loads(made[0]) == {"output": str(path), "changed": True, "references": ["jwt@1"]}
    assert json.loads(again[0]) == {"output": str(path), "changed": False, "references": ["jwt@1"]}
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert json.loads(changed[0]) == {"output": str(path), "changed": True, "references": ["jwt@1", "jwt@2"]}
    assert json.loads(path.read_bytes()) == jwks(ring)
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
        pytest.param("HERE/no/set", "HERE/no/set: its directory does not exist; make it first", id="no directory"),
        pytest.param(
            "HERE/sub", "HERE/sub: is no regular file; choose another path, or leave -o out to print the result",
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
            "HERE/\0", "the output path holds a character that no file name can; choose another path", id="NUL"
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
        (2, DurabilityUnknownError,
         "is written, but the system would not confirm that it is on the disk ({}); check the disk", NEW),
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
        f"try: {call}\nexcept Exception as error: print(type(error).__name__, error, sep='\\n')\n"
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
        pytest.param('{"keys":{}}', id="keys that are no array"),
        pytest.param('{"keys":["text"]}', id="keys that are no objects"),
        pytest.param('{"keys":[],"keys":[]}', id="twice"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_nothing_else_is(tmp_path: Path, held: str) -> None:
    """It is told, and shows nothing of what is there."""
    path = tmp_path / "set"
    path.write_text(held)

    error = refusal(check_published, str(path))

    assert (type(error), str(error)) == (
        KeyExistsError,
        f"{path}: exists already and is no public JWK Set, so it is not replaced; choose another path, or say --force",
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
        f"{path}: cannot be read, so what would be replaced is not known; choose another path, or say --force",
    ], done.stderr
