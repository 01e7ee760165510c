"""Whatever is wrong in a configuration ends in exit 2 and one line: the file, the setting's path, and the hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Told
from support.errors import joined

SOUND = """
default_store = "local"
[stores.local]
backend = "sqlite"
path = "keys.db"
"""

# What stands in the file (after SOUND at the `+`), the path that the message names, and part of the hint.
WRONG: dict[str, tuple[str, str, str]] = {
    "no TOML": ("default_store = ", "keywright.toml: ", "TOML"),
    "no UTF-8": ("default_store = '\udcff'", "", "UTF-8"),
    "an unknown table": ("+[store.local]\n", "store", "did you mean 'stores'"),
    "an unknown top-level setting": ("defaultstore = 'local'\n+", "defaultstore", "did you mean 'default_store'"),
    "default_store is not text": (
        "default_store = 3\n[stores.local]\nbackend='memory'",
        "default_store",
        "must be text",
    ),
    "default_store is not configured": (
        "default_store = 'locl'\n[stores.local]\nbackend='memory'",
        "default_store",
        "did you mean 'local'",
    ),
    "two stores and no default": (
        "[stores.a]\nbackend='memory'\n[stores.b]\nbackend='memory'",
        "default_store",
        "available: a, b",
    ),
    "a store without a backend": ("+[stores.other]\npath='x'", "stores.other.backend", "name a store backend"),
    "a backend that is not text": ("+[stores.other]\nbackend=1", "stores.other.backend", "must be text"),
    "a backend that is not installed": (
        "+[stores.other]\nbackend='sqllite'",
        "stores.other.backend",
        "did you mean 'sqlite'",
    ),
    "a store that is not a table": ("+[stores]\nother = 1", "stores.other", "table"),
    "a store's name": ("+[stores.'Other Store']\nbackend='memory'", 'stores."Other Store"', "a-z"),
    "a setting the backend has not": (
        "+[stores.other]\nbackend='file'\npaht='x'",
        "stores.other.paht",
        "did you mean 'path'",
    ),
    "a setting of another backend": (
        "+[stores.other]\nbackend='file'\npath='x'\nid='x'",
        "stores.other.id",
        "store backend 'file' has: path, timeout",
    ),
    "a missing setting": ("+[stores.other]\nbackend='file'", "stores.other.path", "needs it"),
    "a path that is not text": ("+[stores.other]\nbackend='file'\npath=3", "stores.other.path", "must be a path"),
    "an empty path": ("+[stores.other]\nbackend='file'\npath=''", "stores.other.path", "not empty"),
    "a path with a NUL": ('+[stores.other]\nbackend="file"\npath="a\\u0000b"', "stores.other.path", "must be"),
    "a duration without a unit": (
        "+[stores.other]\nbackend='sqlite'\npath='x'\ntimeout='30'",
        "stores.other.timeout",
        "such as 90d",
    ),
    "a duration that is a number": (
        "+[stores.other]\nbackend='sqlite'\npath='x'\ntimeout=30",
        "stores.other.timeout",
        "such as 90d",
    ),
    "a duration of another unit": (
        "+[stores.other]\nbackend='sqlite'\npath='x'\ntimeout='3mo'",
        "stores.other.timeout",
        "(s, m, h, d, w or y)",
    ),
    "variables that are not a table": (
        "+[stores.other]\nbackend='env'\nvariables='X'",
        "stores.other.variables",
        "table",
    ),
    "a variable that is not text": (
        "+[stores.other]\nbackend='env'\nvariables={a=1}",
        "stores.other.variables",
        "table of strings",
    ),
    "a variable of nothing": ("+[stores.other]\nbackend='env'\nvariables={a=''}", "stores.other.variables", "variable"),
    "a variable for no key name": (
        "+[stores.other]\nbackend='env'\nvariables={'A B'='X'}",
        "stores.other.variables",
        "",
    ),
    "an unset environment variable": (
        "+[stores.other]\nbackend='file'\npath={env='KEYWRIGHT_TEST_UNSET'}",
        "stores.other.path",
        "set it",
    ),
    "a file that is not there": (
        "+[stores.other]\nbackend='file'\npath={file='absent'}",
        "stores.other.path",
        "cannot be read",
    ),
    "a pointer to nowhere": ("+[stores.other]\nbackend='file'\npath={envv='X'}", "stores.other.path", "{ env ="),
    "a pointer to two places": (
        "+[stores.other]\nbackend='file'\npath={env='X',file='y'}",
        "stores.other.path",
        "{ env =",
    ),
    "a seal that is not configured": (
        "+[stores.other]\nbackend='memory'\nseal='master'",
        "stores.other.seal",
        "not configured",
    ),
    "a seal without a kind": ("+[seals.master]\nx=1", "seals.master.seal", "name a seal"),
    "a seal whose kind is misspelt": (
        "+[seals.master]\nsaal='passphrase'",
        "seals.master.seal is missing (instead of 'saal'?)",
        "name a seal",
    ),
    "a store whose seal is misspelt": (
        "+[stores.other]\nbackend='memory'\nsaal='master'",
        "stores.other.saal",
        "did you mean 'seal'?",
    ),
    "a seal that is not installed": (
        "+[seals.master]\nseal='pasphrase'\n[stores.other]\nbackend='memory'\nseal='master'",
        "seals.master.seal",
        "installed",
    ),
    "a key of no name": ("+[keys.'A']\ntype='ed25519'", "keys.A", "a-z"),
    "a key's name without quotes": ("+[keys.cache.example.org]\ntype='ed25519'", "keys.cache", "quot"),
    "a key's unknown type": ("+[keys.a]\ntype='ed2551'", "keys.a", "did you mean 'ed25519'"),
    "a key's unknown format": ("+[keys.a]\nformat='nixx'", "keys.a", "did you mean 'nix'"),
    "a format that cannot carry the type": ("+[keys.a]\nformat='nix'\ntype='rsa'", "keys.a", "it carries: ed25519"),
    "a key's unknown setting": ("+[keys.a]\ntype='rsa'\nbitz=2048", "keys.a.bitz", "did you mean 'bits'"),
    "bits out of bounds": ("+[keys.a]\ntype='rsa'\nbits=1024", "keys.a.bits", "from 2048 to 8192"),
    "bits that are text": ("+[keys.a]\ntype='rsa'\nbits='2048'", "keys.a.bits", "whole number"),
    "bits that are a fraction": ("+[keys.a]\ntype='rsa'\nbits=2048.0", "keys.a.bits", "whole number"),
    "bits for a type without": ("+[keys.a]\ntype='ed25519'\nbits=256", "keys.a.bits", "not a setting of key type"),
    "a key's store that is not configured": ("+[keys.a]\nstore='prod'", "keys.a.store", "not configured"),
    "an unknown placeholder": ("+[keys.a]\nkid='{nam}-{version}'", "keys.a.kid", "{name} and {version}"),
    "an overlap of no unit": ("+[keys.a]\noverlap='14'", "keys.a.overlap", "such as 90d"),
    "a rotation every nothing": ("+[keys.a]\nrotate_every='0s'", "keys.a.rotate_every", "1s or longer"),
    "labels that are not a table": ("+[keys.a]\nlabels='x'", "keys.a.labels", "table"),
    "a label's name": ("+[keys.a]\nlabels={'a b'='x'}", "keys.a.labels", "a-z"),
    "plugins that are not a list": ("plugins='nix'\n+", "plugins", "list"),
    "a plugin twice": ("plugins=['nix','nix']\n+", "plugins", "twice"),
    "a plugin that is not installed": ("plugins=['nyx']\n+", "plugins", "not installed"),
    "profiles that are not a table": ("profiles=1\n+", "profiles", "table"),
    "an unknown table in a profile": (
        "+[profiles.ci.store.x]\nbackend='env'",
        "(profile ci): store",
        "did you mean 'stores'",
    ),
    "a profile in a profile": (
        "+[profiles.ci.profiles.x]\ndefault_store='a'",
        "profiles.ci has",
        "move it to the top level",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_fault_in_the_file_is_told_with_file_path_and_way_out(what: str, home: Path, told: Told) -> None:
    """`config check` exits 2 with one line for the fault: where it is, and what to do."""
    text, path, way_out = WRONG[what]
    before, plus, after = text.partition("+")
    (home / "keywright.toml").write_bytes((before + SOUND + after if plus else text).encode(errors="surrogateescape"))

    code, out, err = told("config", "check")

    assert (code, out, joined(err).count("\n")) == (2, "", 1), err
    assert err.startswith("error: ")
    assert path in err
    assert way_out in err


FROM_OUTSIDE: dict[str, tuple[list[str], dict[str, str], str]] = {
    "a file that is not there": (["--config", "absent.toml"], {}, "absent.toml"),
    "a variable that names no file": ([], {"KEYWRIGHT_CONFIG": "absent.toml"}, "absent.toml"),
    "an unknown profile": (["--profile", "prod"], {}, "profiles.prod"),
    "an unknown profile in a variable": ([], {"KEYWRIGHT_PROFILE": "prod"}, "profiles.prod"),
    "an unknown store": (["--store", "prod"], {}, "stores.prod"),
    "an option that reaches nothing": (["--option", "stores.prod.path", "x"], {}, "stores.prod"),
    "an option that is not a path": (["--option", "stores..x", "x"], {}, "--option"),
    "a variable that reaches nothing": ([], {"KEYWRIGHT__STORES__PROD__PATH": "x"}, "KEYWRIGHT__STORES__PROD__PATH"),
    "a wrong value in an option": (["--option", "stores.local.timeout", "x"], {}, "--option: stores.local.timeout"),
    "a wrong value in a variable": (
        [],
        {"KEYWRIGHT__STORES__LOCAL__TIMEOUT": "x"},
        "environment variable KEYWRIGHT__STORES__LOCAL__TIMEOUT: stores.local.timeout",
    ),
}


@pytest.mark.parametrize("what", FROM_OUTSIDE)
def test_a_fault_from_outside_the_file_names_where_it_came_from(
    what: str, home: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option or variable that is wrong exits 2 and is named itself."""
    arguments, variables, named = FROM_OUTSIDE[what]
    (home / "keywright.toml").write_text(SOUND)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    code, _, err = told(*arguments, "list")

    assert (code, joined(err).count("\n")) == (2, 1), err
    assert named in err


def test_every_fault_is_told_not_just_the_first(home: Path, told: Told) -> None:
    """`config check` goes on after a fault of one store, and tells those of the others too."""
    (home / "keywright.toml").write_text(
        SOUND + "[stores.b]\nbackend='file'\n[stores.c]\nbackend='nope'\n[keys.k]\nbits=3\ntype='rsa'\n"
    )

    code, _, err = told("config", "check")

    assert (code, joined(err).count("\n")) == (2, 3)
    assert all(part in err for part in ("stores.b.path", "'nope'", "keys.k.bits"))


def test_stores_that_a_command_does_not_use_do_not_matter_to_it(home: Path, told: Told) -> None:
    """A store with wrong settings is not trouble for a command that uses another."""
    (home / "keywright.toml").write_text(SOUND + "[stores.b]\nbackend='file'\npath={env='KEYWRIGHT_TEST_UNSET'}\n")

    assert told("list")[0] == 0
