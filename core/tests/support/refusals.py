"""What tests expect of an error: its class, and its message to the letter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.errors import text_of


@contextmanager
def refuses(kind: type[BaseException], message: str) -> Iterator[None]:
    """The block raises an error of this class with exactly this message."""
    with pytest.raises(kind) as caught:
        yield
    assert text_of(caught.value) == message
