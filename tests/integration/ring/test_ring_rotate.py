"""The ring makes next versions: as the last one was, with kids that count on and times that hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from support.rings import NOW, Meanwhile, Refused, Rings, Table, Wait

from keywright.errors import (
    ConfigError,
    InvalidSignatureError,
    KeyExistsError,
    KeywrightError,
    PolicyError,
)


def test_the_next_version_is_as_the_last(ring: Rings) -> None:
    """Type, format, size, labels and attributes go on; the kid and the secret are new, and it signs at once."""
    opened = ring()
    attributes = {"use": "sig", "note": {"of": ["any", "shape"]}}
    first = opened.generate("a", type="oct", bits=512, labels={"user_id": "7"}, attributes=attributes)

    second = opened.rotate("a")

    assert (second.reference, second.key_type, second.format) == ("a@2", "oct", "jwk")
    assert (second.labels, second.activates, second.overlap, second.expires) == ({"user_id": "7"}, None, None, None)
    assert second.kid != first.kid
    key, before = opened.load("a"), opened.load("a@1")
    assert key.attributes == attributes
    assert len(key.secret or b"") == 64
    assert key.secret != before.secret
    assert [one.phase for one in opened.show("a").versions] == ["verifying", "signing"]


def test_arguments_win_over_the_configuration_and_that_over_what_was(ring: Rings, shared: Table) -> None:
    """Size, labels, attributes and kid are said, else configured, else as they were, one by one."""
    ring(stores={"main": shared}).generate("a", type="oct", bits=512, labels={"x": "1", "y": "1"}, kid="by hand")
    table = {"bits": 256, "labels": {"x": "2"}, "attributes": {"use": "sig"}, "kid": "{name}-{version}"}
    opened = ring(stores={"main": shared}, keys={"a": table})

    info = opened.rotate("a")

    assert (info.kid, info.labels) == ("a-2", {"x": "2", "y": "1"})
    assert len(opened.load("a").secret or b"") == 32
    assert opened.load("a").attributes == {"use": "sig"}
    assert opened.rotate("a", bits="1024", kid="{name}:{version}").kid == "a:3"
    assert len(opened.load("a").secret or b"") == 128


def test_a_size_goes_on_within_its_type(ring: Rings, shared: Table) -> None:
    """An imported key of 1024 bits is followed by one of 1024; the size means nothing to another type."""
    opened = ring(stores={"main": shared})
    opened.import_key("a", b'{"kty":"oct","k":"%s"}' % (b"A" * 171))
    opened.generate("b", type="ec-p521")

    opened.rotate("a")
    other = ring(stores={"main": shared}, keys={"b": {"type": "oct"}})
    other.rotate("b")

    assert (len(opened.load("a").secret or b""), len(other.load("b").secret or b"")) == (128, 32)


@pytest.mark.parametrize(
    ("first", "table", "type_name", "format_name"),
    [
        pytest.param({"type": "ec-p256"}, {"format": "jwk"}, "ec-p256", "jwk", id="the type goes on"),
        pytest.param({"format": "jwk", "type": "ed25519"}, {"type": "ed25519"}, "ed25519", "jwk", id="so does format"),
        pytest.param({"format": "jwk"}, {"type": "ec-p384"}, "ec-p384", "jwk", id="another type, carried as before"),
        pytest.param({}, {"type": "ec-p256"}, "ec-p256", "jwk", id="another type that needs another format"),
        pytest.param({"type": "ec-p256"}, {"format": "nix"}, "ed25519", "nix", id="another format, another type"),
        pytest.param({}, {"format": "jwk"}, "ed25519", "jwk", id="another format of the same type"),
        pytest.param({}, {"type": "oct", "format": "jwk"}, "oct", "jwk", id="both are said"),
    ],
)
def test_type_and_format_go_on_where_they_fit(
    ring: Rings,
    shared: dict[str, str],
    first: dict[str, Any],
    table: dict[str, str],
    type_name: str,
    format_name: str,
) -> None:
    """What the configuration leaves open stays as it was where the other allows, and is implied where not."""
    ring(stores={"main": shared}).generate("a", **first)

    info = ring(stores={"main": shared}, keys={"a": table}).rotate("a")

    assert (info.key_type, info.format) == (type_name, format_name)


def test_certificates_stay_behind_and_no_attributes_are_none(ring: Rings) -> None:
    """Certificates are of the last version's public half; `attributes={}` goes before what was and is configured."""
    certificates = {"x5c": ["MIIB"], "x5t": "abc", "x5t#S256": "abc", "x5u": "https://example.org/chain"}
    opened = ring(keys={"b": {"attributes": {"use": "sig"}}})
    opened.generate("a", type="ec-p256", attributes={"use": "sig", **certificates})
    opened.generate("b", type="ec-p256", attributes={"note": "x"})

    opened.rotate("a")
    opened.rotate("b", attributes={})

    assert opened.load("a").attributes == {"use": "sig"}
    assert opened.load("b").attributes == {}


