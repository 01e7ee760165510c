"""The sealed bytes: a header, a data key under a wrapping key, and the payload under the data key.

| bytes | |
|---|---|
| 1 | 1, the version of this layout |
| 1 | the kind of derivation |
| 2, 1, 1 | its three costs, big-endian |
| 16 | its salt |
| 8 | the key id, which tells which master key this is for |
| 12 | nonce of the data key |
| 48 | data key, encrypted by AES-256-GCM under the wrapping key; authenticated: header and context |
| 12 | nonce of the payload |
| the rest | payload, encrypted by AES-256-GCM under the data key; authenticated: all but its nonce, and context |

The header is the first 30 bytes. The parts have one length each, so that nothing can move from one to the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from threading import RLock
from typing import Final, NamedTuple

from keywright import Secret
from keywright.errors import SealError
from keywright_seal.kdf import MASTER_KEY, SALT_BYTES, Derivation

_VERSION: Final = 1
_HEADER: Final = Struct(">BBHBB16s8s")
_NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2.2: random ones, at most 2³² under one wrapping key
_KEY_BYTES: Final = 32
_TAG_BYTES: Final = 16
_PARTS: Final = Struct(f"{_HEADER.size}s{_NONCE_BYTES}s{_KEY_BYTES + _TAG_BYTES}s{_NONCE_BYTES}s")


class Header(NamedTuple):
    """What a sealed payload says of itself.

    Attributes:
        derivation: how the root key comes about.
        key_id: 8 bytes, to choose among master keys; it proves nothing.
    """

    derivation: Derivation
    key_id: bytes


class Envelope(NamedTuple):
    """A sealed payload, taken apart. No part of it is secret.

    Attributes:
        header: what the encoded header says.
        head: the header (30 bytes).
        key_nonce: 12 bytes.
        wrapped: the encrypted data key and its tag (48 bytes).
        nonce: 12 bytes.
        body: the encrypted payload and its tag.
    """

    header: Header
    head: bytes
    key_nonce: bytes
    wrapped: bytes
    nonce: bytes
    body: bytes


def parse_envelope(sealed: Secret) -> Envelope | None:
    """The parts, or None if it is none: another version, too short, or a derivation that is not acceptable."""
    if len(sealed) < _PARTS.size + _TAG_BYTES:
        return None
    head, key_nonce, wrapped, nonce = _PARTS.unpack_from(sealed.reveal())
    version, kind, first, second, third, salt, key_id = _HEADER.unpack(head)
    derivation = Derivation(kind, (first, second, third), salt)
    if version != _VERSION or not derivation.is_acceptable():
        return None
    return Envelope(Header(derivation, key_id), head, key_nonce, wrapped, nonce, sealed.reveal()[_PARTS.size :])


def seal_envelope(header: Header, wrapping: Secret, payload: Secret, context: bytes) -> Secret:
    """Encrypt a payload (less than 2 GiB) under a data key of its own, and that under the wrapping key (32 bytes)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    derivation, key_id = header
    head = _HEADER.pack(_VERSION, derivation.kind, *derivation.costs, derivation.salt, key_id)
    data_key = Secret(os.urandom(_KEY_BYTES))
    key_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
    wrapped = AESGCM(wrapping.reveal()).encrypt(key_nonce, data_key.reveal(), head + context)
    before = head + key_nonce + wrapped
    return Secret(before + nonce + AESGCM(data_key.reveal()).encrypt(nonce, payload.reveal(), before + context))


def open_envelope(envelope: Envelope, wrapping: Secret, context: bytes) -> Secret | None:
    """The payload, or None if the wrapping key, the context or a byte of the envelope is another."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    _, head, key_nonce, wrapped, nonce, body = envelope
    try:
        data_key = Secret(AESGCM(wrapping.reveal()).decrypt(key_nonce, wrapped, head + context))
        return Secret(AESGCM(data_key.reveal()).decrypt(nonce, body, head + key_nonce + wrapped + context))
    except InvalidTag:
        return None


Stretch = Callable[[Secret, Derivation], Secret]
"""Makes a root key (32 bytes) of what the user gave."""

_WRAPPING_BYTES: Final = 32
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
        _expand(root, b"keywright-seal-1 wrapping key", _WRAPPING_BYTES),
    )


def _expand(root: Secret, purpose: bytes, length: int) -> Secret:
    """HKDF-Expand with SHA-256 (RFC 5869 §2.3)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    return Secret(HKDFExpand(SHA256(), length, purpose).derive(root.reveal()))


