"""The ring binds signers and verifiers, signs and verifies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event, Lock
from typing import Any, cast

import pytest
from support.rings import SIGNING_KEY, Meanwhile, Refused, Rings, Table, Wait, writable

from keywright import RecordInfo, Registry, Revision, Secret
from keywright.errors import (
    CorruptedStoreError,
    DurabilityError,
    InvalidKeyError,
    InvalidSignatureError,
    KeywrightError,
    NotExportableError,
    PolicyError,
    UnsupportedOperationError,
)

NO_VERSION = (
    "the signature is not valid under any version of a that may verify; check that the data, the "
    "signature and the key belong together"
)


def test_a_signer_says_what_it_is(ring: Rings) -> None:
    """A signer tells name, version, kid, algorithm and public half, and what it signs verifies."""
    opened = ring()
    info = opened.generate("a")

    signer = opened.signer("a")

    assert (signer.name, signer.version, signer.kid, signer.algorithm) == ("a", 1, "a-1", "EdDSA")
    assert signer.public == info.public
    assert repr(signer) == "<signer a@1 EdDSA>"
    assert opened.verify("a", b"data", signer.sign(b"data")) == info


def test_the_algorithm_is_asked_for_or_the_keys_own_or_the_types(ring: Rings) -> None:
    """A key's own `alg` is used, or the type's first; a key without one signs with whichever its type can."""
    opened = ring()
    for type, algorithm in (("ed25519", "EdDSA"), ("ec-p256", "ES256"), ("ec-p521", "ES512"), ("oct", "HS256")):
        opened.generate(type, type=type)
        assert opened.signer(type).algorithm == algorithm
    opened.generate("a", type="oct", bits=512, attributes={"alg": "HS512"})
    opened.generate("b", type="oct", bits=512)

    assert opened.signer("a").algorithm == opened.signer("a", algorithm="HS512").algorithm == "HS512"
    signature = opened.sign("b", b"data", algorithm="HS384")
    assert len(signature) == 48
    assert opened.verify("b", b"data", signature, algorithm="HS384").version == 1


@pytest.mark.parametrize(
    ("said", "algorithm", "kind", "message"),
    [
        pytest.param(
            {"type": "x25519"}, None, UnsupportedOperationError,
            f"a@1 is of type x25519, which cannot sign; {SIGNING_KEY}", id="a type that cannot sign",
        ),
        pytest.param(
            {}, "ES256", UnsupportedOperationError,
            "a@1 is of type ed25519, which cannot sign with this algorithm; it can with: EdDSA, Ed25519",
            id="not by its type",
        ),
        pytest.param(
            {"type": "oct", "attributes": {"alg": "A256KW"}}, None, PolicyError,
            f"a@1 is not for signatures (its alg); {SIGNING_KEY}", id="for key wrapping",
        ),
        pytest.param(
            {"type": "oct", "attributes": {"alg": "dir"}}, None, PolicyError,
            f"a@1 is not for signatures (its alg); {SIGNING_KEY}", id="for encryption",
        ),
        pytest.param(
            {"type": "oct", "bits": 512, "attributes": {"alg": "HS512"}}, "HS256", PolicyError,
            "a@1 is restricted to HS512 (its alg); leave out the algorithm", id="not by its alg",
        ),
        pytest.param(
            {"type": "ec-p256", "attributes": {"use": "enc"}}, None, PolicyError,
            f"a@1 is not for signatures (its use); {SIGNING_KEY}", id="not by its use",
        ),
        pytest.param(
            {"type": "oct", "bits": 128}, None, InvalidKeyError,
            "HS256 needs a key of at least 256 bits (RFC 7518 §3.2), and this one has 128; use a longer key",
            id="too weak",
        ),
    ],
)  # fmt: skip
def test_a_key_is_used_as_it_says(
    ring: Rings, refused: Refused, said: Table, algorithm: str | None, kind: type[KeywrightError], message: str
) -> None:
    """A key neither signs nor verifies with what its type cannot, nor against its own alg or use."""
    opened = ring()
    opened.generate("a", **said)

    with refused(kind, message):
        opened.signer("a", algorithm=algorithm)
    with refused(kind, message.replace("which cannot sign", "which cannot verify")):
        opened.verify("a", b"data", b"signature", algorithm=algorithm)


def test_key_ops_of_a_key_are_obeyed(ring: Rings, refused: Refused) -> None:
    """`verify` does not sign, `deriveKey` does neither; `sign` verifies by its public half; one of two is enough."""
    opened = ring()
    for name, type, *operations in (
        ("a", "ec-p256", "sign"), ("b", "oct", "sign"), ("c", "ec-p256", "sign", "verify"), ("d", "ec-p256", "verify"),
        ("e", "ec-p256", "deriveKey"),
    ):  # fmt: skip
        opened.generate(name, type=type, attributes={"key_ops": operations})

    for name in "abc":
        assert opened.verify(name, b"data", opened.sign(name, b"data")).version == 1
    with refused(PolicyError, f"d@1 does not allow sign (its key_ops); {SIGNING_KEY}"):
        opened.signer("d")
    with refused(PolicyError, f"e@1 does not allow verify (its key_ops); {SIGNING_KEY}"):
        opened.verify("e", b"data", b"signature")


def test_the_key_is_looked_up_once(ring: Rings, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures after the first ask the store nothing while the clock stands within the refresh."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a")
    monkeypatch.setattr(type(opened.open_store()), "versions", None)

    assert signer.sign(b"data") == signer.sign(b"data")


def test_it_changes_over_by_the_clock(ring: Rings, wait: Wait) -> None:
    """When the announced version's time comes, signer and verifier take it up without any refresh."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(days=7))
    signer, verifier = opened.signer("a", refresh=None), opened.verifier("a", refresh=None)

    wait(days=7, microseconds=-1)
    before = signer.current().kid, [bound.version for bound in verifier.current()]
    wait(microseconds=1)
    after = signer.current().kid, [bound.version for bound in verifier.current()]

    assert (before, after) == (("a-1", [1, 2]), ("a-2", [2, 1]))
    assert opened.verify("a", b"data", signer.sign(b"data")).version == 2


