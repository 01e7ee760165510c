"""The registry: what loads, what does not and why, and what is said when something cannot be found."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent
from types import ModuleType, SimpleNamespace

import pytest

from keywright import KeyEvent, Registry, ReviewRequest, hookimpl
from keywright.cli.commands import Commands
from keywright.errors import PluginError, PolicyError, StoreUnavailableError, UnknownPluginError

Install = Callable[..., None]

START = "from keywright import hookimpl\nKEYWRIGHT_API = 1\n"
FORMAT = """
from keywright import hookimpl

KEYWRIGHT_API = 1

class Sound:
    name = "{name}"
    key_types = ("ed25519",)
    def encode_secret(self, key): ...
    def encode_public(self, key): ...
    def decode(self, data, *, default_kid): ...
    def default_kid(self, name, version, key): ...
    def sniff(self, data): return False

@hookimpl
def keywright_register_formats():
    return [Sound()]
"""
SOUND = FORMAT.format(name="sound")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of one module, as an installer would leave it; nothing else is to be found."""
    monkeypatch.setattr("keywright.discovery._folders", lambda: [str(tmp_path)])
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def lay_down(name: str, source: str, *, distribution: str = "", value: str = "") -> None:
        (tmp_path / f"kw_{name}.py").write_text(dedent(source))
        metadata = tmp_path / f"{distribution or name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_text(f"[keywright]\n{name} = {value or f'kw_{name}'}\n")

    yield lay_down
    for module in set(sys.modules) - before:
        if module.startswith("kw_"):
            del sys.modules[module]


def failures(registry: Registry) -> list[str]:
    """The failures as people read them."""
    return [str(failure) for failure in registry.failures]


def returning(expression: str, hook: str = "keywright_register_formats") -> str:
    """The source of a plugin whose hook returns that."""
    return f"{SOUND}\n@hookimpl\ndef {hook}():\n{indent(dedent(expression), '    ')}\n"


HAS = "this keywright has API 1: install a version that fits"
LACKS_ALL = "name, key_types, encode_secret, encode_public, decode, default_kid, sniff"
WRONG = "failed in keywright_register_formats with TypeError: it returned"
NO_FORMAT = "returned an object from keywright_register_formats that is no format: "
FAILED = "failed in keywright_register_formats with "

