"""The ring takes in keys that were made elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.errors import text_of
from support.rings import (
    NIX,
    NIX_BASE64,
    NIX_PUBLIC,
    NOW,
    ODD,
    ODD_NIX,
    Claiming,
    Guard,
    Refused,
    Rings,
    Wait,
    writable,
)

from keywright import Record, Registry, Secret
from keywright.errors import (
    ConfigError,
    FormatError,
    InvalidKeyError,
    InvalidNameError,
    KeyExistsError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PluginError,
    PolicyError,
    UnsupportedKeyError,
)
from keywright.testing import traceback_with_locals

MISMATCHED_NIX = Secret(
    b"cache.example.org-0:" + base64.b64encode(base64.b64decode(NIX_BASE64)[:32] + b"\x58" + b"\x66" * 31)
)

# RFC 8037, appendix A.1 and A.3.
OKP_PUBLIC = b'"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
OKP = Secret(b'{"crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kty":"OKP",' + OKP_PUBLIC)
OKP_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

# RFC 7515, appendix A.1.1.
OCT_OCTETS = b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
OCT = Secret(b'{"alg":"HS512","k":"' + OCT_OCTETS + b'","kid":"hmac","kty":"oct","note":"kept"}')

# RFC 7517, appendix A.2.
EC = Secret(
    b'{"crv":"P-256","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","kid":"1","kty":"EC","use":"enc",'
    b'"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}'
)


@pytest.mark.parametrize("named", [False, True], ids=["sniffed", "named"])
@pytest.mark.parametrize(
    ("data", "type_name", "format_name", "kid"),
    [
        pytest.param(NIX, "ed25519", "nix", "cache.example.org-0", id="nix"),
        pytest.param(OCT, "oct", "jwk", "hmac", id="oct"),
        pytest.param(EC, "ec-p256", "jwk", "1", id="ec"),
    ],
)
def test_a_key_comes_back_byte_for_byte(
    ring: Rings, named: bool, data: Secret, type_name: str, format_name: str, kid: str
) -> None:
    """A canonical key is stored in its own format under its own kid, and exports as it came in."""
    opened = ring()

    info = opened.import_key("a", data, format=format_name if named else None)

    assert (info.reference, info.key_type, info.format, info.kid) == ("a@1", type_name, format_name, kid)
    assert opened.export("a", secret=True) == data


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_may_come_as_they_are(ring: Rings, kind: Callable[[bytes], bytes]) -> None:
    """Plain bytes in any guise are taken as well, a final line feed of a nix key too."""
    opened = ring()

    opened.import_key("a", kind(NIX.reveal() + b"\n"))

    assert opened.export("a", secret=True) == NIX
    assert opened.export("a") == NIX_PUBLIC


def test_the_kid_is_what_was_said_or_the_keys_own_or_the_default(ring: Rings) -> None:
    """A kid that is said is taken as it is, braces included; a key that carries none gets the format's default."""
    opened = ring()

    assert opened.import_key("a", OKP).kid == OKP_THUMBPRINT
    kid = f'"kid":"{OKP_THUMBPRINT}","kty"'.encode()
    assert opened.export("a", secret=True) == Secret(OKP.reveal().replace(b'"kty"', kid))
    assert opened.import_key("b", OCT, kid="{version}").kid == "{version}"


def test_the_configuration_has_no_say(ring: Rings) -> None:
    """Type, format, labels, attributes and kid of [keys.NAME] are for keys made here; its store is where they go."""
    table = {"type": "oct", "bits": 512, "kid": "x", "labels": {"a": "b"}, "store": "other"}
    stores = {"main": {"backend": "memory"}, "other": {"backend": "memory"}}
    opened = ring(stores=stores, default_store="main", keys={"a": table})

    info = opened.import_key("a", NIX)

    assert (info.key_type, info.kid, info.labels) == ("ed25519", "cache.example.org-0", {})
    assert [*opened.names(store="other")] == ["a"]


