"""Between formats: which one some bytes are, what a key loses on the way, and `keywright.convert`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, overload

from keywright.errors import FormatError, MalformedKeyError, NotExportableError, PluginError, UnsupportedKeyError
from keywright.keys import Attributes, Key
from keywright.protocols import Format, LenientFormat
from keywright.ring.given_data import NOT_BYTES, check_not_empty, hide
from keywright.ring.given_texts import check_kid, check_texts
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.plugins.registry import Registry

__all__ = [
    "Report",
    "check_carried",
    "claimants",
    "convert",
    "decode_key",
    "encode_key",
    "find_format",
    "kid_from_key",
    "public_attributes",
    "read_back",
    "warn",
]

Report = Callable[[str], None]
"""Told one sentence for each thing that was left behind or read leniently."""


@overload
def convert(
    data: bytes | Secret,
    *,
    from_: str,
    to: str,
    secret: Literal[False] = False,
    kid: str | None = None,
    strict: bool = False,
    lenient: bool = False,
    report: Report | None = None,
    registry: Registry | None = None,
) -> bytes: ...
@overload
def convert(
    data: bytes | Secret,
    *,
    from_: str,
    to: str,
    secret: Literal[True],
    kid: str | None = None,
    strict: bool = False,
    lenient: bool = False,
    report: Report | None = None,
    registry: Registry | None = None,
) -> Secret: ...
def convert(
    data: bytes | Secret,
    *,
    from_: str,
    to: str,
    secret: bool = False,
    kid: str | None = None,
    strict: bool = False,
    lenient: bool = False,
    report: Report | None = None,
    registry: Registry | None = None,
) -> bytes | Secret:
    """Turn a key of one format into another; nothing is stored and no configuration is read.

    Without `secret` the result is the public half, whichever half came in. `kid` names the result; without it the
    key keeps its own, or takes the id that the target format derives from the key itself (a thumbprint). With
    `strict`, whatever the target cannot carry is refused; otherwise `report` hears of it (default: `warnings.warn`).

    Raises:
        UnknownPluginError: there is no such format, or no plugin for the key's type.
        MalformedKeyError: the data is no key of the format, empty, or not given as bytes.
        ConfigError: `from_`, `to` or `kid` is empty, or `kid` has more than 1024 characters.
        UnsupportedKeyError: the target cannot carry the key; with `strict`, or an attribute of it.
        InvalidKeyError: the key's halves do not belong together, or a value is out of bounds.
        NotExportableError: `secret` was asked for and the data is a public key.
    """
    encoded = hide(data)
    del data  # text, given by mistake, would show in a traceback
    if encoded is None:
        raise MalformedKeyError(NOT_BYTES)
    check_texts(from_=from_, to=to)
    check_kid(kid)
    from keywright.plugins.registry import Registry

    plugins = registry or Registry.load()
    told = report or warn
    target = plugins.format(to)
    check_not_empty(encoded)
    key = decode_key(plugins, plugins.format(from_), encoded, lenient=lenient, report=told)
    if secret and key.secret is None:
        raise NotExportableError("the data is a public key, so there is no secret half to convert; leave out --secret")
    name = kid if kid is not None else key.kid or kid_from_key(target, key) or ""
    named = Key(key.type, name, key.secret, key.public, key.attributes)
    return encode_key(target, named, secret=secret, strict=strict, lenient=lenient, report=told)


def decode_key(plugins: Registry, format_: Format, data: Secret, *, lenient: bool, report: Report) -> Key:
    """Decode and complete a key; `kid` is `""` where the data carries none.

    Raises:
        MalformedKeyError, UnsupportedKeyError: as `Format.decode`.
        InvalidKeyError: as `KeyType.complete`.
        UnknownPluginError: no plugin for the key's type.
    """
    if lenient and isinstance(format_, LenientFormat):
        key, deviations = format_.decode_lenient(data, default_kid="")
        for deviation in deviations:
            report(deviation)
    else:
        key = format_.decode(data, default_kid="")
    return plugins.key_type(key.type).complete(key)


def find_format(plugins: Registry, data: Secret) -> Format:
    """The one format that says the bytes could be its own.

    Raises:
        FormatError: none says so, or more than one does.
        PluginError: one failed to say.
    """
    claiming = claimants(plugins, data)
    if len(claiming) == 1:
        return claiming[0]
    if claiming:
        names = " or ".join(format_.name for format_ in claiming)
        raise FormatError(f"the data could be {names}; say which with --format")
    known = ", ".join(plugins.formats) or "none"
    raise FormatError(f"the data is a key of no format that is installed ({known}); check it, or name its --format")


def claimants(plugins: Registry, data: Secret) -> Sequence[Format]:
    """The formats that say the bytes could be theirs.

    Raises:
        PluginError: one failed to say.
    """
    return [format_ for format_ in plugins.formats.values() if _claims(format_, data)]


def _claims(format_: Format, data: Secret) -> bool:
    try:
        return bool(format_.sniff(data))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (anything at all may come out of a plugin)
        failed = type(error).__name__  # no more of it: its text may hold what was read
    raise PluginError(
        f"format {format_.name!r} failed with {failed} when asked whether the data could be its own, so it is not "
        f"known whose it is; name its --format, or leave that plugin out of `plugins`"
    )


def kid_from_key(format_: Format, key: Key) -> str | None:
    """The kid that the format derives from the key itself, such as a thumbprint; None where it counts, or draws."""
    first, second = (format_.default_kid("name", version, key) for version in (1, 2))
    return first if first == second else None


@overload
def encode_key(
    format_: Format, key: Key, *, secret: Literal[False], strict: bool, lenient: bool, report: Report
) -> bytes: ...
@overload
def encode_key(
    format_: Format, key: Key, *, secret: bool, strict: bool, lenient: bool, report: Report
) -> bytes | Secret: ...
def encode_key(
    format_: Format, key: Key, *, secret: bool, strict: bool, lenient: bool, report: Report
) -> bytes | Secret:
    """Encode one half, and say what the format left behind, found by reading the encoding again.

    Raises:
        UnsupportedKeyError: the format cannot carry the key, or its kid unless `lenient`; with `strict`, or
            something else on it.
    """
    if secret:
        encoded = format_.encode_secret(key)
        lost = _left_behind(key, read_back(format_, encoded, lenient=lenient))
    else:
        public = format_.encode_public(key)
        lost = _left_behind(key, read_back(format_, Secret(public), lenient=lenient))
    if lost:
        half = "secret" if secret else "public"
        sentence = f"the {half} form of format {format_.name!r} does not carry: {', '.join(lost)}"
        if strict:
            raise UnsupportedKeyError(f"{sentence}; leave out --strict to go without")
        report(sentence)
    return encoded if secret else public


def read_back(format_: Format, encoded: Secret, *, lenient: bool) -> Key:
    """Read what the format wrote itself; with `lenient`, by its lenient reading where the strict one refuses.

    Raises:
        UnsupportedKeyError: the format does not read it back, so what is on the key is against its rules.
    """
    try:
        return format_.decode(encoded, default_kid="")
    except MalformedKeyError as error:
        if lenient and isinstance(format_, LenientFormat):
            return format_.decode_lenient(encoded, default_kid="")[0]
        raise UnsupportedKeyError(f"format {format_.name!r} does not carry this key: {error}") from None


def check_carried(format_: Format, key: Key, again: Key) -> None:
    """Refuse to keep a key of which the format gives back less.

    Raises:
        UnsupportedKeyError: an attribute or the kid of `key` is not on `again`, the same key read back.
    """
    lost = _left_behind(key, again)
    if lost:
        raise UnsupportedKeyError(
            f"format {format_.name!r} does not carry: {', '.join(lost)}; leave it out, or name another --format"
        )


def public_attributes(format_: Format, key: Key) -> Attributes:
    """Those attributes that the format would publish, found by reading its public encoding; none where it has none."""
    if key.public is None:
        return Attributes()
    try:
        return read_back(format_, Secret(format_.encode_public(key)), lenient=True).attributes
    except FormatError:
        return Attributes()


def _left_behind(key: Key, again: Key) -> tuple[str, ...]:
    """Names of what is on `key` and not on the same key read back: `kid`, and attributes by name."""
    lost = [name for name in sorted(key.attributes) if name not in again.attributes]
    if key.kid and again.kid != key.kid:
        lost.insert(0, "kid")
    return tuple(lost)


def warn(sentence: str) -> None:
    """Report by `warnings.warn` at the line that called keywright, for callers that named nobody to tell."""
    import sys
    import warnings

    level, frame = 2, sys._getframe(1)  # noqa: SLF001  (skip_file_prefixes comes with Python 3.12)
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("keywright."):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, stacklevel=level)
