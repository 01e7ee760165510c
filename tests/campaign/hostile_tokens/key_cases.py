"""Keys with one fault: as they are read, as they sign, and as they verify tokens that hold under them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha512

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hostile_tokens.case import OURS, Case, Given
from hostile_tokens.sound import (
    EC,
    ED,
    OCT,
    PAYLOAD,
    SECRET,
    Jwk,
    by_secret,
    eddsa,
    headed,
    number,
    octets,
    public,
    roca_key,
    rs256,
    rsa_jwk,
    rsa_key,
    sound_rsa,
    text,
    token,
    without,
)  # fmt: skip

from keywright.errors import (
    InvalidKeyError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PolicyError,
    UnsupportedKeyError,
)

_P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_GOOD = Given(token(), OCT, ["HS256"])
_GOOD_RSA = Given(token(headed("RS256"), PAYLOAD, rs256(rsa_key())), public(sound_rsa()), ["RS256"])
_GOOD_ED = Given(token(headed("EdDSA"), PAYLOAD, eddsa), public(ED), ["EdDSA"])


def key_cases() -> Iterator[Case]:
    """All of them."""
    yield from _secrets()
    yield from _weak_rsa()
    yield from _low_order()
    yield from _purposes()
    yield from _signing()
    yield from _texts()
    yield from _members()


def _secrets() -> Iterator[Case]:
    """The token is valid under the secret, which is not secret."""
    rsa_, point = rsa_key().public_key(), octets(ED["x"])
    spki = rsa_.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for name, fault, rule, secret in (
        ("31 bytes", "a secret of 31 bytes for HS256", "RFC 7518 §3.2", SECRET[:31]),
        ("one byte", "a secret of one byte", "RFC 7518 §3.2", b"a"),
        ("password", "a password for a secret", "RFC 7518 §3.2", b"correct horse"),
        ("PEM", "a public key in PEM for a secret", OURS,
         rsa_.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        ("PKCS#1", "a public key in PEM of PKCS#1 for a secret", OURS,
         rsa_.public_bytes(Encoding.PEM, PublicFormat.PKCS1)),
        ("DER", "a public key in DER for a secret", OURS, spki),
        ("base64 of DER", "base64 of a public key for a secret", OURS, b64encode(spki)),
        ("OpenSSH", "a public key of OpenSSH for a secret", OURS,
         rsa_.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)),
        ("Nix", "a public key of Nix for a secret", OURS, b"cache.example.org-1:" + b64encode(point)),
        ("JWK", "a public JWK for a secret", OURS, json.dumps(public(EC)).encode()),
    ):  # fmt: skip
        bad = Given(token(make=by_secret(secret)), {**OCT, "k": text(secret)}, ["HS256"])
        yield Case(f"secret: {name}", fault, rule, "verify", bad, _GOOD, InvalidKeyError)
        yield Case(f"secret: {name}, signing", f"{fault}, to sign with", rule, "sign", bad, _GOOD, InvalidKeyError)
    empty = Given(token(make=by_secret(b"")), {**OCT, "k": ""}, ["HS256"])
    yield Case("secret: empty", "a secret of no bytes", "RFC 7518 §3.2", "verify", empty, _GOOD, MalformedKeyError)


def _weak_rsa() -> Iterator[Case]:
    """The token holds under a key that others can break."""
    for name, fault, rule, key in (
        ("1024 bits", "an RSA key of 1024 bits", "RFC 7518 §3.3", rsa_key(1024)),
        ("exponent 3", "an RSA key with the exponent 3", OURS, rsa_key(2048, 3)),
        ("ROCA", "an RSA key that can be factored (CVE-2017-15361)", OURS, roca_key()),
    ):
        bad = Given(token(headed("RS256"), PAYLOAD, rs256(key)), public(rsa_jwk(key, alg="RS256")), ["RS256"])
        yield Case(f"RSA: {name}", fault, rule, "verify", bad, _GOOD_RSA, InvalidKeyError)
        signing = Given("", rsa_jwk(key, alg="RS256"), ["RS256"])
        yield Case(f"RSA: {name}, signing", f"{fault}, to sign with", rule, "sign", signing,
                   Given("", sound_rsa(), ["RS256"]), InvalidKeyError)  # fmt: skip


def _low_order() -> Iterator[Case]:
    """Points under which a signature of zeros holds for many messages, or for all."""
    for name, rule, y in (
        ("order 1", OURS, 1),
        ("order 2", OURS, _P - 1),
        ("order 4", OURS, 0),
        ("order 8", OURS, _ORDER_8),
        ("second spelling", "RFC 8032 §5.1.3", _P + 1),
    ):
        point = y.to_bytes(32, "little")
        bad = Given(_forged(point), {**public(ED), "x": text(point)}, ["EdDSA"])
        yield Case(f"Ed25519: {name}", f"a point under which anybody signs ({name})", rule, "verify", bad, _GOOD_ED,
                   InvalidKeyError)  # fmt: skip


def _forged(point: bytes) -> str:
    """R is the neutral element and S zero, which holds where the hash is a multiple of the point's order."""
    neutral = b"\1" + bytes(31)
    first = text(headed("EdDSA"))
    for count in range(1000):
        message = ".".join((first, text(b'{"sub":"%d"}' % count)))
        if int.from_bytes(sha512(neutral + point + message.encode()).digest(), "little") % 8 == 0:
            return f"{message}.{text(neutral + bytes(32))}"
    raise AssertionError("one of eight messages does")


