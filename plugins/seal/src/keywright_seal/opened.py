"""A seal with its master keys at hand."""

from __future__ import annotations

import os
from typing import Final

from keywright import Secret
from keywright.errors import SealError
from keywright_seal.derivation import MASTER_KEY, SALT_BYTES, Derivation
from keywright_seal.envelope import Envelope, Header, open_envelope, parse_envelope, seal_envelope
from keywright_seal.master_keys import MasterKeys

__all__ = ["OpenedEnvelopeSeal"]

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
