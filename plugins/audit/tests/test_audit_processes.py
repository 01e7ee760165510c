"""Many processes at once, and processes that die in the middle of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from keywright.testing.processes import LONGEST_SECONDS, interrupt_often, run_alone
from keywright_audit.append import append
from keywright_audit.verify import verify

# Prints each number once its line is written, as a program does something once its intent is logged.
WRITER = """
import os, sys
from keywright_audit.append import append
path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    append(path, "intent", {"who": who, "version": number})
    os.write(1, b"%d\\n" % number)
"""


def _start(log: Path, who: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(log), who, str(count)], stdout=subprocess.PIPE)


def _versions(log: Path, who: str) -> list[int]:
    lines = (json.loads(line) for line in log.read_bytes().splitlines() if line.endswith(b'"}'))
    return [line["version"] for line in lines if line.get("who") == who]


def test_ten_processes_write_one_chain(log: Path) -> None:
    """Each line of each is there, in its writer's order, and every line follows the one before it."""
    writers = [_start(log, f"writer-{number}", 30) for number in range(10)]
    outputs = [writer.communicate()[0] for writer in writers]

    verified = verify(str(log))

    assert [writer.returncode for writer in writers] == [0] * 10
    assert (verified.lines, verified.faults, verified.notes) == (300, [], [])
    assert all(output.count(b"\n") == 30 for output in outputs)
    for number in range(10):
        assert _versions(log, f"writer-{number}") == list(range(30))


def test_ten_threads_write_one_chain(log: Path, told: Mapping[str, object]) -> None:
    """A lock for processes alone would let threads of one process through."""

    def write() -> None:
        for _ in range(20):
            append(str(log), "intent", told)

    threads = [threading.Thread(target=write) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verified = verify(str(log))

    assert (verified.lines, verified.faults, verified.notes) == (200, [], [])


def test_killed_writers_leave_a_chain(log: Path) -> None:
    """After a kill -9 at any moment, each line that was reported is there, and the chain has no fault."""
    chance = random.Random(6)
    kills = int(os.environ.get("KEYWRIGHT_AUDIT_KILLS", "30"))
    for round_ in range(0, kills, 3):
        if round_ % 30 == 0:
            log = log.with_name(f"audit-{round_}.jsonl")  # or reading it would take longer than writing
        writers = [_start(log, f"writer-{round_ + number}", 1_000_000) for number in range(3)]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(chance.random() / 50)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for number, writer in enumerate(writers):
            assert writer.stdout is not None
            reported = 1 + writer.stdout.read().count(b"\n")
            writer.wait()
            writer.stdout.close()
            found = _versions(log, f"writer-{round_ + number}")

            assert found in (list(range(reported)), list(range(reported + 1)))
        assert verify(str(log)).faults == []


def test_a_child_that_was_forked_in_between_holds_no_lock(
    log: Path, told: Mapping[str, object], fill: Callable[[int], list[bytes]]
) -> None:
    """A log that is open in a child is not locked by it."""
    from keywright_audit.log_file import locked

    fill(1)
    reading, writing = os.pipe()

    def fork(_: int) -> int:
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        return child

    child = locked(str(log), fork)
    os.close(reading)
    started = time.monotonic()

    append(str(log), "intent", told)

    os.close(writing)
    os.waitpid(child, 0)
    assert time.monotonic() - started < 5
    assert verify(str(log)).lines == 2


def test_an_interrupt_leaves_a_log_that_takes_lines(log: Path, told: Mapping[str, object]) -> None:
    """At whatever moment a signal handler raises: the next line is written at once, and the chain holds."""
    write = partial(append, str(log), "intent", told)

    run_alone(partial(interrupt_often, write, write), seconds=LONGEST_SECONDS)

    verified = verify(str(log))
    assert verified.faults == []
    assert verified.lines > 20
