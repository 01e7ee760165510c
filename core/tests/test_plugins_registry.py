"""The registry: what is installed, what a plugin object must be like, and plugins that fail."""

from __future__ import annotations

import inspect
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_plugins import FORMAT, HAS, LACKS_ALL, NO_FORMAT, REQUEST, SOUND, failures, plugin, returning
from pluggy import HookimplMarker
from refusals import refuses
from support.errors import text_of
from tables import cases

from keywright import Capabilities, KeyRing, Registry, Setting, hookimpl
from keywright.cli.commands.keys import configure_generate, configure_rotate
from keywright.config.load import config_from
from keywright.config.model import KEY_SETTINGS
from keywright.errors import PluginError, PolicyError, UnknownPluginError
from keywright.plugins.discovery import find_entry_points
from keywright.plugins.hooks import hook_manager
from keywright.plugins.validation import RESERVED_SETTINGS, fault_of

Install = Callable[..., None]


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
    """An object name that two plugins claim is neither's: who asks for it is told of both, and so is the list."""
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
    assert text_of(caught.value) == f"format 'sound' {clash}"
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
    """What is not on the list is never imported, and its faults and clashes do not matter; an empty list is a list.

    Who looks for what a plugin that is not on the list would have is told that it was left out.
    """
    install("sound", SOUND)
    install("other", SOUND)
    install("bad", "raise RuntimeError")

    assert Registry.load([]).plugins == ()
    assert "kw_sound" not in sys.modules
    registry = Registry.load(["sound"])

    assert (list(registry.formats), failures(registry)) == (["sound"], [])
    assert {"kw_other", "kw_bad"}.isdisjoint(sys.modules)
    with refuses(
        UnknownPluginError,
        "no format is called 'other'; installed: sound; the setting `plugins` leaves out: bad, other",
    ):
        registry.format("other")


def test_a_plugin_that_reviews_observes_or_adds_commands_says_so(install: Install) -> None:
    """What a plugin does beside returning objects is told with what it provides."""
    hooks = ("keywright_review(request): ...", "keywright_observe(event): ...", "keywright_add_commands(commands): ...")
    install("sound", SOUND + "".join(f"\n@hookimpl\ndef {hook}\n" for hook in hooks))

    (plugin,) = Registry.load().plugins

    assert plugin.provides == ("format sound", "commands", "reviews", "observes")


@cases(
    ("installed", "named", "rule"),
    {
        "near": ("sound other", "sund", " (did you mean 'sound'?); installed: other, sound"),
        "far": ("sound other", "xyz", "; installed: other, sound"),
        "nothing": ("", "sound", "; installed: none"),
    },
)
def test_an_allow_list_with_a_name_that_is_not_installed(
    install: Install, installed: str, named: str, rule: str
) -> None:
    """An unknown name on the list is refused before anything is imported."""
    for name in installed.split():
        install(name, SOUND)

    with refuses(PluginError, f"plugins names {named!r}, which is not installed{rule}"):
        Registry.load([*installed.split(), named])

    assert "kw_sound" not in sys.modules


def test_not_found_among_nothing() -> None:
    """Each role says that it has nothing of that name."""
    for look_up, role in (
        (Registry.key_type, "key type"),
        (Registry.format, "format"),
        (Registry.store_backend, "store backend"),
        (Registry.seal, "seal"),
    ):
        with refuses(
            UnknownPluginError,
            f"no {role} is called 'sound'; installed: none (`keywright plugins` prints what was searched)",
        ):
            look_up(Registry(), "sound")


def test_not_found_names_what_there_is_and_what_failed(install: Install) -> None:
    """Something that cannot be found may well be in a plugin that failed, so the failures are quoted."""
    install("sound", SOUND)
    install("bad", "raise RuntimeError('boom')")
    install("worse", "")
    registry = Registry.load()

    with refuses(
        UnknownPluginError,
        "no format is called 'sond' (did you mean 'sound'?); installed: sound. plugin 'bad' of bad 1.0: failed on "
        "import with RuntimeError: boom. plugin 'worse' of worse 1.0: does not say which keywright API it is for; "
        f"{HAS}",
    ):
        registry.format("sond")


def test_objects_are_listed_by_name(install: Install) -> None:
    """Each role's objects are given sorted by name."""
    install("a", FORMAT.format(name="zebra"))
    install("b", FORMAT.format(name="ant"))

    registry = Registry.load()

    assert list(registry.formats) == ["ant", "zebra"]
    assert (registry.key_types, registry.store_backends, registry.seals) == ({}, {}, {})


def test_the_plugins_of_this_environment_load() -> None:
    """Our own plugins come in by their entry points, all of them, without a failure."""
    registry = Registry.load()

    assert failures(registry) == []
    assert {"keytypes", "nix", "jose", "file", "env", "sqlite"} <= {one.name for one in registry.plugins}


