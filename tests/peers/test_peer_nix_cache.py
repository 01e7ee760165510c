"""Binary caches that Nix itself made: ours signs and verifies, Nix verifies and signs, and both agree."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support import Keywright
from support.nix_cache import Made, Nix, keywright_at, make_cache

from keywright_nix.narinfo import NarInfo
from keywright_nix.signature import parse_trusted
from keywright_nix.store_path import parse_sha256

pytestmark = pytest.mark.peer
COUNT = 2_000


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """2,000 paths, all but one of which refer to others."""
    directory = tmp_path_factory.mktemp("nix-cache")
    cache = make_cache(Nix(directory), directory, COUNT)
    contents = cache.contents()
    assert len(contents) == COUNT
    assert sum(b"\nReferences: \n" not in text for text in contents.values()) == COUNT - 1
    assert not any(b"\nSig: " in text or b"\nCA: " in text for text in contents.values())
    return cache


@pytest.fixture
def nix(home: Path) -> Nix:
    return Nix(home)


@pytest.fixture
def cache(made: Made, tmp_path: Path) -> Made:
    """The whole cache."""
    return made.copy(tmp_path / "cache")


@pytest.fixture
def pair(made: Made, tmp_path: Path) -> Made:
    """A path and all that it refers to, ten together, the path itself first."""
    path = made.paths[40]
    needed = {path}
    waiting = [path]
    while waiting:
        info = NarInfo.parse(made.narinfo(waiting.pop()).read_bytes())
        new = {f"/nix/store/{name}" for name in info.references} - needed
        needed |= new
        waiting += new
    return made.copy(tmp_path / "few", [path, *sorted(needed - {path})])


def sign(keywright: Keywright, cache: Made, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    done = keywright("nix", "sign", str(cache.directory), *map(str, arguments))
    assert done.returncode == 0, done.stderr.decode()
    return done


def verify(keywright: Keywright, target: object, *keys: str, needed: int = 1) -> int:
    """Our exit code."""
    options = ["--trusted-public-keys", " ".join(keys), "--sigs-needed", str(needed)]
    return keywright("nix", "verify", str(target), *options).returncode


def test_ours_verifies_what_nix_signed(keywright: Keywright, nix: Nix, cache: Made) -> None:
    """Each of 2,000 signatures holds, and under another key none."""
    secret, public = nix.key("cache-1")
    _, other = nix.key("cache-2")

    nix.sign(cache.url, secret)

    assert verify(keywright, cache.directory, public) == 0
    assert verify(keywright, cache.directory, other) == 1
    assert all(NarInfo.parse(text).verify([public, other]) == {"cache-1"} for text in cache.contents().values())


@pytest.mark.parametrize("jobs", [1, 2])
def test_nix_accepts_what_we_signed(keywright: Keywright, nix: Nix, cache: Made, jobs: int) -> None:
    """`nix store verify` finds a good signature on each of 2,000 paths, and under another key on none."""
    secret, public = nix.key("cache-1")
    _, other = nix.key("cache-2")

    assert nix.verify(cache.url, [public]) == 2
    sign(keywright, cache, "--key-file", secret, "--jobs", jobs)

    assert nix.verify(cache.url, [public]) == 0
    assert nix.verify(cache.url, [other]) == 2


def test_the_same_narinfos_byte_for_byte(keywright: Keywright, nix: Nix, cache: Made, tmp_path: Path) -> None:
    """With one key and with two, in whichever order, the files are those that Nix writes."""
    (one, _), (two, _), (three, _) = nix.key("b-1"), nix.key("a-1"), nix.key("a")
    ours = cache.copy(tmp_path / "ours")

    for key in (one, two, three):
        nix.sign(cache.url, key)
    sign(keywright, ours, "--key-file", one)
    sign(keywright, ours, "--key-file", three, "--key-file", two)

    assert ours.contents() == cache.contents()


def test_signing_again_changes_nothing(keywright: Keywright, nix: Nix, pair: Made) -> None:
    """What we or Nix signed is left alone by both, file by file."""
    secret, _ = nix.key("cache-1")
    sign(keywright, pair, "--key-file", secret)
    before = {path: pair.narinfo(path).stat() for path in pair.paths}

    sign(keywright, pair, "--key-file", secret)

    assert {path: pair.narinfo(path).stat().st_mtime_ns for path in pair.paths} == {
        path: status.st_mtime_ns for path, status in before.items()
    }
    contents = pair.contents()
    nix.sign(pair.url, secret)
    assert pair.contents() == contents


Edit = Callable[[bytes], bytes]


def replaced(pattern: bytes, by: bytes | Callable[[re.Match[bytes]], bytes]) -> Edit:
    def edit(text: bytes) -> bytes:
        changed, count = re.subn(pattern, by, text, count=1, flags=re.MULTILINE)
        assert count == 1
        assert changed != text
        return changed

    return edit


def shuffled_references(found: re.Match[bytes]) -> bytes:
    return b"References: " + b" ".join(reversed(found[1].split(b" ")))


def as_hex(found: re.Match[bytes]) -> bytes:
    return b"NarHash: sha256:" + parse_sha256(found[1]).hex().encode()


def as_sri(found: re.Match[bytes]) -> bytes:
    return b"NarHash: sha256-" + b64encode(parse_sha256(found[1]))


COVERED: dict[str, Edit] = {
    "StorePath": replaced(rb"^(StorePath: .*)p40$", rb"\1p41"),
    "the store's directory": replaced(rb"^StorePath: /nix/", b"StorePath: /nox/"),
    "NarHash": replaced(rb"^(NarHash: sha256:.{40}).", lambda found: found[1] + b"7"),
    "NarSize": replaced(rb"^(NarSize: .*)$", rb"\g<1>0"),
    "a reference left out": replaced(rb"^References: \S+ ", b"References: "),
    "a reference more": replaced(rb"^References: ", b"References: 00000000000000000000000000000000-x "),
    "a reference changed": replaced(rb"^(References: \S+)p", rb"\1q"),
    "the signature": replaced(rb"^(Sig: .{20})(.)", lambda found: found[1] + (b"B" if found[2] == b"A" else b"A")),
    "the key's name": replaced(rb"^Sig: cache-1:", b"Sig: cache-3:"),
    "no signature": replaced(rb"^Sig: .*\n", b""),
}
NOT_COVERED: dict[str, Edit] = {
    "nothing": lambda text: text,
    "URL": replaced(rb"^URL: .*$", b"URL: nar/elsewhere.nar"),
    "FileHash": replaced(rb"^FileHash: .*$", b"FileHash: sha256:" + b"0" * 52),
    "FileSize": replaced(rb"^FileSize: .*$", b"FileSize: 1"),
    "Compression": replaced(rb"^Compression: .*$", b"Compression: bzip2"),
    "a deriver": replaced(rb"^References: ", b"Deriver: 00000000000000000000000000000000-x.drv\nReferences: "),
    "an unknown field": replaced(rb"^References: ", b"Unknown: field\nReferences: "),
    "shuffled references": replaced(rb"^References: (.*)$", shuffled_references),
    "a reference twice": replaced(rb"^References: (\S+)", rb"References: \1 \1"),
    "shuffled lines": lambda text: b"".join(sorted(text.splitlines(keepends=True))),
    "the hash in hexadecimal": replaced(rb"^NarHash: (.*)$", as_hex),
    "the hash as SRI": replaced(rb"^NarHash: (.*)$", as_sri),
    "a signature of someone else": replaced(rb"^Sig: ", b"Sig: other-1:" + b64encode(bytes(64)) + b"\nSig: "),
}


@pytest.mark.parametrize("signer", ["ours", "nix"])
def test_tampered_narinfos(keywright: Keywright, nix: Nix, pair: Made, signer: str) -> None:
    """What the signature covers cannot be changed, what it does not cover can: by both programs' verdict."""
    secret, public = nix.key("cache-1")
    narinfo = pair.narinfo(pair.paths[0])
    if signer == "ours":
        sign(keywright, pair, "--key-file", secret)
    else:
        nix.sign(pair.url, secret)
    signed = narinfo.read_bytes()

    verdicts = {}
    for what, edit in (COVERED | NOT_COVERED).items():
        narinfo.write_bytes(edit(signed))
        theirs = nix.verify(pair.url, [public], pair.paths[0])
        verdicts[what] = (theirs == 0, verify(keywright, narinfo, public) == 0)

    assert verdicts == dict.fromkeys(COVERED, (False, False)) | dict.fromkeys(NOT_COVERED, (True, True))


