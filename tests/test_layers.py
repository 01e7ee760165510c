"""The rules of the house: who may import whom, and what happens at import."""

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
PUBLIC = {"keywright", "keywright.errors", "keywright.files", "keywright.testing"}
VALUES = ("errors", "secret", "keys", "records")
# What a value may import: the standard library and other values.
WORKFLOW = {"keywright.ring", "keywright.plugins.registry", "keywright.config", "keywright.cli", "keywright.lifecycle"}


def imports(path: Path) -> Iterator[str]:
    """The modules that a file names in import statements, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def imports_at_run_time(path: Path) -> Iterator[str]:
    """The modules that a file's own level imports, `if TYPE_CHECKING` left out."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_core_imports_no_plugin_and_no_third_party_but_pluggy(path: Path) -> None:
    """The core stands on the standard library and pluggy; its test kit also on pytest and hypothesis."""
    allowed = {"keywright", "pluggy", *sys.stdlib_module_names}
    if "testing" in path.parts:
        allowed |= {"pytest", "hypothesis", "_pytest"}

    foreign = {module for module in imports(path) if module.partition(".")[0] not in allowed}

    assert not foreign


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_what_any_strangers_would(plugin: Path) -> None:
    """A plugin uses what the public modules of keywright export, and never another plugin."""
    own = f"keywright_{plugin.name}"
    for path in plugin.rglob("*.py"):
        named = {module for module in imports(path) if module.partition(".")[0].startswith("keywright")}
        inner = {module for module in named if module.partition(".")[0] == "keywright"} - PUBLIC
        others = {module for module in named if module.partition(".")[0] not in ("keywright", own)}

        assert not others, path
        assert not inner or "tests" in path.parts, (path, inner)


@pytest.mark.parametrize("value", VALUES)
def test_values_know_nothing_of_workflow(value: str) -> None:
    """A value module imports values and the standard library alone."""
    ours = {module for module in imports(CORE / f"{value}.py") if module.startswith("keywright")}

    assert ours <= {f"keywright.{name}" for name in VALUES}


def test_config_knows_no_plugin() -> None:
    """The configuration modules import neither the registry nor the ring."""
    for path in (CORE / "config").glob("*.py"):
        assert not {
            module for module in imports(path) if module.startswith(("keywright.plugins.registry", "keywright.ring"))
        }


def test_only_the_command_line_knows_the_command_line() -> None:
    """No module but the kit, which proves commands, imports `keywright.cli`: what it does can be had in Python."""
    for path in CORE.rglob("*.py"):
        if not {"cli", "testing"} & set(path.parts) and path.name != "__main__.py":
            assert not [module for module in imports_at_run_time(path) if module.startswith("keywright.cli")], path


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
    assert not {module for module in loaded if any(module.startswith(flow) for flow in WORKFLOW)}


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
    """Whoever installs `keywright` gets every plugin in `plugins/`, at the same version."""
    root = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]

    wanted = {f"keywright-{plugin.name}=={root['version']}" for plugin in PLUGINS}
    assert set(root["dependencies"]) == wanted | {f"keywright-core=={root['version']}"}
