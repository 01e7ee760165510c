"""What the tests of the core share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature

import pytest

from keywright.testing.rules import rules_of

Breaks = Callable[..., bool]


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
