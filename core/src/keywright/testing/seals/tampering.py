"""The contract of seals: what was changed, moved or made by somebody else is refused."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keywright.secret import Secret
from keywright.settings.model import Options
from keywright.testing.laws import SHORT_LAW
from keywright.testing.seals.memory import MemorySeal
from keywright.testing.seals.opened import CONTEXT, CONTEXTS, PAYLOAD, OpenedSeals, OpenSeal, refusal

__all__ = ["TamperingRules"]

_IN_THE_CLEAR: Final = (
    pytest.param(PAYLOAD.reveal(), id="the payload itself"),
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


class TamperingRules(OpenedSeals):
    """Part of `SealContract`."""

    @pytest.mark.parametrize("other", _OTHER_CONTEXTS)
    def test_seal_03_another_context_is_refused(self, open_seal: OpenSeal, other: bytes) -> None:
        """SEAL-03: A payload moved to another name or version raises SealError.

        Why: Whoever can write to the disk could put an old, compromised key in the place of the new one.

        Do: Hand the context to the cipher as associated data, all of it and as it is.
        """
        sealed = open_seal().seal(PAYLOAD, CONTEXT)

        refusal(open_seal(), sealed, other)

    def test_seal_04_another_master_key_is_refused(self, open_seal: OpenSeal, open_other_seal: OpenSeal) -> None:
        """SEAL-04: A payload sealed under another master key raises SealError.

        Why: Bytes decrypted by the wrong key are noise that would be stored, exported and signed with.

        Do: Derive every key that you use from the master key, and check the tag before you answer.
        """
        for one, other in ((open_seal, open_other_seal), (open_other_seal, open_seal)):
            sealed = one().seal(PAYLOAD, CONTEXT)

            refusal(other(), sealed, CONTEXT)

    def test_seal_05_every_flipped_bit_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-05: A sealed payload with any one bit flipped raises SealError.

        Why: Encryption alone lets an attacker flip chosen bits of the key inside: version, name, curve.

        Do: Use authenticated encryption, and let the tag cover header, nonce and parameters too.
        """
        opened = open_seal()
        sealed = opened.seal(PAYLOAD, CONTEXT)

        for bit in range(len(sealed) * 8):
            flipped = bytearray(sealed.reveal())
            flipped[bit // 8] ^= 1 << bit % 8
            refusal(opened, Secret(bytes(flipped)), CONTEXT)

    def test_seal_06_every_truncation_and_extension_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-06: A sealed payload cut short at either end, or made longer, raises SealError.

        Why: Half a payload that is taken for a whole one is half a key; bytes that are skipped hide damage.

        Do: Compare lengths before you take the parts, and compare the whole tag, never as much of it as is there.
        """
        opened = open_seal()
        sealed = opened.seal(PAYLOAD, CONTEXT)

        for length in range(len(sealed)):
            refusal(opened, Secret(sealed.reveal()[:length]), CONTEXT)
            refusal(opened, Secret(sealed.reveal()[length + 1 :]), CONTEXT)
        for more in (b"\0", b"\n", sealed.reveal()):
            refusal(opened, Secret(sealed.reveal() + more), CONTEXT)
            refusal(opened, Secret(more + sealed.reveal()), CONTEXT)

    @SHORT_LAW
    @given(data=st.binary(max_size=300))
    def test_seal_09_arbitrary_bytes_are_refused(self, open_seal: OpenSeal, data: bytes) -> None:
        """SEAL-09: Bytes that no seal made raise SealError and nothing else.

        Why: `doctor` and the ring catch SealError and say which record is damaged; anything else ends the program.

        Do: Check the length first, catch the library's errors, and raise SealError outside the handler.
        """
        refusal(open_seal(), Secret(data), CONTEXT)

    @pytest.mark.parametrize("payload", _IN_THE_CLEAR)
    def test_seal_12_a_payload_in_the_clear_is_refused(self, open_seal: OpenSeal, payload: bytes) -> None:
        """SEAL-12: A payload that was never sealed raises SealError.

        Why: If what is not sealed passes through, whoever can write to the store puts a key of their own there.

        Do: Treat everything as sealed. That a store held records before it had a seal is for migration to handle.
        """
        refusal(open_seal(), Secret(payload), CONTEXT)

    def test_seal_13_what_another_seal_made_is_refused(self, open_seal: OpenSeal) -> None:
        """SEAL-13: A payload sealed by a seal of another kind raises SealError.

        Why: Configuration may name the wrong seal; the answer must be that it does not fit, not a key of noise.

        Do: Start the sealed bytes with a mark of your own, or rely on the tag; never fall back to another way.
        """
        other = MemorySeal().open(Options({"master": Secret(b"a master key that nobody else has")}))

        refusal(open_seal(), other.seal(PAYLOAD, CONTEXT), CONTEXT)

    def test_seal_14_parts_of_two_sealed_payloads_make_no_third(
        self, open_seal: OpenSeal, open_other_seal: OpenSeal
    ) -> None:
        """SEAL-14: The start of one sealed payload joined to the end of another raises SealError, at every boundary.

        Why: A header, wrapped key or nonce that is not bound to the rest can be exchanged for one whose key the
        attacker knows.

        Do: Let one tag cover all parts, or name them in the associated data.
        """
        opened = open_seal()
        one = opened.seal(PAYLOAD, CONTEXT).reveal()
        payload = Secret(PAYLOAD.reveal()[::-1])
        for other in (opened.seal(payload, CONTEXT), open_other_seal().seal(payload, CONTEXT)):
            for at in range(1, len(one)):
                joined = one[:at] + other.reveal()[at:]
                if joined not in (one, other.reveal()):
                    refusal(opened, Secret(joined), CONTEXT)

    @SHORT_LAW
    @given(context=CONTEXTS, another=CONTEXTS, payload=st.binary(max_size=20))
    @example(context=b"z" * 200 + b"@999999999", another=b"z" * 200, payload=b"payload")
    def test_seal_15_a_context_is_itself_and_no_other(
        self, open_seal: OpenSeal, context: bytes, another: bytes, payload: bytes
    ) -> None:
        """SEAL-15: A payload sealed under one context raises SealError under any other one, however like it is.

        Why: As SEAL-03, for the contexts that nobody thought of.

        Do: Do not cut, fold or hash the context to something short; write its length before what follows it.
        """
        opened = open_seal()
        sealed = opened.seal(Secret(payload), context)
        alike = {context + b"\0", context + b"\n", b"\0" + context, context[:-1], context[1:], context[::-1]}
        alike |= {context.swapcase(), context + context, context + payload, another}

        for other in alike - {context}:
            refusal(opened, sealed, other)
