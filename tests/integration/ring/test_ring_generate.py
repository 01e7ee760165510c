"""The ring generates keys: what is asked for, configured or implied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from support.rings import NOW, ODD, Claiming, Meanwhile, Refused, Rings

import keywright
from keywright import Key, KeyRing, Options, RecordInfo, Registry, Secret, State
from keywright.errors import (
    ConfigError,
    KeywrightError,
    PluginError,
    UnsupportedKeyError,
)

JWK_TYPES = "oct, ed25519, x25519, ec-p256, ec-p384, ec-p521, rsa"


def document_of(ring: KeyRing, name: str) -> dict[str, Any]:
    """The members of a JWK that are not a secret, and those that are as True."""
    members = json.loads(ring.export(name, secret=True).reveal())
    return {member: True if member in ("d", "k") else value for member, value in members.items()}


def test_a_name_alone_makes_a_nix_key(ring: Rings) -> None:
    """Without any choice, version 1 is an ed25519 key in the nix format that signs at once and never ends."""
    info = ring().generate("cache.example.org")

    assert info == RecordInfo(
        name="cache.example.org",
        version=1,
        key_type="ed25519",
        format="nix",
        kid="cache.example.org-1",
        public=info.public,
        state=State.ENABLED,
        state_since=NOW,
        created=NOW,
        revision=info.revision,
    )
    assert len(info.public or b"") == 32


PAIRS = [
    pytest.param({}, "ed25519", "nix", id="neither"),
    pytest.param({"format": "nix"}, "ed25519", "nix", id="nix"),
    pytest.param({"format": "jwk"}, "oct", "jwk", id="jwk"),
    pytest.param({"type": "ed25519"}, "ed25519", "nix", id="ed25519"),
    pytest.param({"type": "oct"}, "oct", "jwk", id="oct"),
    pytest.param({"type": "x25519"}, "x25519", "jwk", id="x25519"),
    pytest.param({"type": "ec-p256"}, "ec-p256", "jwk", id="ec-p256"),
    pytest.param({"type": "ec-p521"}, "ec-p521", "jwk", id="ec-p521"),
    pytest.param({"type": "ed25519", "format": "jwk"}, "ed25519", "jwk", id="ed25519 as jwk"),
]


def test_the_format_is_chosen_from_what_is_installed(clock: Any, refused: Refused) -> None:
    """Where neither nix nor jwk carries the type, the one that does is chosen; several or none is an error."""
    registry = Registry.load(("keytypes", "memory"))
    nix = Registry.load(("nix",)).format("nix")

    with keywright.open({"stores": {"main": {"backend": "memory"}}}, clock=clock, registry=registry) as opened:
        with refused(
            ConfigError,
            "no installed format carries keys of type 'ed25519'; install a plugin with a format for them; `keywright "
            "plugins` lists what is installed",
        ):
            opened.generate("none")
        registry.add(Claiming("toy", nix), "toy")
        assert [opened.generate("one").format, opened.rotate("one").format] == ["toy", "toy"]
        registry.add(Claiming("another", nix), "another")
        with refused(ConfigError, "several formats carry keys of type 'ed25519'; pass --format: another, toy"):
            opened.generate("several")
        assert opened.generate("several", type="ed25519", format="another").format == "another"
        assert opened.rotate("one").format == "toy"
        registry.add(Claiming("nix", nix), "nix")
        assert opened.generate("preferred").format == "nix"


@pytest.mark.parametrize(("said", "type_name", "format_name"), PAIRS)
def test_type_and_format_imply_each_other(ring: Rings, said: dict[str, Any], type_name: str, format_name: str) -> None:
    """Where one of the two is given, by argument or in the configuration, it implies the other."""
    for info in (ring().generate("a", **said), ring(keys={"a": said}).generate("a")):
        assert (info.key_type, info.format) == (type_name, format_name)


def test_an_argument_goes_before_the_configuration(ring: Rings) -> None:
    """Arguments win one by one, labels and attributes are joined; `bits` of the configured type is not another's."""
    table = {
        "type": "oct",
        "bits": 512,
        "kid": "configured",
        "labels": {"team": "a", "env": "prod"},
        "attributes": {"use": "sig", "alg": "HS256"},
    }
    opened = ring(keys={"a": table, "b": {"type": "oct", "bits": 512}})

    info = opened.generate("a", bits=384, kid="said", labels={"env": "dev"}, attributes={"alg": "HS384"})

    assert (info.key_type, info.kid, info.labels) == ("oct", "said", {"env": "dev", "team": "a"})
    assert document_of(opened, "a") == {"alg": "HS384", "k": True, "kid": "said", "kty": "oct", "use": "sig"}
    assert len(opened.load("a").secret or b"") == 48
    assert opened.generate("b", type="ec-p256").key_type == "ec-p256"


