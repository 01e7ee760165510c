"""The contract of seals: what is sealed comes back, and gives nothing away."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keywright.secret import Secret
from keywright.testing.key_types.signatures import busy_threads
from keywright.testing.laws import SHORT_LAW
from keywright.testing.leaks import assert_hidden, everything_in
from keywright.testing.seals.opened import CONTEXT, CONTEXTS, PAYLOAD, OpenSeal, refusal
from keywright.testing.seals.tampering import TamperingRules

__all__ = ["OpenSeal", "SealContract"]

_LENGTHS: Final = (0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 1000)
_ODD_PAYLOADS: Final = (b"\n", b"a\n", b"a\r\n", b" a ", b"\0", b"a\0", b"\0a", b"a" * 16, b"\x10" * 16, b"\xff")
_VARIED: Final = bytes(range(250)) * 4


class SealContract(TamperingRules):
    """What every seal promises. Subclass it as `TestX` and give it two fixtures:

    * `open_seal`: a function that opens the seal anew with one master key (see `OpenSeal`);
    * `open_other_seal`: the same with another master key.

        class TestMySeal(SealContract):
            @pytest.fixture
            def open_seal(self): return lambda: MySeal().open(Options({"master": Secret(b"one")}))

            @pytest.fixture
            def open_other_seal(self): return lambda: MySeal().open(Options({"master": Secret(b"another")}))
    """

    @pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)) * 256], ids=["empty", "NUL", "64 KiB"])
    def test_seal_01_what_was_sealed_is_unsealed_by_a_seal_opened_anew(self, open_seal: OpenSeal, data: bytes) -> None:
        """SEAL-01: A payload of any length comes back exactly from a seal opened anew.

        Why: What is unsealed tomorrow is unsealed by another process; a key that only its own session can open is
        lost.

        Do: Put everything but the master key (salt, nonce, parameters) into the sealed bytes.
        """
        sealed = open_seal().seal(Secret(data), CONTEXT)

        assert open_seal().unseal(sealed, CONTEXT) == Secret(data)

    @SHORT_LAW
    @given(data=st.sampled_from(_ODD_PAYLOADS) | st.binary(max_size=100), context=CONTEXTS)
    @example(data=b"\r\n \0 a key \0\r\n", context=CONTEXT)
    def test_seal_02_any_payload_and_context_come_back(self, open_seal: OpenSeal, data: bytes, context: bytes) -> None:
        """SEAL-02: Any payload under any context comes back exactly.

        Why: Formats write any bytes; a final line end or NUL that is lost makes another key file.

        Do: Strip and decode nothing, and write the lengths of parts where their ends could be mistaken.
        """
        opened = open_seal()

        assert opened.unseal(opened.seal(Secret(data), context), context) == Secret(data)

    def test_seal_07_sealing_twice_gives_different_bytes(self, open_seal: OpenSeal) -> None:
        """SEAL-07: One payload sealed a hundred times gives a hundred different texts, across openings too.

        Why: Equal texts tell that two records hold the same key, and a nonce that starts again with each opening
        gives both away.

        Do: Draw a fresh nonce from `os.urandom` in every call; a counter starts again with the process.
        """
        sealed = {open_seal().seal(PAYLOAD, CONTEXT).reveal() for _ in range(100)}

        assert len(sealed) == 100

    def test_seal_08_the_sealed_bytes_hold_nothing_of_the_payload(self, open_seal: OpenSeal) -> None:
        """SEAL-08: No stretch of the payload is found in what was sealed.

        Why: That is the whole point of a seal: whoever copies the disk must not have the keys.

        Do: Encrypt all of it, the first block and the last one included.
        """
        sealed = open_seal().seal(Secret(PAYLOAD.reveal() * 50), CONTEXT)

        assert_hidden(PAYLOAD, sealed.reveal())

    def test_seal_10_errors_show_nothing(self, open_seal: OpenSeal, open_other_seal: OpenSeal) -> None:
        """SEAL-10: A refusal is one line and shows neither payload nor sealed bytes, locals included.

        Why: A payload that fails its check is still a key to whoever reads the log; and the master key opens all of
        them.

        Do: Authenticate before you decrypt, keep what was decrypted inside `Secret`, and raise outside the handler of
        the library's error.
        """
        sealed = open_seal().seal(PAYLOAD, CONTEXT)
        for opened, context in ((open_other_seal(), CONTEXT), (open_seal(), b"a@2")):
            error = refusal(opened, sealed, context)

            assert len(str(error).splitlines()) == 1
            assert_hidden(sealed, everything_in(error, local_variables=False))
            assert_hidden(PAYLOAD, everything_in(error) + repr(opened) + str(opened))

    def test_seal_11_threads_may_seal_at_once(self, open_seal: OpenSeal) -> None:
        """SEAL-11: Eight threads that use one opened seal at once all get their payloads back.

        Why: A store is used by all threads of a service, and its seal with it.

        Do: Keep cipher, nonce and payload of a call in local variables, never in the object.
        """
        opened = open_seal()

        def there_and_back(number: int) -> bool:
            payload = Secret(number.to_bytes(4) * 64)
            return opened.unseal(opened.seal(payload, CONTEXT), CONTEXT) == payload

        with busy_threads(), ThreadPoolExecutor(8) as pool:
            assert all(pool.map(there_and_back, range(128)))

    def test_seal_16_an_empty_payload_is_sealed_like_any_other(
        self, open_seal: OpenSeal, open_other_seal: OpenSeal
    ) -> None:
        """SEAL-16: An empty payload has a sealed form that is not empty, and that is bound to record and master key.

        Why: A record emptied by an attacker would pass for one that was empty from the start.

        Do: Leave out no step where the payload is empty: the tag is computed over the context all the same.
        """
        sealed = open_seal().seal(Secret(b""), CONTEXT)

        assert len(sealed) > 0
        refusal(open_seal(), sealed, b"a@2")
        refusal(open_other_seal(), sealed, CONTEXT)
        refusal(open_seal(), Secret(b""), CONTEXT)

    def test_seal_17_a_seal_keeps_no_payload(self, open_seal: OpenSeal) -> None:
        """SEAL-17: After sealing and unsealing, nothing that the opened seal refers to holds the payload.

        Why: A seal lives as long as its ring; what it keeps turns up in core dumps and debuggers long after the key
        was used or destroyed.

        Do: Cache no payloads, and put none of a call's values into `self`.
        """
        opened = open_seal()
        payload = Secret(PAYLOAD.reveal() + b", not even later")
        sealed = opened.seal(payload, CONTEXT)
        assert opened.unseal(sealed, CONTEXT) == payload

        assert not any(payload.reveal() in held for held in _bytes_held(opened))

    def test_seal_18_no_keystream_is_used_twice(self, open_seal: OpenSeal) -> None:
        """SEAL-18: Two sealed forms of one payload share no stretch of 8 bytes, but for a header in front.

        Why: With the same keystream, the XOR of two sealed payloads is that of the payloads: one known key opens all
        the others.

        Do: Use the nonce that stands in the sealed bytes for encrypting too, or derive a fresh key for each payload.
        """
        payload = Secret(bytes(range(256)))
        one, two = (open_seal().seal(payload, CONTEXT).reveal() for _ in range(2))
        header = next(at for at in range(len(one)) if one[at] != two[at])

        assert header <= len(one) - len(payload)
        seen = {one[at : at + 8] for at in range(header, len(one) - 7)}
        assert seen.isdisjoint(two[at : at + 8] for at in range(header, len(two) - 7))

    def test_seal_19_results_are_secrets_of_a_length_that_says_little(self, open_seal: OpenSeal) -> None:
        """SEAL-19: Sealed and unsealed bytes are `Secret`, and payloads of one length have sealed forms of one length.

        Why: A length that depends on content (compression does that) lets an observer guess the content.

        Do: Wrap what you return in `Secret(…)`, and compress nothing.
        """
        opened = open_seal()
        for length in _LENGTHS:
            dull, varied = opened.seal(Secret(bytes(length)), CONTEXT), opened.seal(Secret(_VARIED[:length]), CONTEXT)

            assert type(dull) is Secret
            assert type(opened.unseal(dull, CONTEXT)) is Secret
            assert len(dull) == len(varied)


def _bytes_held(start: object) -> list[bytes]:
    """The bytes that can be reached from an object, through its own members and not through modules or classes."""
    passed = (type, ModuleType, FrameType, BuiltinFunctionType)
    held: list[bytes] = []
    seen: set[int] = set()
    waiting: list[object] = [start]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, passed):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray):
            held.append(bytes(one))
        elif isinstance(one, str):
            held.append(one.encode(errors="replace"))
        elif isinstance(one, FunctionType):
            waiting += [one.__closure__, one.__defaults__, one.__kwdefaults__]
        else:
            waiting += gc.get_referents(one)
    return held
