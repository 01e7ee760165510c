"""`jose jwks -o` replaces what was published, and nothing else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from keywright.errors import KeyExistsError, KeywrightError
from keywright_jose import create_curve_key, create_rsa_key, create_secret_key
from keywright_jose.cli.published_set import check_published

Refusal = Callable[[Callable[[], object]], KeywrightError]
Shows = Callable[[KeywrightError, bytes], None]

PUBLIC = {name: value for name, value in create_curve_key("P-256").items() if name != "d"}
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
    """A set of public keys, whoever made it, and an empty file."""
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
        pytest.param('{"sub":"user-7"}', id="claims"),
        pytest.param("SQLite format 3\0", id="a database"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_nothing_else_is(tmp_path: Path, refusal: Refusal, assert_nothing_shows: Shows, held: str) -> None:
    """It is told, and shows nothing of what is there."""
    path = tmp_path / "set"
    path.write_text(held)

    error = refusal(lambda: check_published(str(path)))

    assert (type(error), str(error)) == (
        KeyExistsError,
        f"{path}: exists already and is no public JWK Set, so it is not replaced; choose another path, or say --force",
    )
    assert_nothing_shows(error, held.encode())


def test_a_large_file_is_not_read_whole(tmp_path: Path, refusal: Refusal) -> None:
    """16 MiB are more than any set."""
    path = tmp_path / "set"
    with path.open("wb") as file:
        file.write(b'{"keys":[]}')
        file.truncate(1 << 34)

    assert type(refusal(lambda: check_published(str(path)))) is KeyExistsError


def test_what_is_no_file(tmp_path: Path) -> None:
    """Links, directories, pipes and what is not there are for whoever writes to tell."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    for name in ("fifo", "link", "none", "none/set", ".", "", "\0", "x" * 300):
        check_published(str(tmp_path / name) if name else name)

    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_what_cannot_be_read() -> None:
    """It might be anything."""
    work = (
        "import os, sys\n"
        "from keywright_jose.cli.published_set import check_published\nimport keywright_jose.jwk.inputs\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: check_published(sys.argv[1])\nexcept Exception as error: print(type(error).__name__, error, sep='\\n')\n"
    )
    with TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory, "set")
        path.write_text('{"keys":[]}')
        path.chmod(stat.S_IWUSR)
        done = subprocess.run([sys.executable, "-c", work, str(path)], capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines() == [
        "AccessDeniedError",
        f"{path}: cannot be read, so what would be replaced is not known; choose another path, or say --force",
    ], done.stderr
