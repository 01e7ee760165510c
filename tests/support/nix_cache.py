"""Real Nix, and a binary cache that it made, for tests that sign and verify beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

# A tree of texts, each of which names one or two before it. Nix finds the references by itself.
_EXPRESSION = """
  let
    below = n: i: builtins.toFile "p${toString i}"
      (if i == 0 then "leaf" else "${toString i} ${at n ((i - 1) / 2)} ${at n (i / 3)}");
    texts = builtins.genList (below texts) COUNT;
    at = builtins.elemAt;
  in texts
"""

# The command line on another day: nothing but the clock of its ring is different.
_TRAVELLER = """
import os, sys
from datetime import UTC, datetime, timedelta
from keywright.cli import main
from keywright import KeyRing
shift = timedelta(days=float(os.environ["DAYS_FROM_NOW"]))
KeyRing.__init__.__kwdefaults__["clock"] = lambda: datetime.now(UTC) + shift
sys.exit(main())
"""


class Nix:
    """Runs the real Nix; no daemon, a home of its own."""

    def __init__(self, home: Path) -> None:
        """Skips the test if there is no Nix; fails it where peers are required."""
        if shutil.which("nix") is None:
            if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
                pytest.fail("nix is not installed, and KEYWRIGHT_REQUIRE_PEERS is set")
            pytest.skip("nix is not installed")
        self.home = home
        path = os.environ.get("PATH", "")
        self._environment = {"PATH": path, "HOME": str(home), "NIX_CONFIG": "experimental-features = nix-command"}

    def run(self, *command: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Any of Nix's programs."""
        return subprocess.run(
            command, input=input, capture_output=True, cwd=self.home, env=self._environment, timeout=120
        )

    def ok(self, *command: str, input: bytes = b"") -> bytes:
        """Its stdout; a failure fails the test."""
        done = self.run(*command, input=input)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def key(self, name: str) -> tuple[Path, str]:
        """A key that Nix makes: the file with the secret one, and the public one."""
        path = self.home / f"{name}.secret"
        path.touch(mode=0o600)
        path.write_bytes(self.ok("nix", "key", "generate-secret", "--key-name", name))
        return path, self.ok("nix", "key", "convert-secret-to-public", input=path.read_bytes()).decode()

    def sign(self, store: str, key: Path, *paths: str) -> None:
        """`nix store sign`, all paths if none is named."""
        self.ok("nix", "store", "sign", "--store", store, "--key-file", str(key), *(paths or ["--all"]))

    def verify(self, store: str, keys: Iterable[str], *paths: str, needed: int = 1, recursive: bool = False) -> int:
        """The exit code of `nix store verify` for the signatures alone: 0, or a sum of 1 (corrupt), 2 and 4."""
        options = ["--no-contents", "--sigs-needed", str(needed), "--trusted-public-keys", " ".join(keys)]
        which = paths or ["--all"]
        return self.run(
            "nix", "store", "verify", "--store", store, *options, *(["--recursive"] if recursive else []), *which
        ).returncode


class Made(NamedTuple):
    """A binary cache.

    Attributes:
        directory: with `nix-cache-info`, narinfos, and archives below `nar`.
        paths: the store paths in it.
    """

    directory: Path
    paths: Sequence[str]

    @property
    def url(self) -> str:
        """`file://…`."""
        return f"file://{self.directory}"

    def narinfo(self, path: str) -> Path:
        """The file of a store path."""
        return self.directory / f"{path.rpartition('/')[2][:32]}.narinfo"

    def contents(self) -> dict[str, bytes]:
        """All narinfos by file name."""
        return {file.name: file.read_bytes() for file in self.directory.glob("*.narinfo")}

    def copy(self, to: Path, paths: Iterable[str] | None = None) -> Made:
        """The same with narinfos of its own, of these paths alone if told so."""
        kept = list(self.paths if paths is None else paths)
        to.mkdir()
        shutil.copy(self.directory / "nix-cache-info", to)
        (to / "nar").symlink_to(self.directory / "nar")
        for path in kept:
            shutil.copy(self.narinfo(path), to)
        return Made(to, kept)


def make_cache(nix: Nix, directory: Path, count: int) -> Made:
    """A cache of `count` paths by Nix. None is trusted for its content (`CA`), so that each needs a signature."""
    made = nix.ok(
        *("nix-instantiate", "--store", str(directory / "store"), "--eval", "--read-write-mode", "--strict", "--json"),
        *("-E", _EXPRESSION.replace("COUNT", str(count))),
    )
    paths = json.loads(made)
    cache = directory / "cache"
    nix.ok("nix", "copy", "--store", str(directory / "store"), "--to", f"file://{cache}?compression=none", *paths)
    for file in cache.glob("*.narinfo"):
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(line for line in lines if not line.startswith(b"CA:")))
    return Made(cache, paths)


def keywright_at(home: Path, days: float, *arguments: str) -> bytes:
    """`keywright ARGUMENTS` run in `home`, so many days from now: its stdout. A failure fails the test."""
    done = subprocess.run(
        [sys.executable, "-c", _TRAVELLER, *arguments],
        capture_output=True,
        cwd=home,
        env={**os.environ, "HOME": str(home), "DAYS_FROM_NOW": str(days)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
