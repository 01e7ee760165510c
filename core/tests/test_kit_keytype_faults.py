"""The contract of key types passes sound types, and catches each planted fault by a rule whose id fits."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidSignatureError,
    NotExportableError,
    UnsupportedOperationError,
)
from keywright.keys import Attributes, Key
from keywright.protocols import KeyType
from keywright.secret import Secret
from keywright.settings.model import Options, Setting
from keywright.testing import KeyTypeContract

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], None]

_ORDER = 2**252 + 27742317777372353535851937790883648493


class ToySigner:
    """Ed25519 in the plainest way; the seed is the secret half."""

    name = "toy-signer"
    settings: Sequence[Setting] = ()
    algorithms: tuple[str, ...] = ("EdDSA",)

    def generate(self, options: Options) -> Key:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        return Key(self.name, secret=Secret(private.private_bytes_raw()), public=public)

    def complete(self, key: Key) -> Key:
        self.check_type(key)
        if key.secret is None:
            self.public(key.public or b"")
            return key
        if key.public not in (None, self.derive(key.secret)):
            raise InvalidKeyError("the halves of this toy key do not belong together")
        return replace(key, public=self.derive(key.secret))

    def bits(self, key: Key) -> int:
        self.check_type(key)
        return 256

    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_type(key)
        self.check_algorithm(algorithm)
        if key.secret is None:
            raise NotExportableError("this toy key has no secret half")
        return self.private(key.secret).sign

    def verifier(self, key: Key, algorithm: str) -> Verify:
        self.check_type(key)
        self.check_algorithm(algorithm)
        public = self.public(self.complete(key).public or b"")

        def verify(message: bytes, signature: bytes) -> None:
            try:
                public.verify(signature, message)
            except InvalidSignature:
                raise InvalidSignatureError("the signature does not hold") from None

        return verify

    def check_type(self, key: Key) -> None:
        if key.type != self.name:
            raise InvalidKeyError("this is no toy key")

    def check_algorithm(self, algorithm: str) -> None:
        if algorithm not in self.algorithms:
            raise UnsupportedOperationError("a toy key does not sign with that")

    def private(self, secret: Secret) -> Ed25519PrivateKey:
        if len(secret) != 32:
            raise InvalidKeyError("the secret half of a toy key has 32 bytes")
        return Ed25519PrivateKey.from_private_bytes(secret.reveal())

    def derive(self, secret: Secret) -> bytes:
        return self.private(secret).public_key().public_bytes_raw()

    def public(self, data: bytes) -> Ed25519PublicKey:
        if len(data) != 32:
            raise InvalidKeyError("the public half of a toy key has 32 bytes")
        return Ed25519PublicKey.from_public_bytes(data)


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

    def complete(self, key: Key) -> Key:
        self.check_type(key)
        if not key.secret or key.public is not None:
            raise InvalidKeyError("a toy key has octets and nothing else")
        return key

    def bits(self, key: Key) -> int:
        return 8 * len(self.complete(key).secret or b"")

    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_type(key)
        if algorithm not in self.algorithms:
            raise UnsupportedOperationError("a toy key does not sign with that")
        if key.secret is None:
            raise NotExportableError("this toy key has no octets")
        digest = {"256": "sha256", "512": "sha512"}[algorithm[-3:]]
        self.check_strength(self.complete(key).secret or Secret(b""), int(algorithm[-3:]) // 8)
        return self.tagger(key.secret, digest)

    def verifier(self, key: Key, algorithm: str) -> Verify:
        tag = self.signer(key, algorithm)

        def verify(message: bytes, signature: bytes) -> None:
            if not self.matches(tag, message, signature):
                raise InvalidSignatureError("the tag does not match")

        return verify

    def check_type(self, key: Key) -> None:
        if key.type != self.name:
            raise InvalidKeyError("this is no toy key")

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


# Making keys


class _CapitalName(ToySigner):
    name = "ToySigner"


class _SetsKidAndUse(ToySigner):
    def generate(self, options: Options) -> Key:
        return replace(super().generate(options), kid="new", attributes=Attributes({"use": "sig"}))


class _LeavesThePublicHalfOut(ToySigner):
    def generate(self, options: Options) -> Key:
        return replace(super().generate(options), public=None)


class _ReusesTheSeed(ToySigner):
    seed: ClassVar[bytes] = os.urandom(32)

    def generate(self, options: Options) -> Key:
        return self.complete(Key(self.name, secret=Secret(self.seed)))


class _DrawsFromRandom(ToyMac):
    def draw(self, count: int) -> bytes:
        return random.randbytes(count)


class _CountsBytes(ToyMac):
    def bits(self, key: Key) -> int:
        return super().bits(key) // 8


class _OneByteShort(ToyMac):
    def draw(self, count: int) -> bytes:
        return os.urandom(count - 1)


class _SettingWithoutBounds(ToyMac):
    settings = (Setting("bits", "integer", default=512, help="bits"),)


class _TrustsItsOptions(ToyMac):
    def generate(self, options: Options) -> Key:
        return Key(self.name, secret=Secret(self.draw(max(0, options.integer("bits") // 8))))


class _DefaultTooShort(ToyMac):
    settings = (Setting("bits", "integer", default=128, help="bits", minimum=128, maximum=1024, multiple_of=8),)


# Checking keys


class _DerivesNothing(ToySigner):
    def complete(self, key: Key) -> Key:
        return key if key.secret is not None and key.public is None else super().complete(key)


class _DropsTheKid(ToySigner):
    def complete(self, key: Key) -> Key:
        return replace(super().complete(key), kid="")


class _WantsBothHalves(ToySigner):
    def complete(self, key: Key) -> Key:
        if key.secret is None:
            raise InvalidKeyError("this toy key has no secret half")
        return super().complete(key)


class _TakesMismatchedHalves(ToySigner):
    def complete(self, key: Key) -> Key:
        return key if key.secret is not None and key.public is not None else super().complete(key)


class _PutsHalvesRight(ToySigner):
    def complete(self, key: Key) -> Key:
        return super().complete(replace(key, public=None) if key.secret is not None else key)


class _ShowsTheSeedWhenRefusing(ToySigner):
    def complete(self, key: Key) -> Key:
        seed = key.secret.reveal() if key.secret else b""
        completed = super().complete(key)
        return completed if seed else replace(completed)


class _TakesEmptyKeys(ToyMac):
    def complete(self, key: Key) -> Key:
        return key if key.secret is not None and not key.secret else super().complete(key)


class _LibraryErrors(ToySigner):
    def private(self, secret: Secret) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(secret.reveal())


class _LibraryErrorsWhenBinding(ToySigner):
    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_type(key)
        self.check_algorithm(algorithm)
        if key.secret is None:
            raise NotExportableError("this toy key has no secret half")
        return Ed25519PrivateKey.from_private_bytes(key.secret.reveal()).sign


class _CutsLongPublicHalves(ToySigner):
    def public(self, data: bytes) -> Ed25519PublicKey:
        return super().public(data[:32])


class _FillsUpShortSeeds(ToySigner):
    def private(self, secret: Secret) -> Ed25519PrivateKey:
        return super().private(Secret(secret.reveal()[:32].ljust(32, b"\0")))


class _TakesForeignTypes(ToySigner):
    def check_type(self, key: Key) -> None:
        pass


class _TakesTheTypeInCapitals(ToySigner):
    def check_type(self, key: Key) -> None:
        super().check_type(replace(key, type=key.type.lower()))


# Binding


class _TakesAnyAlgorithm(ToySigner):
    def check_algorithm(self, algorithm: str) -> None:
        pass


class _TakesNone(ToyMac):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        return (lambda _message, _signature: None) if algorithm == "none" else super().verifier(key, algorithm)


class _IgnoresCaseOfAlgorithms(ToyMac):
    def signer(self, key: Key, algorithm: str) -> Sign:
        return super().signer(key, algorithm.upper())


class _PublicHalfAsHmacSecret(ToySigner):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        if algorithm == "HS256":
            return ToyMac().verifier(Key("toy-mac", secret=Secret(key.public or b"")), algorithm)
        return super().verifier(key, algorithm)


class _SignsWithThePublicHalf(ToySigner):
    def signer(self, key: Key, algorithm: str) -> Sign:
        self.check_algorithm(algorithm)
        return super().signer(replace(key, secret=key.secret or Secret(key.public or b"")), algorithm)


class _ShortKeys(ToyMac):
    def check_strength(self, octets: Secret, wanted: int) -> None:
        pass


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


# Signing


class _AnswersTrueOrFalse(ToyMac):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        tag = self.signer(key, algorithm)
        return lambda message, signature: tag(message) == signature  # type: ignore[return-value]  # the fault


class _GivesTheSignatureBack(ToySigner):
    def verifier(self, key: Key, algorithm: str) -> Verify:
        verify = super().verifier(key, algorithm)
        return lambda message, signature: (verify(message, signature), signature)[1]  # type: ignore[return-value]  # the fault


class _TakesAnySignature(ToyMac):
    def matches(self, tag: Sign, message: bytes, signature: bytes) -> bool:
        return bool(signature)


class _TakesTruncatedTags(ToyMac):
    def matches(self, tag: Sign, message: bytes, signature: bytes) -> bool:
        return len(signature) >= 16 and tag(message).startswith(signature)


class _TakesLongTags(ToyMac):
    def matches(self, tag: Sign, message: bytes, signature: bytes) -> bool:
        return signature.startswith(tag(message))


class _StripsMessages(ToyMac):
    def tagger(self, octets: Secret, digest: str) -> Sign:
        return lambda message: hmac.digest(octets.reveal(), message.strip(), digest)


class _IgnoresTheKey(ToyMac):
    def tagger(self, octets: Secret, digest: str) -> Sign:
        return super().tagger(Secret(b"one for all"), digest)


class _RaisesForNonsense(ToyMac):
    def matches(self, tag: Sign, message: bytes, signature: bytes) -> bool:
        return int.from_bytes(signature).to_bytes(64)[-len(tag(message)) :] == tag(message)


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


_FAULTS: list[tuple[type[ToySigner | ToyMac], str]] = [
    (_CapitalName, "KEYTYPE-01"),
    (_SetsKidAndUse, "KEYTYPE-02"),
    (_LeavesThePublicHalfOut, "KEYTYPE-03"),
    (_ReusesTheSeed, "KEYTYPE-04"),
    (_DerivesNothing, "KEYTYPE-05"),
    (_DropsTheKid, "KEYTYPE-05"),
    (_WantsBothHalves, "KEYTYPE-06"),
    (_TakesMismatchedHalves, "KEYTYPE-07"),
    (_PutsHalvesRight, "KEYTYPE-07"),
    (_ShowsTheSeedWhenRefusing, "KEYTYPE-07"),
    (_TakesEmptyKeys, "KEYTYPE-08"),
    (_LibraryErrors, "KEYTYPE-09"),
    (_CutsLongPublicHalves, "KEYTYPE-10"),
    (_CountsBytes, "KEYTYPE-11"),
    (_OneByteShort, "KEYTYPE-11"),
    (_GivesTheSignatureBack, "KEYTYPE-12"),
    (_AnswersTrueOrFalse, "KEYTYPE-13"),
    (_TakesAnySignature, "KEYTYPE-13"),
    (_TakesTruncatedTags, "KEYTYPE-13"),
    (_TakesLongTags, "KEYTYPE-13"),
    (_StripsMessages, "KEYTYPE-14"),
    (_IgnoresTheKey, "KEYTYPE-15"),
    (_TakesAnyAlgorithm, "KEYTYPE-16"),
    (_TakesNone, "KEYTYPE-16"),
    (_IgnoresCaseOfAlgorithms, "KEYTYPE-16"),
    (_SignsWithThePublicHalf, "KEYTYPE-17"),
    (_RaisesForNonsense, "KEYTYPE-18"),
    (_ShowsTheSeedInRepr, "KEYTYPE-19"),
    (_ShowsTheKeyInLocals, "KEYTYPE-19"),
    (_MixesThreadsUp, "KEYTYPE-20"),
    (_SettingWithoutBounds, "KEYTYPE-21"),
    (_FillsUpShortSeeds, "KEYTYPE-22"),
    (_TakesForeignTypes, "KEYTYPE-23"),
    (_TakesTheTypeInCapitals, "KEYTYPE-23"),
    (_TrustsItsOptions, "KEYTYPE-24"),
    (_DrawsFromRandom, "KEYTYPE-25"),
    (_PublicHalfAsHmacSecret, "KEYTYPE-26"),
    (_TakesForeignTypes, "KEYTYPE-27"),
    (_LibraryErrorsWhenBinding, "KEYTYPE-28"),
    (_ShortKeys, "KEYTYPE-29"),
    (_DefaultTooShort, "KEYTYPE-30"),
    (_TriesWhatFits, "KEYTYPE-31"),
    (_DropsLeadingZeros, "KEYTYPE-32"),
    (_SaltsItsSignatures, "KEYTYPE-33"),
    (_RepeatsItsNonce, "KEYTYPE-34"),
    (_TakesAnyS, "KEYTYPE-35"),
]


@pytest.mark.parametrize(("toy", "rule"), _FAULTS)
def test_a_faulty_key_type_is_caught(toy: type[ToySigner | ToyMac], rule: str, fails: Callable[..., bool]) -> None:
    """Each planted fault fails the rule that forbids it, and the key type that it was planted in passes."""
    sound: type[ToySigner | ToyMac] = ToyMac if issubclass(toy, ToyMac) else ToySigner
    options: Sequence[Mapping[str, object]] = ({}, {"bits": 256}) if sound is ToyMac else ({},)

    def broken(one: type[ToySigner | ToyMac]) -> bool:
        contract = type("_Contract", (AnyToy,), {"toy": one, "option_sets": options})
        bound = [(one().generate(Options({"bits": 512})), algorithm) for algorithm in one.algorithms]
        return fails(contract, rule, key_type=one(), bound=bound)

    assert broken(toy)
    assert not broken(sound)
