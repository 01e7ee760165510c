"""Key types of other plugins that describe their JWKs: what the format accepts of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from keywright import Attributes, JWKKeyType, Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_jose.jwk.format import JwkFormat

TEXT = b'{"kid":"a","kty":"X","p1":"P","s1":"S"}'
KEY = Key("x-one", "a", Secret(b"S"), b"P")


class Described:
    """A key type whose halves are single letters, in the members `p1` and `s1`."""

    settings = ()
    algorithms = ("EdDSA",)
    more: Mapping[str, Any] = {}

    def __init__(self, name: str = "x-one", **more: object) -> None:
        self.name = name
        self.more = more

    def jwk_members(self, key: Key) -> Mapping[str, str]:
        assert key.public is not None
        secret = {} if key.secret is None else {"s1": key.secret.reveal().decode()}
        return {"kty": "X", "p1": key.public.decode(), **secret, **self.more}

    def key_from_jwk(self, members: Mapping[str, object]) -> Key | None:
        if members.get("kty") != "X":
            return None
        assert "S" not in repr(members)
        secret = Secret(str(members["s1"]).encode()) if "s1" in members else None
        return Key(self.name, secret=secret, public=str(members["p1"]).encode())


def jwk(*key_types: Described) -> JwkFormat:
    return JwkFormat().with_key_types(cast("list[JWKKeyType]", key_types))


def test_its_keys_are_read_and_written() -> None:
    """The secret members are those that the public half does not have; nothing else of the JWK is lost or published."""
    format_ = jwk(Described())
    key = KEY.replace(attributes=Attributes({"use": "sig", "alg": "EdDSA", "note": "n"}))

    text = format_.encode_secret(key)

    assert format_.decode(text, default_kid="") == key
    assert format_.encode_public(key) == b'{"alg":"EdDSA","kid":"a","kty":"X","p1":"P","use":"sig"}'
    assert format_.key_types[-1] == "x-one"
    assert format_.default_kid("n", 1, Key("x-one", secret=Secret(b"S"))) is None
    assert format_.default_kid("n", 1, key) == format_.default_kid("n", 2, key.without_secret()) is not None


def test_our_own_types_are_not_shown_to_it() -> None:
    """Whatever it would say of them."""

    class Greedy(Described):
        def key_from_jwk(self, members: Mapping[str, object]) -> Key | None:
            pytest.fail("a JWK of the format's own")

    assert jwk(Greedy()).decode(Secret(b'{"k":"AAAA","kty":"oct"}'), default_kid="").type == "oct"


def test_two_that_claim_one_jwk() -> None:
    """Neither gets it, and the error names both."""
    with pytest.raises(UnsupportedKeyError, match='"x-one" and "x-two" both claim this JWK'):
        jwk(Described(), Described("x-two")).decode(Secret(TEXT), default_kid="")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param({"kid": "b"}, "writes a JWK with a member such as kid or use", id="kid"),
        pytest.param({"p1": 1}, "writes a JWK without kty, or with a member that is not text", id="not text"),
        pytest.param(
            {"kty": "OKP", "crv": "Ed25519"}, "like those of a type that the format jwk has already", id="ours"
        ),
    ],
)
def test_one_that_describes_its_members_wrongly(more: dict[str, Any], says: str) -> None:
    """It is the type that is named, not the key."""
    with pytest.raises(UnsupportedKeyError, match=f'the key type "x-one" .*{says}'):
        jwk(Described(**more)).encode_secret(KEY)


def test_what_it_would_not_write_is_refused() -> None:
    """A second spelling of a key, or a secret that it overlooks, does not pass."""
    for text in (TEXT.replace(b'"P"', b'"Q"'), TEXT.replace(b'"s1"', b'"d"')):
        with pytest.raises(MalformedKeyError):
            jwk(_Fixed()).decode(Secret(text), default_kid="")


class _Fixed(Described):
    """Reads every key as the same."""

    def key_from_jwk(self, members: Mapping[str, object]) -> Key | None:
        return KEY.without_secret() if "d" in members else KEY


def test_its_member_cannot_be_an_attribute() -> None:
    """The name has its meaning in the key."""
    with pytest.raises(UnsupportedKeyError, match="p1 cannot be an attribute of a JWK"):
        jwk(Described()).encode_secret(KEY.replace(attributes=Attributes({"p1": "x"})))
