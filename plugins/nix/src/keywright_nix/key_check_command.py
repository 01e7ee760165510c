"""`nix key check`: examine key files, and print no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context

__all__ = ["configure_check", "run_check"]


def configure_check(parser: ArgumentParser) -> None:
    """Add the arguments of `nix key check`."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file with a secret or public Nix key")


def run_check(arguments: Namespace, context: Context) -> int:
    """A line for each deviation, and one for each file that is sound; JSON lines with `--json`.

    Returns:
        0 if all files are sound, 1 if not.

    Raises:
        UnknownPluginError: no plugin provides the key type ed25519.
    """
    from keywright_nix.key_check import check_files

    is_sound = True
    examined = check_files(arguments.files, context.registry.key_type("ed25519"))
    for position, found in enumerate(examined, start=1):
        is_sound = is_sound and not found.deviations
        path = (found.path if found.path.isprintable() else ascii(found.path)) or f"argument {position}"
        if context.json:
            about = {"file": found.path or None, "half": found.half, "name": found.name}
            context.print_json({**about, "deviations": list(found.deviations)})
        elif found.deviations:
            for deviation in found.deviations:
                context.print(f"{path}: {deviation}")
        else:
            context.print(f"{path}: sound ({found.half} key {found.name})")
    return 0 if is_sound else 1
