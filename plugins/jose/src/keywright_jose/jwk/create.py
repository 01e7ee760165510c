"""New keys as plain JWKs, without a ring: `create_secret_key`, `create_curve_key`, `create_rsa_key`."""

from __future__ import annotations

from os import urandom
from typing import Literal, cast, overload

from keywright import Key, Secret
from keywright.errors import ConfigError
from keywright_jose.json import encode_base64url, is_whole
from keywright_jose.jwk.codec import CURVES, kind_of_type
from keywright_jose.jwk.members import Members, write_base64
from keywright_jose.keys import new_private, public_octets

_MOST_BYTES = 1_048_576

Shape = Literal["object", "base64"]


@overload
def create_secret_key(bits: int = 2048, format: Literal["object"] = "object") -> dict[str, str]: ...
@overload
def create_secret_key(bits: int = 2048, *, format: Literal["base64"]) -> str: ...
@overload
def create_secret_key(bits: int, format: Literal["base64"]) -> str: ...
def create_secret_key(bits: int = 2048, format: Shape = "object") -> dict[str, str] | str:
    """A random symmetric key: `{"kty": "oct", "k": …}` (RFC 7518 §6.4).

    Args:
        bits: its size, a multiple of 8 from 128 to 8192.
        format: `"object"`: a dict of texts. `"base64"`: the dict's canonical JSON in standard base64 (RFC 4648 §4).

    Raises:
        ConfigError: `bits` or `format` is something else.
    """
    _check_format(format)
    return _shaped(secret_key(bits), format)


@overload
def create_curve_key(curve: str = "P-256", format: Literal["object"] = "object") -> dict[str, str]: ...
@overload
def create_curve_key(curve: str = "P-256", *, format: Literal["base64"]) -> str: ...
@overload
def create_curve_key(curve: str, format: Literal["base64"]) -> str: ...
def create_curve_key(curve: str = "P-256", format: Shape = "object") -> dict[str, str] | str:
    """A random private key on a curve: `kty` (`EC` or `OKP`), `crv`, `x`, `y` (EC) and `d` (RFC 7518 §6.2, 8037 §2).

    Args:
        curve: `"P-256"`, `"P-384"`, `"P-521"` (sign and agree), `"Ed25519"` (sign) or `"X25519"` (agree).
        format: as in `create_secret_key`.

    Raises:
        ConfigError: `curve` or `format` is something else.
    """
    _check_format(format)
    return _shaped(curve_key(curve), format)


@overload
def create_rsa_key(bits: int = 3072, format: Literal["object"] = "object") -> dict[str, str]: ...
@overload
def create_rsa_key(bits: int = 3072, *, format: Literal["base64"]) -> str: ...
@overload
def create_rsa_key(bits: int, format: Literal["base64"]) -> str: ...
def create_rsa_key(bits: int = 3072, format: Shape = "object") -> dict[str, str] | str:
    """A random RSA private key, e = 65537: `kty`, `n`, `e`, `d`, `p`, `q`, `dp`, `dq`, `qi` (RFC 7518 §6.3).

    Args:
        bits: the size of its modulus, a multiple of 8 from 2048 to 8192.
        format: as in `create_secret_key`.

    Raises:
        ConfigError: `bits` or `format` is something else.
    """
    _check_format(format)
    return _shaped(rsa_key(bits), format)


def random_bytes(length: int) -> bytes:
    """So many bytes from the operating system's generator.

    Args:
        length: in bytes, from 1 to 1048576.

    Raises:
        ConfigError: `length` is something else.
    """
    if not is_whole(length, 1, _MOST_BYTES):
        raise ConfigError(
            f"the length of random bytes must be a whole number from 1 to {_MOST_BYTES}", hint="such as 32"
        )
    return urandom(length)


def secret_key(bits: int) -> Members:
    """As `create_secret_key`, hidden."""
    _check_bits(bits, 128, 8192, "a symmetric key", 256)
    return Members({"k": encode_base64url(urandom(bits // 8)), "kty": "oct"})


def curve_key(curve: str) -> Members:
    """As `create_curve_key`, hidden."""
    kind = next((one for name, one in CURVES.items() if name == curve), None)
    if kind is None:
        raise ConfigError("the curve of the key is not supported", hint=f"use one of {', '.join(CURVES)}")
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    private = new_private(kind.type)
    if isinstance(private, EllipticCurvePrivateKey):
        secret = private.private_numbers().private_value.to_bytes(kind.length, "big")
    else:
        secret = private.private_bytes_raw()
    return kind.secret_members(Key(kind.type, secret=Secret(secret), public=public_octets(private.public_key())))


def rsa_key(bits: int) -> Members:
    """As `create_rsa_key`, hidden."""
    _check_bits(bits, 2048, 8192, "an RSA key", 3072)
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = generate_private_key(65537, bits)
    secret = Secret(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return kind_of_type("rsa").secret_members(Key("rsa", secret=secret, public=public))


def _check_bits(bits: object, lowest: int, highest: int, subject: str, usual: int) -> None:
    if not is_whole(bits, lowest, highest) or bits % 8:
        raise ConfigError(
            f"the bits of {subject} must be a multiple of 8 from {lowest} to {highest}", hint=f"such as {usual}"
        )


def _check_format(format: object) -> None:
    if format not in ("object", "base64"):
        raise ConfigError("the format of a new key must be object or base64", hint='pass "object" or "base64"')


def _shaped(members: Members, format: str) -> dict[str, str] | str:
    if format == "object":
        return cast("dict[str, str]", members.reveal())
    return write_base64(members).reveal().decode("ascii")
