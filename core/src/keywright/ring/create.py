"""Creating versions: generate, ensure, rotate and import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from keywright.errors import (
    ConfigError,
    KeyExistsError,
    KeywrightError,
    NotExportableError,
    PolicyError,
    StoreUnavailableError,
    UnsupportedKeyError,
)
from keywright.keys import Attributes, Key, check_name
from keywright.records import RecordInfo, State
from keywright.ring.arguments import check_encoded_key, check_kid, check_labels, check_texts, check_times
from keywright.ring.codec import check_carried, decode_key, find_format, public_attributes, read_back
from keywright.ring.plan import NewVersion, Plan, activation_of, make_plan, plan_rotation
from keywright.ring.stores import CHAIN
from keywright.secret import Secret
from keywright.settings.model import Options

if TYPE_CHECKING:
    from keywright.events import Operation, ReviewRequest
    from keywright.protocols import Format
    from keywright.ring.codec import Report
    from keywright.ring.context import RingContext
    from keywright.ring.stores import OpenStore


class _Creation(NamedTuple):
    """A version that is about to be created.

    Attributes:
        others: the versions before.
        now: the time of its creation.
    """

    opened: OpenStore
    plan: Plan
    name: str
    version: int
    others: Sequence[RecordInfo]
    now: datetime

    def describe(
        self, context: RingContext, operation: Operation, *, kid: str = "", bits: int | None = None
    ) -> ReviewRequest:
        """The request for its review; `kid` and `bits` if the key exists already."""
        info = self.plan.info(self.name, self.version, kid=kid)
        return context.operations.describe(operation, self.opened, info, bits=self.plan.bits if bits is None else bits)

    def generate(self) -> RecordInfo:
        """Generate a key and store it, inside the store if its keys never leave it.

        Raises:
            KeyExistsError: another process created the version meanwhile, or another version has the kid.
            UnsupportedKeyError: the format cannot carry the key as planned.
            UnsupportedOperationError: a signing store cannot create such a key.
            StoreError: the store refused or failed.
        """
        plan, signing = self.plan, self.opened.signing
        if signing is None:
            return self.store(plan.key_type.generate(plan.options))

        def kid(public: bytes) -> str:
            key = self._named(Key(plan.key_type.name, "", None, public, plan.attributes))
            again = read_back(plan.format, Secret(plan.format.encode_public(key)), lenient=False, kid=key.kid)
            check_carried(plan.format, key, again)
            return key.kid

        return signing.generate(self._info(attributes=plan.attributes), plan.options, kid)

    def store(self, key: Key, *, lenient: bool = False) -> RecordInfo:
        """Store `key`; its own `kid` and attributes take precedence over the plan's. Raises: as `generate`."""
        key = self._named(key.replace(attributes=Attributes({**self.plan.attributes, **key.attributes})))
        attributes = public_attributes(self.plan.format, key)
        info = self._info(kid=key.kid, public=key.public, attributes=attributes)
        # If another process created this version first, this raises KeyExistsError and writes nothing.
        return self.opened.writable.create(self.opened.codec.pack(key, info, lenient=lenient))

    def _info(self, **others: Any) -> RecordInfo:
        return self.plan.info(self.name, self.version, state_since=self.now, created=self.now, **others)

    def _named(self, key: Key) -> Key:
        """`key` with its kid, which no other version of the name may have: a verifier could not tell them apart."""
        named = key.replace(kid=key.kid or self.plan.kid_for(self.name, self.version, key))
        for other in self.others:
            if other.kid == named.kid:
                raise KeyExistsError(
                    f"the kid of the new version is already used by {other.reference}", hint="pass another --kid"
                )
        return named


def generate(
    context: RingContext, name: str, wanted: NewVersion, *, store: str | None = None, allow_duplicate: bool = False
) -> RecordInfo:
    """`KeyRing.generate`."""
    opened = context.stores.get(store, name=check_name(name))
    now = context.clock()
    plan = make_plan(context.registry, context.config.key(name), wanted, now=now)
    creation = _Creation(opened, plan, name, 1, (), now)

    def make() -> RecordInfo:
        _check_new(context, opened, name, store=store, allow_duplicate=allow_duplicate)
        return creation.generate()

    return context.operations.run(lambda: creation.describe(context, "generate"), make)


