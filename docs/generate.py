"""Write the reference pages that come from declarations: commands, settings, errors, hooks and contracts.

`python docs/generate.py` writes them; a test fails when they are not what it would write.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from keywright import Registry, errors, testing
from keywright.cli.commands import core_commands
from keywright.cli.failures import exit_code
from keywright.cli.parser import Parser, command_parser
from keywright.config.model import KEY_SETTINGS
from keywright.plugins import hooks
from keywright.plugins.commands import Command
from keywright.settings.model import REQUIRED, Setting
from keywright.testing.rules import Rule, rules_of

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made by docs/generate.py from the code's own declarations. -->\n"

# By page: its title and the contracts whose rules it explains, a rule under the first that has it.
CONTRACTS: dict[str, tuple[str, tuple[type, ...]]] = {
    "contracts/key-types.md": ("Rules for key types", (testing.KeyTypeContract,)),
    "contracts/formats.md": ("Rules for formats", (testing.FormatContract,)),
    "contracts/stores.md": (
        "Rules for stores",
        (
            testing.StoreContract,
            testing.WritableStoreContract,
            testing.OnDiskStoreContract,
            testing.RemoteStoreContract,
        ),
    ),
    "contracts/signing-stores.md": ("Rules for signing stores", (testing.SigningStoreContract,)),
    "contracts/seals.md": ("Rules for seals", (testing.SealContract,)),
    "contracts/plugins.md": ("Rules for plugins", (testing.PluginContract,)),
}


def pages() -> dict[str, str]:
    """The pages by file name."""
    plugins = Registry.load()
    return {
        "command-line.md": "\n".join(_command_line(plugins)),
        "settings.md": "\n".join(_settings(plugins)),
        "errors.md": "\n".join(_errors()),
        "hooks.md": "\n".join(_hooks()),
        **_contracts(),
    }


def _command_line(plugins: Registry) -> Iterator[str]:
    commands = core_commands(lambda: plugins)
    plugins.add_commands(commands)
    yield f"{NOTE}\n# Command line\n"
    yield (
        "stdout is the result and nothing else; stderr is for people. Options of every command may stand before, "
        "between and after its words.\n"
    )
    yield from _exit_codes()
    yield "## Options of every command\n"
    yield from _arguments(command_parser(commands.table["list",]), only_global=True)
    for command in commands.table.values():
        yield from _command(command)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n\n| exit | means |\n|---|---|"
    yield "| 0 | done |"
    told: dict[int, list[str]] = {}
    for name in errors.__all__:
        if name not in ("KeywrightError", "StoreError"):
            told.setdefault(exit_code(getattr(errors, name)("")), []).append(f"[`{name}`](errors.md#{name.lower()})")
    told[1].append("or the answer is no: a check found something")
    told[2].append("or the arguments are wrong")
    told |= {
        70: ["a bug in keywright or a plugin; please report it"],
        130: ["interrupted with Ctrl-C"],
        141: ["whoever read the output closed the pipe; nothing is said"],
    }
    for code, what in sorted(told.items()):
        yield f"| {code} | {', '.join(what)} |"
    yield ""


def _command(command: Command) -> Iterator[str]:
    words = "keywright " + " ".join(command.path)
    parser = command_parser(command)
    positional = " ".join(_placeholder(action) for action in parser._actions if not action.option_strings)  # noqa: SLF001  (argparse has no public way)
    yield f"## `{words}`\n"
    yield f"{command.help[0].upper()}{command.help[1:]}.\n"
    yield f"```console\n$ {words} {positional}".rstrip() + " [OPTION…]\n```\n"
    yield from _arguments(parser, only_global=False)
    yield "Examples:\n\n```console"
    yield from (f"$ {example}" for example in command.examples)
    yield "```\n"


def _placeholder(action: argparse.Action) -> str:
    name = str(action.metavar)
    return {"?": f"[{name}]", "*": f"[{name}…]", "+": f"{name}…"}.get(str(action.nargs), name)


def _arguments(parser: Parser, *, only_global: bool) -> Iterator[str]:
    rows = []
    for group in parser._action_groups:  # noqa: SLF001  (as above)
        if (group.title == "options of every command") is not only_global:
            continue
        for action in group._group_actions:  # noqa: SLF001  (as above)
            spelled = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.metavar}`"
            metavar = action.metavar if isinstance(action.metavar, tuple) else (action.metavar,)
            values = (
                "" if action.nargs == 0 or not action.option_strings else " ".join(str(one) for one in metavar if one)
            )
            rows.append(f"| {spelled}{f' `{values}`' if values else ''} | {action.help} |")
    if rows:
        yield "| argument | |\n|---|---|"
        yield from (row.replace("\n", " ") for row in rows)
        yield ""


def _settings(plugins: Registry) -> Iterator[str]:
    yield f"{NOTE}\n# Settings\n"
    yield (
        'Any setting but a table may be `{ env = "VARIABLE" }` or `{ file = "PATH" }`; a secret must be one of them. '
        "Durations are a whole number and a unit: s, m, h, d or w.\n"
    )
    yield "## Keys: `[keys.NAME]`\n"
    yield from _setting_table(KEY_SETTINGS)
    for key_type in plugins.key_types.values():
        if key_type.settings:
            yield f"### Key type `{key_type.name}`\n"
            yield from _setting_table(key_type.settings)
    yield "## Stores: `[stores.NAME]`\n"
    yield "`backend` names the store backend, `seal` a seal that is configured below `seals`.\n"
    for backend in plugins.store_backends.values():
        yield f"### Store backend `{backend.name}`\n"
        able = [name for name, value in backend.capabilities._asdict().items() if value]
        yield f"Capabilities: {', '.join(able) or 'none'}.\n"
        yield from _setting_table(backend.settings)
    for seal in plugins.seals.values():
        yield f"### Seal `{seal.name}`\n"
        yield from _setting_table(seal.settings)
    yield "## Plugins: `[plugin.NAME]`\n"
    for name, settings in plugins.settings.items():
        yield f"### Plugin `{name}`\n"
        yield from _setting_table(settings)


def _setting_table(settings: tuple[Setting, ...] | list[Setting] | object) -> Iterator[str]:
    yield "| setting | is | default | |\n|---|---|---|---|"
    assert isinstance(settings, list | tuple)
    for setting in settings:
        default = "required" if setting.default is REQUIRED else _default(setting.default)
        yield f"| `{setting.name}` | {setting.rule()} | {default} | {setting.help} |"
    yield ""


def _default(value: object) -> str:
    if value is None or value in ({}, ()):
        return "none"
    from datetime import timedelta

    from keywright.text import format_duration

    return f"`{format_duration(value)}`" if isinstance(value, timedelta) else f"`{value!r}`".replace("'", '"')


def _errors() -> Iterator[str]:
    yield f"{NOTE}\n# Errors\n"
    yield (
        "Every error is a `KeywrightError`, split by what the caller does next. A message is one line: subject, rule, "
        "way out. It holds no secret and no input.\n"
    )
    for name in errors.__all__:
        kind = getattr(errors, name)
        bases = [base.__name__ for base in kind.__mro__[1:] if base.__name__ in errors.__all__]
        yield f"## {name}\n"
        yield f"`{name}`" + (f", a {' and a '.join(f'`{base}`' for base in bases[:1])}" if bases else "") + ".\n"
        yield f"{inspect.getdoc(kind)}\n"


def _hooks() -> Iterator[str]:
    yield f"{NOTE}\n# Hooks\n"
    yield f"{inspect.getdoc(hooks)}\n"
    for name, hook in vars(hooks).items():
        if name.startswith("keywright_"):
            signature = str(inspect.signature(hook)).replace("'", "")
            yield f"## {name}\n"
            yield f"```python\n@keywright.hookimpl\ndef {name}{signature}: ...\n```\n"
            yield re.sub(r"\n{3,}", "\n\n", inspect.getdoc(hook) or "") + "\n"


def _contracts() -> dict[str, str]:
    where: dict[str, str] = {}
    written = {}
    for page, (title, contracts) in CONTRACTS.items():
        lines = [f"{NOTE}\n# {title}\n"]
        for contract in contracts:
            own = [rule for rule in rules_of(contract) if rule.id not in where]
            others = [rule for rule in rules_of(contract) if rule.id in where]
            where |= {rule.id: page for rule in own}
            lines += _contract(contract, own, [_link(rule, where[rule.id], page) for rule in others])
        written[page] = "\n".join(lines)
    return written


def _contract(contract: type, rules: list[Rule], others: list[str]) -> Iterator[str]:
    yield f"## {contract.__name__}\n"
    yield f"{inspect.getdoc(contract)}\n"
    if others:
        yield f"It has these rules too: {', '.join(others)}.\n"
    for rule in rules:
        yield f"### {rule.id}\n"
        yield f"{rule.text}\n"
        if rule.why:
            yield f"**Why.** {rule.why}\n"
        if rule.do:
            yield f"**Do.** {rule.do}\n"


def _link(rule: Rule, page: str, here: str) -> str:
    name = "" if page == here else page.rpartition("/")[2]
    return f"[{rule.id}]({name}#{rule.id.lower()})"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (REFERENCE / name).parent.mkdir(parents=True, exist_ok=True)
        (REFERENCE / name).write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
