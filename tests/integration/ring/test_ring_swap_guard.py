"""A key that was left behind in another store when the configuration changed is told of, and not made anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from keywright import KeyRing, Registry, Secret
from keywright.errors import ConfigError, KeyExistsError, KeyNotFoundError, StoreUnavailableError
from keywright.stores import chain

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]

LEFT_BEHIND = (
    "store 'old' has a already, and the configuration now points it at store 'new'; move it with `keywright migrate "
    "--from old --to new a`, or say --new-here for a second key"
)


@pytest.fixture
def swapped(ring: Rings, shared: dict[str, str]) -> KeyRing:
    """A ring whose default store is `new`; `a` was made while it was `old`."""
    tables: dict[str, Any] = {
        "stores": {"old": shared, "new": {"backend": "memory", "id": f"{shared['id']}-new"}},
        "keys": {"a": {}},
    }
    ring(**tables, default_store="old").generate("a")
    return ring(**tables, default_store="new")


@pytest.mark.parametrize("ask", ["show", "signer", "verifier", "load", "export", "rotate", "destroy"])
def test_where_a_key_is_instead_is_said(swapped: KeyRing, refused: Refused, ask: str) -> None:
    """The error names the other store and the command that mends it, whatever is asked; nothing falls back to it."""
    with refused(
        KeyNotFoundError,
        "store 'new' has no key a, and store 'old' has it; move it with `keywright migrate --from old --to new a`, or "
        "say --store old",
    ):
        getattr(swapped, ask)("a")


@pytest.mark.parametrize("make", ["generate", "ensure"])
def test_no_second_key_is_made(swapped: KeyRing, refused: Refused, make: str) -> None:
    """`generate` and `ensure` refuse, and say how to go on; `new_here` makes one."""
    with refused(KeyExistsError, LEFT_BEHIND):
        getattr(swapped, make)("a")
    assert list(swapped.names()) == []

    getattr(swapped, make)("a", new_here=True)

    assert list(swapped.names()) == ["a"]


@pytest.mark.parametrize("public", [False, True])
def test_no_second_key_is_imported(swapped: KeyRing, refused: Refused, public: bool) -> None:
    """`import` refuses as `generate` does, a public key too; `new_here` and a store that is named are obeyed."""
    data: bytes | Secret = swapped.export("a", store="old")
    if not public:
        data = swapped.export("a", store="old", secret=True)

    with refused(KeyExistsError, LEFT_BEHIND):
        swapped.import_key("a", data, public=public)
    assert list(swapped.names()) == []

    assert swapped.import_key("a", data, public=public, new_here=True).reference == "a@1"
    swapped.open_store("new").writable.remove("a", expected=[swapped.show("a").versions[0].info.revision])
    assert swapped.import_key("a", data, public=public, store="new").reference == "a@1"


def test_a_next_version_goes_where_the_name_is(swapped: KeyRing, refused: Refused) -> None:
    """An imported next version is refused where the name is not, and `new_here` has no meaning for it."""
    swapped.generate("b")
    data = swapped.export("b", secret=True)

    with refused(ConfigError, "a next version goes where the name is; leave out --next or --new-here"):
        swapped.import_key("a", data, as_next=True, new_here=True)
    with refused(
        KeyNotFoundError,
        "store 'new' has no key a, and store 'old' has it; move it with `keywright migrate --from old --to new a`, or "
        "say --store old",
    ):
        swapped.import_key("a", data, as_next=True)


def test_what_the_error_says_mends_it(swapped: KeyRing) -> None:
    """After the migration the same key answers."""
    old = swapped.export("a", store="old")

    list(swapped.migrate("a", from_="old", to="new"))

    assert swapped.export("a") == old
    assert swapped.ensure("a") == ()


def test_a_store_that_is_named_is_obeyed(swapped: KeyRing) -> None:
    """Who says the store has chosen it; no other one is looked into."""
    assert swapped.generate("a", store="new").reference == "a@1"


def test_a_name_at_its_end_is_no_hindrance(swapped: KeyRing) -> None:
    """Of a name that has nothing but tombstones elsewhere, a new key may be made."""
    swapped.destroy("a@1", store="old")

    assert swapped.generate("a").reference == "a@1"


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({"backend": "memory", "idd": "x"}, id="a misspelt setting"),
        pytest.param({"backend": "memry"}, id="a misspelt backend"),
        pytest.param({"backend": "memory", "id": {"env": "OF_ANOTHER_MACHINE"}}, id="a variable that is not set here"),
    ],
)
def test_a_store_whose_settings_are_wrong_was_not_asked(ring: Rings, refused: Refused, table: dict[str, Any]) -> None:
    """The key may be there, so no second one is made and "not found" names it; `new_here` makes one."""
    opened = ring(stores={"main": {"backend": "memory"}, "old": table}, default_store="main", keys={"a": {}})
    not_asked = (
        "store 'old' could not be asked whether it has a already; mend it, or say --new-here for a key of its own"
    )

    with refused(
        KeyNotFoundError,
        "store 'main' has no key a; make one with generate or import, or name another --store (not asked: old)",
    ):
        opened.show("a")
    for make in (opened.generate, opened.ensure):
        with refused(StoreUnavailableError, not_asked):
            make("a")
    assert list(opened.names()) == []
    assert opened.generate("a", new_here=True).reference == "a@1"


def test_a_store_that_cannot_be_asked_is_named(
    ring: Rings, registry: Registry, refused: Refused, tmp_path: Path
) -> None:
    """ "Not found" says which stores were not asked, for the key may be there."""
    import keywright_sqlite

    registry.add(keywright_sqlite, "sqlite")
    (tmp_path / "broken").write_bytes(b"no database, but long enough to be looked at" * 30)
    opened = ring(
        stores={"main": {"backend": "memory"}, "broken": {"backend": "sqlite", "path": str(tmp_path / "broken")}},
        default_store="main",
    )

    with refused(
        KeyNotFoundError,
        "store 'main' has no key a; make one with generate or import, or name another --store (not asked: broken)",
    ):
        opened.show("a")
    with refused(
        StoreUnavailableError,
        "store 'broken' could not be asked whether it has a already; mend it, or say --new-here for a key of its own",
    ):
        opened.generate("a")
    assert opened.generate("a", new_here=True).reference == "a@1"


def test_no_key_is_hidden_in_a_chain(ring: Rings, registry: Registry, refused: Refused, shared: dict[str, str]) -> None:
    """Where the configured chain has the name, a store of it that is named gets no other key, unless told so."""
    registry.add(chain, "chain")
    tables: dict[str, Any] = {
        "ci": shared,
        "prod": {"backend": "memory", "id": f"{shared['id']}-prod"},
        "spare": {"backend": "memory"},
        "both": {"backend": "chain", "stores": ["ci", "prod"], "write_to": "prod"},
    }
    opened = ring(stores=tables, default_store="both", keys={"a": {}, "c": {"store": "spare"}})
    for name in ("a", "c"):
        opened.generate(name, store="prod")
    data = opened.export("a", secret=True)
    hidden = (
        "store 'prod' has a already, and the configuration looks for it in chain 'both', of stores 'ci' and 'prod', "
        "where one key would hide the other; rotate makes its next version, or say --new-here for a second key"
    )

    makes: tuple[Callable[..., object], ...] = (
        opened.generate,
        opened.ensure,
        lambda name, **where: opened.import_key(name, data, **where),
        lambda name, **_: ring(stores=tables, default_store="both", store="ci").generate(name),
    )
    for make in makes:
        with refused(KeyExistsError, hidden):
            make("a", store="ci")
    assert list(opened.names(store="ci")) == []

    assert opened.generate("b", store="ci").reference == "b@1"
    assert opened.generate("a", store="spare").reference == "a@1"
    assert opened.generate("c", store="ci").reference == "c@1"  # it is looked for in `spare` alone
    assert opened.generate("a", store="ci", new_here=True).reference == "a@1"


def test_a_chain_that_cannot_be_asked_stops_a_second_key(
    ring: Rings, registry: Registry, refused: Refused, shared: dict[str, str]
) -> None:
    """The key may be in the store of the chain that does not answer."""
    registry.add(chain, "chain")
    tables: dict[str, Any] = {
        "ci": {"backend": "memory", "id": {"env": "NOT_SET_ANYWHERE"}},
        "prod": shared,
        "both": {"backend": "chain", "stores": ["ci", "prod"], "write_to": "prod"},
    }
    opened = ring(stores=tables, default_store="both")

    with refused(
        StoreUnavailableError,
        "store 'ci' could not be asked whether it has a already; mend it, or say --new-here for a key of its own",
    ):
        opened.generate("a", store="prod")
    assert opened.generate("a", store="prod", new_here=True).reference == "a@1"
