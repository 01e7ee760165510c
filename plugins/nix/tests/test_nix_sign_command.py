"""`keywright nix sign`: what it prints, refuses and returns, and where its keys come from."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from argparse import ArgumentParser
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from uuid import uuid4

import nacl.signing
import pytest

import keywright
from keywright import Commands, KeyRing, Registry, Secret, hookimpl
from keywright.errors import (
    ConfigError,
    FormatError,
    InvalidKeyError,
    KeyNotFoundError,
    KeywrightError,
    MalformedKeyError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright.testing import MemorySigningBackend
from keywright_nix.cache import Cache
from keywright_nix.ed25519 import signer
from keywright_nix.job import Job
from keywright_nix.narinfo import NarInfo
from keywright_nix.signing_keys import signing_keys
from keywright_nix.work import sign_all

MakeCache = Callable[..., Path]
Run = Callable[..., tuple[int, bytes, bytes]]

SEED = (1).to_bytes(32)
HALF = bytes(nacl.signing.SigningKey(SEED).verify_key)
PUBLIC = f"a-1:{b64encode(HALF).decode()}"


def holds(path: Path, public: str) -> set[str]:
    """Under which name a signature of the narinfo holds."""
    return NarInfo.parse(path.read_bytes()).verify([public])


def message_of(caught: pytest.ExceptionInfo[KeywrightError]) -> str:
    """The error's message."""
    return str(caught.value)


