"""What a command gets besides its arguments: the ring, the registry, and where to read and write."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from keywright.cli.io import Progress, is_terminal, printable, say, say_error, shown_path, write_file, write_stdout
from keywright.errors import ConfigError, FormatError
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.config.load import Config
    from keywright.errors import KeywrightError
    from keywright.plugins.registry import Registry
    from keywright.records import RecordInfo
    from keywright.ring.keyring import KeyRing

MAXIMUM_KEY_BYTES = 1_048_576
_OTHERS = 0o077


class Context:
    """One run of the command line. stdout is the result and nothing else; stderr is for people.

    Attributes:
        json: `--json` was given.
        quiet: notes and warnings are not printed.
        verbose: how often `-v` was given.
        store: the `--store` option, or None.
    """

    def __init__(
        self,
        load_plugins: Callable[[], Registry],
        *,
        read_config: Callable[[], Config],
        json: bool = False,
        quiet: bool = False,
        verbose: int = 0,
        store: str | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.store = store
        self._load_plugins = load_plugins
        self._read_config = read_config

    @cached_property
    def registry(self) -> Registry:
        """The plugins, loaded when first used.

        Raises:
            ConfigError, PluginError: a core command needs a configuration, and it is invalid.
        """
        registry = self._load_plugins()
        registry.report = self.warn
        return registry

    @cached_property
    def config(self) -> Config:
        """The configuration, read when first used.

        Raises:
            ConfigError: it is invalid.
        """
        return self._read_config()

    @cached_property
    def ring(self) -> KeyRing:
        """The key ring, opened when first used. Commands that do not use it read no configuration.

        Raises:
            ConfigError: the configuration is invalid.
        """
        from keywright.ring.keyring import KeyRing

        return KeyRing(self.config, self.registry, store=self.store)

    def close(self) -> None:
        """Close the ring, if it was opened."""
        if "ring" in vars(self):
            self.ring.close()

    def print(self, text: str) -> None:
        """A line of the result, on stdout. Raises: as `write`."""
        self.write(text.encode(errors="surrogateescape") + b"\n")

    def print_json(self, document: object) -> None:
        """One JSON document on one line, on stdout. Raises: as `write`."""
        import json

        self.print(json.dumps(document, sort_keys=True))

    def print_table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows of the result, on stdout: on a terminal aligned under `header`, elsewhere separated by tabs.

        What does not print stands as a backslash escape. Without rows, nothing is printed. Raises: as `write`.
        """
        if rows:
            from keywright.cli.render import table

            self.print(table(header, rows, folds=True))

    def write(self, data: bytes | Secret) -> None:
        """Result bytes, exactly, on stdout.

        Raises:
            ConfigError: stdout is closed.
            StoreUnavailableError: it cannot be written.
        """
        write_stdout(data)

    def write_result(self, data: bytes | Secret, *, output: str | None = None, force: bool = False) -> None:
        """Result bytes to the file of `-o`, created 0600 and never overwritten without `force`; None and `-`: stdout.

        Raises:
            KeyExistsError, ConfigError, AccessDeniedError, StoreUnavailableError, DurabilityError: as
                `keywright.cli.io.write_file` says.
        """
        if output is None or output == "-":
            self.write(data)
        else:
            write_file(output, data, force=force)

    def write_key(
        self,
        data: bytes | Secret,
        *,
        format: str,
        secret: bool,
        reference: str | None = None,
        is_base64: bool = False,
        line: bool = False,
        output: str | None = None,
        force: bool = False,
    ) -> None:
        """A key's bytes, as `write_result`, with a line feed after them if `line` (on a terminal always).

        With `--json` stdout gets a document: `format`, `half` (`public`, `secret`), `reference` if there is one,
        `data`, and `encoding` (`base64`) if `data` is that: the key is not text, or `is_base64` is set. With a file the
        document has `output` in place of `data`, and the file has the same bytes as without `--json`.

        Raises: as `write_result`.
        """
        to_file = output is not None and output != "-"
        about = {"format": format, "half": "secret" if secret else "public"}
        if reference is not None:
            about["reference"] = reference
        if self.json and not to_file:
            self.write(_key_document(about, data, is_base64=is_base64))
            return
        if line or (not to_file and is_terminal()):
            data = Secret(data.reveal() + b"\n") if isinstance(data, Secret) else data + b"\n"
        self.write_result(data, output=output, force=force)
        if self.json:
            self.print_json(about | {"output": output})

    def say(self, text: str) -> None:
        """Print a line for people on stderr, also with `--quiet`: an error."""
        say(printable(text))

    def note(self, text: str) -> None:
        """Print a line for people on stderr, unless `--quiet` is given."""
        if not self.quiet:
            self.say(text)

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Print a warning, and what to do about it, on stderr, unless `--quiet` is given."""
        if not self.quiet:
            say_error(message, hint, kind="warning")

    def error(self, error: KeywrightError, subject: str = "") -> None:
        """Print an error after which the command continues, and its hint, on stderr, also with `--quiet`.

        `subject` stands before a message that does not contain it.
        """
        message = str(error)
        say_error(message if subject in message else f"{subject}: {message}", error.hint)

    def warn_if_exposed(self, path: str) -> None:
        """Warn if others may read or change the file of a secret key at `path`, if that is a file."""
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return
        if stat.S_ISREG(mode) and mode & _OTHERS:
            hint = "run `chmod 600` on it, and replace the key if others may have read it"
            self.warn(f"{shown_path(path)}: other users may read or change this secret key", hint=hint)

    def warn_of_forgetting(self, name: str) -> None:
        """Warn if the store of the new key `name` lasts only as long as the process. Raises: as `open_store`."""
        if not self.ring.capabilities(name=name).persistent:
            self.warn(
                f'the store of "{name}" is in memory only, so the key is lost now', hint="pass another with --store"
            )

    def exit_code(self, error: KeywrightError) -> int:
        """The exit code of an error, for commands that continue after an error."""
        from keywright.cli.failures import exit_code

        return exit_code(error)

    def progress(self, total: int | None, noun: str) -> Progress:
        """A progress bar for work on `total` `noun` (None if the number is unknown); use it in a `with` statement.

        It is drawn on stderr if that is a terminal, without `--quiet` and `--json`.
        """
        is_seen = sys.stderr is not None and sys.stderr.isatty()
        return Progress(total, noun, shown=is_seen and not self.quiet and not self.json)

    def read_input(self, path: str | None, *, limit: int = MAXIMUM_KEY_BYTES) -> Secret:
        """All bytes of a file, or of stdin for None or `-`. `limit` is in bytes. For a terminal a note says how to end.

        Raises:
            ConfigError: the file cannot be read, or stdin does not block.
            FormatError: there are more than `limit` bytes.
        """
        if path == "":
            raise ConfigError("the path of the input file is empty", hint="pass a path, or - for standard input")
        if path == "-":
            path = None
        subject = "standard input" if path is None else shown_path(path)
        try:
            if path is not None:
                with open(path, "rb") as file:
                    data = Secret(file.read(limit + 1))
            else:
                if sys.stdin is not None and sys.stdin.isatty():
                    self.note("reading from the terminal, end with Ctrl-D")
                data = _read_stdin(limit + 1)
        except OSError as error:
            raise ConfigError(f"{subject}: cannot be read ({error.strerror})", hint="check the path") from None
        if len(data) > limit:
            raise FormatError(
                f"{subject}: has more than {limit} bytes, the limit for this command",
                hint="check that it is the intended file",
            )
        return data

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask on the terminal; True without asking if `yes`.

        Raises:
            ConfigError: stdin or stderr is not a terminal.
        """
        if yes:
            return True
        if sys.stdin is None or not (sys.stdin.isatty() and os.isatty(2)):
            raise ConfigError("not a terminal", hint="pass --yes to confirm")
        say(printable(f"{question} [y/N] "), end="")
        return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")