def test_it_looks_again_after_the_refresh(ring: Rings, shared: Table, wait: Wait) -> None:
    """A rotation that was not foreseen is seen after `refresh` and not before: None never, zero each time."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a", refresh=timedelta(seconds=10))
    never, always = opened.signer("a", refresh=None), opened.signer("a", refresh=timedelta(0))
    other.rotate("a")

    wait(seconds=9)
    before = signer.version
    wait(seconds=1)

    assert [before, signer.version, always.version] == [1, 2, 2]
    wait(days=10_000)
    assert never.version == 1


def test_a_clock_that_is_set_back_does_not_freeze_it(ring: Rings, shared: Table, wait: Wait) -> None:
    """Behind the last look-up by its clock, a signer looks again, and again from there; none signs before its time."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    opened.generate("b")
    opened.rotate("b", activate_in=timedelta(days=1))
    wait(days=1)
    signer, announced = (opened.signer(name, refresh=timedelta(seconds=60)) for name in ("a", "b"))
    other.rotate("a")
    before = signer.version, announced.version

    wait(microseconds=-1)
    back = signer.version, announced.version
    wait(hours=-1)
    further = signer.version
    other.rotate("a")
    wait(seconds=59)
    held = signer.version
    wait(seconds=1)

    assert (before, back) == ((1, 2), (2, 1))
    assert [further, held, signer.version] == [2, 2, 3]


