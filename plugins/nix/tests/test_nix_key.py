"""The format `nix`: published keys, what it refuses and in which words, the lenient reading, and key names."""

from __future__ import annotations

import traceback
from base64 import b64decode, b64encode

import nix_messages as say
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nix_malformed import LENIENT, LENIENTLY_READ, NEVER, ODD_NAMES, STRICT, TVIX_PUBLIC
from nix_messages import NAME, PUBLIC, PUBLIC_TEXT, SECRET, TEXT
from nix_signing import refusal

from keywright import Attributes, Format, Key, LenientFormat, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright.testing import FormatContract, PluginContract, Sample
from keywright_nix.key import NixFormat, hides_key, looks_like_key

FORMAT = NixFormat()
RAW = b64decode(SECRET)

PUBLISHED = {
    NAME: (SECRET, PUBLIC),
    # NixOS/nix src/libutil-tests/local-keys.cc.
    "test1": (
        "jbX9NxZp8WB/coK8k7yLf0gNYmBbIbCrOFwgJgI7OV+0sASf4R5oFQlioSlN3bJ56uvshzr7S9Z75pcv+9hSkQ==",
        "tLAEn+EeaBUJYqEpTd2yeerr7Ic6+0vWe+aXL/vYUpE=",
    ),
    # TVL tvix nix-compat/src/narinfo/signing_keys.rs.
    "cache.example.org-1": (
        "ZJui+kG6vPCSRD4+p1P4DyUVlASmp/zsaeN84PTFW28tj2/PtQWvFWK6Mw+ay8kGif8AZkR5KosHLvuwlzDlgg==",
        "LY9vz7UFrxViujMPmsvJBon/AGZEeSqLBy77sJcw5YI=",
    ),
    # attic attic/src/signing/tests.rs; the public half is the second half of the payload.
    "attic-test": (
        "x326WFy/JUl+MQnN1u9NPdWQPBbcVn2mwoIqSLS3DmQqZ8qT8rBSxxEnyhtl3jDouBqodlyfq6F+HsVhbTYPMA==",
        "KmfKk/KwUscRJ8obZd4w6LgaqHZcn6uhfh7FYW02DzA=",
    ),
}


class TestNixFormat(FormatContract):
    """The samples are those of Nix's manual, and the default of its setting `trusted-public-keys`."""

    samples = (Sample(TEXT), Sample(PUBLIC_TEXT), Sample(f"cache.nixos.org-1:{TVIX_PUBLIC}".encode()))

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return FORMAT


class TestNixPlugin(PluginContract):
    """The plugin module."""

    module = "keywright_nix.plugin"


def key_of(name: str, secret: str = SECRET) -> Key:
    raw = b64decode(secret)
    return Key("ed25519", name, Secret(raw[:32]), raw[32:])


def read(data: bytes) -> Key | None:
    try:
        return FORMAT.decode(Secret(data), default_kid="")
    except MalformedKeyError:
        return None


def test_it_is_a_format_with_a_lenient_reading() -> None:
    """It fulfils both contracts, under the name `nix`, for ed25519 alone."""
    assert isinstance(FORMAT, Format)
    assert isinstance(FORMAT, LenientFormat)
    assert (FORMAT.name, FORMAT.key_types) == ("nix", ("ed25519",))


@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "line feed"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_secret_keys(name: str, end: str) -> None:
    """Published secret keys decode to seed and public half, and encode to the same text without a line feed."""
    secret, public = PUBLISHED[name]

    key = FORMAT.decode(Secret(f"{name}:{secret}{end}".encode()), default_kid="unused")

    assert key == key_of(name, secret)
    assert FORMAT.encode_secret(key).reveal() == f"{name}:{secret}".encode()
    assert FORMAT.encode_public(key) == f"{name}:{public}".encode()


@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "line feed"])
@pytest.mark.parametrize("name", [*PUBLISHED, "cache.nixos.org-1", "cheesecake"])
def test_published_public_keys(name: str, end: str) -> None:
    """Published public keys decode to a key without a secret half, and encode to the same text."""
    public = PUBLISHED.get(name, ("", TVIX_PUBLIC))[1]

    key = FORMAT.decode(Secret(f"{name}:{public}{end}".encode()), default_kid="unused")

    assert key == Key("ed25519", name, None, b64decode(public))
    assert FORMAT.encode_public(key) == f"{name}:{public}".encode()


