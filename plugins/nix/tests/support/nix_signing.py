"""Keys that libsodium made, jobs with them, what these do to a cache, and what the tests of this folder share."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from hashlib import sha512
from pathlib import Path

import nacl.signing
import pytest
from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)
from support.errors import text_of

from keywright_nix.cache import Cache
from keywright_nix.narinfo import NarInfo
from keywright_nix.parallel import sign_all
from keywright_nix.rewrite import Outcome
from keywright_nix.signing import Bound, Job

MakeCache = Callable[..., Path]
Run = Callable[..., tuple[int, bytes, bytes]]
Nix = Callable[..., "subprocess.CompletedProcess[bytes]"]

KEYWRIGHT = str(Path(sys.executable).with_name("keywright"))
SEED = (1).to_bytes(32)
KEY = nacl.signing.SigningKey(SEED)


@contextmanager
def refusal(kind: type[BaseException], message: str, case: object = "") -> Iterator[None]:
    """The block raises an error of this kind, with exactly this message. `case` names it in a loop."""
    try:
        yield
    except kind as error:
        found = text_of(error)
    else:
        found = f"no {kind.__name__}"
    assert found == message, case


def as_another_user(program: str, *places: Path | str) -> str:
    """What a Python program prints that runs as another user (if this is root), with places as arguments."""
    for place in map(Path, places):
        for parent in place.parents[:-1]:
            if parent.stat().st_uid == os.getuid():
                parent.chmod(parent.stat().st_mode | 0o055)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    if become and subprocess.run([*become, sys.executable, "-c", "import keywright"], capture_output=True).returncode:
        pytest.skip("another user cannot run this Python: a checkout in a home directory that is closed to others")
    command = [*become, sys.executable, "-c", program, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def bound(name: str, number: int = 1) -> Bound:
    """The key of the seed `number`, made by libsodium."""
    key = nacl.signing.SigningKey(number.to_bytes(32))
    return Bound(name, bytes(key.verify_key), lambda message: key.sign(message).signature)


def public(name: str, number: int = 1) -> str:
    """The public half of the seed `number` as Nix writes it."""
    return f"{name}:{b64encode(bound(name, number).public).decode()}"


def varying(name: str, number: int = 1) -> Bound:
    """The same key as it signs where random bits are added: every signature is another, and each holds."""
    key = nacl.signing.SigningKey(number.to_bytes(32))
    public = bytes(key.verify_key)
    scalar = clamped(sha512(number.to_bytes(32)).digest()[:32])

    def sign(message: bytes) -> bytes:
        nonce = crypto_core_ed25519_scalar_reduce(os.urandom(64))
        commitment = crypto_scalarmult_ed25519_base_noclamp(nonce)
        challenge = crypto_core_ed25519_scalar_reduce(sha512(commitment + public + message).digest())
        return commitment + crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(challenge, scalar))

    return Bound(name, public, sign, varies=True)


def clamped(half: bytes) -> bytes:
    """RFC 8032 §5.1.5: the lowest three bits and the highest are cleared, the second highest is set; reduced."""
    number = int.from_bytes(half, "little") & ((1 << 254) - 8) | (1 << 254)
    return crypto_core_ed25519_scalar_reduce(number.to_bytes(64, "little"))


def job(*keys: Bound, drop: tuple[str, ...] = (), vouching: Bound | None = None, dry_run: bool = False) -> Job:
    return Job(
        tuple(partial(Bound._make, key) for key in keys),
        frozenset(drop),
        None if vouching is None else (vouching.name, vouching.public),
        dry_run,
    )


CA = b"CA: text:sha256:" + b"0" * 52 + b"\n"  # signatures go before it, so that a new file is written

A, B, M = bound("a-1", 1), bound("b-1", 2), bound("m-1", 3)
OTHER_A = bound("a-1", 9)


def sig(key: Bound, data: bytes) -> bytes:
    """The line that this key signs the narinfo with."""
    text = b64encode(key.sign(NarInfo.parse(data).fingerprint()))
    return b"Sig: " + key.name.encode() + b":" + text + b"\n"


def signed_narinfo(data: bytes) -> bytes:
    """A narinfo with the signature of the key a-1."""
    tail = CA if data.endswith(CA) else b""
    return data.removesuffix(tail) + sig(A, data) + tail


def run(cache: Path, task: Job, jobs: int = 1) -> Counter[str]:
    """Sign a whole cache. Returns how many of which kind."""
    place = Cache(str(cache))
    with place.locked() as descriptor, closing(sign_all(place, descriptor, task, jobs=jobs)) as outcomes:
        return Counter(outcome.kind for _, outcome in outcomes)


def contents(cache: Path) -> dict[str, bytes]:
    """Every file in it."""
    return {path.name: path.read_bytes() for path in cache.iterdir() if path.is_file()}


def signed(path: Path, task: Job) -> str:
    return outcome_of(path, task).kind


def outcome_of(path: Path, task: Job) -> Outcome:
    place = Cache(str(path.parent), [path.name])
    with place.locked() as descriptor, closing(sign_all(place, descriptor, task, jobs=1)) as outcomes:
        [(name, outcome)] = outcomes
    assert name == path.name
    return outcome


HALF = A.public
PUBLIC = public("a-1")
HIDDEN = "looks like a key itself, and would be in every signature"


def holds(path: Path, public: str) -> set[str]:
    """Under which name a signature of the narinfo holds."""
    return NarInfo.parse(path.read_bytes()).verify([public])
