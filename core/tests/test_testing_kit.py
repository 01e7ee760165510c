"""The contract kit: it passes what is sound, and catches what is not."""

from __future__ import annotations

import datetime
import io
import os
import random
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from support.errors import text_of

from keywright.errors import MalformedKeyError
from keywright.secret import Secret
from keywright.testing import assert_hidden, everything_in
from keywright.testing.formats.contract import reached_for
from keywright.testing.rules import Contract, Rule, rules_of


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_without_its_packages_it_says_what_to_install(package: str) -> None:
    """Where pytest or hypothesis is missing, the import error names the extra that brings them."""
    program = f"import sys; sys.modules[{package!r}] = None; import keywright.testing"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert result.stderr.splitlines()[-1] == (
        "ImportError: keywright.testing needs pytest and hypothesis; install keywright-core[testing]"
    )


_HIDDEN = Secret(b"canary-7f3b-sings-not")


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("xx canary-7f3b-sings-not xx", id="plain"),
        pytest.param("y-7f3b-sing", id="a part"),
        pytest.param(_HIDDEN.reveal().hex(), id="hex"),
        pytest.param(_HIDDEN.reveal().hex().upper()[7:], id="hex, upper case, odd start"),
        pytest.param("x Y2FuYXJ5LTdmM2Itc2luZ3Mtbm90 x", id="base64"),
        pytest.param("Y2FuYXJ5\nLTdmM2It\nc2luZ3Mt\nbm90", id="base64, wrapped"),
        pytest.param("eGNhbmFyeS03ZjNiLXNpbmdzLW5vdA", id="base64, one byte further"),
        pytest.param(repr(list(_HIDDEN.reveal())), id="list of numbers"),
        pytest.param(str(int.from_bytes(_HIDDEN.reveal())), id="one number"),
        pytest.param(str(int.from_bytes(_HIDDEN.reveal(), "little")), id="one number, little-endian"),
        pytest.param("b'\\x63\\x61\\x6e\\x61\\x72\\x79\\x2d\\x37\\x66'", id="bytes literal"),
        pytest.param(_HIDDEN.reveal(), id="bytes"),
    ],
)
def test_assert_hidden_finds_a_secret_in_any_spelling(shown: str | bytes) -> None:
    """A secret is found in the clear, in hexadecimal, base64, Python's spellings and as a number."""
    with pytest.raises(pytest.fail.Exception) as caught:
        assert_hidden(_HIDDEN, shown)

    assert text_of(caught.value) == "a secret shows in a text that must not hold it"


def test_assert_hidden_passes_over_what_is_public() -> None:
    """Stretches that the public half holds too, and ones that say nothing, are not a leak."""
    assert_hidden(_HIDDEN, "<secret> canary-", public=b"")
    assert_hidden(_HIDDEN, "canary-7f3b", public=b"canary-7f3b")
    assert_hidden(Secret(bytes(32)), bytes(100))


@pytest.mark.parametrize("shown", [b"b'\\xzz'", b"b'\0'", b"b'\\d'", b"b'" + b"\\" * 3 + b"'"])
def test_what_only_looks_like_a_literal_holds_no_secret(shown: bytes) -> None:
    """Random bytes that look like a bytes literal and are none are no reason to fail."""
    assert_hidden(Secret(b"0123456789abcdef"), shown)


def test_everything_in_an_error_is_looked_at() -> None:
    """Message, arguments, notes and members of an error and of all that led to it, hidden contexts included."""
    error = _chained()

    shown = everything_in(error, local_variables=False)

    assert all(word in shown for word in ("message", "note", "member", "argument", "the-cause", "the-context"))
    assert "local-variable" not in shown
    assert "local-variable" in everything_in(error)


def _chained() -> MalformedKeyError:
    local = "local-variable"
    try:
        try:
            try:
                raise KeyError("the-context")
            except KeyError:
                raise ValueError("the-cause", local[:0]) from None
        except ValueError as cause:
            error = MalformedKeyError("message", hint="hint")
            error.args = ("message", "argument")
            error.add_note("note")
            error.data = "member"  # type: ignore[attr-defined]  # as a careless plugin does
            raise error from cause
    except MalformedKeyError as raised:
        return raised


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(lambda: open(os.devnull).close(), id="file"),
        pytest.param(lambda: Path(os.devnull).read_bytes(), id="path"),
        pytest.param(lambda: os.close(os.open(os.devnull, os.O_RDONLY)), id="descriptor"),
        pytest.param(lambda: os.environ.get("HOME"), id="variable"),
        pytest.param(lambda: os.urandom(1), id="urandom"),
        pytest.param(lambda: secrets.token_bytes(1), id="secrets"),
        pytest.param(random.random, id="random"),
        pytest.param(lambda: random.Random(1).getrandbits(8), id="generator"),
        pytest.param(uuid.uuid4, id="UUID"),
        pytest.param(time.time, id="clock"),
        pytest.param(lambda: time.strftime("%Y"), id="year"),
        pytest.param(lambda: datetime.datetime.now(datetime.UTC), id="now"),
        pytest.param(datetime.date.today, id="today"),
    ],
)
def test_what_reaches_for_the_world_is_seen(action: Callable[[], object]) -> None:
    """A call of a file, the environment, the clock or a random source is named, however deep it lies."""
    assert reached_for(lambda: [action() for _ in range(1)])


def test_what_does_not_is_pure() -> None:
    """Arithmetic, texts, buffers and dates that are given are no reason to complain, and the profiler is put back."""
    before = sys.getprofile()

    assert reached_for(lambda: io.BytesIO(b"x").read().hex() + str(datetime.date(2026, 11, 21)) + os.fspath("x")) == []

    assert sys.getprofile() is before


class _Two(Contract):
    """A contract with a complete rule and an incomplete one."""

    def test_x_02_this(self) -> None:
        """X-02: This holds.

        Why: Because
        of that.

        Do: That.
        """

    def test_x_01_other(self) -> None:
        """No rule."""


def test_rules_are_read_from_docstrings() -> None:
    """Id, rule, reason and advice of each method, in order; what is not there is empty."""
    assert rules_of(_Two) == [
        Rule("", "test_x_01_other", "No rule.", "", ""),
        Rule("X-02", "test_x_02_this", "This holds.", "Because of that.", "That."),
    ]


_FAILING = """
import pytest
from keywright.testing import SealContract

class Sloppy:
    seal = unseal = lambda self, payload, context: payload

class TestSloppy(SealContract):
    @pytest.fixture
    def open_seal(self): return Sloppy
"""


@pytest.mark.parametrize("style", ["long", "native"])
def test_a_failing_rule_is_printed_in_full(tmp_path: Path, style: str) -> None:
    """In any style of traceback, rule, reason and what to do are printed below the failure."""
    (tmp_path / "test_sloppy.py").write_text(_FAILING)
    arguments = ["-q", "-p", "no:cacheprovider", f"--tb={style}", "-k", "seal_15 or seal_12", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )

    assert done.returncode == 1
    assert "\nSEAL-15: A payload sealed under one context raises SealError" in done.stdout
    assert "\nWhy: If unsealed payloads are accepted" in done.stdout
    assert "\nDo: Treat everything as sealed." in done.stdout
