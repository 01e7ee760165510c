"""The format `nix` and `keywright nix sign` beside the program `nix`: the same is read, the same comes out."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nix_messages import NAME, SECRET, TEXT
from nix_signing import Nix, Run

from keywright import Registry, Secret
from keywright.errors import KeywrightError, MalformedKeyError
from keywright_nix.key import NixFormat

pytestmark = pytest.mark.peer

FORMAT = NixFormat()

NAME_BYTES, PAYLOAD = NAME.encode(), SECRET.encode()
RAW = b64decode(SECRET)


def public_by_nix(nix: Nix, data: bytes) -> bytes | None:
    done = nix("key", "convert-secret-to-public", given=data)
    return done.stdout if done.returncode == 0 else None


def public_by_us(data: bytes) -> bytes | None:
    """`NAME:BASE64` as the lenient reading has it; None if it refuses, or finds no secret key."""
    try:
        key, _ = FORMAT.decode_lenient(Secret(data), default_kid="")
    except MalformedKeyError:
        return None
    return None if key.secret is None else key.kid.encode() + b":" + b64encode(key.public or b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT, id="canonical"),
        pytest.param(TEXT + b"\n", id="line feed"),
        pytest.param(TEXT + b"\n\n\n", id="line feeds"),
        pytest.param(TEXT[:60] + b"\n" + TEXT[60:], id="line feed inside"),
        pytest.param(TEXT[:-2], id="no padding"),
        pytest.param(TEXT[:-1], id="one padding character"),
        pytest.param(TEXT + b"=", id="three padding characters"),
        pytest.param(TEXT + b"junk", id="junk after the padding"),
        pytest.param(TEXT + b"\r\n", id="Windows line end"),
        pytest.param(TEXT + b" ", id="space at the end"),
        pytest.param(TEXT + b"\0", id="NUL at the end"),
        pytest.param(b" " + TEXT, id="leading space"),
        pytest.param(b"\n" + TEXT, id="leading line feed"),
        pytest.param(b"\xef\xbb\xbf" + TEXT, id="byte order mark"),
        pytest.param(b"a\0b:" + PAYLOAD, id="NUL in the name"),
        pytest.param(TEXT[:-3] + b"x==", id="spare bits"),
        pytest.param(NAME_BYTES + b":" + b64encode(RAW[:32] + bytes(32)), id="zero public half"),
        pytest.param(NAME_BYTES + b":" + b64encode(RAW[:32] + RAW[:32]), id="halves that do not belong together"),
        pytest.param(NAME_BYTES + b":" + b64encode(bytes(64)), id="all zeros"),
    ],
)
def test_what_nix_reads(nix: Nix, data: bytes) -> None:
    """What Nix reads, the lenient reading reads, to the same public text."""
    theirs = public_by_nix(nix, data)

    assert theirs is not None
    assert public_by_us(data) == theirs


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NAME_BYTES + b": " + PAYLOAD, id="space after the colon"),
        pytest.param(TEXT[:-2] + b"\t==", id="tab before the padding"),
        pytest.param(TEXT[:-2] + b" ==", id="space before the padding"),
        pytest.param(TEXT[:-2] + b"\r==", id="carriage return before the padding"),
        pytest.param(TEXT[:-2] + b"\0", id="NUL in place of the padding"),
        pytest.param(TEXT.replace(b"+", b"-").replace(b"/", b"_"), id="URL-safe"),
        pytest.param(b"a:b:" + PAYLOAD, id="colon in the name"),
        pytest.param(b"", id="empty"),
        pytest.param(PAYLOAD, id="no colon"),
        pytest.param(b":" + PAYLOAD, id="leading colon"),
        pytest.param(NAME_BYTES + b":", id="empty payload"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", id="PEM"),
        *(pytest.param(NAME_BYTES + b":" + b64encode(bytes(size)), id=f"{size} bytes") for size in (32, 63, 65)),
        pytest.param(NAME_BYTES + b":" + RAW.hex().encode(), id="hexadecimal"),
        pytest.param(NAME_BYTES + b":" + b64encode(RAW[32:]), id="public key"),
        pytest.param(NAME_BYTES + b":====", id="padding alone"),
        pytest.param(TEXT[:60] + b"=" + TEXT[60:], id="padding inside"),
    ],
)
def test_what_nix_refuses(nix: Nix, data: bytes) -> None:
    """What Nix refuses as a secret key, the lenient reading refuses, or finds to be no secret key."""
    theirs = public_by_nix(nix, data)

    assert theirs is None
    assert public_by_us(data) is None


edits = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.sampled_from([0, 1]), st.sampled_from(b"\n=: -A\r\0")), max_size=3
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_edited_keys(nix: Nix, edits: list[tuple[int, int, int]]) -> None:
    """After any few edits, Nix and the lenient reading agree: both refuse, or both print the same."""
    data = TEXT
    for place, removed, inserted in edits:
        data = data[:place] + bytes([inserted]) + data[place + removed :]

    assert public_by_us(data) == public_by_nix(nix, data)


def test_a_key_made_by_nix(nix: Nix, registry: Registry) -> None:
    """A key made by Nix is read strictly, its halves belong together, and it encodes byte for byte."""
    made = nix("key", "generate-secret", "--key-name", "größe/1").stdout

    key = registry.key_type("ed25519").complete(FORMAT.decode(Secret(made), default_kid=""))

    assert FORMAT.encode_secret(key).reveal() == made
    assert FORMAT.encode_public(key) == public_by_nix(nix, made)


def test_a_key_made_by_us(nix: Nix, command: Callable[..., tuple[int, bytes, bytes]]) -> None:
    """A key that our command makes gives the same public key by Nix and by our command."""
    _, made, _ = command("generate-secret", "--key-name", "cache.example.org-1")

    _, ours, _ = command("convert-secret-to-public", given=made)

    assert ours == public_by_nix(nix, made)
    assert ours.startswith(b"cache.example.org-1:")


def test_nix_names_the_missing_argument_alike(nix: Nix, command: Callable[..., tuple[int, bytes, bytes]]) -> None:
    """Without `--key-name`, code and first line are those of Nix."""
    theirs = nix("key", "generate-secret")

    code, out, err = command("generate-secret")

    assert (code, out) == (theirs.returncode, theirs.stdout)
    assert err.splitlines() == theirs.stderr.splitlines()[:1]


def test_we_are_stricter_where_nix_harms(nix: Nix, command: Callable[..., object]) -> None:
    """Nix makes a key that it cannot read back; our command refuses the name."""
    for name in ("", "a:b"):
        theirs = nix("key", "generate-secret", "--key-name", name)

        with pytest.raises(KeywrightError):
            command("generate-secret", "--key-name", name)

        assert theirs.returncode == 0
        assert public_by_nix(nix, theirs.stdout) is None


@pytest.fixture
def cache(nix: Nix, tmp_path: Path) -> Path:
    """A cache that Nix made, of paths with references, and without CA lines, which make signatures unnecessary."""
    store = tmp_path / "store"
    expression = """
      let leaf = n: builtins.toFile "leaf-${toString n}" "hello ${toString n}";
      in builtins.genList (n: builtins.toFile "root-${toString n}" "${leaf n} ${leaf (n + 1)}") 5
    """
    options = ["--eval", "--read-write-mode", "--strict", "--json", "-E"]
    made = subprocess.run(
        ["nix-instantiate", "--store", str(store), *options, expression],
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    paths = re.findall(r"/nix/store/[^\"]+", made.stdout.decode())
    place = tmp_path / "cache"
    copied = nix("copy", "--no-check-sigs", "--store", str(store), "--to", f"file://{place}", *paths)
    assert copied.returncode == 0, copied.stderr
    for path in place.glob("*.narinfo"):
        path.write_bytes(re.sub(rb"(?m)^CA: .*\n", b"", path.read_bytes()))
    return place


def narinfos(place: Path) -> dict[str, bytes]:
    """The narinfos of a cache."""
    return {path.name: path.read_bytes() for path in place.glob("*.narinfo")}


@pytest.fixture
def make_key(nix: Nix, tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    """Makes a key by Nix: the path of its file, and its public half."""

    def make(name: str) -> tuple[str, str]:
        secret = tmp_path / name
        secret.write_bytes(nix("key", "generate-secret", "--key-name", name).stdout)
        secret.chmod(0o600)
        return str(secret), nix("key", "convert-secret-to-public", given=secret.read_bytes()).stdout.decode()

    return make


def verified_by_nix(nix: Nix, cache: Path, trusted: str, needed: int) -> bool:
    done = nix(
        *("store", "verify", "--all", "--no-contents", "--sigs-needed", str(needed)),
        *("--option", "trusted-public-keys", trusted, "--store", f"file://{cache}"),
    )
    assert done.returncode in (0, 2), done.stderr
    return done.returncode == 0


def test_both_sign_the_same(
    nix: Nix, nix_command: Run, cache: Path, tmp_path: Path, make_key: Callable[[str], tuple[str, str]]
) -> None:
    """Two keys after one another, the second sorting before the first: both tools leave the same files."""
    theirs = shutil.copytree(cache, tmp_path / "theirs")
    publics = []
    for name in ("m-1", "a-1"):
        secret, public = make_key(name)
        publics.append(public)

        assert nix_command("sign", str(cache), "--key-file", secret)[0] == 0
        assert nix("store", "sign", "--all", "--store", f"file://{theirs}", "-k", secret).returncode == 0

        assert narinfos(cache) == narinfos(theirs)
    trusted = " ".join(publics)
    assert verified_by_nix(nix, cache, trusted, needed=2)
    ours = nix_command("verify", str(theirs), "--trusted-public-keys", trusted, "--sigs-needed", "2")
    assert ours == (0, f"verified {len(narinfos(theirs))}, bad 0\n".encode(), b"")


def test_what_is_dropped_nix_refuses(
    nix: Nix, nix_command: Run, cache: Path, make_key: Callable[[str], tuple[str, str]]
) -> None:
    """A signature that was removed is gone for Nix too."""
    secret, trusted = make_key("a-1")
    bare = narinfos(cache)
    nix_command("sign", str(cache), "--key-file", secret)

    nix_command("sign", str(cache), "--drop", "a-1")

    assert not verified_by_nix(nix, cache, trusted, needed=1)
    assert narinfos(cache) == bare
