"""keywright: one interface for making, encoding, keeping and using cryptographic keys.

Plugins import what they need from here, from `keywright.errors` and from `keywright.testing`, and from nowhere else.
Each name is loaded when it is first asked for, so that nobody waits for what they do not use.
"""

from __future__ import annotations

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.config.load import Config
    from keywright.events import KeyEvent, ReviewRequest
    from keywright.keys import Attributes, Key, Reference, check_name, parse_reference
    from keywright.plugins.commands import Commands
    from keywright.plugins.discovery import KEYWRIGHT_API
    from keywright.plugins.hooks import hookimpl
    from keywright.plugins.registry import Registry
    from keywright.protocols import (
        Capabilities,
        ExaminedPlugin,
        ExaminedStore,
        Format,
        KeyType,
        Known,
        LenientFormat,
        OpenedSeal,
        RenewableSeal,
        Seal,
        SigningStore,
        Store,
        StoreBackend,
        WritableStore,
    )
    from keywright.records import Record, RecordInfo, Revision, State, decode_info, encode_info, format_time, parse_time
    from keywright.ring.conversion import convert
    from keywright.ring.decrypter import Decrypter, DecryptionKey
    from keywright.ring.encrypter import Encrypter, EncryptionKey
    from keywright.ring.keyring import KeyRing
    from keywright.ring.opening import open
    from keywright.ring.signer import BoundKey, Signer
    from keywright.ring.verifier import BoundVerifier, Verifier
    from keywright.secret import Secret
    from keywright.settings.model import REQUIRED, Options, Setting
    from keywright.text import parse_duration

__all__ = [
    "KEYWRIGHT_API",
    "REQUIRED",
    "Attributes",
    "BoundKey",
    "BoundVerifier",
    "Capabilities",
    "Commands",
    "Config",
    "Context",
    "Decrypter",
    "DecryptionKey",
    "Encrypter",
    "EncryptionKey",
    "ExaminedPlugin",
    "ExaminedStore",
    "Format",
    "Key",
    "KeyEvent",
    "KeyRing",
    "KeyType",
    "Known",
    "LenientFormat",
    "OpenedSeal",
    "Options",
    "Record",
    "RecordInfo",
    "Reference",
    "Registry",
    "RenewableSeal",
    "ReviewRequest",
    "Revision",
    "Seal",
    "Secret",
    "Setting",
    "Signer",
    "SigningStore",
    "State",
    "Store",
    "StoreBackend",
    "Verifier",
    "WritableStore",
    "check_name",
    "convert",
    "decode_info",
    "encode_info",
    "format_time",
    "hookimpl",
    "open",
    "parse_duration",
    "parse_reference",
    "parse_time",
]

_WHERE = {
    "Attributes": "keywright.keys",
    "BoundKey": "keywright.ring.signer",
    "BoundVerifier": "keywright.ring.verifier",
    "Capabilities": "keywright.protocols",
    "Commands": "keywright.plugins.commands",
    "Config": "keywright.config.load",
    "Context": "keywright.cli.context",
    "Decrypter": "keywright.ring.decrypter",
    "DecryptionKey": "keywright.ring.decrypter",
    "Encrypter": "keywright.ring.encrypter",
    "EncryptionKey": "keywright.ring.encrypter",
    "ExaminedPlugin": "keywright.protocols",
    "ExaminedStore": "keywright.protocols",
    "Format": "keywright.protocols",
    "KEYWRIGHT_API": "keywright.plugins.discovery",
    "Key": "keywright.keys",
    "KeyEvent": "keywright.events",
    "KeyRing": "keywright.ring.keyring",
    "KeyType": "keywright.protocols",
    "Known": "keywright.protocols",
    "LenientFormat": "keywright.protocols",
    "OpenedSeal": "keywright.protocols",
    "Options": "keywright.settings.model",
    "REQUIRED": "keywright.settings.model",
    "Record": "keywright.records",
    "RecordInfo": "keywright.records",
    "Reference": "keywright.keys",
    "Registry": "keywright.plugins.registry",
    "RenewableSeal": "keywright.protocols",
    "ReviewRequest": "keywright.events",
    "Revision": "keywright.records",
    "Seal": "keywright.protocols",
    "Secret": "keywright.secret",
    "Setting": "keywright.settings.model",
    "Signer": "keywright.ring.signer",
    "SigningStore": "keywright.protocols",
    "State": "keywright.records",
    "Store": "keywright.protocols",
    "StoreBackend": "keywright.protocols",
    "Verifier": "keywright.ring.verifier",
    "WritableStore": "keywright.protocols",
    "check_name": "keywright.keys",
    "convert": "keywright.ring.conversion",
    "decode_info": "keywright.records",
    "encode_info": "keywright.records",
    "format_time": "keywright.records",
    "hookimpl": "keywright.plugins.hooks",
    "open": "keywright.ring.opening",
    "parse_duration": "keywright.text",
    "parse_reference": "keywright.keys",
    "parse_time": "keywright.records",
}


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # or a type checker would take every misspelt name for an object

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None:
            raise AttributeError(f"module 'keywright' has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(module), name)
        globals()[name] = value
        return value
