"""The ring uses keys: signer, verifier, sign, verify."""

from __future__ import annotations

import os
from datetime import timedelta

from keywright.keys import parse_reference
from keywright.records import RecordInfo
from keywright.ring.base import RingBase
from keywright.ring.binding import bind, bound_verifiers, signing_until, signing_version, verify, verifying_until
from keywright.ring.given_data import check_bytes
from keywright.ring.operation import describe
from keywright.ring.resolved import Found
from keywright.ring.signer import BoundKey, Signer
from keywright.ring.times import check_duration
from keywright.ring.verifier import BoundVerifier, Verifier

__all__ = ["Using"]


class Using(RingBase):
    """Signs and verifies."""

    def signer(
        self,
        reference: str,
        *,
        algorithm: str | None = None,
        store: str | None = None,
        refresh: timedelta | None = timedelta(seconds=60),
    ) -> Signer:
        """Bind the primary of a name for signing; also for keys that cannot leave their store.

        `algorithm` is a JWA name; without it the key's own `alg`, else its type's default. When the clock reaches
        the end of the primary, or `refresh` later, or this ring changes keys, the signer looks the name up again;
        None: no sooner for age. A clock that was set back behind the last look-up makes it look again too.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version signs now, `NAME@N` is not the one that does, or the key is for another use.
            ConfigError: `refresh` is negative, or longer than 36500 days.
            UnsupportedOperationError: its type cannot sign, or not with the algorithm.
            NotExportableError: there is no secret half to sign with.
            InvalidKeyError: the key is too weak for the algorithm.
        """
        wanted = parse_reference(reference)
        check_duration("refresh", refresh)

        def resolve() -> Found[BoundKey]:
            era, now = self._era, self._clock()
            opened = self.open_store(store, name=wanted.name)
            infos = self._versions(opened, wanted.name, wanted.version)
            info = signing_version(wanted, infos, now)
            bound = self._perform(
                lambda: describe("bind", opened, info, now),
                lambda: bind(self.plugins, opened, info, algorithm),
                changes=False,
            )
            return Found(bound, now, signing_until(infos, now, refresh), era, os.getpid())

        return Signer(resolve, self._clock, lambda: self._era)

    def verifier(
        self,
        reference: str,
        *,
        algorithm: str | None = None,
        store: str | None = None,
        refresh: timedelta | None = timedelta(seconds=60),
    ) -> Verifier:
        """Bind for verifying the versions of `NAME` that may, or `NAME@N`. `algorithm` and `refresh` as for `signer`.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version, or not that one, may verify; or each is for another use.
            ConfigError: `refresh` is negative, or longer than 36500 days.
            UnsupportedOperationError: no key's type can sign, or not with the algorithm.
            InvalidKeyError: each key is too weak for the algorithm.
        """
        wanted = parse_reference(reference)
        check_duration("refresh", refresh)

        def resolve() -> Found[tuple[BoundVerifier, ...]]:
            era, now = self._era, self._clock()
            opened = self.open_store(store, name=wanted.name)
            infos = self._versions(opened, wanted.name, wanted.version)
            bound = tuple(one for _, one in bound_verifiers(self.plugins, opened, wanted, infos, algorithm, now))
            return Found(bound, now, verifying_until(infos, now, refresh), era, os.getpid())

        return Verifier(resolve, self._clock, lambda: self._era)

    def sign(self, reference: str, data: bytes, *, algorithm: str | None = None, store: str | None = None) -> bytes:
        """One signature by the primary, in JOSE form. For several, bind a `signer`.

        Raises: as `signer`, and ConfigError: `data` is no bytes.
        """
        check_bytes(data=data)
        return self.signer(reference, algorithm=algorithm, store=store).sign(data)

    def verify(
        self, reference: str, data: bytes, signature: bytes, *, algorithm: str | None = None, store: str | None = None
    ) -> RecordInfo:
        """The version under which the signature holds: of `NAME` any that may verify, of `NAME@N` that one.

        Raises:
            InvalidSignatureError: it holds under none.
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version, or not that one, may verify; or each is for another use.
            UnsupportedOperationError: no key's type can sign, or not with the algorithm.
            InvalidKeyError: each key is too weak for the algorithm.
            ConfigError: `data` or `signature` is no bytes.
        """
        check_bytes(data=data, signature=signature)
        wanted = parse_reference(reference)
        opened = self.open_store(store, name=wanted.name)
        infos = self._versions(opened, wanted.name, wanted.version)
        return verify(self.plugins, opened, wanted, infos, data, signature, algorithm, self._clock())
