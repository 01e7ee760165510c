"""Signatures of Nix's: as strict as libsodium, which Nix verifies with."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import nacl.signing
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings, strategies as st
from nix_messages import NO_COLON
from nix_signing import refusal

from keywright.errors import InvalidSignatureError, MalformedKeyError
from keywright_nix.narinfo import NarInfo
from keywright_nix.signature import (
    Signature,
    parse_signature,
    parse_signature_leniently,
    signature_text,
    verify,
    verify_signature,
)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # RFC 8032 §5.1
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(one: Point, two: Point) -> Point:
    """The sum of two points (RFC 8032 §5.1.4, in affine coordinates)."""
    (x1, y1), (x2, y2) = one, two
    k = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(number: int, point: Point) -> Point:
    result: Point = (0, 1)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def root(y: int) -> int | None:
    """The even x of the point with this y; None if no point has it."""
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return None if (x * x - x2) % P else min(x, P - x, key=lambda value: value & 1)


def spelled(x: int, y: int) -> bytes:
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE_Y = 4 * pow(5, -1, P) % P
BASE: Point = (root(BASE_Y) or 0, BASE_Y)


ORDER_8_Y = int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")
SMALL = [times(number, (root(ORDER_8_Y) or 0, ORDER_8_Y)) for number in range(8)]  # all points of small order
# The y of a point of small order, and of its spellings that are not reduced, with either sign.
SPELLINGS = sorted(
    {spelled(sign, y) for _, canonical in SMALL for y in (canonical, canonical + P) if y < 2**255 for sign in (0, 1)}
)


def by_the_rule(public: bytes, message: bytes, signature: bytes) -> bool:
    """By another library's equation, and by what libsodium refuses beyond it, as its source tells.

    (`crypto_sign/ed25519/ref10/open.c`: commitments and keys of small order, keys that are not reduced.)
    """
    if public in SPELLINGS or signature[:32] in SPELLINGS or int.from_bytes(public, "little") & (2**255 - 1) >= P:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def by_us(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        verify(public, message, signature)
    except InvalidSignatureError:
        return False
    return True


def challenge(commitment: bytes, public: bytes, message: bytes) -> int:
    """RFC 8032 §5.1.7, step 2."""
    return int.from_bytes(hashlib.sha512(commitment + public + message).digest(), "little") % L


def edge_cases() -> list[tuple[bytes, bytes, bytes]]:
    """Signatures that hold by the cofactored or cofactorless equation, made without a secret, or oddly spelled."""
    cases = []
    for public in SPELLINGS:
        for commitment in SPELLINGS:
            cases += [(public, b"%d" % number, commitment + bytes(32)) for number in range(8)]
    for number in range(16):
        message, scalar = b"%d" % number, number + 1
        for extra in SMALL:
            public = spelled(*add(times(scalar, BASE), extra))
            # Who has the secret can make these hold, by the equation that OpenSSL looks at, too.
            for commitment in (spelled(*point) for point in SMALL):
                answer = challenge(commitment, public, message) * scalar % L
                cases.append((public, message, commitment + answer.to_bytes(32, "little")))
    for number in range(40):
        message, scalar = b"%d" % number, number + 1
        sound = times(scalar, BASE)
        for extra in SMALL:
            mixed = add(sound, extra)
            public = spelled(*mixed)
            for noise in SMALL[:3]:
                commitment = spelled(*add(times(7, BASE), noise))
                answer = (7 + challenge(commitment, public, message) * scalar) % L
                cases.append((public, message, commitment + answer.to_bytes(32, "little")))
                cases.append((public, message, commitment + (answer + L).to_bytes(32, "little")))
    return cases


def test_the_rule_and_we_agree_on_the_edge() -> None:
    """Keys and commitments of small and mixed order, not reduced, and scalars beyond the order: the same answers."""
    cases = edge_cases()

    theirs = [by_the_rule(*case) for case in cases]

    assert len(set(SMALL)) == 8
    assert [by_us(*case) for case in cases] == theirs
    assert True in theirs
    assert False in theirs


@settings(max_examples=60)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(), bit=st.integers(0, 511))
def test_random_signatures(seed: bytes, message: bytes, bit: int) -> None:
    key = nacl.signing.SigningKey(seed)
    signature = key.sign(message).signature
    flipped = (int.from_bytes(signature) ^ 1 << bit).to_bytes(64)

    assert by_us(bytes(key.verify_key), message, signature)
    assert not by_us(bytes(key.verify_key), message, flipped)


KEY = nacl.signing.SigningKey(bytes(range(32)))
PUBLIC = "k-1:" + b64encode(bytes(KEY.verify_key)).decode()
SIGNATURE = "k-1:" + b64encode(KEY.sign(b"m").signature).decode()
SECRET = "k-1:" + b64encode(bytes(KEY) + bytes(KEY.verify_key)).decode()
MALFORMED = "this is not a Nix signature; it must be NAME:BASE64 of 64 bytes: copy it whole"


def test_a_signature_holds() -> None:
    verify_signature(PUBLIC, b"m", SIGNATURE)


def test_a_signature_that_does_not_hold() -> None:
    malformed = [
        *("", "k-1", "k-1:", SIGNATURE[3:], SIGNATURE[4:], SIGNATURE[:-1], SIGNATURE + "\n", SIGNATURE + " ", PUBLIC),
        "\udcff:" + SIGNATURE[4:] + "\udcff",
    ]
    for message, signature, refused in (
        (b"n", SIGNATURE, "the signature is not valid; the data or the signature was modified"),
        (
            *(b"m", SIGNATURE.replace("k-1", "k-2")),
            "the signature is by another key than k-1; verify it with that key",
        ),
        *((b"m", text, MALFORMED) for text in malformed),
    ):
        with refusal(InvalidSignatureError, refused, signature):
            verify_signature(PUBLIC, message, signature)


def test_a_key_that_verifies_nothing() -> None:
    """A secret key, an unsound point, or no key at all; what may be a secret in place of the name is not shown."""
    secret = "is a secret key; pass the public key; replace the secret key, which was exposed"
    unsound = "is not a secure Ed25519 key: anyone could sign with it; remove it"
    zeros = b64encode(bytes(32)).decode()
    for key, message in (
        (SECRET, f"the Nix key k-1 {secret}"),
        (f"z:{zeros}", f"the Nix key z {unsound}"),
        ("S" * 43 + SECRET[3:], f"the Nix key {secret}"),
        (f"{'S' * 43}:{zeros}", f"the Nix key {unsound}"),
        ("\udcff:" + PUBLIC[4:], "the Nix key is not Unicode text; it must be NAME:BASE64"),
        ("k-1", NO_COLON),
    ):
        with refusal(MalformedKeyError, message, key):
            verify_signature(key, b"m", SIGNATURE)


def test_other_lengths_do_not_hold() -> None:
    key, made = bytes(KEY.verify_key) + b"x", KEY.sign(b"m").signature + b"x"

    for public, signature in ((31, 64), (33, 64), (0, 64), (32, 63), (32, 65), (32, 0)):
        assert not by_us(key[:public], b"m", made[:signature])


def test_a_signature_is_read_as_nix_reads_it() -> None:
    """What Nix takes is the same signature, and is refused strictly (`src/libutil/base-n.cc`)."""
    signature = Signature("k-1", KEY.sign(b"m").signature)
    assert parse_signature(SIGNATURE) == parse_signature_leniently(SIGNATURE) == signature
    for text in (
        *(SIGNATURE[:-1], SIGNATURE[:-2], SIGNATURE + "=", SIGNATURE + "\udcff x"),
        SIGNATURE[:50] + "\n" + SIGNATURE[50:],
        SIGNATURE[:-3] + chr(ord(SIGNATURE[-3]) + 1) + "==",  # spare bits
    ):
        assert parse_signature_leniently(text) == signature, text
        with refusal(InvalidSignatureError, MALFORMED, text):
            parse_signature(text)


def test_what_nix_does_not_read_either() -> None:
    for text in (
        *("", "k-1", "k-1:", SIGNATURE[3:], SIGNATURE[4:], SIGNATURE[:-3], SIGNATURE[:-2] + "A", PUBLIC),
        *(
            f"k-1:{SIGNATURE}",
            f"k-1: {SIGNATURE[4:]}",
            SIGNATURE[:-2] + "\udcff",
            SIGNATURE[:30] + "=" + SIGNATURE[30:],
        ),
    ):
        with refusal(InvalidSignatureError, MALFORMED, text):
            parse_signature_leniently(text)


@given(name=st.text(min_size=1).filter(lambda name: ":" not in name), raw=st.binary(min_size=64, max_size=64))
def test_a_signature_that_is_written_is_read(name: str, raw: bytes) -> None:
    text = signature_text(name, raw)

    assert parse_signature(text) == parse_signature_leniently(text) == Signature(name, raw)


def test_a_narinfo_tells_whose_signatures_hold() -> None:
    """Of the trusted keys those of which a signature holds; of two keys of one name the first."""
    path = "/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl"
    text = f"StorePath: {path}\nURL: x\nNarHash: sha256:{'0' * 52}\nNarSize: 1\nReferences: \n"
    info = NarInfo.parse(text)
    made = "k-1:" + b64encode(KEY.sign(info.fingerprint()).signature).decode()
    signed = info.with_signatures([made, "junk", "k-1:AAAA", made.replace("k-1", "k-2")])
    other = "k-1:" + b64encode(bytes(nacl.signing.SigningKey(bytes(32)).verify_key)).decode()

    assert signed.verify([PUBLIC, PUBLIC.replace("k-1", "k-3")]) == {"k-1"}
    assert signed.verify([PUBLIC, PUBLIC.replace("k-1", "k-2")]) == {"k-1", "k-2"}
    assert signed.verify([other, PUBLIC]) == set()
    assert info.verify([PUBLIC]) == set()
    with pytest.raises(MalformedKeyError):
        info.verify(["a:b"])
