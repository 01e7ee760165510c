"""Standard streams that are closed, full, without a reader or not blocking: told, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import COMMAND, Keywright, Shell, ctrl_c, feed, started

CLOSED = "keywright: standard output is closed, so there is nowhere to print to; redirect it, or say -o FILE\n"
FULL = (
    "keywright: standard output: cannot be written (No space left on device); what was done stands, so look before "
    "you repeat it\n"
)
ABSENT = "keywright: store 'default' has no key b; make one with generate or import, or name another --store\n"


@pytest.mark.parametrize(
    "line", ["generate b", "rotate a", "import b out", "list", "show a", "export a", "export a -o -", "sign a out"]
)
def test_a_closed_stdout_is_refused_before_anything_is_done(shell: Shell, line: str) -> None:
    """What would have nowhere to print to does nothing: exit 2."""
    shell("keywright export a --secret -o out")
    before = shell("keywright list").stdout

    done = shell(f"keywright {line} >&-")

    assert (done.returncode, done.stderr) == (2, CLOSED)
    assert shell("keywright list").stdout == before


def test_a_closed_stdout_is_no_matter_where_a_file_takes_the_result(shell: Shell, home: Path) -> None:
    """`-o` needs no stdout, unless `--json` does."""
    done, as_json = shell("keywright export a -o out >&-"), shell("keywright export a -o out2 --json >&-")

    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "out").read_bytes().startswith(b"a-1:")
    assert (as_json.returncode, as_json.stderr) == (2, CLOSED)
    assert not (home / "out2").exists()


@pytest.mark.parametrize("line", ["generate b", "show a", "show a --json", "--help", "list --help", "--version"])
def test_a_full_stdout(shell: Shell, line: str) -> None:
    """A result that cannot be written ends in exit 6 and one line."""
    done = shell(f"keywright {line} >/dev/full")

    assert (done.returncode, done.stderr) == (6, FULL)


def test_a_key_that_was_made_stays_when_stdout_is_full(shell: Shell) -> None:
    """As the message says, what was done stands."""
    shell("keywright generate b >/dev/full")

    assert shell("keywright list").stdout.startswith("a@1\t")
    assert "\nb@1\t" in shell("keywright list").stdout


def test_an_error_beside_a_full_stdout_keeps_its_exit_code(shell: Shell) -> None:
    """With `--json`, the line for people tells it; the document is lost without a word."""
    done = shell("keywright --json show b >/dev/full")

    assert (done.returncode, done.stderr) == (3, ABSENT)


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        pytest.param("show b", 3, "", id="error"),
        pytest.param("config path", 1, "", id="note"),
        pytest.param("", 2, "", id="overview"),
        pytest.param("generate b --type ed25519 --format jwk --attribute use=sig", 0, "b@1\n", id="result"),
        pytest.param("export w --format nix", 0, None, id="warning"),
        pytest.param("nix key generate-secret", 1, "", id="Nix's own words"),
        pytest.param("config check --option stores.default.nope x --debug", 2, "", id="faults"),
    ],
)
def test_nobody_hears_stderr(shell: Shell, line: str, code: int, out: str | None, stderr: str) -> None:
    """A closed or full stderr changes neither stdout nor the exit code."""
    shell("keywright generate w --type ed25519 --format jwk --attribute use=sig")
    heard = shell(f"keywright {line}")
    if code == 0 and out:
        shell("rm -r .local")

    done = shell(f"keywright {line} {stderr}")

    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == (heard.stdout if out is None else out)


def test_no_file_gets_the_number_of_a_closed_stream(shell: Shell, home: Path) -> None:
    """With all streams closed, what a library writes to descriptor 2 does not end up in a store."""
    (home / "loud.py").write_text(
        "import os, sys\n"
        "from keywright.cli.dispatch import run\n"
        "from keywright.ring.keyring import KeyRing\n"
        "made = KeyRing.generate\n"
        "def loud(*given, **settings):\n"
        "    opened = os.open('precious', os.O_CREAT | os.O_RDWR)\n"
        "    os.write(2, b'noise')\n"
        "    return made(*given, **settings)\n"
        "KeyRing.generate = loud\n"
        "sys.exit(run(['generate', 'b']))\n"
    )

    done = shell(f"{sys.executable} loud.py <&- 2>&-")

    assert (done.returncode, done.stdout) == (0, "b@1\n")
    assert (home / "precious").read_bytes() == b""


def test_a_pipe_without_a_reader_ends_quietly(shell: Shell) -> None:
    """Exit 141 and no word, for a result and for help."""
    done = shell("keywright list | true; echo ${PIPESTATUS[0]}; keywright --help | true; echo ${PIPESTATUS[0]}")

    assert set(done.stdout.split()) <= {"0", "141"}  # 0: it was written before the reader left
    assert done.stderr == ""


def test_a_reader_that_is_gone_already(home: Path, environment: dict[str, str]) -> None:
    """Exit 141 and no word, where the pipe is broken for sure."""
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [COMMAND, "--help"], cwd=home, env=environment, stdout=writing, stderr=subprocess.PIPE, timeout=60
    )

    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_ascii_stdout_still_gets_help(keywright: Keywright) -> None:
    """What the encoding has not is replaced."""
    done = keywright("--help", env={"PYTHONIOENCODING": "ascii"})

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: keywright COMMAND ?\n")


@pytest.mark.parametrize("filled", [b"", b"cut short"], ids=["nothing there", "a part there"])
def test_a_stdin_that_does_not_block_is_refused(home: Path, environment: dict[str, str], filled: bytes) -> None:
    """A part of the input is never taken for the whole."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, filled)

    done = subprocess.run(
        [COMMAND, "import", "b"], cwd=home, env=environment, stdin=reading, capture_output=True, timeout=60
    )

    os.close(reading)
    os.close(writing)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (
        b"keywright: standard input does not block, so a part could be taken for the whole; name a file\n"
    )


