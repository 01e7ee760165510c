"""What commands read: how much of it, from a terminal, from a file that others may read; and `init` from nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import COMMAND, Shell, started

from keywright.cli import app
from keywright.cli.commands import use


@pytest.mark.parametrize(
    "line",
    [
        "import b",
        "jose jws sign --key a",
        "jose jwe encrypt --key a --key-algorithm dir --content-algorithm A256GCM",
    ],
)
def test_more_than_is_read_is_refused(shell: Shell, home: Path, line: str) -> None:
    """Whatever it would have been: the message says how much a command reads."""
    (home / "large").touch()
    os.truncate(home / "large", 1_048_577)

    done = shell(f"keywright {line} large")

    told = "has more than 1048576 bytes, the most that is read here; check that it is what you meant"
    assert (done.returncode, done.stdout, done.stderr) == (65, "", f"keywright: large: {told}\n")


@pytest.mark.parametrize("command", ["sign", "verify"])
def test_a_message_has_a_limit_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """What is signed is no key, and the message does not say so."""
    monkeypatch.setattr(use, "_MAXIMUM_MESSAGE_BYTES", 10)
    (home / "long").write_bytes(bytes(11))
    more = ["--signature", "AA=="] if command == "verify" else []

    code = app.run([command, "a", str(home / "long"), *more])

    told = "has more than 10 bytes, the most that is read here; check that it is what you meant"
    assert (code, capsys.readouterr()) == (65, ("", f"keywright: {home / 'long'}: {told}\n"))


@pytest.mark.parametrize(
    ("line", "noted"),
    [
        ("import b", True),
        ("sign a", True),
        ("sign a -", True),
        ("convert --from nix --to jwk", True),
        ("sign a -q", False),
        ("sign a out", False),
    ],
)
def test_who_types_is_told_how_to_end(
    shell: Shell, home: Path, environment: dict[str, str], line: str, noted: bool
) -> None:
    """A command that reads from a terminal says so, once, unless it is to be quiet."""
    shell("keywright export a --secret -o out")
    ours, theirs = os.openpty()
    os.write(ours, b"hello\n\x04")

    with started([COMMAND, *line.split()], cwd=home, env=environment, stdin=theirs) as running:
        _, err = running.communicate(timeout=60)

    os.close(ours)
    os.close(theirs)
    note = b"keywright: reading from the terminal; end with Ctrl-D\n"
    assert (err.startswith(note), err.count(note)) == (noted, int(noted))


@pytest.mark.parametrize(
    ("line", "warned"),
    [
        ("import b key", True),
        ("import b ./key", True),
        ("import b key -q", False),
        ("import b - < key", False),
        ("import b --public public", False),
        ("import b public", False),
        ("import b hidden", False),
    ],
)
def test_a_secret_key_that_others_may_read_is_told(shell: Shell, line: str, warned: bool) -> None:
    """Whoever imports it learns that it may be known; of a public key or a stream there is nothing to say."""
    shell("umask 077; keywright export a --secret > hidden; cp hidden key; keywright export a > public")
    shell("chmod 644 key public; keywright destroy a --yes")

    done = shell(f"keywright {line}")

    path = line.split()[2]
    told = f"{path}: others may read or change this secret key; chmod 600 it, and make a new one if they did"
    assert (f"keywright: warning: {told}\n" == done.stderr) == warned
    assert ("others may read" in done.stderr) == warned


@pytest.mark.parametrize("arguments", ["", "--force", "--config new.toml", "--json"])
def test_init_in_a_directory_that_is_gone(shell: Shell, arguments: str) -> None:
    """It is told, as by every command."""
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; keywright init {arguments}")

    told = "keywright: the current directory does not exist any more; change to another\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_init_elsewhere_from_a_directory_that_is_gone(shell: Shell, home: Path) -> None:
    """A path in full needs no current directory."""
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; keywright init --config {home}/new.toml")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{home}/new.toml\n", "")


def test_init_over_what_is_no_file(shell: Shell, home: Path) -> None:
    """It has no `-o`, and says how to name another path."""
    done = shell("mkdir taken; keywright init --config taken --force")

    told = f"keywright: {home}/taken: is no regular file; choose another path with --config\n"
    assert (done.returncode, done.stderr) == (2, told)
