"""export, convert, list, show: commands that print keys. `render` has the text of `list` and `show`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from keywright.cli import render
from keywright.cli.events import Event, upcoming
from keywright.cli.io import is_terminal
from keywright.cli.parser import add_flag, add_list, add_output, add_value, pairs_of
from keywright.keys import parse_reference
from keywright.lifecycle import Phase
from keywright.records import format_time

if TYPE_CHECKING:
    from datetime import timedelta

    from keywright.cli.context import Context
    from keywright.lifecycle import VersionPhase
    from keywright.plugins.registry import Registry
    from keywright.secret import Secret


def configure_export(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `export`."""
    registry = plugins()
    parser.add_argument("reference", metavar="KEY", help="NAME for the primary, or NAME@N")
    add_flag(parser, "--secret", "the secret half too")
    add_value(parser, "--format", "FORMAT", f"another format than its own: {', '.join(registry.names('format'))}")
    add_flag(parser, "--strict", "fail if the format cannot carry all attributes of the key")
    add_output(parser)


def run_export(arguments: Namespace, context: Context) -> int:
    """Write the key's bytes, exactly."""
    reference, format_ = arguments.reference, arguments.format
    if context.json:
        reference, format_ = _named(context, reference, format_)
    data: bytes | Secret = context.ring.export(
        reference, secret=arguments.secret, format=format_, strict=arguments.strict, report=context.warn
    )
    return _write(context, arguments, data, format_ or "", reference)


def _named(context: Context, reference: str, format_: str | None) -> tuple[str, str | None]:
    """The version and format that `reference` resolves to, for the JSON document; as given without one."""
    name, version = parse_reference(reference)
    for one in context.ring.show(name).versions:
        if one.phase is Phase.SIGNING if version is None else one.info.version == version:
            return one.info.reference, format_ or one.info.format
    return reference, format_


def configure_convert(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `convert`."""
    registry = plugins()
    formats = ", ".join(registry.names("format"))
    parser.add_argument("--from", dest="from_", metavar="FORMAT", required=True, help=f"the format on stdin: {formats}")
    parser.add_argument("--to", metavar="FORMAT", required=True, help=f"the format on stdout: {formats}")
    add_flag(parser, "--secret", "the secret half too; default: the public half")
    add_value(parser, "--kid", "KID", "another key id than the key's own")
    add_flag(parser, "--strict", "fail if the format cannot carry all attributes of the key")
    add_flag(parser, "--lenient", "accept what other programs accept, with a warning")
    add_output(parser)


def run_convert(arguments: Namespace, context: Context) -> int:
    """Write the converted key's bytes, exactly."""
    from keywright.ring.codec import convert

    data: bytes | Secret = convert(
        context.read_input(None),
        from_=arguments.from_,
        to=arguments.to,
        secret=arguments.secret,
        kid=arguments.kid,
        strict=arguments.strict,
        lenient=arguments.lenient,
        report=context.warn,
        registry=context.registry,
    )
    return _write(context, arguments, data, arguments.to)


def _write(
    context: Context, arguments: Namespace, data: bytes | Secret, format_: str, reference: str | None = None
) -> int:
    secret, output, force = arguments.secret, arguments.output, arguments.force
    context.write_key(data, format=format_, secret=secret, reference=reference, output=output, force=force)
    return 0


def configure_list(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `list`."""
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="names that start with this text")
    label = "names whose newest version has this label (repeatable)"
    add_list(parser, "--label", "LABEL=VALUE", label)


def run_list(arguments: Namespace, context: Context) -> int:
    """Print a line for each name: reference, phase, type and kid, on a terminal its times; or JSON lines."""
    listed: list[tuple[VersionPhase, ...]] = []
    for name, versions in context.ring.list(arguments.prefix, labels=pairs_of(arguments.label, "--label")):
        if context.json:
            context.print_json({"name": name, "versions": [render.phase_document(one) for one in versions]})
        else:
            listed.append(versions)
    if listed:
        context.print(render.list_text(listed, context.ring.now()))
    elif not context.json and is_terminal():
        store = context.config.store(context.store).name
        if arguments.prefix or arguments.label:
            context.note(f'No key in store "{store}" matches; leave out PREFIX and --label to list all')
        else:
            context.note(f'Store "{store}" has no keys; create one with `keywright generate NAME`')
    return 0


def configure_show(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `show`."""
    parser.add_argument("reference", metavar="KEY", help="NAME for every version, or NAME@N")


def run_show(arguments: Namespace, context: Context) -> int:
    """Print a line for each version, on a terminal also their times and events; or a JSON document."""
    wanted = parse_reference(arguments.reference)
    name, versions = context.ring.show(wanted.name)
    now = context.ring.now()
    events: list[Event] = []
    if context.json or is_terminal():
        rotate_every = cast("timedelta | None", context.config.key(name).common()["rotate_every"])
        events = upcoming(versions, now, rotate_every)
    if wanted.version is not None:
        versions = tuple(one for one in versions if one.info.version == wanted.version)
        events = [one for one in events if one.version == wanted.version]
        if not versions:
            context.ring.resolve(arguments.reference)  # raises what a missing version raises elsewhere
    if context.json:
        documents = [render.phase_document(one) for one in versions]
        planned = [one._asdict() | {"time": one.time and format_time(one.time)} for one in events]
        context.print_json({"name": name, "versions": documents, "next": planned})
    else:
        context.print(render.show_text(versions, events, now))
    return 0
