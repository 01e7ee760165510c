"""The contract that every format fulfils, over published keys of every type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keywright import Format
from keywright.testing import FormatContract, Sample


class TestJwkFormat(FormatContract):
    """The format `jwk`."""

    @pytest.fixture
    def format(self, jwk_format: Format) -> Format:
        """The format under test."""
        return jwk_format

    @pytest.fixture(autouse=True)
    def _take_samples(self, published: dict[str, dict[str, Any]]) -> None:
        canonical = (json.dumps(jwk, sort_keys=True, separators=(",", ":")) for jwk in published.values())
        self.samples = tuple(Sample(text.encode()) for text in canonical)  # type: ignore[misc]  # one for each test
