"""The ring over stores whose keys never leave them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.rings import ODD, SIGNING_KEY, Refused, Rings

from keywright.errors import (
    KeywrightError,
    NotExportableError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)

HSM = {"stores": {"hsm": {"backend": "memory-signing"}}}


def test_a_key_is_made_and_used_inside(ring: Rings, refused: Refused) -> None:
    """A key is generated inside, signs inside, and verifies by its public half; no payload or secret comes out."""
    opened = ring(**HSM)

    info = opened.generate("a", labels={"x": "1"})

    signer = opened.signer("a")
    assert (info.reference, info.key_type, info.format, info.kid) == ("a@1", "ed25519", "nix", "a-1")
    assert (signer.kid, signer.algorithm, signer.public) == ("a-1", "EdDSA", info.public)
    assert opened.verify("a", b"data", signer.sign(b"data")) == info
    assert opened.open_store().get("a", 1).payload is None
    assert opened.load("a").secret is None
    assert opened.export("a").startswith(b"a-1:")
    with refused(
        NotExportableError,
        "the secret half of a@1 never leaves store 'hsm'; leave out --secret, or sign with `keywright sign a`",
    ):
        opened.export("a", secret=True)


def test_the_kid_is_a_thumbprint_of_what_was_made_inside(ring: Rings) -> None:
    """It is derived from the public half that the store tells, and is in the public JWK; a kid may be said."""
    opened = ring(**HSM)

    info = opened.generate("a", type="ec-p256")

    assert info.kid == opened.plugins.format("jwk").default_kid("a", 1, opened.load("a"))
    assert json.loads(opened.export("a"))["kid"] == info.kid
    assert opened.generate("b", type="ec-p256", kid="{name}-{version}").kid == "b-1"


def test_it_rotates_inside(ring: Rings) -> None:
    """The next version is made inside too, with type, labels and attributes as they were."""
    opened = ring(**HSM)
    opened.generate("a", type="ec-p256", labels={"x": "1"}, attributes={"use": "sig"})
    signature = opened.sign("a", b"data")

    info = opened.rotate("a")

    assert (info.version, info.key_type, info.labels) == (2, "ec-p256", {"x": "1"})
    assert info.attributes == {"use": "sig"}
    assert opened.signer("a").version == 2
    assert opened.verify("a", b"data", signature).version == 1


def test_a_key_is_used_as_it_says(ring: Rings, refused: Refused) -> None:
    """Attributes of a key inside are obeyed like those of any other."""
    opened = ring(**HSM)
    opened.generate("a", type="ec-p256", attributes={"key_ops": ["verify"]})
    opened.generate("b", type="ec-p256", attributes={"key_ops": ["sign"]})

    with refused(PolicyError, f"a@1 does not allow sign (its key_ops); {SIGNING_KEY}"):
        opened.signer("a")
    assert opened.verify("b", b"data", opened.sign("b", b"data")).version == 1
    assert json.loads(opened.export("b"))["key_ops"] == ["verify"]


def test_a_destroyed_key_signs_no_more(ring: Rings, refused: Refused) -> None:
    """Destruction takes the key inside away; a tombstone says so."""
    opened = ring(**HSM)
    opened.generate("a")
    opened.destroy("a")

    with refused(
        PolicyError,
        (
            "a has no version that signs: version 1 is destroyed, and older versions are not used again; run "
            "`keywright rotate a`"
        ),
    ):
        opened.signer("a")
    with refused(
        NotExportableError, "a@1 is destroyed, and its secret half with it; rotate it to create a new version"
    ):
        opened.export("a@1", secret=True)


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        pytest.param(
            {"type": "oct"}, UnsupportedOperationError,
            "a@1: keys of type 'oct' have no public half, and nothing else leaves this store; use another type or "
            "store", id="a type without a public half",
        ),
        pytest.param(
            {"kid": "a:b"}, UnsupportedKeyError,
            "the kid of this key cannot be a Nix key name: it has a colon, and for Nix the name ends at the "
            "first one; choose one with --kid", id="a kid that the format does not write",
        ),
        pytest.param(
            {"kid": "a b"}, UnsupportedKeyError,
            f"format 'nix' does not carry this key: the name of the Nix key {ODD}; set another with --kid, or pass "
            "--lenient",
            id="a kid that the format does not read",
        ),
        pytest.param(
            {"attributes": {"use": "sig"}}, UnsupportedKeyError,
            "format 'nix' does not carry: use; leave it out, or pass another --format",
            id="an attribute that the format does not carry",
        ),
    ],
)  # fmt: skip
def test_what_could_not_be_given_out_is_not_made(
    ring: Rings, refused: Refused, said: dict[str, Any], kind: type[KeywrightError], message: str
) -> None:
    """What the format cannot carry is refused before the store keeps it, as in any other store."""
    opened = ring(**HSM)

    with refused(kind, message):
        opened.generate("a", **said)

    assert [*opened.names()] == []


def test_keys_made_elsewhere_stay_out(ring: Rings, refused: Refused) -> None:
    """A secret half is not taken in, a public half is."""
    made = ring()
    made.generate("a")
    opened = ring(**HSM)

    with refused(UnsupportedOperationError, "a@1: this store takes no secret half in; generate the key inside it"):
        opened.import_key("a", made.export("a", secret=True))

    opened.import_key("a", made.export("a"), public=True)
    assert opened.verify("a", b"data", made.sign("a", b"data")).version == 1
