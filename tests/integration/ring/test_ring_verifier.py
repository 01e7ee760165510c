"""The ring binds verifiers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from keywright import KeyRing, RecordInfo
from keywright.errors import (
    ConfigError,
    InvalidSignatureError,
    KeyNotFoundError,
    PolicyError,
    UnsupportedOperationError,
)

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]
Wait = Callable[..., None]


def test_a_verifier_says_under_which_version(ring: Rings) -> None:
    """What a version signed verifies under that version, and the answer says all about it."""
    opened = ring()
    info = opened.generate("a")
    signature = opened.sign("a", b"data")

    verifier = opened.verifier("a")
    bound = verifier.verify(b"data", signature)

    assert (bound.name, bound.version, bound.kid, bound.key_type, bound.algorithm) == (
        "a",
        1,
        "a-1",
        "ed25519",
        "EdDSA",
    )
    assert bound.public == info.public
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


def test_it_stops_at_the_end_of_an_overlap(ring: Rings, refused: Refused, wait: Wait) -> None:
    """A version whose overlap is over verifies no more, without any refresh."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(minutes=10))
    verifier = opened.verifier("a", refresh=None)

    wait(minutes=9)
    assert verifier.verify(b"data", signature).version == 1
    wait(minutes=1)

    with refused(InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"):
        verifier.verify(b"data", signature)


def test_it_changes_over_by_the_clock(ring: Rings, wait: Wait) -> None:
    """When an announced version takes over it comes first, without any refresh."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", activate_in=timedelta(hours=1))
    verifier = opened.verifier("a", refresh=None)

    before = [bound.version for bound in verifier.current()]
    wait(hours=1)

    assert before == [1, 2]
    assert [bound.version for bound in verifier.current()] == [2, 1]


def test_it_looks_again_after_the_refresh(ring: Rings, shared: dict[str, str], refused: Refused, wait: Wait) -> None:
    """What another process compromised verifies no more once the refresh is over; until then nothing is looked up."""
    opened, elsewhere = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("a")
    signature = opened.sign("a", b"data")
    verifier = opened.verifier("a")
    elsewhere.compromise("a@1", reason="lost")

    wait(seconds=59)
    assert verifier.verify(b"data", signature).version == 1
    wait(seconds=1)

    with refused(PolicyError, "a may not verify: version 1 is compromised; have the data signed by a version that may"):
        verifier.verify(b"data", signature)


def test_it_hears_at_once_what_its_own_ring_does(ring: Rings) -> None:
    """A version that the ring itself makes verifies at once."""
    opened = ring()
    opened.generate("a")
    verifier = opened.verifier("a")

    opened.rotate("a")

    assert verifier.verify(b"data", opened.sign("a", b"data")).version == 2


def test_one_version_may_be_named(ring: Rings, refused: Refused) -> None:
    """`NAME@N` verifies under that version alone."""
    opened = ring()
    opened.generate("a")
    signature = opened.sign("a", b"data")
    opened.rotate("a")

    assert opened.verifier("a@1").verify(b"data", signature).version == 1
    with refused(InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"):
        opened.verifier("a@2").verify(b"data", signature)


def test_a_version_for_another_use_is_passed_over(ring: Rings) -> None:
    """Of versions that differ in use, those verify that may."""
    opened = ring()
    opened.generate("a", type="ec-p256", attributes={"use": "enc"})
    opened.rotate("a", attributes={"use": "sig"})

    assert [bound.version for bound in opened.verifier("a").current()] == [2]


def test_where_none_may_the_first_says_why(ring: Rings, refused: Refused) -> None:
    """With no version that can be used so, the refusal is the first one's."""
    opened = ring()
    opened.generate("a", type="x25519")

    with refused(UnsupportedOperationError, "a@1 is of type x25519, which cannot sign; use another key"):
        opened.verifier("a")


def test_a_name_that_is_not_there_has_no_verifier(ring: Rings, refused: Refused) -> None:
    """A name that is not there is told at once, not when the first signature comes."""
    with refused(
        KeyNotFoundError,
        "store 'main' has no key a; make one with generate or import, or name another --store",
    ):
        ring().verifier("a")


def test_a_refresh_beyond_reason_is_refused(ring: Rings, refused: Refused) -> None:
    """A refresh is a length of time that goes forward."""
    opened = ring()
    opened.generate("a")

    with refused(ConfigError, "refresh must be a duration from 0s to 36500d"):
        opened.verifier("a", refresh=timedelta(seconds=-1))


def test_a_verifier_is_not_pickled(ring: Rings) -> None:
    """A verifier may hold the octets of an HMAC key: it goes into no pickle."""
    opened = ring()
    opened.generate("a", type="oct")

    with pytest.raises(TypeError) as caught:
        pickle.dumps(opened.verifier("a"))

    assert str(caught.value) == (
        "a Verifier is not pickled: it holds a key; pass the key's name instead, and bind it there"
    )


def test_the_end_of_an_overlap_does_not_wait_for_the_refresh(ring: Rings, refused: Refused, wait: Wait) -> None:
    """Of several reasons to look again the first one counts, and the last end of an overlap is not the only one."""
    opened = ring()
    opened.generate("a")
    first = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(seconds=20))
    second = opened.sign("a", b"data")
    opened.rotate("a", overlap=timedelta(seconds=40))
    verifier = opened.verifier("a", refresh=timedelta(seconds=60))

    for signature, end in ((first, 20), (second, 40)):
        wait(seconds=19)
        assert verifier.verify(b"data", signature).version == end // 20
        wait(seconds=1)
        with refused(
            InvalidSignatureError, "the signature holds under no version of a that may verify; check the data"
        ):
            verifier.verify(b"data", signature)


def test_what_ended_before_is_no_reason_to_look_again(ring: Rings, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once versions have ended, verifying is a plain call again, and asks no store."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a", overlap=timedelta(seconds=1))
    wait(seconds=2)
    signature = opened.sign("a", b"data")
    verifier = opened.verifier("a", refresh=None)
    asked: list[str] = []
    store = opened.open_store().store
    versions = store.versions

    def counted(name: str) -> Sequence[RecordInfo]:
        asked.append(name)
        return versions(name)

    monkeypatch.setattr(store, "versions", counted)

    for _ in range(3):
        wait(seconds=1)
        verifier.verify(b"data", signature)

    assert asked == []
