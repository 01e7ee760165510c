"""The format `nix`, strictly: published keys, what it refuses and in which words, key names."""

from __future__ import annotations

import traceback
from base64 import b64decode, b64encode

import pytest

from keywright import Attributes, Format, Key, LenientFormat, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_nix.key import NixFormat

FORMAT = NixFormat()

# Nix 2.8 manual page nix3-key-generate-secret, section Format, and nix3-key-convert-secret-to-public, section Examples.
MANUAL = (
    "cache.example.org-0",
    "E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw==",
    "tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc=",
)
# NixOS/nix src/libutil-tests/local-keys.cc.
NIX_TESTS = (
    "test1",
    "jbX9NxZp8WB/coK8k7yLf0gNYmBbIbCrOFwgJgI7OV+0sASf4R5oFQlioSlN3bJ56uvshzr7S9Z75pcv+9hSkQ==",
    "tLAEn+EeaBUJYqEpTd2yeerr7Ic6+0vWe+aXL/vYUpE=",
)
# TVL tvix nix-compat/src/narinfo/signing_keys.rs.
TVIX = (
    "cache.example.org-1",
    "ZJui+kG6vPCSRD4+p1P4DyUVlASmp/zsaeN84PTFW28tj2/PtQWvFWK6Mw+ay8kGif8AZkR5KosHLvuwlzDlgg==",
    "LY9vz7UFrxViujMPmsvJBon/AGZEeSqLBy77sJcw5YI=",
)
# attic attic/src/signing/tests.rs; the public half is the second half of the payload.
ATTIC = (
    "attic-test",
    "x326WFy/JUl+MQnN1u9NPdWQPBbcVn2mwoIqSLS3DmQqZ8qT8rBSxxEnyhtl3jDouBqodlyfq6F+HsVhbTYPMA==",
    "KmfKk/KwUscRJ8obZd4w6LgaqHZcn6uhfh7FYW02DzA=",
)
PUBLISHED = [pytest.param(*case, id=case[0]) for case in (MANUAL, NIX_TESTS, TVIX, ATTIC)]

NAME, SECRET, PUBLIC = MANUAL
EMPTY_PAYLOAD = "nothing follows the colon of the Nix key; write NAME:BASE64"
PADDING = (
    "the base64 of the Nix key is cut short or padded wrongly; it ends in '==' (secret key) or '=' (public key): "
    "copy it whole"
)
SPACE = (
    "the base64 of the Nix key holds a space, tab or carriage return; take it out (a file with Windows line ends has "
    "them)"
)
LINE_FEED = (
    "the base64 of the Nix key holds a line feed, or more than one ends it; put it on one line, or say --lenient"
)
SPARE_BITS = (
    "the last base64 character of the Nix key sets bits that belong to no byte, so it was changed since it was made: "
    "copy it again, or say --lenient"
)
URL_SAFE = "the base64 of the Nix key is of the URL-safe kind, with '-' and '_'; Nix reads '+' and '/' in their place"
CHARACTER = "the base64 of the Nix key holds a character that is none of base64's; copy it again"
SECOND_COLON = (
    "the Nix key has a second colon, and Nix takes the name to end at the first; write NAME:BASE64 with no colon in "
    "the name"
)
INVISIBLE = (
    "the name of the Nix key holds whitespace, a control character or another one that does not print; give it "
    "another (--kid), or say --lenient"
)
NO_COLON = "the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"
OPENSSH = "this is an OpenSSH key, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"
PEM = "this is PEM, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"


def length(size: int) -> str:
    return f"the base64 of the Nix key stands for {size} bytes; a secret key has 64 and a public key 32: copy it whole"


def of(size: int) -> bytes:
    return b"cache-1:" + b64encode(bytes(range(size)))


