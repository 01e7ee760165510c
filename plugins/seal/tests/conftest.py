"""What the tests of the seals share: settings as configuration gives them, the cheapest that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from keywright import Options, Secret
from keywright_seal.envelope import OpenedEnvelopeSeal
from keywright_seal.kdf import has_argon2id
from keywright_seal.seals import MasterKeySeal, PassphraseSeal

Opener = Callable[..., OpenedEnvelopeSeal]

HAS_ARGON2ID = has_argon2id()


@pytest.fixture
def argon2id() -> None:
    """Skips the test where cryptography or OpenSSL is too old."""
    if not HAS_ARGON2ID:
        pytest.skip("no Argon2id here")


@pytest.fixture
def passphrase() -> Opener:
    """Opens the seal `passphrase`: `passphrase("it", previous=("old",), kdf=…, memory=…)`."""

    def open_seal(text: str = "correct horse", *, previous: Sequence[str] = (), **others: object) -> OpenedEnvelopeSeal:
        old = tuple(Secret(one.encode()) for one in previous)
        given = {"passphrase": Secret(text.encode()), "previous": old, "kdf": "argon2id", "memory": 19, "time": 2}
        options = {**given, "lanes": 1, **others}
        if options["kdf"] == "argon2id" and not HAS_ARGON2ID:
            pytest.skip("no Argon2id here")
        return PassphraseSeal().open(Options(options))

    return open_seal


@pytest.fixture
def master_key() -> Opener:
    """Opens the seal `master-key`: `master_key("00…", previous=("01…",))`."""

    def open_seal(text: str = "a0" * 32, *, previous: Sequence[str] = ()) -> OpenedEnvelopeSeal:
        old = tuple(Secret(one.encode()) for one in previous)
        return MasterKeySeal().open(Options({"key": Secret(text.encode()), "previous": old}))

    return open_seal
