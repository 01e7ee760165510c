"""The seal `master-key`: how a key is written, and what is refused."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import pytest
from support.errors import text_of

from keywright import Options, Secret
from keywright.errors import SealError
from keywright.testing import assert_hidden, everything_in
from keywright.testing.leaks import refusal
from keywright_seal.envelope import OpenedEnvelopeSeal
from keywright_seal.seals import MasterKeySeal

Opener = Callable[..., OpenedEnvelopeSeal]
KEY = bytes(range(0xA0, 0xC0))
BASE64 = b64encode(KEY)
PAYLOAD = Secret(b"a canary that must not sing")

LENGTH = (
    "seal 'master-key': {} is not 32 bytes as 64 hexadecimal or 44 base64 characters; "
    "create one with `openssl rand -base64 32`"
)
CHARACTERS = (
    "seal 'master-key': {} has characters that are neither hexadecimal nor base64; copy it again, or create one "
    "with `openssl rand -base64 32`"
)
REFUSED = [
    pytest.param(b"", LENGTH, id="empty"),
    pytest.param(KEY, LENGTH, id="raw bytes"),
    pytest.param(KEY.hex().encode()[:-1], LENGTH, id="a digit short"),
    pytest.param(KEY.hex().encode() + b"\n", LENGTH, id="a line end too many"),
    pytest.param(BASE64[:-1], LENGTH, id="unpadded"),
    pytest.param(b64encode(KEY[:24]), LENGTH, id="24 bytes"),
    pytest.param(b64encode(KEY + b"\0"), CHARACTERS, id="33 bytes"),
    pytest.param(b64encode(KEY[:31]), CHARACTERS, id="31 bytes"),
    pytest.param(b64encode(KEY + bytes(16)), CHARACTERS, id="48 bytes of base64, as long as hexadecimal"),
    pytest.param(b"g" + KEY.hex().encode()[1:], CHARACTERS, id="a letter that is not a digit"),
    pytest.param(KEY.hex(" ").encode()[:64], CHARACTERS, id="spaces between digits"),
    pytest.param(b"_" * 42 + b"8=", CHARACTERS, id="base64url"),
    pytest.param(BASE64[:-2] + b"9=", CHARACTERS, id="spare bits"),
    pytest.param(b"\n" + BASE64[:-1], CHARACTERS, id="a line feed in base64"),
    pytest.param(b"\xff" * 64, CHARACTERS, id="no ASCII, 64 bytes"),
    pytest.param(b"\xff" * 44, CHARACTERS, id="no ASCII, 44 bytes"),
]


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), BASE64.decode()], ids=["hex", "HEX", "base64"])
def test_all_spellings_are_one_key(master_key: Opener, text: str) -> None:
    sealed = master_key(KEY.hex()).seal(PAYLOAD, b"a")

    assert master_key(text).unseal(sealed, b"a") == PAYLOAD
    assert master_key("b" * 64, previous=("c" * 64, text)).unseal(sealed, b"a") == PAYLOAD


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_an_invalid_key_is_refused_and_not_shown(text: bytes, message: str) -> None:
    """Neither the message nor a traceback with locals shows it, given as the key or among the previous ones."""
    for key, previous, what in ((text, (), "key"), (BASE64, (Secret(BASE64), Secret(text)), "a key in previous")):
        error = refusal(SealError, MasterKeySeal().open, Options({"key": Secret(key), "previous": previous}))

        assert text_of(error) == message.format(what)
        assert_hidden(Secret(text), everything_in(error))
        assert_hidden(Secret(KEY), everything_in(error))
