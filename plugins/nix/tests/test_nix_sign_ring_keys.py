"""`keywright nix sign --key`: keys of the ring, from whichever store, and what becomes of them meanwhile."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from uuid import uuid4

import pytest
from nix_signing import HIDDEN, SEED, MakeCache, Run, holds, message_of, refusal

import keywright
from keywright import KeyRing, Registry, hookimpl
from keywright.errors import KeyNotFoundError, PolicyError, UnsupportedKeyError, UnsupportedOperationError
from keywright.testing import MemorySigningBackend
from keywright_nix.cache import Cache
from keywright_nix.narinfo import NarInfo
from keywright_nix.parallel import sign_all
from keywright_nix.signing import Job, signing_keys


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

        with refusal(
            UnsupportedOperationError,
            "cache: its store lets one process sign, for its keys never leave it or it is not shared; say --jobs 1",
        ):
            signing_keys(context, ["cache"], [], jobs=2)