def test_the_configuration_says_it_all(ring: Rings) -> None:
    """A [keys.NAME] table decides type, format, store, kid, labels, attributes, size and overlap of version 1."""
    table = {
        "type": "oct",
        "format": "jwk",
        "store": "other",
        "kid": "{name}/{version}",
        "bits": 512,
        "overlap": "14d",
        "activate_in": "7d",
        "labels": {"user_id": "7"},
        "attributes": {"use": "sig"},
    }
    stores = {"main": {"backend": "memory"}, "other": {"backend": "memory"}}
    opened = ring(stores=stores, default_store="main", keys={"prod/jwt": table})

    info = opened.generate("prod/jwt")

    assert (info.key_type, info.format, info.kid) == ("oct", "jwk", "prod/jwt/1")
    assert (info.labels, info.overlap) == ({"user_id": "7"}, timedelta(days=14))
    assert info.activates is None, "there is no one to announce the first version to"
    assert len(opened.load("prod/jwt").secret or b"") == 64
    assert opened.load("prod/jwt").attributes == {"use": "sig"}
    assert [*opened.names()] == []
    assert [*opened.names(store="other")] == ["prod/jwt"]


def test_each_format_has_its_default_kid(ring: Rings, registry: Registry) -> None:
    """Nix counts versions unless the name does; a JWK has its RFC 7638 thumbprint, an `oct` key 128 random bits."""
    opened = ring()

    for name in ("cache.example.org", "prod/cache"):
        assert opened.generate(name).kid == f"{name}-1"
    assert opened.generate("cache-5").kid == "cache-5"
    info, key = opened.generate("ec", type="ec-p256"), opened.load("ec")
    assert info.kid == key.kid == registry.format("jwk").default_kid("ec", 1, key)
    kids = {opened.generate(name, type="oct").kid for name in ("o", "p")}  # a hash would help to guess the key
    assert len(kids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", kid) for kid in kids)
    assert opened.generate("t", type="oct", kid="x-{name}-{version}").kid == "x-t-1"


def test_metadata_holds_public_attributes_alone(ring: Rings) -> None:
    """Metadata shows what the public half would: `sign` as `verify`, no unknown member; of an `oct` key nothing."""
    opened = ring()
    attributes = {"use": "sig", "key_ops": ["sign"], "note": "kept in the key"}

    info = opened.generate("a", type="ec-p256", attributes=attributes)
    symmetric = opened.generate("b", type="oct", attributes={"use": "sig"})

    assert info.attributes == {"use": "sig", "key_ops": ["verify"]}
    assert opened.load("a").attributes == attributes
    assert symmetric.public is None
    assert symmetric.attributes == {}


@pytest.mark.parametrize(("bits", "length"), [(128, 16), (8192, 1024), ("256", 32), (None, 32)])
def test_bits_are_a_number_or_its_text(ring: Rings, bits: object, length: int) -> None:
    """The size may come as a number or as text, as from a command line; without it the type's default is taken."""
    opened = ring()

    said: dict[str, Any] = {} if bits is None else {"bits": bits}
    opened.generate("a", type="oct", **said)

    assert len(opened.load("a").secret or b"") == length


def test_a_kid_has_at_most_1024_characters(ring: Rings) -> None:
    """More is not made; a key that was made elsewhere keeps the kid that it has."""
    opened = ring()
    kid = "x" * 1024

    assert opened.generate("a", kid=kid).kid == kid
    elsewhere = opened.export("a", secret=True).reveal().replace(kid.encode(), kid.encode() + b"y")
    assert opened.import_key("b", Secret(elsewhere)).kid == kid + "y"


def test_times_come_in_any_zone(ring: Rings) -> None:
    """Times of other zones are kept in UTC."""
    there = timezone(timedelta(hours=5, minutes=30))
    begins, ends = (datetime(year, month, 1, 5, 30, tzinfo=there) for year, month in ((2027, 2), (2028, 1)))

    info = ring().generate("a", activates=begins, expires=ends)

    assert (info.activates, info.expires) == (datetime(2027, 2, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    assert info.activates is not None
    assert info.activates.tzinfo is UTC


LABEL_NAME = "a label name must be 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"

KID = "must be text with no other braces than {name} and {version}, and not empty"

LONG_KID = "must have at most 1024 characters; choose a shorter one"

ORDER = "expires must be after the activation and after now, or the key would never sign; pass a later time"

ZONE = " must be a time with a zone, such as 2027-01-31T12:00:00Z"

EARLY = timezone(timedelta(hours=12))

LATE = timezone(timedelta(hours=-12))


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        pytest.param({"kid": "{name}-{verison}"}, ConfigError, f"kid {KID}", id="a misspelt placeholder"),
        pytest.param({"kid": "a}"}, ConfigError, f"kid {KID}", id="half a placeholder"),
        pytest.param({"kid": "x" * 1025}, ConfigError, f"kid {LONG_KID}", id="a long kid"),
        pytest.param({"kid": "x" * 1024 + "{name}"}, ConfigError, f"kid {LONG_KID}", id="a long kid with the name"),
        pytest.param(
            {"type": "oct", "format": "nix"},
            ConfigError,
            "format 'nix' cannot carry a key of type 'oct'; it carries: ed25519",
            id="the format does not carry the type",
        ),
        pytest.param(
            {"bits": 256},
            ConfigError,
            "bits is not a setting of key type 'ed25519'; remove it",
            id="a setting that the type does not have",
        ),
        pytest.param(
            {"type": "oct", "bit": 256},
            ConfigError,
            "bit is not a setting of key type 'oct' (did you mean 'bits'?); key type 'oct' has: bits",
            id="a setting spelt wrong",
        ),
        pytest.param(
            {"type": "oct", "bits": 100},
            ConfigError,
            "bits must be a whole number that is a multiple of 8 from 128 to 8192",
            id="a size out of bounds",
        ),
        pytest.param(
            {"attributes": {"use": "sig", "alg": "EdDSA"}},
            UnsupportedKeyError,
            "format 'nix' does not carry: alg, use; leave it out, or pass another --format",
            id="attributes that the format does not carry",
        ),
        pytest.param(
            {"kid": "a b"},
            UnsupportedKeyError,
            f"format 'nix' does not carry this key: the name of the Nix key {ODD}; set another with --kid, or pass "
            "--lenient",
            id="a kid that the format would not read back",
        ),
        pytest.param(
            {"kid": "a:b"},
            UnsupportedKeyError,
            "the kid of this key cannot be a Nix key name: it has a colon, and for Nix the name ends at the "
            "first one; choose one with --kid",
            id="a kid that the format does not write",
        ),
        pytest.param({"labels": {"": "x"}}, ConfigError, LABEL_NAME, id="a label without a name"),
        pytest.param(
            {"labels": {"user_id": 7}},
            ConfigError,
            "label user_id must be printable text of at most 256 bytes",
            id="a label that is not text",
        ),
        pytest.param({"activates": datetime(2027, 2, 1)}, ConfigError, f"activates{ZONE}", id="activates: no zone"),  # noqa: DTZ001 - meant
        pytest.param({"expires": datetime(2027, 2, 1)}, ConfigError, f"expires{ZONE}", id="expires: no zone"),  # noqa: DTZ001 - meant
        pytest.param(
            {"activates": datetime(1, 1, 1, tzinfo=EARLY)},
            ConfigError,
            "activates must lie within the years 1 to 9999 in UTC",
            id="before the first year",
        ),
        pytest.param(
            {"expires": datetime.max.replace(tzinfo=LATE)},
            ConfigError,
            "expires must lie within the years 1 to 9999 in UTC",
            id="after the last year",
        ),
        pytest.param({"expires": NOW}, ConfigError, ORDER, id="expires now"),
        pytest.param(
            {"activates": NOW + timedelta(days=2), "expires": NOW + timedelta(days=1)},
            ConfigError,
            ORDER,
            id="expires before it activates",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(
    ring: Rings, refused: Refused, said: dict[str, Any], kind: type[KeywrightError], message: str
) -> None:
    """A refusal says why, and nothing is stored."""
    opened = ring()

    with refused(kind, message):
        opened.generate("a", **said)

    assert [*opened.names()] == []


def test_wrong_settings_are_refused_with_their_place(ring: Rings, refused: Refused) -> None:
    """What the configuration says wrongly comes with file and path; an overlap beyond the last year is refused."""
    opened = ring(keys={"a.b": {"type": "oct", "format": "nix"}, "a": {"overlap": "14d"}})

    with refused(
        ConfigError,
        "given settings: keys.\"a.b\": format 'nix' cannot carry a key of type 'oct'; it carries: ed25519",
    ):
        opened.generate("a.b")
    with refused(ConfigError, "the overlap would end after the year 9999; activate the version earlier"):
        opened.generate("a", activates=datetime(9999, 12, 25, tzinfo=UTC))
    assert [*opened.names()] == []


@pytest.mark.parametrize(
    ("read", "message"),
    [
        pytest.param(
            lambda key: Key(key.type, "other", key.secret, key.public, key.attributes),
            "format 'odd' does not carry: kid; leave it out, or pass another --format",
            id="another kid",
        ),
        pytest.param(
            lambda key: Key(key.type, key.kid, Secret(bytes(32)), key.public, key.attributes),
            "format 'odd' did not read back the key that it wrote; nothing was stored; report it to the plugin's "
            "author",
            id="another secret",
        ),
    ],
)
def test_what_does_not_read_back_is_not_stored(
    ring: Rings, refused: Refused, registry: Registry, read: Callable[[Key], Key], message: str
) -> None:
    """Before a key is stored, its encoding is read again and must give the same key."""
    registry.add(Claiming("odd", registry.format("jwk"), read), "odd")
    opened = ring()

    with refused(UnsupportedKeyError, message):
        opened.generate("a", type="oct", format="odd")

    assert [*opened.names()] == []


def test_ensure_makes_what_is_declared(ring: Rings, shared: dict[str, str]) -> None:
    """`ensure` makes each declared key once, in its store; a tombstone tells that it was made."""
    keys = {"a": {"type": "oct"}, "b": {"store": "other"}}
    opened = ring(stores={"main": shared, "other": {"backend": "memory"}}, default_store="main", keys=keys)

    assert [info.reference for info in opened.ensure()] == ["a@1", "b@1"]
    assert opened.ensure() == ()
    assert ([*opened.names()], [*opened.names(store="other")]) == (["a"], ["b"])
    opened.destroy("a")
    assert opened.ensure() == ()


def test_ensure_makes_the_named_alone(ring: Rings, refused: Refused) -> None:
    """With names, `ensure` makes those, in `store`; one without a table is refused before anything is made."""
    stores = {"main": {"backend": "memory"}, "other": {"backend": "memory"}}
    opened = ring(stores=stores, default_store="main", keys={"a": {}, "b": {}})

    with refused(
        ConfigError,
        ('key cache.example.org is not declared in the configuration; add a table keys."cache.example.org"'),
    ):
        opened.ensure("a", "cache.example.org")
    assert [*opened.names()] == []
    assert [info.reference for info in opened.ensure("b", "b", store="other")] == ["b@1"]
    assert ([*opened.names()], [*opened.names(store="other")]) == ([], ["b"])


def test_who_ensures_too_late_is_content(ring: Rings, meanwhile: Meanwhile) -> None:
    """A key that someone makes between the look and the making is there, as was wanted."""
    opened = ring(keys={"a": {}, "b": {}})
    meanwhile(opened.open_store(), "versions", lambda: opened.generate("a"), after=True)

    assert [info.reference for info in opened.ensure()] == ["b@1"]
    assert len(opened.show("a").versions) == 1


def test_a_key_of_another_type_is_found_out(
    ring: Rings, registry: Registry, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key type that answers with a key of another type makes no record that no one could read."""
    other = registry.key_type("ec-p384")
    monkeypatch.setattr(type(registry.key_type("ed25519")), "generate", lambda self, options: other.generate(Options()))
    opened = ring()

    with refused(
        PluginError,
        "key type 'ed25519' returned a key that does not match its metadata; nothing was stored; report it to the "
        "plugin's author",
    ):
        opened.generate("a", format="jwk", type="ed25519")

    assert [*opened.names()] == []
