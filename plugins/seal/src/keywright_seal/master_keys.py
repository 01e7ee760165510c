"""`MasterKeys`: the current passphrase or key and the previous ones, and what is derived of them, once each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from typing import Final, NamedTuple

from keywright import Secret
from keywright_seal.derivation import Derivation

__all__ = ["DerivedKey", "MasterKeys", "Stretch"]

Stretch = Callable[[Secret, Derivation], Secret]
"""Makes a root key (32 bytes) of what the user gave."""

_KEY_BYTES: Final = 32
_ID_BYTES: Final = 8
_REMEMBERED: Final = 256


class DerivedKey(NamedTuple):
    """What a master key is used through.

    Attributes:
        key_id: 8 bytes that tell it from other keys, and nothing of it.
        wrapping: 32 bytes, which encrypt data keys.
    """

    key_id: bytes
    wrapping: Secret


class MasterKeys:
    """Master keys, the current one first. Safe to use from threads, and after a fork.

    Each is stretched once for a salt and its costs, one at a time: the memory that takes is not taken twice.
    """

    def __init__(self, given: Sequence[Secret], stretch: Stretch) -> None:
        self._given = tuple(given)
        self._stretch = stretch
        self._derived: dict[tuple[int, Derivation], DerivedKey] = {}
        # By process: a child does not wait for a thread that its parent had and it has not.
        self._locks: dict[int, RLock] = {}

    def lock(self) -> RLock:
        """This process's lock."""
        return self._locks.setdefault(os.getpid(), RLock())

    def derived(self, index: int, derivation: Derivation) -> DerivedKey:
        """The keys of a master key (0: the current one) by a derivation.

        Raises:
            SealError: this machine cannot do it.
        """
        found = self._derived.get((index, derivation))
        if found is not None:
            return found
        with self.lock():
            found = self._derived.get((index, derivation))
            if found is None:
                found = _expanded(self._stretch(self._given[index], derivation))
                # Bounded, for whoever can write to the store can put any number of salts there.
                if len(self._derived) >= _REMEMBERED:
                    del self._derived[next(iter(self._derived))]
                self._derived[index, derivation] = found
            return found

    def by_id(self, key_id: bytes, derivation: Derivation) -> Iterator[DerivedKey]:
        """Those that this key id may stand for. Raises: as `derived`."""
        for index in range(len(self._given)):
            derived = self.derived(index, derivation)
            if derived.key_id == key_id:
                yield derived


def _expanded(root: Secret) -> DerivedKey:
    return DerivedKey(
        _expand(root, b"keywright-seal-1 key id", _ID_BYTES).reveal(),
        _expand(root, b"keywright-seal-1 wrapping key", _KEY_BYTES),
    )


def _expand(root: Secret, purpose: bytes, length: int) -> Secret:
    """HKDF-Expand with SHA-256 (RFC 5869 §2.3)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    return Secret(HKDFExpand(SHA256(), length, purpose).derive(root.reveal()))
