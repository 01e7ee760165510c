"""What is far too large is refused before it is looked into."""

from __future__ import annotations

import pytest

from keywright.errors import FormatError, MalformedKeyError
from keywright_jose import create_curve_key, create_secret_key, signer, verifier


def test_a_set_has_so_many_keys_and_no_more() -> None:
    """A thousand keys are taken; one more is refused without reading any."""
    key = {name: value for name, value in create_curve_key("P-256").items() if name != "d"}
    unknown = [{"kty": "none-of-ours", "kid": str(number)} for number in range(1000)]

    verifier({"keys": [*unknown[1:], {**key, "kid": "k"}]}, algorithms=["ES256"])
    with pytest.raises(MalformedKeyError) as caught:
        verifier({"keys": [*unknown, {**key, "kid": "k"}]}, algorithms=["ES256"])
    assert str(caught.value) == "a JWK Set has at most 1000 keys here; pass those that are needed"


def test_a_member_is_no_longer_than_that_of_any_key() -> None:
    """A number of half a million bits is no key."""
    with pytest.raises(MalformedKeyError) as caught:
        signer({"kty": "oct", "k": "A" * 65_540}, "HS256")

    assert str(caught.value) == (
        "the JWK member k is longer than that of any key; export the key again from the program that made it"
    )


def test_claims_that_fill_no_token_are_refused() -> None:
    """Bytes and claims of many mebibytes are refused, and so is the first byte too many."""
    tokens = signer(create_secret_key(256), "HS256")
    for payload in (bytes(64 << 20), {"a": "a" * (1 << 20)}, bytes(195_568)):
        with pytest.raises(FormatError) as caught:
            tokens.sign(payload)
        assert str(caught.value) == "a token has at most 262144 bytes, and this one would have more; say less"

    assert len(tokens.sign(bytes(195_540))) < 262_144
