"""Appending: lines, faults of the system, and what keeps a line from being written."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses
from support.errors import text_of
from support.problems import lines_of

import keywright_audit
from keywright import KeyEvent, Options, ReviewRequest
from keywright.errors import (
    AccessDeniedError,
    CorruptedStoreError,
    DurabilityError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)
from keywright_audit.auditor import Auditor
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


MISPLACED = (
    "a link or another kind of file is in the place of the audit log or its directory; move it away, or "
    "set another path"
)
NOWHERE = "its parent directory does not exist; create it, or set another path"
WRITABLE = "may be changed by other users; run `chmod go-w` on it"
FOREIGN = "belongs to another user; run as that user, or change its owner"
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def link(path: Path, target: str) -> None:
    """Put a link in the place of a file, or of an empty directory."""
    if path.is_dir():
        path.rmdir()
    path.symlink_to(target)


def made(path: Path, mode: int, owner: int = -1) -> None:
    path.touch()
    path.chmod(mode)
    os.chown(path, owner, owner)


@pytest.mark.parametrize(
    ("prepare", "error", "message"),
    [
        pytest.param(lambda log: link(log, "../../other"), CorruptedStoreError, MISPLACED, id="link"),
        pytest.param(lambda log: link(log, "nothing"), CorruptedStoreError, MISPLACED, id="link-to-nothing"),
        pytest.param(lambda log: log.mkdir(), CorruptedStoreError, MISPLACED, id="directory"),
        pytest.param(lambda log: os.mkfifo(log, 0o600), CorruptedStoreError, MISPLACED, id="pipe"),
        pytest.param(
            lambda log: link(log.parent, "../elsewhere"), CorruptedStoreError, MISPLACED, id="linked-directory"
        ),
        pytest.param(lambda log: link(log.parent, "../other"), CorruptedStoreError, MISPLACED, id="file-for-directory"),
        pytest.param(lambda log: os.removedirs(log.parent), StoreUnavailableError, NOWHERE, id="two-missing"),
        pytest.param(lambda log: made(log, 0o620), AccessDeniedError, f"the audit log {WRITABLE}", id="writable"),
        pytest.param(
            lambda log: log.parent.chmod(0o777),
            AccessDeniedError,
            f"the directory of the audit log {WRITABLE}",
            id="writable-directory",
        ),
        pytest.param(
            lambda log: made(log, 0o600, 65534),
            AccessDeniedError,
            f"the audit log {FOREIGN}",
            id="another-users",
            marks=ONLY_ROOT,
        ),
        pytest.param(
            lambda log: os.chown(log.parent, 65534, 65534),
            AccessDeniedError,
            f"the directory of the audit log {FOREIGN}",
            id="another-users-directory",
            marks=ONLY_ROOT,
        ),
        pytest.param(
            lambda log: log.write_bytes(b"dear diary\n" * 1000) and log.chmod(0o600),
            CorruptedStoreError,
            "is not an audit log, and nothing was written to it; set another path",
            id="text",
        ),
    ],
)
def test_where_others_could_write_nothing_is_written(
    tmp_path: Path,
    told: Mapping[str, object],
    prepare: Callable[[Path], object],
    error: type[StoreError],
    message: str,
) -> None:
    """Each is refused with a sentence of its own, and what is there stays as it is."""
    log = tmp_path / "above" / "log" / "audit.jsonl"
    log.parent.mkdir(mode=0o700, parents=True)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "other").touch(0o600)
    prepare(log)
    before = _seen(tmp_path)

    with refuses(error, f"{log}: {message}"):
        append(str(log), "intent", told)

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
    """A line never goes into a file that someone put aside."""
    fill(1)
    with log.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=append, args=(str(log), "intent", told))
        waiting.start()
        deadline = time.monotonic() + 10
        while not _is_open_twice(log):
            assert time.monotonic() < deadline, "no one waits"
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

    assert text_of(caught.value) == (
        f"{log}: another process has been writing to the audit log for too long; end that process, and try again"
    )


def test_a_last_line_that_was_changed_is_not_written_after(log: Path, told: Mapping[str, object], fill: Fill) -> None:
    """Whether its content or its shape: a chain that goes on from there would hide it."""
    lines = fill(3)
    for spoiled in (lines[2].replace(b"ann", b"eve"), lines[2].replace(b'"}\n', b'"]\n'), b"{}\n", b"\n"):
        log.write_bytes(lines[0] + lines[1] + spoiled)

        with pytest.raises(CorruptedStoreError) as caught:
            append(str(log), "intent", told)

        assert log.read_bytes() == lines[0] + lines[1] + spoiled
        assert text_of(caught.value) == (
            f"{log}: the last line of the audit log was modified; run `keywright audit verify`, and move the "
            f"file away to begin a new one"
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


def test_the_first_line_brings_the_name_of_the_log_to_the_medium_too(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line syncs the file; the one that made it syncs its directory after that."""
    synced: list[bool] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    append(str(log), "intent", {})
    first = list(synced)
    append(str(log), "outcome", {})

    is_directory, is_file = True, False
    assert first[0] is is_file
    assert is_directory in first[1:]
    assert synced[len(first) :] == [is_file]


