"""keywright: one interface for making, encoding, storing and using cryptographic keys.

Plugins import what they need from here, from `keywright.errors`, `keywright.files` and `keywright.testing`, and from
no other module. Each name is loaded when it is first used, so that a command pays for nothing that it does not use.
"""

from __future__ import annotations

import sys

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright.cli.context import Context as Context, print_either as print_either
    from keywright.cli.failures import failure_document as failure_document
    from keywright.cli.parser import (
        add_flag as add_flag,
        add_list as add_list,
        add_output as add_output,
        add_value as add_value,
        pairs_of as pairs_of,
        time_of as time_of,
    )
    from keywright.config.load import Config as Config
    from keywright.edwards25519 import PointProblem as PointProblem, ed25519_point_problem as ed25519_point_problem
    from keywright.events import KeyEvent as KeyEvent, ReviewRequest as ReviewRequest
    from keywright.keys import (
        Attributes as Attributes,
        Key as Key,
        Reference as Reference,
        check_name as check_name,
        parse_reference as parse_reference,
    )
    from keywright.plugins.commands import Commands as Commands
    from keywright.plugins.discovery import KEYWRIGHT_API as KEYWRIGHT_API
    from keywright.plugins.hooks import hookimpl as hookimpl
    from keywright.plugins.registry import Registry as Registry
    from keywright.protocols import (
        BatchSigner as BatchSigner,
        BatchStore as BatchStore,
        Capabilities as Capabilities,
        CheckedPlugin as CheckedPlugin,
        CheckedStore as CheckedStore,
        CreateResult as CreateResult,
        EncryptedFormat as EncryptedFormat,
        ExtensibleFormat as ExtensibleFormat,
        Format as Format,
        Guard as Guard,
        GuardedStore as GuardedStore,
        InstalledNames as InstalledNames,
        JWKKeyType as JWKKeyType,
        KeyType as KeyType,
        LenientFormat as LenientFormat,
        OpenedSeal as OpenedSeal,
        Problem as Problem,
        RenewableSeal as RenewableSeal,
        ScannedStore as ScannedStore,
        Seal as Seal,
        SigningStore as SigningStore,
        Store as Store,
        StoreBackend as StoreBackend,
        WritableStore as WritableStore,
    )
    from keywright.records import (
        Record as Record,
        RecordInfo as RecordInfo,
        Revision as Revision,
        State as State,
        decode_info as decode_info,
        encode_info as encode_info,
        format_time as format_time,
        parse_time as parse_time,
    )
    from keywright.ring.bound import (
        BoundKey as BoundKey,
        BoundVerifier as BoundVerifier,
        Decrypter as Decrypter,
        DecryptionKey as DecryptionKey,
        Encrypter as Encrypter,
        EncryptionKey as EncryptionKey,
        Signer as Signer,
        Verifier as Verifier,
    )
    from keywright.ring.codec import convert as convert
    from keywright.ring.keyring import KeyRing as KeyRing, open as open
    from keywright.secret import Secret as Secret
    from keywright.settings.model import REQUIRED as REQUIRED, Options as Options, Setting as Setting
    from keywright.strict_json import (
        JsonProblem as JsonProblem,
        json_problem as json_problem,
        read_json as read_json,
        read_json_object as read_json_object,
    )
    from keywright.text import did_you_mean as did_you_mean, parse_duration as parse_duration

_MODULES = {
    "keywright.cli.context": "Context print_either",
    "keywright.cli.failures": "failure_document",
    "keywright.cli.parser": "add_flag add_list add_output add_value pairs_of time_of",
    "keywright.config.load": "Config",
    "keywright.edwards25519": "PointProblem ed25519_point_problem",
    "keywright.events": "KeyEvent ReviewRequest",
    "keywright.keys": "Attributes Key Reference check_name parse_reference",
    "keywright.plugins.commands": "Commands",
    "keywright.plugins.discovery": "KEYWRIGHT_API",
    "keywright.plugins.hooks": "hookimpl",
    "keywright.plugins.registry": "Registry",
    "keywright.protocols": "BatchSigner BatchStore Capabilities CheckedPlugin CheckedStore CreateResult "
    "EncryptedFormat ExtensibleFormat Format Guard GuardedStore InstalledNames JWKKeyType KeyType LenientFormat "
    "OpenedSeal Problem RenewableSeal ScannedStore Seal SigningStore Store StoreBackend WritableStore",
    "keywright.records": "Record RecordInfo Revision State decode_info encode_info format_time parse_time",
    "keywright.ring.codec": "convert",
    "keywright.ring.bound": "BoundKey BoundVerifier Decrypter DecryptionKey Encrypter EncryptionKey Signer Verifier",
    "keywright.ring.keyring": "KeyRing open",
    "keywright.secret": "Secret",
    "keywright.settings.model": "REQUIRED Options Setting",
    "keywright.strict_json": "JsonProblem json_problem read_json read_json_object",
    "keywright.text": "did_you_mean parse_duration",
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names.split()}

_RENAMED = {"Known": "InstalledNames", "ExaminedStore": "CheckedStore", "ExaminedPlugin": "CheckedPlugin"}

__all__ = list(_WHERE)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # or a type checker would accept every misspelled name

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None and name in _RENAMED:
            raise ImportError(f"{name} was renamed to {_RENAMED[name]} in keywright 0.2")
        if module is None:
            raise AttributeError(f"module 'keywright' has no attribute {name!r}")
        __import__(module)
        value: object = getattr(sys.modules[module], name)
        globals()[name] = value
        return value
