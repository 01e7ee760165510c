"""Which key type a JWK is, and who reads and writes its parameters."""

from __future__ import annotations

from typing import Protocol

from keywright import Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_jose.jwk_curve import CurveKind
from keywright_jose.jwk_members import Members
from keywright_jose.jwk_oct import OctKind
from keywright_jose.jwk_rsa import RsaKind

__all__ = ["CURVES", "NO_ATTRIBUTES", "PARAMETERS", "Kind", "kind_of_members", "kind_of_type"]


class Kind(Protocol):
    """Reads and writes the parameters of one key type.

    Attributes (read-only): `type` (`ec-p256`), `kty` (`EC`), `parameters` (the members that belong to the kty).
    """

    @property
    def type(self) -> str: ...
    @property
    def kty(self) -> str: ...
    @property
    def parameters(self) -> frozenset[str]: ...

    def read_public(self, members: Members) -> bytes | None:
        """`Key.public` of these members; None where the type has none. MalformedKeyError, UnsupportedKeyError."""
        ...

    def read_secret(self, members: Members) -> Secret | None:
        """`Key.secret` of these members; None for a public key. MalformedKeyError, UnsupportedKeyError."""
        ...

    def public_members(self, key: Key) -> dict[str, object]:
        """`kty` and the public parameters. UnsupportedKeyError."""
        ...

    def secret_members(self, key: Key) -> Members:
        """`kty` and all parameters of a key with a secret half. UnsupportedKeyError."""
        ...


_EC = ("x", "y")
_OKP = ("x",)
CURVES = {
    "P-256": CurveKind("ec-p256", "EC", "P-256", 32, _EC, b"\x04"),
    "P-384": CurveKind("ec-p384", "EC", "P-384", 48, _EC, b"\x04"),
    "P-521": CurveKind("ec-p521", "EC", "P-521", 66, _EC, b"\x04"),
    "Ed25519": CurveKind("ed25519", "OKP", "Ed25519", 32, _OKP, b""),
    "X25519": CurveKind("x25519", "OKP", "X25519", 32, _OKP, b""),
}
_KINDS: tuple[Kind, ...] = (OctKind(), *CURVES.values(), RsaKind())
_BY_TYPE = {kind.type: kind for kind in _KINDS}
_BY_KTY = {kind.kty: kind for kind in _KINDS if kind.kty in ("oct", "RSA")}

PARAMETERS = frozenset(name for kind in _KINDS for name in kind.parameters)
"""Every member that is a parameter of some kty."""
NO_ATTRIBUTES = PARAMETERS | {"kid", "kty"}
"""Every member that has a place of its own in a `Key`."""


def kind_of_type(type: str) -> Kind:
    """By the name of a key type.

    Raises:
        UnsupportedKeyError: a JWK cannot carry it here.
    """
    kind = _BY_TYPE.get(type)
    if kind is None:
        raise UnsupportedKeyError(
            f"the format jwk carries keys of the types {', '.join(_BY_TYPE)}; use another format for this one"
        )
    return kind


def kind_of_members(members: Members) -> Kind:
    """By `kty` and `crv`.

    Raises:
        MalformedKeyError: they are missing or no text, or there is a parameter of another kty.
        UnsupportedKeyError: they are not among ours.
    """
    kty = members.text("kty")
    kind = _of_curve(kty, members) if kty in ("EC", "OKP") else _BY_KTY.get(kty)
    if kind is None:
        raise UnsupportedKeyError("a JWK of this kty cannot be carried; kty is oct, EC, OKP or RSA here")
    # Programs that look at members before kty would take a key with such a member for another one.
    foreign = members.among(PARAMETERS) - kind.parameters
    if foreign:
        raise MalformedKeyError(
            f"the JWK member {min(foreign)} is no parameter of a key whose kty is {kind.kty}; "
            "remove it, or correct kty, whichever is wrong"
        )
    return kind


def _of_curve(kty: str, members: Members) -> Kind:
    kind = CURVES.get(members.text("crv"))
    if kind is None or kind.kty != kty:
        curves = ", ".join(curve.crv for curve in CURVES.values() if curve.kty == kty)
        raise UnsupportedKeyError(f"a JWK of this crv cannot be carried; with kty {kty}, crv is one of {curves} here")
    return kind