def print_info(context: Context, info: RecordInfo) -> int:
    """Print a version: its reference, with `--json` its metadata. Returns 0."""
    if context.json:
        from keywright.cli.render import info_document

        context.print_json(info_document(info))
    else:
        context.print(info.reference)
    return 0


def say_failure(context: Context, subject: str, error: KeywrightError) -> int:
    """Print an error after which the command continues, with its subject if needed. Returns its exit code."""
    context.error(error, subject)
    return context.exit_code(error)


def print_either(context: Context, document: Mapping[str, object], text: str) -> None:
    """Print the document with `--json`, else the text."""
    if context.json:
        context.print_json(document)
    else:
        context.print(text)


def _read_stdin(limit: int) -> Secret:
    if sys.stdin is None:
        raise ConfigError("standard input is closed", hint="pass a file")
    try:
        blocks = os.get_blocking(sys.stdin.fileno())
    except OSError:
        blocks = True  # it is not a file
    if not blocks:
        raise ConfigError("standard input is in non-blocking mode, so it could be read in part", hint="pass a file")
    return Secret(sys.stdin.buffer.read(limit))


def _key_document(about: dict[str, str], data: bytes | Secret, *, is_base64: bool) -> Secret:
    """`about` with the key's bytes as text, one line of JSON."""
    import json

    octets = data.reveal() if isinstance(data, Secret) else data
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        from base64 import b64encode

        text, is_base64 = b64encode(octets).decode(), True
    encoding = {"encoding": "base64"} if is_base64 else {}
    return Secret(json.dumps({**about, "data": text, **encoding}, sort_keys=True).encode() + b"\n")
