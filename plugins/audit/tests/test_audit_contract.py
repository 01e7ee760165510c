"""The plugin keeps the contract of `keywright.testing`; its settings are as a setting must be."""

from __future__ import annotations

import subprocess
import sys

import pytest
from refusals import refuses

import keywright_audit
from keywright import Options
from keywright.errors import ConfigError
from keywright.testing import PluginContract


class TestAuditPlugin(PluginContract):
    """The plugin module."""

    module = "keywright_audit"


def test_the_settings_are_explained() -> None:
    """Each has words; nothing is logged, and nothing is required, unless someone says so."""
    settings = {setting.name: (setting.type, setting.default) for setting in keywright_audit.SETTINGS}

    assert settings == {"path": ("path", None), "required": ("boolean", False)}
    assert all(setting.help for setting in keywright_audit.SETTINGS)


def test_without_a_path_nothing_listens() -> None:
    """A ring whose audit log is not configured asks no one."""
    assert keywright_audit.keywright_configure(Options({"path": None, "required": False})) is None


def test_what_is_required_needs_a_path() -> None:
    """`required` alone would refuse everything, or nothing."""
    with refuses(ConfigError, "required is true, but path is not set; set the path of the log"):
        keywright_audit.keywright_configure(Options({"path": None, "required": True}))


def test_a_system_without_file_locks_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes at once would tear the chain there."""
    monkeypatch.setitem(sys.modules, "fcntl", None)

    with refuses(ConfigError, "the audit log needs POSIX file locks, which this system lacks; remove path"):
        keywright_audit.keywright_configure(Options({"path": "/x", "required": False}))


def test_configuring_opens_nothing_and_loads_little() -> None:
    """A command that does nothing to a key does not pay for the log."""
    script = (
        "import sys, keywright_audit; from keywright import Options\n"
        "keywright_audit.keywright_configure(Options({'path': '/nowhere/x', 'required': True}))\n"
        "print(*sorted({'json', 'hashlib', 'logging', 'keywright_audit.log'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("\n", "")
