"""Narinfos: parsed strictly, written back byte for byte, and the fingerprint that signatures cover."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import example, given, strategies as st
from nix_signing import refusal
from support.errors import text_of

import keywright_nix
from keywright.errors import FormatError
from keywright_nix.narinfo import (
    MAXIMUM_BYTES,
    MAXIMUM_SIGNATURES,
    NarInfo,
    Parts,
    line_to_append,
    read_fast_path,
    read_lines,
)
from keywright_nix.store_path import encode_base32

PATH = "/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin"
HASH = "0ix4jahrkll5zg01wandq78jw3ab30q4nscph67rniqg5x7r0j59"
ONE = "0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0"
TWO = "6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115"
DERIVER = "5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0.drv"
# The example of Nix's own manual page and unit tests for `.narinfo` is built like this one.
TEXT = f"""StorePath: {PATH}
URL: nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz
Compression: xz
FileHash: sha256:1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3
FileSize: 4029176
NarHash: sha256:{HASH}
NarSize: 196040
References: {TWO} {ONE} {TWO}
Deriver: {DERIVER}
Sig: b-1:xyz
CA: fixed:r:sha256:{HASH}
"""
FINGERPRINT = f"1;{PATH};sha256:{HASH};196040;/nix/store/{ONE},/nix/store/{TWO}".encode()


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


def test_what_is_read() -> None:
    info = NarInfo.parse(TEXT)

    assert (info.store_path, info.nar_size, info.references) == (PATH, 196040, (TWO, ONE, TWO))
    assert encode_base32(info.nar_hash).decode() == HASH
    assert info.signatures == ("b-1:xyz",)
    assert (info.field("Deriver"), info.field("Nothing")) == (DERIVER, None)
    assert repr(info) == f"<narinfo of {PATH}>"


def test_the_fingerprint_has_each_reference_once_and_sorted() -> None:
    """`1;PATH;sha256:BASE32;SIZE;REFERENCES`, however the references stand in the file."""
    assert NarInfo.parse(TEXT).fingerprint() == FINGERPRINT
    assert NarInfo.parse(changed(f"{TWO} {ONE} {TWO}", f"{ONE} {TWO}")).fingerprint() == FINGERPRINT
    assert NarInfo.parse(changed(f"{TWO} {ONE} {TWO}", "")).fingerprint() == FINGERPRINT.rpartition(b";")[0] + b";"


def test_a_hash_may_be_spelled_in_three_ways() -> None:
    raw = NarInfo.parse(TEXT).nar_hash

    for spelled in (f"sha256:{raw.hex()}", f"sha256-{b64encode(raw).decode()}"):
        assert NarInfo.parse(changed(f"NarHash: sha256:{HASH}", f"NarHash: {spelled}")).fingerprint() == FINGERPRINT


def test_a_value_may_hold_what_parts_it_from_its_name() -> None:
    """A field ends at its line's end, whatever stands in it."""
    info = NarInfo.parse("X-Note: one: two: three\n" + TEXT)

    assert info.field("X-Note") == "one: two: three"
    assert info.store_path == PATH


def test_the_largest_there_may_be() -> None:
    rest = MAXIMUM_BYTES - len(TEXT) - len("X: \n")

    assert NarInfo.parse(f"{TEXT}X: {'x' * rest}\n").fingerprint() == FINGERPRINT


def test_references_are_in_the_directory_of_the_store_path() -> None:
    info = NarInfo.parse(changed("/nix/store/", "/gnu/store/"))

    assert info.fingerprint() == FINGERPRINT.replace(b"/nix/store/", b"/gnu/store/")


def test_what_was_not_changed_is_written_as_it_was() -> None:
    data = b"X-One: 1\nX-One:  2\n" + TEXT.encode() + b"X-Two: \xff\n"

    assert NarInfo.parse(data).render() == data
    assert NarInfo.parse(data).with_signatures(["b-1:xyz"]).render() == data


