"""The key that a token is encrypted for: a JWK, a `Key` of a ring, one of a JWK Set. Checked before it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from keywright import Decrypter, Encrypter, Key, Signer, Verifier
from keywright.errors import (
    ConfigError,
    InvalidKeyError,
    KeywrightError,
    NotExportableError,
    PolicyError,
    UnsupportedOperationError,
)
from keywright_jose.compact import meant_by
from keywright_jose.jwe.algorithms import AGREEING, KEY_ALGORITHMS, ContentAlgorithm, KeyAlgorithm
from keywright_jose.jwk.codec import kind_of_type
from keywright_jose.jwk.inputs import KeyInput, hide_key, keys_of_set, one_key
from keywright_jose.jwk.members import Members, is_set
from keywright_jose.keys import check_not_public, check_use, own_algorithm

JweKeyInput = KeyInput | Key | Encrypter | Decrypter

_TYPES: Final[dict[str, tuple[str, ...]]] = {"rsa": ("rsa",), "agree": AGREEING, "agree and wrap": AGREEING}
# By way: what a key must be allowed to do (RFC 7517 §4.3). Of RSA either half's word counts when it encrypts, for the
# public one is what is left of a private key. Keys that agree wrap by their own word where `jose` made them.
_AGREEMENT: Final = ("deriveKey", "deriveBits", "unwrapKey")
_ENCRYPTING: Final[dict[str, tuple[str, ...]]] = {
    "direct": ("encrypt",),
    "rsa": ("wrapKey", "encrypt", "unwrapKey", "decrypt"),
    **dict.fromkeys(("agree", "agree and wrap"), (*_AGREEMENT, "wrapKey")),
}
_DECRYPTING: Final[dict[str, tuple[str, ...]]] = {
    "direct": ("decrypt",),
    "rsa": ("unwrapKey", "decrypt"),
    **dict.fromkeys(("agree", "agree and wrap"), _AGREEMENT),
}


def hide_jwe_key(key: object) -> JweKeyInput:
    """As `hide_key`, or what a ring gives as it is: its `repr` shows nothing. It raises nothing."""
    return key if isinstance(key, Key | Encrypter | Decrypter) else hide_key(key)


def encrypting_key(given: JweKeyInput, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> Key:
    """The key to encrypt for.

    Raises:
        ConfigError: it is not a key, or an object of a ring for another purpose.
        MalformedKeyError, UnsupportedKeyError: as `one_key`.
        PolicyError, KeyNotFoundError, StoreError: a ring's encrypter found no key to encrypt for any more.
        UnsupportedOperationError: the algorithm is not one of the key's type.
        InvalidKeyError: an `oct` key has another size than the algorithm's, or is a public key.
        NotExportableError: an `oct` key without its octets.
        PolicyError: by its `alg`, `use` or `key_ops` the key is for something else.
    """
    if isinstance(given, Encrypter):
        key = given.current().key
    else:
        key = given if isinstance(given, Key) else one_key(_members(given, "encrypt"))
    _check_key(key, algorithm, content, _ENCRYPTING.get(algorithm.way, ("wrapKey",)))
    return key


def decrypting_keys(given: JweKeyInput, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> tuple[Key, ...]:
    """The keys that may decrypt: one, or those of a JWK Set that are for this.

    Raises: as `encrypting_key`, and
        InvalidKeyError: a set has a `kid` twice, keys without one, symmetric keys beside others, or none for this.
    """
    if not isinstance(given, Key) and is_set(members := _members(given, "decrypt")):
        # What is for something else stays out (RFC 7517 §5); a token that names it finds no key.
        found = tuple(key for key in keys_of_set(members) if not _refusal(key, algorithm, content))
        if not found:
            raise InvalidKeyError(
                "this JWK Set has no key that decrypts with these algorithms",
                hint="pass the set that has the recipient's secret keys",
            )
        return found
    key = given if isinstance(given, Key) else one_key(_members(given, "decrypt"))
    check_decrypting(key, algorithm, content)
    return (key,)


def check_decrypting(key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> None:
    """Raises: as `encrypting_key`, but what is about JWKs."""
    _check_key(key, algorithm, content, _DECRYPTING.get(algorithm.way, ("unwrapKey",)))


def _members(given: JweKeyInput, encrypt: str) -> Members:
    if isinstance(given, Signer | Verifier | Encrypter | Decrypter):
        kind = type(given).__name__.lower()
        raise ConfigError(f"a ring's {kind} does not {encrypt}", hint=f"pass ring.{encrypt}er(NAME)")
    if not isinstance(given, Members):
        raise ConfigError(
            "the key must be a JWK (a dict), or an encrypter or decrypter of a ring",
            hint="such as ring.encrypter(NAME)",
        )
    return given


def _refusal(key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> KeywrightError | None:
    """Why one of several keys is not for this; None if it decrypts."""
    try:
        check_decrypting(key, algorithm, content)
    except (InvalidKeyError, PolicyError, UnsupportedOperationError) as refusal:
        return refusal
    return None


def _check_key(key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm, operations: tuple[str, ...]) -> None:
    if key.type not in _TYPES.get(algorithm.way, ("oct",)):
        able = [one.name for one in KEY_ALGORITHMS.values() if key.type in _TYPES.get(one.way, ("oct",))]
        can = f"it can with: {', '.join(able)}" if able else "pass a key that encrypts, such as one of type x25519"
        raise UnsupportedOperationError(f"a key of type {key.type} does not encrypt with {algorithm.name}", hint=can)
    # A key for direct encryption says what it encrypts (RFC 7520 §5.6), or `dir`.
    names = ("dir", content.name) if algorithm.way == "direct" else (algorithm.name,)
    if own_algorithm(key) not in (None, *names):
        raise PolicyError("the key is restricted to another algorithm (its alg)", hint="use a key for this one")
    check_use(key, "enc", operations)
    if key.type == "oct":
        _check_octets(key, algorithm, content)
    elif key.type in AGREEING:
        _check_halves(key)


def _check_octets(key: Key, algorithm: KeyAlgorithm, content: ContentAlgorithm) -> None:
    if key.secret is None:
        raise NotExportableError(
            "this oct key has no secret, which is needed here", hint="load the secret key for this"
        )
    name, section, bits = algorithm.name, algorithm.section, algorithm.bits
    if algorithm.way == "direct":
        name, section, bits = content.name, content.section, content.key_bytes * 8
    if len(key.secret) * 8 != bits:
        raise InvalidKeyError(f"{name} needs a key of exactly {bits} bits ({section})", hint="use a key of that size")
    check_not_public(key.secret, "encrypt for that key under an algorithm of its own kind")


def _check_halves(key: Key) -> None:
    """Those of a `Key` that a program made may have any length."""
    kind = kind_of_type(key.type)
    if key.secret is None:
        kind.public_members(key)
    else:
        kind.secret_members(key)


class Candidate(NamedTuple):
    """One key.

    Attributes:
        key: with its secret half.
        reference: `NAME@N`, if it is a ring's.
    """

    key: Key
    reference: str | None = None


def candidates(
    given: JweKeyInput, algorithm: KeyAlgorithm, content: ContentAlgorithm
) -> Callable[[str | None], Sequence[Candidate]]:
    """What finds them for a `kid`, or for None. Of a ring no key is loaded before a token asks for it.

    Raises: as `decrypting_keys`; what is returned raises for a ring's versions as that does, and
        InvalidSignatureError: the token names another key, or none and there are several.
    """
    if isinstance(given, Decrypter):
        return lambda kid: _of_ring(given, algorithm, content, kid)
    keys = decrypting_keys(given, algorithm, content)
    return lambda kid: tuple(Candidate(key) for key in meant_by(kid, keys, of_ring=False))


def _of_ring(
    decrypter: Decrypter, algorithm: KeyAlgorithm, content: ContentAlgorithm, kid: str | None
) -> Sequence[Candidate]:
    """The version with that `kid`; of a token without one all of them, for they are the ring's own."""
    found: list[Candidate] = []
    refusals: list[KeywrightError] = []
    for one in meant_by(kid, decrypter.current(), of_ring=True):
        key = one.load()
        # Versions may differ in type and use: that one is not for this says nothing of the others.
        refusal = _refusal(key, algorithm, content)
        if refusal:
            refusals.append(refusal)
        else:
            found.append(Candidate(key, f"{one.name}@{one.version}"))
    if not found:
        raise refusals[0]
    return found
