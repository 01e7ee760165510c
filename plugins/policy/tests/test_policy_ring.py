"""Rules over a ring: what is refused leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from support.errors import text_of

import keywright
from keywright import KeyRing, Registry
from keywright.errors import ConfigError, PolicyError

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@contextmanager
def ring_with(*rules: Mapping[str, object], days: int = 0) -> Iterator[KeyRing]:
    """A ring over a store in memory, so many days from now."""
    document = {
        "default_store": "local",
        "stores": {"local": {"backend": "memory"}},
        "plugin": {"policy": {"rules": list(rules)}},
    }
    with keywright.open(document, registry=Registry.load(), clock=lambda: NOW + timedelta(days=days)) as ring:
        yield ring


def test_a_refused_key_is_not_made() -> None:
    with ring_with({"names": "prod/*", "types": ["ed25519"]}) as ring:
        with pytest.raises(PolicyError) as caught:
            ring.generate("prod/jwt", type="oct")

        assert list(ring.list()) == []
        assert ring.generate("prod/jwt").reference == "prod/jwt@1"
        assert ring.generate("dev/jwt", type="oct").reference == "dev/jwt@1"
    assert text_of(caught.value) == (
        "generate of prod/jwt is refused by plugin 'policy': rule 1 (prod/*): allows the types ed25519, not "
        "oct; use one of the types that it allows, or change the rule"
    )


def test_sizes_are_known_before_a_key_is_made() -> None:
    """Of the types that have sizes, and of what is imported."""
    with ring_with({"minimum_bits": {"oct": 256, "rsa": 3072}}) as ring:
        for options in ({"type": "oct", "bits": 248}, {"type": "rsa", "bits": 2048}):
            with pytest.raises(PolicyError, match=r"^generate of small is refused .* and this one has (248|2048)\n"):
                ring.generate("small", **options)  # type: ignore[arg-type]  # (a type and its bits)
        with pytest.raises(PolicyError, match=r"^import of small is refused .* and this one has 128\n"):
            ring.import_key("small", b'{"k":"AAECAwQFBgcICQoLDA0ODw","kty":"oct"}')

        assert list(ring.list()) == []
        assert ring.generate("large", type="oct").version == 1
        assert ring.rotate("large").version == 2


def test_no_secret_half_is_handed_out() -> None:
    with ring_with({"export": False}) as ring:
        ring.generate("a")

        for hand_out in (lambda: ring.export("a", secret=True), lambda: ring.load("a")):
            with pytest.raises(
                PolicyError, match=r"^export of a is refused by plugin 'policy': rule 1 \(\*\): does not"
            ):
                hand_out()

        assert ring.export("a")
        ring.verify("a", b"data", ring.sign("a", b"data"))


def test_keys_have_an_end() -> None:
    with ring_with({"maximum_age": "90d"}) as ring:
        for expires in (None, NOW + timedelta(days=91)):
            with pytest.raises(PolicyError, match="requires keys that expire within 90d"):
                ring.generate("a", expires=expires)

        assert ring.generate("a", expires=NOW + timedelta(days=90)).version == 1


def test_a_mistake_in_the_rules_refuses_the_ring() -> None:
    """A policy that cannot be read is not passed over."""
    with pytest.raises(ConfigError) as caught, ring_with({"nams": "prod/*", "sealed": True}):
        pass

    assert text_of(caught.value) == (
        "given settings: plugin.policy: rule 1 has no member 'nams' (did you mean 'names'?); a rule has: names, types, "
        "formats, minimum_bits, maximum_age, sealed, export, operations"
    )
