"""export, convert, list, show."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, cast

from keywright.cli.documents import escaped, phase_document, table
from keywright.cli.streams import is_terminal
from keywright.cli.values import pairs_of
from keywright.errors import ConfigError
from keywright.keys import parse_reference
from keywright.lifecycle import Phase
from keywright.records import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from keywright.cli.context import Context
    from keywright.cli.outlook import Event
    from keywright.lifecycle import VersionPhase
    from keywright.plugins.registry import Registry
    from keywright.secret import Secret


_NARROW = 30
_WIDE = 60
_LEAST = 10
_KID = 12
_GAP = 2
_HEADER = ("VERSION", "PHASE", "TYPE", "FORMAT", "CREATED", "SIGNS FROM", "ENDS", "LABELS", "KID")
_OVER = (Phase.COMPROMISED, Phase.DESTROYED)
_NEVER_SIGNING = (Phase.DISABLED, Phase.COMPROMISED, Phase.DESTROYED)


def add_output(parser: ArgumentParser) -> None:
    """`-o FILE` and `--force`."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write to this file, created 0600, instead of stdout (-)"
    )
    parser.add_argument("--force", action="store_true", help="let -o replace a file")


def configure_export(parser: ArgumentParser, plugins: Registry) -> None:
    """Arguments of `export`."""
    parser.add_argument("reference", metavar="REF", help="NAME for the primary, or NAME@N")
    parser.add_argument("--secret", action="store_true", help="the secret half too")
    parser.add_argument("--format", metavar="F", help=f"another format than its own: {', '.join(plugins.formats)}")
    parser.add_argument(
        "--strict", action="store_true", help="refuse if the format cannot carry all that is on the key"
    )
    add_output(parser)


def run_export(arguments: Namespace, context: Context) -> int:
    """Write the key's bytes, exactly."""
    reference, format_ = arguments.reference, arguments.format
    if context.json:
        reference, format_ = _named(context, reference, format_)
    strict, report = arguments.strict, context.warn
    data: bytes | Secret
    if arguments.secret:
        data = context.ring.export(reference, secret=True, format=format_, strict=strict, report=report)
    else:
        data = context.ring.export(reference, format=format_, strict=strict, report=report)
    return _write(context, arguments, data, format=format_, reference=reference)


def _named(context: Context, reference: str, format_: str | None) -> tuple[str, str | None]:
    """The version and format that are meant, for the document to name what it holds; as given if there is none."""
    name, version = parse_reference(reference)
    for one in context.ring.show(name).versions:
        if one.phase is Phase.SIGNING if version is None else one.info.version == version:
            return one.info.reference, format_ or one.info.format
    return reference, format_


def configure_convert(parser: ArgumentParser, plugins: Registry) -> None:
    """Arguments of `convert`."""
    formats = ", ".join(plugins.formats)
    parser.add_argument("--from", dest="from_", metavar="F", required=True, help=f"the format on stdin: {formats}")
    parser.add_argument("--to", metavar="F", required=True, help=f"the format on stdout: {formats}")
    parser.add_argument("--secret", action="store_true", help="the secret half too; default: the public half")
    parser.add_argument("--kid", metavar="K", help="another id for the outside world than the key's own")
    parser.add_argument(
        "--strict", action="store_true", help="refuse if the format cannot carry all that is on the key"
    )
    parser.add_argument("--lenient", action="store_true", help="accept what other programs accept, with a warning")
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
    return _write(context, arguments, data, format=arguments.to)


def _write(
    context: Context, arguments: Namespace, data: bytes | Secret, *, format: str | None, reference: str | None = None
) -> int:
    context.write_key(
        data,
        format=format or "",
        secret=arguments.secret,
        reference=reference,
        output=arguments.output,
        force=arguments.force,
    )
    return 0


