"""The format `nix`, read strictly and as Nix reads it, against a second reader written after Nix's own."""

from __future__ import annotations

from base64 import b64encode
from random import Random

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.target import Target
from keywright import Key, Secret
from keywright.errors import InvalidKeyError, MalformedKeyError
from keywright_keytypes.ed25519 import Ed25519
from keywright_nix.key import NixFormat, problem_in

__all__ = ["TARGET", "nix_reads"]

_FORMAT = NixFormat()
_ED25519 = Ed25519()
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN = (b"-----BEGIN ", b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")


def check(data: bytes) -> None:
    """Both readings refuse or agree; what was read is written as it was."""
    require(_FORMAT.sniff(Secret(data)) in (True, False), "sniff gives no answer")
    name, _, payload = data.partition(b":")
    strict = attempt(
        lambda: _FORMAT.decode(Secret(data), default_kid=""),
        MalformedKeyError,
        given=(data,),
        secrets=(payload or data,),
        known=name if payload else b"",
    )
    lenient = attempt(
        lambda: _FORMAT.decode_lenient(Secret(data), default_kid=""),
        MalformedKeyError,
        given=(data,),
        secrets=(payload or data,),
        known=name if payload else b"",
    )
    _check_against_nix(data, lenient)
    if strict is not None:
        require(_encoded(strict) == data.removesuffix(b"\n"), "what was read strictly is not written as it was")
        require(lenient == (strict, ()), "the lenient reading differs on what is canonical")
        require(_FORMAT.sniff(Secret(data)), "sniff does not know a key")
    if lenient is not None:
        key, deviations = lenient
        require(strict is not None or bool(deviations), "refused strictly, and no deviation is told")
        for deviation in deviations:
            check_sentence(deviation, (data,))
        _check_written(key)


def _check_written(key: Key) -> None:
    again, deviations = _FORMAT.decode_lenient(Secret(_encoded(key)), default_kid="")
    require(again == key, "a key read leniently does not come back")
    require(bool(deviations) == bool(problem_in(key.kid)), "what was written deviates in more than its name")
    whole = attempt(lambda: _ED25519.complete(key), InvalidKeyError, given=(_encoded(key),))
    if whole is not None:
        require(whole == key, "completing a whole key changed it")


def _encoded(key: Key) -> bytes:
    return _FORMAT.encode_public(key) if key.secret is None else _FORMAT.encode_secret(key).reveal()


def _check_against_nix(data: bytes, lenient: tuple[Key, tuple[str, ...]] | None) -> None:
    """We take what Nix takes, but for the two things that `decode_lenient` says it refuses."""
    name, payload = nix_reads(data)
    if lenient is None:
        sound = bool(name) and len(payload) in (32, 64)
        require(not sound or not _is_utf_8(name) or data.startswith(_FOREIGN), "Nix reads a key that is refused here")
        return
    key, _ = lenient
    require(key.kid.encode() == name, "Nix reads another name")
    require((key.secret.reveal() if key.secret else b"") + (key.public or b"") == payload, "Nix reads other halves")


def nix_reads(data: bytes) -> tuple[bytes, bytes]:
    """`Key::Key`, `base64Decode` (Nix 2.8, libstore/crypto.cc, libutil/util.cc): name and payload, or nothing."""
    name, colon, rest = data.partition(b":")
    bits, held, payload = 0, 0, bytearray()
    for character in rest:
        if character == ord("="):
            break
        if character == ord("\n"):
            continue
        digit = _DIGITS.find(character)
        if digit < 0:
            return b"", b""
        held, bits = (held << 6 | digit) & 0xFFFF, bits + 6
        if bits >= 8:
            bits -= 8
            payload.append(held >> bits & 0xFF)
    return (name, bytes(payload)) if colon else (b"", b"")


def _is_utf_8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def mutate(data: bytes, random: Random) -> bytes:
    """Another key, with some characters changed, taken away or put in between."""
    name, _, _ = data.partition(b":")
    payload = b64encode(random.randbytes(random.choice((32, 64, 64, 31, 33, 65))))
    encoded = bytearray(name[:20] + b":" + payload)
    for _ in range(random.randrange(3)):
        at = random.randrange(len(encoded) + 1)
        encoded[at : at + random.randrange(2)] = random.choice(_SPECKS)
    return bytes(encoded)


_SPECKS = (b"", b"\n", b" ", b"=", b":", b"-", b"\xff", b"\xc3\xa4", b"A")
_SEED = bytes(range(32))
_KEY = _ED25519.complete(Key("ed25519", "cache.example.org-1", Secret(_SEED)))

TARGET = Target(
    check,
    seeds=(
        _encoded(_KEY),
        _encoded(_KEY.without_secret()),
        _encoded(_KEY).rstrip(b"=") + b"\n\n",
        _encoded(_KEY).replace(b":", b":\n"),
        b"a b:" + b64encode(_SEED),
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 a:b",
    ),
    words=(b":", b"=", b"==", b"\n", b"\r\n", b"-----BEGIN ", b"ssh-", b" AAAA", b"\xef\xbb\xbf", b"\xc3\xa4"),
    maximum_bytes=1024,
    mutate=mutate,
)
