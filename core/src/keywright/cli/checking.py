"""config check."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keywright.cli.exit_codes import exit_code
from keywright.cli.streams import printable
from keywright.errors import KeywrightError

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.config.load import Config


def configure_config_check(_parser: ArgumentParser, _plugins: object) -> None:
    """`config check` has no arguments of its own."""


def run_config_check(arguments: Namespace, context: Context) -> int:
    """Check every store, seal and key that is configured, and tell every fault; the last one has the exit code."""
    faults: list[KeywrightError] = []
    try:
        config = context.config
        for sentence in _replaced_lists(config):
            context.note(f"keywright: note: {sentence}")
        faults += context.ring.examine_settings()
    except KeywrightError as fault:
        faults.append(fault)  # and what comes after it cannot be looked at
    if faults:
        return _tell_faults(arguments, context, faults)
    what = f"stores {len(config.stores)}, seals {len(config.seals)}, keys {len(config.keys)}"
    if context.json:
        context.print_json({"source": config.source, "faults": []})
    else:
        context.print(printable(f"{config.source}: configured soundly: {what}"))
    return 0


def _tell_faults(arguments: Namespace, context: Context, faults: list[KeywrightError]) -> int:
    """With `--json` the document has `error`, the last one; `faults`, all; `source`, None if it cannot be told."""
    # A seal that is wrong is wrong for each of its stores.
    faults = list({str(fault): fault for fault in faults}.values())
    for fault in faults:
        context.say(f"keywright: {fault}")
    if context.json:
        from keywright.cli.failures import failure_document

        told = [failure_document(type(fault).__name__, str(fault), exit_code(fault))["error"] for fault in faults]
        context.print_json({"error": told[-1], "faults": told, "source": _source(arguments, context)})
    return exit_code(faults[-1])


def _source(arguments: Namespace, context: Context) -> str | None:
    """The file that is checked, wrong or not."""
    from keywright.config.find import find_config

    try:
        return context.config.source
    except KeywrightError:
        pass
    try:
        return find_config(arguments.config)
    except KeywrightError:
        return None


def _replaced_lists(config: Config) -> Iterator[str]:
    """One sentence for each list of a plugin's settings that stands outside the chosen profile and no more holds.

    Lists replace each other wherever they stand, but rules that are gone are missed by nobody.
    """
    if config.profile is None:
        return
    from keywright.config.find import read_config
    from keywright.config.layers import document_layer

    below = document_layer(read_config(config.source), None).tables["plugin"]
    for name, table in config.plugin.items():
        for setting, given in table.given.items():
            other = below.get(name, {}).get(setting)
            if other is not None and other.source != given.source and isinstance(other.value, list):
                yield f"{given.source}: {given.path} replaces the whole list of {other.source}; repeat what should hold"
