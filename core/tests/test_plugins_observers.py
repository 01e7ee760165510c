"""Plugins that review, observe, add commands, and have settings of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from made_plugins import NOW, REQUEST, failures, plugin

from keywright import KeyEvent, Known, Options, Registry, ReviewRequest, Setting, hookimpl
from keywright.config.load import config_from
from keywright.errors import ConfigError, PluginError, PolicyError, StoreUnavailableError
from keywright.plugins.commands import Commands
from keywright.ring.keyring import KeyRing

EVENT = KeyEvent(
    operation="generate", who="ann", name="cache", version=1, kid="cache-1", store="local", outcome="done", time=NOW
)


def fail(*_arguments: object) -> object:
    """Does not do it."""
    raise RuntimeError("boom\nand more")


def unlogged(*_arguments: object) -> object:
    """Says why not, as errors of keywright do."""
    raise StoreUnavailableError("log: full; make room")


def leave(*_arguments: object) -> object:
    """Wants to stop the program."""
    raise SystemExit(3)


def stop(*_arguments: object) -> object:
    """Raises what hardly anybody catches."""
    raise BaseException("stopped")  # noqa: TRY002  (a stranger's plugin may)


class Unprintable:
    """An objection that cannot be said."""

    def __str__(self) -> str:
        raise RuntimeError("speechless")


UNREVIEWED = "and what is not reviewed is refused"


@pytest.mark.parametrize(
    ("review", "said"),
    [
        pytest.param(lambda request: ["too short"], "too short", id="objects"),
        pytest.param(lambda request: ("too short", "too\n  old"), "too short; too old", id="objects-twice"),
        pytest.param(lambda request: [f"{request.who} may not"], "ann may not", id="is-given-the-request"),
        pytest.param(lambda: ["never"], "never", id="takes-no-argument"),
        pytest.param(
            lambda request: fail(), f"its review failed with RuntimeError: boom and more, {UNREVIEWED}", id="raises"
        ),
        pytest.param(lambda request: leave(), f"its review failed with SystemExit: 3, {UNREVIEWED}", id="exits"),
        pytest.param(
            lambda request: "no",
            f"its review failed with TypeError: it returned str, where a list or tuple belongs, {UNREVIEWED}",
            id="returns-text",
        ),
        pytest.param(
            lambda request: True,
            f"its review failed with TypeError: it returned bool, where a list or tuple belongs, {UNREVIEWED}",
            id="returns-a-truth",
        ),
        pytest.param(lambda request: [""], "it objects without a word", id="objects-silently"),
        pytest.param(lambda request: (" ", "\n"), "it objects without a word", id="objects-in-blanks"),
        pytest.param(lambda request: [None], "None", id="objects-by-none"),
        pytest.param(
            lambda request: False,
            f"its review failed with TypeError: it returned bool, where a list or tuple belongs, {UNREVIEWED}",
            id="returns-a-falsehood",
        ),
        *(
            pytest.param(
                lambda request, returned=returned: returned,
                f"its review failed with TypeError: it returned {kind}, where a list or tuple belongs, {UNREVIEWED}",
                id=f"returns-an-empty-{kind}",
            )
            for returned, kind in (("", "str"), (0, "int"), ({}, "dict"), (set(), "set"))
        ),
        pytest.param(
            lambda request: stop(), f"its review failed with BaseException: stopped, {UNREVIEWED}", id="raises-anything"
        ),
        pytest.param(
            lambda request: [Unprintable()],
            f"its review failed with RuntimeError: speechless, {UNREVIEWED}",
            id="objects-unprintably",
        ),
    ],
)
def test_review_refuses(review: Callable[..., object], said: str) -> None:
    """An objection refuses the operation, and so does a review that failed."""
    registry = Registry()
    registry.add(plugin(review=lambda request: ()), "calm")
    registry.add(plugin(review=review), "strict")

    with pytest.raises(PolicyError) as caught:
        registry.observers().review(REQUEST)

    assert str(caught.value) == f"generate of cache is refused by plugin 'strict': {said}"


def test_every_plugin_reviews() -> None:
    """Every plugin is asked, and all that object are named at once."""
    registry = Registry()
    registry.add(plugin(review=lambda request: ["too short"]), "one")
    registry.add(plugin(review=lambda request: ["too old"]), "two")

    with pytest.raises(PolicyError) as caught:
        registry.observers().review(REQUEST)

    assert str(caught.value) == (
        "generate of cache is refused by plugin 'one': too short; and by plugin 'two': too old"
    )


@pytest.mark.parametrize("returned", [(), [], None])
def test_review_lets_pass(returned: object) -> None:
    """Where nobody objects, nothing is raised."""
    registry = Registry()
    registry.add(plugin(review=lambda request: returned), "calm")

    registry.observers().review(REQUEST)


def test_observers_hear_the_event() -> None:
    """Every observer is told, also one that does not care what it was."""
    heard: list[object] = []
    registry = Registry()
    registry.add(plugin(observe=lambda event: heard.append(("one", event))), "one")
    registry.add(plugin(observe=lambda: heard.append("two")), "two")

    registry.observers().observe(EVENT)

    assert heard == [("one", EVENT), "two"]


@pytest.mark.parametrize(
    ("observe", "told"),
    [
        pytest.param(lambda event: fail(), "RuntimeError: boom and more", id="raises"),
        pytest.param(lambda event: leave(), "SystemExit: 3", id="exits"),
        pytest.param(lambda event: unlogged(), "log: full; make room", id="says why"),
    ],
)
def test_an_observer_that_fails(observe: Callable[..., object], told: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is told in one line without a traceback, to the log if nobody else wants to hear it; so are the others."""
    heard: list[object] = []
    registry = Registry()
    registry.add(plugin(observe=lambda event: heard.append(1)), "one")
    registry.add(plugin(observe=observe), "bad")
    registry.add(plugin(observe=lambda event: heard.append(2)), "two")

    registry.observers().observe(EVENT)

    assert heard == [1, 2]
    assert caplog.record_tuples == [
        ("keywright", logging.WARNING, f"plugin 'bad' could not note what happened (generate of cache): {told}")
    ]
    assert caplog.records[0].exc_info is None

    reported: list[str] = []
    registry.report = reported.append
    registry.observers().observe(EVENT)
    assert reported == [f"plugin 'bad' could not note what happened (generate of cache): {told}"]
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
    """Each command knows the plugin that added it, and one that fails in the attempt is remembered."""
    registry, commands = Registry(), Commands()
    registry.add(plugin(add_commands=add("one go")), "one")
    registry.add(plugin(add_commands=lambda commands: fail()), "bad")
    registry.add(plugin(add_commands=lambda: None), "silent")
    registry.add(plugin(add_commands=add("two go")), "two")

    registry.add_commands(commands)

    assert {words: command.owner for words, command in commands.table.items()} == {
        ("one", "go"): "one",
        ("two", "go"): "two",
    }
    assert commands.owner == ""
    assert failures(registry) == ["plugin 'bad': failed in keywright_add_commands with RuntimeError: boom and more"]


def test_a_failing_hook_is_listed_once() -> None:
    """Commands may be added to several tables; what fails each time is one failure."""
    registry = Registry()
    registry.add(plugin(add_commands=lambda commands: fail()), "bad")

    registry.add_commands(Commands())
    registry.add_commands(Commands())

    assert len(registry.failures) == 1


def test_a_command_that_is_added_twice() -> None:
    """A command stays with whoever added it first, and the other is listed as a failure."""
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


def test_a_hook_may_be_named_otherwise() -> None:
    """pluggy's `specname` lets a function of another name be the hook."""
    heard: list[object] = []
    module = SimpleNamespace(KEYWRIGHT_API=1)
    module.remember = hookimpl(specname="keywright_observe")(lambda event: heard.append(("mine", event)))
    registry = Registry()

    registry.add(module, "mine")
    registry.observers().observe(EVENT)

    assert heard == [("mine", EVENT)]


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
