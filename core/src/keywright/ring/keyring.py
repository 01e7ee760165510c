"""The ring uses keys: signer, verifier, sign, verify."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

from keywright import lifecycle
from keywright.config import config_from, load_config
from keywright.errors import ConfigError, PolicyError
from keywright.names import Reference, check_name, parse_reference
from keywright.record import RecordInfo
from keywright.registry import Registry
from keywright.ring.arguments import check_bytes, check_duration, check_labels, check_texts
from keywright.ring.binding import (
    able_versions,
    bind,
    bound_verifiers,
    signing_until,
    signing_version,
    verify,
    verifying_until,
)
from keywright.ring.bound import BoundKey, BoundVerifier, Found, Signer, Verifier
from keywright.ring.codec import encode_key, warn
from keywright.ring.context import RingBase
from keywright.ring.create import Importing
from keywright.ring.migrate import Migrating
from keywright.ring.operations import describe
from keywright.ring.rewrap import Resealing
from keywright.ring.schedule import Timing
from keywright.ring.state import Changing
from keywright.ring.stores import OpenedStore, secret_of
from keywright.secret import Secret

if TYPE_CHECKING:
    from os import PathLike

    from keywright.key import Key
    from keywright.ring.bound import Decrypter, DecryptionKey, Encrypter, EncryptionKey
    from keywright.ring.codec import Report
    from keywright.ring.doctor import Finding


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
        from keywright.ring.bound import Encrypter, EncryptionKey

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
        from keywright.ring.bound import Decrypter

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
        from keywright.ring.bound import DecryptionKey

        load = cache(lambda: self._loaded(opened, info))
        return DecryptionKey(info.name, info.version, info.kid, info.key_type, load)


def _primary(reference: Reference, infos: Sequence[RecordInfo], now: datetime) -> RecordInfo:
    info = lifecycle.primary(infos, now)
    if info is None:
        raise PolicyError(f"{reference.name} has no version to encrypt for: {lifecycle.why_not(infos, now)}")
    if reference.version not in (None, info.version):
        raise PolicyError(f"{reference} is not encrypted for now, {info.reference} is; leave the version out")
    return info


class Named(NamedTuple):
    """A name, and the phases of its versions, ascending."""

    name: str
    versions: tuple[lifecycle.VersionPhase, ...]


class Reading(RingBase):
    """Reads what stores hold."""

    def names(self, prefix: str = "", *, store: str | None = None) -> Iterator[str]:
        """The names of one store that start with `prefix`, in the order of their bytes.

        Raises:
            ConfigError: `prefix` is no text.
        """
        _check_prefix(prefix)
        return (name for name, _ in self._names(prefix, store))

    def list(
        self, prefix: str = "", *, labels: Mapping[str, str] | None = None, store: str | None = None
    ) -> Iterator[Named]:
        """The names of one store, with the phases of their versions; `labels`: those whose newest version has them.

        Raises:
            ConfigError: `prefix` is no text, or a label is none.
        """
        _check_prefix(prefix)
        wanted = check_labels({} if labels is None else labels)
        for name, opened in self._names(prefix, store):
            infos = [opened.described(info) for info in opened.store.versions(name)]
            if infos and all(infos[-1].labels.get(label) == value for label, value in wanted.items()):
                yield Named(name, lifecycle.phases(infos, self._clock()))

    def show(self, name: str, *, store: str | None = None) -> Named:
        """The versions of one name and their phases.

        Raises:
            KeyNotFoundError: there is no such name.
        """
        opened = self.open_store(store, name=check_name(name))
        infos = [opened.described(info) for info in self._versions(opened, name)]
        return Named(name, lifecycle.phases(infos, self._clock()))

    def resolve(self, reference: str, *, for_good: bool = False, store: str | None = None) -> RecordInfo:
        """The version that `NAME@N` names; of `NAME` the primary, or the only version that there is.

        With `for_good`, as `compromise` and `destroy` take it: of `NAME` the only version, and no other.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has several versions and no primary; with `for_good`, it has several versions.
        """
        opened, info = self._resolve(parse_reference(reference), store, any_single=True, no_other=for_good)
        return opened.described(info)

    def load(self, reference: str, *, store: str | None = None) -> Key:
        """The key of `NAME@N`, or of the primary of `NAME`, with its secret half where there is one to be had.

        To hand out a secret half is an `export`, for those who review and observe.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
        """
        return self._loaded(*self._resolve(parse_reference(reference), store))

    @overload
    def export(
        self,
        reference: str,
        *,
        secret: Literal[False] = False,
        format: str | None = None,
        strict: bool = False,
        store: str | None = None,
        report: Report = warn,
    ) -> bytes: ...
    @overload
    def export(
        self,
        reference: str,
        *,
        secret: Literal[True],
        format: str | None = None,
        strict: bool = False,
        store: str | None = None,
        report: Report = warn,
    ) -> Secret: ...
    def export(
        self,
        reference: str,
        *,
        secret: bool = False,
        format: str | None = None,
        strict: bool = False,
        store: str | None = None,
        report: Report = warn,
    ) -> bytes | Secret:
        """The public half, or with `secret` the secret half, of `NAME@N` or the primary of `NAME`.

        Without `format` in its own. `report` hears what the format left behind; with `strict` that is refused.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
            NotExportableError: the secret half was destroyed, never leaves its store, or never came along.
            UnsupportedKeyError: the format cannot carry the key; `oct` keys have no public half.
            ConfigError: `format` is empty.
        """
        check_texts(format=format)
        opened, plain = self._resolve(parse_reference(reference), store)
        info = opened.described(plain)
        format_ = self.plugins.format(info.format or "" if format is None else format)
        if not secret:
            public = opened.public_key(info)
            return encode_key(format_, public, secret=False, strict=strict, lenient=True, report=report)

        def reveal() -> bytes | Secret:
            key = secret_of(opened.load(plain), info, opened)
            return encode_key(format_, key, secret=True, strict=strict, lenient=True, report=report)

        return self._perform(lambda: describe("export", opened, info, self._clock()), reveal, changes=False)


def _check_prefix(prefix: object) -> None:
    if not isinstance(prefix, str):
        raise ConfigError("prefix must be text; leave it out for all names")


class Examining(Reading):
    """Says what is wrong."""

    def examine(self) -> Iterator[Finding]:
        """What is wrong with the plugins, the declared keys, the configured stores and each record in them.

        A ring that was given a store examines that one alone. Whatever fails is a finding, and the rest is looked at
        all the same. Every record is read. Nothing is repaired; but to open a store completes, as ever, what an
        interrupted writer left there.

        Raises:
            ConfigError: the store that the ring was given is not configured.
        """
        from keywright.ring.doctor import examine

        return examine(self, None if self._store is None else self.config.store(self._store).name)


class KeyRing(Importing, Timing, Examining, Using, Encrypting, Changing, Migrating, Resealing):
    """Makes, keeps and uses keys as a configuration says. Safe to use from threads, and after a fork.

    Methods that take `store` use the store of that name; without it, the ring's own, else the one that `[keys.NAME]`
    says, else `default_store`. Wherever a store is used, StoreUnavailableError, AccessDeniedError, DamagedStoreError,
    ConfigError (the store's settings are wrong) and UnknownPluginError (its backend is not installed) may be raised
    beside what a method states; where something is written, ReadOnlyStoreError, DurabilityUnknownError and
    PolicyError (a plugin objects) too.
    """


def open(
    config: str | PathLike[str] | Mapping[str, object] | None = None,
    *,
    profile: str | None = None,
    options: Sequence[tuple[str, str]] = (),
    store: str | None = None,
    clock: Callable[[], datetime] | None = None,
    registry: Registry | None = None,
) -> KeyRing:
    """A key ring over a configuration: a file's path, a dict with what a file would say, or None to find one.

    `profile` goes before `$KEYWRIGHT_PROFILE`; `options` are pairs such as `("stores.local.path", "keys.db")`;
    `store` goes before every store that the configuration names; `clock` gives the time, with a zone.

    Raises:
        ConfigError: the configuration is wrong. PluginError: its `plugins` names one that is not installed.
    """
    if isinstance(config, Mapping):
        settled = config_from(config, profile=profile, options=options)
    else:
        settled = load_config(None if config is None else str(config), profile=profile, options=options)
    plugins = registry or Registry.load(settled.plugins)
    if clock is None:
        return KeyRing(settled, plugins, store=store)
    return KeyRing(settled, plugins, clock=clock, store=store)
