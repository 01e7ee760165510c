"""Nix: keys, narinfos, trusted keys and realisations, against second readers written after Nix's own."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from random import Random
from typing import Final

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.target import Target
from keywright import Key, Secret, ed25519_point_problem
from keywright.errors import FormatError, InvalidKeyError, MalformedKeyError
from keywright_keytypes.okp import Ed25519
from keywright_nix.cache import store_dir_of
from keywright_nix.key import NixFormat, problem_in
from keywright_nix.narinfo import NarInfo, read_fast_path, read_lines
from keywright_nix.realisation import realisation_fingerprint
from keywright_nix.signature import judge, parse_trusted, sentence
from keywright_nix.store_path import is_path_fingerprint

_FORMAT = NixFormat()
_ED25519 = Ed25519()
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN = (b"-----BEGIN ", b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")


def check_key(data: bytes) -> None:
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
    whole = attempt(lambda: _ED25519.validate(key), InvalidKeyError, given=(_encoded(key),))
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


def mutate_key(data: bytes, random: Random) -> bytes:
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
_KEY = _ED25519.validate(Key("ed25519", "cache.example.org-1", Secret(_SEED)))


_WHERE = "x.narinfo"
_FIELDS = b"\n".join(
    b"StorePath URL Compression FileHash FileSize NarHash NarSize References Deriver System CA".split()
)
_LONG_BASE64 = re.compile("[0-9A-Za-z+/]{41}")


def check_narinfo(data: bytes) -> None:
    """Each reader refuses or reads; what is read is written as it was, and has one fingerprint."""
    _check_narinfo(data)
    _check_trusted(data)
    covered = attempt(lambda: realisation_fingerprint(data), FormatError, given=(data,))
    if covered is not None:
        require(realisation_fingerprint(covered) == covered, "a realisation's fingerprint has another one")
        require(json.loads(covered) == _without_signatures(json.loads(data)), "it covers another document")
    directory = attempt(lambda: store_dir_of(data), FormatError, given=(data,))
    require(not directory or directory in data, "a store directory from nowhere")


def _check_narinfo(data: bytes) -> None:
    slowly = attempt(lambda: read_lines(data, _WHERE), FormatError, given=(data,), shown=_FIELDS)
    require(read_fast_path(data) in (None, slowly), "the two ways to read a narinfo differ")
    info = attempt(lambda: NarInfo.parse(data, where=_WHERE), FormatError, given=(data,), shown=_FIELDS)
    require((info is None) == (slowly is None), "one way to read a narinfo refuses it")
    if info is None:
        return
    require(info.render() == data, "a narinfo is not written as it was")
    require(NarInfo.parse(data.decode(errors="surrogateescape")).render() == data, "its text is another narinfo")
    require(is_path_fingerprint(info.fingerprint()), "a fingerprint that is not spelled as Nix spells it")
    require(len(info.nar_hash) == 32 and info.nar_size > 0, "not a hash or a size")
    for signatures in ([], ["b-1:x", "a-1:y", "b-1:x"], [*info.signatures][:-1]):
        _check_signed(info, signatures)
    verdict = judge(info.fingerprint(), info.signatures, _TRUSTED_KEYS)
    require(set(verdict.holding) >= info.verify(_TRUSTED), "what is read strictly holds, and leniently it does not")
    require(sentence(verdict, 9).isprintable(), "what is said of a narinfo is more than a line")


def _check_signed(info: NarInfo, signatures: list[str]) -> None:
    made = info.with_signatures(signatures)
    again = NarInfo.parse(made.render())
    encoded = sorted({text.encode(errors="surrogateescape") for text in signatures})
    require([text.encode(errors="surrogateescape") for text in again.signatures] == encoded, "other signatures")
    require(again.fingerprint() == info.fingerprint(), "signatures change what is signed")
    require(again.with_signatures(signatures).render() == made.render(), "the same change again changes more")
    require(_other_lines(made) == _other_lines(info), "a line that is not a signature was changed")


def _other_lines(info: NarInfo) -> list[bytes]:
    return [line for line in info.render().split(b"\n") if not line.startswith(b"Sig: ")]


def _check_trusted(data: bytes) -> None:
    """The keys are those that Nix verifies under, as read by a second reader; no warning quotes a key."""
    text = data.decode(errors="surrogateescape")
    words = [word.encode(errors="surrogateescape") for word in re.split("[ \t\n\r]+", text) if word]
    trusted = parse_trusted(text)
    shown = b"\n".join(word.partition(b":")[0] for word in words if b":" in word)
    for warning in trusted.warnings:
        check_sentence(warning, (data,), shown)
        require(_LONG_BASE64.search(warning) is None, "a warning holds what may be a key")
    read = [nix_reads(word) for word in words]
    sound = [(name, raw) for name, raw in read if name and len(raw) == 32]
    require(trusted.malformed == len(words) - len(sound), "Nix refuses another number of keys")
    first: dict[bytes, bytes] = {}
    for name, raw in sound:
        first.setdefault(name, raw)
    accepted = {name: raw for name, raw in first.items() if ed25519_point_problem(raw, on_curve=False) is None}
    expected = {name: raw for name, raw in accepted.items() if _is_utf_8(name)}
    require({name.encode(): raw for name, raw in trusted.keys.items()} == expected, "Nix trusts other keys")
    require(bool(trusted.warnings) or len(expected) == len(words), "a key is left out in silence")


def _without_signatures(document: dict[str, object]) -> dict[str, object]:
    value = document.get("value")
    kept = {name: inner for name, inner in document.items() if name != "signatures"}
    return kept if not isinstance(value, dict) else {**kept, "value": {"outPath": value["outPath"]}}


def mutate_narinfo(data: bytes, random: Random) -> bytes | None:
    """Another text, with a word or a line in another's place."""
    if data.startswith(b"{"):
        return mutated_object(data, random, _MEMBERS)
    words = [*re.finditer(rb"[^\n /:-]+", data)]
    if not words:
        return None
    start, end = random.choice(words).span()
    at = random.choice((start, end))
    first, last = random.choice(((start, end), (at, at), (at, at + 1)))
    made = data[:first] + random.choice(_PIECES) + data[last:]
    if made and random.randrange(4) == 0:
        lines = made.splitlines(keepends=True)
        lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
        made = b"".join(lines)
    return made


