"""Binding versions for use: which one signs now, which ones verify, and with which algorithm."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from keywright import lifecycle
from keywright.errors import InvalidKeyError, InvalidSignatureError, PolicyError, UnsupportedOperationError
from keywright.keys import Reference, parse_reference
from keywright.ring.arguments import check_duration
from keywright.ring.bound import (
    BoundKey,
    BoundVerifier,
    Decrypter,
    DecryptionKey,
    Encrypter,
    EncryptionKey,
    Found,
    Signer,
    Verifier,
)
from keywright.ring.codec import public_half
from keywright.ring.stores import check_secret

if TYPE_CHECKING:
    from keywright.errors import KeywrightError
    from keywright.keys import Attributes
    from keywright.plugins.registry import Registry
    from keywright.protocols import KeyType
    from keywright.records import RecordInfo
    from keywright.ring.context import RingContext
    from keywright.ring.review import Operations
    from keywright.ring.stores import OpenStore

_T = TypeVar("_T")
_Binding = TypeVar("_Binding")


def signer(
    context: RingContext, reference: str, algorithm: str | None, store: str | None, refresh: timedelta | None
) -> Signer:
    """`KeyRing.signer`."""
    wanted = parse_reference(reference)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> BoundKey:
        info = _primary(wanted, infos, now, use="that signs", other="does not sign, {} does")
        return context.operations.run(
            lambda: context.operations.describe("bind", opened, info),
            lambda: _bind_signer(context.registry, opened, info, algorithm),
            changes=False,
        )

    return _bind(Signer, context, wanted, store, refresh, bind, _signing_until)


def verifier(
    context: RingContext, reference: str, algorithm: str | None, store: str | None, refresh: timedelta | None
) -> Verifier:
    """`KeyRing.verifier`."""
    wanted = parse_reference(reference)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> tuple[BoundVerifier, ...]:
        return tuple(bound for _, bound in _bind_verifiers(context.registry, opened, wanted, infos, algorithm, now))

    return _bind(Verifier, context, wanted, store, refresh, bind, _verifying_until)


def encrypter(context: RingContext, reference: str, store: str | None, refresh: timedelta | None) -> Encrypter:
    """`KeyRing.encrypter`."""
    wanted = parse_reference(reference)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> EncryptionKey:
        primary = _primary(wanted, infos, now, use="to encrypt for", other="is not encrypted for now, {} is")
        info = opened.described(primary)
        key = context.operations.load(opened, info) if info.public is None else public_half(info)
        return EncryptionKey(info.name, info.version, info.kid, key)

    return _bind(Encrypter, context, wanted, store, refresh, bind, _signing_until)


def decrypter(context: RingContext, reference: str, store: str | None, refresh: timedelta | None) -> Decrypter:
    """`KeyRing.decrypter`."""
    wanted = parse_reference(reference)

    def bind_one(opened: OpenStore, info: RecordInfo) -> DecryptionKey:
        load = cache(lambda: context.operations.load(opened, info))
        return DecryptionKey(info.name, info.version, info.kid, info.key_type, load)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> tuple[DecryptionKey, ...]:
        able = _able_versions(wanted, infos, now, verify="decrypt", signed="encrypted for")
        return tuple(bind_one(opened, opened.described(info)) for info in able)

    return _bind(Decrypter, context, wanted, store, refresh, bind, _verifying_until)


def _bind(
    kind: Callable[[str, Callable[[], Found[_T]], Callable[[], datetime], Operations], _Binding],
    context: RingContext,
    reference: Reference,
    store: str | None,
    refresh: timedelta | None,
    bind: Callable[[OpenStore, Sequence[RecordInfo], datetime], _T],
    ends: Callable[[Sequence[RecordInfo], datetime], Iterator[datetime | None]],
) -> _Binding:
    """A `CachedBinding` of this kind. `ends` gives the times at which the versions that were bound change."""
    check_duration("refresh", refresh)

    def look_up() -> Found[_T]:
        generation, now = context.operations.generation, context.clock()
        opened = context.stores.get(store, name=reference.name)
        infos = context.stores.versions(opened, reference.name, reference.version)
        bound = bind(opened, infos, now)
        times = [end for end in ends(infos, now) if end is not None and end > now]
        if refresh is not None:
            times.append(now + refresh)
        return Found(bound, now, min(times, default=None), generation, os.getpid())

    return kind(reference.name, look_up, context.clock, context.operations)


def _signing_until(infos: Sequence[RecordInfo], now: datetime) -> Iterator[datetime | None]:
    """When the version that signs stops signing."""
    yield lifecycle.primary_until(infos, now)


def _verifying_until(infos: Sequence[RecordInfo], now: datetime) -> Iterator[datetime | None]:
    """When a version stops verifying or signing."""
    for one in lifecycle.phases(infos, now):
        yield from (one.superseded, one.verifies_until)


def _primary(reference: Reference, infos: Sequence[RecordInfo], now: datetime, *, use: str, other: str) -> RecordInfo:
    """The primary, if the reference names it; `use` is what it is for, and `other` that it is not another version."""
    info = lifecycle.primary(infos, now)
    if info is None:
        reason, hint = lifecycle.why_not(infos, now)
        raise PolicyError(f"{reference.name} has no version {use}: {reason}", hint=hint)
    if reference.version not in (None, info.version):
        raise PolicyError(f"{reference} {other.format(info.reference)}", hint="leave the version out")
    return info


def _able_versions(
    reference: Reference,
    infos: Sequence[RecordInfo],
    now: datetime,
    *,
    verify: str = "verify",
    signed: str = "signed by",
) -> list[RecordInfo]:
    """The versions that the reference names and that may verify: the primary, then newest first.

    `verify` and `signed` are what messages call that.

    Raises:
        PolicyError: there are none.
    """
    able = [info for info in lifecycle.verifying(infos, now) if reference.version in (None, info.version)]
    if not able:
        phases = ", ".join(
            f"version {one.info.version} is {one.phase.value}"
            for one in lifecycle.phases(infos, now)
            if reference.version in (None, one.info.version)
        )
        raise PolicyError(f"{reference} may not {verify}: {phases}", hint=f"have the data {signed} a version that may")
    return able


def _bind_signer(registry: Registry, opened: OpenStore, info: RecordInfo, algorithm: str | None) -> BoundKey:
    """Bind one version for signing.

    Raises:
        UnsupportedOperationError, PolicyError: as `choose_algorithm`.
        NotExportableError: there is no secret half to sign with.
        InvalidKeyError: the key is too weak for the algorithm.
    """
    signing = opened.signing
    key = check_secret(opened.load(info), info, opened) if signing is None else public_half(info)
    key_type = registry.key_type(key.type)
    chosen = choose_algorithm(key_type, key.attributes, algorithm, "sign", info.reference)
    sign = key_type.signer(key, chosen) if signing is None else signing.signer(info.name, info.version, chosen)
    return BoundKey(info.name, info.version, key.kid, key.type, chosen, key.public, sign)


def verify(
    context: RingContext,
    reference: str,
    data: bytes,
    signature: bytes,
    algorithm: str | None,
    store: str | None,
) -> RecordInfo:
    """`KeyRing.verify`."""
    wanted = parse_reference(reference)
    opened = context.stores.get(store, name=wanted.name)
    infos = context.stores.versions(opened, wanted.name, wanted.version)
    for info, bound in _bind_verifiers(context.registry, opened, wanted, infos, algorithm, context.clock()):
        try:
            bound.verify(data, signature)
        except InvalidSignatureError:
            continue
        return opened.described(info)
    if wanted.version is not None:
        raise InvalidSignatureError(
            f"the signature is not valid under {wanted}", hint="check the data, or leave out the version"
        )
    raise InvalidSignatureError(
        f"the signature holds under no version of {wanted} that may verify", hint="check the data"
    )


def _bind_verifiers(
    registry: Registry,
    opened: OpenStore,
    reference: Reference,
    infos: Sequence[RecordInfo],
    algorithm: str | None,
    now: datetime,
) -> Iterator[tuple[RecordInfo, BoundVerifier]]:
    """The versions that the reference names and that may verify, bound one by one: the primary, then newest first.

    Raises:
        PolicyError: no version may verify, or the one that the reference names may not.
        UnsupportedOperationError, PolicyError, InvalidKeyError: no version can be used so; this is why the first
            one cannot.
    """
    able = _able_versions(reference, infos, now)
    refusals: list[KeywrightError] = []
    for info in able:
        try:
            key = opened.load(info) if info.public is None else public_half(info)
            key_type = registry.key_type(key.type)
            chosen = choose_algorithm(key_type, key.attributes, algorithm, "verify", info.reference)
            check = key_type.verifier(key, chosen)
        except (UnsupportedOperationError, PolicyError, InvalidKeyError) as refusal:
            # Versions may differ in type and use: the others may be usable.
            refusals.append(refusal)
        else:
            yield info, BoundVerifier(info.name, info.version, key.kid, key.type, chosen, key.public, check)
    if len(refusals) == len(able):
        raise refusals[0]


def choose_algorithm(
    key_type: KeyType, attributes: Attributes, requested: str | None, operation: str, reference: str
) -> str:
    """The JWA name to use for `operation`, `sign` or `verify`, with a key that has these `attributes`.

    Its own `alg` takes precedence, and its `use` and `key_ops` are obeyed (RFC 7517 §4.2 to §4.4).

    Raises:
        UnsupportedOperationError: the type cannot sign, or not with the algorithm that was asked for.
        PolicyError: the key is for another algorithm or use.
    """
    if not key_type.algorithms:
        raise UnsupportedOperationError(
            f"{reference} is of type {key_type.name}, which cannot sign", hint="use another key"
        )
    if requested is not None and requested not in key_type.algorithms:
        can = ", ".join(key_type.algorithms)
        raise UnsupportedOperationError(
            f"{reference} is of type {key_type.name}, which cannot sign with this algorithm", hint=f"it can with: {can}"
        )
    own = attributes.get("alg")
    if own is not None and own not in key_type.algorithms:
        raise PolicyError(
            f"{reference} is for another algorithm than signatures by its own alg", hint="use another key"
        )
    if requested is not None and own is not None and requested != own:
        raise PolicyError(
            f"{reference} is for {own} alone by its own alg", hint="leave the algorithm out, or use another key"
        )
    if attributes.get("use", "sig") != "sig":
        raise PolicyError(f"{reference} is not for signatures by its own use", hint="use another key")
    operations = attributes.get("key_ops")
    # The public half of a signing key verifies, whatever its secret half lists (RFC 7517 §4.3 is about each half).
    allowed = (operation,) if operation == "sign" else ("sign", "verify")
    if isinstance(operations, tuple) and not any(one in operations for one in allowed):
        raise PolicyError(f"{reference} may not {operation} by its own key_ops", hint="use another key")
    return str(requested or own or key_type.algorithms[0])
