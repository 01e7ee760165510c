"""The example of a remote store, built and installed as users do it, with a real Redis server.

It is `docs/examples/redis`; its own test proves the contract.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.errors import joined
from support.installed import EXAMPLES, Run, install, runner
from support.redis_server import redis_server

MESSAGE = "a message\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `keywright` command of a fresh environment, which has the wheels of keywright and of the example."""
    return install(EXAMPLES / "redis", tmp_path_factory.mktemp("redis"))


@pytest.fixture
def run(installed: Path, home: Path, environment: dict[str, str]) -> Run:
    """That command, run in an empty home."""
    return runner(installed, home, environment)


@pytest.fixture
def url(home: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty server, which `keywright.toml` in `home` names as the default store beside a SQLite file."""
    with redis_server(tmp_path) as url:
        (home / "keywright.toml").write_text(
            f'default_store = "shared"\n[stores.shared]\nbackend = "redis"\nurl = "{url}"\n'
            '[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n'
        )
        yield url


def versions(run: Run, name: str) -> list[int]:
    """The numbers of the versions that `show` prints."""
    return [version["version"] for version in json.loads(run("show", name, "--json"))["versions"]]


def problems(run: Run) -> object:
    """What `doctor` finds in all stores and plugins."""
    return json.loads(run("doctor", "--json"))["problems"]


@pytest.mark.usefixtures("url")
def test_it_is_listed(run: Run) -> None:
    """`plugins` shows it with its distribution and what it provides, and nothing failed."""
    listed = json.loads(run("plugins", "--check", "--json"))

    expected = {"name": "redis", "distribution": "keywright-redis", "version": "1.0"}
    assert {**expected, "provides": ["store backend redis"]} in listed["plugins"]
    assert listed["failures"] == []


@pytest.mark.usefixtures("url")
def test_keys_in_it_are_made_used_and_rotated(run: Run) -> None:
    """Each command is a process of its own: what one stored, the next one uses. `doctor` reports no problem."""
    assert run("generate", "web") == "web@1\n"
    signature = run("sign", "web", input=MESSAGE).strip()
    assert run("rotate", "web") == "web@2\n"

    assert run("verify", "web", "--signature", signature, input=MESSAGE) == "web@1\n"
    assert run("export", "web") != run("export", "web@1")
    assert versions(run, "web") == [1, 2]
    assert run("list").startswith("web@2\tsigning\ted25519\t")
    assert problems(run) == []


@pytest.mark.usefixtures("url")
def test_keys_migrate_from_sqlite(run: Run) -> None:
    """`migrate` copies all versions, compares them and removes them from the source; they work as before."""
    run("generate", "web", "--store", "local")
    run("rotate", "web", "--store", "local")
    signature = run("sign", "web", "--store", "local", input=MESSAGE).strip()
    secret = run("export", "web", "--secret", "--store", "local")

    report = run("migrate", "--from", "local", "--to", "shared", "--delete-source")

    assert report.splitlines()[-1].startswith("copied 2, identical 0")
    assert run("list", "--store", "local") == ""
    assert run("export", "web", "--secret") == secret
    assert run("verify", "web", "--signature", signature, input=MESSAGE) == "web@2\n"
    assert problems(run) == []


def test_a_sealed_store_is_there(run: Run, url: str, home: Path) -> None:
    """A seal encrypts the payloads before the server gets them, and `rewrap` and `doctor` work."""
    (home / "passphrase").write_text("correct horse battery staple\n")
    (home / "passphrase").chmod(0o600)
    (home / "keywright.toml").write_text(
        f'[stores.shared]\nbackend = "redis"\nurl = "{url}"\nseal = "vault"\n'
        '[seals.vault]\nseal = "passphrase"\npassphrase = { file = "passphrase" }\n'
    )

    run("generate", "web")
    run("rotate", "web")
    run("rewrap")

    assert versions(run, "web") == [1, 2]
    assert problems(run) == []


def test_a_server_that_is_down_is_reported(installed: Path, home: Path, environment: dict[str, str]) -> None:
    """The error says which server, and what to do; the exit code is that of stores that are not available."""
    (home / "keywright.toml").write_text(f'[stores.shared]\nbackend = "redis"\nurl = "unix://{home}/none"\n')

    done = subprocess.run(
        [installed, "generate", "web"], capture_output=True, text=True, cwd=home, env=environment, timeout=60
    )

    assert (done.returncode, done.stdout) == (6, "")
    assert f"unix://{home}/none: no reply; check that the server is running" in joined(done.stderr)