def test_labels_and_an_end_are_kept(ring: Rings, wait: Wait) -> None:
    """Labels and the expiry that the caller says are in the metadata; the key signs until then."""
    opened = ring()
    end = opened.now() + timedelta(days=1)

    info = opened.import_key("a", NIX, labels={"user_id": "7"}, expires=end)

    assert (info.labels, info.expires, info.created) == ({"user_id": "7"}, end, NOW)
    wait(hours=23)
    assert opened.signer("a").version == 1
    wait(hours=1)
    assert opened.show("a").versions[0].phase == "expired"


def test_a_public_key_verifies_alone(ring: Rings, refused: Refused) -> None:
    """A public key is stored without a payload; it exports, and its secret half is not available."""
    opened = ring()

    opened.import_key("a", NIX_PUBLIC, public=True)

    assert opened.export("a") == NIX_PUBLIC
    assert opened.open_store().get("a", 1).payload is None
    message = "a@1 is a public key, imported without its secret half; ask its owner to sign"
    with refused(NotExportableError, message):
        opened.export("a", secret=True)
    with refused(NotExportableError, message):
        opened.signer("a")


def test_an_odd_key_is_taken_leniently(ring: Rings) -> None:
    """A nix key with a space in its name imports leniently with a report, and then loads, exports and signs."""
    opened = ring()
    told: list[str] = []
    odd_public = b"a b:" + NIX_PUBLIC.partition(b":")[2]

    info = opened.import_key("a", ODD_NIX, lenient=True, report=told.append)
    opened.import_key("b", odd_public, public=True, lenient=True, report=lambda _: None)

    assert told == [f"the key's name {ODD}; it can never stand in trusted-public-keys"]
    assert info.kid == opened.load("a").kid == opened.load("b").kid == "a b"
    assert opened.export("a", secret=True) == ODD_NIX
    assert opened.export("a") == odd_public
    assert opened.verify("a", b"data", opened.sign("a", b"data")) == info


def test_lenience_without_a_report_or_a_meaning(ring: Rings) -> None:
    """Without a `report`, deviations are warnings; a format without a lenient reading reads as ever."""
    with pytest.warns(UserWarning, match="it can never stand in trusted-public-keys"):
        ring().import_key("a", ODD_NIX, lenient=True)
    assert ring().import_key("a", OCT, lenient=True).kid == "hmac"


EMPTY = "the data is empty, where a key is expected; pass the key on standard input"
LABEL = "label x must be printable text of at most 256 bytes"


