"""What is wrong with single narinfos, and the exit code that it makes."""

from __future__ import annotations

import pytest

from keywright import Context, Registry
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    FormatError,
    KeyNotFoundError,
    KeywrightError,
    PolicyError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright_nix.cli.problems import Problems


def no_config() -> None:
    raise ConfigError("this test has no configuration")


@pytest.fixture
def faults(registry: Registry) -> Problems:
    """None so far."""
    return Problems(Context(registry, read_config=no_config))  # type: ignore[arg-type]  # it never returns


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FormatError, 65),
        (AccessDeniedError, 5),
        (ReadOnlyStoreError, 5),
        (StoreUnavailableError, 6),
        (ConfigError, 2),
        (PolicyError, 5),
        (KeyNotFoundError, 3),
    ],
)
def test_the_exit_code_is_that_of_the_command_line(faults: Problems, kind: type[KeywrightError], code: int) -> None:
    """A fault ends the run as the same error would by itself, and its document says so."""
    error = kind("x: is wrong; mend it")

    faults.add(error)

    assert faults.exit_code == code
    assert faults.document(error) == {"type": kind.__name__, "message": "x: is wrong; mend it", "exit": code}


def test_the_first_fault_counts(faults: Problems, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is told; the exit code is the first one's, and 0 where there was none."""
    assert faults.exit_code == 0

    faults.add(StoreUnavailableError("a"))
    faults.add(FormatError("b"))

    assert (faults.exit_code, str(faults.first)) == (6, "a")
    assert capsys.readouterr().err == "keywright: a\nkeywright: b\n"
