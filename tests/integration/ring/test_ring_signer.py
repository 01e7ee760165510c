"""The ring binds signers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from threading import Event, Lock
from typing import Any

import pytest

from keywright import KeyRing, Record, RecordInfo, Registry, Revision, Secret
from keywright.errors import (
    ConfigError,
    DurabilityUnknownError,
    InvalidKeyError,
    KeyNotFoundError,
    KeywrightError,
    NotExportableError,
    PolicyError,
    UnsupportedOperationError,
)

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Wait = Callable[..., None]


def test_a_signer_says_what_it_is(ring: Rings) -> None:
    """A signer tells name, version, kid, algorithm and public half, and what it signs verifies."""
    opened = ring()
    info = opened.generate("a")

    signer = opened.signer("a")

    assert (signer.name, signer.version, signer.kid, signer.algorithm) == ("a", 1, "a-1", "EdDSA")
    assert signer.public == info.public
    assert repr(signer) == "<signer a@1 EdDSA>"
    assert opened.verify("a", b"data", signer.sign(b"data")) == info


@pytest.mark.parametrize(
    ("type_name", "algorithm"), [("ed25519", "EdDSA"), ("ec-p256", "ES256"), ("ec-p521", "ES512"), ("oct", "HS256")]
)
def test_the_type_has_a_default_algorithm(ring: Rings, type_name: str, algorithm: str) -> None:
    """Without any choice, the type's first algorithm is used."""
    opened = ring()
    opened.generate("a", type=type_name)

    assert opened.signer("a").algorithm == algorithm


def test_the_keys_own_algorithm_goes_before(ring: Rings) -> None:
    """A key's own `alg` is used; one that is asked for and is the same, too."""
    opened = ring()
    opened.generate("a", type="oct", bits=512, attributes={"alg": "HS512"})

    assert opened.signer("a").algorithm == "HS512"
    assert opened.signer("a", algorithm="HS512").algorithm == "HS512"


def test_an_algorithm_may_be_asked_for(ring: Rings) -> None:
    """A key without an `alg` signs with whichever its type can."""
    opened = ring()
    opened.generate("a", type="oct", bits=512)

    signature = opened.sign("a", b"data", algorithm="HS384")

    assert len(signature) == 48
    assert opened.verify("a", b"data", signature, algorithm="HS384").version == 1


