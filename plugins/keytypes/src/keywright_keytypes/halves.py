"""Completing a key that has two halves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import Key
from keywright.errors import InvalidKeyError
from keywright_keytypes.refusals import check_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright import Secret

__all__ = ["complete_halves", "public_half"]


def complete_halves(
    key: Key, name: str, derive: Callable[[Secret], bytes], check_public: Callable[[bytes], object]
) -> Key:
    """`key` with both halves, or as it is if it is a public key.

    `derive` makes the public half of a secret one, `check_public` looks at a public half that stands alone. Both
    raise InvalidKeyError if the half they are given is wrong.

    Raises:
        InvalidKeyError: the key is of another type, has neither half, has a wrong half, or its halves do not belong
            together.
    """
    check_type(key, name)
    if key.secret is None:
        check_public(public_half(key, derive))
        return key
    public = derive(key.secret)
    if key.public is None:
        return Key(key.type, key.kid, key.secret, public, key.attributes)
    if key.public != public:
        raise InvalidKeyError(
            f"the public half of this {name} key does not belong to its secret half; import a key whose halves match"
        )
    return key


def public_half(key: Key, derive: Callable[[Secret], bytes]) -> bytes:
    """The public half as given, else derived from the secret one.

    Raises:
        InvalidKeyError: the key has neither half, or `derive` refuses the secret one.
    """
    if key.public is not None:
        return key.public
    if key.secret is not None:
        return derive(key.secret)
    raise InvalidKeyError(f"this {key.type} key has neither a secret nor a public half; give at least one")
