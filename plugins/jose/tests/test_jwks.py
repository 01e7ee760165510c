"""`jwks`: which versions of a ring's keys are published, with which members, and which never are."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwcrypto.jwk  # type: ignore[import-untyped]  # it ships no types
import jwcrypto.jws  # type: ignore[import-untyped]  # as above
import pytest
from jose_support import Clock, hide, refused, roca_modulus, rsa_key
from joserfc import jws as joserfc_jws
from joserfc.jwk import KeySet

from keywright import Attributes, KeyRing, Secret
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    InvalidNameError,
    InvalidSignatureError,
    KeyNotFoundError,
    KeywrightError,
    PolicyError,
    UnsupportedKeyError,
)
from keywright.testing import assert_hidden
from keywright_jose import create_curve_key, jwks, signer, verify
from keywright_jose.jwk.set import public_keys

DAY = timedelta(days=1)
TYPES = {
    "ec-p256": "ES256", "ec-p384": "ES384", "ec-p521": "ES512", "ed25519": "EdDSA", "rsa": "PS256",
}  # fmt: skip


def generate(ring: KeyRing, name: str, **options: Any) -> None:
    ring.generate(name, **{"type": "ed25519", "format": "jwk", **options})


def kids(ring: KeyRing, *names: str) -> list[object]:
    return [key["kid"] for key in jwks(ring, names)["keys"]]


def references(ring: KeyRing, *names: str) -> list[str]:
    return [key.reference for key in public_keys(ring, names, report=print)]


def members(ring: KeyRing, name: str) -> dict[str, object]:
    (key,) = jwks(ring, [name])["keys"]
    return key


def test_the_members_of_a_key(ring: KeyRing) -> None:
    generate(ring, "jwt", type="ec-p256", kid="one")
    exported = json.loads(ring.export("jwt"))

    assert members(ring, "jwt") == {
        "kty": "EC", "crv": "P-256", "x": exported["x"], "y": exported["y"],
        "kid": "one", "use": "sig", "alg": "ES256",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("type", "attributes", "use", "alg"),
    [
        pytest.param("ec-p384", {}, "sig", "ES384", id="a default"),
        pytest.param("rsa", {}, "sig", "PS256", id="the default of RSA"),
        pytest.param("rsa", {"alg": "RS256"}, "sig", "RS256", id="its own alg"),
        pytest.param("ed25519", {"alg": "Ed25519", "use": "sig"}, "sig", "Ed25519", id="its own both"),
        pytest.param("x25519", {}, "enc", None, id="cannot sign"),
        pytest.param("x25519", {"alg": "ECDH-ES"}, "enc", "ECDH-ES", id="cannot sign, its own alg"),
        pytest.param("ec-p256", {"use": "enc"}, "enc", None, id="could sign, for encryption"),
        pytest.param("ec-p256", {"alg": "ECDH-ES+A128KW"}, "enc", "ECDH-ES+A128KW", id="an alg of encryption"),
        pytest.param("rsa", {"alg": "RSA-OAEP-256"}, "enc", "RSA-OAEP-256", id="an alg of encryption, RSA"),
        pytest.param("rsa", {"alg": "RS1"}, None, "RS1", id="an alg that is not signed with here"),
        pytest.param("ec-p256", {"alg": "house"}, None, "house", id="an alg that nobody registered"),
        pytest.param("ec-p256", {"key_ops": ["sign"]}, "sig", "ES256", id="key_ops of signing"),
        pytest.param("ec-p256", {"key_ops": ["deriveBits"]}, "enc", None, id="key_ops of agreement"),
        pytest.param("rsa", {"key_ops": ["sign", "decrypt"]}, None, None, id="key_ops of both"),
    ],
)
def test_use_and_alg(ring: KeyRing, type: str, attributes: dict[str, object], use: str | None, alg: str | None) -> None:
    """The key's own go first; what is left open follows from the others, or stays open where they disagree."""
    generate(ring, "key", type=type, attributes=attributes)

    found = members(ring, "key")

    assert (found.get("use"), found.get("alg")) == (use, alg)
    assert "sign" not in json.dumps(found.get("key_ops"))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # joserfc's opinion of the name