def ensure(
    context: RingContext, names: Sequence[str], *, store: str | None, allow_duplicate: bool
) -> tuple[RecordInfo, ...]:
    """`KeyRing.ensure`."""
    for name in names:
        if check_name(name) not in context.config.keys:
            path = context.config.key(name).path
            raise ConfigError(f"key {name} is not declared in the configuration", hint=f"add a table {path}")
    made = []
    for name in names or context.config.keys:
        if context.stores.get(store, name=name).store.versions(name):
            continue
        try:
            made.append(generate(context, name, NewVersion(), store=store, allow_duplicate=allow_duplicate))
        except KeyExistsError:
            if not context.stores.get(store, name=name).store.versions(name):
                raise  # it is in another store
            # Another process created it first: what was wanted exists.
    return tuple(made)


def rotate(context: RingContext, name: str, wanted: NewVersion, *, store: str | None) -> RecordInfo:
    """`KeyRing.rotate`."""
    opened = context.stores.get(store, name=check_name(name))
    _ = opened.writable  # a read-only store is refused before its keys are opened
    return rotate_after(context, opened, context.stores.versions(opened, name), wanted)


def rotate_after(
    context: RingContext, opened: OpenStore, others: Sequence[RecordInfo], wanted: NewVersion
) -> RecordInfo:
    """Create the version after the last of `others`, and no later one. Raises: as `KeyRing.rotate`.

    A lost race: if another process created that version after `others` was read, the store's create-if-absent raises
    KeyExistsError, and nothing is written. There is no second attempt: the name was rotated just now, and the caller
    decides whether to rotate again.
    """
    last = others[-1]
    now = _not_before(last, context.clock())
    plan = plan_rotation(context.registry, context.config.key(last.name), opened, last, wanted, now)
    creation = _Creation(opened, plan, last.name, last.version + 1, others, now)
    return context.operations.run(lambda: creation.describe(context, "rotate"), creation.generate)


def _not_before(last: RecordInfo, now: datetime) -> datetime:
    """`now`, but not earlier than the last version: else the overlap of the others would end before it began."""
    return max(now, last.created or now)


def import_key(
    context: RingContext,
    name: str,
    data: Secret | None,
    wanted: NewVersion,
    *,
    public: bool,
    lenient: bool,
    as_new_version: bool,
    store: str | None,
    allow_duplicate: bool,
    report: Report,
) -> RecordInfo:
    """`KeyRing.import_key`; `data` is None if it was not given as bytes."""
    encoded = check_encoded_key(data)
    check_texts(format=wanted.format)
    check_kid(wanted.kid)
    if not as_new_version and (wanted.activate_in is not None or wanted.overlap is not None):
        raise ConfigError(
            "activate_in and overlap apply only to a next version", hint="pass --as-new-version, or leave them out"
        )
    if as_new_version and allow_duplicate:
        raise ConfigError("--as-new-version and --allow-duplicate exclude each other", hint="remove one of them")
    opened = context.stores.get(store, name=check_name(name))
    registry = context.registry
    format_ = find_format(registry, encoded) if wanted.format is None else registry.format(wanted.format)
    key = decode_key(registry, format_, encoded, lenient=lenient, report=report)
    _check_half(key, public=public)
    others = context.stores.versions(opened, name) if as_new_version else ()
    now = context.clock()
    if others:
        now = _not_before(others[-1], now)
        _check_succession(opened, key, others)
    plan = _import_plan(context, name, key, format_, others, wanted, now)
    key = key.replace(kid=key.kid if wanted.kid is None else wanted.kid)
    creation = _Creation(opened, plan, name, others[-1].version + 1 if others else 1, others, now)

    def store_it() -> RecordInfo:
        if not as_new_version:
            _check_new(context, opened, name, store=store, allow_duplicate=allow_duplicate)
        return creation.store(key, lenient=lenient)

    def request() -> ReviewRequest:
        return creation.describe(context, "import", kid=key.kid, bits=plan.key_type.bits(key))

    return context.operations.run(request, store_it)


