"""Keys and their encodings: which format some bytes are, what a key loses on the way, and the payloads of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, overload

from keywright.errors import (
    CorruptedStoreError,
    FormatError,
    InvalidKeyError,
    MalformedKeyError,
    NotExportableError,
    PluginError,
    UnsupportedKeyError,
)
from keywright.keys import Attributes, Key
from keywright.protocols import Format, LenientFormat
from keywright.records import Record, RecordInfo
from keywright.ring.arguments import check_encoded_key, check_kid, check_texts, wrap_secret
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.plugins.registry import Registry
    from keywright.ring.sealing import StoreSeal

Report = Callable[[str], None]
"""Called with one sentence for each thing that was left behind or read leniently."""


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
    key keeps its own, or takes the id that the target format carries and derives from the key (a thumbprint). With
    `strict`, what the target cannot carry is refused; otherwise `report` is called with it (default: `warnings.warn`).

    Raises:
        UnknownPluginError: there is no such format, or no plugin for the key's type.
        MalformedKeyError: the data is not a key of the format, empty, or not given as bytes.
        ConfigError: `from_`, `to` or `kid` is empty, or `kid` has more than 1024 characters.
        UnsupportedKeyError: the target cannot carry the key; with `strict`, or an attribute of it.
        InvalidKeyError: the key's halves do not belong together, or a value is out of bounds.
        NotExportableError: `secret` was asked for and the data is a public key.
    """
    hidden = wrap_secret(data)
    del data  # a text, passed by mistake, would show in a traceback
    check_texts(from_=from_, to=to)
    check_kid(kid)
    from keywright.plugins.registry import Registry

    registry = registry or Registry.load()
    report = report or warn
    target = registry.format(to)
    encoded = check_encoded_key(hidden)
    key = decode_key(registry, registry.format(from_), encoded, lenient=lenient, report=report)
    if secret and key.secret is None:
        raise NotExportableError(
            "the data is a public key, so there is no secret half to convert", hint="leave out --secret"
        )
    if kid is None:
        kid = key.kid or (target.carries_kid and kid_from_key(target, key)) or ""
    named = key.replace(kid=kid)
    converted = encode_key(target, named, secret=secret, strict=strict, lenient=lenient, report=report)
    return converted if secret else converted.reveal()


def decode_key(registry: Registry, format_: Format, data: Secret, *, lenient: bool, report: Report) -> Key:
    """Decode and complete a key; its `kid` is `""` if the data has no kid.

    Raises:
        MalformedKeyError, UnsupportedKeyError: as `Format.decode`.
        InvalidKeyError: as `KeyType.validate`.
        UnknownPluginError: no plugin for the key's type is installed.
    """
    if lenient and isinstance(format_, LenientFormat):
        key, deviations = format_.decode_lenient(data, default_kid="")
        for deviation in deviations:
            report(deviation)
    else:
        key = format_.decode(data, default_kid="")
    return registry.key_type(key.type).validate(key)


def find_format(
    registry: Registry,
    data: Secret,
    *,
    subject: str = "the data",
    ambiguous: str = "pass --format",
    unknown: str = "convert it to an installed format",
) -> Format:
    """The one format that recognizes the bytes.

    `subject` is what messages call the bytes, and the others are the hints of the two errors.

    Raises:
        FormatError: no format recognizes them, or several do.
        PluginError: a format failed.
    """
    claiming = [format_ for format_ in registry.formats.values() if _claims(format_, data)]
    if len(claiming) == 1:
        return claiming[0]
    if claiming:
        names = " or ".join(format_.name for format_ in claiming)
        raise FormatError(f"{subject}: the format could be {names}", hint=ambiguous)
    known = ", ".join(registry.formats) or "none"
    raise FormatError(f"{subject}: unrecognized key format", hint=f"{unknown}; installed formats: {known}")


def _claims(format_: Format, data: Secret) -> bool:
    try:
        return bool(format_.sniff(data))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin may raise anything)
        failed = type(error).__name__  # not its message, which may contain what was read
    raise PluginError(
        f"format {format_.name!r} failed with {failed} while the format of the data was looked for",
        hint="pass --format, or leave that plugin out of `plugins`",
    )


def kid_from_key(format_: Format, key: Key) -> str | None:
    """The kid that the format derives from the key itself, such as a thumbprint; None if it counts or draws it."""
    first, second = (format_.default_kid("name", version, key) for version in (1, 2))
    return first if first == second else None


