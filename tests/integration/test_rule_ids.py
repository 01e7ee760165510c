"""The ids of the contract kit's rules are promises to plugin authors (`tests/fixtures/rule_ids.txt`)."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from keywright import testing

LIST = Path(__file__).parents[1] / "fixtures" / "rule_ids.txt"


def listed() -> tuple[list[str], list[str]]:
    """The ids in use and the retired ones."""
    lines = [line.split(maxsplit=1) for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    assert all(len(line) == 1 or line[1].startswith("retired: ") for line in lines)
    return [line[0] for line in lines if len(line) == 1], [line[0] for line in lines if len(line) == 2]


def ids_of_the_kit() -> set[str]:
    """The ids that the test methods of all exported contracts begin their docstrings with."""
    contracts = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]
    methods = [getattr(one, name) for one in contracts for name in dir(one) if name.startswith("test_")]
    return {found[0] for method in methods if (found := re.match(r"[A-Z]+-\d\d+", inspect.getdoc(method) or ""))}


def test_no_rule_id_is_lost_or_used_again() -> None:
    """Each rule is listed once; one that is taken out stays listed as retired, and its id is not used again."""
    in_use, retired = listed()

    assert len({*in_use, *retired}) == len([*in_use, *retired])
    assert ids_of_the_kit() == set(in_use)
