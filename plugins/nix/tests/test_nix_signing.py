"""Signing narinfos: which signatures they have afterwards, and the keys, from files and from rings."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from nix_messages import EMPTY, UNPRINTABLE
from nix_signing import (
    HALF,
    HIDDEN,
    OTHER_A,
    PUBLIC,
    SEED,
    A,
    B,
    M,
    MakeCache,
    Run,
    bound,
    holds,
    job,
    outcome_of,
    refusal,
    sig,
    signed,
    varying,
)
from support.errors import printed, text_of

import keywright
from keywright import KeyRing, Registry, Secret, hookimpl
from keywright.errors import (
    ConfigError,
    FormatError,
    InvalidKeyError,
    KeyNotFoundError,
    MalformedKeyError,
    PolicyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright.testing import MemorySigningBackend
from keywright_nix.cache import Cache
from keywright_nix.key import signer
from keywright_nix.narinfo import NarInfo
from keywright_nix.parallel import sign_all
from keywright_nix.rewrite import Outcome
from keywright_nix.signing import Bound, Job, signing_keys


@pytest.fixture
def file(make_cache: MakeCache) -> Path:
    return make_cache(1) / f"{0:032}.narinfo"


def test_signatures_are_added(file: Path) -> None:
    """Each key adds its line, sorted among those that are there, and the rest stays as it was."""
    bare = file.read_bytes()

    kinds = [signed(file, job(M)), signed(file, job(B, A))]

    assert kinds == ["changed", "changed"]
    assert file.read_bytes() == bare + sig(A, bare) + sig(B, bare) + sig(M, bare)


def test_a_second_run_changes_nothing(file: Path) -> None:
    signed(file, job(A, B))
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)

    assert [signed(file, job(A, B)), signed(file, job(B)), signed(file, job(A))] == ["unchanged"] * 3

    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_signatures_are_dropped(file: Path) -> None:
    """Those under the given names are taken away, malformed ones too; names that only begin so stay."""
    bare = file.read_bytes()
    ours = sig(A, bare)
    others = b"Sig: a-11:x\nSig: a-2:y\n"
    file.write_bytes(bare + b"Sig: a-1:rubbish\n" + ours + others)

    assert [signed(file, job(drop=("a-1", "c-1"))), signed(file, job(drop=("a-1", "c-1")))] == ["changed", "unchanged"]

    assert file.read_bytes() == bare + others


def test_dropping_a_name_and_signing_under_it(file: Path) -> None:
    """Wrong signatures under our own name are replaced by ours; a second run finds nothing to do."""
    bare = file.read_bytes()
    file.write_bytes(bare + sig(OTHER_A, bare))

    kinds = [signed(file, job(A, drop=("a-1",))), signed(file, job(A, drop=("a-1",)))]

    assert kinds == ["changed", "unchanged"]
    assert file.read_bytes() == bare + sig(A, bare)


def test_another_signature_under_our_name(file: Path) -> None:
    """It may be another key's, so it stays, and is told."""
    bare = file.read_bytes()
    file.write_bytes(bare + sig(OTHER_A, bare))

    outcomes = [outcome_of(file, job(A, B)) for _ in range(2)]

    assert outcomes == [Outcome("changed", clashing=("a-1",)), Outcome("unchanged", clashing=("a-1",))]
    assert sorted(file.read_bytes().removeprefix(bare).splitlines(keepends=True)) == sorted(
        [sig(A, bare), sig(OTHER_A, bare), sig(B, bare)]
    )


