"""Plugins that review, observe, add commands, and have settings of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from made_plugins import NOW, REQUEST, failures, plugin
from refusals import refuses
from tables import cases

from keywright import InstalledNames, KeyEvent, Options, Registry, ReviewRequest, Setting, hookimpl
from keywright.config.load import config_from
from keywright.errors import ConfigError, PluginError, PolicyError, StoreUnavailableError
from keywright.plugins.commands import Commands
from keywright.ring.keyring import KeyRing

EVENT = KeyEvent(
    operation="generate", who="ann", name="cache", version=1, kid="cache-1", store="local", outcome="done", time=NOW
)


def fail(error: BaseException) -> object:
    """Raises it."""
    raise error


class Unprintable:
    """An objection that cannot be said."""

    def __str__(self) -> str:
        raise RuntimeError("speechless")


BOOM = RuntimeError("boom\nand more")
FAILS = "its review failed with {}".format
RETURNS = FAILS("TypeError: it returned {}, and not a list or tuple")


@cases(
    ("review", "said"),
    {
        "objects": (lambda request: ["too short"], "too short"),
        "objects twice": (lambda request: ("too short", "too\n  old"), "too short; too old"),
        "is given the request": (lambda request: [f"{request.who} may not"], "ann may not"),
        "takes no argument": (lambda: ["never"], "never"),
        "raises": (lambda request: fail(BOOM), FAILS("RuntimeError: boom and more")),
        "exits": (lambda request: fail(SystemExit(3)), FAILS("SystemExit: 3")),
        "raises anything": (lambda request: fail(BaseException("stopped")), FAILS("BaseException: stopped")),
        "returns text": (lambda request: "no", RETURNS.format("str")),
        "returns true": (lambda request: True, RETURNS.format("bool")),
        "returns false": (lambda request: False, RETURNS.format("bool")),
        "returns an empty text": (lambda request: "", RETURNS.format("str")),
        "returns zero": (lambda request: 0, RETURNS.format("int")),
        "returns an empty dict": (lambda request: {}, RETURNS.format("dict")),
        "returns an empty set": (lambda request: set(), RETURNS.format("set")),
        "objects silently": (lambda request: [""], "it gives no reason"),
        "objects in blanks": (lambda request: (" ", "\n"), "it gives no reason"),
        "objects by none": (lambda request: [None], "None"),
        "objects unprintably": (lambda request: [Unprintable()], FAILS("RuntimeError: speechless")),
    },
)
def test_review_refuses(review: Callable[..., object], said: str) -> None:
    """An objection refuses the operation, and so does a review that failed."""
    registry = Registry()
    registry.add(plugin(review=lambda request: ()), "calm")
    registry.add(plugin(review=review), "strict")

    with refuses(PolicyError, f"generate of cache is refused by plugin 'strict': {said}"):
        registry.observers().review(REQUEST)


def test_every_plugin_reviews() -> None:
    """Every plugin is asked, and all that object are named at once; where no one does, nothing is raised."""
    registry = Registry()
    returned: object
    for returned in ((), [], None):
        registry.add(plugin(review=lambda request, returned=returned: returned), f"calm {returned}")
    registry.observers().review(REQUEST)
    registry.add(plugin(review=lambda request: ["too short"]), "one")
    registry.add(plugin(review=lambda request: ["too old"]), "two")

    message = "generate of cache is refused by plugin 'one': too short; and by plugin 'two': too old"
    with refuses(PolicyError, message):
        registry.observers().review(REQUEST)


def test_observers_hear_the_event() -> None:
    """Every observer is told, also one that does not care what it was, or is a hook by pluggy's `specname`."""
    heard: list[object] = []
    module = SimpleNamespace(KEYWRIGHT_API=1)
    module.remember = hookimpl(specname="keywright_observe")(lambda event: heard.append(("three", event)))
    registry = Registry()
    registry.add(plugin(observe=lambda event: heard.append(("one", event))), "one")
    registry.add(plugin(observe=lambda: heard.append("two")), "two")
    registry.add(module, "three")

    registry.observers().observe(EVENT)

    assert heard == [("one", EVENT), "two", ("three", EVENT)]


