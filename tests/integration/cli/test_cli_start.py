"""What a command of a plugin loads before it runs."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from importlib import import_module
from pathlib import Path

import nacl.signing
import pytest
from support import Keywright

from keywright import Commands, Registry
from keywright.plugins.commands import commands_of
from keywright.plugins.discovery import COMMANDS, find_entry_points

SEED = bytes(range(32))
KEY = "a-1:" + b64encode(SEED + bytes(nacl.signing.SigningKey(SEED).verify_key)).decode()
WITH_COMMANDS = [one.name for one in find_entry_points(groups=(COMMANDS,))]


def loaded(home: Path, environment: dict[str, str], *arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command line, and the modules that it loaded."""
    script = (
        "import sys; from keywright.cli import main; sys.argv[0] = 'keywright'\n"
        "code = main()\nprint(*sys.modules, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=home, env=environment, capture_output=True, text=True
    )
    return done.returncode, set(done.stderr.split())


@pytest.fixture
def cache(home: Path) -> Path:
    """A binary cache without a narinfo, and a key file beside."""
    (home / "cache").mkdir()
    (home / "cache" / "nix-cache-info").write_text("StoreDir: /nix/store\n")
    (home / "key").touch(mode=0o600)
    (home / "key").write_text(KEY)
    return home / "cache"


NOT_NEEDED = {"pluggy", "keywright.plugins.registry", "keywright_sqlite", "keywright_keytypes", "keywright_file"}


@pytest.mark.parametrize(
    "line",
    [
        "nix sign cache --key-file key",
        "nix sign --help",
        "nix key generate-secret --version",
        "jose jwk create-secret-key",
    ],
)
@pytest.mark.usefixtures("cache")
def test_it_loads_no_plugin_that_it_does_not_need(home: Path, environment: dict[str, str], line: str) -> None:
    """A start is most of what a short command takes, and all plugins are most of a start."""
    code, modules = loaded(home, environment, *line.split())

    assert (code, modules & NOT_NEEDED) == (0, set())


@pytest.mark.usefixtures("cache")
def test_it_loads_what_it_asks_for(home: Path, environment: dict[str, str]) -> None:
    """With a key of the ring, the plugins that it uses come when the ring is opened."""
    code, modules = loaded(home, environment, "nix", "sign", "cache", "--key", "absent")

    assert code == 3
    assert modules >= {"keywright.plugins.registry", "keywright_sqlite"}


def test_a_plain_generate_loads_what_it_uses(home: Path, environment: dict[str, str]) -> None:
    """Its key type, format and store, and nothing to call hooks with: no plugin listens."""
    code, modules = loaded(home, environment, "generate", "a")

    plugins = {name.partition(".")[0] for name in modules if name.startswith("keywright_")}
    assert (code, plugins) == (0, {"keywright_keytypes", "keywright_nix", "keywright_sqlite"})
    assert {"pluggy", "inspect", "dataclasses", "threading", "importlib.metadata"}.isdisjoint(modules)


@pytest.mark.parametrize("plugin", ["keywright_env", "keywright_file", "keywright_sqlite"])
def test_to_register_a_store_loads_one_module(plugin: str) -> None:
    """Neither the store's own modules nor SQLite or JSON."""
    script = (
        "import sys, keywright.errors; from keywright import Capabilities, Setting, hookimpl, parse_reference;"
        f" before = set(sys.modules); import {plugin}; {plugin}.keywright_register_store_backends();"
        " print(*set(sys.modules) - before)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.split() == [plugin]


def values(commands: Commands) -> list[dict[str, object]]:
    """The fields of each command, but for the functions, which are new ones each time."""
    return [one._asdict() | {"configure": None, "run": None} for one in commands.table.values()]


@pytest.mark.parametrize("plugin", WITH_COMMANDS)
def test_it_is_what_the_hook_adds(plugin: str) -> None:
    """The module that a plugin names for its commands adds the same as its hook."""
    by_module, by_hook = Commands(), Commands()

    by_module.extend(commands_of(plugin, allowed=None))
    registry = Registry()
    (point,) = (one for one in find_entry_points() if one.name == plugin)
    registry.add(import_module(point.value), plugin)  # by hand: without its entry points
    registry.add_commands(by_hook)

    assert by_module.table
    assert values(by_module) == values(by_hook)


def test_ours_take_it() -> None:
    """All that have commands."""
    assert WITH_COMMANDS == ["audit", "jose", "nix"]


@pytest.mark.usefixtures("cache")
def test_a_fault_of_the_configuration_is_told_where_it_is_read(home: Path, keywright: Keywright) -> None:
    """A plugin on the allow-list that is not installed stops the commands that use the ring, and no others."""
    (home / "keywright.toml").write_text('plugins = ["nix", "keytypes", "absent"]\n')

    by_file, by_ring = (keywright("nix", "sign", "cache", *key) for key in (("--key-file", "key"), ("--key", "a")))

    assert (by_file.returncode, by_file.stdout, by_file.stderr) == (0, b"signed 0, already signed 0\n", b"")
    assert by_ring.returncode == 2
    assert by_ring.stderr.startswith(b"error: plugins names 'absent', which is not installed\nhint: installed: ")