def check_refusal(decode: object, data: bytes, message: str) -> None:
    assert callable(decode)
    with pytest.raises(MalformedKeyError) as caught:
        decode(Secret(data), default_kid="")

    assert str(caught.value) == message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("case", NEVER | STRICT)
def test_refusals(case: str) -> None:
    """Each thing that is no Nix key is refused in its own words, with no cause that could carry the input."""
    check_refusal(FORMAT.decode, *(NEVER | STRICT)[case])


@pytest.mark.parametrize("case", NEVER | LENIENT)
def test_what_no_lenience_helps(case: str) -> None:
    """What Nix cannot read either is refused in the words of the strict reading."""
    check_refusal(FORMAT.decode_lenient, *(NEVER | LENIENT)[case])


@pytest.mark.parametrize("decode", [FORMAT.decode, FORMAT.decode_lenient], ids=["strict", "lenient"])
def test_a_traceback_with_locals_shows_no_key(decode: object) -> None:
    """The local variables of our frames show no piece of the seed when a key is refused."""
    assert callable(decode)
    for case, (data, _) in (NEVER | STRICT | LENIENT).items():
        try:
            decode(Secret(data), default_kid="")
        except MalformedKeyError as error:
            ours = error.__traceback__.tb_next if error.__traceback__ else None
            shown = "".join(traceback.StackSummary.extract(traceback.walk_tb(ours), capture_locals=True).format())
            assert shown, case
            assert SECRET[:8] not in shown, case
            assert SECRET[12:20] not in shown, case


@pytest.mark.parametrize(("data", "name", "deviations"), LENIENTLY_READ.values(), ids=LENIENTLY_READ)
def test_lenient_reading(data: bytes, name: str, deviations: tuple[str, ...]) -> None:
    """The same key comes out whatever the deviation, and each deviation is reported."""
    assert FORMAT.decode_lenient(Secret(data), default_kid="") == (key_of(name), deviations)


def test_a_public_key_is_read_leniently_too() -> None:
    """A public key without its padding comes back as a key without a secret half."""
    decoded = FORMAT.decode_lenient(Secret(PUBLIC_TEXT[:-1]), default_kid="")

    assert decoded == (Key("ed25519", NAME, None, RAW[32:]), (say.PADDING_CHANGED,))


def test_names_that_nix_can_carry() -> None:
    """A name is any printing text without space and colon: Nix takes each of these."""
    for name in ("0", "a/b", "prod/jwt-1", "ssh-cache-1", "größe", "鍵-1", "🔑", "a=b", "a+b/c", "-a", "{}", "a'\"\\"):
        text = FORMAT.encode_secret(key_of(name))

        assert text.reveal() == f"{name}:{SECRET}".encode()
        assert read(text.reveal()) == key_of(name)


@pytest.mark.parametrize("encode", [FORMAT.encode_secret, FORMAT.encode_public], ids=["secret", "public"])
@pytest.mark.parametrize(
    ("kid", "rule"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("a:b", "holds a colon, and Nix takes the name to end at the first one", id="colon"),
        pytest.param("a\udcffb", "is no Unicode text", id="lone surrogate"),
        pytest.param("a\ud800", "is no Unicode text", id="first surrogate"),
        pytest.param("a\udfff", "is no Unicode text", id="last surrogate"),
    ],
)
def test_kids_that_nix_cannot_carry(encode: object, kid: str, rule: str) -> None:
    """A kid that Nix could not read back is refused on encoding, whichever half is asked for."""
    assert callable(encode)
    with refusal(
        UnsupportedKeyError, f"the kid of this key cannot be a Nix key name: it {rule}; choose one with --kid"
    ):
        encode(key_of(kid))


@pytest.mark.parametrize("what", ODD_NAMES)
def test_odd_kids_are_written_for_those_who_read_leniently(what: str) -> None:
    """A kid that Nix reads, but could never trust, is written as it is; only the lenient reading takes it back."""
    text = FORMAT.encode_secret(key_of(ODD_NAMES[what]))

    assert FORMAT.decode_lenient(text, default_kid="")[0] == key_of(ODD_NAMES[what])
    with refusal(MalformedKeyError, say.ODD_NAME):
        FORMAT.decode(text, default_kid="")


