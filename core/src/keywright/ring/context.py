"""`RingContext`, the parts of a key ring that its operations share, and `Operations`, which has them reviewed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from keywright.ring.stores import Stores

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.events import Operation, ReviewRequest
    from keywright.keys import Key
    from keywright.plugins.observers import Observers
    from keywright.plugins.registry import Registry
    from keywright.records import RecordInfo
    from keywright.ring.stores import OpenStore

_T = TypeVar("_T")


class RingContext:
    """What the functions of this package get.

    Attributes:
        config: the configuration.
        registry: the plugins that are installed.
        observers: the plugins that review and observe this ring.
        clock: returns the time in UTC.
        stores: the configured stores.
        operations: runs what changes or reveals a key.
    """

    __slots__ = ("clock", "config", "observers", "operations", "registry", "stores")

    def __init__(self, config: Config, registry: Registry, *, clock: Callable[[], datetime], store: str | None) -> None:
        """`store` takes precedence over the stores that `config` names. Raises: as `Registry.observers`."""
        self.config = config
        self.registry = registry
        self.observers = registry.observers(config)
        self.clock = clock
        self.stores = Stores(config, self.registry, default=store, clock=clock, report=self.observers.report)
        self.operations = Operations(self.observers, clock)


class Operations:
    """Runs the operations of a ring.

    Attributes:
        generation: replaced by another object after each operation that may have changed a key, which makes every
            earlier look-up out of date.
    """

    __slots__ = ("_clock", "_observers", "generation")

    def __init__(self, observers: Observers, clock: Callable[[], datetime]) -> None:
        """`observers` are the plugins that review and observe this ring."""
        self._observers = observers
        self._clock = clock
        self.generation: object = object()

    def describe(
        self,
        operation: Operation,
        opened: OpenStore,
        info: RecordInfo,
        *,
        bits: int | None = None,
        dry_run: bool = False,
    ) -> ReviewRequest:
        """The request for an operation on the version that `info` describes."""
        from keywright.events import ReviewRequest

        return ReviewRequest(
            operation=operation,
            who=_login_name(),
            name=info.name,
            version=info.version,
            kid=info.kid,
            store=opened.name,
            key_type=info.key_type,
            format=info.format,
            bits=bits,
            sealed=opened.seal.name is not None,
            labels=info.labels,
            created=info.created,
            expires=info.expires,
            time=self._clock(),
            dry_run=dry_run,
        )

    def run(self, request: Callable[[], ReviewRequest], action: Callable[[], _T], *, changes: bool = True) -> _T:
        """Ask the reviewers, act, and report the outcome to the observers. Without any of them, only act.

        `changes` is whether the action may change a key.

        Raises:
            PolicyError: a reviewer objects; nothing was done. Otherwise as `action`.
        """
        try:
            return self._observed(request(), action) if self._observers.listens else action()
        finally:
            if changes:
                # Also after an error: a write that failed may be visible all the same.
                self.generation = object()

    def _observed(self, request: ReviewRequest, action: Callable[[], _T]) -> _T:
        from keywright.events import KeyEvent

        kid, outcome = request.kid, "done"
        try:
            self._observers.review(request)
            result = action()
            kid = getattr(result, "kid", kid)  # of a new record or a bound key; before the action it may be unknown
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self._observers.observe(
                KeyEvent(
                    operation=request.operation,
                    who=request.who,
                    name=request.name,
                    version=request.version,
                    kid=kid,
                    store=request.store,
                    outcome=outcome,
                    time=self._clock(),
                )
            )
        return result

    def rehearse(self, request: Callable[[], ReviewRequest]) -> None:
        """Ask the reviewers about what would be done; `request` has `dry_run` set. Nothing is observed.

        Raises:
            PolicyError: a reviewer objects.
        """
        if self._observers.listens:
            self._observers.review(request())

    def load(self, opened: OpenStore, info: RecordInfo) -> Key:
        """The key of a version. If it has a secret half, this is an `export`. Raises: as `OpenStore.load`."""
        record = opened.store.get(info.name, info.version)
        if record.payload is None:
            return opened.codec.unpack(record)
        return self.run(
            lambda: self.describe("export", opened, opened.described(info)),
            lambda: opened.codec.unpack(record),
            changes=False,
        )


def _login_name() -> str:
    """The name of the user that this process runs as; the number where the system has no name for it."""
    try:
        import pwd
    except ImportError:  # Windows
        return os.environ.get("USERNAME", "")
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
