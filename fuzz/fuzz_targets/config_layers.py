"""The layers of configuration that come as text: `KEYWRIGHT__…` variables and `--option`."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

from fuzz_targets.contract import attempt, require
from fuzz_targets.scratch import scratch_directory
from fuzz_targets.target import Target
from keywright import Config
from keywright.config.layers import dotted, split_path
from keywright.config.load import load_config
from keywright.errors import ConfigError

__all__ = ["TARGET"]

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


def check(data: bytes) -> None:
    """Lines `v NAME=VALUE`, `o PATH=VALUE`, `p PROFILE`: refused without quoting a value, or each reached its place."""
    variables, options, profile = _read(data)
    if any(b"{" in value and (b"/" in value or b"~" in value) for value in data.splitlines()):
        return  # no pointer to a file of this machine
    config = _loaded(data)
    _loaded(data, _MARK)
    for path, _ in options:
        _check_path(path)
    if config is None:
        return
    require(_spelt(_loaded(data)) == _spelt(config), "read twice, it says two things")
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


def _loaded(data: bytes, mark: str = "") -> Config | None:
    """What is loaded, with `mark` at the end of every value; no message may show it."""
    variables, options, profile = _read(data)
    directory = _directory()
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


def _spelt(config: Config | None) -> list[tuple[str, str, str, str]]:
    values = () if config is None else config.values()
    return [(one.path, repr(one.value), one.source, one.base) for one in values]


@cache
def _directory() -> Path:
    os.environ.setdefault("HOME", "/nowhere")
    path = scratch_directory("layers").resolve()
    (path / "keywright.toml").write_bytes(_DOCUMENT)
    return path


TARGET = Target(
    check,
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
        KEYWRIGHT__ STORES__ KEYS__ SEALS__ __ DEFAULT_STORE PLUGINS LOCAL A_B CACHE_EXAMPLE_ORG stores. seals. keys. "
        ' . = overlap kid {name} ci \xc4\xb1 \xc5\xbf
        """.split(),
    ),
    maximum_bytes=1024,
)