TEXT = f"{NAME}:{SECRET}".encode()
REFUSED = [
    pytest.param(b"", "the Nix key is empty; it must be NAME:BASE64", id="empty"),
    pytest.param(b"\n", "the Nix key is empty; it must be NAME:BASE64", id="line feed alone"),
    pytest.param(SECRET.encode(), NO_COLON, id="no colon"),
    pytest.param(b"\n\n", NO_COLON, id="line feeds alone"),
    pytest.param(f":{SECRET}".encode(), "the Nix key has no name before its colon; write NAME:BASE64", id="empty name"),
    pytest.param(f"{NAME}:".encode(), EMPTY_PAYLOAD, id="nothing after the colon"),
    pytest.param(f"{NAME}:\n".encode(), EMPTY_PAYLOAD, id="line feed after the colon"),
    pytest.param(f"a:b:{SECRET}".encode(), SECOND_COLON, id="colon in the name"),
    pytest.param(TEXT + b":", SECOND_COLON, id="colon at the end"),
    pytest.param(f"{SECRET}:a b".encode(), SPACE, id="name and base64 swapped"),
    pytest.param(f"a b:{SECRET}".encode(), INVISIBLE, id="space in the name"),
    pytest.param(f" a:{SECRET}".encode(), INVISIBLE, id="space before the name"),
    pytest.param(f"a :{SECRET}".encode(), INVISIBLE, id="space after the name"),
    pytest.param(f"a\tb:{SECRET}".encode(), INVISIBLE, id="tab in the name"),
    pytest.param(f"\na:{SECRET}".encode(), INVISIBLE, id="line feed before the name"),
    pytest.param(f"a\0:{SECRET}".encode(), INVISIBLE, id="NUL in the name"),
    pytest.param(f"a\x7f:{SECRET}".encode(), INVISIBLE, id="DEL in the name"),
    pytest.param(f"a\u00a0b:{SECRET}".encode(), INVISIBLE, id="no-break space in the name"),
    pytest.param(f"a\u2028b:{SECRET}".encode(), INVISIBLE, id="line separator in the name"),
    pytest.param(f"a\u0085b:{SECRET}".encode(), INVISIBLE, id="next line (C1) in the name"),
    pytest.param(f"a\u200bb:{SECRET}".encode(), INVISIBLE, id="zero-width space in the name"),
    pytest.param(f"a\u202eb:{SECRET}".encode(), INVISIBLE, id="direction override in the name"),
    pytest.param(f"\ufeffa:{SECRET}".encode(), INVISIBLE, id="byte order mark"),
    pytest.param(
        b"a\xff:" + SECRET.encode(),
        "the name of the Nix key is not UTF-8; give it another before the colon",
        id="name not UTF-8",
    ),
    pytest.param(
        b"a\xed\xa0\x80:" + SECRET.encode(),
        "the name of the Nix key is not UTF-8; give it another before the colon",
        id="surrogate in the name",
    ),
    pytest.param(TEXT + b"\n\n", LINE_FEED, id="two line feeds"),
    pytest.param(TEXT[:60] + b"\n" + TEXT[60:], LINE_FEED, id="line feed inside"),
    pytest.param(f"{NAME}:\n{SECRET}".encode(), LINE_FEED, id="line feed after the colon, key behind"),
    pytest.param(TEXT + b"\r\n", SPACE, id="Windows line end"),
    pytest.param(TEXT + b" ", SPACE, id="space at the end"),
    pytest.param(f"{NAME}: {SECRET}".encode(), SPACE, id="space after the colon"),
    pytest.param(TEXT[:60] + b"\t" + TEXT[60:], SPACE, id="tab inside"),
    pytest.param(TEXT.replace(b"+", b"-").replace(b"/", b"_"), URL_SAFE, id="URL-safe"),
    pytest.param(TEXT + b"\0", CHARACTER, id="NUL at the end"),
    pytest.param(TEXT[:60] + b"*" + TEXT[61:], CHARACTER, id="asterisk inside"),
    pytest.param(TEXT[:60] + b"\xc3\xa9" + TEXT[62:], CHARACTER, id="not ASCII"),
    pytest.param(TEXT[:60] + b"-*" + TEXT[62:], CHARACTER, id="URL-safe and an asterisk"),
    pytest.param(b'{"kty":"oct","k":"AAAA"}', SECOND_COLON, id="JWK"),
    pytest.param(b'{"k":"AAAA"}', CHARACTER, id="JWK of one member"),
    pytest.param(TEXT[:-1], PADDING, id="one padding character short"),
    pytest.param(TEXT[:-2], PADDING, id="no padding"),
    pytest.param(TEXT + b"=", PADDING, id="one padding character over"),
    pytest.param(TEXT + b"====", PADDING, id="four padding characters over"),
    pytest.param(TEXT + b"AAAA", PADDING, id="base64 after the padding"),
    pytest.param(TEXT[:60] + b"=" + TEXT[61:], PADDING, id="padding inside"),
    pytest.param(b"cache-1:====", PADDING, id="padding alone"),
    pytest.param(b"cache-1:A===", PADDING, id="one digit"),
    pytest.param(TEXT[:-3], PADDING, id="truncated between groups"),
    pytest.param(TEXT[:-4], length(63), id="truncated at a group"),
    pytest.param(TEXT[:-3] + b"x==", SPARE_BITS, id="spare bits, secret"),
    pytest.param(f"{NAME}:{PUBLIC[:-2]}d=".encode(), SPARE_BITS, id="spare bits, public"),
    pytest.param(f"{NAME}:{PUBLIC[:-2]}X=".encode(), SPARE_BITS, id="spare bits, public, the last digit an X"),
    *(pytest.param(of(size), length(size), id=f"{size} bytes") for size in (1, 31, 33, 48, 63, 65, 96)),
    pytest.param(b"cache-1:" + bytes(32).hex().encode(), length(48), id="hexadecimal"),
    pytest.param(b"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", PEM, id="PEM"),
    pytest.param(b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", PEM, id="PEM with a colon"),
    pytest.param(b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n", OPENSSH, id="OpenSSH private key"),
    pytest.param(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host:22\n", OPENSSH, id="OpenSSH public key"),
    # The other key types of OpenSSH, sshd(8), AUTHORIZED_KEYS FILE FORMAT.
    pytest.param(b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@host:22\n", OPENSSH, id="OpenSSH RSA"),
    pytest.param(b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlz me@host:22\n", OPENSSH, id="OpenSSH ECDSA"),
    pytest.param(b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1 me@host:22\n", OPENSSH, id="OpenSSH token, Ed25519"),
    pytest.param(
        b"sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNo me@host:22\n", OPENSSH, id="OpenSSH token, ECDSA"
    ),
    pytest.param(f"ssh-cache:{SECRET} AAAA".encode(), SPACE, id="only named as if it were OpenSSH's"),
]


def key_of(name: str, secret: str) -> Key:
    raw = b64decode(secret)
    return Key("ed25519", name, Secret(raw[:32]), raw[32:])


def test_it_is_a_format_with_a_lenient_reading() -> None:
    """It fulfils both contracts, under the name `nix`, for ed25519 alone."""
    described = (FORMAT.name, FORMAT.key_types)

    assert isinstance(FORMAT, Format)
    assert isinstance(FORMAT, LenientFormat)
    assert described == ("nix", ("ed25519",))


@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "line feed"])
@pytest.mark.parametrize(("name", "secret", "public"), PUBLISHED)
def test_published_secret_keys(name: str, secret: str, public: str, end: str) -> None:
    """Published secret keys decode to seed and public half, and encode to the same text without a line feed."""
    key = FORMAT.decode(Secret(f"{name}:{secret}{end}".encode()), default_kid="unused")

    assert key == key_of(name, secret)
    assert FORMAT.encode_secret(key).reveal() == f"{name}:{secret}".encode()
    assert FORMAT.encode_public(key) == f"{name}:{public}".encode()


@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "line feed"])
@pytest.mark.parametrize(
    ("name", "public"),
    [
        *(pytest.param(name, public, id=name) for name, _, public in (MANUAL, NIX_TESTS, TVIX, ATTIC)),
        # tvix nix-compat/src/narinfo/verifying_keys.rs, go-nix pkg/narinfo/signature/signature_test.go.
        pytest.param("cache.nixos.org-1", "6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", id="cache.nixos.org-1"),
        pytest.param("cheesecake", "6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", id="cheesecake"),
    ],
)
def test_published_public_keys(name: str, public: str, end: str) -> None:
    """Published public keys decode to a key without a secret half, and encode to the same text."""
    key = FORMAT.decode(Secret(f"{name}:{public}{end}".encode()), default_kid="unused")

    assert key == Key("ed25519", name, None, b64decode(public))
    assert FORMAT.encode_public(key) == f"{name}:{public}".encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # tvix verifying_keys.rs and signing_keys.rs, and go-nix, as above.
        pytest.param("6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", NO_COLON, id="public without a name"),
        pytest.param("cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY", PADDING, id="no padding"),
        pytest.param("cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDS", length(30), id="public cut short"),
        pytest.param(
            "cache.example.com-1:cCta2MEsRNuYCgWYyeRXLyfoFpKhQJKn8gLMeXWAb7vIpRKKo/3JoxJ24OYa3DxT2JVV38KjK/1ywHWuMe2JE",
            PADDING,
            id="secret cut short",
        ),
        pytest.param(
            "cache.example.com-1cCta2MEsRNuYCgWYyeRXLyfoFpKhQJKn8gLMeXWAb7vIpRKKo/3JoxJ24OYa3DxT2JVV38KjK/1ywHWuMe2JE",
            NO_COLON,
            id="secret without a colon",
        ),
    ],
)
def test_published_malformed_keys(text: str, message: str) -> None:
    """What other implementations publish as malformed is refused."""
    with pytest.raises(MalformedKeyError) as caught:
        FORMAT.decode(Secret(text.encode()), default_kid="")

    assert str(caught.value) == message


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_refusals(data: bytes, message: str) -> None:
    """Each thing that is no Nix key is refused in its own words, with no cause that could carry the input."""
    with pytest.raises(MalformedKeyError) as caught:
        FORMAT.decode(Secret(data), default_kid="")

    assert str(caught.value) == message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("read", [FORMAT.decode, FORMAT.decode_lenient], ids=["strict", "lenient"])
