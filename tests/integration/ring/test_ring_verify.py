"""The ring verifies signatures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from keywright import KeyRing, Secret
from keywright.errors import (
    DamagedStoreError,
    InvalidKeyError,
    InvalidSignatureError,
    KeyNotFoundError,
    KeywrightError,
    PolicyError,
    UnsupportedOperationError,
)

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Wait = Callable[..., None]


@pytest.mark.parametrize("type_name", ["ed25519", "ec-p256", "oct"])
def test_a_signature_holds_under_its_version(ring: Rings, type_name: str) -> None:
    """A name verifies with every version that may, and says which one it was."""
    opened = ring()
    signatures = []
    opened.generate("a", type=type_name)
    signatures.append(opened.sign("a", b"data"))
    for _ in range(2):
        opened.rotate("a")
        signatures.append(opened.sign("a", b"data"))

    found = [opened.verify("a", b"data", signature) for signature in signatures]

    assert [info.version for info in found] == [1, 2, 3]
    assert found == [one.info for one in opened.show("a").versions]


def test_an_announced_version_verifies(ring: Rings, wait: Wait) -> None:
    """A version verifies before it signs, for clocks that are behind."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(minutes=1))
    wait(minutes=1)
    signature = opened.sign("a", b"data")
    wait(minutes=-1)

    assert opened.verify("a", b"data", signature).version == 2


@pytest.mark.parametrize("type_name", ["ed25519", "ec-p256", "oct"])
def test_other_data_does_not_hold(ring: Rings, refused: Refused, type_name: str) -> None:
    """Other data, a cut signature and none at all hold under no version."""
    opened = ring()
    opened.generate("a", type=type_name)
    opened.rotate("a")
    signature = opened.sign("a", b"data")

    for data, given in ((b"date", signature), (b"data", signature[:-1]), (b"data", b"")):
        with refused(
            InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"
        ):
            opened.verify("a", data, given)


def test_a_named_version_verifies_alone(ring: Rings, refused: Refused) -> None:
    """`NAME@N` tries that version and no other."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a")

    assert opened.verify("a@1", b"data", signature).version == 1
    with refused(
        InvalidSignatureError, "the signature does not hold under a@2; check the data, or leave out the version"
    ):
        opened.verify("a@2", b"data", signature)


def test_a_public_key_verifies(ring: Rings) -> None:
    """The public half is all it takes."""
    opened = ring()
    opened.generate("a")
    opened.import_key("b", opened.export("a"), public=True)

    assert opened.verify("b", b"data", opened.sign("a", b"data")).reference == "b@1"


def test_the_payload_stays_closed(ring: Rings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asymmetric key verifies by its metadata, without its payload."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    monkeypatch.setattr(type(opened.open_store().store), "get", None)

    assert opened.verify("a", b"data", signature).version == 1


def test_a_key_that_signs_verifies(ring: Rings) -> None:
    """`key_ops` of a signing key say `sign` alone, and its public half verifies all the same."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"key_ops": ["sign"]})
    opened.generate("b", type="oct", attributes={"key_ops": ["sign"]})

    for name in ("a", "b"):
        assert opened.verify(name, b"data", opened.sign(name, b"data")).version == 1


@pytest.mark.parametrize(
    ("said", "algorithm", "kind", "message"),
    [
        pytest.param(
            {"type": "x25519"}, None, UnsupportedOperationError,
            "a@1 is of type x25519, which cannot sign; use another key", id="a type that cannot",
        ),
        pytest.param(
            {}, "ES256", UnsupportedOperationError,
            "a@1 is of type ed25519, which cannot sign with this algorithm; it can with: EdDSA, Ed25519",
            id="not by its type",
        ),
        pytest.param(
            {"type": "oct", "bits": 512, "attributes": {"alg": "HS512"}}, "HS256", PolicyError,
            "a@1 is for HS512 alone by its own alg; leave the algorithm out, or use another key", id="not by its alg",
        ),
        pytest.param(
            {"type": "oct", "attributes": {"alg": "dir"}}, None, PolicyError,
            "a@1 is for another algorithm than signatures by its own alg; use another key", id="an encryption key",
        ),
        pytest.param(
            {"type": "ec-p256", "attributes": {"use": "enc"}}, None, PolicyError,
            "a@1 is not for signatures by its own use; use another key", id="not by its use",
        ),
        pytest.param(
            {"type": "ec-p256", "attributes": {"key_ops": ["deriveKey"]}}, None, PolicyError,
            "a@1 may not verify by its own key_ops; use another key", id="not by its key_ops",
        ),
        pytest.param(
            {"type": "oct", "bits": 128}, None, InvalidKeyError,
            "HS256 needs a key of at least 256 bits (RFC 7518 §3.2), and this one has 128; make a longer one",
            id="too weak",
        ),
    ],
)  # fmt: skip
def test_a_key_is_used_as_it_says(
    ring: Rings,
    refused: Refused,
    said: dict[str, Any],
    algorithm: str | None,
    kind: type[KeywrightError],
    message: str,
) -> None:
    """A key verifies neither with what its type cannot nor against its own alg, use or key_ops."""
    opened = ring()
    opened.generate("a", **said)

    with refused(kind, message):
        opened.verify("a", b"data", b"signature", algorithm=algorithm)