class TestSignaturesThatDiffer:
    """Signatures of our own key that are not the ones that we would make."""

    def test_a_key_whose_signatures_vary(self, file: Path) -> None:
        """However often it is run, there is one signature, and the key is not asked for a second."""
        key = varying("a-1")
        calls = []

        def sign(message: bytes) -> bytes:
            calls.append(message)
            return key.sign(message)

        kinds = [signed(file, job(key._replace(sign=sign), B)) for _ in range(3)]

        assert kinds == ["changed", "unchanged", "unchanged"]
        info = NarInfo.parse(file.read_bytes())
        assert (len(calls), [text[:4] for text in info.signatures]) == (1, ["a-1:", "b-1:"])
        assert info.verify([f"a-1:{b64encode(A.public).decode()}"]) == {"a-1"}

    def test_one_that_another_program_made_counts(self, file: Path) -> None:
        bare = file.read_bytes()
        file.write_bytes(bare + sig(varying("a-1"), bare))

        assert outcome_of(file, job(A)) == Outcome("unchanged")

    @pytest.mark.parametrize("key", [A, varying("a-1")], ids=["in this process", "in a store"])
    def test_one_that_is_spelled_otherwise(self, file: Path, key: Bound) -> None:
        """A signature that Nix reads and would not write so is respelled, and no other is touched."""
        bare = file.read_bytes()
        line = sig(A, bare)
        other = sig(B, bare).replace(b"=", b"")
        file.write_bytes(bare + line.replace(b"=", b"") + other)

        outcomes = [outcome_of(file, job(key)) for _ in range(2)]

        assert outcomes == [Outcome("changed"), Outcome("unchanged")]
        assert file.read_bytes() == bare + line + other

    def test_of_two_spellings_that_of_nix_stays(self, file: Path) -> None:
        bare = file.read_bytes()
        line = sig(A, bare)
        file.write_bytes(bare + line + line.replace(b"=", b""))

        assert outcome_of(file, job(A)) == Outcome("changed")

        assert file.read_bytes() == bare + line

    @pytest.mark.parametrize("key", [A, varying("a-1")], ids=["in this process", "in a store"])
    def test_one_that_does_not_hold(self, file: Path, key: Bound) -> None:
        """It stays beside ours, and is reported each time."""
        bare = file.read_bytes()
        for value in (b"x", b"", b"\xff", b"A" * 88):
            line = b"Sig: a-1:%b\n" % value
            file.write_bytes(bare + line)

            outcomes = [outcome_of(file, job(key)) for _ in range(2)]

            assert outcomes == [Outcome("changed", clashing=("a-1",)), Outcome("unchanged", clashing=("a-1",))]
            assert file.read_bytes().count(b"\nSig: ") == 2
            assert line in file.read_bytes()


def test_a_path_of_the_store_is_signed_and_no_other(file: Path) -> None:
    """If the cache names no store, any is."""
    bare = file.read_bytes()
    for store in (b"", b"/nix/store"):
        file.write_bytes(bare)
        assert signed(file, job(A)._replace(store_dir=store)) == "changed"

    for directory in (b"/nix", b"/nix/store/sub", b"/nix/stor", b"/gnu/store", b"/nix/storee"):
        before = bare.replace(b": /nix/store/", b": " + directory + b"/")
        file.write_bytes(before)

        outcome = outcome_of(file, job(A)._replace(store_dir=b"/nix/store"))

        assert (outcome.kind, type(outcome.error)) == ("faulty", FormatError)
        assert text_of(outcome.error) == (
            f"{file}: StorePath is in another store than nix-cache-info names; remove the narinfo from this cache"
        )
        assert file.read_bytes() == before


class TestVouching:
    """`--only-signed-by`."""

    def test_what_the_old_key_signed_is_signed(self, file: Path) -> None:
        """It loses the old signature if that is dropped, and counts as signed from then on."""
        bare = file.read_bytes()
        file.write_bytes(bare + b"Sig: a-1:rubbish\n" + sig(A, bare))

        kinds = [signed(file, job(B, drop=("a-1",), vouching=A)) for _ in range(2)]

        assert kinds == ["changed", "unchanged"]
        assert file.read_bytes() == bare + sig(B, bare)

    def test_what_it_did_not_sign_is_left_alone(self, file: Path) -> None:
        bare = file.read_bytes()
        forged, renamed, another = sig(OTHER_A, bare), sig(bound("a-2", 1), bare), sig(B, bare)
        for present in (b"", forged, renamed, another):
            file.write_bytes(bare + present)

            assert signed(file, job(M, drop=("b-1",), vouching=A)) == "not vouched for"
            assert file.read_bytes() == bare + present

    def test_a_signature_of_another_path_vouches_for_nothing(self, make_cache: MakeCache) -> None:
        first, second = sorted(make_cache(2).glob("*.narinfo"))
        copied = second.read_bytes() + sig(A, first.read_bytes())
        second.write_bytes(copied)

        assert signed(second, job(B, vouching=A)) == "not vouched for"

        assert second.read_bytes() == copied


