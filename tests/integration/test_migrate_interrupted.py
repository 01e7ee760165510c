"""`migrate` twice at once, and Ctrl-C in the middle of `migrate` and `rewrap`: nothing is lost or done twice."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support import COMMAND, Keywright, ctrl_c
from support.errors import joined

import keywright as library

MANY = 250

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
        for number in range(MANY):
            ring.generate(f"k{number:03}")
        before = {name: ring.export(name) for name in ring.names()}
    options = ("--delete-source", "--allow-referenced") if removes else ()

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
    assert sum(one["copied"] for one in sums) == MANY
    assert {one[outcome] for one in sums for outcome in ("conflict", "failed", "kept", "updated")} == {0}
    assert sum(one["removed"] for one in sums) == (MANY if removes else 0)
    with library.open(home / "keywright.toml") as ring:
        assert {name: ring.export(name, store="new") for name in ring.names(store="new")} == before
        assert list(ring.names(store="old")) == ([] if removes else sorted(before))


KEYS = 300

CONFIG = """
default_store = "old"
[stores.old]
backend = "sqlite"
path = "old.db"
[stores.new]
backend = "file"
path = "new"
[stores.sealed]
backend = "file"
path = "sealed"
seal = "machine"
[seals.machine]
seal = "master-key"
key = { env = "MASTER" }
previous = [{ env = "PREVIOUS" }]
"""

MASTERS = {"MASTER": "bmV3" + "A" * 39 + "=", "PREVIOUS": "b2xk" + "A" * 39 + "="}


@pytest.fixture
def keys(home: Path) -> None:
    """Many keys in `old`."""
    (home / "keywright.toml").write_text(CONFIG)
    with library.open(home / "keywright.toml") as ring:
        for number in range(KEYS):
            ring.generate(f"k{number:03}")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_says_how_far_it_came(
    home: Path, environment: dict[str, str], keywright: Keywright, as_json: bool
) -> None:
    """Exit 130, a summary of what was copied, in JSON too, and the same command does the rest and nothing twice."""
    move = ("migrate", "--from", "old", "--to", "new")
    options = ("--json",) if as_json else ()

    code, out, err = ctrl_c(home, environment, *options, *move, begun=lambda _: (home / "new" / "k003").exists())
    rest = keywright(*move)

    *lines, summary = out.decode().splitlines()
    assert (code, err) == (130, b"interrupted; run the same command again to continue\n")
    assert 0 < len(lines) < KEYS
    if as_json:
        assert {json.loads(line)["outcome"] for line in lines} == {"copied"}
        assert json.loads(summary) == {
            "dry_run": False, "copied": len(lines), "updated": 0, "identical": 0, "conflict": 0, "failed": 0,
            "removed": 0, "kept": 0, "unsealed": 0, "interrupted": True,
        }  # fmt: skip
    else:
        assert summary == f"copied {len(lines)}, identical 0"
    copied = int(rest.stdout.splitlines()[-1].split()[1].rstrip(b","))
    # One may have been written, and not yet told.
    assert KEYS - len(lines) - 1 <= copied <= KEYS - len(lines)
    assert rest.stdout.splitlines()[-1] == f"copied {copied}, identical {KEYS - copied}".encode()


# Ctrl-C when a version is counted, and not yet told.
COUNTED = """
import signal, sys
from keywright.cli import main
from keywright.cli.context import Context
tell = Context.METHOD
def interrupted(context, text):
    if "k004@1" in text:
        signal.raise_signal(signal.SIGINT)
    tell(context, text)
Context.METHOD = interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "keywright"
sys.exit(main())
"""


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_counted_is_told(home: Path, environment: dict[str, str], as_json: bool) -> None:
    """The summary is the sum of the lines, whenever the interrupt comes."""
    move = [*(["--json"] if as_json else []), "migrate", "--from", "old", "--to", "new"]
    command = [sys.executable, "-c", COUNTED.replace("METHOD", "print"), *move]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, timeout=60)

    *lines, summary = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr.decode().splitlines()) == (
        130, ["interrupted; run the same command again to continue"],
    )  # fmt: skip
    assert "k004@1" in lines[-1]
    assert (json.loads(summary)["copied"] if as_json else int(summary.split()[1].rstrip(","))) == len(lines) == 5


def test_failures_that_are_counted_are_told(home: Path, environment: dict[str, str]) -> None:
    """The same of `rewrap`, with a master key that opens none of them."""
    (home / "keywright.toml").write_text(CONFIG.replace("previous = ", "# "))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MASTER", MASTERS["PREVIOUS"])
        with library.open(home / "keywright.toml", store="sealed") as ring:
            for number in range(10):
                ring.generate(f"k{number:03}")
    command = [
        sys.executable,
        "-c",
        COUNTED.replace("METHOD", "error")
        .replace("in text", "in str(text)")
        .replace("context, text)", "context, text, subject='')", 1)
        .replace("tell(context, text)", "tell(context, text, subject)"),
        "--store",
        "sealed",
        "rewrap",
    ]
    done = subprocess.run(command, cwd=home, env={**environment, **MASTERS}, capture_output=True, timeout=60)

    *lines, last = joined(done.stderr).splitlines()
    assert (done.returncode, last) == (130, "interrupted; run the same command again to continue")
    assert "k004@1" in lines[-1]
    assert (len(lines), done.stdout) == (5, b"rewrapped 0, current 0, failed 5\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_while_a_store_is_sealed_anew(
    home: Path, environment: dict[str, str], keywright: Keywright, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Exit 130, a summary, and the same command does the rest."""
    (home / "keywright.toml").write_text(CONFIG.replace("previous = ", "# ").replace("MASTER", "PREVIOUS"))
    monkeypatch.setenv("PREVIOUS", MASTERS["PREVIOUS"])
    with library.open(home / "keywright.toml", store="sealed") as ring:
        for number in range(KEYS):
            ring.generate(f"k{number:03}")
    (home / "keywright.toml").write_text(CONFIG)
    options = ("--json",) if as_json else ()
    key = home / "sealed" / "k003" / "@1" / "key"
    before = key.read_bytes()

    arguments = (*options, "--store", "sealed", "rewrap")
    code, out, err = ctrl_c(home, {**environment, **MASTERS}, *arguments, begun=lambda _: key.read_bytes() != before)
    rest = keywright("--json", "--store", "sealed", "rewrap", env=MASTERS)

    assert (code, err) == (130, b"interrupted; run the same command again to continue\n")
    done = json.loads(out)["rewrapped"] if as_json else int(out.split()[1].rstrip(b","))
    assert 0 < done < KEYS
    if as_json:
        assert json.loads(out) == {"rewrapped": done, "current": 0, "failed": 0, "interrupted": True}
    else:
        assert out == f"rewrapped {done}, current 0\n".encode()
    assert json.loads(rest.stdout)["rewrapped"] in (KEYS - done - 1, KEYS - done)


@pytest.mark.usefixtures("keys")
def test_the_bar_knows_its_end(home: Path, environment: dict[str, str]) -> None:
    """On a terminal the bar counts names, of as many as there are."""
    mine, theirs = pty.openpty()
    done = subprocess.run(
        [COMMAND, "migrate", "--from", "old", "--to", "new"], cwd=home, env=environment,
        stdout=subprocess.DEVNULL, stderr=theirs, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(mine, 65_536)
    os.close(mine)

    assert done.returncode == 0
    assert b" of 300 names" in shown
