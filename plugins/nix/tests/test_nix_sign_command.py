"""`keywright nix sign`: what it prints, refuses and returns, and where its keys come from."""

from __future__ import annotations

import json
import os
import re
import shutil
from argparse import ArgumentParser
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import nacl.signing
import pytest

import keywright
from keywright import Commands, KeyRing, Registry
from keywright.errors import (
    ConfigError,
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
from keywright_nix.narinfo import NarInfo
from keywright_nix.signing import Job
from keywright_nix.signing_keys import signing_keys
from keywright_nix.work import sign_all

MakeCache = Callable[..., Path]
Run = Callable[..., tuple[int, bytes, bytes]]

SEED = (1).to_bytes(32)
HALF = bytes(nacl.signing.SigningKey(SEED).verify_key)
PUBLIC = f"a-1:{b64encode(HALF).decode()}"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A secret key called a-1, for its owner alone."""
    path = tmp_path / "secret-key"
    path.write_bytes(b"a-1:" + b64encode(SEED + HALF))
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def ring(registry: Registry) -> KeyRing:
    """A ring in memory with the key `cache`, whose kid is cache-1, and others that cannot sign for Nix."""
    identity = str(uuid4())
    ring = keywright.open(
        {"default_store": "m", "stores": {"m": {"backend": "memory", "id": identity}}}, registry=registry
    )
    ring.generate("cache", type="ed25519", format="nix")
    return ring


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
        b"keywright: warning: 2 narinfos have a signature under a-1 that is not of this key, and Nix fails on such; "
        b"--drop a-1 takes it away\n"
    )


def test_several_places(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Directories, URLs and files are done one after the other, and counted together."""
    first, second, third = (make_cache(2, name=name) for name in ("one", "t wo", "three"))
    single = str(next(third.glob("*.narinfo")))

    out = nix_command("sign", str(first), f"file://{second}".replace(" ", "%20"), single, "--key-file", key_file)

    assert out == (0, b"signed 5, already signed 0\n", b"")


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


def test_a_file_that_others_may_read(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """It signs, with a warning."""
    os.chmod(key_file, 0o640)

    code, _, err = nix_command("sign", str(make_cache(1)), "--key-file", key_file)

    told = "others may read this secret key; chmod 600 it, and make a new one if they did"
    assert (code, err.decode()) == (0, f"keywright: warning: {key_file}: {told}\n")


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

    with pytest.raises(UnsupportedKeyError) as ec:
        nix_command("sign", cache, "--key", "ec", config=ring.config)
    with pytest.raises(UnsupportedKeyError) as odd:
        nix_command("sign", cache, "--key", "odd", config=ring.config)
    with pytest.raises(KeyNotFoundError):
        nix_command("sign", cache, "--key", "missing", config=ring.config)

    assert message_of(ec) == "ec: is of type ec-p256, and Nix knows ed25519 alone; generate one with --format nix"
    assert message_of(odd) == (
        "odd: its kid cannot be a Nix key name: it holds whitespace, a control character or another one that does not "
        "print; generate a key with another --kid"
    )


def test_a_key_that_is_compromised_meanwhile(make_cache: MakeCache, ring: KeyRing, registry: Registry) -> None:
    """The run stops at once; what is signed is signed."""
    context = keywright.Context(registry, read_config=lambda: ring.config)
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
    context = keywright.Context(registry, read_config=lambda: ring.config)
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
        from keywright import hookimpl

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
        context = keywright.Context(inside.plugins, read_config=lambda: inside.config)
        cache = Cache(str(make_cache(2)))

        with cache.locked() as descriptor:
            keys = signing_keys(context, ["cache"], [], jobs=1)
            kinds = [outcome.kind for _, outcome in sign_all(cache, descriptor, Job(keys), jobs=1)]

        public = inside.export("cache").decode()
        assert kinds == ["changed", "changed"]
        assert all(holds(path, public) == {"cache-1"} for path in Path(cache.directory).glob("*.narinfo"))

    def test_in_one_process_alone(self, inside: KeyRing) -> None:
        """Several processes would each need a session of their own, so they are refused."""
        context = keywright.Context(inside.plugins, read_config=lambda: inside.config)

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
    assert err == (b"keywright: stopped early: signed 2, already signed 0; run the same command again to finish\n")


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
