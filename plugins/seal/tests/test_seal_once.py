"""A passphrase is stretched once for a process and a salt: across records, threads and forks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from keywright import Secret
from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal
from keywright_seal.kdf import ARGON2ID, Derivation, derive_root_key

PAYLOAD = Secret(b"a canary that must not sing")
COSTS = Derivation(ARGON2ID, (19, 2, 1), bytes(16))
Counted = Callable[..., tuple[OpenedEnvelopeSeal, list[Derivation]]]


@pytest.fixture
def counted(argon2id: None) -> Counted:
    """Opens a seal with some passphrases, and a list of what was stretched for it."""

    def open_seal(*passphrases: str) -> tuple[OpenedEnvelopeSeal, list[Derivation]]:
        done: list[Derivation] = []

        def stretch(secret: Secret, derivation: Derivation) -> Secret:
            done.append(derivation)
            return derive_root_key(secret, derivation)

        masters = MasterKeys([Secret(one.encode()) for one in passphrases], stretch)
        return OpenedEnvelopeSeal("passphrase", "passphrase", masters, COSTS), done

    return open_seal


def test_many_records_take_one_derivation(counted: Counted) -> None:
    """Sealing and unsealing fifty records stretches the passphrase once."""
    opened, done = counted("correct horse")

    for number in range(50):
        context = b"%d" % number
        assert opened.unseal(opened.seal(PAYLOAD, context), context) == PAYLOAD

    assert len(done) == 1


def test_nothing_is_derived_before_it_is_needed(counted: Counted) -> None:
    """Opening a seal costs nothing: a command that opens no payload does not wait."""
    _, done = counted("correct horse")

    assert done == []


def test_another_process_takes_one_derivation(counted: Counted) -> None:
    """Records that one seal made take one derivation in the next one, new records included."""
    first, _ = counted("correct horse")
    sealed = [first.seal(PAYLOAD, b"%d" % number) for number in range(10)]
    opened, done = counted("correct horse")

    opened.adopt(sealed[3])
    for number, one in enumerate(sealed):
        assert opened.unseal(one, b"%d" % number) == PAYLOAD
    opened.seal(PAYLOAD, b"new")

    assert len(done) == 1


def test_previous_passphrases_are_stretched_only_where_they_are_needed(counted: Counted) -> None:
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
    """Eight threads that start with nothing derived wait for the one that derives."""
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


def test_what_is_remembered_is_bounded(counted: Counted) -> None:
    """However many salts a store holds, no more than 256 keys are kept."""
    masters = MasterKeys((Secret(bytes(32)),), lambda key, _: key)

    for number in range(1000):
        masters.derived(0, COSTS._replace(salt=number.to_bytes(16)))

    assert len(masters._derived) == 256


def in_a_child(work: Callable[[], bool]) -> int:
    """The exit status of a forked child: 0 if `work` was true there."""
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(30)  # a child that waits for ever is killed, and told of
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_what_was_derived(counted: Counted) -> None:
    """After a fork the child opens and seals without stretching again, and the parent opens what it sealed."""
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
    """A child that is forked while another thread holds the lock does not wait for that thread for ever."""
    opened, _ = counted("correct horse")
    held, release = Event(), Event()

    def hold() -> None:
        with opened._masters.lock():
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