@pytest.mark.parametrize("data", [pytest.param(case.values[0], id=case.id) for case in REFUSED])
def test_a_traceback_with_locals_shows_no_key(data: bytes, read: object) -> None:
    """The local variables of our frames show no piece of the seed when a key is refused."""
    assert callable(read)
    try:
        read(Secret(data), default_kid="")
    except MalformedKeyError as error:
        ours = error.__traceback__.tb_next if error.__traceback__ else None
        shown = "".join(traceback.StackSummary.extract(traceback.walk_tb(ours), capture_locals=True).format())
        assert shown
        assert SECRET[:8] not in shown
        assert SECRET[12:20] not in shown


@pytest.mark.parametrize(
    "name",
    ["0", "a/b", "prod/jwt-1", "ssh-cache-1", "größe", "鍵-1", "🔑", "a=b", "a+b/c", "-a", "{}", "a'\"\\"],
)
def test_names_that_nix_can_carry(name: str) -> None:
    """A name is any printing text without space and colon: Nix takes each of these."""
    key = key_of(name, SECRET)

    text = FORMAT.encode_secret(key)

    assert text.reveal() == f"{name}:{SECRET}".encode()
    assert FORMAT.decode(text, default_kid="") == key


RAW = b64decode(SECRET)


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
def test_kids_that_nix_cannot_carry(kid: str, rule: str) -> None:
    """A kid that Nix could not read back is refused on encoding, whichever half is asked for."""
    key = key_of(kid, SECRET)
    message = f"the kid of this key cannot be a Nix key name: it {rule}; choose one with --kid"

    with pytest.raises(UnsupportedKeyError) as secret:
        FORMAT.encode_secret(key)
    with pytest.raises(UnsupportedKeyError) as public:
        FORMAT.encode_public(key)

    assert (str(secret.value), str(public.value)) == (message, message)


