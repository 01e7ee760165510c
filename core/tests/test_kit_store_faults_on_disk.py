"""The contract kit passes a small sound store of files, and catches it where it claims to be what it is not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from toy_store import CAN, ToyStore, make_newer

from keywright.protocols import Capabilities
from keywright.testing import OnDiskStoreContract, OpenWritableStore

Breaks = Callable[..., bool]


class TestToyStore(OnDiskStoreContract):
    """The sound one passes."""

    capabilities = CAN

    @pytest.fixture
    def place(self, directory: Path) -> Path:
        """The directory of the store."""
        return directory / "toy"

    @pytest.fixture
    def open_store(self, place: Path) -> OpenWritableStore:
        """The same directory each time."""
        return lambda: nullcontext(ToyStore(place))

    def newer(self, place: Path) -> None:
        """With the number of the next layout."""
        make_newer(self, place)


@pytest.mark.parametrize(
    ("rule", "capabilities"),
    [
        ("store_14", CAN._replace(persistent=False)),
        ("store_68", CAN._replace(shared=False)),
        ("store_70", CAN._replace(shared=False, persistent=False)),
    ],
)
def test_a_claim_that_is_not_true_is_caught(rule: str, capabilities: Capabilities, breaks_on_disk: Breaks) -> None:
    """A store that says that it keeps to itself, and does not, fails the rule of that capability."""
    assert breaks_on_disk(ToyStore, rule, capabilities)
