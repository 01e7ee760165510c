"""The ring makes next versions: as the last one was, unless somebody says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

from keywright import KeyRing, Registry, Secret
from keywright.errors import (
    ConfigError,
    KeyExistsError,
    KeyNotFoundError,
    KeywrightError,
    PolicyError,
    ReadOnlyStoreError,
)

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]


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


def test_an_imported_key_goes_on_in_its_size(ring: Rings) -> None:
    """A key that came with 1024 bits is followed by one of 1024 bits."""
    opened = ring()
    opened.import_key("a", json.dumps({"kty": "oct", "k": "A" * 171}).replace("A" * 171, "A" * 170 + "A").encode())

    opened.rotate("a")

    assert len(opened.load("a").secret or b"") == 128


def test_the_configuration_wins_over_what_was(ring: Rings, shared: dict[str, str]) -> None:
    """What [keys.NAME] says by now goes before what the last version was, one by one."""
    ring(stores={"main": shared}).generate("a", type="oct", bits=512, labels={"x": "1", "y": "1"}, kid="by hand")
    table = {"bits": 256, "labels": {"x": "2"}, "attributes": {"use": "sig"}, "kid": "{name}-{version}"}
    opened = ring(stores={"main": shared}, keys={"a": table})

    info = opened.rotate("a")

    assert (info.kid, info.labels) == ("a-2", {"x": "2", "y": "1"})
    assert len(opened.load("a").secret or b"") == 32
    assert opened.load("a").attributes == {"use": "sig"}


def test_an_argument_wins_over_the_configuration(ring: Rings) -> None:
    """Sizes and kids that a caller says go before all."""
    opened = ring(keys={"a": {"type": "oct", "bits": 512}})
    opened.generate("a")

    info = opened.rotate("a", bits="1024", kid="{name}:{version}")

    assert info.kid == "a:2"
    assert len(opened.load("a").secret or b"") == 128


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


def test_another_type_takes_its_own_size(ring: Rings, shared: dict[str, str]) -> None:
    """The size of the last version means nothing to a new type."""
    ring(stores={"main": shared}).generate("a", type="ec-p521")
    opened = ring(stores={"main": shared}, keys={"a": {"type": "oct"}})

    opened.rotate("a")

    assert len(opened.load("a").secret or b"") == 32


def test_certificates_stay_behind(ring: Rings) -> None:
    """Certificates are of the last version's public half, so the next version carries none of them."""
    certificates = {"x5c": ["MIIB"], "x5t": "abc", "x5t#S256": "abc", "x5u": "https://example.org/chain"}
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"use": "sig", **certificates})

    opened.rotate("a")

    assert opened.load("a").attributes == {"use": "sig"}


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


def test_no_attributes_are_none(ring: Rings) -> None:
    """Whoever says that there are none gets none, whatever the last version and the configuration have."""
    opened = ring(keys={"a": {"attributes": {"use": "sig"}}})
    opened.generate("a", type="ec-p256", attributes={"note": "x"})

    opened.rotate("a", attributes={})

    assert opened.load("a").attributes == {}


def test_a_public_key_is_rotated_by_its_owner(ring: Rings, refused: Refused) -> None:
    """No secret key of ours follows on a public key of somebody else's; the owner's next one can be stored."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"key_ops": ["sign"]})
    opened.import_key("b", opened.export("a"), public=True)

    with refused(
        PolicyError,
        "b@1 is a public key, imported without its secret half, so its owner rotates it; store the next one with "
        "import --next --public",
    ):
        opened.rotate("b")
    opened.rotate("a")
    assert opened.import_key("b", opened.export("a"), public=True, as_next=True).reference == "b@2"
    assert opened.verify("b", b"data", opened.sign("a", b"data")).version == 2


@pytest.mark.parametrize(("encoded", "bits"), [("AAAA", 24), ("AAAAAAAAAAA", 64)])
def test_a_size_that_cannot_go_on_is_refused(ring: Rings, refused: Refused, encoded: str, bits: int) -> None:
    """A size that an import may have and a new key may not has to be said anew."""
    opened = ring()
    opened.import_key("a", b'{"kty":"oct","k":"%s"}' % encoded.encode())

    with refused(
        ConfigError,
        f"a@1 has {bits} bits, and bits of a new key must be a whole number that is a multiple of 8 from 128 to 8192; "
        "say --bits, or set keys.a.bits",
    ):
        opened.rotate("a")

    assert opened.rotate("a", bits=256).version == 2


def test_a_size_that_cannot_go_on_does_not_matter_to_another(ring: Rings, shared: dict[str, str]) -> None:
    """A configured size, or another type, goes on where the last size cannot."""
    for name in ("a", "b"):
        ring(stores={"main": shared}).import_key(name, b'{"kty":"oct","k":"AAAA"}')
    opened = ring(stores={"main": shared}, keys={"a": {"bits": 128}, "b": {"type": "ec-p256"}})

    assert [opened.rotate(name).key_type for name in ("a", "b")] == ["oct", "ec-p256"]


@pytest.mark.parametrize("given", ["kid", "store"])
def test_an_empty_text_is_no_choice(ring: Rings, refused: Refused, given: str) -> None:
    """An empty text is neither left out nor a choice."""
    opened = ring()
    opened.generate("a")
    said: dict[str, Any] = {given: ""}

    with refused(ConfigError, f"{given} must not be empty; leave it out, or say which"):
        opened.rotate("a", **said)

    assert len(opened.show("a").versions) == 1


def test_what_is_not_there_is_not_rotated(ring: Rings, refused: Refused) -> None:
    """A name without versions is refused with the way to make one."""
    with refused(
        KeyNotFoundError, "store 'main' has no key a; make one with generate or import, or name another --store"
    ):
        ring().rotate("a")


def test_a_read_only_store_is_refused(ring: Rings, refused: Refused, plain: Mapping[str, Secret]) -> None:
    """A store that takes no writes is refused before its keys are opened."""
    opened = ring(stores={"ci": {"backend": "plain"}})

    with refused(ReadOnlyStoreError, "store 'ci' is read-only (backend 'plain'); name a writable one with --store"):
        opened.rotate("a")


def test_of_those_who_rotate_at_once_each_makes_one_or_none(ring: Rings) -> None:
    """Eight threads rotate one name: there are exactly as many new versions as succeeded, each with its own kid."""
    opened = ring()
    opened.generate("a")

    def rotate(_: int) -> object:
        try:
            return opened.rotate("a").version
        except KeyExistsError as error:
            return type(error)

    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(rotate, range(24))]

    made = sorted(one for one in found if isinstance(one, int))
    infos = [one.info for one in opened.show("a").versions]
    assert made == [*range(2, len(made) + 2)]
    assert [info.version for info in infos] == [1, *made]
    assert len({info.kid for info in infos}) == len(infos)


def test_the_loser_of_a_race_is_told(ring: Rings, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who makes the version while this ring generates it wins, and nothing of theirs is changed."""
    opened = ring()
    opened.generate("a")
    kind = type(registry.key_type("ed25519"))
    generate = kind.generate
    theirs: list[object] = []

    def slow(self: Any, options: Any) -> Any:
        if not theirs:
            theirs.append(None)
            theirs[0] = opened.rotate("a")
        return generate(self, options)

    monkeypatch.setattr(kind, "generate", slow)

    with pytest.raises(KeywrightError) as caught:
        opened.rotate("a")

    assert type(caught.value) is KeyExistsError
    assert [one.info for one in opened.show("a").versions][1:] == theirs
