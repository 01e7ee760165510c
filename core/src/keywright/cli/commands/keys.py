"""generate, ensure, import, rotate: commands that create versions."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keywright.cli.context import print_either, print_info, say_failure
from keywright.cli.failures import NO, exit_code, failure_document
from keywright.cli.io import is_terminal
from keywright.cli.parser import add_flag, add_list, add_value, attributes_of, duration_of, pairs_of, time_of
from keywright.errors import ConfigError, KeywrightError
from keywright.lifecycle import Phase
from keywright.records import format_time
from keywright.settings.model import REQUIRED

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.plugins.registry import Registry
    from keywright.records import RecordInfo
    from keywright.ring.schedule import Due

_TIME = "a time (2027-01-31T12:00:00Z), a date, or a duration from now (90d)"
_NEW_HERE = "create it although another configured store has a key of this name"
_FOR_ONE = ("activate_in", "overlap", "kid", "expires", "attribute", "no_attributes")


def configure_generate(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `generate`."""
    registry = plugins()
    parser.add_argument("name", metavar="NAME", help="such as cache.example.org or prod/jwt")
    types = f"key type: {', '.join(registry.names('key type'))}; default: by the format, else ed25519"
    add_value(parser, "--type", "TYPE", types)
    add_value(parser, "--format", "FORMAT", f"format: {', '.join(registry.names('format'))}; default: by the type")
    add_value(parser, "--kid", "KID", "the key id that other systems see; {name} and {version} are replaced")
    add_list(parser, "--label", "LABEL=VALUE", "a label (repeatable)")
    attribute = "an attribute of the key itself, such as use=sig; NAME:=JSON for other than text (repeatable)"
    add_list(parser, "--attribute", "NAME=VALUE", attribute)
    add_value(parser, "--activates", "TIME", f"when it starts to sign: {_TIME}; default: at once")
    add_value(parser, "--expires", "TIME", f"when it ends: {_TIME}; default: never")
    add_flag(parser, "--allow-duplicate", _NEW_HERE)
    _add_type_settings(parser, registry)


def run_generate(arguments: Namespace, context: Context) -> int:
    """Create a key and print `NAME@1`."""
    ring = context.ring
    now = ring.now()
    info = ring.generate(
        arguments.name,
        type=arguments.type,
        format=arguments.format,
        kid=arguments.kid,
        labels=pairs_of(arguments.label, "--label"),
        attributes=attributes_of(arguments.attribute),
        activates=time_of(arguments.activates, "--activates", now),
        expires=time_of(arguments.expires, "--expires", now),
        allow_duplicate=arguments.allow_duplicate,
        **_type_settings(arguments),
    )
    return _print_new(context, info)


