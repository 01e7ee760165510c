"""Creating versions: generate, ensure, rotate and import."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from keywright.errors import (
    ConfigError,
    KeyExistsError,
    KeywrightError,
    MalformedKeyError,
    NotExportableError,
    PolicyError,
    StoreUnavailableError,
    UnsupportedKeyError,
)
from keywright.key import Attributes, Key
from keywright.names import check_name
from keywright.record import RecordInfo, State
from keywright.ring.arguments import (
    NOT_BYTES,
    check_duration,
    check_kid,
    check_mappings,
    check_not_empty,
    check_texts,
    hide,
)
from keywright.ring.codec import check_carried, decode_key, find_format, public_attributes, read_back, warn
from keywright.ring.context import RingBase
from keywright.ring.operations import describe
from keywright.ring.plan import Plan, Wanted, import_plan, kid_for, make_plan, plan_rotation
from keywright.ring.stores import BACKEND as CHAIN
from keywright.ring.stores import Chain
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.config import KeyTable
    from keywright.events import Operation, ReviewRequest
    from keywright.protocols import Format, SigningStore
    from keywright.ring.codec import Report
    from keywright.ring.stores import OpenedStore


def generate_version(
    store: OpenedStore, plan: Plan, name: str, version: int, others: Sequence[RecordInfo], now: datetime
) -> RecordInfo:
    """Generate a key and store it as `name`, version `version`, inside the store where its keys never leave it.

    Raises:
        KeyExistsError: the version was made by somebody else meanwhile, or another version holds the kid.
        UnsupportedKeyError: the format cannot carry the key as planned.
        UnsupportedOperationError: a signing store cannot make such a key.
        StoreError: the store refused or failed.
    """
    signing = store.signing
    if signing is not None:
        return _generate_inside(signing, plan, name, version, others, now)
    fresh = plan.key_type.generate(plan.options)
    return store_key(store, plan, fresh, name, version, others, now)


def store_key(
    store: OpenedStore,
    plan: Plan,
    key: Key,
    name: str,
    version: int,
    others: Sequence[RecordInfo],
    now: datetime,
    *,
    lenient: bool = False,
) -> RecordInfo:
    """Store `key` (its `kid` and attributes, where it has some, go before the plan's) as `name`, version `version`.

    Raises: as `generate_version`.
    """
    whole = replace(key, attributes=Attributes({**plan.attributes, **key.attributes}))
    named = replace(whole, kid=key.kid or kid_for(plan, name, version, whole) or random_kid())
    check_kid_is_free(named.kid, others)
    info = _info(plan, name, version, now, named.kid, named.public, public_attributes(plan.format, named))
    return store.writable.create(store.pack(named, info, lenient=lenient))


def _generate_inside(
    store: SigningStore, plan: Plan, name: str, version: int, others: Sequence[RecordInfo], now: datetime
) -> RecordInfo:
    def kid(public: bytes) -> str:
        key = Key(plan.key_type.name, "", None, public, plan.attributes)
        named = replace(key, kid=kid_for(plan, name, version, key) or random_kid())
        check_kid_is_free(named.kid, others)
        check_carried(
            plan.format, named, read_back(plan.format, Secret(plan.format.encode_public(named)), lenient=False)
        )
        return named.kid

    info = _info(plan, name, version, now, "", None, plan.attributes)
    return store.generate(info, plan.options, kid)


def _info(
    plan: Plan, name: str, version: int, now: datetime, kid: str, public: bytes | None, attributes: Attributes
) -> RecordInfo:
    return RecordInfo(
        name=name,
        version=version,
        key_type=plan.key_type.name,
        format=plan.format.name,
        kid=kid,
        public=public,
        attributes=attributes,
        state_since=now,
        created=now,
        activates=plan.activates,
        expires=plan.expires,
        overlap=plan.overlap,
        labels=plan.labels,
    )


def check_kid_is_free(kid: str, others: Sequence[RecordInfo]) -> None:
    """Refuse a kid that another version of the name holds: a verifier could not tell them apart.

    Raises:
        KeyExistsError: one holds it.
    """
    for other in others:
        if other.kid == kid:
            raise KeyExistsError(f"the kid of the new version is held by {other.reference} already; say another --kid")


def random_kid() -> str:
    """128 random bits in hex: for keys whose hash would tell something of their secret."""
    return os.urandom(16).hex()


class Making(RingBase):
    """Makes versions, and nothing but the first or the next."""

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
        new_here: bool = False,
        **options: object,
    ) -> RecordInfo:
        """Make a key and store it as version 1 of `name`.

        Type and format imply each other where one is given, by argument or by `[keys.NAME]`; neither: ed25519 as
        nix. `kid` may hold `{name}` and `{version}`. `options` are settings of the key type, such as `bits=3072`.
        Where the configuration chooses the store, and another one that it names has the key, it was forgotten there
        when the configuration changed. Where the store is said, and the configuration finds the name in a chain of it
        and of one that has the name, one key would hide the other. `new_here` makes a second one all the same.

        Raises:
            InvalidNameError: `name` is none.
            KeyExistsError: the name has a version, tombstones included; or another store has the name (see above).
            UnsupportedKeyError: the format cannot carry the key.
            ConfigError: an option, label or time is wrong, a text is empty, or the format does not carry the type.
        """
        opened = self.open_store(store, name=check_name(name))
        wanted = Wanted(
            type=type,
            format=format,
            kid=kid,
            labels=labels,
            attributes=attributes,
            activates=activates,
            expires=expires,
            options=options,
        )
        now = self._clock()
        plan = make_plan(self.plugins, self.config.key(name), wanted, now=now)

        def make() -> RecordInfo:
            self._check_new(opened, name, store=store, new_here=new_here)
            return generate_version(opened, plan, name, 1, (), now)

        return self._perform(lambda: self._planned("generate", opened, name, 1, plan), make)

    def ensure(self, *names: str, store: str | None = None, new_here: bool = False) -> tuple[RecordInfo, ...]:
        """Make what `[keys.…]` declares and no version of was ever made; with `names`, those alone.

        Returns what was made. Of those that somebody else makes at the same time, none.

        Raises: as `generate`, and ConfigError: a name has no `[keys.NAME]` table.
        """
        for name in names:
            if check_name(name) not in self.config.keys:
                path = self.config.key(name).path
                raise ConfigError(f"{name} is not declared, so it is not known what to make; add a table {path}")
        made = []
        for name in names or self.config.keys:
            if not self.open_store(store, name=name).store.versions(name):
                try:
                    made.append(self.generate(name, store=store, new_here=new_here))
                except KeyExistsError:
                    if not self.open_store(store, name=name).store.versions(name):
                        raise  # it is in another store
                    # Somebody else ensured it first: what was wanted is there.
                    continue
        return tuple(made)

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
        """Make the next version of `name`; it signs at once, or `activate_in` from now.

        The versions before verify for `overlap` after that. Of both, None: as `[keys.NAME]` says, else at once and
        without end. Type, format, size, labels and attributes go on as they were unless `[keys.NAME]` says otherwise
        (certificates do not: they are of the last version's key); `attributes={}`: none. Of two rotations at once, one
        makes the version and the other gets KeyExistsError.

        Raises:
            KeyNotFoundError: there is no such name; generate makes version 1.
            KeyExistsError: somebody else made the version meanwhile, or another version holds its kid.
            PolicyError: the kid, size or attributes of the next version would have to be guessed, or the last one is
                a public key of somebody else's.
            ConfigError: an option, time or duration is wrong, a text is empty, or no new key has the size of the last.
        """
        opened = self.open_store(store, name=check_name(name))
        opened.writable  # noqa: B018  (a read-only store is refused before its keys are opened)
        wanted = Wanted(kid=kid, expires=expires, overlap=overlap, attributes=attributes, options=options)
        return self._rotate(opened, self._versions(opened, name), wanted, activate_in)

    def _rotate(
        self, opened: OpenedStore, others: Sequence[RecordInfo], wanted: Wanted, activate_in: timedelta | None
    ) -> RecordInfo:
        """Make the version after the last of `others`, and no later one. Raises: as `rotate`."""
        last, now = others[-1], self._clock()
        name = last.name
        # By a clock that is behind, the overlap of the versions before would be over before it began.
        now = max(now, last.created or now)
        table = self.config.key(name)
        activates = activation_of(table, activate_in, now)
        plan = plan_rotation(self.plugins, table, opened, last, wanted._replace(activates=activates), now)
        version = last.version + 1

        def planned() -> ReviewRequest:
            return self._planned("rotate", opened, name, version, plan)

        return self._perform(planned, lambda: generate_version(opened, plan, name, version, others, now))

    def _check_new(self, opened: OpenedStore, name: str, *, store: str | None, new_here: bool) -> None:
        if opened.writable.versions(name):
            raise KeyExistsError(
                f"store {opened.name!r} has {name} already; rotate makes its next version, or import --next if it is "
                "made elsewhere"
            )
        if new_here:
            return
        if store is None and self._store is None:
            self._check_not_left_behind(opened, name)
        else:
            self._check_not_hidden(opened, name)

    def _check_not_left_behind(self, opened: OpenedStore, name: str) -> None:
        holders, silent = self._elsewhere(opened, name)
        if silent:
            raise _unasked(silent[0], name)
        if holders:
            raise KeyExistsError(
                f"store {holders[0]!r} has {name} already, and the configuration now points it at store "
                f"{opened.name!r}; move it with `keywright migrate --from {holders[0]} --to {opened.name} {name}`, or "
                "say --new-here for a second key"
            )

    def _check_not_hidden(self, opened: OpenedStore, name: str) -> None:
        """Refuse a second key of a name beside one that the configured chain answers with, or would no more."""
        try:
            chain = self._configured_chain(name)
        except ConfigError:
            return  # the name is looked for nowhere else
        if chain is None or opened.name not in chain.stores:
            return
        for store in chain.stores:
            if store == opened.name:
                continue
            try:
                infos = self.open_store(store).store.versions(name)
            except KeywrightError:
                raise _unasked(store, name) from None
            if infos:
                raise KeyExistsError(
                    f"store {store!r} has {name} already, and the configuration looks for it in chain {chain.name!r}, "
                    f"of stores {opened.name!r} and {store!r}, where one key would hide the other; rotate makes its "
                    "next version, or say --new-here for a second key"
                )

    def _configured_chain(self, name: str) -> Chain | None:
        """The chain that the configuration finds a name in, whatever store was said. Raises: ConfigError, if wrong."""
        table = self.config.store(self.config.key(name).common().optional_text("store"))
        return self._chain(table) if table.backend == CHAIN else None

    def _planned(
        self,
        operation: Operation,
        opened: OpenedStore,
        name: str,
        version: int,
        plan: Plan,
        *,
        kid: str = "",
        bits: int | None = None,
    ) -> ReviewRequest:
        if bits is None and "bits" in plan.options:
            bits = plan.options.integer("bits")
        key_type, format_ = plan.key_type.name, plan.format.name
        info = RecordInfo(
            name=name,
            version=version,
            kid=kid,
            key_type=key_type,
            format=format_,
            expires=plan.expires,
            labels=plan.labels,
        )
        return describe(operation, opened, info, self._clock(), bits)


def _unasked(store: str, name: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"store {store!r} could not be asked whether it has {name} already; mend it, or say --new-here for a key of "
        "its own"
    )


def activation_of(table: KeyTable, activate_in: timedelta | None, now: datetime) -> datetime | None:
    """When a next version starts to sign: after `activate_in`, else as the table says, else at once (None)."""
    if activate_in is None:
        activate_in = cast("timedelta | None", table.common()["activate_in"])
    check_duration("activate_in", activate_in)
    # Without a wait there is no time: the version signs at once on every clock.
    return now + activate_in if activate_in else None


class Importing(Making):
    """Stores keys that were made elsewhere."""

    def import_key(
        self,
        name: str,
        data: bytes | Secret,
        *,
        format: str | None = None,
        public: bool = False,
        lenient: bool = False,
        as_next: bool = False,
        kid: str | None = None,
        labels: Mapping[str, str] | None = None,
        activate_in: timedelta | None = None,
        overlap: timedelta | None = None,
        expires: datetime | None = None,
        store: str | None = None,
        new_here: bool = False,
        report: Report = warn,
    ) -> RecordInfo:
        """Store a key that was made elsewhere as version 1 of `name`, in its own format.

        With `as_next` it becomes the version after the last one, with its labels; `activate_in` and `overlap` are then
        as for `rotate`, `[keys.NAME]` included. Without `format` the data tells. `public` stores a public key, which
        verifies and cannot sign. `lenient` reads what other programs accept, and `report` hears how it deviates.
        `new_here` is as for `generate`.

        Raises:
            InvalidNameError: `name` is none.
            FormatError: the data is a key of no format or of several.
            MalformedKeyError: it is no key of the format, empty, or not given as bytes.
            InvalidKeyError: its parts do not belong together.
            NotExportableError: it is a public key and `public` was not said.
            UnsupportedKeyError: it is a secret key and `public` was said.
            KeyExistsError: the name has a version, tombstones included, and `as_next` was not said; or one of its
                versions is this very key; or another store has the name, and `new_here` was not said.
            StoreUnavailableError: another store could not be asked whether it has the name.
            KeyNotFoundError: `as_next` was said, and the name has no version.
            PolicyError: a public key would follow on a key of our own, so that nothing would sign.
            ConfigError: `format` or `kid` is empty, `kid` has more than 1024 characters, a label is none, the key would
                never sign, or `activate_in` or `overlap` was said without `as_next`, or `new_here` with it.
        """
        encoded = hide(data)
        del data  # text, given by mistake, would show in a traceback
        if encoded is None:
            raise MalformedKeyError(NOT_BYTES)
        check_texts(format=format)
        check_kid(kid)
        check_mappings(labels={} if labels is None else labels)
        if not as_next and (activate_in is not None or overlap is not None):
            raise ConfigError("activate_in and overlap are for a next version; say --next, or leave them out")
        if as_next and new_here:
            raise ConfigError("a next version goes where the name is; leave out --next or --new-here")
        opened = self.open_store(store, name=check_name(name))
        check_not_empty(encoded)
        format_ = self.plugins.format(format) if format is not None else find_format(self.plugins, encoded)
        key = decode_key(self.plugins, format_, encoded, lenient=lenient, report=report)
        _check_half(key, public=public)
        others = self._versions(opened, name) if as_next else ()
        now = self._clock()
        if others:
            now = max(now, others[-1].created or now)  # as in `rotate`
            _check_succession(opened, key, others)
        plan = self._import_plan(name, key, format_, others, kid, labels, activate_in, overlap, expires, now)
        named = replace(key, kid=key.kid if kid is None else kid)
        version = others[-1].version + 1 if others else 1

        def store_it() -> RecordInfo:
            if not as_next:
                self._check_new(opened, name, store=store, new_here=new_here)
            return store_key(opened, plan, named, name, version, others, now, lenient=lenient)

        def planned() -> ReviewRequest:
            return self._planned("import", opened, name, version, plan, kid=named.kid, bits=plan.key_type.bits(key))

        return self._perform(planned, store_it)

    def _import_plan(
        self,
        name: str,
        key: Key,
        format_: Format,
        others: Sequence[RecordInfo],
        kid: str | None,
        labels: Mapping[str, str] | None,
        activate_in: timedelta | None,
        overlap: timedelta | None,
        expires: datetime | None,
        now: datetime,
    ) -> Plan:
        activates = None
        if others:
            table = self.config.key(name)
            activates = activation_of(table, activate_in, now)
            overlap = cast("timedelta | None", table.common()["overlap"]) if overlap is None else overlap
            labels = {**others[-1].labels, **(labels or {})}
        return import_plan(
            self.plugins.key_type(key.type),
            format_,
            kid=kid,
            labels=labels,
            activates=activates,
            expires=expires,
            overlap=overlap,
            now=now,
        )


def _check_half(key: Key, *, public: bool) -> None:
    if key.secret is None and not public:
        raise NotExportableError("the data is a public key, and a secret key belongs here; say --public to keep it")
    if key.secret is not None and public:
        raise UnsupportedKeyError(
            "the data is a secret key; leave out --public, or convert it to its public half first"
        )


def _check_succession(opened: OpenedStore, key: Key, others: Sequence[RecordInfo]) -> None:
    """Refuse a key that a version is already (it may be compromised), and one that would leave nothing to sign with."""
    for other in others:
        same = other.public == key.public
        if key.public is None and other.public is None and other.state is not State.DESTROYED:
            same = opened.load(other).secret == key.secret
        elif key.public is None or other.public is None:
            same = False
        if same:
            raise KeyExistsError(f"the key is {other.reference} already; a next version has to be another key")
    last = others[-1]
    ours = opened.signing is not None or last.state is State.DESTROYED or opened.load(last).secret is not None
    if key.secret is None and ours:
        raise PolicyError(
            f"{last.reference} is a key of our own, and with a public key after it nothing would sign; rotate it, or "
            "import the public key by another name"
        )