def test_signing_sh_dual_signatures(keywright: Keywright, nix: Nix, pair: Made) -> None:
    """Nix's tests/signing.sh: two keys at once; one or two signatures needed; no key, a wrong one, one, both."""
    (sk1, pk1), (sk2, pk2), (_, wrong) = nix.key("cache1.example.org"), nix.key("cache2.example.org"), nix.key("x-1")

    sign(keywright, pair, "--key-file", sk1, "--key-file", sk2)

    told = json.loads(nix.ok("nix", "path-info", "--store", pair.url, "--json", pair.paths[0]))
    assert [one.partition(":")[0] for one in told[0]["signatures"]] == ["cache1.example.org", "cache2.example.org"]
    # The keys, the signatures needed, the exit code of Nix and ours, which takes no key at all for a mistake.
    for keys, needed, theirs, ours in (
        ([], 1, 2, 2),
        ([wrong], 1, 2, 1),
        ([pk1], 1, 0, 0),
        ([pk2], 1, 0, 0),
        ([pk1], 2, 2, 1),
        ([pk1, wrong], 2, 2, 1),
        ([pk1, pk2], 2, 0, 0),
        ([pk1, pk2], 3, 2, 1),
    ):
        assert nix.verify(pair.url, keys, pair.paths[0], needed=needed, recursive=True) == theirs
        assert verify(keywright, pair.directory, *keys, needed=needed) == ours
    assert nix.verify(pair.url, [pk1, pk2], needed=2) == 0