@pytest.mark.parametrize("kid", ["a b", " ", "a\n", "a\0b", "a\u00a0b", "a\u200bb", "\ufeffa"])
def test_odd_kids_are_written_for_those_who_read_leniently(kid: str) -> None:
    """A kid that Nix reads, but could never trust, is written as it is; only the lenient reading takes it back."""
    key = key_of(kid, SECRET)

    text = FORMAT.encode_secret(key)

    assert FORMAT.decode_lenient(text, default_kid="")[0] == key
    with pytest.raises(MalformedKeyError) as refused:
        FORMAT.decode(text, default_kid="")
    assert str(refused.value) == INVISIBLE


OTHER_TYPE = "the nix format carries ed25519 keys, and this one is of type x25519; use another format, such as jwk"
NO_PUBLIC = "the public half of this key is not known, and a Nix key holds it; derive it first"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("x25519", "a", Secret(RAW[:32]), RAW[32:]), OTHER_TYPE, id="other type"),
        pytest.param(Key("ed25519", "a", Secret(RAW[:32]), None), NO_PUBLIC, id="no public half"),
        pytest.param(
            Key("ed25519", "a", None, RAW[32:]),
            "this key has no secret half to write as a Nix key; write its public half",
            id="no secret half",
        ),
        pytest.param(
            Key("ed25519", "a", Secret(RAW), RAW[32:]),
            "the secret half of this ed25519 key has 64 bytes; a Nix key needs a seed of 32",
            id="secret half too long",
        ),
        pytest.param(
            Key("ed25519", "a", Secret(RAW[:32]), RAW[33:]),
            "the public half of this ed25519 key has 31 bytes; a Nix key needs 32",
            id="public half too short",
        ),
    ],
)
def test_keys_that_it_cannot_encode(key: Key, message: str) -> None:
    """A key of another type, or without two halves of 32 bytes, is refused on encoding."""
    with pytest.raises(UnsupportedKeyError) as caught:
        FORMAT.encode_secret(key)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(Key("x25519", "a", None, RAW[32:]), OTHER_TYPE, id="other type"),
        pytest.param(Key("ed25519", "a", Secret(RAW[:32]), None), NO_PUBLIC, id="no public half"),
    ],
)
def test_keys_whose_public_half_it_cannot_encode(key: Key, message: str) -> None:
    """A public key of another type, or one that is not known, is refused on encoding."""
    with pytest.raises(UnsupportedKeyError) as caught:
        FORMAT.encode_public(key)

    assert str(caught.value) == message


