"""What the tests of this folder share: published keys, keys made by hand, refusals, a clock, the command line."""

from __future__ import annotations

import base64
import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from support.errors import text_of

import keywright
from keywright import Key, KeyEvent, Secret
from keywright.errors import KeywrightError
from keywright.testing import assert_hidden, traceback_with_locals
from keywright_jose.jwk.format import JwkFormat

Jwk = dict[str, Any]
Jose = Callable[..., bytes]

FORMAT = JwkFormat()
VECTORS = Path(__file__).parents[1] / "vectors"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MODULUS = RSA.public_key().public_numbers().n
ONE_KEY = "this is a JWK Set (RFC 7517 §5), and one key is needed here; pass one of its keys"
FIX_KIDS = "give each key its own kid, or ask the publisher of the set to"
NO_KID = f"a key of the JWK Set has no kid, so no token can refer to it; {FIX_KIDS}"
ONE_KID = f"two keys of the JWK Set have the same kid; {FIX_KIDS}"
MIXED = (
    "the JWK Set mixes symmetric keys with others; "
    "pass a set with keys of one kind: a published symmetric key is not secret"
)
MEMORY: dict[str, object] = {"default_store": "main", "stores": {"main": {"backend": "memory"}}}

_SECRET_MEMBER = re.compile(r'"(?:k|d|p|q|dp|dq|qi|hidden)"\s*:\s*([^,}]*)')


def vectors(file: str) -> dict[str, Any]:
    """A file of values that RFCs publish."""
    document: dict[str, Any] = json.loads((VECTORS / file).read_text())
    return document


_KEYS = vectors("jwk.json")["keys"]
PUBLISHED = tuple(_KEYS)


def published(name: str) -> Jwk:
    """A key that an RFC publishes: a fresh copy."""
    return dict(_KEYS[name]["jwk"])


def text(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def number(value: int) -> str:
    """Base64urlUInt (RFC 7518 §2)."""
    return text(value.to_bytes((value.bit_length() + 7) // 8))


def oct_key(octets: bytes, **more: object) -> Jwk:
    """An `oct` JWK."""
    return {"kty": "oct", "k": text(octets), **more}


def rsa_key(modulus: int, exponent: int = 65537, **more: object) -> Jwk:
    """A public RSA JWK."""
    return {"kty": "RSA", "n": number(modulus), "e": number(exponent), **more}


def roca_modulus(bits: int) -> int:
    """A modulus as the faulty library made them: k·M + (65537^a mod M) (Nemec et al. 2017, §2)."""
    product = 1
    for prime in (number for number in range(2, 168) if all(number % divisor for divisor in range(2, number))):
        product *= prime
    multiple = (1 << (bits - 1)) // product + 1
    while True:
        modulus = multiple * product + pow(65537, 0xC0FFEE, product)
        if modulus.bit_length() == bits and modulus % 2:
            return modulus
        multiple += 1


def ed_key(point: bytes) -> Jwk:
    """A public Ed25519 JWK."""
    return {"kty": "OKP", "crv": "Ed25519", "x": text(point), "alg": "EdDSA"}


def names(key_algorithm: Any, content_algorithm: Any = "A256GCM") -> dict[str, Any]:
    """The algorithms of encrypted tokens, as arguments."""
    return {"key_algorithm": key_algorithm, "content_algorithm": content_algorithm}


def public(jwk: Any) -> Jwk:
    """The public half of an asymmetric JWK; a symmetric one as it is."""
    return {name: value for name, value in jwk.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}


def hide(document: object) -> Secret:
    """One JSON document as the bytes of a file."""
    return Secret(json.dumps(document).encode())


def decode(jwk: object, default_kid: str = "") -> Key:
    """The key of a JWK."""
    return FORMAT.decode(hide(jwk), default_kid=default_kid)


def sealed(first: str, second: str, octets: bytes, algorithm: str = "sha256") -> str:
    """A token of these two segments, whatever they are, under the right HMAC."""
    message = f"{first}.{second}"
    return f"{message}.{text(hmac.digest(octets, message.encode('utf-8', 'surrogatepass'), algorithm))}"


def refusal(call: Callable[..., object], *arguments: Any, **options: Any) -> KeywrightError:
    """The error of a call that is to be refused, without the frame of this function: it holds the arguments."""
    try:
        call(*arguments, **options)
    except KeywrightError as error:
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    raise AssertionError("nothing was refused")


def refused(call: Callable[..., object], *arguments: Any, **options: Any) -> tuple[type[KeywrightError], str]:
    """Its exact type, and its message."""
    error = refusal(call, *arguments, **options)
    return type(error), text_of(error)


def assert_nothing_shows(error: KeywrightError, document: bytes) -> None:
    """Fails if a traceback of the error, locals and context included, shows a secret member of some JSON."""
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = traceback_with_locals(error)
    for value in _SECRET_MEMBER.findall(document.decode(errors="replace")):
        for run in re.findall(r"[A-Za-z0-9_-]{12,}", value):
            assert_hidden(Secret(run.encode()), shown)
            assert_hidden(Secret(base64.urlsafe_b64decode(run[: len(run) // 4 * 4])), shown)


class Observer:
    """A plugin that remembers what happened, and whose secrets were handed out."""

    KEYWRIGHT_API = 1

    def __init__(self) -> None:
        self.events: list[KeyEvent] = []
        self.exported: list[str] = []

    @keywright.hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        """One more."""
        self.events.append(event)
        if event.operation == "export":
            self.exported.append(f"{event.name}@{event.version}")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now
