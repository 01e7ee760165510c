"""`nix trusted-public-keys`: which versions clients are to trust, and in which words they are told."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import keywright
from keywright import Commands, Context, KeyRing, Registry
from keywright.errors import ConfigError, KeyNotFoundError, KeywrightError, PolicyError, UnsupportedKeyError
from keywright_nix.published import published_keys

DAY = timedelta(days=1)
Trusted = Callable[..., tuple[int, str, str]]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, registry: Registry, clock: Clock) -> Iterator[KeyRing]:
    """A ring over a store in files."""
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
    """The references of what clients are to trust."""
    return [one.reference for one in published_keys(ring, asked, report=print)]


def test_the_line_for_nix_conf(ring: KeyRing, trusted: Trusted) -> None:
    """All Nix keys of the ring on one line, and other keys not."""
    ring.generate("b.example.org")
    ring.generate("a.example.org")
    ring.generate("jwt", type="ed25519", format="jwk")
    ring.generate("session", format="jwk")

    line = f"trusted-public-keys = {public(ring, 'a.example.org')} {public(ring, 'b.example.org')}\n"

    assert trusted() == (0, line, "")
    assert trusted("--format", "nix.conf") == (0, line, "")


def test_one_name(ring: KeyRing, trusted: Trusted) -> None:
    """What was asked for, in the order of asking, each once."""
    for name in ("a", "b", "c"):
        ring.generate(name)

    line = f"trusted-public-keys = {public(ring, 'c')} {public(ring, 'a')}\n"

    assert trusted("c", "a", "c") == (0, line, "")


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


@pytest.mark.parametrize("format_", ["nix.conf", "nixos"])
def test_json_and_another_format(trusted: Trusted, format_: str) -> None:
    """Two formats are refused."""
    with pytest.raises(ConfigError) as caught:
        trusted("--format", format_, as_json=True)

    assert (
        str(caught.value)
        == "--json prints a JSON document, and --format asks for something else; leave one of them out"
    )


def test_the_course_of_a_rotation(ring: KeyRing, clock: Clock) -> None:
    """Announced: both; active: both; after the overlap: the new one alone."""
    ring.generate("a")
    assert names(ring) == ["a@1"]

    ring.rotate("a", activate_in=DAY, overlap=30 * DAY)
    assert names(ring, "a") == ["a@1", "a@2"]

    clock.now += 2 * DAY
    assert names(ring) == ["a@1", "a@2"]

    clock.now += 30 * DAY
    assert names(ring) == ["a@2"]
    assert names(ring, "a") == ["a@2"]


@pytest.mark.parametrize("end", ["disable", "compromise", "destroy"])
def test_what_no_longer_verifies_is_not_trusted(ring: KeyRing, end: str) -> None:
    """A version that its keeper put away goes at once; its successor stays."""
    ring.generate("a")
    ring.rotate("a")

    getattr(ring, end)("a@1")

    assert names(ring) == ["a@2"]


def test_no_version_that_verifies(ring: KeyRing) -> None:
    """By name that is refused; among all it is passed over, and if nothing is left, that is refused too."""
    ring.generate("a")
    ring.compromise("a@1")

    with pytest.raises(PolicyError) as by_name:
        names(ring, "a")
    with pytest.raises(KeyNotFoundError) as among_all:
        names(ring)

    assert str(by_name.value) == "no version of a verifies now, so nobody should trust it; rotate to make a new one"
    assert str(among_all.value) == "no Nix key in this store verifies now; generate one, or name the store (--store)"


def test_no_such_name(ring: KeyRing) -> None:
    """A name that is not there is refused."""
    with pytest.raises(KeyNotFoundError):
        names(ring, "a")


def test_two_keys_of_one_nix_name(ring: KeyRing) -> None:
    """Nix would trust one of them only, so the list is refused; each by itself is given out."""
    ring.generate("a", kid="cache-1")
    ring.generate("b", kid="cache-1")

    with pytest.raises(PolicyError) as caught:
        names(ring)

    assert str(caught.value) == (
        "a@1 and b@1 are two keys of the Nix name cache-1, and Nix would drop the second in silence; ask for the one "
        "that clients need"
    )
    assert names(ring, "b") == ["b@1"]


def test_one_key_under_two_names_of_the_ring(ring: KeyRing) -> None:
    """It is given out once."""
    ring.generate("a")
    ring.import_key("b", ring.export("a", secret=True), format="nix")

    assert names(ring) == ["a@1"]
    assert names(ring, "b", "a") == ["b@1"]


def test_a_key_in_another_format(ring: KeyRing) -> None:
    """An Ed25519 key that is kept as a JWK is given out if it is asked for by name."""
    ring.generate("a", type="ed25519", format="jwk", kid="a-1")

    found = published_keys(ring, ["a"], report=print)

    x = ring.show("a").versions[0].info.public
    assert x is not None
    assert [one.public_key for one in found] == [f"a-1:{b64encode(x).decode()}"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(
            {"type": "ec-p256", "format": "jwk"},
            "a@1 cannot stand in trusted-public-keys: the nix format carries ed25519 keys, and this one is of type "
            "ec-p256; use another format, such as jwk",
            id="another type",
        ),
        pytest.param(
            {"type": "ed25519", "format": "jwk", "kid": "a:b"},
            "a@1 cannot stand in trusted-public-keys: the kid of this key cannot be a Nix key name: it holds a colon, "
            "and Nix takes the name to end at the first one; choose one with --kid",
            id="a kid with a colon",
        ),
        pytest.param(
            {"type": "ed25519", "format": "jwk", "kid": "a b"},
            "a@1 cannot stand in trusted-public-keys: the name of the Nix key holds whitespace, a control character "
            "or another one that does not print; give it another (--kid), or say --lenient",
            id="a kid with a space",
        ),
    ],
)
def test_a_key_that_nix_cannot_trust(ring: KeyRing, options: dict[str, str], told: str) -> None:
    """By name it is refused."""
    ring.generate("a", **options)  # type: ignore[arg-type]  # each is a text

    with pytest.raises(UnsupportedKeyError) as caught:
        names(ring, "a")

    assert str(caught.value) == told


def test_a_nix_key_that_cannot_stand_in_the_list(ring: KeyRing, trusted: Trusted) -> None:
    """Among all keys, one with an odd name, which an import had to be lenient about, is passed over with a warning."""
    ring.generate("b")
    data = ring.export("b", secret=True).reveal().replace(b"b-1", b"a b")
    ring.import_key("a", data, format="nix", lenient=True, report=lambda _: None)

    code, out, err = trusted()

    assert (code, out) == (0, f"trusted-public-keys = {public(ring, 'b')}\n")
    assert err == (
        "keywright: warning: left out: a@1 cannot stand in trusted-public-keys: the name of the Nix key holds "
        "whitespace, a control character or another one that does not print; give it another (--kid), or say "
        "--lenient\n"
    )


def test_no_secret_is_printed(ring: KeyRing, trusted: Trusted) -> None:
    """Whatever the format, the secret half does not show."""
    ring.generate("a")
    seed = ring.export("a", secret=True).reveal().decode().partition(":")[2][:40]

    for arguments in ([], ["--format", "json"], ["--format", "nixos"]):
        assert seed not in "".join(trusted(*arguments)[1:])


def test_errors_are_of_our_own_kind(ring: KeyRing) -> None:
    """A malformed name is a typed error too."""
    with pytest.raises(KeywrightError):
        names(ring, "a@1")


def test_a_name_in_which_nix_conf_sees_a_comment_is_refused(ring: KeyRing, trusted: Trusted) -> None:
    """Nix would cut the line there, and then refuse to work at all."""
    ring.generate("a", kid="a#b")

    with pytest.raises(UnsupportedKeyError) as caught:
        trusted("a")

    assert str(caught.value) == (
        "a@1 cannot stand in trusted-public-keys: its Nix name has a '#', where nix.conf takes a comment to begin; "
        "make a key of another name"
    )
