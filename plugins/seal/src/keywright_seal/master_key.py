"""The seal `master-key`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Options, Secret, Setting
from keywright.errors import SealError

if TYPE_CHECKING:
    from keywright_seal.envelope import OpenedEnvelopeSeal

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
        """Read the keys.

        Raises:
            SealError: a key is not 32 bytes, or neither hexadecimal nor base64.
        """
        from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal
        from keywright_seal.kdf import NO_DERIVATION

        current = _decoded(options.secret("key"), "key")
        previous = [_decoded(one, "a key in previous") for one in options.secrets("previous")]
        masters = MasterKeys((current, *previous), lambda key, _: key)
        return OpenedEnvelopeSeal(self.name, "key", masters, NO_DERIVATION)


def _decoded(text: Secret, what: str) -> Secret:
    from binascii import Error, a2b_base64, b2a_base64, unhexlify

    is_hexadecimal = len(text) == _HEXADECIMAL_CHARACTERS
    if not is_hexadecimal and len(text) != _BASE64_CHARACTERS:
        raise SealError(
            f"seal 'master-key': {what} is not 32 bytes as 64 hexadecimal or 44 base64 characters; "
            f"make one with `openssl rand -base64 32`"
        )
    try:
        key = Secret(unhexlify(text.reveal()) if is_hexadecimal else a2b_base64(text.reveal(), strict_mode=True))
    except Error:
        key = Secret(b"")  # refused below: an error raised in this handler would lead to the library's
    # Base64 is compared with how it is written: the spare bits of the last character would go unseen.
    if len(key) != 32 or not (is_hexadecimal or Secret(b2a_base64(key.reveal(), newline=False)) == text):
        raise SealError(
            f"seal 'master-key': {what} has characters that hexadecimal or base64 of 32 bytes has not; "
            f"copy it again, or make one with `openssl rand -base64 32`"
        )
    return key
