"""Workers, each a process of its own that knows nothing of the test run around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from faults.judge import Verdict
from faults.matrix import Fault
from faults.tracing import Call

_TESTS = Path(__file__).parent.parent


class RefusedError(Exception):
    """The system does not allow what a case needs."""


@dataclass(frozen=True)
class Case:
    """A fault that strikes an operation on a store of a backend."""

    backend: str
    operation: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.backend}, {self.operation}, {self.fault}"


class Pool:
    """So many workers at work at once; leaving the block ends them."""

    def __init__(self, size: int = 2) -> None:
        # In memory where the system has such a place: nothing has to survive but what a process leaves.
        self._directory = TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self._threads = ThreadPoolExecutor(size)
        self._workers: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._all = [self._started(number) for number in range(size)]
        for worker in self._all:
            self._workers.put(worker)

    def _started(self, number: int) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "KEYWRIGHT"))}
        path = os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), str(_TESTS), str(_TESTS.parent))))
        environment |= {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        place = os.path.join(self._directory.name, str(number))
        os.mkdir(place)
        command = [sys.executable, "-m", "faults.worker", place]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=place
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)
        for worker in self._all:
            worker.communicate()
        self._directory.cleanup()

    def calls(self, backend: str, operation: str) -> list[Call]:
        """The system calls of an operation that concern the store, in order.

        Raises:
            RefusedError: they cannot be watched here.
        """
        answer = self._ask({"backend": backend, "operation": operation, "fault": None})
        return [Call(**call) for call in answer]

    def verdicts(self, cases: Iterable[Case]) -> Iterator[tuple[Case, Verdict]]:
        """Run the cases, and give what came of each, in order.

        Raises:
            RefusedError: the system does not allow it.
        """
        asked = list(cases)
        return zip(asked, self._threads.map(self._verdict, asked), strict=True)

    def _verdict(self, case: Case) -> Verdict:
        return Verdict(**self._ask(asdict(case)))

    def _ask(self, document: dict[str, Any]) -> Any:
        worker = self._workers.get()
        try:
            assert worker.stdin is not None
            assert worker.stdout is not None
            print(json.dumps(document), file=worker.stdin, flush=True)
            line = worker.stdout.readline()
        finally:
            self._workers.put(worker)
        if not line:
            raise RuntimeError(f"a worker died of {document}")
        answer = json.loads(line)
        if isinstance(answer, dict) and "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer
