"""What a command is given beside its arguments: the ring, the registry, and where to read and write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from keywright.errors import ConfigError, FormatError
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.config import Config
    from keywright.registry import Registry
    from keywright.ring.keyring import KeyRing

__all__ = ["MAXIMUM_KEY_BYTES", "Context"]

MAXIMUM_KEY_BYTES = 1_048_576


class Context:
    """One run of the command line. stdout is the result and nothing else; stderr is for people.

    Attributes:
        registry: the plugins.
        json: the user asked for JSON.
        quiet: notes and warnings are held back.
        verbose: how often `-v` was given.
        store: the `--store` option, or None.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        read_config: Callable[[], Config],
        json: bool = False,
        quiet: bool = False,
        verbose: int = 0,
        store: str | None = None,
    ) -> None:
        self.registry = registry
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.store = store
        self._read_config = read_config
        self._config: Config | None = None
        self._ring: KeyRing | None = None

    @property
    def config(self) -> Config:
        """The configuration, read when first asked for.

        Raises:
            ConfigError: it is wrong.
        """
        if self._config is None:
            self._config = self._read_config()
        return self._config

    @property
    def ring(self) -> KeyRing:
        """The key ring, opened when first asked for. Commands that never ask read no configuration.

        Raises:
            ConfigError: the configuration is wrong.
        """
        if self._ring is None:
            from keywright.ring.keyring import KeyRing

            self._ring = KeyRing(self.config, self._allowed(), store=self.store)
        return self._ring

    def _allowed(self) -> Registry:
        """The plugins that the configuration allows; a plugin's command came before it was read."""
        allowed = self.config.plugins
        if allowed is None or {plugin.name for plugin in self.registry.plugins} <= set(allowed):
            return self.registry
        from keywright.registry import Registry

        return Registry.load(allowed)

    def close(self) -> None:
        """Close the ring, if it was opened."""
        if self._ring is not None:
            self._ring.close()

    def print(self, text: str) -> None:
        """A line of the result, on stdout."""
        self.write(text.encode(errors="surrogateescape") + b"\n")

    def print_json(self, document: object) -> None:
        """One JSON document on one line, on stdout."""
        import json

        self.print(json.dumps(document, sort_keys=True))

    def write(self, data: bytes | Secret) -> None:
        """Result bytes, exactly, on stdout."""
        if sys.stdout is None:
            raise ConfigError("standard output is closed, so there is nowhere to print to; redirect it, or say -o FILE")
        sys.stdout.flush()
        sys.stdout.buffer.write(data.reveal() if isinstance(data, Secret) else data)
        sys.stdout.buffer.flush()

    def write_result(self, data: bytes | Secret, *, output: str | None = None, force: bool = False) -> None:
        """Result bytes to the file of `-o`, created 0600 and never overwritten without `force`, or to stdout.

        Raises:
            KeyExistsError, ConfigError, AccessDeniedError, StoreUnavailableError, DurabilityUnknownError: as
                `keywright.cli.output.write_file` says.
        """
        if output is None:
            self.write(data)
            return
        from keywright.cli.output import write_file

        write_file(output, data, force=force)

    def note(self, text: str) -> None:
        """A line for people, on stderr, unless they asked for quiet."""
        if not self.quiet:
            print(text, file=sys.stderr)  # noqa: T201

    def warn(self, text: str) -> None:
        """A warning for people, on stderr, unless they asked for quiet."""
        self.note(f"keywright: warning: {text}")

    def read_input(self, path: str | None, *, limit: int = MAXIMUM_KEY_BYTES) -> Secret:
        """All bytes of a file, or of stdin for None or `-`. `limit` is in bytes.

        Raises:
            ConfigError: the file cannot be read.
            FormatError: there are more than `limit` bytes.
        """
        try:
            if path is None or path == "-":
                if sys.stdin is None:
                    raise ConfigError("standard input is closed, so there is nothing to read; name a file")
                data = Secret(sys.stdin.buffer.read(limit + 1))
            else:
                with open(path, "rb") as file:
                    data = Secret(file.read(limit + 1))
        except OSError as error:
            raise ConfigError(
                f"{path or 'standard input'}: cannot be read ({error.strerror}); check the path"
            ) from None
        if len(data) > limit:
            raise FormatError(f"{path or 'standard input'}: has more than {limit} bytes; this is no key")
        return data

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask on the terminal; True at once with `yes`.

        Raises:
            ConfigError: there is no terminal to ask on.
        """
        if yes:
            return True
        if sys.stdin is None or not (sys.stdin.isatty() and os.isatty(2)):
            raise ConfigError("there is no terminal to ask on; say --yes if you are sure")
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
        return sys.stdin.readline().strip().lower() in ("y", "yes")
