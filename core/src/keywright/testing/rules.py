"""What all contracts have in common: rules with ids, reason and advice, and how laws run over generated values."""

from __future__ import annotations

import inspect
import re
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

_ID: Final = re.compile(r"([A-Z]+-\d\d+): ")
_PARTS: Final = re.compile(r"^(Why|Do): ", re.MULTILINE)

# A contract's method runs in each class that inherits it, with fixtures that live as long as one test; the methods
# here clean up after each example themselves.
_KNOWN = [HealthCheck.differing_executors, HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

LAW = settings(max_examples=100, deadline=None, suppress_health_check=_KNOWN)
"""For values in memory."""

SHORT_LAW = settings(max_examples=25, deadline=None, suppress_health_check=_KNOWN)
"""For what writes to a store, or does heavy mathematics."""


class Rule(NamedTuple):
    """One rule of a contract, as the docstring of its test method states it.

    Attributes:
        id: `FORMAT-30`; never used for another rule.
        method: the name of the test method.
        text: the rule, a sentence.
        why: what is lost where it is broken.
        do: what the author of a plugin that breaks it should look at.
    """

    id: str
    method: str
    text: str
    why: str
    do: str


class Contract:
    """The base of all contracts. A rule that fails is printed in full below the failure: rule, reason, what to do."""

    @pytest.fixture(autouse=True)
    def _show_the_rule(self, request: pytest.FixtureRequest) -> None:
        """Below the failure, in any style of traceback."""
        text = inspect.getdoc(request.function) or ""
        if _ID.match(text):
            request.node.add_report_section("call", "rule", text)


def rules_of(contract: type) -> list[Rule]:
    """The rules of a contract class, inherited ones included, in the order of their ids; `""` for what is missing."""
    methods = [name for name in dir(contract) if name.startswith("test_")]
    return sorted(_rule(name, inspect.getdoc(getattr(contract, name)) or "") for name in methods)


def _rule(method: str, docstring: str) -> Rule:
    found = _ID.match(docstring)
    text, *parts = _PARTS.split(docstring[found.end() if found else 0 :])
    said = {name: " ".join(words.split()) for name, words in zip(parts[::2], parts[1::2], strict=True)}
    return Rule(found[1] if found else "", method, " ".join(text.split()), said.get("Why", ""), said.get("Do", ""))
