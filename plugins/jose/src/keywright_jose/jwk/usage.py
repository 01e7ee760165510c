"""What a JWK says it is for, checked against itself and its key type (RFC 7517 §4.2 to §4.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from keywright_jose.json import is_text

API_KEY: Final = "keywright-api-key"
"""The `alg` of what is stored of an API key: that of no signature. Its `kid` is a key_id (`is_key_id`)."""

KEY_ID: Final = "[a-z2-7]{16}"

SIGNING: Final[dict[str, str]] = {
    **dict.fromkeys(("HS256", "HS384", "HS512"), "oct"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "rsa"),
    "ES256": "ec-p256",
    "ES384": "ec-p384",
    "ES512": "ec-p521",
    "EdDSA": "ed25519",
    "Ed25519": "ed25519",
}
"""The algorithms of signed tokens, and the key type that each is for (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2)."""

PUBLISHED: Final = ("alg", "key_ops", "use", "x5c", "x5t", "x5t#S256", "x5u")
"""The attributes that go into a public encoding."""

SIGNING_OPERATIONS: Final = frozenset({"sign", "verify"})
_ENCRYPTING_OPERATIONS = frozenset({"encrypt", "decrypt", "wrapKey", "unwrapKey"})
_DERIVING_OPERATIONS = frozenset({"deriveKey", "deriveBits"})
_PUBLIC_OPERATIONS = {"sign": "verify", "decrypt": "encrypt", "unwrapKey": "wrapKey"}

_EC = ("ec-p256", "ec-p384", "ec-p521")
_IMPOSSIBLE_USE = {"ed25519": "enc", "x25519": "sig"}
_IMPOSSIBLE_OPERATIONS = {
    "ed25519": _ENCRYPTING_OPERATIONS | _DERIVING_OPERATIONS,
    "x25519": SIGNING_OPERATIONS | {"encrypt", "decrypt"},
    "rsa": _DERIVING_OPERATIONS,
    **dict.fromkeys(_EC, frozenset({"encrypt", "decrypt"})),
}

# alg: the use that it implies, and the key types that it fits. RFC 7518 §3.1, §4.1, §5.1; RFC 8037 §3.1; RFC 8812
# §2, §3; RFC 9864 §2. Those that fit no type of ours still have a meaning that contradicts every one of them.
_ALGORITHMS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{algorithm: ("sig", (type,)) for algorithm, type in SIGNING.items()},
    "RS1": ("sig", ("rsa",)),
    **dict.fromkeys(("none", "ES256K", "Ed448"), ("sig", ())),
    **dict.fromkeys(("RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"), ("enc", ("rsa",))),
    **dict.fromkeys(("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"), ("enc", (*_EC, "x25519"))),
    **dict.fromkeys(("A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW", "dir"), ("enc", ("oct",))),
    **dict.fromkeys(("PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"), ("enc", ("oct",))),
    **dict.fromkeys(("A128GCM", "A192GCM", "A256GCM"), ("enc", ("oct",))),
    **dict.fromkeys(("A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"), ("enc", ("oct",))),
}

Problem = tuple[str, str]
"""A message and its hint."""


def is_key_id(text: object) -> bool:
    """Whether it could be the key_id of an API key."""
    return isinstance(text, str) and re.fullmatch(KEY_ID, text) is not None


def usage_problem(type: str, attributes: Mapping[str, object], own: Sequence[str] = ()) -> Problem | None:
    """The problem of the informative members of a key of this type; None if they are valid.

    `own` are the algorithms of a key type of another plugin. Names that no RFC above registers are kept and not judged.
    """
    return _form_problem(attributes) or _type_problem(type, attributes, own) or _contradiction(attributes)


def published_attributes(attributes: Mapping[str, object]) -> dict[str, object]:
    """Those of `PUBLISHED` that are there, `key_ops` turned to what the public half can do.

    `deriveKey` and `deriveBits` stay: in a key agreement either side derives, and RFC 7517 §4.3 parts no halves there.
    """
    published = {name: attributes[name] for name in PUBLISHED if name in attributes}
    operations = published.get("key_ops")
    if isinstance(operations, tuple):
        published["key_ops"] = tuple(dict.fromkeys(_PUBLIC_OPERATIONS.get(name, name) for name in operations))
    return published


def _form_problem(attributes: Mapping[str, object]) -> Problem | None:
    for name in ("alg", "use", "x5t", "x5t#S256", "x5u"):
        if name in attributes and not is_text(attributes[name]):
            return f"the JWK member {name} must be text that is not empty", "change that member, or remove it"
    for name in ("key_ops", "x5c"):
        value = attributes.get(name, ())
        if not isinstance(value, tuple) or not all(map(is_text, value)):
            return f"the JWK member {name} must be an array of texts", "change that member, or remove it"
    operations = _operations(attributes)
    if len(set(operations)) != len(operations):
        return "the JWK member key_ops must not name an operation twice (RFC 7517 §4.3)", "remove the duplicate"
    return None


def _type_problem(type: str, attributes: Mapping[str, object], own: Sequence[str]) -> Problem | None:
    name = str(attributes.get("alg"))
    algorithm = _ALGORITHMS.get(name)
    if algorithm is not None and type not in algorithm[1] and name not in own:
        return f"the JWK member alg does not fit a key of the type {type}", "change that member, or remove it"
    if attributes.get("use") == _IMPOSSIBLE_USE.get(type, ""):
        return f"the JWK member use does not fit a key of the type {type}", "change that member, or remove it"
    if not _IMPOSSIBLE_OPERATIONS.get(type, frozenset()).isdisjoint(_operations(attributes)):
        return f"the JWK member key_ops does not fit a key of the type {type}", "change that member, or remove it"
    return None


def _contradiction(attributes: Mapping[str, object]) -> Problem | None:
    use = attributes.get("use")
    implied, _ = _ALGORITHMS.get(str(attributes.get("alg")), ("", ()))
    if implied and use in ("sig", "enc") and use != implied:
        return "the JWK members use and alg contradict each other", "change or remove one of them"
    for name, purpose in (("use", use), ("alg", implied)):
        if not _agrees(purpose, _operations(attributes)):
            return (
                f"the JWK members {name} and key_ops contradict each other (RFC 7517 §4.3)",
                "change or remove one of them",
            )
    return None


def _agrees(purpose: object, operations: tuple[object, ...]) -> bool:
    if purpose == "sig":
        return SIGNING_OPERATIONS.issuperset(operations)
    return purpose != "enc" or SIGNING_OPERATIONS.isdisjoint(operations)


def _operations(attributes: Mapping[str, object]) -> tuple[object, ...]:
    operations = attributes.get("key_ops", ())
    return operations if isinstance(operations, tuple) else ()
