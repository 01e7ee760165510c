"""The sealed bytes, costs that are not paid, and passphrases that are derived once: across records, threads and forks.

That a payload comes back, and that no other bytes or context open, is in the contract (SEAL-01 to 03, 05, 06, 09).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from struct import pack
from threading import Event, Thread
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings, strategies as st
from support.errors import text_of

from keywright import Options, Secret
from keywright.errors import SealError
from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal, parse_envelope
from keywright_seal.kdf import ARGON2ID, NO_DERIVATION, Derivation, derive_root_key
from keywright_seal.seals import MasterKeySeal

KEY = bytes(range(32))
PAYLOAD = Secret(b"a canary that must not sing")
REFUSAL = (
    "seal {0!r} does not open the payload: wrong {1}, or a modified record; set {1} to the one in use, add "
    "the old one to previous, or restore the record"
)
COSTS = Derivation(ARGON2ID, (19, 2, 1), bytes(16))
Counted = Callable[..., tuple[OpenedEnvelopeSeal, list[Derivation]]]
OPENED = MasterKeySeal().open(Options({"key": Secret(KEY.hex().encode()), "previous": ()}))
SEALED = OPENED.seal(PAYLOAD, b"a")
LAW = settings(deadline=None, max_examples=200)


def test_sealing_adds_118_bytes() -> None:
    for size in (0, 1, 5000):
        assert len(OPENED.seal(Secret(bytes(size)), b"a")) == size + 118


@LAW
@given(at=st.integers(0, len(SEALED) - 1), mask=st.integers(1, 255))
def test_any_changed_byte_is_refused_in_the_same_words(at: int, mask: int) -> None:
    """The refusal does not tell which byte was changed, or how."""
    changed = bytearray(SEALED.reveal())
    changed[at] ^= mask

    with pytest.raises(SealError) as caught:
        OPENED.unseal(Secret(bytes(changed)), b"a")

    assert text_of(caught.value) == REFUSAL.format("master-key", "key")
    assert caught.value.__context__ is None


@LAW
@given(data=st.binary(max_size=300))
def test_noise_after_a_header_does_not_open(data: bytes) -> None:
    """Any bytes are refused, also after a header that is valid; another context is refused in the same words."""
    for payload, context in ((SEALED.reveal()[:30] + data, b"a"), (SEALED.reveal(), b"b" + data)):
        with pytest.raises(SealError) as caught:
            OPENED.unseal(Secret(payload), context)
        assert text_of(caught.value) == REFUSAL.format("master-key", "key")


def test_the_layout_is_the_documented_one() -> None:
    """Read by the table in `envelope.py` alone, with no code of ours, a payload opens."""
    sealed = SEALED.reveal()
    wrapping = HKDFExpand(SHA256(), 32, b"keywright-seal-1 wrapping key").derive(KEY)
    key_id = HKDFExpand(SHA256(), 8, b"keywright-seal-1 key id").derive(KEY)

    data_key = AESGCM(wrapping).decrypt(sealed[30:42], sealed[42:90], sealed[:30] + b"a")
    payload = AESGCM(data_key).decrypt(sealed[90:102], sealed[102:], sealed[:90] + b"a")

    assert sealed[:22] == b"\x01" + bytes(21)
    assert sealed[22:30] == key_id
    assert payload == PAYLOAD.reveal()


def test_what_was_sealed_once_opens() -> None:
    assert OPENED.unseal(Secret(bytes.fromhex(KEPT)), b"a") == PAYLOAD


def test_every_payload_has_a_data_key_and_nonces_of_its_own() -> None:
    parts = [parse_envelope(OPENED.seal(PAYLOAD, b"a")) for _ in range(200)]

    for name in ("key_nonce", "wrapped", "nonce", "body"):
        assert len({getattr(one, name) for one in parts}) == 200


OUT_OF_BOUNDS = {  # kind and costs
    "too little memory": (1, 18, 2, 1),
    "no memory": (1, 0, 2, 1),
    "too much memory": (1, 513, 2, 1),
    "all memory": (1, 65535, 2, 1),
    "one pass": (1, 19, 1, 1),
    "no pass": (1, 19, 0, 1),
    "too many passes": (1, 19, 11, 1),
    "no lane": (1, 19, 2, 0),
    "too many lanes": (1, 19, 2, 17),
    "scrypt, too cheap": (2, 16, 8, 1),
    "scrypt, too dear": (2, 18, 8, 1),
    "scrypt, all that is": (2, 65535, 255, 255),
    "scrypt, another block size": (2, 17, 9, 1),
    "scrypt, parallel": (2, 17, 8, 2),
    "no derivation, but a salt": (0, 0, 0, 0),
    "an unknown kind": (3, 19, 2, 1),
}


@pytest.mark.parametrize("costs", OUT_OF_BOUNDS.values(), ids=OUT_OF_BOUNDS)
def test_costs_out_of_bounds_are_refused_before_they_are_paid(costs: tuple[int, ...]) -> None:
    def derive(_secret: Secret, _derivation: Derivation) -> NoReturn:
        raise AssertionError("it was derived")

    masters = MasterKeys((Secret(b"correct horse"), Secret(b"battery staple")), derive)
    opened = OpenedEnvelopeSeal("passphrase", "passphrase", masters, COSTS)
    payload = Secret(pack(">BBHBB", 1, *costs) + b"\x05" * 16 + b"\x07" * 8 + bytes(100))

    opened.adopt(payload)
    with pytest.raises(SealError) as caught:
        opened.unseal(payload, b"a")

    assert text_of(caught.value) == REFUSAL.format("passphrase", "passphrase")
    assert not opened.is_current(payload)


def test_costs_at_the_bounds_are_accepted() -> None:
    for costs in ((19, 2, 1), (512, 10, 16)):
        assert Derivation(ARGON2ID, costs, bytes(16)).is_acceptable()
    assert NO_DERIVATION.is_acceptable()


def test_what_is_too_large_is_no_key() -> None:
    """Payloads and contexts over 1 GiB are refused, before the cipher would refuse them in its own way."""
    huge = bytes(2**30 + 1)

    for payload, context in ((Secret(huge), b"a"), (PAYLOAD, huge)):
        with pytest.raises(SealError) as caught:
            OPENED.seal(payload, context)
        assert text_of(caught.value) == "seal 'master-key' accepts payloads of up to 1 GiB; larger data is not a key"


@pytest.fixture
def counted(argon2id: None) -> Counted:
    def open_seal(*passphrases: str) -> tuple[OpenedEnvelopeSeal, list[Derivation]]:
        done: list[Derivation] = []

        def derive(secret: Secret, derivation: Derivation) -> Secret:
            done.append(derivation)
            return derive_root_key(secret, derivation)

        masters = MasterKeys([Secret(one.encode()) for one in passphrases], derive)
        return OpenedEnvelopeSeal("passphrase", "passphrase", masters, COSTS), done

    return open_seal


def test_one_process_derives_once(counted: Counted) -> None:
    """Opening a seal derives nothing; all records take one derivation, those that another process sealed included."""
    other, _ = counted("correct horse")
    sealed = [other.seal(PAYLOAD, b"%d" % number) for number in range(10)]
    opened, done = counted("correct horse")
    assert done == []

    opened.adopt(sealed[3])
    for number, one in enumerate(sealed):
        assert opened.unseal(one, b"%d" % number) == PAYLOAD
    assert opened.unseal(opened.seal(PAYLOAD, b"new"), b"new") == PAYLOAD

    assert len(done) == 1


def test_previous_passphrases_are_derived_only_where_they_are_needed(counted: Counted) -> None:
    """The current one is tried first; a payload of an older one takes one derivation more, once."""
    old, _ = counted("old horse")
    sealed = old.seal(PAYLOAD, b"a")
    opened, done = counted("correct horse", "old horse", "older horse")

    for _ in range(5):
        opened.unseal(opened.seal(PAYLOAD, b"a"), b"a")
    assert len(done) == 1
    for _ in range(5):
        opened.unseal(sealed, b"a")
    assert len(done) == 3


def test_threads_that_come_at_once_take_one_derivation(counted: Counted) -> None:
    opened, done = counted("correct horse")
    start = Event()

    def work(number: int) -> bool:
        start.wait()
        context = b"%d" % number
        return opened.unseal(opened.seal(PAYLOAD, context), context) == PAYLOAD

    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(work, number) for number in range(8)]
        start.set()
        assert all(result.result() for result in results)

    assert len(done) == 1


def test_what_is_remembered_is_bounded() -> None:
    masters = MasterKeys((Secret(bytes(32)),), lambda key, _: key)

    for number in range(1000):
        masters.derived(0, COSTS._replace(salt=number.to_bytes(16)))

    assert len(masters._derived) == 256


def in_a_child(work: Callable[[], bool]) -> int:
    """The exit status of a forked child: 0 if `work` was true there."""
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(30)  # a child that does not end is killed
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_what_was_derived(counted: Counted) -> None:
    opened, done = counted("correct horse")
    sealed = opened.seal(PAYLOAD, b"a")

    def work() -> bool:
        again = opened.unseal(opened.seal(PAYLOAD, b"b"), b"b")
        return opened.unseal(sealed, b"a") == again == PAYLOAD and len(done) == 1

    assert in_a_child(work) == 0
    assert opened.unseal(sealed, b"a") == PAYLOAD


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_a_thread_derives_leaves_no_lock_held(counted: Counted) -> None:
    opened, _ = counted("correct horse")
    held, release = Event(), Event()

    def hold() -> None:
        with opened._masters.lock.mine():
            held.set()
            release.wait(30)

    thread = Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        assert in_a_child(lambda: opened.unseal(opened.seal(PAYLOAD, b"a"), b"a") == PAYLOAD) == 0
    finally:
        release.set()
        thread.join()


KEPT = """
010000000000000000000000000000000000000000009a43487de1ed9cae6615c9ae5fe2c2631ae265f4f45240e5569cab80d28c7bcd38
3b19a7df4a516288adc453f441ae3de8b7428032417849ff6687d92fa5c6f79a38cab33f1e97ac5c12beb9bddf68f986008069ae86acde
83587118b26ac6d371d24851f08bc66178f8104dd097a5f06f708534bbf6c761df76e3
"""
