"""What every part of a key ring stands on: its configuration, its plugins, its clock and its opened stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from keywright import lifecycle
from keywright.errors import KeyNotFoundError, PolicyError
from keywright.names import Reference
from keywright.record import RecordInfo
from keywright.ring.opened import OpenedStore
from keywright.ring.operation import perform

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from keywright.config import Config
    from keywright.events import ReviewRequest
    from keywright.registry import Registry

__all__ = ["RingBase"]

_T = TypeVar("_T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RingBase:
    """Opens and closes stores, and finds versions in them."""

    def __init__(
        self,
        config: Config,
        plugins: Registry,
        *,
        clock: Callable[[], datetime] = _utc_now,
        store: str | None = None,
    ) -> None:
        """A ring over what `config` says; nothing is opened before it is needed.

        `clock` gives the time in UTC. `store` goes before whatever the configuration says.
        """
        self.config = config
        self.plugins = plugins
        self._clock = clock
        self._store = store
        self._opened: dict[str, OpenedStore] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every store that was opened; a signer opens its store again when it next needs it."""
        with ExitStack() as all_of_them:
            while self._opened:
                all_of_them.callback(self._opened.popitem()[1].close)

    def now(self) -> datetime:
        """The time by the ring's clock, in UTC."""
        return self._clock()

    def open_store(self, store: str | None = None, *, name: str | None = None) -> OpenedStore:
        """The configured store called `store`, or the one for the key `name`, or the default; opened on first use.

        Raises:
            ConfigError: no such store is configured, or its settings are wrong.
            UnknownPluginError: its backend or seal is not installed.
        """
        wanted = store or self._store
        if wanted is None and name is not None:
            wanted = self.config.key(name).common().optional_text("store")
        table = self.config.store(wanted)
        opened = self._opened.get(table.name)
        if opened is None:
            # setdefault is atomic: threads that come at once get one store, for a second one might hold other keys.
            opened = self._opened.setdefault(table.name, OpenedStore(table, self.config, self.plugins))
        return opened

    def _versions(self, opened: OpenedStore, name: str, version: int | None = None) -> Sequence[RecordInfo]:
        infos = opened.store.versions(name)
        if not infos:
            raise KeyNotFoundError(
                f"store {opened.name!r} has no key {name}; make one with generate or import, or name another --store"
            )
        if version is not None and all(info.version != version for info in infos):
            known = ", ".join(str(info.version) for info in infos)
            raise KeyNotFoundError(f"{name} has no version {version} in store {opened.name!r}; it has: {known}")
        return infos

    def _resolve(
        self, reference: Reference, store: str | None, *, any_single: bool = False
    ) -> tuple[OpenedStore, RecordInfo]:
        """The version that a reference names: that one, or the primary; with `any_single`, also an only version."""
        opened = self.open_store(store, name=reference.name)
        infos = self._versions(opened, reference.name, reference.version)
        if reference.version is not None:
            return opened, next(info for info in infos if info.version == reference.version)
        if any_single and len(infos) == 1:
            return opened, infos[0]
        now = self._clock()
        info = lifecycle.primary(infos, now)
        if info is None:
            raise PolicyError(
                f"{reference} has no version that signs, so say which is meant, such as {infos[-1].reference}: "
                f"{lifecycle.why_not(infos, now)}"
            )
        return opened, info

    def _perform(self, describe: Callable[[], ReviewRequest], action: Callable[[], _T]) -> _T:
        return perform(self.plugins, describe, self._clock, action)
