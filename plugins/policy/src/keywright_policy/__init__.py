"""keywright plugin: rules that what is done with keys must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import REQUIRED, Setting, hookimpl

if TYPE_CHECKING:
    from keywright import InstalledNames, Options
    from keywright_policy.rules import Reviewer

__all__ = ["KEYWRIGHT_API", "SETTINGS"]

KEYWRIGHT_API = 1

SETTINGS: Final = (
    Setting("rules", "tables", REQUIRED, "what keys of some names must be; every rule that has a name must be kept"),
)


@hookimpl
def keywright_configure(options: Options, known: InstalledNames) -> Reviewer:
    """A reviewer that applies the rules of one ring.

    Raises:
        ConfigError: there are no rules, or a rule is invalid or names a key type or format that is not installed.
    """
    from keywright_policy.rules import Reviewer, read_rules

    return Reviewer(read_rules(options["rules"], known))
