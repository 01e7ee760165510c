"""`use`, `key_ops`, `alg` and the x5 members: what is kept, what is published, what is refused."""

from __future__ import annotations

import json

import pytest
from jose_support import FORMAT, assert_nothing_shows, decode, published, refusal
from support.errors import text_of

from keywright import Attributes, Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_jose.jwk.usage import usage_problem

_TWICE = "the JWK member key_ops must not name an operation twice (RFC 7517 §4.3); remove the duplicate"
_USE_ALG = "the JWK members use and alg contradict each other; change or remove one of them"
_USE_OPS = "the JWK members use and key_ops contradict each other (RFC 7517 §4.3); change or remove one of them"
_ALG_OPS = "the JWK members alg and key_ops contradict each other (RFC 7517 §4.3); change or remove one of them"


_unfit = "the JWK member {} does not fit a key of the type {}; change that member, or remove it".format
_text = "the JWK member {} must be text that is not empty; change that member, or remove it".format
_array = "the JWK member {} must be an array of texts; change that member, or remove it".format
_FAULTS = [
    ("oct", {"use": 1}, _text("use")),
    ("oct", {"use": ""}, _text("use")),
    ("oct", {"alg": None}, _text("alg")),
    ("oct", {"x5t#S256": False}, _text("x5t#S256")),
    ("oct", {"x5u": ["https://example.org"]}, _text("x5u")),
    ("oct", {"x5c": "MII"}, _array("x5c")),
    ("oct", {"key_ops": "sign"}, _array("key_ops")),
    ("oct", {"key_ops": ["sign", 1]}, _array("key_ops")),
    ("oct", {"key_ops": [""]}, _array("key_ops")),
    ("oct", {"key_ops": ["sign", "verify", "sign"]}, _TWICE),
    ("oct", {"alg": "RS256"}, _unfit("alg", "oct")),
    ("ec-p256", {"alg": "ES256K"}, _unfit("alg", "ec-p256")),
    ("x25519", {"use": "sig"}, _unfit("use", "x25519")),
    ("ed25519", {"use": "enc"}, _unfit("use", "ed25519")),
    ("ed25519", {"key_ops": ["sign", "deriveBits"]}, _unfit("key_ops", "ed25519")),
    ("rsa", {"key_ops": ["deriveKey"]}, _unfit("key_ops", "rsa")),
    ("oct", {"use": "enc", "alg": "HS256"}, _USE_ALG),
    ("oct", {"use": "sig", "alg": "A256GCM"}, _USE_ALG),
    ("ec-p256", {"use": "sig", "alg": "ECDH-ES+A256KW"}, _USE_ALG),
    ("oct", {"use": "sig", "key_ops": ["sign", "encrypt"]}, _USE_OPS),
    ("oct", {"use": "sig", "key_ops": ["sing"]}, _USE_OPS),
    ("oct", {"use": "enc", "key_ops": ["encrypt", "verify"]}, _USE_OPS),
    ("oct", {"alg": "HS256", "key_ops": ["encrypt"]}, _ALG_OPS),
    ("rsa", {"alg": "RSA-OAEP", "key_ops": ["sign"]}, _ALG_OPS),
]
_FINE = [
    ("oct", {"use": "sig", "alg": "HS512", "key_ops": ["sign", "verify"]}),
    ("oct", {"use": "enc", "alg": "dir", "key_ops": ["encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey"]}),
    ("oct", {"alg": "PBES2-HS256+A128KW"}),
    ("oct", {"alg": "HS3-256", "use": "ours", "key_ops": ["ours", "sign", "encrypt"]}),
    ("oct", {"key_ops": []}),
    ("rsa", {"use": "enc", "alg": "RSA-OAEP-256", "key_ops": ["unwrapKey", "decrypt"]}),
    ("rsa", {"alg": "PS384"}),
    ("ec-p256", {"alg": "ES256", "key_ops": ["sign", "verify"]}),
    ("ec-p256", {"alg": "ECDH-ES", "key_ops": ["wrapKey", "unwrapKey"]}),
    ("ec-p521", {"use": "sig", "alg": "ES512"}),
    ("ed25519", {"use": "sig", "alg": "EdDSA", "key_ops": ["sign"]}),
    ("ed25519", {"alg": "Ed25519"}),
    ("x25519", {"use": "enc", "alg": "ECDH-ES+A128KW", "key_ops": ["deriveKey", "deriveBits"]}),
    ("ed25519", {"x5u": "https://example.org", "x5c": ["MII=", "MII="], "x5t": "dGg", "x5t#S256": "dGg"}),
]


