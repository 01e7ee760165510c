"""The seals `passphrase` and `master-key`: their settings, and the master keys that these give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Options, Secret, Setting
from keywright.errors import ConfigError, SealError

if TYPE_CHECKING:
    from keywright_seal.envelope import OpenedEnvelopeSeal
    from keywright_seal.kdf import Derivation

_FEWEST_CHARACTERS: Final = 8
_MOST_PREVIOUS: Final = 8
_HEXADECIMAL_CHARACTERS: Final = 64
_BASE64_CHARACTERS: Final = 44


class PassphraseSeal:
    """The seal `passphrase`: AES-256-GCM under a key that Argon2id (RFC 9106) or scrypt (RFC 7914) makes of text."""

    name = "passphrase"
    settings = (
        Setting("passphrase", "secret", help="the passphrase: at least 8 characters, on one line"),
        Setting(
            "previous", "secrets", default=(), help="older passphrases, 8 at most, which still open what they sealed"
        ),
        Setting(
            "kdf",
            "text",
            default=None,
            choices=("argon2id", "scrypt"),
            help="what makes a key of the passphrase; unless it is set, argon2id where OpenSSL has it, else scrypt",
        ),
        # The second choice of RFC 9106 §4, for where 2 GiB are too much; kdf.py has the bounds again.
        Setting("memory", "integer", default=64, minimum=19, maximum=512, help="memory that argon2id takes, in MiB"),
        Setting("time", "integer", default=3, minimum=2, maximum=10, help="passes that argon2id makes over the memory"),
        Setting("lanes", "integer", default=4, minimum=1, maximum=16, help="lanes that argon2id could run in parallel"),
    )

    def open(self, options: Options) -> OpenedEnvelopeSeal:
        """Check the passphrases; a key is derived when it is first needed.

        Raises:
            SealError: a passphrase is too short or has a line break, or this machine lacks Argon2id though it is set.
            ConfigError: there are more than 8 previous ones.
        """
        from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal
        from keywright_seal.kdf import derive_root_key

        previous = options.secrets("previous")
        if len(previous) > _MOST_PREVIOUS:
            raise ConfigError(
                f"previous has more than {_MOST_PREVIOUS} passphrases",
                hint="run `keywright rewrap`, and remove those that are no longer used",
            )
        _check_passphrase(options.secret("passphrase"), "passphrase")
        for one in previous:
            _check_passphrase(one, "a passphrase in previous")
        masters = MasterKeys((options.secret("passphrase"), *previous), derive_root_key)
        return OpenedEnvelopeSeal(self.name, "passphrase", masters, _derivation(options))


def _check_passphrase(passphrase: Secret, what: str) -> None:
    if b"\n" in passphrase.reveal() or b"\r" in passphrase.reveal():
        raise SealError(f"seal 'passphrase': {what} has a line break (LF or CR) in it", hint="write it on one line")
    if len(passphrase.reveal().decode(errors="replace")) < _FEWEST_CHARACTERS:
        raise SealError(
            f"seal 'passphrase': {what} has fewer than {_FEWEST_CHARACTERS} characters, so it can be guessed",
            hint="use a longer one",
        )


def _derivation(options: Options) -> Derivation:
    """How new payloads are sealed, without a salt."""
    from keywright_seal.kdf import ARGON2ID, SALT_BYTES, SCRYPT, SCRYPT_COSTS, Derivation, has_argon2id

    kdf = options.optional_text("kdf")
    if kdf == "scrypt" or (kdf is None and not has_argon2id()):
        return Derivation(SCRYPT, SCRYPT_COSTS, bytes(SALT_BYTES))
    if not has_argon2id():
        raise SealError(
            "seal 'passphrase': kdf is argon2id, which is not available on this machine",
            hint="install cryptography 44 or later with OpenSSL 3.2 or later, or set it to scrypt",
        )
    costs = (options.integer("memory"), options.integer("time"), options.integer("lanes"))
    return Derivation(ARGON2ID, costs, bytes(SALT_BYTES))


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

        current = _decoded_key(options.secret("key"), "key")
        previous = [_decoded_key(one, "a key in previous") for one in options.secrets("previous")]
        masters = MasterKeys((current, *previous), lambda key, _: key)
        return OpenedEnvelopeSeal(self.name, "key", masters, NO_DERIVATION)


def _decoded_key(text: Secret, what: str) -> Secret:
    from binascii import Error, a2b_base64, b2a_base64, unhexlify

    is_hexadecimal = len(text) == _HEXADECIMAL_CHARACTERS
    if not is_hexadecimal and len(text) != _BASE64_CHARACTERS:
        raise SealError(
            f"seal 'master-key': {what} is not 32 bytes as 64 hexadecimal or 44 base64 characters",
            hint="create one with `openssl rand -base64 32`",
        )
    try:
        key = Secret(unhexlify(text.reveal()) if is_hexadecimal else a2b_base64(text.reveal(), strict_mode=True))
    except Error:
        key = Secret(b"")  # refused below: an error raised in this handler would lead to the library's
    # Base64 is compared with how it is written: the spare bits of the last character would go unseen.
    if len(key) != 32 or not (is_hexadecimal or Secret(b2a_base64(key.reveal(), newline=False)) == text):
        raise SealError(
            f"seal 'master-key': {what} has characters that are neither hexadecimal nor base64",
            hint="copy it again, or create one with `openssl rand -base64 32`",
        )
    return key