def test_attributes_are_left_behind() -> None:
    """Attributes, which a Nix key has no place for, do not keep a key from being encoded."""
    bare = key_of(NAME, SECRET)
    key = Key(bare.type, bare.kid, bare.secret, bare.public, Attributes({"use": "sig"}))

    encoded = FORMAT.encode_secret(key), FORMAT.encode_public(key)

    assert encoded == (FORMAT.encode_secret(bare), FORMAT.encode_public(bare))


@pytest.mark.parametrize(
    ("name", "version", "kid"),
    [
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
    ],
)
def test_default_kids(name: str, version: int, kid: str) -> None:
    """The version is counted behind the name; a name that ends in a number is the first of its count."""
    assert FORMAT.default_kid(name, version, key_of("", SECRET)) == kid


@pytest.mark.parametrize(
    ("data", "mine"),
    [
        pytest.param(TEXT, True, id="secret"),
        pytest.param(TEXT + b"\n", True, id="secret with a line feed"),
        pytest.param(f"{NAME}:{PUBLIC}".encode(), True, id="public"),
        pytest.param(TEXT[:-2] + b"\r\n", True, id="damaged padding and line end"),
        pytest.param(f"a b:{SECRET}".encode(), True, id="odd name"),
        pytest.param(f"{NAME}:{PUBLIC[:-2]}X".encode(), True, id="damaged last digit, no padding"),
        pytest.param(b"", False, id="empty"),
        pytest.param(SECRET.encode(), False, id="no name"),
        pytest.param(b"user:password", False, id="another text with a colon"),
        pytest.param(b'{"k":"' + b"A" * 40 + b'"}', False, id="JWK as long as a public key"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nMC4C\n", False, id="PEM"),
        pytest.param(b"a:" + b"\xc3\xa9" * 43, False, id="not ASCII"),
    ],
)
def test_sniff(data: bytes, mine: bool) -> None:
    """It knows its own keys, slightly damaged ones too, and claims nothing else."""
    assert FORMAT.sniff(Secret(data)) is mine
