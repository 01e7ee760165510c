"""`Value`, the base class of immutable values."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field


class _Fields:
    """What `dataclasses` asks a dataclass for, made when it first asks."""

    def __get__(self, _value: object, owner: type[Value]) -> dict[str, Field[Any]]:
        from dataclasses import make_dataclass

        made: Any = make_dataclass(owner.__name__, owner.__slots__)
        owner.__dataclass_fields__, owner.__dataclass_params__ = made.__dataclass_fields__, made.__dataclass_params__
        return owner.__dataclass_fields__


@dataclass_transform(frozen_default=True)
class Value:
    """An immutable value, as a frozen dataclass with slots is one; importing `dataclasses` takes 8 ms of every start.

    A subclass has `__slots__`, two at least, and an `__init__` that takes them by name and calls `_set`.
    `dataclasses.replace`, `fields` and `asdict` work with it.
    """

    __slots__: ClassVar[tuple[str, ...]] = ()
    _get: ClassVar[attrgetter[Any]]
    _setters: ClassVar[tuple[Callable[[Any, object], None], ...]]
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
        __dataclass_params__: ClassVar[Any]
    else:
        __dataclass_fields__ = _Fields()

    def _set(self, *values: object) -> None:
        """Set all attributes, in the order of `__slots__`."""
        for set_attribute, value in zip(self._setters, values, strict=True):
            set_attribute(self, value)

    def __init_subclass__(cls) -> None:
        cls._get = attrgetter(*cls.__slots__)
        cls._setters = tuple(getattr(cls, name).__set__ for name in cls.__slots__)

    def _values(self) -> tuple[object, ...]:
        values: tuple[object, ...] = self._get(self)
        return values

    def replace(self, **changes: Any) -> Self:
        """A copy with these attributes changed."""
        return type(self)(**dict(zip(self.__slots__, self._values(), strict=True)) | changes)

    __replace__ = replace  # what `copy.replace` calls from Python 3.13 on

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value) or type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        values = zip(self.__slots__, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self._values())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed: use replace")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)


def _rebuilt(kind: type[Value], values: tuple[object, ...]) -> Value:
    """What `copy` and `pickle` make of a value."""
    return kind(**dict(zip(kind.__slots__, values, strict=True)))