def encode_key(format_: Format, key: Key, *, secret: bool, strict: bool, lenient: bool, report: Report) -> Secret:
    """Encode one half, and report what the format left behind, found by reading the encoding again.

    Raises:
        UnsupportedKeyError: the format cannot carry the key, or its kid unless `lenient`; with `strict`, or
            another part of it.
    """
    encoded = format_.encode_secret(key) if secret else Secret(format_.encode_public(key))
    # A kid that is derived from the key is derived again by who reads it, so it is not lost.
    derived = "" if format_.carries_kid else kid_from_key(format_, key) or ""
    lost = _left_behind(key, read_back(format_, encoded, lenient=lenient, kid=derived))
    if lost:
        half = "secret" if secret else "public"
        sentence = f"the {half} form of format {format_.name!r} does not carry: {', '.join(lost)}"
        if strict:
            raise UnsupportedKeyError(sentence, hint="leave out --strict to go without")
        report(sentence)
    return encoded


def read_back(format_: Format, encoded: Secret, *, lenient: bool, kid: str = "") -> Key:
    """Read what the format wrote itself; with `lenient`, by its lenient reading if the strict one refuses it.

    `kid` is the kid that the metadata has, for a format that carries none.

    Raises:
        UnsupportedKeyError: the format does not read it back, so the key has something that is against its rules.
    """
    default_kid = "" if format_.carries_kid else kid
    try:
        return format_.decode(encoded, default_kid=default_kid)
    except MalformedKeyError as error:
        if lenient and isinstance(format_, LenientFormat):
            return format_.decode_lenient(encoded, default_kid=default_kid)[0]
        raise UnsupportedKeyError(
            f"format {format_.name!r} does not carry this key: {error}", hint=error.hint
        ) from None


def is_read_back(registry: Registry, format_: Format, key: Key, encoded: Secret, *, lenient: bool = False) -> bool:
    """Whether the format reads the same key from `encoded`, which it wrote itself.

    Raises:
        UnsupportedKeyError: as `read_back` and `check_carried`.
    """
    again = read_back(format_, encoded, lenient=lenient, kid=key.kid)
    check_carried(format_, key, again)
    return registry.key_type(key.type).validate(again) == key


def check_carried(format_: Format, key: Key, again: Key) -> None:
    """Refuse a format that loses something.

    Raises:
        UnsupportedKeyError: an attribute or the kid of `key` is not on `again`, the same key read back.
    """
    lost = _left_behind(key, again)
    if lost:
        raise UnsupportedKeyError(
            f"format {format_.name!r} does not carry: {', '.join(lost)}", hint="leave it out, or pass another --format"
        )


def public_attributes(format_: Format, key: Key) -> Attributes:
    """The attributes that the format publishes, found by reading its public encoding; empty if it has none."""
    if key.public is None:
        return Attributes()
    try:
        return read_back(format_, Secret(format_.encode_public(key)), lenient=True).attributes
    except FormatError:
        return Attributes()


def _left_behind(key: Key, again: Key) -> tuple[str, ...]:
    """What `key` has and the same key read back has not: `kid`, and attributes by name."""
    lost = [name for name in sorted(key.attributes) if name not in again.attributes]
    if key.kid and again.kid != key.kid:
        lost.insert(0, "kid")
    return tuple(lost)


def public_half(info: RecordInfo) -> Key:
    """The public half of a version whose metadata is complete."""
    return Key(info.key_type, info.kid, None, info.public, info.attributes)


