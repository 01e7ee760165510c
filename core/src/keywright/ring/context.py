"""`RingContext`: the parts of a key ring that its operations share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from keywright.ring.review import Operations
from keywright.ring.stores import Stores

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.plugins.registry import Registry


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
