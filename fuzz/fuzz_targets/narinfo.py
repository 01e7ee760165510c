"""Narinfos by both readings and what is made of them, `trusted-public-keys`, realisations, `nix-cache-info`."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from random import Random

from fuzz_targets.contract import attempt, check_sentence, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.nix import nix_reads
from fuzz_targets.target import Target
from keywright.errors import FormatError
from keywright_nix.cache import store_dir_of
from keywright_nix.ed25519 import is_sound_point
from keywright_nix.narinfo import NarInfo, read_fast_path, read_lines
from keywright_nix.realisation import realisation_fingerprint
from keywright_nix.signature import judge, sentence
from keywright_nix.store_path import is_path_fingerprint
from keywright_nix.trusted import parse_trusted

__all__ = ["TARGET"]

_WHERE = "x.narinfo"
_FIELDS = b"\n".join(
    b"StorePath URL Compression FileHash FileSize NarHash NarSize References Deriver System CA".split()
)
_LONG_BASE64 = re.compile("[0-9A-Za-z+/]{41}")


def check(data: bytes) -> None:
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
    require(len(info.nar_hash) == 32 and info.nar_size > 0, "a hash or size that is none")
    for signatures in ([], ["b-1:x", "a-1:y", "b-1:x"], [*info.signatures][:-1]):
        _check_signed(info, signatures)
    verdict = judge(info.fingerprint(), info.signatures, _KEYS)
    require(set(verdict.holding) >= info.verify(_TRUSTED), "what is read strictly holds, and leniently it does not")
    require(sentence(verdict, 9).isprintable(), "what is said of a narinfo is more than a line")


def _check_signed(info: NarInfo, signatures: list[str]) -> None:
    made = info.with_signatures(signatures)
    again = NarInfo.parse(made.render())
    encoded = sorted({text.encode(errors="surrogateescape") for text in signatures})
    require([text.encode(errors="surrogateescape") for text in again.signatures] == encoded, "other signatures")
    require(again.fingerprint() == info.fingerprint(), "signatures change what is signed")
    require(again.with_signatures(signatures).render() == made.render(), "the same change again changes more")
    require(_other_lines(made) == _other_lines(info), "a line that is no signature was changed")


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
    expected = {name: raw for name, raw in first.items() if is_sound_point(raw) and _is_text(name)}
    require({name.encode(): raw for name, raw in trusted.keys.items()} == expected, "Nix trusts other keys")
    require(bool(trusted.warnings) or len(expected) == len(words), "a key is left out in silence")


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_signatures(document: dict[str, object]) -> dict[str, object]:
    value = document.get("value")
    kept = {name: inner for name, inner in document.items() if name != "signatures"}
    return kept if not isinstance(value, dict) else {**kept, "value": {"outPath": value["outPath"]}}


def mutate(data: bytes, random: Random) -> bytes | None:
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
_KEYS = parse_trusted(_TRUSTED[0]).keys
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

TARGET = Target(
    check,
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
    mutate=mutate,
)
