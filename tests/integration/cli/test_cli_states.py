"""`disable`, `enable`, `compromise`, `destroy` and what `show` tells of them, as people call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Keywright


@pytest.fixture(autouse=True)
def key(home: Path, keywright: Keywright) -> None:
    """A key `a` in a store."""
    (home / "keywright.toml").write_text('[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n')
    assert keywright("generate", "a").returncode == 0


def test_what_is_destroyed_is_not_destroyed_again(keywright: Keywright) -> None:
    """It asks nothing, not even where there is no terminal; it says so, changes nothing and is no failure."""
    assert keywright("destroy", "a@1", "--yes", "--reason", "first").returncode == 0
    before = keywright("show", "a", "--json").stdout

    again, with_reason = keywright("destroy", "a@1"), keywright("destroy", "a", "--reason", "second")

    assert (again.returncode, again.stdout) == (with_reason.returncode, with_reason.stdout) == (0, b"a@1\n")
    assert again.stderr == b"keywright: a@1 is destroyed already; nothing was changed\n"
    assert with_reason.stderr == (
        b"keywright: a@1 is destroyed already; nothing was changed, and the reason is not kept\n"
    )
    assert keywright("show", "a", "--json").stdout == before


@pytest.mark.parametrize(("change", "state"), [("disable", "disabled"), ("compromise", "compromised")])
def test_a_reason_that_is_not_kept_is_told(keywright: Keywright, change: str, state: str) -> None:
    """Of a version that is in the state already the first reason stays, and stderr says so."""
    first = keywright(change, "a", "--reason", "first")

    second = keywright(change, "a", "--reason", "second")

    assert (first.returncode, first.stderr) == (0, b"")
    assert (second.returncode, second.stdout) == (0, b"a@1\n")
    assert second.stderr == f"keywright: a@1 is {state} already; the reason is not kept\n".encode()


def test_what_comes_next_is_for_programs_too(keywright: Keywright) -> None:
    """Each event of `next` has a word and a version beside its sentence."""
    assert keywright("rotate", "a", "--activate-in", "7d", "--overlap", "14d").returncode == 0

    planned = json.loads(keywright("show", "a", "--json").stdout)["next"]

    assert [(one["event"], one["version"], sorted(one)) for one in planned] == [
        ("starts", 2, ["event", "time", "version", "what"]),
        ("ends", 1, ["event", "time", "version", "what"]),
    ]
