"""generate, ensure, import."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from keywright.cli.exit_codes import exit_code
from keywright.cli.failures import failure_document
from keywright.cli.values import attributes_of, duration_of, pairs_of, time_of
from keywright.errors import KeywrightError
from keywright.settings.model import REQUIRED

if TYPE_CHECKING:
    from keywright.cli.context import Context
    from keywright.plugins.registry import Registry
    from keywright.records import RecordInfo

TIME = "a time (2027-01-31T12:00:00Z), a date, or a duration from now (90d)"


def configure_generate(parser: ArgumentParser, plugins: Registry) -> None:
    """Arguments of `generate`."""
    parser.add_argument("name", metavar="NAME", help="such as cache.example.org or prod/jwt")
    parser.add_argument(
        "--type", metavar="T", help=f"key type: {', '.join(plugins.key_types)}; default: by the format, else ed25519"
    )
    parser.add_argument("--format", metavar="F", help=f"format: {', '.join(plugins.formats)}; default: by the type")
    parser.add_argument("--kid", metavar="K", help="the id for the outside world; may hold {name} and {version}")
    parser.add_argument("--label", metavar="K=V", action="append", default=[], help="a label (repeatable)")
    parser.add_argument(
        "--attribute", metavar="K=V", action="append", default=[],
        help="an attribute of the key itself, such as use=sig; K:=V takes JSON (repeatable)",
    )  # fmt: skip
    parser.add_argument("--activates", metavar="T", help=f"when it starts to sign: {TIME}; default: at once")
    parser.add_argument("--expires", metavar="T", help=f"when it ends: {TIME}; default: never")
    add_new_here(parser)
    add_type_settings(parser, plugins)


def add_new_here(parser: ArgumentParser) -> None:
    """`--new-here`."""
    parser.add_argument(
        "--new-here",
        action="store_true",
        help="have a key of its own here, though another configured store has one of this name",
    )


def run_generate(arguments: Namespace, context: Context) -> int:
    """Make a key and print `NAME@1`."""
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
        new_here=arguments.new_here,
        **type_settings(arguments, context.registry),
    )
    return made(context, info)


def configure_ensure(parser: ArgumentParser, _plugins: Registry) -> None:
    """Arguments of `ensure`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="these alone; default: all that are declared")
    add_new_here(parser)


def run_ensure(arguments: Namespace, context: Context) -> int:
    """Make what is missing and print a reference for each that was made; one that cannot be made stops no other."""
    ring, code = context.ring, 0
    for name in arguments.names:
        if name not in ring.config.keys:
            ring.ensure(name)  # refused, before anything is made
    for name in arguments.names or ring.config.keys:
        try:
            for info in ring.ensure(name, new_here=arguments.new_here):
                made(context, info)
        except KeywrightError as error:
            code = code or _tell_failure(context, name, error)
    return code


def _tell_failure(context: Context, name: str, error: KeywrightError) -> int:
    context.say(f"keywright: {error}" if name in str(error) else f"keywright: {name}: {error}")
    if context.json:
        context.print_json({"name": name} | failure_document(type(error).__name__, str(error), exit_code(error)))
    return exit_code(error)


def configure_import(parser: ArgumentParser, plugins: Registry) -> None:
    """Arguments of `import`."""
    parser.add_argument("name", metavar="NAME", help="the name to store it as")
    parser.add_argument("file", metavar="FILE", nargs="?", help="the file to read; default and -: stdin")
    parser.add_argument(
        "--format", metavar="F", help=f"its format, if the data does not tell: {', '.join(plugins.formats)}"
    )
    parser.add_argument("--public", action="store_true", help="it is a public key, for verifying alone")
    parser.add_argument("--next", action="store_true", help="store it as the next version of a name that is there")
    parser.add_argument("--activate-in", metavar="D", help="with --next: when it takes over; default: at once")
    parser.add_argument("--overlap", metavar="D", help="with --next: how long versions before still verify")
    parser.add_argument("--lenient", action="store_true", help="accept what other programs accept, with a warning")
    parser.add_argument("--kid", metavar="K", help="another id for the outside world than the key's own")
    parser.add_argument("--label", metavar="K=V", action="append", default=[], help="a label (repeatable)")
    parser.add_argument("--expires", metavar="T", help=f"when it ends: {TIME}; default: never")
    add_new_here(parser)


def run_import(arguments: Namespace, context: Context) -> int:
    """Store a key and print its reference."""
    ring = context.ring
    from keywright.cli.rotating import announced_versions, warn_of_passed_over

    announced = announced_versions(context, arguments.name) if arguments.next else []
    info = ring.import_key(
        arguments.name,
        context.read_input(arguments.file),
        format=arguments.format,
        public=arguments.public,
        lenient=arguments.lenient,
        as_next=arguments.next,
        activate_in=duration_of(arguments.activate_in, "--activate-in"),
        overlap=duration_of(arguments.overlap, "--overlap"),
        kid=arguments.kid,
        labels=pairs_of(arguments.label, "--label"),
        expires=time_of(arguments.expires, "--expires", ring.now()),
        new_here=arguments.new_here,
        report=context.warn,
    )
    warn_of_passed_over(context, announced, info)
    if not arguments.public and arguments.file not in (None, "-"):
        context.warn_if_exposed(arguments.file)
    return made(context, info)


def made(context: Context, info: RecordInfo) -> int:
    """Print the version that was made, and warn if it does not stay. Returns 0."""
    context.warn_of_forgetting(info.name)
    if context.json:
        from keywright.cli.documents import info_document

        context.print_json(info_document(info))
    else:
        context.print(info.reference)
    return 0


def add_type_settings(parser: ArgumentParser, plugins: Registry) -> None:
    """An option for each setting that a key type declares, `--bits` among them."""
    declared: dict[str, list[str]] = {}
    for key_type in plugins.key_types.values():
        for setting in key_type.settings:
            declared.setdefault(setting.name, []).append(
                f"{key_type.name}: {setting.rule()}, "
                + ("required" if setting.default is REQUIRED else f"default {setting.default}")
            )
    for name, rules in declared.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, dest=f"setting_{name}", metavar="N", help="; ".join(rules).replace("%", "%%"))


def type_settings(arguments: Namespace, plugins: Registry) -> dict[str, Any]:
    """The settings of key types that were given, by name."""
    names = {setting.name for key_type in plugins.key_types.values() for setting in key_type.settings}
    given = {name: getattr(arguments, f"setting_{name}") for name in names}
    return {name: value for name, value in given.items() if value is not None}
