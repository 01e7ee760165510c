"""The ring rotates what is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from keywright.errors import ConfigError, KeyExistsError, KeywrightError
from keywright.lifecycle import overdue
from keywright.names import check_name
from keywright.record import RecordInfo
from keywright.ring.making import Making
from keywright.ring.plan import Wanted, make_plan

__all__ = ["Due", "Timing"]


class Due(NamedTuple):
    """A name whose `rotate_every` has passed, or of which nobody could say.

    Attributes:
        name: the key's name.
        newest: the version that is too old; None if it could not be read.
        since: since when it is due, in UTC.
        made: the version that follows it; None if none was made.
        error: why it could not be read, or rotated.
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

        A name is due when its newest version was made `rotate_every` ago or longer (`[keys.NAME]`). One that was never
        made, or of which no version signs, is not.

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
        for name in names or self.config.keys:
            every = self._rotate_every(check_name(name), required=bool(names))
            if every is None:
                # A rotate_every that is misspelt would never be heard of.
                fault = self._table_fault(name)
                if fault is not None:
                    yield Due(name, None, None, error=fault), ()
                continue
            try:
                make_plan(self.plugins, self.config.key(name), Wanted(), now=self._clock())
                infos = tuple(self.open_store(store, name=name).store.versions(name))
            except KeywrightError as error:
                yield Due(name, None, None, error=error), ()
                continue
            newest = overdue(infos, every, self._clock())
            if newest is not None and newest.created is not None:
                yield Due(name, newest, newest.created + every), infos

    def _table_fault(self, name: str) -> KeywrightError | None:
        try:
            make_plan(self.plugins, self.config.key(name), Wanted(), now=self._clock())
        except KeywrightError as error:
            return error
        return None

    def _rotate_every(self, name: str, *, required: bool) -> timedelta | None:
        table = self.config.key(name)
        every = cast("timedelta | None", table.common()["rotate_every"])
        if every is None and required:
            raise ConfigError(f"{name} has no rotation by the clock; set {table.path}.rotate_every, or rotate it now")
        return every
