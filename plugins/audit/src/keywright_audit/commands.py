"""`keywright audit …`: check a log, print its last hash, read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from keywright.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Commands, Context
    from keywright_audit.verify import Finding, Verified


KEYWRIGHT_API = 1
_NO = 1
_MAXIMUM_ANCHOR_BYTES = 1_048_576


def add_commands(commands: Commands) -> None:
    """Add all audit commands."""
    commands.add(
        "audit verify",
        help="check that an audit log is complete and unchanged",
        configure=_configure_verify,
        run=_verify,
        examples=("keywright audit verify", "keywright audit verify --anchor heads.txt audit.jsonl"),
        uses="config",
    )
    commands.add(
        "audit head",
        help="print the hash of the last line of an audit log",
        configure=_configure_file,
        run=_head,
        examples=("keywright audit head",),
        uses="config",
    )
    commands.add(
        "audit show",
        help="print an audit log as a table",
        configure=_configure_show,
        run=_show,
        examples=("keywright audit show --name prod/jwt",),
        uses="config",
    )


def _configure_file(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="the log; default: plugin.audit.path")


def _configure_verify(parser: ArgumentParser) -> None:
    _configure_file(parser)
    anchor = parser.add_mutually_exclusive_group()
    anchor.add_argument("--expect", metavar="HASH", help="a line with this hash must be there: what head printed once")
    anchor.add_argument("--anchor", metavar="FILE", help="the same, with the last line of a file; - is stdin")


def _configure_show(parser: ArgumentParser) -> None:
    _configure_file(parser)
    parser.add_argument("--name", metavar="NAME", help="lines about the key of this name")


def _verify(arguments: Namespace, context: Context) -> int:
    from keywright_audit.verify import verify

    path = _path(arguments, context)
    verified = verify(path, expected=_expected(arguments, context))
    if context.json:
        context.print_json(_document(path, verified))
        return _NO if verified.faults else 0
    for note in verified.notes:
        context.warn(f"{path}: {_text_of(note)}")
    for fault in verified.faults:
        context.print(f"{path}: {_text_of(fault)}")
    if not verified.faults:
        context.print(f"{path}: {verified.lines} lines, one chain; the last hash is {verified.hash or 'of no line'}")
    return _NO if verified.faults else 0


def _head(arguments: Namespace, context: Context) -> int:
    from keywright_audit.verify import verify

    path = _path(arguments, context)
    verified = verify(path)
    if verified.faults:
        raise FormatError(
            f"{path}: was modified after it was written, so its last hash proves nothing",
            hint="run `keywright audit verify`",
        )
    if verified.hash is None:
        raise FormatError(f"{path}: has no lines yet", hint="generate a key first")
    if context.json:
        context.print_json({"file": path, "lines": verified.lines, "hash": verified.hash})
    else:
        context.print(verified.hash)
    return 0


def _show(arguments: Namespace, context: Context) -> int:
    from keywright_audit.log import begins_a_log, read_line
    from keywright_audit.verify import lines_of

    path = _path(arguments, context)
    is_first = True
    for number, raw in lines_of(path):
        if number == 1 and not begins_a_log(raw):
            raise FormatError(f"{path}: is not an audit log", hint="pass another file")
        line = read_line(raw.removesuffix(b"\n"))
        members = None if line is None else line.members()
        if members is None:
            context.warn(f"{path}: line {number} is not a line of an audit log", hint="run `keywright audit verify`")
            continue
        if arguments.name not in (None, members.get("name")):
            continue
        if context.json:
            context.print_json(members)
            continue
        if is_first and _is_terminal():
            context.print(_joined([name for name, _ in _COLUMNS]))
        is_first = False
        context.print(_row(members))
    return 0


def _path(arguments: Namespace, context: Context) -> str:
    if arguments.file:
        return str(arguments.file)
    if arguments.file == "":
        raise ConfigError("the path of the audit log is empty", hint="name a file")
    table = context.config.plugin.get("audit")
    given = None if table is None else table.given.get("path")
    if given is None:
        raise ConfigError("no audit log is configured", hint="name a FILE, or set plugin.audit.path")
    if not isinstance(given.value, str) or not given.value:
        raise ConfigError(
            f"{given.source}: {given.path} is a pointer, which this command does not follow", hint="name the FILE"
        )
    return os.path.normpath(os.path.join(given.base, os.path.expanduser(given.value)))


def _expected(arguments: Namespace, context: Context) -> str | None:
    from keywright_audit.log import is_hash

    if arguments.anchor is not None:
        lines = context.read_input(arguments.anchor, limit=_MAXIMUM_ANCHOR_BYTES).reveal().split()
        expected = lines[-1].decode("latin-1") if lines else ""
        what = "the last line of the anchor"
    elif arguments.expect is not None:
        expected, what = str(arguments.expect), "--expect"
    else:
        return None
    if not is_hash(expected):
        raise ConfigError(f"{what} must be the hash of a line, 64 hexadecimal digits as `audit head` prints them")
    return expected


def _text_of(finding: Finding) -> str:
    return f"line {finding.line} {finding.sentence}" if finding.line else finding.sentence


def _document(path: str, verified: Verified) -> dict[str, object]:
    return {
        "file": path,
        "lines": verified.lines,
        "hash": verified.hash,
        "faults": [_finding(fault) for fault in verified.faults],
        "notes": [_finding(note) for note in verified.notes],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {"line": finding.line or None, "what": finding.what, "message": _text_of(finding)}


_COLUMNS: Final = (("TIME", 27), ("WHO", 8), ("OPERATION", 10), ("KEY", 24), ("STORE", 8), ("OUTCOME", 0))


def _row(members: Mapping[str, object]) -> str:
    """time, who, operation, key, store and outcome (`…` of an intent); then the kid, where there is one."""
    kind = members.get("kind")
    if kind == "recovered":
        outcome = f"{members.get('cut_bytes')} bytes before this were cut while they were written"
        return _joined([_text(members, "time"), "", "recovered", "", "", outcome])
    key = f"{_text(members, 'name')}@{_text(members, 'version')}"
    outcome = "…" if kind == "intent" else _text(members, "outcome")
    kid = _text(members, "kid")
    cells = [*(_text(members, name) for name in ("time", "who", "operation")), key, _text(members, "store")]
    return _joined([*cells, f"{outcome} (kid {kid})" if kid else outcome])


def _text(members: Mapping[str, object], name: str) -> str:
    text = str(members.get(name, ""))
    # A kid can be anything, a terminal's control characters too.
    return "".join(one if one.isprintable() and one != "\\" else one.encode("unicode_escape").decode() for one in text)


def _joined(cells: Sequence[str]) -> str:
    if not _is_terminal():
        return "\t".join(cells)
    return "  ".join(cell.ljust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)).rstrip()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
