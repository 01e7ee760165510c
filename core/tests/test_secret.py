"""`Secret` shows nothing, whoever looks."""

from __future__ import annotations

import _operator as operator
import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import secret as secret_module
from keywright.secret import Secret, looks_like_a_secret
from keywright.testing import assert_hidden

_CANARY = b"canary-7f3b-sings-not"


@dataclass
class _Holder:
    secret: Secret


class _Formatter(logging.Formatter):
    pass


def _logged(secret: Secret) -> str:
    record = logging.LogRecord("keys", logging.INFO, __file__, 1, "%s %r %s", (secret, secret, [secret]), None)
    return _Formatter("%(message)s %(args)s").format(record)


def _raised(secret: Secret) -> str:
    try:
        local, nested = secret, {"key": [secret]}
        raise ValueError(local, nested)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


_VIEWS: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "format with a width": lambda secret: format(secret, ">40"),
    "f-string": lambda secret: f"{secret} {secret!r} {secret!s} {secret!a} {secret:s} {secret:x} {secret=}",
    "str.format": "{0} {0!r} {0:>30}".format,
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - one of the ways to show it
    "in a container": lambda secret: repr([secret, {"k": secret}, (secret,)]),
    "in a dataclass": lambda secret: repr(_Holder(secret)),
    "asdict": lambda secret: repr(asdict(_Holder(secret))),
    "astuple": lambda secret: repr(astuple(_Holder(secret))),
    "JSON by way of str": lambda secret: json.dumps({"k": secret}, default=str),
    "JSON by way of repr": lambda secret: json.dumps({"k": secret}, default=repr),
    "pprint": lambda secret: pprint.pformat({"k": [secret] * 20}),
    "log": _logged,
    "traceback with locals": _raised,
    "exception": lambda secret: repr(ValueError(secret)) + str(ValueError(secret)),
    "copies": lambda secret: repr((copy.copy(secret), copy.deepcopy([secret]))),
    "dir": lambda secret: repr(dir(secret)),
}


@pytest.mark.parametrize("view", [pytest.param(view, id=name) for name, view in _VIEWS.items()])
def test_no_view_shows_the_bytes(view: Callable[[Secret], str]) -> None:
    """No way of turning a secret into text shows any of it."""
    shown = view(Secret(_CANARY))

    assert_hidden(Secret(_CANARY), shown)


def test_it_shows_as_a_word() -> None:
    """What stands in its place says what it is."""
    secret = Secret(_CANARY)

    assert (repr(secret), str(secret), f"{secret:>20}") == ("<secret>", "<secret>", "<secret>")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol: int) -> None:
    """No pickle protocol takes a secret, alone or inside something."""
    for holder in (Secret(_CANARY), [Secret(_CANARY)], _Holder(Secret(_CANARY))):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(holder, protocol)

        assert str(caught.value) == (
            "a Secret is not pickled: pickles end up in caches and queues; pass the key's name instead"
        )


def test_its_state_is_refused() -> None:
    """`__getstate__`, which copying libraries call, gives nothing out."""
    with pytest.raises(TypeError) as caught:
        Secret(_CANARY).__getstate__()

    assert str(caught.value) == (
        "a Secret is not pickled: pickles end up in caches and queues; pass the key's name instead"
    )


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(vars, id="vars"),
        pytest.param(bytes, id="bytes"),
        pytest.param(list, id="list"),
        pytest.param(memoryview, id="memoryview"),
        pytest.param(hash, id="hash"),
        pytest.param(json.dumps, id="json"),
        pytest.param(int, id="int"),
        pytest.param(lambda secret: secret[0], id="index"),
        pytest.param(lambda secret: secret + secret, id="concatenation"),
        pytest.param(lambda secret: b"x" in secret, id="containment"),
    ],
)
def test_it_is_no_bytes_like_thing(look: Callable[[object], object]) -> None:
    """What would read or hash the bytes in passing is refused, and the refusal shows nothing."""
    with pytest.raises(TypeError) as caught:
        look(Secret(_CANARY))

    assert_hidden(Secret(_CANARY), "".join(traceback.format_exception(caught.value)))


@given(value=st.binary())
def test_reveal_gives_the_bytes_back(value: bytes) -> None:
    """What went in comes out, from bytes, bytearray and memoryview alike; the length is in bytes."""
    for given_value in (value, bytearray(value), memoryview(value)):
        secret = Secret(given_value)  # type: ignore[arg-type]  # what the constructor takes beyond its annotation

        assert secret.reveal() == value
        assert type(secret.reveal()) is bytes
        assert len(secret) == len(value)