@cases(
    ("error", "message"),
    {
        "raises": (BOOM, "RuntimeError: boom and more"),
        "exits": (SystemExit(3), "SystemExit: 3"),
        "says why": (StoreUnavailableError("log: full; make room"), "log: full; make room"),
    },
)
def test_an_observer_that_fails(error: BaseException, message: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is told in one line without a traceback, to the log if no one else wants to hear it; so are the others."""
    heard: list[object] = []
    registry = Registry()
    registry.add(plugin(observe=lambda event: heard.append(1)), "one")
    registry.add(plugin(observe=lambda event: fail(error)), "bad")
    registry.add(plugin(observe=lambda event: heard.append(2)), "two")
    line = f"plugin 'bad' did not record generate of cache: {message}"

    registry.observers().observe(EVENT)

    assert heard == [1, 2]
    assert caplog.record_tuples == [("keywright", logging.WARNING, line)]
    assert caplog.records[0].exc_info is None

    reported: list[str] = []
    registry.report = reported.append
    registry.observers().observe(EVENT)
    assert reported == [line]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("hook", ["add_commands", "review", "observe"])
def test_an_interrupt_passes_through_hooks(hook: str) -> None:
    """Ctrl-C in a hook stops the program."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    registry = Registry()
    registry.add(plugin(**{hook: interrupt}), "slow")
    calls: dict[str, Callable[[], None]] = {
        "add_commands": lambda: registry.add_commands(Commands()),
        "review": lambda: registry.observers().review(REQUEST),
        "observe": lambda: registry.observers().observe(EVENT),
    }

    with pytest.raises(KeyboardInterrupt):
        calls[hook]()


def add(path: str) -> Callable[[Commands], None]:
    """A hook that adds one command."""

    def hook(commands: Commands) -> None:
        commands.add(path, help="Does it.", configure=lambda parser: None, run=lambda *_: 0, examples=())

    return hook


def test_plugins_add_commands() -> None:
    """Each command knows the plugin that added it, and one that fails in the attempt is remembered, once."""
    registry, commands = Registry(), Commands()
    registry.add(plugin(add_commands=add("one go")), "one")
    registry.add(plugin(add_commands=lambda commands: fail(BOOM)), "bad")
    registry.add(plugin(add_commands=lambda: None), "silent")
    registry.add(plugin(add_commands=add("two go")), "two")

    registry.add_commands(Commands())
    registry.add_commands(commands)

    owners = {words: command.owner for words, command in commands.table.items()}
    assert owners == {("one", "go"): "one", ("two", "go"): "two"}
    assert commands.owner == ""
    assert failures(registry) == ["plugin 'bad': failed in keywright_add_commands with RuntimeError: boom and more"]


def test_a_command_that_is_added_twice() -> None:
    """A command stays with the plugin that added it first, and the other is listed as a failure."""
    registry, commands = Registry(), Commands()
    add("core go")(commands)
    registry.add(plugin(add_commands=add("one go")), "one")
    registry.add(plugin(add_commands=add("one go")), "two")
    registry.add(plugin(add_commands=add("core go")), "three")

    registry.add_commands(commands)

    assert commands.table["one", "go"].owner == "one"
    assert failures(registry) == [
        "plugin 'two': adds the command 'one go', which stays with plugin 'one'; uninstall one",
        "plugin 'three': adds the command 'core go', which stays with keywright itself; uninstall one",
    ]


@pytest.mark.parametrize(("hook", "listens"), [("review", True), ("observe", True), ("register_formats", False)])
def test_whether_anybody_listens(hook: str, listens: bool) -> None:
    """A registry knows whether there is anybody to ask or to tell."""
    registry = Registry()
    registry.add(plugin(**{hook: lambda: ()}), "mine")

    assert registry.observers().listens is listens


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
        heard: InstalledNames | None = None

        @hookimpl
        def keywright_configure(self, options: Options, known: InstalledNames) -> object:
            self.heard = known
            return None

    naming = Naming()
    registry.add(naming, "naming")

    opened(registry, plugin={"naming": {}})

    assert naming.heard == InstalledNames(tuple(registry.key_types), ("nix",), frozenset({"oct", "rsa"}))
    assert "ed25519" in naming.heard.key_types


def test_its_listener_hears_the_ring(registry: Registry, rules: Rules) -> None:
    """What the plugin made of its table reviews and observes what this ring does, and what no other ring does."""
    ring = opened(registry, plugin={"rules": {"prefix": "bad"}})
    other = opened(registry, plugin={"rules": {"prefix": "worse"}})
    free = opened(registry)

    ring.generate("good")
    other.generate("bad")
    free.generate("bad")
    with refuses(PolicyError, "generate of bad is refused by plugin 'rules': bad is not to be"):
        ring.generate("bad")
    assert [listener and listener.heard for listener in rules.made] == [  # type: ignore[attr-defined]  # (they are Listeners)
        ["generate good done", "generate bad PolicyError"],
        ["generate bad done"],
    ]
    assert free.plugins is registry


@cases(
    ("table", "message"),
    {
        "no such plugin": (
            {"ruels": {}},
            (
                "given settings: plugin.ruels is not the table of a plugin with settings (did you mean 'rules'?); "
                "available: rules"
            ),
        ),
        "a plugin without settings": (
            {"nix": {}},
            "given settings: plugin.nix is not the table of a plugin with settings; available: rules",
        ),
        "no such setting": (
            {"rules": {"prefx": "a"}},
            (
                "given settings: plugin.rules.prefx is not a setting of plugin 'rules' (did you mean 'prefix'?); "
                "plugin 'rules' has: prefix"
            ),
        ),
        "another type": ({"rules": {"prefix": 1}}, "given settings: plugin.rules.prefix must be text"),
    },
)
def test_what_is_wrong_in_the_table_refuses_the_ring(registry: Registry, table: object, message: str) -> None:
    """A policy that is misspelt must not count as none."""
    with refuses(ConfigError, message):
        opened(registry, plugin=table)


def test_a_plugin_that_did_not_load_refuses_the_ring() -> None:
    """The table of a plugin that failed on import is an error, and says why."""
    registry = Registry.load(("keytypes", "nix", "memory"))
    registry.add(object(), "rules")

    with refuses(
        ConfigError,
        "given settings: plugin.rules is not the table of a plugin with settings; available: none. plugin 'rules': "
        "does not say "
        "which keywright API it is for; this keywright has API 1: install a version that fits",
    ):
        opened(registry, plugin={"rules": {}})


class Misspelt:
    """Implements no hook that exists."""

    def __init__(self, _prefix: str) -> None: ...

    @hookimpl
    def keywright_reviw(self) -> None: ...


@cases(
    ("returned", "kind", "message"),
    {
        "ConfigError": (
            lambda _prefix: fail(ConfigError("prefix must not be x; choose another")),
            ConfigError,
            "given settings: plugin.rules: prefix must not be x; choose another",
        ),
        "another error": (
            lambda _prefix: fail(ValueError("secret words")),
            PluginError,
            "plugin 'rules' failed in keywright_configure with ValueError; report it to the plugin's author",
        ),
        "an object with a misspelt hook": (
            Misspelt,
            PluginError,
            (
                "plugin 'rules' returned an object from keywright_configure that implements keywright_reviw, which is "
                "not a hook of keywright (did you mean 'keywright_review'?)"
            ),
        ),
    },
)
def test_what_the_plugin_finds_wrong_has_its_place(
    registry: Registry, rules: Rules, returned: object, kind: type[Exception], message: str
) -> None:
    """A ConfigError of the plugin's own is told with file and table; anything else is the plugin's fault.

    A misspelt hook on what the plugin returned would be a policy that is never asked.
    """
    rules.returned = returned

    with refuses(kind, message):
        opened(registry, plugin={"rules": {"prefix": "x"}})