error_type = type  # which the tests have for a parameter


def _id(value: object) -> str:
    return value if isinstance(value, str) and len(value) < 20 else ""


@pytest.fixture
def keys() -> dict[str, Key]:
    decoded = {type: decode(published(type)) for type in ("oct", "ec-p256", "ec-p521", "ed25519", "x25519", "rsa")}
    return {type: Key(type, "", key.secret, key.public) for type, key in decoded.items()}


def _jwk(key: Key, attributes: dict[str, object]) -> bytes:
    return json.dumps(json.loads(FORMAT.encode_secret(key).reveal()) | attributes).encode()


@pytest.mark.parametrize(("type", "attributes", "message"), _FAULTS, ids=_id)
def test_contradictions_are_refused(
    keys: dict[str, Key], type: str, attributes: dict[str, object], message: str
) -> None:
    plain = keys[type]
    data = _jwk(plain, attributes)
    key = Key(type, "", plain.secret, plain.public, Attributes(attributes))

    read = refusal(FORMAT.decode, Secret(data), default_kid="")
    written = [refusal(encode, key) for encode in (FORMAT.encode_secret, FORMAT.encode_public)]

    assert (error_type(read), text_of(read)) == (MalformedKeyError, message)
    for error in written[: 1 if type == "oct" else 2]:  # an oct key has nothing public
        assert (error_type(error), text_of(error)) == (UnsupportedKeyError, message)
    for error in (read, *written):
        assert_nothing_shows(error, data)


@pytest.mark.parametrize(("type", "attributes"), _FINE)
def test_members_that_agree_survive(keys: dict[str, Key], type: str, attributes: dict[str, object]) -> None:
    data = _jwk(keys[type], attributes)

    key = FORMAT.decode(Secret(data), default_kid="")

    assert key.attributes.plain() == attributes
    assert json.loads(FORMAT.encode_secret(key).reveal()) == json.loads(data)


@pytest.mark.parametrize(
    ("type", "secret", "public"),
    [
        pytest.param("rsa", ["sign"], ["verify"], id="sign"),
        pytest.param("rsa", ["verify", "sign"], ["verify"], id="sign and verify"),
        pytest.param("rsa", ["decrypt", "unwrapKey"], ["encrypt", "wrapKey"], id="decrypt and unwrap"),
        pytest.param("x25519", ["deriveKey", "deriveBits"], ["deriveKey", "deriveBits"], id="derive"),
        pytest.param("ed25519", ["ours", "sign"], ["ours", "verify"], id="unregistered"),
        pytest.param("ed25519", [], [], id="none"),
    ],
)
def test_public_key_ops_say_what_the_public_half_can_do(
    keys: dict[str, Key], type: str, secret: list[str], public: list[str]
) -> None:
    plain = keys[type]
    key = Key(type, "", plain.secret, plain.public, Attributes({"key_ops": secret}))

    encoded = FORMAT.encode_public(key)

    assert json.loads(encoded)["key_ops"] == public


