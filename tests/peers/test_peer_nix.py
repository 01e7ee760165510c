"""Real Nix uses our keys, and we use those of real Nix."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Keywright

pytestmark = pytest.mark.peer

# The example of Nix's manual, `nix key convert-secret-to-public`.
MANUAL_SECRET = (
    b"cache.example.org-0:E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
)

MANUAL_PUBLIC = b"cache.example.org-0:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="
Run = Callable[..., bytes]


@pytest.fixture
def nix(peer: Callable[[str], str], home: Path, environment: dict[str, str]) -> Run:
    """Runs Nix and returns its stdout; a failure of Nix fails the test."""
    program = peer("nix")

    def run(*arguments: str, input: bytes = b"") -> bytes:
        done = subprocess.run(
            [program, *arguments], cwd=home, env=environment, input=input, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture
def store_path(peer: Callable[[str], str], home: Path, environment: dict[str, str]) -> str:
    """A path with a reference, in a Nix store of its own below `home`."""
    expression = 'builtins.toFile "top" (builtins.toFile "below" "text")'
    done = subprocess.run(
        [
            *(peer("nix-instantiate"), "--store", str(home / "nix"), "--eval", "--read-write-mode"),
            *("--strict", "--json", "-E", expression),
        ],
        cwd=home, env=environment, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    path: str = json.loads(done.stdout)
    return path


def configure(home: Path, backend: str) -> None:
    (home / "keywright.toml").write_text(f'[stores.local]\nbackend = "{backend}"\npath = "keys"\n')


def signatures(nix: Run, home: Path, path: str) -> dict[str, list[str]]:
    """Signatures by store path, for the path and all that it refers to."""
    told = json.loads(nix("path-info", "--store", str(home / "nix"), "--json", "--recursive", "--sigs", path))
    return {one["path"]: one.get("signatures", []) for one in told}


@pytest.mark.parametrize("way", ["file", "sqlite", "the file store's own file"])
def test_nix_signs_with_our_secret_and_verifies_with_our_public_key(
    way: str, home: Path, keywright: Keywright, nix: Run, store_path: str
) -> None:
    """`nix store sign` takes our exported secret, or `NAME/@1/key` itself, and `nix store verify` our public key."""
    configure(home, "sqlite" if way == "sqlite" else "file")
    assert keywright("generate", "cache.example.org").returncode == 0
    assert keywright("export", "cache.example.org", "--secret", "-o", "secret-key").returncode == 0
    public = keywright("export", "cache.example.org").stdout.decode()
    key_file = "keys/cache.example.org/@1/key" if "own" in way else "secret-key"
    store = ("--store", str(home / "nix"))

    nix("store", "sign", *store, "--key-file", key_file, store_path)
    nix("store", "sign", *store, "--key-file", key_file, "--recursive", store_path)

    needed = ("--sigs-needed", "1", "--trusted-public-keys", public)
    nix("store", "verify", *store, "--recursive", *needed, store_path)
    made = signatures(nix, home, store_path)
    assert len(made) == 2
    assert all(len(one) == 1 and one[0].startswith("cache.example.org-1:") for one in made.values())


@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_a_key_that_nix_made_comes_in_and_goes_out_byte_for_byte(
    backend: str, home: Path, keywright: Keywright, nix: Run
) -> None:
    """A secret of `nix key generate-secret` imports, has the public text that Nix prints, and exports unchanged."""
    configure(home, backend)
    secret = nix("key", "generate-secret", "--key-name", "größe/7")
    public = nix("key", "convert-secret-to-public", input=secret)

    imported = keywright("import", "cache.example.org", input=secret)

    assert imported.returncode == 0, imported.stderr
    assert keywright("export", "cache.example.org", "--secret").stdout == secret
    assert keywright("export", "cache.example.org").stdout == public
    assert keywright("nix", "key", "convert-secret-to-public", input=secret).stdout == public
    assert keywright("convert", "--from", "nix", "--to", "nix", input=secret).stdout == public


def test_nix_reads_a_secret_of_ours_as_we_do(keywright: Keywright, nix: Run) -> None:
    """`nix key convert-secret-to-public` prints what our own command prints, and what Nix's manual says."""
    secret = keywright("nix", "key", "generate-secret", "--key-name", "cache.example.org-1").stdout
    assert len(secret) == len("cache.example.org-1:") + 88

    for given, expected in ((secret, None), (MANUAL_SECRET, MANUAL_PUBLIC)):
        public = nix("key", "convert-secret-to-public", input=given)
        assert public == keywright("nix", "key", "convert-secret-to-public", input=given).stdout
        assert expected in (None, public)


def test_the_public_key_stands_in_a_shell_word(
    home: Path, keywright: Keywright, nix: Run, store_path: str, environment: dict[str, str]
) -> None:
    """`--trusted-public-keys $(keywright nix key convert-secret-to-public < ./secret-key)` works as with Nix's own."""
    secret = keywright("nix", "key", "generate-secret", "--key-name", "cache.example.org-1").stdout
    (home / "secret-key").write_bytes(secret)
    nix("store", "sign", "--store", str(home / "nix"), "--key-file", "secret-key", store_path)
    command = (
        f"nix store verify --store {home}/nix --sigs-needed 1 "
        f"--trusted-public-keys $(keywright nix key convert-secret-to-public < ./secret-key) {store_path}"
    )

    done = subprocess.run(["bash", "-c", command], cwd=home, env=environment, capture_output=True, timeout=60)

    assert done.returncode == 0, done.stderr.decode()
