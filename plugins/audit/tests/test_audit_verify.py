"""`audit verify`, `audit head` and `audit show`: a log is one chain, as it was written, or what is wrong is named."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from refusals import refuses
from support.errors import printed, text_of

from keywright.errors import ConfigError, FormatError
from keywright_audit.log import append, write_line
from keywright_audit.verify import Finding, verify

Fill = Callable[[int], list[bytes]]
LINES = 6
CHANGED = "was modified after it was written"
MISSING = "does not follow the line before it: lines between are missing, or changed"


def order(place: int) -> str:
    """The sentence of a line that follows another."""
    return f"follows line {place}, and not the one before it: lines were moved, copied or put between"


def forged(lines: list[bytes]) -> bytes:
    """The third line with another content, and its hash made again."""
    members = json.loads(lines[2]) | {"who": "eve"}
    previous = members.pop("previous")
    return write_line("intent", {name: members[name] for name in members if name not in ("kind", "hash")}, previous)[0]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        pytest.param(lambda a: a, [], id="as it was"),
        pytest.param(lambda a: a[:3], [], id="whole lines cut from the end, without an expected hash"),
        pytest.param(lambda a: [*a[:2], a[2].replace(b"ann", b"eve"), *a[3:]], [(3, "changed", CHANGED)], id="edit"),
        pytest.param(
            lambda a: [*a[:5], a[5].replace(b"ann", b"eve")], [(6, "changed", CHANGED)], id="edit of the last"
        ),
        pytest.param(lambda a: [*a[:2], forged(a), *a[3:]], [(4, "missing", MISSING)], id="edit, its hash made again"),
        pytest.param(lambda a: [*a[:2], *a[3:]], [(3, "missing", MISSING)], id="gap"),
        pytest.param(
            lambda a: a[2:],
            [(1, "start", "is the first, and another stood before it: lines are missing")],
            id="cut start",
        ),
        pytest.param(
            lambda a: [a[0], a[2], a[1], *a[3:]],
            [(2, "order", order(3)), (3, "order", order(1)), (4, "order", order(2))],
            id="reorder",
        ),
        pytest.param(lambda a: [*a[:3], a[1], *a[3:]], [(4, "order", order(1)), (5, "order", order(3))], id="a copy"),
        pytest.param(
            lambda a: [*a, a[0]], [(7, "start", "begins another log, though lines stand before it")], id="another log"
        ),
        pytest.param(
            lambda a: [*a[:2], b"hello\n", *a[2:]],
            [(3, "foreign", "is not a line of an audit log")],
            id="a word between",
        ),
        pytest.param(lambda a: [*a, b"hello\n"], [(7, "foreign", "is not a line of an audit log")], id="a word behind"),
        pytest.param(
            lambda a: [*a[:2], a[2][:40] + b"\n", *a[3:]],
            [(3, "foreign", "is not a line of an audit log"), (4, "missing", MISSING)],
            id="half a line, of which no one tells",
        ),
        pytest.param(lambda a: [*a[:2], a[2][:-1], *a[3:]], [(3, "changed", CHANGED)], id="two in one"),
    ],
)
def test_what_was_changed_is_found(
    log: Path, fill: Fill, change: Callable[[list[bytes]], list[bytes]], faults: list[tuple[int, str, str]]
) -> None:
    """Each fault has its line and its kind; the lines after it are followed on."""
    log.write_bytes(b"".join(change(fill(LINES))))

    verified = verify(str(log))

    assert verified.faults == [Finding(*fault) for fault in faults]
    assert verified.notes == []


@pytest.mark.parametrize(
    ("kind", "found"),
    [pytest.param("recovered", b"hallo\n", id="other bytes"), pytest.param("intent", b"hello\n", id="another kind")],
)
def test_a_recovery_that_does_not_fit_excuses_nothing(
    log: Path, fill: Fill, kind: Literal["recovered", "intent"], found: bytes
) -> None:
    """A line in the middle cannot be made a cut one with a word that someone else's crash left."""
    lines = fill(2)
    cut = {"cut_bytes": 5, "cut_sha256": sha256(b"hello").hexdigest()}
    recovered, _ = write_line(kind, cut, json.loads(lines[0])["hash"])
    log.write_bytes(lines[0] + found + recovered)

    verified = verify(str(log))

    assert verified.faults == [Finding(2, "foreign", "is not a line of an audit log")]