def test_keys_that_it_cannot_encode() -> None:
    """A key of another type, or without two halves of 32 bytes, is refused on encoding."""
    other_type = "the nix format carries ed25519 keys, and this one is of type x25519; use another format, such as jwk"
    no_public = "the public half of this key is not known, and a Nix key holds it; derive it first"
    seed, public = Secret(RAW[:32]), RAW[32:]
    for secret, half, message in (
        (None, public, "this key has no secret half to write as a Nix key; write its public half"),
        (Secret(RAW), public, "the secret half of this ed25519 key has 64 bytes; a Nix key needs a seed of 32"),
        (seed, RAW[33:], "the public half of this ed25519 key has 31 bytes; a Nix key needs 32"),
    ):
        with refusal(UnsupportedKeyError, message):
            FORMAT.encode_secret(Key("ed25519", "a", secret, half))
    for encode in (FORMAT.encode_secret, FORMAT.encode_public):
        with refusal(UnsupportedKeyError, other_type):
            encode(Key("x25519", "a", seed, public))
        with refusal(UnsupportedKeyError, no_public):
            encode(Key("ed25519", "a", seed, None))


def test_attributes_are_left_behind() -> None:
    """Attributes, which a Nix key has no place for, do not keep a key from being encoded."""
    bare = key_of(NAME)
    key = Key(bare.type, bare.kid, bare.secret, bare.public, Attributes({"use": "sig"}))

    assert (FORMAT.encode_secret(key).reveal(), FORMAT.encode_public(key)) == (TEXT, PUBLIC_TEXT)


def test_default_kids() -> None:
    """The version is counted behind the name; a name that ends in a number is the first of its count."""
    for name, version, kid in (
        ("cache.example.org", 1, "cache.example.org-1"),
        ("cache.example.org", 2, "cache.example.org-2"),
        ("cache.example.org", 12, "cache.example.org-12"),
        ("cache-5", 1, "cache-5"),
        ("cache-5", 2, "cache-6"),
        ("cache-9", 2, "cache-10"),
        ("cache-0", 1, "cache-0"),
        ("cache-0", 2, "cache-1"),
        ("cache-05", 1, "cache-05-1"),
        ("cache-00", 1, "cache-00-1"),
        ("cache-", 1, "cache--1"),
        ("cache-1a", 1, "cache-1a-1"),
        ("cache-1.5", 1, "cache-1.5-1"),
        ("a-1-2", 3, "a-1-4"),
        ("5", 2, "5-2"),
        ("prod/cache", 1, "prod/cache-1"),
        ("prod/cache-3", 2, "prod/cache-4"),
        ("prod-3/cache", 2, "prod-3/cache-2"),
    ):
        assert FORMAT.default_kid(name, version, key_of("")) == kid


def test_sniff() -> None:
    """It knows its own keys, slightly damaged ones too, and claims nothing else."""
    mine = [
        *(TEXT, TEXT + b"\n", PUBLIC_TEXT, f"a b:{SECRET}".encode()),
        TEXT[:-2] + b"\r\n",
        f"{NAME}:{PUBLIC[:-2]}X".encode(),
    ]
    others = [
        *(b"", SECRET.encode(), b"user:password", b"a:" + b"\xc3\xa9" * 43, b"-----BEGIN PRIVATE KEY-----\nMC4C\n"),
        b'{"k":"' + b"A" * 40 + b'"}',  # as long as a public key
    ]

    assert [data for data in [*mine, *others] if FORMAT.sniff(Secret(data))] == mine


# Laws over generated keys.

names = st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable() and " " not in name and ":" not in name)
halves = st.binary(min_size=32, max_size=32)
keys = st.builds(lambda name, seed, public: Key("ed25519", name, Secret(seed), public), names, halves, halves)


@given(keys)
def test_round_trip(key: Key) -> None:
    """What is encoded decodes to the same key, strictly and leniently, is sniffed, and public without its secret."""
    secret, public = FORMAT.encode_secret(key), FORMAT.encode_public(key)

    assert FORMAT.decode(secret, default_kid="") == key
    assert FORMAT.decode_lenient(secret, default_kid="") == (key, ())
    assert FORMAT.decode(Secret(public), default_kid="") == key.without_secret()
    assert FORMAT.sniff(secret)
    assert FORMAT.sniff(Secret(public))
    assert FORMAT.encode_public(key.without_secret()) == public


