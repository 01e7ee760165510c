"""`nix trusted-public-keys`: which versions clients are to trust, and in which words they are told."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nix_messages import UNPRINTABLE
from nix_signing import refusal

import keywright
from keywright import Commands, Context, KeyRing, Registry
from keywright.errors import ConfigError, KeyNotFoundError, KeywrightError, PolicyError, UnsupportedKeyError
from keywright_nix.cli.trusted import published_keys

DAY = timedelta(days=1)
OTHERS = "pass the NAMEs of Nix keys"
ODD_NAME = f"the name of the Nix key {UNPRINTABLE}; {OTHERS}"
Trusted = Callable[..., tuple[int, str, str]]


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, registry: Registry, clock: Clock) -> Iterator[KeyRing]:
    path = str(tmp_path / "keys")
    config = {"default_store": "local", "stores": {"local": {"backend": "file", "path": path}}}
    with keywright.open(config, clock=clock, registry=registry) as opened:
        yield opened


@pytest.fixture
def trusted(ring: KeyRing, registry: Registry, capfdbinary: pytest.CaptureFixture[bytes]) -> Trusted:
    """Runs the command over `ring`: exit code, stdout and stderr."""
    commands = Commands()
    registry.add_commands(commands)
    found = commands.table["nix", "trusted-public-keys"]

    def no_config() -> None:
        raise ConfigError("the ring is there already")

    def run(*arguments: str, as_json: bool = False) -> tuple[int, str, str]:
        parser = ArgumentParser(allow_abbrev=False)
        found.configure(parser)
        context = Context(registry, read_config=no_config, json=as_json)  # type: ignore[arg-type]  # it never returns
        context.ring = ring  # one with a clock of its own
        code = found.run(parser.parse_args(arguments), context)
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def public(ring: KeyRing, reference: str) -> str:
    return ring.export(reference).decode()


def names(ring: KeyRing, *asked: str) -> list[str]:
    return [one.reference for one in published_keys(ring, asked, report=print)]


def test_the_line_for_nix_conf(ring: KeyRing, trusted: Trusted) -> None:
    """All Nix keys of the ring on one line, and no other keys; or what was asked for, in that order, each once."""
    for name in ("b", "a", "c"):
        ring.generate(name)
    ring.generate("jwt", type="ed25519", format="jwk")
    ring.generate("session", format="jwk")
    a, b, c = (public(ring, name) for name in "abc")

    assert trusted() == (0, f"trusted-public-keys = {a} {b} {c}\n", "")
    assert trusted("--format", "nix.conf") == (0, f"trusted-public-keys = {a} {b} {c}\n", "")
    assert trusted("c", "a", "c") == (0, f"trusted-public-keys = {c} {a}\n", "")


def test_nixos(ring: KeyRing, trusted: Trusted) -> None:
    """A line for configuration.nix; what the Nix language would take for code is escaped."""
    ring.generate("b")
    octets = ring.export("b", secret=True).reveal().partition(b":")[2]
    ring.import_key("a", b'a"\\${x}$-1:' + octets)
    a = public(ring, "a").partition(":")[2]

    line = f'nix.settings.trusted-public-keys = [ "a\\"\\\\\\${{x}}$-1:{a}" "{public(ring, "b")}" ];\n'

    assert trusted("--format", "nixos") == (0, line, "")


def test_json(ring: KeyRing, trusted: Trusted, clock: Clock) -> None:
    """A document with a list of objects; `--json` says the same as `--format json`."""
    ring.generate("a")
    ring.rotate("a", activate_in=DAY, overlap=30 * DAY)
    clock.now += DAY / 2

    code, out, err = trusted("--format", "json")

    assert json.loads(out)["keys"] == [
        {
            "name": "a-1",
            "reference": "a@1",
            "public_key": public(ring, "a@1"),
            "phase": "signing",
            "verifies_until": "2030-02-01T00:00:00Z",
        },
        {
            "name": "a-2",
            "reference": "a@2",
            "public_key": public(ring, "a@2"),
            "phase": "announced",
            "verifies_until": None,
        },
    ]
    assert (code, err) == (0, "")
    assert trusted(as_json=True) == (0, out, "")
    assert trusted("--format", "json", as_json=True) == (0, out, "")


def test_json_and_another_format_are_refused(trusted: Trusted) -> None:
    rule = "--json and --format cannot be combined; leave one of them out"
    for format_ in ("nix.conf", "nixos"):
        with refusal(ConfigError, rule):
            trusted("--format", format_, as_json=True)


def test_the_course_of_a_rotation(ring: KeyRing, clock: Clock) -> None:
    ring.generate("a")
    assert names(ring) == ["a@1"]

    ring.rotate("a", activate_in=DAY, overlap=30 * DAY)
    assert names(ring, "a") == ["a@1", "a@2"]

    clock.now += 2 * DAY
    assert names(ring) == ["a@1", "a@2"]

    clock.now += 30 * DAY
    assert names(ring) == ["a@2"]
    assert names(ring, "a") == ["a@2"]


def test_what_no_longer_verifies_is_not_trusted(ring: KeyRing) -> None:
    for name, end in (("a", ring.disable), ("b", ring.compromise), ("c", ring.destroy)):
        ring.generate(name)
        ring.rotate(name)

        end(f"{name}@1")

        assert names(ring, name) == [f"{name}@2"]


def test_no_version_that_verifies(ring: KeyRing) -> None:
    """By name that is refused; among all it is passed over, and if nothing is left, that is refused too."""
    ring.generate("a")
    ring.compromise("a@1")

    with refusal(
        PolicyError, "no version of a verifies now, so it should not be trusted; create one with `keywright rotate a`"
    ):
        names(ring, "a")
    with refusal(
        KeyNotFoundError,
        "the store has no Nix key that verifies now; create one with `keywright generate NAME --format nix`, or "
        "pass --store",
    ):
        names(ring)


def test_a_missing_or_malformed_name_is_refused(ring: KeyRing) -> None:
    with pytest.raises(KeyNotFoundError):
        names(ring, "a")
    with pytest.raises(KeywrightError):
        names(ring, "a@1")


def test_two_keys_of_one_nix_name(ring: KeyRing) -> None:
    """Nix would trust one of them only, so the list is refused; each by itself is given out."""
    ring.generate("a", kid="cache-1")
    ring.generate("b", kid="cache-1")
    message = (
        "a@1 and b@1 are different keys with the Nix name cache-1, and Nix would ignore the second; print only the "
        "one that clients need"
    )

    with refusal(PolicyError, message):
        names(ring)
    assert names(ring, "b") == ["b@1"]


def test_one_key_under_two_names_of_the_ring_is_given_out_once(ring: KeyRing) -> None:
    ring.generate("a")
    ring.import_key("b", ring.export("a", secret=True), format="nix")

    assert names(ring) == ["a@1"]
    assert names(ring, "b", "a") == ["b@1"]


def test_a_key_in_another_format_is_given_out_by_name(ring: KeyRing) -> None:
    ring.generate("a", type="ed25519", format="jwk", kid="a-1")

    found = published_keys(ring, ["a"], report=print)

    x = ring.show("a").versions[0].info.public
    assert x is not None
    assert [one.public_key for one in found] == [f"a-1:{b64encode(x).decode()}"]


def test_a_key_that_nix_cannot_trust_is_refused_by_name(ring: KeyRing) -> None:
    type_ = f"the nix format carries ed25519 keys, and this one is of type ec-p256; {OTHERS}"
    colon = (
        "the kid of this key cannot be a Nix key name: it has a colon, and for Nix the name ends at the first one; "
        f"{OTHERS}"
    )
    comment = "its Nix name has a '#', which begins a comment in nix.conf; create a key with another name"
    ring.generate("a", type="ec-p256", format="jwk")
    ring.generate("b", type="ed25519", format="jwk", kid="a:b")
    ring.generate("c", type="ed25519", format="jwk", kid="a b")
    ring.generate("d", kid="a#b")

    for name, rule in (("a", type_), ("b", colon), ("c", ODD_NAME), ("d", comment)):
        with refusal(UnsupportedKeyError, f"{name}@1 cannot be in trusted-public-keys: {rule}"):
            names(ring, name)


def test_a_nix_key_that_cannot_stand_in_the_list(ring: KeyRing, trusted: Trusted) -> None:
    """Among all keys, one with an odd name, which an import had to be lenient about, is passed over with a warning."""
    ring.generate("b")
    data = ring.export("b", secret=True).reveal().replace(b"b-1", b"a b")
    ring.import_key("a", data, format="nix", lenient=True, report=lambda _: None)

    code, out, err = trusted()

    assert (code, out) == (0, f"trusted-public-keys = {public(ring, 'b')}\n")
    assert err == f"warning: left out: a@1 cannot be in trusted-public-keys: {ODD_NAME}\n"
