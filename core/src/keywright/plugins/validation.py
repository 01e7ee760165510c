"""What a plugin object must be like, checked when it registers: a bad one must not stop commands that use others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, get_args

from keywright.protocols import Capabilities, Format, KeyType, Seal, StoreBackend
from keywright.settings.model import Setting, SettingType

_PROTOCOLS: Final[Mapping[str, type]] = {
    "key type": KeyType,
    "format": Format,
    "store backend": StoreBackend,
    "seal": Seal,
}
_RENAMED: Final = {"complete": "validate"}
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_NAME_CHARACTERS: Final = _LETTERS | frozenset("0123456789-")
_SETTING_CHARACTERS: Final = _LETTERS | frozenset("0123456789_")
_SETTING_TYPES: Final = frozenset(get_args(SettingType))

RESERVED_SETTINGS: Final[Mapping[str, frozenset[str]]] = {
    # The settings of `[keys.NAME]`, and the parameters and options of the methods and commands that create keys.
    "key type": frozenset(("type", "format", "store", "kid", "rotate_every", "expires_in", "overlap", "activate_in"))
    | frozenset(("self", "name", "names", "label", "labels", "attribute", "attributes", "no_attributes"))
    | frozenset(("activates", "expires", "allow_duplicate", "due", "dry_run"))
    | frozenset(("config", "profile", "option", "json", "quiet", "verbose", "debug", "version", "help")),
    "store backend": frozenset(("backend", "seal")),
    "seal": frozenset(("seal",)),
}
"""By role: names that a setting cannot have, because they have another meaning there."""


def fault_of(thing: object, role: str) -> str:
    """What is wrong with an object for its role (`key type`, `format`, `store backend`, `seal`); `""` if nothing.

    Raises: whatever the object's own attributes raise.
    """
    if isinstance(thing, type):
        return f"it is the class {thing.__name__} itself; return an instance"
    members = {name: member for name, member in vars(_PROTOCOLS[role]).items() if name[0] != "_"}
    missing = [name for name in members if not hasattr(thing, name)]
    name = getattr(thing, "name", None)
    renamed = [f"{old} was renamed to {new} in keywright 0.2" for old, new in _RENAMED.items() if new in missing]
    if renamed and any(hasattr(thing, old) for old in _RENAMED):
        return f"it lacks {', '.join(missing)}: {', '.join(renamed)}"
    if missing or not isinstance(name, str) or not name:
        return f"it lacks {', '.join(missing) or 'a name'}"
    if not _NAME_CHARACTERS.issuperset(name):
        return "its name is not valid: use a-z, 0-9 and '-'"
    for member, declared in members.items():
        value = getattr(thing, member)
        if member in _RULES and not _RULES[member][0](value):
            return _RULES[member][1]
        if not isinstance(declared, property) and not callable(value):
            return f"its {member} is not a method"
    return _settings_fault(getattr(thing, "settings", ()), role) if "settings" in members else ""


def _settings_fault(settings: object, role: str) -> str:
    if not isinstance(settings, list | tuple):
        return "its settings are not a list or tuple"
    seen: set[str] = set()
    for setting in settings:
        if not isinstance(setting, Setting):
            return f"its settings hold {type(setting).__name__}, where a Setting belongs"
        name, kind, explained = _untyped(setting)
        if not isinstance(name, str) or name[:1] not in _LETTERS or not _SETTING_CHARACTERS.issuperset(name):
            return "the name of a setting is not valid: use a-z, 0-9 and '_', and start with a letter"
        if "__" in name:
            return f"its setting {name!r} could not be set by an environment variable: leave out '__'"
        if name in RESERVED_SETTINGS[role]:
            return f"its setting {name!r} has a name that means something else for a {role}: choose another"
        if name in seen:
            return f"its setting {name!r} is declared twice"
        seen.add(name)
        if not isinstance(kind, str) or kind not in _SETTING_TYPES:
            return f"its setting {name!r} has an unknown type"
        if not isinstance(explained, str) or not _are_texts(setting.choices):
            return f"its setting {name!r} has a help that is not text, or choices that are not a tuple of texts"
    return ""


def _untyped(setting: Setting) -> tuple[object, object, object]:
    return setting.name, setting.type, setting.help


def unmarked_hooks(module: object) -> list[str]:
    """The functions of a plugin module that are named like hooks and lack the mark of `hookimpl`, sorted."""
    names = [name for name in vars(module) if name.startswith("keywright_")]
    return sorted(
        name
        for name in names
        if callable(getattr(module, name)) and not hasattr(getattr(module, name), "keywright_impl")
    )


def _are_texts(things: object) -> bool:
    return isinstance(things, tuple) and all(isinstance(thing, str) and thing for thing in things)


_RULES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "algorithms": (_are_texts, "its algorithms are not a tuple of texts"),
    "key_types": (
        lambda types: types != () and _are_texts(types),
        "its key_types are not a tuple of texts, one at least",
    ),
    "carries_kid": (lambda value: isinstance(value, bool), "its carries_kid is not True or False"),
    "capabilities": (lambda value: isinstance(value, Capabilities), "its capabilities are not Capabilities"),
}
"""What a member must be, and what is wrong with an object where it is not."""
