"""The algorithms of encrypted tokens: how the content key comes along, and what encrypts the content (RFC 7518)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from keywright.errors import UnsupportedOperationError

_T = TypeVar("_T")


class KeyAlgorithm(NamedTuple):
    """How the content key comes along.

    Attributes:
        name: `alg` in the header.
        way: `wrap` (AES Key Wrap), `gcm` (AES-GCM), `direct`, `rsa`, `agree` or `agree and wrap`.
        bits: of the AES key that wraps; 0 where none does.
        section: where it is defined.
    """

    name: str
    way: str
    bits: int
    section: str


class ContentAlgorithm(NamedTuple):
    """What encrypts the content.

    Attributes:
        name: `enc` in the header.
        key_bytes, iv_bytes, tag_bytes: how long each is, exactly.
        section: where it is defined.
    """

    name: str
    key_bytes: int
    iv_bytes: int
    tag_bytes: int
    section: str

    @property
    def is_cbc(self) -> bool:
        """Whether it is AES-CBC with HMAC, and not AES-GCM."""
        return self.iv_bytes == 16


AGREEING: Final = ("ec-p256", "ec-p384", "ec-p521", "x25519")
"""The key types that agree on a key."""

KEY_ALGORITHMS: Final = {
    one.name: one
    for one in (
        *(KeyAlgorithm(f"A{bits}KW", "wrap", bits, "RFC 7518 §4.4") for bits in (128, 192, 256)),
        *(KeyAlgorithm(f"A{bits}GCMKW", "gcm", bits, "RFC 7518 §4.7") for bits in (128, 192, 256)),
        KeyAlgorithm("dir", "direct", 0, "RFC 7518 §4.5"),
        KeyAlgorithm("RSA-OAEP", "rsa", 0, "RFC 7518 §4.3"),
        KeyAlgorithm("RSA-OAEP-256", "rsa", 0, "RFC 7518 §4.3"),
        KeyAlgorithm("ECDH-ES", "agree", 0, "RFC 7518 §4.6"),
        *(KeyAlgorithm(f"ECDH-ES+A{bits}KW", "agree and wrap", bits, "RFC 7518 §4.6") for bits in (128, 192, 256)),
    )
}
CONTENT_ALGORITHMS: Final = {
    one.name: one
    for one in (
        *(ContentAlgorithm(f"A{bits}GCM", bits // 8, 12, 16, "RFC 7518 §5.3") for bits in (128, 192, 256)),
        ContentAlgorithm("A128CBC-HS256", 32, 16, 16, "RFC 7518 §5.2.3"),
        ContentAlgorithm("A192CBC-HS384", 48, 16, 24, "RFC 7518 §5.2.4"),
        ContentAlgorithm("A256CBC-HS512", 64, 16, 32, "RFC 7518 §5.2.5"),
    )
}


def cannot_encrypt(name: str) -> UnsupportedOperationError:
    """The error where the libraries that are installed lack an algorithm."""
    return UnsupportedOperationError(f"the installed libraries do not support {name}", hint="reinstall cryptography")


def check_key_algorithm(name: object, what: str = "key_algorithm") -> KeyAlgorithm:
    """By its name; `what` names the argument in messages.

    Raises:
        UnsupportedOperationError: it is `RSA1_5`, `PBES2-…` or another one that is not done here.
    """
    if name == "RSA1_5":
        raise UnsupportedOperationError(
            "RSA1_5 is not supported: it is open to padding oracles (RFC 8725 §3.2)",
            hint="use RSA-OAEP-256",
        )
    if isinstance(name, str) and name.startswith("PBES2-"):
        raise UnsupportedOperationError(
            "PBES2 is not supported: it derives keys from passwords, at a cost that the sender chooses",
            hint="use A256KW with a random key",
        )
    return _one_of(KEY_ALGORITHMS, name, what)


def check_content_algorithm(name: object, what: str = "content_algorithm") -> ContentAlgorithm:
    """By its name; `what` as above.

    Raises:
        UnsupportedOperationError: it is not supported here.
    """
    return _one_of(CONTENT_ALGORITHMS, name, what)


def _one_of(algorithms: Mapping[str, _T], name: object, what: str) -> _T:
    algorithm = algorithms.get(name) if isinstance(name, str) else None
    if algorithm is None:
        raise UnsupportedOperationError(f"{what} is not supported", hint=f"use one of {', '.join(algorithms)}")
    return algorithm
