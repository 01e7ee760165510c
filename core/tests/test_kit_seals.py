"""The contract of seals passes the seal `memory`, and catches each planted fault by the rule beside it."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
import zlib
from contextlib import nullcontext
from functools import partial

import pytest
from planted import Fault, cases, fails, fault, without_fault

from keywright import Secret
from keywright.errors import SealError
from keywright.testing import SealContract
from keywright.testing.seals.memory import OpenedMemorySeal as Sound

_ONE = Secret(b"one master key")
_OTHER = Secret(b"another master key")


class _SaltsOnlyItself(Sound):
    """Cannot be opened again: the salt stays in the object."""

    def __init__(self, master: Secret) -> None:
        super().__init__(Secret(master.reveal() + os.urandom(8)))


class _HeaderOutsideTheTag(Sound):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(b"v1" + super().seal(payload, context).reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return super().unseal(Secret(payload.reveal()[2:]), context)


class _ComparesAsMuchAsIsThere(Sound):
    """Sealed: length of the ciphertext (4 bytes) ‖ nonce ‖ ciphertext ‖ tag."""

    def seal(self, payload: Secret, context: bytes) -> Secret:
        nonce, body = (sealed := super().seal(payload, context).reveal())[:32], sealed[64:]
        return Secret(len(body).to_bytes(4) + nonce + body + sealed[32:64])

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        end = 36 + int.from_bytes(payload.reveal()[:4])
        nonce, body = payload.reveal()[4:36], Secret(payload.reveal()[36:end])
        if len(payload) <= end or not self._tag(body, nonce, context).reveal().startswith(payload.reveal()[end:]):
            raise SealError("the payload cannot be unsealed")
        return self._crypt(body, nonce)


class _SkipsWhatFollows(Sound):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        sealed = super().seal(payload, context)
        return Secret(len(sealed).to_bytes(4) + sealed.reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        length = int.from_bytes(payload.reveal()[:4])
        return super().unseal(Secret(payload.reveal()[4 : 4 + length]), context)


class _CountsNonces(Sound):
    count = 0

    def seal(self, payload: Secret, context: bytes) -> Secret:
        self.count += 1
        nonce = self.count.to_bytes(32)
        body = self._crypt(payload, nonce)
        return Secret(nonce + self._tag(body, nonce, context).reveal() + body.reveal())


class _RaisesItsOwn(Sound):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        if len(payload) < 64:
            raise ValueError("too short")
        return super().unseal(payload, context)


class _DecryptsBeforeItChecks(Sound):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        opened = self._crypt(Secret(payload.reveal()[64:]), payload.reveal()[:32]).reveal()
        unsealed = super().unseal(payload, context)
        return unsealed if opened else Secret(opened)


class _QuotesTheSealedBytes(Sound):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        try:
            return super().unseal(payload, context)
        except SealError as error:
            error.add_note(f"it was {payload.reveal()[:64].hex()}")
            error.args = (f"{error}: {payload.reveal()[:64].hex()}",)
            raise


class _MixesThreadsUp(Sound):
    payload = Secret(b"")

    def seal(self, payload: Secret, context: bytes) -> Secret:
        self.payload = payload
        time.sleep(0)
        return super().seal(self.payload, context)


class _PassesThroughWhatIsNotSealed(Sound):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(b"sealed:" + super().seal(payload, context).reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        if not payload.reveal().startswith(b"sealed:"):
            return payload
        return super().unseal(Secret(payload.reveal()[7:]), context)


class _FallsBackToAnOlderWay(Sound):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        try:
            return super().unseal(payload, context)
        except SealError:
            if len(payload) < 64:
                raise
            return self._crypt(payload, b"")


class _SealsInPieces(Sound):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        pieces = [payload.reveal()[at : at + 8] for at in range(0, len(payload), 8)] or [b""]
        return Secret(b"".join(super(_SealsInPieces, self).seal(Secret(one), context).reveal() for one in pieces))

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        pieces = [payload.reveal()[at : at + 72] for at in range(0, len(payload), 72)] or [b""]
        return Secret(b"".join(super(_SealsInPieces, self).unseal(Secret(one), context).reveal() for one in pieces))


class _RemembersPayloads(Sound):
    def __init__(self, master: Secret) -> None:
        super().__init__(master)
        self._seen: dict[bytes, Secret] = {}

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        digest = hashlib.sha256(payload.reveal() + context).digest()
        self._seen[digest] = super().unseal(payload, context)
        return self._seen[digest]


class _KeepsTheLastOneInAClosure(Sound):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        self.again = lambda: payload
        return super().seal(payload, context)


class _Compresses(Sound):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return super().seal(Secret(zlib.compress(payload.reveal())), context)

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(zlib.decompress(super().unseal(payload, context).reveal()))


_seal = partial(fault, Sound)
_FAULTS = [
    Fault("SEAL-01", _SaltsOnlyItself),
    _seal(
        "SEAL-01 SEAL-02: strips payloads",
        seal=lambda self, sound, payload, context: sound(Secret(payload.reveal().rstrip(b"\n\0")), context),
    ),
    _seal("SEAL-03: ignores context", _tag=lambda self, sound, body, nonce, context: sound(body, nonce, b"")),
    _seal(
        "SEAL-03: takes the name alone",
        _tag=lambda self, sound, body, nonce, context: sound(body, nonce, context.partition(b"@")[0]),
    ),
    _seal(
        "SEAL-03: folds context",
        _tag=lambda self, sound, body, nonce, context: sound(body, nonce, context.lower().strip()),
    ),
    _seal(
        "SEAL-04: ignores the master key",
        _key=lambda self, sound, purpose, nonce: Secret(hmac.digest(b"built in", purpose + nonce, "sha256")),
    ),
    _seal(
        "SEAL-05: checks nothing",
        unseal=lambda self, sound, payload, context: self._crypt(Secret(payload.reveal()[64:]), payload.reveal()[:32]),
    ),
    _seal(
        "SEAL-05: tag leaves the body out",
        _tag=lambda self, sound, body, nonce, context: sound(Secret(b""), nonce, context),
    ),
    Fault("SEAL-05", _HeaderOutsideTheTag),
    Fault("SEAL-06", _ComparesAsMuchAsIsThere),
    Fault("SEAL-06", _SkipsWhatFollows),
    Fault("SEAL-07 SEAL-18", _CountsNonces),
    _seal(
        "SEAL-08: leaves the start in the clear",
        _crypt=lambda self, sound, payload, nonce: Secret(payload.reveal()[:16] + sound(payload, nonce).reveal()[16:]),
    ),
    Fault("SEAL-09", _RaisesItsOwn),
    Fault("SEAL-10", _DecryptsBeforeItChecks),
    Fault("SEAL-10", _QuotesTheSealedBytes),
    Fault("SEAL-11", _MixesThreadsUp),
    Fault("SEAL-12", _PassesThroughWhatIsNotSealed),
    Fault("SEAL-13", _FallsBackToAnOlderWay),
    Fault("SEAL-14", _SealsInPieces),
    _seal("SEAL-15: cuts context", _tag=lambda self, sound, body, nonce, context: sound(body, nonce, context[:64])),
    _seal(
        "SEAL-16: leaves empty payloads alone",
        seal=lambda self, sound, payload, context: sound(payload, context) if payload else payload,
        unseal=lambda self, sound, payload, context: sound(payload, context) if payload else payload,
    ),
    Fault("SEAL-17", _RemembersPayloads),
    Fault("SEAL-17", _KeepsTheLastOneInAClosure),
    _seal("SEAL-18: one keystream", _crypt=lambda self, sound, payload, nonce: sound(payload, bytes(32))),
    Fault("SEAL-19", _Compresses),
]


@pytest.mark.parametrize(("planted", "rule"), cases(_FAULTS))
def test_a_faulty_seal_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the seal without the fault passes."""

    def broken(seal: type[Sound]) -> bool:
        opened = {"open_seal": lambda: seal(_ONE), "open_other_seal": lambda: seal(_OTHER)}
        return fails(SealContract, rule, lambda: nullcontext(opened))

    assert broken(planted.mutant)
    assert not broken(Sound)


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule is one that a fault breaks."""
    assert without_fault(SealContract, _FAULTS) == []
