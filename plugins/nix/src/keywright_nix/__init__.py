"""The Nix Ed25519 key format, narinfos, and the nix commands. The plugin itself is `keywright_nix.plugin`.

Each name is loaded when it is first asked for.
"""

from __future__ import annotations

# Not from `typing`, which takes as long to import as the interpreter to start.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from keywright_nix.narinfo import NarInfo
    from keywright_nix.realisation import realisation_fingerprint
    from keywright_nix.signature import verify_signature

__all__ = ["NarInfo", "realisation_fingerprint", "verify_signature"]

_WHERE = {
    "NarInfo": "keywright_nix.narinfo",
    "realisation_fingerprint": "keywright_nix.realisation",
    "verify_signature": "keywright_nix.signature",
}


if not TYPE_CHECKING:  # or a type checker would take every misspelled name for an object

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None:
            raise AttributeError(f"module 'keywright_nix' has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(module), name)
        globals()[name] = value
        return value
