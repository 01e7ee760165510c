"""Encrypted tokens under the keys of a ring: rotation, threads, and what is opened for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from jose_support import Clock, Observer, refused

import keywright
from keywright import KeyRing, Registry
from keywright.errors import InvalidSignatureError, PolicyError, UnsupportedOperationError
from keywright_jose import create_secret_key, jwe_decode, jwe_decrypt, jwe_encode, jwe_encrypt

Rings = Callable[[str], KeyRing]

AGREE: dict[str, Any] = {"key_algorithm": "ECDH-ES", "content_algorithm": "A256GCM"}
WRAP: dict[str, Any] = {"key_algorithm": "A256KW", "content_algorithm": "A256GCM"}
ANOTHER = "the token was encrypted for a key that is not among these (kid); refuse it"
NONE = (
    "box may not decrypt: version 1 is retired, version 2 is disabled; have the data encrypted for a version that may"
)
NOT_OCT = (
    "a key of type oct does not encrypt with ECDH-ES; it can with: A128KW, A192KW, A256KW, A128GCMKW, A192GCMKW, "
    "A256GCMKW, dir"
)
CHANGED = "the token cannot be decrypted with this key; it was changed, or encrypted for another: refuse it"


@pytest.fixture
def rings(clock: Clock, observer: Observer, request: pytest.FixtureRequest) -> Iterator[Rings]:
    """Opens rings over one store; new versions of `box` are of the type that is said."""
    registry = Registry.load()
    registry.add(observer, "observer")
    store = {"backend": "memory", "id": request.node.nodeid}
    with ExitStack() as opened:

        def ring(box: str) -> KeyRing:
            document: dict[str, object] = {"stores": {"main": store}, "keys": {"box": {"type": box, "format": "jwk"}}}
            return opened.enter_context(keywright.open(document, clock=clock, registry=registry))

        yield ring


@pytest.fixture
def ring(rings: Rings) -> KeyRing:
    """A ring with the keys `box` (x25519) and `wrapping` (oct, 256 bits)."""
    opened = rings("x25519")
    opened.generate("box")
    opened.generate("wrapping", type="oct", bits=256)
    return opened


def test_tokens_of_before_a_rotation_decrypt(ring: KeyRing) -> None:
    """What was bound goes on: new tokens are for the new version, and the old ones are still read."""
    to, of = ring.encrypter("box"), ring.decrypter("box")
    first = jwe_encode({"n": 1}, to, **AGREE)
    ring.rotate("box")
    second = jwe_encode({"n": 2}, to, **AGREE)

    assert [jwe_decode(token, of, **AGREE) for token in (first, second)] == [{"n": 1}, {"n": 2}]
    found = [jwe_decrypt(token, of, **AGREE) for token in (first, second)]
    assert [one.reference for one in found] == ["box@1", "box@2"]
    assert [one.kid for one in found] == [ring.load(f"box@{version}").kid for version in (1, 2)]
    assert [one.header["kid"] for one in found] == [one.kid for one in found]


def test_of_a_version_that_may_not_any_more(ring: KeyRing, clock: Clock) -> None:
    """Once its overlap is over it decrypts nothing, and neither does one that is put away."""
    to, of = ring.encrypter("box"), ring.decrypter("box", refresh=None)
    first = jwe_encrypt(b"first", to, **AGREE)
    ring.rotate("box", overlap=timedelta(hours=1))

    assert jwe_decrypt(first, of, **AGREE).reference == "box@1"
    clock.now += timedelta(hours=1)
    assert refused(jwe_decrypt, first, of, **AGREE) == (InvalidSignatureError, ANOTHER)
    ring.disable("box@2")

    assert refused(jwe_decrypt, first, of, **AGREE) == (PolicyError, NONE)


def test_only_what_is_needed_is_opened(ring: KeyRing, clock: Clock, observer: Observer) -> None:
    """No secret to encrypt for a public half, one to decrypt: that of the version that a token names, once a look."""
    tokens = [jwe_encrypt(b"first", ring.encrypter("box"), **AGREE)]
    ring.rotate("box")
    tokens += [jwe_encrypt(b"second", ring.encrypter("box"), **AGREE) for _ in range(3)]
    of = ring.decrypter("box")
    assert observer.exported == []

    for token in tokens[1:]:
        jwe_decrypt(token, of, **AGREE)
    assert observer.exported == ["box@2"]
    jwe_decrypt(tokens[0], of, **AGREE)
    assert observer.exported == ["box@2", "box@1"]
    clock.now += timedelta(seconds=60)
    jwe_decrypt(tokens[0], of, **AGREE)

    assert observer.exported == ["box@2", "box@1", "box@1"]


def test_symmetric_keys(ring: KeyRing, observer: Observer) -> None:
    to, of = ring.encrypter("wrapping"), ring.decrypter("wrapping")

    tokens = [jwe_encrypt(b"any", to, **WRAP) for _ in range(3)]

    assert [jwe_decrypt(token, of, **WRAP).plaintext.reveal() for token in tokens] == [b"any"] * 3
    assert observer.exported == ["wrapping@1", "wrapping@1"]


def _without_kid(ring: KeyRing, reference: str) -> str:
    """A token as somebody else makes it, who knows the public half and no kid."""
    jwk = json.loads(ring.export(reference, format="jwk"))
    return jwe_encrypt(b"any", {one: jwk[one] for one in ("kty", "crv", "x", "y") if one in jwk}, **AGREE)


def test_a_token_without_kid_is_tried_under_each_version(ring: KeyRing, rings: Rings) -> None:
    """The versions of one name are the ring's own, so a token need not name one; another curve is no end of it."""
    for kind in ("ec-p256", "ec-p256", "ec-p384"):
        rings(kind).rotate("box")
    ring.generate("stranger", type="ec-p521")
    of = ring.decrypter("box")

    found = [jwe_decrypt(_without_kid(ring, f"box@{version}"), of, **AGREE) for version in range(1, 5)]

    assert [one.reference for one in found] == ["box@1", "box@2", "box@3", "box@4"]
    assert refused(jwe_decrypt, _without_kid(ring, "stranger"), of, **AGREE) == (InvalidSignatureError, CHANGED)