BROKEN = {
    "raises at import": (
        "raise RuntimeError('boom\\n  and more')",
        "failed on import with RuntimeError: boom and more",
    ),
    "raises without a word": ("raise ValueError", "failed on import with ValueError"),
    "is no Python": ("def", "failed on import with SyntaxError: invalid syntax (kw_bad.py, line 1)"),
    "misses a module": ("import kw_absent", "failed on import with ModuleNotFoundError: No module named 'kw_absent'"),
    "raises what is no Exception": (
        "raise BaseException('boom')",
        "failed on import with BaseException: boom",
    ),
    "raises what leaves a generator": ("raise GeneratorExit", "failed on import with GeneratorExit"),
    "exits at import": ("import sys; sys.exit('bye')", "failed on import with SystemExit: bye"),
    "raises what cannot be printed": (
        """
        class Odd(Exception):
            def __str__(self): raise RuntimeError
        raise Odd
        """,
        "failed on import with Odd",
    ),
    "says no API": ("", f"does not say which keywright API it is for; {HAS}"),
    "says another API": ("KEYWRIGHT_API = 2", f"is for keywright API 2; {HAS}"),
    "says an API in text": ("KEYWRIGHT_API = '1'", f"is for keywright API '1'; {HAS}"),
    "raises when asked for its API": (
        "def __getattr__(name): raise RuntimeError(name)",
        "does not fit the hooks: RuntimeError: KEYWRIGHT_API",
    ),
    "misspells a hook": (
        START + "@hookimpl\ndef keywright_register_format(): return []",
        (
            "implements keywright_register_format, which is no hook of keywright "
            "(did you mean 'keywright_register_formats'?)"
        ),
    ),
    "wraps a hook": (
        START + "@hookimpl(wrapper=True)\ndef keywright_register_formats(): return (yield)",
        "wraps keywright_register_formats, which is refused: a plugin hears a hook, it does not stand around others",
    ),
    "wraps a hook as of old": (
        START + "@hookimpl(hookwrapper=True)\ndef keywright_observe(event): yield",
        "wraps keywright_observe, which is refused: a plugin hears a hook, it does not stand around others",
    ),
    "wants an argument that is none": (
        START + "@hookimpl\ndef keywright_observe(event, key): ...",
        (
            "does not fit the hooks: PluginValidationError: Plugin 'bad' for hook 'keywright_observe' hookimpl "
            "definition: keywright_observe(event, key) Argument(s) {'key'} are declared in the hookimpl but can not be "
            "found in the hookspec"
        ),
    ),
    "raises in a hook": (returning("raise KeyError('x')"), f"{FAILED}KeyError: 'x'"),
    "exits in a hook": (returning("raise SystemExit"), f"{FAILED}SystemExit"),
    "returns nothing": (returning("return None"), f"{WRONG} NoneType, where a list or tuple belongs"),
    "returns one object": (returning("return Sound()"), f"{WRONG} Sound, where a list or tuple belongs"),
    "returns text": (returning("return 'sound'"), f"{WRONG} str, where a list or tuple belongs"),
    "yields": (returning("yield Sound()"), f"{WRONG} generator, where a list or tuple belongs"),
    "returns what is no format": (returning("return [object()]"), f"{NO_FORMAT}it lacks {LACKS_ALL}"),
    "returns a class": (returning("return [Sound]"), f"{NO_FORMAT}it is the class Sound itself; return an instance"),
    "returns half a format": (
        returning("del Sound.sniff, Sound.decode\nreturn [Sound()]"),
        f"{NO_FORMAT}it lacks decode, sniff",
    ),
    "returns a nameless format": (returning("Sound.name = ''\nreturn [Sound()]"), f"{NO_FORMAT}it lacks a name"),
    "returns a format named by a number": (
        returning("Sound.name = 7\nreturn [Sound()]"),
        f"{NO_FORMAT}it lacks a name",
    ),
    "returns a format that raises": (
        returning("Sound.name = property(lambda self: 1 / 0)\nreturn [Sound()]"),
        f"{NO_FORMAT}it fails with ZeroDivisionError: division by zero",
    ),
    "returns what is no key type": (
        returning("return [Sound()]", "keywright_register_key_types"),
        (
            "returned an object from keywright_register_key_types that is no key type: it lacks settings, algorithms, "
            "generate, complete, bits, signer, verifier"
        ),
    ),
    "returns what is no store backend": (
        returning("return [Sound()]", "keywright_register_store_backends"),
        (
            "returned an object from keywright_register_store_backends that is no store backend: it lacks settings, "
            "capabilities, open"
        ),
    ),
    "returns what is no seal": (
        returning("return [Sound()]", "keywright_register_seals"),
        "returned an object from keywright_register_seals that is no seal: it lacks settings, open",
    ),
}


@pytest.mark.parametrize(("source", "reason"), [pytest.param(*case, id=name) for name, case in BROKEN.items()])
def test_a_broken_plugin_leaves_the_rest_working(install: Install, source: str, reason: str) -> None:
    """What is wrong with a plugin is remembered in one line, and its neighbours load."""
    install("after", FORMAT.format(name="after"))
    install("bad", source)
    install("zebra", FORMAT.format(name="zebra"))

    registry = Registry.load()

    assert failures(registry) == [f"plugin 'bad' of bad 1.0: {reason}"]
    assert {"after", "zebra"} <= set(registry.formats)


