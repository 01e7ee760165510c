"""The format `nix`: `NAME:BASE64`, as Nix reads and writes it (`src/libutil/signature/local-keys.cc`)."""

from __future__ import annotations

from typing import Final

from keywright import Key, Secret
from keywright.errors import UnsupportedKeyError
from keywright_nix.key_text import read_key, read_key_leniently, write_key
from keywright_nix.names import numbered, unreadable
from keywright_nix.payload import PUBLIC_BYTES

__all__ = ["NixFormat"]

_SEED_BYTES = 32
_SNIFFED_DIGITS = (43, 86)  # base64 digits, padding left out, of 32 and 64 bytes


class NixFormat:
    """Ed25519 keys as Nix keeps them: the key's name (our kid), a colon, base64, and no line feed.

    A secret key is 64 bytes, the seed and then the public half (88 characters); a public key is 32 (44 characters).
    Attributes are not carried.
    """

    name: Final = "nix"
    key_types: Final[tuple[str, ...]] = ("ed25519",)

    def encode_secret(self, key: Key) -> Secret:
        """`NAME:BASE64` of seed and public half, without a line feed.

        Raises:
            UnsupportedKeyError: the type is not ed25519, the kid cannot be a Nix key name, or a half is missing or
                not 32 bytes long.
        """
        name, public = _checked(key)
        if key.secret is None:
            raise UnsupportedKeyError("this key has no secret half to write as a Nix key; write its public half")
        if len(key.secret) != _SEED_BYTES:
            raise UnsupportedKeyError(
                f"the secret half of this ed25519 key has {len(key.secret)} bytes; a Nix key needs a seed of "
                f"{_SEED_BYTES}"
            )
        return write_key(name, Secret(key.secret.reveal() + public))

    def encode_public(self, key: Key) -> bytes:
        """`NAME:BASE64` of the public half, without a line feed: an entry of Nix's `trusted-public-keys`.

        Raises:
            UnsupportedKeyError: the type is not ed25519, the kid cannot be a Nix key name, or the public half is
                missing or not 32 bytes long.
        """
        name, public = _checked(key)
        return write_key(name, Secret(public)).reveal()

    def decode(self, data: Secret, *, default_kid: str) -> Key:  # noqa: ARG002  (a Nix key always has a name)
        """Read what `encode_secret` or `encode_public` writes; one line feed may follow it.

        Raises:
            MalformedKeyError: it is anything else. That the halves belong together is not looked at.
        """
        return _key(*read_key(data))

    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:  # noqa: ARG002  (as above)
        """Read what Nix reads, and say in a sentence each how it deviates from what `decode` takes.

        Two things that Nix reads are refused: a name that is not UTF-8, which no text can hold, and a "name" that
        is the head of a PEM file or an OpenSSH key.

        Raises:
            MalformedKeyError: Nix would refuse it too, or it is one of these two.
        """
        name, raw, deviations = read_key_leniently(data)
        return _key(name, raw), deviations

    def default_kid(self, name: str, version: int, key: Key) -> str:  # noqa: ARG002  (the name says it all)
        """`cache.example.org` → `cache.example.org-1`, `-2`, … by version; a name that ends in `-N` starts there."""
        return numbered(name, version)

    def sniff(self, data: Secret) -> bool:
        """Whether a colon is followed by as many base64 digits as a Nix key has, padded or not, spaced or not."""
        tail = Secret(data.reveal().partition(b":")[2].rstrip().rstrip(b"="))
        return len(tail) in _SNIFFED_DIGITS and tail.reveal().replace(b"+", b"a").replace(b"/", b"a").isalnum()


def _checked(key: Key) -> tuple[str, bytes]:
    """The name and the public half of a key that Nix can carry."""
    if key.type not in NixFormat.key_types:
        raise UnsupportedKeyError(
            f"the nix format carries ed25519 keys, and this one is of type {key.type}; use another format, such as jwk"
        )
    # Odd names are written, for keys that were read leniently; who asks for a strict reading refuses them there.
    fault = unreadable(key.kid)
    if fault:
        raise UnsupportedKeyError(f"the kid of this key cannot be a Nix key name: it {fault}; choose one with --kid")
    if key.public is None:
        raise UnsupportedKeyError("the public half of this key is not known, and a Nix key holds it; derive it first")
    if len(key.public) != PUBLIC_BYTES:
        raise UnsupportedKeyError(
            f"the public half of this ed25519 key has {len(key.public)} bytes; a Nix key needs {PUBLIC_BYTES}"
        )
    return key.kid, key.public


def _key(name: str, raw: Secret) -> Key:
    if len(raw) == PUBLIC_BYTES:
        return Key("ed25519", name, None, raw.reveal())
    return Key("ed25519", name, Secret(raw.reveal()[:_SEED_BYTES]), raw.reveal()[_SEED_BYTES:])