@pytest.mark.parametrize("type", TYPES)
def test_the_set_verifies_with_all(ring: KeyRing, type: str) -> None:
    generate(ring, "jwt", type=type)
    ring.rotate("jwt")
    generate(ring, "other", type="ec-p256")
    generate(ring, "agree", type="x25519")
    token = signer(ring.signer("jwt")).sign({"sub": "7"})
    published: Any = jwks(ring)  # joserfc has a type of its own for it
    text = json.dumps(published)

    found = verify(token, published)
    theirs = joserfc_jws.deserialize_compact(token, KeySet.import_key_set(published), algorithms=[TYPES[type]])
    third = jwcrypto.jws.JWS()
    third.deserialize(token)
    third.verify(jwcrypto.jwk.JWKSet.from_json(text).get_key(found.kid))

    assert found.payload == theirs.payload == third.payload == b'{"sub":"7"}'
    assert found.kid == ring.signer("jwt").kid
    assert refused(verify, token[:-8] + "AAAAAAAA", published)[0] is InvalidSignatureError


def test_which_versions(ring: KeyRing, clock: Clock) -> None:
    generate(ring, "jwt")
    ring.rotate("jwt", overlap=DAY)  # 1 is retired in a day
    ring.rotate("jwt")  # 2 goes on verifying
    ring.rotate("jwt", expires=clock.now + DAY)  # 4 expires
    for change in (ring.disable, ring.compromise, ring.destroy):
        made = ring.rotate("jwt", activate_in=30 * DAY, attributes={})
        change(made.reference)
    ring.rotate("jwt", activate_in=20 * DAY, attributes={})

    before = references(ring, "jwt")
    clock.now += DAY
    after = references(ring, "jwt")

    assert before == ["jwt@1", "jwt@2", "jwt@3", "jwt@4", "jwt@8"]
    assert after == ["jwt@2", "jwt@3", "jwt@8"]


def test_the_order(ring: KeyRing) -> None:
    """By name, then oldest first, however it is asked; what is asked twice is there once."""
    for name in ("b", "a-1", "a/1", "c"):
        generate(ring, name)
    ring.rotate("b")

    assert references(ring) == ["a-1@1", "a/1@1", "b@1", "b@2", "c@1"]
    assert references(ring, "c", "b", "a/1", "b") == ["a/1@1", "b@1", "b@2", "c@1"]
    assert kids(ring, "c", "b") == kids(ring, "b", "c")


def test_without_names(ring: KeyRing) -> None:
    """All asymmetric keys of the format jwk; what is left out is told, but for keys that have ended."""
    told: list[str] = []
    generate(ring, "jwt")
    ring.generate("cache.example.org")
    ring.generate("gone.example.org")
    ring.disable("gone.example.org")
    for name in ("session", "cookie", "ended"):
        ring.generate(name, type="oct")
    ring.destroy("ended")

    found = public_keys(ring, (), report=told.append)

    assert [key.reference for key in found] == ["jwt@1"]
    assert told == [
        "symmetric keys left out: 2; they are published never",
        "keys of other formats left out: 1; name one to publish it",
    ]


def test_a_key_of_another_format_by_name(ring: KeyRing) -> None:
    """Asked for by name, a Nix key is published as the JWK that it is."""
    ring.generate("cache.example.org")

    found = members(ring, "cache.example.org")

    assert (found["kid"], found["kty"], found["use"], found["alg"]) == ("cache.example.org-1", "OKP", "sig", "EdDSA")


def test_nothing_secret_gets_out(ring: KeyRing) -> None:
    """No secret half, no member that nobody knows, no symmetric key: neither when it works nor in a refusal."""
    canary = "canary-" + "q7Z3v9" * 4
    secrets = [Secret(canary.encode())]
    for type in (*TYPES, "x25519", "oct"):
        generate(ring, type, type=type, attributes={"hidden": canary, "key_ops": ["sign"]} if type in TYPES else {})
        jwk = json.loads(ring.export(type, secret=True).reveal())
        secrets += [
            Secret(urlsafe_b64decode(jwk[member] + "==")) for member in ("d", "p", "q", "dp", "dq", "qi", "k")
            if member in jwk
        ]  # fmt: skip

    shown = [json.dumps(jwks(ring)), *(json.dumps(jwks(ring, [type])) for type in (*TYPES, "x25519"))]
    shown += [repr(public_keys(ring, (), report=shown.append)), refused(jwks, ring, ["oct"])[1]]

    assert len(secrets) == 13
    for secret in secrets:
        for text in shown:
            assert_hidden(secret, text)


