"""A seal for tests: real authenticated encryption, from the standard library alone."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from keywright import Options, Secret, Setting
from keywright.errors import SealError

_NONCE_BYTES: Final = 32
_TAG_BYTES: Final = 32


class OpenedMemorySeal:
    """A memory seal with its master key. Sealed: nonce (32 bytes) ‖ tag (32 bytes) ‖ ciphertext."""

    def __init__(self, master: Secret) -> None:
        self._master = master

    def seal(self, payload: Secret, context: bytes) -> Secret:
        """Encrypt `payload` and authenticate `context` with it; twice the same gives different bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        body = self._crypt(payload, nonce)
        return Secret(nonce + self._tag(body, nonce, context).reveal() + body.reveal())

    def unseal(self, payload: Secret, context: bytes) -> Secret:
        """The reverse of `seal`.

        Raises:
            SealError: another master key, changed bytes, or another context.
        """
        nonce = payload.reveal()[:_NONCE_BYTES]
        tag = Secret(payload.reveal()[_NONCE_BYTES : _NONCE_BYTES + _TAG_BYTES])
        body = Secret(payload.reveal()[_NONCE_BYTES + _TAG_BYTES :])
        if tag != self._tag(body, nonce, context):
            raise SealError(
                "the payload cannot be unsealed: its master key is another one, or its bytes or its record were "
                "changed",
                hint="give the master key that sealed it, or restore the record from a backup",
            )
        return self._crypt(body, nonce)

    def _crypt(self, payload: Secret, nonce: bytes) -> Secret:
        """`payload` XOR a keystream that no other nonce gives."""
        return Secret(
            bytes(
                left ^ right
                for left, right in zip(
                    payload.reveal(),
                    hashlib.shake_256(self._key(b"encrypt", nonce).reveal()).digest(len(payload)),
                    strict=True,
                )
            )
        )

    def _tag(self, body: Secret, nonce: bytes, context: bytes) -> Secret:
        # The length in front keeps a byte from moving between context and body unseen.
        message = len(context).to_bytes(8) + context + body.reveal()  # ciphertext: nothing to hide
        return Secret(hmac.digest(self._key(b"authenticate", nonce).reveal(), message, "sha256"))

    def _key(self, purpose: bytes, nonce: bytes) -> Secret:
        return Secret(hmac.digest(self._master.reveal(), purpose + nonce, "sha256"))


class MemorySeal:
    """The seal `memory`, for tests only: sound encryption, but nothing slows down guessing a weak master key.

    Encrypt-then-MAC: SHAKE256 (FIPS 202) as keystream, HMAC-SHA256 (RFC 2104) as tag, each under a key derived by
    HMAC-SHA256 from the master key and a new nonce.
    """

    name = "memory"
    settings = (Setting("master", "secret", help="the master key, of any length; text is taken as UTF-8"),)

    def open(self, options: Options) -> OpenedMemorySeal:
        """Make ready.

        Raises:
            SealError: the master key is empty.
        """
        if not options.secret("master"):
            raise SealError("the master key of the memory seal is empty", hint="give one")
        return OpenedMemorySeal(options.secret("master"))
