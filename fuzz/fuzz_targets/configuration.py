"""Configuration: files, handed to the store backends' own settings, and the layers that come as text."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from fuzz_targets.contract import attempt, require
from fuzz_targets.target import Target, scratch_directory
from keywright import Config, Options, StoreBackend
from keywright.config.layers import SECTIONS, TOP_SETTINGS, dotted, split_path
from keywright.config.load import config_from, load_config
from keywright.config.model import KeyConfig, SealConfig, StoreConfig
from keywright.errors import ConfigError
from keywright.settings.model import is_indirection
from keywright.settings.values import check_options
from keywright_env import EnvBackend
from keywright_file import FileBackend
from keywright_sqlite import SqliteBackend

_LINES: Final = (
    b"[stores.local]", b"[stores.ci]", b"[seals.a]", b'[keys."cache.example.org"]', b"[keys.a]", b"[profiles.ci]",
    b"[profiles.ci.stores.local]", b"[keys.a.labels]", b"[keys.a.attributes]", b"[stores.ci.variables]",
    b'backend = "file"', b'backend = "sqlite"', b'backend = "env"', b'seal = "a"', b'path = "keys"', b'timeout = "5s"',
    b'default_store = "local"', b'plugins = ["nix", "file"]', b'type = "ed25519"', b'format = "jwk"', b'store = "ci"',
    b'kid = "{name}-{version}"', b'rotate_every = "90d"', b'overlap = "2w"', b'activate_in = "0s"', b"bits = 2048",
    b'labels = { team = "infra" }', b'attributes = { use = "sig", key_ops = ["sign"] }', b'"a/b@2" = "VARIABLE"',
    b'path = { env = "KEYWRIGHT_FUZZ_CANARY" }', b'path = { file = "canary" }', b'default_store = { file = "canary" }',
    b'default_store = { env = "KEYWRIGHT_FUZZ_CANARY" }', b'seal = { file = "canary" }',
    b'backend = { file = "canary" }',
    b'plugins = { env = "KEYWRIGHT_FUZZ_CANARY" }', b"x = nan", b"x = 1979-05-27", b"x = [1, [2, { y = 3 }]]",
)  # fmt: skip


def mutate_file(data: bytes, random: Random) -> bytes:
    """Lines taken away, put in, doubled and swapped."""
    lines = data.split(b"\n")
    for _ in range(random.randrange(1, 4)):
        at, other = random.randrange(len(lines)), random.randrange(len(lines))
        step = random.randrange(5)
        if step == 0 and len(lines) > 1:
            del lines[at]
        elif step == 1:
            lines.insert(at, lines[other])
        elif step == 2:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines.insert(at, random.choice(_LINES))
    return b"\n".join(lines)


_FILES: Final = (
    "",
    """
default_store = "local"
plugins = ["nix", "file"]
[stores.local]
backend = "file"
path = "keys"
seal = "a"
[seals.a]
seal = "age"
""",
    """
[stores.local]
backend = "sqlite"
path = "keys.db"
timeout = "5s"

[keys."cache.example.org"]
type = "ed25519"
format = "nix"
rotate_every = "90d"
overlap = "2w"
labels = { team = "infra" }
""",
    """
default_store = "ci"
[stores.local]
backend = "file"
path = "k"
[stores.ci]
backend = "env"
[stores.ci.variables]
"prod/jwt@2" = "JWT"
[profiles.ci]
default_store = "local"
[profiles.ci.stores.local]
backend = "sqlite"
""",
    """
[stores.local]
backend = { env = "KEYWRIGHT_FUZZ_CANARY" }
""",
    """
default_store = { file = "canary" }
[stores.local]
backend = "file"
""",
    """
