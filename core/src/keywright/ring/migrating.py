"""The ring moves keys from one store to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from keywright.errors import ConfigError, KeyNotFoundError, ReadOnlyStoreError
from keywright.keys import check_name
from keywright.ring.base import RingBase
from keywright.ring.chain import BACKEND as CHAIN
from keywright.ring.migration import Migration, Moved, Outcome
from keywright.ring.migration_removal import remove_source
from keywright.ring.migration_rounds import Rounds
from keywright.settings.model import Given

if TYPE_CHECKING:
    from keywright.ring.opened import OpenedStore

__all__ = ["Migrating", "Moved", "Outcome"]


class Migrating(RingBase):
    """Copies what a store holds into another, and takes it away at the end where that is asked for."""

    def migrate(
        self,
        *names: str,
        from_: str,
        to: str,
        dry_run: bool = False,
        update: bool = False,
        delete_source: bool = False,
        in_use: bool = False,
    ) -> Iterator[Moved]:
        """Copy all versions of these names, or of all names, from one configured store to another.

        States, times, labels and tombstones go along; a version is read back and compared before it counts. The newest
        goes first, so that the target never signs with an older one meanwhile; of a name that is in conflict, or that
        the target cannot hold, nothing is copied, and nothing older than a version that failed. Interrupted anywhere,
        the same call finishes it. What changes in the source while it works is copied again until nothing changes any
        more.

        Args:
            from_: the name of a configured store.
            to: the name of another.
            dry_run: say what would be done, and write nothing. Reviewers are asked, with `dry_run` set.
            update: a copy in the target that is the same key, and differs only in labels, state and what follows from
                that, is brought up to date; else it is a conflict, for it may have been changed there. Where one of
                the two is destroyed, or that in the target compromised, and the other is not, it is a conflict always.
            delete_source: at the end, if nothing failed or was in conflict, remove each name from the source, unless
                it changed meanwhile.
            in_use: remove it even though this ring looks for the name there, and would find it no more.

        Raises:
            ConfigError: there is no such store, or the two are one; or the source is to be deleted, and the target
                forgets all when the process ends, or the configuration points a name at the source (see `in_use`); or
                `in_use` was said without that.
            ReadOnlyStoreError: the target takes no writes, or the source, where it is to be deleted.
            KeyNotFoundError: the source has no such name.
            StoreError: the names cannot be listed.
            ConflictError: the source kept changing, so that not all of it could be copied.
        """
        if in_use and not delete_source:
            raise ConfigError("in_use is about removing from the source; say --delete-source, or leave out --in-use")
        source, target = self.open_store(from_), self.open_store(to)
        if source.is_same_place(target):
            raise ConfigError(f"stores {source.name!r} and {target.name!r} are one and the same; name two")
        _check_writable(source, target, delete_source=delete_source)
        if delete_source and source.capabilities.persistent and not target.capabilities.persistent:
            raise ConfigError(
                f"store {target.name!r} forgets all when the process ends, so what is removed from store "
                f"{source.name!r} would be lost; leave out --delete-source, or name another store with --to"
            )
        for name in names:
            _check_there(source, target, check_name(name))
        if delete_source and not in_use:
            self._check_unused(names, source, target)
        migration = Migration(self, source, target, dry_run)
        rounds = Rounds(migration, update=update)
        yield from rounds.all_of(names)
        if delete_source and rounds.is_clean:
            yield from remove_source(migration, rounds.settled())

    def _check_unused(self, names: Sequence[str], source: OpenedStore, target: OpenedStore) -> None:
        for name in names or source.store.names():
            setting = self._pointing(name, source.name, target.name)
            if setting is not None:
                raise setting.error(
                    f"points {name} at store {source.name!r}, where it is to be removed, and not at {target.name!r}; "
                    "change that first, or say --in-use"
                )

    def _pointing(self, name: str, source: str, target: str) -> Given | None:
        """The setting by which a name is looked for in the source and not in the target, if there is one."""
        table = self._table(None, name)
        if table.backend == CHAIN:
            stores = self._chain(table).stores
            if source in stores and target not in stores:
                return table.given["stores"]
            # It would still be found, and nothing could be done to it any more: a chain writes to one store.
            write_to = table.given.get("write_to")
            return write_to if write_to is not None and write_to.value == source else None
        if table.name != source:
            return None
        if self._store is not None:
            return Given(self._store, "store", "argument", "")
        # In `given` the settings that are in no table come first.
        default = (one for one in self.config.given if one.path.rpartition(".")[2] == "default_store")
        return self.config.key(name).given.get("store") or next(default)


def _check_writable(source: OpenedStore, target: OpenedStore, *, delete_source: bool) -> None:
    """Refuse what takes no writes, before anything is read."""
    if not target.capabilities.writable:
        raise ReadOnlyStoreError(
            f"store {target.name!r} is read-only, so nothing can be copied into it; name another one with --to"
        )
    if delete_source and not source.capabilities.writable:
        raise ReadOnlyStoreError(
            f"store {source.name!r} is read-only, so nothing can be removed from it; leave out --delete-source"
        )
    _ = target.store  # what cannot be opened is told first, too


def _check_there(source: OpenedStore, target: OpenedStore, name: str) -> None:
    if source.store.versions(name):
        return
    if target.store.versions(name):
        raise KeyNotFoundError(
            f"store {source.name!r} has no key {name}, and store {target.name!r} has it; leave it out, or exchange "
            "--from and --to if they are mixed up"
        )
    raise KeyNotFoundError(f"store {source.name!r} has no key {name}; leave it out")
