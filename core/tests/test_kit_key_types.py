"""The contract of key types passes sound types, and catches each planted fault by the rule beside it."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from planted import Fault, cases, fails, fault, without_fault
from toy_signer import Sign, ToySigner, Verify

from keywright import Attributes, Key, KeyType, Options, Secret, Setting
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)
from keywright.testing import KeyTypeContract

_ORDER = 2**252 + 27742317777372353535851937790883648493


class ToyMac:
    """HMAC in the plainest way; there is no public half."""

    name = "toy-mac"
    settings: Sequence[Setting] = (
        Setting("bits", "integer", default=512, help="bits", minimum=128, maximum=1024, multiple_of=8),
    )
    algorithms: tuple[str, ...] = ("HS256", "HS512")

    def generate(self, options: Options) -> Key:
        bits = options.integer("bits")
        if not 128 <= bits <= 1024 or bits % 8:
            raise ConfigError("bits are from 128 to 1024")
        return Key(self.name, secret=Secret(self.draw(bits // 8)))

    def validate(self, key: Key) -> Key:
        self.check_type(key)
        if not key.secret or key.public is not None:
            raise InvalidKeyError("a toy key has octets and nothing else")
        return key

    def bits(self, key: Key) -> int:
        return 8 * len(self.validate(key).secret or b"")

    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_type(key)
        if algorithm not in self.algorithms:
            raise UnsupportedOperationError("a toy key does not sign with that")
        if key.secret is None:
            raise NotExportableError("this toy key has no octets")
        self.check_strength(self.validate(key).secret or Secret(b""), int(algorithm[-3:]) // 8)
        return self.tagger(key.secret, f"sha{algorithm[-3:]}")

    def verifier(self, key: Key, algorithm: str) -> Verify:
        tag = self.signer(key, algorithm)

        def verify(message: bytes, signature: bytes) -> None:
            if not self.matches(tag, message, signature):
                raise InvalidSignatureError("the tag does not match")

        return verify

    def check_type(self, key: Key) -> None:
        if key.type != self.name:
            raise InvalidKeyError("this is not a toy key")

    def check_strength(self, octets: Secret, wanted: int) -> None:
        if len(octets) < wanted:
            raise InvalidKeyError("this toy key is too short")

    def draw(self, count: int) -> bytes:
        return os.urandom(count)

    def tagger(self, octets: Secret, digest: str) -> Sign:
        return lambda message: hmac.digest(octets.reveal(), message, digest)

    def matches(self, tag: Sign, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(tag(message), signature)


class AnyToy(KeyTypeContract):
    """The contract for one of the toys."""

    toy: ClassVar[type[ToySigner | ToyMac]] = ToySigner

    @pytest.fixture
    def key_type(self) -> KeyType:
        """The key type under test."""
        return self.toy()


class TestToySigner(AnyToy):
    """A type with two halves."""


class TestToyMac(AnyToy):
    """A type with octets and settings."""

    toy = ToyMac
    option_sets = ({}, {"bits": 256}, {"bits": 128})


# Mutants of more than an expression


class _ReusesTheSeed(ToySigner):
    seed: ClassVar[bytes] = os.urandom(32)

    def generate(self, options: Options) -> Key:
        return self.validate(Key(self.name, secret=Secret(self.seed)))


class _WantsBothHalves(ToySigner):
    def validate(self, key: Key) -> Key:
        if key.secret is None:
            raise InvalidKeyError("this toy key has no secret half")
        return super().validate(key)


class _ShowsTheSeedWhenRefusing(ToySigner):
    def validate(self, key: Key) -> Key:
        seed = key.secret.reveal() if key.secret else b""
        completed = super().validate(key)
        return completed if seed else replace(completed)


class _LibraryErrorsWhenBinding(ToySigner):
    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_type(key)
        self.check_algorithm(algorithm)
        if key.secret is None:
            raise NotExportableError("this toy key has no secret half")
        return Ed25519PrivateKey.from_private_bytes(key.secret.reveal()).sign


class _PublicHalfAsHmacSecret(ToySigner):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        if algorithm == "HS256":
            return ToyMac().verifier(Key("toy-mac", secret=Secret(key.public or b"")), algorithm)
        return super().verifier(key, algorithm)


class _SignsWithThePublicHalf(ToySigner):
    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_algorithm(algorithm)
        return super().signer(replace(key, secret=key.secret or Secret(key.public or b"")), algorithm)


class _ShowsTheSeedInRepr(ToySigner):
    def signer(self, key: Key, algorithm: str) -> Sign:
        super().signer(key, algorithm)
        return partial(self._sign, (key.secret or Secret(b"")).reveal())

    def _sign(self, seed: bytes, message: bytes) -> bytes:
        return self.private(Secret(seed)).sign(message)


class _ShowsTheKeyInLocals(ToyMac):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        tag = self.signer(key, algorithm)

        def verify(message: bytes, signature: bytes) -> None:
            octets = key.secret.reveal() if key.secret else b""
            if not octets or tag(message) != signature:
                raise InvalidSignatureError("the tag does not match")

        return verify


class _AnswersTrueOrFalse(ToyMac):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        tag = self.signer(key, algorithm)
        return lambda message, signature: tag(message) == signature  # type: ignore[return-value]  # the fault


class _GivesTheSignatureBack(ToySigner):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        verify = super().verifier(key, algorithm)
        return lambda message, signature: (verify(message, signature), signature)[1]  # type: ignore[return-value]  # the fault


class _MixesThreadsUp(ToyMac):
    message = b""

    def tagger(self, octets: Secret, digest: str) -> Sign:
        def tag(message: bytes) -> bytes:
            self.message = message
            time.sleep(0)
            return hmac.digest(octets.reveal(), self.message, digest)

        return tag


class _TriesWhatFits(ToyMac):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        super().verifier(key, algorithm)
        tags = [self.tagger(key.secret or Secret(b""), digest) for digest in ("sha256", "sha512")]

        def verify(message: bytes, signature: bytes) -> None:
            if signature not in [tag(message) for tag in tags]:
                raise InvalidSignatureError("the tag does not match")

        return verify


class _DropsLeadingZeros(ToyMac):
    def tagger(self, octets: Secret, digest: str) -> Sign:
        tag = super().tagger(octets, digest)
        return lambda message: tag(message).lstrip(bytes(range(32)))


class _SaltsItsSignatures(ToyMac):
    def tagger(self, octets: Secret, digest: str) -> Sign:
        return lambda message: (salt := os.urandom(8)) + hmac.digest(octets.reveal(), salt + message, digest)

    def matches(self, tag: Sign, message: bytes, signature: bytes) -> bool:
        return len(signature) == len(tag(message))


class _RepeatsItsNonce(ToySigner):
    def signer(self, key: Key, algorithm: str) -> Sign:
        sign = super().signer(key, algorithm)
        return lambda message: sign(b"")[:32] + hashlib.sha256(sign(message)).digest()


class _TakesAnyS(ToySigner):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        verify = super().verifier(key, algorithm)

        def reduced(message: bytes, signature: bytes) -> None:
            s = int.from_bytes(signature[32:], "little") % _ORDER
            verify(message, signature[:32] + s.to_bytes(32, "little"))

        return reduced


_signer = partial(fault, ToySigner)
_mac = partial(fault, ToyMac)
_FAULTS = [
    # Making keys
    _signer("KEYTYPE-01: capital name", name="ToySigner"),
    _signer(
        "KEYTYPE-02: sets kid and use",
        generate=lambda self, sound, options: replace(sound(options), kid="new", attributes=Attributes({"use": "sig"})),
    ),
    _signer(
        "KEYTYPE-03: leaves the public half out",
        generate=lambda self, sound, options: replace(sound(options), public=None),
    ),
    Fault("KEYTYPE-04", _ReusesTheSeed),
    _mac("KEYTYPE-11: counts bytes", bits=lambda self, sound, key: sound(key) // 8),
    _mac("KEYTYPE-11: one byte short", draw=lambda self, sound, count: os.urandom(count - 1)),
    _mac("KEYTYPE-21: setting without bounds", settings=(Setting("bits", "integer", default=512, help="bits"),)),
    _mac(
        "KEYTYPE-24: trusts its options",
        generate=lambda self, sound, options: Key(
            self.name, secret=Secret(self.draw(max(0, options.integer("bits") // 8)))
        ),
    ),
    _mac("KEYTYPE-25: draws from random", draw=lambda self, sound, count: random.randbytes(count)),
    _mac(
        "KEYTYPE-30: default too short",
        settings=(Setting("bits", "integer", default=128, help="bits", minimum=128, maximum=1024, multiple_of=8),),
    ),
    # Checking keys
    _signer(
        "KEYTYPE-05: derives nothing",
        validate=lambda self, sound, key: key if key.secret and key.public is None else sound(key),
    ),
    _signer("KEYTYPE-05: drops the kid", validate=lambda self, sound, key: replace(sound(key), kid="")),
    Fault("KEYTYPE-06", _WantsBothHalves),
    _signer(
        "KEYTYPE-07: takes mismatched halves",
        validate=lambda self, sound, key: key if key.secret and key.public else sound(key),
    ),
    _signer(
        "KEYTYPE-07: puts halves right",
        validate=lambda self, sound, key: sound(replace(key, public=None) if key.secret else key),
    ),
    Fault("KEYTYPE-07", _ShowsTheSeedWhenRefusing),
    _mac(
        "KEYTYPE-08: takes empty keys",
        validate=lambda self, sound, key: key if key.secret == Secret(b"") else sound(key),
    ),
    _signer(
        "KEYTYPE-09: library errors",
        private=lambda self, sound, secret: Ed25519PrivateKey.from_private_bytes(secret.reveal()),
    ),
    _signer("KEYTYPE-10: cuts long public halves", public=lambda self, sound, data: sound(data[:32])),
    _signer(
        "KEYTYPE-22: fills up short seeds",
        private=lambda self, sound, secret: sound(Secret(secret.reveal()[:32].ljust(32, b"\0"))),
    ),
    _signer("KEYTYPE-23 KEYTYPE-27: takes foreign types", check_type=lambda self, sound, key: None),
    _signer(
        "KEYTYPE-23: takes the type in capitals",
        check_type=lambda self, sound, key: sound(replace(key, type=key.type.lower())),
    ),
    # Binding
    _signer("KEYTYPE-16: takes any algorithm", check_algorithm=lambda self, sound, algorithm: None),
    _mac(
        "KEYTYPE-16: takes none",
        verifier=lambda self, sound, key, algorithm: (
            (lambda _message, _signature: None) if algorithm == "none" else sound(key, algorithm)
        ),
    ),
    _mac(
        "KEYTYPE-16: ignores case of algorithms",
        signer=lambda self, sound, key, algorithm: sound(key, algorithm.upper()),
    ),
    Fault("KEYTYPE-17", _SignsWithThePublicHalf),
    Fault("KEYTYPE-19", _ShowsTheSeedInRepr),
    Fault("KEYTYPE-19", _ShowsTheKeyInLocals),
    Fault("KEYTYPE-26", _PublicHalfAsHmacSecret),
    Fault("KEYTYPE-28", _LibraryErrorsWhenBinding),
    _mac("KEYTYPE-29: short keys", check_strength=lambda self, sound, octets, wanted: None),
    # Signing
    Fault("KEYTYPE-12", _GivesTheSignatureBack),
    Fault("KEYTYPE-13", _AnswersTrueOrFalse),
    _mac("KEYTYPE-13: takes any signature", matches=lambda self, sound, tag, message, signature: bool(signature)),
    _mac(
        "KEYTYPE-13: takes truncated tags",
        matches=lambda self, sound, tag, message, signature: (
            len(signature) >= 16 and tag(message).startswith(signature)
        ),
    ),
    _mac(
        "KEYTYPE-13: takes long tags",
        matches=lambda self, sound, tag, message, signature: signature.startswith(tag(message)),
    ),
    _mac(
        "KEYTYPE-14: strips messages",
        tagger=lambda self, sound, octets, digest: (
            lambda message: hmac.digest(octets.reveal(), message.strip(), digest)
        ),
    ),
    _mac(
        "KEYTYPE-15: ignores the key", tagger=lambda self, sound, octets, digest: sound(Secret(b"one for all"), digest)
    ),
    _mac(
        "KEYTYPE-18: raises for nonsense",
        matches=lambda self, sound, tag, message, signature: (
            int.from_bytes(signature).to_bytes(64)[-len(tag(message)) :] == tag(message)
        ),
    ),
    Fault("KEYTYPE-20", _MixesThreadsUp),
    Fault("KEYTYPE-31", _TriesWhatFits),
    Fault("KEYTYPE-32", _DropsLeadingZeros),
    Fault("KEYTYPE-33", _SaltsItsSignatures),
    Fault("KEYTYPE-34", _RepeatsItsNonce),
    Fault("KEYTYPE-35", _TakesAnyS),
    _signer("KEYTYPE-36: takes any point", check_point=lambda self, sound, public: None),
]


@pytest.mark.parametrize(("planted", "rule"), cases(_FAULTS))
def test_a_faulty_key_type_is_caught(planted: Fault, rule: str) -> None:
    """Each planted fault fails the rule that forbids it, and the key type that it was planted in passes."""
    sound: type[ToySigner | ToyMac] = ToyMac if issubclass(planted.mutant, ToyMac) else ToySigner
    options: Sequence[Mapping[str, object]] = ({}, {"bits": 256}) if sound is ToyMac else ({},)

    def broken(toy: type[ToySigner | ToyMac]) -> bool:
        contract = type("Contract", (AnyToy,), {"toy": toy, "option_sets": options})
        bound = [(toy().generate(Options({"bits": 512})), algorithm) for algorithm in toy.algorithms]
        return fails(contract, rule, lambda: nullcontext({"key_type": toy(), "bound": bound}))

    assert broken(planted.mutant)
    assert not broken(sound)


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule is one that a fault breaks."""
    assert without_fault(KeyTypeContract, _FAULTS) == []