def test_signatures_stand_where_the_first_stood_sorted_as_texts() -> None:
    """`a-1:` comes before `a:`, each once."""
    info = NarInfo.parse(TEXT).with_signatures(["b:2", "a:1", "b-1:xyz", "a-1:0", "a:1"])

    assert info.render().decode() == changed("Sig: b-1:xyz\n", "Sig: a-1:0\nSig: a:1\nSig: b-1:xyz\nSig: b:2\n")
    assert info.signatures == ("a-1:0", "a:1", "b-1:xyz", "b:2")
    assert info.fingerprint() == FINGERPRINT


def test_the_first_signatures_stand_before_the_content_address_or_last() -> None:
    """There Nix writes them."""
    without = changed("Sig: b-1:xyz\n", "")
    last = without.replace(f"CA: fixed:r:sha256:{HASH}\n", "")

    assert NarInfo.parse(without).with_signatures(["b-1:xyz"]).render().decode() == TEXT
    assert NarInfo.parse(last).with_signatures(["a:1"]).render().decode() == last + "Sig: a:1\n"
    assert NarInfo.parse(TEXT).with_signatures([]).render().decode() == without


ADDRESS = f"CA: fixed:r:sha256:{HASH}"
CUT = "x: the narinfo is incomplete: its last line does not end; fetch it again"
NO_FIELD = "is not a field; a field is a name, a colon, a space and a value"
NO_SIZE = "is not a size in bytes: plain digits, below 2 to the 64th, and no 0"
# By what is changed: the line and the rule that refuses it, and what is refused there.
REFUSED = {
    "Compression: xz": (
        f"3: {NO_FIELD}",
        ["Compression", "Compression:xz", ": xz", " Compression: xz", "Sig:xb-1: xyz: "],
    ),
    f"StorePath: {PATH}": (
        "1: StorePath is not a store path",
        [
            f"StorePath: {path}"
            for path in (
                *(PATH.removeprefix("/nix/store/"), PATH.removeprefix("/"), PATH[:44], f"{PATH}/bin", f"{PATH} "),
                *(f"{PATH}/", PATH + "x" * (211 - len("curl-7.82.0-bin") + 1), PATH.replace("/nix/store", "")),
                *(PATH.replace("syd", odd) for odd in ("eyd", "sy")),
                *(PATH.replace("curl", odd) for odd in (".-", "cu,rl", "cürl")),
                PATH.replace("curl-7.82.0-bin", ".."),
                *(PATH.replace("/nix", odd) for odd in ("/nix/..", "/n,ix", "/n;ix", "/nix/.")),
                *(PATH.replace("/store", odd) for odd in ("/..", "/.", "/st\x1bore")),
            )
        ],
    ),
    f"NarHash: sha256:{HASH}": (
        "6: NarHash is not a SHA-256 in base32, hexadecimal or SRI",
        [
            f"NarHash: {value}"
            for value in (
                *(HASH, "", f"sha1:{HASH}", f"sha512:{HASH}", f"sha256:{HASH[:-1]}", f"sha256:{HASH}0"),
                *(f"sha256:e{HASH[1:]}", f"sha256:2{HASH[1:]}", "sha256:" + "A" * 64, "sha256:" + "g" * 64),
                *("sha256-" + "A" * 43, "sha256-" + "A" * 42 + "B=", f"sha256-{HASH}", "sha512:" + "0" * 103),
                "sha256-" + "A" * 42 + "\0A=",
                *(f"sha256:{HASH[:9]}{odd}{HASH[10:]}" for odd in "_eoutA+ "),
            )
        ],
    ),
    "NarSize: 196040": (
        f"7: NarSize {NO_SIZE}",
        [f"NarSize: {value}" for value in ("", "0", "-1", "+1", "01", "1.0", "1_0", " 1", "١", str(2**64), "9" * 5000)],
    ),
    "FileSize: 4029176": (f"5: FileSize {NO_SIZE}", ["FileSize: many"]),
    "FileHash: sha256:1w": (
        "4: FileHash is not a hash in base32, hexadecimal or SRI",
        ["FileHash: sha256:ew", "FileHash: sha224:1w"],
    ),
    f"{TWO} {ONE} {TWO}": (
        "8: References has a reference that is not a store path's name",
        [
            *(f"{ONE}  {TWO}", f"{ONE} ", f" {ONE}", f"/nix/store/{ONE}", "x", f"{ONE},{TWO}", f"{ONE}\t{TWO}"),
        ],
    ),
    DERIVER: ("9: Deriver is not a store path's name", ["xxxxxx"]),
    "URL: nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz": ("2: URL is empty", ["URL: "]),
    ADDRESS: (
        "11: CA is not a content address of Nix's",
        [
            f"CA: {value}"
            for value in (
                *("", "x", "text:", "fixed:", f"sha256:{HASH}", f"text:{HASH}", f"text:r:sha256:{HASH}"),
                *(
                    f"text:sha256:{HASH[:-1]}",
                    f"text:sha256:2{HASH[1:]}",
                    f"text:sha256:{HASH} ",
                    f" text:sha256:{HASH}",
                ),
                *("text:md5:" + "0" * 26, "text:sha1:" + "0" * 32, "text:sha512:" + "0" * 103),
                *(f"fixed:{HASH}", f"fixed:x:sha256:{HASH}", f"fixed:r:r:sha256:{HASH}", f"fixed:git:r:sha256:{HASH}"),
                *("fixed:git:md5:" + "0" * 26, "fixed:git:sha512:" + "0" * 103, f"fixed:r:sha1:{HASH}"),
                *(f"fixed:sha257:{HASH}", "fixed:r:sha256-" + "A" * 43 + "=", f"fixed:r:sha256:{HASH}:"),
                f"Fixed:r:sha256:{HASH}",
            )
        ],
    ),
    "xz\nFile": ("4: is empty", ["xz\n\nFile"]),
}


