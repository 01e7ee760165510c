"""Standard streams and terminals: closed, full, without a reader or with too much input, but never a traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import COMMAND, Keywright, Shell, Told, ctrl_c, feed, started
from support.errors import printed

from keywright import Context, Registry
from keywright.cli.commands import use
from keywright.cli.io import Progress

CLOSED = "error: standard output is closed\nhint: redirect it, or pass -o FILE\n"

FULL = (
    "error: cannot write to standard output (No space left on device)\nhint: if the command changes a key, "
    "it took effect: check with `keywright show` before you repeat it\n"
)

ABSENT = "error: store 'default' has no key c\nhint: create it with `keywright generate c`, or pass another --store\n"


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


def test_what_is_done_or_refused_stays_so_when_stdout_is_full(shell: Shell) -> None:
    """What was done stands; an error keeps its exit code, and with `--json` its document is lost without a word."""
    shell("keywright generate b >/dev/full")

    listed, done = shell("keywright list").stdout, shell("keywright --json show c >/dev/full")

    assert listed.startswith("a@1\t")
    assert "\nb@1\t" in listed
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
        "from keywright.cli.app import run\n"
        "from keywright import KeyRing\n"
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


def test_a_pipe_without_a_reader_ends_quietly(shell: Shell, home: Path, environment: dict[str, str]) -> None:
    """Exit 141 and no word, for a result and for help."""
    done = shell("keywright list | true; echo ${PIPESTATUS[0]}; keywright --help | true; echo ${PIPESTATUS[0]}")
    reading, writing = os.pipe()
    os.close(reading)
    broken = subprocess.run(
        [COMMAND, "--help"], cwd=home, env=environment, stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)

    assert set(done.stdout.split()) <= {"0", "141"}  # 0: it was written before the reader left
    assert done.stderr == ""
    assert (broken.returncode, broken.stderr) == (141, b"")  # where the pipe is broken for sure


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
    message = b"error: standard input is in non-blocking mode, so it could be read in part\nhint: pass a file\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", message)


def test_a_dash_is_a_stream_and_an_empty_path_is_nothing(shell: Shell, home: Path) -> None:
    """`-o -` prints, and makes no file of that name; an empty FILE is not taken for standard input."""
    done, empty = shell("keywright export a -o -"), shell("keywright import b ''")

    assert done.stdout == shell("keywright export a").stdout != ""
    assert not (home / "-").exists()
    message = "error: the path of the input file is empty\nhint: pass a path, or - for standard input\n"
    assert (empty.returncode, empty.stdout, empty.stderr) == (2, "", message)


def test_ctrl_c_while_it_reads(home: Path, environment: dict[str, str]) -> None:
    """Exit 130 and one line."""

    def reads(running: subprocess.Popen[bytes]) -> bool:
        feed(running, b"a")
        return True

    assert ctrl_c(home, environment, "import", "b", begun=reads) == (130, b"", b"error: interrupted\n")


IMPORTING = """
import builtins
imported = builtins.__import__
def interrupted(name, *given, **settings):
    if name.startswith(MODULE):
        raise KeyboardInterrupt
    return imported(name, *given, **settings)
builtins.__import__ = interrupted
"""
FINISHING = """
import argparse
def interrupted(self, given):
    try:
        raise KeyboardInterrupt
    finally:
        self.half_done.clear()
argparse.ArgumentParser.parse_known_intermixed_args = interrupted
argparse.ArgumentParser.parse_intermixed_args = interrupted
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        *(
            pytest.param(IMPORTING.replace("MODULE", repr(module)), ("", "error: interrupted\n"), id=module)
            for module in ("keywright.cli.app", "argparse", "keywright.plugins.registry", "keywright.config.load")
        ),
        pytest.param(FINISHING, ("error: interrupted\n",), id="another error over it"),
    ],
)
def test_ctrl_c_at_an_awkward_moment(
    home: Path, environment: dict[str, str], program: str, said: tuple[str, ...]
) -> None:
    """Exit 130 without a traceback, whichever module is being imported, or where a `finally` raises over it."""
    program = f"import sys\nfrom keywright.cli import main\n{program}\nsys.exit(main())"
    command = [sys.executable, "-c", program, "generate", "b"]

    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr in said) == (130, "", True)


