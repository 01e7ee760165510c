"""The contract kit: test classes that plugin authors subclass, strategies, and stand-ins for tests.

Needs pytest and hypothesis: install `keywright-core[testing]`. Each test method carries the id of its rule, such as
`STORE-26`, as the first word of its docstring.
"""

# ruff: noqa: E402 - what is missing is said, and asserts are prepared, before the kit itself is imported

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the message below can say what to do
    import pytest
except ImportError:
    raise ImportError("keywright.testing needs pytest and hypothesis; install keywright-core[testing]") from None

# Before they are imported, so that a failed assert in them is explained like one in a test file.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("formats", "key_types", "plugins", "seals", "stores"))
)

from keywright.testing import strategies
from keywright.testing.formats.contract import FormatContract
from keywright.testing.formats.samples import Sample
from keywright.testing.key_types.contract import KeyTypeContract
from keywright.testing.leaks import assert_hidden, everything_in, traceback_with_locals
from keywright.testing.plugins.contract import PluginContract
from keywright.testing.seals.contract import OpenSeal, SealContract
from keywright.testing.seals.memory import MemorySeal
from keywright.testing.stores.contract import OpenStore, OpenWritableStore, StoreContract
from keywright.testing.stores.memory import MemorySigningBackend
from keywright.testing.stores.on_disk import OnDiskStoreContract
from keywright.testing.stores.remote import Network, RemoteStoreContract
from keywright.testing.stores.signing import OpenSigningStore, SigningStoreContract
from keywright.testing.stores.writable import WritableStoreContract

__all__ = [
    "FormatContract",
    "KeyTypeContract",
    "MemorySeal",
    "MemorySigningBackend",
    "Network",
    "OnDiskStoreContract",
    "OpenSeal",
    "OpenSigningStore",
    "OpenStore",
    "OpenWritableStore",
    "PluginContract",
    "RemoteStoreContract",
    "Sample",
    "SealContract",
    "SigningStoreContract",
    "StoreContract",
    "WritableStoreContract",
    "assert_hidden",
    "everything_in",
    "strategies",
    "traceback_with_locals",
]