def test_an_interrupt_is_no_failure_of_a_plugin(install: Install) -> None:
    """Ctrl-C while a plugin is imported stops the program."""
    install("bad", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        Registry.load()


def test_a_refused_plugin_has_no_say(install: Install) -> None:
    """Of a plugin with one wrong hook, the others are not called either."""
    source = START + "@hookimpl\ndef keywright_review(request): return ['no']\n@hookimpl\ndef keywright_revue(): ...\n"
    install("bad", source)
    registry = Registry.load()

    registry.review(REQUEST)

    assert registry.plugins == ()


def test_one_bad_object_does_not_take_the_others_along(install: Install) -> None:
    """A plugin with one unusable object still provides its sound ones."""
    install("half", returning("return [object(), Sound()]"))

    registry = Registry.load()

    assert [plugin.provides for plugin in registry.plugins] == [("format sound",)]
    assert failures(registry) == [f"plugin 'half' of half 1.0: {NO_FORMAT}it lacks {LACKS_ALL}"]


def test_what_is_listed_of_a_sound_plugin(install: Install) -> None:
    """A plugin is listed with its distribution, its version and what it provides."""
    install("sound", SOUND, distribution="my_sound")

    registry = Registry.load()

    assert registry.plugins == (("sound", "my-sound", "1.0", ("format sound",)),)
    assert registry.failures == ()
    assert registry.format("sound") is registry.formats["sound"]


@pytest.mark.parametrize("value", ["kw_deep:inner.plugin", "kw_deep : inner.plugin", "kw_deep:inner.plugin [extra]"])
def test_a_plugin_may_be_an_object_in_a_module(install: Install, value: str) -> None:
    """An entry point may name an attribute; that object is the plugin."""
    source = """
    from types import SimpleNamespace
    from keywright import hookimpl
    class Plugin:
        KEYWRIGHT_API = 1
        @hookimpl
        def keywright_observe(self, event): ...
    inner = SimpleNamespace(plugin=Plugin())
    """
    install("deep", source, value=value)

    registry = Registry.load()

    assert failures(registry) == []
    assert [plugin.name for plugin in registry.plugins] == ["deep"]


def test_two_distributions_with_one_entry_point_name(install: Install) -> None:
    """A plugin name that two distributions claim is neither's, and neither is imported."""
    install("sound", SOUND, distribution="one")
    (Path(sys.path[0]) / "two-2.0.dist-info").mkdir()
    (Path(sys.path[0]) / "two-2.0.dist-info" / "entry_points.txt").write_text("[keywright]\nsound = kw_sound\n")

    registry = Registry.load()

    assert failures(registry) == [
        "plugin 'sound': is claimed by one 1.0 and two 2.0, so neither is loaded; uninstall one"
    ]
    assert "kw_sound" not in sys.modules


def test_two_plugins_with_one_object_name(install: Install) -> None:
    """An object name that two plugins claim is neither's: whoever asks for it is told of both, and so is the list."""
    install("one", SOUND)
    install("two", SOUND)
    registry = Registry.load()
    clash = (
        "is claimed by plugin 'one' of one 1.0 and plugin 'two' of two 1.0, so neither is used; uninstall one, or "
        "leave it out of `plugins`"
    )

    with pytest.raises(PluginError) as caught:
        registry.format("sound")

    assert type(caught.value) is PluginError
    assert str(caught.value) == f"format 'sound' {clash}"
    assert failures(registry) == [f"format 'sound': {clash}"]
    assert "sound" not in registry.formats


def test_one_module_under_two_names(install: Install) -> None:
    """A module that two entry points name is loaded once, and the second is told."""
    install("one", SOUND)
    install("two", "", value="kw_one")

    registry = Registry.load()

    assert failures(registry) == [
        "plugin 'two' of two 1.0: is the same object as plugin 'one', which is loaded already; name it once"
    ]
    assert "sound" in registry.formats


def test_an_allow_list_keeps_others_out(install: Install) -> None:
    """What is not on the list is never imported, and neither its faults nor its clashes matter."""
    install("sound", SOUND)
    install("other", SOUND)
    install("bad", "raise RuntimeError")

    registry = Registry.load(["sound"])

    assert list(registry.formats) == ["sound"]
    assert failures(registry) == []
    assert {"kw_other", "kw_bad"}.isdisjoint(sys.modules)


def test_what_an_allow_list_leaves_out_is_named_where_something_is_missing(install: Install) -> None:
    """Who looks for what a plugin that is not on the list would have is told that it was left out."""
    install("sound", SOUND)
    install("other", SOUND)

    with pytest.raises(UnknownPluginError) as missing:
        Registry.load(["sound"]).format("other")

    assert str(missing.value) == (
        "no format is called 'other'; installed: sound; left out by the setting `plugins`: other"
    )


def test_a_plugin_that_reviews_observes_or_adds_commands_says_so(install: Install) -> None:
    """What a plugin does beside returning objects is told with what it provides."""
    hooks = ("keywright_review(request): ...", "keywright_observe(event): ...", "keywright_add_commands(commands): ...")
    install("sound", SOUND + "".join(f"\n@hookimpl\ndef {hook}\n" for hook in hooks))

    (plugin,) = Registry.load().plugins

    assert plugin.provides == ("format sound", "commands", "reviews", "observes")


def test_an_empty_allow_list_lets_nothing_in(install: Install) -> None:
    """An empty list is a list: nothing is imported."""
    install("sound", SOUND)

    registry = Registry.load([])

    assert registry.plugins == ()
    assert "kw_sound" not in sys.modules


@pytest.mark.parametrize(
    ("named", "message"),
    [
        pytest.param(
            "sund",
            "plugins names 'sund', which is not installed (did you mean 'sound'?); installed: other, sound",
            id="near",
        ),
        pytest.param("xyz", "plugins names 'xyz', which is not installed; installed: other, sound", id="far"),
    ],
)
def test_an_allow_list_with_a_name_that_is_not_installed(install: Install, named: str, message: str) -> None:
    """An unknown name on the list is refused before anything is imported."""
    install("sound", SOUND)
    install("other", SOUND)

    with pytest.raises(PluginError) as caught:
        Registry.load(["sound", named])

    assert str(caught.value) == message
    assert "kw_sound" not in sys.modules


def test_an_allow_list_where_nothing_is_installed(install: Install) -> None:
    """Where there are no plugins at all, the message says so."""
    with pytest.raises(PluginError) as caught:
        Registry.load(["sound"])

    assert str(caught.value) == "plugins names 'sound', which is not installed; installed: none"


@pytest.mark.parametrize(
    ("look_up", "role"),
    [
        pytest.param(Registry.key_type, "key type", id="key-type"),
        pytest.param(Registry.format, "format", id="format"),
        pytest.param(Registry.store_backend, "store backend", id="store-backend"),
        pytest.param(Registry.seal, "seal", id="seal"),
    ],
)
def test_not_found_among_nothing(look_up: Callable[[Registry, str], object], role: str) -> None:
    """Each role says that it has nothing of that name."""
    with pytest.raises(UnknownPluginError) as caught:
        look_up(Registry(), "sound")

    assert str(caught.value) == f"no {role} is called 'sound'; installed: none"


def test_not_found_names_what_there_is_and_what_failed(install: Install) -> None:
    """Something that cannot be found may well be in a plugin that failed, so the failures are quoted."""
    install("sound", SOUND)
    install("bad", "raise RuntimeError('boom')")
    install("worse", "")
    registry = Registry.load()

    with pytest.raises(UnknownPluginError) as caught:
        registry.format("sond")

    assert str(caught.value) == (
        "no format is called 'sond' (did you mean 'sound'?); installed: sound. plugin 'bad' of bad 1.0: failed on "
        "import with RuntimeError: boom. plugin 'worse' of worse 1.0: does not say which keywright API it is for; "
        f"{HAS}"
    )


def test_objects_are_listed_by_name(install: Install) -> None:
    """Each role's objects are given sorted by name."""
    install("a", FORMAT.format(name="zebra"))
    install("b", FORMAT.format(name="ant"))

    registry = Registry.load()

    assert list(registry.formats) == ["ant", "zebra"]
    assert (registry.key_types, registry.store_backends, registry.seals) == ({}, {}, {})


# By hand


def plugin(**hooks: Callable[..., object]) -> ModuleType:
    """A plugin made on the spot, of these hooks."""
    module = ModuleType("made_here")
    vars(module)["KEYWRIGHT_API"] = 1
    for name, function in hooks.items():
        setattr(module, f"keywright_{name}", hookimpl(function))
    return module


def test_adding_by_hand() -> None:
    """A plugin object that is no installed distribution's can be added, and its failures name it alone."""
    registry = Registry()

    registry.add(plugin(register_formats=lambda: [None]), "mine")

    assert registry.plugins == (("mine", "", "", ()),)
    assert failures(registry) == [f"plugin 'mine': {NO_FORMAT}it lacks {LACKS_ALL}"]


def test_adding_a_name_twice() -> None:
    """A second plugin of one name is refused, and the first stays."""
    registry = Registry()
    registry.add(plugin(review=lambda request: ["no"]), "mine")

    registry.add(plugin(), "mine")

    assert failures(registry) == ["plugin 'mine': has the name of a plugin that is loaded already; give it another"]
    with pytest.raises(PolicyError):
        registry.review(REQUEST)


# The other hooks

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
REQUEST = ReviewRequest(
    operation="generate",
    who="ann",
    name="cache",
    version=1,
    kid="",
    store="local",
    key_type="ed25519",
    format="nix",
    bits=None,
    sealed=False,
    time=NOW,
)
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
        registry.review(REQUEST)

    assert str(caught.value) == f"generate of cache is refused by plugin 'strict': {said}"


def test_every_plugin_reviews() -> None:
    """Every plugin is asked, and all that object are named at once."""
    registry = Registry()
    registry.add(plugin(review=lambda request: ["too short"]), "one")
    registry.add(plugin(review=lambda request: ["too old"]), "two")

    with pytest.raises(PolicyError) as caught:
        registry.review(REQUEST)

    assert str(caught.value) == (
        "generate of cache is refused by plugin 'one': too short; and by plugin 'two': too old"
    )


@pytest.mark.parametrize("returned", [(), [], None])
def test_review_lets_pass(returned: object) -> None:
    """Where nobody objects, nothing is raised."""
    registry = Registry()
    registry.add(plugin(review=lambda request: returned), "calm")

    registry.review(REQUEST)


def test_observers_hear_the_event() -> None:
    """Every observer is told, also one that does not care what it was."""
    heard: list[object] = []
    registry = Registry()
    registry.add(plugin(observe=lambda event: heard.append(("one", event))), "one")
    registry.add(plugin(observe=lambda: heard.append("two")), "two")

    registry.observe(EVENT)

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

    registry.observe(EVENT)

    assert heard == [1, 2]
    assert caplog.record_tuples == [
        ("keywright", logging.WARNING, f"plugin 'bad' could not note what happened (generate of cache): {told}")
    ]
    assert caplog.records[0].exc_info is None

    reported: list[str] = []
    registry.report = reported.append
    registry.observe(EVENT)
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
        "review": lambda: registry.review(REQUEST),
        "observe": lambda: registry.observe(EVENT),
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

    assert registry.listens is listens


def test_a_hook_may_be_named_otherwise() -> None:
    """pluggy's `specname` lets a function of another name be the hook."""
    heard: list[object] = []
    module = SimpleNamespace(KEYWRIGHT_API=1)
    module.remember = hookimpl(specname="keywright_observe")(lambda event: heard.append(("mine", event)))
    registry = Registry()

    registry.add(module, "mine")
    registry.observe(EVENT)

    assert heard == [("mine", EVENT)]


def test_the_plugins_of_this_environment_load() -> None:
    """Our own plugins come in by their entry points, all of them, without a failure."""
    registry = Registry.load()

    assert failures(registry) == []
    assert {"keytypes", "nix", "jose", "file", "env", "sqlite"} <= {one.name for one in registry.plugins}
