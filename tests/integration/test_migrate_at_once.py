"""The same `migrate` run twice at once: both succeed, and each key is copied once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support import COMMAND

import keywright as library

KEYS = 250
TABLES = {"file": 'backend = "file"\npath = "{}"\n', "sqlite": 'backend = "sqlite"\npath = "{}.db"\n'}


@pytest.mark.parametrize("removes", [False, True], ids=["copies", "removes"])
@pytest.mark.parametrize(("old", "new"), [("sqlite", "file"), ("file", "sqlite")])
def test_two_of_them_do_it_once(home: Path, environment: dict[str, str], old: str, new: str, removes: bool) -> None:
    """Exit 0 twice and nothing on stderr; what one copied or removed is nothing to do for the other."""
    config = 'default_store = "old"\n' + "".join(
        f"[stores.{name}]\n{TABLES[backend].format(name)}" for name, backend in (("old", old), ("new", new))
    )
    (home / "keywright.toml").write_text(config)
    with library.open(home / "keywright.toml") as ring:
        for number in range(KEYS):
            ring.generate(f"k{number:03}")
        before = {name: ring.export(name) for name in ring.names()}
    options = ("--delete-source", "--in-use") if removes else ()

    running = [
        subprocess.Popen(
            [COMMAND, "--json", "migrate", "--from", "old", "--to", "new", *options], cwd=home, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    ended = [(*process.communicate(timeout=120), process.returncode) for process in running]

    assert [(stderr, code) for _, stderr, code in ended] == [(b"", 0)] * 2
    sums = [json.loads(stdout.splitlines()[-1]) for stdout, _, _ in ended]
    assert sum(one["copied"] for one in sums) == KEYS
    assert {one[outcome] for one in sums for outcome in ("conflict", "failed", "kept", "updated")} == {0}
    assert sum(one["removed"] for one in sums) == (KEYS if removes else 0)
    with library.open(home / "keywright.toml") as ring:
        assert {name: ring.export(name, store="new") for name in ring.names(store="new")} == before
        assert list(ring.names(store="old")) == ([] if removes else sorted(before))
