"""Sealed payloads: which seal made them, and what identity they are bound to.

A sealed payload starts with a line that names the seal, so that it is never mistaken for a format's own bytes and a
change of seal is a change of the payload alone.
"""

from __future__ import annotations

import json
import re

from keywright.errors import SealError
from keywright.protocols import OpenedSeal
from keywright.records import RecordInfo
from keywright.secret import Secret

__all__ = ["check_sealed", "inside_of", "seal_payload", "sealed_with", "unseal_payload"]

_MARK = b"keywright-sealed-1:"
# The whole line: `keywright-sealed-1:` alone could be the start of a Nix key of that name.
_FIRST_LINE = _MARK + b"([a-z0-9-]{1,100})\n"


def seal_payload(seal_name: str, seal: OpenedSeal, payload: Secret, info: RecordInfo) -> Secret:
    """`keywright-sealed-1:NAME`, a newline, and what the seal made of the payload.

    Name, version, format and kid of the record are authenticated with it: moved to another record, it does not open.
    """
    return Secret(_MARK + seal_name.encode() + b"\n" + seal.seal(payload, _context(info)).reveal())


def sealed_with(payload: Secret) -> str | None:
    """The name of the seal that a payload says it was sealed with, or None if it is not sealed."""
    line = re.match(_FIRST_LINE, payload.reveal())
    return None if line is None else line[1].decode()


def check_sealed(payload: Secret, seal_name: str | None, info: RecordInfo, store: str) -> bool:
    """Whether a payload of the store called `store` is sealed, as it has to be where that has this seal, or none.

    Raises:
        SealError: it is sealed and the store has no seal, or another; or it is not sealed though the store has a seal
            (somebody may have put it there).
    """
    made_with = sealed_with(payload)
    if made_with is None and seal_name is None:
        return False
    if made_with is None:
        raise SealError(
            f"{info.reference} is not sealed, though store {store!r} has a seal, so it is not trusted; "
            f"move it in with `keywright migrate` from a store without a seal"
        )
    if made_with != seal_name:
        raise SealError(
            f"{info.reference} is sealed with {made_with!r}, and store {store!r} has "
            f"{'no seal' if seal_name is None else repr(seal_name)}; set stores.{store}.seal to the seal it was made "
            f"with"
        )
    return True


def unseal_payload(seal: OpenedSeal, payload: Secret, info: RecordInfo) -> Secret:
    """The format's bytes of a sealed payload. Raises: SealError, as `OpenedSeal.unseal`."""
    return seal.unseal(inside_of(payload), _context(info))


def inside_of(payload: Secret) -> Secret:
    """What the seal itself made of a payload, without the line that names it."""
    return Secret(payload.reveal().partition(b"\n")[2])


def _context(info: RecordInfo) -> bytes:
    return json.dumps([info.name, info.version, info.format, info.kid]).encode()
