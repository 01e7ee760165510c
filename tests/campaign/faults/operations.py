"""The stores that faults are driven through, and the operations during which they strike."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final

from support.rings import writable

import keywright
from keywright import KeyRing, Record, RecordInfo, Registry, Secret, WritableStore

BACKENDS: Final = ("file", "sqlite")
_LARGE: Final = 4_500  # bytes, 6,000 as text: more than one page of a database


def open_ring(backend: str, path: str, registry: Registry) -> KeyRing:
    """A ring over one store."""
    table = {"backend": backend, "path": path, **({"timeout": "1s"} if backend == "sqlite" else {})}
    return keywright.open({"default_store": "local", "stores": {"local": table}}, registry=registry)


def open_store(ring: KeyRing) -> WritableStore:
    """The ring's store, opened."""
    return writable(ring)


def stock(ring: KeyRing) -> None:
    """What is in the store before an operation: two versions to work on, and neighbours that stay as they are."""
    ring.generate("a", type="oct")
    ring.rotate("a")
    ring.generate("a/b", type="oct", labels={"who": "neighbour"})
    open_store(ring).create(Record(RecordInfo(name="large", version=1), _large()))


def _large() -> Secret:
    # Not hexadecimal: eight digits of it are met elsewhere by chance.
    return Secret(b64encode(os.urandom(_LARGE)))


def _replace(ring: KeyRing) -> None:
    store = open_store(ring)
    info = store.get("large", 1).info
    store.replace_payload(info.name, info.version, _large(), info.revision)


def _remove(ring: KeyRing) -> None:
    store = open_store(ring)
    store.remove("a", [info.revision for info in store.versions("a")])


def _read(ring: KeyRing) -> None:
    for name in open_store(ring).names():
        open_store(ring).versions(name)


OPERATIONS: Final[Mapping[str, Callable[[KeyRing], object]]] = {
    "first": lambda ring: ring.generate("x/y", type="oct"),
    "create": lambda ring: ring.generate("x/y", type="oct"),
    "update": lambda ring: ring.label("a@1", {"who": "me"}),
    "rotate": lambda ring: ring.rotate("a"),
    "destroy": lambda ring: ring.destroy("a@1"),
    "replace": _replace,
    "remove": _remove,
    "recover from create": _read,
    "recover from destroy": _read,
    "recover from replace": _read,
    "recover from remove": _read,
    "create after a killed destroy": lambda ring: ring.generate("x/y", type="oct"),
    "create after a killed replace": lambda ring: ring.generate("x/y", type="oct"),
    "create after a killed remove": lambda ring: ring.generate("x/y", type="oct"),
}
"""What is done, by name."""

STARTS: Final[Mapping[str, str]] = {
    "first": "",
    "recover from create": "create",
    "recover from destroy": "destroy",
    "recover from replace": "replace",
    "recover from remove": "remove",
    "create after a killed destroy": "destroy",
    "create after a killed replace": "replace",
    "create after a killed remove": "remove",
}
"""Where it does not start from a whole store: the operation whose process was killed before; empty: from nothing."""