@pytest.mark.parametrize(
    ("data", "said", "kind", "message"),
    [
        pytest.param(
            ODD_NIX,
            {},
            MalformedKeyError,
            f"the name of the Nix key {ODD}; set another with --kid, or pass --lenient",
            id="odd, without lenience",
        ),
        pytest.param(
            MISMATCHED_NIX,
            {"lenient": True},
            InvalidKeyError,
            "the public half of this ed25519 key does not belong to its secret half; import a key whose halves match",
            id="halves that disagree, even leniently",
        ),
        pytest.param(Secret(b""), {}, MalformedKeyError, EMPTY, id="nothing"),
        pytest.param(Secret(b""), {"format": "nix"}, MalformedKeyError, EMPTY, id="nothing of a format"),
        pytest.param(
            OCT,
            {"kid": "x" * 1025},
            ConfigError,
            "kid must have at most 1024 characters; choose a shorter one",
            id="a long kid",
        ),
        pytest.param(
            Secret(b"no key at all"),
            {},
            FormatError,
            "the data: unrecognized key format; convert it to an installed format; installed formats: jwk, nix",
            id="no format claims it",
        ),
        pytest.param(
            Secret(b"{}"),
            {"format": "nix"},
            MalformedKeyError,
            "the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64",
            id="another format than was said",
        ),
        pytest.param(
            Secret(NIX_PUBLIC),
            {},
            NotExportableError,
            (
                "the data is a public key, where a secret key is expected; pass --public to import it for "
                "verification only"
            ),
            id="a public key where a secret one belongs",
        ),
        pytest.param(
            NIX,
            {"public": True},
            UnsupportedKeyError,
            "the data is a secret key; leave out --public, or convert it to its public half first",
            id="a secret key where a public one belongs",
        ),
        pytest.param(
            Secret(b'{"crv":"Ed25519","kty":"OKP","note":"lost",' + OKP_PUBLIC),
            {"public": True},
            UnsupportedKeyError,
            "format 'jwk' does not carry: note; leave it out, or pass another --format",
            id="a public key with a member that no one would publish",
        ),
        pytest.param(
            Secret(b'{"crv":"Ed25519","key_ops":["sign"],"kty":"OKP",' + OKP_PUBLIC),
            {"public": True},
            UnsupportedKeyError,
            "format 'jwk' did not read back the key that it wrote; nothing was stored; report it to the plugin's "
            "author",
            id="a public key that says it signs",
        ),
        pytest.param(
            NIX,
            {"kid": "a:b"},
            UnsupportedKeyError,
            "the kid of this key cannot be a Nix key name: it has a colon, and for Nix the name ends at the "
            "first one; choose one with --kid",
            id="a kid that the format does not carry",
        ),
        pytest.param(OCT, {"labels": {"x": "a\nb"}}, ConfigError, LABEL, id="a label that does not print"),
        pytest.param(
            OCT,
            {"expires": datetime(2027, 1, 1, tzinfo=UTC)},
            ConfigError,
            "expires must be after the activation and after now, or the key would never sign; pass a later time",
            id="a key that has ended",
        ),
    ],
)
def test_what_is_no_key_to_keep_is_refused(
    ring: Rings, refused: Refused, data: Secret, said: dict[str, Any], kind: type[KeywrightError], message: str
) -> None:
    """A refusal says why, shows nothing of the data, and nothing is stored."""
    opened = ring()

    with refused(kind, message):
        opened.import_key("a", data, **said)

    assert [*opened.names()] == []


def test_two_claims_are_refused(ring: Rings, refused: Refused, registry: Registry) -> None:
    """Where two formats claim the data, the ring does not guess; named, either is taken."""
    registry.add(Claiming("greedy", registry.format("jwk")), "greedy")
    opened = ring()

    with refused(FormatError, "the data: the format could be greedy or jwk; pass --format"):
        opened.import_key("a", OCT)

    assert opened.import_key("a", OCT, format="greedy").format == "greedy"


def test_plain_bytes_show_in_no_frame_of_ours(ring: Rings, registry: Registry) -> None:
    """Bytes that were not hidden by the caller are hidden before anything can go wrong."""
    opened = ring()

    with pytest.raises(InvalidNameError) as caught:
        opened.import_key("A", OCT.reveal())

    frames = []
    traceback = caught.value.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    assert len(frames) > 2
    assert not [one for one in frames[1:] for value in one.f_locals.values() if isinstance(value, bytes)]


def test_text_is_refused_and_not_shown(ring: Rings) -> None:
    """A key that was given as text, against the types, is refused, and is in no frame of ours."""
    opened = ring()

    with pytest.raises(MalformedKeyError) as caught:
        opened.import_key("a", "a-1:" + "CANARY" * 3)  # type: ignore[arg-type]  # that is what is tested

    shown = traceback_with_locals(caught.value)
    assert text_of(caught.value) == "a key must be bytes or a Secret; encode text first"
    assert "CANARY" * 3 not in shown


