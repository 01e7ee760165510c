"""The store backend `memory`: for tests and temporary rings. Its content ends with the process."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from keywright.errors import (
    KeyExistsError,
    KeywrightError,
    conflict,
    key_exists,
    key_not_found,
    no_payload,
    not_destroyed,
    payload_of_destroyed,
)
from keywright.plugins.hooks import hookimpl
from keywright.protocols import Capabilities, CreateResult
from keywright.records import Record, RecordInfo, Revision, State
from keywright.settings.model import Options, Setting

if TYPE_CHECKING:
    from keywright.protocols import Guard, StoreBackend
    from keywright.secret import Secret

__all__ = ["KEYWRIGHT_API", "MemoryBackend", "MemoryStore"]

KEYWRIGHT_API = 1

ID_SETTING: Final = Setting(
    "id", "text", default="", help="stores opened with the same id share what they hold; empty: a fresh store each time"
)


class MemoryStore:
    """Records in this process's memory. Safe to use from threads; a `WritableStore`."""

    def __init__(self) -> None:
        from threading import RLock

        self._lock = RLock()
        self._records: dict[str, dict[int, Record]] = {}
        self._names: list[str] = []  # the keys of _records, in order; an interrupted call may leave an extra one
        self._writes = 0  # never goes back, so that no revision comes twice

    def get(self, name: str, version: int) -> Record:
        """One record.

        Raises:
            KeyNotFoundError: there is no such name, or no such version of it.
        """
        with self._lock:
            record = self._find(name, version)
        return Record(_own(record.info), record.payload)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions of a name, ascending; `()` if there are none."""
        with self._lock:
            records = self._records.get(name, {})
            return tuple(_own(records[version].info) for version in sorted(records))

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names as they are now, in order; writes that come while iterating change nothing."""
        found: list[str] = []
        with self._lock:
            start = max(bisect_left(self._names, prefix), bisect_right(self._names, after))
            for index in range(start, len(self._names)):
                name = self._names[index]
                if not name.startswith(prefix) or (limit is not None and len(found) >= limit):
                    break
                if name in self._records:
                    found.append(name)
        return iter(found)

    def scan(self, prefix: str = "") -> Iterator[Sequence[RecordInfo]]:
        """The versions of each name that has any."""
        return (infos for name in self.names(prefix) if (infos := self.versions(name)))

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """Add a version.

        Raises:
            KeyExistsError: it exists already; nothing was written.
            ConflictError: the record of `guard` has another revision; nothing was written.
            UnsupportedOperationError: its state is `destroyed` but it has a payload.
        """
        if record.payload is not None:
            _refuse_destroyed(record.info)
        name, version = record.info.name, record.info.version
        with self._lock:
            self._check_guard(guard)
            if version in self._records.get(name, {}):
                raise key_exists(name, version)
            index = bisect_left(self._names, name)
            if self._names[index : index + 1] != [name]:
                self._names.insert(index, name)
            return self._put(record)

    def create_many(self, records: Sequence[Record], *, guard: Guard | None = None) -> Sequence[CreateResult]:
        """Add versions, one after another. Returns a result for each.

        Raises:
            ConflictError: the record of `guard` has another revision; nothing was written.
        """
        results = []
        with self._lock:
            self._check_guard(guard)
            for record in records:
                try:
                    results.append(CreateResult("created", self.create(record)))
                except KeyExistsError as error:
                    results.append(CreateResult("exists", error=error))
                except KeywrightError as error:
                    results.append(CreateResult("failed", error=error))
        return results

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace a version's metadata.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs, or that of the record of `guard`; nothing was written.
            UnsupportedOperationError: the state is `destroyed`, and the version has a payload.
        """
        with self._lock:
            old = self._expected(info.name, info.version, expected, guard)
            if old.payload is not None:
                _refuse_destroyed(info)
            return self._put(Record(info, old.payload))

    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        """Replace a version's payload.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs, or that of the record of `guard`; nothing was written.
            UnsupportedOperationError: the version has no payload.
        """
        with self._lock:
            old = self._expected(name, version, expected, guard)
            if old.payload is None:
                raise no_payload(name, version)
            return self._put(Record(old.info, payload))

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace a version's metadata and erase its payload.

        Raises:
            KeyNotFoundError: the version does not exist.
            ConflictError: its revision differs, or that of the record of `guard`; nothing was written.
            UnsupportedOperationError: the state is not `destroyed`.
        """
        if info.state is not State.DESTROYED:
            raise not_destroyed(info.name, info.version)
        with self._lock:
            self._expected(info.name, info.version, expected, guard)
            return self._put(Record(info, None))

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name.

        Raises:
            KeyNotFoundError: the name does not exist.
            ConflictError: the revisions of its versions differ; nothing was removed.
        """
        with self._lock:
            infos = self.versions(name)
            if not infos:
                raise key_not_found(name)
            if [info.revision for info in infos] != list(expected):
                raise conflict(name)
            del self._records[name]
            del self._names[bisect_left(self._names, name)]

    def _expected(self, name: str, version: int, expected: Revision, guard: Guard | None) -> Record:
        self._check_guard(guard)
        old = self._find(name, version)
        if old.info.revision != expected:
            raise conflict(name, version)
        return old

    def _check_guard(self, guard: Guard | None) -> None:
        if guard is None:
            return
        record = self._records.get(guard.name, {}).get(guard.version)
        if record is None or record.info.revision != guard.revision:
            raise conflict(guard.name, guard.version)

    def _find(self, name: str, version: int) -> Record:
        record = self._records.get(name, {}).get(version)
        if record is None:
            raise key_not_found(name, version)
        return record

    def _put(self, record: Record) -> RecordInfo:
        self._writes += 1
        info = _own(record.info, Revision(str(self._writes)))
        stored, returned = Record(info, record.payload), _own(info)
        # One step, so that an interrupt comes before it or after.
        if info.name in self._records:
            self._records[info.name][info.version] = stored
        else:
            self._records[info.name] = {info.version: stored}
        return returned


def _refuse_destroyed(info: RecordInfo) -> None:
    if info.state is State.DESTROYED:
        raise payload_of_destroyed(info.name, info.version)


def _own(info: RecordInfo, revision: Revision | None = None) -> RecordInfo:
    """A copy with labels of its own."""
    return info.replace(labels=dict(info.labels), revision=info.revision if revision is None else revision)


class MemoryBackend:
    """Opens memory stores."""

    name = "memory"
    settings = (ID_SETTING,)
    capabilities = Capabilities(writable=True, metadata=True, shared=False, persistent=False, guarded=True)

    def __init__(self) -> None:
        self._stores: dict[str, MemoryStore] = {}

    def open(self, options: Options) -> AbstractContextManager[MemoryStore]:
        """Open the store of this id, or a new one for the empty id."""
        identity = options.text("id")
        store = MemoryStore()
        # setdefault is atomic: two threads that open one id get one store.
        return nullcontext(self._stores.setdefault(identity, store) if identity else store)


_BACKEND: Final = MemoryBackend()


@hookimpl
def keywright_register_store_backends() -> Sequence[StoreBackend]:
    """The one backend of this process, so that ids are shared between registries."""
    return (_BACKEND,)
