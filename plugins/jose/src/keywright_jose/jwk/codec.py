"""From a JWK to a `Key` and back, for each kind: `oct`, `EC` and `OKP` (curves), and `RSA`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, final

from keywright import Attributes, Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError, UnsupportedOperationError
from keywright_jose.json import encode_base64url
from keywright_jose.jwk.described import DescribedKind, described_key
from keywright_jose.jwk.members import Members, as_error, attributes_problem, malformed, read_members, write_members
from keywright_jose.jwk.usage import API_KEY, is_key_id, published_attributes, usage_problem
from keywright_jose.keys import load_rsa_private, load_rsa_public, public_half, secret_half

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers


def decode_members(members: Members, default_kid: str = "", others: Sequence[DescribedKind] = ()) -> Key:
    """The key that the members of a JWK describe. As `JwkFormat.decode`.

    `others` are the key types of other plugins. They are not asked about a JWK of one of ours.
    """
    described = described_key(members, others) if others and not _is_ours(members) else None
    if described is not None:
        other, key = described
        _check_parameters(members, other.names(key), f"of the type {other.type}")
        attributes = _attributes(members, other.type, other.names(key), other.algorithms)
        return key.replace(kid=_kid(members, default_kid), attributes=attributes)
    kind = kind_of_members(members)
    attributes = _attributes(members, kind.type)
    return Key(kind.type, _kid(members, default_kid), kind.read_secret(members), kind.read_public(members), attributes)


def _kid(members: Members, default_kid: str) -> str:
    return members.text("kid") if "kid" in members else default_kid


def _attributes(
    members: Members, type: str, names: frozenset[str] = frozenset(), algorithms: Sequence[str] = ()
) -> Attributes:
    attributes = members.attributes(NO_ATTRIBUTES | names)
    problem = usage_problem(type, attributes, algorithms)
    if problem:
        raise as_error(problem)
    return attributes


def encode_secret(key: Key, others: Sequence[DescribedKind] = ()) -> Secret:
    """As `JwkFormat.encode_secret`."""
    kind = _kind(key.type, others)
    members = kind.secret_members(key)
    _check_attributes(key, kind, members)
    if key.attributes.get("alg") == API_KEY and not is_key_id(key.kid):
        raise UnsupportedKeyError(
            "API keys cannot be rotated, because the owner would not receive the new one",
            hint="create another with `keywright jose api-key create`, and revoke this one",
        )
    return write_members(members.joined(_informative(key.kid, key.attributes)))


def encode_public(key: Key, others: Sequence[DescribedKind] = ()) -> bytes:
    """As `JwkFormat.encode_public`."""
    kind = _kind(key.type, others)
    public = Members(kind.public_members(key))
    _check_attributes(key, kind, public)
    published = Attributes(published_attributes(key.attributes))
    return write_members(public.joined(_informative(key.kid, published))).reveal()


def _check_attributes(key: Key, kind: Kind | DescribedKind, members: Members) -> None:
    if isinstance(kind, DescribedKind) and _is_ours(members):
        raise UnsupportedKeyError(
            f'the key type "{key.type}" describes its JWKs like those of a type that the format jwk has already',
            hint="report it to the plugin's author",
        )
    if not key.attributes:
        return
    taken = NO_ATTRIBUTES.intersection(key.attributes) | members.among(frozenset(key.attributes))
    if taken:
        raise UnsupportedKeyError(
            f"{min(taken)} cannot be an attribute of a JWK, where it means something else", hint="remove the attribute"
        )
    algorithms = kind.algorithms if isinstance(kind, DescribedKind) else ()
    problem = attributes_problem(key.attributes) or usage_problem(key.type, key.attributes, algorithms)
    if problem:
        raise as_error(problem, UnsupportedKeyError)


def _informative(kid: str, attributes: Attributes) -> Mapping[str, object]:
    return {**attributes.plain(), "kid": kid} if kid else attributes.plain()


# Each kind of key has a class that reads its halves from the members of a JWK, and writes the members of a key. They
# raise MalformedKeyError and UnsupportedKeyError.


def _broken(problem: str) -> UnsupportedKeyError:
    """The error for a half that is not as its type says. Only a program can pass one."""
    return UnsupportedKeyError(problem, hint="decode the key again from its store or file")


@final
class OctKind:
    """Octets (RFC 7518 §6.4): all of the key is secret."""

    type = "oct"
    kty = "oct"
    parameters = frozenset({"k"})

    def read_public(self, _members: Members) -> None:
        """An `oct` key has no public half."""
        return

    def read_secret(self, members: Members) -> Secret:
        """`k`."""
        return members.octets("k")

    def public_members(self, _key: Key) -> dict[str, object]:
        """Refused: an `oct` key without `k` is not a key, and some programs read it as an empty one."""
        raise UnsupportedKeyError(
            "an oct key has no public half to encode: its verifiers need the secret",
            hint="pass --secret to export the secret, or use an asymmetric key type",
        )

    def secret_members(self, key: Key) -> Members:
        """`kty` and `k`."""
        if not key.secret:
            raise _broken("this oct key has no secret to encode")
        return Members({"k": encode_base64url(key.secret.reveal()), "kty": "oct"})


@final
class CurveKind(NamedTuple):
    """One curve: `EC` (RFC 7518 §6.2) or `OKP` (RFC 8037 §2).

    Attributes:
        type: our key type.
        kty, crv: what the JWK says.
        length: of the secret and of each coordinate, in bytes.
        coordinates: the members of the public half.
        prefix: what `Key.public` has before the coordinates.
    """

    type: str
    kty: str
    crv: str
    length: int
    coordinates: tuple[str, ...]
    prefix: bytes

    @property
    def parameters(self) -> frozenset[str]:
        """The members that belong to the kty."""
        return frozenset({"crv", "d", *self.coordinates})

    def read_public(self, members: Members) -> bytes:
        """The coordinates, which private keys have to carry too."""
        return self.prefix + b"".join(self._octets(members, name).reveal() for name in self.coordinates)

    def read_secret(self, members: Members) -> Secret | None:
        """`d`."""
        return self._octets(members, "d") if "d" in members else None

    def public_members(self, key: Key) -> dict[str, object]:
        """`kty`, `crv` and the coordinates."""
        public = public_half(key)
        size = self.length * len(self.coordinates)
        if len(public) != len(self.prefix) + size or not public.startswith(self.prefix):
            raise _broken(f"the public half of this {self.type} key is not encoded as its type requires")
        members: dict[str, object] = {"crv": self.crv, "kty": self.kty}
        for number, name in enumerate(self.coordinates):
            start = len(self.prefix) + number * self.length
            members[name] = encode_base64url(public[start : start + self.length])
        return members

    def secret_members(self, key: Key) -> Members:
        """The public members and `d`."""
        secret = secret_half(key)
        if len(secret) != self.length:
            raise _broken(f"the secret half of this {self.type} key does not have {self.length} bytes")
        return Members({"d": encode_base64url(secret.reveal())}).joined(self.public_members(key))

    def _octets(self, members: Members, name: str) -> Secret:
        octets = members.octets(name)
        if len(octets) != self.length:
            # Leading zero octets stay (RFC 7518 §6.2.1.2): a shorter spelling is a second one for the same key.
            raise malformed(f"the JWK member {name} must have exactly {self.length} octets on curve {self.crv}")
        return octets


MAXIMUM_RSA_BITS: Final = 8192
"""The bound of the key type too; larger numbers are not even turned into a key."""

# The members of a private key, and what `cryptography` calls the numbers.
_PRIVATE: Final = {"d": "d", "p": "p", "q": "q", "dp": "dmp1", "dq": "dmq1", "qi": "iqmp"}


@final
class RsaKind:
    """RSA with two primes (RFC 7518 §6.3); a private key carries all of its numbers. A `Key` holds them as DER."""

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
            raise malformed("the JWK members n and e are not an RSA public key: e is odd, from 3, and less than n")
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def read_secret(self, members: Members) -> Secret | None:
        """The private numbers, `n` and `e` as PKCS#8. That p q = n is checked here, the rest by the key type."""
        if "oth" in members:
            raise UnsupportedKeyError(
                "RSA keys with more than two primes (oth) are not supported", hint="create a new key"
            )
        if not any(name in members for name in _PRIVATE):
            return None
        for name in _PRIVATE:
            if name not in members:
                raise malformed(
                    f"the JWK member {name} is missing: a private RSA key needs all of d, p, q, dp, dq and qi here "
                    "(RFC 7518 §6.3.2)"
                )
            _integer(members, name)
        secret = _private_der(members)
        if secret is None:
            raise malformed("the JWK members n, e, d, p, q, dp, dq and qi do not belong together (RFC 8017 §3.2)")
        return secret

    def public_members(self, key: Key) -> dict[str, object]:
        """`kty`, `n` and `e`."""
        public = load_rsa_public(public_half(key))
        if public is None:
            raise _broken("the public half of this rsa key is not a SubjectPublicKeyInfo of an RSA key")
        numbers = public.public_numbers()
        return {"e": _integer_text(numbers.e), "kty": "RSA", "n": _integer_text(numbers.n)}

    def secret_members(self, key: Key) -> Members:
        """The public members and all private numbers."""
        # The key type has tested the primes, which takes 0.4 s at 4096 bits.
        private = load_rsa_private(secret_half(key), primes=False)
        if private is None:
            raise _broken("the secret half of this rsa key is not PKCS#8 of an RSA key")
        public = self.public_members(key)
        own = private.public_key().public_numbers()
        if (public["n"], public["e"]) != (_integer_text(own.n), _integer_text(own.e)):
            raise _broken("the halves of this rsa key do not belong together")
        numbers = private.private_numbers()
        members = Members({ours: _integer_text(getattr(numbers, theirs)) for ours, theirs in _PRIVATE.items()})
        return members.joined(public)


