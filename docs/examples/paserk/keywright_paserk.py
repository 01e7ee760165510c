"""keywright plugin: the format `paserk`, plain keys of PASERK version 4 (https://github.com/paseto-standard/paserk).

An encoding has no key id: `k4.local.` is a symmetric key, `k4.secret.` and `k4.public.` are the halves of an Ed25519
key, each followed by the bytes in base64url without padding.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from keywright import Format, Key, Secret, hookimpl
from keywright.errors import MalformedKeyError, UnsupportedKeyError

KEYWRIGHT_API = 1

_LOCAL, _SECRET, _PUBLIC = _HEADERS = (b"k4.local.", b"k4.secret.", b"k4.public.")
# The sets at the end are the digits whose unused bits are 0, so that a key has one spelling.
_KEY = rb"k4\.(?:(?:local|public)\.[\w-]{42}[AEIMQUYcgkosw048]|secret\.[\w-]{85}[AQgw])\n?"


class PaserkFormat:
    """Symmetric keys of 32 bytes and Ed25519 keys. Neither kid nor attributes are carried."""

    name = "paserk"
    key_types = ("ed25519", "oct")
    carries_kid = False

    def encode_secret(self, key: Key) -> Secret:
        """A `k4.local.` or `k4.secret.` key, the latter as seed and public key (libsodium's secret key)."""
        if key.secret is None:
            raise UnsupportedKeyError("the key has no secret half", hint="encode its public half")
        if key.type == "oct" and len(key.secret) == 32:
            return Secret(_text(_LOCAL, key.secret))
        if key.type == "ed25519" and len(key.secret) == 32 and len(key.public or b"") == 32:
            return Secret(_text(_SECRET, Secret(key.secret.reveal() + (key.public or b""))))
        raise UnsupportedKeyError(
            "PASERK v4 has no secret form of this key",
            hint="use an ed25519 key with both halves, or an oct key of 256 bits",
        )

    def encode_public(self, key: Key) -> bytes:
        """A `k4.public.` key."""
        if key.type != "ed25519" or key.public is None or len(key.public) != 32:
            raise UnsupportedKeyError(
                "PASERK v4 has no public form of this key", hint="use an ed25519 key; an oct key has a secret half only"
            )
        return _text(_PUBLIC, Secret(key.public))

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        """Decode a key of any of the three types. One line end may follow it."""
        if not re.fullmatch(_KEY, data.reveal()):
            raise MalformedKeyError(
                "the data is not a plain PASERK v4 key",
                hint="give one key that starts with k4.local., k4.secret. or k4.public., without padding",
            )
        raw = Secret(urlsafe_b64decode(data.reveal().split(b".")[2] + b"=="))
        if data.reveal().startswith(_LOCAL):
            return Key("oct", default_kid, raw)
        if data.reveal().startswith(_PUBLIC):
            return Key("ed25519", default_kid, None, raw.reveal())
        return Key("ed25519", default_kid, Secret(raw.reveal()[:32]), raw.reveal()[32:])

    def default_kid(self, name: str, version: int, key: Key) -> str:
        """The PASERK id of a public key, `k4.pid.…`. That of a symmetric key is a hash of a secret, so it has none."""
        if key.type != "ed25519" or key.public is None:
            return f"{name}-{version}"
        from hashlib import blake2b

        digest = blake2b(b"k4.pid." + self.encode_public(key), digest_size=33).digest()
        return _text(b"k4.pid.", Secret(digest)).decode()

    def sniff(self, data: Secret) -> bool:
        """Whether the data starts as one of the three types does."""
        return data.reveal().startswith(_HEADERS)


def _text(header: bytes, raw: Secret) -> bytes:
    return header + urlsafe_b64encode(raw.reveal()).rstrip(b"=")


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    """The format of this plugin."""
    return [PaserkFormat()]