@given(st.one_of(st.binary(max_size=120), st.builds(lambda n, p: n + b":" + p, st.binary(), st.binary())))
def test_anything_at_all(data: bytes) -> None:
    """Any bytes are a key or a MalformedKeyError, in either reading, and nothing strict is refused leniently."""
    strict = read(data)
    try:
        lenient, deviations = FORMAT.decode_lenient(Secret(data), default_kid="")
    except MalformedKeyError:
        assert strict is None
    else:
        assert (strict is None) == bool(deviations)
        assert strict in (None, lenient)
    FORMAT.sniff(Secret(data))


@given(st.text(max_size=20), halves, halves)
def test_a_kid_is_refused_or_read_back(kid: str, seed: bytes, public: bytes) -> None:
    """Encoding refuses the kids that could not be read back; of the others, decoding refuses the odd ones."""
    key = Key("ed25519", kid, Secret(seed), public)

    try:
        text = FORMAT.encode_secret(key)
    except UnsupportedKeyError:
        assert kid == "" or ":" in kid
        return
    if " " in kid or not kid.isprintable():
        assert FORMAT.decode_lenient(text, default_kid="")[0] == key
        assert read(text.reveal()) is None
    else:
        assert FORMAT.decode(text, default_kid="") == key


@given(keys)
def test_no_truncation_is_the_same_key(key: Key) -> None:
    """Every truncation, at either end, is refused or another key."""
    text = FORMAT.encode_secret(key).reveal()

    for cut in range(1, len(text) + 1):
        assert read(text[:-cut]) is None
        assert read(text[cut:]) != key


@given(keys, st.integers(0, 255), st.booleans())
def test_no_other_text_is_the_same_key(key: Key, character: int, public: bool) -> None:
    """No change of one byte, and no insertion but the one line feed at the end, gives the same key."""
    text = FORMAT.encode_public(key) if public else FORMAT.encode_secret(key).reveal()
    wanted = key.without_secret() if public else key

    for place in range(len(text)):
        changed = text[:place] + bytes([character]) + text[place + 1 :]
        assert changed == text or read(changed) != wanted
        assert read(text[:place] + bytes([character]) + text[place:]) != wanted
    assert (read(text + bytes([character])) == wanted) == (character == ord("\n"))


# What may be a key where a name or a path is expected, and so is not to be shown.

DIGITS = "Aa0+/" * 9  # 45 of them


@given(seed=st.binary(min_size=32, max_size=80), name=st.text("abc.-", min_size=1))
def test_keys_look_like_keys(seed: bytes, name: str) -> None:
    """Whatever 32 bytes or more make, padded or not, behind a name or before one."""
    text = b64encode(seed).decode()

    for spelled in (text, text.rstrip("=")):
        assert hides_key(spelled)
        assert looks_like_key(f"{name}:{spelled}")
        assert looks_like_key(f"{spelled}:{name}")


def test_what_looks_like_a_key() -> None:
    """NAME:BASE64, with as many digits as a key has, on one of both sides."""
    like = [
        *(f"a:{DIGITS[:43]}", f":{DIGITS[:43]}", f"a:{DIGITS[:20]}\n{DIGITS[:23]}=\n", f"a:{DIGITS[:43]}=junk."),
        *(f"a:{DIGITS[:43]}= b:{DIGITS[:43]}=", f"{DIGITS[:41]}:x"),
    ]
    unlike = [
        *(f"a:{DIGITS[:42]}", f"a:{DIGITS[:42]}==", f"{DIGITS[:40]}:x", f"{DIGITS[:41]}:", DIGITS, f"a:{DIGITS}.pub"),
        *("a:" + "ä" * 43, "/etc/nix/secret-key", ""),
    ]

    assert [text for text in [*like, *unlike] if looks_like_key(text)] == like


def test_what_hides_a_key() -> None:
    """More than 40 digits of base64 in a row."""
    hiding = ["a" * 41, "a-1=" + "a" * 41 + "=,b", DIGITS[:41]]
    others = ["a" * 40, "a" * 40 + "=", "a" * 40 + "-" + "a" * 40, "=" * 41, "ä" * 41, "cache.example.org-1"]

    assert [name for name in [*hiding, *others] if hides_key(name)] == hiding
