"""What the contract of formats is tried on: published samples, the keys in them, and damaged forms of both."""
# ruff: noqa: S101 - these are tests, and pytest explains a failed assert

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import strategies as st

from keywright import Format, Key, Secret
from keywright.errors import FormatError, UnsupportedKeyError
from keywright.testing.rules import Contract


class Sample(NamedTuple):
    """A published encoding: the canonical one of a secret or a public key.

    Attributes:
        data: the bytes, as they were published.
        default_kid: what `decode` is given, for formats that carry no kid.
        key: what it must decode to; None where only the way there and back is known.
    """

    data: bytes
    default_kid: str = ""
    key: Key | None = None


class Spoilable(NamedTuple):
    """Valid data to be damaged: with its default kid, and the halves of its key."""

    data: Secret
    default_kid: str
    secret: Secret | None
    public: bytes


class FormatSamples(Contract):
    """Part of `FormatContract`, which says what may be overridden."""

    samples: ClassVar[Sequence[Sample]] = ()

    @pytest.fixture
    def format(self) -> Format:
        """Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `format`")

    def validate(self, key: Key) -> Key:
        """`key` with both halves."""
        return key

    def keys(self, format: Format) -> st.SearchStrategy[Key]:
        """Secret keys that the format can carry, with both halves; those of the samples unless overridden."""
        return st.sampled_from(self.secret_keys(format))

    def secret_keys(self, format: Format) -> list[Key]:
        """The keys of the samples that hold a secret half."""
        keys = [key for sample in self.samples if (key := self.decoded(format, sample)).secret is not None]
        assert keys, f"{type(self).__name__} needs the attribute `samples`, with a secret key at least"
        return keys

    def decoded(self, format: Format, sample: Sample) -> Key:
        """The key of a sample, completed."""
        return self.validate(format.decode(Secret(sample.data), default_kid=sample.default_kid))

    def spoilable(self, format: Format) -> list[Spoilable]:
        """The samples, to be damaged."""
        keys = [self.decoded(format, sample) for sample in self.samples]
        return [
            Spoilable(Secret(sample.data), sample.default_kid, key.secret, key.public or b"")
            for sample, key in zip(self.samples, keys, strict=True)
        ]


def read(format: Format, data: Secret | bytes, default_kid: str) -> Key | FormatError:
    """The key, or the refusal. Anything else that is raised fails the test by itself."""
    hidden = data if isinstance(data, Secret) else Secret(data)
    del data  # a traceback with locals is looked at
    try:
        return format.decode(hidden, default_kid=default_kid)
    except FormatError as error:
        return error


def encoded(format: Format, key: Key) -> Secret | None:
    """The encoding of the halves that the key has; None if the format refuses the key."""
    try:
        return Secret(format.encode_public(key)) if key.secret is None else format.encode_secret(key)
    except UnsupportedKeyError:
        return None


def decoded_again(format: Format, key: Key, default_kid: str | None = None) -> Key | None:
    """What the encoding of a key decodes to, its own kid being the default; None if the format refuses the key."""
    text = encoded(format, key)
    return None if text is None else format.decode(text, default_kid=key.kid if default_kid is None else default_kid)
