"""Checks of the values that callers pass, and the context that errors get from the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from keywright.config.model import MAXIMUM_KID
from keywright.errors import ConfigError, MalformedKeyError, PluginError, SealError
from keywright.secret import Secret
from keywright.settings.values import check_options

if TYPE_CHECKING:
    from keywright.config.model import KeyConfig, SealConfig, StoreConfig
    from keywright.settings.model import Options, RawValue, Setting

_LABEL_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}"
_LABEL_VALUE_BYTES: Final = 256
_LONGEST: Final = timedelta(days=36_500)
_LONGEST_REASON: Final = 1000


def wrap_secret(data: bytes | Secret) -> Secret | None:
    """`data` as a Secret; None where it is neither. Nothing is raised while the caller's frame still has it."""
    if isinstance(data, bytes | bytearray | memoryview):
        return Secret(data)
    return data if isinstance(data, Secret) else None  # type: ignore[redundant-expr]  # not every caller has types


def check_encoded_key(data: Secret | None) -> Secret:
    """What `wrap_secret` returned.

    Raises:
        MalformedKeyError: it was not given as bytes, or is empty.
    """
    if data is None:
        raise MalformedKeyError("a key must be bytes or a Secret", hint="encode text first")
    if not data:
        raise MalformedKeyError("the data is empty, where a key is expected", hint="pass the key on standard input")
    return data


def check_texts(**texts: str | None) -> None:
    """Refuse empty texts: such an argument is neither left out nor a choice.

    Raises:
        ConfigError: a text is empty; the message has the name of the argument.
    """
    for name, text in texts.items():
        if text == "":
            raise ConfigError(f"{name} must not be empty", hint="leave it out, or give a value")


def check_kid(kid: str | None) -> None:
    """Check a kid that is used as it is, without placeholders.

    Raises:
        ConfigError: it is empty, or has more than 1024 characters.
    """
    check_texts(kid=kid)
    if kid is not None and len(kid) > MAXIMUM_KID:
        raise ConfigError(f"kid must have at most {MAXIMUM_KID} characters", hint="choose a shorter one")


def check_labels(labels: Mapping[str, object]) -> dict[str, str]:
    """A sorted copy of valid labels. The values may come from a configuration, so they may have any type.

    Raises:
        ConfigError: a name is not 1 to 63 of `A-Z a-z 0-9 . _ / -` starting with a letter or digit, or a value is not
            printable text of at most 256 bytes.
    """
    checked: dict[str, str] = {}
    for name in sorted(labels):
        value = labels[name]
        if not re.fullmatch(_LABEL_NAME, name):
            raise ConfigError(
                "a label name must be 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"
            )
        # Printable text can be encoded: a surrogate is not printable.
        if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > _LABEL_VALUE_BYTES:
            raise ConfigError(f"label {name} must be printable text of at most {_LABEL_VALUE_BYTES} bytes")
        checked[name] = value
    return checked


def check_reason(reason: str) -> None:
    """Check the reason of a change of state.

    Raises:
        ConfigError: it is not printable, or too long.
    """
    rule = f"a reason must be printable text of at most {_LONGEST_REASON} characters"
    if not reason.isprintable():
        raise ConfigError(rule, hint="remove line breaks and control characters")
    if len(reason) > _LONGEST_REASON:
        raise ConfigError(rule, hint="shorten it")


def check_reason_fits(reference: str, reason: str, reasons: str) -> None:
    """Check that a new reason fits beside the earlier ones; `reasons` is all of them. An empty one always fits.

    Raises:
        ConfigError: together they are too long.
    """
    earlier = len(reasons) - len(reason)
    if reason and earlier and len(reasons) > _LONGEST_REASON:
        raise ConfigError(
            f"the reasons kept with {reference} may have {_LONGEST_REASON} characters together, and there is room for "
            f"{max(_LONGEST_REASON - earlier, 0)} more",
            hint="shorten the new one, or leave it out",
        )


def check_clock(clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """The clock, converted to UTC. It raises ConfigError if it returns a time without a zone."""

    def now() -> datetime:
        return _in_utc("the time that the clock gives", clock())

    return now


def check_duration(name: str, duration: timedelta | None) -> None:
    """Check a duration that the argument or setting `name` has.

    Raises:
        ConfigError: it is negative, or longer than a configuration allows.
    """
    if duration is not None and not timedelta(0) <= duration <= _LONGEST:
        raise ConfigError(f"{name} must be a duration from 0s to 36500d")


def check_times(
    activates: datetime | None, expires: datetime | None, overlap: timedelta | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """`activates` and `expires` in UTC, if a version that has them signs at some time.

    Raises:
        ConfigError: a time has no zone or lies outside the years that exist, `expires` is not after `activates` and
            now, or `overlap` is negative or reaches too far.
    """
    check_duration("overlap", overlap)
    activates = None if activates is None else _in_utc("activates", activates)
    expires = None if expires is None else _in_utc("expires", expires)
    if expires is not None and expires <= max(now, activates or now):
        raise ConfigError(
            "expires must be after the activation and after now, or the key would never sign", hint="pass a later time"
        )
    if activates is not None and overlap is not None and overlap > datetime.max.replace(tzinfo=UTC) - activates:
        raise ConfigError("the overlap would end after the year 9999", hint="activate the version earlier")
    return activates, expires


def _in_utc(name: str, time: datetime) -> datetime:
    if time.utcoffset() is None:
        raise ConfigError(f"{name} must be a time with a zone, such as 2027-01-31T12:00:00Z")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ConfigError(f"{name} must lie within the years 1 to 9999 in UTC") from None


def options_of(
    table: StoreConfig | SealConfig | KeyConfig,
    settings: Sequence[Setting],
    owner: str,
    beside: Sequence[str] = (),
    *,
    given: Mapping[str, RawValue] | None = None,
) -> Options:
    """The options that a table of the configuration has for these settings; `given` replaces what it says.

    Raises:
        ConfigError: as `check_options`.
    """
    given = table.given if given is None else given
    return check_options(given, settings, owner=owner, path=table.path, source=table.source, beside=beside)


@contextmanager
def error_context(source: str, path: str) -> Iterator[None]:
    """Put `SOURCE: PATH: ` before the message of a ConfigError, PluginError or SealError.

    A path that ends in `.` is joined to the message.
    """
    try:
        yield
    except (ConfigError, PluginError, SealError) as error:
        joint = "" if path.endswith(".") else ": "
        raise error.prefixed(f"{source}: {path}{joint}") from None