[stores.local]
backend = "file"
[keys.a]
kid = "{name}-{version}"
attributes = { use = "sig", key_ops = ["sign"], deep = [1, { a = true }] }
bits = 2048
""",
    "[keys.cache.example.org]\ntype = 'oct'\n",
)


_BACKENDS: Final[dict[str, StoreBackend]] = {
    "env": EnvBackend(),
    "file": FileBackend(),
    "sqlite": SqliteBackend(),
}
_CANARY: Final = "Canary-9f27c1-Fetched"
_NAMING: Final = {"backend", "seal", "store", "default_store", "plugins", "type", "format"}
_VARIABLE: Final = "KEYWRIGHT_FUZZ_CANARY"


def check_file(data: bytes) -> None:
    """It is refused without quoting a value, or every setting in it is there, each time the same."""
    os.environ[_VARIABLE] = _CANARY
    path = _file_directory() / "keywright.toml"
    path.write_bytes(data)
    document = _parsed(data)
    if _leads_elsewhere(document):
        return
    profiles = document.get("profiles") if document else None
    names = list(profiles)[:2] if isinstance(profiles, dict) else []
    for profile in (None, *names):
        config = _loaded_file(data, document, path, profile)
        if config is None:
            continue
        require(document is not None, "what is not TOML was read")
        require(_spelt(_loaded_file(data, document, path, profile)) == _spelt(config), "read twice, it says two things")
        from_mapping = config_from(document or {}, profile=profile, source=str(path), base=str(path.parent))
        require(_spelt(from_mapping) == _spelt(config), "the file and the mapping say two things")
        require(config.default_store in config.stores, "the default store is not a configured one")
        if profile is None:
            _check_complete(document or {}, config)
        _check_stores(config, data, document, path)


def _loaded_file(data: bytes, document: Mapping[str, object] | None, path: Path, profile: str | None) -> Config | None:
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
    tables: dict[str, Mapping[str, KeyConfig | SealConfig | StoreConfig]] = {
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
    """What is not TOML is not repeated at all."""
    if document is None:
        return _Parts([data, _CANARY.encode()], [data, _CANARY.encode()], str(path).encode())
    names, values = [str(path)], [_CANARY]
    secrets: list[str] = []
    for path_of, value in _leaves(document, ()):
        (names if is_indirection(value) else values).append(str(value))
        if not is_indirection(value) and _NAMING.isdisjoint(path_of):
            secrets += _texts(value)
        names += [*path_of, *map(repr, path_of), *(f": {dotted(*path_of[start:])} " for start in (0, 2))]
    return _Parts(_encoded(values), _encoded(secrets), b"\n".join(_encoded(names)))


def _texts(value: object) -> Iterator[str]:
    """A value's texts; of tables in a list only what they hold, as their names and punctuation are not a secret."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name not in _NAMING:
                yield from _texts(inside)
    elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)


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
def _file_directory() -> Path:
    path = scratch_directory("config").resolve()
    (path / "canary").write_text(_CANARY)
    os.environ["HOME"] = str(path)
    os.environ.pop("XDG_DATA_HOME", None)
    return path


_DOCUMENT: Final = b"""
default_store = "local"
[stores.local]
backend = "file"
path = "keys"
[stores.a-b]
backend = "env"
[stores.a_b]
backend = "sqlite"
path = "x"
[seals.s]
seal = "age"
[keys."cache.example.org"]
overlap = "2w"
labels = { team = "infra" }
[keys.odd]
attributes = { use = "sig" }
[profiles.ci.stores.local]
path = "ci"
"""
# Names of things are in values too, so only what is in no name tells that a value was quoted.
_MARK: Final = "Quotd8canaRy"


def check_layers(data: bytes) -> None:
    """Lines `v NAME=VALUE`, `o PATH=VALUE`, `p PROFILE`: refused without quoting a value, or each reached its place."""
    variables, options, profile = _read(data)
    if any(b"{" in value and (b"/" in value or b"~" in value) for value in data.splitlines()):
        return  # no pointer to a file of this machine
    config = _loaded_layers(data)
    _loaded_layers(data, _MARK)
    for path, _ in options:
        _check_path(path)
    if config is None:
        return
    require(_spelt(_loaded_layers(data)) == _spelt(config), "read twice, it says two things")
    given = {one.path: one for one in config.given}
    for path, value in options:
        place = split_path(path)
        require(place is not None and given[dotted(*place)].value == value, "an option did not reach its place")
    reached = [one.value for one in config.given if one.source.startswith("environment variable ")]
    over = {dotted(*(split_path(path) or ())) for path, _ in options}
    expected = [value for name, value in variables.items() if name[:11].upper() == "KEYWRIGHT__"]
    require(bool(over) or sorted(map(str, reached)) == sorted(expected), "a variable did not reach its place")
    require(config.profile == (profile or None), "another profile")


