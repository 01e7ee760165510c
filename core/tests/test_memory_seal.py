"""The seal `memory`."""

from __future__ import annotations

import pytest

from keywright.errors import SealError
from keywright.protocols import Seal
from keywright.secret import Secret
from keywright.settings.model import Options
from keywright.testing import MemorySeal, OpenSeal, SealContract


class TestMemorySeal(SealContract):
    """The contract of seals."""

    @pytest.fixture
    def open_seal(self) -> OpenSeal:
        """One master key."""
        return lambda: MemorySeal().open(Options({"master": Secret(b"one master key")}))

    @pytest.fixture
    def open_other_seal(self) -> OpenSeal:
        """Another master key."""
        return lambda: MemorySeal().open(Options({"master": Secret(b"another master key")}))


def test_it_is_a_seal() -> None:
    """The object satisfies the protocol, under the name `memory`."""
    assert isinstance(MemorySeal(), Seal)
    assert MemorySeal.name == "memory"
    assert [(setting.name, setting.type) for setting in MemorySeal.settings] == [("master", "secret")]


def test_the_sealed_form_is_64_bytes_longer() -> None:
    """A sealed payload is nonce, tag and as many bytes as the payload has."""
    sealed = MemorySeal().open(Options({"master": Secret(b"m")})).seal(Secret(b"12345"), b"a@1")

    assert len(sealed) == 64 + 5


def test_an_empty_master_key_is_refused() -> None:
    """A seal without master key does not open."""
    with pytest.raises(SealError) as caught:
        MemorySeal().open(Options({"master": Secret(b"")}))

    assert str(caught.value) == "the master key of the memory seal is empty; give one"


def test_the_message_of_a_refusal() -> None:
    """What cannot be unsealed is refused with what may have happened and the way out."""
    with pytest.raises(SealError) as caught:
        MemorySeal().open(Options({"master": Secret(b"m")})).unseal(Secret(b"x" * 80), b"a@1")

    assert str(caught.value) == (
        "the payload cannot be unsealed: its master key is another one, or its bytes or its record were changed; "
        "give the master key that sealed it, or restore the record from a backup"
    )


def test_a_byte_does_not_move_from_body_to_context() -> None:
    """Context and ciphertext are authenticated as two things, not as one text that could be parted elsewhere."""
    opened = MemorySeal().open(Options({"master": Secret(b"m")}))
    sealed = opened.seal(Secret(b"12345"), b"a@1")
    shorter = Secret(sealed.reveal()[:64] + sealed.reveal()[65:])

    with pytest.raises(SealError):
        opened.unseal(shorter, b"a@1" + sealed.reveal()[64:65])