def test_an_empty_path_to_read_is_refused(keywright: Keywright) -> None:
    """An empty FILE is not taken for standard input."""
    done = keywright("import", "b", "")

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (b"keywright: the path of the file to read is empty; name a file, or - for standard input\n")


def test_a_dash_is_stdout(shell: Shell, home: Path) -> None:
    """`-o -` prints, and makes no file of that name."""
    done = shell("keywright export a -o -")

    assert done.stdout == shell("keywright export a").stdout != ""
    assert not (home / "-").exists()


def test_ctrl_c_while_it_reads(home: Path, environment: dict[str, str]) -> None:
    """Exit 130 and one line."""

    def reads(running: subprocess.Popen[bytes]) -> bool:
        feed(running, b"a")
        return True

    assert ctrl_c(home, environment, "import", "b", begun=reads) == (130, b"", b"keywright: interrupted\n")


@pytest.mark.parametrize("module", ["keywright.cli.dispatch", "argparse", "pluggy", "keywright.config"])
def test_ctrl_c_while_modules_are_imported(home: Path, environment: dict[str, str], module: str) -> None:
    """Exit 130 without a traceback, whichever module is being imported."""
    program = (
        "import builtins, sys\n"
        "from keywright.cli import main\n"
        "imported = builtins.__import__\n"
        "def interrupted(name, *given, **settings):\n"
        f"    if name == {module!r}:\n"
        "        raise KeyboardInterrupt\n"
        "    return imported(name, *given, **settings)\n"
        "builtins.__import__ = interrupted\n"
        "sys.argv[1:] = ['generate', 'b']\n"
        "sys.exit(main())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=home, env=environment, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr in ("", "keywright: interrupted\n")


def test_ctrl_c_over_which_another_error_is_raised(home: Path, environment: dict[str, str]) -> None:
    """A `finally` that finds its work half done may raise over the interrupt; it is an interrupt all the same."""
    program = (
        "import argparse, sys\n"
        "from keywright.cli import main\n"
        "def interrupted(self, given):\n"
        "    try:\n"
        "        raise KeyboardInterrupt\n"
        "    finally:\n"
        "        self.half_done.clear()\n"
        "argparse.ArgumentParser.parse_known_intermixed_args = interrupted\n"
        "argparse.ArgumentParser.parse_intermixed_args = interrupted\n"
        "sys.argv[1:] = ['generate', 'b']\n"
        "sys.exit(main())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=home, env=environment, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "keywright: interrupted\n")


def test_a_message_is_read_before_the_key_is_bound(home: Path, environment: dict[str, str], shell: Shell) -> None:
    """A key that is compromised while `sign` waits for its input does not sign."""
    with started([COMMAND, "sign", "a"], cwd=home, env=environment, stdin=subprocess.PIPE) as running:
        feed(running, b"mess")
        assert shell("keywright compromise a@1").returncode == 0
        out, err = running.communicate(b"age", timeout=60)

    assert (running.returncode, out) == (5, b"")
    assert b"compromised" in err


def test_a_kid_does_not_steer_the_terminal(keywright: Keywright) -> None:
    """What does not print stands as a backslash escape, and the backslash as two, so that columns stay columns."""
    keywright("generate", "k", "--type", "oct", "--kid", "x\ny\tz\x1b[1m\u202e\\")

    listed, shown = keywright("list", "k").stdout.decode(), keywright("show", "k").stdout.decode()

    assert listed == "k@1\tsigning\toct\tx\\ny\\tz\\x1b[1m\\u202e\\\\\n"
    assert shown.startswith("k@1\tsigning\toct\tjwk\t")
    assert shown.endswith("\tx\\ny\\tz\\x1b[1m\\u202e\\\\\n")
    assert shown.count("\n") == 1