def test_no_payload_is_opened(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(ring, "jwt")
    store = ring.open_store().store
    monkeypatch.setattr(store, "get", None)

    assert len(jwks(ring)["keys"]) == 1


def test_certificates_are_public(ring: KeyRing) -> None:
    jwk = {**create_curve_key("Ed25519"), "x5u": "https://example.org/chain.pem", "kid": "c", "mine": 7}
    ring.import_key("jwt", json.dumps(jwk).encode())

    assert members(ring, "jwt")["x5u"] == "https://example.org/chain.pem"
    assert "mine" not in members(ring, "jwt")


def test_a_weak_key(ring: KeyRing) -> None:
    """A key for which whoever verifies would refuse the whole set is refused before."""
    ring.import_key("weak", hide(rsa_key(roca_modulus(2048))), format="jwk", public=True)

    message = (
        "weak@1 cannot be published: this RSA key was made by a faulty chip and can be factored (CVE-2017-15361); make "
        "a new one elsewhere"
    )
    assert refused(jwks, ring, ["weak"]) == (InvalidKeyError, message)
    assert refused(jwks, ring) == (InvalidKeyError, message)


def test_symmetric(ring: KeyRing) -> None:
    ring.generate("session", type="oct")

    assert refused(jwks, ring, ["session"]) == (
        UnsupportedKeyError,
        (
            "session@1 is a symmetric key, and whoever knows it can sign, so it is published never; sign with an "
            "asymmetric key"
        ),
    )


def test_no_version_verifies(ring: KeyRing) -> None:
    generate(ring, "jwt")
    ring.disable("jwt")

    assert refused(jwks, ring, ["jwt"]) == (
        PolicyError,
        "no version of jwt verifies now, so there is nothing to publish; rotate to make one",
    )


def test_one_kid_twice(ring: KeyRing) -> None:
    generate(ring, "a", kid="same")
    generate(ring, "b", kid="same")

    message = "a@1 and b@1 have one kid, so no verifier could tell which is meant; ask for one of the names"
    assert refused(jwks, ring) == (PolicyError, message)
    assert refused(jwks, ring, ["b", "a"]) == (PolicyError, message)
    assert kids(ring, "a") == ["same"]


NO_KEY = "no asymmetric JWK in this store verifies now; generate one, name a key, or name the store (--store)"
NO_LIST = "names must be a list of key names; for a single key pass a list of one"


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [([], KeyNotFoundError, NO_KEY), ("jwt", ConfigError, NO_LIST), (None, ConfigError, NO_LIST),
     ([7], ConfigError, NO_LIST)],
    ids=["none in the store", "a text", "nothing", "a number"],
)  # fmt: skip
def test_refusals(ring: KeyRing, names: Any, kind: type[KeywrightError], message: str) -> None:
    ring.generate("session", type="oct")

    assert refused(jwks, ring, names) == (kind, message)


def test_names_are_names(ring: KeyRing) -> None:
    assert refused(jwks, ring, ["../jwt"])[0] is InvalidNameError
    assert refused(jwks, ring, ["jwt@1"])[0] is InvalidNameError
    assert refused(jwks, ring, ["jwt"])[0] is KeyNotFoundError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"kid": ""}, "odd@1 has no kid, so no token could name it; import it with --kid", id="no kid"),
        pytest.param(
            {"attributes": Attributes({"use": 7})},
            "odd@1 cannot be published: the JWK member use must be text that is not empty; correct it or leave it out",
            id="what no JWK can say",
        ),
    ],
)
def test_records_that_cannot_be_published(ring: KeyRing, changes: dict[str, Any], message: str) -> None:
    generate(ring, "jwt")
    store = ring.open_store().writable
    record = store.get("jwt", 1)
    store.create(replace(record, info=replace(record.info, name="odd", **changes)))

    assert refused(jwks, ring, ["odd"]) == (UnsupportedKeyError, message)