def configure_list(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `list`."""
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="names that start with this text")
    parser.add_argument(
        "--label",
        metavar="K=V",
        action="append",
        default=[],
        help="names whose newest version has this label (repeatable)",
    )


def run_list(arguments: Namespace, context: Context) -> int:
    """A line for each name: its reference, phase, type and kid, on a terminal its time; JSON lines with `--json`."""
    rows: list[tuple[str, ...]] = []
    listed: list[tuple[VersionPhase, ...]] = []
    for name, versions in context.ring.list(arguments.prefix, labels=pairs_of(arguments.label, "--label")):
        if context.json:
            context.print_json({"name": name, "versions": [phase_document(one) for one in versions]})
        else:
            rows.append(_row(_foremost(versions)))
            listed.append(versions)
    if rows and is_terminal():
        _print_drawn(context, rows, listed)
    elif rows:
        context.print(table(("NAME", "PHASE", "TYPE", "KID"), rows))
    elif not context.json and is_terminal():
        store = context.config.store(context.store).name
        none = "no keys; make one with keywright generate NAME"
        if arguments.prefix or arguments.label:
            none = "no key that the arguments ask for; leave them out for all that it has"
        context.note(f"keywright: store {store!r} holds {none}")
    return 0


def configure_show(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `show`."""
    parser.add_argument("name", metavar="NAME", help="the name to show")


def run_show(arguments: Namespace, context: Context) -> int:
    """A line for each version, ascending, on a terminal their time, what happened and comes next; or a document.

    Not on a terminal, a version's reason is the last column, where there is one.
    """
    if "@" in arguments.name:
        raise ConfigError("show takes a NAME without @N; leave that out, and every version is shown")
    name, versions = context.ring.show(arguments.name)
    if context.json:
        documents = [phase_document(one) for one in versions]
        planned = [
            one._asdict() | {"time": one.time and format_time(one.time)} for one in _next(context, name, versions)
        ]
        context.print_json({"name": name, "versions": documents, "next": planned})
        return 0
    if is_terminal():
        context.print(_versions_table([_details(one) for one in versions]))
        _print_time(context, name, versions)
    else:
        reasons = [(one.info.reason,) if one.info.reason else () for one in versions]
        context.print(table((), [(*_details(one), *reason) for one, reason in zip(versions, reasons, strict=True)]))
    return 0


def _print_drawn(context: Context, rows: list[tuple[str, ...]], listed: list[tuple[VersionPhase, ...]]) -> None:
    from keywright.cli.timeline import axis_of, bar, columns, cut, filled, legend

    header = ("NAME", "PHASE", "TYPE", "KID")
    taken = sum(max(map(len, column)) + _GAP for column in list(zip(header, *rows, strict=True))[:-1])
    room = columns() - taken
    width = min(_NARROW, room - _GAP - _KID)
    # What is left of a longer kid tells it from others; all of it is told by show, --json and a pipe.
    rows = [(*row, cut(kid, max(room - (width + _GAP if width >= _LEAST else 0), _KID))) for *row, kid in rows]
    if width < _LEAST:
        context.print(table(header, rows))
        return
    axis = axis_of([one for versions in listed for one in versions], context.ring.now(), width)
    bars = [bar(versions, axis) for versions in listed]
    drawn = [(line, *row) for line, row in zip(bars, rows, strict=True)]
    context.print(table((f"{'TIME':{width}}", *header), drawn))
    below, words = legend(axis, bars)
    for line in (*below, filled(words, columns())):
        context.print(line)


def _versions_table(rows: list[tuple[str, ...]]) -> str:
    """For a terminal: a table, or if it is too narrow for that a few lines for each version."""
    from keywright.cli.timeline import columns, folded

    text, width = table(_HEADER, rows), columns()
    if max(map(len, text.split("\n"))) <= width:
        return text
    lines: list[str] = []
    for reference, phase, *cells in rows:
        named = [f"{name.lower()} {escaped(cell)}" for name, cell in zip(_HEADER[2:], cells, strict=True) if cell]
        lines += [f"{reference}  {phase}", *(f"  {line}" for line in folded(named, width - _GAP))]
    return "\n".join(lines)


def _print_time(context: Context, name: str, versions: tuple[VersionPhase, ...]) -> None:
    from keywright.cli.outlook import in_words, what_happened
    from keywright.cli.timeline import axis_of, bar, columns, filled, legend

    now = context.ring.now()
    beside = {one.info.version: f"{one.info.reference} {one.phase.value}" for one in versions}
    room = columns() - 2 * _GAP - max(map(len, beside.values()))
    axis = axis_of(versions, now, max(min(_WIDE, room), _LEAST))
    context.print("")
    bars = [bar([one], axis) for one in versions]
    for line, one in zip(bars, versions, strict=True):
        context.print(f"  {line}  {beside[one.info.version]}")
    below, words = legend(axis, bars)
    for line in below:
        context.print(f"  {line}")
    happened = (f"{in_words(time, now)}: {escaped(what)}" for time, what in what_happened(versions))
    planned = (f"{in_words(one.time, now)}: {one.what}" for one in _next(context, name, versions))
    for text in (words, "", *happened, *planned):
        context.print(filled(text, columns(), indent=_GAP))


def _next(context: Context, name: str, versions: tuple[VersionPhase, ...]) -> list[Event]:
    from keywright.cli.outlook import what_next

    rotate_every = cast("timedelta | None", context.config.key(name).common()["rotate_every"])
    return what_next(versions, context.ring.now(), rotate_every)


def _foremost(versions: Iterable[VersionPhase]) -> VersionPhase:
    """The version that stands for its name: the primary, else the newest."""
    ascending = list(versions)
    return next((one for one in ascending if one.phase is Phase.SIGNING), ascending[-1])


def _row(one: VersionPhase) -> tuple[str, str, str, str]:
    return (one.info.reference, one.phase.value, one.info.key_type, one.info.kid)


def _details(one: VersionPhase) -> tuple[str, ...]:
    info = one.info
    labels = " ".join(f"{name}={value}" for name, value in info.labels.items())
    signs_from = None if one.phase in _NEVER_SIGNING or _is_passed_over(one) else info.activates or info.created
    # What was put away for good ended then, whatever the others would have let it do.
    ends = (one.verifies_until, info.state_since if one.phase in _OVER else None)
    end = min((time for time in ends if time is not None), default=None)
    times = (_second(time) for time in (info.created, signs_from, end))
    return (info.reference, one.phase.value, info.key_type, info.format or "", *times, labels, info.kid)


def _is_passed_over(one: VersionPhase) -> bool:
    """Whether another version took its place before it was to sign."""
    activates = one.info.activates
    return one.superseded is not None and activates is not None and one.superseded <= activates


def _second(time: datetime | None) -> str:
    return "" if time is None else format_time(time.replace(microsecond=0))
