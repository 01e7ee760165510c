"""keywright plugin: a log of what is done with keys, chained by hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Setting, hookimpl

if TYPE_CHECKING:
    from keywright import Commands, Options
    from keywright_audit.auditor import Auditor

__all__ = ["KEYWRIGHT_API", "SETTINGS"]

KEYWRIGHT_API = 1

SETTINGS: Final = (
    Setting("path", "path", None, "the file of the log; the first line creates it; default: nothing is logged"),
    Setting("required", "boolean", False, "refuse operations that cannot be logged first"),
)


@hookimpl
def keywright_configure(options: Options) -> Auditor | None:
    """What logs for one ring; None where no `path` is set. Nothing is opened yet.

    Raises:
        ConfigError: `required` without a `path`, or a system without file locks.
    """
    path, required = options.optional_text("path"), options.boolean("required")
    if path is None and not required:
        return None
    from keywright_audit.auditor import audit_to

    return audit_to(path, required=required)


@hookimpl
def keywright_add_commands(commands: Commands) -> None:
    """`keywright audit …`."""
    from keywright_audit.commands import add_commands

    add_commands(commands)
