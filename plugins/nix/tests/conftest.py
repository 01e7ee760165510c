"""What the tests of this folder share: the program `nix`, and the command line's context over real plugins."""

from __future__ import annotations

import os
import shutil
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from keywright import Commands, Context, Registry
from keywright.errors import ConfigError

Nix = Callable[..., "subprocess.CompletedProcess[bytes]"]


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


@pytest.fixture
def command(
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> Callable[..., Outcome]:
    """Runs a `nix key` command with arguments and input, by the parser and context that the core makes."""
    commands = Commands()
    registry.add_commands(commands)

    def no_config() -> None:
        raise ConfigError("these commands read no configuration")

    def run(name: str, *arguments: str, given: bytes = b"", as_json: bool = False) -> Outcome:
        found = commands.table["nix", "key", name]
        parser = ArgumentParser(allow_abbrev=False)
        found.configure(parser)
        (tmp_path / "stdin").write_bytes(given)
        with (tmp_path / "stdin").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            context = Context(registry, read_config=no_config, json=as_json)  # type: ignore[arg-type]  # it never returns
            code = found.run(parser.parse_args(arguments), context)
        return Outcome(code, *capfdbinary.readouterr())

    return run