@pytest.mark.parametrize("change", ["disable", "compromise"])
def test_any_last_version_can_be_followed(ring: Rings, change: str) -> None:
    """A version that is out of use is followed like any other."""
    opened = ring()
    attributes = {"use": "sig", "key_ops": ["sign"]}
    opened.generate("a", type="ec-p256", labels={"x": "1"}, attributes=attributes)
    getattr(opened, change)("a")

    info = opened.rotate("a")

    assert (info.version, info.key_type, info.labels) == (2, "ec-p256", {"x": "1"})
    assert opened.load("a").attributes == attributes


def test_a_public_key_is_rotated_by_its_owner(ring: Rings, refused: Refused) -> None:
    """No secret key of ours follows on a public key of another's; the owner's next one can be stored."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"key_ops": ["sign"]})
    opened.import_key("b", opened.export("a"), public=True)

    with refused(
        PolicyError,
        "b@1 is a public key, imported without its secret half, so its owner rotates it; store the next one with "
        "import --as-new-version --public",
    ):
        opened.rotate("b")
    opened.rotate("a")
    assert opened.import_key("b", opened.export("a"), public=True, as_new_version=True).reference == "b@2"
    assert opened.verify("b", b"data", opened.sign("a", b"data")).version == 2


@pytest.mark.parametrize(("encoded", "bits"), [("AAAA", 24), ("AAAAAAAAAAA", 64)])
def test_a_size_that_cannot_go_on_is_refused(
    ring: Rings, shared: Table, refused: Refused, encoded: str, bits: int
) -> None:
    """A size that an import may have and a new key may not has to be said or configured, unless the type is another."""
    opened = ring(stores={"main": shared})
    for name in ("a", "b", "c"):
        opened.import_key(name, b'{"kty":"oct","k":"%s"}' % encoded.encode())
    other = ring(stores={"main": shared}, keys={"b": {"bits": 128}, "c": {"type": "ec-p256"}})

    with refused(
        ConfigError,
        f"a@1 has {bits} bits, and bits of a new key must be a whole number that is a multiple of 8 from "
        "128 to 8192; pass --bits, or set keys.a.bits",
    ):
        opened.rotate("a")
    assert opened.rotate("a", bits=256).version == 2
    assert [other.rotate(name).key_type for name in ("b", "c")] == ["oct", "ec-p256"]


def test_the_loser_of_a_race_is_told(ring: Rings, meanwhile: Meanwhile) -> None:
    """Someone who makes the version while this ring generates it wins, and nothing of theirs is changed."""
    opened = ring()
    opened.generate("a")
    theirs: list[object] = []
    meanwhile(opened.open_store(), "create", lambda: theirs.append(opened.rotate("a")))

    with pytest.raises(KeywrightError) as caught:
        opened.rotate("a")

    assert type(caught.value) is KeyExistsError
    assert [one.info for one in opened.show("a").versions][1:] == theirs


GONE = (
    "the attributes of {0}@1 are no longer known; pass --attribute or --no-attributes, or set keys.{0}.attributes, "
    "to {{}} for none"
)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"type": "ec-p256", "attributes": {"key_ops": ["sign"]}}, id="published otherwise"),
        pytest.param({"type": "ec-p256"}, id="none at all, as no one knows any more"),
        pytest.param({"type": "ed25519", "format": "jwk"}, id="by the format, not by the type"),
    ],
)
def test_attributes_that_are_gone_are_not_guessed(ring: Rings, refused: Refused, said: dict[str, Any]) -> None:
    """Of a destroyed key the public form is left, and a key made by that would be for other uses."""
    opened = ring()
    opened.generate("a", **said)
    opened.destroy("a")

    with refused(PolicyError, GONE.format("a")):
        opened.rotate("a")

    assert [one.info.version for one in opened.show("a").versions] == [1]


def test_all_that_is_gone_is_said_at_once(ring: Rings, refused: Refused) -> None:
    """Of a destroyed `oct` key neither attributes nor size are known; what was said already is not asked for again."""
    opened = ring()
    opened.generate("a", type="oct", bits=512, attributes={"alg": "HS512"})
    opened.destroy("a")

    with refused(
        PolicyError,
        "the attributes and the size of a@1 are no longer known; pass --attribute or --no-attributes, and --bits, "
        "or "
        "set keys.a.attributes, to {} for none, and keys.a.bits",
    ):
        opened.rotate("a")
    with refused(PolicyError, GONE.format("a")):
        opened.rotate("a", bits=512)

    assert opened.rotate("a", bits=512, attributes={}).reference == "a@2"


@pytest.mark.parametrize(
    "said", [{}, {"use": "sig"}, {"key_ops": ["sign", "verify"], "alg": "ES256"}], ids=["none", "use", "alg"]
)
def test_attributes_that_are_gone_may_be_said_or_configured(
    ring: Rings, shared: Table, said: dict[str, object]
) -> None:
    """What is said counts alone, nothing of the public form beside it, and saying none is saying so."""
    first = ring(stores={"main": shared})
    for name in ("a", "b"):
        first.generate(name, type="ec-p256", attributes={"key_ops": ["sign"], "alg": "ES256", "note": "x"})
        first.destroy(name)
    opened = ring(stores={"main": shared}, keys={"a": {"attributes": said}})

    assert opened.rotate("a").version == opened.rotate("b", attributes=said).version == 2
    assert opened.load("a").attributes == opened.load("b").attributes == said


def test_where_no_attributes_are_lost(ring: Rings) -> None:
    """A nix key carries none, and where keys never leave the store the metadata has all, so tombstones are followed."""
    opened = ring(stores={"main": {"backend": "memory"}, "hsm": {"backend": "memory-signing"}}, default_store="main")
    opened.generate("a", labels={"x": "1"})
    opened.destroy("a")
    attributes = {"use": "sig", "key_ops": ["sign"]}
    opened.generate("b", type="ec-p256", attributes=attributes, store="hsm")

    info = opened.rotate("a")

    assert (info.reference, info.kid, info.format, info.labels) == ("a@2", "a-2", "nix", {"x": "1"})
    assert opened.rotate("b", store="hsm").attributes == attributes
    opened.destroy("b@2", store="hsm")
    assert opened.rotate("b", store="hsm").attributes == attributes


def test_a_size_that_is_gone_is_not_guessed(ring: Rings, shared: Table, refused: Refused) -> None:
    """A destroyed `oct` key's size has to be said or configured; another type has its own."""
    opened = ring(stores={"main": shared}, keys={name: {"attributes": {}} for name in ("a.b", "b", "c")})
    for name in ("a.b", "b", "c"):
        opened.generate(name, type="oct", bits=512)
        opened.destroy(name)
    tables = {"b": {"type": "oct", "bits": 512, "attributes": {}}, "c": {"type": "ec-p256", "attributes": {}}}
    other = ring(stores={"main": shared}, keys=tables)

    with refused(PolicyError, 'the size of a.b@1 is no longer known; pass --bits, or set keys."a.b".bits'):
        opened.rotate("a.b")
    assert opened.rotate("a.b", bits=256).version == 2
    assert other.rotate("b").version == 2
    assert len(other.load("b").secret or b"") == 64
    assert other.rotate("c").key_type == "ec-p256"


