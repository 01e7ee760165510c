"""`keywright nix sign --key-file`: files that hold a key, files that hold none, and keys in the place of a path."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from nix_signing import HALF, HIDDEN, PUBLIC, SEED, MakeCache, Run, holds, message_of, refusal

from keywright import Secret
from keywright.errors import ConfigError, InvalidKeyError, KeywrightError, MalformedKeyError
from keywright_nix.ed25519 import signer


def test_a_key_file(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Every narinfo gets the key's signature; a second run finds nothing to do."""
    cache = make_cache(3)

    outs = [nix_command("sign", str(cache), "--key-file", key_file) for _ in range(2)]

    assert outs == [(0, b"signed 3, already signed 0\n", b""), (0, b"signed 0, already signed 3\n", b"")]
    assert all(holds(path, PUBLIC) == {"a-1"} for path in cache.glob("*.narinfo"))


def test_a_key_on_standard_input(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """`--key-file -` reads the key from stdin."""
    out = nix_command("sign", str(make_cache(1)), "--key-file", "-", given=Path(key_file).read_bytes())

    assert out == (0, b"signed 1, already signed 0\n", b"")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        pytest.param(
            PUBLIC.encode(), MalformedKeyError, "is a public key, and signing takes the secret one; name its file",
            id="public",
        ),
        pytest.param(b"", MalformedKeyError, "the Nix key is empty; it must be NAME:BASE64", id="empty"),
        pytest.param(
            b"a-1:" + b64encode(SEED + bytes(range(32))),
            InvalidKeyError,
            "the public half of this ed25519 key does not belong to its secret half; import a key whose halves match",
            id="mismatched halves",
        ),
    ],
)  # fmt: skip
def test_files_that_hold_no_secret_key(
    nix_command: Run, make_cache: MakeCache, key_file: str, content: bytes, kind: type[KeywrightError], message: str
) -> None:
    """They are refused with the file's path, and nothing is signed."""
    Path(key_file).write_bytes(content)

    with pytest.raises(kind) as caught:
        nix_command("sign", str(make_cache()), "--key-file", key_file)

    assert type(caught.value) is kind
    assert message_of(caught) == f"{key_file}: {message}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601], ids=oct)
def test_a_file_that_is_not_its_owners_alone(nix_command: Run, make_cache: MakeCache, key_file: str, mode: int) -> None:
    """It signs, with a warning."""
    os.chmod(key_file, mode)

    code, _, err = nix_command("sign", str(make_cache(1)), "--key-file", key_file)

    told = "others may read or change this secret key; chmod 600 it, and make a new one if they did"
    assert (code, err.decode()) == (0, f"keywright: warning: {key_file}: {told}\n")


def test_a_key_in_a_pipe(nix_command: Run, make_cache: MakeCache, key_file: str, tmp_path: Path) -> None:
    """A pipe, which holds nothing when it was read, gets no warning, whatever its mode."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    writer = Thread(target=pipe.write_bytes, args=[Path(key_file).read_bytes()])
    writer.start()

    out = nix_command("sign", str(make_cache(1)), "--key-file", str(pipe))

    writer.join()
    assert out == (0, b"signed 1, already signed 0\n", b"")


def test_a_key_file_that_vanishes(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is gone once it was read has signed all the same."""

    def vanish(both: Secret) -> tuple[bytes, Callable[[bytes], bytes]]:
        os.unlink(key_file)
        return signer(both)

    monkeypatch.setattr("keywright_nix.signing.signer", vanish)

    assert nix_command("sign", str(make_cache(1)), "--key-file", key_file) == (0, b"signed 1, already signed 0\n", b"")


SECRET = f"a-1:{b64encode(SEED + HALF).decode()}"


@pytest.mark.parametrize(
    "secret",
    [SECRET, SECRET.rstrip("="), f"{SECRET}\n", f"{b64encode(SEED).decode()}:x", SECRET.replace(":", ":\n ")],
    ids=["a key", "no padding", "a line", "a seed as the name", "broken"],
)
def test_a_key_in_place_of_its_path(nix_command: Run, make_cache: MakeCache, secret: str) -> None:
    """A secret on the command line is not quoted back."""
    with refusal(
        ConfigError,
        "--key-file takes the path of a file, and this looks like a key; say - and give the key on standard input",
    ):
        nix_command("sign", str(make_cache()), "--key-file", secret)


def test_a_file_whose_name_looks_like_a_key(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is there is a path, whatever it is called."""
    monkeypatch.chdir(tmp_path)
    name = SECRET.replace("/", "_").replace("+", "_")
    os.rename(key_file, name)

    assert nix_command("sign", str(make_cache(1)), "--key-file", name)[0] == 0


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param(SEED + HALF, f"the name of the Nix key {HIDDEN}; give it another before the colon", id="secret"),
        pytest.param(HALF, "is a public key, and signing takes the secret one; name its file", id="public"),
    ],
)
def test_a_seed_as_the_name(
    nix_command: Run, make_cache: MakeCache, key_file: str, payload: bytes, message: str
) -> None:
    """A key file with a secret before its colon is refused: each signature would publish it. It is not quoted."""
    Path(key_file).write_bytes(b64encode(SEED) + b":" + b64encode(payload))

    with refusal(MalformedKeyError, f"{key_file}: {message}"):
        nix_command("sign", str(make_cache()), "--key-file", key_file)


def test_one_name_twice(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Two keys of one name would make signatures that Nix cannot tell apart."""
    with refusal(ConfigError, "two of the keys are called a-1; leave one out"):
        nix_command("sign", str(make_cache()), "--key-file", key_file, "--key-file", key_file)


def test_no_secret_is_shown(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Neither result nor messages hold the key."""
    code, out, err = nix_command("sign", str(make_cache()), "--key-file", key_file, as_json=True)

    assert code == 0
    assert not re.search(re.escape(b64encode(SEED)[:20]), out + err)
