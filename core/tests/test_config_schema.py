"""The JSON Schema says what a configuration may hold, as far as a schema can."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from keywright.config.schema import config_schema
from keywright.settings.model import Setting

# The example of the design, and what its plugins would declare.
EXAMPLE = """
default_store = "local"

[stores.local]
backend = "sqlite"
path = "keys.db"

[stores.ci]
backend = "env"
variables = { "cache.example.org" = "NIX_CACHE_KEY" }

[stores.prod]
backend = "file"
path = { env = "KEYS_DIR" }
seal = "master"

[seals.master]
seal = "passphrase"
passphrase = { file = "/run/secrets/kw" }

[keys."cache.example.org"]
type = "ed25519"
format = "nix"
rotate_every = "90d"
overlap = "14d"

[profiles.ci]
default_store = "ci"
[profiles.prod]
default_store = "prod"
"""

BACKENDS = {
    "sqlite": (Setting("path", "path"), Setting("timeout", "duration", timedelta(seconds=5), "how long to wait")),
    "env": (Setting("variables", "table", {}), Setting("names", "list", ("A",))),
    "file": (
        Setting("path", "path"),
        Setting("sync", "boolean", True),
        Setting("layout", "text", "a", choices=("a", "b")),
    ),
}
SEALS = {"passphrase": (Setting("passphrase", "secret"), Setting("previous", "secrets", ()))}
KEY_TYPES = {
    "ed25519": (),
    "rsa": (Setting("bits", "integer", 3072, "the size in bits", minimum=2048, maximum=8192, multiple_of=8),),
}
PLUGINS = {"policy": (Setting("rules", "tables", (), "what is asked of keys"), Setting("strict", "boolean", False))}
LOCAL = '[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n'


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return config_schema(BACKENDS, SEALS, KEY_TYPES, PLUGINS)


def accepts(schema: dict[str, Any], text: str) -> bool:
    # As TOML, and then as JSON, for a date of TOML's is none of JSON's types.
    document = json.loads(json.dumps(tomllib.loads(text), default=lambda _: None))
    return bool(Draft202012Validator(schema).is_valid(document))


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    """It is valid JSON Schema 2020-12, and JSON."""
    Draft202012Validator.check_schema(schema)

    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_schema_of_no_plugins_is_one() -> None:
    """Without any plugin the schema is still valid, and knows the core's settings."""
    schema = config_schema({}, {}, {}, {})

    Draft202012Validator.check_schema(schema)
    assert accepts(schema, '[keys.a]\nrotate_every = "90d"')
    assert not accepts(schema, LOCAL)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(EXAMPLE, id="the example"),
        pytest.param('plugins = ["nix", "file"]', id="plugins"),
        pytest.param(
            '[keys."prod/jwt"]\ntype = "rsa"\nbits = 4096\nkid = "{name}-{version}"', id="a key type's setting"
        ),
        pytest.param("[keys.a]\nbits = 4096", id="a key type's setting, type implied"),
        pytest.param('[profiles.ci.stores.local]\npath = "a"', id="part of a store in a profile"),
        pytest.param('[profiles.ci.stores.local]\nbackend = "file"', id="another backend in a profile"),
        pytest.param('[stores.a]\nbackend = { env = "X" }\npath = "a"', id="backend from a variable"),
        pytest.param('[stores.a]\nbackend = "file"\npath = "a"\nlayout = { env = "X" }', id="choice from a variable"),
        pytest.param(
            '[seals.m]\nseal = "passphrase"\npassphrase = { file = "a" }\nprevious = [{ env = "A" }, { file = "b" }]',
            id="a list of secrets",
        ),
        pytest.param('[keys.a]\noverlap = "3153600000s"', id="longest duration"),
        pytest.param('[keys.a]\nattributes = { key_ops = ["sign"], x = { y = [1, true] } }', id="attributes"),
    ],
)
def test_what_is_right_is_accepted(schema: dict[str, Any], text: str) -> None:
    """A configuration that the program reads passes the schema."""
    assert accepts(schema, text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('defaultstore = "a"', id="unknown setting"),
        pytest.param("[logging]", id="unknown table"),
        pytest.param("default_store = 1", id="default_store is no text"),
        pytest.param('default_store = { name = "a" }', id="default_store is a table"),
        pytest.param('default_store = { env = "A", file = "B" }', id="two indirections"),
        pytest.param("default_store = {}", id="no indirection"),
        pytest.param('default_store = { env = "" }', id="empty indirection"),
        pytest.param("default_store = { env = 1 }", id="indirection to a number"),
        pytest.param('plugins = "nix"', id="plugins is no list"),
        pytest.param("plugins = [1]", id="plugins holds a number"),
        pytest.param('plugins = ["nix", "nix"]', id="plugin twice"),
        pytest.param('stores = "local"', id="stores is no table"),
        pytest.param('[[stores]]\nbackend = "a"', id="stores is a list"),
        pytest.param('[stores.Local]\nbackend = "env"', id="store name in capitals"),
        pytest.param('[stores."a.b"]\nbackend = "env"', id="store name with dots"),
        pytest.param('[stores]\na = "env"', id="store is no table"),
        pytest.param('[stores.a]\npath = "a"', id="no backend"),
        pytest.param('[stores.a]\nbackend = "sqlit"\npath = "a"', id="unknown backend"),
        pytest.param("[stores.a]\nbackend = 1", id="backend is no text"),
        pytest.param('[stores.a]\nbackend = "sqlite"', id="required setting missing"),
        pytest.param(LOCAL + 'variables = { a = "A" }', id="setting of another backend"),
        pytest.param(LOCAL + "mode = 1", id="setting of no backend"),
        pytest.param(LOCAL + "timeout = 5", id="duration is a number"),
        pytest.param(LOCAL + 'timeout = "5"', id="duration without a unit"),
        pytest.param(LOCAL + "seal = true", id="seal is no text"),
        pytest.param('[stores.a]\nbackend = "sqlite"\npath = ""', id="path is empty"),
        pytest.param('[stores.a]\nbackend = "file"\npath = "a"\nsync = "yes"', id="boolean is text"),
        pytest.param('[stores.a]\nbackend = "file"\npath = "a"\nlayout = "c"', id="no choice"),
        pytest.param('[stores.a]\nbackend = "env"\nnames = "A"', id="list is text"),
        pytest.param('[stores.a]\nbackend = "env"\nvariables = { a = 1 }', id="table of numbers"),
        pytest.param("[seals.m]", id="no kind of seal"),
        pytest.param('[seals.m]\nseal = "passphrase"', id="secret missing"),
        pytest.param('[seals.m]\nseal = "passphrase"\npassphrase = "a"', id="secret written out"),
        pytest.param(
            '[seals.m]\nseal = "passphrase"\npassphrase = { file = "a" }\nprevious = ["a"]', id="secrets written out"
        ),
        pytest.param(
            '[seals.m]\nseal = "passphrase"\npassphrase = { file = "a" }\nprevious = { file = "a" }',
            id="a pointer where a list belongs",
        ),
        pytest.param('[seals.m]\nseal = "pass"', id="unknown seal"),
        pytest.param('[keys.Mine]\ntype = "rsa"', id="key name in capitals"),
        pytest.param('[keys."a."]\ntype = "rsa"', id="key name ends in a dot"),
        pytest.param('[keys."a//b"]\ntype = "rsa"', id="key name with nothing inside"),
        pytest.param(f"[keys.{'a' * 201}]", id="key name too long"),
        pytest.param('[keys.cache.example.org]\ntype = "rsa"', id="key name not quoted"),
        pytest.param('[keys.a]\ntype = "dsa"', id="unknown key type"),
        pytest.param('[keys.a]\ntype = "ed25519"\nbits = 256', id="setting of another key type"),
        pytest.param('[keys.a]\ntype = "rsa"\nbits = 1024', id="below the minimum"),
        pytest.param('[keys.a]\ntype = "rsa"\nbits = 9000', id="above the maximum"),
        pytest.param('[keys.a]\ntype = "rsa"\nbits = 2049', id="no multiple"),
        pytest.param('[keys.a]\ntype = "rsa"\nbits = "2048"', id="number as text"),
        pytest.param("[keys.a]\nrotate_every = 90", id="rotation without a unit"),
        pytest.param('[keys.a]\noverlap = "3M"', id="overlap in months"),
        pytest.param('[keys.a]\nkid = "{date}"', id="kid with an unknown placeholder"),
        pytest.param('[keys.a]\nkid = ""', id="kid empty"),
        pytest.param('[keys.a]\nlabels = "a=b"', id="labels is no table"),
        pytest.param("[keys.a]\nlabels = { a = 1 }", id="label is a number"),
        pytest.param('[keys.a]\nattributes = ["sign"]', id="attributes is a list"),
        pytest.param("[keys.a]\nattributes = { x = [1.5] }", id="attribute holds a fraction"),
        pytest.param("[keys.a]\nattributes = { x = 2030-01-01 }", id="attribute is a date"),
        pytest.param('[keys.a]\nrotate = "1d"', id="unknown key setting"),
        pytest.param("[profiles]\nci = 1", id="profile is no table"),
        pytest.param("[profiles.CI]", id="profile name"),
        pytest.param("[profiles.ci.profiles.x]", id="profile in a profile"),
        pytest.param('[profiles.ci]\nstroes = "a"', id="unknown setting in a profile"),
        pytest.param('[profiles.ci.stores.a]\nbackend = "file"\nvariables = {}', id="other backend's in a profile"),
        pytest.param("[profiles.ci.stores.a]\nmode = 1", id="no backend's in a profile"),
    ],
)
def test_what_is_wrong_is_rejected(schema: dict[str, Any], text: str) -> None:
    """A mistake in one value or table does not pass the schema."""
    assert not accepts(schema, text)


def test_help_and_defaults_come_along(schema: dict[str, Any]) -> None:
    """What a plugin says about a setting, an editor can show."""
    then = [rule["then"]["properties"] for rule in schema["properties"]["stores"]["additionalProperties"]["allOf"]]
    bits = schema["properties"]["keys"]["additionalProperties"]["allOf"][1]["then"]["properties"]["bits"]

    env, file, sqlite = then
    assert (sqlite["timeout"]["default"], sqlite["timeout"]["description"]) == ("5s", "how long to wait")
    assert (env["names"]["default"], env["variables"]["default"]) == (["A"], {})
    assert (file["sync"]["default"], file["layout"]["default"], "default" in file["path"]) == (True, "a", False)
    assert (bits["default"], bits["description"]) == (3072, "the size in bits")
