"""Nix keys: their names, their text `NAME:BASE64`, how they are made and sign, and the format `nix`."""

from __future__ import annotations

import os
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Final

from keywright import Secret
from keywright.errors import InvalidKeyError, MalformedKeyError, UnsupportedKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright import Key

PUBLIC_BYTES = 32
SECRET_BYTES = 64  # the seed, then the public half
SIGNATURE_BYTES = 64

_SEED_BYTES = 32
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_KEY_DIGITS = (43, 86)  # base64 digits, without padding, of 32 and 64 bytes
_LONGEST_SHOWN = 40  # base64 digits in a row
_WHITESPACE = b" \t\r\v\f"  # without the line feed, which Nix skips
_OPENSSH_PUBLIC = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")

# ---- names: what is before the colon of a key and of every signature it makes


def problem_in(name: str) -> str | None:
    """Why `name` is not a valid Nix key name, as the end of a sentence; None if it is valid.

    Nix checks nothing (`src/libutil/signature/local-keys.cc`), but cannot read back a key whose name is empty or
    contains a colon, and splits `trusted-public-keys` at whitespace. Unprintable characters are refused too: names
    with them look equal and are not.
    """
    if " " in name or not name.isprintable():
        return unreadable(name) or "has whitespace, a control character or another one that does not print"
    return unreadable(name)


def unreadable(name: str) -> str | None:
    """Why Nix itself cannot read back a key of this name, as the end of a sentence; None if it can."""
    if not name:
        return "is empty"
    if ":" in name:
        return "has a colon, and for Nix the name ends at the first one"
    return None if is_unicode(name) else "is not Unicode text"


