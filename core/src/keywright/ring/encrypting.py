"""The ring binds keys for encrypting and decrypting: encrypter, decrypter. What encrypts is a plugin's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from keywright import lifecycle
from keywright.errors import PolicyError
from keywright.keys import Reference, parse_reference
from keywright.records import RecordInfo
from keywright.ring.base import RingBase
from keywright.ring.binding import able_versions, signing_until, verifying_until
from keywright.ring.opened import OpenedStore
from keywright.ring.resolved import Found
from keywright.ring.times import check_duration

if TYPE_CHECKING:
    from keywright.ring.decrypter import Decrypter, DecryptionKey
    from keywright.ring.encrypter import Encrypter, EncryptionKey

__all__ = ["Encrypting"]


class Encrypting(RingBase):
    """Hands out keys to encrypt for, and to decrypt with."""

    def encrypter(
        self, reference: str, *, store: str | None = None, refresh: timedelta | None = timedelta(seconds=60)
    ) -> Encrypter:
        """Bind the primary of a name, to encrypt for. No secret is opened where it has a public half.

        `refresh` as for `signer`. To hand out a secret half, as of `oct`, is an `export`, for those who review and
        observe: one each time that the name is looked up.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version is the primary now, or `NAME@N` is not.
            ConfigError: `refresh` is negative, or longer than 36500 days.
        """
        # Here and not at import: a start that encrypts nothing does without.
        from keywright.ring.encrypter import Encrypter, EncryptionKey

        wanted = parse_reference(reference)
        check_duration("refresh", refresh)

        def resolve() -> Found[EncryptionKey]:
            era, now = self._era, self._clock()
            opened = self.open_store(store, name=wanted.name)
            infos = self._versions(opened, wanted.name, wanted.version)
            info = opened.described(_primary(wanted, infos, now))
            key = self._loaded(opened, info) if info.public is None else opened.public_key(info)
            bound = EncryptionKey(info.name, info.version, info.kid, key)
            return Found(bound, now, signing_until(infos, now, refresh), era, os.getpid())

        return Encrypter(resolve, self._clock, lambda: self._era)

    def decrypter(
        self, reference: str, *, store: str | None = None, refresh: timedelta | None = timedelta(seconds=60)
    ) -> Decrypter:
        """Bind the versions of `NAME` that may decrypt, or `NAME@N`: those that would verify (see `verifier`).

        `refresh` as for `signer`. A secret half is read when something asks for it, and that is an `export`, for those
        who review and observe: one for each version in use each time that the name is looked up.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version, or not that one, may decrypt.
            ConfigError: `refresh` is negative, or longer than 36500 days.
        """
        from keywright.ring.decrypter import Decrypter

        wanted = parse_reference(reference)
        check_duration("refresh", refresh)

        def resolve() -> Found[tuple[DecryptionKey, ...]]:
            era, now = self._era, self._clock()
            opened = self.open_store(store, name=wanted.name)
            infos = self._versions(opened, wanted.name, wanted.version)
            able = able_versions(wanted, infos, now, verify="decrypt", signed="encrypted for")
            bound = tuple(self._decryption_key(opened, opened.described(info)) for info in able)
            return Found(bound, now, verifying_until(infos, now, refresh), era, os.getpid())

        return Decrypter(resolve, self._clock, lambda: self._era)

    def _decryption_key(self, opened: OpenedStore, info: RecordInfo) -> DecryptionKey:
        from keywright.ring.decrypter import DecryptionKey

        load = cache(lambda: self._loaded(opened, info))
        return DecryptionKey(info.name, info.version, info.kid, info.key_type, load)


def _primary(reference: Reference, infos: Sequence[RecordInfo], now: datetime) -> RecordInfo:
    info = lifecycle.primary(infos, now)
    if info is None:
        raise PolicyError(f"{reference.name} has no version to encrypt for: {lifecycle.why_not(infos, now)}")
    if reference.version not in (None, info.version):
        raise PolicyError(f"{reference} is not encrypted for now, {info.reference} is; leave the version out")
    return info
