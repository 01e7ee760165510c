"""Stores in a place that something may be done to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hostile.surroundings import mount, needs_root
from kills.worker import OPENERS, Open


@pytest.fixture(params=sorted(OPENERS))
def kind(request: pytest.FixtureRequest) -> str:
    """`file`, `sqlite`."""
    return str(request.param)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users can reach, for its owner alone to write."""
    with TemporaryDirectory(prefix="keywright-hostile-") as directory:
        os.chmod(directory, 0o755)
        yield Path(directory).resolve()


@pytest.fixture
def store_path(kind: str, place: Path) -> Path:
    """Where the store is, or will be."""
    return place / ("keys" if kind == "file" else "keys.db")


@pytest.fixture
def opened(kind: str, place: Path) -> Open:
    """Opens the store in `place`."""
    return OPENERS[kind](place)


@pytest.fixture
def mounted(place: Path) -> Iterator[Callable[[str], None]]:
    """Mounts a file system in memory at `place`."""
    needs_root()
    yield lambda options: mount(place, options)
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


@pytest.fixture
def configured(home: Path, kind: str, store_path: Path) -> Path:
    """The store is that of the command line too."""
    (home / "keywright.toml").write_text(
        f'default_store = "it"\n[stores.it]\nbackend = "{kind}"\npath = "{store_path}"\n'
    )
    return store_path
