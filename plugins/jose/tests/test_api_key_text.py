"""The text of an API key: its shape, its checksum, and how each fault of one is told."""

from __future__ import annotations

import re
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import Secret
from keywright.errors import MalformedTokenError
from keywright_jose.api_keys import digest_of, hidden, key_id_of, new_api_key, new_key_id
from keywright_jose.jwk.usage import is_key_id

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_ID = "mfrggzdfmztwq2lk"
SECRET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
# The checksum by another program: `printf '%s' kwk_…abcdefg | gzip -c | tail -c8 | od -An -N4 -tu4`, then base 62.
API_KEY = f"kwk_{KEY_ID}_{SECRET}2GdLBY"
SHAPE = "an API key is kwk_, 16 characters, _ and 49 more; copy it whole, and nothing else"
CHECKSUM = "the checksum of the API key does not fit, so a character is wrong; copy it again"


def refused(text: object) -> str:
    with pytest.raises(MalformedTokenError) as caught:
        key_id_of(hidden(text))
    return str(caught.value)


def test_the_shape() -> None:
    """The documented pattern matches it, and its parts are what they are said to be."""
    key_id = new_key_id()
    text = new_api_key(key_id).reveal().decode()

    assert re.fullmatch("kwk_[a-z2-7]{16}_[0-9A-Za-z]{49}", text)
    assert text[4:20] == key_id == key_id_of(hidden(text))
    checksum = 0
    for digit in text[-6:]:
        checksum = checksum * 62 + DIGITS.index(digit)
    assert checksum == crc32(text[:-6].encode())


def test_a_known_one() -> None:
    """One that was put together by hand."""
    assert key_id_of(hidden(API_KEY)) == KEY_ID
    assert (
        digest_of(hidden(API_KEY)).reveal().hex() == "71d84b1859bad11abcb3dfd9353c8d1873aafd883ffaf6f2c9df7cbcfc3e1850"
    )


def test_each_is_another() -> None:
    """Neither key_id nor secret comes twice; all characters come; one key_id has many secrets."""
    ids = {new_key_id() for _ in range(200)}
    secrets = [new_api_key(KEY_ID).reveal()[21:64].decode() for _ in range(200)]

    assert len(ids) == len(set(secrets)) == 200
    assert set("".join(ids)) == set("abcdefghijklmnopqrstuvwxyz234567")
    assert set("".join(secrets)) == set(DIGITS)


@pytest.mark.parametrize(
    "given_as", [API_KEY, API_KEY.encode(), Secret(API_KEY.encode())], ids=["str", "bytes", "Secret"]
)
def test_how_it_may_be_given(given_as: object) -> None:
    """As text, bytes or a Secret."""
    assert key_id_of(hidden(given_as)) == KEY_ID


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(None, id="nothing"),
        pytest.param(7, id="a number"),
        pytest.param(bytearray(API_KEY.encode()), id="a bytearray"),
        pytest.param(API_KEY[:-1], id="truncated"),
        pytest.param(API_KEY + "0", id="longer"),
        pytest.param(API_KEY + "\n", id="a line feed after it"),
        pytest.param(" " + API_KEY, id="a space before it"),
        pytest.param(API_KEY[:-1] + "\n", id="a line feed in place of the last character"),
        pytest.param(API_KEY[:-1] + "\ud800", id="a surrogate"),
        pytest.param(API_KEY[:-1] + "é", id="a letter outside of ASCII"),
        pytest.param(API_KEY.upper(), id="capitals"),
        pytest.param(API_KEY.replace("kwk_", "kwp_"), id="another prefix"),
        pytest.param(API_KEY.replace("_", "-"), id="hyphens"),
        pytest.param(API_KEY.replace("mfrg", "mfr1"), id="a key_id with a 1"),
        pytest.param(API_KEY.replace(SECRET, SECRET[:-1] + "-"), id="a secret with a hyphen"),
        pytest.param("kwk_" * 2**24, id="64 MiB"),
        pytest.param(b"\xff" * 70, id="no ASCII"),
    ],
)
def test_what_is_none(text: object) -> None:
    """Anything else is refused in one message."""
    assert refused(text) == SHAPE


@given(st.integers(0, 69), st.sampled_from(DIGITS))
def test_one_wrong_character(place: int, character: str) -> None:
    """A single character that is another is always noticed."""
    wrong = API_KEY[:place] + character + API_KEY[place + 1 :]
    if wrong == API_KEY:
        return

    assert refused(wrong) in (SHAPE, CHECKSUM)


def test_a_wrong_checksum() -> None:
    """It is told as what it is: a typing error."""
    assert refused(API_KEY.replace("FGH", "FHG")) == CHECKSUM
    assert refused(API_KEY[:-1] + "A") == CHECKSUM


def test_key_ids() -> None:
    """What could be a key_id, and what could not."""
    assert is_key_id(KEY_ID)
    assert not any(map(is_key_id, ("", KEY_ID[:-1], KEY_ID + "a", KEY_ID.upper(), KEY_ID + "\n", None, 7, API_KEY)))
