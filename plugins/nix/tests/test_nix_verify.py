"""`keywright nix verify`: which paths lack signatures, what is said of each, and the traps in trusted keys."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import nacl.signing
import pytest

from keywright.errors import ConfigError
from keywright_nix.narinfo import NarInfo

MakeCache = Callable[..., Path]
Run = Callable[..., tuple[int, bytes, bytes]]


def secret(number: int) -> nacl.signing.SigningKey:
    """The key of the seed `number`."""
    return nacl.signing.SigningKey(number.to_bytes(32))


def public(name: str, number: int) -> str:
    """Its public half as a text."""
    return f"{name}:{b64encode(bytes(secret(number).verify_key)).decode()}"


def sign(path: Path, name: str, number: int) -> None:
    """Add its signature to a narinfo."""
    data = path.read_bytes()
    signature = secret(number).sign(NarInfo.parse(data).fingerprint()).signature
    path.write_bytes(data + f"Sig: {name}:{b64encode(signature).decode()}\n".encode())


A, B = public("a-1", 1), public("b-1", 2)
STORE_PATH = f"/nix/store/{0:032}-hello"


@pytest.fixture
def file(make_cache: MakeCache) -> Path:
    """One narinfo without signatures."""
    return next(make_cache(1).glob("*.narinfo"))


def test_a_cache_that_is_good(nix_command: Run, make_cache: MakeCache) -> None:
    """Nothing is told but the count."""
    cache = make_cache(3)
    for path in cache.glob("*.narinfo"):
        sign(path, "a-1", 1)

    assert nix_command("verify", str(cache), "--trusted-public-keys", A) == (0, b"verified 3, bad 0\n", b"")
    assert nix_command("verify", f"file://{cache}", "--trusted-public-keys", f"{B} {A}") == (
        0,
        b"verified 3, bad 0\n",
        b"",
    )


@pytest.mark.parametrize(
    ("signers", "trusted", "needed", "told"),
    [
        pytest.param([], A, 1, "0 of 1 signatures needed hold; it has none", id="none"),
        pytest.param(
            [("c-1", 3)], A, 1, "0 of 1 signatures needed hold; 1 are of keys that are not trusted", id="not trusted"
        ),
        pytest.param(
            [("a-1", 9)], A, 1, "0 of 1 signatures needed hold; under a-1 there is one that does not", id="forged"
        ),
        pytest.param(
            [("a-1", 1), ("b-1", 9)],
            f"{A} {B}",
            2,
            "1 of 2 signatures needed hold (a-1); under b-1 there is one that does not",
            id="one of two",
        ),
        pytest.param([("a-1", 1)], f"{A} {B}", 2, "1 of 2 signatures needed hold (a-1)", id="one alone"),
        pytest.param(
            [("a-1", 1), ("a-1", 1)], f"{A} {B}", 2, "1 of 2 signatures needed hold (a-1)", id="the same one twice"
        ),
        pytest.param(
            [("a-1", 1), ("z-1", 1)],
            f"{A} {public('z-1', 1)} {B}",
            2,
            "1 of 2 signatures needed hold (a-1, z-1), for one key under two names counts once",
            id="one key under two names",
        ),
    ],
)
def test_what_is_wrong(
    nix_command: Run, file: Path, signers: list[tuple[str, int]], trusted: str, needed: int, told: str
) -> None:
    """A path that lacks signatures is a line that says how many hold, whose, and what of the others."""
    for name, number in signers:
        sign(file, name, number)

    code, out, _ = nix_command("verify", str(file), "--trusted-public-keys", trusted, "--sigs-needed", str(needed))

    assert (code, out.decode()) == (1, f"{STORE_PATH}: {told}\nverified 0, bad 1\n")


def test_an_unpadded_copy_counts_once(nix_command: Run, file: Path) -> None:
    """Nix 2.8 counts a signature and its unpadded spelling as two; here the key counts."""
    sign(file, "a-1", 1)
    line = file.read_bytes().splitlines()[-1]
    file.write_bytes(file.read_bytes() + line.rstrip(b"=") + b"\n")

    code, out, _ = nix_command("verify", str(file), "--trusted-public-keys", f"{A} {B}", "--sigs-needed", "2")

    assert (code, out.decode()) == (1, f"{STORE_PATH}: 1 of 2 signatures needed hold (a-1)\nverified 0, bad 1\n")


def test_two_of_two(nix_command: Run, file: Path) -> None:
    """Two distinct keys are two."""
    sign(file, "a-1", 1)
    sign(file, "b-1", 2)

    out = nix_command("verify", str(file), "--trusted-public-keys", f"{A} {B}", "--sigs-needed", "2")

    assert out == (0, b"verified 1, bad 0\n", b"")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"-hello\n", b"-hallo\n"),
        (b"NarHash: sha256:0", b"NarHash: sha256:1"),
        (b"NarSize: 120", b"NarSize: 121"),
        (b"References: ", b"References: %032d-x" % 0),
    ],
)
def test_tampering(nix_command: Run, file: Path, old: bytes, new: bytes) -> None:
    """What a signature covers cannot be changed."""
    sign(file, "a-1", 1)
    file.write_bytes(file.read_bytes().replace(old, new))

    assert nix_command("verify", str(file), "--trusted-public-keys", A)[0] == 1


def test_a_wrong_signature_beside_a_right_one(nix_command: Run, file: Path) -> None:
    """The path is good, and a warning tells that Nix's own command fails on it."""
    sign(file, "a-1", 9)
    sign(file, "a-1", 1)

    code, out, err = nix_command("verify", str(file), "--trusted-public-keys", A)

    assert (code, out) == (0, b"verified 1, bad 0\n")
    assert err == (
        b"keywright: warning: 1 narinfos have a signature under a-1 that does not hold, beside one that does; nix "
        b"store verify fails on such\n"
    )


