"""Key types `ec-p256`, `ec-p384` and `ec-p521`: the NIST curves of RFC 7518 §6.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from keywright import Key, Secret
from keywright.errors import InvalidKeyError, InvalidSignatureError
from keywright_keytypes import common

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import ec

    from keywright import Options, Setting


class EllipticCurve(NamedTuple):
    """Signs and verifies with ECDSA (RFC 7518 §3.4). Secret: the scalar, fixed length; public: `04 ‖ x ‖ y`.

    Attributes:
        field_bits: the size of the curve's field, in bits.
        order: the order n of the base point (SEC 2 §2.4, §2.5, §2.6): scalars go from 1 to n - 1.
    """

    name: str
    algorithms: tuple[str, ...]
    field_bits: int
    order: int
    settings: tuple[Setting, ...] = ()

    @property
    def size(self) -> int:
        """The length of a scalar or coordinate, in bytes."""
        return (self.field_bits + 7) // 8

    def generate(self, options: Options) -> Key:  # noqa: ARG002  # the contract names it
        """A new key with both halves."""
        from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key

        private = generate_private_key(self._curve())
        secret = Secret(private.private_numbers().private_value.to_bytes(self.size, "big"))
        return Key(self.name, secret=secret, public=_encode(private.public_key()))

    def validate(self, key: Key) -> Key:
        """Derive a missing public half; check that both belong together.

        Raises:
            InvalidKeyError: another type, no half at all, a secret half of the wrong length or not from 1 to n - 1,
                halves that do not belong together, or a public half that is not an uncompressed point of the curve.
        """
        return common.complete_halves(key, self.name, self._derive, self._public)

    def bits(self, key: Key) -> int:
        """The size of the field: 256, 384 or 521.

        Raises:
            InvalidKeyError: another type.
        """
        common.check_type(key, self.name)
        return self.field_bits

    def signer(self, key: Key, algorithm: str) -> Callable[[bytes], bytes]:
        """Message in, signature r ‖ s out: 64, 96 or 132 bytes.

        Raises:
            InvalidKeyError: another type, or a secret half of the wrong length or range.
            UnsupportedOperationError: another algorithm than the curve's own.
            NotExportableError: the key has no secret half.
        """
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        common.check_use(key, algorithm, self)
        make, method, size = self._private(common.needed_secret(key)).sign, ECDSA(common.hash_of(algorithm)), self.size

        def sign(message: bytes) -> bytes:
            r, s = decode_dss_signature(make(message, method))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")

        return sign

    def verifier(self, key: Key, algorithm: str) -> Callable[[bytes, bytes], None]:
        """Check `(message, signature)`; the call raises InvalidSignatureError if the signature is not valid.

        Refused are signatures of another length than the signer's, and, by the library, r or s that are not from 1 to
        n - 1.

        Raises:
            InvalidKeyError: another type, no half at all, or a half that `validate` would refuse by itself.
            UnsupportedOperationError: another algorithm than the curve's own.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        common.check_use(key, algorithm, self)
        check, method = self._public(common.public_half(key, self._derive)).verify, ECDSA(common.hash_of(algorithm))
        size = self.size

        def verify(message: bytes, signature: bytes) -> None:
            if len(signature) != 2 * size:
                raise InvalidSignatureError(
                    f"not an {algorithm} signature, which is r ‖ s, {2 * size} bytes (RFC 7518 §3.4)",
                    hint="if it is in DER, convert it",
                )
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            try:
                check(encode_dss_signature(r, s), message, method)
            except InvalidSignature:
                raise common.invalid_signature() from None

        return verify

    def _curve(self) -> ec.EllipticCurve:
        from cryptography.hazmat.primitives.asymmetric import ec

        return {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}[self.field_bits]

    def _private(self, secret: Secret) -> ec.EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ec import derive_private_key

        if len(secret) != self.size:
            raise InvalidKeyError(
                f"the secret half of an {self.name} key must have {self.size} bytes (RFC 7518 §6.2.2.1)",
                hint="pad it with leading zeros, or check the curve",
            )
        # The range is checked here also because the library's own frame would show the number when it refuses.
        if not 1 <= int.from_bytes(secret.reveal(), "big") < self.order:
            raise InvalidKeyError(
                f"the secret half of an {self.name} key must be from 1 to the order of the curve minus 1",
                hint="import another key",
            )
        return derive_private_key(int.from_bytes(secret.reveal(), "big"), self._curve())

    def _derive(self, secret: Secret) -> bytes:
        return _encode(self._private(secret).public_key())

    def _public(self, data: bytes) -> ec.EllipticCurvePublicKey:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

        if len(data) != 1 + 2 * self.size or data[0] != 4:
            raise InvalidKeyError(
                f"the public half of an {self.name} key must be an uncompressed point, byte 04 and {2 * self.size} "
                f"more "
                "(SEC 1 §2.3.3)",
                hint="decompress it, or check the curve",
            )
        try:
            return EllipticCurvePublicKey.from_encoded_point(self._curve(), data)
        except ValueError:
            raise InvalidKeyError(
                f"the public half of this {self.name} key is not a point on the curve", hint="import another key"
            ) from None


def _encode(public: ec.EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


EC_P256: Final = EllipticCurve(
    "ec-p256", ("ES256",), 256, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
)
EC_P384: Final = EllipticCurve(
    "ec-p384",
    ("ES384",),
    384,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
)
EC_P521: Final = EllipticCurve(
    "ec-p521", ("ES512",), 521, 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7
)
