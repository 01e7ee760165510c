"""`keywright nix sign`: what it does with caches and options, and what it prints and returns."""

from __future__ import annotations

import io
import json
import os
import shutil
from argparse import ArgumentParser
from base64 import b64encode

import pytest
from nix_signing import PUBLIC, MakeCache, Run, holds, refusal

from keywright import Commands, KeyRing, Registry
from keywright.errors import ConfigError, FormatError, MalformedKeyError
from keywright_nix.cache import Cache


def test_json(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """With --json the result is one document, the first fault in it."""
    cache = make_cache(2)
    bad = cache / "bad.narinfo"
    bad.write_bytes(b"x")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file, as_json=True)

    message = f"{bad}: the last line does not end, so the narinfo was cut short; fetch it again"
    assert json.loads(out) == {
        "changed": 2,
        "unchanged": 0,
        "not_vouched_for": 0,
        "gone": 0,
        "faults": 1,
        "clashing": {},
        "dry_run": False,
        "error": {"type": "FormatError", "message": message, "exit": 65},
    }
    assert (code, err.decode()) == (65, f"keywright: {message}\n")


def test_faults(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Each fault is a line on stderr, the rest is signed, and the exit code is that of the first."""
    cache = make_cache(1)
    (cache / "link.narinfo").symlink_to("x")
    os.mkfifo(cache / "pipe.narinfo")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

    assert (code, out) == (65, b"signed 1, already signed 0, faults 2\n")
    assert sorted(err.decode().splitlines()) == [
        f"keywright: {cache}/link.narinfo: is a symbolic link; sign the file that it leads to",
        f"keywright: {cache}/pipe.narinfo: is no regular file; take it out of the cache",
    ]


@pytest.mark.parametrize("odd", [b"\xff", b"\n", b"\x1b[2J"], ids=["not UTF-8", "line feed", "escape"])
def test_odd_names(nix_command: Run, make_cache: MakeCache, key_file: str, odd: bytes) -> None:
    """A file with an odd name is signed; if it is faulty the line on stderr stays one line."""
    cache = make_cache(1)
    good, bad = (cache / os.fsdecode(odd + end + b".narinfo") for end in (b"1", b"2"))
    good.write_bytes(next(cache.glob("0*.narinfo")).read_bytes())
    bad.touch()

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

    assert (code, out) == (65, b"signed 2, already signed 0, faults 1\n")
    assert err.count(b"\n") == 1
    assert b"\x1b" not in err
    assert holds(good, PUBLIC) == {"a-1"}


def test_drop(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Without a key, --drop takes signatures away; the line says how many narinfos changed."""
    cache = make_cache(3)
    bare = {path: path.read_bytes() for path in cache.glob("*.narinfo")}
    nix_command("sign", str(cache), "--key-file", key_file)

    outs = [nix_command("sign", str(cache), "--drop", "a-1", "--drop", "b-1") for _ in range(2)]

    assert outs == [(0, b"changed 3, unchanged 0\n", b""), (0, b"changed 0, unchanged 3\n", b"")]
    assert {path: path.read_bytes() for path in bare} == bare


def test_dry_run(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """--dry-run tells what would be done, also while another one signs, and does nothing."""
    cache = make_cache(2)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in cache.iterdir()}

    with Cache(str(cache)).locked():
        signing = nix_command("sign", str(cache), "--key-file", key_file, "--dry-run")
        dropping = nix_command("sign", str(cache), "--drop", "a-1", "--dry-run")

    assert signing == (0, b"to sign 2, already signed 0\n", b"")
    assert dropping == (0, b"to change 0, unchanged 2\n", b"")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in cache.iterdir()} == before


def test_only_signed_by(nix_command: Run, make_cache: MakeCache, key_file: str, ring: KeyRing) -> None:
    """What the old key did not sign is counted and left alone; that is no failure."""
    cache = make_cache(3)
    vouched = min(cache.glob("*.narinfo"))
    nix_command("sign", str(vouched), "--key-file", key_file)

    out = nix_command("sign", str(cache), "--key", "cache", "--only-signed-by", PUBLIC, config=ring.config)

    assert out == (0, b"signed 1, already signed 0, not vouched for 2\n", b"")
    assert holds(vouched, ring.export("cache").decode()) == {"cache-1"}