def test_json(nix_command: Run, make_cache: MakeCache) -> None:
    """With --json each bad path, each fault and at last the counts are a line."""
    cache = make_cache(2)
    paths = sorted(cache.glob("*.narinfo"))
    sign(paths[0], "a-1", 9)
    paths[1].write_bytes(b"")

    code, out, err = nix_command("verify", str(cache), "--trusted-public-keys", A, as_json=True)

    lines = sorted((json.loads(line) for line in out.splitlines()), key=len)
    message = f"{paths[1]}: the last line does not end, so the narinfo was cut short; fetch it again"
    assert lines == [
        {"error": {"type": "FormatError", "message": message, "exit": 65}},
        {"verified": 0, "bad": 1, "gone": 0, "faults": 1},
        {
            "file": str(paths[0]),
            "path": STORE_PATH,
            "needed": 1,
            "holding": [],
            "not_holding": ["a-1"],
            "message": f"{STORE_PATH}: 0 of 1 signatures needed hold; under a-1 there is one that does not",
        },
    ]
    assert json.loads(out.splitlines()[-1]) == {"verified": 0, "bad": 1, "gone": 0, "faults": 1}
    assert (code, err.decode()) == (65, f"keywright: {message}\n")


def test_faults(nix_command: Run, make_cache: MakeCache) -> None:
    """A narinfo that cannot be read as one is a line on stderr, and gives the exit code."""
    cache = make_cache(1)
    sign(next(cache.glob("*.narinfo")), "a-1", 1)
    (cache / "x.narinfo").symlink_to("y")

    code, out, err = nix_command("verify", str(cache), "--trusted-public-keys", A)

    assert (code, out) == (65, b"verified 1, bad 0, faults 1\n")
    assert err.decode() == f"keywright: {cache}/x.narinfo: is a symbolic link; sign the file that it leads to\n"


@pytest.mark.parametrize(
    ("trusted", "needed", "message"),
    [
        pytest.param(
            "", "1", "--trusted-public-keys has no key that Nix would take; give NAME:BASE64, parted by spaces",
            id="no key",
        ),
        pytest.param(
            "a-1:x", "1", "--trusted-public-keys has no key that Nix would take; give NAME:BASE64, parted by spaces",
            id="malformed",
        ),
        pytest.param(A, "0", "--sigs-needed takes a number from 1 upwards", id="none needed"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(nix_command: Run, file: Path, trusted: str, needed: str, message: str) -> None:
    """They are refused before anything is read."""
    with pytest.raises(ConfigError) as caught:
        nix_command("verify", str(file), "--trusted-public-keys", trusted, "--sigs-needed", needed)

    assert str(caught.value) == message


def test_traps_are_told(nix_command: Run, file: Path) -> None:
    """What Nix would make of odd trusted keys is a warning each, and the rest is done."""
    sign(file, "a-1", 1)

    code, out, err = nix_command("verify", str(file), "--trusted-public-keys", f"{A} {public('a-1', 2)} rubbish")

    assert (code, out) == (0, b"verified 1, bad 0\n")
    lines = err.decode().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("keywright: warning: --trusted-public-keys: key ") for line in lines)
    assert "rubbish" not in err.decode()


def test_more_signatures_than_keys(nix_command: Run, file: Path) -> None:
    """That no path can have so many is said."""
    sign(file, "a-1", 1)

    code, _, err = nix_command("verify", str(file), "--trusted-public-keys", A, "--sigs-needed", "2")

    assert (code, err) == (
        1,
        b"keywright: warning: --sigs-needed 2: no path can have so many, for 1 keys are trusted\n",
    )


def test_nothing_is_written(nix_command: Run, make_cache: MakeCache) -> None:
    """Verifying leaves everything as it is, what a killed run left too."""
    cache = make_cache(1)
    (cache / ".keywright-x.narinfo").touch()
    before = sorted((path.name, path.stat().st_mtime_ns) for path in cache.iterdir())

    nix_command("verify", str(cache), "--trusted-public-keys", A)

    assert sorted((path.name, path.stat().st_mtime_ns) for path in cache.iterdir()) == before
