"""The keys that `nix sign` signs with: from the ring, and from files of Nix's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from keywright import parse_reference
from keywright.errors import (
    ConfigError,
    KeywrightError,
    MalformedKeyError,
    UnsupportedKeyError,
    UnsupportedOperationError,
)
from keywright_nix.format import NixFormat
from keywright_nix.names import fault_in
from keywright_nix.signing import Bound

if TYPE_CHECKING:
    from keywright import Context, Signer

__all__ = ["signing_keys"]


def signing_keys(
    context: Context, references: Sequence[str], files: Sequence[str], *, jobs: int
) -> tuple[Callable[[], Bound], ...]:
    """One function for each key; it gives the key that signs now.

    Raises:
        ConfigError: two keys have one name, or a file cannot be read.
        MalformedKeyError, InvalidKeyError: a file holds no secret key, or halves that do not belong together.
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


def _from_ring(context: Context, reference: str, *, jobs: int) -> Callable[[], Bound]:
    capabilities = context.ring.open_store(name=parse_reference(reference).name).capabilities
    if jobs > 1 and (capabilities.signing or not capabilities.shared):
        raise UnsupportedOperationError(
            f"{reference}: its store lets one process sign, for its keys never leave it or it is not shared; say "
            "--jobs 1"
        )
    signer = context.ring.signer(reference)
    last = _bound(reference, signer)

    def current() -> Bound:
        nonlocal last
        if signer.current().sign is not last.sign:
            last = _bound(reference, signer)
        return last

    return current


def _bound(reference: str, signer: Signer) -> Bound:
    key = signer.current()
    if key.key_type != "ed25519" or key.public is None:
        raise UnsupportedKeyError(
            f"{reference}: is of type {key.key_type}, and Nix knows ed25519 alone; generate one with --format nix"
        )
    fault = fault_in(key.kid)
    if fault:
        raise UnsupportedKeyError(
            f"{reference}: its kid cannot be a Nix key name: it {fault}; generate a key with another --kid"
        )
    return Bound(key.kid, key.public, key.sign)


def _from_file(context: Context, path: str) -> Callable[[], Bound]:
    data = context.read_input(path)
    try:
        key = NixFormat().decode(data, default_kid="")
        if key.secret is None:
            raise MalformedKeyError("is a public key, and signing takes the secret one; name its file")
        key = context.registry.key_type("ed25519").complete(key)
    except KeywrightError as error:
        raise type(error)(f"{path}: {error}") from None
    _warn_if_open(context, path)
    bound = Bound(key.kid, key.public or b"", context.registry.key_type("ed25519").signer(key, "EdDSA"))
    return lambda: bound


def _warn_if_open(context: Context, path: str) -> None:
    import os
    import stat

    if path != "-" and stat.S_IMODE(os.stat(path).st_mode) & 0o044:
        context.warn(f"{path}: others may read this secret key; chmod 600 it, and make a new one if they did")
