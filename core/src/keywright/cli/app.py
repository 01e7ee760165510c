"""From the arguments to an exit code: find the command and run it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from keywright.cli.io import check_stdout, fill_closed, flush_stdout, say, write_text
from keywright.cli.parser import asked, config_options
from keywright.errors import ConfigError, KeywrightError, PluginError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright.cli.commands_table import Command, Commands, Uses
    from keywright.config import Config
    from keywright.registry import Registry


_HIGHEST_CODE = 255


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line. Returns the exit code; nothing is raised, whatever happens."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        fill_closed()
        code = dispatch(given)
        flush_stdout()
    except BaseException as error:  # noqa: BLE001  (the last guard: a traceback shown to a user is a bug)
        from keywright.cli.failures import tell

        code = tell(given, error)
    return code


def dispatch(given: list[str]) -> int:
    """Find the command that the arguments name and run it. Returns the exit code; errors are raised."""
    from keywright.cli.parser import asked, command_parser, split_command

    commands, loading = _commands(given)
    words, rest = split_command(given, commands)
    command = commands.table.get(words)
    if asked(rest, "--version") and (command is None or command.global_options):
        return print_version(json=asked(rest, "--json"))
    if command is None:
        return _without_command(words, rest, commands)
    return _run(command, command_parser(command).parse(rest), loading)


def _commands(given: list[str]) -> tuple[Commands, Loading]:
    """The commands that there are, as far as it takes to find the one that the arguments name; and what it may load."""
    from keywright.cli.commands_table import Commands
    from keywright.cli.parser import first_word
    from keywright.command_modules import add_commands_of

    commands = Commands()
    add_core_commands(commands, lambda: loading.plugins)
    core = _found(given, commands)
    loading = Loading(given, core)
    if core is None:
        word = first_word(given)
        if word and not commands.below((word,)):
            add_commands_of(word, commands, allowed=loading.allowed)
        if _found(given, commands) is None:
            commands = Commands()
            add_core_commands(commands, lambda: loading.plugins)
            loading.plugins.add_commands(commands)
            if word and not commands.below((word,)):
                _check_not_left_out(word, loading)
    return commands, loading


def _check_not_left_out(word: str, loading: Loading) -> None:
    """Raises: ConfigError, if that is the name of a plugin that is installed, and not on the allow-list."""
    from keywright.discovery import find_entry_points

    if loading.allowed is None or word in loading.allowed or all(one.name != word for one in find_entry_points()):
        return
    raise ConfigError(f"there is no such command: the setting `plugins` leaves the plugin {word!r} out; add it there")


def _found(given: list[str], commands: Commands) -> Command | None:
    """The command that the arguments name, if it is one of these."""
    from keywright.cli.parser import split_command

    try:
        words, _ = split_command(given, commands, hint=False)  # another plugin may have it
    except ConfigError:
        return None
    return commands.table.get(words)


def _run(command: Command, arguments: Namespace, loading: Loading) -> int:
    from keywright.cli.context import Context

    as_json = getattr(arguments, "json", False)
    if as_json or getattr(arguments, "output", None) in (None, "-"):
        # Now, for afterwards a key may be made that nobody hears of.
        check_stdout()
    if command.global_options:
        context = Context(
            lambda: loading.plugins,
            read_config=lambda: loading.config,
            json=as_json,
            quiet=arguments.quiet,
            verbose=arguments.verbose,
            store=getattr(arguments, "store", None),
        )
    else:
        context = Context(lambda: loading.plugins, read_config=_default_config, json=as_json)
    # What the start left behind stays; from here on garbage is collected again.
    gc.freeze()
    gc.enable()
    try:
        code: object = command.run(arguments, context)
        if not isinstance(code, int) or not 0 <= code <= _HIGHEST_CODE:
            raise TypeError("a command returns an exit code")
        return code
    finally:
        context.close()


def _default_config() -> Config:
    from keywright.config import load_config

    return load_config()


def _without_command(words: tuple[str, ...], rest: list[str], commands: Commands) -> int:
    """No command was named: the list of commands, as help or as an error.

    Raises:
        ConfigError: an option lacks its value.
    """
    from keywright.cli.parser import asked, check_values

    text = _overview(words, commands)
    if asked(rest, "-h", "--help"):
        write_text(f"{text}\n")
        return 0
    from keywright.cli.failures import USAGE

    group = " ".join(("keywright", *words))
    check_values(rest, group)
    say(text)
    message = f"no command is named; see {group} --help"
    if rest:  # who says nothing but the beginning of a command asks what there is
        say(f"keywright: {message}")
    if asked(rest, "--json"):
        from keywright.cli.failures import print_failure

        print_failure("ConfigError", message, USAGE)
    return USAGE


def _overview(words: tuple[str, ...], commands: Commands) -> str:
    group = " ".join(("keywright", *words))
    listed = commands.below(words)
    width = max((len(" ".join(command.path)) for command in listed), default=0)
    lines = [f"usage: {group} COMMAND …", ""]
    if not words:
        lines += ["Make, encode, keep and use cryptographic keys.", ""]
    lines += [f"  {' '.join(command.path):{width}}  {command.help}" for command in listed]
    lines += ["", f"{group} COMMAND --help tells more, with an example for each."]
    if not words:
        lines += ["First try: keywright generate cache.example.org"]
    return "\n".join(lines)


def print_version(*, json: bool) -> int:
    """Print the version of the installed distribution. Returns the exit code."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        name, number = "keywright", version("keywright")
    except PackageNotFoundError:
        name, number = "keywright-core", version("keywright-core")
    write_text(f'{{"name": "{name}", "version": "{number}"}}\n' if json else f"{name} {number}\n")
    return 0


