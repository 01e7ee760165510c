"""Between formats: which one some bytes are, what a key loses on the way, and `keywright.convert`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, overload

from keywright.errors import FormatError, NotExportableError, UnsupportedKeyError
from keywright.key import Key
from keywright.protocols import Format, LenientFormat
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.registry import Registry

__all__ = ["convert", "decode_key", "encode_key", "find_format", "warn"]

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
        MalformedKeyError: the data is no key of the format.
        UnsupportedKeyError: the target cannot carry the key; with `strict`, or an attribute of it.
        InvalidKeyError: the key's halves do not belong together, or a value is out of bounds.
        NotExportableError: `secret` was asked for and the data is a public key.
    """
    from keywright.registry import Registry

    plugins = registry or Registry.load()
    told = report or warn
    target = plugins.format(to)
    hidden = data if isinstance(data, Secret) else Secret(data)
    key = decode_key(plugins, plugins.format(from_), hidden, lenient=lenient, report=told)
    if secret and key.secret is None:
        raise NotExportableError("the data is a public key, so there is no secret half to convert; leave out secret")
    name = kid if kid is not None else key.kid or target.default_kid("", 1, key) or ""
    return encode_key(
        target, Key(key.type, name, key.secret, key.public, key.attributes), secret=secret, strict=strict, report=told
    )


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
    """
    claimants = [format_ for format_ in plugins.formats.values() if format_.sniff(data)]
    if len(claimants) == 1:
        return claimants[0]
    if claimants:
        names = " and ".join(format_.name for format_ in claimants)
        raise FormatError(f"the data could be {names}; say which with --format")
    known = ", ".join(plugins.formats) or "none"
    raise FormatError(f"the data is a key of no format that is installed ({known}); check it, or name its --format")


@overload
def encode_key(format_: Format, key: Key, *, secret: Literal[False], strict: bool, report: Report) -> bytes: ...
@overload
def encode_key(format_: Format, key: Key, *, secret: bool, strict: bool, report: Report) -> bytes | Secret: ...
def encode_key(format_: Format, key: Key, *, secret: bool, strict: bool, report: Report) -> bytes | Secret:
    """Encode one half, and say what the format left behind, found by reading the encoding again.

    Raises:
        UnsupportedKeyError: the format cannot carry the key; with `strict`, or something on it.
    """
    if secret:
        encoded = format_.encode_secret(key)
        lost = left_behind(format_, encoded, key)
    else:
        public = format_.encode_public(key)
        lost = left_behind(format_, Secret(public), key)
    if lost:
        half = "secret" if secret else "public"
        sentence = f"the {half} form of format {format_.name!r} does not carry: {', '.join(lost)}"
        if strict:
            raise UnsupportedKeyError(f"{sentence}; leave out --strict to go without")
        report(sentence)
    return encoded if secret else public


def left_behind(format_: Format, encoded: Secret, key: Key) -> tuple[str, ...]:
    """Names of what is on `key` and not in its encoding: `kid`, and attributes by name."""
    again = format_.decode(encoded, default_kid="")
    lost = [name for name in sorted(key.attributes) if name not in again.attributes]
    if key.kid and again.kid != key.kid:
        lost.insert(0, "kid")
    return tuple(lost)


def warn(sentence: str) -> None:
    """Report by `warnings.warn`, for callers that named nobody to tell."""
    import warnings

    warnings.warn(sentence, stacklevel=4)