def test_a_cut_last_line_is_a_note(log: Path, fill: Fill) -> None:
    """A crash leaves it; the lines before it are one chain all the same."""
    lines = fill(3)
    log.write_bytes(b"".join(lines[:2]) + lines[2][:100])

    verified = verify(str(log))

    assert verified.faults == []
    assert verified.hash == json.loads(lines[1])["hash"]
    assert verified.notes == [
        Finding(
            3, "cut", "was cut while it was written (100 bytes); the next line will be preceded by one that says so"
        )
    ]


def test_an_expected_hash_finds_a_cut_end(log: Path, fill: Fill) -> None:
    """A head that was seen once must be there, as the last line or before; nothing else tells of a cut end."""
    lines = fill(4)
    heads = [json.loads(line)["hash"] for line in lines]

    assert [verify(str(log), expected=head).faults for head in heads] == [[], [], [], []]
    log.write_bytes(b"".join(lines[:3]))
    assert verify(str(log)).faults == verify(str(log), expected=heads[2]).faults == []
    assert verify(str(log), expected=heads[3]).faults == [
        Finding(0, "end", "no line has the expected hash: the end was cut off, or the whole log was rewritten")
    ]
    log.write_bytes(b"")
    assert [fault.what for fault in verify(str(log), expected=heads[0]).faults] == ["end"]


def chain(count: int) -> list[bytes]:
    """So many lines, as `append` writes them."""
    lines: list[bytes] = []
    previous = None
    for number in range(count):
        line, previous = write_line("intent", {"who": "ann", "name": "prod/jwt", "version": number}, previous)
        lines.append(line)
    return lines


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_no_flipped_bit_goes_unseen(log: Path, data: st.DataObject) -> None:
    """Anywhere but in the last line feed, which a crash may have kept back: the log is faulty or none at all."""
    whole = bytearray(b"".join(chain(4)))
    at = data.draw(st.integers(0, len(whole) - 2))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    log.write_bytes(whole)

    try:
        faults = verify(str(log)).faults
    except FormatError:
        return

    assert faults


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(order_of=st.permutations(range(5)), count=st.integers(1, 5))
def test_only_a_beginning_in_its_order_is_sound(log: Path, order_of: list[int], count: int) -> None:
    """Of all ways to choose and order lines, those alone verify that are the first so many, in their order."""
    lines = chain(5)
    chosen = order_of[:count]
    log.write_bytes(b"".join(lines[place] for place in chosen))

    assert (verify(str(log)).faults == []) == (chosen == list(range(count)))


@pytest.mark.parametrize(
    "content", [pytest.param(b"dear diary\n", id="text"), pytest.param(bytes(100), id="zeros"), b"\n", b"[]"]
)
def test_another_file_is_no_log(log: Path, content: bytes) -> None:
    """That is a word of its own, and no fault of a log."""
    log.write_bytes(content)

    with refuses(FormatError, f"{log}: is not an audit log; pass another file"):
        verify(str(log))


def test_an_empty_log_is_one(log: Path) -> None:
    """Nothing was written yet, or the first line found no room."""
    log.touch()

    assert verify(str(log)) == (0, None, [], [])


def test_what_cannot_be_read_is_told(log: Path) -> None:
    """A file that is not there, a directory, a device, not a path."""
    messages = []
    for path in (str(log), str(log.parent), "/dev/null", "\0"):
        with pytest.raises(ConfigError) as caught:
            verify(path)
        messages.append(text_of(caught.value))

    assert messages == [
        f"{log}: cannot be read (No such file or directory); check the path",
        f"{log.parent}: cannot be read (Is a directory); check the path",
        "/dev/null: is not a regular file; name the audit log",
        "the path of the audit log has a character that no file name can have; name another",
    ]