NOW = datetime(2026, 11, 22, tzinfo=UTC)
REQUEST = ReviewRequest("rotate", "ann", "a", 2, "", "local", "oct", "jwk", 256, False, NOW)
EVENT = KeyEvent("rotate", "ann", "a", 2, "kid-2", "local", "done", NOW)
_MORE_THAN_A_PAGE_TAKES = 30
FULL = "the disk of the audit log is full (No space left on device); free disk space and try again"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    directory = tmp_path / "disk"
    directory.mkdir(0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(directory)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def auditor(log: Path, *, required: bool) -> Auditor:
    """What the plugin hands to a ring."""
    configured = keywright_audit.keywright_configure(Options({"path": str(log), "required": required}))
    assert configured is not None
    return configured


def fill_up(directory: Path) -> None:
    """Leave no byte free."""
    free = os.statvfs(directory).f_bfree
    (directory / "filler").write_bytes(bytes(4096 * free))


def test_what_is_required_and_finds_no_room_is_objected_to(disk: Path) -> None:
    """The operation is refused before it is done; when there is room again, the chain goes on."""
    log = disk / "audit.jsonl"
    listener = auditor(log, required=True)
    assert listener.keywright_review(REQUEST) == ()
    fill_up(disk)

    answers = [listener.keywright_review(REQUEST) for _ in range(_MORE_THAN_A_PAGE_TAKES)]

    assert lines_of(answers[-1]) == [f"{log}: {FULL}"]
    assert verify(str(log)).faults == verify(str(log)).notes == []
    (disk / "filler").unlink()
    assert listener.keywright_review(REQUEST) == ()
    assert verify(str(log)).faults == verify(str(log)).notes == []


@pytest.mark.parametrize("room", [True, False], ids=["room for the outcome", "no room"])
def test_what_is_not_required_goes_on_and_is_told(disk: Path, *, room: bool) -> None:
    """No one objects to an intent that finds no room; afterwards it is told once, whatever the outcome finds."""
    log = disk / "audit.jsonl"
    listener = _full_up_to(log, required=False)
    assert listener.keywright_review(REQUEST) == ()
    if room:
        (disk / "filler").unlink()
    lines = log.read_bytes().count(b"\n")

    with refuses(StoreUnavailableError, f"{log}: {FULL}"):
        listener.keywright_observe(EVENT)

    assert log.read_bytes().count(b"\n") == lines + room


def test_what_was_objected_to_is_not_told_again(disk: Path) -> None:
    """The refusal says why there is no line, so its outcome does not; that of the next one does."""
    listener = _full_up_to(disk / "audit.jsonl", required=True)
    assert len(listener.keywright_review(REQUEST)) == 1

    listener.keywright_observe(EVENT._replace(outcome="PolicyError"))

    with pytest.raises(StoreUnavailableError):
        listener.keywright_observe(EVENT)


def _full_up_to(log: Path, *, required: bool) -> Auditor:
    """An auditor whose log has no room for another line."""
    append(str(log), "intent", {})
    fill_up(log.parent)
    with pytest.raises(StoreUnavailableError):
        _until_it_fails(auditor(log, required=required))
    return auditor(log, required=required)


@pytest.mark.parametrize("required", [True, False])
def test_an_outcome_that_finds_no_room_is_raised(disk: Path, required: bool) -> None:
    """Nothing can be taken back then, so the caller gets an error; the log stays whole."""
    log = disk / "audit.jsonl"
    append(str(log), "intent", {})
    fill_up(disk)
    listener = auditor(log, required=required)

    with refuses(StoreUnavailableError, f"{log}: {FULL}"):
        _until_it_fails(listener)

    assert verify(str(log)).faults == verify(str(log)).notes == []


def _until_it_fails(listener: Auditor) -> None:
    for _ in range(_MORE_THAN_A_PAGE_TAKES):
        listener.keywright_observe(EVENT)


def test_a_read_only_file_system_is_told_by_name(disk: Path, told: Mapping[str, object]) -> None:
    """A log that is there cannot be appended to, and one that is not cannot be made."""
    log = disk / "audit.jsonl"
    append(str(log), "intent", told)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    messages = []
    for path in (log, disk / "other.jsonl", disk / "new" / "other.jsonl"):
        with pytest.raises(ReadOnlyStoreError) as caught:
            append(str(path), "intent", told)
        messages.append(text_of(caught.value).removeprefix(f"{path}: "))

    assert (
        messages == ["the audit log is on a file system that is mounted read-only; remount it, or set another path"] * 3
    )


def test_a_file_that_this_user_may_not_write_is_told(log: Path, told: Mapping[str, object]) -> None:
    """The file's mode counts, for everybody but root."""
    append(str(log), "intent", told)
    log.chmod(0o400)
    script = (
        "import sys; from keywright_audit.log import append; from keywright.errors import AccessDeniedError\n"
        "try:\n    append(sys.argv[1], 'intent', {})\n"
        "except AccessDeniedError as error:\n    print(f'{error}; {error.hint}')"
    )
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", "python", "-c", script, str(log)]
    if os.geteuid() == 0 and subprocess.run(["setpriv", "--version"], capture_output=True).returncode:
        pytest.skip("root may write whatever the mode")
    if os.geteuid():
        command = command[4:]
    command[command.index("python")] = sys.executable

    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == (
        f"{log}: the audit log cannot be written (Permission denied); run as its owner, or change its permissions\n",
        "",
    )


def test_a_failed_sync_is_told_and_objected_to(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that may be gone after a power cut cannot be relied on."""

    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, "x")

    monkeypatch.setattr(os, "fsync", failing)

    with pytest.raises(DurabilityError) as caught:
        append(str(log), "intent", {})
    objections = auditor(log, required=True).keywright_review(REQUEST)

    told = "a line was written, but the system did not confirm that it is on the disk (Input/output error)"
    assert text_of(caught.value) == f"{log}: {told}; check the disk"
    assert lines_of(objections) == [f"{log}: {told}; check the disk"]


def test_another_error_of_the_system_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: one sentence, and no part of a line stays."""
    write = os.write

    def failing(descriptor: int, data: bytes) -> int:
        if log.stat().st_size:
            raise OSError(errno.EIO, "x")
        return write(descriptor, data[:10])

    monkeypatch.setattr(os, "write", failing)

    with pytest.raises(StoreUnavailableError) as caught:
        append(str(log), "intent", {})

    assert text_of(caught.value) == (
        f"{log}: the audit log cannot be written (Input/output error); fix the cause and try again"
    )
    assert log.read_bytes() == b""


@pytest.mark.parametrize("required", [True, False])
def test_a_dry_run_is_not_logged(log: Path, *, required: bool) -> None:
    """Nothing is going to happen, so there is nothing to write, and the log is not made for it."""
    assert auditor(log, required=required).keywright_review(REQUEST._replace(dry_run=True)) == ()

    assert not log.exists()


@pytest.mark.parametrize("required", [True, False])
def test_a_dry_run_hears_what_the_run_would(tmp_path: Path, *, required: bool) -> None:
    """Where logging is required and cannot be done, that is the objection."""
    path = tmp_path / "missing" / "too" / "audit.jsonl"

    dry_run = auditor(path, required=required).keywright_review(REQUEST._replace(dry_run=True))

    assert dry_run == auditor(path, required=required).keywright_review(REQUEST)
    assert [str(path) in objection for objection in dry_run] == required * [True]


def test_a_line_says_who_did_what_when_and_where(log: Path) -> None:
    """Each member that the README names is in the line, and is that of the intent or of the outcome."""
    listener = auditor(log, required=True)
    later = NOW.replace(hour=3)

    listener.keywright_review(REQUEST._replace(kid="kid-1"))
    listener.keywright_observe(EVENT._replace(who="eve", time=later))

    intent, outcome = (json.loads(line) for line in log.read_bytes().splitlines())
    common = {"operation": "rotate", "name": "a", "version": 2, "store": "local"}
    own = {"host": os.uname().nodename, "pid": os.getpid()}
    chain = [{"previous": line["previous"], "hash": line["hash"]} for line in (intent, outcome)]
    assert intent == {
        "kind": "intent", "time": "2026-11-22T00:00:00Z", "who": "ann", **common, "kid": "kid-1", **own, **chain[0]
    }  # fmt: skip
    assert outcome == {
        "kind": "outcome", "time": "2026-11-22T03:00:00Z", "who": "eve", **common, "kid": "kid-2", "outcome": "done",
        **own, **chain[1],
    }  # fmt: skip


def test_a_recovery_says_when_it_was(log: Path) -> None:
    """By the system's clock, for no ring is at hand: in UTC, as the other lines have it."""
    log.parent.chmod(0o700)
    append(str(log), "intent", {"name": "a"})
    with log.open("ab") as file:
        file.write(b"cut")
    before = datetime.now(UTC)

    append(str(log), "intent", {"name": "b"})

    recovered = json.loads(log.read_bytes().splitlines()[2])
    assert (recovered["kind"], recovered["cut_bytes"]) == ("recovered", 3)
    assert before <= datetime.fromisoformat(recovered["time"]) <= datetime.now(UTC)
    assert (recovered["host"], recovered["pid"]) == (os.uname().nodename, os.getpid())
