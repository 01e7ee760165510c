"""Encrypted tokens with one fault, made by hand."""

from __future__ import annotations

import hmac
import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hostile_tokens.case import OURS, Case, Given
from hostile_tokens.sound import EC, X25519, Jwk, octets, rsa_key, sound_rsa, text, without

from keywright.errors import (
    ExpiredTokenError,
    InvalidKeyError,
    InvalidSignatureError,
    KeywrightError,
    MalformedTokenError,
    PolicyError,
)

CONTENT_KEY = bytes(range(32))
WRAPPING_KEY = bytes(range(1, 17))
PLAINTEXT = b'{"sub":"a"}'
IV = bytes(range(12))
EPHEMERAL = 7  # as good a scalar as any for a key that is used once


class Parts(NamedTuple):
    """The segments of a token, decoded but for the first."""

    first: str
    encrypted_key: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes

    def compact(self) -> str:
        """The token."""
        return ".".join((self.first, *map(text, self[1:])))


def header(**members: object) -> bytes:
    """JSON."""
    return json.dumps(members, separators=(",", ":")).encode()


def with_gcm(head: bytes, plaintext: bytes = PLAINTEXT, key: bytes = CONTENT_KEY, wrapped: bytes = b"") -> Parts:
    """AES-GCM over the content; `wrapped` is how the key comes along."""
    first = text(head)
    made = AESGCM(key).encrypt(IV, plaintext, first.encode())
    return Parts(first, wrapped, IV, made[:-16], made[-16:])


def with_cbc(head: bytes, padded: bytes, key: bytes = CONTENT_KEY) -> Parts:
    """AES-CBC and HMAC-SHA-256 over a content that has its padding already, if it is to have any."""
    first, iv = text(head), bytes(range(16))
    encryptor = Cipher(algorithms.AES(key[16:]), modes.CBC(iv)).encryptor()
    made = encryptor.update(padded) + encryptor.finalize()
    message = first.encode() + iv + made + (len(first) * 8).to_bytes(8)
    return Parts(first, b"", iv, made, hmac.digest(key[:16], message, "sha256")[:16])


def padded(plaintext: bytes = PLAINTEXT) -> bytes:
    """PKCS#7."""
    room = 16 - len(plaintext) % 16
    return plaintext + bytes([room]) * room


def kw(head: bytes, content_key: bytes = CONTENT_KEY, wrapping_key: bytes = WRAPPING_KEY) -> Parts:
    """AES Key Wrap."""
    return with_gcm(head, key=CONTENT_KEY, wrapped=aes_key_wrap(wrapping_key, content_key))


def gcmkw(tag_bytes: int = 16, **changed: object) -> Parts:
    """AES-GCM over the key too."""
    made = AESGCM(WRAPPING_KEY).encrypt(IV, CONTENT_KEY, None)
    members: dict[str, Any] = {"iv": text(IV), "tag": text(made[32 : 32 + tag_bytes]), **changed}
    head = header(alg="A128GCMKW", enc="A256GCM", **{n: v for n, v in members.items() if v != ""})
    return with_gcm(head, wrapped=made[:32])


def oaep(head: bytes) -> Parts:
    """RSA-OAEP with SHA-256."""
    how = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    return with_gcm(head, wrapped=rsa_key().public_key().encrypt(CONTENT_KEY, how))


def rsa1_5(head: bytes) -> Parts:
    """RSAES-PKCS1-v1_5."""
    return with_gcm(head, wrapped=rsa_key().public_key().encrypt(CONTENT_KEY, padding.PKCS1v15()))