def test_versions_that_are_not_for_an_algorithm_stay_out(ring: KeyRing, rings: Rings) -> None:
    """They say nothing of the others; if there is no other, it is told why."""
    token = _without_kid(ring, "box")
    rings("oct").rotate("box")

    assert jwe_decrypt(token, ring.decrypter("box"), **AGREE).reference == "box@1"
    assert refused(jwe_decrypt, token, ring.decrypter("box@2"), **AGREE) == (
        UnsupportedOperationError,
        NOT_OCT,
    )


def test_a_size_or_a_use_keeps_a_version_out(ring: KeyRing) -> None:
    """If all stay out, it is told why of the primary."""
    jwk = json.loads(ring.export("wrapping", format="jwk", secret=True).reveal())
    token = jwe_encrypt(b"any", {"kty": "oct", "k": jwk["k"]}, **WRAP)
    ring.rotate("wrapping", bits=128)
    ring.rotate("wrapping", bits=256, attributes={"use": "sig"})

    assert jwe_decrypt(token, ring.decrypter("wrapping"), **WRAP).reference == "wrapping@1"
    ring.disable("wrapping@1")
    assert refused(jwe_decrypt, token, ring.decrypter("wrapping"), **WRAP) == (
        PolicyError,
        "this key is not for encryption by its own use; use another key",
    )


def test_a_key_without_kid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a JWK without one: it decrypts whatever kid a token says, and says none."""
    jwk = {name: value for name, value in create_secret_key(256).items() if name != "kid"}
    monkeypatch.setenv("BOX", json.dumps(jwk))
    stores = {"ci": {"backend": "env", "variables": {"box": "BOX"}}}
    with keywright.open({"stores": stores}) as ring:
        found = jwe_decrypt(jwe_encrypt(b"any", jwk, **WRAP, headers={"kid": "x"}), ring.decrypter("box"), **WRAP)
        token = jwe_encrypt(b"any", ring.encrypter("box"), **WRAP)

        assert (found.kid, found.reference) == (None, "box@1")
        assert "kid" not in jwe_decrypt(token, ring.decrypter("box"), **WRAP).header


def test_threads_never_mix_a_kid_and_a_key(ring: KeyRing) -> None:
    to, of = ring.encrypter("box"), ring.decrypter("box")

    def work(_: int) -> list[str]:
        return [jwe_encrypt(b"any", to, **AGREE) for _ in range(40)]

    with ThreadPoolExecutor(4) as pool:
        works = pool.map(work, range(4))
        for _ in range(8):
            ring.rotate("box")
        tokens = [token for made in works for token in made]

    found = [jwe_decrypt(token, of, **AGREE) for token in tokens]
    assert all(one.plaintext.reveal() == b"any" and one.header["kid"] == one.kid for one in found)
