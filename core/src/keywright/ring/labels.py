"""Labels: what a key's keeper writes on it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from keywright.errors import ConfigError
from keywright.ring.given_texts import check_mappings

__all__ = ["check_labels"]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}"
_MAXIMUM_VALUE_BYTES = 256


def check_labels(labels: Mapping[str, object]) -> dict[str, str]:
    """A sorted copy, if every label is one.

    Raises:
        ConfigError: it is no mapping, a name is not 1 to 63 of `A-Z a-z 0-9 . _ / -` starting with a letter or digit,
            or a value is not printable text of at most 256 bytes.
    """
    check_mappings(labels=labels)
    checked: dict[str, str] = {}
    for name in sorted(labels):
        value = labels[name]
        if not re.fullmatch(_NAME, name):
            raise ConfigError(
                "a label name is 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"
            )
        # What prints can be encoded: a surrogate does not.
        if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > _MAXIMUM_VALUE_BYTES:
            raise ConfigError(f"label {name} must be printable text of at most {_MAXIMUM_VALUE_BYTES} bytes")
        checked[name] = value
    return checked
