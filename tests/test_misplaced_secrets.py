"""A key or token that is given in the place of a file is not printed back."""

from __future__ import annotations

import pytest
from support import Keywright

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


def test_a_path_is_shown(keywright: Keywright) -> None:
    """What looks like a path is named, so that its misspelling is seen."""
    done = keywright("import", "a", "./secret-key")

    assert done.stderr == b"keywright: ./secret-key: cannot be read (No such file or directory); check the path\n"
