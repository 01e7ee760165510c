"""What is found in a log that somebody changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywright.errors import ConfigError, FormatError
from keywright_audit.log import write_line
from keywright_audit.verify import Finding, verify

Fill = Callable[[int], list[bytes]]
LINES = 6

CHANGED = "is not as it was written"
MISSING = "does not follow the line before it: lines between are missing, or changed"


def order(place: int) -> str:
    """The sentence of a line that follows another."""
    return f"follows line {place}, and not the one before it: lines were moved, copied or put between"


def forged(lines: list[bytes]) -> bytes:
    """The third line with another content, and its hash made anew."""
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
        pytest.param(lambda a: [*a[:2], forged(a), *a[3:]], [(4, "missing", MISSING)], id="edit, its hash made anew"),
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
            lambda a: [*a[:2], b"hello\n", *a[2:]], [(3, "foreign", "is no line of an audit log")], id="a word between"
        ),
        pytest.param(lambda a: [*a, b"hello\n"], [(7, "foreign", "is no line of an audit log")], id="a word behind"),
        pytest.param(
            lambda a: [*a[:2], a[2][:40] + b"\n", *a[3:]],
            [(3, "foreign", "is no line of an audit log"), (4, "missing", MISSING)],
            id="half a line, of which nobody tells",
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
    """A line in the middle cannot be made a cut one with a word that somebody else's crash left."""
    lines = fill(2)
    cut = {"cut_bytes": 5, "cut_sha256": sha256(b"hello").hexdigest()}
    recovered, _ = write_line(kind, cut, json.loads(lines[0])["hash"])
    log.write_bytes(lines[0] + found + recovered)

    verified = verify(str(log))

    assert verified.faults == [Finding(2, "foreign", "is no line of an audit log")]


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
        Finding(0, "end", "no line has the expected hash: the end was cut off, or all was written anew")
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

    with pytest.raises(FormatError) as caught:
        verify(str(log))

    assert str(caught.value) == f"{log}: is no audit log; name another file"


def test_an_empty_log_is_one(log: Path) -> None:
    """Nothing was written yet, or the first line found no room."""
    log.touch()

    assert verify(str(log)) == (0, None, [], [])


def test_what_cannot_be_read_is_told(log: Path) -> None:
    """A file that is not there, a directory, a device, a path that is none."""
    messages = []
    for path in (str(log), str(log.parent), "/dev/null", "\0"):
        with pytest.raises(ConfigError) as caught:
            verify(path)
        messages.append(str(caught.value))

    assert messages == [
        f"{log}: cannot be read (No such file or directory); check the path",
        f"{log.parent}: cannot be read (Is a directory); check the path",
        "/dev/null: is no regular file; name the audit log",
        "the path of the audit log holds a character that no file name can; name another",
    ]


def test_a_line_that_nobody_accounts_for_spoils_no_recovery(log: Path, fill: Fill) -> None:
    """What stands between whole lines is a fault of its own; the cut line further on is told as what it is."""
    lines = fill(2)
    log.write_bytes(lines[0] + b"hello\n" + lines[1] + b"cut")
    fill(1)

    verified = verify(str(log))

    assert verified.faults == [Finding(2, "foreign", "is no line of an audit log")]
    assert verified.notes == [Finding(4, "recovered", "was cut while it was written (3 bytes), as line 5 says")]
