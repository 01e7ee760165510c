"""rotate."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from keywright.cli.exit_codes import NO, exit_code
from keywright.cli.failures import failure_document
from keywright.cli.making import TIME, add_type_settings, made, type_settings
from keywright.cli.values import attributes_of, duration_of, time_of
from keywright.errors import ConfigError
from keywright.lifecycle import Phase
from keywright.records import format_time

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.errors import KeywrightError
    from keywright.plugins.registry import Registry
    from keywright.records import RecordInfo
    from keywright.ring.schedule import Due

_FOR_ONE = ("activate_in", "overlap", "kid", "expires", "attribute", "no_attributes")


def configure_rotate(parser: ArgumentParser, plugins: Registry) -> None:
    """Arguments of `rotate`."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="the name to make the next version of; with --due any number"
    )
    parser.add_argument(
        "--due", action="store_true", help="rotate every name whose rotate_every has passed, and no other; for cron"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="with --due: say which, and rotate none; exit 1 if there are any"
    )
    parser.add_argument("--activate-in", metavar="D", help="announce it now, sign with it after this time, such as 7d")
    parser.add_argument("--overlap", metavar="D", help="how long the versions before still verify after that")
    parser.add_argument("--kid", metavar="K", help="the id of the new version; may hold {name} and {version}")
    parser.add_argument("--expires", metavar="T", help=f"when the new version ends: {TIME}; default: never")
    parser.add_argument("--attribute", metavar="K=V", action="append", default=[], help="as for generate (repeatable)")
    parser.add_argument(
        "--no-attributes", action="store_true", help="the new version has none, whatever the last one had"
    )
    add_type_settings(parser, plugins)


def run_rotate(arguments: Namespace, context: Context) -> int:
    """Make the next version and print `NAME@N`; with `--due` of each name that is."""
    if arguments.due:
        return _rotate_due(arguments, context)
    if arguments.dry_run:
        raise ConfigError("--dry-run goes with --due; leave it out, or ask keywright show")
    if len(arguments.names) != 1:
        raise ConfigError("one NAME is rotated at a time; name it, or say --due for all that are")
    return _rotate(arguments.names[0], arguments, context)


def _rotate(name: str, arguments: Namespace, context: Context) -> int:
    ring = context.ring
    activate_in = duration_of(arguments.activate_in, "--activate-in")
    overlap = duration_of(arguments.overlap, "--overlap")
    if arguments.no_attributes and arguments.attribute:
        raise ConfigError("--no-attributes and --attribute exclude each other; leave one out")
    attributes = {} if arguments.no_attributes else attributes_of(arguments.attribute) or None
    announced = announced_versions(context, name)
    info = ring.rotate(
        name,
        activate_in=activate_in,
        overlap=overlap,
        kid=arguments.kid,
        expires=time_of(arguments.expires, "--expires", ring.now()),
        attributes=attributes,
        **type_settings(arguments, context.registry),
    )
    warn_of_passed_over(context, announced, info)
    if info.activates is not None and not _signs(context, name):
        context.warn(
            f"{name} has no version that signs until then; rotate with --activate-in 0s for one that signs now"
        )
    return made(context, info)


def _signs(context: Context, name: str) -> bool:
    return any(one.phase is Phase.SIGNING for one in context.ring.show(name).versions)


def _rotate_due(arguments: Namespace, context: Context) -> int:
    if any(getattr(arguments, one) for one in _FOR_ONE) or type_settings(arguments, context.registry):
        raise ConfigError("--due rotates each name as its [keys.NAME] table says; set it there, or rotate one NAME")
    code = 0
    found = context.ring.due if arguments.dry_run else context.ring.rotate_due
    for one in found(*arguments.names):
        if one.error is not None:
            code = code or _tell_failure(context, one, one.error)
        elif one.made is not None:
            made(context, one.made)
        else:
            _print_due(context, one)
            code = code or NO
    if not any("rotate_every" in table.given for table in context.config.keys.values()):
        context.note("keywright: no key has a rotate_every, so none is ever due; set it in its [keys.NAME] table")
    return code


def _tell_failure(context: Context, one: Due, error: KeywrightError) -> int:
    context.say(f"keywright: {one.name}: {error}")
    if context.json:
        context.print_json(_due_document(one) | failure_document(type(error).__name__, str(error), exit_code(error)))
    return exit_code(error)


def _print_due(context: Context, one: Due) -> None:
    document = _due_document(one)
    if context.json:
        context.print_json(document)
    else:
        context.print(f"{document['newest']}: due since {document['since']}")


def _due_document(one: Due) -> dict[str, object]:
    since = None if one.since is None else format_time(one.since.replace(microsecond=0))
    return {"name": one.name, "newest": None if one.newest is None else one.newest.reference, "since": since}


def announced_versions(context: Context, name: str) -> list[RecordInfo]:
    """The versions of a name that wait for their time."""
    return [one.info for one in context.ring.show(name).versions if one.phase is Phase.ANNOUNCED]


def warn_of_passed_over(context: Context, announced: list[RecordInfo], info: RecordInfo) -> None:
    """Say of which of `announced` the new version `info` takes the place."""
    for passed_over in announced:
        if info.activates is None or (passed_over.activates is not None and info.activates <= passed_over.activates):
            context.warn(f"{passed_over.reference} was announced and will never sign: {info.reference} takes its place")
