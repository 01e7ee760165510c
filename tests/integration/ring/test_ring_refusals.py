"""What every method of a ring refuses: wrong names and references, empty texts, missing keys, read-only stores."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from support.errors import text_of
from support.rings import Refused, Rings, writable

import keywright
from keywright import Decrypter, Encrypter, KeyRing, Record, RecordInfo, Secret
from keywright.errors import (
    ConfigError,
    InvalidNameError,
    KeyExistsError,
    KeyNotFoundError,
    ReadOnlyStoreError,
)

OCT = b'{"kty":"oct","k":"AyM1SysPpbyDfgZld3umjw"}'
# Methods that take a name or a reference, with what else they need.
CALLS: dict[str, Callable[..., object]] = {
    "generate": KeyRing.generate,
    "import": lambda ring, name, **said: ring.import_key(name, OCT, **said),
    "rotate": KeyRing.rotate,
    "show": KeyRing.show,
    "load": KeyRing.load,
    "resolve": KeyRing.resolve,
    "export": KeyRing.export,
    "export secret": lambda ring, name, **said: ring.export(name, secret=True, **said),
    "label": lambda ring, name: ring.label(name, {"x": "1"}),
    "destroy": KeyRing.destroy,
    "sign": lambda ring, name: ring.sign(name, b"data"),
    "verify": lambda ring, name: ring.verify(name, b"data", b"signature"),
    "signer": KeyRing.signer,
    "verifier": KeyRing.verifier,
    "encrypter": KeyRing.encrypter,
    "decrypter": KeyRing.decrypter,
}
BINDING = ("signer", "verifier", "encrypter", "decrypter")
THAT_FIND = ("load", "resolve", "export", "label", "destroy", "sign", "verify", *BINDING)


RESERVED: dict[str, Callable[..., object]] = {
    **CALLS,
    "ensure": KeyRing.ensure,
    "due": lambda ring, name: list(ring.due(name)),
    "rotate due": lambda ring, name: list(ring.rotate_due(name)),
    "record": KeyRing.get_record,
    "store": lambda ring, name: ring.open_store(name=name),
    "capabilities": lambda ring, name: ring.capabilities(name=name),
    "disable": KeyRing.disable,
    "enable": KeyRing.enable,
    "compromise": KeyRing.compromise,
    "migrate": lambda ring, name: list(ring.migrate(name, from_="old", to="new")),
}


@pytest.mark.parametrize("method", RESERVED)
def test_a_reserved_name_is_refused(
    ring: Rings, refused: Refused, two_stores: dict[str, dict[str, str]], method: str
) -> None:
    """Names that begin with `keywright.` are not keys, even where a record has one; those that only contain it are."""
    opened = ring(stores=two_stores, default_store="old")
    record = writable(opened).create(Record(RecordInfo(name="keywright.header", version=1), None))

    with refused(InvalidNameError, "names that begin with 'keywright.' are reserved; choose another name"):
        RESERVED[method](opened, "keywright.header")
    assert opened.open_store().get("keywright.header", 1).info == record
    assert opened.generate("keywright").reference == "keywright@1"
    assert opened.generate("a/keywright.header").reference == "a/keywright.header@1"


@pytest.mark.parametrize("method", THAT_FIND)
def test_what_is_not_there_is_refused(ring: Rings, refused: Refused, method: str) -> None:
    """A name or a version that is not there is reported, with the store that was asked and what it has."""
    opened = ring()
    opened.generate("a")

    with refused(
        KeyNotFoundError,
        "store 'main' has no key b; create it with `keywright generate b`, or pass another --store",
    ):
        CALLS[method](opened, "b")
    with refused(KeyNotFoundError, "a has no version 7 in store 'main'; it has: 1"):
        CALLS[method](opened, "a@7")
    opened.rotate("a")
    with refused(KeyNotFoundError, "a has no version 3 in store 'main'; it has: 1, 2"):
        CALLS[method](opened, "a@3")


@pytest.mark.parametrize("method", ["show", "rotate"])
def test_a_name_that_is_not_there_is_refused(ring: Rings, refused: Refused, method: str) -> None:
    """The same of methods that take a name alone."""
    with refused(
        KeyNotFoundError,
        "store 'main' has no key a; create it with `keywright generate a`, or pass another --store",
    ):
        CALLS[method](ring(), "a")


@pytest.mark.parametrize("method", ["load", "export", "signer"])
def test_a_wrong_reference_is_refused(ring: Rings, method: str) -> None:
    """References are checked at the door."""
    for reference in ("", "A", "a@", "a@0", "a@01", "a@@1", "../a"):
        with pytest.raises(InvalidNameError):
            CALLS[method](ring(), reference)


@pytest.mark.parametrize("method", ["generate", "import"])
def test_a_wrong_name_is_refused(ring: Rings, refused: Refused, method: str) -> None:
    """Names are checked at the door, too."""
    with refused(InvalidNameError, "a key name must not be empty; use something like cache.example.org or prod/jwt"):
        CALLS[method](ring(), "")
    with pytest.raises(InvalidNameError):
        CALLS[method](ring(), "A")


@pytest.mark.parametrize("destroyed", [False, True])
@pytest.mark.parametrize("method", ["generate", "import"])
def test_a_taken_name_is_refused(ring: Rings, refused: Refused, method: str, destroyed: bool) -> None:
    """A name that has any version, a tombstone too, gets no version 1 again."""
    opened = ring()
    before = opened.generate("a")
    if destroyed:
        before = opened.destroy("a")

    with refused(
        KeyExistsError,
        "store 'main' has a already; create its next version with `keywright rotate a`, or with `import "
        "--as-new-version`",
    ):
        CALLS[method](opened, "a")

    assert [one.info for one in opened.show("a").versions] == [before]


@pytest.mark.parametrize("method", ["generate", "import", "rotate", "destroy"])
def test_a_read_only_store_is_refused(ring: Rings, refused: Refused, plain: dict[str, Secret], method: str) -> None:
    """A store that takes no writes is refused by name, before its keys are opened."""
    if method == "destroy":
        plain["a"] = Secret(OCT)
    opened = ring(stores={"ci": {"backend": "plain"}})

    with refused(ReadOnlyStoreError, "store 'ci' is read-only (backend 'plain'); pass a writable one with --store"):
        CALLS[method](opened, "a")


@pytest.mark.parametrize("keys", [{}, {"b": {"type": "oct", "format": "jwk", "kid": "k", "store": "main"}}])
@pytest.mark.parametrize(
    ("method", "texts"),
    {
        "generate": "type format kid store",
        "import": "format kid store",
        "rotate": "kid store",
        "export": "format store",
        "export secret": "format store",
    }.items(),
)
def test_an_empty_text_is_no_choice(
    ring: Rings, refused: Refused, method: str, texts: str, keys: dict[str, Any]
) -> None:
    """An empty text is neither left out, so that the configuration would say, nor a choice."""
    opened = ring(keys=keys)
    opened.generate("a")
    name = "b" if method in ("generate", "import") else "a"

    for text in texts.split():
        with refused(ConfigError, f"{text} must not be empty; leave it out, or give a value"):
            CALLS[method](opened, name, **{text: ""})

    assert [*opened.names()] == ["a"]
    assert len(opened.show("a").versions) == 1


def test_an_empty_text_is_no_choice_elsewhere(ring: Rings, refused: Refused) -> None:
    """A ring is not opened for the store of no name, nor uses it; a conversion has no empty names either."""
    message = "{} must not be empty; leave it out, or give a value"

    with refused(ConfigError, message.format("store")):
        ring(store="")
    with refused(ConfigError, message.format("store")):
        ring(store="main").open_store("")
    for text in ("from_", "to", "kid"):
        said: dict[str, Any] = {"from_": "jwk", "to": "nix", "kid": "a-1", text: ""}
        with refused(ConfigError, message.format(text)):
            keywright.convert(b"{}", **said)


@pytest.mark.parametrize("method", BINDING)
def test_a_refresh_beyond_reason_is_refused(ring: Rings, refused: Refused, method: str) -> None:
    """A negative or endless refresh is refused; None is how to say never."""
    opened = ring()
    opened.generate("a")

    for refresh in (timedelta(seconds=-1), timedelta.max, timedelta.min):
        with refused(ConfigError, "refresh must be a duration from 0s to 36500d"):
            getattr(opened, method)("a", refresh=refresh)


@pytest.mark.parametrize("kind", ["Verifier", "Encrypter", "Decrypter"])
def test_what_may_hold_a_key_is_not_pickled(ring: Rings, kind: str) -> None:
    """A verifier may hold the octets of an HMAC key: like the others it goes into no pickle."""
    opened = ring()
    opened.generate("a", type="oct")

    with pytest.raises(TypeError) as caught:
        pickle.dumps(getattr(opened, kind.lower())("a"))

    assert text_of(caught.value) == (
        f"a {kind} cannot be pickled, because it contains a key: pass the key's name, and bind it in the other process"
    )


def test_before_they_are_resolved() -> None:
    """A traceback with locals asks them what they are while the first look-up fails."""
    assert repr(object.__new__(Encrypter)) == "<encrypter, not resolved>"
    assert repr(object.__new__(Decrypter)) == "<decrypter, not resolved>"