def test_a_signer_stops_at_the_end(ring: Rings, refused: Refused, wait: Wait) -> None:
    """An expired key signs no more, in a signer that was bound before either."""
    opened = ring()
    opened.generate("a", expires=opened.now() + timedelta(days=1))
    signer = opened.signer("a", refresh=None)

    wait(days=1)

    message = (
        "a has no version that signs: version 1 is expired, and older versions are not used again; run "
        "`keywright rotate a`"
    )
    for _ in range(2):
        with refused(PolicyError, message):
            signer.sign(b"data")
    with refused(PolicyError, message):
        opened.signer("a")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_signer_hears_of_what_is_done(
    ring: Rings, shared: Table, refused: Refused, wait: Wait, elsewhere: bool
) -> None:
    """A rotation or compromise by the same ring counts at once, by another one once the refresh is over."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a", refresh=timedelta(seconds=60) if elsewhere else None)

    acting = other if elsewhere else opened
    acting.rotate("a")
    wait(seconds=60 if elsewhere else 0)
    rotated = signer.version
    acting.compromise("a@2")
    wait(seconds=60 if elsewhere else 0)

    assert rotated == 2
    with refused(
        PolicyError,
        "a has no version that signs: version 2 is compromised, and older versions are not used again; run "
        "`keywright rotate a`",
    ):
        signer.sign(b"data")


def test_a_named_version_signs_while_it_is_the_primary(ring: Rings, refused: Refused, wait: Wait) -> None:
    """`NAME@N` binds that version, and never changes over to another."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a@1")
    assert signer.kid == "a-1"
    opened.rotate("a")

    wait(seconds=60)

    message = "a@1 does not sign, a@2 does; leave the version out"
    with refused(PolicyError, message):
        signer.sign(b"data")
    with refused(PolicyError, message):
        opened.signer("a@1")


def test_what_does_not_sign_is_refused(ring: Rings, refused: Refused) -> None:
    """Where nothing signs, the reason is said (times in UTC), and no older key is taken; nor does a public key sign."""
    opened = ring()
    opened.generate("a")
    opened.import_key("public", opened.export("a"), public=True)
    opened.disable("a")
    opened.generate("b", activates=opened.now() + timedelta(days=2))
    opened.generate("c", activates=datetime.fromisoformat("2027-01-03T14:00:00+05:00"))

    for name, why in {
        "a": (
            "disabled, and older versions are not used again; run `keywright enable a@1`, or run `keywright rotate a`"
        ),
        "b": (
            "announced and signs from 2027-01-03 12:00:00 UTC; wait until then, or run `keywright rotate b "
            "--activate-in 0s`"
        ),
        "c": (
            "announced and signs from 2027-01-03 09:00:00 UTC; wait until then, or run `keywright rotate c "
            "--activate-in 0s`"
        ),
    }.items():
        with refused(PolicyError, f"{name} has no version that signs: version 1 is {why}"):
            opened.signer(name)
    message = "public@1 is a public key, imported without its secret half; ask its owner to sign"
    with refused(NotExportableError, message):
        opened.sign("public", b"data")


def test_a_store_without_metadata_signs(ring: Rings, plain: dict[str, Secret]) -> None:
    """A key in a store that knows payloads alone signs under the kid that it carries, or would get."""
    made = ring()
    made.generate("a")
    made.generate("b", type="ec-p256", kid="will be left out")
    plain["a"] = made.export("a", secret=True)
    plain["b"] = Secret(made.export("b", secret=True).reveal().replace(b'"kid":"will be left out",', b""))
    opened = ring(stores={"ci": {"backend": "plain"}})

    signers = [opened.signer("a"), opened.signer("b")]

    assert signers[0].kid == "a-1"
    assert signers[1].kid == opened.plugins.format("jwk").default_kid("b", 1, opened.load("b"))
    assert made.verify("a", b"data", signers[0].sign(b"data")).kid == "a-1"