def test_nix_names_count_on(ring: Rings) -> None:
    """The kid of a nix key counts with the version, past tombstones."""
    opened = ring()
    opened.generate("cache-5")
    opened.rotate("cache-5")
    opened.destroy("cache-5@2")

    third = opened.rotate("cache-5")

    assert (third.version, third.kid) == (3, "cache-7")


HAND = (
    "the kid of {}@1 was chosen by hand, so the next one cannot be derived; pass --kid, or set keys.{}.kid to a "
    "text with "
    "{{version}}"
)


def test_a_kid_chosen_by_hand_is_not_continued(ring: Rings, refused: Refused) -> None:
    """Where the format counts, a kid that does not count is not guessed on; said or configured, it goes on."""
    opened = ring()
    opened.generate("a", kid="by-hand")

    with refused(PolicyError, HAND.format("a", "a")):
        opened.rotate("a")

    assert [one.info.version for one in opened.show("a").versions] == [1]
    assert opened.rotate("a", kid="by-hand-too").kid == "by-hand-too"


def test_an_imported_name_counts_on_where_it_is_ours(ring: Rings, refused: Refused) -> None:
    """An imported nix key that is named as we would have named it is followed, any other is not."""
    opened = ring()
    ours = opened.generate("x")
    data = opened.export("x", secret=True)
    opened.import_key("y", data)

    assert opened.rotate("x").kid == "x-2"
    with refused(PolicyError, HAND.format("y", "y")):
        opened.rotate("y")
    assert ours.kid == "x-1"


