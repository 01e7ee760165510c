"""What an import loads, how plugins are packaged, and what `lint-imports` cannot see: third-party imports, tests."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
CORE = HOUSE / "core" / "src" / "keywright"
PLUGINS = sorted(path.parent for path in (HOUSE / "plugins").glob("*/pyproject.toml"))
WORKFLOW = ("keywright.ring", "keywright.plugins.registry", "keywright.config", "keywright.cli", "keywright.lifecycle")


def packages(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever the statements stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_core_needs_pluggy_alone() -> None:
    """The core stands on the standard library and pluggy; its test kit also on pytest and hypothesis."""
    for path in CORE.rglob("*.py"):
        kit = {"pytest", "hypothesis", "_pytest"} if "testing" in path.parts else set()

        assert {*packages(path)} <= {"keywright", "pluggy", *kit, *sys.stdlib_module_names}, path


def test_no_test_of_a_plugin_needs_another_plugin() -> None:
    """The tests of a plugin pass where it is the only one that is installed."""
    for plugin in PLUGINS:
        for path in (plugin / "tests").rglob("*.py"):
            ours = {name for name in packages(path) if name.startswith("keywright")}

            assert ours <= {"keywright", f"keywright_{plugin.name}"}, path


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_importing_a_plugin_imports_no_third_party(plugin: Path) -> None:
    """`import keywright_X`, and asking it for its objects, loads the standard library, keywright and pluggy alone."""
    # With an empty environment, or a coverage measurement would be seen as an import.
    script = (
        f"import sys, keywright_{plugin.name} as plugin\n"
        "for name in dir(plugin):\n"
        "    if name.startswith('keywright_register'): getattr(plugin, name)()\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "ours = {name for name in tops if name.startswith('keywright')}\n"
        "print(*sorted(tops - set(sys.stdlib_module_names) - ours - {'pluggy', '__main__'}))\n"
        "print(*sorted(tops & {'json', 'logging', 'tempfile', 'pathlib', 'sqlite3', 'argparse', 'asyncio'}))"
    )

    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True, env={})

    third_party, heavy = done.stdout.splitlines()
    assert [name for name in third_party.split() if not name.startswith(("_", "sitecustomize"))] == []
    assert heavy == ""


def test_importing_keywright_loads_no_workflow() -> None:
    """`import keywright` is for plugins and values: what only users of a ring need is loaded on first use."""
    script = "import sys, keywright; print(*sorted(name for name in sys.modules if name.startswith('keywright.')))"

    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True, env={})

    loaded = set(done.stdout.split())
    assert not [module for module in loaded if module.startswith(WORKFLOW)]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_our_plugins_come_in_through_entry_points(plugin: Path) -> None:
    """Each plugin is a distribution of its own with an entry point of the group `keywright`, as a stranger's.

    Where the package is a library besides, the plugin is its module `plugin`.
    """
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]

    assert project["name"] == f"keywright-{plugin.name}"
    package = f"keywright_{plugin.name}"
    module = f"{package}.plugin" if (plugin / "src" / package / "plugin.py").exists() else package
    assert project["entry-points"]["keywright"] == {plugin.name: module}
    assert project["requires-python"] == ">=3.11"
    assert (plugin / "README.md").is_file()


def test_the_root_depends_on_every_standard_plugin() -> None:
    """Anyone who installs `keywright` gets every plugin in `plugins/`, at the same version."""
    root = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]

    wanted = {f"keywright-{plugin.name}=={root['version']}" for plugin in PLUGINS}
    assert set(root["dependencies"]) == wanted | {f"keywright-core=={root['version']}"}