def _purposes() -> Iterator[Case]:
    for name, fault, rule, more in (
        ("use enc", "use says encryption", "RFC 7517 §4.2, intent", {"use": "enc"}),
        ("key_ops encrypt", "key_ops allows to encrypt alone", "RFC 7517 §4.3, intent", {"key_ops": ["encrypt"]}),
        ("key_ops empty", "key_ops allows nothing", "RFC 7517 §4.3, intent", {"key_ops": []}),
    ):
        bare = without(OCT, "alg")
        bad = _GOOD._replace(key={**bare, **more})
        good = _GOOD._replace(key=bare)
        yield Case(f"key: {name}", fault, rule, "verify", bad, good, PolicyError)
        yield Case(f"key: {name}, signing", f"{fault}, to sign with", rule, "sign", bad, good, PolicyError)


def _signing() -> Iterator[Case]:
    other = rsa_jwk(rsa.generate_private_key(65537, 2048), alg="RS256")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    flipped = text(octets(EC["d"])[:-1] + b"\0")
    ec_, ed, rs = Given("", EC, ["ES256"]), Given("", ED, ["EdDSA"]), Given("", sound_rsa(), ["RS256"])
    sound = sound_rsa()
    for name, fault, rule, bad, good, error in (
        ("EC halves", "d does not belong to x and y", OURS, {**EC, "d": flipped}, ec_, InvalidKeyError),
        ("EC d zero", "d is zero", "RFC 7518 §6.2.2.1", {**EC, "d": text(bytes(32))}, ec_, InvalidKeyError),
        ("EC d the order", "d is the order of the group", "RFC 7518 §6.2.2.1", {**EC, "d": number(order)}, ec_,
         InvalidKeyError),
        ("Ed25519 halves", "d does not belong to x", OURS, {**ED, "d": text(bytes(range(32)))}, ed, InvalidKeyError),
        ("RSA d", "d is of another key", "RFC 8017 §3.2", {**sound, "d": other["d"]}, rs, InvalidKeyError),
        ("RSA n", "n is of another key", "RFC 8017 §3.2", {**sound, "n": other["n"]}, rs, MalformedKeyError),
        ("EC public", "a public key, to sign with", "RFC 7515 §5.1", public(EC), ec_, NotExportableError),
    ):  # fmt: skip
        yield Case(f"signing: {name}", fault, rule, "sign", good._replace(key=bad), good, error)


