"""What the tests of this folder share: the program `nix`, and the command line's context over real plugins."""

from __future__ import annotations

import os
import shutil
import subprocess
from argparse import ArgumentParser
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import uuid4

import nacl.signing
import pytest

import keywright
from keywright import Commands, Config, Context, KeyRing, Registry
from keywright.errors import ConfigError

Nix = Callable[..., "subprocess.CompletedProcess[bytes]"]
SEED = (1).to_bytes(32)


@pytest.fixture(autouse=True)
def _unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that tests start with little room, or as another user, could not write what coverage measures."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(scope="session")
def nix(tmp_path_factory: pytest.TempPathFactory) -> Nix:
    """Runs the real `nix` with arguments and input; no daemon, no home."""
    program = shutil.which("nix")
    if program is None:
        if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
            pytest.fail("nix is not installed, and KEYWRIGHT_REQUIRE_PEERS is set")
        pytest.skip("nix is not installed")
    home: Path = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "NIX_CONFIG": "experimental-features = nix-command"}

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, *arguments], input=given, capture_output=True, env=environment, timeout=60)

    return run


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: bytes
    err: bytes


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The installed plugins."""
    return Registry.load()


class NixCommand(Protocol):
    """Runs `keywright nix NAME ARGUMENTS` in this process."""

    def __call__(
        self, name: str, *arguments: str, given: bytes = b"", as_json: bool = False, config: Config | None = None
    ) -> Outcome: ...


@pytest.fixture
def nix_command(
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> NixCommand:
    """Runs `nix sign` and `nix verify` by the parser and context that the core makes, over a configuration or none."""
    commands = Commands()
    registry.add_commands(commands)
    standard_input = tmp_path_factory.mktemp("stdin") / "stdin"

    def read_config(config: Config | None) -> Config:
        if config is None:
            raise ConfigError("this test has no configuration")
        return config

    def run(
        name: str, *arguments: str, given: bytes = b"", as_json: bool = False, config: Config | None = None
    ) -> Outcome:
        found = commands.table["nix", *name.split()]
        parser = ArgumentParser(allow_abbrev=False)
        found.configure(parser)
        standard_input.write_bytes(given)
        capfdbinary.readouterr()
        with standard_input.open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            context = Context(lambda: registry, read_config=lambda: read_config(config), json=as_json)
            code = found.run(parser.parse_intermixed_args(arguments), context)
        return Outcome(code, *capfdbinary.readouterr())

    return run


@pytest.fixture
def command(nix_command: NixCommand) -> Callable[..., Outcome]:
    """Runs a `nix key` command with arguments and input; none of them reads a configuration."""
    return lambda name, *arguments, **options: nix_command(f"key {name}", *arguments, **options)


@pytest.fixture
def make_cache(tmp_path: Path) -> Callable[..., Path]:
    """Makes a binary cache of so many narinfos, each with `tail` as its last lines."""

    def make(count: int = 3, *, tail: bytes = b"", name: str = "cache") -> Path:
        cache = tmp_path / name
        cache.mkdir()
        (cache / "nix-cache-info").write_bytes(b"StoreDir: /nix/store\n")
        for number in range(count):
            (cache / f"{number:032}.narinfo").write_bytes(
                b"StorePath: /nix/store/%032d-hello\nURL: nar/hello.nar\nCompression: none\n"
                b"NarHash: sha256:%052d\nNarSize: 120\nReferences: \n" % (number, number) + tail
            )
        return cache

    return make


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A secret key called a-1, for its owner alone."""
    path = tmp_path / "secret-key"
    path.write_bytes(b"a-1:" + b64encode(SEED + bytes(nacl.signing.SigningKey(SEED).verify_key)))
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def ring(registry: Registry) -> KeyRing:
    """A ring in memory with the key `cache`, whose kid is cache-1, and others that cannot sign for Nix."""
    identity = str(uuid4())
    ring = keywright.open(
        {"default_store": "m", "stores": {"m": {"backend": "memory", "id": identity}}}, registry=registry
    )
    ring.generate("cache", type="ed25519", format="nix")
    return ring


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root mounts file systems")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="session")
def strace() -> None:
    """Skips without strace."""
    if shutil.which("strace") is None:
        (pytest.fail if os.environ.get("KEYWRIGHT_REQUIRE_PEERS") else pytest.skip)("strace is not installed")
