"""Disks that are full, read-only or broken, and what is required of the log then."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

import keywright_audit
from keywright import KeyEvent, Options, ReviewRequest
from keywright.errors import DurabilityUnknownError, ReadOnlyStoreError, StoreUnavailableError
from keywright_audit.auditor import Auditor
from keywright_audit.log import append
from keywright_audit.verify import verify

NOW = datetime(2026, 11, 22, tzinfo=UTC)
REQUEST = ReviewRequest("rotate", "ann", "a", 2, "", "local", "oct", "jwk", 256, False, NOW)
EVENT = KeyEvent("rotate", "ann", "a", 2, "kid-2", "local", "done", NOW)
_MORE_THAN_A_PAGE_TAKES = 30
FULL = "there is no room for the audit log (No space left on device); make room and try again"


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

    assert answers[-1] == (f"what cannot be logged is not done: {log}: {FULL}",)
    assert verify(str(log)).faults == verify(str(log)).notes == []
    (disk / "filler").unlink()
    assert listener.keywright_review(REQUEST) == ()
    assert verify(str(log)).faults == verify(str(log)).notes == []


@pytest.mark.parametrize("room", [True, False], ids=["room for the outcome", "no room"])
def test_what_is_not_required_goes_on_and_is_told(disk: Path, *, room: bool) -> None:
    """Nobody objects to an intent that finds no room; afterwards it is told once, whatever the outcome finds."""
    log = disk / "audit.jsonl"
    listener = _full_up_to(log, required=False)
    assert listener.keywright_review(REQUEST) == ()
    if room:
        (disk / "filler").unlink()
    lines = log.read_bytes().count(b"\n")

    with pytest.raises(StoreUnavailableError) as caught:
        listener.keywright_observe(EVENT)

    assert str(caught.value) == f"{log}: {FULL}"
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
    """Nothing can be taken back then, so whoever called hears of it; the log stays whole."""
    log = disk / "audit.jsonl"
    append(str(log), "intent", {})
    fill_up(disk)
    listener = auditor(log, required=required)

    with pytest.raises(StoreUnavailableError) as caught:
        _until_it_fails(listener)

    assert str(caught.value) == f"{log}: {FULL}"
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
        messages.append(str(caught.value).removeprefix(f"{path}: "))

    assert (
        messages == ["the audit log is on a file system that is mounted read-only; remount it, or set another path"] * 3
    )


def test_a_file_that_this_user_may_not_write_is_told(log: Path, told: Mapping[str, object]) -> None:
    """The file's mode counts, for everybody but root."""
    append(str(log), "intent", told)
    log.chmod(0o400)
    script = (
        "import sys; from keywright_audit.log import append; from keywright.errors import AccessDeniedError\n"
        "try:\n    append(sys.argv[1], 'intent', {})\nexcept AccessDeniedError as error:\n    print(error)"
    )
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", "python", "-c", script, str(log)]
    if os.geteuid() == 0 and subprocess.run(["setpriv", "--version"], capture_output=True).returncode:
        pytest.skip("root may write whatever the mode")
    if os.geteuid():
        command = command[4:]
    command[command.index("python")] = sys.executable

    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == (
        f"{log}: the audit log cannot be written (Permission denied); run as its owner, or correct the permissions\n",
        "",
    )


def test_a_failed_sync_is_told_and_objected_to(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that may be gone after a power cut is none to rely on."""

    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, "x")

    monkeypatch.setattr(os, "fsync", failing)

    with pytest.raises(DurabilityUnknownError) as caught:
        append(str(log), "intent", {})
    objections = auditor(log, required=True).keywright_review(REQUEST)

    told = "a line is written, but the system would not confirm that it is on the disk (Input/output error)"
    assert str(caught.value) == f"{log}: {told}; check the disk"
    assert objections == (f"what cannot be logged is not done: {log}: {told}; check the disk",)


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

    assert str(caught.value) == (
        f"{log}: the audit log cannot be written (Input/output error); mend that and try again"
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

    objections = auditor(path, required=required).keywright_review(REQUEST._replace(dry_run=True))

    told = f"what cannot be logged is not done: {next(auditor(path, required=True).examine())}"
    assert objections == ((told,) if required else ())
    assert str(path) in told


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