def test_public_encoding_has_listed_members_only(keys: dict[str, Key]) -> None:
    informative = {
        "use": "sig", "key_ops": ["verify"], "alg": "EdDSA",
        "x5u": "https://example.org", "x5c": ["MII="], "x5t": "dGg", "x5t#S256": "dGg",
    }  # fmt: skip
    plain = keys["ed25519"]
    key = Key("ed25519", "k1", plain.secret, plain.public, Attributes(informative | {"note": "n", "priv": "p"}))

    encoded = json.loads(FORMAT.encode_public(key))

    assert encoded == informative | {
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "k1",
    }  # fmt: skip


_TYPES = ("oct", "rsa", "ec-p256", "ec-p384", "ec-p521", "ed25519", "x25519")
_CURVES = ("ec-p256", "ec-p384", "ec-p521", "x25519")
# RFC 7518 §3.1 (signatures), §4.1 (key management), §5.1 (content); RFC 8037 §3.1, RFC 8812 §2 and §3, RFC 9864 §2;
# RSA-OAEP-384 and -512: the IANA registry "JSON Web Signature and Encryption Algorithms".
_MEANING = [
    ("sig", (), ["none", "ES256K", "Ed448"]),
    ("sig", ("oct",), ["HS256", "HS384", "HS512"]),
    ("sig", ("rsa",), ["RS1", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
    ("sig", ("ec-p256",), ["ES256"]),
    ("sig", ("ec-p384",), ["ES384"]),
    ("sig", ("ec-p521",), ["ES512"]),
    ("sig", ("ed25519",), ["EdDSA", "Ed25519"]),
    ("enc", ("rsa",), ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"]),
    ("enc", _CURVES, ["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"]),
    ("enc", ("oct",), ["A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW", "dir"]),
    ("enc", ("oct",), ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"]),
    ("enc", ("oct",), ["A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"]),
]


@pytest.mark.parametrize(
    ("use", "types", "algorithm"),
    [pytest.param(use, types, name, id=name) for use, types, names in _MEANING for name in names],
)
def test_each_algorithm_fits_its_types_and_its_use(use: str, types: tuple[str, ...], algorithm: str) -> None:
    """A registered `alg` is refused on keys of every other type, and beside the other `use` on its own."""
    fits = [type for type in _TYPES if not usage_problem(type, {"alg": algorithm})]
    other = {"sig": "enc", "enc": "sig"}[use]
    contradicted = [type for type in fits if usage_problem(type, {"alg": algorithm, "use": other})]
    agreed = [type for type in fits if not usage_problem(type, {"alg": algorithm, "use": use})]

    assert sorted(fits) == sorted(types)
    assert contradicted == fits
    assert agreed == fits


@pytest.mark.parametrize(
    ("type", "impossible"),
    [
        ("oct", set()),
        ("rsa", {"deriveKey", "deriveBits"}),
        *((type, {"encrypt", "decrypt"}) for type in ("ec-p256", "ec-p384", "ec-p521")),
        ("ed25519", {"encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"}),
        ("x25519", {"sign", "verify", "encrypt", "decrypt"}),
    ],
)
def test_each_type_has_operations_that_it_cannot_do(type: str, impossible: set[str]) -> None:
    operations = ("sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits")

    refused = {operation for operation in operations if usage_problem(type, {"key_ops": (operation,)})}

    assert refused == impossible


@pytest.mark.parametrize("purpose", [{"use": "sig"}, {"alg": "HS256"}], ids=["use", "alg"])
def test_what_signs_does_nothing_else(purpose: dict[str, object]) -> None:
    """Beside a purpose of signing, only `sign` and `verify` agree; beside encryption, only these two do not."""
    encrypts: dict[str, object] = {"use": "enc"} if "use" in purpose else {"alg": "A128KW"}
    operations = ("sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits")

    with_signing = {name for name in operations if not usage_problem("oct", {**purpose, "key_ops": (name,)})}
    with_encryption = {name for name in operations if not usage_problem("oct", {**encrypts, "key_ops": (name,)})}

    assert with_signing == {"sign", "verify"}
    assert with_encryption == set(operations) - {"sign", "verify"}
