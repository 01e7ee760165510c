"""Rules as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

import keywright_policy
from keywright import Known, Options
from keywright.errors import ConfigError
from keywright_policy.rules import MaximumAge, Rule, read_rules

CANARY = "hunter2-canary\n"
KNOWN = Known(("ec-p256", "ed25519", "oct", "rsa"), ("jwk", "nix"), sizable_key_types=frozenset({"oct", "rsa"}))


def test_a_rule_is_read_whole() -> None:
    """Each member becomes what it says; texts may stand alone or in lists."""
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
TEXTS_RULE = "must be a text, or a list of texts that is not empty"
BITS_RULE = (
    "rule 1: minimum_bits must be a table of key types and whole numbers from 1 to 1000000, such as { rsa = 3072 }"
)
AGE_RULE = "rule 1: maximum_age must be a whole number from 1 and a unit: s, m, h, d or w, such as 365d; at most 36500d"
NOTHING = (
    "rule 1 demands nothing; give it one of types, formats, minimum_bits, maximum_age, sealed = true, export = false "
    "and operations, or take it out"
)
HAS = "a rule has: names, types, formats, minimum_bits, maximum_age, sealed, export, operations"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({"typs": ["a"]}, f"rule 1 has no member 'typs' (did you mean 'types'?); {HAS}", id="misspelt"),
        pytest.param({"xyz": 1}, f"rule 1 has no member 'xyz'; {HAS}", id="unknown"),
        pytest.param(
            {CANARY: 1}, f"rule 1 has a member whose name is not of a-z, 0-9 and '_'; {HAS}", id="what no member is"
        ),
        pytest.param({}, NOTHING, id="empty"),
        pytest.param(
            {"names": "a", "sealed": False, "export": True},
            NOTHING,
            id="demands nothing",
        ),
        pytest.param(
            {"minimum_bits": {"oct": 256, "ed25519": 256}},
            "rule 1: minimum_bits has a key type whose size is fixed; say in types which are allowed, and take it out "
            "here; those of other sizes are: oct, rsa",
            id="bits: of a fixed size",
        ),
        pytest.param({"names": "Prod/*"}, NAMES_RULE, id="upper case"),
        pytest.param({"names": "prod/"}, NAMES_RULE, id="ends in a slash"),
        pytest.param({"names": "*/jwt"}, NAMES_RULE, id="star at the start"),
        pytest.param({"names": "a*b"}, NAMES_RULE, id="star inside"),
        pytest.param({"names": "a**"}, NAMES_RULE, id="two stars"),
        pytest.param({"names": ["a", CANARY]}, NAMES_RULE, id="one of several"),
        pytest.param({"names": 7}, f"rule 1: names {TEXTS_RULE}", id="names: number"),
        pytest.param({"names": ""}, f"rule 1: names {TEXTS_RULE}", id="names: empty text"),
        pytest.param({"types": []}, f"rule 1: types {TEXTS_RULE}", id="types: empty"),
        pytest.param(
            {"minimum_bits": {"rsaa": 3072}},
            "rule 1: minimum_bits has a key type that is not installed (did you mean 'rsa'?); there are: ec-p256, "
            "ed25519, oct, rsa",
            id="bits: misspelt type",
        ),
        pytest.param(
            {"minimum_bits": {"oct": 256, "canary": 1}},
            "rule 1: minimum_bits has a key type that is not installed; there are: ec-p256, ed25519, oct, rsa",
            id="bits: unknown type",
        ),
        pytest.param(
            {"types": ["oct", "ed25591"]},
            "rule 1: types has a key type that is not installed (did you mean 'ed25519'?); there are: ec-p256, "
            "ed25519, oct, rsa",
            id="types: misspelt",
        ),
        pytest.param(
            {"formats": "jwkk"},
            "rule 1: formats has a format that is not installed (did you mean 'jwk'?); there are: jwk, nix",
            id="formats: misspelt",
        ),
        pytest.param({"types": ["a", 1]}, f"rule 1: types {TEXTS_RULE}", id="types: number among them"),
        pytest.param(
            {"types": [CANARY]},
            "rule 1: types must be names of a-z, digits and '-', such as ed25519 or jwk",
            id="types: no name",
        ),
        pytest.param(
            {"formats": ["JWK"]},
            "rule 1: formats must be names of a-z, digits and '-', such as ed25519 or jwk",
            id="formats: no name",
        ),
        pytest.param(
            {"operations": ["genrate"]},
            "rule 1: operations must be of these (did you mean 'generate'?): generate, import, rotate, label, disable, "
            "enable, compromise, destroy, export, bind, migrate, reseal, remove",
            id="operations: misspelt",
        ),
        pytest.param({"minimum_bits": 3072}, BITS_RULE, id="bits: number"),
        pytest.param({"minimum_bits": {}}, BITS_RULE, id="bits: empty"),
        pytest.param({"minimum_bits": {"rsa": 0}}, BITS_RULE, id="bits: nothing"),
        pytest.param({"minimum_bits": {"rsa": 1_000_001}}, BITS_RULE, id="bits: too many"),
        pytest.param({"minimum_bits": {"rsa": True}}, BITS_RULE, id="bits: boolean"),
        pytest.param({"minimum_bits": {"rsa": "3072"}}, BITS_RULE, id="bits: text"),
        pytest.param({"minimum_bits": {CANARY: 1}}, BITS_RULE, id="bits: no type"),
        pytest.param(
            {"types": ["rsa"], "minimum_bits": {"rsaa": 3072}},
            "rule 1: minimum_bits has a type that types does not allow; correct its name, or take it out",
            id="bits: of a type that is not allowed",
        ),
        pytest.param({"maximum_age": "365"}, AGE_RULE, id="age: no unit"),
        pytest.param({"maximum_age": "0d"}, AGE_RULE, id="age: nothing"),
        pytest.param({"maximum_age": "36501d"}, AGE_RULE, id="age: too long"),
        pytest.param({"maximum_age": 365}, AGE_RULE, id="age: number"),
        pytest.param({"maximum_age": "３d"}, AGE_RULE, id="age: other digits"),
        pytest.param({"sealed": "yes"}, "rule 1: sealed must be true or false", id="sealed: text"),
        pytest.param({"export": 0}, "rule 1: export must be true or false", id="export: number"),
    ],
)
def test_what_is_no_rule_is_refused(table: Mapping[str, object], message: str) -> None:
    """One sentence says which rule and member, and what belongs there; never what stood there."""
    with pytest.raises(ConfigError) as caught:
        keywright_policy.keywright_configure(Options({"rules": (table,)}), KNOWN)

    assert str(caught.value) == message
    assert "canary" not in str(caught.value)


def test_rules_are_counted_from_one() -> None:
    """A message about the second table says 2."""
    with pytest.raises(ConfigError) as caught:
        read_rules(({"sealed": True}, {"sealed": 1}), KNOWN)

    assert str(caught.value) == "rule 2: sealed must be true or false"


def test_a_table_without_rules_is_refused() -> None:
    """Whoever asked for a policy and gave it no rule would believe in one that is not there."""
    with pytest.raises(ConfigError) as caught:
        keywright_policy.keywright_configure(Options({"rules": ()}), KNOWN)

    assert str(caught.value) == "rules has no rule, so nothing would be refused; give it one, or take the table out"


@pytest.mark.parametrize(
    ("table", "read"),
    [
        pytest.param({"maximum_age": "1s"}, {"maximum_age": MaximumAge(timedelta(seconds=1), "1s")}, id="shortest"),
        pytest.param(
            {"maximum_age": "36500d"}, {"maximum_age": MaximumAge(timedelta(days=36_500), "36500d")}, id="longest"
        ),
        pytest.param({"minimum_bits": {"rsa": 1}}, {"minimum_bits": {"rsa": 1}}, id="fewest bits"),
        pytest.param({"minimum_bits": {"rsa": 1_000_000}}, {"minimum_bits": {"rsa": 1_000_000}}, id="most bits"),
    ],
)
def test_bounds_are_allowed(table: Mapping[str, object], read: Mapping[str, object]) -> None:
    """What a message calls the least or the most is a rule."""
    (rule,) = read_rules((table,), KNOWN)

    assert {name: getattr(rule, name) for name in read} == read


def test_an_operation_that_is_like_none_is_refused_too() -> None:
    """Where no operation is near, the message names them all and guesses nothing."""
    with pytest.raises(ConfigError) as caught:
        read_rules(({"operations": ["generate", "qqqqqq"]},), KNOWN)

    assert str(caught.value) == (
        "rule 1: operations must be of these: generate, import, rotate, label, disable, enable, compromise, destroy, "
        "export, bind, migrate, reseal, remove"
    )


def test_where_nothing_is_installed_that_is_said() -> None:
    """Without any key type, format or type with sizes, a rule that names one is refused, and the list says `none`."""
    bare = Known((), ())

    for table, message in (
        ({"types": "oct"}, "rule 1: types has a key type that is not installed; there are: none"),
        ({"formats": "jwk"}, "rule 1: formats has a format that is not installed; there are: none"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_rules((table,), bare)
        assert str(caught.value) == message
    with pytest.raises(ConfigError) as caught:
        read_rules(({"minimum_bits": {"ed25519": 256}},), Known(("ed25519",), ()))
    assert str(caught.value) == (
        "rule 1: minimum_bits has a key type whose size is fixed; say in types which are allowed, and take it out "
        "here; those of other sizes are: none"
    )
