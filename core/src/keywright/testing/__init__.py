"""The contract kit: test classes that plugin authors subclass, strategies, and stand-ins for tests.

Needs pytest and hypothesis: install `keywright-core[testing]`. Each test method carries the id of its rule, such as
`STORE-26`, as the first word of its docstring.
"""

# ruff: noqa: E402 - what is missing is said, and asserts are prepared, before the kit itself is imported

from __future__ import annotations

from pkgutil import iter_modules

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the message below can say what to do
    import pytest
except ImportError:
    raise ImportError("keywright.testing needs pytest and hypothesis; install keywright-core[testing]") from None

# Before they are imported, so that a failed assert in them is explained like one in a test file.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from keywright.testing import strategies
from keywright.testing.format_samples import Sample
from keywright.testing.formats import FormatContract
from keywright.testing.key_types import KeyTypeContract
from keywright.testing.leaks import assert_hidden, everything_in, traceback_with_locals
from keywright.testing.memory_seal import MemorySeal
from keywright.testing.memory_signing_store import MemorySigningBackend
from keywright.testing.on_disk_stores import OnDiskStoreContract
from keywright.testing.plugins import PluginContract
from keywright.testing.record_stores import OpenWritableStore
from keywright.testing.seals import OpenSeal, SealContract
from keywright.testing.signing_stores import OpenSigningStore, SigningStoreContract
from keywright.testing.stores import OpenStore, StoreContract
from keywright.testing.writable_stores import WritableStoreContract

__all__ = [
    "FormatContract",
    "KeyTypeContract",
    "MemorySeal",
    "MemorySigningBackend",
    "OnDiskStoreContract",
    "OpenSeal",
    "OpenSigningStore",
    "OpenStore",
    "OpenWritableStore",
    "PluginContract",
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
