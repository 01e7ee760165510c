"""export, convert, list, show: what is printed of keys."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from keywright.cli import render
from keywright.cli.io import is_terminal
from keywright.cli.parser import add_output, pairs_of
from keywright.errors import ConfigError
from keywright.keys import parse_reference
from keywright.lifecycle import Phase
from keywright.records import format_time

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from keywright.cli.context import Context
    from keywright.lifecycle import VersionPhase
    from keywright.plugins.registry import Registry
    from keywright.secret import Secret

# Characters: of a bar in `list` and in `show` at most, of any bar and of a kid at least, and between columns.
_NARROW, _WIDE = 30, 60
_LEAST, _KID = 10, 12
_GAP = 2
_LIST_HEADER = ("NAME", "PHASE", "TYPE", "KID")
_SHOW_HEADER = ("VERSION", "PHASE", "TYPE", "FORMAT", "CREATED", "SIGNS FROM", "ENDS", "LABELS", "KID")
_OVER = (Phase.COMPROMISED, Phase.DESTROYED)
_NEVER_SIGNING = (Phase.DISABLED, Phase.COMPROMISED, Phase.DESTROYED)


def configure_export(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `export`."""
    registry = plugins()
    parser.add_argument("reference", metavar="REF", help="NAME for the primary, or NAME@N")
    parser.add_argument("--secret", action="store_true", help="the secret half too")
    parser.add_argument("--format", metavar="F", help=f"another format than its own: {', '.join(registry.formats)}")
    parser.add_argument(
        "--strict", action="store_true", help="refuse if the format cannot carry all that is on the key"
    )
    add_output(parser)


def run_export(arguments: Namespace, context: Context) -> int:
    """Write the key's bytes, exactly."""
    reference, format_ = arguments.reference, arguments.format
    if context.json:
        reference, format_ = _named(context, reference, format_)
    data: bytes | Secret = context.ring.export(
        reference, secret=arguments.secret, format=format_, strict=arguments.strict, report=context.warn
    )
    return _write(context, arguments, data, format=format_, reference=reference)


def _named(context: Context, reference: str, format_: str | None) -> tuple[str, str | None]:
    """The version and format that are meant, for the document to name what it holds; as given if there is none."""
    name, version = parse_reference(reference)
    for one in context.ring.show(name).versions:
        if one.phase is Phase.SIGNING if version is None else one.info.version == version:
            return one.info.reference, format_ or one.info.format
    return reference, format_


def configure_convert(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `convert`."""
    registry = plugins()
    formats = ", ".join(registry.formats)
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


def configure_list(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `list`."""
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="names that start with this text")
    label = "names whose newest version has this label (repeatable)"
    parser.add_argument("--label", metavar="K=V", action="append", default=[], help=label)


def run_list(arguments: Namespace, context: Context) -> int:
    """A line for each name: its reference, phase, type and kid, on a terminal its time; JSON lines with `--json`."""
    rows: list[tuple[str, ...]] = []
    listed: list[tuple[VersionPhase, ...]] = []
    for name, versions in context.ring.list(arguments.prefix, labels=pairs_of(arguments.label, "--label")):
        if context.json:
            context.print_json({"name": name, "versions": [render.phase_document(one) for one in versions]})
        else:
            # The version that stands for its name: the primary, else the newest.
            shown = next((one for one in versions if one.phase is Phase.SIGNING), versions[-1])
            rows.append((shown.info.reference, shown.phase.value, shown.info.key_type, shown.info.kid))
            listed.append(versions)
    if rows and is_terminal():
        _print_drawn(context, rows, listed)
    elif rows:
        context.print(render.table(_LIST_HEADER, rows))
    elif not context.json and is_terminal():
        store = context.config.store(context.store).name
        none = "no keys; make one with keywright generate NAME"
        if arguments.prefix or arguments.label:
            none = "no key that the arguments ask for; leave them out for all that it has"
        context.note(f"keywright: store {store!r} holds {none}")
    return 0


def configure_show(parser: ArgumentParser, _plugins: object) -> None:
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
        documents = [render.phase_document(one) for one in versions]
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
        context.print(
            render.table((), [(*_details(one), *reason) for one, reason in zip(versions, reasons, strict=True)])
        )
    return 0


def _print_drawn(context: Context, rows: list[tuple[str, ...]], listed: list[tuple[VersionPhase, ...]]) -> None:
    taken = sum(max(map(len, column)) + _GAP for column in list(zip(_LIST_HEADER, *rows, strict=True))[:-1])
    room = render.columns() - taken
    width = min(_NARROW, room - _GAP - _KID)
    # What is left of a longer kid distinguishes it from others; show, --json and a pipe have all of it.
    rows = [(*row, render.cut(kid, max(room - (width + _GAP if width >= _LEAST else 0), _KID))) for *row, kid in rows]
    if width < _LEAST:
        context.print(render.table(_LIST_HEADER, rows))
        return
    axis = render.axis_of([one for versions in listed for one in versions], context.ring.now(), width)
    bars = [render.bar(versions, axis) for versions in listed]
    drawn = [(line, *row) for line, row in zip(bars, rows, strict=True)]
    context.print(render.table((f"{'TIME':{width}}", *_LIST_HEADER), drawn))
    below, words = render.legend(axis, bars)
    for line in (*below, render.filled(words, render.columns())):
        context.print(line)


def _versions_table(rows: list[tuple[str, ...]]) -> str:
    """For a terminal: a table, or if it is too narrow for that a few lines for each version."""
    text, width = render.table(_SHOW_HEADER, rows), render.columns()
    if max(map(len, text.split("\n"))) <= width:
        return text
    lines: list[str] = []
    for reference, phase, *cells in rows:
        named = [
            f"{name.lower()} {render.escaped(cell)}" for name, cell in zip(_SHOW_HEADER[2:], cells, strict=True) if cell
        ]
        lines += [f"{reference}  {phase}", *(f"  {line}" for line in render.folded(named, width - _GAP))]
    return "\n".join(lines)


def _print_time(context: Context, name: str, versions: tuple[VersionPhase, ...]) -> None:
    now = context.ring.now()
    beside = {one.info.version: f"{one.info.reference} {one.phase.value}" for one in versions}
    room = render.columns() - 2 * _GAP - max(map(len, beside.values()))
    axis = render.axis_of(versions, now, max(min(_WIDE, room), _LEAST))
    context.print("")
    bars = [render.bar([one], axis) for one in versions]
    for line, one in zip(bars, versions, strict=True):
        context.print(f"  {line}  {beside[one.info.version]}")
    below, words = render.legend(axis, bars)
    for line in below:
        context.print(f"  {line}")
    happened = (f"{render.in_words(time, now)}: {render.escaped(what)}" for time, what in render.history(versions))
    planned = (f"{render.in_words(one.time, now)}: {one.what}" for one in _next(context, name, versions))
    for text in (words, "", *happened, *planned):
        context.print(render.filled(text, render.columns(), indent=_GAP))


def _next(context: Context, name: str, versions: tuple[VersionPhase, ...]) -> list[render.Event]:
    rotate_every = cast("timedelta | None", context.config.key(name).common()["rotate_every"])
    return render.upcoming(versions, context.ring.now(), rotate_every)


def _details(one: VersionPhase) -> tuple[str, ...]:
    info = one.info
    labels = " ".join(f"{name}={value}" for name, value in info.labels.items())
    signs_from = None if one.phase in _NEVER_SIGNING or _is_passed_over(one) else info.activates or info.created
    # A version that was compromised or destroyed ended then, whatever the others would have let it do.
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
