"""Master keys change: previous ones still open, and the seal knows which payloads have the current one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.errors import text_of

from keywright import Secret
from keywright.errors import SealError
from keywright_seal.envelope import OpenedEnvelopeSeal, parse_envelope

Opener = Callable[..., OpenedEnvelopeSeal]
PAYLOAD = Secret(b"a canary that must not sing")
OLD, NEW, STRANGE = "a0" * 32, "b1" * 32, "c2" * 32
STRANGER = (
    "seal 'master-key' does not open the keys in this store: wrong key, or damaged records; set key to the "
    "one in use, or add it to previous, and run `keywright doctor`"
)


def salt_of(sealed: Secret) -> bytes:
    envelope = parse_envelope(sealed)
    assert envelope is not None
    return envelope.derivation.salt


@pytest.fixture(params=["passphrase", "master-key"])
def open_seal(request: pytest.FixtureRequest, passphrase: Opener, master_key: Opener) -> Opener:
    """Opens either seal by texts that are good for both."""
    return passphrase if request.param == "passphrase" else master_key


def test_previous_keys_open_and_the_current_one_seals(open_seal: Opener) -> None:
    old = open_seal(OLD).seal(PAYLOAD, b"a")
    older = open_seal(STRANGE).seal(PAYLOAD, b"a")
    rotated = open_seal(NEW, previous=(OLD, STRANGE))

    assert rotated.unseal(old, b"a") == rotated.unseal(older, b"a") == PAYLOAD
    assert open_seal(NEW).unseal(rotated.seal(PAYLOAD, b"a"), b"a") == PAYLOAD
    for opened, payload, context in (
        (open_seal(NEW), old, b"a"),
        (open_seal(OLD), rotated.seal(PAYLOAD, b"a"), b"a"),
        (rotated, old, b"another context"),
    ):
        with pytest.raises(SealError):
            opened.unseal(payload, context)


def test_it_knows_what_is_current(open_seal: Opener) -> None:
    """Current is what the current master key sealed, and nothing else: no older key's, no noise."""
    rotated = open_seal(NEW, previous=(OLD,))
    old, new = open_seal(OLD).seal(PAYLOAD, b"a"), rotated.seal(PAYLOAD, b"a")

    assert rotated.is_current(new)
    assert open_seal(NEW).is_current(new)
    assert not rotated.is_current(old)
    assert not open_seal(STRANGE).is_current(new)
    assert not rotated.is_current(Secret(b""))
    assert not rotated.is_current(Secret(new.reveal()[:100]))


def test_other_costs_are_not_current(passphrase: Opener) -> None:
    """A payload of other costs, or of scrypt, is to be sealed again, though it opens; its salt is not taken over."""
    opened = passphrase()
    for other in (passphrase(memory=20), passphrase(time=3), passphrase(lanes=2), passphrase(kdf="scrypt")):
        sealed = other.seal(PAYLOAD, b"a")
        opened.adopt(sealed)

        assert opened.unseal(sealed, b"a") == PAYLOAD
        assert not opened.is_current(sealed)
    assert opened.is_current(opened.seal(PAYLOAD, b"a"))


def test_another_salt_is_not_current_once_there_is_one(passphrase: Opener) -> None:
    """The first salt that is met counts; payloads with others are to be sealed again, so that one remains."""
    one, other = passphrase().seal(PAYLOAD, b"a"), passphrase().seal(PAYLOAD, b"a")
    opened = passphrase()

    assert opened.is_current(one)
    assert not opened.is_current(other)
    assert salt_of(opened.seal(PAYLOAD, b"a")) == salt_of(one)


@pytest.mark.parametrize(
    ("meet", "rotated"), [("adopt", False), ("unseal", False), ("is_current", False), ("adopt", True), ("unseal", True)]
)
def test_the_salt_of_the_store_is_taken_over(passphrase: Opener, meet: str, rotated: bool) -> None:
    """A seal that has met a payload of its own passphrase, or of a previous one, seals with the same salt.

    So processes share one before all is sealed again.
    """
    sealed = passphrase(OLD).seal(PAYLOAD, b"a")
    opened = passphrase(NEW, previous=(OLD,)) if rotated else passphrase(OLD)

    getattr(opened, meet)(sealed, *((b"a",) if meet == "unseal" else ()))

    assert salt_of(opened.seal(PAYLOAD, b"b")) == salt_of(sealed)
    assert opened.is_current(sealed) is not rotated


def test_adopting_replaces_a_salt_that_was_drawn(passphrase: Opener) -> None:
    """The store's salt counts more than one that this process drew before it looked there."""
    sealed = passphrase().seal(PAYLOAD, b"a")
    opened = passphrase()
    opened.seal(PAYLOAD, b"a")

    opened.adopt(sealed)

    assert salt_of(opened.seal(PAYLOAD, b"a")) == salt_of(sealed)


def test_a_salt_that_was_planted_is_not_taken_over(passphrase: Opener) -> None:
    """A payload with another salt under the same key id, or refused by its tag, changes nothing."""
    opened, sealed = passphrase(), passphrase().seal(PAYLOAD, b"a").reveal()
    planted = Secret(sealed[:6] + bytes(16) + sealed[22:])
    cut = Secret(sealed[:-1] + bytes([sealed[-1] ^ 1]))

    opened.adopt(planted)
    for one in (planted, cut):
        with pytest.raises(SealError):
            opened.unseal(one, b"a")
        opened.unseal(passphrase().seal(PAYLOAD, b"a"), b"a")

    assert salt_of(opened.seal(PAYLOAD, b"a")) not in (bytes(16), sealed[6:22])


def test_a_seal_that_opens_nothing_here_does_not_seal(master_key: Opener) -> None:
    """Where the store holds what no master key opens, nothing is sealed: it would be lost with the wrong key."""
    opened = master_key(NEW)
    opened.adopt(master_key(STRANGE).seal(PAYLOAD, b"a"))

    with pytest.raises(SealError) as caught:
        opened.seal(PAYLOAD, b"b")

    assert text_of(caught.value) == STRANGER


def test_one_payload_that_opens_is_enough(open_seal: Opener) -> None:
    """Before or after, it makes up for others that do not open; what is not a payload of this seal is passed over."""
    strange, ours = open_seal(STRANGE).seal(PAYLOAD, b"a"), open_seal(OLD).seal(PAYLOAD, b"a")
    before, after, noisy = (open_seal(NEW, previous=(OLD,)) for _ in range(3))

    before.unseal(ours, b"a")
    before.adopt(strange)
    after.adopt(strange)
    after.adopt(ours)
    for noise in (b"", b"noise", bytes(200)):
        noisy.adopt(Secret(noise))

    for opened in (before, after, noisy):
        assert opened.unseal(opened.seal(PAYLOAD, b"b"), b"b") == PAYLOAD


def test_the_two_seals_do_not_open_each_other(passphrase: Opener, master_key: Opener) -> None:
    """The kind that a payload names is not a way round the settings."""
    by_passphrase, by_key = passphrase(OLD).seal(PAYLOAD, b"a"), master_key(OLD).seal(PAYLOAD, b"a")

    for opened, payload in ((passphrase(OLD), by_key), (master_key(OLD), by_passphrase)):
        opened.adopt(payload)
        assert not opened.is_current(payload)
        with pytest.raises(SealError):
            opened.unseal(payload, b"a")
        opened.seal(PAYLOAD, b"a")
