"""Key types, formats and stores are independent: any combination, one script over three stores, many processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import COMMAND, Keywright
from support.errors import text_of

import keywright
import keywright as library
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
            assert text_of(refused.value).startswith(
                f"format {format!r} cannot carry a key of type {key_type!r}; it carries: "
            )
            assert "\n" not in text_of(refused.value)
            return
        made = ring.generate("some/key", type=key_type, format=format, store="source", **options)
        went_in = ring.load("some/key", store="source")
        secret = ring.export("some/key", secret=True, store="source")
        if store == "env":
            monkeypatch.setenv("KEYWRIGHT_KEY_SOME_KEY", secret.reveal().decode())
        else:
            ring.import_key("some/key", secret, allow_duplicate=True)
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
            assert f"is of type {key_type}" in text_of(refused.value)
            assert "\n" not in text_of(refused.value)


SCRIPT = """
import keywright
with keywright.open() as ring:
    key = ring.export("cache.example.org")
    signature = ring.sign("cache.example.org", b"hello")
    ring.verify("cache.example.org", b"hello", signature)
    print(key.decode(), signature.hex())
"""

CONFIG = """
default_store = "dev"

[stores.dev]
backend = "sqlite"
path = "keys.db"

[profiles.file]
default_store = "prod"
[profiles.file.stores.prod]
backend = "file"
path = "keys"

[profiles.env]
default_store = "ci"
[profiles.env.stores.ci]
backend = "env"
variables = { "cache.example.org" = "NIX_CACHE_KEY" }
"""


def test_one_script_gets_the_same_key_from_three_stores(
    home: Path, keywright: Keywright, environment: dict[str, str]
) -> None:
    """A script, unchanged, finds the same key under three profiles: sqlite, file and env."""
    (home / "keywright.toml").write_text(CONFIG)
    assert keywright("generate", "cache.example.org").returncode == 0
    secret = keywright("export", "cache.example.org", "--secret").stdout
    taken = keywright("--profile", "file", "--store", "prod", "import", "cache.example.org", input=secret)
    assert taken.returncode == 0
    variables = {"NIX_CACHE_KEY": secret.decode()}

    told = {
        profile: subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=home,
            env={**environment, **variables, "KEYWRIGHT_PROFILE": profile},
            capture_output=True,
            timeout=60,
        )
        for profile in ("", "file", "env")
    }

    assert all(done.returncode == 0 for done in told.values()), [done.stderr for done in told.values()]
    assert len({done.stdout for done in told.values()}) == 1


def test_a_version_that_the_environment_lost_is_no_reason_to_sign_with_an_older_key(
    home: Path, keywright: Keywright
) -> None:
    """Where `variables` names a second version and it is not set, nothing is signed; with it, the second signs."""
    first, second = (
        keywright("nix", "key", "generate-secret", "--key-name", f"c-{number}").stdout.decode() for number in (1, 2)
    )
    (home / "keywright.toml").write_text('[stores.ci]\nbackend = "env"\nvariables = { "c@1" = "C1", "c@2" = "C2" }\n')
    (home / "message").write_bytes(b"hello")

    without = keywright("sign", "c", "message", env={"C1": first})
    within = keywright("--json", "show", "c", env={"C1": first, "C2": second})

    assert (without.returncode, without.stdout) == (6, b"")
    assert b'no environment variable for key "c@2" is set' in without.stderr
    assert within.returncode == 0, within.stderr
    assert [version["phase"] for version in json.loads(within.stdout)["versions"]] == ["verifying", "signing"]


@pytest.mark.parametrize("form", ["KEYWRIGHT_KEY_CACHE_EXAMPLE_ORG", "KEYWRIGHT_KEY_CACHE_EXAMPLE_ORG_FILE"])
def test_the_environment_store_needs_no_table(form: str, home: Path, keywright: Keywright) -> None:
    """Without a `variables` table, a key has a documented name of its own, or a file that `NAME_FILE` points to."""
    secret = keywright("nix", "key", "generate-secret", "--key-name", "cache.example.org-1").stdout
    (home / "secret").write_bytes(secret)
    (home / "secret").chmod(0o600)
    value = str(home / "secret") if form.endswith("_FILE") else secret.decode()
    (home / "keywright.toml").write_text('[stores.ci]\nbackend = "env"\n')

    shown = keywright("export", "cache.example.org", env={form: value})

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == keywright("nix", "key", "convert-secret-to-public", input=secret).stdout


PROCESSES = 8

SETTINGS = {"file": 'backend = "file"\npath = "keys"', "sqlite": 'backend = "sqlite"\npath = "keys.db"'}


@pytest.fixture(params=sorted(SETTINGS))
def configured(request: pytest.FixtureRequest, home: Path) -> Path:
    """A configuration with one store, file or sqlite."""
    (home / "keywright.toml").write_text(f"[stores.it]\n{SETTINGS[request.param]}\n")
    return home


Ended = list[tuple[bytes, bytes, int]]


@pytest.fixture
def at_once(configured: Path, environment: dict[str, str]) -> Callable[..., Ended]:
    """Runs a command in eight processes that start at once: stdout, stderr and exit code of each."""

    def run(*command: str) -> Ended:
        running = [
            subprocess.Popen(command, cwd=configured, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(PROCESSES)
        ]
        return [(*process.communicate(timeout=120), process.returncode) for process in running]

    return run


def test_eight_processes_rotate_one_name(configured: Path, keywright: Keywright, at_once: Callable[..., Ended]) -> None:
    """Eight rotations at once make a version each, or are refused with exit 4; every version is whole."""
    assert keywright("generate", "cache.example.org").returncode == 0

    told = at_once(COMMAND, "rotate", "cache.example.org")

    made = sorted(stdout.decode().strip() for stdout, _, code in told if code == 0)
    refused = [stderr.decode() for _, stderr, code in told if code != 0]
    assert all(code in (0, 4) for _, _, code in told), told
    assert made
    assert made == sorted(f"cache.example.org@{version}" for version in range(2, 2 + len(made)))
    assert all(line.startswith("error: ") and "Traceback" not in line for line in refused)
    _all_whole(configured, 1 + len(made))


def test_eight_processes_that_try_again_make_exactly_eight_versions(
    configured: Path, keywright: Keywright, at_once: Callable[..., Ended]
) -> None:
    """Anyone who is refused tries again: then there are exactly eight new versions, each made by one of them."""
    assert keywright("generate", "cache.example.org").returncode == 0
    script = """
