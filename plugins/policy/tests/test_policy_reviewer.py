"""What the rules object to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, strategies as st
from support.problems import lines_of

import keywright_policy
from keywright import InstalledNames, Options, ReviewRequest
from keywright.events import Operation
from keywright_policy.rules import OPERATIONS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL: tuple[Operation, ...] = get_args(Operation)
STORING = {"generate", "import", "rotate", "migrate"}
KNOWN = InstalledNames(("ed25519", "oct", "rsa"), ("jwk", "nix"), sizable_key_types=frozenset({"oct", "rsa"}))
REQUEST = ReviewRequest(
    operation="generate",
    who="ann",
    name="prod/jwt",
    version=1,
    kid="",
    store="local",
    key_type="rsa",
    format="jwk",
    bits=2048,
    sealed=False,
    time=NOW,
)


def objections(request: ReviewRequest, *tables: Mapping[str, object]) -> list[str]:
    found = keywright_policy.keywright_configure(Options({"rules": tables}), KNOWN).keywright_review(request)
    return lines_of(found)


NO_SIZE = (
    "requires rsa keys of at least 3072 bits, and the size is unknown before the key is generated; allow types by name "
    "in the rule's types instead"
)
NO_END = "requires keys that expire within 365d, and this one never expires; pass --expires, or set its expires_in"
NO_AGE = (
    "requires keys of at most 365d, and store 'local' has no creation time of this one; keep it in a store with "
    "metadata, or change the rule"
)
TOO_SMALL = "requires rsa keys of at least 3072 bits, and this one has {}; use a larger one, or change the rule"
OBJECTIONS: Mapping[str, tuple[Mapping[str, object], Mapping[str, object], str]] = {
    "type": (
        {},
        {"types": ["ed25519", "oct"]},
        "allows the types ed25519, oct, not rsa; use one of the types that it allows, or change the rule",
    ),
    "type, unknown": (
        {"key_type": ""},
        {"types": ["ed25519"]},
        "allows the types ed25519, not an unknown one; use one of the types that it allows, or change the rule",
    ),
    "format": (
        {},
        {"formats": "nix"},
        "allows the formats nix, not jwk; use one of the formats that it allows, or change the rule",
    ),
    "format, unknown": (
        {"format": None},
        {"formats": "nix"},
        "allows the formats nix, not an unknown one; use one of the formats that it allows, or change the rule",
    ),
    "too small": ({"bits": 3071}, {"minimum_bits": {"rsa": 3072}}, TOO_SMALL.format(3071)),
    "too small to move": ({"operation": "migrate"}, {"minimum_bits": {"rsa": 3072}}, TOO_SMALL.format(2048)),
    "size unknown": ({"bits": None}, {"minimum_bits": {"rsa": 3072}}, NO_SIZE),
    "no seal": (
        {},
        {"sealed": True},
        "requires a store with a seal, and store 'local' has none; set stores.local.seal, or pass another --store",
    ),
    "export": (
        {"operation": "export"},
        {"export": False},
        "does not allow the export of secret halves; use the key in its store (sign), or change the rule",
    ),
    "operation": (
        {"operation": "destroy"},
        {"operations": ["generate", "bind"]},
        "allows generate, bind, not destroy; to allow it, add it to the rule's operations",
    ),
    "no end": ({}, {"maximum_age": "365d"}, NO_END),
    "too late an end": (
        {"expires": NOW + timedelta(days=365, microseconds=1)},
        {"maximum_age": "365d"},
        "requires keys that expire within 365d, and this one expires later; pass an earlier --expires",
    ),
    "too old to sign": (
        {"operation": "bind", "created": NOW - timedelta(days=365, microseconds=1)},
        {"maximum_age": "365d"},
        (
            "requires keys of at most 365d, and this one was created 2025-11-22T11:59:59Z; run `keywright rotate "
            "prod/jwt`"
        ),
    ),
    "age unknown": ({"operation": "export"}, {"maximum_age": "365d"}, NO_AGE),
}


@pytest.mark.parametrize(("change", "table", "message"), OBJECTIONS.values(), ids=OBJECTIONS)
def test_what_breaks_a_rule_is_objected_to(
    change: dict[str, object], table: Mapping[str, object], message: str
) -> None:
    """One sentence with subject, rule and hint; and none for a name that the rule is not for."""
    request = REQUEST._replace(**change)  # type: ignore[arg-type]  # (each a member of its type)

    assert objections(request, table) == [f"rule 1 (*): {message}"]
    assert objections(request, {**table, "names": ["prod/*", "b"]}) == [f"rule 1 (prod/*, b): {message}"]
    assert objections(request._replace(name="other"), {**table, "names": "prod/*"}) == []


@pytest.mark.parametrize(
    ("change", "table"),
    [
        pytest.param({"bits": 3072}, {"minimum_bits": {"rsa": 3072}}, id="just large enough"),
        pytest.param({"bits": 1}, {"minimum_bits": {"oct": 256}}, id="size of another type"),
        pytest.param({"operation": "migrate", "bits": None}, {"minimum_bits": {"rsa": 1}}, id="a moved tombstone"),
        pytest.param({}, {"types": ["rsa"], "formats": ["jwk"]}, id="allowed type and format"),
        pytest.param({"sealed": True}, {"sealed": True}, id="sealed"),
        pytest.param({"expires": NOW + timedelta(days=365)}, {"maximum_age": "365d"}, id="ends just in time"),
        pytest.param(
            {"operation": "bind", "created": NOW - timedelta(days=365)}, {"maximum_age": "365d"}, id="just young enough"
        ),
        pytest.param({"operation": "migrate"}, {"maximum_age": "1d"}, id="moving makes nothing older"),
        pytest.param({"operation": "destroy"}, {"maximum_age": "1d"}, id="an old key can be destroyed"),
    ],
)
def test_what_keeps_a_rule_passes(change: dict[str, object], table: Mapping[str, object]) -> None:
    """Bounds are allowed, and a rule asks only those operations that it is about."""
    request = REQUEST._replace(**change)  # type: ignore[arg-type]  # (each a member of its type)

    assert objections(request, table) == []


@pytest.mark.parametrize("operation", ALL)
def test_what_is_there_already_is_left_alone(operation: Operation) -> None:
    """Types, formats, sizes and seals are asked of what is put into a store; a tightened rule ends no key."""
    said = objections(
        REQUEST._replace(operation=operation),
        {"types": ["oct"], "formats": ["nix"], "minimum_bits": {"oct": 1}, "sealed": True},
    )

    assert len(said) == (3 if operation in STORING else 0)


def test_every_rule_that_applies_is_kept() -> None:
    """No rule takes another back; each says what it objects to."""
    said = objections(
        REQUEST, {"types": ["oct"]}, {"names": "other", "sealed": True}, {"types": ["rsa"]}, {"sealed": True}
    )

    assert [sentence[:6] for sentence in said] == ["rule 1", "rule 4"]


@given(
    allowed=st.sets(st.sampled_from(OPERATIONS), min_size=1),
    operation=st.sampled_from(ALL),
    name=st.sampled_from(["prod/a", "prod/b", "dev"]),
)
def test_operations_are_a_list_of_what_is_allowed(allowed: set[str], operation: Operation, name: str) -> None:
    """Whatever is not on the list is refused for the rule's names, and everything else is not."""
    said = objections(
        REQUEST._replace(operation=operation, name=name), {"names": "prod/*", "operations": sorted(allowed)}
    )

    assert bool(said) == (name.startswith("prod/") and operation not in allowed)


@pytest.mark.parametrize("table", [{"export": False}, {"export": False, "sealed": False}], ids=["export", "both"])
def test_a_secret_half_that_stays_in_is_not_moved_into_the_open(table: Mapping[str, object]) -> None:
    """`export = false` allows no move into a store without a seal either; into one with a seal it may move."""
    moved = REQUEST._replace(operation="migrate")

    assert objections(moved, table) == [
        (
            "rule 1 (*): does not allow secret halves in a store without a seal, such as 'local'; migrate it "
            "into one with a seal"
        )
    ]
    assert objections(moved._replace(sealed=True), table) == []
    assert objections(moved, {"export": True, "types": "rsa"}) == []
    assert objections(moved._replace(name="other"), {**table, "names": "prod/*"}) == []
