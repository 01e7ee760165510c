"""Whatever a caller gives to a method of the ring in place of what its parameter takes is a typed refusal."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from support.rings import Refused, Rings

from keywright import KeyRing
from keywright.errors import ConfigError, InvalidNameError, KeywrightError


class Stranger:
    """Of no type that anybody expects, and not to be seen in a message."""

    def __repr__(self) -> str:
        return "CANARY"


_PLACES = count()
_NO_TEXT = (3, True, b"CANARY", ["CANARY"], {"CANARY": 1}, Stranger())
_NO_MAPPING = (3, "CANARY", b"CANARY", ["CANARY"], {1: "CANARY"}, {b"CANARY": "x"}, Stranger())
_NO_BYTES = (3, None, "CANARY", ["CANARY"], Stranger())
_NO_TIME = (3, 1.5, "CANARY", b"CANARY", ["CANARY"], Stranger())

# What is wrong in place of a parameter of this type.
WRONG: Mapping[str, tuple[object, ...]] = {
    "str": (*_NO_TEXT, None),
    "str | None": _NO_TEXT,
    "bytes": _NO_BYTES,
    "bytes | Secret": _NO_BYTES,
    "Mapping[str, str]": (*_NO_MAPPING, None),
    "Mapping[str, str | None]": (*_NO_MAPPING, {"a": 3}, {"a": ["CANARY"]}, None),
    "Mapping[str, str] | None": (*_NO_MAPPING, {"a": 3}, {"a": None}),
    "Mapping[str, object] | None": (*_NO_MAPPING, {"a": Stranger()}, {"a": {1: 2}}),
    "timedelta | None": _NO_TIME,
    "datetime | None": _NO_TIME,
    "object": (["CANARY"], Stranger(), b"CANARY"),
}

# A flag is true or false whatever it is, and what is to be called is called.
FREE = frozenset(("bool", "Report", "Config", "Registry", "Callable[[], datetime]", "type[BaseException] | None"))

# What makes a call right but for one argument.
RIGHT: Mapping[str, Mapping[str, object]] = {
    "export": {"reference": "a"},
    "generate": {"name": "new"},
    "import_key": {"name": "new", "data": b'{"k":"AAAAAAAAAAAAAAAAAAAAAA","kty":"oct"}'},
    "label": {"reference": "a", "labels": {"a": "b"}},
    "migrate": {"from_": "main", "to": "other"},
    "rotate": {"name": "a"},
    "show": {"name": "a"},
    "sign": {"reference": "a", "data": b""},
    "verify": {"reference": "a", "data": b"", "signature": b""},
    **{method: {"reference": "a"} for method in ("compromise", "destroy", "disable", "enable", "load", "resolve")},
    **{method: {"reference": "a"} for method in ("signer", "verifier", "encrypter", "decrypter")},
}


def parameters() -> Iterator[tuple[str, inspect.Parameter]]:
    """Every parameter of every public method."""
    for name, method in inspect.getmembers(KeyRing, inspect.isfunction):
        if not name.startswith("_"):
            for parameter in list(inspect.signature(method).parameters.values())[1:]:
                if parameter.annotation not in FREE:
                    yield name, parameter


def given_wrong() -> Iterator[Any]:
    """Each of them, with each thing that it does not take. A type that is not in the tables is a KeyError here."""
    for method, parameter in parameters():
        for number, wrong in enumerate(WRONG[parameter.annotation]):
            if wrong is None and method == "migrate":
                continue  # the default store
            yield pytest.param(method, parameter, wrong, id=f"{method}-{parameter.name}-{number}")


@pytest.mark.parametrize(("method", "parameter", "wrong"), list(given_wrong()))
def test_a_wrong_argument_is_refused(ring: Rings, method: str, parameter: inspect.Parameter, wrong: object) -> None:
    """The error is keywright's own, and shows nothing of what was given; what was stored is as it was."""
    place = next(_PLACES)
    stores = {name: {"backend": "memory", "id": f"given-{place}-{name}"} for name in ("main", "other")}
    opened = ring(stores=stores, default_store="main", keys={"a": {"rotate_every": "90d"}})
    opened.generate("a", type="oct", labels={"x": "y"})
    before = [opened.show(name) for name in opened.names()]
    arguments = dict(RIGHT.get(method, {}))
    many: tuple[object, ...] = ()
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        many = (wrong,)
    else:
        arguments["bits" if parameter.kind is inspect.Parameter.VAR_KEYWORD else parameter.name] = wrong

    def call() -> None:
        found = getattr(opened, method)(*many, **arguments)
        list(found if isinstance(found, Iterator) else ())

    with pytest.raises(KeywrightError) as caught:
        call()

    assert "CANARY" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [opened.show(name) for name in opened.names()] == before


def test_the_messages(ring: Rings, refused: Refused) -> None:
    """What kind of thing belongs there."""
    opened: Any = ring()

    with refused(InvalidNameError, "a key name is text; use something like cache.example.org or prod/jwt"):
        opened.load(None)
    with refused(ConfigError, "prefix must be text; leave it out for all names"):
        list(opened.list(3))
    with refused(ConfigError, "store must be text; leave it out, or say which"):
        opened.names(store=b"main")
    with refused(ConfigError, "labels must be a mapping with names that are text; pass a dict"):
        opened.label("a", {1: "2"})
    with refused(ConfigError, "labels must be a mapping with names that are text; pass a dict"):
        opened.import_key("a", b"", as_next=True, labels=3)
    with refused(ConfigError, "data must be bytes; encode text before"):
        opened.sign("a", "text")
    with refused(ConfigError, "signature must be bytes; encode text before"):
        opened.verify("a", b"", "text")
    with refused(ConfigError, "a reason must be printable text of at most 1000 characters; pass such a text"):
        opened.destroy("a", reason=None)
    with refused(ConfigError, "refresh must be a duration from 0s to 36500d"):
        opened.signer("a", refresh=60)
