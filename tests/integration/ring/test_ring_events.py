"""The ring asks before it acts, and tells afterwards."""

from __future__ import annotations

import getpass
import os
import pwd
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from support.rings import NIX, NOW, Guard, Meanwhile, Refused, Rings, Table, writable

from keywright import KeyEvent, KeyRing, Registry, ReviewRequest, Secret, hookimpl
from keywright.errors import ConflictError, KeyExistsError, KeywrightError, PolicyError

OPERATIONS: list[tuple[str, Callable[[KeyRing], object]]] = [
    ("generate", lambda ring: ring.generate("new")),
    ("import", lambda ring: ring.import_key("new", ring.export("a"), public=True)),
    ("rotate", lambda ring: ring.rotate("a")),
    ("label", lambda ring: ring.label("a", {"x": "1"})),
    ("disable", lambda ring: ring.disable("a")),
    ("enable", lambda ring: ring.enable("a")),
    ("compromise", lambda ring: ring.compromise("a")),
    ("destroy", lambda ring: ring.destroy("a")),
    ("export", lambda ring: ring.export("a", secret=True)),
    ("export", lambda ring: ring.load("a")),
    ("bind", lambda ring: ring.signer("a")),
]

EACH = pytest.mark.parametrize(
    ("operation", "act"), [pytest.param(*one, id=f"{place}-{one[0]}") for place, one in enumerate(OPERATIONS)]
)


@EACH
def test_each_operation_is_asked_for_and_told(
    ring: Rings, guard: Guard, operation: str, act: Callable[[KeyRing], object]
) -> None:
    """Each operation is reviewed once before and observed once after, with who, what, where and when."""
    opened = ring()
    opened.generate("a", labels={"user_id": "7"})
    guard.requests.clear()
    guard.events.clear()

    act(opened)

    name, version = ("new" if operation in ("generate", "import") else "a"), (2 if operation == "rotate" else 1)
    kid = "new-1" if operation == "generate" else f"a-{version}"
    who = getpass.getuser()
    assert [(one.operation, one.name, one.version, one.store, one.who) for one in guard.requests] == [
        (operation, name, version, "main", who)
    ]
    assert guard.events == [
        KeyEvent(
            operation=operation,  # type: ignore[arg-type]  # a text among those
            who=who,
            name=name,
            version=version,
            kid=kid,
            store="main",
            outcome="done",
            time=NOW,
        )
    ]


@EACH
def test_an_objection_refuses_and_is_told(
    ring: Rings, guard: Guard, refused: Refused, operation: str, act: Callable[[KeyRing], object]
) -> None:
    """One objection refuses the operation: nothing is changed, and the refusal is observed."""
    opened = ring()
    opened.generate("a")
    before = opened.show("a")
    guard.objections[operation] = ("not on Fridays",)
    guard.events.clear()

    name = "new" if operation in ("generate", "import") else "a"
    with refused(PolicyError, f"{operation} of {name} is refused by plugin 'guard': not on Fridays"):
        act(opened)

    assert [(event.operation, event.outcome) for event in guard.events] == [(operation, "PolicyError")]
    assert opened.show("a") == before
    assert [*opened.names()] == ["a"]


