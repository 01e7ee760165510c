"""Binding a version for use: which one signs now, and which ones verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from keywright import lifecycle
from keywright.errors import InvalidKeyError, InvalidSignatureError, PolicyError, UnsupportedOperationError
from keywright.keys import Reference
from keywright.records import RecordInfo
from keywright.ring.algorithms import choose_algorithm
from keywright.ring.opened import OpenedStore, secret_of
from keywright.ring.signer import BoundKey
from keywright.ring.verifier import BoundVerifier

if TYPE_CHECKING:
    from keywright.errors import KeywrightError
    from keywright.plugins.registry import Registry

__all__ = [
    "able_versions",
    "bind",
    "bound_verifiers",
    "signing_until",
    "signing_version",
    "verify",
    "verifying_until",
]


def signing_version(reference: Reference, infos: Sequence[RecordInfo], now: datetime) -> RecordInfo:
    """The version of the name that signs now.

    Raises:
        PolicyError: none signs now, or the one that the reference names does not.
    """
    info = lifecycle.primary(infos, now)
    if info is None:
        raise PolicyError(f"{reference.name} has no version that signs: {lifecycle.why_not(infos, now)}")
    if reference.version not in (None, info.version):
        raise PolicyError(f"{reference} does not sign, {info.reference} does; leave the version out")
    return info


def able_versions(
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
        raise PolicyError(
            f"{reference} may not {verify}: {_phases(reference, infos, now)}; have the data {signed} a version that may"
        )
    return able


def signing_until(infos: Sequence[RecordInfo], now: datetime, refresh: timedelta | None) -> datetime | None:
    """When a bound signer has to look again: when its version stops signing, or after `refresh`."""
    ends = (lifecycle.primary_until(infos, now), None if refresh is None else now + refresh)
    return min((end for end in ends if end is not None), default=None)


def verifying_until(infos: Sequence[RecordInfo], now: datetime, refresh: timedelta | None) -> datetime | None:
    """When a bound verifier has to look again: when a version stops verifying or signing, or after `refresh`."""
    ends = [] if refresh is None else [now + refresh]
    for one in lifecycle.phases(infos, now):
        ends += [end for end in (one.superseded, one.verifies_until) if end is not None and end > now]
    return min(ends, default=None)


def bind(plugins: Registry, opened: OpenedStore, info: RecordInfo, algorithm: str | None) -> BoundKey:
    """Bind one version for signing.

    Raises:
        UnsupportedOperationError, PolicyError: as `choose_algorithm`.
        NotExportableError: there is no secret half to sign with.
        InvalidKeyError: the key is too weak for the algorithm.
    """
    signing = opened.signing
    if signing is not None:
        key_type = plugins.key_type(info.key_type)
        chosen = choose_algorithm(key_type, info.attributes, algorithm, "sign", info.reference)
        sign = signing.signer(info.name, info.version, chosen)
        return BoundKey(info.name, info.version, info.kid, info.key_type, chosen, info.public, sign)
    key = secret_of(opened.load(info), info, opened)
    key_type = plugins.key_type(key.type)
    chosen = choose_algorithm(key_type, key.attributes, algorithm, "sign", info.reference)
    sign = key_type.signer(key, chosen)
    return BoundKey(info.name, info.version, key.kid, key.type, chosen, key.public, sign)


def verify(
    plugins: Registry,
    opened: OpenedStore,
    reference: Reference,
    infos: Sequence[RecordInfo],
    message: bytes,
    signature: bytes,
    algorithm: str | None,
    now: datetime,
) -> RecordInfo:
    """The version under which the signature holds, the primary tried first, then newest to oldest.

    Raises:
        InvalidSignatureError: it holds under none.
        PolicyError, UnsupportedOperationError, InvalidKeyError: as `bound_verifiers`.
    """
    for info, bound in bound_verifiers(plugins, opened, reference, infos, algorithm, now):
        try:
            bound.verify(message, signature)
        except InvalidSignatureError:
            continue
        return opened.described(info)
    if reference.version is not None:
        raise InvalidSignatureError(
            f"the signature does not hold under {reference}; check the data, or leave out the version"
        )
    raise InvalidSignatureError(f"the signature holds under no version of {reference} that may verify; check the data")


def bound_verifiers(
    plugins: Registry,
    opened: OpenedStore,
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
    tried = able_versions(reference, infos, now)
    refusals: list[KeywrightError] = []
    for info in tried:
        try:
            bound = _bind_verifier(plugins, opened, info, algorithm)
        except (UnsupportedOperationError, PolicyError, InvalidKeyError) as refusal:
            # Versions may differ in type and use: that one cannot be used so says nothing of the others.
            refusals.append(refusal)
        else:
            yield info, bound
    if len(refusals) == len(tried):
        raise refusals[0]


def _bind_verifier(plugins: Registry, opened: OpenedStore, info: RecordInfo, algorithm: str | None) -> BoundVerifier:
    key = opened.load(info) if info.public is None else opened.public_key(info)
    key_type = plugins.key_type(key.type)
    chosen = choose_algorithm(key_type, key.attributes, algorithm, "verify", info.reference)
    check = key_type.verifier(key, chosen)
    return BoundVerifier(info.name, info.version, key.kid, key.type, chosen, key.public, check)


def _phases(reference: Reference, infos: Sequence[RecordInfo], now: datetime) -> str:
    return ", ".join(
        f"version {one.info.version} is {one.phase.value}"
        for one in lifecycle.phases(infos, now)
        if reference.version in (None, one.info.version)
    )
