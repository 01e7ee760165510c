"""`KeyRing`: the workflow. Here, and only here, key types, formats, seals and stores meet."""

from __future__ import annotations

from keywright.ring.changing import Changing
from keywright.ring.encrypting import Encrypting
from keywright.ring.examining import Examining
from keywright.ring.importing import Importing
from keywright.ring.migrating import Migrating
from keywright.ring.resealing import Resealing
from keywright.ring.timing import Timing
from keywright.ring.using import Using

__all__ = ["KeyRing"]


class KeyRing(Importing, Timing, Examining, Using, Encrypting, Changing, Migrating, Resealing):
    """Makes, keeps and uses keys as a configuration says. Safe to use from threads, and after a fork.

    Methods that take `store` use the store of that name; without it, the ring's own, else the one that `[keys.NAME]`
    says, else `default_store`. Wherever a store is used, StoreUnavailableError, AccessDeniedError, DamagedStoreError,
    ConfigError (the store's settings are wrong) and UnknownPluginError (its backend is not installed) may be raised
    beside what a method states; where something is written, ReadOnlyStoreError, DurabilityUnknownError and
    PolicyError (a plugin objects) too.
    """
