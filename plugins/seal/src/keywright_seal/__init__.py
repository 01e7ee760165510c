"""keywright plugin: seals, which encrypt what a store is given, under a passphrase or a master key."""

from __future__ import annotations

from keywright import hookimpl

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import Seal

KEYWRIGHT_API = 1


@hookimpl
def keywright_register_seals() -> Sequence[Seal]:
    """The seals `passphrase` and `master-key`."""
    from keywright_seal.seals import MasterKeySeal, PassphraseSeal

    return (PassphraseSeal(), MasterKeySeal())
