"""The short way to read a narinfo that is as Nix writes it: never another answer than the long way's."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keywright.errors import FormatError
from keywright_nix.narinfo import MAXIMUM_SIGNATURES, NarInfo, Parts, line_to_append, read_fast_path, read_lines

HASH = b"1ix4jahrkll5zg01wandq78jw3ab30q4nscph67rniqg5x7r0j59"
NAME = b"syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0"
OTHER = b"6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34"
BARE = (
    b"StorePath: /nix/store/%b\nURL: nar/x.nar.xz\nCompression: xz\nFileHash: sha256:%b\nFileSize: 0\n"
    b"NarHash: sha256:%b\nNarSize: 120\nReferences: %b %b\nDeriver: %b.drv\nSystem: x86_64-linux\n"
) % (NAME, HASH, HASH, OTHER, NAME, NAME)
SIGNED = BARE + b"Sig: b-1:x\nSig: a-1:y\n"
MINIMAL = b"StorePath: /s/%b\nURL: x\nNarHash: sha256:%b\nNarSize: 1\nReferences: \n" % (NAME, HASH)
ADDRESS = b"CA: fixed:r:sha256:%b\n" % HASH
TEXT = b"CA: text:sha256:%b\n" % HASH

# What sits at the borders of the rules, to stand in the place of a piece of a narinfo.
PIECES = [
    *(b"", b"\n", b"\r", b" ", b": ", b"\0", b"\xff", b"/", b"//", b".", b"..", b"/./", b"/../", b";", b","),
    *(b"-.", b"-..", b"-.-x", b"-..-x", b"-.x", b"-" + b"x" * 211, b"-" + b"x" * 212, b"e", b"u", b"A", b"~"),
    *(b"0", b"00", b"01", b"2", b"9" * 19, b"9" * 20, b"18446744073709551615", b"18446744073709551616", b"+1", b"1_0"),
    *(b"sha256:", b"sha256-", b"sha512:", b"unknown-deriver", b"a" * 64, b"/nix/store", b"/nix/store/x", b"/gnu"),
    *(b"Sig: ", b"Sig: z\n", b"CA: x\n", b"CA: ", b"X: y\n", b"System: z\n", b"URL: x\n", b"Deriver: \n"),
    *(b"text", b"fixed", b"git", b"r", b"fixed:r", b"fixed:git", b"r:git", b"nar:", b"sha1", b"sha256", b"md5", b"::"),
    *(NAME, OTHER, HASH, b"2" + HASH[1:], NAME + b" " + OTHER),
]


def slowly(data: bytes) -> Parts | None:
    """The long way's answer; None where it refuses."""
    try:
        return read_lines(data, "x")
    except FormatError:
        return None


@st.composite
def narinfos(draw: st.DrawFn) -> bytes:
    """A narinfo in which one or two words are replaced by pieces, whole or in part, and maybe a line is moved."""
    data = draw(st.sampled_from([BARE, SIGNED, SIGNED + ADDRESS, SIGNED + TEXT, MINIMAL]))
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
@example(BARE + TEXT.replace(b"text:", b"text:r:"))
@example(BARE + TEXT.replace(HASH, HASH[1:]))
@example(BARE + b"CA: \n")
@example(BARE + b"Sig: x\n" * (MAXIMUM_SIGNATURES + 1))
def test_both_ways_agree(data: bytes) -> None:
    """What the short way reads at all it reads as the long way does."""
    assert read_fast_path(data) in (None, slowly(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BARE, id="no signature"),
        pytest.param(SIGNED, id="signatures"),
        pytest.param(SIGNED + ADDRESS, id="content-addressed"),
        pytest.param(BARE + ADDRESS, id="content-addressed, no signature"),
        pytest.param(SIGNED + TEXT, id="a text"),
        pytest.param(BARE + ADDRESS.replace(b":r:", b":"), id="a file"),
        pytest.param(BARE + ADDRESS.replace(b":r:", b":git:"), id="a tree of Git's"),
        pytest.param(MINIMAL, id="the fewest fields"),
        pytest.param(BARE.replace(b"/nix/store", b"/home/me/.store/x"), id="another store"),
        pytest.param(BARE.replace(b"curl", b".curl"), id="a name with a dot in front"),
        pytest.param(BARE.replace(b"Deriver: " + NAME + b".drv", b"Deriver: unknown-deriver"), id="no deriver"),
    ],
)
def test_what_nix_writes_goes_the_short_way(data: bytes) -> None:
    """The usual narinfos are read the short way, and alike."""
    found = read_fast_path(data)

    assert found is not None
    assert found == slowly(data)


