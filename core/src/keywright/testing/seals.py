"""The contract of seals."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import SealError
from keywright.protocols import OpenedSeal
from keywright.secret import Secret
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, traceback_with_locals

__all__ = ["OpenSeal", "SealContract"]

OpenSeal = Callable[[], OpenedSeal]
"""Opens a seal anew, each time with the same master key."""

_PAYLOAD = Secret(b"a canary that must not sing")
_CONTEXT = b"a@1"


def _refusal(opened: OpenedSeal, payload: Secret, context: bytes) -> SealError:
    with pytest.raises(SealError) as caught:
        opened.unseal(payload, context)
    return caught.value


class SealContract:
    """What every seal promises. Subclass it as `TestX` and give it two fixtures:

    * `open_seal`: a function that opens the seal anew with one master key (see `OpenSeal`);
    * `open_other_seal`: the same with another master key.
    """

    @pytest.fixture
    def open_seal(self) -> OpenSeal:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_seal`")

    @pytest.fixture
    def open_other_seal(self) -> OpenSeal:
        """To be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_other_seal`")

    @pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)) * 256], ids=["empty", "NUL", "64 KiB"])
    def test_seal_01_what_was_sealed_is_unsealed_by_a_seal_opened_anew(self, open_seal: OpenSeal, data: bytes) -> None:
        """SEAL-01: A payload of any length comes back exactly from a seal opened anew."""
        sealed = open_seal().seal(Secret(data), _CONTEXT)

        assert open_seal().unseal(sealed, _CONTEXT) == Secret(data)

    @SHORT_LAW
    @given(data=st.binary(max_size=100), context=st.binary(max_size=40))
    def test_seal_02_any_payload_and_context_come_back(self, open_seal: OpenSeal, data: bytes, context: bytes) -> None:
        """SEAL-02: Any payload under any context comes back exactly."""
        opened = open_seal()

        assert opened.unseal(opened.seal(Secret(data), context), context) == Secret(data)

    @pytest.mark.parametrize("other", [b"", b"a@2", b"a@1\0", b"a@", b"A@1", b"a@1" * 100])
    def test_seal_03_another_context_is_refused(self, open_seal: OpenSeal, other: bytes) -> None:
        """SEAL-03: A payload moved to another record raises SealError."""
        sealed = open_seal().seal(_PAYLOAD, _CONTEXT)

        _refusal(open_seal(), sealed, other)

    def test_seal_04_another_master_key_is_refused(self, open_seal: OpenSeal, open_other_seal: OpenSeal) -> None:
        """SEAL-04: A payload sealed under another master key raises SealError."""
        sealed = open_other_seal().seal(_PAYLOAD, _CONTEXT)

        _refusal(open_seal(), sealed, _CONTEXT)

    def test_seal_05_every_flipped_bit_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-05: A sealed payload with any one bit flipped raises SealError."""
        opened = open_seal()
        sealed = opened.seal(_PAYLOAD, _CONTEXT)

        for bit in range(len(sealed) * 8):
            flipped = bytearray(sealed.reveal())
            flipped[bit // 8] ^= 1 << bit % 8
            _refusal(opened, Secret(bytes(flipped)), _CONTEXT)

    def test_seal_06_every_truncation_and_extension_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-06: A sealed payload cut short at either end, or made longer, raises SealError."""
        opened = open_seal()
        sealed = opened.seal(_PAYLOAD, _CONTEXT)

        for length in range(len(sealed)):
            _refusal(opened, Secret(sealed.reveal()[:length]), _CONTEXT)
            _refusal(opened, Secret(sealed.reveal()[length + 1 :]), _CONTEXT)
        for more in (b"\0", b"\n", sealed.reveal()):
            _refusal(opened, Secret(sealed.reveal() + more), _CONTEXT)
            _refusal(opened, Secret(more + sealed.reveal()), _CONTEXT)

    def test_seal_07_sealing_twice_gives_different_bytes(self, open_seal: OpenSeal) -> None:
        """SEAL-07: One payload sealed a hundred times gives a hundred different texts, across openings too."""
        sealed = {open_seal().seal(_PAYLOAD, _CONTEXT).reveal() for _ in range(100)}

        assert len(sealed) == 100

    def test_seal_08_the_sealed_bytes_hold_nothing_of_the_payload(self, open_seal: OpenSeal) -> None:
        """SEAL-08: No stretch of the payload is found in what was sealed."""
        sealed = open_seal().seal(Secret(_PAYLOAD.reveal() * 50), _CONTEXT)

        assert_hidden(_PAYLOAD, sealed.reveal())

    @SHORT_LAW
    @given(data=st.binary(max_size=300))
    def test_seal_09_arbitrary_bytes_are_refused(self, open_seal: OpenSeal, data: bytes) -> None:
        """SEAL-09: Bytes that no seal made raise SealError and nothing else."""
        _refusal(open_seal(), Secret(data), _CONTEXT)

    def test_seal_10_errors_show_nothing(self, open_seal: OpenSeal, open_other_seal: OpenSeal) -> None:
        """SEAL-10: A refusal is one line and shows neither payload nor sealed bytes, locals included."""
        sealed = open_seal().seal(_PAYLOAD, _CONTEXT)

        error = _refusal(open_other_seal(), sealed, _CONTEXT)

        assert len(str(error).splitlines()) == 1
        assert_hidden(sealed, str(error))
        assert_hidden(_PAYLOAD, traceback_with_locals(error) + repr(open_seal()))

    def test_seal_11_threads_may_seal_at_once(self, open_seal: OpenSeal) -> None:
        """SEAL-11: Eight threads that use one opened seal at once all get their payloads back."""
        opened = open_seal()

        def there_and_back(number: int) -> bool:
            payload = Secret(number.to_bytes(4) * 64)
            return opened.unseal(opened.seal(payload, _CONTEXT), _CONTEXT) == payload

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(there_and_back, range(64)))
