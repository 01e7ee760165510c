"""A store that forgets: keeping a key in it from the command line gives a warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Keywright

CONFIG = """
default_store = "mem"
[stores.mem]
backend = "memory"
[stores.db]
backend = "sqlite"
path = "keys.db"
[keys.declared]
"""

WARNING = 'warning: the store of "{}" is in memory only, so the key is lost now\nhint: pass another with --store\n'


@pytest.fixture(autouse=True)
def config(home: Path) -> None:
    """The default forgets."""
    (home / "keywright.toml").write_text(CONFIG)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("generate", "a"), "a"),
        (("ensure",), "declared"),
        (("import", "b", "secret-key"), "b"),
        (("jose", "api-key", "create"), "api-keys/"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_it_is_told(home: Path, keywright: Keywright, command: tuple[str, ...], name: str) -> None:
    """On stderr; the command does what it does all the same. Of another store nothing is said."""
    (home / "secret-key").write_bytes(keywright("nix", "key", "generate-secret", "--key-name", "b-1").stdout)
    (home / "secret-key").chmod(0o600)

    quiet, forgetting, keeping = (keywright(*command, *more) for more in (["--quiet"], [], ["--store", "db"]))

    told = forgetting.stderr.decode()
    assert quiet.returncode == forgetting.returncode == keeping.returncode == 0
    assert quiet.stdout != b""
    assert told.startswith(WARNING.format(name).partition(name)[0] + name)
    assert told.endswith(WARNING.partition("{}")[2])
    assert quiet.stderr == keeping.stderr == b""
