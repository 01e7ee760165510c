"""Lines as they are written: one chain, in a file of its owner's."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keywright.errors import AccessDeniedError, DamagedStoreError, StoreError, StoreUnavailableError
from keywright_audit.log import append, under_lock
from keywright_audit.verify import verify

Fill = Callable[[int], list[bytes]]


def test_a_line_is_json_and_chained_to_the_one_before(log: Path, told: Mapping[str, object]) -> None:
    """`hash` is the SHA-256 of what stands before it in the line; `previous` is that of the line before."""
    append(str(log), "intent", told)
    append(str(log), "outcome", {**told, "kid": 'q"\n\x00é', "outcome": "done"})

    first, second = log.read_bytes().splitlines()
    one, two = json.loads(first), json.loads(second)
    assert list(one) == ["kind", *told, "host", "pid", "previous", "hash"]
    assert list(two) == ["kind", *told, "outcome", "host", "pid", "previous", "hash"]
    assert (one["kind"], one["previous"], one["pid"]) == ("intent", None, os.getpid())
    assert (two["kind"], two["previous"], two["kid"]) == ("outcome", one["hash"], 'q"\n\x00é')
    for line, members in ((first, one), (second, two)):
        body, _, _ = line.rpartition(b',"hash":"')
        assert sha256(body).hexdigest() == members["hash"]
        assert line.isascii()
    assert log.read_bytes() == first + b"\n" + second + b"\n"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_file_and_its_directory_are_the_owners(tmp_path: Path, told: Mapping[str, object], umask: int) -> None:
    """0600 and 0700 whatever the umask; both come with the first line."""
    log = tmp_path / "log" / "audit.jsonl"
    (tmp_path / "log").mkdir(0o700) if umask == 0o777 else None
    before = os.umask(umask)
    try:
        append(str(log), "intent", told)
    finally:
        os.umask(before)

    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def _link(log: Path) -> None:
    log.with_name("other").touch(0o600)
    log.symlink_to("other")


def _link_to_nothing(log: Path) -> None:
    log.symlink_to("nothing")


def _directory(log: Path) -> None:
    log.mkdir()


def _pipe(log: Path) -> None:
    os.mkfifo(log, 0o600)


def _linked_directory(log: Path) -> None:
    log.parent.rmdir()
    log.parent.with_name("elsewhere").mkdir(0o700)
    log.parent.symlink_to("elsewhere")


def _file_for_a_directory(log: Path) -> None:
    log.parent.rmdir()
    log.parent.touch()


def _no_directory(log: Path) -> None:
    log.parent.rmdir()
    log.parent.parent.rmdir()


def _writable_file(log: Path) -> None:
    log.touch()
    log.chmod(0o620)


def _writable_directory(log: Path) -> None:
    log.parent.chmod(0o777)


def _others_file(log: Path) -> None:
    log.touch(0o600)
    os.chown(log, 65534, 65534)


def _others_directory(log: Path) -> None:
    os.chown(log.parent, 65534, 65534)


def _text(log: Path) -> None:
    log.write_bytes(b"dear diary\n" * 1000)
    log.chmod(0o600)


MISPLACED = (
    "a link or another kind of file stands where the audit log or its directory should be; move it away, or set "
    "another path"
)


@pytest.mark.parametrize(
    ("prepare", "error", "message"),
    [
        pytest.param(_link, DamagedStoreError, MISPLACED, id="link"),
        pytest.param(_link_to_nothing, DamagedStoreError, MISPLACED, id="link to nothing"),
        pytest.param(_directory, DamagedStoreError, MISPLACED, id="directory"),
        pytest.param(_pipe, DamagedStoreError, MISPLACED, id="pipe"),
        pytest.param(_linked_directory, DamagedStoreError, MISPLACED, id="its directory is a link"),
        pytest.param(_file_for_a_directory, DamagedStoreError, MISPLACED, id="its directory is a file"),
        pytest.param(
            _no_directory,
            StoreUnavailableError,
            "there is no directory to make the audit log's in; make it, or set another path",
            id="two directories are missing",
        ),
        pytest.param(
            _writable_file,
            AccessDeniedError,
            "the audit log may be changed by other users; take that away with chmod go-w",
            id="others may write",
        ),
        pytest.param(
            _writable_directory,
            AccessDeniedError,
            "the directory of the audit log may be changed by other users; take that away with chmod go-w",
            id="others may replace it",
        ),
        pytest.param(
            _others_file,
            AccessDeniedError,
            "the audit log belongs to another user; run as that user, or change its owner",
            id="another's file",
        ),
        pytest.param(
            _others_directory,
            AccessDeniedError,
            "the directory of the audit log belongs to another user; run as that user, or change its owner",
            id="another's directory",
        ),
        pytest.param(
            _text, DamagedStoreError, "is no audit log, and nothing was written to it; set another path", id="text"
        ),
    ],
)
def test_where_others_could_write_nothing_is_written(
    tmp_path: Path,
    told: Mapping[str, object],
    prepare: Callable[[Path], None],
    error: type[StoreError],
    message: str,
) -> None:
    """Each is refused with a sentence of its own, and what is there stays as it is."""
    if prepare in (_others_file, _others_directory) and os.geteuid():
        pytest.skip("only root can give a file away")
    log = tmp_path / "above" / "log" / "audit.jsonl"
    log.parent.mkdir(mode=0o700, parents=True)
    prepare(log)
    before = _seen(tmp_path)

    with pytest.raises(error) as caught:
        append(str(log), "intent", told)

    assert type(caught.value) is error
    assert str(caught.value) == f"{log}: {message}"
    assert _seen(tmp_path) == before


def _seen(directory: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(directory.rglob("*"))}


def test_a_log_that_is_moved_away_begins_anew(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """Each file is a chain of its own: its first line has no `previous`."""
    fill(2)
    log.rename(log.with_name("audit-1.jsonl"))

    append(str(log), "intent", told)

    assert json.loads(log.read_bytes())["previous"] is None
    assert verify(str(log)).faults == verify(str(log.with_name("audit-1.jsonl"))).faults == []


def test_who_waited_while_the_log_was_moved_away_writes_to_the_new_one(
    log: Path, told: Mapping[str, object], fill: Fill
) -> None:
    """A line never goes into a file that somebody put aside."""
    fill(1)
    with log.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=append, args=(str(log), "intent", told))
        waiting.start()
        deadline = time.monotonic() + 10
        while not _is_open_twice(log):
            assert time.monotonic() < deadline, "nobody waits"
        log.rename(log.with_name("old"))
    waiting.join()

    assert log.with_name("old").read_bytes().count(b"\n") == 1
    assert log.read_bytes().count(b"\n") == 1


def _is_open_twice(log: Path) -> bool:
    return [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")].count(str(log)) > 1


def test_a_writer_that_holds_the_log_is_not_waited_for_for_ever(log: Path, fill: Fill) -> None:
    """After a while it is an error that says so."""
    fill(1)
    with log.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(StoreUnavailableError) as caught:
            under_lock(str(log), lambda *_: None, patience=0.05)

    assert str(caught.value) == (
        f"{log}: another process has been writing to the audit log for too long; end it and try again"
    )


def test_a_last_line_that_was_changed_is_not_written_after(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """Whether its content or its shape: a chain that goes on from there would hide it."""
    lines = fill(3)
    for spoiled in (lines[2].replace(b"ann", b"eve"), lines[2].replace(b'"}\n', b'"]\n'), b"{}\n", b"\n"):
        log.write_bytes(lines[0] + lines[1] + spoiled)

        with pytest.raises(DamagedStoreError) as caught:
            append(str(log), "intent", told)

        assert log.read_bytes() == lines[0] + lines[1] + spoiled
        assert str(caught.value) == (
            f"{log}: the last line of the audit log is not as it was written; see `keywright audit verify`, and move "
            "the file away to begin another"
        )


def test_a_line_that_a_crash_cut_is_told_of_by_the_next(
    log: Path, told: Mapping[str, object], fill: Fill, written: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """At whatever byte: what is left of it stays, a line says so, and the chain holds."""
    first, second = fill(2)
    for end in range(1, len(second) - 1):
        log.write_bytes(first + second[:end])

        append(str(log), "outcome", told)

        assert log.read_bytes().startswith(first + second[:end] + b"\n")
        _, recovered, last = [json.loads(line) for line in [first, *log.read_bytes().splitlines()[2:]]]
        assert recovered["kind"] == "recovered"
        assert recovered["cut_bytes"] == end
        assert recovered["cut_sha256"] == sha256(second[:end]).hexdigest()
        assert recovered["previous"] == json.loads(first)["hash"]
        assert last["previous"] == recovered["hash"]
        verified = verify(str(log))
        assert verified.faults == []
        assert [note.sentence for note in verified.notes] == [
            f"was cut while it was written ({end} bytes), as line 3 says"
        ]


def test_a_line_that_lacks_its_line_feed_alone_counts(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """Nothing of it is lost, so nothing is told."""
    first, second = fill(2)
    log.write_bytes(first + second[:-1])

    append(str(log), "outcome", told)

    assert log.read_bytes().startswith(first + second)
    assert verify(str(log)).lines == 3
    assert verify(str(log)).faults == verify(str(log)).notes == []


@pytest.mark.parametrize("length", [1, 9, 40])
def test_a_first_line_that_was_cut_is_recovered_too(
    log: Path, told: Mapping[str, object], fill: Fill, length: int
) -> None:
    """The chain begins with the line that tells of it."""
    (first,) = fill(1)
    log.write_bytes(first[:length])

    append(str(log), "intent", told)
    append(str(log), "outcome", told)

    _, recovered, _, _ = log.read_bytes().splitlines()
    assert json.loads(recovered)["previous"] is None
    assert verify(str(log)).faults == []


def test_a_recovery_that_was_cut_itself_is_recovered(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """All that stands behind the last whole line is told of in one."""
    first, second = fill(2)
    log.write_bytes(first + second[:50] + b'\n{"kind":"recov')

    append(str(log), "intent", told)

    recovered = json.loads(log.read_bytes().splitlines()[3])
    assert recovered["cut_bytes"] == 50 + 1 + len('{"kind":"recov')
    assert verify(str(log)).faults == []


def test_what_was_lost_to_a_power_cut_may_be_zeros_and_long(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """Some file systems leave as many zeros as there were bytes; the last whole line is found before them."""
    (first,) = fill(1)
    log.write_bytes(first + bytes(100_000))

    append(str(log), "intent", told)

    assert verify(str(log)).faults == []
    assert re.search(rb'"cut_bytes":100000,', log.read_bytes())


def test_the_last_line_is_found_however_long_it_is(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """A kid may have a mebibyte."""
    fill(1)
    append(str(log), "intent", {**told, "kid": "k" * 1_000_000})
    append(str(log), "intent", told)

    assert verify(str(log)).faults == []
