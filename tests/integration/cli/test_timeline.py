"""`show` and `list` on a terminal draw; elsewhere they do not."""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support import COMMAND, Keywright

import keywright as library

DAY = timedelta(days=1)
TABLE = '[keys."prod/jwt"]\nrotate_every = "90d"\nkid = "signing-key-of-the-platform-team-{version}"\n'
Terminal = Callable[..., list[str]]


@pytest.fixture
def keys(home: Path) -> None:
    """Names with one version, with two and with twelve, of which some are in each state."""
    config = home / "keywright.toml"
    config.write_text('[stores.a]\nbackend = "sqlite"\npath = "keys.db"\n' + TABLE)
    now = time = datetime.now(UTC) - timedelta(hours=1)
    with library.open(str(config), clock=lambda: time) as ring:
        ring.generate("fresh")
        time = now - 20 * DAY
        ring.generate("gone")
        time = now - 110 * DAY
        ring.generate("prod/jwt", type="ec-p256", labels={"team": "infra"})
        for version in range(2, 13):
            time += 9 * DAY
            ring.rotate("prod/jwt", overlap=5 * DAY, activate_in=2 * DAY if version % 2 else None)
        time = now - 5 * DAY
        ring.disable("prod/jwt@11")
        ring.compromise("prod/jwt@10", reason="leaked")
        ring.compromise("prod/jwt@9", reason='"leaked"')
        ring.destroy("prod/jwt@9", reason="old\\new")
        ring.destroy("gone@1")
        time = now - DAY
        ring.generate("two", expires=now + 30 * DAY)
        ring.rotate("two", activate_in=8 * DAY, overlap=14 * DAY)


@pytest.fixture
def terminal(home: Path, environment: dict[str, str]) -> Terminal:
    """What a command prints on a terminal of so many columns, line by line; of its times the shape."""

    def run(*arguments: str, columns: int, **variables: str) -> list[str]:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = {**environment, "PYTHONIOENCODING": "utf-8", **variables}
        process = subprocess.Popen([COMMAND, *arguments], cwd=home, env=env, stdout=theirs, stderr=theirs, stdin=theirs)
        os.close(theirs)
        said = b""
        with suppress(OSError):  # the last one has closed it
            while data := os.read(ours, 65536):
                said += data
        os.close(ours)
        assert process.wait(30) == 0
        text = re.sub(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "YYYY-MM-DDThh:mm:ssZ", said.decode())
        text = re.sub(r"(?<!\()\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?= |\r)", "YYYY-MM-DD", text)
        text = re.sub(r"\([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2} UTC\)", "(YYYY-MM-DD hh:mm UTC)", text)
        return text.replace("\r\n", "\n").splitlines()

    return run


@pytest.mark.usefixtures("keys")
def test_show_draws(terminal: Terminal, keywright: Keywright) -> None:
    """Below the table a bar for each version, where now is, and what comes next; a pipe gets the table alone."""
    drawn = terminal("show", "two", columns=200)

    assert [line.split()[:2] for line in drawn[:3]] == [
        ["VERSION", "PHASE"],
        ["two@1", "signing"],
        ["two@2", "announced"],
    ]
    assert drawn[3:] == [
        "",
        "  1█████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒                       two@1 signing",
        "  ··············2█████████████████████████████████████████████  two@2 announced",
        "   ^ now",
        "  YYYY-MM-DD                                        YYYY-MM-DD",
        "  · announced, █ signing, ▒ verifying; a number: that version starts to sign",
        "",
        "  in 7 days (YYYY-MM-DD hh:mm UTC): version 2 starts to sign; those before it verify for 2w more",
        "  in 21 days (YYYY-MM-DD hh:mm UTC): version 1 stops verifying",
    ]
    assert keywright("show", "two").stdout.count(b"\n") == 2