@pytest.mark.parametrize("failure", [RuntimeError, SystemExit])
def test_a_format_that_fails_to_look_is_named(
    ring: Rings, registry: Registry, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    """Where a format fails to say whether the data is its own, no one guesses; where one was said, no one asks."""

    def sniff(self: object, data: Secret) -> bool:
        raise failure(data.reveal().decode())

    monkeypatch.setattr(type(registry.format("nix")), "sniff", sniff)
    opened = ring()
    data = b'{"kty":"oct","k":"AyM1SysPpbyDfgZld3umjw"}'

    with pytest.raises(PluginError) as caught:
        opened.import_key("a", data)

    assert text_of(caught.value) == (
        f"format 'nix' failed with {failure.__name__} while the format of the data was looked for; pass --format, or "
        "leave that plugin out of `plugins`"
    )
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert opened.import_key("a", data, format="jwk").version == 1


def test_a_next_version_is_another_key(ring: Rings, refused: Refused) -> None:
    """A key that any version is, the last or one before it, does not come back as the next one by any kid."""
    opened = ring()
    for name, type in (("a", "ec-p256"), ("s", "oct")):
        opened.generate(name, type=type)
        first = opened.export(name, secret=True)
        for versions in (1, 3):
            with refused(KeyExistsError, f"the key is already stored as {name}@1; import a different key"):
                opened.import_key(name, first, as_new_version=True, kid="another")
            assert len(opened.show(name).versions) == versions
            if versions == 1:
                opened.rotate(name)
                opened.rotate(name)
                opened.compromise(f"{name}@1")


@pytest.mark.parametrize("destroyed", [False, True])
def test_a_public_key_does_not_follow_on_our_own(ring: Rings, refused: Refused, destroyed: bool) -> None:
    """After a key of our own, a tombstone included, a public key would leave nothing to sign with."""
    opened = ring()
    opened.generate("a", type="ec-p256")
    opened.generate("b", type="ec-p256")
    if destroyed:
        opened.destroy("a@1")

    with refused(
        PolicyError,
        "a@1 is a secret key, and with a public key as its next version nothing could sign; rotate it, or import "
        "the public key under another name",
    ):
        opened.import_key("a", opened.export("b"), public=True, as_new_version=True)


def test_a_next_version_goes_on_as_a_rotation_does(ring: Rings, refused: Refused) -> None:
    """Labels of the last version go on, one by one; times of the arguments or the configuration hold."""
    opened = ring(keys={"partner": {"overlap": "1d"}})
    for name in ("x", "y", "z"):
        opened.generate(name, type="ec-p256")
    opened.import_key("partner", opened.export("x"), public=True, labels={"team": "web", "user_id": "7"})

    second = opened.import_key("partner", opened.export("y"), public=True, as_new_version=True)
    third = opened.import_key(
        "partner", opened.export("z"), public=True, as_new_version=True, labels={"team": "api"},
        activate_in=timedelta(days=7), overlap=timedelta(hours=1),
    )  # fmt: skip

    assert (second.version, second.overlap, second.activates) == (2, timedelta(days=1), None)
    assert second.labels == {"team": "web", "user_id": "7"}
    assert third.labels == {"team": "api", "user_id": "7"}
    assert (third.version, third.overlap, third.activates) == (3, timedelta(hours=1), NOW + timedelta(days=7))
    with refused(
        ConfigError, "activate_in and overlap apply only to a next version; pass --as-new-version, or leave them out"
    ):
        opened.import_key("first", opened.export("x"), public=True, overlap=timedelta(days=1))


def test_a_clock_that_is_behind_shortens_no_overlap_of_an_import(ring: Rings, wait: Callable[..., None]) -> None:
    """By a clock behind the last version's, a next one is made when that was, as `rotate` does it."""
    opened = ring()
    opened.generate("a", type="ec-p256")
    opened.generate("b", type="ec-p256")
    wait(hours=-2)

    info = opened.import_key("a", opened.export("b@1", secret=True), as_new_version=True, overlap=timedelta(hours=1))

    assert info.created == info.state_since == NOW


def test_a_next_version_is_counted_from_the_highest(ring: Rings) -> None:
    """Versions may have gaps, as of a name that came from a store without its first one."""
    opened = ring()
    opened.generate("b", type="ec-p256")
    opened.generate("c", type="ec-p256")
    info = opened.show("b").versions[0].info
    moved = replace(info, name="a", version=5)
    store = writable(opened)
    store.create(Record(moved, store.get("b", 1).payload))

    assert opened.import_key("a", opened.export("c", secret=True), as_new_version=True).reference == "a@6"


def test_a_review_hears_the_kid_that_was_said(ring: Rings, guard: Guard) -> None:
    """Anyone who reviews an import is told of the kid that the key will have, not of the one that it came with."""
    ring().import_key("a", OCT, kid="said")

    assert [request.kid for request in guard.requests] == ["said"]
