"""The contract of seals passes the seal `memory`, and catches each planted fault by a rule whose id fits."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
import zlib
from collections.abc import Callable

import pytest

from keywright.errors import SealError
from keywright.secret import Secret
from keywright.testing import SealContract
from keywright.testing.seals.memory import OpenedMemorySeal

_ONE = Secret(b"one master key")
_OTHER = Secret(b"another master key")


class _SaltsOnlyItself(OpenedMemorySeal):
    """Cannot be opened again: the salt stays in the object."""

    def __init__(self, master: Secret) -> None:
        super().__init__(Secret(master.reveal() + os.urandom(8)))


class _StripsPayloads(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return super().seal(Secret(payload.reveal().rstrip(b"\n\0")), context)


class _IgnoresContext(OpenedMemorySeal):
    def _tag(self, body: Secret, nonce: bytes, context: bytes) -> Secret:
        return super()._tag(body, nonce, b"")


class _TakesTheNameAlone(OpenedMemorySeal):
    def _tag(self, body: Secret, nonce: bytes, context: bytes) -> Secret:
        return super()._tag(body, nonce, context.partition(b"@")[0])


class _FoldsContext(OpenedMemorySeal):
    def _tag(self, body: Secret, nonce: bytes, context: bytes) -> Secret:
        return super()._tag(body, nonce, context.lower().strip())


class _CutsContext(OpenedMemorySeal):
    def _tag(self, body: Secret, nonce: bytes, context: bytes) -> Secret:
        return super()._tag(body, nonce, context[:64])


class _IgnoresTheMasterKey(OpenedMemorySeal):
    def _key(self, purpose: bytes, nonce: bytes) -> Secret:
        return Secret(hmac.digest(b"built in", purpose + nonce, "sha256"))


class _ChecksNothing(OpenedMemorySeal):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return self._crypt(Secret(payload.reveal()[64:]), payload.reveal()[:32])


class _TagLeavesTheBodyOut(OpenedMemorySeal):
    def _tag(self, body: Secret, nonce: bytes, context: bytes) -> Secret:
        return super()._tag(Secret(b""), nonce, context)


class _HeaderOutsideTheTag(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(b"v1" + super().seal(payload, context).reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return super().unseal(Secret(payload.reveal()[2:]), context)


class _ComparesAsMuchAsIsThere(OpenedMemorySeal):
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


class _SkipsWhatFollows(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        sealed = super().seal(payload, context)
        return Secret(len(sealed).to_bytes(4) + sealed.reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        length = int.from_bytes(payload.reveal()[:4])
        return super().unseal(Secret(payload.reveal()[4 : 4 + length]), context)


class _CountsNonces(OpenedMemorySeal):
    count = 0

    def seal(self, payload: Secret, context: bytes) -> Secret:
        self.count += 1
        nonce = self.count.to_bytes(32)
        body = self._crypt(payload, nonce)
        return Secret(nonce + self._tag(body, nonce, context).reveal() + body.reveal())


class _OneKeystream(OpenedMemorySeal):
    def _crypt(self, payload: Secret, nonce: bytes) -> Secret:
        return super()._crypt(payload, bytes(32))


class _LeavesTheStartInTheClear(OpenedMemorySeal):
    def _crypt(self, payload: Secret, nonce: bytes) -> Secret:
        crypted = super()._crypt(payload, nonce)
        return Secret(payload.reveal()[:16] + crypted.reveal()[16:])


class _RaisesItsOwn(OpenedMemorySeal):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        if len(payload) < 64:
            raise ValueError("too short")
        return super().unseal(payload, context)


class _DecryptsBeforeItChecks(OpenedMemorySeal):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        opened = self._crypt(Secret(payload.reveal()[64:]), payload.reveal()[:32]).reveal()
        unsealed = super().unseal(payload, context)
        return unsealed if opened else Secret(opened)


class _QuotesTheSealedBytes(OpenedMemorySeal):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        try:
            return super().unseal(payload, context)
        except SealError as error:
            error.add_note(f"it was {payload.reveal()[:64].hex()}")
            error.args = (f"{error}: {payload.reveal()[:64].hex()}",)
            raise


class _MixesThreadsUp(OpenedMemorySeal):
    payload = Secret(b"")

    def seal(self, payload: Secret, context: bytes) -> Secret:
        self.payload = payload
        time.sleep(0)
        return super().seal(self.payload, context)


class _PassesThroughWhatIsNotSealed(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(b"sealed:" + super().seal(payload, context).reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        if not payload.reveal().startswith(b"sealed:"):
            return payload
        return super().unseal(Secret(payload.reveal()[7:]), context)


class _FallsBackToAnOlderWay(OpenedMemorySeal):
    def unseal(self, payload: Secret, context: bytes) -> Secret:
        try:
            return super().unseal(payload, context)
        except SealError:
            if len(payload) < 64:
                raise
            return self._crypt(payload, b"")


class _SealsInPieces(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        pieces = [payload.reveal()[at : at + 8] for at in range(0, len(payload), 8)] or [b""]
        return Secret(b"".join(super(_SealsInPieces, self).seal(Secret(one), context).reveal() for one in pieces))

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        pieces = [payload.reveal()[at : at + 72] for at in range(0, len(payload), 72)] or [b""]
        return Secret(b"".join(super(_SealsInPieces, self).unseal(Secret(one), context).reveal() for one in pieces))


class _LeavesEmptyAlone(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return super().seal(payload, context) if payload else payload

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return super().unseal(payload, context) if payload else payload


class _RemembersPayloads(OpenedMemorySeal):
    def __init__(self, master: Secret) -> None:
        super().__init__(master)
        self._seen: dict[bytes, Secret] = {}

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        digest = hashlib.sha256(payload.reveal() + context).digest()
        self._seen[digest] = super().unseal(payload, context)
        return self._seen[digest]


class _KeepsTheLastOneInAClosure(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        self.again = lambda: payload
        return super().seal(payload, context)


class _Compresses(OpenedMemorySeal):
    def seal(self, payload: Secret, context: bytes) -> Secret:
        return super().seal(Secret(zlib.compress(payload.reveal())), context)

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        return Secret(zlib.decompress(super().unseal(payload, context).reveal()))


_FAULTS: list[tuple[type[OpenedMemorySeal], str]] = [
    (_SaltsOnlyItself, "SEAL-01"),
    (_StripsPayloads, "SEAL-01"),
    (_StripsPayloads, "SEAL-02"),
    (_IgnoresContext, "SEAL-03"),
    (_TakesTheNameAlone, "SEAL-03"),
    (_FoldsContext, "SEAL-03"),
    (_IgnoresTheMasterKey, "SEAL-04"),
    (_ChecksNothing, "SEAL-05"),
    (_TagLeavesTheBodyOut, "SEAL-05"),
    (_HeaderOutsideTheTag, "SEAL-05"),
    (_ComparesAsMuchAsIsThere, "SEAL-06"),
    (_SkipsWhatFollows, "SEAL-06"),
    (_CountsNonces, "SEAL-07"),
    (_LeavesTheStartInTheClear, "SEAL-08"),
    (_RaisesItsOwn, "SEAL-09"),
    (_DecryptsBeforeItChecks, "SEAL-10"),
    (_QuotesTheSealedBytes, "SEAL-10"),
    (_MixesThreadsUp, "SEAL-11"),
    (_PassesThroughWhatIsNotSealed, "SEAL-12"),
    (_FallsBackToAnOlderWay, "SEAL-13"),
    (_SealsInPieces, "SEAL-14"),
    (_CutsContext, "SEAL-15"),
    (_LeavesEmptyAlone, "SEAL-16"),
    (_RemembersPayloads, "SEAL-17"),
    (_KeepsTheLastOneInAClosure, "SEAL-17"),
    (_OneKeystream, "SEAL-18"),
    (_CountsNonces, "SEAL-18"),
    (_Compresses, "SEAL-19"),
]


@pytest.mark.parametrize(("seal", "rule"), _FAULTS)
def test_a_faulty_seal_is_caught(seal: type[OpenedMemorySeal], rule: str, fails: Callable[..., bool]) -> None:
    """Each planted fault fails the rule that forbids it, and the seal without the fault passes."""

    def broken(one: type[OpenedMemorySeal]) -> bool:
        return fails(SealContract, rule, open_seal=lambda: one(_ONE), open_other_seal=lambda: one(_OTHER))

    assert broken(seal)
    assert not broken(OpenedMemorySeal)
