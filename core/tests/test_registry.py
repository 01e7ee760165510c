"""The registry: what loads, what is kept out, and what is said when something cannot be found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_plugins import FORMAT, HAS, LACKS_ALL, NO_FORMAT, REQUEST, SOUND, failures, plugin

from keywright import Registry
from keywright.errors import PluginError, PolicyError, UnknownPluginError

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


def test_the_plugins_of_this_environment_load() -> None:
    """Our own plugins come in by their entry points, all of them, without a failure."""
    registry = Registry.load()

    assert failures(registry) == []
    assert {"keytypes", "nix", "jose", "file", "env", "sqlite"} <= {one.name for one in registry.plugins}


# By hand


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
        registry.observers().review(REQUEST)
