"""Several stores: as one chain, and keys that the configuration left in another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.errors import text_of
from support.rings import Refused, Rings, Table, writable

from keywright import KeyRing, Registry, Secret
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    CorruptedStoreError,
    KeyExistsError,
    KeyNotFoundError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)

Opener = Callable[..., KeyRing]


@pytest.fixture
def chained(ring: Rings, shared: dict[str, str]) -> Opener:
    """Opens rings over the chain `both` of `ci` and `prod`."""

    def open_ring(**settings: Any) -> KeyRing:
        tables = {
            "ci": {"backend": "memory", "id": f"{shared['id']}-ci"},
            "prod": {"backend": "memory", "id": f"{shared['id']}-prod"},
            "both": {"backend": "chain", "stores": ["ci", "prod"], "write_to": "prod", **settings},
        }
        return ring(stores={name: table for name, table in tables.items() if table}, default_store="both")

    return open_ring


def test_the_first_that_has_a_name_answers(chained: Opener) -> None:
    """A name in the first store hides that of the second; names are listed once; new ones go to `write_to`."""
    opened = chained()
    for name, store in (("a", "ci"), ("a", "prod"), ("b", "prod"), ("c", "ci")):
        opened.generate(name, store=store, allow_duplicate=True)

    assert opened.export("a") == opened.export("a", store="ci") != opened.export("a", store="prod")
    assert opened.export("b") == opened.export("b", store="prod")
    assert list(opened.names()) == ["a", "b", "c"]
    assert [one.name for one in opened.list()] == ["a", "b", "c"]
    assert [one.versions[0].info.kid for one in opened.list("a")] == [opened.show("a", store="ci").versions[0].info.kid]
    assert opened.verify("c", b"data", opened.sign("c", b"data")).reference == "c@1"
    opened.generate("d")
    assert list(opened.names("d", store="prod")) == ["d"]
    assert opened.rotate("d").reference == "d@2"
    with pytest.raises((KeyExistsError, ReadOnlyStoreError)):
        opened.generate("c")


def test_a_name_is_not_split_over_two_stores(chained: Opener, refused: Refused) -> None:
    """What would write a name of another store than `write_to` is refused, and says how to move it."""
    opened = chained()
    opened.generate("a", store="ci")
    message = (
        "a is in store 'ci', and the chain 'both' writes to 'prod'; move it with `keywright migrate --from ci --to "
        "prod a`, or pass --store ci"
    )

    writes: tuple[Callable[[], object], ...] = (
        lambda: opened.rotate("a"),
        lambda: opened.label("a", {"x": "y"}),
        lambda: opened.disable("a"),
        lambda: opened.destroy("a"),
    )
    for write in writes:
        with refused(ReadOnlyStoreError, message):
            write()
    assert list(opened.names(store="prod")) == []
    assert opened.rotate("a", store="ci").reference == "a@2"


def test_a_chain_may_be_read_only(ring: Rings, shared: dict[str, str], refused: Refused) -> None:
    """Without `write_to` nothing is written, whichever store has the name."""
    stores = {"ci": shared, "both": {"backend": "chain", "stores": ["ci"]}}
    opened = ring(stores=stores, default_store="both")
    opened.generate("a", store="ci")

    with refused(ReadOnlyStoreError, "store 'both' is read-only: a chain without write_to; pass --store ci"):
        opened.rotate("a")
    with refused(
        ReadOnlyStoreError,
        "store 'both' is read-only: a chain without write_to; set stores.both.write_to to one of its stores",
    ):
        opened.generate("b")


def test_a_name_that_none_has(
    ring: Rings, chained: Opener, shared: Table, refused: Refused, plain: dict[str, Secret]
) -> None:
    """The message names the chain, all of which was asked, and a store beside it that has the name."""
    stores = {"beside": shared, "ci": {"backend": "plain"}, "both": {"backend": "chain", "stores": ["ci"]}}
    opened = ring(stores=stores, default_store="both")
    opened.generate("a", store="beside")

    with refused(
        KeyNotFoundError,
        "chain 'both' (ci, prod) has no key z; create it with `keywright generate z`, or pass another --store",
    ):
        chained().show("z")
    with refused(
        KeyNotFoundError,
        "chain 'both' (ci) has no key a, and store 'beside' has it; move it with `keywright migrate --from beside --to "
        "ci a`, or pass --store beside",
    ):
        opened.show("a")


def test_a_signer_follows_a_key_that_moves(chained: Opener) -> None:
    """A signer that looks again finds the store that has the key by then."""
    opened = chained()
    opened.generate("a", store="ci")
    signer = opened.signer("a")
    before = signer.kid

    list(opened.migrate("a", from_="ci", to="prod", delete_source=True))

    assert list(opened.names(store="ci")) == []
    assert signer.kid == before
    assert opened.rotate("a").version == 2
    assert signer.version == 2


@pytest.mark.parametrize(
    ("error", "on_unavailable", "goes_on"),
    [
        (StoreUnavailableError("ci: cannot be reached; look to the network"), "fail", False),
        (StoreUnavailableError("ci: cannot be reached; look to the network"), "skip", True),
        (AccessDeniedError("ci: denied; run as the owner of the file"), "skip", False),
        (CorruptedStoreError("ci: damaged; restore it"), "skip", False),
    ],
    ids=["unreachable, fail", "unreachable, skip", "denied", "damaged"],
)
def test_what_fails_is_never_not_found(
    chained: Opener,
    registry: Registry,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    on_unavailable: str,
    goes_on: bool,
) -> None:
    """A store that fails ends the search; one that cannot be reached is passed over only where that is set.

    That is reported, once for each store and ring; of a name that no one has, the error tells it.
    """
    told: list[str] = []
    registry.report = told.append
    opened = chained(on_unavailable=on_unavailable)
    opened.generate("a", store="prod")

    def failing(name: str) -> Any:
        raise error

    monkeypatch.setattr(opened.open_store("ci"), "versions", failing)

    with refused(type(error), text_of(error)):
        opened.show("z" if goes_on else "a")
    assert told == []
    if goes_on:
        assert opened.show("a").name == opened.show("a").name == "a"
        assert told == [f"chain 'both' continues without store 'ci', which is not available: {error}"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"stores": ["ci", "prdo"]}, ("stores names a store that is not configured (did you mean 'prod'?); "
                                        "available: both, ci, prod"),
            id="misspelt",
        ),
        pytest.param(
            {"stores": ["both"]}, "stores names 'both', which is a chain itself; name its stores", id="itself",
        ),
        pytest.param({"stores": []}, "stores must name one store at least, and none twice", id="none"),
        pytest.param({"stores": ["ci", "ci"]}, "stores must name one store at least, and none twice", id="twice"),
        pytest.param({"stores": ["ci"]}, "write_to must be one of its stores: ci", id="write_to"),
        pytest.param({"on_unavailable": "maybe"}, "on_unavailable must be one of fail, skip", id="choice"),
    ],
)  # fmt: skip
def test_a_chain_that_cannot_be(chained: Opener, refused: Refused, settings: dict[str, Any], message: str) -> None:
    """What is wrong with its settings is reported with its place."""
    with refused(ConfigError, f"given settings: stores.both.{message}"):
        chained(**settings).show("a")


def test_a_chain_is_no_store_of_its_own(chained: Opener, refused: Refused) -> None:
    """Whatever is done to a whole store names one of the chain's; what they hold is examined as theirs."""
    opened = chained()

    for ask in (lambda: list(opened.migrate(from_="both", to="ci")), lambda: list(opened.rewrap())):
        with refused(ConfigError, "store 'both' is a chain of stores; name one of them"):
            ask()
    opened.generate("a", store="prod")
    assert list(opened.examine()) == []