def test_a_key_file(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Every narinfo gets the key's signature; a second run finds nothing to do."""
    cache = make_cache(3)

    outs = [nix_command("sign", str(cache), "--key-file", key_file) for _ in range(2)]

    assert outs == [(0, b"signed 3, already signed 0\n", b""), (0, b"signed 0, already signed 3\n", b"")]
    assert all(holds(path, PUBLIC) == {"a-1"} for path in cache.glob("*.narinfo"))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_key_of_the_ring(nix_command: Run, make_cache: MakeCache, ring: KeyRing, jobs: str, tmp_path: Path) -> None:
    """A key of the ring signs under its kid, in several processes too."""
    config = {"stores": {"s": {"backend": "file", "path": str(tmp_path / "keys")}}, "default_store": "s"}
    stored = keywright.open(config, registry=ring.plugins)
    stored.generate("cache", type="ed25519", format="nix")
    cache = make_cache(200)

    out = nix_command("sign", str(cache), "--key", "cache", "--jobs", jobs, config=stored.config)

    assert out == (0, b"signed 200, already signed 0\n", b"")
    public = stored.export("cache").decode()
    assert all(holds(path, public) == {"cache-1"} for path in cache.glob("*.narinfo"))


def test_the_store_that_keeps_the_key_decides(
    nix_command: Run, make_cache: MakeCache, registry: Registry, tmp_path: Path
) -> None:
    """Whether several processes may sign is asked of the key's own store, and not of the default."""
    stores = {
        "shared": {"backend": "file", "path": str(tmp_path / "keys")},
        "alone": {"backend": "memory", "id": str(uuid4())},
    }
    keys = {"in-shared": {"store": "shared"}, "in-alone": {"store": "alone"}}
    cache = str(make_cache(2))

    for default, other in (("shared", "alone"), ("alone", "shared")):
        ring = keywright.open({"default_store": default, "stores": stores, "keys": keys}, registry=registry)
        ring.generate(f"in-{other}", type="ed25519", format="nix")
        if other == "shared":
            out = nix_command("sign", cache, "--key", "in-shared", "--jobs", "2", config=ring.config)
        else:
            with pytest.raises(UnsupportedOperationError) as caught:
                nix_command("sign", cache, "--key", "in-alone", "--jobs", "2", config=ring.config)

    assert out == (0, b"signed 2, already signed 0\n", b"")
    assert message_of(caught) == (
        "in-alone: its store lets one process sign, for its keys never leave it or it is not shared; say --jobs 1"
    )


def test_several_keys(nix_command: Run, make_cache: MakeCache, ring: KeyRing, key_file: str) -> None:
    """Keys of the ring and of files sign together."""
    cache = make_cache(1)

    nix_command("sign", str(cache), "--key", "cache@1", "--key-file", key_file, config=ring.config)

    [path] = cache.glob("*.narinfo")
    assert [text.partition(":")[0] for text in NarInfo.parse(path.read_bytes()).signatures] == ["a-1", "cache-1"]


def test_a_key_on_standard_input(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """`--key-file -` reads the key from stdin."""
    out = nix_command("sign", str(make_cache(1)), "--key-file", "-", given=Path(key_file).read_bytes())

    assert out == (0, b"signed 1, already signed 0\n", b"")


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
    with pytest.raises(ConfigError) as caught:
        nix_command("sign", str(make_cache()), *arguments)

    assert message_of(caught) == message


def test_a_malformed_public_key(nix_command: Run, make_cache: MakeCache) -> None:
    """--only-signed-by takes a public key alone, and names itself."""
    with pytest.raises(MalformedKeyError) as caught:
        nix_command("sign", str(make_cache()), "--drop", "a", "--only-signed-by", "a-1")

    assert message_of(caught) == (
        "--only-signed-by: the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"
    )


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

    monkeypatch.setattr("keywright_nix.signing_keys.signer", vanish)

    assert nix_command("sign", str(make_cache(1)), "--key-file", key_file) == (0, b"signed 1, already signed 0\n", b"")


SECRET = f"a-1:{b64encode(SEED + HALF).decode()}"
HIDDEN = "looks like a key itself, and would stand in every signature"


@pytest.mark.parametrize(
    "secret",
    [SECRET, SECRET.rstrip("="), f"{SECRET}\n", f"{b64encode(SEED).decode()}:x", SECRET.replace(":", ":\n ")],
    ids=["a key", "no padding", "a line", "a seed as the name", "broken"],
)
def test_a_key_in_place_of_its_path(nix_command: Run, make_cache: MakeCache, secret: str) -> None:
    """A secret on the command line is not quoted back."""
    with pytest.raises(ConfigError) as caught:
        nix_command("sign", str(make_cache()), "--key-file", secret)

    assert message_of(caught) == (
        "--key-file takes the path of a file, and this looks like a key; say - and give the key on standard input"
    )


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

    with pytest.raises(MalformedKeyError) as caught:
        nix_command("sign", str(make_cache()), "--key-file", key_file)

    assert message_of(caught) == f"{key_file}: {message}"


def test_one_name_twice(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Two keys of one name would make signatures that Nix cannot tell apart."""
    with pytest.raises(ConfigError) as caught:
        nix_command("sign", str(make_cache()), "--key-file", key_file, "--key-file", key_file)

    assert message_of(caught) == "two of the keys are called a-1; leave one out"


def test_keys_that_nix_does_not_know(nix_command: Run, make_cache: MakeCache, ring: KeyRing) -> None:
    """A key of another type, one whose kid is no Nix key name, and one that is not there are refused."""
    cache = str(make_cache())
    ring.generate("ec", type="ec-p256", format="jwk")
    ring.generate("odd", type="ed25519", format="jwk", kid="a b")
    ring.generate("seed", type="ed25519", format="jwk", kid=b64encode(SEED).decode())

    with pytest.raises(UnsupportedKeyError) as ec:
        nix_command("sign", cache, "--key", "ec", config=ring.config)
    with pytest.raises(UnsupportedKeyError) as odd:
        nix_command("sign", cache, "--key", "odd", config=ring.config)
    with pytest.raises(UnsupportedKeyError) as seed:
        nix_command("sign", cache, "--key", "seed", config=ring.config)
    with pytest.raises(KeyNotFoundError):
        nix_command("sign", cache, "--key", "missing", config=ring.config)

    assert message_of(ec) == "ec: is of type ec-p256, and Nix knows ed25519 alone; generate one with --format nix"
    assert message_of(odd) == (
        "odd: its kid cannot be a Nix key name: it holds whitespace, a control character or another one that does not "
        "print; generate a key with another --kid"
    )
    assert message_of(seed) == f"seed: its kid cannot be a Nix key name: it {HIDDEN}; generate a key with another --kid"


def test_a_key_that_is_compromised_meanwhile(make_cache: MakeCache, ring: KeyRing, registry: Registry) -> None:
    """The run stops at once; what is signed is signed."""
    context = keywright.Context(lambda: registry, read_config=lambda: ring.config)
    keys = signing_keys(context, ["cache"], [], jobs=1)
    cache = Cache(str(make_cache(5)))

    with cache.locked() as descriptor:
        outcomes = sign_all(cache, descriptor, Job(keys), jobs=1)
        next(outcomes)
        next(outcomes)
        context.ring.compromise("cache@1")
        with pytest.raises(PolicyError):
            next(outcomes)

    done = [path for path in Path(cache.directory).glob("*.narinfo") if b"Sig: cache-1:" in path.read_bytes()]
    assert len(done) == 2


def test_a_key_that_is_rotated_meanwhile(make_cache: MakeCache, ring: KeyRing, registry: Registry) -> None:
    """From then on the new version signs, under its own name; each signature holds."""
    context = keywright.Context(lambda: registry, read_config=lambda: ring.config)
    keys = signing_keys(context, ["cache"], [], jobs=1)
    cache = Cache(str(make_cache(4)))

    with cache.locked() as descriptor:
        for number, _ in enumerate(sign_all(cache, descriptor, Job(keys), jobs=1)):
            if number == 1:
                context.ring.rotate("cache")

    publics = [context.ring.export(f"cache@{version}").decode() for version in (1, 2)]
    names = [holds(path, public) for path in Path(cache.directory).glob("*.narinfo") for public in publics]
    assert sorted(map(sorted, names)) == [[]] * 4 + [["cache-1"]] * 2 + [["cache-2"]] * 2


class TestKeysThatStayInside:
    """Keys of a signing store."""

    @pytest.fixture
    def inside(self) -> KeyRing:
        """A ring over a signing store with the key `cache`."""

        registry = Registry.load()

        class Plugin:
            KEYWRIGHT_API = 1

            @hookimpl
            def keywright_register_store_backends(self) -> list[MemorySigningBackend]:
                return [MemorySigningBackend({"ed25519": registry.key_type("ed25519")})]

        registry.add(Plugin(), "inside")
        config = {"default_store": "hsm", "stores": {"hsm": {"backend": "memory-signing", "id": str(uuid4())}}}
        ring = keywright.open(config, registry=registry)
        ring.generate("cache", type="ed25519", format="nix")
        return ring

    def test_they_sign(self, make_cache: MakeCache, inside: KeyRing) -> None:
        """A key that cannot leave its store signs a cache."""
        context = keywright.Context(lambda: inside.plugins, read_config=lambda: inside.config)
        cache = Cache(str(make_cache(2)))

        with cache.locked() as descriptor:
            keys = signing_keys(context, ["cache"], [], jobs=1)
            kinds = [outcome.kind for _ in range(2) for _, outcome in sign_all(cache, descriptor, Job(keys), jobs=1)]

        public = inside.export("cache").decode()
        assert kinds == ["changed", "changed", "unchanged", "unchanged"]
        assert [key().varies for key in keys] == [True]
        assert all(holds(path, public) == {"cache-1"} for path in Path(cache.directory).glob("*.narinfo"))

    def test_in_one_process_alone(self, inside: KeyRing) -> None:
        """Several processes would each need a session of their own, so they are refused."""
        context = keywright.Context(lambda: inside.plugins, read_config=lambda: inside.config)

        with pytest.raises(UnsupportedOperationError) as caught:
            signing_keys(context, ["cache"], [], jobs=2)

        assert message_of(caught) == (
            "cache: its store lets one process sign, for its keys never leave it or it is not shared; say --jobs 1"
        )


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


def test_no_secret_is_shown(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Neither result nor messages hold the key."""
    code, out, err = nix_command("sign", str(make_cache()), "--key-file", key_file, as_json=True)

    assert code == 0
    assert not re.search(re.escape(b64encode(SEED)[:20]), out + err)


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
