"""`keywright.open`: from a configuration to a ring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from keywright.config.load import config_from, load_config
from keywright.plugins.registry import Registry
from keywright.ring.keyring import KeyRing

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["open"]


def open(
    config: str | PathLike[str] | Mapping[str, object] | None = None,
    *,
    profile: str | None = None,
    options: Sequence[tuple[str, str]] = (),
    store: str | None = None,
    clock: Callable[[], datetime] | None = None,
    registry: Registry | None = None,
) -> KeyRing:
    """A key ring over a configuration: a file's path, a dict with what a file would say, or None to find one.

    `profile` goes before `$KEYWRIGHT_PROFILE`; `options` are pairs such as `("stores.local.path", "keys.db")`;
    `store` goes before every store that the configuration names; `clock` gives the time, with a zone.

    Raises:
        ConfigError: the configuration is wrong. PluginError: its `plugins` names one that is not installed.
    """
    if isinstance(config, Mapping):
        settled = config_from(config, profile=profile, options=options)
    else:
        settled = load_config(None if config is None else str(config), profile=profile, options=options)
    plugins = registry or Registry.load(settled.plugins)
    if clock is None:
        return KeyRing(settled, plugins, store=store)
    return KeyRing(settled, plugins, clock=clock, store=store)