def is_unicode(text: str) -> bool:
    """Whether `text` has no surrogates, which stand for bytes that are not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def hides_key(name: str) -> bool:
    """Whether `name` may be or contain a key, and so must not be shown: it has more than 40 base64 digits in a row."""
    runs = "".join(character if character in _DIGITS else " " for character in name).split()
    return any(len(run) > _LONGEST_SHOWN for run in runs)


def looks_like_key(text: str) -> bool:
    """Whether `text`, which should be a path, looks like a key itself: NAME:BASE64 with 43 digits or more."""
    name, _, payload = text.partition(":")
    digits = "".join(payload.partition("=")[0].split())
    return bool(payload) and (hides_key(name) or (len(digits) >= _KEY_DIGITS[0] and not digits.strip(_DIGITS)))


def numbered_name(name: str, version: int) -> str:
    """The key name for version `version` (from 1) of `name`: `cache` → `cache-1`; `cache-5` → `cache-5`, `cache-6`.

    This is the convention of Nix's manual: a numeric suffix, one higher for each new key.
    """
    stem, dash, number = name.rpartition("-")
    counts_already = dash and number.isascii() and number.isdecimal() and (number == "0" or number[0] != "0")
    return f"{stem}-{int(number) + version - 1}" if counts_already else f"{name}-{version}"


# ---- base64: what is after the colon


def decode_base64(payload: Secret) -> Secret:
    """Decode 32 or 64 bytes of canonical base64: standard alphabet, padded, no spare bits, nothing else.

    Raises:
        MalformedKeyError: `payload` is anything else.
    """
    if b"\n" in payload.reveal():
        raise MalformedKeyError(
            "the base64 of the Nix key has a line feed in it, or several at its end",
            hint="put it on one line, or pass --lenient",
        )
    _refuse_characters(payload, allowed=_DIGITS.encode() + b"=")
    digits = len(payload.reveal().rstrip(b"="))
    padding = len(payload) - digits
    if len(payload) % 4 or padding > 2 or payload.reveal().count(b"=") != padding:
        raise MalformedKeyError(
            "the base64 of the Nix key is cut short or padded wrongly",
            hint="it ends in '==' (secret key) or '=' (public key): copy it whole",
        )
    _check_length(digits)
    raw = Secret(a2b_base64(payload.reveal()))
    if b2a_base64(raw.reveal(), newline=False) != payload.reveal():
        raise MalformedKeyError(
            "the base64 of the Nix key is not canonical: its last character has unused bits set",
            hint="copy it again, or pass --lenient",
        )
    return raw


def decode_base64_leniently(payload: Secret) -> tuple[Secret, tuple[str, ...]]:
    """Decode 32 or 64 bytes as Nix does (`src/libutil/base-n.cc`), and describe each deviation from canonical base64.

    Nix stops at the first '=', skips line feeds, needs no padding and ignores spare bits.

    Raises:
        MalformedKeyError: Nix would refuse `payload` too: another character, or another length.
    """
    wrapped = Secret(payload.reveal().partition(b"=")[0])
    body = Secret(wrapped.reveal().replace(b"\n", b""))
    _refuse_characters(body, allowed=_DIGITS.encode())
    _check_length(len(body))
    raw = Secret(a2b_base64(body.reveal() + b"=="))
    deviations = [
        "the base64 is broken into lines; they were joined" if len(body) != len(wrapped) else None,
        _padding_deviation(Secret(payload.reveal()[len(wrapped) :]), canonical=b"=" * (-len(body) % 4)),
        "the last base64 character sets bits that belong to no byte; they were ignored"
        if not b2a_base64(raw.reveal()).startswith(body.reveal())
        else None,
    ]
    return raw, tuple(deviation for deviation in deviations if deviation)


def _padding_deviation(rest: Secret, *, canonical: bytes) -> str | None:
    """How `rest`, which starts at the first '=', deviates from the canonical padding."""
    if rest.reveal() == canonical:
        return None
    if not rest.reveal().strip(b"="):
        return "the base64 padding is missing or of the wrong length; it was corrected"
    if rest.reveal().rstrip(b"\n") == canonical:
        return "more than one line feed ends the key; they were left out"
    return "something follows the base64 padding; it was left out"


def _refuse_characters(payload: Secret, *, allowed: bytes) -> None:
    """Raise for characters that are not `allowed`; the most likely mistake is named first."""
    strange = Secret(payload.reveal().translate(None, allowed))
    if not strange:
        return
    if b":" in strange.reveal():
        raise MalformedKeyError(
            "the Nix key has a second colon, and for Nix the name ends at the first",
            hint="write NAME:BASE64 with no colon in the name",
        )
    if strange.reveal().translate(None, _WHITESPACE) != strange.reveal():
        raise MalformedKeyError(
            "the base64 of the Nix key has a space, tab or carriage return in it",
            hint="remove it (files with Windows line ends have them)",
        )
    if not strange.reveal().strip(b"-_"):
        raise MalformedKeyError(
            "the base64 of the Nix key is URL-safe, with '-' and '_'",
            hint="write '+' and '/' instead",
        )
    raise MalformedKeyError("the base64 of the Nix key has a character that base64 does not have", hint="copy it again")


def _check_length(digits: int) -> None:
    """Raise unless this number of base64 digits (without padding) makes 32 or 64 bytes."""
    size = digits * 6 // 8
    if size == 0:
        raise MalformedKeyError("nothing follows the colon of the Nix key", hint="write NAME:BASE64")
    if size not in (PUBLIC_BYTES, SECRET_BYTES):
        raise MalformedKeyError(
            f"the base64 of the Nix key has {size} bytes",
            hint=f"a secret key has {SECRET_BYTES} and a public key {PUBLIC_BYTES}: copy it whole",
        )


# ---- key text


def write_key(name: str, raw: Secret) -> Secret:
    """`NAME:BASE64`, without a line feed, of the 32 bytes of a public key or the 64 of a secret one."""
    return Secret(name.encode() + b":" + b2a_base64(raw.reveal(), newline=False))


def read_key(data: Secret) -> tuple[str, Secret]:
    """Name, and the 32 bytes of a public key or the 64 of a secret one; one line feed may follow the key.

    Whether the halves of a secret key belong together is not checked.

    Raises:
        MalformedKeyError: `data` is anything else.
    """
    name_bytes, payload = _split(data)
    # The payload first: only what is before a valid payload is certainly a name, and not a misplaced key.
    raw = decode_base64(payload)
    name = _decode_name(name_bytes)
    problem = problem_in(name)
    if problem:
        raise MalformedKeyError(f"the name of the Nix key {problem}", hint="set another with --kid, or pass --lenient")
    return name, raw


def read_key_leniently(data: Secret) -> tuple[str, Secret, tuple[str, ...]]:
    """As `read_key`, but accepts all that Nix reads and describes each deviation from what `read_key` accepts.

    Raises:
        MalformedKeyError: Nix would refuse it too, its name is not UTF-8, or its "name" is the start of a PEM file or
            an OpenSSH key.
    """
    name_bytes, payload = _split(data)
    raw, deviations = decode_base64_leniently(payload)
    name = _decode_name(name_bytes)
    problem = problem_in(name)
    if problem:
        deviations = (f"the key's name {problem}; it can never stand in trusted-public-keys", *deviations)
    return name, raw, deviations


def _split(data: Secret) -> tuple[Secret, Secret]:
    """What is before the colon and what after it, without the last line feed."""
    text = Secret(data.reveal().removesuffix(b"\n"))
    if not text:
        raise MalformedKeyError("the Nix key is empty", hint="it must be NAME:BASE64")
    is_public = text.reveal().startswith(_OPENSSH_PUBLIC) and b" AAAA" in text.reveal()[:64]
    if is_public or text.reveal().startswith(b"-----BEGIN "):
        kind = "an OpenSSH key" if is_public or text.reveal().startswith(b"-----BEGIN OPENSSH ") else "PEM"
        raise MalformedKeyError(
            f"this is {kind}, not a Nix key", hint="pass NAME:BASE64 on one line, or another --format"
        )
    colon = text.reveal().find(b":")
    if colon < 0:
        raise MalformedKeyError(
            "the Nix key has no colon", hint="write its name and a colon before the base64: NAME:BASE64"
        )
    if colon == 0:
        raise MalformedKeyError("the Nix key has no name before its colon", hint="write NAME:BASE64")
    return Secret(text.reveal()[:colon]), Secret(text.reveal()[colon + 1 :])


def _decode_name(name: Secret) -> str:
    try:
        return name.reveal().decode()
    except UnicodeDecodeError:
        pass
    # Raised outside the handler, because the context of the error would contain the input.
    raise MalformedKeyError("the name of the Nix key is not UTF-8", hint="write another before the colon")


# ---- secret keys, by libsodium: to find a key type of the registry takes longer than all use of the key


def generate() -> Secret:
    """A new secret key: the seed and the public half, 64 bytes, as a Nix key holds them."""
    seed = _Hidden(os.urandom(_SEED_BYTES))
    return Secret(seed + _public(seed))


def public_half(both: Secret) -> bytes:
    """The public half (32 bytes) of a secret key's 64 bytes.

    Raises:
        InvalidKeyError: The halves do not belong together.
    """
    public = _public(_Hidden(both.reveal()[:_SEED_BYTES]))
    if public != both.reveal()[_SEED_BYTES:]:
        raise InvalidKeyError(
            "the public half of this ed25519 key does not belong to its secret half",
            hint="import a key whose halves match",
        )
    return public


def signer(both: Secret) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The public half (32 bytes), and a function that signs a message (64 bytes). Raises: as `public_half`."""
    from nacl.bindings import crypto_sign

    public = public_half(both)
    hidden = _Hidden(both.reveal())
    return public, lambda message: crypto_sign(message, hidden)[:SIGNATURE_BYTES]


