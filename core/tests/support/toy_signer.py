"""A small sound key type, each step of it a method, so that a variant can do one of them wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keywright import Key, Options, PointProblem, Secret, Setting, ed25519_point_problem
from keywright.errors import InvalidKeyError, InvalidSignatureError, NotExportableError, UnsupportedOperationError

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], None]


class ToySigner:
    """Ed25519 in the plainest way; the seed is the secret half."""

    name = "toy-signer"
    settings: Sequence[Setting] = ()
    algorithms: tuple[str, ...] = ("EdDSA",)

    def generate(self, options: Options) -> Key:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        return Key(self.name, secret=Secret(private.private_bytes_raw()), public=public)

    def validate(self, key: Key) -> Key:
        self.check_type(key)
        if key.public is not None:
            self.check_point(key.public)
        if key.secret is None:
            self.public(key.public or b"")
            return key
        if key.public not in (None, self.derive(key.secret)):
            raise InvalidKeyError("the halves of this toy key do not belong together")
        return replace(key, public=self.derive(key.secret))

    def check_point(self, public: bytes) -> None:
        if ed25519_point_problem(public) in (PointProblem.NOT_ON_CURVE, PointProblem.NOT_CANONICAL):
            raise InvalidKeyError("the public half of this toy key is not a point on the curve")

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
        public = self.public(self.validate(key).public or b"")

        def verify(message: bytes, signature: bytes) -> None:
            try:
                public.verify(signature, message)
            except InvalidSignature:
                raise InvalidSignatureError("the signature is not valid") from None

        return verify

    def check_type(self, key: Key) -> None:
        if key.type != self.name:
            raise InvalidKeyError("this is not a toy key")

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
