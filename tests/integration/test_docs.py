"""No hook, setting, error, command or rule without its words. (Docstrings are checked by ruff.)"""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import FunctionType

import pytest

import keywright
from keywright import Registry, errors, testing
from keywright.cli.commands import core_commands
from keywright.plugins import hooks
from keywright.plugins.commands import Command
from keywright.testing.rules import rules_of

HOUSE = Path(__file__).parents[2]
PLUGINS = Registry.load()

DOCS = "\n".join(path.read_text() for path in sorted((HOUSE / "docs").rglob("*.md")))


def commands() -> list[Command]:
    """All commands, the core's and the plugins'."""
    table = core_commands(lambda: PLUGINS)
    PLUGINS.add_commands(table)
    return list(table.table.values())


HOOKS = [name for name in vars(hooks) if name.startswith("keywright_")]
ERRORS = list(errors.__all__)

EXPORTED = [name for name in keywright.__all__ if isinstance(getattr(keywright, name), type | FunctionType)]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_when_it_is_called_and_what_happens_when_it_raises(hook: str) -> None:
    """A hook's docstring answers the questions of anyone who implements it, and the reference page names it."""
    words = inspect.getdoc(getattr(hooks, hook)) or ""

    assert re.search(r"\bcalled\b", words, re.IGNORECASE)
    assert re.search(r"raises|failures handled", words)
    assert hook in DOCS


@pytest.mark.parametrize("name", EXPORTED)
def test_everything_that_is_exported_has_its_place_in_the_reference(name: str) -> None:
    """Classes and functions stand on the page of the Python reference."""
    assert f"::: keywright.{name}\n" in (HOUSE / "docs/reference/python.md").read_text()


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_explained(error: str) -> None:
    """An error says what the caller does next, and the reference page has it with its exit code."""
    assert inspect.getdoc(getattr(errors, error))
    assert f"`{error}`" in DOCS


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command.path))
def test_every_command_has_help_and_an_example(command: Command) -> None:
    """A command has one line of help, examples that start with its own words, and a place in the reference page."""
    words = "keywright " + " ".join(command.path)

    assert command.help
    assert "\n" not in command.help
    assert any(words in example for example in command.examples)
    assert f"`{words}`" in DOCS


@pytest.mark.parametrize("role", ["key_types", "store_backends", "seals"])
def test_every_setting_has_help_and_a_place_in_the_docs(role: str) -> None:
    """What a plugin lets people set is explained in `--help` and on the reference page."""
    for plugin in getattr(PLUGINS, role).values():
        for setting in plugin.settings:
            assert setting.help, (plugin.name, setting.name)
            assert f"`{setting.name}`" in DOCS, (plugin.name, setting.name)


CONTRACTS = [name for name in testing.__all__ if name.endswith("Contract")]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_rule_of_a_contract_is_explained(contract: str) -> None:
    """A rule has an id that its method's name agrees with, a sentence, a reason, what to do, and a place to link to."""
    page = "\n".join(path.read_text() for path in (HOUSE / "docs" / "reference" / "contracts").glob("*.md"))
    for rule in rules_of(getattr(testing, contract)):
        letters, _, number = rule.id.partition("-")
        assert rule.method.startswith(f"test_{letters.lower()}_{number}_"), rule.method
        assert all((rule.text, rule.why, rule.do)), rule.id
        assert page.count(f"\n### {rule.id}\n\n{rule.text}\n") == 1, f"run docs/generate.py: {rule.id}"


def test_no_id_stands_for_two_rules() -> None:
    """An id is one rule, whichever contracts have it."""
    methods: dict[str, set[str]] = {}
    for contract in CONTRACTS:
        for rule in rules_of(getattr(testing, contract)):
            methods.setdefault(rule.id, set()).add(rule.method)

    assert {id_: names for id_, names in methods.items() if len(names) > 1} == {}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_contract_is_in_the_guide(contract: str) -> None:
    """Anyone who writes a plugin finds each contract in the guide and in the index of contracts."""
    for page in ("guides/write-a-plugin.md", "reference/contracts/index.md"):
        assert f"`{contract}`" in (HOUSE / "docs" / page).read_text(), page


def test_the_reference_pages_are_what_the_code_declares() -> None:
    """`python docs/generate.py` would change nothing."""
    spec = importlib.util.spec_from_file_location("generate", HOUSE / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)

    for name, text in generate.pages().items():
        assert (HOUSE / "docs" / "reference" / name).read_text() == text.rstrip() + "\n", (
            f"run docs/generate.py: {name}"
        )
