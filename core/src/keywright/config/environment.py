"""Environment variables as configuration reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

__all__ = ["Environment"]


@final
class Environment(Mapping[str, str]):
    """Environment variables by name. Its `repr` shows none.

    Keys are kept in variables too, and a traceback with locals would otherwise print every one of them.
    """

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return "<environment>"
