"""Signed tokens under a signature that does not hold, or that is of another algorithm or key than it may be."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hostile_tokens.case import OURS, Case, Given
from hostile_tokens.sound import (
    EC,
    ED,
    HEADER,
    OCT,
    PAYLOAD,
    SECRET,
    by_secret,
    eddsa,
    es256,
    es256_der,
    es512_by_p256,
    headed,
    hs256,
    octets,
    ps256,
    public,
    rs256,
    rsa_key,
    signed,
    sound_rsa,
    text,
    token,
    without,
)  # fmt: skip

from keywright.errors import ConfigError, InvalidKeyError, InvalidSignatureError, KeywrightError

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ED_ORDER = 2**252 + 27742317777372353535851937790883648493
_GOOD = Given(token(), OCT, ["HS256"])
_GOOD_EC = Given(token(headed("ES256"), PAYLOAD, es256), public(EC), ["ES256"])
_GOOD_ED = Given(token(headed("EdDSA"), PAYLOAD, eddsa), public(ED), ["EdDSA"])
_GOOD_RSA = Given(token(headed("RS256"), PAYLOAD, rs256(rsa_key())), public(sound_rsa()), ["RS256"])
_GOOD_PSS = Given(token(headed("PS256"), PAYLOAD, ps256()), public(sound_rsa(alg="PS256")), ["PS256"])


def signature_cases() -> Iterator[Case]:
    """All of them."""
    yield from _broken()
    yield from _elliptic()
    yield from _rsa()
    yield from _algorithms()
    yield from _confusions()
    yield from _kids()


def _broken() -> Iterator[Case]:
    first, second = text(HEADER), text(PAYLOAD)
    tag = hs256(f"{first}.{second}".encode())
    for name, fault, bad in (
        ("empty", "no octets", f"{first}.{second}."),
        ("zeros", "zeros", f"{first}.{second}.{text(bytes(32))}"),
        ("a byte less", "a byte less", f"{first}.{second}.{text(tag[:31])}"),
        ("half", "the first half", f"{first}.{second}.{text(tag[:16])}"),
        ("a byte more", "a byte more", f"{first}.{second}.{text(tag + b'a')}"),
        ("a bit", "a bit changed", f"{first}.{second}.{text(tag[:-1] + bytes([tag[-1] ^ 1]))}"),
        ("payload changed", "over another payload", ".".join((first, text(b'{"sub":"b"}'), text(tag)))),
        ("payload taken out", "over a payload that is not there (detached)", f"{first}..{text(tag)}"),
        ("header spelt otherwise", "over the same header with a space in it",
         ".".join((text(b'{"alg": "HS256"}'), second, text(tag)))),
        ("payload alone", "over the payload without the header", f"{first}.{second}.{text(hs256(second.encode()))}"),
        ("decoded", "over the octets instead of what spells them",
         f"{first}.{second}.{text(hs256(HEADER + b'.' + PAYLOAD))}"),
        ("empty secret", "made with no secret at all", signed(first, second, by_secret(b""))),
        ("the text of the secret", "made with the base64url of the secret", signed(first, second,
         by_secret(text(SECRET).encode()))),
    ):  # fmt: skip
        yield _case(f"signature: {name}", fault, "RFC 7515 §5.2", bad, _GOOD)


def _elliptic() -> Iterator[Case]:
    start = str(_GOOD_EC.token).rpartition(".")[0]
    r, s = _halves(octets(str(_GOOD_EC.token).rpartition(".")[2]))
    for name, fault, made in (
        ("DER", "as X.509 writes it, and not r ‖ s", es256_der(start.encode())),
        ("r and s zero", "r and s are zero (CVE-2022-21449)", bytes(64)),
        ("r zero", "r is zero", _joined(0, s)),
        ("s zero", "s is zero", _joined(r, 0)),
        ("r is the order", "r is the order of the group", _joined(_ORDER, s)),
        ("a byte less", "a byte less", _joined(r, s)[:63]),
        ("a zero more", "a zero before each half", _joined(r, s, 33)),
        ("SHA-512", "with another hash", es512_by_p256(start.encode())),
    ):
        yield _case(f"ES256: {name}", fault, "RFC 7518 §3.4", f"{start}.{text(made)}", _GOOD_EC)
    start = str(_GOOD_ED.token).rpartition(".")[0]
    made = eddsa(start.encode())
    scalar = int.from_bytes(made[32:], "little")
    for name, fault, changed in (
        ("S beyond the order", "the order of the group added to S",
         made[:32] + (scalar + _ED_ORDER).to_bytes(32, "little")),
        ("a byte more", "a byte more", made + b"\0"),
        ("a byte less", "a byte less", made[:63]),
        ("zeros", "zeros", bytes(64)),
    ):  # fmt: skip
        yield _case(f"EdDSA: {name}", fault, "RFC 8032 §5.1.7", f"{start}.{text(changed)}", _GOOD_ED)


def _rsa() -> Iterator[Case]:
    start = str(_GOOD_RSA.token).rpartition(".")[0]
    made, modulus = rs256(rsa_key())(start.encode()), rsa_key().public_key().public_numbers().n
    for name, fault, changed in (
        ("a zero more", "a zero before it", b"\0" + made),
        ("plus the modulus", "the modulus added to it", (int.from_bytes(made) + modulus).to_bytes(257)),
        ("zeros", "zeros", bytes(256)),
        ("one", "the number one", bytes(255) + b"\1"),
        ("PSS", "padded as PS256 is", ps256()(start.encode())),
    ):
        yield _case(f"RS256: {name}", fault, "RFC 8017 §8.2.2", f"{start}.{text(changed)}", _GOOD_RSA)
    for name, fault, make in (
        ("no salt", "without a salt", ps256(0)),
        ("short salt", "with a salt of 20 bytes", ps256(20)),
        ("longest salt", "with the longest salt there is room for", ps256(222)),
        ("SHA-1 mask", "with a mask of SHA-1", ps256(old_mask=True)),
        ("PKCS#1 v1.5", "padded as RS256 is", rs256(rsa_key())),
    ):
        yield _case(f"PS256: {name}", fault, "RFC 7518 §3.5", token(headed("PS256"), PAYLOAD, make), _GOOD_PSS)


def _algorithms() -> Iterator[Case]:
    """What the header says is not what is allowed, or not what the key is for."""
    both = ["HS256", "HS384", "HS512"]
    of_384 = token(headed("HS384"), PAYLOAD, lambda message: hs256(message, SECRET, "sha384"))
    yield _case("alg: not allowed", "HS384, and HS256 alone is allowed", "RFC 8725 §3.1", of_384,
                _GOOD._replace(key=without(OCT, "alg")))  # fmt: skip
    yield _case("alg: not the key's", "HS384 is allowed, and the key says HS256", "RFC 8725 §3.1", of_384,
                _GOOD._replace(algorithms=both))  # fmt: skip
    for name, spelling in (("small letters", "hs256"), ("a space after", "HS256 "), ("part of a name", "HS2")):
        yield _case(f"alg: {name}", f"{name}: no algorithm is called so", "RFC 7515 §4.1.1", token(headed(spelling)),
                    _GOOD)  # fmt: skip
    yield _case("alg: RS256 over HMAC", "RS256 in the header, and an HMAC", "RFC 8725 §3.1", token(headed("RS256")),
                _GOOD._replace(algorithms=["HS256", "RS256"]))  # fmt: skip
    yield _case("alg: PS256 for an RS256 key", "the key says RS256, and both are allowed", "RFC 8725 §3.1",
                str(_GOOD_PSS.token), _GOOD_RSA._replace(algorithms=["RS256", "PS256"]))  # fmt: skip
    yield _case("alg: ES512 by P-256", "a curve that is not the algorithm's", "RFC 7518 §3.4",
                token(headed("ES512"), PAYLOAD, es512_by_p256),
                _GOOD_EC._replace(key=without(public(EC), "alg"), algorithms=["ES256", "ES512"]))  # fmt: skip
    bare = _GOOD._replace(key=without(OCT, "alg"))
    for name, fault, rule, allowed in (
        ("nothing allowed", "no algorithms are allowed, and the key has none", OURS, None),
        ("an empty list", "a list of no allowed algorithms", "RFC 8725 §3.1", []),
        ("a text", "the allowed algorithms in one text", OURS, "HS256,RS256"),
    ):
        yield Case(f"alg: {name}", fault, rule, "verify", bare._replace(algorithms=allowed), bare,
                   ConfigError)  # fmt: skip


def _confusions() -> Iterator[Case]:
    """An HMAC under what everybody knows as a public key."""
    spki = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    numbers: Any = public(sound_rsa())
    for kind, good, secrets in (
        ("RSA", _GOOD_RSA, (("PEM", pem), ("DER", spki), ("base64", b64encode(spki)), ("modulus", octets(numbers["n"])),
                            ("JWK", json.dumps(numbers).encode()))),
        ("EC", _GOOD_EC, (("x", octets(EC["x"])), ("JWK", json.dumps(public(EC)).encode()))),
        ("Ed25519", _GOOD_ED, (("x", octets(ED["x"])),)),
    ):  # fmt: skip
        allowing = good._replace(key=without(good.key, "alg"), algorithms=[*good.algorithms, "HS256"])
        for name, secret in secrets:
            yield _case(f"confusion: {kind} {name}", f"HS256 with the public {kind} key's {name} as the secret",
                        "RFC 8725 §2.1", token(HEADER, PAYLOAD, by_secret(secret)), allowing)  # fmt: skip


def _kids() -> Iterator[Case]:
    a, other = {**OCT, "kid": "a"}, {**OCT, "k": text(bytes(range(64))), "kid": "b"}
    named, unnamed = token(b'{"alg":"HS256","kid":"a"}'), token()
    single, pair = Given(named, a, ["HS256"]), Given(named, {"keys": [a, other]}, ["HS256"])
    for name, kid in (("another", "b"), ("another case", "A"), ("a path", "../a"), ("a query", "a' OR '1'='1")):
        bad = token(json.dumps({"alg": "HS256", "kid": kid}).encode())
        yield _case(f"kid: {name}", f"the token names another key than the one there is ({name})", OURS, bad, single)
    yield _case("kid: of another in the set", "signed by one key of the set, and names another", OURS,
                token(b'{"alg":"HS256","kid":"b"}'), pair)  # fmt: skip
    yield _case("kid: none of the set", "names a key that is not in the set", OURS,
                token(b'{"alg":"HS256","kid":"c"}'), pair)  # fmt: skip
    yield _case("kid: not said", "names none of several keys", OURS, unnamed, pair)
    for name, fault, rule, keys in (
        ("twice", "two keys of the set have one kid", "RFC 7517 §4.5, should", [a, {**other, "kid": "a"}]),
        ("mixed", "the set has symmetric keys beside public ones", OURS, [a, {**public(EC), "kid": "b"}]),
        ("missing", "one of the set's keys has no kid", OURS, [a, without(other, "kid")]),
    ):
        yield Case(f"set: kid {name}" if name != "mixed" else "set: mixed", fault, rule, "verify",
                   pair._replace(key={"keys": keys}), pair, InvalidKeyError)  # fmt: skip


def _case(
    name: str, fault: str, rule: str, bad: str, good: Given, error: type[KeywrightError] = InvalidSignatureError
) -> Case:
    return Case(name, fault, rule, "verify", good._replace(token=bad), good, error)


def _halves(made: bytes) -> tuple[int, int]:
    return int.from_bytes(made[:32]), int.from_bytes(made[32:])


def _joined(r: int, s: int, size: int = 32) -> bytes:
    return r.to_bytes(size) + s.to_bytes(size)
