"""The keys that `nix sign` signs with: from the ring, and from files of Nix's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from keywright import parse_reference
from keywright.errors import (
    ConfigError,
    KeywrightError,
    MalformedKeyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_nix.ed25519 import signer
from keywright_nix.job import Bound
from keywright_nix.key_text import read_key
from keywright_nix.names import fault_in, hides_key, looks_like_key
from keywright_nix.payload import SECRET_BYTES

if TYPE_CHECKING:
    from keywright import BoundKey, Capabilities, Context

__all__ = ["lets_several_sign", "signing_keys"]

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
    fault = fault_in(key.kid)
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