class Loading:
    """The plugins and the configuration of one command line."""

    def __init__(self, given: Sequence[str], core: Command | None) -> None:
        """`core` is the core's command that was asked for, None if it is a plugin's or none."""
        self._given = given
        self._core = core
        self._missing: PluginError | None = None

    @cached_property
    def plugins(self) -> Registry:
        """The plugins.

        A fault of the configuration is told here where the command is the core's and needs one, and else by `config`:
        `--help` and the commands that need none go on with every plugin that is installed.

        Raises:
            ConfigError: the configuration is wrong.
            PluginError: it allows a plugin that is not installed.
        """
        from keywright.registry import Registry

        if self._core is not None and self._core.uses == "nothing":
            return Registry()
        if self._is_strict:
            return Registry.load(self.config.plugins)
        try:
            return Registry.load(self.allowed)
        except PluginError as fault:
            from keywright.discovery import find_entry_points

            self._missing = fault
            installed = {one.name for one in find_entry_points()}
            return Registry.load([name for name in self.allowed or () if name in installed])

    @property
    def _is_strict(self) -> bool:
        """Whether nothing goes on with a configuration that is wrong."""
        core = self._core
        uses_it = core is not None and core.uses in ("config", "ring")
        return uses_it and not asked(self._given, "-h", "--help", "--version")

    @cached_property
    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigError: it is wrong.
            PluginError: it allows a plugin that is not installed.
        """
        if not self._is_strict:
            _ = self.plugins  # they tell whether one is missing
        if self._missing is not None:
            raise self._missing
        from keywright.config import load_config

        path, profile, options = config_options(self._given)
        return load_config(path, profile=profile, options=options)

    @cached_property
    def allowed(self) -> tuple[str, ...] | None:
        """The allow-list of a configuration that need not be there; None: there is none, or none that can be read."""
        from keywright.config import find_config

        path, profile, _ = config_options(self._given)
        try:
            found = find_config(path)
            if found is None:
                return None
            from keywright.config import load_config
            from keywright.config.files import read_config

            try:
                # Without `--option`: it cannot name plugins, and a plugin's command may have its own option of that
                # name.
                return load_config(path, profile=profile).plugins
            except KeywrightError:
                # Whatever else is wrong with it, what it says of plugins holds.
                return _said_of_plugins(read_config(found).value, profile or os.environ.get("KEYWRIGHT_PROFILE"))
        except KeywrightError:
            return None


def _said_of_plugins(document: object, profile: str | None) -> tuple[str, ...] | None:
    """The list that the profile has, else the document itself, of what is wrong in another place."""
    whole = document if isinstance(document, Mapping) else {}
    profiles = whole.get("profiles")
    chosen = profiles.get(profile) if isinstance(profiles, Mapping) else None
    for table in (chosen, whole):
        listed = table.get("plugins") if isinstance(table, Mapping) else None
        if isinstance(listed, list):
            return tuple(name for name in listed if isinstance(name, str))
    return None


# Commands that use less than the ring. Those without the configuration work whatever is wrong with one.
_USES: dict[str, Uses] = {
    "convert": "plugins",
    "plugins": "config",
    "config show": "config",
    "config check": "config",
    "config schema": "config",
    "config path": "nothing",
    "init": "nothing",
    # It does use the ring, and names its two stores itself.
    "migrate": "config",
}

# Commands that tell what is wrong with the plugins themselves, and need none for their arguments.
_WITHOUT_PLUGINS = ("config check",)

# path, module of keywright.cli, help, examples
_COMMANDS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("generate", "keys", "make a key: version 1 of a name", (
        "keywright generate cache.example.org",
        "keywright generate prod/jwt --type ec-p256 --attribute use=sig",
        "keywright generate session --format jwk --bits 512 --label team=web",
    )),
    ("ensure", "keys", "make what the configuration declares and no version of was ever made", (
        "keywright ensure",
        "keywright ensure cache.example.org",
    )),
    ("import", "keys", "store a key that was made elsewhere as version 1 of a name, or as its --next", (
        "keywright import cache.example.org ./secret-key",
        "keywright import partner/jwt --public < partner.jwk",
        "keywright import partner/jwt --public --next --overlap 14d < partners-next.jwk",
    )),
    ("rotate", "keys", "make the next version of a name, or of every name that is due", (
        "keywright rotate cache.example.org",
        "keywright rotate prod/jwt --activate-in 7d --overlap 14d",
        "keywright rotate --due",
    )),
    ("export", "read", "print a key in its format or another: the public half unless --secret is said", (
        "keywright export cache.example.org",
        "keywright export cache.example.org@1 --secret -o secret-key",
        "keywright export prod/jwt --format jwk",
    )),
    ("convert", "read", "turn a key on stdin into another format on stdout; nothing is stored", (
        "keywright convert --from nix --to jwk < secret-key",
        "keywright convert --from jwk --to nix --secret --kid cache.example.org-1 < key.jwk",
    )),
    ("list", "read", "list the names in a store", (
        "keywright list",
        "keywright list prod/ --label team=web --json",
    )),
    ("show", "read", "show the versions of a name", ("keywright show cache.example.org",)),
    ("label", "state", "write labels on a version; K= takes one off", (
        "keywright label cache.example.org team=infra",
        "keywright label cache.example.org@1 team=",
    )),
    ("disable", "state", "stop a version from signing and verifying, until it is enabled again", (
        "keywright disable prod/jwt@2 --reason 'audit'",
    )),
    ("enable", "state", "let a disabled version sign and verify again", ("keywright enable prod/jwt@2",)),
    ("compromise", "state", "stop a version from signing and verifying, at once and for good", (
        "keywright compromise prod/jwt@2 --reason 'laptop stolen'",
    )),
    ("destroy", "state", "take the secret of a version away for good; a tombstone stays", (
        "keywright destroy prod/jwt@1",
        "keywright destroy prod/jwt@1 --yes --reason 'retired'",
    )),
    ("sign", "use", "sign a file or stdin with the primary; prints the signature in base64", (
        "keywright sign prod/jwt message.txt",
        "keywright sign prod/rsa --algorithm RS256 < message.txt",
    )),
    ("verify", "use", "check a signature of a file or stdin; prints the version that made it", (
        "keywright verify prod/jwt --signature \"$(cat message.sig)\" message.txt",
    )),
    ("migrate", "migrate", "copy keys from one store to another, and compare; remove them there if asked", (
        "keywright migrate --from files --to db --dry-run",
        "keywright migrate --from files --to db prod/jwt cache.example.org",
        "keywright migrate --from files --to db --delete-source",
    )),
    ("reseal", "migrate", "seal a store anew, with the seal's current master key", (
        "keywright reseal --store prod",
    )),
    ("doctor", "config", "look for faults in every store, record and plugin, and say what to do", (
        "keywright doctor",
        "keywright doctor --json",
    )),
    ("plugins", "config", "list the plugins and what failed to load", (
        "keywright plugins",
        "keywright plugins --check",
    )),
    ("config show", "config", "print the configuration in force, each value with its source", (
        "keywright config show --profile ci",
    )),
    ("config check", "config", "check the whole configuration, stores that no command uses included", (
        "keywright config check",
    )),
    ("config schema", "config", "print a JSON Schema of the configuration file", (
        "keywright config schema > keywright.schema.json",
    )),
    ("config path", "config", "print the path of the configuration file in use", ("keywright config path",)),
    ("init", "config", "write a keywright.toml to start from", ("keywright init", "keywright init --backend file")),
)  # fmt: skip


def add_core_commands(commands: Commands, plugins: Callable[[], Registry]) -> None:
    """Add them all. `plugins` is called for a command that was asked for, when it is configured."""
    for path, module, help_, examples in _COMMANDS:
        name = path.replace(" ", "_")
        commands.add(
            path,
            help=help_,
            configure=_configured(module, name, _none if path in _WITHOUT_PLUGINS else plugins),
            run=_from(module, f"run_{name}"),
            examples=examples,
            uses=_USES.get(path, "ring"),
        )


def _none() -> None:
    return


def _configured(module: str, name: str, plugins: Callable[[], Registry | None]) -> Callable[[ArgumentParser], None]:
    return lambda parser: _from(module, f"configure_{name}")(parser, plugins())


def _from(module: str, function: str) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(f"keywright.cli.commands.{module}"), function)(*arguments)

    return call