def test_signing_sh_signing_again_in_the_cache(keywright: Keywright, nix: Nix, pair: Made) -> None:
    """Nix's tests/signing.sh: a cache signed by one key takes the signature of a second, beside the first."""
    (sk1, pk1), (sk2, pk2) = nix.key("cache1.example.org"), nix.key("cache2.example.org")
    path = pair.paths[0]
    assert nix.verify(pair.url, [pk1], path) == 2

    sign(keywright, pair, "--key-file", sk1)
    first = nix.ok("nix", "path-info", "--store", pair.url, "--json", path)
    sign(keywright, pair, "--key-file", sk2)
    second = nix.ok("nix", "path-info", "--store", pair.url, "--json", path)

    assert (b"cache1.example.org" in first, b"cache2.example.org" in first) == (True, False)
    assert (b"cache1.example.org" in second, b"cache2.example.org" in second) == (True, True)
    assert nix.verify(pair.url, [pk1, pk2], path, needed=2) == 0


def test_signing_sh_copying(keywright: Keywright, nix: Nix, pair: Made, tmp_path: Path) -> None:
    """Nix's tests/signing.sh: a copy is refused without the key and taken with it, and the signatures go too."""
    (sk1, pk1), (sk2, pk2) = nix.key("cache1.example.org"), nix.key("cache2.example.org")
    path, store = pair.paths[0], str(tmp_path / "store0")
    copy = ("nix", "copy", "--from", pair.url, "--to", store, path)
    sign(keywright, pair, "--key-file", sk1, "--key-file", sk2)

    without = nix.run(*copy)
    nix.ok(*copy, "--trusted-public-keys", pk1)

    assert without.returncode != 0
    assert b"lacks a valid signature" in without.stderr
    assert nix.verify(store, [], path, recursive=True) == 2
    assert nix.verify(store, [pk1], path, recursive=True) == 0
    assert nix.verify(store, [pk1, pk2], path, needed=2, recursive=True) == 0


def test_signing_sh_copying_without_the_check(keywright: Keywright, nix: Nix, pair: Made, tmp_path: Path) -> None:
    """Nix's tests/signing.sh: with signature checking off a copy needs no key, and the signatures go all the same."""
    sk1, pk1 = nix.key("cache1.example.org")
    path, store = pair.paths[0], str(tmp_path / "store0")
    sign(keywright, pair, "--key-file", sk1)

    nix.ok("nix", "copy", "--from", pair.url, "--to", f"{store}?require-sigs=false", path)

    assert nix.verify(store, [pk1], path, recursive=True) == 0


