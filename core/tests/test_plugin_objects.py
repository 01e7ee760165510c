"""What a plugin object must be like: each fault that would stop other people's commands is found as it registers."""

from __future__ import annotations

import inspect
from argparse import ArgumentParser
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from keywright import Capabilities, KeyRing, Registry, Setting, hookimpl
from keywright.cli.commands.keys import configure_generate, configure_rotate
from keywright.config import KEY_SETTINGS
from keywright.plugin_objects import RESERVED_SETTINGS, fault_of

MEMBERS = {
    "key type": ("generate", "complete", "bits", "signer", "verifier"),
    "format": ("encode_secret", "encode_public", "decode", "default_kid", "sniff"),
    "store backend": ("open",),
    "seal": ("open",),
}
VALUES: dict[str, dict[str, object]] = {
    "key type": {"settings": (Setting("bits", "integer", 256),), "algorithms": ("HS256",)},
    "format": {"key_types": ("oct",)},
    "store backend": {"settings": [Setting("path", "path")], "capabilities": Capabilities(True, True)},
    "seal": {"settings": ()},
}


def plugin_object(role: str, **values: object) -> object:
    """An object that is sound for its role but for `values`."""
    methods = {name: lambda *_: None for name in MEMBERS[role]}
    return SimpleNamespace(**{"name": "mine", **methods, **VALUES[role], **values})


@pytest.mark.parametrize("role", MEMBERS)
def test_a_sound_object(role: str) -> None:
    """An object that is all that its role asks for has no fault."""
    assert fault_of(plugin_object(role), role) == ""


TAKEN = "its setting {!r} has a name that means something else for a {}: choose another"
NO_NAME = "the name of a setting is none: use a-z, 0-9 and '_', and start with a letter"
NO_TEXTS = "its setting 'x' has a help that is no text, or choices that are no tuple of texts"


