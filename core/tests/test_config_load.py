"""Every mistake in a configuration file gets one line: file, place, rule, hint; and never a value."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from traceback import TracebackException
from typing import TypedDict

import pytest
from refusals import refuses
from support.errors import text_of
from tables import cases

import keywright
from keywright.config.load import load_config
from keywright.errors import ConfigError, PluginError

STORE = '[stores.local]\nbackend = "sqlite"\n'
THERE_ARE = "available: default_store, plugins, stores, seals, keys, plugin, profiles"
IN_PROFILE = "available: default_store, plugins, stores, seals, keys, plugin"
QUOTE = 'is a table, where a value is expected; quote a name that has dots: [keys."example.org"]'
SETTING_NAMES = "is not a setting name, which has only a-z, 0-9 and '_'"
TABLE_NAMES = "it may have a-z, 0-9, '_' and '-', and begins with a letter or digit"
DURATION = "must be a whole number and a unit (s, m, h, d, w or y), such as 90d"
ENDS = "or a version ends before its successor has taken over; make it longer, or leave it out"
INDIRECT = ', or { env = "VARIABLE" }, or { file = "PATH" }'
KID = "must be text with no other braces than {name} and {version}, and not empty"
LONG_KID = "must have at most 1024 characters; choose a shorter one"
SYNTAX = "check the quotes and brackets there"
TWICE = "invalid TOML: a key or table is given twice; keep one of them"
ATTRIBUTES = "must be a table of strings, whole numbers, true or false, and lists and tables of them"
KEY_NAMES = (
    "is not a valid key name: key names have only a-z, 0-9, '.', '_' and '-', in segments joined by '/' that "
    "start with a letter or digit; use something like cache.example.org or prod/jwt"
)

FOURTEEN = ", ".join(f"s{number:02}" for number in range(12)) + ", …"
MISTAKES = {
    # syntax
    "no value": ("default_store =", f": invalid TOML: invalid value; {SYNTAX}"),
    "unquoted text": ("\ndefault_store = local", f":2:17: invalid TOML: invalid value; {SYNTAX}"),
    "unclosed text": ('default_store = "loc', f": invalid TOML: unterminated string; {SYNTAX}"),
    "number of 5000 digits": ("a = " + "1" * 5000, "has a number that is too long; shorten it"),
    "setting twice": (STORE + 'backend = "env"\n', f":3:16: {TWICE}"),
    "table twice": (STORE + STORE, f":3:14: {TWICE}"),
    "inline table entry twice": (STORE + 'variables = { a = "1", a = "2" }', f":3:31: {TWICE}"),
    "nested out of reason": (
        "a = " + "[" * 5000,
        "is nested too deeply; a configuration has tables in tables, three deep",
    ),
    # top level
    "misspelt setting": (
        'defaultstore = "a"',
        f"defaultstore is not a known setting or table (did you mean 'default_store'?); {THERE_ARE}",
    ),
    "misspelt table": (
        '[store.local]\nbackend = "a"',
        f"store is not a known setting or table (did you mean 'stores'?); {THERE_ARE}",
    ),
    "unknown table": ("[telemetry]", f"telemetry is not a known setting or table; {THERE_ARE}"),
    "name that acts on a terminal": ('"\\u001b[2J" = 1', f"<odd name> is not a known setting or table; {THERE_ARE}"),
    "empty name": ('"" = 1', f'"" is not a known setting or table; {THERE_ARE}'),
    "stores is not a table": ('stores = "local"', "stores must hold tables: [stores.NAME]"),
    "stores is a list of tables": ('[[stores]]\nname = "a"', "stores must hold tables: [stores.NAME]"),
    "seals is not a table": ("seals = true", "seals must hold tables: [seals.NAME]"),
    "keys is not a table": ("keys = []", "keys must hold tables: [keys.NAME]"),
    "profiles is not a table": ("profiles = 1", "profiles must hold tables: [profiles.NAME]"),
    "default_store is not text": ("default_store = 1\n" + STORE, "default_store must be text"),
    "default_store is a table": ('default_store = { name = "a" }\n' + STORE, f"default_store must be text{INDIRECT}"),
    "default_store dangles, nearly": (
        'default_store = "locla"\n' + STORE,
        "default_store names a store that is not configured (did you mean 'local'?); available: local",
    ),
    "default_store dangles": (
        'default_store = "x"\n' + STORE + '[stores.ci]\nbackend = "env"',
        "default_store names a store that is not configured; available: ci, local",
    ),
    "default_store points to no variable": (
        'default_store = { env = "KEYWRIGHT_TEST_NOT_SET" }\n' + STORE,
        (
            "default_store points to the environment variable KEYWRIGHT_TEST_NOT_SET, which is not set; set it, "
            "or change the setting"
        ),
    ),
    "two stores, no default": (
        STORE + '[stores.ci]\nbackend = "env"',
        (
            "default_store is not set, and there are several stores; set it, as --store does not replace it; "
            "available: ci, local"
        ),
    ),
    "fourteen stores, no default": (
        "".join(f'[stores.s{number:02}]\nbackend = "env"\n' for number in range(14)),
        "default_store is not set, and there are several stores; set it, as --store does not replace it; available: "
        + FOURTEEN,
    ),
    "plugins is not a list": ('plugins = "nix"', "plugins must be a list of strings"),
    "plugins holds a number": ('plugins = ["nix", 1]', "plugins must be a list of strings"),
    "plugin twice": ('plugins = ["nix", "jose", "nix"]', "plugins names a plugin twice; list it once"),
    # stores
    "store is not a table": ('[stores]\nlocal = "sqlite"', "stores.local must be a table: [stores.local]"),
    "store is a list of tables": ('[[stores.local]]\nbackend = "a"', "stores.local must be a table: [stores.local]"),
    "store name in capitals": (
        '[stores.Local]\nbackend = "a"',
        f"stores.Local is not a valid store name: {TABLE_NAMES}",
    ),
    "store name with dots": ('[stores."a.b"]\nbackend = "a"', f'stores."a.b" is not a valid store name: {TABLE_NAMES}'),
    "store name, hyphen first": ('[stores.-a]\nbackend = "a"', f"stores.-a is not a valid store name: {TABLE_NAMES}"),
    "store name empty": ('[stores.""]\nbackend = "a"', f'stores."" is not a valid store name: {TABLE_NAMES}'),
    "store name not ASCII": ('[stores."é"]\nbackend = "a"', f'stores."é" is not a valid store name: {TABLE_NAMES}'),
    "store name with a quote": (
        "[stores.'\"']\nbackend = 'a'",
        f"stores.<odd name> is not a valid store name: {TABLE_NAMES}",
    ),
    "no backend": (
        '[stores.local]\npath = "a"',
        "stores.local.backend is missing: name a store backend; `keywright plugins` lists them",
    ),
    "store in a store": (
        '[stores.local.inner]\nbackend = "a"',
        "stores.local.backend is missing: name a store backend; `keywright plugins` lists them",
    ),
    "backend is not text": ("[stores.local]\nbackend = 1", "stores.local.backend must be text"),
    "backend is a list": ('[stores.local]\nbackend = ["a"]', "stores.local.backend must be text"),
    "setting name with a hyphen": (STORE + 'read-only = "a"', f"stores.local.read-only {SETTING_NAMES}"),
    "setting name in capitals": (STORE + 'Path = "a"', f"stores.local.Path {SETTING_NAMES}"),
    "seal dangles": (
        STORE + 'seal = "maste"\n[seals.master]\nseal = "passphrase"',
        "stores.local.seal names a seal that is not configured (did you mean 'master'?); available: master",
    ),
    "seal dangles, none there": (
        STORE + 'seal = "master"',
        "stores.local.seal names a seal that is not configured; none is configured: add its table",
    ),
    "seal is not text": (STORE + "seal = true", "stores.local.seal must be text"),
    "seal is empty": (
        STORE + 'seal = ""\n[seals.master]\nseal = "passphrase"',
        "stores.local.seal names a seal that is not configured; available: master",
    ),
    # seals
    "seal is not a table": ('[seals]\nmaster = "passphrase"', "seals.master must be a table: [seals.master]"),
    "no kind of seal": ("[seals.master]", "seals.master.seal is missing: name a seal; `keywright plugins` lists them"),
    "kind of seal is not text": ("[seals.master]\nseal = 1.5", "seals.master.seal must be text"),
    "seal name": ('[seals."a b"]\nseal = "a"', f'seals."a b" is not a valid seal name: {TABLE_NAMES}'),
    # keys
    "key is not a table": ('[keys]\nmine = "ed25519"', "keys.mine must be a table: [keys.mine]"),
    "key name in capitals": ('[keys.Mine]\ntype = "oct"', f"keys.Mine {KEY_NAMES}"),
    "key name climbs": ('[keys."../a"]\ntype = "oct"', f'keys."../a" {KEY_NAMES}'),
    "key name empty": (
        '[keys.""]\ntype = "oct"',
        (
            'keys."" is not a valid key name: a key name must not be empty; use something like cache.example.org or '
            "prod/jwt"
        ),
    ),
    "key name too long": (
        f"[keys.{'a' * 201}]",
        "keys.<odd name> is not a valid key name: a key name has at most 200 bytes; choose a shorter one",
    ),
    "key name is a device": (
        "[keys.nul]",
        "keys.nul is not a valid key name: a segment of the key name is a device name on Windows; choose another",
    ),
    "key name, dots not quoted": ('[keys.cache.example.org]\ntype = "oct"', f"keys.cache.example {QUOTE}"),
    "key name, dot not quoted": ('[keys.example.org]\ntype = "oct"', f"keys.example.org {QUOTE}"),
    "key name, dot not quoted, number": ("[keys.example.org]\nbits = 1", f"keys.example.org {QUOTE}"),
    "key name, dot not quoted, empty": ("[keys.example.org]", f"keys.example.org {QUOTE}"),
    "key setting with a hyphen": ('[keys.a]\nrotate-every = "1d"', f"keys.a.rotate-every {SETTING_NAMES}"),
    "key type is not text": ("[keys.a]\ntype = 1", "keys.a.type must be text"),
    "key format is not text": ("[keys.a]\nformat = false", "keys.a.format must be text"),
    "key's store dangles": (
        STORE + '[keys."a/b"]\nstore = "lokal"',
        "keys.\"a/b\".store names a store that is not configured (did you mean 'local'?); available: local",
    ),
    "key's store is not text": ("[keys.a]\nstore = 1", "keys.a.store must be text"),
    "rotation without a unit": ("[keys.a]\nrotate_every = 90", f"keys.a.rotate_every {DURATION}"),
    "rotation in months": ('[keys.a]\nrotate_every = "3M"', f"keys.a.rotate_every {DURATION}"),
    "rotation at once": (
        '[keys.a]\nrotate_every = "0d"',
        "keys.a.rotate_every must be 1s or longer; leave it out for a key that is never due",
    ),
    "an end of nothing": (
        '[keys.a]\nexpires_in = "0d"',
        "keys.a.expires_in must be 1s or longer; leave it out for a key that never ends",
    ),
    "an end before the rotation": (
        '[keys.a]\nrotate_every = "90d"\nexpires_in = "90d"',
        f"keys.a.expires_in must be longer than rotate_every (90d), {ENDS}",
    ),
    "an end before the successor signs": (
        '[keys.a]\nrotate_every = "90d"\nactivate_in = "7d"\nexpires_in = "97d"',
        f"keys.a.expires_in must be longer than rotate_every and activate_in together (97d), {ENDS}",
    ),
    "an end within the overlap": (
        '[keys.a]\nrotate_every = "90d"\nactivate_in = "7d"\noverlap = "14d"\nexpires_in = "100d"',
        f"keys.a.expires_in must be longer than rotate_every, activate_in and overlap together (111d), {ENDS}",
    ),
    "overlap below nothing": ('[keys.a]\noverlap = "-1d"', f"keys.a.overlap {DURATION}"),
    "overlap too long": ('[keys.a]\noverlap = "36501d"', "keys.a.overlap must be at most 36500d"),
    "overlap beyond all bounds": ('[keys.a]\noverlap = "9999999999w"', "keys.a.overlap must be at most 36500d"),
    "activation in parts of a day": ('[keys.a]\nactivate_in = "1.5d"', f"keys.a.activate_in {DURATION}"),
    "activation is a date": ("[keys.a]\nactivate_in = 2030-01-01", f"keys.a.activate_in {DURATION}"),
    "kid with an unknown placeholder": ('[keys.a]\nkid = "{name}-{date}"', f"keys.a.kid {KID}"),
    "kid with a conversion": ('[keys.a]\nkid = "{name!r}"', f"keys.a.kid {KID}"),
    "kid with a closing brace": ('[keys.a]\nkid = "name}"', f"keys.a.kid {KID}"),
    "kid with an open brace": ('[keys.a]\nkid = "{name"', f"keys.a.kid {KID}"),
    "kid with a misspelt placeholder": ('[keys.a]\nkid = "{name}-{verison}"', f"keys.a.kid {KID}"),
    "kid too long": (f'[keys.a]\nkid = "{"x" * 1025}"', f"keys.a.kid {LONG_KID}"),
    "kid too long with its names": ('[keys.abc]\nkid = "' + "{name}" * 342 + '"', f"keys.abc.kid {LONG_KID}"),
    "kid empty": ('[keys.a]\nkid = ""', f"keys.a.kid {KID}"),
    "kid is not text": ("[keys.a]\nkid = 7", "keys.a.kid must be text"),
    "labels is not a table": ('[keys.a]\nlabels = "team=x"', "keys.a.labels must be a table of strings"),
    "label is a number": ("[keys.a]\nlabels = { user_id = 7 }", "keys.a.labels must be a table of strings"),
    "attributes is a list": ('[keys.a]\nattributes = ["sign"]', f"keys.a.attributes {ATTRIBUTES}"),
    "attribute is a fraction": ("[keys.a]\nattributes = { x = 1.5 }", f"keys.a.attributes {ATTRIBUTES}"),
    "attribute holds a date": ("[keys.a]\nattributes.x.y = [2030-01-01]", f"keys.a.attributes {ATTRIBUTES}"),
    "attributes nested out of reason": (
        f"[keys.a]\nattributes.{'.'.join('a' * 5000)} = 1",
        f"keys.a.attributes {ATTRIBUTES}",
    ),
    # profiles
    "profile is not a table": ("[profiles]\nci = 1", "profiles.ci must be a table: [profiles.ci]"),
    "profile name": ("[profiles.CI]", f"profiles.CI is not a valid profile name: {TABLE_NAMES}"),
    "profile in a profile": (
        "[profiles.ci.profiles.x]",
        "profiles.ci has a table `profiles`: profiles cannot be nested; move it to the top level",
    ),
}

IN_UNCHOSEN_PROFILE = {
    "misspelt": ("stroes = 1", f"stroes is not a known setting or table (did you mean 'stores'?); {IN_PROFILE}"),
    "stores is not a table": ("stores = 1", "stores must hold tables: [stores.NAME]"),
    "setting name": ("stores.a.A = 1", f"stores.a.A {SETTING_NAMES}"),
    "key name": ("keys.A.type = 1", f"keys.A {KEY_NAMES}"),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KEYWRIGHT_TEST_NOT_SET", raising=False)
    return tmp_path / "keywright.toml"


class Open(TypedDict, total=False):
    """Arguments of `keywright.open`."""

    config: str | dict[str, object]
    profile: str
    options: Sequence[tuple[str, str]]


def shown(error: BaseException | None) -> str:
    """All that a traceback with locals says, of the error and of what led to it."""
    if error is None:
        return ""
    lines = TracebackException.from_exception(error, capture_locals=True).format()
    return "".join(lines) + shown(error.__cause__) + shown(error.__context__)


def refusal(file: Path, profile: str | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(str(file), environ={"HOME": "/home/other"}, profile=profile)
    return text_of(caught.value)


def test_a_byte_order_mark_is_skipped(file: Path) -> None:
    """Editors on Windows write one (https://github.com/hukkin/tomli/issues/304)."""
    file.write_text("\ufeff" + STORE, encoding="utf-8")

    assert list(load_config(str(file), environ={}).stores) == ["local"]


@cases(("text", "rule"), MISTAKES)
def test_a_mistake_is_named_with_file_and_place_and_rule(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str, rule: str
) -> None:
    """A configuration with one mistake is refused in one line that says where it is and what is allowed.

    A traceback with locals shows no variable, however the file is read.
    """
    monkeypatch.setenv("DEPLOY_KEY", "canary-4711")
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as loaded:
        load_config(str(file), environ=os.environ)
    with pytest.raises(ConfigError) as opened:
        keywright.open(str(file))

    told = shown(loaded.value) + shown(opened.value)  # before anything is asserted here, in a frame of it
    assert (
        text_of(loaded.value)
        == text_of(opened.value)
        == (f"{file}{rule}" if rule.startswith(":") else f"{file}: {rule}")
    )
    assert "canary-4711" not in told


@cases(
    ("profile", "source", "rule"),
    {
        **{name: ("ci", " (profile other)", rule) for name, (_, rule) in IN_UNCHOSEN_PROFILE.items()},
        "value": ("ci", " (profile ci)", f"keys.a.overlap {DURATION}"),
        "near": ("pord", "", "profiles.pord is not configured (did you mean 'prod'?); available: ci, prod"),
        "empty": ("", "", 'profiles."" is not configured; available: ci, prod'),
        "terminal": ("\33[2J", "", "profiles.<odd name> is not configured; available: ci, prod"),
    },
)
def test_a_profile_that_is_wrong(
    request: pytest.FixtureRequest, file: Path, profile: str, source: str, rule: str
) -> None:
    """The shape of every profile is checked, whichever is chosen; an unknown one is refused with those that exist.

    A wrong value that a profile gave is blamed on the file and the profile.
    """
    case = request.node.callspec.id
    other = f"[profiles.other]\n{IN_UNCHOSEN_PROFILE[case][0]}" if case in IN_UNCHOSEN_PROFILE else "[profiles.prod]"
    value = 'keys.a.overlap = "1"' if case == "value" else ""
    file.write_text(f'{STORE}[keys.a]\noverlap = "1d"\n[profiles.ci]\n{value}\n{other}\n')

    assert refusal(file, profile=profile) == f"{file}{source}: {rule}"


def test_a_profile_without_a_file_is_refused(tmp_path: Path) -> None:
    """A profile asked for where no file was found is refused, not forgotten."""
    with refuses(ConfigError, "built-in defaults: profiles.ci is not configured; none is configured: add its table"):
        load_config(profile="ci", environ={"HOME": str(tmp_path)}, cwd=str(tmp_path))


@cases(
    "text",
    {
        "value of the core's": '[keys.a]\nkid = "{canary-4711}"',
        "reference": 'default_store = "canary-4711"',
        "in place of a table": 'stores = "canary-4711"',
        "indirection": '[stores.local]\nbackend = { canary-4711 = "canary-4711" }',
        "variable": '[stores.local]\nbackend = { env = "canary-4711" }',
        "file": '[stores.local]\nbackend = { file = "canary-4711" }',
        "secret written out": '[seals.m]\npassphrase = "canary-4711"',
        "syntax": "x = canary-4711",
        "twice": 'x = 1\nx = "canary-4711"',
        "neighbour": '[keys.a]\nx = ["canary-4711"]\noverlap = 1',
    },
)
def test_no_value_shows_in_an_error_or_its_traceback(file: Path, text: str) -> None:
    """Neither the message nor a traceback with locals and causes shows a value of the file."""
    file.write_text(text)
    del text  # this test's own frame is in the traceback, too

    with pytest.raises(ConfigError) as caught:
        load_config(str(file), environ={"HOME": "/home/other"})

    told = shown(caught.value)
    assert "canary-4711" not in told


OUTSIDE: dict[str, tuple[dict[str, str], Open]] = {
    "no such file": ({}, {"config": "none.toml"}),
    "a directory": ({}, {"config": "."}),
    "no such file, by a variable": ({"KEYWRIGHT_CONFIG": "none.toml"}, {}),
    "no such profile": ({}, {"profile": "prod"}),
    "no such profile, by a variable": ({"KEYWRIGHT_PROFILE": "prod"}, {}),
    "a variable that reaches nothing": ({"KEYWRIGHT__STORES__PROD__PATH": "x"}, {}),
    "a variable for two tables": ({"KEYWRIGHT__STORES__A_B__PATH": "x"}, {}),
    "a variable for no setting": ({"KEYWRIGHT__STORES__LOCAL__": "x"}, {}),
    "two variables for one setting": ({"KEYWRIGHT__DEFAULT_STORE": "a", "KEYWRIGHT__default_store": "a"}, {}),
    "a variable with a wrong value": ({"KEYWRIGHT__DEFAULT_STORE": "x"}, {}),
    "an option that is not a path": ({}, {"options": [("a..b", "x")]}),
    "an option that reaches nothing": ({}, {"options": [("stores.prod.path", "x")]}),
    "an option twice": ({}, {"options": [("default_store", "a"), ("default_store", "b")]}),
    "a document with a mistake": ({}, {"config": {"stores": 1}}),
    "a document with an option": ({}, {"config": {"keys": {"a": {}}}, "options": [("keys.b.kid", "x")]}),
}


@pytest.mark.parametrize(("variables", "arguments"), OUTSIDE.values(), ids=OUTSIDE)
def test_no_mistake_outside_the_file_shows_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], arguments: Open
) -> None:
    """Nor does one of an argument or a variable, where the value at fault is not the secret itself."""
    file.write_text(f'default_store = "local"\n{STORE}[stores.a-b]\nbackend = "env"\n[stores.a_b]\nbackend = "env"\n')
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("DEPLOY_KEY", "canary-4711")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        keywright.open(**arguments)

    told = shown(caught.value)
    assert "canary-4711" not in told


