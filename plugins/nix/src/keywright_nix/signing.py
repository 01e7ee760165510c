"""What is to be done to each narinfo, and by which keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from keywright import parse_reference
from keywright.errors import (
    ConfigError,
    FormatError,
    InvalidSignatureError,
    KeywrightError,
    MalformedKeyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_nix.ed25519 import signer, verify
from keywright_nix.key import SECRET_BYTES, hides_key, looks_like_key, problem_in, read_key
from keywright_nix.narinfo import NarInfo, line_to_append
from keywright_nix.rewrite import GONE, NOT_VOUCHED, UNCHANGED, Outcome, read_narinfo, without_zeros, written
from keywright_nix.signature import parse_signature, parse_signature_leniently, signature_text

if TYPE_CHECKING:
    from keywright import BoundKey, Capabilities, Context


class Bound(NamedTuple):
    """A key that signs.

    Attributes:
        name: the Nix key name.
        public: 32 bytes.
        sign: message in, signature of 64 bytes out.
        varies: two signatures of one message may differ, as those of a store do that adds random bits to them.
    """

    name: str
    public: bytes
    sign: Callable[[bytes], bytes]
    varies: bool = False


class Job(NamedTuple):
    """What is to be done to each narinfo.

    Attributes:
        keys: each gives the key that signs now, so that one that was compromised meanwhile stops.
        drop: the names of keys whose signatures are taken away.
        vouching: name and 32 bytes of the public key that must have signed before; None: nobody need have.
        dry_run: nothing is written.
        store_dir: the store that every path must be of, such as `/nix/store`; empty: any.
    """

    keys: tuple[Callable[[], Bound], ...]
    drop: frozenset[str] = frozenset()
    vouching: tuple[str, bytes] | None = None
    dry_run: bool = False
    store_dir: bytes = b""

    @property
    def only_adds(self) -> bool:
        """Whether it does nothing but to add signatures."""
        return not (self.drop or self.vouching)


def resign(path: str, data: bytes, status: os.stat_result, bound: Sequence[Bound], job: Job) -> Outcome:
    """Do the job on a narinfo that was read, with the keys that sign now. Raises: as `sign_narinfo`."""
    try:
        info = NarInfo.parse(without_zeros(data), where=path)
    except KeywrightError as error:
        return Outcome("faulty", error)
    message = info.fingerprint()
    if job.store_dir and _store_of(message) != job.store_dir:
        why = "StorePath is of another store than nix-cache-info says; take it out of this cache"
        return Outcome("faulty", FormatError(f"{path}: {why}"))
    present = info.signatures
    kept = [text for text in present if text.partition(":")[0] not in job.drop] if job.drop else present
    if job.vouching is not None and not _holds(info, *job.vouching):
        is_done = bound and len(kept) == len(present) and all(_holds(info, key.name, key.public) for key in bound)
        return UNCHANGED if is_done else NOT_VOUCHED
    wanted, clashing = _signed(bound, message, kept)
    if wanted != set(present):
        info = info.with_signatures(wanted)
    return written(path, data, info.render(), status, job, clashing)


def _store_of(fingerprint: bytes) -> bytes:
    """`/nix/store` of `1;/nix/store/HASH-NAME;…`."""
    return fingerprint[2 : fingerprint.index(b";", 2)].rpartition(b"/")[0]


def _holds(info: NarInfo, name: str, public: bytes) -> bool:
    """Whether the narinfo has a signature of this key that holds."""
    for text in info.signatures:
        if text.startswith(name + ":"):
            try:
                verify(public, info.fingerprint(), parse_signature(text).raw)
            except InvalidSignatureError:
                continue
            return True
    return False


def _signed(bound: Sequence[Bound], message: bytes, kept: Sequence[str]) -> tuple[set[str], tuple[str, ...]]:
    """The signatures that a narinfo is to have, and the names of keys under which one does not hold."""
    wanted = set(kept)
    clashing: tuple[str, ...] = ()
    for key in bound:
        start = f"{key.name}:"
        present = [text for text in kept if text.startswith(start)]
        if not present:
            wanted.add(signature_text(key.name, key.sign(message)))
            continue
        ours, others = signatures_of(key, message, present)
        wanted = wanted.difference(present) | ours | others
        clashing += (key.name,) if others else ()
    return wanted, clashing


def signatures_of(key: Bound, message: bytes, present: Collection[str]) -> tuple[set[str], set[str]]:
    """What is to stand under a key's name where `present` (`NAME:BASE64`, all under it) does: its own, and the others.

    One that holds stays, and no other is made beside it. If it is spelled as Nix reads it, yet not as Nix writes it,
    it is spelled anew. The others do not hold; they may be another key's.
    """
    first = None if key.varies else signature_text(key.name, key.sign(message))
    if first is not None and all(text == first for text in present):
        return {first}, set()
    spelled = {text: _respelled(key, message, text) for text in present}
    ours = {text for text in spelled.values() if text is not None}
    others = {text for text, own in spelled.items() if own is None}
    return ours or {first or signature_text(key.name, key.sign(message))}, others


def _respelled(key: Bound, message: bytes, text: str) -> str | None:
    """A signature as Nix writes it; None if it does not hold."""
    try:
        raw = parse_signature_leniently(text).raw
        verify(key.public, message, raw)
    except InvalidSignatureError:
        return None
    return signature_text(key.name, raw)


def sign_narinfo(path: str, job: Job) -> Outcome:
    """Do the job on one file. What goes wrong with the file is the outcome's, not raised.

    Raises:
        KeywrightError: a key signs no more.
    """
    bound = [key() for key in job.keys]
    try:
        data, status = read_narinfo(path)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    if job.only_adds and len(bound) == 1:  # as in most runs, and then to most narinfos
        line = line_to_append(data, bound[0].name, bound[0].sign, job.store_dir)
        if line is not None:
            return written(path, data, data + line, status, job)
    # Imported here, for most runs never need it.

    return resign(path, data, status, bound, job)


_HIDDEN: Final = "looks like a key itself, and would stand in every signature"


def signing_keys(
    context: Context, references: Sequence[str], files: Sequence[str], *, jobs: int
) -> tuple[Callable[[], Bound], ...]:
    """One function for each key; it gives the key that signs now.

    Raises:
        ConfigError: two keys have one name, a file cannot be read, or a key stands where its path should.
        MalformedKeyError, InvalidKeyError: a file holds no secret key, halves that do not belong together, or a name
            that may be a secret.
        UnsupportedKeyError: a key is not of type ed25519, or its kid cannot be a Nix key name.
        UnsupportedOperationError: several jobs cannot use a key's store.
        KeyNotFoundError, PolicyError, StoreError: a key of the ring cannot be had, or does not sign.
    """
    keys = [_from_ring(context, reference, jobs=jobs) for reference in references]
    keys += [_from_file(context, path) for path in files]
    names = [key().name for key in keys]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two of the keys are called {name}; leave one out")
    return tuple(keys)


def lets_several_sign(context: Context, reference: str) -> bool:
    """Whether several processes can sign at once with a key of the ring: its store shares it, and gives it out.

    Raises:
        KeywrightError: its store cannot be opened.
    """
    capabilities = _capabilities(context, reference)
    return capabilities.shared and not capabilities.signing


def _capabilities(context: Context, reference: str) -> Capabilities:
    return context.ring.open_store(name=parse_reference(reference).name).capabilities


def _from_ring(context: Context, reference: str, *, jobs: int) -> Callable[[], Bound]:
    capabilities = _capabilities(context, reference)
    if jobs > 1 and not lets_several_sign(context, reference):
        raise UnsupportedOperationError(
            f"{reference}: its store lets one process sign, for its keys never leave it or it is not shared; say "
            "--jobs 1"
        )
    signer = context.ring.signer(reference)
    last = _bound(reference, signer.current(), varies=capabilities.signing)

    def current() -> Bound:
        nonlocal last
        now = signer.current()
        if now.sign is not last.sign:
            last = _bound(reference, now, varies=capabilities.signing)
        return last

    return current


def _bound(reference: str, key: BoundKey, *, varies: bool) -> Bound:
    if key.key_type != "ed25519" or key.public is None:
        raise UnsupportedKeyError(
            f"{reference}: is of type {key.key_type}, and Nix knows ed25519 alone; generate one with --format nix"
        )
    fault = problem_in(key.kid)
    if fault or hides_key(key.kid):
        raise UnsupportedKeyError(
            f"{reference}: its kid cannot be a Nix key name: it {fault or _HIDDEN}; generate a key with another --kid"
        )
    return Bound(key.kid, key.public, key.sign, varies)


def _from_file(context: Context, path: str) -> Callable[[], Bound]:
    if looks_like_key(path) and not os.path.lexists(path):
        raise ConfigError(
            "--key-file takes the path of a file, and this looks like a key; say - and give the key on standard input"
        )
    data = context.read_input(path)
    try:
        name, raw = read_key(data)
        if len(raw) != SECRET_BYTES:
            raise MalformedKeyError("is a public key, and signing takes the secret one; name its file")
        if hides_key(name):
            raise MalformedKeyError(f"the name of the Nix key {_HIDDEN}; give it another before the colon")
        public, sign = signer(raw)
    except KeywrightError as error:
        raise type(error)(f"{path}: {error}") from None
    if path != "-":
        context.warn_if_exposed(path)
    bound = Bound(name, public, sign)
    return lambda: bound
