"""Swapping the storage backend is a change of configuration alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import Keywright

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
    assert b"c@2 would be in the environment variable C2" in without.stderr
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