def test_threads_sign_through_a_rotation(ring: Rings) -> None:
    """Eight threads sign while the name is rotated: each signature holds under the kid that `current` reported."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a", refresh=timedelta(0))
    one_at_a_time = Lock()

    def sign(number: int) -> tuple[str, bytes, bytes]:
        if number % 20 == 10:
            with one_at_a_time:
                opened.rotate("a")
        bound = signer.current()
        data = str(number).encode()
        return bound.kid, data, bound.sign(data)

    with ThreadPoolExecutor(8) as pool:
        signatures = [*pool.map(sign, range(100))]

    keys: Mapping[str, int] = {one.info.kid: one.info.version for one in opened.show("a").versions}
    assert len(keys) == 6
    assert len({kid for kid, _, _ in signatures}) > 1
    for kid, data, signature in signatures:
        assert opened.verify(f"a@{keys[kid]}", data, signature).kid == kid


def test_threads_change_over_together(ring: Rings, wait: Wait) -> None:
    """Of threads that sign when a version's time has come, none signs with the version before."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(days=1))
    signer = opened.signer("a", refresh=None)
    wait(days=1)

    with ThreadPoolExecutor(8) as pool:
        kids = {*pool.map(lambda _: signer.kid, range(64))}

    assert kids == {"a-2"}


def test_a_change_that_failed_may_be_visible_all_the_same(ring: Rings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a write landed and was not confirmed, a signer of the ring looks again too."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a", refresh=None)
    store = writable(opened)
    update = store.update_info

    def unconfirmed(info: RecordInfo, expected: Revision) -> RecordInfo:
        update(info, expected)
        raise DurabilityError("the disk would not say")

    monkeypatch.setattr(store, "update_info", unconfirmed)
    with pytest.raises(DurabilityError):
        opened.compromise("a")

    with pytest.raises(PolicyError):
        signer.sign(b"data")


def test_many_signers_are_no_hindrance_to_a_change(ring: Rings) -> None:
    """Threads bind signers while another changes keys; nothing but what they ask for happens."""
    opened = ring()
    opened.generate("a")
    stop = Event()

    def bind() -> int:
        bound = 0
        while not stop.is_set():
            opened.signer("a").sign(b"data")
            bound += 1
        return bound

    with ThreadPoolExecutor(4) as threads:
        binding = [threads.submit(bind) for _ in range(4)]
        for number in range(200):
            opened.label("a", {"n": str(number)})
        stop.set()

        assert all(one.result() for one in binding)