def test_a_thumbprint_follows_whatever_was(ring: Rings) -> None:
    """Where kids are derived from keys, one chosen by hand is followed by the next key's own, however short the name
    (a thumbprint holds many a letter by chance)."""
    opened = ring()
    for name in "abcdefgh":
        opened.generate(name, type="ec-p256", kid="by-hand")

        info = opened.rotate(name)

        assert info.kid == opened.plugins.format("jwk").default_kid(name, 2, opened.load(name))


@pytest.mark.parametrize("template", ["fixed", "{name}"])
def test_a_configured_kid_has_to_move(ring: Rings, refused: Refused, template: str) -> None:
    """A configured kid without {version} would come twice, so it is refused before a key is made."""
    opened = ring(keys={"a.b": {"kid": template}})
    opened.generate("a.b")

    with refused(PolicyError, 'the kid of a.b would stay the same; set keys."a.b".kid to a text with {version}'):
        opened.rotate("a.b")


def test_another_configuration_counts_by_its_own_rule(ring: Rings, shared: Table) -> None:
    """A thumbprint was not chosen by hand, so nix names the next version; a kid that was configured again is taken."""
    first = ring(stores={"main": shared}, keys={"b": {"kid": "2026"}})
    first.generate("a", type="ed25519", format="jwk")
    first.generate("b")
    opened = ring(stores={"main": shared}, keys={"a": {"format": "nix"}, "b": {"kid": "2027"}})

    info = opened.rotate("a")

    assert (info.format, info.kid) == ("nix", "a-2")
    assert opened.rotate("b").kid == "2027"


@pytest.mark.parametrize("backend", ["memory", "memory-signing"])
def test_a_kid_of_another_version_is_refused(ring: Rings, refused: Refused, backend: str) -> None:
    """Two versions of one name never share a kid, in a signing store either: a verifier could not tell them apart."""
    opened = ring(stores={"main": {"backend": backend}})
    opened.generate("a", kid="one")
    opened.rotate("a", kid="two")

    with refused(KeyExistsError, "the kid of the new version is already used by a@1; pass another --kid"):
        opened.rotate("a", kid="one")

    assert len(opened.show("a").versions) == 2


def test_a_version_may_be_announced(ring: Rings, wait: Wait) -> None:
    """`activate_in` announces a version that verifies now and signs later; `overlap` ends the ones before."""
    opened = ring()
    opened.generate("a")

    info = opened.rotate("a", activate_in=timedelta(days=7), overlap=timedelta(days=14))

    assert (info.activates, info.overlap) == (NOW + timedelta(days=7), timedelta(days=14))
    assert [one.phase for one in opened.show("a").versions] == ["signing", "announced"]
    wait(days=7)
    assert [one.phase for one in opened.show("a").versions] == ["verifying", "signing"]
    wait(days=14)
    assert [one.phase for one in opened.show("a").versions] == ["retired", "signing"]