def test_zeros_after_a_loss_of_power_are_repaired(file: Path) -> None:
    """Where ext4 wrote a longer file without its bytes, the next run writes the whole narinfo."""
    bare = file.read_bytes()
    file.write_bytes(bare + bytes(len(sig(A, bare))))

    assert [signed(file, job(A)), signed(file, job(A))] == ["changed", "unchanged"]
    assert file.read_bytes() == bare + sig(A, bare)


# Keys from files.


def test_a_key_file(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    cache = make_cache(3)

    outs = [nix_command("sign", str(cache), "--key-file", key_file) for _ in range(2)]

    assert outs == [(0, b"signed 3, already signed 0\n", b""), (0, b"signed 0, already signed 3\n", b"")]
    assert all(holds(path, PUBLIC) == {"a-1"} for path in cache.glob("*.narinfo"))


def test_a_key_on_standard_input(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    out = nix_command("sign", str(make_cache(1)), "--key-file", "-", given=Path(key_file).read_bytes())

    assert out == (0, b"signed 1, already signed 0\n", b"")


def test_files_that_hold_no_secret_key_are_refused(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    cache = str(make_cache())
    public = "is a public key, and signing needs the secret one; pass the file of the secret key"
    mismatch = "the public half of this ed25519 key does not belong to its secret half; import a key whose halves match"
    hidden = f"the name of the Nix key {HIDDEN}; write another before the colon"
    seed = b64encode(SEED) + b":"
    for content, kind, rule in (
        (PUBLIC.encode(), MalformedKeyError, public),
        (b"", MalformedKeyError, EMPTY),
        (b"a-1:" + b64encode(SEED + bytes(range(32))), InvalidKeyError, mismatch),
        (seed + b64encode(SEED + HALF), MalformedKeyError, hidden),
        (seed + b64encode(HALF), MalformedKeyError, public),
    ):
        Path(key_file).write_bytes(content)

        with refusal(kind, f"{key_file}: {rule}"):
            nix_command("sign", cache, "--key-file", key_file)


def test_a_file_that_is_not_its_owners_alone_signs_with_a_warning(
    nix_command: Run, make_cache: MakeCache, key_file: str
) -> None:
    cache = str(make_cache(1))
    rule = (
        "other users may read or change this secret key; run `chmod 600` on it, and replace the key if others may "
        "have read it"
    )
    for mode in (0o640, 0o604, 0o620, 0o602, 0o601):
        os.chmod(key_file, mode)

        code, _, err = nix_command("sign", cache, "--key-file", key_file)

        assert (code, err.decode()) == (0, printed(f"{key_file}: {rule}", kind="warning"))


def test_a_key_in_a_pipe_gets_no_warning(
    nix_command: Run, make_cache: MakeCache, key_file: str, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    writer = Thread(target=pipe.write_bytes, args=[Path(key_file).read_bytes()])
    writer.start()

    out = nix_command("sign", str(make_cache(1)), "--key-file", str(pipe))

    writer.join()
    assert out == (0, b"signed 1, already signed 0\n", b"")


def test_a_key_file_that_vanishes_once_it_was_read_signs(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(both: Secret) -> tuple[bytes, Callable[[bytes], bytes]]:
        os.unlink(key_file)
        return signer(both)

    monkeypatch.setattr("keywright_nix.signing.signer", vanish)

    assert nix_command("sign", str(make_cache(1)), "--key-file", key_file) == (0, b"signed 1, already signed 0\n", b"")


SECRET = f"a-1:{b64encode(SEED + HALF).decode()}"


def test_a_key_in_place_of_its_path_is_not_quoted(nix_command: Run, make_cache: MakeCache) -> None:
    cache = str(make_cache())
    rule = "--key-file requires a path, and this looks like a key; pass - and the key on standard input"
    seed_as_name = f"{b64encode(SEED).decode()}:x"
    for secret in (SECRET, SECRET.rstrip("="), f"{SECRET}\n", seed_as_name, SECRET.replace(":", ":\n ")):
        with refusal(ConfigError, rule):
            nix_command("sign", cache, "--key-file", secret)


def test_what_looks_like_a_key_and_exists_is_a_path(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name = SECRET.replace("/", "_").replace("+", "_")
    os.rename(key_file, name)

    assert nix_command("sign", str(make_cache(1)), "--key-file", name)[0] == 0


def test_one_name_twice_is_refused(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    with refusal(ConfigError, "two of the keys have the name a-1; pass only one of them"):
        nix_command("sign", str(make_cache()), "--key-file", key_file, "--key-file", key_file)


# Keys of a ring.

ONE_PROCESS = "its store allows only one process to sign; pass --jobs 1"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_key_of_the_ring_signs_under_its_kid(
    nix_command: Run, make_cache: MakeCache, ring: KeyRing, jobs: str, tmp_path: Path
) -> None:
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

    def sign_in(store: str, *, default: str) -> tuple[int, bytes, bytes]:
        ring = keywright.open({"default_store": default, "stores": stores, "keys": keys}, registry=registry)
        ring.generate(f"in-{store}", type="ed25519", format="nix")
        return nix_command("sign", cache, "--key", f"in-{store}", "--jobs", "2", config=ring.config)

    assert sign_in("shared", default="alone") == (0, b"signed 2, already signed 0\n", b"")
    with refusal(UnsupportedOperationError, f"in-alone: {ONE_PROCESS}"):
        sign_in("alone", default="shared")


def test_several_keys(nix_command: Run, make_cache: MakeCache, ring: KeyRing, key_file: str) -> None:
    cache = make_cache(1)

    nix_command("sign", str(cache), "--key", "cache@1", "--key-file", key_file, config=ring.config)

    [path] = cache.glob("*.narinfo")
    assert [text.partition(":")[0] for text in NarInfo.parse(path.read_bytes()).signatures] == ["a-1", "cache-1"]


def test_keys_that_nix_does_not_know_are_refused(nix_command: Run, make_cache: MakeCache, ring: KeyRing) -> None:
    cache = str(make_cache())
    ring.generate("ec", type="ec-p256", format="jwk")
    ring.generate("odd", type="ed25519", format="jwk", kid="a b")
    ring.generate("seed", type="ed25519", format="jwk", kid=b64encode(SEED).decode())

    for name, rule in (
        (
            "ec",
            "is of type ec-p256, and Nix supports only ed25519; create one with `keywright generate NAME --format nix`",
        ),
        ("odd", f"its kid cannot be a Nix key name: it {UNPRINTABLE}; generate a key with another --kid"),
        ("seed", f"its kid cannot be a Nix key name: it {HIDDEN}; generate a key with another --kid"),
    ):
        with refusal(UnsupportedKeyError, f"{name}: {rule}"):
            nix_command("sign", cache, "--key", name, config=ring.config)
    with pytest.raises(KeyNotFoundError):
        nix_command("sign", cache, "--key", "missing", config=ring.config)


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
        """In one process alone: several would each need a session of their own."""
        context = keywright.Context(lambda: inside.plugins, read_config=lambda: inside.config)
        cache = Cache(str(make_cache(2)))

        with cache.locked() as descriptor:
            keys = signing_keys(context, ["cache"], [], jobs=1)
            kinds = [outcome.kind for _ in range(2) for _, outcome in sign_all(cache, descriptor, Job(keys), jobs=1)]

        public = inside.export("cache").decode()
        assert kinds == ["changed", "changed", "unchanged", "unchanged"]
        assert [key().varies for key in keys] == [True]
        assert all(holds(path, public) == {"cache-1"} for path in Path(cache.directory).glob("*.narinfo"))
        with refusal(UnsupportedOperationError, f"cache: {ONE_PROCESS}"):
            signing_keys(context, ["cache"], [], jobs=2)