@pytest.mark.parametrize("old", REFUSED, ids=lambda old: old.partition(":")[0][:12])
def test_a_malformed_line_is_refused_with_its_number(old: str) -> None:
    rule, replacements = REFUSED[old]
    for new in replacements:
        with refusal(FormatError, f"x:{rule}; fetch the narinfo again", new):
            NarInfo.parse(changed(old, new), where="x")


def test_what_is_no_narinfo_is_refused() -> None:
    lines = TEXT.splitlines(keepends=True)
    cases = {
        "": CUT,
        TEXT[:-1]: CUT,
        TEXT.replace("\n", "\r\n"): "x:1: has a carriage return; convert its line ends to LF",
        changed("xz\nFile", "xz\r\nFile"): "x:3: has a carriage return; convert its line ends to LF",
        TEXT + "\n": "x:12: is empty; fetch the narinfo again",
        changed(f"Deriver: {DERIVER}", "System: x\nSystem: x"): (
            "x:10: has the field System twice; remove the wrong one"
        ),
        "A" * (MAXIMUM_BYTES + 1): f"x: has more than {MAXIMUM_BYTES} bytes; this is not a narinfo",
    }
    for line in lines:
        name = line.partition(":")[0]
        if name != "Sig":
            cases[TEXT + line] = f"x:12: has the field {name} twice; remove the wrong one"
        if name in ("StorePath", "URL", "NarHash", "NarSize", "References"):
            cases[TEXT.replace(line, "")] = f"x: the field {name} is missing; fetch the narinfo again"

    assert len(cases) == 7 + 10 + 5
    for text, message in cases.items():
        with refusal(FormatError, message, text[:80]):
            NarInfo.parse(text, where="x")


