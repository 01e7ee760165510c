"""The store backend `chain`: several configured stores as one. The ring builds it, for it needs the others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from keywright.errors import ConfigError
from keywright.plugins.hooks import hookimpl
from keywright.protocols import Capabilities
from keywright.settings.model import Setting

if TYPE_CHECKING:
    from keywright.protocols import Store, StoreBackend
    from keywright.settings.model import Options

__all__ = ["KEYWRIGHT_API", "ChainBackend"]

KEYWRIGHT_API = 1


class ChainBackend:
    """What a chain may set. What its stores can do is theirs to say."""

    name = "chain"
    settings = (
        Setting("stores", "list", help="the stores that are asked, in this order; the first that has a name answers"),
        Setting("write_to", "text", None, "the one of them that new names go to; without it the chain is read-only"),
        Setting(
            "on_unavailable",
            "text",
            "fail",
            "whether a store that is unavailable is an error (fail), or the next store is asked (skip)",
            choices=("fail", "skip"),
        ),
    )
    capabilities = Capabilities(writable=True, metadata=True)

    def open(self, options: Options) -> AbstractContextManager[Store]:  # noqa: ARG002  (the contract's)
        """Refused.

        Raises:
            ConfigError: always: a chain is nothing without the ring that has its stores.
        """
        raise ConfigError("is a chain, which only a ring can open", hint="open a ring over the configuration")


_BACKEND: Final = ChainBackend()


@hookimpl
def keywright_register_store_backends() -> Sequence[StoreBackend]:
    """The one backend."""
    return (_BACKEND,)
