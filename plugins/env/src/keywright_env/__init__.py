"""keywright plugin: the environment variable store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import StoreBackend

KEYWRIGHT_API = 1


@hookimpl
def keywright_register_store_backends() -> Sequence[StoreBackend]:
    """The backend `env`."""
    from keywright_env.backend import EnvBackend

    return (EnvBackend(),)