def _read(data: bytes) -> tuple[dict[str, str], list[tuple[str, str]], str | None]:
    variables: dict[str, str] = {}
    options: list[tuple[str, str]] = []
    profile = None
    for line in data.decode(errors="surrogateescape").split("\n"):
        kind, rest = line[:2], line[2:]
        name, _, value = rest.partition("=")
        if kind == "v " and name and "\0" not in rest:
            variables[name] = value
        elif kind == "o ":
            options.append((name, value))
        elif kind == "p ":
            profile = rest
    return variables, options, profile


def _loaded_layers(data: bytes, mark: str = "") -> Config | None:
    """What is loaded, with `mark` at the end of every value; no message may show it."""
    variables, options, profile = _read(data)
    directory = _layers_directory()
    marked = {name: text + mark for name, text in variables.items() if name not in _NO_PLACES}
    return attempt(
        lambda: load_config(
            str(directory / "keywright.toml"),
            profile=profile,
            options=[(path, text + mark) for path, text in options],
            environ={**marked, "HOME": str(directory)},
            cwd=str(directory),
        ),
        ConfigError,
        given=[mark.encode()],
    )


_NO_PLACES: Final = ("HOME", "KEYWRIGHT_CONFIG", "KEYWRIGHT_PROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


def _check_path(path: str) -> None:
    """A dotted path that is read is written so that it is read the same."""
    parts = split_path(path)
    if parts is not None:
        spelt = dotted(*parts)
        require("<odd name>" in spelt or split_path(spelt) == parts, "a dotted path does not come back")
        require(spelt.isprintable(), "a dotted path would steer a terminal")


@cache
def _layers_directory() -> Path:
    os.environ.setdefault("HOME", "/nowhere")
    path = scratch_directory("layers").resolve()
    (path / "keywright.toml").write_bytes(_DOCUMENT)
    return path


TARGETS: Final = {
    "config_file": Target(
        check_file,
        seeds=tuple(seed.encode() for seed in _FILES),
        words=(
            *_LINES,
            b'"' * 3,
            *rb"""
            [ ]] = ''' { } \u0000 \ud800 \U00010000 inf 0x 1e9 env file stores seals keys profiles default_store plugins
            {name}
            """.split(),
            b"\r\n",
        ),
        maximum_bytes=2048,
        mutate=mutate_file,
    ),
    "config_layers": Target(
        check_layers,
        seeds=(
            b"v KEYWRIGHT__STORES__LOCAL__PATH=/elsewhere\nv keywright__default_store=a-b",
            b"v KEYWRIGHT__STORES__A_B__PATH=y",
            b"v KEYWRIGHT__KEYS__CACHE_EXAMPLE_ORG__OVERLAP=3w\np ci",
            b"v KEYWRIGHT__PLUGINS=nix,file\nv OTHER=x",
            b'o keys."cache.example.org".overlap=1d\no stores.local.path=z',
            b"o stores.'a-b'.backend=file\no default_store=local",
            b"o keys.odd.kid={name}-{version}\no keys.odd.store=a_b\no keys.odd.rotate_every=0s",
            b"o seals.s.seal=other\no plugins=nix, nix",
            b"p nowhere",
        ),
        words=(
            b"\nv ",
            b"\no ",
            b"\np ",
            *b"""
            KEYWRIGHT__ STORES__ KEYS__ SEALS__ __ DEFAULT_STORE PLUGINS LOCAL A_B CACHE_EXAMPLE_ORG stores. seals.
            keys. " ' . = overlap kid {name} ci \xc4\xb1 \xc5\xbf
            """.split(),
        ),
        maximum_bytes=1024,
    ),
}