@pytest.mark.usefixtures("keys")
def test_show_on_a_narrow_terminal(terminal: Terminal) -> None:
    """A table that does not fit becomes a few lines for each version, and no line is longer than the terminal."""
    assert terminal("show", "two", columns=40) == [
        "two@1  signing",
        "  type ed25519  format nix",
        "  created YYYY-MM-DDThh:mm:ssZ",
        "  signs from YYYY-MM-DDThh:mm:ssZ",
        "  ends YYYY-MM-DDThh:mm:ssZ  kid two-1",
        "two@2  announced",
        "  type ed25519  format nix",
        "  created YYYY-MM-DDThh:mm:ssZ",
        "  signs from YYYY-MM-DDThh:mm:ssZ",
        "  kid two-2",
        "",
        "  1████▒▒▒▒▒▒▒▒▒         two@1 signing",
        "  ·····2███████████████  two@2 announced",
        "  ^ now",
        "  YYYY-MM-DD YYYY-MM-DD",
        "  · announced, █ signing, ▒ verifying; a",
        "    number: that version starts to sign",
        "",
        "  in 7 days (YYYY-MM-DD hh:mm UTC):",
        "    version 2 starts to sign; those",
        "    before it verify for 2w more",
        "  in 21 days (YYYY-MM-DD hh:mm UTC):",
        "    version 1 stops verifying",
    ]


@pytest.mark.usefixtures("keys")
def test_twelve_versions_in_every_state(terminal: Terminal) -> None:
    """Numbers of two digits are whole; a compromised or destroyed version ended then, and never signs."""
    drawn = terminal("show", "prod/jwt", columns=80)

    assert drawn[-31:] == [
        "prod/jwt@11  disabled",
        "  type ec-p256  format jwk  created YYYY-MM-DDThh:mm:ssZ",
        "  ends YYYY-MM-DDThh:mm:ssZ  labels team=infra",
        "  kid signing-key-of-the-platform-team-11",
        "prod/jwt@12  signing",
        "  type ec-p256  format jwk  created YYYY-MM-DDThh:mm:ssZ",
        "  signs from YYYY-MM-DDThh:mm:ssZ  labels team=infra",
        "  kid signing-key-of-the-platform-team-12",
        "",
        "  1███▒▒                                                 prod/jwt@1 retired",
        "      2████▒▒                                            prod/jwt@2 retired",
        "          3███▒▒                                         prod/jwt@3 retired",
        "              4████▒▒                                    prod/jwt@4 retired",
        "                  5███▒▒                                 prod/jwt@5 retired",
        "                      6████▒▒                            prod/jwt@6 retired",
        "                          7███▒▒                         prod/jwt@7 retired",
        "                              8████▒▒                    prod/jwt@8 retired",
        "                                  9███▒▒        ×        prod/jwt@9 destroyed",
        "                                      10███▒▒   !        prod/jwt@10 compromised",
        "                                          11██▒▒‖        prod/jwt@11 disabled",
        "                                              12███████  prod/jwt@12 signing",
        "                                                  ^ now",
        "  YYYY-MM-DD                                 YYYY-MM-DD",
        "  · announced, █ signing, ▒ verifying, ‖ disabled, × destroyed, ! compromised; a",
        "    number: that version starts to sign",
        "",
        "  5 days ago (YYYY-MM-DD hh:mm UTC): version 9 was destroyed: old\\\\new; was",
        '    compromised: "leaked"',
        "  5 days ago (YYYY-MM-DD hh:mm UTC): version 10 was compromised: leaked",
        "  5 days ago (YYYY-MM-DD hh:mm UTC): version 11 was disabled",
        "  in 79 days (YYYY-MM-DD hh:mm UTC): it is due for rotation",
    ]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("columns", [40, 79, 200])
def test_no_line_is_longer_than_the_terminal(terminal: Terminal, columns: int) -> None:
    """Nothing wraps in the middle of a bar or a word."""
    drawn = [line for name in ("fresh", "gone", "prod/jwt") for line in terminal("show", name, columns=columns)]

    assert max(map(len, drawn)) <= max(columns, len("  kid signing-key-of-the-platform-team-12"))


@pytest.mark.usefixtures("keys")
def test_a_reason_is_the_last_column(keywright: Keywright) -> None:
    """What a pipe gets has the reason behind the kid, escaped, and nothing without a reason."""
    rows = [row.split("\t") for row in keywright("show", "prod/jwt").stdout.decode().splitlines()]

    assert [row[9:] for row in rows[8:]] == [[r'old\\new; was compromised: "leaked"'], ["leaked"], [], []]


@pytest.mark.usefixtures("keys")
def test_an_end_is_when_it_stopped(terminal: Terminal, keywright: Keywright) -> None:
    """Of what was destroyed after it had stopped to verify, the end is the earlier time; of what was not, the later."""
    rows = {row.split("\t")[0]: row.split("\t") for row in keywright("show", "prod/jwt").stdout.decode().splitlines()}
    gone = keywright("show", "gone").stdout.decode().split("\t")

    eighth, ninth = (datetime.fromisoformat(rows[f"prod/jwt@{version}"][6]) for version in (8, 9))
    assert ninth - eighth == 7 * DAY
    assert rows["prod/jwt@9"][5] == ""
    assert datetime.fromisoformat(gone[6]) - datetime.fromisoformat(gone[4]) == 15 * DAY


