"""label, disable, enable, compromise, destroy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from keywright.cli.documents import info_document
from keywright.cli.exit_codes import NO
from keywright.cli.values import pairs_of
from keywright.records import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.cli.context import Context
    from keywright.plugins.registry import Registry
    from keywright.records import RecordInfo


def configure_label(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `label`."""
    parser.add_argument("reference", metavar="REF", help="NAME for the primary, or NAME@N")
    parser.add_argument("labels", metavar="K=V", nargs="+", help="a label to write; K= takes it off")


def run_label(arguments: Namespace, context: Context) -> int:
    """Write labels and print the reference."""
    pairs = pairs_of(arguments.labels, "label")
    return _changed(context, context.ring.label(arguments.reference, {name: pairs[name] or None for name in pairs}))


def _configure_state(parser: ArgumentParser, _plugins: Registry) -> None:
    parser.add_argument("reference", metavar="REF", help="NAME@N; NAME alone is its primary, or its only version")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, to be kept with the version")


def _configure_for_good(parser: ArgumentParser, _plugins: Registry) -> None:
    parser.add_argument("reference", metavar="REF", help="NAME@N; NAME alone where there is one version")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, to be kept with the version")


configure_disable = configure_enable = _configure_state
configure_compromise = _configure_for_good


def run_disable(arguments: Namespace, context: Context) -> int:
    """Disable and print the reference."""
    return _moved(arguments, context, context.ring.disable)


def run_enable(arguments: Namespace, context: Context) -> int:
    """Enable and print the reference."""
    return _moved(arguments, context, context.ring.enable)


def run_compromise(arguments: Namespace, context: Context) -> int:
    """Mark as compromised and print the reference."""
    return _moved(arguments, context, context.ring.compromise)


def configure_destroy(parser: ArgumentParser, plugins: Registry) -> None:
    """Arguments of `destroy`."""
    _configure_for_good(parser, plugins)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run_destroy(arguments: Namespace, context: Context) -> int:
    """Ask, destroy and print the reference."""
    info = context.ring.resolve(arguments.reference, for_good=True)
    if info.state is State.DESTROYED:
        untaken = ", and the reason is not kept" if arguments.reason else ""
        context.note(f"keywright: {info.reference} is destroyed already; nothing was changed{untaken}")
        return _changed(context, info)
    question = f"Destroy the secret of {info.reference} (kid {info.kid}) for good?"
    if not context.confirm(question, yes=arguments.yes):
        context.note("keywright: nothing was destroyed")
        if context.json:
            context.print_json(info_document(info))
        return NO
    return _changed(context, context.ring.destroy(info.reference, reason=arguments.reason))


def _moved(arguments: Namespace, context: Context, move: Callable[..., RecordInfo]) -> int:
    info = move(arguments.reference, reason=arguments.reason)
    # A new reason always comes first; one of a version that is there already is not taken.
    if not info.reason.startswith(arguments.reason):
        context.note(f"keywright: {info.reference} is {info.state.value} already; the reason is not kept")
    return _changed(context, info)


def _changed(context: Context, info: RecordInfo) -> int:
    if context.json:
        context.print_json(info_document(info))
    else:
        context.print(info.reference)
    return 0
