"""`KeyRing`: the workflow. Here, and only here, key types, formats, seals and stores meet.

The methods of the class are its documentation; the work is done by the functions of the other modules of this package,
each of which is imported when a method needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

from keywright import lifecycle
from keywright.keys import check_name, parse_reference
from keywright.records import State
from keywright.ring.arguments import check_clock, check_labels, check_texts, wrap_secret
from keywright.ring.codec import encode_key, public_half, warn
from keywright.ring.context import RingContext
from keywright.ring.stores import check_secret

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from keywright.config.load import Config
    from keywright.errors import KeywrightError
    from keywright.keys import Key
    from keywright.plugins.registry import Registry
    from keywright.protocols import Capabilities, Problem, Store
    from keywright.records import RecordInfo
    from keywright.ring.bound import Decrypter, Encrypter, Signer, Verifier
    from keywright.ring.changes import RewrapResult
    from keywright.ring.codec import Report
    from keywright.ring.migrate import MigrationResult
    from keywright.ring.schedule import Due
    from keywright.secret import Secret


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Named(NamedTuple):
    """A name, and the phases of its versions, ascending."""

    name: str
    versions: tuple[lifecycle.VersionPhase, ...]


class KeyRing:
    """Creates, stores and uses keys as a configuration says. Safe to use from threads, and after a fork.

    Methods that take `store` use the store of that name; without it, the ring's own, else the one that `[keys.NAME]`
    says, else `default_store`. Wherever a store is used, StoreUnavailableError, AccessDeniedError, CorruptedStoreError,
    ConfigError (the store's settings are wrong) and UnknownPluginError (its backend is not installed) may be raised
    beside what a method states; where something is written, ReadOnlyStoreError, DurabilityError and
    PolicyError (a plugin objects) too.
    """

    def __init__(
        self,
        config: Config,
        plugins: Registry,
        *,
        clock: Callable[[], datetime] = _utc_now,
        store: str | None = None,
    ) -> None:
        """A ring for a configuration; nothing is opened before it is needed.

        `clock` returns the time, with a zone; a time without one is a ConfigError in every method that needs the time.
        `store` takes precedence over the configuration.

        Raises:
            ConfigError: `store` is empty; as `Registry.observers`.
            PluginError: as `Registry.observers`.
        """
        clock = clock if clock is _utc_now else check_clock(clock)
        self._context = RingContext(config, plugins, clock=clock, store=store)
        self.config = config
        self.plugins = self._context.registry
        self.observers = self._context.observers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every store that is open; a signer or thread that goes on opens its store again.

        What another thread does meanwhile may fail with StoreUnavailableError.
        """
        self._context.stores.close()

    def now(self) -> datetime:
        """The time by the ring's clock, in UTC."""
        return self._context.clock()

    def open_store(self, store: str | None = None, *, name: str | None = None) -> Store:
        """The configured store called `store`, or the one for the key `name`, or the default; opened on first use.

        Of a chain it is that of its stores which has `name`. The ring closes it. Payloads are as they are stored:
        sealed, if the store has a seal.

        Raises:
            ConfigError: no such store is configured, its settings are wrong, or `store` is empty; it is a chain, and
                there is no `name`.
            InvalidNameError: `name` is not a valid name.
            UnknownPluginError: its backend or seal is not installed.
            StoreError: (a chain) one of its stores fails before it is known which has the name.
        """
        return self._context.stores.get(store, name=None if name is None else check_name(name)).store

    def capabilities(self, store: str | None = None, *, name: str | None = None) -> Capabilities:
        """What the store that `open_store` returns can do; it is not opened. Raises: as `open_store`."""
        return self._context.stores.get(store, name=None if name is None else check_name(name)).capabilities

    # Creating versions

    def generate(
        self,
        name: str,
        *,
        type: str | None = None,
        format: str | None = None,
        kid: str | None = None,
        labels: Mapping[str, str] | None = None,
        attributes: Mapping[str, object] | None = None,
        activates: datetime | None = None,
        expires: datetime | None = None,
        store: str | None = None,
        allow_duplicate: bool = False,
        **options: object,
    ) -> RecordInfo:
        """Generate a key and store it as version 1 of `name`.

        Type and format imply each other where one is given, by argument or by `[keys.NAME]`; neither: ed25519 as
        nix. `kid` may contain `{name}` and `{version}`. `options` are settings of the key type, such as `bits=3072`.
        Where the configuration chooses the store, and another one that it names has the key, it was forgotten there
        when the configuration changed. Where the store is given, and the configuration finds the name in a chain of it
        and of one that has the name, one key would hide the other. `allow_duplicate` creates a second one all the same.

        Raises:
            InvalidNameError: `name` is not a valid name.
            KeyExistsError: the name has a version, tombstones included; or another store has the name (see above).
            UnsupportedKeyError: the format cannot carry the key.
            ConfigError: an option, label or time is wrong, a text is empty, or the format does not carry the type.
        """
        from keywright.ring.create import generate
        from keywright.ring.plan import NewVersion

        wanted = NewVersion(
            type=type,
            format=format,
            kid=kid,
            labels=labels,
            attributes=attributes,
            activates=activates,
            expires=expires,
            options=options,
        )
        return generate(self._context, name, wanted, store=store, allow_duplicate=allow_duplicate)

    def ensure(self, *names: str, store: str | None = None, allow_duplicate: bool = False) -> tuple[RecordInfo, ...]:
        """Create the keys that `[keys.…]` declares and that no version exists of; with `names`, those alone.

        Returns what was created, without what another process creates at the same time.

        Raises: as `generate`, and ConfigError: a name has no `[keys.NAME]` table.
        """
        from keywright.ring.create import ensure

        return ensure(self._context, names, store=store, allow_duplicate=allow_duplicate)

    def rotate(
        self,
        name: str,
        *,
        activate_in: timedelta | None = None,
        overlap: timedelta | None = None,
        kid: str | None = None,
        expires: datetime | None = None,
        attributes: Mapping[str, object] | None = None,
        store: str | None = None,
        **options: object,
    ) -> RecordInfo:
        """Create the next version of `name`; it signs at once, or `activate_in` from now.

        The versions before verify for `overlap` after that. Of both, None: as `[keys.NAME]` says, else at once and
        without end. Type, format, size, labels and attributes stay as they were unless `[keys.NAME]` says otherwise
        (certificates do not: they are of the last version's key); `attributes={}`: none. Of two rotations at once, one
        creates the version; the other gets KeyExistsError, stores nothing and does not try again.

        Without a `kid`, here or in `[keys.NAME]`, the format names the version: `jwk` derives the kid from the new key,
        also after one that was chosen by hand; `nix` counts, and does not continue one that was chosen by hand.

        Raises:
            KeyNotFoundError: there is no such name; generate creates version 1.
            KeyExistsError: another process created the version meanwhile, or another version has its kid.
            PolicyError: the kid, size or attributes of the next version would have to be guessed, or the last one is
                another owner's public key.
            ConfigError: an option, time or duration is wrong, a text is empty, or no new key has the size of the last.
        """
        from keywright.ring.create import rotate
        from keywright.ring.plan import NewVersion

        wanted = NewVersion(
            activate_in=activate_in,
            overlap=overlap,
            kid=kid,
            expires=expires,
            attributes=attributes,
            options=options,
        )
        return rotate(self._context, name, wanted, store=store)

    def import_key(
        self,
        name: str,
        data: bytes | Secret,
        *,
        format: str | None = None,
        public: bool = False,
        lenient: bool = False,
        as_new_version: bool = False,
        kid: str | None = None,
        labels: Mapping[str, str] | None = None,
        activate_in: timedelta | None = None,
        overlap: timedelta | None = None,
        expires: datetime | None = None,
        store: str | None = None,
        allow_duplicate: bool = False,
        report: Report = warn,
    ) -> RecordInfo:
        """Store a key that was created elsewhere as version 1 of `name`, in its own format.

        With `as_new_version` it becomes the version after the last one, with its labels; `activate_in` and `overlap`
        are then as for `rotate`, `[keys.NAME]` included. Without `format` the data decides. `public` stores a public
        key, which verifies and cannot sign. `lenient` reads what other programs accept, and `report` is called with
        each deviation. `allow_duplicate` is as for `generate`.

        Raises:
            InvalidNameError: `name` is not a valid name.
            FormatError: no format recognizes the data, or several do.
            MalformedKeyError: it is not a key of the format, empty, or not given as bytes.
            InvalidKeyError: its parts do not belong together.
            NotExportableError: it is a public key and `public` was not given.
            UnsupportedKeyError: it is a secret key and `public` was given.
            KeyExistsError: the name has a version, tombstones included, and `as_new_version` was not given; or one of
                its versions is this very key; or another store has the name, and `allow_duplicate` was not given.
            StoreUnavailableError: another store could not be asked whether it has the name.
            KeyNotFoundError: `as_new_version` was given, and the name has no version.
            PolicyError: a public key would follow an own key, so that nothing would sign.
            ConfigError: `format` or `kid` is empty, `kid` has more than 1024 characters, a label is not valid, the key
                would never sign, or `activate_in` or `overlap` was given without `as_new_version`, or
                `allow_duplicate` with it.
        """
        encoded = wrap_secret(data)
        del data  # a text, passed by mistake, would show in a traceback
        from keywright.ring.create import import_key
        from keywright.ring.plan import NewVersion

        wanted = NewVersion(
            format=format, kid=kid, labels=labels, activate_in=activate_in, overlap=overlap, expires=expires
        )
        return import_key(
            self._context,
            name,
            encoded,
            wanted,
            public=public,
            lenient=lenient,
            as_new_version=as_new_version,
            store=store,
            allow_duplicate=allow_duplicate,
            report=report,
        )

    # Rotation by the clock

    def due(self, *names: str, store: str | None = None) -> Iterator[Due]:
        """The names that are due for rotation; with `names`, of those alone. Nothing is changed.

        A name is due when its newest version was created `rotate_every` ago or longer (`[keys.NAME]`), or has expired.
        One that no version exists of is not. Where the store does not know when the version was created, `error` says
        so; likewise where the name is configured wrongly, its store fails or lacks what another one has or may have, or
        no version of it signs and none will.

        Raises:
            ConfigError: a name has no `rotate_every`.
        """
        from keywright.ring.schedule import due

        return due(self._context, names, store)

    def rotate_due(self, *names: str, store: str | None = None) -> Iterator[Due]:
        """Rotate what `due` returns, with the result of each. One that fails stops no other.

        The same call, repeated, finds that what was rotated is not due. Of several calls at once, each version is
        created by one; the others skip it.

        Raises:
            ConfigError: a name has no `rotate_every`.
        """
        from keywright.ring.schedule import rotate_due

        return rotate_due(self._context, names, store)

    # Reading

    def names(self, prefix: str = "", *, store: str | None = None) -> Iterator[str]:
        """The names of one store that start with `prefix`, in the order of their bytes."""
        return (name for name, _ in self._context.stores.names(prefix, store))

    def list(
        self, prefix: str = "", *, labels: Mapping[str, str] | None = None, store: str | None = None
    ) -> Iterator[Named]:
        """The names of one store, with the phases of their versions; `labels`: those whose newest version has them.

        Raises:
            ConfigError: a label is not valid.
        """
        wanted = check_labels({} if labels is None else labels)
        for opened, stored in self._context.stores.scan(prefix, store):
            infos = [opened.described(info) for info in stored]
            if all(infos[-1].labels.get(label) == value for label, value in wanted.items()):
                yield Named(infos[-1].name, lifecycle.phases(infos, self.now()))

    def show(self, name: str, *, store: str | None = None) -> Named:
        """The versions of one name and their phases.

        Raises:
            KeyNotFoundError: there is no such name.
        """
        opened = self._context.stores.get(store, name=check_name(name))
        infos = [opened.described(info) for info in self._context.stores.versions(opened, name)]
        return Named(name, lifecycle.phases(infos, self.now()))

    def resolve(self, reference: str, *, for_good: bool = False, store: str | None = None) -> RecordInfo:
        """The version that `NAME@N` names; of `NAME` the primary, or the only version that there is.

        With `for_good`, as `compromise` and `destroy` take it: of `NAME` the only version, and no other.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has several versions and no primary; with `for_good`, it has several versions.
        """
        wanted = parse_reference(reference)
        opened, info = self._context.stores.resolve(wanted, store, or_single=True, only_single=for_good)
        return opened.described(info)

    def get_record(self, reference: str, *, store: str | None = None) -> tuple[RecordInfo, Key]:
        """The metadata of `NAME@N`, or of the primary of `NAME`, and its key with the secret half if that is available.

        For plugins that use the key themselves. `load` is for what hands a secret half out: nothing is reviewed or
        observed here, and for `NAME@N` no other store is asked.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
        """
        wanted = parse_reference(reference)
        if wanted.version is None:
            opened, info = self._context.stores.resolve(wanted, store)
            return opened.described(info), opened.load(info)
        opened = self._context.stores.get(store, name=wanted.name)
        record = opened.store.get(wanted.name, wanted.version)
        return opened.described(record.info), opened.codec.unpack(record)

    def load(self, reference: str, *, store: str | None = None) -> Key:
        """The key of `NAME@N`, or of the primary of `NAME`, with its secret half if that is available.

        To hand out a secret half is an `export`, for plugins that review and observe.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
        """
        return self._context.operations.load(*self._context.stores.resolve(parse_reference(reference), store))

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

        Without `format` in its own. `report` is called with what the format left behind; with `strict` that is refused.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
            NotExportableError: the secret half was destroyed, never leaves its store, or was never imported.
            UnsupportedKeyError: the format cannot carry the key; `oct` keys have no public half.
            ConfigError: `format` is empty.
        """
        check_texts(format=format)
        opened, plain = self._context.stores.resolve(parse_reference(reference), store)
        info = opened.described(plain)
        format_ = self.plugins.format(info.format or "" if format is None else format)
        if not secret:
            half = public_half(info)
            return encode_key(format_, half, secret=False, strict=strict, lenient=True, report=report).reveal()

        def reveal() -> Secret:
            key = check_secret(opened.load(plain), info, opened)
            return encode_key(format_, key, secret=True, strict=strict, lenient=True, report=report)

        operations = self._context.operations
        return operations.run(lambda: operations.describe("export", opened, info), reveal, changes=False)

    # Using keys

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
        None: not because of its age. A clock that was set back before the last look-up makes it look again too.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version signs now, `NAME@N` is not the one that does, or the key is for another use.
            ConfigError: `refresh` is negative, or longer than 36500 days.
            UnsupportedOperationError: its type cannot sign, or not with the algorithm.
            NotExportableError: there is no secret half to sign with.
            InvalidKeyError: the key is too weak for the algorithm.
        """
        from keywright.ring.bound import signer

        return signer(self._context, reference, algorithm, store, refresh)

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
        from keywright.ring.bound import verifier

        return verifier(self._context, reference, algorithm, store, refresh)

    def sign(self, reference: str, data: bytes, *, algorithm: str | None = None, store: str | None = None) -> bytes:
        """One signature by the primary, in JOSE form. For several, bind a `signer`. Raises: as `signer`."""
        return self.signer(reference, algorithm=algorithm, store=store).sign(data)

    def verify(
        self, reference: str, data: bytes, signature: bytes, *, algorithm: str | None = None, store: str | None = None
    ) -> RecordInfo:
        """The version under which the signature is valid: of `NAME` any that may verify, of `NAME@N` that one.

        Raises:
            InvalidSignatureError: it is valid under no version.
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version, or not that one, may verify; or each is for another use.
            UnsupportedOperationError: no key's type can sign, or not with the algorithm.
            InvalidKeyError: each key is too weak for the algorithm.
        """
        from keywright.ring.bound import verify

        return verify(self._context, reference, data, signature, algorithm, store)

    def encrypter(
        self, reference: str, *, store: str | None = None, refresh: timedelta | None = timedelta(seconds=60)
    ) -> Encrypter:
        """Bind the primary of a name, to encrypt for. No secret is opened where it has a public half.

        `refresh` as for `signer`. To hand out a secret half, as of `oct`, is an `export`, for plugins that review and
        observe: one each time that the name is looked up.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version is the primary now, or `NAME@N` is not.
            ConfigError: `refresh` is negative, or longer than 36500 days.
        """
        from keywright.ring.bound import encrypter

        return encrypter(self._context, reference, store, refresh)

    def decrypter(
        self, reference: str, *, store: str | None = None, refresh: timedelta | None = timedelta(seconds=60)
    ) -> Decrypter:
        """Bind the versions of `NAME` that may decrypt, or `NAME@N`: those that would verify (see `verifier`).

        `refresh` as for `signer`. A secret half is read when it is first used, and that is an `export`, for plugins
        that review and observe: one for each version in use each time that the name is looked up.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: no version, or not that one, may decrypt.
            ConfigError: `refresh` is negative, or longer than 36500 days.
        """
        from keywright.ring.bound import decrypter

        return decrypter(self._context, reference, store, refresh)

    # Changing versions

    def label(self, reference: str, labels: Mapping[str, str | None], *, store: str | None = None) -> RecordInfo:
        """Write labels on a version; None removes one.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
            ConfigError: a label is not valid.
        """
        from keywright.ring.changes import label

        return label(self._context, reference, labels, store=store)

    def disable(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Stop a version from signing and verifying, until it is enabled again. Raises: as `destroy`."""
        from keywright.ring.changes import change_state

        return change_state(self._context, "disable", reference, State.DISABLED, reason, store)

    def enable(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Let a disabled version sign and verify again, as far as its time has not passed. Raises: as `destroy`."""
        from keywright.ring.changes import change_state

        return change_state(self._context, "enable", reference, State.ENABLED, reason, store)

    def compromise(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Stop a version from signing and verifying, at once and permanently.

        `NAME` alone is enough where it has one version. Raises: as `destroy`.
        """
        from keywright.ring.changes import change_state

        return change_state(self._context, "compromise", reference, State.COMPROMISED, reason, store)

    def destroy(self, reference: str, *, reason: str = "", store: str | None = None) -> RecordInfo:
        """Remove a version's payload permanently; a tombstone with its public half stays.

        `NAME` alone is enough where it has one version.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: the version cannot come into that state; or `NAME` has several versions, for what can be
                taken back: several and no primary.
            ConflictError: other processes kept changing the record meanwhile.
            ConfigError: the reason is not printable text, or over 1000 characters with those of its states before,
                which are kept after it.
        """
        from keywright.ring.changes import change_state

        return change_state(self._context, "destroy", reference, State.DESTROYED, reason, store)

    # Whole stores

    def migrate(
        self,
        *names: str,
        from_: str,
        to: str,
        dry_run: bool = False,
        update: bool = False,
        delete_source: bool = False,
        allow_referenced: bool = False,
    ) -> Iterator[MigrationResult]:
        """Copy all versions of these names, or of all names, from one configured store to another.

        States, times, labels and tombstones are copied too; a version is read back and compared before it counts. The
        newest is first, so that the target never signs with an older one meanwhile; of a name that is in conflict, or
        that the target cannot store, nothing is copied, and nothing older than a version that failed. Interrupted at
        any point, the same call finishes it. What changes in the source meanwhile is copied again until nothing changes
        any more.

        Args:
            from_: the name of a configured store.
            to: the name of another.
            dry_run: report what would be done, and write nothing. Reviewers are asked, with `dry_run` set.
            update: a copy in the target that is the same key, and differs only in labels, state and what follows from
                that, is brought up to date; else it is a conflict, for it may have been changed there. Where one of
                the two is destroyed, or that in the target compromised, and the other is not, it is a conflict always.
            delete_source: at the end, if nothing failed or was in conflict, remove each name from the source, unless
                it changed meanwhile.
            allow_referenced: remove it even though this ring looks for the name there, and would not find it any more.

        Raises:
            ConfigError: there is no such store, or the two are one; or the source is to be deleted, and the target
                forgets all when the process ends, or the configuration points a name at the source (see
                `allow_referenced`); or `allow_referenced` was given without that.
            ReadOnlyStoreError: the target is read-only, or the source, where it is to be deleted.
            KeyNotFoundError: the source has no such name.
            StoreError: the names cannot be listed.
            ConflictError: the source kept changing, so that not all of it could be copied.
        """
        from keywright.ring.migrate import migrate

        return migrate(
            self._context,
            names,
            from_=from_,
            to=to,
            dry_run=dry_run,
            update=update,
            delete_source=delete_source,
            allow_referenced=allow_referenced,
        )

    def rewrap(self, *, store: str | None = None) -> Iterator[RewrapResult]:
        """Seal every payload of a store that is not sealed with the current master key; with the result of each.

        The seal's `previous` must still open what is there. Each record is replaced by one write, so that it can be
        read at every moment; interrupted, the same call continues where it stopped. One that fails stops no other.

        Raises:
            ConfigError: the store has no seal, or one whose master key does not change.
            ReadOnlyStoreError: it is read-only.
            SealError: the seal has no usable master key.
            StoreError: its names cannot be listed.
        """
        from keywright.ring.changes import rewrap

        return rewrap(self._context, store)

    def examine(self) -> Iterator[Problem]:
        """What is wrong with the plugins, the declared keys, the configured stores and each record in them.

        A ring that was given a store examines that one alone. Each failure is a problem, and the rest is examined all
        the same. Every record is read. Nothing is repaired; but opening a store completes, as always, what an
        interrupted writer left there.

        Raises:
            ConfigError: the store that the ring was given is not configured.
        """
        from keywright.ring.doctor import examine

        default = self._context.stores.default
        return examine(self._context, None if default is None else self.config.store(default).name)

    def examine_settings(self) -> Iterator[KeywrightError]:
        """What is wrong with the settings of seals, stores, plugins and declared keys. No record is read.

        Stores are opened, for only their backends can judge some settings; one that cannot be reached is not a problem.
        """
        from keywright.ring.doctor import check_settings

        return check_settings(self._context)


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

    `profile` takes precedence over `$KEYWRIGHT_PROFILE`; `options` are pairs like `("stores.local.path", "keys.db")`;
    `store` takes precedence over every store that the configuration names; `clock` returns the time, with a zone.

    Raises:
        ConfigError: the configuration is wrong. PluginError: its `plugins` names one that is not installed.
    """
    from keywright.config.load import config_from, load_config
    from keywright.plugins.registry import Registry

    if isinstance(config, Mapping):
        settled = config_from(config, profile=profile, options=options)
    else:
        settled = load_config(None if config is None else str(config), profile=profile, options=options)
    return KeyRing(settled, registry or Registry.load(settled.plugins), clock=clock or _utc_now, store=store)
