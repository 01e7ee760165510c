"""Envelope encryption: what a seal returns, the master keys it uses, and the opened seal.

The key ring writes the line `keywright-sealed-1:` and the seal's name, and then what the seal returned
(`keywright.ring.sealing`).

Sealed bytes are a header, a data key under a wrapping key, and the payload under the data key:

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
from typing import Final, NamedTuple

from keywright import Secret
from keywright.errors import SealError
from keywright.files import ProcessLock
from keywright_seal.kdf import MASTER_KEY, SALT_BYTES, Derivation

Derive = Callable[[Secret, Derivation], Secret]
"""Makes a root key (32 bytes) of a passphrase or master key."""

_VERSION: Final = 1
_HEADER: Final = Struct(">BBHBB16s8s")
_NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2.2: random ones, at most 2³² under one wrapping key
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 8
_TAG_BYTES: Final = 16
_PARTS: Final = Struct(f"{_HEADER.size}s{_NONCE_BYTES}s{_KEY_BYTES + _TAG_BYTES}s{_NONCE_BYTES}s")
_REMEMBERED: Final = 256
_LARGEST: Final = 2**30


class Envelope(NamedTuple):
    """A sealed payload, taken apart. No part of it is secret.

    Attributes:
        derivation: how the root key is derived.
        key_id: 8 bytes, to choose among master keys; it proves nothing.
        head: the header (30 bytes), which encodes both.
        key_nonce: 12 bytes.
        wrapped: the encrypted data key and its tag (48 bytes).
        nonce: 12 bytes.
        body: the encrypted payload and its tag.
    """

    derivation: Derivation
    key_id: bytes
    head: bytes
    key_nonce: bytes
    wrapped: bytes
    nonce: bytes
    body: bytes


class DerivedKey(NamedTuple):
    """What is expanded from a root key.

    Attributes:
        key_id: 8 bytes that distinguish it from other keys and reveal nothing of it.
        wrapping: 32 bytes, which encrypt data keys.
    """

    key_id: bytes
    wrapping: Secret


class MasterKeys:
    """Master keys or passphrases, the current one first. Safe to use from threads, and after a fork.

    The slow derivation runs once for a key, a salt and its costs, and one at a time: its memory is not taken twice.
    """

    def __init__(self, given: Sequence[Secret], derive: Derive) -> None:
        self._given = tuple(given)
        self._derive = derive
        self._derived: dict[tuple[int, Derivation], DerivedKey] = {}
        self.lock = ProcessLock()

    def derived(self, index: int, derivation: Derivation) -> DerivedKey:
        """The keys of a master key (0: the current one) by a derivation.

        Raises:
            SealError: this machine cannot derive them.
        """
        found = self._derived.get((index, derivation))
        if found is not None:
            return found
        with self.lock.mine():
            found = self._derived.get((index, derivation))
            if found is None:
                root = self._derive(self._given[index], derivation)
                key_id = _expanded(root, b"keywright-seal-1 key id", _ID_BYTES).reveal()
                found = DerivedKey(key_id, _expanded(root, b"keywright-seal-1 wrapping key", _KEY_BYTES))
                # Bounded: who can write to the store can put any number of salts there.
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


class OpenedEnvelopeSeal:
    """Envelope encryption under the first of some master keys; the others still open. Safe across threads and forks."""

    def __init__(self, name: str, setting: str, masters: MasterKeys, derivation: Derivation) -> None:
        """Prepare; nothing is derived yet.

        `name` is the seal's and `setting` that of its master key, for messages. The kind and the costs of `derivation`
        are used for sealing, with a new salt unless one is adopted.
        """
        self._name = name
        self._setting = setting
        self._masters = masters
        self._template = derivation
        self._chosen: Derivation | None = None
        # Whether any of the master keys opened, or none opens, what was sealed here before.
        self._has_opened = False
        self._is_locked_out = False

    def seal(self, payload: Secret, context: bytes) -> Secret:
        """Encrypt a payload, and authenticate `context` with it; 118 bytes are added.

        Raises:
            SealError: `adopt` was shown a payload that none of the master keys opens; payload or context is over
                1 GiB; or this machine cannot derive the keys.
        """
        if max(len(payload), len(context)) > _LARGEST:
            raise SealError(f"seal {self._name!r} accepts payloads of up to 1 GiB", hint="larger data is not a key")
        with self._masters.lock.mine():
            if self._is_locked_out:
                raise SealError(
                    f"seal {self._name!r} does not open the keys in this store: wrong {self._setting}, or damaged "
                    f"records",
                    hint=f"set {self._setting} to the one in use, or add it to previous, and run `keywright doctor`",
                )
            if self._chosen is None:
                has_salt = self._template.kind != MASTER_KEY
                self._chosen = self._template._replace(salt=os.urandom(SALT_BYTES)) if has_salt else self._template
            derivation = self._chosen
        return _sealed(derivation, self._masters.derived(0, derivation), payload, context)

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        """The reverse of `seal`, under the current master key or a previous one.

        Raises:
            SealError: another master key, changed bytes, another context; or this machine cannot derive the keys.
        """
        envelope = self._parsed(payload)
        if envelope is not None:
            for derived in self._masters.by_id(envelope.key_id, envelope.derivation):
                opened = _opened(envelope, derived.wrapping, context)
                if opened is not None:
                    self._recognize(envelope.derivation, adopt=self._chosen is None)
                    return opened
        raise SealError(
            f"seal {self._name!r} does not open the payload: wrong {self._setting}, or a modified record",
            hint=f"set {self._setting} to the one in use, add the old one to previous, or restore the record",
        )

    def is_current(self, payload: Secret) -> bool:
        """Whether a payload states the current master key, salt and costs. Checks nothing else.

        Raises:
            SealError: this machine cannot derive the keys.
        """
        envelope, chosen = self._parsed(payload), self._chosen
        if envelope is None or not envelope.derivation.costs_as_much_as(self._template):
            return False
        if chosen not in (None, envelope.derivation):
            return False
        is_ours = self._masters.derived(0, envelope.derivation).key_id == envelope.key_id
        if is_ours:
            self._recognize(envelope.derivation, adopt=chosen is None)
        return is_ours

    def adopt(self, payload: Secret) -> None:
        """Seal from now on with the salt of this payload, if one of the master keys made it at the same costs.

        If no master key opens it, nor opened any other, `seal` refuses from now on: what it made would be lost with
        the wrong passphrase. Raises nothing: what cannot be read is passed over.
        """
        envelope = self._parsed(payload)
        if envelope is None:
            return
        try:
            is_ours = any(True for _ in self._masters.by_id(envelope.key_id, envelope.derivation))
        except SealError:
            return
        if is_ours:
            self._recognize(envelope.derivation, adopt=True)
            return
        with self._masters.lock.mine():
            self._is_locked_out = not self._has_opened

    def _parsed(self, payload: Secret) -> Envelope | None:
        """The parts of what a seal of this kind, by passphrase or by master key, wrote."""
        envelope = parse_envelope(payload)
        if envelope is None or (envelope.derivation.kind == MASTER_KEY) != (self._template.kind == MASTER_KEY):
            return None
        return envelope

    def _recognize(self, derivation: Derivation, *, adopt: bool) -> None:
        """A payload is under one of our master keys; seal as it was sealed, if that is how we seal."""
        with self._masters.lock.mine():
            self._has_opened, self._is_locked_out = True, False
            if adopt and derivation.costs_as_much_as(self._template):
                self._chosen = derivation


def parse_envelope(sealed: Secret) -> Envelope | None:
    """The parts, or None: another version, too short, or a derivation that is not acceptable."""
    if len(sealed) < _PARTS.size + _TAG_BYTES:
        return None
    head, key_nonce, wrapped, nonce = _PARTS.unpack_from(sealed.reveal())
    version, kind, first, second, third, salt, key_id = _HEADER.unpack(head)
    derivation = Derivation(kind, (first, second, third), salt)
    if version != _VERSION or not derivation.is_acceptable():
        return None
    return Envelope(derivation, key_id, head, key_nonce, wrapped, nonce, sealed.reveal()[_PARTS.size :])


def _sealed(derivation: Derivation, derived: DerivedKey, payload: Secret, context: bytes) -> Secret:
    """Encrypt a payload (less than 2 GiB) under a data key of its own, and that under the wrapping key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    head = _HEADER.pack(_VERSION, derivation.kind, *derivation.costs, derivation.salt, derived.key_id)
    data_key = Secret(os.urandom(_KEY_BYTES))
    key_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
    wrapped = AESGCM(derived.wrapping.reveal()).encrypt(key_nonce, data_key.reveal(), head + context)
    before = head + key_nonce + wrapped
    return Secret(before + nonce + AESGCM(data_key.reveal()).encrypt(nonce, payload.reveal(), before + context))


def _opened(envelope: Envelope, wrapping: Secret, context: bytes) -> Secret | None:
    """The payload, or None if the wrapping key, the context or a byte of the envelope is another."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    _, _, head, key_nonce, wrapped, nonce, body = envelope
    try:
        data_key = Secret(AESGCM(wrapping.reveal()).decrypt(key_nonce, wrapped, head + context))
        return Secret(AESGCM(data_key.reveal()).decrypt(nonce, body, head + key_nonce + wrapped + context))
    except InvalidTag:
        return None


def _expanded(root: Secret, purpose: bytes, length: int) -> Secret:
    """HKDF-Expand with SHA-256 (RFC 5869 §2.3)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    return Secret(HKDFExpand(SHA256(), length, purpose).derive(root.reveal()))