def _integer(members: Members, name: str) -> Secret:
    octets = members.octets(name)
    if not octets.reveal()[0]:
        raise malformed(f"the JWK member {name} must not start with a zero octet (RFC 7518 §2, Base64urlUInt)")
    if len(octets) > MAXIMUM_RSA_BITS // 8:
        raise UnsupportedKeyError(
            f"the JWK member {name} has more than {MAXIMUM_RSA_BITS} bits, the largest RSA key here",
            hint=f"create a key of at most {MAXIMUM_RSA_BITS} bits",
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

    private = {theirs: members.octets(ours) for ours, theirs in _PRIVATE.items()}
    try:
        return Secret(
            RSAPrivateNumbers(
                public_numbers=_public_numbers(members),
                **{name: int.from_bytes(octets.reveal(), "big") for name, octets in private.items()},
            )
            # Hostile numbers could make a test of the primes last minutes, and the key type does it anyhow.
            .private_key(unsafe_skip_rsa_key_validation=True)
            .private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        )
    except ValueError:
        return None


def _integer_text(number: int) -> str:
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


_EC: Final = ("x", "y")
_OKP: Final = ("x",)
CURVES: Final = {
    "P-256": CurveKind("ec-p256", "EC", "P-256", 32, _EC, b"\x04"),
    "P-384": CurveKind("ec-p384", "EC", "P-384", 48, _EC, b"\x04"),
    "P-521": CurveKind("ec-p521", "EC", "P-521", 66, _EC, b"\x04"),
    "Ed25519": CurveKind("ed25519", "OKP", "Ed25519", 32, _OKP, b""),
    "X25519": CurveKind("x25519", "OKP", "X25519", 32, _OKP, b""),
}
Kind = OctKind | CurveKind | RsaKind
_KINDS: Final[tuple[Kind, ...]] = (OctKind(), *CURVES.values(), RsaKind())
_BY_TYPE: Final = {kind.type: kind for kind in _KINDS}
_BY_KTY: Final = {kind.kty: kind for kind in _KINDS if kind.kty in ("oct", "RSA")}

PARAMETERS: Final = frozenset(name for kind in _KINDS for name in kind.parameters)
"""Every member that is a parameter of some kty."""
NO_ATTRIBUTES: Final = PARAMETERS | {"kid", "kty"}
"""Every member that has a place of its own in a `Key`."""


def kind_of_type(type: str) -> Kind:
    """By the name of a key type.

    Raises:
        UnsupportedKeyError: a JWK cannot carry it here.
    """
    kind = _BY_TYPE.get(type)
    if kind is None:
        raise UnsupportedKeyError(
            f"the format jwk carries keys of the types {', '.join(_BY_TYPE)}", hint="use another format for this one"
        )
    return kind


def _kind(type: str, others: Sequence[DescribedKind]) -> Kind | DescribedKind:
    """Raises: as `kind_of_type`."""
    return next((other for other in others if other.type == type), None) or kind_of_type(type)


def _is_ours(members: Members) -> bool:
    """Whether these are the members of a key of one of our types, complete or not."""
    kty, crv = (members.reveal().get(name) for name in ("kty", "crv"))
    return not isinstance(kty, str) or kty in _BY_KTY or (isinstance(crv, str) and crv in CURVES)


def kind_of_members(members: Members) -> Kind:
    """By `kty` and `crv`.

    Raises:
        MalformedKeyError: they are missing or not text, or there is a parameter of another kty.
        UnsupportedKeyError: they are not among ours.
    """
    kty = members.text("kty")
    kind = _of_curve(kty, members) if kty in ("EC", "OKP") else _BY_KTY.get(kty)
    if kind is None:
        raise UnsupportedKeyError("the kty of the JWK is not supported", hint="use a key with kty oct, EC, OKP or RSA")
    _check_parameters(members, kind.parameters, f"whose kty is {kind.kty}")
    return kind


def _check_parameters(members: Members, parameters: frozenset[str], kind: str) -> None:
    # Programs that look at members before kty would take a key with such a member for another one.
    foreign = members.among(PARAMETERS) - parameters
    if foreign:
        raise MalformedKeyError(
            f"the JWK member {min(foreign)} is not a parameter of a key {kind}",
            hint="remove it, or change kty",
        )


def _of_curve(kty: str, members: Members) -> Kind:
    kind = CURVES.get(members.text("crv"))
    if kind is None or kind.kty != kty:
        curves = ", ".join(curve.crv for curve in CURVES.values() if curve.kty == kty)
        raise UnsupportedKeyError("the crv of the JWK is not supported", hint=f"with kty {kty}, use one of {curves}")
    return kind


def thumbprint(jwk: Mapping[str, object]) -> str:
    """The SHA-256 thumbprint of an asymmetric JWK (RFC 7638; RFC 8037 §2 for OKP), in base64url, 43 characters.

    Only `kty` and the public parameters count; the secret and the public JWK of a key have the same.

    Raises:
        MalformedKeyError: `jwk` is not a mapping, or `kty` or a public parameter is missing or not as JWK wants it.
        UnsupportedKeyError: its `kty` or `crv` is not supported.
        UnsupportedOperationError: its `kty` is `oct`.
    """
    members = _hidden_members(jwk)
    # From here on something may raise, and a traceback that prints locals must not show the key.
    del jwk
    if members is None:
        raise MalformedKeyError("a JWK must be a mapping of member names to values", hint="pass the dict of one key")
    return _members_thumbprint(members)


def encoded_thumbprint(data: Secret) -> str:
    """As `thumbprint`, of the JWK's JSON.

    Raises:
        MalformedKeyError: also if it is not a JSON object or breaks `read_members` otherwise.
        UnsupportedKeyError, UnsupportedOperationError: as `thumbprint`.
    """
    return _members_thumbprint(read_members(data))


def key_thumbprint(key: Key, others: Sequence[DescribedKind] = ()) -> str:
    """As `thumbprint`, of a key with its public half.

    Raises:
        UnsupportedKeyError: a JWK cannot carry the key, or it has no public half.
    """
    from hashlib import sha256

    public = Members(_kind(key.type, others).public_members(key))
    return encode_base64url(sha256(write_members(public).reveal()).digest())


def _hidden_members(jwk: object) -> Members | None:
    return Members(dict(jwk)) if isinstance(jwk, Mapping) else None


def _members_thumbprint(members: Members) -> str:
    kind = kind_of_members(members)
    if kind.type == "oct":
        # RFC 7638 §7: with the hash of a symmetric key, guesses of the key can be tested.
        raise UnsupportedOperationError(
            "an oct key has no thumbprint, because with a hash of the secret guesses can be tested",
            hint="set a random kid",
        )
    return key_thumbprint(Key(kind.type, public=kind.read_public(members)))
