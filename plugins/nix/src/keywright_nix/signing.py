"""Signing narinfos: the keys, what they do to each narinfo, and how the signatures of one are updated."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from keywright.errors import (
    ConfigError,
    FormatError,
    KeywrightError,
    MalformedKeyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_nix.key import SECRET_BYTES, hides_key, looks_like_key, problem_in, read_key, signer
from keywright_nix.narinfo import line_to_append, parse_of_store
from keywright_nix.rewrite import GONE, NOT_VOUCHED, UNCHANGED, Outcome, read_narinfo, without_zeros, write
from keywright_nix.signature import is_valid, signature_text, valid_spelling

if TYPE_CHECKING:
    from keywright import BoundKey, Capabilities, Context


class Bound(NamedTuple):
    """A key that signs.

    Attributes:
        name: The Nix key name.
        public: 32 bytes.
        sign: Message in, signature of 64 bytes out.
        varies: Two signatures of one message may differ, as those of a store that adds random bits do.
    """

    name: str
    public: bytes
    sign: Callable[[bytes], bytes]
    varies: bool = False


class Job(NamedTuple):
    """What to do to each narinfo.

    Attributes:
        keys: Each gives the key that signs now, so that one that was compromised meanwhile stops.
        drop: The names of keys whose signatures are removed.
        vouching: Name and 32 bytes of the public key that must have signed before; None: no such key.
        dry_run: Nothing is written.
        store_dir: The store that every path must be of, such as `/nix/store`; empty: any.
    """

    keys: tuple[Callable[[], Bound], ...]
    drop: frozenset[str] = frozenset()
    vouching: tuple[str, bytes] | None = None
    dry_run: bool = False
    store_dir: bytes = b""


# ---- signing one narinfo


def sign_narinfo(path: str, job: Job) -> Outcome:
    """Do the job on one file. Problems with the file are in the outcome, not raised.

    Raises:
        KeywrightError: A key does not sign any more.
    """
    bound = [key() for key in job.keys]
    try:
        data, status = read_narinfo(path)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    if len(bound) == 1 and not job.drop and not job.vouching:  # as in most runs, and then for most narinfos
        line = line_to_append(data, bound[0].name, bound[0].sign, job.store_dir)
        if line is not None:
            return write(path, data, data + line, status, dry_run=job.dry_run)
    return _resign(path, data, status, bound, job)


def _resign(path: str, data: bytes, status: os.stat_result, bound: Sequence[Bound], job: Job) -> Outcome:
    """Do the job on any narinfo, when more than a line may have to be appended."""
    try:
        info = parse_of_store(without_zeros(data), path, job.store_dir)
    except FormatError as error:
        return Outcome("faulty", error)
    message, present = info.fingerprint(), info.signatures
    kept = [text for text in present if text.partition(":")[0] not in job.drop] if job.drop else present

    def is_signed_by(name: str, public: bytes) -> bool:
        return any(text.startswith(f"{name}:") and is_valid(public, message, text) for text in present)

    if job.vouching is not None and not is_signed_by(*job.vouching):
        is_done = bound and len(kept) == len(present) and all(is_signed_by(key.name, key.public) for key in bound)
        return UNCHANGED if is_done else NOT_VOUCHED
    wanted = set(kept)
    clashing: tuple[str, ...] = ()
    for key in bound:
        own = [text for text in kept if text.startswith(f"{key.name}:")]
        ours, others = signatures_of(key, message, own)
        wanted = wanted.difference(own) | ours | others
        clashing += (key.name,) if others else ()
    if wanted != set(present):
        info = info.with_signatures(wanted)
    return write(path, data, info.render(), status, dry_run=job.dry_run, clashing=clashing)


def signatures_of(key: Bound, message: bytes, present: Collection[str]) -> tuple[set[str], set[str]]:
    """The signatures to have under a key's name, given those `present` (`NAME:BASE64`): its own, and the others.

    A valid one stays, and no other is made; if it is spelled as Nix reads it but not as Nix writes it, it is respelled.
    The others are not valid; they may be of another key.
    """
    first = None if key.varies else signature_text(key.name, key.sign(message))
    if first is not None and all(text == first for text in present):
        return {first}, set()
    spelled = {text: valid_spelling(key.public, message, text) for text in present}
    ours = {text for text in spelled.values() if text is not None}
    others = {text for text, own in spelled.items() if own is None}
    return ours or {first or signature_text(key.name, key.sign(message))}, others


# ---- the keys of `nix sign`

_HIDDEN: Final = "looks like a key itself, and would be in every signature"


def signing_keys(
    context: Context, references: Sequence[str], files: Sequence[str], *, jobs: int
) -> tuple[Callable[[], Bound], ...]:
    """A function for each key, which gives the key that signs now.

    Raises:
        ConfigError: Two keys have one name, a file cannot be read, or a key was given in place of its path.
        MalformedKeyError, InvalidKeyError: A file contains no secret key, halves that do not belong together, or a
            name that may be a secret.
        UnsupportedKeyError: A key is not of type ed25519, or its kid cannot be a Nix key name.
        UnsupportedOperationError: Several jobs cannot use the store of a key.
        KeyNotFoundError, PolicyError, StoreError: A key of the ring is not available, or does not sign.
    """
    keys = [_from_ring(context, reference, jobs=jobs) for reference in references]
    keys += [_from_file(context, path) for path in files]
    names = [key().name for key in keys]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two of the keys have the name {name}", hint="pass only one of them")
    return tuple(keys)


def lets_several_sign(context: Context, reference: str) -> bool:
    """Whether several processes can sign at once with a key of the ring: its store is shared and gives it out.

    Raises:
        KeywrightError: Its store cannot be opened.
    """
    capabilities = _capabilities(context, reference)
    return capabilities.shared and not capabilities.keys_stay_inside


def _capabilities(context: Context, reference: str) -> Capabilities:
    from keywright import parse_reference

    return context.ring.capabilities(name=parse_reference(reference).name)


def _from_ring(context: Context, reference: str, *, jobs: int) -> Callable[[], Bound]:
    capabilities = _capabilities(context, reference)
    if jobs > 1 and not lets_several_sign(context, reference):
        raise UnsupportedOperationError(
            f"{reference}: its store allows only one process to sign",
            hint="pass --jobs 1",
        )
    signer = context.ring.signer(reference)
    last = _bound(reference, signer.current(), varies=capabilities.keys_stay_inside)

    def current() -> Bound:
        nonlocal last
        now = signer.current()
        if now.sign is not last.sign:
            last = _bound(reference, now, varies=capabilities.keys_stay_inside)
        return last

    return current


def _bound(reference: str, key: BoundKey, *, varies: bool) -> Bound:
    if key.key_type != "ed25519" or key.public is None:
        raise UnsupportedKeyError(
            f"{reference}: is of type {key.key_type}, and Nix supports only ed25519",
            hint="create one with `keywright generate NAME --format nix`",
        )
    problem = problem_in(key.kid)
    if problem or hides_key(key.kid):
        raise UnsupportedKeyError(
            f"{reference}: its kid cannot be a Nix key name: it {problem or _HIDDEN}",
            hint="generate a key with another --kid",
        )
    return Bound(key.kid, key.public, key.sign, varies)


def _from_file(context: Context, path: str) -> Callable[[], Bound]:
    if looks_like_key(path) and not os.path.lexists(path):
        raise ConfigError(
            "--key-file requires a path, and this looks like a key",
            hint="pass - and the key on standard input",
        )
    data = context.read_input(path)
    try:
        name, raw = read_key(data)
        if len(raw) != SECRET_BYTES:
            raise MalformedKeyError(
                "is a public key, and signing needs the secret one", hint="pass the file of the secret key"
            )
        if hides_key(name):
            raise MalformedKeyError(f"the name of the Nix key {_HIDDEN}", hint="write another before the colon")
        public, sign = signer(raw)
    except KeywrightError as error:
        raise error.prefixed(f"{path}: ") from None
    if path != "-":
        context.warn_if_exposed(path)
    bound = Bound(name, public, sign)
    return lambda: bound
