"""The contract of seals."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Final

import pytest
from hypothesis import example, given, strategies as st

from keywright import OpenedSeal, Options, Secret
from keywright.errors import SealError
from keywright.testing.leaks import assert_hidden, everything_in, refusal
from keywright.testing.processes import busy_threads
from keywright.testing.rules import SHORT_LAW, Contract
from keywright.testing.seals.memory import MemorySeal
from keywright.testing.strategies import flipped

OpenSeal = Callable[[], OpenedSeal]
"""Opens a seal, each time with the same master key."""

_PAYLOAD: Final = Secret(b"a canary that must not sing")
_CONTEXT: Final = b"a@1"
_CONTEXTS: Final = st.sampled_from((b"", b"prod/jwt@1", b"z" * 200 + b"@999999999")) | st.binary(max_size=60)
"""Records as the ring names them, and any others."""
_LENGTHS: Final = (0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 1000)
_ODD_PAYLOADS: Final = (b"\n", b"a\n", b"a\r\n", b" a ", b"\0", b"a\0", b"\0a", b"a" * 16, b"\x10" * 16, b"\xff")
_VARIED: Final = bytes(range(250)) * 4
_IN_THE_CLEAR: Final = (
    pytest.param(_PAYLOAD.reveal(), id="the payload itself"),
    pytest.param(b"", id="nothing"),
    pytest.param(b'{"k":"AAECAwQFBgcICQoLDA0ODw","kty":"oct"}', id="a JWK"),
    pytest.param(b"cache.example.org-1:" + b"A" * 86 + b"==", id="a Nix key"),
    pytest.param(b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n", id="PEM"),
    pytest.param(bytes(64), id="zeros"),
    pytest.param(bytes(4096), id="4096 zeros"),
)
_OTHER_CONTEXTS: Final = (
    *(b"", b"a@2", b"b@1", b"a@1\0", b"\0a@1", b"a@", b"@1", b"a1", b"A@1", b"1@a", b"a@11", b"aa@1", b"a/a@1"),
    *(b"a@1 ", b"a@1" * 100),
)


class SealContract(Contract):
    """The rules for every seal.

    Subclass it as `TestX` and give it two fixtures:

    * `open_seal`: a function that opens the seal again with one master key (see `OpenSeal`);
    * `open_other_seal`: the same with another master key.

        class TestMySeal(SealContract):
            @pytest.fixture
            def open_seal(self): return lambda: MySeal().open(Options({"master": Secret(b"one")}))

            @pytest.fixture
            def open_other_seal(self): return lambda: MySeal().open(Options({"master": Secret(b"another")}))
    """

    @pytest.fixture
    def open_seal(self) -> OpenSeal:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_seal`")

    @pytest.fixture
    def open_other_seal(self) -> OpenSeal:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `open_other_seal`")

    @pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)) * 256], ids=["empty", "NUL", "64 KiB"])
    def test_seal_01_what_was_sealed_is_unsealed_by_a_seal_opened_anew(self, open_seal: OpenSeal, data: bytes) -> None:
        """SEAL-01: A payload of any length comes back exactly from a seal that was reopened.

        Why: Another process will unseal the payload; a key that can be opened only in the session that sealed it is
        lost.

        Do: Put everything but the master key (salt, nonce, parameters) into the sealed bytes.
        """
        sealed = open_seal().seal(Secret(data), _CONTEXT)

        assert open_seal().unseal(sealed, _CONTEXT) == Secret(data)

    @SHORT_LAW
    @given(data=st.sampled_from(_ODD_PAYLOADS) | st.binary(max_size=100), context=_CONTEXTS)
    @example(data=b"\r\n \0 a key \0\r\n", context=_CONTEXT)
    def test_seal_02_any_payload_and_context_come_back(self, open_seal: OpenSeal, data: bytes, context: bytes) -> None:
        """SEAL-02: Any payload under any context comes back exactly.

        Why: Formats write any bytes; a final line end or NUL that is lost makes another key file.

        Do: Strip and decode nothing, and write the lengths of parts where their ends could be mistaken.
        """
        opened = open_seal()

        assert opened.unseal(opened.seal(Secret(data), context), context) == Secret(data)

    def test_seal_07_sealing_twice_gives_different_bytes(self, open_seal: OpenSeal) -> None:
        """SEAL-07: One payload sealed a hundred times gives a hundred different texts, across openings too.

        Why: Equal texts show that two records contain the same key, and a nonce that is reused after reopening reveals
        both.

        Do: Draw a new nonce from `os.urandom` in every call; a counter starts again with the process.
        """
        sealed = {open_seal().seal(_PAYLOAD, _CONTEXT).reveal() for _ in range(100)}

        assert len(sealed) == 100

    def test_seal_08_the_sealed_bytes_hold_nothing_of_the_payload(self, open_seal: OpenSeal) -> None:
        """SEAL-08: No part of the payload is found in the sealed bytes.

        Why: That is the purpose of a seal: anyone who copies the disk must not have the keys.

        Do: Encrypt all of it, the first block and the last one included.
        """
        sealed = open_seal().seal(Secret(_PAYLOAD.reveal() * 50), _CONTEXT)

        assert_hidden(_PAYLOAD, sealed.reveal())

    def test_seal_10_errors_show_nothing(self, open_seal: OpenSeal, open_other_seal: OpenSeal) -> None:
        """SEAL-10: A refusal is one line and shows neither payload nor sealed bytes, locals included.

        Why: A payload that fails its check is still a key for anyone who reads the log; and the master key opens all
        of them.

        Do: Authenticate before you decrypt, keep what was decrypted inside `Secret`, and raise outside the handler of
        the library's error.
        """
        sealed = open_seal().seal(_PAYLOAD, _CONTEXT)
        for opened, context in ((open_other_seal(), _CONTEXT), (open_seal(), b"a@2")):
            error = refusal(SealError, opened.unseal, sealed, context)

            assert len(str(error).splitlines()) == 1
            assert_hidden(sealed, everything_in(error, local_variables=False))
            assert_hidden(_PAYLOAD, everything_in(error) + repr(opened) + str(opened))

    def test_seal_11_threads_may_seal_at_once(self, open_seal: OpenSeal) -> None:
        """SEAL-11: Eight threads that use one opened seal at once all get their payloads back.

        Why: A store is used by all threads of a service, and its seal with it.

        Do: Keep cipher, nonce and payload of a call in local variables, never in the object.
        """
        opened = open_seal()

        def there_and_back(number: int) -> bool:
            payload = Secret(number.to_bytes(4) * 64)
            return opened.unseal(opened.seal(payload, _CONTEXT), _CONTEXT) == payload

        with busy_threads(), ThreadPoolExecutor(8) as pool:
            assert all(pool.map(there_and_back, range(128)))

    def test_seal_16_an_empty_payload_is_sealed_like_any_other(
        self, open_seal: OpenSeal, open_other_seal: OpenSeal
    ) -> None:
        """SEAL-16: An empty payload has a sealed form that is not empty, and that is bound to record and master key.

        Why: A record emptied by an attacker would pass for one that was empty from the start.

        Do: Leave out no step where the payload is empty: the tag is computed over the context all the same.
        """
        sealed = open_seal().seal(Secret(b""), _CONTEXT)

        assert len(sealed) > 0
        refusal(SealError, open_seal().unseal, sealed, b"a@2")
        refusal(SealError, open_other_seal().unseal, sealed, _CONTEXT)
        refusal(SealError, open_seal().unseal, Secret(b""), _CONTEXT)

    def test_seal_17_a_seal_keeps_no_payload(self, open_seal: OpenSeal) -> None:
        """SEAL-17: After sealing and unsealing, nothing that the opened seal refers to holds the payload.

        Why: A seal lives as long as its ring; what it keeps appears in core dumps and debuggers long after the key was
        used or destroyed.

        Do: Cache no payloads, and put none of a call's values into `self`.
        """
        opened = open_seal()
        payload = Secret(_PAYLOAD.reveal() + b", not even later")
        sealed = opened.seal(payload, _CONTEXT)
        assert opened.unseal(sealed, _CONTEXT) == payload

        assert not any(payload.reveal() in held for held in _bytes_held(opened))

    def test_seal_18_no_keystream_is_used_twice(self, open_seal: OpenSeal) -> None:
        """SEAL-18: Two sealed forms of one payload share no stretch of 8 bytes, but for a header in front.

        Why: With the same keystream, the XOR of two sealed payloads is that of the payloads: one known key opens all
        the others.

        Do: Encrypt with the nonce that is in the sealed bytes, or derive a new key for each payload.
        """
        payload = Secret(bytes(range(256)))
        one, two = (open_seal().seal(payload, _CONTEXT).reveal() for _ in range(2))
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
            dull, varied = opened.seal(Secret(bytes(length)), _CONTEXT), opened.seal(Secret(_VARIED[:length]), _CONTEXT)

            assert type(dull) is Secret
            assert type(opened.unseal(dull, _CONTEXT)) is Secret
            assert len(dull) == len(varied)

    @pytest.mark.parametrize("other", _OTHER_CONTEXTS)
    def test_seal_03_another_context_is_refused(self, open_seal: OpenSeal, other: bytes) -> None:
        """SEAL-03: A payload moved to another name or version raises SealError.

        Why: Anyone who can write to the disk could replace the new key with an old, compromised one.

        Do: Pass the context to the cipher as associated data, complete and unchanged.
        """
        sealed = open_seal().seal(_PAYLOAD, _CONTEXT)

        refusal(SealError, open_seal().unseal, sealed, other)

    def test_seal_04_another_master_key_is_refused(self, open_seal: OpenSeal, open_other_seal: OpenSeal) -> None:
        """SEAL-04: A payload sealed under another master key raises SealError.

        Why: Bytes decrypted with the wrong key are noise that would be stored, exported and used for signing.

        Do: Derive every key that you use from the master key, and check the tag before you answer.
        """
        for one, other in ((open_seal, open_other_seal), (open_other_seal, open_seal)):
            sealed = one().seal(_PAYLOAD, _CONTEXT)

            refusal(SealError, other().unseal, sealed, _CONTEXT)

    def test_seal_05_every_flipped_bit_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-05: A sealed payload with any one bit flipped raises SealError.

        Why: Encryption alone lets an attacker flip chosen bits of the key inside: version, name, curve.

        Do: Use authenticated encryption, and let the tag cover header, nonce and parameters too.
        """
        opened = open_seal()
        sealed = opened.seal(_PAYLOAD, _CONTEXT)

        for bit in range(len(sealed) * 8):
            refusal(SealError, opened.unseal, Secret(flipped(sealed.reveal(), bit)), _CONTEXT)

    def test_seal_06_every_truncation_and_extension_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-06: A sealed payload cut short at either end, or made longer, raises SealError.

        Why: A truncated payload that is accepted is half a key; bytes that are skipped hide damage.

        Do: Compare lengths before you take the parts, and compare the whole tag, never as much of it as is there.
        """
        opened = open_seal()
        sealed = opened.seal(_PAYLOAD, _CONTEXT)

        for length in range(len(sealed)):
            refusal(SealError, opened.unseal, Secret(sealed.reveal()[:length]), _CONTEXT)
            refusal(SealError, opened.unseal, Secret(sealed.reveal()[length + 1 :]), _CONTEXT)
        for more in (b"\0", b"\n", sealed.reveal()):
            refusal(SealError, opened.unseal, Secret(sealed.reveal() + more), _CONTEXT)
            refusal(SealError, opened.unseal, Secret(more + sealed.reveal()), _CONTEXT)

    @SHORT_LAW
    @given(data=st.binary(max_size=300))
    def test_seal_09_arbitrary_bytes_are_refused(self, open_seal: OpenSeal, data: bytes) -> None:
        """SEAL-09: Bytes that were not made by a seal raise SealError and nothing else.

        Why: `doctor` and the ring catch SealError and say which record is damaged; anything else ends the program.

        Do: Check the length first, catch the library's errors, and raise SealError outside the handler.
        """
        refusal(SealError, open_seal().unseal, Secret(data), _CONTEXT)

    @pytest.mark.parametrize("payload", _IN_THE_CLEAR)
    def test_seal_12_a_payload_in_the_clear_is_refused(self, open_seal: OpenSeal, payload: bytes) -> None:
        """SEAL-12: A payload that was never sealed raises SealError.

        Why: If unsealed payloads are accepted, anyone who can write to the store can add their own key.

        Do: Treat everything as sealed. That a store held records before it had a seal is for migration to handle.
        """
        refusal(SealError, open_seal().unseal, Secret(payload), _CONTEXT)

    def test_seal_13_what_another_seal_made_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-13: A payload sealed by a seal of another kind raises SealError.

        Why: Configuration may name the wrong seal; the result must be an error, not a key made of noise.

        Do: Start the sealed bytes with a mark of your own, or rely on the tag; never fall back to another way.
        """
        other = MemorySeal().open(Options({"master": Secret(b"a master key of its own")}))

        refusal(SealError, open_seal().unseal, other.seal(_PAYLOAD, _CONTEXT), _CONTEXT)

    def test_seal_14_parts_of_two_sealed_payloads_make_no_third(
        self, open_seal: OpenSeal, open_other_seal: OpenSeal
    ) -> None:
        """SEAL-14: The start of one sealed payload joined to the end of another raises SealError, at every boundary.

        Why: A header, wrapped key or nonce that is not bound to the rest can be exchanged for one whose key the
        attacker knows.

        Do: Let one tag cover all parts, or name them in the associated data.
        """
        opened = open_seal()
        one = opened.seal(_PAYLOAD, _CONTEXT).reveal()
        payload = Secret(_PAYLOAD.reveal()[::-1])
        for other in (opened.seal(payload, _CONTEXT), open_other_seal().seal(payload, _CONTEXT)):
            for at in range(1, len(one)):
                joined = one[:at] + other.reveal()[at:]
                if joined not in (one, other.reveal()):
                    refusal(SealError, opened.unseal, Secret(joined), _CONTEXT)

    @SHORT_LAW
    @given(context=_CONTEXTS, another=_CONTEXTS, payload=st.binary(max_size=20))
    @example(context=b"z" * 200 + b"@999999999", another=b"z" * 200, payload=b"payload")
    def test_seal_15_a_context_is_itself_and_no_other(
        self, open_seal: OpenSeal, context: bytes, another: bytes, payload: bytes
    ) -> None:
        """SEAL-15: A payload sealed under one context raises SealError under any other one, however similar.

        Why: As SEAL-03, for all other contexts.

        Do: Do not cut, fold or hash the context to something short; write its length before what follows it.
        """
        opened = open_seal()
        sealed = opened.seal(Secret(payload), context)
        alike = {context + b"\0", context + b"\n", b"\0" + context, context[:-1], context[1:], context[::-1]}
        alike |= {context.swapcase(), context + context, context + payload, another}

        for other in alike - {context}:
            refusal(SealError, opened.unseal, sealed, other)


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
