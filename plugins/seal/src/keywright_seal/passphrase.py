"""The seal `passphrase`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keywright import Options, Secret, Setting
from keywright.errors import ConfigError, SealError

if TYPE_CHECKING:
    from keywright_seal.envelope import OpenedEnvelopeSeal
    from keywright_seal.kdf import Derivation

_FEWEST_CHARACTERS: Final = 8
_MOST_PREVIOUS: Final = 8


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
                f"previous holds more than {_MOST_PREVIOUS} passphrases; "
                f"run `keywright reseal`, and remove those that nothing is sealed with any more"
            )
        _check(options.secret("passphrase"), "passphrase")
        for one in previous:
            _check(one, "a passphrase in previous")
        masters = MasterKeys((options.secret("passphrase"), *previous), derive_root_key)
        return OpenedEnvelopeSeal(self.name, "passphrase", masters, _derivation(options))


def _check(passphrase: Secret, what: str) -> None:
    if b"\n" in passphrase.reveal() or b"\r" in passphrase.reveal():
        raise SealError(f"seal 'passphrase': {what} has a line break (LF or CR) in it; write it on one line")
    if len(passphrase.reveal().decode(errors="replace")) < _FEWEST_CHARACTERS:
        raise SealError(
            f"seal 'passphrase': {what} has fewer than {_FEWEST_CHARACTERS} characters, so it could be guessed; "
            f"take a longer one"
        )


def _derivation(options: Options) -> Derivation:
    """How new payloads are sealed, without a salt."""
    from keywright_seal.kdf import ARGON2ID, SALT_BYTES, SCRYPT, SCRYPT_COSTS, Derivation, has_argon2id

    kdf = options.optional_text("kdf")
    if kdf == "scrypt" or (kdf is None and not has_argon2id()):
        return Derivation(SCRYPT, SCRYPT_COSTS, bytes(SALT_BYTES))
    if not has_argon2id():
        raise SealError(
            "seal 'passphrase': kdf is argon2id, which this machine lacks; install cryptography 44 or later with "
            "OpenSSL 3.2 or later, or set it to scrypt"
        )
    costs = (options.integer("memory"), options.integer("time"), options.integer("lanes"))
    return Derivation(ARGON2ID, costs, bytes(SALT_BYTES))