def configure_ensure(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `ensure`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these; default: all that are declared")
    add_flag(parser, "--allow-duplicate", _NEW_HERE)


def run_ensure(arguments: Namespace, context: Context) -> int:
    """Create the missing keys and print their references; if one fails, the others are still created."""
    ring, code = context.ring, 0
    for name in arguments.names:
        if name not in ring.config.keys:
            ring.ensure(name)  # raises, before any key is created
    for name in arguments.names or ring.config.keys:
        try:
            for info in ring.ensure(name, allow_duplicate=arguments.allow_duplicate):
                _print_new(context, info)
        except KeywrightError as error:
            failed = say_failure(context, name, error)
            code = code or failed
            if context.json:
                context.print_json({"name": name} | failure_document(error))
    return code


def configure_import(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `import`."""
    registry = plugins()
    parser.add_argument("name", metavar="NAME", help="the name to store it as")
    parser.add_argument("file", metavar="FILE", nargs="?", help="the file to read; default and -: stdin")
    add_value(
        parser, "--format", "FORMAT", f"its format, if it cannot be recognized: {', '.join(registry.names('format'))}"
    )
    add_flag(parser, "--public", "it is a public key, which can only verify")
    add_flag(parser, "--as-new-version", "store it as the next version of an existing name")
    add_value(parser, "--activate-in", "DURATION", "with --as-new-version: when it takes over; default: at once")
    add_value(parser, "--overlap", "DURATION", "with --as-new-version: how long versions before still verify")
    add_flag(parser, "--lenient", "accept what other programs accept, with a warning")
    add_value(parser, "--kid", "KID", "another key id than the key's own")
    add_list(parser, "--label", "LABEL=VALUE", "a label (repeatable)")
    add_value(parser, "--expires", "TIME", f"when it ends: {_TIME}; default: never")
    add_flag(parser, "--allow-duplicate", _NEW_HERE)


def run_import(arguments: Namespace, context: Context) -> int:
    """Store a key and print its reference."""
    ring = context.ring
    announced = _announced_versions(context, arguments.name) if arguments.as_new_version else []
    info = ring.import_key(
        arguments.name,
        context.read_input(arguments.file),
        format=arguments.format,
        public=arguments.public,
        lenient=arguments.lenient,
        as_new_version=arguments.as_new_version,
        activate_in=duration_of(arguments.activate_in, "--activate-in"),
        overlap=duration_of(arguments.overlap, "--overlap"),
        kid=arguments.kid,
        labels=pairs_of(arguments.label, "--label"),
        expires=time_of(arguments.expires, "--expires", ring.now()),
        allow_duplicate=arguments.allow_duplicate,
        report=context.warn,
    )
    _warn_of_passed_over(context, announced, info)
    if not arguments.public and arguments.file not in (None, "-"):
        context.warn_if_exposed(arguments.file)
    return _print_new(context, info)


def configure_rotate(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `rotate`."""
    registry = plugins()
    names = "the name to rotate; with --due any number"
    parser.add_argument("names", metavar="NAME", nargs="*", help=names)
    add_flag(parser, "--due", "rotate only names whose rotate_every has passed, for cron")
    add_flag(parser, "--dry-run", "with --due: only print what is due; exit 1 if anything is")
    add_value(parser, "--activate-in", "DURATION", "announce it now, sign with it after this time, such as 7d")
    add_value(parser, "--overlap", "DURATION", "how long the versions before still verify after that")
    add_value(parser, "--kid", "KID", "the key id of the new version; {name} and {version} are replaced")
    add_value(parser, "--expires", "TIME", f"when the new version ends: {_TIME}; default: never")
    add_list(parser, "--attribute", "NAME=VALUE", "as for generate (repeatable)")
    add_flag(parser, "--no-attributes", "do not copy the attributes of the last version")
    _add_type_settings(parser, registry)


def run_rotate(arguments: Namespace, context: Context) -> int:
    """Create the next version and print `NAME@N`; with `--due` for each name that is due."""
    if arguments.due:
        return _rotate_due(arguments, context)
    if arguments.dry_run:
        raise ConfigError("--dry-run works only with --due", hint="add --due, or run `keywright show NAME` for one key")
    if len(arguments.names) != 1:
        raise ConfigError(
            f"rotate needs one NAME, {len(arguments.names) or 'none'} given",
            hint="pass one NAME, or --due to rotate every key that is due",
        )
    (name,) = arguments.names
    ring = context.ring
    activate_in = duration_of(arguments.activate_in, "--activate-in")
    overlap = duration_of(arguments.overlap, "--overlap")
    if arguments.no_attributes and arguments.attribute:
        raise ConfigError("--no-attributes and --attribute exclude each other", hint="remove one")
    attributes = {} if arguments.no_attributes else attributes_of(arguments.attribute) or None
    announced = _announced_versions(context, name)
    info = ring.rotate(
        name,
        activate_in=activate_in,
        overlap=overlap,
        kid=arguments.kid,
        expires=time_of(arguments.expires, "--expires", ring.now()),
        attributes=attributes,
        **_type_settings(arguments),
    )
    _warn_of_passed_over(context, announced, info)
    if info.activates is not None and all(one.phase is not Phase.SIGNING for one in ring.show(name).versions):
        context.warn(
            f'no version of "{name}" can sign before {format_time(info.activates.replace(microsecond=0))}',
            hint=f"`keywright rotate {name} --activate-in 0s` creates one that signs now",
        )
    return _print_new(context, info)


def _rotate_due(arguments: Namespace, context: Context) -> int:
    given = [one for one in _FOR_ONE if getattr(arguments, one)] + list(_type_settings(arguments))
    if given:
        raise ConfigError(
            f"--due cannot be combined with {', '.join(map(_option, given))}",
            hint="set it in [keys.NAME], or rotate one NAME without --due",
        )
    code, nothing = 0, True
    found = context.ring.due if arguments.dry_run else context.ring.rotate_due
    for one in found(*arguments.names):
        nothing = False
        if one.error is not None:
            code = code or exit_code(one.error)
            context.error(one.error.prefixed(f"{one.name}: "))
            if context.json:
                context.print_json(_due_document(one) | failure_document(one.error))
        elif one.made is not None:
            _print_new(context, one.made)
        else:
            code = code or NO
            document = _due_document(one)
            print_either(context, document, f"{document['newest']}: due since {document['since']}")
    rotated = sum("rotate_every" in table.given for table in context.config.keys.values())
    if not rotated:
        context.warn("no key has rotate_every, so no key is ever due", hint="set keys.NAME.rotate_every")
    elif nothing and not context.json and is_terminal():  # cron sends a mail of whatever is printed
        checked = len(arguments.names) or rotated
        context.note(f"Nothing is due ({checked} key{'s' if checked != 1 else ''} with rotate_every checked)")
    return code


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _due_document(one: Due) -> dict[str, object]:
    since = None if one.since is None else format_time(one.since.replace(microsecond=0))
    return {"name": one.name, "newest": None if one.newest is None else one.newest.reference, "since": since}


def _print_new(context: Context, info: RecordInfo) -> int:
    """Print the new version, and warn if its store does not last. Returns 0."""
    context.warn_of_forgetting(info.name)
    return print_info(context, info)


def _announced_versions(context: Context, name: str) -> list[RecordInfo]:
    return [one.info for one in context.ring.show(name).versions if one.phase is Phase.ANNOUNCED]


def _warn_of_passed_over(context: Context, announced: list[RecordInfo], info: RecordInfo) -> None:
    """Warn about each announced version that will never sign, because the new version `info` takes its place."""
    for passed_over in announced:
        if info.activates is None or (passed_over.activates is not None and info.activates <= passed_over.activates):
            context.warn(f"{passed_over.reference} will never sign: {info.reference} replaces it")


def _add_type_settings(parser: ArgumentParser, plugins: Registry) -> None:
    """Add an option for each setting that a key type declares, `--bits` among them."""
    declared: dict[str, list[str]] = {}
    for key_type in plugins.key_types.values():
        for setting in key_type.settings:
            declared.setdefault(setting.name, []).append(
                f"{key_type.name}: {setting.rule()}, "
                + ("required" if setting.default is REQUIRED else f"default {setting.default}")
            )
    for name, rules in declared.items():
        parser.add_argument(
            _option(name), dest=f"setting_{name}", metavar=name.upper(), help="; ".join(rules).replace("%", "%%")
        )


def _type_settings(arguments: Namespace) -> dict[str, Any]:
    """The settings of key types that were passed as options, by name."""
    return {
        name.removeprefix("setting_"): value
        for name, value in vars(arguments).items()
        if name.startswith("setting_") and value is not None
    }