USAGES = [
    pytest.param(
        {"type": "x25519"}, None, UnsupportedOperationError,
        "a@1 is of type x25519, which cannot sign; use another key", id="a type that cannot sign",
    ),
    pytest.param(
        {}, "ES256", UnsupportedOperationError,
        "a@1 is of type ed25519, which cannot sign with this algorithm; it can with: EdDSA, Ed25519",
        id="not by its type",
    ),
    pytest.param(
        {"type": "oct", "attributes": {"alg": "A256KW"}}, None, PolicyError,
        "a@1 is for another algorithm than signatures by its own alg; use another key", id="an encryption key",
    ),
    pytest.param(
        {"type": "oct", "bits": 512, "attributes": {"alg": "HS512"}}, "HS256", PolicyError,
        "a@1 is for HS512 alone by its own alg; leave the algorithm out, or use another key", id="not by its alg",
    ),
    pytest.param(
        {"type": "ec-p256", "attributes": {"use": "enc"}}, None, PolicyError,
        "a@1 is not for signatures by its own use; use another key", id="not by its use",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "algorithm", "kind", "message"),
    [
        *USAGES,
        pytest.param(
            {"type": "ec-p256", "attributes": {"key_ops": ["verify"]}}, None, PolicyError,
            "a@1 may not sign by its own key_ops; use another key", id="not by its key_ops",
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
    """A key signs neither with what its type cannot nor against its own alg, use or key_ops."""
    opened = ring()
    opened.generate("a", **said)

    with refused(kind, message):
        opened.signer("a", algorithm=algorithm)


def test_one_of_several_operations_is_enough(ring: Rings) -> None:
    """A key whose key_ops hold `sign` beside others signs."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"key_ops": ["sign", "verify"]})

    assert opened.signer("a").version == 1


def test_the_key_is_looked_up_once(ring: Rings, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures after the first ask the store nothing while the clock stands within the refresh."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a")
    monkeypatch.setattr(type(opened.open_store().store), "versions", None)

    assert signer.sign(b"data") == signer.sign(b"data")


def test_it_changes_over_by_the_clock(ring: Rings, wait: Wait) -> None:
    """When the announced version's time comes, the signer takes it up without any refresh."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(days=7))
    signer = opened.signer("a", refresh=None)

    wait(days=7, microseconds=-1)
    before = signer.current()
    wait(microseconds=1)
    after = signer.current()

    assert [before.kid, after.kid] == ["a-1", "a-2"]
    assert opened.verify("a", b"data", signer.sign(b"data")).version == 2


def test_it_looks_again_after_the_refresh(ring: Rings, shared: dict[str, str], wait: Wait) -> None:
    """A rotation that was not foreseen is seen after `refresh`, and not before."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a", refresh=timedelta(seconds=10))
    other.rotate("a")

    wait(seconds=9)
    before = signer.version
    wait(seconds=1)

    assert [before, signer.version] == [1, 2]


def test_a_clock_that_is_set_back_does_not_freeze_it(ring: Rings, shared: dict[str, str], wait: Wait) -> None:
    """Behind the last look-up by its clock, a signer looks again, and again from there."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    wait(days=1)
    signer = opened.signer("a", refresh=timedelta(seconds=60))
    other.rotate("a")
    before = signer.version

    wait(hours=-1)
    back = signer.version
    other.rotate("a")
    wait(seconds=59)
    held = signer.version
    wait(seconds=1)

    assert [before, back, held, signer.version] == [1, 2, 2, 3]


def test_a_clock_that_is_set_back_gives_no_key_before_its_time(ring: Rings, wait: Wait) -> None:
    """A version whose activation lies ahead once more, by a clock that was set back, signs no more until then."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(hours=1))
    wait(hours=1)
    signer = opened.signer("a")
    before = signer.version

    wait(microseconds=-1)

    assert [before, signer.version] == [2, 1]


def test_without_a_refresh_it_looks_by_the_clock_alone(ring: Rings, shared: dict[str, str], wait: Wait) -> None:
    """With `refresh=None` an end that was not foreseen is never seen."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a", refresh=None)
    other.rotate("a")

    wait(days=10_000)

    assert signer.version == 1


def test_a_refresh_of_nothing_looks_each_time(ring: Rings) -> None:
    """With a refresh of zero, each signature looks again."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a", refresh=timedelta(0))
    opened.rotate("a")

    assert signer.version == 2


@pytest.mark.parametrize("refresh", [timedelta(seconds=-1), timedelta.max, timedelta.min])
def test_a_refresh_beyond_reason_is_refused(ring: Rings, refused: Refused, refresh: timedelta) -> None:
    """A negative or endless refresh is refused; None is how to say never."""
    opened = ring()
    opened.generate("a")

    with refused(ConfigError, "refresh must be a duration from 0s to 36500d"):
        opened.signer("a", refresh=refresh)


def test_a_signer_stops_at_the_end(ring: Rings, refused: Refused, wait: Wait) -> None:
    """An expired key signs no more, in a signer that was bound before either."""
    opened = ring()
    opened.generate("a", expires=opened.now() + timedelta(days=1))
    signer = opened.signer("a", refresh=None)

    wait(days=1)

    message = (
        "a has no version that signs: version 1 is expired, and an older one never takes its place; rotate to make a "
        "new one"
    )
    for _ in range(2):
        with refused(PolicyError, message):
            signer.sign(b"data")
    with refused(PolicyError, message):
        opened.signer("a")


def test_a_signer_hears_at_once_what_its_own_ring_does(ring: Rings, refused: Refused) -> None:
    """After a rotation or a compromise by the same ring, the next signature is by the new key, or refused."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a", refresh=None)
    opened.rotate("a")
    rotated = signer.version

    opened.compromise("a@2")

    assert rotated == 2
    with refused(
        PolicyError,
        "a has no version that signs: version 2 is compromised, and an older one never takes its place; rotate to make "
        "a new one",
    ):
        signer.sign(b"data")


def test_a_signer_hears_of_a_compromise(ring: Rings, shared: dict[str, str], refused: Refused, wait: Wait) -> None:
    """A version that another ring compromised meanwhile signs no more once the refresh is over."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a")
    other.compromise("a")

    wait(seconds=60)

    with refused(
        PolicyError,
        "a has no version that signs: version 1 is compromised, and an older one never takes its place; rotate to make "
        "a new one",
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


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        pytest.param(
            "b", KeyNotFoundError,
            "store 'main' has no key b; make one with generate or import, or name another --store", id="no name",
        ),
        pytest.param("a@7", KeyNotFoundError, "a has no version 7 in store 'main'; it has: 1", id="no version"),
        pytest.param(
            "a", PolicyError,
            "a has no version that signs: version 1 is disabled, and an older one never takes its place; enable it "
            "again, or rotate", id="disabled",
        ),
        pytest.param(
            "c", PolicyError,
            "c has no version that signs: version 1 is announced and signs from 2027-01-03 12:00:00 UTC",
            id="announced",
        ),
    ],
)  # fmt: skip
def test_what_does_not_sign_is_refused(
    ring: Rings, refused: Refused, reference: str, kind: type[KeywrightError], message: str
) -> None:
    """Where nothing signs, the reason is said and no older key is taken."""
    opened = ring()
    opened.generate("a")
    opened.disable("a")
    opened.generate("c", activates=opened.now() + timedelta(days=2))

    with refused(kind, message):
        opened.signer(reference)


def test_an_activation_elsewhere_is_told_in_utc(ring: Rings, refused: Refused) -> None:
    """A time that came in another zone is told as what it is in UTC."""
    opened = ring()
    opened.generate("a", activates=datetime.fromisoformat("2027-01-03T14:00:00+05:00"))

    with refused(
        PolicyError, "a has no version that signs: version 1 is announced and signs from 2027-01-03 09:00:00 UTC"
    ):
        opened.signer("a")


def test_without_a_secret_half_there_is_no_signer(ring: Rings, refused: Refused) -> None:
    """A public key binds no signer."""
    opened = ring()
    opened.generate("a")
    opened.import_key("b", opened.export("a"), public=True)

    with refused(NotExportableError, "b@1 is a public key, imported without its secret half; ask its owner to sign"):
        opened.sign("b", b"data")


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
    store = opened.open_store().writable
    update = store.update

    def unconfirmed(record: Record, *, expected: Revision) -> RecordInfo:
        update(record, expected=expected)
        raise DurabilityUnknownError("the disk would not say")

    monkeypatch.setattr(store, "update", unconfirmed)
    with pytest.raises(DurabilityUnknownError):
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
    """After a fork the key is bound anew: a session with a device is its parent's alone."""
    opened = ring(stores={"main": shared})
    opened.generate("a")
    signer = opened.signer("a", refresh=None)
    bound = signer.current()

    child = os.fork()
    if child == 0:
        os._exit(0 if signer.current() is not bound and signer.current() is signer.current() else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert signer.current() is bound


def test_a_change_while_the_key_is_looked_up_is_not_missed(ring: Rings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the ring changes between the look and its end makes the signer look once more."""
    opened = ring()
    opened.generate("a")
    store = opened.open_store().store
    get = store.get

    def late(name: str, version: int) -> Record:
        monkeypatch.setattr(store, "get", get)
        record = get(name, version)
        opened.rotate("a")
        return record

    monkeypatch.setattr(store, "get", late)
    signer = opened.signer("a", refresh=None)

    assert signer.version == 2