def test_it_hides_a_copy() -> None:
    """A buffer that changes afterwards does not change the secret."""
    buffer = bytearray(b"before")
    secret = Secret(memoryview(buffer))  # type: ignore[arg-type]  # what the constructor takes beyond its annotation

    buffer[:] = b"after!"

    assert secret.reveal() == b"before"


@pytest.mark.parametrize("value", ["canary-7f3b-sings-not", 5, None, [1, 2], Secret(b"x")], ids=repr)
def test_what_is_not_bytes_is_refused(value: object) -> None:
    """Text must be encoded first; a number does not become so many NULs."""
    with pytest.raises(TypeError) as caught:
        Secret(value)  # type: ignore[arg-type]  # the mistake that is tested

    assert str(caught.value) == "a Secret hides bytes; encode text before"


def test_text_given_by_mistake_is_not_in_the_locals() -> None:
    """The constructor lets go of what it refuses, so that a traceback with locals shows it no more than it must."""
    try:
        Secret(_CANARY.decode())  # type: ignore[arg-type]  # the mistake that is tested
    except TypeError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack

    assert_hidden(Secret(_CANARY), repr(frames[-1].locals))


@given(one=st.binary(), two=st.binary())
def test_equality_is_of_bytes(one: bytes, two: bytes) -> None:
    """Two secrets are equal iff their bytes are."""
    assert (Secret(one) == Secret(two)) == (one == two)
    assert (Secret(one) != Secret(two)) == (one != two)
    assert Secret(one) == Secret(one)


def test_equality_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is the one that looks at every byte."""
    compared = []
    compare_digest = operator._compare_digest

    def spy(one: bytes, two: bytes) -> bool:
        compared.append((one, two))
        return compare_digest(one, two)

    monkeypatch.setattr(secret_module, "_compare_digest", spy)

    assert Secret(b"one") != Secret(b"two")
    assert compared == [(b"one", b"two")]


@pytest.mark.parametrize(
    "other", [_CANARY, _CANARY.decode(), None, 5, bytearray(_CANARY)], ids=lambda x: type(x).__name__
)
def test_a_secret_equals_no_other_type(other: object) -> None:
    """Comparing with plain bytes is always unequal, so that nobody keeps plain bytes to compare with."""
    assert (Secret(_CANARY) == other) is False
    assert (Secret(_CANARY) != other) is True


def test_it_does_not_change() -> None:
    """Attributes can be neither set nor deleted."""
    secret = Secret(b"as it was")

    with pytest.raises(AttributeError, match=r"^a Secret does not change$"):
        secret._value = b"else"
    with pytest.raises(AttributeError, match=r"^a Secret does not change$"):
        del secret._value
    assert secret.reveal() == b"as it was"


def test_copies_are_the_secret_itself() -> None:
    """Copying does not put the bytes into memory a second time."""
    secret = Secret(_CANARY)

    assert copy.copy(secret) is secret
    assert copy.deepcopy(secret) is secret


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("qJ7rT0cxXb4Zk9LwVf2hN8sPdE1uGm6YtRa3oKiC5Q8=", id="base64 of 32 bytes"),
        pytest.param("qJ7rT0c/Xb4Zk9LwVf2hN8sPdE1u+Gm6YtRa3oKiC5Q=", id="a slash in it"),
        pytest.param("/J7rT0c/Xb4Zk9LwVf2hN8s/dE1u+Gm6YtRa/oKiC5Q=", id="several slashes, one in front"),
        pytest.param("8f14e45fceea167a5a36dedd4bea2543f14e45fce", id="hexadecimal"),
        pytest.param('{"kty":"oct"}', id="JSON"),
        pytest.param("two\nlines", id="lines"),
        pytest.param("a/" * 128, id="longer than a name can be"),
    ],
)
def test_what_is_hidden(text: str) -> None:
    """Keys and tokens in their usual spellings."""
    assert looks_like_a_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/run/secrets/keywright/MasterKey1", id="of a container"),
        pytest.param("/Users/Ann/Library/Application Support/keywright2/key", id="of a Mac"),
        pytest.param("C:/Users/Ann/AppData/Local/Keywright/key1", id="of Windows"),
        pytest.param("../keys/prod-2026-11/master_key.b64", id="with a date"),
        pytest.param("/home/ann/.config/keywright/passphrase", id="of a home"),
    ],
)
def test_what_is_shown(text: str) -> None:
    """Paths as people write them, or nobody would see how one is misspelt."""
    assert not looks_like_a_secret(text)
