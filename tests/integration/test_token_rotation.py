"""Rotating the key of tokens without an outage, as the guide says: announce, publish, sign, overlap, retire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import keywright as library
from keywright.errors import InvalidSignatureError, PolicyError
from keywright_jose import jwks, signer, verifier, verify

DAY = timedelta(days=1)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize("type", ["ec-p256", "ed25519", "rsa"])
def test_a_service_that_goes_on_running(type: str) -> None:
    """One signer and one verifier, bound before it all began, see a rotation through; so does the set of its time."""
    clock = Clock()
    config = {"default_store": "main", "stores": {"main": {"backend": "memory"}}}
    with library.open(config, clock=clock) as ring:
        ring.generate("prod/jwt", type=type, format="jwk")
        issuer, checker = signer(ring.signer("prod/jwt")), verifier(ring.verifier("prod/jwt"))
        before = jwks(ring, ["prod/jwt"])
        old = issuer.sign({"sub": "7"})

        ring.rotate("prod/jwt", activate_in=7 * DAY, overlap=14 * DAY)
        announced = jwks(ring, ["prod/jwt"])
        clock.now += 6 * DAY
        still_old = issuer.sign({"sub": "8"})
        clock.now += DAY
        new = issuer.sign({"sub": "9"})

        assert [len(one["keys"]) for one in (before, announced)] == [1, 2]
        assert announced["keys"][0] == before["keys"][0]
        assert [checker.verify(one).reference for one in (old, still_old)] == ["prod/jwt@1"] * 2
        assert checker.verify(new).reference == "prod/jwt@2"
        assert [verify(one, announced).kid for one in (old, still_old, new)] == [
            announced["keys"][version]["kid"] for version in (0, 0, 1)
        ]
        with pytest.raises(InvalidSignatureError):
            verify(new, before)  # a verifier that had not fetched the announcement

        clock.now += 14 * DAY
        after = jwks(ring, ["prod/jwt"])

        assert after["keys"] == announced["keys"][1:]
        assert checker.verify(new).reference == "prod/jwt@2"
        assert verify(new, after).kid == after["keys"][0]["kid"]
        for one in (old, still_old):
            with pytest.raises(InvalidSignatureError):
                checker.verify(one)
            with pytest.raises(InvalidSignatureError):
                verify(one, after)


def test_a_stolen_key() -> None:
    """What it signed is refused at once, the set has it no more, and the next one signs at once."""
    clock = Clock()
    config = {"default_store": "main", "stores": {"main": {"backend": "memory"}}}
    with library.open(config, clock=clock) as ring:
        ring.generate("prod/jwt", type="ec-p256")
        issuer, checker = signer(ring.signer("prod/jwt")), verifier(ring.verifier("prod/jwt"))
        stolen = issuer.sign({"sub": "7"})

        ring.compromise("prod/jwt@1")
        with pytest.raises(PolicyError):
            issuer.sign({})
        ring.rotate("prod/jwt")
        new = issuer.sign({"sub": "7"})

        with pytest.raises(InvalidSignatureError):
            checker.verify(stolen)
        with pytest.raises(InvalidSignatureError):
            verify(stolen, jwks(ring))
        assert checker.verify(new).reference == "prod/jwt@2"
        assert len(jwks(ring)["keys"]) == 1