def test_one_version_that_cannot_does_not_keep_another(ring: Rings, refused: Refused, shared: dict[str, str]) -> None:
    """Versions may differ in type: those that cannot be used so are passed over, whoever is the primary."""
    opened = ring(stores={"main": shared})
    opened.generate("a", type="ec-p256")
    signature = opened.sign("a", b"data")
    ring(stores={"main": shared}, keys={"a": {"type": "oct", "bits": 128}}).rotate("a")

    assert opened.verify("a", b"data", signature, algorithm="ES256").version == 1
    assert opened.verify("a", b"data", signature).version == 1
    with refused(InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"):
        opened.verify("a", b"date", signature)
    with refused(
        UnsupportedOperationError,
        "a@2 is of type oct, which cannot sign with this algorithm; it can with: HS256, HS384, HS512",
    ):
        opened.verify("a", b"data", signature, algorithm="EdDSA")


@pytest.mark.parametrize(
    ("change", "phase"), [("disable", "disabled"), ("compromise", "compromised"), ("destroy", "destroyed")]
)
def test_a_version_out_of_use_does_not_verify(ring: Rings, refused: Refused, change: str, phase: str) -> None:
    """A disabled, compromised or destroyed version verifies nothing; the others go on."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a")
    getattr(opened, change)("a@1")

    with refused(PolicyError, f"a@1 may not verify: version 1 is {phase}; have the data signed by a version that may"):
        opened.verify("a@1", b"data", signature)
    with refused(InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"):
        opened.verify("a", b"data", signature)


def test_nothing_verifies_when_all_is_over(ring: Rings, refused: Refused, wait: Wait) -> None:
    """Where no version may verify, the phases of all are told."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(days=1), expires=opened.now() + timedelta(days=2))

    wait(days=1)
    with refused(PolicyError, "a@1 may not verify: version 1 is retired; have the data signed by a version that may"):
        opened.verify("a@1", b"data", signature)
    wait(days=1)
    with refused(
        PolicyError,
        "a may not verify: version 1 is retired, version 2 is expired; have the data signed by a version that may",
    ):
        opened.verify("a", b"data", signature)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("b", "store 'main' has no key b; make one with generate or import, or name another --store"),
        ("a@7", "a has no version 7 in store 'main'; it has: 1"),
    ],
)
def test_what_is_not_there_is_refused(ring: Rings, refused: Refused, reference: str, message: str) -> None:
    """A name or version that is not there is no invalid signature."""
    opened = ring()
    opened.generate("a")

    with refused(KeyNotFoundError, message):
        opened.verify(reference, b"data", b"signature")


def test_a_store_without_metadata_verifies(ring: Rings, refused: Refused, plain: dict[str, Secret]) -> None:
    """A key in a store that knows payloads alone verifies, and the answer is completed from the payload."""
    made = ring()
    info = made.generate("a")
    signature = made.sign("a", b"data")
    plain["a"] = made.export("a", secret=True)
    plain["public"] = Secret(made.export("a"))
    opened = ring(stores={"ci": {"backend": "plain"}})

    found = opened.verify("a", b"data", signature)

    assert (found.key_type, found.format, found.kid, found.public) == ("ed25519", "nix", "a-1", info.public)
    assert opened.verify("public", b"data", signature).kid == "a-1"
    with refused(InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"):
        opened.verify("a", b"date", signature)


def test_damage_is_no_invalid_signature(ring: Rings, refused: Refused, plain: dict[str, Secret]) -> None:
    """A payload that cannot be read is told as damage."""
    plain["a"] = Secret(b"a-1:" + b"A" * 86)
    opened = ring(stores={"ci": {"backend": "plain"}})

    with pytest.raises(DamagedStoreError) as caught:
        opened.verify("a", b"data", b"")

    assert str(caught.value).startswith("a@1 in store 'ci' does not decode: ")
