"""What a store holds, and which bytes of which secrets lie in its files."""

from __future__ import annotations

import json
import os
from binascii import crc32
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from keywright import WritableStore, encode_info

__all__ = ["Kept", "State", "after", "observe", "secrets_found", "strays"]

_WINDOW = 8  # bytes: what counts as a trace of a secret


@dataclass(frozen=True)
class Kept:
    """A record as text: its metadata, encoded, and its payload."""

    info: str
    payload: str | None

    @property
    def secret(self) -> bytes:
        """What of the payload nobody else may see."""
        if self.payload is None:
            return b""
        if self.payload.startswith("{"):
            return str(json.loads(self.payload)["k"]).encode()
        return self.payload.encode()


State = Mapping[tuple[str, int], Kept]


def observe(store: WritableStore) -> State:
    """All that a reader sees, by every way to see it."""
    state = {}
    for name in store.names():
        for info in store.versions(name):
            record = store.get(name, info.version)
            assert record.info == info, "get and versions disagree"
            payload = None if record.payload is None else record.payload.reveal().decode()
            state[name, info.version] = Kept(encode_info(info).decode(), payload)
    return state


def after(state: State, told: Iterable[bytes]) -> State:
    """The state that follows once the store has done all it was given (see `child.perform`)."""
    new = dict(state)
    for line in told:
        if not line.startswith(b"given "):
            continue
        given = json.loads(line.removeprefix(b"given "))
        if "remove" in given:
            new = {key: kept for key, kept in new.items() if key[0] != given["remove"]}
        else:
            new[given["name"], given["version"]] = Kept(given["info"], given["payload"])
    return new


def secrets_found(directory: str, *, known: Iterable[State], allowed: State) -> list[str]:
    """Files that hold eight bytes of a secret which is known and not allowed. A secret lies nowhere but in files."""
    forbidden = _windows(kept.secret for state in known for kept in state.values())
    forbidden -= _windows(kept.secret for kept in allowed.values())
    found = []
    for path in _files(directory):
        with open(path, "rb") as file:
            if not forbidden.isdisjoint(_windows([file.read()])):
                found.append(os.path.relpath(path, directory))
    return found


def _windows(texts: Iterable[bytes]) -> set[bytes]:
    return {text[at : at + _WINDOW] for text in texts for at in range(len(text) - _WINDOW + 1)}


def _files(directory: str) -> Iterator[str]:
    for above, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(above, name)


def strays(backend: str, path: str, state: State) -> list[str]:
    """Files at `path`, or beside it, that a closed store in this state does not need."""
    expected = {path}
    if backend == "file":
        expected = {os.path.join(path, ".keywright", name) for name in ("format", "lock")}
        for (name, version), kept in state.items():
            files = ["meta.json"]
            if kept.payload is not None:
                files += ["key", f"crc32-{crc32(kept.payload.encode()):08x}"]
            expected |= {os.path.join(path, name, f"@{version}", file) for file in files}
    place = os.path.dirname(path)
    return sorted(os.path.relpath(file, place) for file in _files(place) if file not in expected)
