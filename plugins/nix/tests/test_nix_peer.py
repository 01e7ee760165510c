"""The format `nix` beside the program `nix`: the same keys are read, the same text comes out."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nix_signing import Nix

from keywright import Registry, Secret
from keywright.errors import KeywrightError, MalformedKeyError
from keywright_nix.key import NixFormat

pytestmark = pytest.mark.peer

FORMAT = NixFormat()

# Nix 2.8 manual page nix3-key-generate-secret, section Format.
NAME = b"cache.example.org-0"
SECRET = b"E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
TEXT = NAME + b":" + SECRET
RAW = b64decode(SECRET)


def public_by_nix(nix: Nix, data: bytes) -> bytes | None:
    done = nix("key", "convert-secret-to-public", given=data)
    return done.stdout if done.returncode == 0 else None


def public_by_us(data: bytes) -> bytes | None:
    """`NAME:BASE64` as the lenient reading has it; None if it refuses, or finds no secret key."""
    try:
        key, _ = FORMAT.decode_lenient(Secret(data), default_kid="")
    except MalformedKeyError:
        return None
    return None if key.secret is None else key.kid.encode() + b":" + b64encode(key.public or b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT, id="canonical"),
        pytest.param(TEXT + b"\n", id="line feed"),
        pytest.param(TEXT + b"\n\n\n", id="line feeds"),
        pytest.param(TEXT[:60] + b"\n" + TEXT[60:], id="line feed inside"),
        pytest.param(TEXT[:-2], id="no padding"),
        pytest.param(TEXT[:-1], id="one padding character"),
        pytest.param(TEXT + b"=", id="three padding characters"),
        pytest.param(TEXT + b"junk", id="junk after the padding"),
        pytest.param(TEXT + b"\r\n", id="Windows line end"),
        pytest.param(TEXT + b" ", id="space at the end"),
        pytest.param(TEXT + b"\0", id="NUL at the end"),
        pytest.param(b" " + TEXT, id="leading space"),
        pytest.param(b"\n" + TEXT, id="leading line feed"),
        pytest.param(b"\xef\xbb\xbf" + TEXT, id="byte order mark"),
        pytest.param(b"a\0b:" + SECRET, id="NUL in the name"),
        pytest.param(TEXT[:-3] + b"x==", id="spare bits"),
        pytest.param(NAME + b":" + b64encode(RAW[:32] + bytes(32)), id="zero public half"),
        pytest.param(NAME + b":" + b64encode(RAW[:32] + RAW[:32]), id="halves that do not belong together"),
        pytest.param(NAME + b":" + b64encode(bytes(64)), id="all zeros"),
    ],
)
def test_what_nix_reads(nix: Nix, data: bytes) -> None:
    """What Nix reads, the lenient reading reads, to the same public text."""
    theirs = public_by_nix(nix, data)

    assert theirs is not None
    assert public_by_us(data) == theirs


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NAME + b": " + SECRET, id="space after the colon"),
        pytest.param(TEXT[:-2] + b"\t==", id="tab before the padding"),
        pytest.param(TEXT[:-2] + b" ==", id="space before the padding"),
        pytest.param(TEXT[:-2] + b"\r==", id="carriage return before the padding"),
        pytest.param(TEXT[:-2] + b"\0", id="NUL in place of the padding"),
        pytest.param(TEXT.replace(b"+", b"-").replace(b"/", b"_"), id="URL-safe"),
        pytest.param(b"a:b:" + SECRET, id="colon in the name"),
        pytest.param(b"", id="empty"),
        pytest.param(SECRET, id="no colon"),
        pytest.param(b":" + SECRET, id="leading colon"),
        pytest.param(NAME + b":", id="empty payload"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", id="PEM"),
        *(pytest.param(NAME + b":" + b64encode(bytes(size)), id=f"{size} bytes") for size in (32, 63, 65)),
        pytest.param(NAME + b":" + RAW.hex().encode(), id="hexadecimal"),
        pytest.param(NAME + b":" + b64encode(RAW[32:]), id="public key"),
        pytest.param(NAME + b":====", id="padding alone"),
        pytest.param(TEXT[:60] + b"=" + TEXT[60:], id="padding inside"),
    ],
)
def test_what_nix_refuses(nix: Nix, data: bytes) -> None:
    """What Nix refuses as a secret key, the lenient reading refuses, or finds to be no secret key."""
    theirs = public_by_nix(nix, data)

    assert theirs is None
    assert public_by_us(data) is None


edits = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.sampled_from([0, 1]), st.sampled_from(b"\n=: -A\r\0")), max_size=3
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_edited_keys(nix: Nix, edits: list[tuple[int, int, int]]) -> None:
    """After any few edits, Nix and the lenient reading agree: both refuse, or both print the same."""
    data = TEXT
    for place, removed, inserted in edits:
        data = data[:place] + bytes([inserted]) + data[place + removed :]

    assert public_by_us(data) == public_by_nix(nix, data)


def test_a_key_made_by_nix(nix: Nix, registry: Registry) -> None:
    """A key made by Nix is read strictly, its halves belong together, and it encodes byte for byte."""
    made = nix("key", "generate-secret", "--key-name", "größe/1").stdout

    key = registry.key_type("ed25519").complete(FORMAT.decode(Secret(made), default_kid=""))

    assert FORMAT.encode_secret(key).reveal() == made
    assert FORMAT.encode_public(key) == public_by_nix(nix, made)


def test_a_key_made_by_us(nix: Nix, command: Callable[..., tuple[int, bytes, bytes]]) -> None:
    """A key that our command makes gives the same public key by Nix and by our command."""
    _, made, _ = command("generate-secret", "--key-name", "cache.example.org-1")

    _, ours, _ = command("convert-secret-to-public", given=made)

    assert ours == public_by_nix(nix, made)
    assert ours.startswith(b"cache.example.org-1:")


def test_nix_names_the_missing_argument_alike(nix: Nix, command: Callable[..., tuple[int, bytes, bytes]]) -> None:
    """Without `--key-name`, code and first line are those of Nix."""
    theirs = nix("key", "generate-secret")

    code, out, err = command("generate-secret")

    assert (code, out) == (theirs.returncode, theirs.stdout)
    assert err.splitlines() == theirs.stderr.splitlines()[:1]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a:b", id="colon"),
    ],
)
def test_we_are_stricter_where_nix_harms(nix: Nix, command: Callable[..., object], name: str) -> None:
    """Nix makes a key that it cannot read back; our command refuses the name."""
    theirs = nix("key", "generate-secret", "--key-name", name)

    with pytest.raises(KeywrightError):
        command("generate-secret", "--key-name", name)

    assert theirs.returncode == 0
    assert public_by_nix(nix, theirs.stdout) is None
