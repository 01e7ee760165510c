"""What the process does in which a fault strikes: open a store, do one operation, say how it went."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

from faults.operations import OPERATIONS, open_ring, open_store

from keywright import Record, Registry, WritableStore, encode_info
from keywright.cli.failures import BUG, exit_code
from keywright.errors import KeywrightError

__all__ = ["perform"]

Tell = Callable[[bytes], None]


def perform(operation: str, backend: str, path: str, registry: Registry, store: type[WritableStore], tell: Tell) -> int:
    """Do it, tell what the store (an instance of `store`) was given and how it ended, and return the exit code."""
    _watch(store, tell)
    code = 0
    ending = {}
    try:
        with open_ring(backend, path, registry) as ring:
            open_store(ring)
            OPERATIONS[operation](ring)
            tell(b"done")
    except KeywrightError as error:
        code = exit_code(error)
        ending = {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:
        code = BUG
        ending = {"error": type(error).__name__, "message": traceback.format_exc()}
    tell(b"ended " + json.dumps(ending).encode())
    return code


def _watch(store: type[WritableStore], tell: Tell) -> None:
    """Tell what a store is given before it gets it, so that a random key is known even if its process is killed."""
    for method in ("create", "update", "remove"):
        setattr(store, method, _watched(getattr(store, method), tell))


def _watched(method: Callable[..., Any], tell: Tell) -> Callable[..., Any]:
    def call(store: WritableStore, given: Record | str, **more: object) -> object:
        if isinstance(given, str):
            fact: dict[str, object] = {"remove": given}
        else:
            payload = None if given.payload is None else given.payload.reveal().decode()
            fact = {"name": given.info.name, "version": given.info.version, "payload": payload}
            fact["info"] = encode_info(given.info).decode()
        tell(b"given " + json.dumps(fact).encode())
        return method(store, given, **more)

    return call