def _public(seed: bytes) -> bytes:
    # Not from `nacl.bindings`, which binds all of libsodium at each start: a quarter of what importing Python takes.
    from nacl._sodium import ffi, lib

    public, both = ffi.new("unsigned char[]", PUBLIC_BYTES), ffi.new("unsigned char[]", SECRET_BYTES)
    lib.crypto_sign_seed_keypair(public, both, seed)  # never fails
    return bytes(ffi.buffer(public))


class _Hidden(bytes):
    """Bytes that a traceback with locals does not show: the library's frames hold them, and memory may run out."""

    def __repr__(self) -> str:
        return "<hidden>"

    __str__ = __repr__


# ---- the format


class NixFormat:
    """Ed25519 keys as Nix keeps them: the key's name (our kid), a colon, base64, and no line feed.

    A secret key is 64 bytes, the seed and then the public half (88 characters); a public key is 32 (44 characters).
    Attributes are not carried.
    """

    name: Final = "nix"
    key_types: Final[tuple[str, ...]] = ("ed25519",)
    carries_kid: Final = True

    def encode_secret(self, key: Key) -> Secret:
        """`NAME:BASE64` of seed and public half, without a line feed.

        Raises:
            UnsupportedKeyError: The type is not ed25519, the kid cannot be a Nix key name, or a half is missing or
                not 32 bytes long.
        """
        public = _checked_public(key)
        if key.secret is None:
            raise UnsupportedKeyError("this key has no secret half to write as a Nix key", hint="write its public half")
        if len(key.secret) != _SEED_BYTES:
            raise UnsupportedKeyError(
                f"the secret half of this ed25519 key has {len(key.secret)} bytes",
                hint=f"a Nix key needs a seed of {_SEED_BYTES}",
            )
        return write_key(key.kid, Secret(key.secret.reveal() + public))

    def encode_public(self, key: Key) -> bytes:
        """`NAME:BASE64` of the public half, without a line feed: an entry of Nix's `trusted-public-keys`.

        Raises:
            UnsupportedKeyError: The type is not ed25519, the kid cannot be a Nix key name, or the public half is
                missing or not 32 bytes long.
        """
        return write_key(key.kid, Secret(_checked_public(key))).reveal()

    def decode(self, data: Secret, *, default_kid: str) -> Key:  # noqa: ARG002  (a Nix key always has a name)
        """Read what `encode_secret` or `encode_public` writes; one line feed may follow it.

        Whether the halves belong together is not checked.

        Raises:
            MalformedKeyError: `data` is anything else.
        """
        return _key(*read_key(data))

    def decode_lenient(self, data: Secret, *, default_kid: str) -> tuple[Key, tuple[str, ...]]:  # noqa: ARG002  (as above)
        """Read what Nix reads, and describe in a sentence each how it deviates from what `decode` accepts.

        Two things that Nix reads are refused: a name that is not UTF-8, which no text can hold, and a "name" that
        is the start of a PEM file or an OpenSSH key.

        Raises:
            MalformedKeyError: Nix would refuse `data` too, or it is one of these two.
        """
        name, raw, deviations = read_key_leniently(data)
        return _key(name, raw), deviations

    def default_kid(self, name: str, version: int, key: Key) -> str:  # noqa: ARG002  (the name is enough)
        """`cache.example.org` → `cache.example.org-1`, `-2`, … by version; a name that ends in `-N` starts there."""
        return numbered_name(name, version)

    def sniff(self, data: Secret) -> bool:
        """Whether a colon is followed by as many base64 digits as a Nix key has, padded or not, spaced or not."""
        tail = Secret(data.reveal().partition(b":")[2].rstrip().rstrip(b"="))
        return len(tail) in _KEY_DIGITS and tail.reveal().replace(b"+", b"a").replace(b"/", b"a").isalnum()


