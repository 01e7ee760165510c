"""keywright plugin: the environment variable store."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from keywright import Capabilities, Setting, hookimpl, parse_reference
from keywright.errors import ConfigError, InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keywright import Options, Store, StoreBackend

KEYWRIGHT_API = 1


class EnvBackend:
    """Keys in environment variables, or in files that variables point to. Read-only."""

    name: Final = "env"
    settings: Final = (
        Setting(
            "variables",
            "table",
            default={},
            help="NAME or NAME@N to the variable that has it; any other name is looked for in KEYWRIGHT_KEY_NAME.",
        ),
    )
    capabilities: Final = Capabilities(writable=False, metadata=False)

    @contextmanager
    def open(self, options: Options) -> Iterator[Store]:
        """Open the store. No variable is read yet.

        Raises:
            ConfigError: `variables` has what is not a name, the same version twice, or what can be no variable.
        """
        from keywright_env.store import EnvStore

        yield EnvStore(_parse(options.table("variables")))


@hookimpl
def keywright_register_store_backends() -> Sequence[StoreBackend]:
    """The backend `env`."""
    return (EnvBackend(),)


def _parse(table: Mapping[str, str]) -> dict[tuple[str, int], str]:
    variables: dict[tuple[str, int], str] = {}
    for number, (key, variable) in enumerate(table.items(), 1):
        try:
            reference = parse_reference(key)
        except InvalidNameError as error:
            message = f"variables: the name in entry {number} is not valid: {error}"
            raise ConfigError(message, hint=error.hint, setting="variables") from None
        place = (reference.name, reference.version or 1)
        if place in variables:
            name = reference.name
            message = f"variables: {name} and {name}@1 are the same version"
            raise ConfigError(message, hint="remove one of them", setting="variables")
        if not _can_be_variable(variable):
            raise ConfigError(
                f'variables."{key}" must be the name of an environment variable: not empty, and without = and NUL',
                setting="variables",
            )
        variables[place] = variable
    return variables


def _can_be_variable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return bool(text) and "=" not in text and "\0" not in text
