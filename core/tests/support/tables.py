"""Tables of cases whose ids are stable words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest


def cases(names: str | Sequence[str], table: Mapping[str, object]) -> pytest.MarkDecorator:
    """The test runs once for each entry: its id, and the arguments `names` (one value, or a tuple of them)."""
    return pytest.mark.parametrize(names, table.values(), ids=table)
