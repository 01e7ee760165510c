"""One mutant in a process of its own: forked from a pytest that has collected every test and imported everything."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import hypothesis
import pytest

from mutation.operators import Mutant

MEMORY = 4 << 30
TIME = "(out of time)"
OPTIONS = [
    "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-profile=mutation",
    "-Wignore::pytest.PytestAssertRewriteWarning",  # hypothesis is loaded before pytest looks
]  # fmt: skip
# The first failure is all that is asked for: nothing is shrunk, and every run draws the same examples.
hypothesis.settings.register_profile(
    "mutation", database=None, deadline=None, derandomize=True, report_multiple_bugs=False,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip


def forked(work: Callable[[int], None], folder: Path, limit: float) -> tuple[bool, str]:
    """Runs `work(pipe)` in a child; whether that came to its end, and what it wrote, or `TIME`.

    `limit` is in seconds of a processor; the clock may run twice as long, for others work on the machine too.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # tests look at who handles it
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            work(writer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    deadline = time.monotonic() + 2 * limit
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if not ended[0]:
        ended = os.waitpid(child, 0)
    os.set_blocking(reader, False)
    with open(reader, "rb") as pipe:
        told = (pipe.read() or b"").decode()
    return ended[1] == 0, TIME if os.WIFSIGNALED(ended[1]) else told


def place_temporaries(session: pytest.Session, folder: Path) -> None:
    """What `--basetemp` does, after pytest has begun."""
    folder.mkdir(exist_ok=True)
    factory = session.config._tmp_path_factory  # type: ignore[attr-defined]  # noqa: SLF001  (no other way)
    factory._basetemp = folder  # noqa: SLF001  (as above)


def run(session: pytest.Session, items: list[pytest.Item], folder: Path, writer: int) -> None:
    """Runs tests that are collected until one fails; writes its id."""
    place_temporaries(session, folder)
    for item, following in zip(items, [*items[1:], None], strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            os.write(writer, item.nodeid.encode())
            os._exit(1)


def run_in_new_modules(tests: list[str], root: Path, folder: Path, writer: int) -> None:
    """Forgets every module of the workspace, then collects and runs tests until one fails; writes its id."""

    class Reporter:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                os.write(writer, report.nodeid.encode())
                os._exit(1)

    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(f"{root}/") and not name.startswith("mutation"):
            del sys.modules[name]
    importlib.invalidate_caches()
    done = pytest.main([*OPTIONS, f"--basetemp={folder}", *tests], plugins=[Reporter()])
    os._exit(int(bool(done)))


def functions(root: Path) -> dict[str, list[FunctionType]]:
    """Every function that exists, by the file it comes from."""
    found: dict[str, list[FunctionType]] = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(f"{root}/"):
            found.setdefault(each.__code__.co_filename, []).append(each)
    return found


def codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and all those inside it, in order."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def change_in_place(living: list[FunctionType], path: str, original: bytes, mutated: bytes) -> bool:
    """Gives the functions of a module the code of its mutant; False where that cannot be done so."""
    before, after = (list(codes(compile(text, path, "exec", dont_inherit=True))) for text in (original, mutated))
    if [code.co_qualname for code in before] != [code.co_qualname for code in after]:
        return False
    changed = False
    for old, new in zip(before, after, strict=True):
        for function in living:
            if old != new and function.__code__ == old:
                try:
                    function.__code__ = new
                except ValueError:  # it closes over other variables than before
                    return False
                changed = True
    return changed


@contextlib.contextmanager
def written(path: Path, mutant: Mutant, serial: int) -> Iterator[tuple[bytes, bytes]]:
    """The file is the mutant's for the length of the block, for processes that a test starts."""
    original, status = path.read_bytes(), path.stat()
    mutated = mutant.apply(original)
    path.write_bytes(mutated)
    os.utime(path, (0, 10**9 + serial))  # compiled files are told apart by size and second alone
    try:
        yield original, mutated
    finally:
        path.write_bytes(original)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def preload(root: Path, more: tuple[str, ...]) -> None:
    """Imports all of the workspace's modules, and what they would import on first use."""
    for source in sorted(root.glob("core/src")) + sorted(root.glob("plugins/*/src")):
        for path in sorted(source.rglob("*.py")):
            parts: Any = path.relative_to(source).with_suffix("").parts
            if parts[-1] not in ("__init__", "__main__"):
                importlib.import_module(".".join(parts))
    for name in more:
        importlib.import_module(name)
