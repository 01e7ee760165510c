"""The registry over plugins that do not load, or not whole: why, in one line each, and the rest works."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_plugins import FORMAT, HAS, LACKS_ALL, NO_FORMAT, REQUEST, failures, returning

from keywright import Registry

Install = Callable[..., None]

START = "from keywright import hookimpl\nKEYWRIGHT_API = 1\n"
WRONG = "failed in keywright_register_formats with TypeError: it returned"
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

    registry.observers().review(REQUEST)

    assert registry.plugins == ()


def test_one_bad_object_does_not_take_the_others_along(install: Install) -> None:
    """A plugin with one unusable object still provides its sound ones."""
    install("half", returning("return [object(), Sound()]"))

    registry = Registry.load()

    assert [plugin.provides for plugin in registry.plugins] == [("format sound",)]
    assert failures(registry) == [f"plugin 'half' of half 1.0: {NO_FORMAT}it lacks {LACKS_ALL}"]