def test_waits_come_from_the_configuration(ring: Rings) -> None:
    """Without arguments, [keys.NAME] says `activate_in` and `overlap`; nothing at all is a choice, too."""
    opened = ring(keys={name: {"activate_in": "7d", "overlap": "2w"} for name in ("a", "b")})
    for name in ("a", "b"):
        opened.generate(name)

    configured = opened.rotate("a")
    at_once = opened.rotate("b", activate_in=timedelta(0), overlap=timedelta(0))

    assert (configured.activates, configured.overlap) == (NOW + timedelta(days=7), timedelta(weeks=2))
    assert (at_once.activates, at_once.overlap) == (None, timedelta(0))
    assert [one.phase for one in opened.show("b").versions] == ["retired", "signing"]


def test_the_end_is_the_versions_own(ring: Rings) -> None:
    """`expires` is of the version it was said of; it comes in any zone and is kept in UTC."""
    opened = ring()
    opened.generate("a", expires=NOW + timedelta(days=30))
    there = timezone(timedelta(hours=-8))

    second = opened.rotate("a", expires=datetime(2028, 1, 1, 16, tzinfo=there))
    third = opened.rotate("a")

    assert second.expires == datetime(2028, 1, 2, tzinfo=UTC)
    assert second.expires is not None
    assert second.expires.tzinfo is UTC
    assert third.expires is None


ZONE = " must be a time with a zone, such as 2027-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param(
            {"activate_in": timedelta(seconds=-1)},
            "activate_in must be a duration from 0s to 36500d",
            id="activation in the past",
        ),
        pytest.param(
            {"activate_in": timedelta.max}, "activate_in must be a duration from 0s to 36500d", id="never active"
        ),
        pytest.param(
            {"overlap": timedelta(seconds=-1)}, "overlap must be a duration from 0s to 36500d", id="negative overlap"
        ),
        pytest.param(
            {"overlap": timedelta(days=36_501)}, "overlap must be a duration from 0s to 36500d", id="endless overlap"
        ),
        pytest.param(
            {"expires": datetime(2028, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, f"expires{ZONE}", id="no zone"
        ),
        pytest.param(
            {"activate_in": timedelta(days=2), "expires": NOW + timedelta(days=2)},
            "expires must be after the activation and after now, or the key would never sign; pass a later time",
            id="an end before the beginning",
        ),
        pytest.param(
            {"labels": {}},
            "labels is not a setting of key type 'ed25519'; remove it",
            id="what rotate does not take",
        ),
    ],
)
def test_wrong_times_are_refused(ring: Rings, refused: Refused, said: dict[str, Any], message: str) -> None:
    """A version that would never sign, or whose times cannot be reckoned with, is not made."""
    opened = ring()
    opened.generate("a")

    with refused(ConfigError, message):
        opened.rotate("a", **said)

    assert len(opened.show("a").versions) == 1


def test_a_clock_that_is_behind_is_not_trusted(ring: Rings, wait: Wait) -> None:
    """By a clock behind the last version's creation, waits and overlaps count from that creation."""
    opened = ring()
    opened.generate("a")
    wait(hours=-5)

    second = opened.rotate("a", activate_in=timedelta(hours=1), overlap=timedelta(hours=2))

    assert (second.created, second.activates) == (NOW, NOW + timedelta(hours=1))
    assert opened.show("a").versions[0].verifies_until == NOW + timedelta(hours=3)


def test_an_overlap_of_nothing_ends_all_before(ring: Rings, wait: Wait, refused: Refused) -> None:
    """`overlap` of 0 s ends every version before, also one that a rotation without any overlap left verifying."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a")
    assert opened.verify("a", b"data", signature).version == 1
    wait(hours=1)

    opened.rotate("a", overlap=timedelta(0))

    assert [one.phase for one in opened.show("a").versions] == ["retired", "retired", "signing"]
    with refused(
        InvalidSignatureError,
        (
            "the signature is not valid under any version of a that may verify; check "
            "that the data, the signature and the key belong together"
        ),
    ):
        opened.verify("a", b"data", signature)