def _texts() -> Iterator[Case]:
    """JSON of a key that is not strict JSON, or of something else."""
    sound = json.dumps(EC)
    good = Given("", sound.encode(), ["ES256"])
    inner = sound[1:-1]
    for name, fault, rule, bad in (
        ("empty", "nothing", "RFC 7517 §4", b""),
        ("array", "an array of a key", "RFC 7517 §4", f"[{sound}]".encode()),
        ("two keys", "a second key after it", "RFC 8259 §2", (sound + sound).encode()),
        ("set", "a JWK Set where one key is expected", "RFC 7517 §4", f'{{"keys":[{sound}]}}'.encode()),
        ("byte order mark", "a byte order mark", "RFC 8259 §8.1, may", b"\xef\xbb\xbf" + sound.encode()),
        ("d twice", "d twice", "RFC 7517 §4, may", f'{{"d":"{text(bytes(31) + b"a")}",{inner}}}'.encode()),
        ("twice inside", "a member twice inside a member", OURS, f'{{{inner},"x-":{{"a":1,"a":2}}}}'.encode()),
        ("NaN", "a number that JSON does not have", "RFC 8259 §9, may", f'{{{inner},"x-":NaN}}'.encode()),
        ("90000 levels", "90000 levels", OURS, f'{{{inner},"x-":{"[" * 45_000}{"]" * 45_000}}}'.encode()),
        ("too large", "more than 65536 bytes", OURS, f'{{{inner},"x-":"{"a" * 66_000}"}}'.encode()),
        ("no UTF-8", "a byte that is not UTF-8", "RFC 8259 §8.1", f'{{{inner},"x-":"'.encode() + b'\xff"}'),
    ):
        yield Case(f"JWK: {name}", fault, rule, "import", good._replace(key=bad), good, MalformedKeyError)