@pytest.mark.usefixtures("keys")
def test_list_draws(terminal: Terminal, keywright: Keywright) -> None:
    """A bar for each name before the rest, and as much of a long kid as fits; a pipe gets no bars, and kids whole."""
    assert terminal("list", columns=80) == [
        "TIME                            NAME         PHASE      TYPE     KID",
        "                     1████████  fresh@1      signing    ed25519  fresh-1",
        "                 1██×           gone@1       destroyed  ed25519  gone-1",
        "█2█3█4██6███8█9█10█12!████████  prod/jwt@12  signing    ec-p256  signing-key-of…",
        "                     1█2██████  two@1        signing    ed25519  two-1",
        "                     ^ now",
        "YYYY-MM-DD          YYYY-MM-DD",
        "· announced, █ signing, ▒ verifying, × destroyed, ! compromised; a number: that",
        "  version starts to sign",
    ]
    assert terminal("list", columns=40) == [
        "NAME         PHASE      TYPE     KID",
        "fresh@1      signing    ed25519  fresh-1",
        "gone@1       destroyed  ed25519  gone-1",
        "prod/jwt@12  signing    ec-p256  signing-key…",
        "two@1        signing    ed25519  two-1",
    ]
    assert b"prod/jwt@12\tsigning\tec-p256\tsigning-key-of-the-platform-team-12\n" in keywright("list").stdout


@pytest.mark.usefixtures("keys")
def test_a_terminal_without_such_characters(terminal: Terminal) -> None:
    """ASCII alone, and never a colour."""
    assert terminal("list", columns=80, PYTHONIOENCODING="ascii", NO_COLOR="1", LANG="C")[3:] == [
        "#2#3#4##6###8#9#10#12!########  prod/jwt@12  signing    ec-p256  signing-key-of~",
        "                     1#2######  two@1        signing    ed25519  two-1",
        "                     ^ now",
        "YYYY-MM-DD          YYYY-MM-DD",
        ". announced, # signing, - verifying, x destroyed, ! compromised; a number: that",
        "  version starts to sign",
    ]


def test_what_is_not_there_is_told(home: Path, terminal: Terminal, keywright: Keywright) -> None:
    """An empty store says so and how to fill it; `show` says so of a missing version."""
    (home / "keywright.toml").write_text('[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n')

    assert terminal("list", columns=80) == ['Store "local" has no keys; create one with `keywright generate NAME`']
    assert terminal("list", "a", columns=80) == [
        'No key in store "local" matches; leave out PREFIX and --label to list all'
    ]
    with (home / "keywright.toml").open("a") as config:
        config.write('[keys.absent]\nrotate_every = "1d"\n')
    due = ["Nothing is due (1 key with rotate_every checked)"]
    assert (terminal("rotate", "--due", columns=80), keywright("rotate", "--due").stderr) == (due, b"")
    keywright("generate", "a", "--type", "oct")
    done = keywright("show", "a@2")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr == b"error: a has no version 2 in store 'local'\nhint: it has: 1\n"


def test_one_version_is_shown(keywright: Keywright) -> None:
    """`show NAME@N` has that version and what comes for it, as `show NAME` says it."""
    keywright("generate", "a", "--type", "oct", "--expires", "1y")
    keywright("rotate", "a", "--activate-in", "7d")

    whole = json.loads(keywright("show", "a", "--json").stdout)
    one = json.loads(keywright("show", "a@2", "--json").stdout)

    assert one["name"] == "a"
    assert one["versions"] == [whole["versions"][1]]
    assert one["next"] == [event for event in whole["next"] if event["version"] == 2] != whole["next"]
    assert keywright("show", "a@1").stdout.startswith(b"a@1\t")
    assert keywright("show", "a@1").stdout.count(b"\n") == 1


def test_what_was_passed_over_never_signs(keywright: Keywright) -> None:
    """A version that another took the place of before its time has no time from which it signs."""
    rows = []
    for line in ("generate a --activates 5d", "rotate a"):
        keywright(*line.split())
        rows += [row.split("\t") for row in keywright("show", "a").stdout.decode().splitlines()]

    assert [(row[1], bool(row[5])) for row in rows] == [("announced", True), ("verifying", False), ("signing", True)]
