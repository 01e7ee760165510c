"""The bar that long work draws on a terminal."""

from __future__ import annotations

import io

import pytest

from keywright import Context, Registry
from keywright.cli.io import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """stderr becomes a terminal; not in a fixture, for pytest sets stderr anew when the test begins."""
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    return terminal


def _context(*, json: bool = False, quiet: bool = False) -> Context:
    return Context(Registry, read_config=lambda: pytest.fail("no configuration is read"), json=json, quiet=quiet)


def test_the_bar_is_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn on one line, not more often than ten times a second, and nothing of it stays."""
    terminal = _terminal(monkeypatch)
    now = iter([1.0, 1.0, 1.05, 1.2, 1.2])
    monkeypatch.setattr("keywright.cli.io.time.monotonic", lambda: next(now))

    with _context().progress(2048, "narinfos") as progress:
        progress.advance(512)
        progress.advance()
        progress.advance(511)

    assert terminal.getvalue() == (
        "\r\x1b[K######                   512 of 2,048 narinfos"
        "\r\x1b[K############             1,024 of 2,048 narinfos"
        "\r\x1b[K"
    )
    assert progress.done == 1024


@pytest.mark.parametrize(
    ("total", "done", "line"),
    [
        pytest.param(None, 1234, "1,234 keys", id="no total"),
        pytest.param(0, 0, " " * 24 + " 0 of 0 keys", id="nothing to do"),
        pytest.param(2, 3, "#" * 24 + " 3 of 2 keys", id="more than there were"),
    ],
)
def test_the_line(total: int | None, done: int, line: str) -> None:
    """Counts are told with separators, and the bar never leaves its bounds."""
    progress = Progress(total, "keys", shown=False)

    progress.advance(done)

    assert progress.line() == line


@pytest.mark.parametrize(("json", "quiet"), [(True, False), (False, True)])
def test_nothing_is_drawn_for_programs(monkeypatch: pytest.MonkeyPatch, json: bool, quiet: bool) -> None:
    """`--json` and `--quiet` draw nothing."""
    terminal = _terminal(monkeypatch)

    with _context(json=json, quiet=quiet).progress(2, "keys") as progress:
        progress.advance()

    assert terminal.getvalue() == ""


def test_nothing_is_drawn_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file gets no bars."""
    with _context().progress(2, "keys") as progress:
        progress.advance()

    assert capsys.readouterr() == ("", "")