import sys, keywright
from keywright.errors import KeyExistsError
with keywright.open() as ring:
    while True:
        try:
            print(ring.rotate("cache.example.org").version)
            break
        except KeyExistsError:
            continue
"""

    made = sorted(int(stdout) for stdout, _, _ in at_once(sys.executable, "-c", script))

    assert made == list(range(2, 2 + PROCESSES))
    _all_whole(configured, 1 + PROCESSES)


def test_eight_processes_ensure_one_name_and_make_it_once(configured: Path, at_once: Callable[..., Ended]) -> None:
    """However many `ensure` at once, one key is made and none of them fails."""
    with (configured / "keywright.toml").open("a") as config:
        config.write('[keys."prod/jwt"]\ntype = "ed25519"\nformat = "jwk"\n')

    told = at_once(COMMAND, "ensure")

    assert [code for _, _, code in told] == [0] * PROCESSES
    assert sorted(stdout for stdout, _, _ in told) == [b""] * (PROCESSES - 1) + [b"prod/jwt@1\n"]


def _all_whole(home: Path, count: int) -> None:
    """Every version is there, and each signs or verifies what it should."""
    with library.open(home / "keywright.toml") as ring:
        versions = ring.show("cache.example.org").versions
        assert [one.info.version for one in versions] == list(range(1, count + 1))
        assert len({one.info.kid for one in versions}) == count
        assert len({ring.load(one.info.reference).public for one in versions}) == count
        signature = ring.sign("cache.example.org", b"hello")
        assert ring.verify("cache.example.org", b"hello", signature).version == count
