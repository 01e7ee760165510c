"""The contract of plugins passes a sound module, and catches each planted fault by the rule beside it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pluggy
import pytest
from planted import fails

from keywright.plugins import hooks
from keywright.testing import PluginContract
from keywright.testing.rules import rules_of

_SOUND = '''"""A plugin to be spoilt."""

from keywright import Setting, hookimpl

KEYWRIGHT_API = 1


class Plain:
    """Keys of no use."""

    name = "plain"
    settings = (
        Setting("bits", "integer", default=256, help="Length in bits.", minimum=128, maximum=512, multiple_of=8),
        Setting("shape", "text", default="round", help="Its shape.", choices=("round", "square")),
    )
    algorithms = ()

    def generate(self, options): ...

    def validate(self, key): ...

    def bits(self, key): ...

    def signer(self, key, algorithm): ...

    def verifier(self, key, algorithm): ...


class Lines:
    """Lines of no use."""

    name = "lines"
    key_types = ("plain",)
    carries_kid = True

    def encode_secret(self, key): ...

    def encode_public(self, key): ...

    def decode(self, data, *, default_kid): ...

    def default_kid(self, name, version, key): ...

    def sniff(self, data): ...


@hookimpl
def keywright_register_key_types():
    return [Plain()]


@hookimpl
def keywright_register_formats():
    return [Lines()]


@hookimpl
def keywright_add_commands(commands):
    commands.add(
        "plain show",
        help="show what is plain",
        configure=lambda parser: parser.add_argument("what", help="what to show"),
        run=lambda arguments, context: 0,
        examples=["keywright plain show it"],
    )
'''

_ONCE = """    global LEFT
    taken, LEFT = LEFT, []
    return taken"""
_THREAD = """    import threading, time
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    return [Lines()]"""
_ORDER = """    global Known
    Known = True
    return [Plain()]"""

# What it does wrong: what is replaced in the sound module, and by what.
_FAULTS = {
    "PLUGIN-01: slow import": ("KEYWRIGHT_API", "import json\n\nKEYWRIGHT_API"),
    "PLUGIN-01: third-party import": ("KEYWRIGHT_API", "import hypothesis\n\nKEYWRIGHT_API"),
    "PLUGIN-01: slow hook": ("    return [Lines()]", "    import logging\n    return [Lines()]"),
    "PLUGIN-01: greets at import": ("KEYWRIGHT_API", "print('hello')\n\nKEYWRIGHT_API"),
    "PLUGIN-02: another API": ("API = 1", "API = 2"),
    "PLUGIN-02: no API": ("KEYWRIGHT_API = 1", ""),
    "PLUGIN-02: API as text": ("API = 1", 'API = "1"'),
    "PLUGIN-03: misspelt hook": ("def keywright_register_formats", "def keywright_register_format"),
    "PLUGIN-03: no hooks": ("@hookimpl\n", ""),
    "PLUGIN-15: one hook without its mark": ("@hookimpl\ndef keywright_add_commands", "def keywright_add_commands"),
    "PLUGIN-04: no entry point": ("", ""),
    "PLUGIN-05: another signature": ("data, *, default_kid", "data, default_kid"),
    "PLUGIN-05: a parameter more": ("def bits(self, key)", "def bits(self, key, unit)"),
    "PLUGIN-05: a method missing": ("    def sniff(self, data): ...", ""),
    "PLUGIN-06: a name in capitals": ('"plain"\n', '"Plain"\n'),
    "PLUGIN-06: two objects of one name": ("[Plain()]", "[Plain(), Plain()]"),
    "PLUGIN-07: a setting without help": ('help="Length in bits."', 'help=""'),
    "PLUGIN-07: bounds of a text": ('help="Its shape."', 'help="Its shape.", minimum=1'),
    "PLUGIN-07: a setting in capitals": ('"shape"', '"Shape"'),
    "PLUGIN-07: a setting of the plugin without help": (
        "KEYWRIGHT_API = 1",
        "KEYWRIGHT_API = 1\nSETTINGS = (Setting('rules', 'tables', (), ''),)",
    ),
    "PLUGIN-08: a hook that works once": ("    return [Plain()]", _ONCE + "\n\n\nLEFT = [Plain()]"),
    "PLUGIN-09: no example": ('examples=["keywright plain show it"]', "examples=[]"),
    "PLUGIN-09: an example that does not run": ("keywright plain show it", "plain show it"),
    "PLUGIN-09: help of two lines": ("show what is plain", "show\\nit"),
    "PLUGIN-09: help that does not print": ('help="what to show"', 'help="100% of it"'),
    "PLUGIN-10: a reserved setting": ('"bits"', '"kid"'),
    "PLUGIN-10: a class for an object": ("[Lines()]", "[Lines]"),
    "PLUGIN-10: a generator": ("    return [Lines()]", "    yield Lines()"),
    "PLUGIN-11: needs another hook": ("    return [Lines()]", "    return [Lines()] if Known else []"),
    "PLUGIN-12: a class without words": ('    """Keys of no use."""\n', ""),
    "PLUGIN-12: a module without words": ('"""A plugin to be spoilt."""\n', ""),
    "PLUGIN-13: a default out of bounds": ("default=256", "default=64"),
    "PLUGIN-13: a default between the steps": ("default=256", "default=130"),
    "PLUGIN-13: a default that is not a choice": ('default="round"', 'default="flat"'),
    "PLUGIN-13: a default of another type": ("default=256", 'default="256"'),
    "PLUGIN-13: a secret that comes along": (
        "KEYWRIGHT_API = 1",
        "KEYWRIGHT_API = 1\nSETTINGS = (Setting('old', 'secrets', (b'1',), 'Older ones.'),)",
    ),
    "PLUGIN-14: variable": ("KEYWRIGHT_API", 'import os; os.environ["X"] = "1"\n\nKEYWRIGHT_API'),
    "PLUGIN-14: thread": ("    return [Lines()]", _THREAD),
    "PLUGIN-14: limit": ("KEYWRIGHT_API", "import sys; sys.setrecursionlimit(9999)\n\nKEYWRIGHT_API"),
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Puts a module on the path of this process and of those that it starts, as an installer would; gives its name."""
    names: list[str] = []

    def install(source: str, *, entry_point: bool = True) -> str:
        name = f"keywright_planted_{len(names)}"
        folder = tmp_path / name
        information = folder / f"{name}-1.0.dist-info"
        information.mkdir(parents=True)
        (folder / f"{name}.py").write_text(source)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        group = "keywright" if entry_point else "elsewhere"
        (information / "entry_points.txt").write_text(f"[{group}]\nplanted = {name}\n")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        names.append(name)
        return name

    yield install
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("text", _FAULTS)
def test_a_faulty_plugin_is_caught(text: str, installed: Callable[..., str]) -> None:
    """Each planted fault fails the rule that forbids it, and the module without the fault passes."""
    rule, (old, new) = text.partition(": ")[0], _FAULTS[text]
    if "Known" in new:
        spoilt = _SOUND.replace("    return [Plain()]", _ORDER).replace(old, new) + "\n\nKnown = False\n"
    else:
        spoilt = _SOUND.replace(old, new)

    def broken(source: str, *, entry_point: bool) -> bool:
        name = installed(source, entry_point=entry_point)
        plugin = importlib.import_module(name)
        manager = pluggy.PluginManager("keywright")
        manager.add_hookspecs(hooks)
        manager.register(plugin)
        contract = type("Contract", (PluginContract,), {"module": name})
        return fails(contract, rule, lambda: nullcontext({"plugin": plugin, "manager": manager}))

    assert old in _SOUND
    assert broken(spoilt, entry_point=rule != "PLUGIN-04")
    assert not broken(_SOUND, entry_point=True)


def test_every_rule_has_a_planted_fault() -> None:
    """Each rule is one that a fault breaks."""
    assert {text.partition(": ")[0] for text in _FAULTS} == {rule.id for rule in rules_of(PluginContract)}