def test_a_rotation(home: Path, keywright: Keywright, nix: Nix, cache: Made) -> None:
    """Announce, trust both, sign again, retire, drop: at every step Nix accepts the cache by the keys of that day.

    A path that someone slipped in gets no signature at any step, and no one accepts it.
    """

    def at(days: float, *arguments: str) -> str:
        return keywright_at(home, days, *arguments).decode()

    def trusted(days: float) -> list[str]:
        line = at(days, "nix", "trusted-public-keys", "cache.example.org")
        assert line.startswith("trusted-public-keys = ")
        return line.split()[2:]

    def sign_at(days: float, *arguments: str) -> None:
        at(days, "nix", "sign", str(cache.directory), *arguments)

    def refuses(target: Path, keys: list[str]) -> bool:
        return verify(keywright, target, *keys) == 1

    def accepts(keys: list[str], needed: int = 1) -> bool:
        return nix.verify(cache.url, keys, *own, needed=needed) == 0

    own, slipped_in = [path for path in cache.paths if path != cache.paths[7]], cache.paths[7]

    # Day 0: one key.
    at(0, "generate", "cache.example.org")
    sign_at(0, "--key", "cache.example.org")
    old = trusted(0)
    assert [key.partition(":")[0] for key in old] == ["cache.example.org-1"]
    assert accepts(old)

    # Someone slips a path in, with a signature that they copied from another one.
    copied = NarInfo.parse(cache.narinfo(own[0]).read_bytes()).signatures
    forged = cache.narinfo(slipped_in)
    forged.write_bytes(NarInfo.parse(forged.read_bytes()).with_signatures(copied).render())

    def refused(*days: float) -> bool:
        """Whether no key of these days makes anybody take it, and no key was made to sign it."""
        keys = sorted({key for day in days for key in trusted(day)})
        signed = NarInfo.parse(forged.read_bytes())
        return nix.verify(cache.url, keys, slipped_in) != 0 and refuses(forged, keys) and not signed.verify(keys)

    # Day 1: the next key is announced. Clients come to trust both; the old one goes on to sign what is built.
    at(1, "rotate", "cache.example.org", "--activate-in", "30d", "--overlap", "60d")
    both = trusted(1)
    assert [key.partition(":")[0] for key in both] == ["cache.example.org-1", "cache.example.org-2"]
    built = cache.narinfo(own[1])
    before = built.read_bytes()
    built.write_bytes(re.sub(rb"Sig: .*\n", b"", before))
    at(1, "nix", "sign", str(built), "--key", "cache.example.org")
    assert built.read_bytes() == before
    assert accepts(old)
    assert accepts(both)
    assert refused(1)

    # Day 32: the new key signs what the old one vouches for, and nothing else.
    as_forged = forged.read_bytes()
    sign_at(32, "--key", "cache.example.org", "--only-signed-by", old[0])
    assert forged.read_bytes() == as_forged
    new = both[1:]
    checked = keywright("nix", "verify", str(cache.directory), "--trusted-public-keys", *new)
    assert (checked.returncode, checked.stdout.decode().partition(":")[0]) == (1, slipped_in)
    assert refused(32)
    assert trusted(32) == both
    assert accepts(both, needed=2)
    assert accepts(old)
    assert accepts(new)

    # Day 92: the overlap is over, and the old key is trusted no more.
    assert trusted(92) == new
    assert accepts(new)
    assert refused(92, 32)

    # Its signatures are dropped, and it is destroyed.
    sign_at(92, "--drop", "cache.example.org-1")
    at(92, "destroy", "cache.example.org@1", "--yes")
    assert trusted(92) == new
    assert accepts(new)
    assert not accepts(old)
    assert not any(b"cache.example.org-1:" in text for text in cache.contents().values())
    assert b"Sig: " not in forged.read_bytes()
    assert refused(92)