def ephemeral_p256() -> Jwk:
    """The public half of the ephemeral key."""
    numbers = ec.derive_private_key(EPHEMERAL, ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": text(numbers.x.to_bytes(32)), "y": text(numbers.y.to_bytes(32))}


def agreed(epk: Jwk, shared: bytes | None = None, **more: object) -> Parts:
    """ECDH-ES with the P-256 key of the table; `shared` where it is not what the ephemeral key makes of it."""
    if shared is None:
        own = ec.derive_private_key(int.from_bytes(octets(EC["d"])), ec.SECP256R1())
        shared = ec.derive_private_key(EPHEMERAL, ec.SECP256R1()).exchange(ec.ECDH(), own.public_key())
    return _by_agreement(shared, header(alg="ECDH-ES", enc="A256GCM", epk=epk, **more))


def agreed_on_x25519(their_public: bytes) -> Parts:
    """ECDH-ES on X25519."""
    private = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    epk = {"kty": "OKP", "crv": "X25519", "x": text(private.public_key().public_bytes_raw())}
    shared = private.exchange(X25519PublicKey.from_public_bytes(their_public))
    return _by_agreement(shared, header(alg="ECDH-ES", enc="A256GCM", epk=epk))


def forced_on_x25519(point: bytes) -> Parts:
    """ECDH-ES with an ephemeral point of low order, where both sides agree on zeros."""
    epk = {"kty": "OKP", "crv": "X25519", "x": text(point)}
    return _by_agreement(bytes(32), header(alg="ECDH-ES", enc="A256GCM", epk=epk))


def _by_agreement(shared: bytes, head: bytes) -> Parts:
    info = len(b"A256GCM").to_bytes(4) + b"A256GCM" + bytes(8) + (256).to_bytes(4)
    return with_gcm(head, key=ConcatKDFHash(SHA256(), 32, info).derive(shared))


_DIR = header(alg="dir", enc="A256GCM")
_CBC = header(alg="dir", enc="A128CBC-HS256")
_KW = header(alg="A128KW", enc="A256GCM")
_OAEP = header(alg="RSA-OAEP-256", enc="A256GCM")
_PARTS = with_gcm(_DIR)
_KEY: Jwk = {"kty": "oct", "k": text(CONTENT_KEY)}
_WRAPPING: Jwk = {"kty": "oct", "k": text(WRAPPING_KEY)}
_GOOD = Given(_PARTS.compact(), _KEY, ["dir", "A256GCM"])
_GOOD_CBC = Given(with_cbc(_CBC, padded()).compact(), _KEY, ["dir", "A128CBC-HS256"])
_GOOD_KW = Given(kw(_KW).compact(), _WRAPPING, ["A128KW", "A256GCM"])
_GOOD_GCMKW = Given(gcmkw().compact(), _WRAPPING, ["A128GCMKW", "A256GCM"])
_GOOD_EC = Given(agreed(ephemeral_p256()).compact(), without(EC, "alg"), ["ECDH-ES", "A256GCM"])
_GOOD_X = Given(agreed_on_x25519(octets(X25519["x"])).compact(), X25519, ["ECDH-ES", "A256GCM"])


def encrypted_cases() -> Iterator[Case]:
    """Each decrypts but for its fault."""
    yield from _spellings()
    yield from _headers()
    yield from _lengths()
    yield from _changed()
    yield from _keys_that_come_along()
    yield from _agreements()
    yield from _contents()
    yield from _given_keys()


def _spellings() -> Iterator[Case]:
    parts = str(_GOOD.token).split(".")
    for name, fault, rule, bad in (
        ("four segments", "no tag and no dot before it", "RFC 7516 §7.1", ".".join(parts[:4])),
        ("six segments", "a segment more", "RFC 7516 §7.1", ".".join((*parts, parts[4]))),
        ("padding", "a tag padded with =", "RFC 7515 §2", ".".join((*parts[:4], parts[4] + "=="))),
        ("line feed", "a line feed inside the ciphertext", "RFC 7515 §2",
         ".".join((*parts[:3], parts[3][:4] + "\n" + parts[3][4:], parts[4]))),
        ("junk", "characters of no alphabet inside the tag", "RFC 7515 §2",
         ".".join((*parts[:4], parts[4][:4] + "!*!*" + parts[4][4:]))),
    ):  # fmt: skip
        yield _case(name, fault, rule, bad, _GOOD)
    tail = parts[4][:-1] + chr(ord(parts[4][-1]) + 1)
    yield _case("spare bits", "a bit of the tag's text set that spells nothing", "RFC 4648 §3.5, may",
                ".".join((*parts[:4], tail)), _GOOD)  # fmt: skip


def _headers() -> Iterator[Case]:
    inner = _DIR[1:-1]
    for name, fault, rule, head in (
        ("alg twice", "alg twice, the first RSA1_5", "RFC 7516 §4, may", b'{"alg":"RSA1_5",%s}' % inner),
        ("NaN", "a number that JSON does not have", "RFC 7516 §5.2", b'{%s,"x":NaN}' % inner),
        ("90000 levels", "90000 levels", OURS, b'{%s,"x":%s%s}' % (inner, b"[" * 45_000, b"]" * 45_000)),
        ("crit unknown", "crit names an unknown member", "RFC 7516 §4.1.13",
         header(alg="dir", enc="A256GCM", crit=["urn:x"], **{"urn:x": 1})),
        ("crit empty", "crit is empty", "RFC 7516 §4.1.13, producer", header(alg="dir", enc="A256GCM", crit=[])),
        ("no enc", "no enc", "RFC 7516 §4.1.2", header(alg="dir")),
        ("enc array", "enc is an array of a right one", "RFC 7516 §4.1.2", header(alg="dir", enc=["A256GCM"])),
        ("no alg", "no alg", "RFC 7516 §4.1.1", header(enc="A256GCM")),
        ("alg none", "alg none", "RFC 8725 §3.2", header(alg="none", enc="A256GCM")),
        ("kid number", "kid is a number", "RFC 7516 §4.1.6", header(alg="dir", enc="A256GCM", kid=7)),
        ("epk with dir", "a member of another alg (epk)", OURS,
         header(alg="dir", enc="A256GCM", epk=ephemeral_p256())),
        ("p2c with dir", "a member of another alg (p2c)", OURS, header(alg="dir", enc="A256GCM", p2c=1)),
    ):  # fmt: skip
        yield _case(name, fault, rule, with_gcm(head).compact(), _GOOD)
    for name, content in (("zip", PLAINTEXT), ("zip of 16 MiB", b'{"sub":"%s"}' % (b"a" * (16 << 20)))):
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        squeezed = compressor.compress(content) + compressor.flush()
        bad = with_gcm(header(alg="dir", enc="A256GCM", zip="DEF"), squeezed).compact()
        rule = OURS if name == "zip" else "RFC 8725 §3.6, should"
        yield _case(name, "compressed" if name == "zip" else "16 MiB, compressed to 16 KiB", rule, bad, _GOOD)
    many = b'{"sub":"%s"}' % (b"a" * 250_000)
    yield _case("too large", "more than 262144 bytes", OURS, with_gcm(_DIR, many).compact(), _GOOD)
    narrow = header(alg="dir", enc="A128GCM")
    yield _case("other enc", "another enc than is allowed", "RFC 8725 §3.1",
                with_gcm(narrow, key=CONTENT_KEY[:16]).compact(),
                _GOOD, error=InvalidSignatureError)  # fmt: skip
    yield _case("other alg", "another alg than is allowed", "RFC 8725 §3.1",
                with_gcm(header(alg="A128KW", enc="A256GCM"), wrapped=bytes(40)).compact(), _GOOD,
                error=InvalidSignatureError)  # fmt: skip
    iterations = header(alg="PBES2-HS256+A128KW", enc="A256GCM", p2s=text(bytes(16)), p2c=2**31 - 1)
    yield _case("p2c too high", "a key from a password, with 2147483647 rounds", "RFC 8725 §3.2",
                with_gcm(iterations, wrapped=bytes(40)).compact(), _GOOD_KW, error=InvalidSignatureError)  # fmt: skip


def _lengths() -> Iterator[Case]:
    for size in (0, 4, 8, 12, 15):
        bad = _PARTS._replace(tag=_PARTS.tag[:size]).compact()
        yield _case(f"GCM tag of {size} bytes", f"a tag cut to {size} bytes", "RFC 7518 §5.3", bad, _GOOD)
    yield _case("GCM tag of 17 bytes", "a byte after the tag", "RFC 7518 §5.3",
                _PARTS._replace(tag=_PARTS.tag + b"\0").compact(), _GOOD)  # fmt: skip
    first = text(_DIR)
    for size in (8, 16):
        made = AESGCM(CONTENT_KEY).encrypt(bytes(size), PLAINTEXT, first.encode())
        yield _case(f"GCM IV of {size} bytes", f"an IV of {size} bytes, and encrypted so", "RFC 7518 §5.3",
                    Parts(first, b"", bytes(size), made[:-16], made[-16:]).compact(), _GOOD)  # fmt: skip
    cbc = with_cbc(_CBC, padded())
    for name, fault, rule, changed in (
        ("CBC tag of 8 bytes", "half of the tag", "RFC 7518 §5.2.2.2", cbc._replace(tag=cbc.tag[:8])),
        ("CBC no tag", "no tag", "RFC 7518 §5.2.2.2", cbc._replace(tag=b"")),
        ("CBC no ciphertext", "no ciphertext", "RFC 7518 §5.2.2.1", cbc._replace(ciphertext=b"")),
        ("CBC part of a block", "the ciphertext cut in a block", "RFC 7518 §5.2.2.1",
         cbc._replace(ciphertext=cbc.ciphertext[:15])),
    ):  # fmt: skip
        yield _case(name, fault, rule, changed.compact(), _GOOD_CBC)


def _changed() -> Iterator[Case]:
    cbc = with_cbc(_CBC, padded())
    for name, fault, rule, bad, good in (
        ("GCM tag changed", "a bit of the tag", "RFC 7518 §5.3", _PARTS._replace(tag=_flipped(_PARTS.tag)), _GOOD),
        ("GCM ciphertext changed", "a bit of the ciphertext", "RFC 7518 §5.3",
         _PARTS._replace(ciphertext=_flipped(_PARTS.ciphertext)), _GOOD),
        ("GCM IV changed", "a bit of the IV", "RFC 7518 §5.3", _PARTS._replace(iv=_flipped(IV)), _GOOD),
        ("GCM header changed", "the header, spelt otherwise", "RFC 7516 §5.2",
         _PARTS._replace(first=text(b'{"alg": "dir","enc":"A256GCM"}')), _GOOD),
        ("CBC tag changed", "a bit of the tag", "RFC 7518 §5.2.2.2", cbc._replace(tag=_flipped(cbc.tag)), _GOOD_CBC),
        ("CBC IV changed", "a bit of the IV", "RFC 7518 §5.2.2.2", cbc._replace(iv=_flipped(cbc.iv)), _GOOD_CBC),
        ("CBC ciphertext changed", "a bit of the ciphertext", "RFC 7518 §5.2.2.2",
         cbc._replace(ciphertext=_flipped(cbc.ciphertext)), _GOOD_CBC),
        ("CBC padding", "padding that is not valid, under a tag that holds", "RFC 7518 §5.2.2.2",
         with_cbc(_CBC, PLAINTEXT + b"\1\2\3\4\0"), _GOOD_CBC),
        ("CBC padding of zeros", "sixteen zeros for padding, under a tag that holds", "RFC 7518 §5.2.2.2",
         with_cbc(_CBC, PLAINTEXT + bytes(5)), _GOOD_CBC),
    ):  # fmt: skip
        yield _case(name, fault, rule, bad.compact(), good, error=InvalidSignatureError)


def _keys_that_come_along() -> Iterator[Case]:
    whole = kw(_KW)
    for name, fault, rule, bad, good, error in (
        ("dir with a key", "an encrypted key where there is to be none", "RFC 7516 §5.2",
         with_gcm(_DIR, wrapped=bytes(40)), _GOOD, MalformedTokenError),
        ("KW changed", "a bit of the wrapped key", "RFC 7518 §4.4",
         whole._replace(encrypted_key=_flipped(whole.encrypted_key)), _GOOD_KW, InvalidSignatureError),
        ("KW of 128 bits", "a key of half the size wrapped", "RFC 7516 §5.2", kw(_KW, CONTENT_KEY[:16]), _GOOD_KW,
         MalformedTokenError),
        ("KW empty", "no wrapped key", "RFC 7518 §4.4", whole._replace(encrypted_key=b""), _GOOD_KW,
         MalformedTokenError),
        ("KW other", "wrapped with another key", "RFC 7518 §4.4", kw(_KW, wrapping_key=bytes(16)), _GOOD_KW,
         InvalidSignatureError),
        ("GCMKW tag of 4 bytes", "the key's tag cut to 4 bytes", "RFC 7518 §4.7.1.2", gcmkw(4), _GOOD_GCMKW,
         MalformedTokenError),
        ("GCMKW no tag", "no tag for the key", "RFC 7518 §4.7.1.2", gcmkw(tag=""), _GOOD_GCMKW, MalformedTokenError),
        ("GCMKW no IV", "no IV for the key", "RFC 7518 §4.7.1.1", gcmkw(iv=""), _GOOD_GCMKW, MalformedTokenError),
        ("GCMKW other tag", "another tag for the key", "RFC 7518 §4.7.1.2", gcmkw(tag=text(bytes(16))), _GOOD_GCMKW,
         InvalidSignatureError),
    ):  # fmt: skip
        yield _case(name, fault, rule, bad.compact(), good, error=error)
    rsa = Given(oaep(_OAEP).compact(), sound_rsa(alg="RSA-OAEP-256"), ["RSA-OAEP-256", "A256GCM"])
    made = oaep(_OAEP)
    for name, fault, rule, bad in (
        ("RSA changed", "a bit of the encrypted key", "RFC 8017 §7.1.2",
         made._replace(encrypted_key=_flipped(made.encrypted_key))),
        ("RSA1_5", "RSA1_5, which is not allowed", "RFC 8725 §3.1", rsa1_5(header(alg="RSA1_5", enc="A256GCM"))),
    ):  # fmt: skip
        yield _case(name, fault, rule, bad.compact(), rsa, error=InvalidSignatureError)


def _agreements() -> Iterator[Case]:
    epk = ephemeral_p256()
    off = {**epk, "x": epk["y"], "y": epk["x"]}
    section = "RFC 7518 §4.6.1.1"
    for name, fault, rule, bad, error in (
        ("epk off its curve", "an ephemeral point of another curve (invalid curve attack)", "RFC 8725 §3.4",
         agreed(off), MalformedTokenError),
        ("epk private", "an ephemeral key with its secret half", section,
         agreed({**epk, "d": text((7).to_bytes(32))}), MalformedTokenError),
        ("epk on another curve", "an ephemeral key on another curve than the key", section,
         agreed({"kty": "OKP", "crv": "X25519", "x": X25519["x"]}), InvalidSignatureError),
        ("epk text", "an ephemeral key as a text", section, agreed(json.dumps(epk)), MalformedTokenError),  # type: ignore[arg-type]  # (that is the fault)
        ("epk short", "a coordinate without its last byte", "RFC 7518 §6.2.1.2",
         agreed({**epk, "x": epk["x"][:-2]}), MalformedTokenError),
        ("apu", "apu that is not base64url", "RFC 7518 §4.6.1.2", agreed(epk, apu="!!!!"), MalformedTokenError),
        ("apv number", "apv that is a number", "RFC 7518 §4.6.1.3", agreed(epk, apv=7), MalformedTokenError),
    ):  # fmt: skip
        yield _case(name, fault, rule, bad.compact(), _GOOD_EC, error=error)
    bare = with_gcm(header(alg="ECDH-ES", enc="A256GCM"))
    yield _case("no epk", "no ephemeral key", section, bare.compact(), _GOOD_EC)
    fault = "an ephemeral point of low order, so that anybody knows the key"
    for name, point in (("zero", bytes(32)), ("one", b"\1" + bytes(31))):
        bad = forced_on_x25519(point)
        yield _case(f"X25519 epk {name}", fault, "RFC 8725 §3.4", bad.compact(), _GOOD_X, error=InvalidSignatureError)


def _contents() -> Iterator[Case]:
    for name, fault, rule, plaintext, error in (
        ("claims twice", "a claim twice", "RFC 7519 §4, may", b'{"sub":"a","sub":"b"}', MalformedTokenError),
        ("claims array", "an array instead of claims", "RFC 7519 §7.2", b'["sub"]', MalformedTokenError),
        ("exp has passed", "exp has passed", "RFC 7519 §4.1.4", b'{"exp":1}', ExpiredTokenError),
        ("exp a text", "exp is a text", "RFC 7519 §4.1.4", b'{"exp":"4000000000"}', MalformedTokenError),
    ):
        bad = _GOOD._replace(token=with_gcm(_DIR, plaintext).compact())
        yield Case(f"JWE {name}", fault, rule, "decrypt claims", bad, _GOOD, error)


def _given_keys() -> Iterator[Case]:
    for name, fault, rule, key, error in (
        ("key for signatures", "use says signatures", "RFC 7517 §4.2, intent", {**_KEY, "use": "sig"}, PolicyError),
        ("key that may not decrypt", "key_ops allows to encrypt alone", "RFC 7517 §4.3, intent",
         {**_KEY, "key_ops": ["encrypt"]}, PolicyError),
        ("key for another alg", "alg says another algorithm", "RFC 8725 §3.1", {**_KEY, "alg": "A256KW"}, PolicyError),
    ):  # fmt: skip
        yield Case(f"JWE {name}", fault, rule, "decrypt", _GOOD._replace(key=key), _GOOD, error)
    named = _GOOD._replace(token=with_gcm(header(alg="dir", enc="A256GCM", kid="a")).compact())
    single = named._replace(key={**_KEY, "kid": "a"})
    yield _case("kid another", "the token names another key than the one there is", OURS,
                with_gcm(header(alg="dir", enc="A256GCM", kid="b")).compact(), single,
                error=InvalidSignatureError)  # fmt: skip
    short = {"kty": "oct", "k": text(CONTENT_KEY[:16])}
    yield Case("JWE key too short", "a key of 128 bits for A256GCM", "RFC 7518 §5.3", "decrypt",
               _GOOD._replace(token=with_gcm(_DIR, key=CONTENT_KEY[:16]).compact(), key=short), _GOOD,
               InvalidKeyError)  # fmt: skip


def _case(
    name: str, fault: str, rule: str, bad: str, good: Given, error: type[KeywrightError] = MalformedTokenError
) -> Case:
    return Case(f"JWE {name}", fault, rule, "decrypt", good._replace(token=bad), good, error)


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