def test_a_chain_has_no_seal_of_its_own(refused: Refused, ring: Rings) -> None:
    """Anyone who sets one would believe that its stores seal what they are given."""
    tables = {
        "ci": {"backend": "memory"},
        "both": {"backend": "chain", "stores": ["ci"], "write_to": "ci", "seal": "master"},
    }
    seals = {"master": {"seal": "memory", "master": {"env": "RING_MASTER"}}}
    opened = ring(stores=tables, seals=seals, default_store="both")

    with refused(
        ConfigError,
        "given settings: stores.both.seal has no meaning for a chain; set it for the stores that need one",
    ):
        opened.generate("a")


LEFT_BEHIND = (
    "store 'old' has a already, and the configuration now points it at store 'new'; move it with `keywright migrate "
    "--from old --to new a`, or pass --allow-duplicate for a second key"
)


@pytest.fixture
def swapped(ring: Rings, two_stores: dict[str, dict[str, str]]) -> KeyRing:
    """A ring whose default store is `new`; `a` was made while it was `old`."""
    ring(stores=two_stores, keys={"a": {}}, default_store="old").generate("a")
    return ring(stores=two_stores, keys={"a": {}}, default_store="new")


@pytest.mark.parametrize("ask", ["show", "signer", "verifier", "load", "export", "rotate", "destroy"])
def test_where_a_key_is_instead_is_said(swapped: KeyRing, refused: Refused, ask: str) -> None:
    """The error names the other store and the command that fixes it, whatever is asked; nothing falls back to it."""
    with refused(
        KeyNotFoundError,
        "store 'new' has no key a, and store 'old' has it; move it with `keywright migrate --from old --to new a`, or "
        "pass --store old",
    ):
        getattr(swapped, ask)("a")


@pytest.mark.parametrize("make", ["generate", "ensure"])
def test_no_second_key_is_made(swapped: KeyRing, refused: Refused, make: str) -> None:
    """`generate` and `ensure` refuse, and say how to go on; `allow_duplicate` makes one."""
    with refused(KeyExistsError, LEFT_BEHIND):
        getattr(swapped, make)("a")
    assert list(swapped.names()) == []

    getattr(swapped, make)("a", allow_duplicate=True)

    assert list(swapped.names()) == ["a"]


