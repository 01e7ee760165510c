"""The standard streams, files that take a result, the progress bar, and Ctrl-C."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self, TextIO

from keywright.errors import ConfigError, DurabilityError, KeyExistsError, StoreUnavailableError
from keywright.secret import Secret, looks_like_a_secret

_UNCONFIRMED: Final = "{subject}: written, but the system did not confirm that it is on the disk ({reason})"
_SECONDS: Final = 0.1
_WIDTH: Final = 24


class ReaderGoneError(Exception):
    """The reader of stdout has closed the pipe."""


def fill_closed() -> None:
    """Open the null device for each standard stream that is closed.

    Otherwise the next opened file gets its number, and what a library writes to "stderr" ends up in a store.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            _null_at(number)


def say(text: str, *, end: str = "\n") -> None:
    """Write text for people to stderr; it is lost if that is closed or full."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text + end)
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def say_error(message: str, hint: str | None = None, *, kind: str = "error") -> None:
    """Print `error: MESSAGE` and below it `hint: HINT` on stderr; or as another kind, such as a warning."""
    say(printable(f"{kind}: {message}"))
    if hint is not None:
        say(printable(f"hint: {hint}"))


def check_stdout() -> None:
    """Check that stdout is open.

    Raises:
        ConfigError: it is closed.
    """
    if sys.stdout is None:
        raise ConfigError("standard output is closed", hint="redirect it, or pass -o FILE")


def write_stdout(data: bytes | Secret) -> None:
    """Write exactly these bytes to stdout.

    Raises:
        ConfigError: it is closed.
        StoreUnavailableError: it cannot be written.
        ReaderGoneError: its reader has closed it.
    """
    check_stdout()
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data.reveal() if isinstance(data, Secret) else data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _failed(error) from None


def write_text(text: str) -> None:
    """Write text for people to stdout; characters that its encoding lacks are replaced. Raises: as `write_stdout`."""
    check_stdout()
    write_stdout(text.encode(sys.stdout.encoding or "utf-8", "replace"))


def flush_stdout() -> None:
    """Flush what a plugin has printed. Raises: as `write_stdout`, except that stdout may be closed."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _failed(error) from None


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def shown_path(path: str) -> str:
    """A path as given, for a message; a placeholder if it looks like a key or a token instead."""
    return "the argument, which looks like a key or token and not like a path" if looks_like_a_secret(path) else path


