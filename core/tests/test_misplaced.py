"""What is taken for a secret where a path belongs."""

from __future__ import annotations

import pytest

from keywright.secret import looks_like_a_secret


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("qJ7rT0cxXb4Zk9LwVf2hN8sPdE1uGm6YtRa3oKiC5Q8=", id="base64 of 32 bytes"),
        pytest.param("qJ7rT0c/Xb4Zk9LwVf2hN8sPdE1u+Gm6YtRa3oKiC5Q=", id="a slash in it"),
        pytest.param("/J7rT0c/Xb4Zk9LwVf2hN8s/dE1u+Gm6YtRa/oKiC5Q=", id="several slashes, one in front"),
        pytest.param("8f14e45fceea167a5a36dedd4bea2543f14e45fce", id="hexadecimal"),
        pytest.param('{"kty":"oct"}', id="JSON"),
        pytest.param("two\nlines", id="lines"),
        pytest.param("a/" * 128, id="longer than a name can be"),
    ],
)
def test_what_is_hidden(text: str) -> None:
    """Keys and tokens in their usual spellings."""
    assert looks_like_a_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/run/secrets/keywright/MasterKey1", id="of a container"),
        pytest.param("/Users/Ann/Library/Application Support/keywright2/key", id="of a Mac"),
        pytest.param("C:/Users/Ann/AppData/Local/Keywright/key1", id="of Windows"),
        pytest.param("../keys/prod-2026-11/master_key.b64", id="with a date"),
        pytest.param("/home/ann/.config/keywright/passphrase", id="of a home"),
    ],
)
def test_what_is_shown(text: str) -> None:
    """Paths as people write them, or nobody would see how one is misspelt."""
    assert not looks_like_a_secret(text)