# The index


def test_what_is_indexed_is_imported_when_it_is_needed(install: Install) -> None:
    """A look-up imports the plugin that the index names, a list of a role those of the role, and neither any other."""
    install("ant", FORMAT.format(name="ant"), index="formats:ant")
    install("bee", FORMAT.format(name="bee"), index="formats:bee")
    install("cat", "raise RuntimeError", index="seals:cat")

    registry = Registry.load()

    assert (loaded(), registry.names("format")) == ([], ["ant", "bee"])
    assert (registry.format("bee").name, loaded()) == ("bee", ["kw_bee"])
    assert (list(registry.formats), loaded()) == (["ant", "bee"], ["kw_ant", "kw_bee"])
    assert registry.observers().listens is False
    assert [one.subject for one in registry.failures] == ["plugin 'cat' of cat 1.0"]


def loaded() -> list[str]:
    return [name for name in ("kw_ant", "kw_bee", "kw_cat") if name in sys.modules]


def test_what_is_not_indexed_is_imported_at_once(install: Install) -> None:
    """Without an index nothing is known of a plugin, so it could be the one that reviews."""
    install("ant", FORMAT.format(name="ant"), index="formats:ant")
    install("bee", SOUND)

    registry = Registry.load()

    assert loaded() == ["kw_bee"]
    assert registry.names("format") == ["ant", "sound"]


@pytest.mark.parametrize(("hook", "group"), [("review(request)", "observers"), ("configure(options)", "settings")])
def test_a_plugin_that_reviews_or_is_configured_is_marked(install: Install, hook: str, group: str) -> None:
    """One that observes every ring is imported for each, one with settings only where they are set."""
    start = "from keywright import hookimpl\nKEYWRIGHT_API = 1\n@hookimpl\ndef keywright_"
    install("ant", f"{start}{hook}: ...", index=f"{group}:ant")
    registry = Registry.load()
    assert loaded() == []

    registry.observers(config_from({"plugin": {"ant": {}}}) if group == "settings" else None)

    assert (loaded(), failures(registry)) == (["kw_ant"], [])


@cases(
    ("index", "says"),
    {
        "a format more": ("formats:sound formats:more", "'keywright.formats' lists 'more'"),
        "a format less": ("seals:sound", "'keywright.formats' lacks 'sound'"),
        "a review less": ("formats:sound", "'keywright.observers' lacks 'ant'"),
    },
)
def test_an_index_that_is_wrong_is_a_failure(install: Install, index: str, says: str) -> None:
    """It is listed, and what the index lacks is found all the same."""
    review = "\n@hookimpl\ndef keywright_review(request): ...\n" if says.endswith("'ant'") else ""
    install("ant", SOUND + review, index=index)
    registry = Registry.load()

    assert registry.format("sound").name == "sound"

    wrong = "plugin 'ant' of ant 1.0: does not do what its index says: the entry-point group "
    assert f"{wrong}{says}" in failures(registry)


def test_two_plugins_that_index_one_name(install: Install) -> None:
    """Neither is used, as without an index."""
    for name in ("one", "two"):
        install(name, SOUND, index="formats:sound")

    with pytest.raises(PluginError, match=r"claimed by plugin 'one' of one 1\.0 and plugin 'two'"):
        Registry.load().format("sound")


def test_the_objects_are_those_that_pluggy_finds() -> None:
    """Each installed plugin, registered with pluggy, returns the objects that the registry has by the index."""
    registry, manager = Registry.load(), hook_manager()
    for point in find_entry_points():
        manager.register(import_module(point.value), point.name)

    for role, objects in (
        ("key_types", registry.key_types),
        ("formats", registry.formats),
        ("store_backends", registry.store_backends),
        ("seals", registry.seals),
    ):
        returned = getattr(manager.hook, f"keywright_register_{role}")()
        assert {one.name: type(one) for some in returned for one in some} == {
            name: type(one) for name, one in objects.items()
        }, role


def test_the_mark_is_that_of_pluggy() -> None:
    """A plugin may be marked by either."""
    for options in ({}, {"tryfirst": True}, {"specname": "keywright_review", "optionalhook": True}):
        marked: list[Any] = [marker(**options)(lambda: None) for marker in (hookimpl, HookimplMarker("keywright"))]
        assert marked[0].keywright_impl == marked[1].keywright_impl


# By hand


def test_adding_by_hand() -> None:
    """A plugin object that is not an installed distribution's can be added, and its failures name it alone."""
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
        registry.observers().review(REQUEST)


START = "from keywright import hookimpl\nKEYWRIGHT_API = 1\n"
WRONG = "failed in keywright_register_formats with TypeError: it returned"
FAILED = "failed in keywright_register_formats with "

