"""A third-party key type with its JWKs, built and installed as users do it, and used on the command line.

It is the example `docs/examples/ed448`; its own test has the vectors and the contracts.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.installed import EXAMPLES, Run, install, run_own_tests, runner


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `keywright` command of a fresh environment, which has the example's wheel and what its own tests need."""
    return install(EXAMPLES / "ed448", tmp_path_factory.mktemp("ed448"), "pytest", "hypothesis")


@pytest.fixture
def run(installed: Path, home: Path, environment: dict[str, str]) -> Run:
    """That command, run in an empty home with a file store (the default) and a SQLite store."""
    (home / "keywright.toml").write_text(
        'default_store = "files"\n'
        '[stores.files]\nbackend = "file"\npath = "keys"\n'
        '[stores.db]\nbackend = "sqlite"\npath = "keys.db"\n'
    )
    return runner(installed, home, environment)


def test_its_own_tests_pass_once_it_is_installed(installed: Path, environment: dict[str, str]) -> None:
    """The contract of plugins, which looks up the entry point, is not skipped there."""
    printed = run_own_tests(installed, environment)

    assert "passed" in printed
    assert "is not installed" not in printed


def test_a_key_is_generated_rotated_exported_and_moved(run: Run, home: Path) -> None:
    """The format is jwk, the only one that carries it, and the kid is the thumbprint."""
    assert run("generate", "web", "--type", "ed448") == "web@1\n"
    assert run("rotate", "web") == "web@2\n"
    public, secret = (json.loads(run("export", "web", *half)) for half in ((), ("--secret",)))
    (home / "message").write_text("hello\n")
    (home / "signature").write_text(run("sign", "web", "message"))
    run("migrate", "--from", "files", "--to", "db", "web")

    assert (public["kty"], public["crv"]) == ("OKP", "Ed448")
    assert {**secret, "d": None} == {**public, "d": None}
    assert run("verify", "web", "--signature", "signature", "message", "--store", "db") == "web@2\n"
    assert json.loads(run("doctor", "--json", "--store", "db"))["problems"] == []
    listed = json.loads(run("plugins", "--check", "--json"))["plugins"]
    assert ["key type ed448"] in [one["provides"] for one in listed]


def test_a_public_key_is_recognised_and_converted(run: Run) -> None:
    """`import` finds out what it is; `convert` gives it back as it was."""
    run("generate", "web", "--type", "ed448")
    jwk = run("export", "web")

    assert run("import", "partner", "--public", input=jwk) == "partner@1\n"
    assert json.loads(run("convert", "--from", "jwk", "--to", "jwk", input=jwk)) == json.loads(jwk)
    assert json.loads(run("show", "partner", "--json"))["versions"][0]["key_type"] == "ed448"
