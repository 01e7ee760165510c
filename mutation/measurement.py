"""Which tests run which line, and how long each takes: one run of all tests, measured, in a process of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest
from coverage.exceptions import CoverageWarning

PROCESS_CONFIG = "COVERAGE_PROCESS_CONFIG"
SHARED = "fixture "
Covering = dict[str, dict[int, set[str]]]


class Measurement:
    """A pytest plugin: lines by test, those of processes that a test starts included, and times of tests that pass."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.users: dict[str, list[str]] = defaultdict(list)
        self.measured = coverage.Coverage(
            data_file=str(folder / "measured"), config_file=False, data_suffix=True, branch=False,
            include=[f"{root}/core/src/*", f"{root}/plugins/*/src/*"],
        )  # fmt: skip
        self.measured.set_option("run:parallel", True)
        self.measured.set_option("run:disable_warnings", ["module-not-measured", "no-data-collected"])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Measures until the end of the block, then writes what was found to the folder."""
        self.config: dict[str, Any] = json.loads(base64.b64decode(self.measured.config.serialize()))
        self.measured.start()
        yield
        self.measured.stop()
        self.measured.save()
        passed = {test: seconds for test, seconds in self.seconds.items() if test not in self.failed}
        told = {"seconds": passed, "failed": sorted(self.failed), "users": self.users}
        (self.folder / "tests.json").write_text(json.dumps(told))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        told = json.dumps({**self.config, "context": item.nodeid}).encode()
        os.environ[PROCESS_CONFIG] = base64.b64encode(told).decode()
        self.running_now = item.nodeid
        self.measured.switch_context(item.nodeid)
        for name in getattr(item, "fixturenames", ()):
            self.users[name].append(item.nodeid)
        start = time.monotonic()
        done = yield
        self.seconds[item.nodeid] = time.monotonic() - start
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        # What is made once is everybody's who asks for it, not the first one's.
        shared = fixturedef.scope != "function"
        if shared:
            self.measured.switch_context(f"{SHARED}{fixturedef.argname}")
        made = yield
        if shared:
            self.measured.switch_context(self.running_now)
        return made

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)


def read(folder: Path, root: Path) -> tuple[Covering, dict[str, float], list[str]]:
    """Tests by file and line; seconds by test; tests that failed with nothing broken."""
    combined = coverage.Coverage(data_file=str(folder / "measured"), config_file=False)
    with warnings.catch_warnings():
        # A process that a test kills leaves half a file; what it ran is not missed.
        warnings.simplefilter("ignore", CoverageWarning)
        combined.combine([str(folder)], keep=True)
    data = combined.get_data()
    tests = json.loads((folder / "tests.json").read_text())
    covering: Covering = {}
    for file in data.measured_files():
        lines: dict[int, set[str]] = defaultdict(set)
        for line, contexts in data.contexts_by_lineno(file).items():
            by = (
                tests["users"].get(name.removeprefix(SHARED), ()) if name.startswith(SHARED) else [name]
                for name in contexts
            )
            lines[line] = set().union(*by) & tests["seconds"].keys()
        covering[str(Path(file).relative_to(root))] = lines
    return covering, tests["seconds"], tests["failed"]
