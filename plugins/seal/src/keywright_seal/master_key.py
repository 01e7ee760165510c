"""The seal `master-key`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Options, Secret, Setting
from keywright.errors import SealError

if TYPE_CHECKING:
    from keywright_seal.envelope import OpenedEnvelopeSeal
    from keywright_seal.kdf import Derivation

__all__ = ["MasterKeySeal"]

_HEXADECIMAL_CHARACTERS: Final = 64
_BASE64_CHARACTERS: Final = 44


class MasterKeySeal:
    """The seal `master-key`: AES-256-GCM under 32 random bytes, given as hexadecimal or base64 (RFC 4648 §4, §8)."""

    name = "master-key"
    settings = (
        Setting("key", "secret", help="the master key: 32 random bytes as 64 hexadecimal or 44 base64 characters"),
        Setting("previous", "secrets", default=(), help="older master keys, which still open what they sealed"),
    )

    def open(self, options: Options) -> OpenedEnvelopeSeal:
        """Make ready.

        Raises:
            SealError: a key is not 32 bytes, or neither hexadecimal nor base64.
        """
        from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal
        from keywright_seal.kdf import NO_DERIVATION

        current = _decoded(options.secret("key"), "key")
        previous = [_decoded(one, "a key in previous") for one in options.secrets("previous")]
        return OpenedEnvelopeSeal(self.name, "key", MasterKeys((current, *previous), _as_it_is), NO_DERIVATION)


def _as_it_is(key: Secret, _derivation: Derivation) -> Secret:
    return key


def _decoded(text: Secret, what: str) -> Secret:
    if len(text) not in (_HEXADECIMAL_CHARACTERS, _BASE64_CHARACTERS):
        raise SealError(
            f"seal 'master-key': {what} is not 32 bytes as 64 hexadecimal or 44 base64 characters; "
            f"make one with `openssl rand -base64 32`"
        )
    key = _of_hexadecimal(text) if len(text) == _HEXADECIMAL_CHARACTERS else _of_base64(text)
    if key is None:
        raise SealError(
            f"seal 'master-key': {what} has characters that hexadecimal or base64 of 32 bytes has not; "
            f"copy it again, or make one with `openssl rand -base64 32`"
        )
    return key


def _of_hexadecimal(text: Secret) -> Secret | None:
    from binascii import Error, unhexlify

    try:
        return Secret(unhexlify(text.reveal()))
    except Error:
        return None


def _of_base64(text: Secret) -> Secret | None:
    from binascii import Error, a2b_base64, b2a_base64

    try:
        key = Secret(a2b_base64(text.reveal(), strict_mode=True))
    except Error:
        return None
    # Compared with how it is written: the spare bits of the last character would go unseen.
    return key if len(key) == 32 and Secret(b2a_base64(key.reveal(), newline=False)) == text else None
