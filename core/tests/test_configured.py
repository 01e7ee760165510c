"""Plugins that are configured listen to the ring whose configuration it is, and to no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from keywright import KeyEvent, Known, Options, Registry, ReviewRequest, Setting, hookimpl
from keywright.config.load import config_from
from keywright.errors import ConfigError, PluginError, PolicyError
from keywright.ring.keyring import KeyRing

STORES = {"stores": {"main": {"backend": "memory"}}}


class Listener:
    """Objects to names that start with a text, and remembers what it heard."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.heard: list[str] = []

    @hookimpl
    def keywright_review(self, request: ReviewRequest) -> Sequence[str]:
        return [f"{request.name} is not to be"] if request.name.startswith(self.prefix) else []

    @hookimpl
    def keywright_observe(self, event: KeyEvent) -> None:
        self.heard.append(f"{event.operation} {event.name} {event.outcome}")


class Rules:
    """A plugin with a setting."""

    KEYWRIGHT_API = 1
    SETTINGS = (Setting("prefix", "text", "", "what names must not start with"),)

    def __init__(self) -> None:
        self.made: list[object] = []
        self.returned: Any = Listener

    @hookimpl
    def keywright_configure(self, options: Options) -> object:
        made = self.returned(options.text("prefix")) if options.text("prefix") else None
        self.made.append(made)
        return made


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def registry(rules: Rules) -> Registry:
    """Key types, nix and memory, and the plugin `rules`."""
    registry = Registry.load(("keytypes", "nix", "memory"))
    registry.add(rules, "rules")
    return registry


def opened(registry: Registry, **tables: object) -> KeyRing:
    return KeyRing(config_from({**STORES, **tables}), registry)


def test_it_is_told_what_there_is_to_name(registry: Registry) -> None:
    """A plugin that asks for `known` learns the key types and formats that are installed, and which have sizes."""

    class Naming:
        KEYWRIGHT_API = 1
        heard: Known | None = None

        @hookimpl
        def keywright_configure(self, options: Options, known: Known) -> object:
            self.heard = known
            return None

    naming = Naming()
    registry.add(naming, "naming")

    opened(registry, plugin={"naming": {}})

    assert naming.heard == Known(tuple(registry.key_types), ("nix",), frozenset({"oct", "rsa"}))
    assert "ed25519" in naming.heard.key_types


def test_its_listener_hears_the_ring(registry: Registry, rules: Rules) -> None:
    """What the plugin made of its table reviews and observes what this ring does, and what no other ring does."""
    ring = opened(registry, plugin={"rules": {"prefix": "bad"}})
    other = opened(registry, plugin={"rules": {"prefix": "worse"}})
    free = opened(registry)

    ring.generate("good")
    other.generate("bad")
    free.generate("bad")
    with pytest.raises(PolicyError) as caught:
        ring.generate("bad")

    assert str(caught.value) == "generate of bad is refused by plugin 'rules': bad is not to be"
    assert [listener and listener.heard for listener in rules.made] == [  # type: ignore[attr-defined]  # (they are Listeners)
        ["generate good done", "generate bad PolicyError"],
        ["generate bad done"],
    ]
    assert free.plugins is registry


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(
            {"ruels": {}}, "given settings: plugin.ruels is of no plugin that has settings (did you mean 'rules'?); "
            "there are: rules", id="no such plugin",
        ),
        pytest.param(
            {"nix": {}}, "given settings: plugin.nix is of no plugin that has settings; there are: rules",
            id="a plugin without settings",
        ),
        pytest.param(
            {"rules": {"prefx": "a"}},
            "given settings: plugin.rules.prefx is no setting of plugin 'rules' (did you mean 'prefix'?); "
            "it has: prefix",
            id="no such setting",
        ),
        pytest.param(
            {"rules": {"prefix": 1}}, "given settings: plugin.rules.prefix must be text", id="another type",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_table_refuses_the_ring(registry: Registry, table: object, message: str) -> None:
    """A policy that is misspelt must not count as none."""
    with pytest.raises(ConfigError) as caught:
        opened(registry, plugin=table)

    assert str(caught.value) == message


def test_a_plugin_that_did_not_load_refuses_the_ring() -> None:
    """The table of a plugin that failed on import is an error, and says why."""
    registry = Registry.load(("keytypes", "nix", "memory"))
    registry.add(object(), "rules")

    with pytest.raises(ConfigError) as caught:
        opened(registry, plugin={"rules": {}})

    assert str(caught.value) == (
        "given settings: plugin.rules is of no plugin that has settings; there are: none. plugin 'rules': does not say "
        "which keywright API it is for; this keywright has API 1: install a version that fits"
    )


def test_what_the_plugin_finds_wrong_has_its_place(registry: Registry, rules: Rules) -> None:
    """A ConfigError of the plugin's own is told with file and table; anything else is the plugin's fault."""

    def refuse(_prefix: str) -> object:
        raise ConfigError("prefix must not be x; choose another")

    def fail(_prefix: str) -> object:
        raise ValueError("secret words")

    rules.returned = refuse
    with pytest.raises(ConfigError) as caught:
        opened(registry, plugin={"rules": {"prefix": "x"}})
    assert str(caught.value) == "given settings: plugin.rules: prefix must not be x; choose another"

    rules.returned = fail
    with pytest.raises(PluginError) as failed:
        opened(registry, plugin={"rules": {"prefix": "x"}})
    assert str(failed.value) == "plugin 'rules' failed in keywright_configure with ValueError; report it to its author"


def test_an_object_that_listens_to_nothing_we_know_is_refused(registry: Registry, rules: Rules) -> None:
    """A misspelt hook on what the plugin returned would be a policy that is never asked."""

    class Misspelt:
        def __init__(self, _prefix: str) -> None: ...

        @hookimpl
        def keywright_reviw(self) -> None: ...

    rules.returned = Misspelt
    with pytest.raises(PluginError) as caught:
        opened(registry, plugin={"rules": {"prefix": "x"}})

    assert str(caught.value) == (
        "plugin 'rules' returned an object from keywright_configure that implements keywright_reviw, which is no hook "
        "of keywright (did you mean 'keywright_review'?)"
    )
