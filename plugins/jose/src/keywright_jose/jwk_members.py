"""`Members`: the members of one JWK, out of sight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from keywright import Attributes, Secret
from keywright.errors import MalformedKeyError
from keywright_jose.base64url import decode_base64url

__all__ = ["EXPORT_AGAIN", "Members"]

_LONGEST_TEXT = 65_536
EXPORT_AGAIN = "export the key again from the program that made it"


@final
class Members:
    """The members of one JWK: text to JSON values. The dict is taken over, not copied.

    Its `repr` shows nothing, for `d` and `k` are the key itself. Refusals name members from our own code only.
    """

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def __repr__(self) -> str:
        return "<members>"

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def reveal(self) -> dict[str, object]:
        """The members themselves. Call it inside an expression, as `Secret.reveal`."""
        return self._values

    def joined(self, others: Mapping[str, object]) -> Members:
        """These members and `others`, which win."""
        return Members({**self._values, **others})

    def among(self, names: frozenset[str]) -> frozenset[str]:
        """Those of `names` that are there."""
        return names.intersection(self._values)

    def attributes(self, taken: frozenset[str]) -> Attributes:
        """The members that are not in `taken`."""
        return Attributes({name: value for name, value in self._values.items() if name not in taken})

    def text(self, name: str) -> str:
        """A member that is text. Not for secrets.

        Raises:
            MalformedKeyError: it is missing, no text, or empty.
        """
        self._require_text(name)
        return str(self._values[name])

    def octets(self, name: str) -> Secret:
        """The octets of a base64url member, at least one.

        Raises:
            MalformedKeyError: it is missing, no text, empty, longer than 65536 characters, or not canonical base64url
                without padding.
        """
        self._require_text(name)
        if len(str(self._values[name])) > _LONGEST_TEXT:
            raise MalformedKeyError(f"the JWK member {name} is longer than that of any key; {EXPORT_AGAIN}")
        octets = decode_base64url(str(self._values[name]))
        if octets is None:
            raise MalformedKeyError(
                f"the JWK member {name} must be canonical base64url: A-Z, a-z, 0-9, - and _ only, no padding, "
                f"no spare bits (RFC 7515 §2); {EXPORT_AGAIN}"
            )
        return octets

    def _require_text(self, name: str) -> None:
        if name not in self._values:
            raise MalformedKeyError(f"the JWK member {name} is missing; {EXPORT_AGAIN}")
        if not isinstance(self._values[name], str) or not self._values[name]:
            raise MalformedKeyError(f"the JWK member {name} must be text that is not empty; {EXPORT_AGAIN}")
