"""`keywright nix sign` on what no cache should hold, and where there is no room: told, exit code, and nothing lost."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nix_signing import CA, KEY, KEYWRIGHT, MakeCache

from keywright_nix.narinfo import NarInfo

Sign = Callable[[Path], tuple[int, str, str]]


@pytest.fixture
def sign(tmp_path: Path) -> Sign:
    """Runs `keywright nix sign` with a key called a-1: exit code, stdout, stderr."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_bytes(b"a-1:" + b64encode(bytes(KEY) + bytes(KEY.verify_key)))

    def run(cache: Path) -> tuple[int, str, str]:
        command = [KEYWRIGHT, "nix", "sign", str(cache), "--key-file", str(key)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return run


def signed(data: bytes) -> bytes:
    """The narinfo with the signature of the key."""
    line = b"Sig: a-1:" + b64encode(KEY.sign(NarInfo.parse(data).fingerprint()).signature) + b"\n"
    return data.removesuffix(CA) + line + (CA if data.endswith(CA) else b"")


def test_a_narinfo_of_100_megabytes(sign: Sign, make_cache: MakeCache) -> None:
    """It is named, not read and left alone; the others are signed."""
    cache = make_cache(2)
    large = cache / "large.narinfo"
    large.touch()
    os.truncate(large, 100_000_000)
    before = large.stat()

    out = sign(cache)

    assert out == (
        65,
        "signed 2, already signed 0, faults 1\n",
        f"keywright: {large}: has more than 8388608 bytes; this is no narinfo\n",
    )
    after = large.stat()
    assert (after.st_size, after.st_blocks, after.st_ctime_ns) == (before.st_size, before.st_blocks, before.st_ctime_ns)


def test_a_narinfo_of_a_million_lines(sign: Sign, make_cache: MakeCache) -> None:
    """It is signed like any other if it is sound, and named with its line if not; both keep every byte."""
    cache = make_cache(1)
    [path] = cache.glob("*.narinfo")
    long = path.read_bytes() + b"".join(b"%x: \n" % number for number in range(1_000_000))
    path.write_bytes(long)
    bad = cache / "bad.narinfo"
    bad.write_bytes(long + b"x\n")

    out = sign(cache)

    rule = "is no field; a field is a name, a colon, a space and a value; correct it or fetch the narinfo again"
    assert out == (65, "signed 1, already signed 0, faults 1\n", f"keywright: {bad}:1000007: {rule}\n")
    assert (path.read_bytes() == signed(long), bad.read_bytes() == long + b"x\n") == (True, True)


def test_a_directory_of_other_files(sign: Sign, tmp_path: Path) -> None:
    """It is no binary cache, and nothing in it is touched."""
    place = tmp_path / "photos"
    place.mkdir()
    for name in ("a.jpeg", ".keywright-a.tmp", "narinfo"):
        (place / name).write_bytes(b"x")
    before = {path.name: path.stat().st_ctime_ns for path in [place, *place.iterdir()]}

    out = sign(place)

    rule = "is no binary cache, for it holds neither nix-cache-info nor a narinfo; correct the path"
    assert out == (2, "", f"keywright: {place}: {rule}\n")
    assert {path.name: path.stat().st_ctime_ns for path in [place, *place.iterdir()]} == before


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("only root mounts file systems")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("tail", [b"", CA], ids=["append", "new file"])
def test_a_full_disk(sign: Sign, make_cache: MakeCache, small: Path, tail: bytes) -> None:
    """What there is no room for stays as it was and is named; with room the same command finishes."""
    olds = {}
    for path in make_cache(3, tail=tail).iterdir():
        data = path.read_bytes()
        # Pages that are full: the signature needs a new one of each.
        olds[path.name] = data if path.name == "nix-cache-info" else filled(data, tail)
        (small / path.name).write_bytes(olds[path.name])
    with pytest.raises(OSError, match="No space"):
        (small / "filler").write_bytes(bytes(65536))

    code, out, err = sign(small)

    assert (code, out) == (6, "signed 0, already signed 0, faults 3\n")
    rule = "cannot be written (No space left on device); the narinfo is as it was"
    assert sorted(err.splitlines()) == [f"keywright: {small}/{number:032}.narinfo: {rule}" for number in range(3)]
    (small / "filler").unlink()
    assert {path.name: path.read_bytes() for path in small.iterdir()} == olds
    assert sign(small) == (0, "signed 3, already signed 0\n", "")
    news = {name: signed(data) if name.endswith(".narinfo") else data for name, data in olds.items()}
    assert {path.name: path.read_bytes() for path in small.iterdir()} == news


def filled(data: bytes, tail: bytes) -> bytes:
    """A narinfo of one page, `tail` at its end."""
    start = data.removesuffix(tail)
    return start + b"X: %b\n" % (b"x" * (4096 - len(data) - 4)) + tail
