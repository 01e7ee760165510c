"""Planted faults: mutants of something sound, each with the rules of a contract that must catch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import pytest

from keywright.testing.rules import rules_of

Fixtures = Callable[[], AbstractContextManager[Mapping[str, object]]]


class Fault(NamedTuple):
    """A mutant, the ids of the rules that must catch it, and what hypothesis would have to draw for that."""

    rules: str
    mutant: type[Any]
    example: Mapping[str, object] = {}


def fault(sound: type, text: str, /, example: Mapping[str, object] = {}, **changes: Any) -> Fault:
    """A mutant that differs from `sound` in these members alone; the text is `RULE RULE: what it does wrong`.

    A lambda becomes a method. It is given the object, the sound method, and the arguments.
    """
    rules, _, name = text.partition(": ")
    return Fault(rules, type(name, (sound,), {one: _method(sound, one, changes[one]) for one in changes}), example)


def _method(sound: type, name: str, change: Any) -> Any:
    if getattr(change, "__name__", "") != "<lambda>":
        return change
    return lambda self, *given, **named: change(self, partial(getattr(sound, name), self), *given, **named)


def cases(faults: Iterable[Fault]) -> list[Any]:
    """For `parametrize`: each fault with each of its rules."""
    return [
        pytest.param(one, rule, id=f"{rule} {one.mutant.__name__.strip('_')}")
        for one in faults
        for rule in one.rules.split()
    ]


def without_fault(contract: type, faults: Iterable[Fault]) -> list[str]:
    """The rules of a contract that no fault is planted for."""
    planted = {rule for one in faults for rule in one.rules.split()}
    return sorted({rule.id for rule in rules_of(contract)} - planted)


def fails(contract: type, rule: str, fixtures: Fixtures) -> bool:
    """Whether a rule of a contract fails with these fixtures; what `parametrize` gives the rule is all tried."""
    method = getattr(contract, next(one.method for one in rules_of(contract) if one.id == rule))
    inner = getattr(getattr(method, "hypothesis", None), "inner_test", method)
    for parameters in _parameters(method):
        with fixtures() as given:
            offered = {**parameters, **given}
            # One example that is given is tried alone: to look for others takes seconds.
            one = inner if signature(inner).parameters.keys() <= {"self", *offered} else method
            try:
                one(contract(), **{name: offered[name] for name in signature(one).parameters if name in offered})
            except pytest.skip.Exception as skipped:
                raise AssertionError(f"the rule was skipped: {skipped}") from None
            # A law that fails in two ways raises a group.
            except (Exception, pytest.fail.Exception, BaseExceptionGroup):
                return True
    return False


def _parameters(rule: Callable[..., object]) -> Iterator[dict[str, object]]:
    """The arguments that `parametrize` gives a rule, one set after the other."""
    marks = [mark for mark in getattr(rule, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        yield {}
    for mark in marks:
        name, values = mark.args
        yield from ({name: getattr(value, "values", (value,))[0]} for value in values)
