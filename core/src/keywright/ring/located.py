"""Where a fault is: for errors of those who do not know which table of the configuration they were named by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keywright.errors import ConfigError, PluginError, SealError

__all__ = ["located"]


@contextmanager
def located(source: str, path: str) -> Iterator[None]:
    """Put `SOURCE: PATH: ` before what a ConfigError, PluginError or SealError says.

    A path that ends in `.` is joined to it.
    """
    try:
        yield
    except (ConfigError, PluginError, SealError) as error:
        joint = "" if path.endswith(".") else ": "
        raise type(error)(f"{source}: {path}{joint}{error}") from None