def _checked_public(key: Key) -> bytes:
    """The public half of a key that Nix can carry."""
    if key.type not in NixFormat.key_types:
        raise UnsupportedKeyError(
            f"the nix format carries ed25519 keys, and this one is of type {key.type}",
            hint="use another format, such as jwk",
        )
    # Odd names, of keys that were read leniently, are written; a strict reader refuses them.
    problem = unreadable(key.kid)
    if problem:
        raise UnsupportedKeyError(
            f"the kid of this key cannot be a Nix key name: it {problem}", hint="choose one with --kid"
        )
    if key.public is None:
        raise UnsupportedKeyError(
            "this key has no public half, which a Nix key needs", hint="import the key again, from its secret half"
        )
    if len(key.public) != PUBLIC_BYTES:
        raise UnsupportedKeyError(
            f"the public half of this ed25519 key has {len(key.public)} bytes", hint=f"a Nix key needs {PUBLIC_BYTES}"
        )
    return key.public


def _key(name: str, raw: Secret) -> Key:
    from keywright import Key  # used by the format alone, which `nix key` and `nix sign` do not need

    if len(raw) == PUBLIC_BYTES:
        return Key("ed25519", name, None, raw.reveal())
    return Key("ed25519", name, Secret(raw.reveal()[:_SEED_BYTES]), raw.reveal()[_SEED_BYTES:])