def test_a_message_is_read_before_the_key_is_bound(home: Path, environment: dict[str, str], shell: Shell) -> None:
    """A key that is compromised while `sign` waits for its input does not sign."""
    with started([COMMAND, "sign", "a"], cwd=home, env=environment, stdin=subprocess.PIPE) as running:
        feed(running, b"mess")
        assert shell("keywright compromise a@1 --yes").returncode == 0
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


TOO_MUCH = "has more than {} bytes, the limit for this command; check that it is the intended file"
JWE = "jose jwe encrypt --key a --key-algorithm dir --content-algorithm A256GCM"


@pytest.mark.parametrize("line", ["import b", "jose jws sign --key a", JWE])
def test_more_than_is_read_is_refused(shell: Shell, home: Path, line: str) -> None:
    """For any kind of input the message says how much a command reads."""
    (home / "large").touch()
    os.truncate(home / "large", 1_048_577)

    done = shell(f"keywright {line} large")

    message = printed(f"large: {TOO_MUCH.format(1048576)}")
    assert (done.returncode, done.stdout, done.stderr) == (65, "", message)


@pytest.mark.parametrize("line", ["sign a long", "verify a long --signature AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_message_has_a_limit_of_its_own(told: Told, home: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """The input of `sign` is not a key, and the message does not call it one."""
    monkeypatch.setattr(use, "_MAXIMUM_MESSAGE_BYTES", 10)
    (home / "long").write_bytes(bytes(11))

    assert told(*line.split()) == (65, "", printed(f"long: {TOO_MUCH.format(10)}"))


@pytest.mark.parametrize(
    ("line", "noted"),
    [
        *((line, True) for line in ("import b", "sign a", "sign a -", "convert --from nix --to jwk")),
        *((line, False) for line in ("sign a -q", "sign a out")),
    ],
)
def test_input_from_a_terminal_is_noted(
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
    note = b"reading from the terminal, end with Ctrl-D\n"
    assert (err.startswith(note), err.count(note)) == (noted, int(noted))


@pytest.mark.parametrize(
    ("line", "warned"),
    [
        *((line, True) for line in ("import b key", "import b ./key")),
        *((f"import b {more}", False) for more in ("key -q", "- < key", "--public public", "public", "hidden")),
    ],
)
def test_a_secret_key_that_others_may_read_is_reported(shell: Shell, line: str, warned: bool) -> None:
    """An import warns that it may be known; not of a public key or a stream."""
    shell("umask 077; keywright export a --secret > hidden; cp hidden key; keywright export a > public")
    shell("chmod 644 key public; keywright destroy a --yes")

    done = shell(f"keywright {line}")

    path = line.split()[2]
    message = (
        f"{path}: other users may read or change this secret key; run `chmod 600` on it, and replace the key if "
        "others may have read it"
    )
    assert (printed(message, kind="warning") == done.stderr) == warned
    assert ("users may read" in done.stderr) == warned


def test_init_where_no_file_can_be(shell: Shell, home: Path) -> None:
    """A directory that is gone is an error, as for every command, but not for an absolute path; so is a directory."""
    gone = "mkdir -p gone taken; cd gone; rmdir ../gone; keywright init"

    elsewhere = shell(f"{gone} --config {home}/new.toml")
    assert (elsewhere.returncode, elsewhere.stdout, elsewhere.stderr) == (0, f"{home}/new.toml\n", "")
    for arguments in ("", "--force", "--config newer.toml", "--json"):
        done = shell(f"{gone} {arguments}")
        message = "error: the current directory does not exist any more\nhint: change to another\n"
        assert (done.returncode, done.stderr) == (2, message), arguments
    over = shell("keywright init --config taken --force")
    message = f"error: {home}/taken: is not a regular file\nhint: choose another path with --config\n"
    assert (over.returncode, over.stderr) == (2, message)


def _progress(total: int, noun: str, *, json: bool = False, quiet: bool = False) -> Progress:
    context = Context(Registry, read_config=lambda: pytest.fail("no configuration is read"), json=json, quiet=quiet)
    return context.progress(total, noun)


class _Terminal(io.StringIO):
    """What takes the place of stderr, in the test itself: pytest sets stderr again when the test begins."""

    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn on one line, not more often than ten times a second, and nothing of it stays."""
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    now = iter([1.0, 1.0, 1.05, 1.2, 1.2])
    monkeypatch.setattr("keywright.cli.io.time.monotonic", lambda: next(now))

    with _progress(2048, "narinfos") as progress:
        progress.advance(512)
        progress.advance()
        progress.advance(511)

    assert terminal.getvalue() == (
        "\r\x1b[K######                   512 of 2,048 narinfos"
        "\r\x1b[K############             1,024 of 2,048 narinfos"
        "\r\x1b[K"
    )
    assert progress.done == 1024


@pytest.mark.parametrize(
    ("total", "done", "line"),
    [
        pytest.param(None, 1234, "1,234 keys", id="no total"),
        pytest.param(0, 0, " " * 24 + " 0 of 0 keys", id="nothing to do"),
        pytest.param(2, 3, "#" * 24 + " 3 of 2 keys", id="more than there were"),
    ],
)
def test_the_line(total: int | None, done: int, line: str) -> None:
    """Counts have separators, and the bar never leaves its bounds."""
    progress = Progress(total, "keys", shown=False)

    progress.advance(done)

    assert progress.line() == line


@pytest.mark.parametrize(
    ("stderr", "json", "quiet"),
    [(io.StringIO, False, False), (_Terminal, True, False), (_Terminal, False, True)],
    ids=["log file", "json", "quiet"],
)
def test_nothing_is_drawn_for_programs_and_log_files(
    monkeypatch: pytest.MonkeyPatch, stderr: type[io.StringIO], json: bool, quiet: bool
) -> None:
    """`--json`, `--quiet` and what is not a terminal draw nothing."""
    output = stderr()
    monkeypatch.setattr("sys.stderr", output)

    with _progress(2, "keys", json=json, quiet=quiet) as progress:
        progress.advance()

    assert output.getvalue() == ""


PROMPT = b"API key: "
NOTHING = "standard input is empty; pass the API key there: keywright jose api-key verify < api-key.txt"


def typed_in(home: Path, environment: dict[str, str], text: str) -> tuple[int, str, str, str]:
    """Exit code, stdout, what came on stderr after the prompt, and what the terminal showed of what was typed."""
    ours, theirs = os.openpty()
    # Of a session of its own, or it would ask on the terminal that the tests run on.
    command = [COMMAND, "jose", "api-key", "verify"]
    with started(command, cwd=home, env=environment, stdin=theirs, start_new_session=True) as process:
        assert process.stderr is not None
        assert process.stderr.read(len(PROMPT)) == PROMPT
        os.write(ours, text.encode() + b"\n")
        out, err = process.communicate(timeout=60)
    # The last of its users gone, it is at its end after what it showed.
    os.close(theirs)
    try:
        shown = os.read(ours, 4096)
    except OSError:
        shown = b""
    os.close(ours)
    return process.returncode, out.decode(), err.decode().lstrip("\n"), shown.decode()


def test_it_asks_for_the_key(home: Path, environment: dict[str, str], keywright: Keywright) -> None:
    """A user at a terminal is asked, and their input is not shown; empty input is an error."""
    (home / "keywright.toml").write_text('[stores.a]\nbackend = "sqlite"\npath = "k"\n')
    made = dict(line.split(": ") for line in keywright("jose", "api-key", "create").stdout.decode().splitlines())

    assert typed_in(home, environment, made["api_key"]) == (0, f"key_id: {made['key_id']}\n", "", "")
    assert typed_in(home, environment, "") == (2, "", printed(NOTHING), "")
