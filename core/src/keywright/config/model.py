"""The tables of a configuration, as the ring reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from keywright.settings.model import Options, RawValue, Setting
from keywright.settings.values import check_options
from keywright.text import format_duration

KEY_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("type", "text", None, "the key type, such as ed25519"),
    Setting("format", "text", None, "the format that the store keeps it in, such as nix or jwk"),
    Setting("store", "text", None, "the store that keeps it, where that is not default_store"),
    Setting("kid", "text", None, "the id that the outside world knows; may hold {name} and {version}"),
    Setting("rotate_every", "duration", None, "the age at which a version is due for rotation"),
    Setting("overlap", "duration", None, "how long older versions still verify after a rotation took effect"),
    Setting("expires_in", "duration", None, "how long a new version lives, from when it starts to sign"),
    Setting("activate_in", "duration", None, "how long a new version is announced before it signs"),
    Setting("labels", "table", {}, "text that the operator attaches"),
    Setting("attributes", "values", {}, "what the key itself carries, such as JWK use and key_ops"),
)
"""What a `[keys.NAME]` table may set whatever the key's type is."""

MAXIMUM_KID: Final = 1024
"""In characters, of what is asked for. The kid of a key that was made elsewhere is as long as it is."""

KEY_SETTING_NAMES: Final = tuple(setting.name for setting in KEY_SETTINGS)


class StoreConfig(NamedTuple):
    """One `[stores.NAME]`.

    Attributes:
        name: `local`.
        backend: the name of its store backend, not looked up yet.
        seal: the name of a `[seals.NAME]` table that is there, or None.
        given: the other settings, which the backend checks when the store is opened.
        path: `stores.local`, for messages.
        source: where its backend was named, for messages.
    """

    name: str
    backend: str
    seal: str | None
    given: Mapping[str, RawValue]
    path: str
    source: str


class SealConfig(NamedTuple):
    """One `[seals.NAME]`. `seal` is the name of the plugin's seal; the others are as in `StoreConfig`."""

    name: str
    seal: str
    given: Mapping[str, RawValue]
    path: str
    source: str


class PluginConfig(NamedTuple):
    """One `[plugin.NAME]`: settings of the plugin of that name, which it declares. As in `StoreConfig`."""

    name: str
    given: Mapping[str, RawValue]
    path: str
    source: str


class KeyConfig(NamedTuple):
    """One `[keys.NAME]`, or nothing where the name has no table.

    Attributes:
        name: the key's name.
        given: its settings.
        path, source: for messages.
    """

    name: str
    given: Mapping[str, RawValue]
    path: str
    source: str

    def common(self) -> Options:
        """The settings that every key has (`KEY_SETTINGS`), checked.

        Raises:
            ConfigError: a value of the wrong type, a `kid` with another placeholder than `{name}` and `{version}` or of
                more than 1024 characters, a `rotate_every` or `expires_in` of nothing, an `expires_in` that ends a
                version before the rotation by the clock is done with it, or an `{ env = … }` or `{ file = … }` that
                cannot be read.
        """
        given = {name: value for name, value in self.given.items() if name in KEY_SETTING_NAMES}
        options = check_options(given, KEY_SETTINGS, owner="a key", path=self.path, source=self.source)
        fault = fault_in_kid(options.text("kid"), self.name) if "kid" in given else None
        if fault is not None:
            raise given["kid"].error(fault)
        if options["expires_in"] == timedelta(0):
            raise given["expires_in"].error("must be 1s or longer", hint="leave it out for a key that never ends")
        if options["rotate_every"] == timedelta(0):
            raise given["rotate_every"].error("must be 1s or longer", hint="leave it out for a key that is never due")
        _check_end(options, given)
        return options

    def specific(self) -> Mapping[str, RawValue]:
        """What is left: settings of the key type, such as `bits`."""
        return {name: value for name, value in self.given.items() if name not in KEY_SETTING_NAMES}


def _check_end(options: Options, given: Mapping[str, RawValue]) -> None:
    """Refuse what would end a version before its successor signs, or cut short the overlap after that."""
    if options["rotate_every"] is None or options["expires_in"] is None:
        return
    needed = [name for name in ("rotate_every", "activate_in", "overlap") if options[name] is not None]
    total = sum((options.duration(name) for name in needed), timedelta(0))
    # A version that ends at that very moment is gone when cron is late.
    if options.duration("expires_in") <= total:
        listed = " and ".join(filter(None, (", ".join(needed[:-1]), needed[-1])))
        together = " together" if len(needed) > 1 else ""
        raise given["expires_in"].error(
            (
                f"must be longer than {listed}{together} ({format_duration(total)}), or a version ends before its "
                "successor has taken over"
            ),
            hint="make it longer, or leave it out",
        )


def fault_in_kid(text: str, name: str) -> str | None:
    """The rule that a kid breaks which is asked for the versions of `name`: with placeholders, not yet filled in."""
    plain = text.replace("{name}", name).replace("{version}", "999999999")
    if not text or "{" in plain or "}" in plain:
        return "must be text with no other braces than {name} and {version}, and not empty"
    if len(plain) > MAXIMUM_KID:
        return f"must have at most {MAXIMUM_KID} characters; choose a shorter one"
    return None
