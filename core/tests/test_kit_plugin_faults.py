"""The contract of plugins passes a sound module, and catches each planted fault by a rule whose id fits."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pluggy
import pytest

from keywright.plugins import hooks
from keywright.testing import PluginContract

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

    def complete(self, key): ...

    def bits(self, key): ...

    def signer(self, key, algorithm): ...

    def verifier(self, key, algorithm): ...


class Lines:
    """Lines of no use."""

    name = "lines"
    key_types = ("plain",)

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

_GENERATOR = "    yield Lines()"
_ONCE = """    global LEFT
    taken, LEFT = LEFT, []
    return taken"""
_ORDER = """    global Known
    Known = True
    return [Plain()]"""

# What is replaced, by what, and the rule that tells.
_FAULTS = [
    pytest.param("KEYWRIGHT_API", "import json\n\nKEYWRIGHT_API", "PLUGIN-01", id="slow import"),
    pytest.param("KEYWRIGHT_API", "import hypothesis\n\nKEYWRIGHT_API", "PLUGIN-01", id="third-party import"),
    pytest.param("    return [Lines()]", "    import logging\n    return [Lines()]", "PLUGIN-01", id="slow hook"),
    pytest.param("KEYWRIGHT_API", "print('hello')\n\nKEYWRIGHT_API", "PLUGIN-01", id="greets at import"),
    pytest.param("API = 1", "API = 2", "PLUGIN-02", id="another API"),
    pytest.param("KEYWRIGHT_API = 1", "", "PLUGIN-02", id="no API"),
    pytest.param("API = 1", 'API = "1"', "PLUGIN-02", id="API as text"),
    pytest.param("def keywright_register_formats", "def keywright_register_format", "PLUGIN-03", id="misspelt hook"),
    pytest.param("@hookimpl\n", "", "PLUGIN-03", id="no hooks"),
    pytest.param("", "", "PLUGIN-04", id="no entry point"),
    pytest.param("data, *, default_kid", "data, default_kid", "PLUGIN-05", id="another signature"),
    pytest.param("def bits(self, key)", "def bits(self, key, unit)", "PLUGIN-05", id="a parameter more"),
    pytest.param("    def sniff(self, data): ...", "", "PLUGIN-05", id="a method missing"),
    pytest.param('"plain"\n', '"Plain"\n', "PLUGIN-06", id="a name in capitals"),
    pytest.param("[Plain()]", "[Plain(), Plain()]", "PLUGIN-06", id="two objects of one name"),
    pytest.param('help="Length in bits."', 'help=""', "PLUGIN-07", id="a setting without help"),
    pytest.param('help="Its shape."', 'help="Its shape.", minimum=1', "PLUGIN-07", id="bounds of a text"),
    pytest.param('"shape"', '"Shape"', "PLUGIN-07", id="a setting in capitals"),
    pytest.param("    return [Plain()]", _ONCE + "\n\n\nLEFT = [Plain()]", "PLUGIN-08", id="a hook that works once"),
    pytest.param('examples=["keywright plain show it"]', "examples=[]", "PLUGIN-09", id="no example"),
    pytest.param("keywright plain show it", "plain show it", "PLUGIN-09", id="an example that does not run"),
    pytest.param("show what is plain", "show\\nit", "PLUGIN-09", id="help of two lines"),
    pytest.param('help="what to show"', 'help="100% of it"', "PLUGIN-09", id="help that does not print"),
    pytest.param('"bits"', '"kid"', "PLUGIN-10", id="a reserved setting"),
    pytest.param("[Lines()]", "[Lines]", "PLUGIN-10", id="a class for an object"),
    pytest.param("    return [Lines()]", _GENERATOR, "PLUGIN-10", id="a generator"),
    pytest.param("    return [Lines()]", "    return [Lines()] if Known else []", "PLUGIN-11", id="needs another hook"),
    pytest.param('    """Keys of no use."""\n', "", "PLUGIN-12", id="a class without words"),
    pytest.param('"""A plugin to be spoilt."""\n', "", "PLUGIN-12", id="a module without words"),
    pytest.param("default=256", "default=64", "PLUGIN-13", id="a default out of bounds"),
    pytest.param("default=256", "default=130", "PLUGIN-13", id="a default between the steps"),
    pytest.param('default="round"', 'default="flat"', "PLUGIN-13", id="a default that is no choice"),
    pytest.param("default=256", 'default="256"', "PLUGIN-13", id="a default of another type"),
    pytest.param(
        "KEYWRIGHT_API = 1",
        "KEYWRIGHT_API = 1\nSETTINGS = (Setting('rules', 'tables', (), ''),)",
        "PLUGIN-07",
        id="a setting of the plugin without help",
    ),
    pytest.param(
        "KEYWRIGHT_API = 1",
        "KEYWRIGHT_API = 1\nSETTINGS = (Setting('old', 'secrets', (b'1',), 'Older ones.'),)",
        "PLUGIN-13",
        id="a secret that comes along",
    ),
    pytest.param("KEYWRIGHT_API", 'import os; os.environ["X"] = "1"\n\nKEYWRIGHT_API', "PLUGIN-14", id="variable"),
    pytest.param(
        "    return [Lines()]",
        "    import threading, time\n"
        "    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()\n    return [Lines()]",
        "PLUGIN-14",
        id="thread",
    ),
    pytest.param("KEYWRIGHT_API", "import sys; sys.setrecursionlimit(9999)\n\nKEYWRIGHT_API", "PLUGIN-14", id="limit"),
]


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


@pytest.mark.parametrize(("old", "new", "rule"), _FAULTS)
def test_a_faulty_plugin_is_caught(
    old: str, new: str, rule: str, installed: Callable[..., str], fails: Callable[..., bool]
) -> None:
    """Each planted fault fails the rule that forbids it, and the module without the fault passes."""
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
        return fails(type("_Contract", (PluginContract,), {"module": name}), rule, plugin=plugin, manager=manager)

    assert old in _SOUND
    assert broken(spoilt, entry_point=rule != "PLUGIN-04")
    assert not broken(_SOUND, entry_point=True)