def test_what_nix_takes_too_is_read() -> None:
    file_hash = "FileHash: sha256:1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3"
    for old, new in (
        ("FileSize: 4029176", "FileSize: 0"),
        (f"Deriver: {DERIVER}", "Deriver: unknown-deriver"),
        *(("curl-7.82.0-bin", name) for name in (".hidden", "...", "+-._?=09azAZ", "x" * 211)),
        ("/nix/store", "/!#$%&'()*+-.09:<=>?@AZ[]^_`az{|}~/..."),
        ("/nix/store", "/n"),
        ("NarSize: 196040", f"NarSize: {2**64 - 1}"),
        (f"{file_hash}\n", ""),
        (file_hash, "FileHash: md5:" + "0" * 32),
        (f"{ADDRESS}\n", ""),
        *((ADDRESS, f"CA: {kind}:{HASH}") for kind in ("text:sha256", "fixed:sha256", "fixed:git:sha256")),
        (ADDRESS, f"CA: fixed:r:blake3:{HASH}"),
        *((ADDRESS, f"CA: {kind}:" + "0" * 32) for kind in ("fixed:git:sha1", "fixed:r:sha1")),
        (ADDRESS, "CA: fixed:r:md5:" + "0" * 26),
        (ADDRESS, "CA: fixed:sha1:" + "a" * 40),
        (ADDRESS, "CA: fixed:r:sha512:" + "0" * 103),
        (ADDRESS, "CA: text:sha256:" + "0" * 64),
    ):
        assert NarInfo.parse(changed(old, new)).render().decode() == changed(old, new)


LINES = st.lists(st.sampled_from([*TEXT.splitlines(), "", " ", "Sig: ", "\0"]))


@given(data=st.binary() | LINES.map(lambda lines: "\n".join([*lines, ""]).encode()))
def test_any_bytes_are_a_narinfo_or_refused(data: bytes) -> None:
    try:
        info = NarInfo.parse(data)
    except FormatError as error:
        messages = text_of(error).splitlines()
    else:
        messages = [""]
        assert info.render() == data

    assert len(messages) == 1


def test_the_package_has_the_public_names() -> None:
    assert keywright_nix.NarInfo is NarInfo
    assert callable(keywright_nix.verify_signature)
    assert callable(keywright_nix.realisation_fingerprint)
    with refusal(AttributeError, "module 'keywright_nix' has no attribute 'nothing'"):
        keywright_nix.nothing  # type: ignore[attr-defined]  # noqa: B018  (that it is asked for is the test)


# The fast path: never another answer than the line parser's.

HASH_BYTES = b"1ix4jahrkll5zg01wandq78jw3ab30q4nscph67rniqg5x7r0j59"
BASE_NAME = b"syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0"
OTHER_NAME = b"6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34"
BARE = (
    b"StorePath: /nix/store/%b\nURL: nar/x.nar.xz\nCompression: xz\nFileHash: sha256:%b\nFileSize: 0\n"
    b"NarHash: sha256:%b\nNarSize: 120\nReferences: %b %b\nDeriver: %b.drv\nSystem: x86_64-linux\n"
) % (BASE_NAME, HASH_BYTES, HASH_BYTES, OTHER_NAME, BASE_NAME, BASE_NAME)
SIGNED = BARE + b"Sig: b-1:x\nSig: a-1:y\n"
MINIMAL = b"StorePath: /s/%b\nURL: x\nNarHash: sha256:%b\nNarSize: 1\nReferences: \n" % (BASE_NAME, HASH_BYTES)
FIXED = b"CA: fixed:r:sha256:%b\n" % HASH_BYTES
FROM_TEXT = b"CA: text:sha256:%b\n" % HASH_BYTES