BROKEN = {
    "raises at import": (
        "raise RuntimeError('boom\\n  and more')",
        "failed on import with RuntimeError: boom and more",
    ),
    "raises without a word": ("raise ValueError", "failed on import with ValueError"),
    "is not Python": ("def", "failed on import with SyntaxError: invalid syntax (kw_bad.py, line 1)"),
    "misses a module": ("import kw_absent", "failed on import with ModuleNotFoundError: No module named 'kw_absent'"),
    "raises what is not an Exception": ("raise BaseException('boom')", "failed on import with BaseException: boom"),
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
            "implements keywright_register_format, which is not a hook of keywright "
            "(did you mean 'keywright_register_formats'?)"
        ),
    ),
    "wraps a hook": (
        START + "@hookimpl(wrapper=True)\ndef keywright_register_formats(): return (yield)",
        "wraps keywright_register_formats, which is refused: a plugin cannot wrap the hooks of others",
    ),
    "wraps a hook as of old": (
        START + "@hookimpl(hookwrapper=True)\ndef keywright_observe(event): yield",
        "wraps keywright_observe, which is refused: a plugin cannot wrap the hooks of others",
    ),
    "wants an argument that does not exist": (
        START + "@hookimpl\ndef keywright_observe(event, key): ...",
        "implements keywright_observe with the argument key, and that hook has event",
    ),
    "raises in a hook": (returning("raise KeyError('x')"), f"{FAILED}KeyError: 'x'"),
    "exits in a hook": (returning("raise SystemExit"), f"{FAILED}SystemExit"),
    "returns nothing": (returning("return None"), f"{WRONG} NoneType, and not a list or tuple"),
    "returns one object": (returning("return Sound()"), f"{WRONG} Sound, and not a list or tuple"),
    "returns text": (returning("return 'sound'"), f"{WRONG} str, and not a list or tuple"),
    "yields": (returning("yield Sound()"), f"{WRONG} generator, and not a list or tuple"),
    "returns what is not a format": (returning("return [object()]"), f"{NO_FORMAT}it lacks {LACKS_ALL}"),
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
    "returns what is not a key type": (
        returning("return [Sound()]", "keywright_register_key_types"),
        (
            "returned an object from keywright_register_key_types that is not a key type: it lacks settings, "
            "algorithms, "
            "generate, validate, bits, signer, verifier"
        ),
    ),
    "returns what is not a store backend": (
        returning("return [Sound()]", "keywright_register_store_backends"),
        (
            "returned an object from keywright_register_store_backends that is not a store backend: it lacks settings, "
            "capabilities, open"
        ),
    ),
    "returns what is not a seal": (
        returning("return [Sound()]", "keywright_register_seals"),
        "returned an object from keywright_register_seals that is not a seal: it lacks settings, open",
    ),
}


@cases(("source", "reason"), BROKEN)
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
    install(
        "bad",
        START + "@hookimpl\ndef keywright_review(request): return ['no']\n@hookimpl\ndef keywright_revue(): ...\n",
    )
    registry = Registry.load()

    registry.observers().review(REQUEST)

    assert registry.plugins == ()


def test_one_bad_object_does_not_take_the_others_along(install: Install) -> None:
    """A plugin with one unusable object still provides its sound ones."""
    install("half", returning("return [object(), Sound()]"))

    registry = Registry.load()

    assert [plugin.provides for plugin in registry.plugins] == [("format sound",)]
    assert failures(registry) == [f"plugin 'half' of half 1.0: {NO_FORMAT}it lacks {LACKS_ALL}"]


MEMBERS = {
    "key type": ("generate", "validate", "bits", "signer", "verifier"),
    "format": ("encode_secret", "encode_public", "decode", "default_kid", "sniff"),
    "store backend": ("open",),
    "seal": ("open",),
}
VALUES: dict[str, dict[str, object]] = {
    "key type": {"settings": (Setting("bits", "integer", 256),), "algorithms": ("HS256",)},
    "format": {"key_types": ("oct",), "carries_kid": True},
    "store backend": {"settings": [Setting("path", "path")], "capabilities": Capabilities(True, True)},
    "seal": {"settings": ()},
}


def plugin_object(role: str, **values: object) -> object:
    """An object that is sound for its role but for `values`."""
    methods = {name: lambda *_: None for name in MEMBERS[role]}
    return SimpleNamespace(**{"name": "mine", **methods, **VALUES[role], **values})


@pytest.mark.parametrize("role", MEMBERS)
def test_a_sound_object(role: str) -> None:
    """An object that is all that its role asks for has no fault."""
    assert fault_of(plugin_object(role), role) == ""