@pytest.mark.parametrize("way", ["store", "tombstones"])
def test_a_key_may_be_made_all_the_same(swapped: KeyRing, way: str) -> None:
    """Who says the store has chosen it; and of a name that has nothing but tombstones elsewhere, any store is."""
    if way == "tombstones":
        swapped.destroy("a@1", store="old")

    assert swapped.generate("a", store="new" if way == "store" else None).reference == "a@1"


@pytest.mark.parametrize("public", [False, True])
def test_no_second_key_is_imported(swapped: KeyRing, refused: Refused, public: bool) -> None:
    """`import` refuses as `generate` does, a public key too; `allow_duplicate` and a store that is named are obeyed."""
    data: bytes | Secret = swapped.export("a", store="old")
    if not public:
        data = swapped.export("a", store="old", secret=True)

    with refused(KeyExistsError, LEFT_BEHIND):
        swapped.import_key("a", data, public=public)
    assert list(swapped.names()) == []

    assert swapped.import_key("a", data, public=public, allow_duplicate=True).reference == "a@1"
    writable(swapped, "new").remove("a", [swapped.show("a").versions[0].info.revision])
    assert swapped.import_key("a", data, public=public, store="new").reference == "a@1"


def test_a_next_version_goes_where_the_name_is(swapped: KeyRing, refused: Refused) -> None:
    """An imported next version is refused where the name is not, and `allow_duplicate` has no meaning for it."""
    swapped.generate("b")
    data = swapped.export("b", secret=True)

    with refused(ConfigError, "--as-new-version and --allow-duplicate exclude each other; remove one of them"):
        swapped.import_key("a", data, as_new_version=True, allow_duplicate=True)
    with refused(
        KeyNotFoundError,
        "store 'new' has no key a, and store 'old' has it; move it with `keywright migrate --from old --to new a`, or "
        "pass --store old",
    ):
        swapped.import_key("a", data, as_new_version=True)


def test_what_the_error_says_mends_it(swapped: KeyRing) -> None:
    """After the migration the same key answers."""
    old = swapped.export("a", store="old")

    list(swapped.migrate("a", from_="old", to="new"))

    assert swapped.export("a") == old
    assert swapped.ensure("a") == ()


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({"backend": "memory", "idd": "x"}, id="a misspelt setting"),
        pytest.param({"backend": "memry"}, id="a misspelt backend"),
        pytest.param({"backend": "memory", "id": {"env": "OF_ANOTHER_MACHINE"}}, id="a variable that is not set here"),
        pytest.param({"backend": "sqlite", "path": "BROKEN"}, id="no database"),
    ],
)
def test_a_store_that_cannot_be_asked_is_named(
    ring: Rings, registry: Registry, refused: Refused, tmp_path: Path, table: dict[str, Any]
) -> None:
    """The key may be there, so no second one is made and "not found" names it; `allow_duplicate` makes one."""
    import keywright_sqlite

    registry.add(keywright_sqlite, "sqlite")
    (tmp_path / "broken").write_bytes(b"no database, but long enough to be looked at" * 30)
    if "path" in table:
        table = {**table, "path": str(tmp_path / "broken")}
    opened = ring(stores={"main": {"backend": "memory"}, "old": table}, default_store="main", keys={"a": {}})

    with refused(
        KeyNotFoundError,
        (
            "store 'main' has no key a; create it with `keywright generate a`, or pass another --store (could "
            "not be read: old)"
        ),
    ):
        opened.show("a")
    for make in (opened.generate, opened.ensure):
        with refused(
            StoreUnavailableError,
            "store 'old' is not available, so it is unknown whether it has a; make it available, or pass "
            "--allow-duplicate for a second key",
        ):
            make("a")
    assert list(opened.names()) == []
    assert opened.generate("a", allow_duplicate=True).reference == "a@1"


def test_no_key_is_hidden_in_a_chain(ring: Rings, refused: Refused, shared: dict[str, str]) -> None:
    """Where the configured chain has the name, a store of it that is named gets no other key, unless told so."""
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
        "where one key would hide the other; run `keywright rotate a` for its next version, or pass "
        "--allow-duplicate for a second key"
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
    assert opened.generate("a", store="ci", allow_duplicate=True).reference == "a@1"


def test_a_chain_that_cannot_be_asked_stops_a_second_key(ring: Rings, refused: Refused, shared: dict[str, str]) -> None:
    """The key may be in the store of the chain that does not answer."""
    tables: dict[str, Any] = {
        "ci": {"backend": "memory", "id": {"env": "NOT_SET_ANYWHERE"}},
        "prod": shared,
        "both": {"backend": "chain", "stores": ["ci", "prod"], "write_to": "prod"},
    }
    opened = ring(stores=tables, default_store="both")

    with refused(
        StoreUnavailableError,
        "store 'ci' is not available, so it is unknown whether it has a; make it available, or pass "
        "--allow-duplicate for a second key",
    ):
        opened.generate("a", store="prod")
    assert opened.generate("a", store="prod", allow_duplicate=True).reference == "a@1"
