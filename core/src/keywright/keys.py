"""`Key`, an immutable value with its attributes, and the names and references that keys are stored under."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, final

from keywright.errors import InvalidNameError
from keywright.secret import Secret
from keywright.values import Value


@final
class Attributes(Mapping[str, object]):
    """What a key contains besides its numbers: JWK `use`, `alg`, `key_ops`, and unknown members.

    An immutable mapping of text to JSON values; lists become tuples and objects become `Attributes`. Its `repr`
    shows names only, because an unknown member of a secret key may be a secret too.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] = {}) -> None:
        self._values = {name: _frozen(value) for name, value in values.items()}

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.plain() == Attributes(other).plain()

    __hash__ = None  # type: ignore[assignment]  # (how Python spells unhashable)

    def __repr__(self) -> str:
        return f"<attributes {', '.join(sorted(self._values)) or 'none'}>"

    def __copy__(self) -> Attributes:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Attributes:
        return self

    def plain(self) -> dict[str, Any]:
        """A new dict of plain JSON values (`dict`, `list`, `str`, `int`, `float`, `bool`, `None`)."""
        return {name: _plain(value) for name, value in self._values.items()}


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return Attributes(value)
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


def _plain(value: object) -> object:
    if isinstance(value, Attributes):
        return value.plain()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


NO_ATTRIBUTES = Attributes()


class Key(Value):
    """One cryptographic key.

    Attributes:
        type: the name of its key type, such as `ed25519` or `oct`.
        kid: the id that other systems know it by; `""` if it has none.
        secret: the secret half, or None for a public key. Bytes by type:
            `ed25519`, `x25519`: the 32-byte seed (RFC 8032 §5.1.5, RFC 7748 §5);
            `oct`: the octets;
            `ec-p256`, `ec-p384`, `ec-p521`: the scalar, big-endian, 32, 48 or 66 bytes (RFC 7518 §6.2.2.1);
            `rsa`: PKCS#8 DER (RFC 5958).
        public: the public half, or None if it is not known yet or does not exist (`oct`). Bytes by type:
            `ed25519`, `x25519`: 32 bytes; `ec-*`: the uncompressed point, `04 ‖ x ‖ y` (SEC 1 §2.3.3);
            `rsa`: SubjectPublicKeyInfo DER (RFC 5280 §4.1).
        attributes: what the key contains besides its halves.
    """

    type: str
    kid: str
    secret: Secret | None
    public: bytes | None
    attributes: Attributes

    __slots__ = ("type", "kid", "secret", "public", "attributes")  # noqa: RUF023  (the order of the arguments)

    def __init__(
        self,
        type: str,
        kid: str = "",
        secret: Secret | None = None,
        public: bytes | None = None,
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> None:
        self._set(type, kid, secret, public, attributes)

    def __repr__(self) -> str:
        halves = " and ".join(
            half for half, there in (("secret", self.secret is not None), ("public", self.public is not None)) if there
        )
        return f"Key(type={self.type!r}, kid={self.kid!r}, holds {halves or 'nothing'}, {self.attributes!r})"

    def without_secret(self) -> Key:
        """The same key without its secret half."""
        return Key(self.type, self.kid, None, self.public, self.attributes)


MAXIMUM_NAME_BYTES = 200
# Sets, because a pattern would be compiled at every start.
_START = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_INSIDE = _START | frozenset("._-")
_PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in range(10))
_WINDOWS_DEVICES = frozenset(("con", "prn", "aux", "nul", *_PORTS))
_VERSION = "[1-9][0-9]{0,8}"


class Reference(NamedTuple):
    """`NAME` (version None: the primary) or `NAME@N`."""

    name: str
    version: int | None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def is_reserved(name: str) -> bool:
    """Whether a name is one of keywright's own records, which are not keys: it begins with `keywright.`."""
    return name.startswith("keywright.")


def check_name(name: str, *, reserved: bool = False) -> str:
    """Return `name` if it is a valid key name: segments of `a-z 0-9 . _ -`, joined by `/`, at most 200 bytes.

    With `reserved`, names that begin with `keywright.` are valid too: a store keeps them as any other name.

    Raises:
        InvalidNameError: a segment is empty, does not start with a letter or digit, contains a character outside
            the set, ends in a dot or is reserved by Windows; or the name is empty, too long, reserved, not text, or a
            reference with a version.
    """
    _check_text(name)
    if not reserved and is_reserved(name):
        raise InvalidNameError("names that begin with 'keywright.' are reserved", hint="choose another name")
    if not name:
        raise InvalidNameError("a key name must not be empty", hint="use something like cache.example.org or prod/jwt")
    if len(name) > MAXIMUM_NAME_BYTES:
        raise InvalidNameError(f"a key name has at most {MAXIMUM_NAME_BYTES} bytes", hint="choose a shorter one")
    if "@" in name and re.fullmatch(f"[^@]+@{_VERSION}", name):
        raise InvalidNameError("a key name is expected, without a version", hint="leave out the @ and the number")
    for segment in name.split("/"):
        if segment[:1] not in _START or not _INSIDE.issuperset(segment):
            raise InvalidNameError(
                "key names have only a-z, 0-9, '.', '_' and '-', in segments joined by '/' that start with a letter "
                "or digit",
                hint="use something like cache.example.org or prod/jwt",
            )
        if segment.endswith("."):
            raise InvalidNameError(
                "a segment of the key name ends in '.', which Windows drops", hint="leave the dot out"
            )
        if segment.partition(".")[0] in _WINDOWS_DEVICES:
            raise InvalidNameError("a segment of the key name is a device name on Windows", hint="choose another")
    return name


def parse_reference(text: str, *, reserved: bool = False) -> Reference:
    """Read `NAME` or `NAME@N`; `reserved` as for `check_name`.

    Raises:
        InvalidNameError: the name is not valid (see `check_name`), or N is not a whole number from 1 to 999999999
            without leading zeros.
    """
    _check_text(text)
    name, at, version = text.partition("@")
    if not at:
        return Reference(check_name(name, reserved=reserved), None)
    if not re.fullmatch(_VERSION, version):
        raise InvalidNameError(
            "the version after @ is not a whole number from 1", hint="write NAME@3, or NAME alone for the primary"
        )
    return Reference(check_name(name, reserved=reserved), int(version))


def _check_text(given: object) -> None:
    if not isinstance(given, str):
        raise InvalidNameError("a key name must be text", hint="use something like cache.example.org or prod/jwt")