def declares(*settings: tuple[Any, ...], **more: Any) -> dict[str, object]:
    """Members with these settings, sound or not."""
    return {"settings": [Setting(*setting, **more) for setting in settings]}


NO_NAME = "its name is not valid: use a-z, 0-9 and '-'"
TAKEN = "its setting {!r} has a name that means something else for a {}: choose another"
FAULTS: dict[tuple[str, str], list[dict[str, object]]] = {
    ("key type", "its settings hold str, where a Setting belongs"): [{"settings": ("bits",)}],
    ("key type", "its settings hold tuple, where a Setting belongs"): [{"settings": [("bits", "integer")]}],
    ("seal", "its settings are not a list or tuple"): [{"settings": None}, {"settings": "bits"}],
    ("key type", "its setting 'x' is declared twice"): [declares(("x", "text"), ("x", "text"))],
    ("seal", "the name of a setting is not valid: use a-z, 0-9 and '_', and start with a letter"): [
        declares((name, "text")) for name in ("", "Path", "my-path", "pathX", "2nd", "_x", 7)
    ],
    ("seal", "its setting 'a__b' could not be set by an environment variable: leave out '__'"): [
        declares(("a__b", "text"))
    ],
    ("seal", TAKEN.format("seal", "seal")): [declares(("seal", "text"))],
    ("store backend", TAKEN.format("seal", "store backend")): [declares(("seal", "text"))],
    ("store backend", TAKEN.format("backend", "store backend")): [declares(("backend", "text"))],
    ("key type", TAKEN.format("kid", "key type")): [declares(("kid", "text"))],
    ("seal", "its setting 'x' has an unknown type"): [declares(("x", "number")), declares(("x", ["text"]))],
    ("seal", "its setting 'x' has a help that is not text, or choices that are not a tuple of texts"): [
        declares(("x", "text"), help=None),
        declares(("x", "text"), choices="ab"),
    ],
    ("key type", "its algorithms are not a tuple of texts"): [
        {"algorithms": value} for value in ("EdDSA", ["EdDSA"], (1,))
    ],
    ("format", "its key_types are not a tuple of texts, one at least"): [
        {"key_types": value} for value in ("oct", (), ("",))
    ],
    ("store backend", "its capabilities are not Capabilities"): [{"capabilities": (True, True)}],
    ("format", "its sniff is not a method"): [{"sniff": None}],
    ("seal", "its open is not a method"): [{"open": "sesame"}],
    ("format", NO_NAME): [{"name": "Odd Format"}],
    ("seal", NO_NAME): [{"name": value} for value in ("Odd Seal", "ä", "sealX", "x\n")],
}


@pytest.mark.parametrize(("role", "fault"), FAULTS, ids=[f"{role}: {fault[:50]}" for role, fault in FAULTS])
def test_a_fault_is_found(role: str, fault: str) -> None:
    """An object that would make a command fail is refused as it registers, and no other with it."""
    hook = f"register_{role.replace(' ', '_')}s"
    for values in FAULTS[role, fault]:
        registry = Registry()
        objects = (plugin_object(role, **values), plugin_object(role, name="sound"))

        registry.add(plugin(**{hook: lambda objects=objects: objects}), "mine")

        assert failures(registry) == [
            f"plugin 'mine': returned an object from keywright_{hook} that is not a {role}: {fault}"
        ], values
        assert registry.plugins[0].provides == (f"{role} sound",)


def test_key_types_cannot_declare_what_every_key_has() -> None:
    """Reserved is what `[keys.NAME]`, and the methods and commands that make keys, call their own."""
    parsers = ArgumentParser(), ArgumentParser()
    configure_generate(parsers[0], Registry)
    configure_rotate(parsers[1], Registry)
    of_commands = {action.dest for parser in parsers for action in parser._actions}
    of_methods = {
        name
        for method in (KeyRing.generate, KeyRing.rotate)
        for name, one in inspect.signature(method).parameters.items()
        if one.kind is not inspect.Parameter.VAR_KEYWORD
    }

    assert {setting.name for setting in KEY_SETTINGS} <= RESERVED_SETTINGS["key type"]
    assert of_commands <= RESERVED_SETTINGS["key type"]
    assert of_methods <= RESERVED_SETTINGS["key type"]


def test_the_reserved_names_of_settings() -> None:
    """Each of these means something else already; taking one off would let a plugin shadow it."""
    tables = "type format store kid rotate_every expires_in overlap activate_in labels attributes"
    methods = "self name names label attribute no_attributes activates expires allow_duplicate due dry_run"
    options = "config profile option json quiet verbose debug version help"

    assert {
        "key type": {*tables.split(), *methods.split(), *options.split()},
        "store backend": {"backend", "seal"},
        "seal": {"seal"},
    } == RESERVED_SETTINGS
