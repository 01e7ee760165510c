"""What we signed, real Nix accepts; and it is, to the byte, what Nix would have signed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from nix_signing import Nix, Run

pytestmark = pytest.mark.peer


@pytest.fixture
def cache(nix: Nix, tmp_path: Path) -> Path:
    """A cache that Nix made, of paths with references, and without CA lines, which make signatures unnecessary."""
    store = tmp_path / "store"
    expression = """
      let leaf = n: builtins.toFile "leaf-${toString n}" "hello ${toString n}";
      in builtins.genList (n: builtins.toFile "root-${toString n}" "${leaf n} ${leaf (n + 1)}") 5
    """
    made = subprocess.run(
        [
            "nix-instantiate",
            "--store",
            str(store),
            "--eval",
            "--read-write-mode",
            "--strict",
            "--json",
            "-E",
            expression,
        ],
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    paths = re.findall(r"/nix/store/[^\"]+", made.stdout.decode())
    place = tmp_path / "cache"
    copied = nix("copy", "--no-check-sigs", "--store", str(store), "--to", f"file://{place}", *paths)
    assert copied.returncode == 0, copied.stderr
    for path in place.glob("*.narinfo"):
        path.write_bytes(re.sub(rb"(?m)^CA: .*\n", b"", path.read_bytes()))
    return place


def narinfos(place: Path) -> dict[str, bytes]:
    """The narinfos of a cache."""
    return {path.name: path.read_bytes() for path in place.glob("*.narinfo")}


def test_both_sign_the_same(nix: Nix, nix_command: Run, cache: Path, tmp_path: Path) -> None:
    """Two keys after one another, the second sorting before the first: both tools leave the same files."""
    theirs = shutil.copytree(cache, tmp_path / "theirs")
    publics = []
    for name in ("m-1", "a-1"):
        secret = tmp_path / name
        secret.write_bytes(nix("key", "generate-secret", "--key-name", name).stdout)
        secret.chmod(0o600)
        publics.append(nix("key", "convert-secret-to-public", given=secret.read_bytes()).stdout.decode())

        assert nix_command("sign", str(cache), "--key-file", str(secret))[0] == 0
        assert nix("store", "sign", "--all", "--store", f"file://{theirs}", "-k", str(secret)).returncode == 0

        assert narinfos(cache) == narinfos(theirs)
    trusted = " ".join(publics)
    verified = nix(
        *("store", "verify", "--all", "--no-contents", "--sigs-needed", "2"),
        *("--option", "trusted-public-keys", trusted, "--store", f"file://{cache}"),
    )
    assert verified.returncode == 0, verified.stderr
    ours = nix_command("verify", str(theirs), "--trusted-public-keys", trusted, "--sigs-needed", "2")
    assert ours == (0, f"verified {len(narinfos(theirs))}, bad 0\n".encode(), b"")


def test_what_is_dropped_nix_refuses(nix: Nix, nix_command: Run, cache: Path, tmp_path: Path) -> None:
    """A signature that was taken away is gone for Nix too."""
    secret = tmp_path / "secret"
    secret.write_bytes(nix("key", "generate-secret", "--key-name", "a-1").stdout)
    secret.chmod(0o600)
    trusted = nix("key", "convert-secret-to-public", given=secret.read_bytes()).stdout.decode()
    bare = narinfos(cache)
    nix_command("sign", str(cache), "--key-file", str(secret))

    nix_command("sign", str(cache), "--drop", "a-1")

    verified = nix(
        *("store", "verify", "--all", "--no-contents", "--sigs-needed", "1"),
        *("--option", "trusted-public-keys", trusted, "--store", f"file://{cache}"),
    )
    assert verified.returncode == 2
    assert narinfos(cache) == bare