def test_another_signature_under_our_name(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """It is left, and a warning says how to be rid of it."""
    cache = make_cache(2, tail=b"Sig: a-1:" + b64encode(bytes(64)) + b"\n")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

    assert (code, out) == (0, b"signed 2, already signed 0\n")
    assert err == (
        b"keywright: warning: 2 narinfos have a signature under a-1 that does not hold, and Nix fails on such; "
        b"--drop a-1 takes it away\n"
    )


def test_several_places(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Directories, URLs and files are done one after the other, and counted together."""
    first, second, third = (make_cache(2, name=name) for name in ("one", "t wo", "three"))
    single = str(next(third.glob("*.narinfo")))

    out = nix_command("sign", str(first), f"file://{second}".replace(" ", "%20"), single, "--key-file", key_file)

    assert out == (0, b"signed 5, already signed 0\n", b"")


def test_one_place_twice(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """A cache that is named by its path, a URL and a link is done once, and told as it was named first."""
    cache = make_cache(2)
    (cache / "bad.narinfo").write_bytes(b"x")
    link = cache.with_name("link")
    link.symlink_to(cache)

    out = nix_command("sign", str(link), f"file://{cache}", f"{cache}/", "--key-file", key_file)

    assert out[:2] == (65, b"signed 2, already signed 0, faults 1\n")
    assert out[2].startswith(f"keywright: {link}/bad.narinfo: ".encode())


def test_a_path_of_another_store(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """What the cache's nix-cache-info does not speak of is a fault; each cache has its own."""
    ours, theirs = make_cache(2), make_cache(2, name="theirs")
    (theirs / "nix-cache-info").write_bytes(b"StoreDir: /gnu/store\n")

    code, out, err = nix_command("sign", str(ours), str(theirs), "--key-file", key_file)

    assert (code, out) == (65, b"signed 2, already signed 0, faults 2\n")
    rule = "StorePath is of another store than nix-cache-info says; take it out of this cache"
    assert sorted(err.decode().splitlines()) == [f"keywright: {theirs}/{n:032}.narinfo: {rule}" for n in range(2)]


def test_a_malformed_cache_info(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Where it is not clear which store a cache is of, nothing is signed."""
    cache = make_cache(1)
    (cache / "nix-cache-info").write_bytes(b"StoreDir: /nix/store\nStoreDir: /gnu/store\n")

    with pytest.raises(FormatError):
        nix_command("sign", str(cache), "--key-file", key_file)

    assert not any(b"Sig" in path.read_bytes() for path in cache.glob("*.narinfo"))


class Terminal(io.StringIO):
    """A stderr that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("watched", [False, True])
def test_the_directory_is_not_read_for_a_bar_that_nobody_sees(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    """The narinfos are counted beforehand only where a bar is drawn, which says of how many."""
    cache = make_cache(3)
    terminal = Terminal()
    looks = []
    scandir = os.scandir

    def look(path: str) -> object:
        looks.append(path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", look)
    if watched:
        monkeypatch.setattr("sys.stderr", terminal)

    nix_command("sign", str(cache), "--key-file", key_file, "--jobs", "1")

    assert ("1 of 3 narinfos" in terminal.getvalue()) == watched
    assert len(looks) == (3 if watched else 2)


def test_an_empty_cache(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """A cache without narinfos is fine."""
    out = nix_command("sign", str(make_cache(0)), "--key-file", key_file)

    assert out == (0, b"signed 0, already signed 0\n", b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "there is nothing to do; name a key with --key or --key-file, or one to --drop", id="no key"),
        pytest.param(["--drop", ""], "--drop takes the name of a key, what stands before the colon", id="empty name"),
        pytest.param(["--drop", PUBLIC], "--drop takes the name of a key, what stands before the colon", id="a key"),
        *(
            pytest.param(["--drop", "a", "--jobs", number], "--jobs takes a number from 1 to 64", id=f"{number} jobs")
            for number in ("0", "-1", "65")
        ),
    ],
)
def test_arguments_that_do_not_fit(nix_command: Run, make_cache: MakeCache, arguments: list[str], message: str) -> None:
    """They are refused before anything is done."""
    with refusal(ConfigError, message):
        nix_command("sign", str(make_cache()), *arguments)


def test_a_malformed_public_key(nix_command: Run, make_cache: MakeCache) -> None:
    """--only-signed-by takes a public key alone, and names itself."""
    with refusal(
        MalformedKeyError,
        "--only-signed-by: the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64",
    ):
        nix_command("sign", str(make_cache()), "--drop", "a", "--only-signed-by", "a-1")


def test_what_was_done_when_it_stops_early(
    nix_command: Run, make_cache: MakeCache, key_file: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """If a later place cannot be had, a note says what was done before it."""
    cache = make_cache(2)

    with pytest.raises(ConfigError):
        nix_command("sign", str(cache), str(cache / "missing"), "--key-file", key_file)

    out, err = capfdbinary.readouterr()
    assert out == b""
    assert err == (
        b"keywright: stopped early, with at least this done: signed 2, already signed 0; run the same command again to "
        b"finish\n"
    )


def test_a_cache_of_narinfos_with_the_same_key_elsewhere(
    nix_command: Run, make_cache: MakeCache, key_file: str
) -> None:
    """A copy that is made with hard links keeps its bytes when the cache is signed."""
    cache = make_cache(3)
    snapshot = cache.with_name("snapshot")
    shutil.copytree(cache, snapshot, copy_function=os.link)
    before = {path.name: path.read_bytes() for path in snapshot.iterdir()}

    nix_command("sign", str(cache), "--key-file", key_file)

    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == before
    assert all(holds(path, PUBLIC) for path in cache.glob("*.narinfo"))


def test_help(registry: Registry) -> None:
    """--help names every option."""
    commands = Commands()
    registry.add_commands(commands)
    parser = ArgumentParser(prog="keywright nix sign")
    commands.table["nix", "sign"].configure(parser)

    text = parser.format_help()

    assert all(
        option in text
        for option in ("CACHE", "--key ", "--key-file", "--drop", "--only-signed-by", "--dry-run", "--jobs")
    )
