"""Plugins that are made on the spot, installed or by hand, and what a registry says of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from textwrap import dedent, indent
from types import ModuleType

from support.errors import text_of

from keywright import Registry, ReviewRequest, hookimpl

FORMAT = """
from keywright import hookimpl

KEYWRIGHT_API = 1

class Sound:
    name = "{name}"
    key_types = ("ed25519",)
    carries_kid = True
    def encode_secret(self, key): ...
    def encode_public(self, key): ...
    def decode(self, data, *, default_kid): ...
    def default_kid(self, name, version, key): ...
    def sniff(self, data): return False

@hookimpl
def keywright_register_formats():
    return [Sound()]
"""
SOUND = FORMAT.format(name="sound")

HAS = "this keywright has API 1: install a version that fits"
LACKS_ALL = "name, key_types, carries_kid, encode_secret, encode_public, decode, default_kid, sniff"
NO_FORMAT = "returned an object from keywright_register_formats that is not a format: "

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
REQUEST = ReviewRequest(
    operation="generate",
    who="ann",
    name="cache",
    version=1,
    kid="",
    store="local",
    key_type="ed25519",
    format="nix",
    bits=None,
    sealed=False,
    time=NOW,
)


def returning(expression: str, hook: str = "keywright_register_formats") -> str:
    """The source of a plugin whose hook returns that."""
    return f"{SOUND}\n@hookimpl\ndef {hook}():\n{indent(dedent(expression), '    ')}\n"


def failures(registry: Registry) -> list[str]:
    """The failures as people read them."""
    return [text_of(failure) for failure in registry.failures]


def plugin(**hooks: Callable[..., object]) -> ModuleType:
    """A plugin made on the spot, of these hooks."""
    module = ModuleType("made_here")
    vars(module)["KEYWRIGHT_API"] = 1
    for name, function in hooks.items():
        setattr(module, f"keywright_{name}", hookimpl(function))
    return module
