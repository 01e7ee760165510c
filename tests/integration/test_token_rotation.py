"""Rotating the key of tokens without an outage, as the guide says: announce, publish, sign, overlap, retire."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import Keywright

import keywright as library
from keywright.errors import InvalidSignatureError, PolicyError
from keywright_jose import jwks, jws_decode, signer, verifier, verify

DAY = timedelta(days=1)
CONFIG = """\
default_store = "local"

[stores.local]
backend = "sqlite"
path = "keys.db"

[keys."prod/jwt"]
type = "ec-p256"
format = "jwk"
"""


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
            verify(new, before)  # whoever had not fetched the announcement

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


def until(happened: Callable[[], bool]) -> None:
    """Wait for something that happens by the clock."""
    patience = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < patience
        time.sleep(0.1)


def test_the_command_line(home: Path, keywright: Keywright) -> None:
    """The guide's commands, by a real clock, with a file of the set that a web server would publish."""
    (home / "keywright.toml").write_text(CONFIG)
    published = home / "jwks.json"

    def run(*arguments: str) -> str:
        done = keywright(*arguments)
        assert (done.returncode, done.stderr) == (0, b""), done
        return done.stdout.decode()

    def publish() -> dict[str, Any]:
        run("jose", "jwks", "prod/jwt", "-o", "jwks.json")
        document: dict[str, Any] = json.loads(published.read_bytes())
        return document

    def phase(version: int) -> str:
        found = json.loads(run("show", "prod/jwt", "--json"))["versions"][version - 1]["phase"]
        return str(found)

    def signed(subject: str) -> str:
        with library.open(home / "keywright.toml") as ring:
            return signer(ring.signer("prod/jwt")).sign({"sub": subject})

    run("ensure")
    first = publish()
    old = signed("7")
    assert run("rotate", "prod/jwt", "--activate-in", "4s", "--overlap", "4s") == "prod/jwt@2\n"
    both = publish()
    assert both["keys"][:1] == first["keys"]
    assert len(both["keys"]) == 2

    until(lambda: phase(2) == "signing")
    new = signed("8")
    assert verify(new, both).kid == both["keys"][1]["kid"]
    assert jws_decode(old, both, signature_algorithm="ES256") == {"sub": "7"}

    until(lambda: phase(1) == "retired")
    last = publish()
    assert last["keys"] == both["keys"][1:]
    assert verify(new, last).payload == b'{"sub":"8"}'
    with pytest.raises(InvalidSignatureError):
        verify(old, last)
