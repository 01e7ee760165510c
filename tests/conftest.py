"""What whole-system tests share: a clean home, and the command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import COMMAND, Keywright, Shell, Told
from support.fork_server import ForkServer
from support.peers import find_peer

from keywright.cli import app


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Starts commands quickly."""
    server = ForkServer(COMMAND)
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory, which is the current directory of the commands too."""
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """An environment in which nothing of this machine's user is seen."""
    path = os.pathsep.join((str(Path(COMMAND).parent), os.environ.get("PATH", "")))
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    return {**coverage, "PATH": path, "HOME": str(home), "NIX_CONFIG": "experimental-features = nix-command"}


@pytest.fixture
def keywright(home: Path, environment: dict[str, str], fork_server: ForkServer) -> Keywright:
    """The installed command, run in `home`."""

    def run(
        *arguments: str, input: bytes = b"", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return fork_server.run(arguments, input=input, cwd=home, env={**environment, **(env or {})}, timeout=60)

    return run


@pytest.fixture
def shell(home: Path, environment: dict[str, str], keywright: Keywright) -> Shell:
    """Runs a shell line in a home in which the key `a` was made."""
    assert keywright("generate", "a").returncode == 0

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=home, env=environment, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


@pytest.fixture
def told(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command line in this process, in an empty home: exit code, stdout, stderr."""

    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "KEYWRIGHT_CONFIG", "KEYWRIGHT_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = app.run(arguments)
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def peer() -> Callable[[str], str]:
    """Finds a program from Debian; the test is skipped without it, and fails where peers are required."""
    return find_peer
