"""What the tests of the core share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., None]


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of one module, as an installer would leave it; nothing else is to be found.

    `index` has words such as `formats:sound`: the groups of the index, and the names of its objects in them.
    """
    monkeypatch.setattr("keywright.plugins.discovery.searched_folders", lambda: [str(tmp_path)])
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def lay_down(name: str, source: str, *, distribution: str = "", value: str = "", index: str = "") -> None:
        (tmp_path / f"kw_{name}.py").write_text(dedent(source))
        metadata = tmp_path / f"{distribution or name}-1.0.dist-info"
        metadata.mkdir()
        lines = "".join(f"[keywright.{group}]\n{one} = kw_{name}\n" for group, _, one in map(_parted, index.split()))
        (metadata / "entry_points.txt").write_text(f"[keywright]\n{name} = {value or f'kw_{name}'}\n{lines}")

    yield lay_down
    for module in set(sys.modules) - before:
        if module.startswith("kw_"):
            del sys.modules[module]
