"""JWK parameters of `RSA` (RFC 7518 §6.3), from and to the DER that a `Key` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from keywright import Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_jose.base64url import encode_base64url
from keywright_jose.jwk_members import EXPORT_AGAIN, Members

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers

__all__ = ["MAXIMUM_RSA_BITS", "RsaKind"]

MAXIMUM_RSA_BITS = 8192
"""The bound of the key type too; larger numbers are not even turned into a key."""

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


@final
class RsaKind:
    """RSA with two primes; a private key carries all of its numbers."""

    type = "rsa"
    kty = "RSA"
    parameters = frozenset({"n", "e", *_PRIVATE, "oth"})

    def read_public(self, members: Members) -> bytes:
        """`n` and `e` as SubjectPublicKeyInfo."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        try:
            key = _public_numbers(members).public_key()
        except ValueError:
            key = None
        if key is None:
            raise MalformedKeyError(
                f"the JWK members n and e are no RSA public key: e is odd, from 3, and less than n; {EXPORT_AGAIN}"
            )
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def read_secret(self, members: Members) -> Secret | None:
        """The private numbers, `n` and `e` as PKCS#8. That p q = n is checked here, the rest by the key type."""
        if "oth" in members:
            raise UnsupportedKeyError("an RSA key with more than two primes (oth) cannot be carried; make a new key")
        if not any(name in members for name in _PRIVATE):
            return None
        for name in _PRIVATE:
            if name not in members:
                raise MalformedKeyError(
                    f"the JWK member {name} is missing: a private RSA key carries all of d, p, q, dp, dq and qi here "
                    f"(RFC 7518 §6.3.2); {EXPORT_AGAIN}"
                )
            _integer(members, name)
        secret = _private_der(members)
        if secret is None:
            raise MalformedKeyError(
                f"the JWK members n, e, d, p, q, dp, dq and qi do not belong together (RFC 8017 §3.2); {EXPORT_AGAIN}"
            )
        return secret

    def public_members(self, key: Key) -> dict[str, object]:
        """`kty`, `n` and `e`."""
        if key.public is None:
            raise UnsupportedKeyError(
                "this rsa key has no public half, which a JWK must carry; have its key type complete it"
            )
        public = _load_public(key.public)
        if public is None:
            raise UnsupportedKeyError(
                "the public half of this rsa key is no SubjectPublicKeyInfo of an RSA key; load the key again"
            )
        numbers = public.public_numbers()
        return {"e": _text(numbers.e), "kty": "RSA", "n": _text(numbers.n)}

    def secret_members(self, key: Key) -> Members:
        """The public members and all private numbers."""
        if key.secret is None:
            raise UnsupportedKeyError("this rsa key has no secret half; encode its public half instead")
        private = _load_private(key.secret)
        if private is None:
            raise UnsupportedKeyError("the secret half of this rsa key is no PKCS#8 of an RSA key; load the key again")
        public = self.public_members(key)
        own = private.public_key().public_numbers()
        if (public["n"], public["e"]) != (_text(own.n), _text(own.e)):
            raise UnsupportedKeyError("the halves of this rsa key do not belong together; load the key again")
        return _private_members(private).joined(public)


def _integer(members: Members, name: str) -> Secret:
    octets = members.octets(name)
    if not octets.reveal()[0]:
        raise MalformedKeyError(
            f"the JWK member {name} must not start with a zero octet (RFC 7518 §2, Base64urlUInt); {EXPORT_AGAIN}"
        )
    if len(octets) > MAXIMUM_RSA_BITS // 8:
        raise UnsupportedKeyError(
            f"the JWK member {name} has more than {MAXIMUM_RSA_BITS} bits, the largest RSA key here; use a smaller key"
        )
    return octets


def _public_numbers(members: Members) -> RSAPublicNumbers:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    return RSAPublicNumbers(
        e=int.from_bytes(_integer(members, "e").reveal(), "big"),
        n=int.from_bytes(_integer(members, "n").reveal(), "big"),
    )


def _private_der(members: Members) -> Secret | None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    try:
        return Secret(
            RSAPrivateNumbers(
                p=int.from_bytes(members.octets("p").reveal(), "big"),
                q=int.from_bytes(members.octets("q").reveal(), "big"),
                d=int.from_bytes(members.octets("d").reveal(), "big"),
                dmp1=int.from_bytes(members.octets("dp").reveal(), "big"),
                dmq1=int.from_bytes(members.octets("dq").reveal(), "big"),
                iqmp=int.from_bytes(members.octets("qi").reveal(), "big"),
                public_numbers=_public_numbers(members),
            )
            # Hostile numbers could make a test of the primes last minutes, and the key type does it anyhow.
            .private_key(unsafe_skip_rsa_key_validation=True)
            .private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        )
    except ValueError:
        return None


def _private_members(key: RSAPrivateKey) -> Members:
    numbers = key.private_numbers()
    return Members(
        {
            "d": _text(numbers.d),
            "p": _text(numbers.p),
            "q": _text(numbers.q),
            "dp": _text(numbers.dmp1),
            "dq": _text(numbers.dmq1),
            "qi": _text(numbers.iqmp),
        }
    )


def _text(number: int) -> str:
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _load_public(der: bytes) -> RSAPublicKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _load_private(der: Secret) -> RSAPrivateKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        # The key type has tested the primes, which takes 0.4 s at 4096 bits.
        key = load_der_private_key(der.reveal(), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None
