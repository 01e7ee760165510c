"""What may be a key where a name or a path is expected, and so is not to be shown."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright_nix.key import hides_key, looks_like_key

DIGITS = "Aa0+/" * 9  # 45 of them


@given(seed=st.binary(min_size=32, max_size=80), name=st.text("abc.-", min_size=1))
def test_keys_look_like_keys(seed: bytes, name: str) -> None:
    """Whatever 32 bytes or more make, padded or not, behind a name or before one."""
    text = b64encode(seed).decode()

    for spelled in (text, text.rstrip("=")):
        assert hides_key(spelled)
        assert looks_like_key(f"{name}:{spelled}")
        assert looks_like_key(f"{spelled}:{name}")


@pytest.mark.parametrize(
    ("text", "is_key"),
    [
        pytest.param(f"a:{DIGITS[:43]}", True, id="43 digits"),
        pytest.param(f"a:{DIGITS[:42]}", False, id="42 digits"),
        pytest.param(f"a:{DIGITS[:42]}==", False, id="42 digits, padded"),
        pytest.param(f":{DIGITS[:43]}", True, id="no name"),
        pytest.param(f"a:{DIGITS[:20]}\n{DIGITS[:23]}=\n", True, id="broken into lines"),
        pytest.param(f"a:{DIGITS[:43]}= b:{DIGITS[:43]}=", True, id="two keys"),
        pytest.param(f"a:{DIGITS[:43]}=junk.", True, id="junk"),
        pytest.param(f"{DIGITS[:41]}:x", True, id="41 digits before the colon"),
        pytest.param(f"{DIGITS[:40]}:x", False, id="40 digits before the colon"),
        pytest.param(f"{DIGITS[:41]}:", False, id="nothing behind the colon"),
        pytest.param(DIGITS, False, id="no colon"),
        pytest.param(f"a:{DIGITS}.pub", False, id="a path with a colon"),
        pytest.param("a:" + "ä" * 43, False, id="letters, and no base64"),
        pytest.param("/etc/nix/secret-key", False, id="a path"),
        pytest.param("", False, id="empty"),
    ],
)
def test_what_looks_like_a_key(text: str, is_key: bool) -> None:
    """NAME:BASE64, with as many digits as a key has, on one of both sides."""
    assert looks_like_key(text) == is_key


@pytest.mark.parametrize(
    ("name", "hides"),
    [
        pytest.param("a" * 40, False, id="40 letters"),
        pytest.param("a" * 41, True, id="41 letters"),
        pytest.param("a" * 40 + "=", False, id="40 letters and padding"),
        pytest.param("a" * 40 + "-" + "a" * 40, False, id="40 letters twice"),
        pytest.param("a-1=" + "a" * 41 + "=,b", True, id="41 letters in the middle"),
        pytest.param(DIGITS[:41], True, id="all kinds of digits"),
        pytest.param("=" * 41, False, id="padding alone"),
        pytest.param("ä" * 41, False, id="no base64"),
        pytest.param("cache.example.org-1", False, id="a name"),
    ],
)
def test_what_hides_a_key(name: str, hides: bool) -> None:
    """More than 40 digits of base64 in a row."""
    assert hides_key(name) == hides