# What sits at the borders of the rules, to stand in the place of a piece of a narinfo.
PIECES = [
    *(b"", b"\n", b"\r", b" ", b": ", b"\0", b"\xff", b"/", b"//", b".", b"..", b"/./", b"/../", b";", b","),
    *(b"-.", b"-..", b"-.-x", b"-..-x", b"-.x", b"-" + b"x" * 211, b"-" + b"x" * 212, b"e", b"u", b"A", b"~"),
    *(b"0", b"00", b"01", b"2", b"9" * 19, b"9" * 20, b"18446744073709551615", b"18446744073709551616", b"+1", b"1_0"),
    *(b"sha256:", b"sha256-", b"sha512:", b"unknown-deriver", b"a" * 64, b"/nix/store", b"/nix/store/x", b"/gnu"),
    *(b"Sig: ", b"Sig: z\n", b"CA: x\n", b"CA: ", b"X: y\n", b"System: z\n", b"URL: x\n", b"Deriver: \n"),
    *(b"text", b"fixed", b"git", b"r", b"fixed:r", b"fixed:git", b"r:git", b"nar:", b"sha1", b"sha256", b"md5", b"::"),
    *(BASE_NAME, OTHER_NAME, HASH_BYTES, b"2" + HASH_BYTES[1:], BASE_NAME + b" " + OTHER_NAME),
]


def slowly(data: bytes) -> Parts | None:
    """The line parser's answer; None where it refuses."""
    try:
        return read_lines(data, "x")
    except FormatError:
        return None


@st.composite
def narinfos(draw: st.DrawFn) -> bytes:
    """A narinfo in which one or two words are replaced by pieces, whole or in part, and maybe a line is moved."""
    data = draw(st.sampled_from([BARE, SIGNED, SIGNED + FIXED, SIGNED + FROM_TEXT, MINIMAL]))
    for _ in range(draw(st.integers(1, 2))):
        words = [*re.finditer(rb"[^\n /:-]+", data)]
        start, end = draw(st.sampled_from(words)).span()
        piece = draw(st.sampled_from(PIECES))
        start, end = draw(st.sampled_from([(start, end), (start, start), (end, end), (end, end + 1), (start - 1, end)]))
        data = data[: max(start, 0)] + piece + data[end:]
    if draw(st.integers(0, 4)) == 0:
        lines = data.splitlines(keepends=True)
        line = lines.pop(draw(st.integers(0, len(lines) - 1)))
        lines.insert(draw(st.integers(0, len(lines))), line)
        data = b"".join(lines)
    return data


@given(narinfos() | st.binary())
@example(BARE.replace(b"/nix/store/", b"/./"))
@example(BARE.replace(b"/nix/store/", b"/nix/store/x/../"))
@example(BARE.replace(b"/nix/store/", b"/"))
@example(BARE.replace(b"curl", b".."))
@example(BARE.replace(b"NarHash: sha256:1", b"NarHash: sha256:2"))
@example(BARE.replace(b"FileSize: 0", b"FileSize: 00"))
@example(BARE.replace(b"NarSize: 120", b"NarSize: 0"))
@example(BARE.replace(b"NarSize: 120", b"NarSize: " + b"9" * 20))
@example(BARE.replace(b"FileSize: 0", b"FileSize: " + b"9" * 20))
@example(MINIMAL.replace(b"curl-7.82.0", b"x" * 212))
@example(BARE.replace(b"/nix/store/", b"/nix;/store/"))
@example(BARE[:-1])
@example(SIGNED + b"\0\0")
@example(BARE.replace(b"URL: nar/x.nar.xz", b"URL: "))
@example(BARE + FROM_TEXT.replace(b"text:", b"text:r:"))
@example(BARE + FROM_TEXT.replace(HASH_BYTES, HASH_BYTES[1:]))
@example(BARE + b"CA: \n")
@example(BARE + b"Sig: x\n" * (MAXIMUM_SIGNATURES + 1))
def test_both_readers_agree(data: bytes) -> None:
    assert read_fast_path(data) in (None, slowly(data))


def test_what_nix_writes_takes_the_fast_path() -> None:
    for data in (
        *(BARE, SIGNED, SIGNED + FIXED, BARE + FIXED, SIGNED + FROM_TEXT, MINIMAL),
        *(BARE + FIXED.replace(b":r:", kind) for kind in (b":", b":git:")),
        BARE.replace(b"/nix/store", b"/home/me/.store/x"),
        BARE.replace(b"curl", b".curl"),
        BARE.replace(b"Deriver: " + BASE_NAME + b".drv", b"Deriver: unknown-deriver"),
    ):
        found = read_fast_path(data)

        assert found is not None, data
        assert found == slowly(data), data