def test_a_child_looks_again(ring: Rings, shared: dict[str, str]) -> None:
    """After a fork the key is bound again: a session with a device is its parent's alone."""
    opened = ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a", refresh=None)
    bound = signer.current()

    child = os.fork()
    if child == 0:
        os._exit(0 if signer.current() is not bound and signer.current() is signer.current() else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert signer.current() is bound


def test_a_change_while_the_key_is_looked_up_is_not_missed(ring: Rings, meanwhile: Meanwhile) -> None:
    """What the ring changes between the look and its end makes the signer look once more."""
    opened = ring()
    opened.generate("a")
    meanwhile(opened.open_store(), "get", lambda: opened.rotate("a"), after=True)

    assert opened.signer("a", refresh=None).version == 2


@pytest.mark.parametrize("type_name", ["ed25519", "ec-p256", "oct"])
def test_a_signature_holds_under_its_version(ring: Rings, refused: Refused, type_name: str) -> None:
    """A name verifies with every version that may, and says which; other data and cut signatures hold under none."""
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
    for data, given in ((b"date", signatures[2]), (b"data", signatures[2][:-1]), (b"data", b"")):
        with refused(InvalidSignatureError, NO_VERSION):
            opened.verify("a", data, given)


def test_a_named_version_verifies_alone(ring: Rings, refused: Refused) -> None:
    """`NAME@N` tries that version and no other."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a")

    assert opened.verify("a@1", b"data", signature).version == 1
    assert opened.verifier("a@1").verify(b"data", signature).version == 1
    with refused(
        InvalidSignatureError, "the signature is not valid under a@2; check the data, or leave out the version"
    ):
        opened.verify("a@2", b"data", signature)
    with refused(InvalidSignatureError, NO_VERSION):
        opened.verifier("a@2").verify(b"data", signature)


def test_the_public_half_is_enough_to_verify(ring: Rings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public key verifies, and an asymmetric one by its metadata, without its payload."""
    opened = ring()
    opened.generate("a")
    opened.import_key("b", opened.export("a"), public=True)
    signature = opened.sign("a", b"data")
    monkeypatch.setattr(type(opened.open_store()), "get", None)

    assert opened.verify("a", b"data", signature).reference == "a@1"
    assert opened.verify("b", b"data", signature).reference == "b@1"


def test_one_version_that_cannot_does_not_keep_another(ring: Rings, refused: Refused, shared: dict[str, str]) -> None:
    """Versions may differ in type: those that cannot be used so are passed over, whichever is the primary."""
    opened = ring(stores={"main": shared})
    opened.generate("a", type="ec-p256")
    signature = opened.sign("a", b"data")
    ring(stores={"main": shared}, keys={"a": {"type": "oct", "bits": 128}}).rotate("a")

    assert opened.verify("a", b"data", signature, algorithm="ES256").version == 1
    assert opened.verify("a", b"data", signature).version == 1
    with refused(InvalidSignatureError, NO_VERSION):
        opened.verify("a", b"date", signature)
    with refused(
        UnsupportedOperationError,
        "a@2 is of type oct, which cannot verify with this algorithm; it can with: HS256, HS384, HS512",
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

    with refused(PolicyError, f"a@1 may not verify: version 1 is {phase}; have the data signed by an enabled version"):
        opened.verify("a@1", b"data", signature)
    with refused(InvalidSignatureError, NO_VERSION):
        opened.verify("a", b"data", signature)


def test_nothing_verifies_when_all_is_over(ring: Rings, refused: Refused, wait: Wait) -> None:
    """Where no version may verify, the phases of all are reported."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(days=1), expires=opened.now() + timedelta(days=2))

    wait(days=1)
    with refused(PolicyError, "a@1 may not verify: version 1 is retired; have the data signed by an enabled version"):
        opened.verify("a@1", b"data", signature)
    wait(days=1)
    with refused(
        PolicyError,
        "a may not verify: version 1 is retired, version 2 is expired; have the data signed by an enabled version",
    ):
        opened.verify("a", b"data", signature)


def test_a_store_without_metadata_verifies(ring: Rings, refused: Refused, plain: dict[str, Secret]) -> None:
    """The answer is completed from the payload; one that cannot be read is damage, no invalid signature."""
    made = ring()
    info = made.generate("a")
    signature = made.sign("a", b"data")
    plain["a"] = made.export("a", secret=True)
    plain["public"] = Secret(made.export("a"))
    plain["damaged"] = Secret(b"a-1:" + b"A" * 86)
    opened = ring(stores={"ci": {"backend": "plain"}})

    found = opened.verify("a", b"data", signature)

    assert (found.key_type, found.format, found.kid, found.public) == ("ed25519", "nix", "a-1", info.public)
    assert opened.verify("public", b"data", signature).kid == "a-1"
    with refused(InvalidSignatureError, NO_VERSION):
        opened.verify("a", b"date", signature)
    with pytest.raises(CorruptedStoreError, match=r"^damaged@1 in store 'ci' does not decode: "):
        opened.verify("damaged", b"data", b"")


def test_a_verifier_says_under_which_version(ring: Rings) -> None:
    """What a version signed verifies under that version, and the answer says all about it."""
    opened = ring()
    info = opened.generate("a")
    signature = opened.sign("a", b"data")

    verifier = opened.verifier("a")
    bound = verifier.verify(b"data", signature)

    assert bound[:6] == ("a", 1, "a-1", "ed25519", "EdDSA", info.public)
    assert verifier.name == "a"
    assert repr(verifier) == "<verifier a: 1 EdDSA>"


def test_all_versions_that_may_verify_do(ring: Rings, wait: Wait) -> None:
    """The primary comes first, then newest to oldest; a version in its overlap, one that is announced, no other."""
    opened = ring()
    for version in range(1, 4):
        opened.generate("a") if version == 1 else opened.rotate("a", overlap=timedelta(hours=version))
        wait(minutes=1)
    opened.rotate("a", activate_in=timedelta(hours=5), overlap=timedelta(hours=9))

    verifier = opened.verifier("a")

    assert [bound.version for bound in verifier.current()] == [3, 4, 2, 1]


@pytest.mark.parametrize("refresh", [None, 60])
def test_it_stops_at_the_end_of_an_overlap(ring: Rings, refused: Refused, wait: Wait, refresh: int | None) -> None:
    """Of several reasons to look again the first one counts: each version verifies until its own overlap is over."""
    opened = ring()
    opened.generate("a")
    first = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(seconds=20))
    second = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(seconds=40))
    verifier = opened.verifier("a", refresh=None if refresh is None else timedelta(seconds=refresh))

    for signature, version in ((first, 1), (second, 2)):
        wait(seconds=19)
        assert verifier.verify(b"data", signature).version == version
        wait(seconds=1)
        with refused(InvalidSignatureError, NO_VERSION):
            verifier.verify(b"data", signature)


def test_a_verifier_looks_again_after_the_refresh(ring: Rings, shared: Table, refused: Refused, wait: Wait) -> None:
    """What its own ring makes verifies at once; what another one compromised no more once the refresh is over."""
    opened, elsewhere = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    verifier = opened.verifier("a")
    opened.rotate("a", overlap=timedelta(0))
    signature = opened.sign("a", b"data")
    assert verifier.verify(b"data", signature).version == 2
    elsewhere.compromise("a@2", reason="lost")

    wait(seconds=59)
    assert verifier.verify(b"data", signature).version == 2
    wait(seconds=1)

    with refused(
        PolicyError,
        (
            "a may not verify: version 1 is retired, version 2 is compromised; have the data signed by an "
            "enabled version"
        ),
    ):
        verifier.verify(b"data", signature)


def test_a_version_for_another_use_is_passed_over(ring: Rings, refused: Refused) -> None:
    """Of versions that differ in use, those verify that may; where none does, the first says why."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"use": "enc"})
    opened.rotate("a", attributes={"use": "sig"})
    opened.generate("b", type="x25519")

    assert [bound.version for bound in opened.verifier("a").current()] == [2]
    with refused(UnsupportedOperationError, f"b@1 is of type x25519, which cannot verify; {SIGNING_KEY}"):
        opened.verifier("b")


def test_what_ended_before_is_no_reason_to_look_again(ring: Rings, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once versions have ended, verifying is a plain call again, and asks no store."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", overlap=timedelta(seconds=1))
    wait(seconds=2)
    signature = opened.sign("a", b"data")
    verifier = opened.verifier("a", refresh=None)
    monkeypatch.setattr(opened.open_store(), "versions", None)

    for _ in range(3):
        wait(seconds=1)
        assert verifier.verify(b"data", signature).version == 2


@pytest.mark.parametrize("backend", ["memory", "memory-signing"])
def test_many_messages_are_signed_by_one_version(ring: Rings, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    """In their order; by a store that signs inside in one step, which is not asked for single signatures."""
    opened = ring(stores={"main": {"backend": backend}})
    opened.generate("a")
    signer = opened.signer("a")
    inside: Any = type(signer.current().sign)
    batches: list[int] = []
    if backend == "memory-signing":
        sign_many = inside.sign_many

        def counted(sign: object, messages: Sequence[bytes]) -> Sequence[bytes]:
            batches.append(len(messages))
            return cast("Sequence[bytes]", sign_many(sign, messages))

        monkeypatch.setattr(inside, "sign_many", counted)

    signatures = signer.sign_many([b"one", b"two", b"three"])

    assert signatures == [signer.sign(message) for message in (b"one", b"two", b"three")]
    assert batches == ([3] if backend == "memory-signing" else [])
    assert [*signer.sign_many([])] == []
    opened.compromise("a")
    with pytest.raises(PolicyError):
        signer.sign_many([b"one"])
