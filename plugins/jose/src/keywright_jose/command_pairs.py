"""`NAME=TEXT` and `NAME:=JSON`, as people write members of a header and claims on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from keywright.errors import ConfigError, MalformedTokenError
from keywright_jose.token_json import read_object

__all__ = ["pairs"]


def pairs(words: Sequence[str], option: str) -> dict[str, object]:
    """The words as a dict; `option` names where they come from in messages: "--claim".

    Raises:
        ConfigError: one is neither, its JSON is none, or a name stands twice.
    """
    found: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise ConfigError(f"{option} takes NAME=TEXT or NAME:=JSON; write it so")
        if name in found:
            raise ConfigError(f"{option} names one thing twice; leave one out")
        found[name] = _value(value, option) if is_json else value
    return found


def _value(text: str, option: str) -> object:
    try:
        members = read_object(b'{"value":%s}' % text.encode(), option)
    except (MalformedTokenError, UnicodeEncodeError):
        members = {}
    if len(members) != 1:  # nothing, or more than the one value
        raise ConfigError(f"{option} NAME:=JSON takes one JSON value; for text write NAME=TEXT")
    return members["value"]