class KeyCodec:
    """Turns the keys of one store into records and back: format, key type and seal."""

    __slots__ = ("_has_metadata", "_registry", "_seal", "_store")

    def __init__(self, registry: Registry, seal: StoreSeal, store: str, *, has_metadata: bool) -> None:
        """`store` is the name of the store, `has_metadata` whether it keeps more than payloads."""
        self._registry = registry
        self._seal = seal
        self._store = store
        self._has_metadata = has_metadata

    def pack(self, key: Key, info: RecordInfo, *, lenient: bool = False) -> Record:
        """A record for `key` with this metadata: encoded, read back and compared, and sealed if the store has a seal.

        With `lenient`, the format's lenient reading may be needed to read it back.

        Raises:
            UnknownPluginError: there is no such format.
            PluginError: the key is not the one that `info` describes, so that it could never be read.
            UnsupportedKeyError: the format cannot carry the key and everything on it.
            SealError: it cannot be sealed, or the seal does not return it.
        """
        if (key.type, key.kid, key.public) != (info.key_type, info.kid, info.public):
            raise PluginError(
                f"key type {info.key_type!r} returned a key that does not match its metadata; nothing was stored",
                hint="report it to the plugin's author",
            )
        format_ = self._registry.format(info.format or "")
        payload = None if key.secret is None else format_.encode_secret(key)
        encoded = Secret(format_.encode_public(key)) if payload is None else payload
        if not is_read_back(self._registry, format_, key, encoded, lenient=lenient):
            raise UnsupportedKeyError(
                f"format {format_.name!r} did not read back the key that it wrote; nothing was stored",
                hint="report it to the plugin's author",
            )
        return self.seal(info, payload)

    def seal(self, info: RecordInfo, payload: Secret | None) -> Record:
        """A record of the format's own bytes, sealed if the store has a seal.

        Raises:
            SealError: it cannot be sealed, or the seal does not return it.
        """
        return Record(info, None if payload is None else self._seal.sealed(payload, info))

    def encode(self, key: Key, info: RecordInfo) -> Secret | None:
        """The payload of a key as its format writes it, before any seal; None for a public key."""
        return None if key.secret is None else self._registry.format(info.format or "").encode_secret(key)

    def bits(self, key: Key) -> int | None:
        """The size of a key in bits as its type counts it; None if both halves are gone."""
        return None if key.secret is None and key.public is None else self._registry.key_type(key.type).bits(key)

    def unpack(self, record: Record) -> Key:
        """The key of a record as the store returned it, with its secret half if the record has it.

        Raises:
            SealError: it cannot be unsealed.
            CorruptedStoreError: the payload is not a key of its format, not as the format writes it, or not the key
                that the metadata describes.
            FormatError: the store has no metadata, and no format or several recognize the payload.
        """
        info = record.info
        if record.payload is None:
            return public_half(info)
        payload = self._seal.unsealed(record.payload, info)
        if not self._has_metadata:
            return self._decode_plain(payload, info)[1]
        format_ = self._registry.format(info.format or "")
        try:
            # Leniently, for a key that was imported so; it has to be what this format itself wrote nevertheless.
            again = read_back(format_, payload, lenient=True, kid=info.kid)
            key = self._registry.key_type(info.key_type).validate(again)
            is_canonical = key.secret is not None and format_.encode_secret(key) == payload
        except (FormatError, InvalidKeyError) as error:
            raise self._damaged(info, f"does not decode: {error}", error.hint) from None
        if not is_canonical:
            raise self._damaged(info, "was modified after it was written")
        if (key.type, key.kid, key.public) != (info.key_type, info.kid, info.public):
            raise self._damaged(info, "is another key than its metadata says")
        return key

    def complete(self, info: RecordInfo, payload: Secret) -> RecordInfo:
        """`info`, completed from the payload of a store that has no metadata. Raises: as `unpack`."""
        format_, key = self._decode_plain(self._seal.unsealed(payload, info), info)
        attributes = public_attributes(format_, key)
        return info.replace(
            key_type=key.type, format=format_.name, kid=key.kid, public=key.public, attributes=attributes
        )

    def _decode_plain(self, payload: Secret, info: RecordInfo) -> tuple[Format, Key]:
        """The format and the key of a payload that has no metadata."""
        format_ = find_format(
            self._registry,
            payload,
            subject=f"{info.reference} in store {self._store!r}",
            ambiguous="import it into a store that keeps metadata",
            unknown="correct it, or install its plugin",
        )
        try:
            key = decode_key(self._registry, format_, payload, lenient=False, report=warn)
        except (FormatError, InvalidKeyError) as error:
            raise self._damaged(info, f"does not decode: {error}", error.hint) from None
        return format_, key.replace(kid=key.kid or format_.default_kid(info.name, info.version, key) or "")

    def _damaged(
        self, info: RecordInfo, problem: str, hint: str | None = "restore it from a backup"
    ) -> CorruptedStoreError:
        return CorruptedStoreError(f"{info.reference} in store {self._store!r} {problem}", hint=hint)


def warn(sentence: str) -> None:
    """Report by `warnings.warn` at the line that called keywright, for callers that passed no `report`."""
    import sys
    import warnings

    level, frame = 2, sys._getframe(1)  # noqa: SLF001  (skip_file_prefixes comes with Python 3.12)
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("keywright."):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, stacklevel=level)
