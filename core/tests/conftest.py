"""What the tests of the core share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import pytest
from toy_store import CAN, ToyStore, make_newer

from keywright.protocols import Capabilities, WritableStore
from keywright.testing import OnDiskStoreContract, OpenWritableStore, interrupts
from keywright.testing.rules import rules_of
from keywright.testing.stores import damaged, shared

Breaks = Callable[..., bool]
Install = Callable[..., None]


@pytest.fixture
def breaks() -> Breaks:
    """Runs one rule of a contract on what is handed over as its fixtures, and says whether it failed."""

    def run(contract: object, rule: str, **arguments: object) -> bool:
        (name,) = [name for name in dir(contract) if name.startswith(f"test_{rule}_")]
        method = getattr(type(contract), name)
        if arguments.pop("drawn_by_hand", False):
            method = method.hypothesis.inner_test  # one example alone: looking for a smaller one takes seconds
        wanted = {name: value for name, value in arguments.items() if name in signature(method).parameters}
        try:
            method(contract, **wanted)
        except pytest.skip.Exception as skipped:
            raise AssertionError(f"the rule was skipped: {skipped}") from None
        except (Exception, pytest.fail.Exception):
            return True
        return False

    return run


@pytest.fixture
def fails() -> Breaks:
    """As `breaks`, for a contract class and by the rule's id; parameters of the rule are all tried."""

    def run(contract: type, rule: str, **fixtures: object) -> bool:
        method = getattr(contract(), next(one.method for one in rules_of(contract) if one.id == rule))
        given = {name: value for name, value in fixtures.items() if name in signature(method).parameters}
        for parameters in _parameters(method):
            try:
                method(**given, **parameters)
            # A law that fails in two ways raises a group.
            except (Exception, pytest.fail.Exception, BaseExceptionGroup):
                return True
        return False

    return run


def _parameters(rule: Callable[..., object]) -> Iterator[dict[str, object]]:
    """The arguments that `parametrize` gives a rule, one set after the other."""
    marks = [mark for mark in getattr(rule, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        yield {}
    for mark in marks:
        name, values = mark.args
        yield from ({name: getattr(value, "values", (value,))[0]} for value in values)


@pytest.fixture
def breaks_on_disk(breaks: Breaks) -> Breaks:
    """As `breaks`, for a store of files; the rule's parameters are all tried, each in a place of its own."""

    def run(kind: type[ToyStore], rule: str, capabilities: Capabilities = CAN) -> bool:
        contract = type("Contract", (OnDiskStoreContract,), {"capabilities": capabilities, "newer": make_newer})
        (name,) = [name for name in dir(contract) if name.startswith(f"test_{rule}_")]
        for parameters in _parameters(getattr(contract, name)):
            with _directory() as directory, pytest.MonkeyPatch.context() as monkeypatch:
                place = directory / "toy"
                given = {"open_store": _opener(kind, place), "place": place, "monkeypatch": monkeypatch, **parameters}
                if breaks(contract(), rule, **given):
                    return True
        return False

    return run


@contextmanager
def _directory() -> Iterator[Path]:
    """As the fixture of the contract."""
    memory = "/dev/shm"
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
        os.chmod(directory, 0o755)
        yield Path(directory).resolve()


def _opener(kind: type[ToyStore], place: Path) -> OpenWritableStore:
    @contextmanager
    def opened() -> Iterator[WritableStore]:
        store = kind(place)
        yield store
        store.close()

    return opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs in a store is given up after seconds: planted faults make it hang."""
    monkeypatch.setattr(shared, "FORK_SECONDS", 3.0)
    monkeypatch.setattr(interrupts, "LONGEST_SECONDS", 5.0)
    monkeypatch.setattr(damaged, "LOOK_SECONDS", 5.0)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of one module, as an installer would leave it; nothing else is to be found."""
    monkeypatch.setattr("keywright.plugins.discovery._folders", lambda: [str(tmp_path)])
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def lay_down(name: str, source: str, *, distribution: str = "", value: str = "") -> None:
        (tmp_path / f"kw_{name}.py").write_text(dedent(source))
        metadata = tmp_path / f"{distribution or name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_text(f"[keywright]\n{name} = {value or f'kw_{name}'}\n")

    yield lay_down
    for module in set(sys.modules) - before:
        if module.startswith("kw_"):
            del sys.modules[module]