def printable(text: str) -> str:
    """The text with backslash escapes for characters that control a terminal or break a line or column."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _failed(error: OSError) -> Exception:
    _silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError()
    return StoreUnavailableError(
        f"cannot write to standard output ({error.strerror})",
        hint="if the command changes a key, it took effect: check with `keywright show` before you repeat it",
    )


def _silence(stream: TextIO) -> None:
    """Discard what is left in the buffer, or Python reports the error again when it flushes at exit."""
    try:
        _null_at(stream.fileno())
    except (OSError, ValueError):
        return


def _null_at(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)


def write_file(path: str, data: bytes | Secret, *, force: bool, option: str = "-o") -> None:
    """Create `path` with `data`, mode 0600, synced, by way of a temporary file beside it.

    A symbolic link at `path` is never followed: it counts as an existing file. With `force` it is replaced.
    `option` is the one that `path` may come from, for messages: only without `-o` is a result printed.

    Raises:
        KeyExistsError: something is at `path` and `force` is False.
        ConfigError: `path` cannot be a file: it is empty, ends in a slash, is a directory or device, its directory
            does not exist, or no file can have such a name.
        AccessDeniedError: this user may not create a file in the directory.
        StoreUnavailableError: writing failed (disk full, I/O error); no part of the file stays.
        DurabilityError: the file is in place, but a sync of its directory failed.
    """
    from keywright import files  # few commands write a file

    other_path = "choose another path" if option == "-o" else f"choose another path with {option}"
    not_a_file = f"{other_path}, or leave -o out to print the result" if option == "-o" else other_path
    create = files.Report("{subject}: cannot be created ({reason})", "choose another directory")
    write = "{subject}: cannot be written ({reason}), nothing was left there"
    errors = files.WriteErrors(
        create=files.ErrorTable(denied=create, other=create),
        write=files.ErrorTable(other=write),
        finish=files.ErrorTable(other=files.Report(_UNCONFIRMED, "check the disk", DurabilityError)),
    )
    try:
        if _exists(path, not_a_file) and not force:
            raise FileExistsError
        files.write_file(path, data, replace=force, subject=path, errors=errors)
    except FileExistsError:
        raise KeyExistsError(f"{path}: already exists", hint=f"pass --force to replace it, or {other_path}") from None


def _exists(path: str, not_a_file: str) -> bool:
    """Whether a file or a link is at `path`. Raises: ConfigError, if there cannot be a file."""
    if not path:
        raise ConfigError("the output path is empty", hint="pass a path, or leave -o out to print the result")
    if not os.path.basename(path):
        raise ConfigError(f"{path}: is a directory", hint="pass the path of a file in it")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(path) or os.curdir
        from shlex import quote

        if not os.path.isdir(folder):
            raise ConfigError(f'directory "{folder}" does not exist', hint=f"run `mkdir -p {quote(folder)}`") from None
        return False
    except OSError as error:
        raise ConfigError(f"{path}: cannot be an output file ({error.strerror})", hint="choose another path") from None
    except ValueError:
        raise ConfigError("the output path contains an invalid character", hint="choose another path") from None
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise ConfigError(f"{path}: is not a regular file", hint=not_a_file)
    return True


class Progress:
    """A bar on stderr, drawn at most ten times a second and removed at the end."""

    def __init__(self, total: int | None, noun: str, *, shown: bool) -> None:
        """`total` is how many `noun` exist, None if that is unknown. Without `shown` it counts and draws nothing."""
        self.done = 0
        self._total = total
        self._noun = noun
        self._shown = shown
        self._next = 0.0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.clear()

    def expect(self, count: Callable[[], int]) -> None:
        """Set the total; it is counted only if the bar is drawn. Raises: as `count`."""
        if self._shown:
            self._total = count()

    def advance(self, count: int = 1) -> None:
        """Count as done."""
        self.done += count
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            self._drawn = True
            say(f"\r\x1b[K{self.line()}", end="")

    def clear(self) -> None:
        """Remove the bar, so that a line can be printed; the next `advance` draws it again."""
        if self._drawn:
            say("\r\x1b[K", end="")
            self._drawn = False
            self._next = 0.0

    def line(self) -> str:
        """The bar as text: `############             1,024 of 2,048 narinfos`."""
        if self._total is None:
            return f"{self.done:,} {self._noun}"
        filled = _WIDTH * min(self.done, self._total) // max(self._total, 1)
        return f"{'#' * filled}{' ' * (_WIDTH - filled)} {self.done:,} of {self._total:,} {self._noun}"


class Step:
    """A block that Ctrl-C does not interrupt, entered for each step of a long command."""

    def __init__(self) -> None:
        self._is_inside = False
        self._is_interrupted = False

    def __enter__(self) -> None:
        self._is_inside = True

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._is_inside = False
        if self._is_interrupted:
            raise KeyboardInterrupt

    def interrupt(self, _number: int, _frame: object) -> None:
        """Handle the signal: wait for the end of the step. A second signal does not wait, for the step may hang.

        Raises:
            KeyboardInterrupt: no step is running, or this is the second signal.
        """
        if not self._is_inside or self._is_interrupted:
            raise KeyboardInterrupt
        self._is_interrupted = True


@contextmanager
def in_whole_steps() -> Iterator[Step]:
    """Delay Ctrl-C until the running step is done. A handler that the program has set is kept.

    Raises:
        KeyboardInterrupt: the signal came; if a step was running, at its end.
    """
    import signal

    step = Step()
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:
        try:
            signal.signal(signal.SIGINT, step.interrupt)
        except ValueError:  # only the main thread may set handlers
            is_ours = False
    try:
        yield step
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