def test_an_objection_comes_before_a_secret_exists(
    ring: Rings, guard: Guard, refused: Refused, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a review objects, no key is generated."""
    guard.objections = {"generate": ("no",), "rotate": ("no",)}
    opened = ring()
    opened.import_key("b", NIX, kid="b-1")
    monkeypatch.setattr(type(registry.key_type("ed25519")), "generate", None)

    with refused(PolicyError, "generate of a is refused by plugin 'guard': no"):
        opened.generate("a")
    with refused(PolicyError, "rotate of b is refused by plugin 'guard': no"):
        opened.rotate("b")


def test_a_review_knows_what_will_be(ring: Rings, guard: Guard, canary_seal: Table) -> None:
    """A request tells type, format, size, labels and whether the store seals."""
    stores = {"main": {"backend": "memory"}, "vault": {"backend": "memory", "seal": "master"}}
    opened = ring(stores=stores, seals={"master": canary_seal}, default_store="main")

    opened.generate("a", type="oct", bits=512, labels={"x": "1"}, store="vault")
    opened.rotate("a", bits=384, store="vault")
    opened.import_key("b", b'{"kty":"oct","k":"AyM1SysPpbyDfgZld3umjw","kid":"k"}')

    told = [(one.key_type, one.format, one.bits, one.kid, one.labels, one.sealed, one.time) for one in guard.requests]
    assert told == [
        ("oct", "jwk", 512, "", {"x": "1"}, True, NOW),
        ("oct", "jwk", 384, "", {"x": "1"}, True, NOW),
        ("oct", "jwk", 128, "k", {}, False, NOW),
    ]


def test_a_review_of_labels_sees_them_as_they_will_be(ring: Rings, guard: Guard, refused: Refused) -> None:
    """Anyone who guards labels is shown what would be written, not what is there: taken off, a label is gone."""
    opened = ring()
    opened.generate("a", labels={"owner": "ann", "x": "1"})
    guard.requests.clear()

    opened.label("a", {"owner": None, "y": "2"})
    opened.disable("a")

    assert [dict(request.labels) for request in guard.requests] == [{"x": "1", "y": "2"}] * 2


@pytest.mark.parametrize("objection", [False, True])
def test_labels_that_were_written_meanwhile_are_reviewed(
    ring: Rings, guard: Guard, refused: Refused, meanwhile: Meanwhile, objection: bool
) -> None:
    """Two who each take off one of two labels at once cannot get past a rule that wants one of them.

    What was not objected to the first time may be the second, and is not written then.
    """
    opened = ring()
    opened.generate("a", labels={"x": "1", "y": "1"})

    def relabel() -> None:
        opened.label("a", {"y": None})
        guard.objections = {"label": ("not on Fridays",)} if objection else {}

    meanwhile(opened.open_store(), "get", relabel)
    guard.requests.clear()
    guard.events.clear()

    said = refused(PolicyError, "label of a is refused by plugin 'guard': not on Fridays")
    with said if objection else nullcontext():
        opened.label("a", {"x": None})

    last = "PolicyError" if objection else "done"
    assert [dict(request.labels) for request in guard.requests] == [{"y": "1"}, {"x": "1"}, {}]
    assert [event.outcome for event in guard.events] == ["done", "ConflictError", last]
    assert opened.show("a").versions[0].info.labels == ({"x": "1"} if objection else {})


def test_each_attempt_is_asked_for_and_told(ring: Rings, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that is tried again, for another process wrote, has as many outcomes as reviews; so has one given up."""
    opened = ring()
    opened.generate("a")
    store = writable(opened)
    update = store.update_info
    conflicts = 3

    def moved(info: Any, expected: Any) -> Any:
        nonlocal conflicts
        conflicts -= 1
        if conflicts >= 0:
            raise ConflictError("moved")
        return update(info, expected)

    monkeypatch.setattr(store, "update_info", moved)
    guard.requests.clear()
    guard.events.clear()

    opened.disable("a")
    conflicts = 1000
    with pytest.raises(ConflictError):
        opened.enable("a@1")

    assert [event.outcome for event in guard.events] == [*["ConflictError"] * 3, "done", *["ConflictError"] * 20]
    assert [request.operation for request in guard.requests] == [event.operation for event in guard.events]


def test_a_key_without_metadata_is_reviewed_and_told(ring: Rings, guard: Guard, plain: dict[str, Secret]) -> None:
    """Where the store keeps payloads alone, reviews of a load and events of a binding tell what the payload says."""
    made = ring()
    made.generate("a")
    plain["a"] = made.export("a", secret=True)
    opened = ring(stores={"ci": {"backend": "plain"}})
    guard.requests.clear()
    guard.events.clear()

    opened.load("a")
    opened.signer("a")

    export, bind = guard.requests
    assert (export.operation, export.kid, export.key_type, export.format) == ("export", "a-1", "ed25519", "nix")
    assert bind.operation == "bind"
    assert [(one.kid, one.store, one.outcome) for one in guard.events] == [("a-1", "ci", "done")] * 2


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        pytest.param(lambda ring: ring.generate("a"), ("generate", "a", 1, "", "KeyExistsError"), id="generate"),
        pytest.param(
            lambda ring: ring.import_key("a", ring.export("a@1"), public=True),
            ("import", "a", 1, "a-1", "KeyExistsError"),
            id="import",
        ),
        pytest.param(lambda ring: ring.rotate("a", kid="a-1"), ("rotate", "a", 2, "", "KeyExistsError"), id="rotate"),
        pytest.param(lambda ring: ring.enable("a"), ("enable", "a", 1, "a-1", "PolicyError"), id="enable"),
        pytest.param(lambda ring: ring.label("a", {"": "x"}), ("label", "a", 1, "a-1", "ConfigError"), id="label"),
        pytest.param(
            lambda ring: ring.export("a@1", secret=True),
            ("export", "a", 1, "a-1", "NotExportableError"),
            id="export",
        ),
        pytest.param(
            lambda ring: ring.signer("b", algorithm="HS256"),
            ("bind", "b", 1, "b-1", "UnsupportedOperationError"),
            id="bind",
        ),
    ],
)
def test_failures_are_told(
    ring: Rings, guard: Guard, act: Callable[[KeyRing], object], outcome: tuple[object, ...]
) -> None:
    """What was tried and failed is observed by the error's class."""
    opened = ring()
    opened.generate("a")
    opened.generate("b")
    opened.destroy("a")
    guard.events.clear()

    with pytest.raises(KeywrightError):
        act(opened)

    assert [(one.operation, one.name, one.version, one.kid, one.outcome) for one in guard.events] == [outcome]