@pytest.mark.parametrize("tail", [b"", ADDRESS], ids=["last", "before the content address"])
def test_a_thousand_signatures_are_the_most(tail: bytes) -> None:
    """So many go the short way; one more is refused with its line, and of a million no more are looked at."""
    data = BARE + b"Sig: x\n" * 1000

    found = read_fast_path(data + tail)
    assert found == slowly(data + tail)
    assert found is not None
    assert (len(found[1]), found[0], found[2]) == (1000, BARE, tail)

    for more in (1, 1_000_000):
        assert read_fast_path(data + b"Sig: x\n" * more + tail) is None
        with pytest.raises(FormatError) as caught:
            read_lines(data + b"Sig: x\n" * more + tail, "x")
        assert str(caught.value) == (
            "x:1011: is a signature after 1000 others, more than a narinfo may have; fetch the narinfo again"
        )


SIGNATURES = ["a-1:x", "a-1:", "a-1:y", "a-2:x", "a-1", "a", "b-1:x", "", ":", "z", "\udcff:x"]


def signed_anew(data: bytes, name: str) -> bytes | None:
    """What the long way makes of it where nothing is under the name yet; None where it refuses, or something is."""
    if slowly(data) is None:
        return None
    info = NarInfo.parse(data)
    if any(text.startswith(f"{name}:") for text in info.signatures):
        return None
    return info.with_signatures({*info.signatures, f"{name}:" + "MTIz"}).render()


@given(
    st.one_of(narinfos(), st.sampled_from([BARE, SIGNED, MINIMAL, BARE + ADDRESS])),
    st.lists(st.sampled_from(SIGNATURES), max_size=3),
    st.sampled_from(["a-1", "a-2", "b", "zz", "\udcff"]),
)
def test_a_line_to_append_is_what_the_long_way_adds(data: bytes, signatures: list[str], name: str) -> None:
    """Where a line is given, the narinfo and that line are what parsing, signing and rendering make of it."""
    data += b"".join(b"Sig: %b\n" % text.encode(errors="surrogateescape") for text in signatures)
    seen = []

    def sign(message: bytes) -> bytes:
        seen.append(message)
        return b"123"

    line = line_to_append(data, name, sign, b"")

    assert line is None or data + line == signed_anew(data, name)
    assert seen == ([] if line is None else [NarInfo.parse(data).fingerprint()])


@pytest.mark.parametrize(
    ("data", "name", "is_last"),
    [
        pytest.param(BARE, "a-1", True, id="no signature yet"),
        pytest.param(MINIMAL, "a-1", True, id="few fields"),
        pytest.param(BARE + b"Sig: a-1:x\n", "a-2", True, id="the next key"),
        pytest.param(BARE + b"Sig: a-1:x\nSig: b-1:x\n", "b-2", True, id="after two"),
        pytest.param(BARE + b"Sig: a-1:x\n", "a-1", False, id="signed already"),
        pytest.param(BARE + b"Sig: a-1:\n", "a-1", False, id="signed already with nothing"),
        pytest.param(BARE + b"Sig: b-1:x\n", "a-1", False, id="goes before"),
        pytest.param(SIGNED, "z-1", False, id="not sorted"),
        pytest.param(BARE + b"Sig: a-1:x\n" * 2, "z-1", False, id="one twice"),
        pytest.param(BARE + ADDRESS, "a-1", False, id="before a content address"),
        pytest.param(BARE + b"X: y\n", "a-1", False, id="unusual"),
        pytest.param(BARE + b"\0\0", "a-1", False, id="zeros"),
        pytest.param(BARE[:-1], "a-1", False, id="cut short"),
    ],
)
def test_where_a_line_is_appended(data: bytes, name: str, is_last: bool) -> None:
    """At the very end of a usual narinfo, in the order of the signatures, and nowhere else."""
    line = line_to_append(data, name, lambda _: b"123", b"/nix/store" if b"/nix" in data else b"/s")

    assert line == (b"Sig: %b:MTIz\n" % name.encode() if is_last else None)


@pytest.mark.parametrize("store", [b"/nix", b"/nix/store/", b"/nix/stor", b"/nix/store/x", b"/"])
def test_no_line_for_another_store(store: bytes) -> None:
    """A path of another store than the cache's goes the long way, which refuses it."""
    assert line_to_append(BARE, "a-1", lambda _: b"123", store) is None
