"""What a row of the table is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from keywright.errors import KeywrightError

Call = Literal["verify", "claims", "decrypt", "decrypt claims", "sign", "import"]
OURS = "ours"
"""The rule of what no standard forbids: who accepts it breaks none."""


class Given(NamedTuple):
    """What a library is given.

    Attributes:
        token: in the compact serialization; not for `sign` and `import`.
        key: a JWK or JWK Set as Python reads it; for `import` also the text of one.
        algorithms: those that are allowed, if it is a list; `alg` and `enc` of an encrypted token.
        claims: what is expected of the token.
    """

    token: str | bytes = ""
    key: Any = None
    algorithms: Any = ()
    claims: Mapping[str, object] | None = None


class Case(NamedTuple):
    """One fault.

    Attributes:
        name: of the row.
        fault: what is wrong, in a line.
        rule: where that is forbidden, or `OURS`. After a comma, how far: "may" and "should" leave a choice, "intent"
            says what something is for, "producer" binds who writes it alone.
        call: what is asked of a library.
        bad, good: with the fault, and without it.
        error: what it is refused with here.
    """

    name: str
    fault: str
    rule: str
    call: Call
    bad: Given
    good: Given
    error: type[KeywrightError]

    @property
    def is_forbidden(self) -> bool:
        """Whether a standard says that it must not be accepted."""
        return self.rule != OURS and "," not in self.rule
