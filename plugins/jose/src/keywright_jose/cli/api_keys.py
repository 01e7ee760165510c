"""`keywright jose api-key …`: make, check, list and revoke API keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from keywright.errors import ConfigError
from keywright_jose.cli.options import labels_of, time_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from datetime import datetime

    from keywright import Commands, Context, Secret
    from keywright_jose.api_keys import ApiKey


_NO = 1
_MAXIMUM_BYTES = 1024


def add_api_key_commands(commands: Commands) -> None:
    """Add them to the table."""
    commands.add(
        "jose api-key create",
        help="make an API key, print it this once, and store only what is needed to check it",
        configure=_configure_create,
        run=_create,
        examples=("keywright jose api-key create --label user_id=7 --expires 90d",),
    )
    commands.add(
        "jose api-key verify",
        help="check an API key from stdin, and print whose it is",
        configure=_configure_nothing,
        run=_verify,
        examples=("keywright jose api-key verify < api-key.txt",),
    )
    commands.add(
        "jose api-key list",
        help="list the API keys, revoked ones too",
        configure=_configure_list,
        run=_list,
        examples=("keywright jose api-key list --label user_id=7",),
    )
    commands.add(
        "jose api-key revoke",
        help="end an API key for good",
        configure=_configure_revoke,
        run=_revoke,
        examples=("keywright jose api-key revoke mfrggzdfmztwq2lk --reason 'left the company'",),
    )


def _configure_nothing(_parser: ArgumentParser) -> None:
    return


def _configure_create(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--label", metavar="K=V", action="append", default=[], help="whose it is, such as user_id=7 (repeatable)"
    )
    parser.add_argument("--expires", metavar="T", help="when it ends: a time, a date, or from now on (90d)")


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--label", metavar="K=V", action="append", default=[], help="those that have this label (repeatable)"
    )


def _configure_revoke(parser: ArgumentParser) -> None:
    parser.add_argument("key_id", metavar="KEY_ID", help="which one; not the API key itself")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, to be kept with it")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _create(arguments: Namespace, context: Context) -> int:
    from keywright_jose.api_keys import create_api_key

    labels = labels_of(arguments.label)
    expires = None if arguments.expires is None else time_of(arguments.expires, context.ring.now())
    made = create_api_key(context.ring, labels=labels, expires=expires)
    context.warn_of_forgetting(f"api-keys/{made.key_id}")
    context.write(_as_json(made.key_id, made.api_key) if context.json else _as_lines(made.key_id, made.api_key))
    return 0


def _verify(_arguments: Namespace, context: Context) -> int:
    from keywright_jose.api_keys import verify_api_key

    given = _asked() if _is_terminal() else _without_line_end(context.read_input(None, limit=_MAXIMUM_BYTES))
    if not given:
        raise ConfigError(
            "standard input is empty; give the API key there: keywright jose api-key verify < api-key.txt"
        )
    found = verify_api_key(context.ring, given)
    if context.json:
        context.print_json(_document(found))
        return 0
    context.print(f"key_id: {found.key_id}")
    for name, value in found.labels.items():
        context.print(f"label: {name}={value}")
    return 0


def _list(arguments: Namespace, context: Context) -> int:
    from keywright_jose.api_keys import list_api_keys

    for found in list_api_keys(context.ring, labels=labels_of(arguments.label)):
        if context.json:
            context.print_json(_document(found))
        else:
            context.print(row_of(found))
    return 0


def _revoke(arguments: Namespace, context: Context) -> int:
    from keywright_jose.api_keys import find_api_key, revoke_api_key

    found = find_api_key(context.ring, arguments.key_id)
    labels = "".join(f", {name}={value}" for name, value in found.labels.items())
    if context.confirm(f"Revoke the API key {found.key_id}{labels} for good?", yes=arguments.yes):
        found = revoke_api_key(context.ring, found.key_id, reason=arguments.reason)
    else:
        context.note("keywright: nothing was revoked")
    if context.json:
        context.print_json(_document(found))
    elif found.status == "revoked":
        context.print(found.key_id)
    return 0 if found.status == "revoked" else _NO


def row_of(found: ApiKey) -> str:
    """key_id, status, created, expires, labels: parted by tabs, on a terminal in columns."""
    times = (_time_text(time and time.replace(microsecond=0)) or "-" for time in (found.created, found.expires))
    labels = " ".join(f"{name}={value}" for name, value in found.labels.items())
    cells = (found.key_id, found.status, *times, labels)
    if sys.stdout is None or not sys.stdout.isatty():
        return "\t".join(cells)
    return "  ".join((*map(str.ljust, cells[:4], (16, 8, 20, 20)), labels)).rstrip()


def _as_lines(key_id: str, api_key: Secret) -> Secret:
    from keywright import Secret

    return Secret(f"key_id: {key_id}\napi_key: ".encode() + api_key.reveal() + b"\n")


def _as_json(key_id: str, api_key: Secret) -> Secret:
    from keywright import Secret

    return Secret(b'{"api_key": "' + api_key.reveal() + f'", "key_id": "{key_id}"}}\n'.encode())


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _asked() -> Secret:
    """What somebody types, which is not shown; nothing if they end it."""
    from getpass import getpass

    from keywright import Secret

    try:
        return Secret(getpass("API key: ", sys.stderr).strip().encode("ascii", "replace"))
    except EOFError:
        return Secret(b"")


def _without_line_end(given: Secret) -> Secret:
    from keywright import Secret

    return Secret(given.reveal().removesuffix(b"\n").removesuffix(b"\r"))


def _document(found: ApiKey) -> dict[str, object]:
    times = {"created": _time_text(found.created), "expires": _time_text(found.expires)}
    return {**found._asdict(), "labels": dict(found.labels), **times}


def _time_text(time: datetime | None) -> str | None:
    from keywright import format_time

    return None if time is None else format_time(time)