@pytest.mark.parametrize("tail", [b"", FIXED], ids=["last", "before the content address"])
def test_a_thousand_signatures_are_the_most(tail: bytes) -> None:
    """So many take the fast path; one more is refused with its line, and of a million no more are looked at."""
    data = BARE + b"Sig: x\n" * 1000

    found = read_fast_path(data + tail)
    assert found == slowly(data + tail)
    assert found is not None
    assert (len(found[1]), found[0], found[2]) == (1000, BARE, tail)

    for more in (1, 1_000_000):
        assert read_fast_path(data + b"Sig: x\n" * more + tail) is None
        with refusal(
            FormatError,
            "x:1011: is a signature after 1000 others, more than a narinfo may have; fetch the narinfo again",
        ):
            read_lines(data + b"Sig: x\n" * more + tail, "x")


SIGNATURES = ["a-1:x", "a-1:", "a-1:y", "a-2:x", "a-1", "a", "b-1:x", "", ":", "z", "\udcff:x"]


def signed_slowly(data: bytes, name: str) -> bytes | None:
    """What parsing and rendering make of it if no signature has the name yet; None if it is refused, or one has."""
    if slowly(data) is None:
        return None
    info = NarInfo.parse(data)
    if any(text.startswith(f"{name}:") for text in info.signatures):
        return None
    return info.with_signatures({*info.signatures, f"{name}:" + "MTIz"}).render()


@given(
    st.one_of(narinfos(), st.sampled_from([BARE, SIGNED, MINIMAL, BARE + FIXED])),
    st.lists(st.sampled_from(SIGNATURES), max_size=3),
    st.sampled_from(["a-1", "a-2", "b", "zz", "\udcff"]),
)
def test_a_line_to_append_is_what_parsing_and_rendering_add(data: bytes, signatures: list[str], name: str) -> None:
    data += b"".join(b"Sig: %b\n" % text.encode(errors="surrogateescape") for text in signatures)
    seen = []

    def sign(message: bytes) -> bytes:
        seen.append(message)
        return b"123"

    line = line_to_append(data, name, sign, b"")

    assert line is None or data + line == signed_slowly(data, name)
    assert seen == ([] if line is None else [NarInfo.parse(data).fingerprint()])


def test_where_a_line_is_appended() -> None:
    """At the very end of a narinfo as Nix writes it, in the order of the signatures, and nowhere else."""
    one, two = BARE + b"Sig: a-1:x\n", BARE + b"Sig: a-1:x\nSig: b-1:x\n"
    appended = [(BARE, "a-1"), (MINIMAL, "a-1"), (one, "a-2"), (two, "b-2")]
    signed = [(one, "a-1"), (BARE + b"Sig: a-1:\n", "a-1")]
    elsewhere = [(BARE + b"Sig: b-1:x\n", "a-1"), (SIGNED, "z-1"), (one + b"Sig: a-1:x\n", "z-1")]
    unusual = [(data, "a-1") for data in (BARE + FIXED, BARE + b"X: y\n", BARE + b"\0\0", BARE[:-1])]

    for data, name in (*appended, *signed, *elsewhere, *unusual):
        line = line_to_append(data, name, lambda _: b"123", b"/nix/store" if b"/nix" in data else b"/s")

        assert line == (b"Sig: %b:MTIz\n" % name.encode() if (data, name) in appended else None), data


def test_no_line_for_another_store() -> None:
    """A path of another store than the cache's is left to the line parser, after which it is refused."""
    for store in (b"/nix", b"/nix/store/", b"/nix/stor", b"/nix/store/x", b"/"):
        assert line_to_append(BARE, "a-1", lambda _: b"123", store) is None
