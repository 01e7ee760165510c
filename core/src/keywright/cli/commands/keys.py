"""generate, ensure, import, rotate: commands that create versions."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keywright.cli.context import print_either, print_info, say_failure
from keywright.cli.failures import NO, exit_code, failure_document
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
_NEW_HERE = "have a key of its own here, though another configured store has one of this name"
_FOR_ONE = ("activate_in", "overlap", "kid", "expires", "attribute", "no_attributes")


def configure_generate(parser: ArgumentParser, plugins: Callable[[], Registry]) -> None:
    """Arguments of `generate`."""
    registry = plugins()
    parser.add_argument("name", metavar="NAME", help="such as cache.example.org or prod/jwt")
    types = f"key type: {', '.join(registry.names('key type'))}; default: by the format, else ed25519"
    add_value(parser, "--type", "TYPE", types)
    add_value(parser, "--format", "FORMAT", f"format: {', '.join(registry.names('format'))}; default: by the type")
    add_value(parser, "--kid", "KID", "the kid that other systems see; may hold {name} and {version}")
    add_list(parser, "--label", "LABEL=VALUE", "a label (repeatable)")
    attribute = "an attribute of the key itself, such as use=sig; K:=V takes JSON (repeatable)"
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
    parser.add_argument("names", metavar="NAME", nargs="*", help="these alone; default: all that are declared")
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
        parser, "--format", "FORMAT", f"its format, if the data does not tell: {', '.join(registry.names('format'))}"
    )
    add_flag(parser, "--public", "it is a public key, for verifying alone")
    add_flag(parser, "--as-new-version", "store it as the next version of a name that is there")
    add_value(parser, "--activate-in", "DURATION", "with --as-new-version: when it takes over; default: at once")
    add_value(parser, "--overlap", "DURATION", "with --as-new-version: how long versions before still verify")
    add_flag(parser, "--lenient", "accept what other programs accept, with a warning")
    add_value(parser, "--kid", "KID", "another id that other systems see than the key's own")
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
    names = "the name to make the next version of; with --due any number"
    parser.add_argument("names", metavar="NAME", nargs="*", help=names)
    add_flag(parser, "--due", "rotate every name whose rotate_every has passed, and no other; for cron")
    add_flag(parser, "--dry-run", "with --due: print which, and rotate none; exit 1 if there are any")
    add_value(parser, "--activate-in", "DURATION", "announce it now, sign with it after this time, such as 7d")
    add_value(parser, "--overlap", "DURATION", "how long the versions before still verify after that")
    add_value(parser, "--kid", "KID", "the id of the new version; may hold {name} and {version}")
    add_value(parser, "--expires", "TIME", f"when the new version ends: {_TIME}; default: never")
    add_list(parser, "--attribute", "NAME=VALUE", "as for generate (repeatable)")
    add_flag(parser, "--no-attributes", "the new version has none, whatever the last one had")
    _add_type_settings(parser, registry)


def run_rotate(arguments: Namespace, context: Context) -> int:
    """Create the next version and print `NAME@N`; with `--due` for each name that is due."""
    if arguments.due:
        return _rotate_due(arguments, context)
    if arguments.dry_run:
        raise ConfigError(
            "--dry-run works only with --due", hint="add --due: `keywright show NAME` tells when one is due"
        )
    if len(arguments.names) != 1:
        raise ConfigError(
            f"rotate takes one NAME, and {len(arguments.names)} are given",
            hint="pass one, or --due for all that are due",
        )
    (name,) = arguments.names
    ring = context.ring
    activate_in = duration_of(arguments.activate_in, "--activate-in")
    overlap = duration_of(arguments.overlap, "--overlap")
    if arguments.no_attributes and arguments.attribute:
        raise ConfigError("--no-attributes and --attribute exclude each other", hint="remove one of them")
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
            f"{name} has no version that can sign until then",
            hint=f"for one that signs now: keywright rotate {name} --activate-in 0s",
        )
    return _print_new(context, info)


def _rotate_due(arguments: Namespace, context: Context) -> int:
    if any(getattr(arguments, one) for one in _FOR_ONE) or _type_settings(arguments):
        raise ConfigError(
            "--due takes its options from each [keys.NAME] table",
            hint="set them there, or rotate one NAME without --due",
        )
    code = 0
    is_due = False
    find = context.ring.due if arguments.dry_run else context.ring.rotate_due
    for one in find(*arguments.names):
        is_due = True
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
    timed = sum("rotate_every" in table.given for table in context.config.keys.values())
    if not timed:
        context.note("no key has rotate_every, so none is ever due; set it in a [keys.NAME] table")
    elif not is_due:
        context.note(f"no key is due; {timed} in the configuration {'has' if timed == 1 else 'have'} rotate_every")
    return code


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
            context.warn(f"{passed_over.reference} was announced and will never sign: {info.reference} replaces it")


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
        flag = "--" + name.replace("_", "-")
        parser.add_argument(
            flag, dest=f"setting_{name}", metavar=name.upper(), help="; ".join(rules).replace("%", "%%")
        )


def _type_settings(arguments: Namespace) -> dict[str, Any]:
    """The settings of key types that were passed as options, by name."""
    return {
        name.removeprefix("setting_"): value
        for name, value in vars(arguments).items()
        if name.startswith("setting_") and value is not None
    }
