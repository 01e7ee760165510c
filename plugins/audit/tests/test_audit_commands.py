"""`keywright audit …`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from keywright_audit.log import append

Fill = Callable[[int], list[bytes]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(log: Path) -> Run:
    """Runs `keywright audit …` beside a configuration that names the log."""
    (log.parent / "keywright.toml").write_text('[plugin.audit]\npath = "audit.jsonl"\n')

    def run_command(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(log.parent)}
        command = [sys.executable, "-m", "keywright", "audit", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=log.parent, env=environment, input=input, timeout=60
        )

    return run_command


def _result(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


def test_verify_says_that_all_is_well(run: Run, log: Path, fill: Fill) -> None:
    """The configured log, or the one that is named; how many lines, and the last hash."""
    head = json.loads(fill(3)[2])["hash"]

    done = run("verify")

    assert _result(done) == (0, f"{log}: 3 lines, one chain; the last hash is {head}\n", "")
    assert _result(run("verify", "audit.jsonl"))[1].startswith("audit.jsonl: 3 lines, one chain; ")
    document = {"file": str(log), "lines": 3, "hash": head, "faults": [], "notes": []}
    assert json.loads(run("verify", "--json").stdout) == document


def test_verify_tells_each_fault_and_exits_1(run: Run, log: Path, fill: Fill) -> None:
    """A line for each; the same in a document."""
    lines = fill(4)
    log.write_bytes(lines[0].replace(b"ann", b"eve") + lines[1] + lines[3])

    done, as_json = run("verify"), run("verify", "--json")

    missing = "does not follow the line before it: lines between are missing, or changed"
    assert _result(done) == (1, f"{log}: line 1 is not as it was written\n{log}: line 3 {missing}\n", "")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["faults"] == [
        {"line": 1, "what": "changed", "message": "line 1 is not as it was written"},
        {"line": 3, "what": "missing", "message": f"line 3 {missing}"},
    ]


def test_verify_tells_of_a_cut_line_and_exits_0(run: Run, log: Path, fill: Fill) -> None:
    """On stderr, for it is no fault; in the document it is a note."""
    lines = fill(2)
    log.write_bytes(lines[0] + lines[1][:20])

    done, as_json = run("verify"), run("verify", "--json")

    told = "was cut while it was written (20 bytes); the next line will be preceded by one that says so"
    assert (done.returncode, done.stderr) == (0, f"keywright: {log}: line 2 {told}\n")
    assert [note["what"] for note in json.loads(as_json.stdout)["notes"]] == ["cut"]


def test_head_is_what_verify_can_expect_later(run: Run, log: Path, fill: Fill) -> None:
    """A head that was kept elsewhere finds a cut end, given as it is or in a file that grows."""
    lines = fill(2)
    heads = run("head").stdout
    fill(2)
    heads += run("head").stdout
    (log.parent / "heads.txt").write_text(heads)
    one, two = heads.split()

    assert [json.loads(line)["hash"] for line in (lines[1], log.read_bytes().splitlines()[3])] == [one, two]
    assert run("verify", "--expect", one).returncode == run("verify", "--anchor", "heads.txt").returncode == 0
    assert run("verify", "--anchor", "-", input=heads).returncode == 0
    log.write_bytes(b"".join(lines))
    assert run("verify", "--expect", one).returncode == run("verify").returncode == 0
    assert _result(run("verify", "--anchor", "heads.txt")) == (
        1,
        f"{log}: no line has the expected hash: the end was cut off, or all was written anew\n",
        "",
    )
    assert json.loads(run("head", "--json").stdout) == {"file": str(log), "lines": 2, "hash": one}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(
            ("verify", "--expect", "x"),
            2,
            "--expect must be the hash of a line, 64 hexadecimal digits as `audit head` prints them",
            id="no hash",
        ),
        pytest.param(
            ("verify", "--anchor", "keywright.toml"),
            2,
            "the last line of the anchor must be the hash of a line, 64 hexadecimal digits as `audit head` prints them",
            id="no anchor",
        ),
        pytest.param(("verify", ""), 2, "the path of the audit log is empty; name a file", id="empty path"),
        pytest.param(
            ("verify", "none"),
            2,
            "none: cannot be read (No such file or directory); check the path",
            id="nothing there",
        ),
        pytest.param(
            ("verify", "keywright.toml"), 65, "keywright.toml: is no audit log; name another file", id="another file"
        ),
        pytest.param(
            ("show", "keywright.toml"), 65, "keywright.toml: is no audit log; name another file", id="shown another"
        ),
        pytest.param(
            ("head", "empty"), 65, "empty: has no line yet; do something with a key first", id="head of an empty one"
        ),
        pytest.param(
            ("head", "changed"),
            65,
            "changed: is not as it was written, so its last hash proves nothing; see `audit verify`",
            id="head of a changed one",
        ),
        pytest.param(
            ("show", "--option", "plugin.audit.path", ""),
            2,
            "--option: plugin.audit.path is not written out; name the FILE",
            id="an empty setting",
        ),
    ],
)
def test_what_is_wrong_is_told(
    run: Run, log: Path, fill: Fill, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """One line on stderr, and an exit code by its kind."""
    lines = fill(2)
    (log.parent / "empty").touch()
    (log.parent / "changed").write_bytes(lines[1])

    done = run(*arguments)

    assert _result(done) == (code, "", f"keywright: {message}\n")


def test_without_a_configured_log_a_file_must_be_named(run: Run, log: Path) -> None:
    """The sentence says both ways out."""
    (log.parent / "keywright.toml").write_text("")

    assert _result(run("verify")) == (
        2,
        "",
        "keywright: no audit log is configured; name a FILE, or set plugin.audit.path\n",
    )


def test_show_prints_lines_for_people(run: Run, log: Path, told: Mapping[str, object]) -> None:
    """Parted by tabs; with `--name` those of one key; with `--json` as they stand."""
    append(str(log), "intent", told)
    append(str(log), "outcome", {**told, "kid": "\x1b[2J", "outcome": "done"})
    append(str(log), "intent", {**told, "name": "other"})
    with log.open("ab") as file:
        file.write(b"cut")
    append(str(log), "intent", told)

    done, named, as_json = run("show"), run("show", "--name", "other"), run("show", "--name", "other", "--json")

    rows = [line.split("\t") for line in done.stdout.splitlines()]
    common = ["2026-11-22T12:00:00Z", "ann", "generate", "prod/jwt@1", "local"]
    assert rows[0] == [*common, "…"]
    assert rows[1] == [*common, "done (kid \\x1b[2J)"]
    assert rows[3][1:] == ["", "recovered", "", "", "3 bytes before this were cut while they were written"]
    assert len(rows) == 5
    assert done.stderr == f"keywright: {log}: line 4 is no line of an audit log; see `audit verify`\n"
    assert named.stdout == "2026-11-22T12:00:00Z\tann\tgenerate\tother@1\tlocal\t…\n"
    assert json.loads(as_json.stdout) == json.loads(log.read_bytes().splitlines()[2])


def test_on_a_terminal_there_are_columns(run: Run, log: Path, fill: Fill) -> None:
    """A line over them says what they are."""
    fill(1)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "keywright", "audit", "show", str(log)]
    subprocess.run(command, stdout=theirs, stderr=theirs, check=True, cwd=log.parent)
    os.close(theirs)

    shown = os.read(ours, 65536).decode().splitlines()

    os.close(ours)
    assert shown == [
        "TIME                         WHO       OPERATION   KEY                       STORE     OUTCOME",
        "2026-11-22T12:00:00Z         ann       generate    prod/jwt@1                local     …",
    ]
