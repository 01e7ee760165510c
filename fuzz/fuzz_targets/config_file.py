"""A configuration file: read, checked, and handed to the store backends' own settings."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

from fuzz_targets.config_samples import LINES, SEEDS, mutate
from fuzz_targets.contract import attempt, require
from fuzz_targets.scratch import scratch_directory
from fuzz_targets.target import Target
from keywright import Config, Options, StoreBackend
from keywright.config.layers import SECTIONS, TOP_SETTINGS, dotted
from keywright.config.load import config_from, load_config
from keywright.config.model import KeyTable, SealTable, StoreTable
from keywright.errors import ConfigError
from keywright.settings.model import is_indirection
from keywright.settings.values import check_options
from keywright_env.backend import EnvBackend
from keywright_file.backend import FileBackend
from keywright_sqlite.backend import SqliteBackend

__all__ = ["TARGET"]

_BACKENDS: Final[dict[str, StoreBackend]] = {
    "env": EnvBackend(),
    "file": FileBackend(),
    "sqlite": SqliteBackend(),
}
_CANARY: Final = "Canary-9f27c1-Fetched"
_NAMING: Final = {"backend", "seal", "store", "default_store", "plugins", "type", "format"}
_VARIABLE: Final = "KEYWRIGHT_FUZZ_CANARY"


def check(data: bytes) -> None:
    """It is refused without quoting a value, or every setting in it is there, each time the same."""
    os.environ[_VARIABLE] = _CANARY
    path = _directory() / "keywright.toml"
    path.write_bytes(data)
    document = _parsed(data)
    if _leads_elsewhere(document):
        return
    profiles = document.get("profiles") if document else None
    names = list(profiles)[:2] if isinstance(profiles, dict) else []
    for profile in (None, *names):
        config = _loaded(data, document, path, profile)
        if config is None:
            continue
        require(document is not None, "what is no TOML was read")
        require(_spelt(_loaded(data, document, path, profile)) == _spelt(config), "read twice, it says two things")
        from_mapping = config_from(document or {}, profile=profile, source=str(path), base=str(path.parent))
        require(_spelt(from_mapping) == _spelt(config), "the file and the mapping say two things")
        require(config.default_store in config.stores, "the default store is none")
        if profile is None:
            _check_complete(document or {}, config)
        _check_stores(config, data, document, path)


def _loaded(data: bytes, document: Mapping[str, object] | None, path: Path, profile: str | None) -> Config | None:
    parts = _parts(data, document, path)
    environ = {"HOME": str(path.parent)}
    return attempt(
        lambda: load_config(str(path), profile=profile, environ=environ, cwd=str(path.parent)),
        ConfigError,
        given=parts.values,
        secrets=parts.secrets,
        known=parts.shown,
        shown=parts.shown,
    )


def _check_stores(config: Config, data: bytes, document: Mapping[str, object] | None, path: Path) -> None:
    parts = _parts(data, document, path)
    for table in config.stores.values():
        backend = _BACKENDS.get(table.backend)
        if backend is None:
            continue
        owner = f"store backend {backend.name!r}"
        options = attempt(
            partial(check_options, table.given, backend.settings, owner=owner, path=table.path, source=table.source),
            ConfigError,
            given=parts.values,
            secrets=parts.secrets,
            known=parts.shown,
            shown=parts.shown,
        )
        require(options is None or set(options) == {one.name for one in backend.settings}, "a setting is missing")
        if options is not None and backend.name == "env":
            attempt(partial(_opened, options), ConfigError, given=parts.values, shown=parts.shown)


def _opened(options: Options) -> bool:
    with EnvBackend().open(options):
        return True


def _check_complete(document: Mapping[str, object], config: Config) -> None:
    """Nothing in the file was passed over."""
    require(set(document) <= {*TOP_SETTINGS, *SECTIONS, "profiles"}, "an unknown table was passed over")
    found = {given.path for given in config.given}
    require(all(name in found for name in document if name in TOP_SETTINGS), "a setting was passed over")
    tables: dict[str, Mapping[str, KeyTable | SealTable | StoreTable]] = {
        "stores": config.stores,
        "seals": config.seals,
        "keys": config.keys,
    }
    for section, kind in SECTIONS.items():
        for name, table in _table(document.get(section)).items():
            require(name in tables[section], "a table was passed over")
            took = set(tables[section][name].given) | ({kind, "seal"} if section == "stores" else {kind})
            require(set(_table(table)) <= took, "a setting was passed over")


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _spelt(config: Config | None) -> list[tuple[str, str, str, str]]:
    values = () if config is None else config.values()
    return [(one.path, repr(one.value), one.source, one.base) for one in values]


class _Parts(NamedTuple):
    """What may be told of a document.

    Attributes:
        values: what no message repeats.
        secrets: those of them that no local variable shows either: all but the names of other things.
        shown: names and paths, which a message may repeat.
    """

    values: list[bytes]
    secrets: list[bytes]
    shown: bytes


def _parts(data: bytes, document: Mapping[str, object] | None, path: Path) -> _Parts:
    """What is no TOML is not repeated at all."""
    if document is None:
        return _Parts([data, _CANARY.encode()], [data, _CANARY.encode()], str(path).encode())
    names, values, secrets = [str(path)], [_CANARY], []
    for path_of, value in _leaves(document, ()):
        (names if is_indirection(value) else values).append(str(value))
        if not is_indirection(value) and _NAMING.isdisjoint(path_of):
            secrets.append(str(value))
        names += [*path_of, *map(repr, path_of), *(f": {dotted(*path_of[start:])} " for start in (0, 2))]
    return _Parts(_encoded(values), _encoded(secrets), b"\n".join(_encoded(names)))


def _encoded(texts: list[str]) -> list[bytes]:
    return [text.encode(errors="surrogatepass") for text in texts]


def _leaves(table: Mapping[str, object], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Paths and values; tables come too, without theirs."""
    for name, value in table.items():
        if isinstance(value, dict) and not is_indirection(value):
            yield (*above, name), ""
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _leads_elsewhere(document: Mapping[str, object] | None) -> bool:
    """Whether it points to a file of this machine outside of the directory."""
    return any(
        isinstance(value, dict) and any(isinstance(one, str) and ("/" in one or "~" in one) for one in value.values())
        for _, value in _leaves(document or {}, ())
    )


def _parsed(data: bytes) -> dict[str, object] | None:
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return None


@cache
def _directory() -> Path:
    path = scratch_directory("config").resolve()
    (path / "canary").write_text(_CANARY)
    os.environ["HOME"] = str(path)
    os.environ.pop("XDG_DATA_HOME", None)
    return path


TARGET = Target(
    check,
    seeds=tuple(seed.encode() for seed in SEEDS),
    words=(
        *LINES,
        b'"' * 3,
        *rb"""
        [ ]] = ''' { } \u0000 \ud800 \U00010000 inf 0x 1e9 env file stores seals keys profiles default_store plugins
        {name}
        """.split(),
        b"\r\n",
    ),
    maximum_bytes=2048,
    mutate=mutate,
)
