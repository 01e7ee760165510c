"""The format `nix`, leniently: what Nix itself reads, with a sentence for each deviation."""

from __future__ import annotations

from base64 import b64decode

import pytest

from keywright import Key, Secret
from keywright.errors import MalformedKeyError
from keywright_nix.key import NixFormat

FORMAT = NixFormat()

# Nix 2.8 manual page nix3-key-generate-secret, section Format.
NAME = "cache.example.org-0"
SECRET = "E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
RAW = b64decode(SECRET)
TEXT = f"{NAME}:{SECRET}".encode()

LINES = "the base64 is broken into lines; they were joined"
PADDING = "the base64 padding is missing or of the wrong length; it was put right"
LINE_FEEDS = "more than one line feed ends the key; they were left out"
FOLLOWS = "something follows the base64 padding; it was left out"
SPARE_BITS = "the last base64 character sets bits that belong to no byte; they were ignored"
INVISIBLE = (
    "the key's name holds whitespace, a control character or another one that does not print; it can never "
    "stand in trusted-public-keys"
)


@pytest.mark.parametrize(
    ("data", "name", "deviations"),
    [
        pytest.param(TEXT, NAME, (), id="canonical"),
        pytest.param(TEXT + b"\n", NAME, (), id="one line feed"),
        pytest.param(TEXT + b"\n\n\n", NAME, (LINE_FEEDS,), id="line feeds at the end"),
        pytest.param(TEXT[:60] + b"\n" + TEXT[60:], NAME, (LINES,), id="line feed inside"),
        pytest.param(f"{NAME}:\n{SECRET}".encode(), NAME, (LINES,), id="line feed after the colon"),
        pytest.param(TEXT[:-2], NAME, (PADDING,), id="no padding"),
        pytest.param(TEXT[:-2] + b"\n", NAME, (PADDING,), id="no padding, one line feed"),
        pytest.param(TEXT[:-2] + b"\n\n", NAME, (LINES, PADDING), id="no padding, two line feeds"),
        pytest.param(TEXT[:-1], NAME, (PADDING,), id="padding short"),
        pytest.param(TEXT + b"=", NAME, (PADDING,), id="padding long"),
        pytest.param(TEXT + b"junk:\xff", NAME, (FOLLOWS,), id="junk after the padding"),
        pytest.param(TEXT[:-1] + b"\n=", NAME, (FOLLOWS,), id="line feed in the padding"),
        pytest.param(TEXT + b"\r\n", NAME, (FOLLOWS,), id="Windows line end"),
        pytest.param(TEXT + b" ", NAME, (FOLLOWS,), id="space at the end"),
        pytest.param(TEXT + b"\0", NAME, (FOLLOWS,), id="NUL at the end"),
        pytest.param(TEXT + b"X", NAME, (FOLLOWS,), id="a digit after the padding"),
        pytest.param(TEXT[:-3] + b"x==", NAME, (SPARE_BITS,), id="spare bits"),
        pytest.param(f" {NAME}:{SECRET}".encode(), f" {NAME}", (INVISIBLE,), id="space before the name"),
        pytest.param(f"\n{NAME}:{SECRET}".encode(), f"\n{NAME}", (INVISIBLE,), id="line feed before the name"),
        pytest.param(f"\ufeff{NAME}:{SECRET}".encode(), f"\ufeff{NAME}", (INVISIBLE,), id="byte order mark"),
        pytest.param(f"a\0b:{SECRET}".encode(), "a\0b", (INVISIBLE,), id="NUL in the name"),
        pytest.param(
            b"a b:" + TEXT[20:50] + b"\n" + TEXT[50:-3] + b"x=?",
            "a b",
            (INVISIBLE, LINES, FOLLOWS, SPARE_BITS),
            id="all at once",
        ),
    ],
)
def test_lenient_reading(data: bytes, name: str, deviations: tuple[str, ...]) -> None:
    """The same key comes out whatever the deviation, and each deviation is told."""
    read = FORMAT.decode_lenient(Secret(data), default_kid="")

    assert read == (Key("ed25519", name, Secret(RAW[:32]), RAW[32:]), deviations)


def test_a_public_key_is_read_leniently_too() -> None:
    """A public key without its padding comes back as a key without a secret half."""
    # Nix 2.8 manual page nix3-key-convert-secret-to-public, section Examples, its padding cut off.
    data = Secret(b"cache.example.org-0:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc")

    read = FORMAT.decode_lenient(data, default_kid="")

    assert read == (Key("ed25519", NAME, None, RAW[32:]), (PADDING,))


SECOND_COLON = (
    "the Nix key has a second colon, and Nix takes the name to end at the first; write NAME:BASE64 with no colon in "
    "the name"
)
SPACE = (
    "the base64 of the Nix key holds a space, tab or carriage return; take it out (a file with Windows line ends has "
    "them)"
)
URL_SAFE = "the base64 of the Nix key is of the URL-safe kind, with '-' and '_'; Nix reads '+' and '/' in their place"
CHARACTER = "the base64 of the Nix key holds a character that is none of base64's; copy it again"
NO_COLON = "the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"
EMPTY_PAYLOAD = "nothing follows the colon of the Nix key; write NAME:BASE64"


def length(size: int) -> str:
    return f"the base64 of the Nix key stands for {size} bytes; a secret key has 64 and a public key 32: copy it whole"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "the Nix key is empty; it must be NAME:BASE64", id="empty"),
        pytest.param(SECRET.encode(), NO_COLON, id="no colon"),
        pytest.param(
            f":{SECRET}".encode(), "the Nix key has no name before its colon; write NAME:BASE64", id="empty name"
        ),
        pytest.param(f"a:b:{SECRET}".encode(), SECOND_COLON, id="colon in the name"),
        pytest.param(
            b"a\xff:" + SECRET.encode(),
            "the name of the Nix key is not UTF-8; give it another before the colon",
            id="name not UTF-8",
        ),
        pytest.param(b"a:", EMPTY_PAYLOAD, id="nothing after the colon"),
        pytest.param(b"a:\n\n", EMPTY_PAYLOAD, id="line feeds after the colon"),
        pytest.param(b"a:====", EMPTY_PAYLOAD, id="padding alone"),
        pytest.param(f"{NAME}: {SECRET}".encode(), SPACE, id="space after the colon"),
        pytest.param(TEXT[:-2] + b"\r\n", SPACE, id="carriage return before the padding"),
        pytest.param(TEXT.replace(b"+", b"-").replace(b"/", b"_"), URL_SAFE, id="URL-safe"),
        pytest.param(TEXT[:-2] + b"\0", CHARACTER, id="NUL before the padding"),
        pytest.param(TEXT[:60] + b"=" + TEXT[60:], length(30), id="padding inside"),
        pytest.param(TEXT[:-3], length(63), id="one digit short"),
        pytest.param(TEXT[:-2] + b"A", length(65), id="one digit over"),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nMC4C\n",
            "this is PEM, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in",
            id="PEM",
        ),
        pytest.param(
            b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host:22\n",
            "this is an OpenSSH key, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in",
            id="OpenSSH public key",
        ),
    ],
)
def test_what_no_lenience_helps(data: bytes, message: str) -> None:
    """What Nix cannot read either is refused in the words of the strict reading."""
    with pytest.raises(MalformedKeyError) as caught:
        FORMAT.decode_lenient(Secret(data), default_kid="")

    assert str(caught.value) == message
    assert caught.value.__context__ is None
