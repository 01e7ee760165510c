"""The format `nix` and `keywright nix key` beside the program `nix`: the same is read, the same is refused."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from nix_malformed import LENIENT, LENIENTLY_READ, NEVER
from nix_messages import NAME, NOT_UTF8, SECRET, TEXT
from nix_signing import Nix

from keywright import Secret
from keywright.errors import KeywrightError, MalformedKeyError
from keywright_nix.key import NixFormat

pytestmark = pytest.mark.peer

FORMAT = NixFormat()

NAME_BYTES = NAME.encode()
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


READ = {
    **{what: data for what, (data, _, _) in LENIENTLY_READ.items()},
    "zero public half": NAME_BYTES + b":" + b64encode(RAW[:32] + bytes(32)),
    "halves that do not belong together": NAME_BYTES + b":" + b64encode(RAW[:32] + RAW[:32]),
    "all zeros": NAME_BYTES + b":" + b64encode(bytes(64)),
}
REFUSED = {
    # Nix takes names that are not UTF-8.
    **{what: data for what, (data, message) in (NEVER | LENIENT).items() if message != NOT_UTF8},
    "tab before the padding": TEXT[:-2] + b"\t==",
    "space before the padding": TEXT[:-2] + b" ==",
    "public key": NAME_BYTES + b":" + b64encode(RAW[32:]),
}


@pytest.mark.parametrize("data", READ.values(), ids=READ)
def test_what_nix_reads(nix: Nix, data: bytes) -> None:
    theirs = public_by_nix(nix, data)

    assert theirs is not None
    assert public_by_us(data) == theirs


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
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
    data = TEXT
    for place, removed, inserted in edits:
        data = data[:place] + bytes([inserted]) + data[place + removed :]

    assert public_by_us(data) == public_by_nix(nix, data)


def test_nix_names_the_missing_argument_alike(nix: Nix, command: Callable[..., tuple[int, bytes, bytes]]) -> None:
    theirs = nix("key", "generate-secret")

    code, out, err = command("generate-secret")

    assert (code, out) == (theirs.returncode, theirs.stdout)
    assert err.splitlines() == theirs.stderr.splitlines()[:1]


def test_we_are_stricter_where_nix_harms(nix: Nix, command: Callable[..., object]) -> None:
    """Nix makes a key that it cannot read back; our command refuses the name."""
    for name in ("", "a:b"):
        theirs = nix("key", "generate-secret", "--key-name", name)

        with pytest.raises(KeywrightError):
            command("generate-secret", "--key-name", name)

        assert theirs.returncode == 0
        assert public_by_nix(nix, theirs.stdout) is None