_LARGEST: Final = 2**30


class OpenedEnvelopeSeal:
    """Envelope encryption under the first of some master keys; the others still open. Safe across threads and forks."""

    def __init__(self, name: str, setting: str, masters: MasterKeys, derivation: Derivation) -> None:
        """Make ready; nothing is derived yet.

        `name` is the seal's and `setting` that of its master key, for messages. The kind and the costs of `derivation`
        are used for sealing, with a fresh salt unless one is adopted.
        """
        self._name = name
        self._setting = setting
        self._masters = masters
        self._template = derivation
        self._chosen: Derivation | None = None
        # Whether any of the master keys opened, or none opens, what was sealed here before.
        self._is_at_home = False
        self._is_stranger = False

    def seal(self, payload: Secret, context: bytes) -> Secret:
        """Encrypt a payload, and authenticate `context` with it; 118 bytes are added.

        Raises:
            SealError: `adopt` was shown a payload that none of the master keys opens; payload or context is over
                1 GiB; or this machine cannot derive the keys.
        """
        if max(len(payload), len(context)) > _LARGEST:
            raise SealError(f"seal {self._name!r} takes payloads up to 1 GiB; what is larger is no key")
        with self._masters.lock():
            if self._is_stranger:
                raise SealError(
                    f"seal {self._name!r} seals nothing here: what was sealed in this store before is under another "
                    f"master key, or damaged; correct {self._setting} or previous, run `keywright doctor`, or use "
                    f"another store"
                )
            if self._chosen is None:
                self._chosen = self._fresh()
            derivation = self._chosen
        key_id, wrapping = self._masters.derived(0, derivation)
        return seal_envelope(Header(derivation, key_id), wrapping, payload, context)

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        """The reverse of `seal`, under the current master key or a previous one.

        Raises:
            SealError: another master key, changed bytes, another context; or this machine cannot derive the keys.
        """
        envelope = parse_envelope(payload)
        if envelope is not None and self._is_of_this_seal(envelope):
            header = envelope.header
            for derived in self._masters.by_id(header.key_id, header.derivation):
                opened = open_envelope(envelope, derived.wrapping, context)
                if opened is not None:
                    self._met(header.derivation, adopt=self._chosen is None)
                    return opened
        raise SealError(
            f"seal {self._name!r} does not open the payload: it was sealed under another master key, or it or its "
            f"record was changed; set {self._setting} or previous to what sealed it, or restore it from a backup"
        )

    def is_current(self, payload: Secret) -> bool:
        """Whether a payload says that it was sealed under the current master key, salt and costs. Checks no more.

        Raises:
            SealError: this machine cannot derive the keys.
        """
        envelope = parse_envelope(payload)
        if envelope is None:
            return False
        (derivation, key_id), chosen = envelope.header, self._chosen
        if not derivation.costs_as_much_as(self._template) or chosen not in (None, derivation):
            return False
        is_ours = self._masters.derived(0, derivation).key_id == key_id
        if is_ours:
            self._met(derivation, adopt=chosen is None)
        return is_ours

    def adopt(self, payload: Secret) -> None:
        """Seal from now on with the salt of this payload, if one of the master keys made it at the same costs.

        If no master key opens it, nor opened any other, `seal` refuses from now on: what it made would be lost with
        the wrong passphrase. Raises nothing: what cannot be read is passed over.
        """
        envelope = parse_envelope(payload)
        if envelope is None or not self._is_of_this_seal(envelope):
            return
        derivation, key_id = envelope.header
        try:
            is_ours = any(True for _ in self._masters.by_id(key_id, derivation))
        except SealError:
            return
        if is_ours:
            self._met(derivation, adopt=True)
            return
        with self._masters.lock():
            self._is_stranger = not self._is_at_home

    def _met(self, derivation: Derivation, *, adopt: bool) -> None:
        """A payload is under one of our master keys; seal as it was sealed, if that is how we seal."""
        with self._masters.lock():
            self._is_at_home, self._is_stranger = True, False
            if adopt and derivation.costs_as_much_as(self._template):
                self._chosen = derivation

    def _fresh(self) -> Derivation:
        has_salt = self._template.kind != MASTER_KEY
        return self._template._replace(salt=os.urandom(SALT_BYTES)) if has_salt else self._template

    def _is_of_this_seal(self, envelope: Envelope) -> bool:
        return (envelope.header.derivation.kind == MASTER_KEY) == (self._template.kind == MASTER_KEY)