def _import_plan(
    context: RingContext,
    name: str,
    key: Key,
    format_: Format,
    others: Sequence[RecordInfo],
    wanted: NewVersion,
    now: datetime,
) -> Plan:
    """The plan for a key that exists: `[keys.NAME]` does not decide what kind of key others created."""
    activates, overlap, labels = None, wanted.overlap, wanted.labels or {}
    if others:
        table = context.config.key(name)
        activates = activation_of(table, wanted.activate_in, now)
        overlap = table.common().optional_duration("overlap") if overlap is None else overlap
        labels = {**others[-1].labels, **labels}
    activates, expires = check_times(activates, wanted.expires, overlap, now)
    return Plan(
        key_type=context.registry.key_type(key.type),
        format=format_,
        options=Options(),
        kid=wanted.kid,
        labels=check_labels(labels),
        attributes=Attributes(),
        activates=activates,
        expires=expires,
        overlap=overlap,
    )


def _check_half(key: Key, *, public: bool) -> None:
    if key.secret is None and not public:
        raise NotExportableError(
            "the data is a public key, where a secret key is expected",
            hint="pass --public to import it for verification only",
        )
    if key.secret is not None and public:
        raise UnsupportedKeyError(
            "the data is a secret key", hint="leave out --public, or convert it to its public half first"
        )


def _check_succession(opened: OpenStore, key: Key, others: Sequence[RecordInfo]) -> None:
    """Refuse a key that a version already is (it may be compromised), and one after which nothing could sign."""
    for other in others:
        same = other.public == key.public
        if same and key.public is None:  # such as `oct`: its secret half identifies it
            same = other.state is not State.DESTROYED and opened.load(other).secret == key.secret
        if same:
            raise KeyExistsError(f"the key is already stored as {other.reference}", hint="import a different key")
    last = others[-1]
    ours = opened.signing is not None or last.state is State.DESTROYED or opened.load(last).secret is not None
    if key.secret is None and ours:
        raise PolicyError(
            f"{last.reference} is a secret key, and with a public key as its next version nothing could sign",
            hint="rotate it, or import the public key under another name",
        )


def _check_new(context: RingContext, opened: OpenStore, name: str, *, store: str | None, allow_duplicate: bool) -> None:
    """Refuse a first version of a name that exists, here or in a store that the configuration names."""
    if opened.writable.versions(name):
        raise KeyExistsError(
            f"store {opened.name!r} has {name} already",
            hint=f"create its next version with `keywright rotate {name}{context.stores.option(opened, name)}`, or "
            "with `import --as-new-version`",
        )
    if allow_duplicate:
        return
    if store is None and context.stores.default is None:
        _check_not_elsewhere(context, opened, name)
    else:
        _check_not_hidden(context, opened, name)


def _check_not_elsewhere(context: RingContext, opened: OpenStore, name: str) -> None:
    holders, silent = context.stores.elsewhere(opened, name)
    if silent:
        raise _unasked(silent[0], name)
    if holders:
        raise KeyExistsError(
            f"store {holders[0]!r} has {name} already, and the configuration now points it at store {opened.name!r}",
            hint=(
                f"move it with `keywright migrate --from {holders[0]} --to {opened.name} {name}`, or pass "
                "--allow-duplicate for a second key"
            ),
        )


def _check_not_hidden(context: RingContext, opened: OpenStore, name: str) -> None:
    """Refuse a second key of a name where the configured chain has one: one of the two would not be found."""
    try:
        table = context.stores.configured(name)
        chain = context.stores.chain(table) if table.backend == CHAIN else None
    except ConfigError:
        return  # the name is not looked for in another store
    if chain is None or opened.name not in chain.stores:
        return
    for store in chain.stores:
        if store == opened.name:
            continue
        try:
            infos = context.stores.get(store).store.versions(name)
        except KeywrightError:
            raise _unasked(store, name) from None
        if infos:
            raise KeyExistsError(
                f"store {store!r} has {name} already, and the configuration looks for it in chain {chain.name!r}, of "
                f"stores {opened.name!r} and {store!r}, where one key would hide the other",
                hint=f"run `keywright rotate {name}` for its next version, or pass --allow-duplicate for a second key",
            )


def _unasked(store: str, name: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"store {store!r} is not available, so it is unknown whether it has {name}",
        hint="make it available, or pass --allow-duplicate for a second key",
    )
