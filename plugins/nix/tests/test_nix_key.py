"""The format `nix`: published keys, what it refuses and in which words, the lenient reading, and key names."""

from __future__ import annotations

import traceback
from base64 import b64decode, b64encode

import nix_messages as say
import pytest
from hypothesis import given, strategies as st
from nix_malformed import LENIENT, LENIENTLY_READ, NEVER, ODD_NAMES, STRICT, TVIX_PUBLIC
from nix_messages import NAME, PUBLIC, PUBLIC_TEXT, SECRET, TEXT
from nix_signing import refusal
from support.errors import text_of

from keywright import Attributes, Format, Key, Secret
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
    **dict.fromkeys(("cache.nixos.org-1", "cheesecake"), ("", TVIX_PUBLIC)),  # public halves alone
}


class TestNixFormat(FormatContract):
    """The samples are those of Nix's manual, and the default of its setting `trusted-public-keys`."""

    samples = (Sample(TEXT), Sample(PUBLIC_TEXT), Sample(f"cache.nixos.org-1:{TVIX_PUBLIC}".encode()))

    @pytest.fixture
    def format(self) -> Format:
        return FORMAT


class TestNixPlugin(PluginContract):
    module = "keywright_nix.plugin"


def key_of(name: str, secret: str = SECRET) -> Key:
    raw = b64decode(secret)
    return Key("ed25519", name, Secret(raw[:32]), raw[32:])


def read(data: bytes) -> Key | None:
    try:
        return FORMAT.decode(Secret(data), default_kid="")
    except MalformedKeyError:
        return None


@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "line feed"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_keys(name: str, end: str) -> None:
    """They decode to both halves or to the public one, and encode to the same text without a line feed."""
    secret, public = PUBLISHED[name]
    bare = Key("ed25519", name, None, b64decode(public))

    assert FORMAT.decode(Secret(f"{name}:{public}{end}".encode()), default_kid="unused") == bare
    assert FORMAT.encode_public(bare) == f"{name}:{public}".encode()
    if secret:
        key = FORMAT.decode(Secret(f"{name}:{secret}{end}".encode()), default_kid="unused")
        assert key == key_of(name, secret)
        assert FORMAT.encode_secret(key).reveal() == f"{name}:{secret}".encode()
        assert FORMAT.encode_public(key) == f"{name}:{public}".encode()


def check_refusal(decode: object, data: bytes, message: str) -> None:
    assert callable(decode)
    with pytest.raises(MalformedKeyError) as caught:
        decode(Secret(data), default_kid="")

    assert text_of(caught.value) == message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("case", NEVER | STRICT)
def test_refusals(case: str) -> None:
    check_refusal(FORMAT.decode, *(NEVER | STRICT)[case])


@pytest.mark.parametrize("case", NEVER | LENIENT)
def test_what_no_lenience_helps(case: str) -> None:
    """What Nix cannot read either is refused in the words of the strict reading."""
    check_refusal(FORMAT.decode_lenient, *(NEVER | LENIENT)[case])


@pytest.mark.parametrize("decode", [FORMAT.decode, FORMAT.decode_lenient], ids=["strict", "lenient"])
def test_a_traceback_with_locals_shows_no_key(decode: object) -> None:
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
    assert FORMAT.decode_lenient(Secret(data), default_kid="") == (key_of(name), deviations)


def test_a_public_key_is_read_leniently_too() -> None:
    decoded = FORMAT.decode_lenient(Secret(PUBLIC_TEXT[:-1]), default_kid="")

    assert decoded == (Key("ed25519", NAME, None, RAW[32:]), (say.PADDING_CHANGED,))


def test_names_that_nix_can_carry() -> None:
    for name in ("0", "a/b", "prod/jwt-1", "ssh-cache-1", "größe", "鍵-1", "🔑", "a=b", "a+b/c", "-a", "{}", "a'\"\\"):
        text = FORMAT.encode_secret(key_of(name))

        assert text.reveal() == f"{name}:{SECRET}".encode()
        assert read(text.reveal()) == key_of(name)


@pytest.mark.parametrize("encode", [FORMAT.encode_secret, FORMAT.encode_public], ids=["secret", "public"])
@pytest.mark.parametrize(
    ("kid", "rule"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("a:b", "has a colon, and for Nix the name ends at the first one", id="colon"),
        pytest.param("a\udcffb", "is not Unicode text", id="lone surrogate"),
        pytest.param("a\ud800", "is not Unicode text", id="first surrogate"),
        pytest.param("a\udfff", "is not Unicode text", id="last surrogate"),
    ],
)
def test_kids_that_nix_cannot_carry_are_refused(encode: object, kid: str, rule: str) -> None:
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
    other_type = "the nix format carries ed25519 keys, and this one is of type x25519; use another format, such as jwk"
    no_public = "this key has no public half, which a Nix key needs; import the key again, from its secret half"
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


def test_it_knows_its_own_keys_and_claims_nothing_else() -> None:
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
    hiding = ["a" * 41, "a-1=" + "a" * 41 + "=,b", DIGITS[:41]]
    others = ["a" * 40, "a" * 40 + "=", "a" * 40 + "-" + "a" * 40, "=" * 41, "ä" * 41, "cache.example.org-1"]

    assert [name for name in [*hiding, *others] if hides_key(name)] == hiding
