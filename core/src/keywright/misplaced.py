"""Secrets in the wrong place: where a path or a name belongs, somebody gave the key itself."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["looks_like_a_secret", "shown_name"]

_LONGEST_NAME: Final = 255
_CHANGES: Final = "(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]"  # compiled when it is needed


def looks_like_a_secret(text: str) -> bool:
    """Whether a text that should be a path looks like a key or token that was given in its place."""
    if len(text) > _LONGEST_NAME or re.search("[A-Za-z0-9_+=-]{40}|[{}\n]", text):
        return True
    # Base64 with a slash in it. Its characters change between upper case, lower case and digits two times in three;
    # those of words and directories hardly do.
    return any(10 * len(re.findall(_CHANGES, run)) > 3 * len(run) for run in re.findall("[A-Za-z0-9+/=_-]{20,}", text))


def shown_name(name: str) -> str:
    """A name that somebody gave, for a message; not what looks like a key or token that was given in its place."""
    return "<looks like a key or token>" if looks_like_a_secret(name) else name
