"""The end of a migration that empties its source: whole names, and none that changed since it was compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from keywright.errors import ConflictError, KeyExistsError, KeywrightError
from keywright.ring.copying import copy, plain, record_for
from keywright.ring.migration import Migration, Moved, Settled, numbered

__all__ = ["remove_source"]


def remove_source(migration: Migration, settled: Iterable[tuple[str, Settled]]) -> Iterator[Moved]:
    """Remove each name from the source that is as it was compared, there and in the target; or say that it would be."""
    for name, compared in settled:
        try:
            if migration.dry_run:
                yield _rehearsed(migration, name, compared)
            else:
                yield _removed(migration, name, compared)
        except KeywrightError as error:
            # What another migration took away meanwhile is where it belongs.
            if not _is_moved(migration, name, compared):
                yield Moved(name, "kept", error)


def _rehearsed(migration: Migration, name: str, compared: Settled) -> Moved:
    infos = migration.source.store.versions(name)
    if numbered(infos) != compared.source:
        raise _changed(name)
    migration.perform("remove", migration.source, infos[-1], lambda: None)
    return Moved(name, "removed")


def _removed(migration: Migration, name: str, compared: Settled) -> Moved:
    source, target = migration.source, migration.target
    infos = source.store.versions(name)
    kept = [plain(source, info) for info in infos]
    if (numbered(infos), migration.in_target(name, compared.versions)) != (compared.source, compared.target):
        raise _changed(name)
    expected = [info.revision for info in infos]
    migration.perform("remove", source, infos[-1], lambda: source.writable.remove(name, expected=expected))
    if migration.in_target(name, compared.versions) != compared.target:
        # Somebody took it away there at the same moment, or the two stores are one under two names.
        for one in reversed(kept):
            with suppress(KeyExistsError):  # it is back already
                copy(one, source, record_for(one, source))
        raise ConflictError(f"{name} is no more in store {target.name!r}, so it was put back; look into both")
    return Moved(name, "removed")


def _is_moved(migration: Migration, name: str, compared: Settled) -> bool:
    try:
        gone = not migration.source.store.versions(name)
        return gone and migration.in_target(name, compared.versions) == compared.target
    except KeywrightError:
        return False


def _changed(name: str) -> ConflictError:
    return ConflictError(f"{name} changed after it was copied, so it stays; run the same command again")
