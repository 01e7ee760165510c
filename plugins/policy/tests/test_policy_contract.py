"""The plugin keeps the contract of `keywright.testing`, and its settings are as a setting must be."""

from __future__ import annotations

from typing import get_args

import keywright_policy
from keywright import REQUIRED
from keywright.events import Operation
from keywright.testing import PluginContract
from keywright_policy.rules import OPERATIONS


class TestPolicyPlugin(PluginContract):
    """The plugin module."""

    module = "keywright_policy"


def test_the_operations_are_those_that_are_reviewed() -> None:
    """A rule can name each operation of the core, and no other."""
    assert get_args(Operation) == OPERATIONS


def test_the_setting_is_explained() -> None:
    """There is one, which whoever configures the plugin has to give, and it says what it is for."""
    (setting,) = keywright_policy.SETTINGS

    assert (setting.name, setting.type, setting.default) == ("rules", "tables", REQUIRED)
    assert setting.help
