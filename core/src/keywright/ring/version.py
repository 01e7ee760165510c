"""Making versions: from a plan to a record in a store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from keywright.errors import KeyExistsError
from keywright.keys import Attributes, Key
from keywright.records import RecordInfo
from keywright.ring.conversion import check_carried, public_attributes, read_back
from keywright.ring.plan import Plan, kid_for
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.protocols import SigningStore
    from keywright.ring.opened import OpenedStore

__all__ = ["generate_version", "store_key"]


def generate_version(
    store: OpenedStore, plan: Plan, name: str, version: int, others: Sequence[RecordInfo], now: datetime
) -> RecordInfo:
    """Generate a key and store it as `name`, version `version`, inside the store where its keys never leave it.

    Raises:
        KeyExistsError: the version was made by somebody else meanwhile, or another version holds the kid.
        UnsupportedKeyError: the format cannot carry the key as planned.
        UnsupportedOperationError: a signing store cannot make such a key.
        StoreError: the store refused or failed.
    """
    signing = store.signing
    if signing is not None:
        return _generate_inside(signing, plan, name, version, others, now)
    fresh = plan.key_type.generate(plan.options)
    return store_key(store, plan, fresh, name, version, others, now)


def store_key(
    store: OpenedStore,
    plan: Plan,
    key: Key,
    name: str,
    version: int,
    others: Sequence[RecordInfo],
    now: datetime,
    *,
    lenient: bool = False,
) -> RecordInfo:
    """Store `key` (its `kid` and attributes, where it has some, go before the plan's) as `name`, version `version`.

    Raises: as `generate_version`.
    """
    whole = replace(key, attributes=Attributes({**plan.attributes, **key.attributes}))
    named = replace(whole, kid=key.kid or kid_for(plan, name, version, whole) or random_kid())
    check_kid_is_free(named.kid, others)
    info = _info(plan, name, version, now, named.kid, named.public, public_attributes(plan.format, named))
    return store.writable.create(store.pack(named, info, lenient=lenient))


def _generate_inside(
    store: SigningStore, plan: Plan, name: str, version: int, others: Sequence[RecordInfo], now: datetime
) -> RecordInfo:
    def kid(public: bytes) -> str:
        key = Key(plan.key_type.name, "", None, public, plan.attributes)
        named = replace(key, kid=kid_for(plan, name, version, key) or random_kid())
        check_kid_is_free(named.kid, others)
        check_carried(
            plan.format, named, read_back(plan.format, Secret(plan.format.encode_public(named)), lenient=False)
        )
        return named.kid

    info = _info(plan, name, version, now, "", None, plan.attributes)
    return store.generate(info, plan.options, kid)


def _info(
    plan: Plan, name: str, version: int, now: datetime, kid: str, public: bytes | None, attributes: Attributes
) -> RecordInfo:
    return RecordInfo(
        name=name,
        version=version,
        key_type=plan.key_type.name,
        format=plan.format.name,
        kid=kid,
        public=public,
        attributes=attributes,
        state_since=now,
        created=now,
        activates=plan.activates,
        expires=plan.expires,
        overlap=plan.overlap,
        labels=plan.labels,
    )


def check_kid_is_free(kid: str, others: Sequence[RecordInfo]) -> None:
    """Refuse a kid that another version of the name holds: a verifier could not tell them apart.

    Raises:
        KeyExistsError: one holds it.
    """
    for other in others:
        if other.kid == kid:
            raise KeyExistsError(f"the kid of the new version is held by {other.reference} already; say another --kid")


def random_kid() -> str:
    """128 random bits in hex: for keys whose hash would tell something of their secret."""
    return os.urandom(16).hex()