def test_a_revocation(home: Path, keywright: Keywright, nix: Nix, cache: Made) -> None:
    """A stolen key: another takes over at once, and no signature of the old one stays."""
    keywright("generate", "cache.example.org")
    sign(keywright, cache, "--key", "cache.example.org")
    old = keywright("export", "cache.example.org").stdout.decode()
    keywright("rotate", "cache.example.org", "--overlap", "0s")
    assert keywright("compromise", "cache.example.org@1", "--yes").returncode == 0

    sign(keywright, cache, "--key", "cache.example.org", "--drop", "cache.example.org-1")

    trusted = keywright("nix", "trusted-public-keys").stdout.decode().split()[2:]
    assert [key.partition(":")[0] for key in trusted] == ["cache.example.org-2"]
    assert nix.verify(cache.url, trusted) == 0
    assert nix.verify(cache.url, [old]) == 2


def test_what_clients_remember(home: Path, keywright: Keywright, nix: Nix, pair: Made, tmp_path: Path) -> None:
    """A client that looked before still refuses what is signed again, until it is told not to remember (nix 4258)."""
    (old_secret, _), (new_secret, new) = nix.key("cache-1"), nix.key("cache-2")
    sign(keywright, pair, "--key-file", old_secret)
    with served(pair.directory) as url:
        nix.ok("nix", "path-info", "--store", url, "--recursive", pair.paths[0])
        sign(keywright, pair, "--key-file", new_secret)
        copy = ("nix", "copy", "--from", url, pair.paths[0], "--trusted-public-keys", new, "--to")

        remembering = nix.run(*copy, str(tmp_path / "store0"))
        asking_again = nix.run(*copy, str(tmp_path / "store1"), "--option", "narinfo-cache-positive-ttl", "0")
        for file in (home / ".cache" / "nix").glob("binary-cache-v*.sqlite*"):
            file.unlink()
        forgetful = nix.run(*copy, str(tmp_path / "store2"))

    assert b"lacks a valid signature" in remembering.stderr
    assert (asking_again.returncode, forgetful.returncode) == (0, 0)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The URL under which a directory is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """No one reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_trusted_public_keys_as_nix_reads_them(keywright: Keywright, nix: Nix, pair: Made) -> None:
    """For each trap, the keys that we say Nix takes are those under which it verifies, or it refuses to work."""
    (secret_a, a), (secret_b, b) = nix.key("a-1"), nix.key("b-1")
    _, other = nix.key("a-1")
    signed_by_a, signed_by_b = pair.paths[:2]
    nix.sign(pair.url, secret_a, signed_by_a)
    nix.sign(pair.url, secret_b, signed_by_b)
    spare_bits = a[:-2] + chr(ord(a[-2]) + 1) + "="
    texts = {
        "both": f"{a} {b}",
        "lines and tabs": f"\n{a}\t\r\n{b} ",
        "a comma": f"{a},{b}",
        "a comma at the end": f"{a}, {b}",
        "a comma without padding": f"{a.rstrip('=')},{b}",
        "two keys of a name": f"{a} {other} {b}",
        "two keys of a name, the other first": f"{other} {a} {b}",
        "twice": f"{a} {a}",
        "under another name": a.replace("a-1", "b-1"),
        "no padding": a.rstrip("="),
        "spare bits": spare_bits,
        "junk after the padding": f"{a}junk",
        "another space": f"{a}\u00a0{b}",
        "a name alone": f"{a} b-1",
        "a secret key": f"{a} {secret_b.read_text()}",
        "cut short": f"{a} {b[:-4]}",
        "a point of small order": f"{a} b-1:{b64encode(bytes(32)).decode()}",
        "one of small order first": f"a-1:{b64encode(bytes(32)).decode()} {a} {b}",
        "a colon at the front": f"{a} :{b}",
        "nothing": " ",
    }

    for what, text in texts.items():
        read = parse_trusted(text)
        refuses = any("Nix would refuse to work at all" in warning for warning in read.warnings)
        for path in (signed_by_a, signed_by_b):
            held = NarInfo.parse(pair.narinfo(path).read_bytes()).verify(
                f"{name}:{b64encode(raw).decode()}" for name, raw in read.keys.items()
            )
            code = nix.verify(pair.url, [text], path)
            assert (code == 0) == bool(held and not refuses), what
            assert (code == 1) == refuses, what
