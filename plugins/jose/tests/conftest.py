"""What the tests of this folder share: a ring, the commands, the program `jose`."""

from __future__ import annotations

import os
import shutil
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest
from jose_support import MEMORY, Clock, Jose, Observer

import keywright
from keywright import Commands, Context, KeyRing, Registry
from keywright_jose.cli import add_commands


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: bytes
    err: bytes


@pytest.fixture
def clock() -> Clock:
    """The beginning of 2030."""
    return Clock()


@pytest.fixture
def ring(clock: Clock) -> Iterator[KeyRing]:
    """A ring over a store in memory."""
    with keywright.open(MEMORY, clock=clock) as opened:
        yield opened


@pytest.fixture
def observer() -> Observer:
    """Hears what the ring does."""
    return Observer()


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Callable[..., Outcome]:
    """Runs `jose WORDS ARGUMENTS` with the core's parser and context, over a ring or without any configuration."""
    commands = Commands()
    add_commands(commands)

    def no_config() -> NoReturn:
        raise AssertionError("no configuration is needed here")

    def run(
        words: str,
        *arguments: str,
        ring: KeyRing | None = None,
        given: bytes = b"",
        as_json: bool = False,
        quiet: bool = False,
    ) -> Outcome:
        chosen = commands.table[("jose", *words.split())]
        parser = ArgumentParser(allow_abbrev=False)
        chosen.configure(parser)
        (tmp_path / "stdin").write_bytes(given)
        with (tmp_path / "stdin").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            plugins = (lambda: ring.plugins) if ring else Registry
            context = Context(plugins, read_config=no_config, json=as_json, quiet=quiet)
            if ring is not None:
                context.ring = ring
            code = chosen.run(parser.parse_args(arguments), context)
        (tmp_path / "stdin").unlink()
        return Outcome(code, *capfdbinary.readouterr())

    return run


@pytest.fixture(scope="session")
def jose() -> Jose:
    """Runs the real `jose` with arguments and input, and returns its output."""
    program = shutil.which("jose")
    if program is None:
        if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
            pytest.fail("jose is not installed, and KEYWRIGHT_REQUIRE_PEERS is set")
        pytest.skip("jose is not installed")

    def run(*arguments: str, given: bytes = b"") -> bytes:
        return subprocess.run([program, *arguments], input=given, capture_output=True, check=True, timeout=30).stdout

    return run
