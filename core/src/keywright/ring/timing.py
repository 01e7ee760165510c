"""The ring rotates what is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from keywright.errors import (
    ConfigError,
    KeyExistsError,
    KeywrightError,
    PolicyError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from keywright.keys import check_name
from keywright.lifecycle import Phase, newest_in_use, phases, why_not
from keywright.records import RecordInfo
from keywright.ring.given_texts import check_texts
from keywright.ring.making import Making
from keywright.ring.plan import Wanted, make_plan

if TYPE_CHECKING:
    from keywright.ring.opened import OpenedStore

__all__ = ["Due", "Timing"]


class Due(NamedTuple):
    """A name whose `rotate_every` has passed, or of which nobody could say.

    Attributes:
        name: the key's name.
        newest: the version that is too old, or of which nobody knows how old it is, or the last where none signs; None
            if it could not be read, or is in another store.
        since: since when it is due, in UTC; None where nobody could say.
        made: the version that follows it; None if none was made.
        error: why it could not be read, or rotated, or why nobody can say whether it is due.
    """

    name: str
    newest: RecordInfo | None
    since: datetime | None
    made: RecordInfo | None = None
    error: KeywrightError | None = None


class Timing(Making):
    """Rotates by the clock."""

    def due(self, *names: str, store: str | None = None) -> Iterator[Due]:
        """The names that are due for rotation; with `names`, of those alone. Nothing is changed.

        A name is due when its newest version was made `rotate_every` ago or longer (`[keys.NAME]`), or has expired.
        One that was never made is not. Where the store does not know when the version was made, `error` says so;
        likewise where the name is configured wrongly, its store fails or lacks what another one has or may have, or no
        version of it signs and none will.

        Raises:
            ConfigError: a name has no `rotate_every`.
        """
        for one, _ in self._due(names, store):
            yield one

    def rotate_due(self, *names: str, store: str | None = None) -> Iterator[Due]:
        """Rotate what `due` gives, and say of each what came of it. One that fails stops no other.

        Whoever calls it again finds what was rotated fresh. Of several that call it at once, each version is made by
        one; the others pass over it.

        Raises:
            ConfigError: a name has no `rotate_every`.
        """
        for one, infos in self._due(names, store):
            if one.error is not None:
                yield one
                continue
            try:
                opened = self.open_store(store, name=one.name)
                opened.writable  # noqa: B018  (a read-only store is refused before its keys are opened)
                yield one._replace(made=self._rotate(opened, infos, Wanted(), None))
            except KeyExistsError as error:
                if self.open_store(store, name=one.name).store.versions(one.name)[-1].version == infos[-1].version:
                    yield one._replace(error=error)  # its kid is taken, say; else somebody else rotated it meanwhile
            except KeywrightError as error:
                yield one._replace(error=error)

    def _due(self, names: tuple[str, ...], store: str | None) -> Iterator[tuple[Due, tuple[RecordInfo, ...]]]:
        check_texts(store=store)
        for name in names:  # before any of them is rotated
            table = self.config.key(check_name(name))
            if "rotate_every" not in table.given:
                raise ConfigError(
                    f"{name} has no rotation by the clock; set {table.path}.rotate_every, or rotate it now"
                )
        for name in names or self.config.keys:
            table = self.config.key(name)
            try:
                every = cast("timedelta | None", table.common()["rotate_every"])
                # Also where there seems to be none: one that is misspelt would never be heard of.
                make_plan(self.plugins, table, Wanted(), now=self._clock())
            except KeywrightError as error:
                yield Due(name, None, None, error=error), ()
                continue
            if every is None:
                continue
            try:
                opened = self.open_store(store, name=name)
                infos = tuple(opened.store.versions(name))
            except KeywrightError as error:
                yield Due(name, None, None, error=error), ()
                continue
            # Whoever says the store goes through the names of that one; those of others are none of its business.
            is_expected = bool(names) or (store is None and self._store is None)
            due = None
            if infos:
                due = self._judged(opened, infos, every)
            elif is_expected:
                due = self._left_behind(opened, name)
            if due is not None:
                yield due, infos

    def _left_behind(self, opened: OpenedStore, name: str) -> Due | None:
        """A name that its store lacks, where another store has it or could not be asked; None: it was never made."""
        holders, silent = self._elsewhere(opened, name)
        if holders:
            return Due(name, None, None, error=self._not_found(opened, name))
        if not silent:
            return None
        unasked = StoreUnavailableError(
            f"store {opened.name!r} has no key {name}, and nobody knows whether {silent[0]!r} has it, for that could "
            f"not be asked; mend that, or make one here with `keywright ensure --new-here {name}`"
        )
        return Due(name, None, None, error=unasked)

    def _judged(self, opened: OpenedStore, infos: tuple[RecordInfo, ...], every: timedelta) -> Due | None:
        """Whether the name is due by its newest version in use, or nobody can say; None: it is not."""
        now = self._clock()
        newest = newest_in_use(infos, now)
        if newest is None:
            if any(one.phase is Phase.ANNOUNCED for one in phases(infos, now)):
                return None
            name = infos[-1].name
            silenced = PolicyError(
                f"no version of {name} signs, and none is made by the clock: {why_not(infos, now)} by hand, or leave "
                f"out {self.config.key(name).path}.rotate_every"
            )
            return Due(name, infos[-1], None, error=silenced)
        ends = (None if newest.created is None else newest.created + every, newest.expires)
        since = min((end for end in ends if end is not None), default=None)
        if since is not None and since <= now:
            return Due(newest.name, newest, since)
        if newest.created is not None:
            return None
        way_out = (
            "rotate it by hand, and the next version has a time"
            if opened.capabilities.writable
            else f"leave out {self.config.key(newest.name).path}.rotate_every, or migrate it to a store that knows"
        )
        unknown = UnsupportedOperationError(
            f"store {opened.name!r} cannot tell when {newest.reference} was made, so nobody knows when it is due; "
            f"{way_out}"
        )
        return Due(newest.name, newest, None, error=unknown)
