"""The core's own commands. Each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from keywright.plugins.commands import Commands, Uses
    from keywright.plugins.registry import Registry

__all__ = ["add_core_commands"]

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
    ("generate", "making", "make a key: version 1 of a name", (
        "keywright generate cache.example.org",
        "keywright generate prod/jwt --type ec-p256 --attribute use=sig",
        "keywright generate session --format jwk --bits 512 --label team=web",
    )),
    ("ensure", "making", "make what the configuration declares and no version of was ever made", (
        "keywright ensure",
        "keywright ensure cache.example.org",
    )),
    ("import", "making", "store a key that was made elsewhere as version 1 of a name, or as its --next", (
        "keywright import cache.example.org ./secret-key",
        "keywright import partner/jwt --public < partner.jwk",
        "keywright import partner/jwt --public --next --overlap 14d < partners-next.jwk",
    )),
    ("rotate", "rotating", "make the next version of a name, or of every name that is due", (
        "keywright rotate cache.example.org",
        "keywright rotate prod/jwt --activate-in 7d --overlap 14d",
        "keywright rotate --due",
    )),
    ("export", "reading", "print a key in its format or another: the public half unless --secret is said", (
        "keywright export cache.example.org",
        "keywright export cache.example.org@1 --secret -o secret-key",
        "keywright export prod/jwt --format jwk",
    )),
    ("convert", "reading", "turn a key on stdin into another format on stdout; nothing is stored", (
        "keywright convert --from nix --to jwk < secret-key",
        "keywright convert --from jwk --to nix --secret --kid cache.example.org-1 < key.jwk",
    )),
    ("list", "reading", "list the names in a store", (
        "keywright list",
        "keywright list prod/ --label team=web --json",
    )),
    ("show", "reading", "show the versions of a name", ("keywright show cache.example.org",)),
    ("label", "changing", "write labels on a version; K= takes one off", (
        "keywright label cache.example.org team=infra",
        "keywright label cache.example.org@1 team=",
    )),
    ("disable", "changing", "stop a version from signing and verifying, until it is enabled again", (
        "keywright disable prod/jwt@2 --reason 'audit'",
    )),
    ("enable", "changing", "let a disabled version sign and verify again", ("keywright enable prod/jwt@2",)),
    ("compromise", "changing", "stop a version from signing and verifying, at once and for good", (
        "keywright compromise prod/jwt@2 --reason 'laptop stolen'",
    )),
    ("destroy", "changing", "take the secret of a version away for good; a tombstone stays", (
        "keywright destroy prod/jwt@1",
        "keywright destroy prod/jwt@1 --yes --reason 'retired'",
    )),
    ("sign", "using", "sign a file or stdin with the primary; prints the signature in base64", (
        "keywright sign prod/jwt message.txt",
        "keywright sign prod/rsa --algorithm RS256 < message.txt",
    )),
    ("verify", "using", "check a signature of a file or stdin; prints the version that made it", (
        "keywright verify prod/jwt --signature \"$(cat message.sig)\" message.txt",
    )),
    ("migrate", "migrating", "copy keys from one store to another, and compare; remove them there if asked", (
        "keywright migrate --from files --to db --dry-run",
        "keywright migrate --from files --to db prod/jwt cache.example.org",
        "keywright migrate --from files --to db --delete-source",
    )),
    ("reseal", "resealing", "seal a store anew, with the seal's current master key", (
        "keywright reseal --store prod",
    )),
    ("doctor", "doctor", "look for faults in every store, record and plugin, and say what to do", (
        "keywright doctor",
        "keywright doctor --json",
    )),
    ("plugins", "setup", "list the plugins and what failed to load", (
        "keywright plugins",
        "keywright plugins --check",
    )),
    ("config show", "setup", "print the configuration in force, each value with its source", (
        "keywright config show --profile ci",
    )),
    ("config check", "checking", "check the whole configuration, stores that no command uses included", (
        "keywright config check",
    )),
    ("config schema", "setup", "print a JSON Schema of the configuration file", (
        "keywright config schema > keywright.schema.json",
    )),
    ("config path", "setup", "print the path of the configuration file in use", ("keywright config path",)),
    ("init", "setup", "write a keywright.toml to start from", ("keywright init", "keywright init --backend file")),
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

        return getattr(import_module(f"keywright.cli.{module}"), function)(*arguments)

    return call