_HASH = b"1ix4jahrkll5zg01wandq78jw3ab30q4nscph67rniqg5x7r0j59"
_NAME = b"syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0"
_OTHER = b"6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34"
_PUBLIC = "tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="  # Nix 2.8, manual page of convert-secret-to-public
_TRUSTED = [f"a-1:{_PUBLIC}"]
_TRUSTED_KEYS = parse_trusted(_TRUSTED[0]).keys
_BARE = (
    b"StorePath: /nix/store/%b\nURL: nar/x.nar.xz\nCompression: xz\nFileHash: sha256:%b\nFileSize: 0\n"
    b"NarHash: sha256:%b\nNarSize: 120\nReferences: %b %b\nDeriver: %b.drv\nSystem: x86_64-linux\n"
) % (_NAME, _HASH, _HASH, _OTHER, _NAME, _NAME)
_SIGNED = _BARE + b"Sig: b-1:x\nSig: a-1:" + b64encode(bytes(64)) + b"\nSig: a-1:" + b"A" * 86 + b"\n"
_OLD = {"dependentRealisations": {}, "id": f"sha256:{'0a' * 32}!out", "outPath": _NAME.decode(), "signatures": ["k:s"]}
_NEW = {"key": {"drvPath": f"{_NAME.decode()}.drv", "outputName": "out"}, "value": {"outPath": _NAME.decode()}}
_MEMBERS = ("signatures", "value", "key", "outPath", "drvPath", "outputName", "id", "dependentRealisations", "!out")
_PIECES = (
    *(b"", b"\n", b"\r", b" ", b": ", b"\0", b"\xff", b"/", b".", b"..", b"/../", b";", b",", b"#", b"=", b"A", b"e"),
    *(b"-.", b"-..", b"-..-x", b"-" + b"x" * 211, b"-" + b"x" * 212, b"0", b"01", b"2", b"9" * 20, b"%d" % 2**64),
    *(b"sha256:", b"sha256-", b"sha1", b"blake3", b"text", b"fixed", b"git", b"r:", b"unknown-deriver", b"a" * 64),
    *(b"Sig: ", b"Sig: z\n", b"CA: x\n", b"X: y\n", b"StoreDir: /x\n", b"URL: x\n", b"Deriver: \n", b"References: \n"),
    *(_NAME, _OTHER, _HASH, b"2" + _HASH[1:], _PUBLIC.encode(), b"a-1:" + _PUBLIC.encode(), b64encode(bytes(64))),
)


TARGETS: Final = {
    "nix": Target(
        check_key,
        seeds=(
            _encoded(_KEY),
            _encoded(_KEY.without_secret()),
            _encoded(_KEY).rstrip(b"=") + b"\n\n",
            _encoded(_KEY).replace(b":", b":\n"),
            b"a b:" + b64encode(_SEED),
            # The name holds a part of the secret, and is shown with escapes (a false alarm once).
            b"\n\0yhdqjZuMkvl6:" + b64encode(b64decode(b"AAP0yhdqjZuMkvl6") + bytes(52)),
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
            b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 a:b",
        ),
        words=(b":", b"=", b"==", b"\n", b"\r\n", b"-----BEGIN ", b"ssh-", b" AAAA", b"\xef\xbb\xbf", b"\xc3\xa4"),
        maximum_bytes=1024,
        mutate=mutate_key,
    ),
    "narinfo": Target(
        check_narinfo,
        seeds=(
            _BARE,
            _SIGNED,
            _SIGNED + b"CA: fixed:r:sha256:%b\n" % _HASH,
            _BARE + b"CA: text:sha256:%b\n" % _HASH,
            b"StorePath: /s/%b\nURL: x\nNarHash: sha256-%b\nNarSize: 1\nReferences: \n" % (_NAME, b64encode(bytes(32))),
            b"a-1:%b b-1:%b\n" % (_PUBLIC.encode(), b64encode(bytes(range(32)))),
            b"a-1:%b,b-1:%b a-1:%b" % (_PUBLIC.encode(), _PUBLIC.encode(), b64encode(bytes(32))),
            b"\xff:%b S%b:%b x" % (_PUBLIC.encode(), b64encode(bytes(32)), _PUBLIC.encode()),
            b"StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n",
            json.dumps(_OLD).encode(),
            json.dumps(_NEW).encode(),
        ),
        words=(*(word for word in _PIECES if word), b"Compression: ", b"NarSize: ", b'"signatures"', b"!out"),
        maximum_bytes=2048,
        mutate=mutate_narinfo,
    ),
}
