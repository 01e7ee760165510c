"""`show` and `list` on a terminal draw; elsewhere they do not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support import COMMAND, Keywright


@pytest.fixture
def keys(home: Path, keywright: Keywright) -> None:
    """A name with an announced version, and one without a future."""
    (home / "keywright.toml").write_text('[stores.a]\nbackend = "sqlite"\npath = "keys.db"\n')
    for arguments in (("generate", "a"), ("rotate", "a", "--activate-in", "7d"), ("generate", "b")):
        assert keywright(*arguments).returncode == 0


def on_terminal(home: Path, environment: dict[str, str], *arguments: str) -> str:
    """What a command prints on a terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([COMMAND, *arguments], cwd=home, env=environment, stdout=theirs, stdin=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the last one has closed it
            break
        if not data:
            break
        said += data
    os.close(ours)
    assert process.wait(30) == 0
    return said.decode().replace("\r\n", "\n")


@pytest.mark.usefixtures("keys")
def test_show_draws(home: Path, environment: dict[str, str], keywright: Keywright) -> None:
    """Below the table a bar for each version, where now is, and what comes next; a pipe gets the table alone."""
    drawn = on_terminal(home, {**environment, "PYTHONIOENCODING": "utf-8"}, "show", "a").splitlines()

    assert [line.split()[-2:] for line in drawn[4:6]] == [["a@1", "signing"], ["a@2", "announced"]]
    assert drawn[4].startswith("  1█")
    assert drawn[5].startswith("  ···")
    assert drawn[6] == "  ^ now   (· announced, █ signing, ▒ verifying)"
    assert [line.partition(": ")[2] for line in drawn[8:]] == ["version 2 starts to sign"]
    assert keywright("show", "a").stdout.count(b"\n") == 2


@pytest.mark.usefixtures("keys")
def test_list_draws(home: Path, environment: dict[str, str], keywright: Keywright) -> None:
    """A bar for each name before the rest; a pipe gets none."""
    drawn = on_terminal(home, {**environment, "PYTHONIOENCODING": "ascii"}, "list").splitlines()

    assert drawn[0].split() == ["TIME", "NAME", "PHASE", "TYPE", "KID"]
    assert [line.split()[-4] for line in drawn[1:3]] == ["a@1", "b@1"]
    assert drawn[1].startswith("1###")
    assert drawn[3].startswith("^ now")
    assert keywright("list").stdout.count(b"#") == 0
