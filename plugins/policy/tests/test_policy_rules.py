"""The plugin keeps its contract, and rules are read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

import pytest
from support.errors import text_of

import keywright_policy
from keywright import REQUIRED, InstalledNames, Options
from keywright.errors import ConfigError
from keywright.events import Operation
from keywright.testing import PluginContract
from keywright_policy.rules import OPERATIONS, MaximumAge, Rule, read_rules

CANARY = "hunter2-canary\n"
KNOWN = InstalledNames(
    ("ec-p256", "ed25519", "oct", "rsa"), ("jwk", "nix"), sizable_key_types=frozenset({"oct", "rsa"})
)


class TestPolicyPlugin(PluginContract):
    module = "keywright_policy"


def test_the_operations_are_those_that_are_reviewed() -> None:
    assert get_args(Operation) == OPERATIONS


def test_rules_are_required() -> None:
    (setting,) = keywright_policy.SETTINGS

    assert (setting.name, setting.type, setting.default) == ("rules", "tables", REQUIRED)


def test_a_rule_is_read_whole() -> None:
    table: Mapping[str, object] = {
        "names": ["prod/*", "cache.example.org"],
        "types": "oct",
        "formats": ["nix", "jwk"],
        "minimum_bits": {"oct": 256},
        "maximum_age": "52w",
        "sealed": True,
        "export": False,
        "operations": ["generate", "bind"],
    }

    rules = read_rules((table,), KNOWN)

    assert rules == (
        Rule(
            number=1,
            names=("prod/*", "cache.example.org"),
            types=("oct",),
            formats=("nix", "jwk"),
            operations=("generate", "bind"),
            minimum_bits={"oct": 256},
            maximum_age=MaximumAge(timedelta(weeks=52), "52w"),
            sealed=True,
            export=False,
        ),
    )


@pytest.mark.parametrize(
    ("names", "has", "has_not"),
    [
        pytest.param(None, ["a", "prod/jwt"], [], id="left out: every name"),
        pytest.param("*", ["a", "prod/jwt"], [], id="every name"),
        pytest.param("prod/*", ["prod/jwt", "prod/a/b"], ["prod", "production", "a/prod/jwt"], id="below"),
        pytest.param("prod*", ["prod", "production", "prod/jwt"], ["pro", "a/prod"], id="beginning"),
        pytest.param("prod", ["prod"], ["production", "prod/jwt"], id="one name"),
        pytest.param(["a", "b/*"], ["a", "b/c"], ["b", "a/c"], id="several"),
    ],
)
def test_names_say_which_keys_a_rule_is_for(names: object, has: list[str], has_not: list[str]) -> None:
    """A name is itself; with a star at its end it is a beginning."""
    (rule,) = read_rules(({"sealed": True} | ({} if names is None else {"names": names}),), KNOWN)

    assert [name for name in (*has, *has_not) if rule.has(name)] == has


NAMES_RULE = "rule 1: names must be names of keys, or beginnings of them with a * at the end, such as prod/*"
TEXTS_RULE = "must be a string, or a list of strings that is not empty"
BITS_RULE = (
    "rule 1: minimum_bits must be a table of key types and whole numbers from 1 to 1000000, such as { rsa = 3072 }"
)
AGE_RULE = (
    "rule 1: maximum_age must be a whole number from 1 and a unit: s, m, h, d, w or y, such as 365d; at most 36500d"
)
NOTHING = (
    "rule 1 has no requirement; add one of types, formats, minimum_bits, maximum_age, sealed = true, export "
    "= false and operations, or remove the rule"
)
PLUGIN_NAMES_RULE = "must be names of a-z, digits and '-', such as ed25519 or jwk"
HAS = "a rule has: names, types, formats, minimum_bits, maximum_age, sealed, export, operations"


FIXED_SIZE = (
    "rule 1: minimum_bits has a key type whose size is fixed; remove it there, and list allowed "
    "types in types; types with sizes: "
)
NO_TYPE = "has a key type that is not installed{}; available: ec-p256, ed25519, oct, rsa"
REFUSED = {
    "misspelt": ({"typs": ["a"]}, f"rule 1 has no member 'typs' (did you mean 'types'?); {HAS}"),
    "unknown": ({"xyz": 1}, f"rule 1 has no member 'xyz'; {HAS}"),
    "not a name": ({CANARY: 1}, f"rule 1 has a member whose name is not of a-z, 0-9 and '_'; {HAS}"),
    "empty": ({}, NOTHING),
    "demands nothing": ({"names": "a", "sealed": False, "export": True}, NOTHING),
    "bits: of a fixed size": ({"minimum_bits": {"oct": 256, "ed25519": 256}}, FIXED_SIZE + "oct, rsa"),
    "names: upper case": ({"names": "Prod/*"}, NAMES_RULE),
    "names: ends in a slash": ({"names": "prod/"}, NAMES_RULE),
    "names: star at the start": ({"names": "*/jwt"}, NAMES_RULE),
    "names: star inside": ({"names": "a*b"}, NAMES_RULE),
    "names: two stars": ({"names": "a**"}, NAMES_RULE),
    "names: one of several": ({"names": ["a", CANARY]}, NAMES_RULE),
    "names: number": ({"names": 7}, f"rule 1: names {TEXTS_RULE}"),
    "names: empty text": ({"names": ""}, f"rule 1: names {TEXTS_RULE}"),
    "types: empty": ({"types": []}, f"rule 1: types {TEXTS_RULE}"),
    "types: number among them": ({"types": ["a", 1]}, f"rule 1: types {TEXTS_RULE}"),
    "types: no name": ({"types": [CANARY]}, f"rule 1: types {PLUGIN_NAMES_RULE}"),
    "types: misspelt": (
        {"types": ["oct", "ed25591"]},
        "rule 1: types " + NO_TYPE.format(" (did you mean 'ed25519'?)"),
    ),
    "bits: misspelt type": (
        {"minimum_bits": {"rsaa": 3072}},
        "rule 1: minimum_bits " + NO_TYPE.format(" (did you mean 'rsa'?)"),
    ),
    "bits: unknown type": (
        {"minimum_bits": {"oct": 256, "canary": 1}},
        "rule 1: minimum_bits " + NO_TYPE.format(""),
    ),
    "formats: misspelt": (
        {"formats": "jwkk"},
        "rule 1: formats has a format that is not installed (did you mean 'jwk'?); available: jwk, nix",
    ),
    "formats: no name": ({"formats": ["JWK"]}, f"rule 1: formats {PLUGIN_NAMES_RULE}"),
    "operations: misspelt": (
        {"operations": ["genrate"]},
        f"rule 1: operations must be of these (did you mean 'generate'?): {', '.join(OPERATIONS)}",
    ),
    "operations: unlike any": (
        {"operations": ["generate", "qqqqqq"]},
        f"rule 1: operations must be of these: {', '.join(OPERATIONS)}",
    ),
    "operations: renamed": (
        {"operations": ["bind", "reseal"]},
        "rule 1: operations: 'reseal' was renamed to 'rewrap'; use the new name",
    ),
    "bits: number": ({"minimum_bits": 3072}, BITS_RULE),
    "bits: empty": ({"minimum_bits": {}}, BITS_RULE),
    "bits: nothing": ({"minimum_bits": {"rsa": 0}}, BITS_RULE),
    "bits: too many": ({"minimum_bits": {"rsa": 1_000_001}}, BITS_RULE),
    "bits: boolean": ({"minimum_bits": {"rsa": True}}, BITS_RULE),
    "bits: text": ({"minimum_bits": {"rsa": "3072"}}, BITS_RULE),
    "bits: no type": ({"minimum_bits": {CANARY: 1}}, BITS_RULE),
    "bits: of a type that is not allowed": (
        {"types": ["rsa"], "minimum_bits": {"rsaa": 3072}},
        "rule 1: minimum_bits has a type that types does not allow; correct its name, or remove it",
    ),
    "age: no unit": ({"maximum_age": "365"}, AGE_RULE),
    "age: nothing": ({"maximum_age": "0d"}, AGE_RULE),
    "age: too long": ({"maximum_age": "36501d"}, AGE_RULE),
    "age: number": ({"maximum_age": 365}, AGE_RULE),
    "age: other digits": ({"maximum_age": "３d"}, AGE_RULE),
    "sealed: text": ({"sealed": "yes"}, "rule 1: sealed must be true or false"),
    "export: number": ({"export": 0}, "rule 1: export must be true or false"),
}


@pytest.mark.parametrize(("table", "message"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_rule_is_refused(table: Mapping[str, object], message: str) -> None:
    """One sentence says which rule and member, and what belongs there; never what stood there."""
    with pytest.raises(ConfigError) as caught:
        keywright_policy.keywright_configure(Options({"rules": (table,)}), KNOWN)

    assert text_of(caught.value) == message
    assert "canary" not in text_of(caught.value)


def test_rules_are_counted_from_one() -> None:
    with pytest.raises(ConfigError) as caught:
        read_rules(({"sealed": True}, {"sealed": 1}), KNOWN)

    assert text_of(caught.value) == "rule 2: sealed must be true or false"


def test_a_table_without_rules_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        keywright_policy.keywright_configure(Options({"rules": ()}), KNOWN)

    assert text_of(caught.value) == "rules is empty; add a rule, or remove the table"


def test_bounds_are_allowed() -> None:
    """What a message calls the least or the most is a rule."""
    for member, value, read in (
        ("maximum_age", "1s", MaximumAge(timedelta(seconds=1), "1s")),
        ("maximum_age", "36500d", MaximumAge(timedelta(days=36_500), "36500d")),
        ("minimum_bits", {"rsa": 1}, {"rsa": 1}),
        ("minimum_bits", {"rsa": 1_000_000}, {"rsa": 1_000_000}),
    ):
        (rule,) = read_rules(({member: value},), KNOWN)
        assert getattr(rule, member) == read


def test_where_nothing_is_installed_the_list_says_none() -> None:
    bare = InstalledNames((), ())

    for known, table, message in (
        (bare, {"types": "oct"}, "rule 1: types has a key type that is not installed; available: none"),
        (bare, {"formats": "jwk"}, "rule 1: formats has a format that is not installed; available: none"),
        (InstalledNames(("ed25519",), ()), {"minimum_bits": {"ed25519": 256}}, FIXED_SIZE + "none"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_rules((table,), known)
        assert text_of(caught.value) == message
