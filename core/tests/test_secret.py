"""`Secret` shows nothing, no matter who looks."""

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
from hypothesis import given, strategies as st
from refusals import refuses
from tables import cases

from keywright import secret as secret_module
from keywright.secret import Secret, looks_like_a_secret
from keywright.testing import assert_hidden

_CANARY = b"canary-7f3b-sings-not"


@dataclass
class _Holder:
    secret: Secret


def _logged(secret: Secret) -> str:
    record = logging.LogRecord("keys", logging.INFO, __file__, 1, "%s %r %s", (secret, secret, [secret]), None)
    return logging.Formatter("%(message)s %(args)s").format(record)


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


@cases("view", _VIEWS)
def test_no_view_shows_the_bytes(view: Callable[[Secret], str]) -> None:
    """No way of turning a secret into text shows any of it."""
    shown = view(Secret(_CANARY))

    assert_hidden(Secret(_CANARY), shown)


def test_it_shows_as_a_word() -> None:
    """What stands in its place says what it is."""
    secret = Secret(_CANARY)

    assert (repr(secret), str(secret), f"{secret:>20}") == ("<secret>", "<secret>", "<secret>")


def test_pickling_is_refused() -> None:
    """No pickle protocol takes a secret, alone or inside something; nor does what copying libraries call."""
    message = "a Secret cannot be pickled, because pickles end up in caches and queues: pass the key's name instead"
    for holder in (Secret(_CANARY), [Secret(_CANARY)], _Holder(Secret(_CANARY))):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with refuses(TypeError, message):
                pickle.dumps(holder, protocol)
    with refuses(TypeError, message):
        Secret(_CANARY).__getstate__()


@cases(
    "look",
    {
        "vars": vars,
        "bytes": bytes,
        "list": list,
        "memoryview": memoryview,
        "hash": hash,
        "json": json.dumps,
        "int": int,
        "index": lambda secret: secret[0],
        "concatenation": lambda secret: secret + secret,
        "containment": lambda secret: b"x" in secret,
    },
)
def test_it_is_no_bytes_like_thing(look: Callable[[object], object]) -> None:
    """What would read or hash the bytes in passing is refused, and the refusal shows nothing."""
    with pytest.raises(TypeError) as caught:
        look(Secret(_CANARY))

    assert_hidden(Secret(_CANARY), "".join(traceback.format_exception(caught.value)))


@given(value=st.binary())
def test_reveal_gives_the_bytes_back(value: bytes) -> None:
    """What went in comes out, from any buffer, and does not change with it; the length is in bytes."""
    buffer = bytearray(value)
    secrets = [Secret(given) for given in (value, buffer, memoryview(buffer))]  # type: ignore[arg-type]  # (it takes more)

    buffer[:] = b"after!"

    for secret in secrets:
        assert (secret.reveal(), type(secret.reveal()), len(secret)) == (value, bytes, len(value))


@pytest.mark.parametrize("value", ["canary-7f3b-sings-not", 5, None, [1, 2], Secret(b"x")], ids=repr)
def test_what_is_not_bytes_is_refused(value: object) -> None:
    """Text must be encoded first; a number does not become so many NULs."""
    with refuses(TypeError, "a Secret hides bytes; encode text first"):
        Secret(value)  # type: ignore[arg-type]  # the mistake that is tested


def test_text_given_by_mistake_is_not_in_the_locals() -> None:
    """The constructor lets go of what it refuses, so that a traceback with locals shows it no more than it must."""
    try:
        Secret(_CANARY.decode())  # type: ignore[arg-type]  # the mistake that is tested
    except TypeError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack

    assert_hidden(Secret(_CANARY), repr(frames[-1].locals))


@given(one=st.binary(), two=st.binary())
def test_equality_is_of_bytes(one: bytes, two: bytes) -> None:
    """Two secrets are equal iff their bytes are, and never equal anything else: no one keeps plain bytes to compare."""
    assert (Secret(one) == Secret(two)) == (one == two)
    assert (Secret(one) != Secret(two)) == (one != two)
    assert Secret(one) == Secret(one)
    for other in (one, one.hex(), None, 5, bytearray(one)):
        assert (Secret(one) == other) is False
        assert (Secret(one) != other) is True


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


def test_it_does_not_change() -> None:
    """Attributes can be neither set nor deleted, and copying does not put the bytes into memory a second time."""
    secret = Secret(b"as it was")

    with refuses(AttributeError, "a Secret cannot be changed"):
        secret._value = b"else"
    with refuses(AttributeError, "a Secret cannot be changed"):
        del secret._value
    assert secret.reveal() == b"as it was"
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


@cases(
    ("text", "hidden"),
    {
        "base64 of 32 bytes": ("qJ7rT0cxXb4Zk9LwVf2hN8sPdE1uGm6YtRa3oKiC5Q8=", True),
        "a slash in it": ("qJ7rT0c/Xb4Zk9LwVf2hN8sPdE1u+Gm6YtRa3oKiC5Q=", True),
        "several slashes, one in front": ("/J7rT0c/Xb4Zk9LwVf2hN8s/dE1u+Gm6YtRa/oKiC5Q=", True),
        "hexadecimal": ("8f14e45fceea167a5a36dedd4bea2543f14e45fce", True),
        "JSON": ('{"kty":"oct"}', True),
        "lines": ("two\nlines", True),
        "longer than a name can be": ("a/" * 128, True),
        "of a container": ("/run/secrets/keywright/MasterKey1", False),
        "of a Mac": ("/Users/Ann/Library/Application Support/keywright2/key", False),
        "of Windows": ("C:/Users/Ann/AppData/Local/Keywright/key1", False),
        "with a date": ("../keys/prod-2026-11/master_key.b64", False),
        "of a home": ("/home/ann/.config/keywright/passphrase", False),
    },
)
def test_what_looks_like_a_secret(text: str, hidden: bool) -> None:
    """Keys and tokens in their usual spellings do; paths as people write them do not, so that they are shown."""
    assert looks_like_a_secret(text) is hidden