def test_plugins_that_fail(ring: Rings, registry: Registry, guard: Guard, refused: Refused) -> None:
    """One that fails to observe changes nothing, and the others hear it; one that fails in its review refuses."""

    class Broken:
        KEYWRIGHT_API = 1

        @hookimpl(trylast=False)
        def keywright_observe(self, event: KeyEvent) -> None:
            raise RuntimeError("out of paper")

        @hookimpl
        def keywright_review(self, request: ReviewRequest) -> Sequence[str]:
            if request.name == "b":
                raise RuntimeError("out of paper")
            return ()

    registry.add(Broken(), "broken")
    opened = ring()

    opened.generate("a")
    with refused(
        PolicyError,
        "generate of b is refused by plugin 'broken': its review failed with RuntimeError: out of paper",
    ):
        opened.generate("b")

    assert [*opened.names()] == ["a"]
    assert [event.outcome for event in guard.events] == ["done", "PolicyError"]


def test_reading_is_no_operation(ring: Rings, guard: Guard) -> None:
    """What gives no secret out and binds nothing is neither reviewed nor observed."""
    opened = ring()
    opened.generate("a")
    opened.import_key("b", opened.export("a"), public=True)
    signer = opened.signer("a")
    guard.requests.clear()
    guard.events.clear()

    opened.load("b")
    opened.export("a")
    opened.show("a")
    opened.resolve("a")
    list(opened.list())
    opened.verify("a", b"data", signer.sign(b"data"))

    assert (guard.requests, guard.events) == ([], [])


def test_each_look_of_a_signer_is_told(ring: Rings, guard: Guard, wait: Callable[..., None]) -> None:
    """Binding is an operation each time that a signer looks its key up, so that an objection stops it."""
    opened = ring()
    opened.generate("a")
    signer = opened.signer("a", refresh=timedelta(seconds=60))
    guard.objections["bind"] = ("not any more",)

    signer.sign(b"data")
    wait(seconds=60)
    with pytest.raises(PolicyError):
        signer.sign(b"data")

    assert [(one.operation, one.outcome) for one in guard.events[1:]] == [("bind", "done"), ("bind", "PolicyError")]


def test_a_race_is_told(ring: Rings, guard: Guard, meanwhile: Meanwhile) -> None:
    """Who loses a race is told of as one that found the key there."""
    opened = ring()
    meanwhile(opened.open_store(), "create", lambda: opened.generate("a"))

    with pytest.raises(KeyExistsError):
        opened.generate("a")

    assert [(one.kid, one.outcome) for one in guard.events] == [("a-1", "done"), ("", "KeyExistsError")]


def test_who_has_no_name_is_told_by_number(ring: Rings, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the system knows no name of, as in containers, is told by number."""

    def unknown(number: int) -> object:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)

    ring().generate("a")

    assert guard.events[0].who == str(os.geteuid())


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_operation_is_not_told_as_done(
    ring: Rings, guard: Guard, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    """Anyone who ends the program in the middle leaves an event that says so; no one knows what came of it."""
    opened = ring()

    def interrupted(*_: object) -> object:
        raise end

    monkeypatch.setattr(opened.open_store(), "create", interrupted)

    with pytest.raises(end):
        opened.generate("a")

    assert [(one.operation, one.name, one.outcome) for one in guard.events] == [("generate", "a", end.__name__)]
