"""A key or token that is given in the place of a file is not printed back."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Keywright
from support.errors import printed

from keywright import Secret
from keywright.testing import assert_hidden

NIX = "cache.example.org-1:" + "A" * 86 + "=="
JWK = '{"crv":"P-256","d":"53l4T2RZnhqOwpfSrNp","kty":"EC"}'
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c2VyLTcifQ." + "M" * 86


@pytest.mark.parametrize("secret", [NIX, JWK, TOKEN, "k" * 300], ids=["nix", "jwk", "token", "long"])
@pytest.mark.parametrize(
    "command",
    [
        ("import", "a"),
        ("sign", "a"),
        ("jose", "jwk", "thumbprint"),
        ("jose", "jws", "verify", "--key", "a"),
        ("jose", "jws", "verify", "--key-file"),
        ("nix", "sign", ".", "--key-file"),
        ("generate", "b", "--type"),
        ("generate", "b", "--format"),
        ("convert", "--to", "nix", "--from"),
        ("list", "--store"),
        ("doctor", "--store"),
        ("list", "--profile"),
        ("list", "--config"),
    ],
    ids=" ".join,
)
def test_what_looks_like_a_secret_is_not_shown(keywright: Keywright, command: tuple[str, ...], secret: str) -> None:
    """Neither stream holds a part of it."""
    assert keywright("generate", "a").returncode == 0

    done = keywright(*command, secret)

    assert done.returncode in (2, 65)
    for start in range(0, len(secret) - 12, 6):
        assert secret[start : start + 12].encode() not in done.stdout + done.stderr


# 32 bytes in base64, with a slash in them: not a path, whatever it looks like.
SLASHED = "qJ7rT0c/Xb4Zk9LwVf2hN8sPdE1u+Gm6YtRa3oKiC5Q="
VARIABLE = "b4Zk9LwVf2hN8sPdE1u"


@pytest.mark.parametrize(
    ("pointer", "shown", "told"),
    [
        pytest.param(
            f'{{ file = "{SLASHED}" }}',
            '{ "file" = "<secret>" }',
            "points to a file whose name looks like a key, which cannot be read (No such file or directory); check "
            "the path",
            id="file",
        ),
        pytest.param(
            f'{{ env = "{VARIABLE}" }}',
            '{ "env" = "<secret>" }',
            "points to the environment variable, which is not set; set it, or change the setting",
            id="variable",
        ),
    ],
)
def test_a_secret_in_the_place_of_a_pointer_is_not_shown(
    home: Path, keywright: Keywright, pointer: str, shown: str, told: str
) -> None:
    """Neither what checks the settings nor what prints them repeats it."""
    (home / "keywright.toml").write_text(
        f'[stores.main]\nbackend = "file"\npath = "keys"\n[seals.s]\nseal = "master-key"\nkey = {pointer}\n'
    )

    answers = [keywright("config", "check"), keywright("doctor"), keywright("config", "show")]

    assert answers[0].stderr.decode() == printed(f"{home}/keywright.toml: seals.s.key {told}")
    assert f"\nseals.s.key = {shown}  # {home}/keywright.toml\n" in answers[2].stdout.decode()
    assert_hidden(
        Secret((SLASHED if SLASHED in pointer else VARIABLE).encode()),
        b"".join(answer.stdout + answer.stderr for answer in answers),
    )


@pytest.mark.parametrize(
    ("document", "line"),
    [
        pytest.param('path = { env = "KEYS_OF_CI" }', 'stores.main.path = { "env" = "KEYS_OF_CI" }', id="variable"),
        pytest.param('path = { file = "run/there" }', 'stores.main.path = { "file" = "run/there" }', id="a path"),
        pytest.param('path = { file = "there" }', 'stores.main.path = { "file" = "there" }', id="a file that is there"),
        pytest.param('path = { file = "hunter2" }', 'stores.main.path = { "file" = "<secret>" }', id="a word"),
        pytest.param("path = { file = 7 }", 'stores.main.path = { "file" = "<secret>" }', id="no text"),
        pytest.param(
            'path = "keys"\n[keys.a.labels]\nenv = "prod"', 'keys.a.labels = { "env" = "prod" }', id="a label"
        ),
    ],
)
def test_what_a_pointer_names_is_shown(home: Path, keywright: Keywright, document: str, line: str) -> None:
    """Variables and paths are not secrets, nor is a table that only looks like a pointer."""
    (home / "there").write_text("keys")
    (home / "keywright.toml").write_text(f'[stores.main]\nbackend = "file"\n{document}\n')

    shown = keywright("config", "show").stdout.decode().splitlines()

    assert f"{line}  # {home}/keywright.toml" in shown


def test_a_path_is_shown(keywright: Keywright) -> None:
    """What looks like a path is named, so that its misspelling is seen."""
    done = keywright("import", "a", "./secret-key")

    assert done.stderr == b"error: ./secret-key: cannot be read (No such file or directory)\nhint: check the path\n"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("generate", "b", "--type"), "no key type is called '<looks like a key or token>'\nhint: installed: "),
        (("list", "--store"), 'stores."<looks like a key or token>" is not configured'),
        (("list", "--config"), "<looks like a key or token>: does not exist\nhint: check the path, or create it"),
    ],
)
def test_it_is_said_what_it_looks_like(keywright: Keywright, command: tuple[str, ...], told: str) -> None:
    """So that anyone who sees the message looks again at what they gave."""
    assert told in keywright(*command, NIX).stderr.decode()


def test_a_config_that_is_there_is_named(home: Path, keywright: Keywright) -> None:
    """Its directory may look like a key, as those of Nix's store do."""
    directory = home / "l8mqd5x1v8wb8v1c0qv5fzrqhm9v4n5a-keywright-config"
    directory.mkdir()
    (directory / "keywright.toml").write_text("broken")

    assert keywright("list", "--config", str(directory / "keywright.toml")).stderr.decode() == (
        f"error: {directory}/keywright.toml: invalid TOML: expected '=' after a key in a key/value "
        f"pair\nhint: check the quotes and brackets there\n"
    )
