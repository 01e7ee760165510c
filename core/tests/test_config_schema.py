"""The JSON Schema says what a configuration may hold, as far as a schema can."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from tables import cases

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
SEALED = '[seals.m]\nseal = "passphrase"\npassphrase = { file = "a" }\n'
LOCAL = '[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n'


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return config_schema(BACKENDS, SEALS, KEY_TYPES, PLUGINS)


def accepts(schema: dict[str, Any], text: str) -> bool:
    # As TOML, and then as JSON, for JSON has no type for a date of TOML.
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


@cases(
    "text",
    {
        "empty": "",
        "the example": EXAMPLE,
        "plugins": 'plugins = ["nix", "file"]',
        "a key type's setting": '[keys."prod/jwt"]\ntype = "rsa"\nbits = 4096\nkid = "{name}-{version}"',
        "a key type's setting, type implied": "[keys.a]\nbits = 4096",
        "part of a store in a profile": '[profiles.ci.stores.local]\npath = "a"',
        "another backend in a profile": '[profiles.ci.stores.local]\nbackend = "file"',
        "backend from a variable": '[stores.a]\nbackend = { env = "X" }\npath = "a"',
        "choice from a variable": '[stores.a]\nbackend = "file"\npath = "a"\nlayout = { env = "X" }',
        "a list of secrets": SEALED + 'previous = [{ env = "A" }, { file = "b" }]',
        "longest duration": '[keys.a]\noverlap = "3153600000s"',
        "attributes": '[keys.a]\nattributes = { key_ops = ["sign"], x = { y = [1, true] } }',
    },
)
def test_what_is_right_is_accepted(schema: dict[str, Any], text: str) -> None:
    """A configuration that the program reads passes the schema."""
    assert accepts(schema, text)


@cases(
    "text",
    {
        "unknown setting": 'defaultstore = "a"',
        "unknown table": "[logging]",
        "default_store is not text": "default_store = 1",
        "default_store is a table": 'default_store = { name = "a" }',
        "two indirections": 'default_store = { env = "A", file = "B" }',
        "no indirection": "default_store = {}",
        "empty indirection": 'default_store = { env = "" }',
        "indirection to a number": "default_store = { env = 1 }",
        "plugins is not a list": 'plugins = "nix"',
        "plugins holds a number": "plugins = [1]",
        "plugin twice": 'plugins = ["nix", "nix"]',
        "stores is not a table": 'stores = "local"',
        "stores is a list": '[[stores]]\nbackend = "a"',
        "store name in capitals": '[stores.Local]\nbackend = "env"',
        "store name with dots": '[stores."a.b"]\nbackend = "env"',
        "store is not a table": '[stores]\na = "env"',
        "no backend": '[stores.a]\npath = "a"',
        "unknown backend": '[stores.a]\nbackend = "sqlit"\npath = "a"',
        "backend is not text": "[stores.a]\nbackend = 1",
        "required setting missing": '[stores.a]\nbackend = "sqlite"',
        "setting of another backend": LOCAL + 'variables = { a = "A" }',
        "setting of no backend": LOCAL + "mode = 1",
        "duration is a number": LOCAL + "timeout = 5",
        "duration without a unit": LOCAL + 'timeout = "5"',
        "seal is not text": LOCAL + "seal = true",
        "path is empty": '[stores.a]\nbackend = "sqlite"\npath = ""',
        "boolean is text": '[stores.a]\nbackend = "file"\npath = "a"\nsync = "yes"',
        "no choice": '[stores.a]\nbackend = "file"\npath = "a"\nlayout = "c"',
        "list is text": '[stores.a]\nbackend = "env"\nnames = "A"',
        "table of numbers": '[stores.a]\nbackend = "env"\nvariables = { a = 1 }',
        "no kind of seal": "[seals.m]",
        "secret missing": '[seals.m]\nseal = "passphrase"',
        "secret written out": '[seals.m]\nseal = "passphrase"\npassphrase = "a"',
        "secrets written out": SEALED + 'previous = ["a"]',
        "a pointer where a list belongs": SEALED + 'previous = { file = "a" }',
        "unknown seal": '[seals.m]\nseal = "pass"',
        "key name in capitals": '[keys.Mine]\ntype = "rsa"',
        "key name ends in a dot": '[keys."a."]\ntype = "rsa"',
        "key name with nothing inside": '[keys."a//b"]\ntype = "rsa"',
        "key name too long": f"[keys.{'a' * 201}]",
        "key name not quoted": '[keys.cache.example.org]\ntype = "rsa"',
        "unknown key type": '[keys.a]\ntype = "dsa"',
        "setting of another key type": '[keys.a]\ntype = "ed25519"\nbits = 256',
        "below the minimum": '[keys.a]\ntype = "rsa"\nbits = 1024',
        "above the maximum": '[keys.a]\ntype = "rsa"\nbits = 9000',
        "no multiple": '[keys.a]\ntype = "rsa"\nbits = 2049',
        "number as text": '[keys.a]\ntype = "rsa"\nbits = "2048"',
        "rotation without a unit": "[keys.a]\nrotate_every = 90",
        "overlap in months": '[keys.a]\noverlap = "3M"',
        "kid with an unknown placeholder": '[keys.a]\nkid = "{date}"',
        "kid empty": '[keys.a]\nkid = ""',
        "labels is not a table": '[keys.a]\nlabels = "a=b"',
        "label is a number": "[keys.a]\nlabels = { a = 1 }",
        "attributes is a list": '[keys.a]\nattributes = ["sign"]',
        "attribute holds a fraction": "[keys.a]\nattributes = { x = [1.5] }",
        "attribute is a date": "[keys.a]\nattributes = { x = 2030-01-01 }",
        "unknown key setting": '[keys.a]\nrotate = "1d"',
        "profile is not a table": "[profiles]\nci = 1",
        "profile name": "[profiles.CI]",
        "profile in a profile": "[profiles.ci.profiles.x]",
        "unknown setting in a profile": '[profiles.ci]\nstroes = "a"',
        "other backend's in a profile": '[profiles.ci.stores.a]\nbackend = "file"\nvariables = {}',
        "no backend's in a profile": "[profiles.ci.stores.a]\nmode = 1",
    },
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
