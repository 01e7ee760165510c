"""keywright: one interface for making, encoding, storing and using cryptographic keys.

Plugins import what they need from here, from `keywright.errors`, `keywright.files` and `keywright.testing`, and from
no other module. Each name is loaded when it is first used, so that a command pays for nothing that it does not use.
"""

from __future__ import annotations

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright.cli.context import Context as Context
    from keywright.cli.context import print_either as print_either
    from keywright.cli.failures import failure_document as failure_document
    from keywright.cli.parser import add_flag as add_flag
    from keywright.cli.parser import add_list as add_list
    from keywright.cli.parser import add_output as add_output
    from keywright.cli.parser import add_value as add_value
    from keywright.cli.parser import pairs_of as pairs_of
    from keywright.cli.parser import time_of as time_of
    from keywright.config.load import Config as Config
    from keywright.edwards25519 import PointProblem as PointProblem
    from keywright.edwards25519 import ed25519_point_problem as ed25519_point_problem
    from keywright.events import KeyEvent as KeyEvent
    from keywright.events import ReviewRequest as ReviewRequest
    from keywright.keys import (
        Attributes as Attributes,
    )
    from keywright.keys import (
        Key as Key,
    )
    from keywright.keys import (
        Reference as Reference,
    )
    from keywright.keys import (
        check_name as check_name,
    )
    from keywright.keys import (
        parse_reference as parse_reference,
    )
    from keywright.plugins.commands import Commands as Commands
    from keywright.plugins.discovery import KEYWRIGHT_API as KEYWRIGHT_API
    from keywright.plugins.hooks import hookimpl as hookimpl
    from keywright.plugins.registry import Registry as Registry
    from keywright.protocols import (
        BatchSigner as BatchSigner,
    )
    from keywright.protocols import (
        BatchStore as BatchStore,
    )
    from keywright.protocols import (
        Capabilities as Capabilities,
    )
    from keywright.protocols import (
        CheckedPlugin as CheckedPlugin,
    )
    from keywright.protocols import (
        CheckedStore as CheckedStore,
    )
    from keywright.protocols import (
        CreateResult as CreateResult,
    )
    from keywright.protocols import (
        EncryptedFormat as EncryptedFormat,
    )
    from keywright.protocols import (
        ExtensibleFormat as ExtensibleFormat,
    )
    from keywright.protocols import (
        Format as Format,
    )
    from keywright.protocols import (
        Guard as Guard,
    )
    from keywright.protocols import (
        GuardedStore as GuardedStore,
    )
    from keywright.protocols import (
        InstalledNames as InstalledNames,
    )
    from keywright.protocols import (
        JWKKeyType as JWKKeyType,
    )
    from keywright.protocols import (
        KeyType as KeyType,
    )
    from keywright.protocols import (
        LenientFormat as LenientFormat,
    )
    from keywright.protocols import (
        OpenedSeal as OpenedSeal,
    )
    from keywright.protocols import (
        Problem as Problem,
    )
    from keywright.protocols import (
        RenewableSeal as RenewableSeal,
    )
    from keywright.protocols import (
        Seal as Seal,
    )
    from keywright.protocols import (
        SigningStore as SigningStore,
    )
    from keywright.protocols import (
        Store as Store,
    )
    from keywright.protocols import (
        StoreBackend as StoreBackend,
    )
    from keywright.protocols import (
        WritableStore as WritableStore,
    )
    from keywright.records import (
        Record as Record,
    )
    from keywright.records import (
        RecordInfo as RecordInfo,
    )
    from keywright.records import (
        Revision as Revision,
    )
    from keywright.records import (
        State as State,
    )
    from keywright.records import (
        decode_info as decode_info,
    )
    from keywright.records import (
        encode_info as encode_info,
    )
    from keywright.records import (
        format_time as format_time,
    )
    from keywright.records import (
        parse_time as parse_time,
    )
    from keywright.ring.bound import BoundKey as BoundKey
    from keywright.ring.bound import BoundVerifier as BoundVerifier
    from keywright.ring.bound import Decrypter as Decrypter
    from keywright.ring.bound import DecryptionKey as DecryptionKey
    from keywright.ring.bound import Encrypter as Encrypter
    from keywright.ring.bound import EncryptionKey as EncryptionKey
    from keywright.ring.bound import Signer as Signer
    from keywright.ring.bound import Verifier as Verifier
    from keywright.ring.codec import convert as convert
    from keywright.ring.keyring import KeyRing as KeyRing
    from keywright.ring.keyring import open as open
    from keywright.secret import Secret as Secret
    from keywright.settings.model import REQUIRED as REQUIRED
    from keywright.settings.model import Options as Options
    from keywright.settings.model import Setting as Setting
    from keywright.strict_json import (
        JsonProblem as JsonProblem,
    )
    from keywright.strict_json import (
        json_problem as json_problem,
    )
    from keywright.strict_json import (
        read_json as read_json,
    )
    from keywright.strict_json import (
        read_json_object as read_json_object,
    )
    from keywright.text import did_you_mean as did_you_mean
    from keywright.text import parse_duration as parse_duration

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
    "OpenedSeal Problem RenewableSeal Seal SigningStore Store StoreBackend WritableStore",
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
        from importlib import import_module

        value: object = getattr(import_module(module), name)
        globals()[name] = value
        return value
