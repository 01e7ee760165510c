"""What the contract of seals is tried on: a seal opened with one master key and with another, and a payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import strategies as st

from keywright.errors import SealError
from keywright.protocols import OpenedSeal
from keywright.secret import Secret
from keywright.testing.rules import Contract

__all__ = ["CONTEXT", "CONTEXTS", "PAYLOAD", "OpenSeal", "OpenedSeals", "refusal"]

OpenSeal = Callable[[], OpenedSeal]
"""Opens a seal anew, each time with the same master key."""

PAYLOAD: Final = Secret(b"a canary that must not sing")
CONTEXT: Final = b"a@1"
CONTEXTS: Final = st.sampled_from((b"", b"prod/jwt@1", b"z" * 200 + b"@999999999")) | st.binary(max_size=60)
"""Records as the ring names them, and any others."""


def refusal(opened: OpenedSeal, payload: Secret, context: bytes) -> SealError:
    """The error by which `unseal` refuses."""
    with pytest.raises(SealError) as caught:
        opened.unseal(payload, context)
    return caught.value


class OpenedSeals(Contract):
    """Part of `SealContract`, which says what is to be overridden."""

    @pytest.fixture
    def open_seal(self) -> OpenSeal:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_seal`")

    @pytest.fixture
    def open_other_seal(self) -> OpenSeal:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_other_seal`")
