"""The core's commands. This table has their help; the module named beside each has its arguments and its output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright.cli.context import Context
    from keywright.plugins.commands import Commands, Uses
    from keywright.plugins.registry import Registry

# Path, module of this package, what it uses, help, examples. The module has `run_PATH`, and `configure_PATH` if the
# command has arguments. Commands that do not use the configuration work even if it is invalid. (`migrate` does use the
# ring, but has its own options for its two stores.)
_COMMANDS: tuple[tuple[str, str, Uses, str, tuple[str, ...]], ...] = (
    ("generate", "keys", "ring", "generate a key, version 1 of a name", (
        "keywright generate cache.example.org",
        "keywright generate prod/jwt --type ec-p256 --attribute use=sig",
        "keywright generate session --format jwk --bits 512 --label team=web",
    )),
    ("ensure", "keys", "ring", "create declared keys that do not exist yet", (
        "keywright ensure",
        "keywright ensure cache.example.org",
    )),
    ("import", "keys", "ring", "store an existing key as a new name or a new version", (
        "keywright import cache.example.org ./secret-key",
        "keywright import partner/jwt --public < partner.jwk",
        "keywright import partner/jwt --public --as-new-version --overlap 14d < partners-next.jwk",
    )),
    ("rotate", "keys", "ring", "create the next version of a name, or of all that are due", (
        "keywright rotate cache.example.org",
        "keywright rotate prod/jwt --activate-in 7d --overlap 14d",
        "keywright rotate --due",
    )),
    ("export", "read", "ring", "print the public half of a key, or both with --secret", (
        "keywright export cache.example.org",
        "keywright export cache.example.org@1 --secret -o secret-key",
        "keywright export prod/jwt --format jwk",
    )),
    ("convert", "read", "plugins", "convert a key on stdin to another format on stdout", (
        "keywright convert --from nix --to jwk < secret-key",
        "keywright convert --from jwk --to nix --secret --kid cache.example.org-1 < key.jwk",
    )),
    ("list", "read", "ring", "list the names in a store", (
        "keywright list",
        "keywright list prod/ --label team=web --json",
    )),
    ("show", "read", "ring", "show the versions of a name", (
        "keywright show cache.example.org",
        "keywright show cache.example.org@1",
    )),
    ("label", "state", "ring", "set labels of a version; LABEL= removes one", (
        "keywright label cache.example.org team=infra",
        "keywright label cache.example.org@1 team=",
    )),
    ("disable", "state", "ring", "stop a version from signing and verifying, for now", (
        "keywright disable prod/jwt@2 --reason 'audit'",
    )),
    ("enable", "state", "ring", "let a disabled version sign and verify again", ("keywright enable prod/jwt@2",)),
    ("compromise", "state", "ring", "stop a version from signing and verifying, permanently", (
        "keywright compromise prod/jwt@2 --yes --reason 'laptop stolen'",
    )),
    ("destroy", "state", "ring", "erase the secret of a version; its record stays", (
        "keywright destroy prod/jwt@1",
        "keywright destroy prod/jwt@1 --yes --reason 'retired'",
    )),
    ("sign", "use", "ring", "print a signature of a file or stdin, in base64", (
        "keywright sign prod/jwt message.txt",
        "keywright sign prod/rsa --algorithm RS256 < message.txt",
    )),
    ("verify", "use", "ring", "check a signature, and print the version that made it", (
        "keywright verify prod/jwt --signature message.sig message.txt",
    )),
    ("migrate", "migrate", "config", "copy keys from one store to another, and compare them", (
        "keywright migrate --from files --to db --dry-run",
        "keywright migrate --from files --to db prod/jwt cache.example.org",
        "keywright migrate --from files --to db --delete-source",
    )),
    ("rewrap", "migrate", "ring", "encrypt a store again with its current master key", (
        "keywright rewrap --store prod",
    )),
    ("doctor", "config", "ring", "check stores, records and plugins, and how to fix them", (
        "keywright doctor",
        "keywright doctor --json",
    )),
    ("plugins", "config", "config", "list the plugins and what failed to load", (
        "keywright plugins",
        "keywright plugins --check",
    )),
    ("config show", "config", "config", "print the configuration in use, with the sources", (
        "keywright config show --profile ci",
    )),
    ("config check", "config", "config", "check the whole configuration, with all its profiles", (
        "keywright config check",
    )),
    ("config schema", "config", "config", "print a JSON Schema of the configuration file", (
        "keywright config schema > keywright.schema.json",
    )),
    ("config path", "config", "nothing", "print the path of the configuration file in use", ("keywright config path",)),
    ("init", "config", "nothing", "write an initial keywright.toml", (
        "keywright init",
        "keywright init --backend file",
    )),
)  # fmt: skip


def core_commands(plugins: Callable[[], Registry]) -> Commands:
    """A table of them all. A module is imported, and `plugins` called, only for a command that runs or is parsed."""
    from keywright.plugins.commands import Commands

    commands = Commands()
    for path, module, uses, help_, examples in _COMMANDS:
        configure, run = partial(_configure, module, path, plugins), partial(_run, module, path)
        commands.add(path, help=help_, configure=configure, run=run, examples=examples, uses=uses)
    return commands


def _configure(module: str, path: str, plugins: Callable[[], Registry], parser: ArgumentParser) -> None:
    configure = _function(module, f"configure_{path}")
    if configure is not None:
        configure(parser, plugins)


def _run(module: str, path: str, arguments: Namespace, context: Context) -> int:
    code: int = _function(module, f"run_{path}")(arguments, context)
    return code


def _function(module: str, name: str) -> Any:
    path = f"{__name__}.{module}"
    __import__(path)
    return getattr(sys.modules[path], name.replace(" ", "_"), None)
