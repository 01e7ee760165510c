"""Many processes at one store: nothing is lost, nothing is made twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import COMMAND, Keywright

import keywright as library

PROCESSES = 8
SETTINGS = {"file": 'backend = "file"\npath = "keys"', "sqlite": 'backend = "sqlite"\npath = "keys.db"'}


@pytest.fixture(params=sorted(SETTINGS))
def configured(request: pytest.FixtureRequest, home: Path) -> Path:
    """A configuration with one store, file or sqlite."""
    (home / "keywright.toml").write_text(f"[stores.it]\n{SETTINGS[request.param]}\n")
    return home


def test_eight_processes_rotate_one_name(configured: Path, keywright: Keywright, environment: dict[str, str]) -> None:
    """Eight rotations at once make a version each, or are refused with exit 4; every version is whole."""
    assert keywright("generate", "cache.example.org").returncode == 0

    running = [
        subprocess.Popen(
            [COMMAND, "rotate", "cache.example.org"], cwd=configured, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    told = [(*process.communicate(timeout=60), process.returncode) for process in running]

    made = sorted(stdout.decode().strip() for stdout, _, code in told if code == 0)
    refused = [stderr.decode() for _, stderr, code in told if code != 0]
    assert all(code in (0, 4) for _, _, code in told), told
    assert len(made) + len(refused) == PROCESSES
    assert made
    assert made == sorted(f"cache.example.org@{version}" for version in range(2, 2 + len(made)))
    assert all(line.startswith("keywright: ") and "Traceback" not in line for line in refused)
    _all_whole(configured, 1 + len(made))


def test_eight_processes_that_try_again_make_exactly_eight_versions(
    configured: Path, keywright: Keywright, environment: dict[str, str]
) -> None:
    """Whoever is refused tries again: then there are exactly eight new versions, each made by one of them."""
    assert keywright("generate", "cache.example.org").returncode == 0
    script = """
import sys, keywright
from keywright.errors import KeyExistsError
with keywright.open() as ring:
    while True:
        try:
            print(ring.rotate("cache.example.org").version)
            break
        except KeyExistsError:
            continue
"""

    running = [
        subprocess.Popen([sys.executable, "-c", script], cwd=configured, env=environment, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    made = sorted(int(process.communicate(timeout=120)[0]) for process in running)

    assert made == list(range(2, 2 + PROCESSES))
    _all_whole(configured, 1 + PROCESSES)


def test_eight_processes_ensure_one_name_and_make_it_once(configured: Path, environment: dict[str, str]) -> None:
    """However many `ensure` at once, one key is made and all are content."""
    with (configured / "keywright.toml").open("a") as config:
        config.write('[keys."prod/jwt"]\ntype = "ed25519"\nformat = "jwk"\n')

    running = [
        subprocess.Popen([COMMAND, "ensure"], cwd=configured, env=environment, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    told = [(process.communicate(timeout=60)[0], process.returncode) for process in running]

    assert [code for _, code in told] == [0] * PROCESSES
    assert sorted(stdout for stdout, _ in told) == [b""] * (PROCESSES - 1) + [b"prod/jwt@1\n"]


def _all_whole(home: Path, count: int) -> None:
    """Every version is there, and each signs or verifies what it should."""
    with library.open(home / "keywright.toml") as ring:
        versions = ring.show("cache.example.org").versions
        assert [one.info.version for one in versions] == list(range(1, count + 1))
        assert len({one.info.kid for one in versions}) == count
        assert len({ring.load(one.info.reference).public for one in versions}) == count
        signature = ring.sign("cache.example.org", b"hello")
        assert ring.verify("cache.example.org", b"hello", signature).version == count
