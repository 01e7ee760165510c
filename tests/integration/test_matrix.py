"""Key type, format and store are independent: what can combine round-trips, what can't says why in one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import keywright
from keywright.errors import ConfigError, KeywrightError

PLUGINS = keywright.Registry.load()
STORES = ("file", "sqlite", "memory", "env")
# Smaller than the defaults, where making one takes long.
OPTIONS: dict[str, dict[str, Any]] = {"rsa": {"bits": 2048}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ring_over(store: str) -> keywright.KeyRing:
    settings = {
        "file": {"path": "keys"},
        "sqlite": {"path": "keys.db"},
        "memory": {"id": os.urandom(8).hex()},
        "env": {},
    }
    tables = {"it": {"backend": store, **settings[store]}, "source": {"backend": "memory"}}
    return keywright.open({"default_store": "it", "stores": tables}, registry=PLUGINS)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("format", sorted(PLUGINS.formats))
@pytest.mark.parametrize("key_type", sorted(PLUGINS.key_types))
def test_every_combination_round_trips_or_says_why(
    key_type: str, format: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of each type comes out of each store, in each format, as it went in; or one line says why it can't."""
    options = OPTIONS.get(key_type, {})
    with ring_over(store) as ring:
        if key_type not in PLUGINS.formats[format].key_types:
            with pytest.raises(ConfigError) as refused:
                ring.generate("some/key", type=key_type, format=format, store="source", **options)
            assert str(refused.value).startswith(
                f"format {format!r} cannot carry a key of type {key_type!r}; it carries: "
            )
            assert "\n" not in str(refused.value)
            return
        made = ring.generate("some/key", type=key_type, format=format, store="source", **options)
        went_in = ring.load("some/key", store="source")
        secret = ring.export("some/key", secret=True, store="source")
        if store == "env":
            monkeypatch.setenv("KEYWRIGHT_KEY_SOME_KEY", secret.reveal().decode())
        else:
            ring.import_key("some/key", secret, new_here=True)
    if store == "memory":
        return

    with ring_over(store) as ring:
        came_out = ring.load("some/key")
        shown = ring.show("some/key").versions[0].info

        assert came_out == went_in
        assert ring.export("some/key", secret=True) == secret
        assert (shown.key_type, shown.format, shown.kid, shown.public) == (key_type, format, made.kid, made.public)
        for algorithm in PLUGINS.key_types[key_type].algorithms:
            if key_type == "oct" and algorithm != "HS256":
                continue  # 256 bits are too few for the others
            signature = ring.sign("some/key", b"hello", algorithm=algorithm)
            assert ring.verify("some/key", b"hello", signature, algorithm=algorithm).version == 1


@pytest.mark.parametrize("key_type", sorted(PLUGINS.key_types))
def test_every_type_converts_between_the_formats_that_carry_it(key_type: str) -> None:
    """From one format to another and back, a secret key is the same; to a format that can't, one line says why."""
    formats = PLUGINS.formats
    with ring_over("memory") as ring:
        first = next(name for name in formats if key_type in formats[name].key_types)
        ring.generate("k", type=key_type, format=first, **OPTIONS.get(key_type, {}))
        secret = ring.export("k", secret=True)

    for name in formats:
        if key_type in formats[name].key_types:
            there = keywright.convert(secret, from_=first, to=name, secret=True, registry=PLUGINS)
            back = keywright.convert(there, from_=name, to=first, secret=True, registry=PLUGINS)
            assert back == secret
        else:
            with pytest.raises(KeywrightError) as refused:
                keywright.convert(secret, from_=first, to=name, secret=True, registry=PLUGINS)
            assert f"is of type {key_type}" in str(refused.value)
            assert "\n" not in str(refused.value)
