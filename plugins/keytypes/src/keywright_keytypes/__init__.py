"""keywright plugin: key types ed25519, x25519, ec-p256, ec-p384, ec-p521, rsa and oct."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright import KeyType

__all__ = ["KEYWRIGHT_API", "keywright_register_key_types"]

KEYWRIGHT_API = 1


@hookimpl
def keywright_register_key_types() -> Sequence[KeyType]:
    """The seven key types. cryptography is not imported before one of them does something."""
    from keywright_keytypes.ec import EC_P256, EC_P384, EC_P521
    from keywright_keytypes.octets import Oct
    from keywright_keytypes.okp import X25519, Ed25519
    from keywright_keytypes.rsa import Rsa

    return (Ed25519(), X25519(), EC_P256, EC_P384, EC_P521, Rsa(), Oct())