def _members() -> Iterator[Case]:
    rs = sound_rsa()
    large = text(b"\xff" * 2048)
    size, minimal = "RFC 7518 §6.2.1.2", "RFC 7518 §2"
    rows: tuple[tuple[str, str, str, Jwk, Jwk, type[KeywrightError]], ...] = (
        ("no kty", "no kty", "RFC 7517 §4.1", without(EC, "kty"), EC, MalformedKeyError),
        ("kty number", "kty is a number", "RFC 7517 §4.1", {**EC, "kty": 7}, EC, MalformedKeyError),
        ("kty in capitals", "kty is OCT", "RFC 7517 §4.1", {**OCT, "kty": "OCT"}, OCT, UnsupportedKeyError),
        ("curve of another kty", "EC on Ed25519", "RFC 7518 §6.2.1.1", {**EC, "crv": "Ed25519"}, EC,
         UnsupportedKeyError),
        ("EC off its curve", "x and y are not a point of the curve", "RFC 7518 §6.2.1", {**public(EC), "y": EC["x"]},
         public(EC), InvalidKeyError),
        ("EC at the origin", "x and y are zero", "RFC 7518 §6.2.1",
         {**public(EC), "x": text(bytes(32)), "y": text(bytes(32))}, public(EC), InvalidKeyError),
        ("EC x beyond the field", "x is larger than the field", "RFC 7518 §6.2.1",
         {**public(EC), "x": text(b"\xff" * 32)}, public(EC), InvalidKeyError),
        ("EC x short", "x without its first byte", size, {**public(EC), "x": text(octets(EC["x"])[1:])}, public(EC),
         MalformedKeyError),
        ("EC x long", "x with a zero before it", size, {**public(EC), "x": text(b"\0" + octets(EC["x"]))}, public(EC),
         MalformedKeyError),
        ("EC d long", "d with a zero before it", "RFC 7518 §6.2.2.1", {**EC, "d": text(b"\0" + octets(EC["d"]))}, EC,
         MalformedKeyError),
        ("EC no y", "no y", "RFC 7518 §6.2.1.3", without(public(EC), "y"), public(EC), MalformedKeyError),
        ("EC halves", "d does not belong to x and y", OURS, {**EC, "d": text(bytes(31) + b"\1")}, EC, InvalidKeyError),
        ("x padded", "x padded with =", "RFC 7515 §2", {**public(EC), "x": EC["x"] + "="}, public(EC),
         MalformedKeyError),
        ("k in the other alphabet", "k with + and /", "RFC 7515 §2", {**OCT, "k": _standard(OCT["k"])}, OCT,
         MalformedKeyError),
        ("k line feed", "k with a line feed inside", "RFC 7515 §2", {**OCT, "k": OCT["k"][:8] + "\n" + OCT["k"][8:]},
         OCT, MalformedKeyError),
        ("k junk", "k with characters of no alphabet", "RFC 7515 §2", {**OCT, "k": "!*!*" + OCT["k"]}, OCT,
         MalformedKeyError),
        ("k number", "k is a number", "RFC 7518 §6.4.1", {**OCT, "k": 7}, OCT, MalformedKeyError),
        ("no k", "no k", "RFC 7518 §6.4.1", without(OCT, "k"), OCT, MalformedKeyError),
        ("oct with n", "a secret with the modulus of an RSA key", OURS, {**OCT, "n": rs["n"], "e": "AQAB"}, OCT,
         MalformedKeyError),
        ("Ed25519 x short", "x of 31 bytes", "RFC 8032 §5.1.5", {**public(ED), "x": text(octets(ED["x"])[:31])},
         public(ED), MalformedKeyError),
        ("Ed25519 halves", "d does not belong to x", OURS, {**ED, "d": text(bytes(range(32)))}, ED, InvalidKeyError),
        ("RSA n zero before", "n with a zero before it", minimal, {**public(rs), "n": text(b"\0" + octets(rs["n"]))},
         public(rs), MalformedKeyError),
        ("RSA e even", "e is even", "RFC 8017 §3.1", {**public(rs), "e": number(65538)}, public(rs),
         MalformedKeyError),
        ("RSA e one", "e is one", "RFC 8017 §3.1", {**public(rs), "e": number(1)}, public(rs), MalformedKeyError),
        ("RSA n of 16384 bits", "n of 16384 bits", OURS, {**public(rs), "n": large}, public(rs), UnsupportedKeyError),
        ("RSA d alone", "d without the primes", OURS, without(rs, "p", "q", "dp", "dq", "qi"), rs, MalformedKeyError),
        ("RSA p without q", "p without q", "RFC 7518 §6.3.2", without(rs, "q"), rs, MalformedKeyError),
        ("RSA p and q", "p and q are of another key", "RFC 8017 §3.2", {**rs, "p": rs["dp"]}, rs, MalformedKeyError),
        ("RSA dp", "dp of another d", "RFC 8017 §3.2", {**rs, "dp": rs["dq"]}, rs, InvalidKeyError),
        ("RSA of 1024 bits", "1024 bits", "RFC 7518 §3.3", rsa_jwk(rsa_key(1024)), rs, InvalidKeyError),
        ("alg of another kty", "alg says RS256, of a secret", "RFC 7517 §4.4, intent", {**OCT, "alg": "RS256"}, OCT,
         MalformedKeyError),
        ("use against alg", "use says encryption, and alg HS256", "RFC 7517 §4.2, intent", {**OCT, "use": "enc"}, OCT,
         MalformedKeyError),
        ("key_ops twice", "an operation twice", "RFC 7517 §4.3", {**OCT, "key_ops": ["sign", "sign"]}, OCT,
         MalformedKeyError),
        ("key_ops against use", "use says signatures, and key_ops encryption", "RFC 7517 §4.3",
         {**without(OCT, "alg"), "use": "sig", "key_ops": ["encrypt"]}, OCT, MalformedKeyError),
        ("key_ops text", "key_ops is a text", "RFC 7517 §4.3", {**OCT, "key_ops": "sign"}, OCT, MalformedKeyError),
        ("kid number", "kid is a number", "RFC 7517 §4.5", {**OCT, "kid": 7}, OCT, MalformedKeyError),
    )  # fmt: skip
    for name, fault, rule, bad, good, error in rows:
        algorithm = [str(good["alg"])]
        yield Case(f"JWK: {name}", fault, rule, "import", Given("", bad, algorithm), Given("", good, algorithm), error)


def _standard(spelt: str) -> str:
    return spelt.replace("-", "+").replace("_", "/")
