"""Programs that look at a plugin module in a fresh interpreter, where nothing is loaded and nothing was asked yet."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

__all__ = ["changes_to_the_process", "loaded_by_importing", "names_in_order"]

_KEPT: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")

# What starting to use a module loads beyond what keywright itself has loaded, third-party modules first.
_LOADED: Final = """
import sys
from keywright import Capabilities, Key, Options, Record, Setting, Store, hookimpl  # keywright's, not the plugin's
from importlib import import_module
before = set(sys.modules)
plugin = import_module(sys.argv[1])
for name in sorted(vars(plugin)):
    if name.startswith("keywright_register_"):
        getattr(plugin, name)()
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
foreign = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("keywright")}
slow = (set(sys.modules) - before) & set(sys.argv[2].split(","))
print(*sorted(foreign | slow))
"""

_SLOW: Final = (
    "argparse,asyncio,concurrent.futures,ctypes,email,http,importlib.metadata,inspect,json,logging,multiprocessing,"
    "pathlib,random,shutil,socket,sqlite3,ssl,subprocess,tempfile,unittest,urllib.request,uuid,xml,zipfile"
)

_NAMES: Final = """
import sys
from importlib import import_module
plugin = import_module(sys.argv[1])
for name in sys.argv[2:]:
    if hasattr(plugin, name):
        print(name, *(item.name for item in getattr(plugin, name)()))
"""

_CHANGES: Final = """
import os, signal, sys, threading, warnings
from importlib import import_module
def seen():
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    hooks = [sys.excepthook, sys.displayhook, sys.stdout, sys.stderr, sys.getrecursionlimit(), os.umask(0o77)]
    return {
        "threads": threading.active_count(), "signals": handlers, "environment": dict(os.environ), "hooks": hooks,
        "directory": os.getcwd(), "path": list(sys.path), "warnings": list(warnings.filters),
    }
os.umask(0o77)
before = seen()
plugin = import_module(sys.argv[1])
for name in sorted(vars(plugin)):
    if name.startswith("keywright_register_"):
        getattr(plugin, name)()
after = seen()
print(*(what for what in before if before[what] != after[what]))
"""


def loaded_by_importing(module: str) -> str:
    """Third-party modules, and slow ones of Python's own, that are loaded once the module gave its objects."""
    return _run(_LOADED, module, _SLOW)


def names_in_order(module: str, hooks: list[str]) -> list[str]:
    """What each of the hooks that the module has returns, called in this order: a line of names for each, sorted."""
    return sorted(_run(_NAMES, module, *hooks).splitlines())


def changes_to_the_process(module: str) -> str:
    """What is different in a process once the module gave its objects: `threads`, `signals`, `environment`, …"""
    return _run(_CHANGES, module)


def _run(program: str, *arguments: str) -> str:
    """What a program prints, on both streams; a plugin that prints is seen as well."""
    # Not all variables, for this process may have imported the plugin, and a measurement of coverage is an import.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = subprocess.run(  # noqa: S603 - our own interpreter and programs
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    return (done.stdout + done.stderr).rstrip("\n")
