"""The ring makes keys: generate, ensure, rotate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, KeyExistsError, KeywrightError, StoreUnavailableError
from keywright.keys import check_name
from keywright.records import RecordInfo
from keywright.ring.base import RingBase
from keywright.ring.chain import BACKEND as CHAIN
from keywright.ring.chain import Chain
from keywright.ring.operation import describe
from keywright.ring.plan import Plan, Wanted, make_plan
from keywright.ring.rotation import plan_rotation
from keywright.ring.times import check_duration
from keywright.ring.version import generate_version

if TYPE_CHECKING:
    from keywright.config.model import KeyTable
    from keywright.events import Operation, ReviewRequest
    from keywright.ring.opened import OpenedStore

__all__ = ["Making", "activation_of"]


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