@pytest.mark.parametrize(
    ("role", "values", "fault"),
    [
        pytest.param("key type", {"settings": ("bits",)}, "its settings hold str, where a Setting belongs", id="texts"),
        pytest.param("seal", {"settings": None}, "its settings are no list or tuple", id="settings-none"),
        pytest.param("seal", {"settings": "bits"}, "its settings are no list or tuple", id="settings-text"),
        pytest.param("key type", {"settings": [("bits", "integer")]},
                     "its settings hold tuple, where a Setting belongs", id="plain-tuples"),
        pytest.param("key type", {"settings": [Setting("x", "text"), Setting("x", "text")]},
                     "its setting 'x' is declared twice", id="twice"),
        pytest.param("seal", {"settings": [Setting("", "text")]}, NO_NAME, id="nameless"),
        pytest.param("seal", {"settings": [Setting("Path", "text")]}, NO_NAME, id="upper-case"),
        pytest.param("seal", {"settings": [Setting("my-path", "text")]}, NO_NAME, id="hyphen"),
        pytest.param("seal", {"settings": [Setting("pathX", "text")]}, NO_NAME, id="upper-case-inside"),
        pytest.param("seal", {"settings": [Setting("2nd", "text")]}, NO_NAME, id="digit-first"),
        pytest.param("seal", {"settings": [Setting("_x", "text")]}, NO_NAME, id="underscore-first"),
        pytest.param("seal", {"settings": [Setting(7, "text")]},  # type: ignore[arg-type]  # that is the fault
                     NO_NAME, id="a-number"),
        pytest.param("seal", {"settings": [Setting("a__b", "text")]},
                     "its setting 'a__b' could not be set by an environment variable: leave out '__'", id="double"),
        pytest.param("seal", {"settings": [Setting("seal", "text")]}, TAKEN.format("seal", "seal"), id="seal"),
        pytest.param("store backend", {"settings": [Setting("seal", "text")]},
                     TAKEN.format("seal", "store backend"), id="store-seal"),
        pytest.param("store backend", {"settings": [Setting("backend", "text")]},
                     TAKEN.format("backend", "store backend"), id="store-backend"),
        pytest.param("key type", {"settings": [Setting("kid", "text")]}, TAKEN.format("kid", "key type"), id="kid"),
        pytest.param("seal", {"settings": [Setting("x", "number")]},  # type: ignore[arg-type]  # that is the fault
                     "its setting 'x' is of a type that is none", id="type"),
        pytest.param("seal", {"settings": [Setting("x", ["text"])]},  # type: ignore[arg-type]  # that is the fault
                     "its setting 'x' is of a type that is none", id="type-list"),
        pytest.param("seal", {"settings": [Setting("x", "text", help=None)]},  # type: ignore[arg-type]  # as above
                     NO_TEXTS, id="help"),
        pytest.param("seal", {"settings": [Setting("x", "text", choices="ab")]},  # type: ignore[arg-type]  # as above
                     NO_TEXTS, id="choices"),
        pytest.param("key type", {"algorithms": "EdDSA"}, "its algorithms are no tuple of texts", id="algorithms-text"),
        pytest.param("key type", {"algorithms": ["EdDSA"]}, "its algorithms are no tuple of texts", id="algorithms"),
        pytest.param("key type", {"algorithms": (1,)}, "its algorithms are no tuple of texts", id="numbers"),
        pytest.param("format", {"key_types": "oct"},
                     "its key_types are no tuple of texts, one at least", id="key-types-text"),
        pytest.param("format", {"key_types": ()}, "its key_types are no tuple of texts, one at least", id="no-types"),
        pytest.param("format", {"key_types": ("",)}, "its key_types are no tuple of texts, one at least", id="empty"),
        pytest.param("store backend", {"capabilities": (True, True)},
                     "its capabilities are no Capabilities", id="capabilities"),
        pytest.param("format", {"sniff": None}, "its sniff is no method", id="sniff"),
        pytest.param("seal", {"open": "sesame"}, "its open is no method", id="open"),
        pytest.param("format", {"name": "Odd Format"}, "its name is none: use a-z, 0-9 and '-'", id="name"),
        pytest.param("seal", {"name": "Odd Seal"}, "its name is none: use a-z, 0-9 and '-'", id="seal-name"),
        pytest.param("seal", {"name": "ä"}, "its name is none: use a-z, 0-9 and '-'", id="letter"),
        pytest.param("seal", {"name": "sealX"}, "its name is none: use a-z, 0-9 and '-'", id="upper-case-in-name"),
        pytest.param("seal", {"name": "x\n"}, "its name is none: use a-z, 0-9 and '-'", id="line-feed"),
    ],
)  # fmt: skip
def test_a_fault_is_found(role: str, values: dict[str, object], fault: str) -> None:
    """An object that would make a command fail is refused as it registers, and no other with it."""
    registry = Registry()
    sound = plugin_object(role, name="sound")

    class Plugin:
        KEYWRIGHT_API = 1

    hook = f"keywright_register_{role.replace(' ', '_')}s"

    def register() -> Sequence[object]:
        return (plugin_object(role, **values), sound)

    plugin = Plugin()
    setattr(plugin, hook, hookimpl(register))
    registry.add(plugin, "mine")

    assert [str(one) for one in registry.failures] == [
        f"plugin 'mine': returned an object from {hook} that is no {role}: {fault}"
    ]
    assert registry.plugins[0].provides == (f"{role} sound",)


def test_key_types_cannot_declare_what_every_key_has() -> None:
    """Reserved is what `[keys.NAME]`, and the methods and commands that make keys, call their own."""
    parsers = ArgumentParser(), ArgumentParser()
    configure_generate(parsers[0], Registry)
    configure_rotate(parsers[1], Registry)
    of_commands = {action.dest for parser in parsers for action in parser._actions}
    of_methods = {
        name
        for method in (KeyRing.generate, KeyRing.rotate)
        for name, one in inspect.signature(method).parameters.items()
        if one.kind is not inspect.Parameter.VAR_KEYWORD
    }

    assert {setting.name for setting in KEY_SETTINGS} <= RESERVED_SETTINGS["key type"]
    assert of_commands <= RESERVED_SETTINGS["key type"]
    assert of_methods <= RESERVED_SETTINGS["key type"]


def test_the_reserved_names_of_settings() -> None:
    """Each of these means something else already; taking one off would let a plugin shadow it."""
    tables = "type format store kid rotate_every expires_in overlap activate_in labels attributes"
    methods = "self name names label attribute no_attributes activates expires new_here due dry_run"
    options = "config profile option json quiet verbose debug version help"

    assert {
        "key type": {*tables.split(), *methods.split(), *options.split()},
        "store backend": {"backend", "seal"},
        "seal": {"seal"},
    } == RESERVED_SETTINGS