@pytest.mark.parametrize("config", [None, {}], ids=["no file", "a document"])
def test_a_home_that_is_missing_does_not_show_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, object] | None
) -> None:
    """Nor does the error where there is neither a store nor a home directory."""
    import pwd

    def absent(_user: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pwd, "getpwuid", absent)
    monkeypatch.setenv("DEPLOY_KEY", "canary-4711")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "")

    with pytest.raises(ConfigError) as caught:
        keywright.open(config)

    told = shown(caught.value)
    assert text_of(caught.value) == (
        "built-in defaults: the home directory is not known; set HOME, or configure a store"
    )
    assert "canary-4711" not in told


def pointed(section: str, name: str, setting: str, **more: object) -> dict[str, object]:
    """A document in which one setting points to the variable KEYWRIGHT_TEST."""
    return {section: {name: {setting: {"env": "KEYWRIGHT_TEST"}, **more}}}


@cases(
    ("document", "rule"),
    {
        "backend": (
            {**pointed("stores", "a", "backend"), "plugins": []},
            "given settings: stores.a.backend: no store backend is called <what it points to>; installed: none",
        ),
        "seal": (
            {**pointed("seals", "s", "seal"), "stores": {"a": {"backend": "memory", "seal": "s"}}},
            "given settings: seals.s.seal: no seal is called <what it points to>; installed: ",
        ),
        "store of a key": (
            {**pointed("keys", "k", "store"), "stores": {"a": {"backend": "memory"}}},
            "given settings: stores.<what it points to> is not configured; available: a",
        ),
        "type of a key": (
            {**pointed("keys", "k", "type"), "stores": {"a": {"backend": "memory"}}, "plugins": ["memory"]},
            "given settings: keys.k: no key type is called <what it points to>; installed: none",
        ),
        "plugins": (
            {"plugins": {"env": "KEYWRIGHT_TEST"}, "stores": {"a": {"backend": "memory"}}},
            "plugins names <what it points to>, which is not installed; installed: ",
        ),
        "default store": (
            {"default_store": {"env": "KEYWRIGHT_TEST"}, "stores": {"a": {"backend": "memory"}}},
            "given settings: default_store names a store that is not configured; available: a",
        ),
    },
)
def test_a_name_that_came_through_a_pointer_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, document: dict[str, object], rule: str
) -> None:
    """Who points a name at the wrong variable or file finds its content in no message, and in no traceback."""
    monkeypatch.setenv("KEYWRIGHT_TEST", "canary-4711")

    with pytest.raises((ConfigError, PluginError)) as caught, keywright.open(document) as ring:
        ring.generate("k")

    told = shown(caught.value)
    assert text_of(caught.value).startswith(rule)
    assert "canary-4711" not in told


@cases(
    "table",
    {
        "with a day to spare": 'rotate_every = "90d"\nexpires_in = "91d"',
        "all of them": 'rotate_every = "90d"\nactivate_in = "7d"\noverlap = "14d"\nexpires_in = "112d"',
        "announced longer than rotated": 'rotate_every = "90d"\nactivate_in = "100d"',
        "rotated by hand": 'activate_in = "7d"\noverlap = "14d"\nexpires_in = "1d"',
    },
)
def test_times_that_go_together(file: Path, table: str) -> None:
    """An end beyond what the rotation by the clock needs, and no end, is no one's mistake."""
    file.write_text(f"[keys.a]\n{table}\n")

    config = load_config(str(file), environ={"HOME": "/home/other"})

    assert list(config.keys) == ["a"]
