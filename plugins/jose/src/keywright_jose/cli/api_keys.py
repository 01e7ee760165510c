"""`keywright jose api-key …`: make, check, list and revoke API keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from keywright import add_flag, add_list, add_value, pairs_of, time_of
from keywright.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from datetime import datetime

    from keywright import Context, Secret
    from keywright_jose.api_keys import ApiKey, NewApiKey


_MAXIMUM_BYTES = 1024


def configure_verify_key(_parser: ArgumentParser) -> None:
    """`jose api-key verify` has none."""


def configure_create_key(parser: ArgumentParser) -> None:
    """Add the arguments of `jose api-key create`."""
    add_list(parser, "--label", "LABEL=VALUE", "whose it is, such as user_id=7 (repeatable)")
    add_value(parser, "--expires", "TIME", "when it ends: a time, a date, or from now on (90d)")


def configure_list_keys(parser: ArgumentParser) -> None:
    """Add the arguments of `jose api-key list`."""
    add_list(parser, "--label", "LABEL=VALUE", "those that have this label (repeatable)")


def configure_revoke_key(parser: ArgumentParser) -> None:
    """Add the arguments of `jose api-key revoke`."""
    parser.add_argument("key_id", metavar="KEY_ID", help="which one; not the API key itself")
    add_value(parser, "--reason", "TEXT", "why, to be kept with it", default="")
    add_flag(parser, "--yes", "do not ask")


def create_key(arguments: Namespace, context: Context) -> int:
    """Run `jose api-key create`. Returns the exit code."""
    from keywright_jose.api_keys import create_api_key

    labels = pairs_of(arguments.label, "--label")
    expires = time_of(arguments.expires, "--expires", context.ring.now())
    made = create_api_key(context.ring, labels=labels, expires=expires)
    context.warn_of_forgetting(f"api-keys/{made.key_id}")
    context.write(_shown(made, as_json=context.json))
    return 0


def verify_key(_arguments: Namespace, context: Context) -> int:
    """Run `jose api-key verify`. Returns the exit code."""
    from keywright_jose.api_keys import verify_api_key

    given = _given(context)
    if not given:
        raise ConfigError(
            "standard input is empty", hint="pass the API key there: keywright jose api-key verify < api-key.txt"
        )
    found = verify_api_key(context.ring, given)
    if context.json:
        context.print_json(_document(found))
        return 0
    context.print(f"key_id: {found.key_id}")
    for name, value in found.labels.items():
        context.print(f"label: {name}={value}")
    return 0


def list_keys(arguments: Namespace, context: Context) -> int:
    """Run `jose api-key list`. Returns the exit code."""
    from keywright_jose.api_keys import list_api_keys

    rows = []
    for found in list_api_keys(context.ring, labels=pairs_of(arguments.label, "--label")):
        if context.json:
            context.print_json(_document(found))
        rows.append(_row(found))
    if not context.json:
        context.print_table(("KEY ID", "STATUS", "CREATED", "EXPIRES", "LABELS"), rows)
    return 0


def revoke_key(arguments: Namespace, context: Context) -> int:
    """Run `jose api-key revoke`. Returns the exit code."""
    from keywright_jose.api_keys import find_api_key, revoke_api_key

    found = find_api_key(context.ring, arguments.key_id)
    labels = "".join(f", {name}={value}" for name, value in found.labels.items())
    if context.confirm(f"Revoke the API key {found.key_id}{labels} permanently?", yes=arguments.yes):
        found = revoke_api_key(context.ring, found.key_id, reason=arguments.reason)
    else:
        context.note("Nothing was revoked")
    if context.json:
        context.print_json(_document(found))
    elif found.status == "revoked":
        context.print(found.key_id)
    return 0 if found.status == "revoked" else 1


def _row(found: ApiKey) -> tuple[str, ...]:
    times = (_time_text(time and time.replace(microsecond=0)) or "-" for time in (found.created, found.expires))
    labels = " ".join(f"{name}={value}" for name, value in found.labels.items())
    return (found.key_id, found.status, *times, labels)


def _shown(made: NewApiKey, *, as_json: bool) -> Secret:
    from keywright import Secret

    key_id, text = made.key_id.encode(), made.api_key
    if as_json:
        return Secret(b'{"api_key": "' + text.reveal() + b'", "key_id": "' + key_id + b'"}\n')
    return Secret(b"key_id: " + key_id + b"\napi_key: " + text.reveal() + b"\n")


def _given(context: Context) -> Secret:
    """What is on standard input, without the line end; on a terminal what is typed, which is not shown."""
    from keywright import Secret

    if sys.stdin is None or not sys.stdin.isatty():
        given = context.read_input(None, limit=_MAXIMUM_BYTES)
        return Secret(given.reveal().removesuffix(b"\n").removesuffix(b"\r"))
    from getpass import getpass

    try:
        return Secret(getpass("API key: ", sys.stderr).strip().encode("ascii", "replace"))
    except EOFError:
        return Secret(b"")


def _document(found: ApiKey) -> dict[str, object]:
    times = {"created": _time_text(found.created), "expires": _time_text(found.expires)}
    return {**found._asdict(), "labels": dict(found.labels), **times}


def _time_text(time: datetime | None) -> str | None:
    from keywright import format_time

    return None if time is None else format_time(time)