def test_a_line_that_nobody_accounts_for_spoils_no_recovery(log: Path, fill: Fill) -> None:
    """What stands between whole lines is a fault of its own; the cut line further on is told as what it is."""
    lines = fill(2)
    log.write_bytes(lines[0] + b"hello\n" + lines[1] + b"cut")
    fill(1)

    verified = verify(str(log))

    assert verified.faults == [Finding(2, "foreign", "is not a line of an audit log")]
    assert verified.notes == [Finding(4, "recovered", "was cut while it was written (3 bytes), as line 5 says")]


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
    assert _result(done) == (1, f"{log}: line 1 was modified after it was written\n{log}: line 3 {missing}\n", "")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["faults"] == [
        {"line": 1, "what": "changed", "message": "line 1 was modified after it was written"},
        {"line": 3, "what": "missing", "message": f"line 3 {missing}"},
    ]


def test_verify_tells_of_a_cut_line_and_exits_0(run: Run, log: Path, fill: Fill) -> None:
    """On stderr, for it is not a fault; in the document it is a note."""
    lines = fill(2)
    log.write_bytes(lines[0] + lines[1][:20])

    done, as_json = run("verify"), run("verify", "--json")

    told = "was cut while it was written (20 bytes); the next line will be preceded by one that says so"
    assert (done.returncode, done.stderr) == (0, f"warning: {log}: line 2 {told}\n")
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
        f"{log}: no line has the expected hash: the end was cut off, or the whole log was rewritten\n",
        "",
    )
    assert json.loads(run("head", "--json").stdout) == {"file": str(log), "lines": 2, "hash": one}


DIGITS = "must be the hash of a line, 64 hexadecimal digits as `audit head` prints them"
WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no-hash": (("verify", "--expect", "x"), 2, f"--expect {DIGITS}"),
    "no-anchor": (("verify", "--anchor", "keywright.toml"), 2, f"the last line of the anchor {DIGITS}"),
    "empty-path": (("verify", ""), 2, "the path of the audit log is empty; name a file"),
    "nothing-there": (("verify", "none"), 2, "none: cannot be read (No such file or directory); check the path"),
    "another-file": (("verify", "keywright.toml"), 65, "keywright.toml: is not an audit log; pass another file"),
    "another-file-shown": (("show", "keywright.toml"), 65, "keywright.toml: is not an audit log; pass another file"),
    "head-of-an-empty-one": (("head", "empty"), 65, "empty: has no lines yet; generate a key first"),
    "head-of-a-changed-one": (
        *(("head", "changed"), 65),
        "changed: was modified after it was written, so its last hash proves nothing; run `keywright audit verify`",
    ),
    "empty-setting": (
        *(("show", "--option", "plugin.audit.path", ""), 2),
        "--option: plugin.audit.path is a pointer, which this command does not follow; name the FILE",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told(run: Run, log: Path, fill: Fill, what: str) -> None:
    """An error and a hint on stderr, and an exit code by its kind."""
    arguments, code, message = WRONG[what]
    lines = fill(2)
    (log.parent / "empty").touch()
    (log.parent / "changed").write_bytes(lines[1])

    done = run(*arguments)

    assert _result(done) == (code, "", printed(message).replace("; ", "\nhint: "))


def test_without_a_configured_log_a_file_must_be_named(run: Run, log: Path) -> None:
    """The sentence says both ways out."""
    (log.parent / "keywright.toml").write_text("")

    assert _result(run("verify")) == (
        2,
        "",
        "error: no audit log is configured\nhint: name a FILE, or set plugin.audit.path\n",
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
    assert done.stderr == (
        f"warning: {log}: line 4 is not a line of an audit log\nhint: run `keywright audit verify`\n"
    )
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
