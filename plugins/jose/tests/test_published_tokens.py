"""Tokens, and parts of encrypted ones, as RFCs print them."""

from __future__ import annotations

import json

import pytest
from jose_support import FORMAT, Jwk, decode, names, published, refused, vectors

from keywright import Secret
from keywright.errors import InvalidSignatureError, UnsupportedOperationError
from keywright_jose import jwe_decrypt, signer, verify
from keywright_jose._jose import Encrypted, decrypt
from keywright_jose.json import decode_segment
from keywright_jose.jwe.algorithms import CONTENT_ALGORITHMS
from keywright_jose.jwe.key_management import agreed_with_sender, derived

JWS, JWE = vectors("jws.json"), vectors("jwe.json")
ENCRYPTED, CBC = JWE["tokens"], JWE["cbc"]


@pytest.mark.parametrize("name", JWS["appendix"])
def test_the_examples_of_the_standard_verify(name: str) -> None:
    """Byte for byte, line breaks inside the header and the payload included."""
    vector = JWS["appendix"][name]

    found = verify(vector["token"], vector["key"], algorithms=[vector["header"]["alg"]])

    assert found == (vector["header"], vector["payload"].encode(), None, None)


@pytest.mark.parametrize("name", JWS["cookbook"]["tokens"])
def test_the_cookbook_verifies_and_comes_out(name: str) -> None:
    """Each token verifies; ours has the same header and payload, and where no chance is in it the same signature."""
    vector, payload = JWS["cookbook"]["tokens"][name], JWS["cookbook"]["payload"].encode()
    jwk, algorithm, token = published(vector["key"]), vector["algorithm"], vector["token"]
    public = jwk if vector["key"] == "oct" else json.loads(FORMAT.encode_public(decode(jwk)))

    found = verify(token, public, algorithms=[algorithm])
    ours = signer(jwk, algorithm, headers={"kid": jwk["kid"]}).sign(payload)

    assert found == ({"alg": algorithm, "kid": jwk["kid"]}, payload, jwk["kid"], None)
    assert ours.rpartition(".")[0] == token.rpartition(".")[0]
    if algorithm in ("RS256", "HS256"):
        assert ours == token
    assert verify(ours, public, algorithms=[algorithm]) == found


@pytest.mark.parametrize("name", ENCRYPTED)
def test_published_tokens_decrypt(name: str) -> None:
    vector = ENCRYPTED[name]

    found = jwe_decrypt(vector["token"], vector["jwk"], **names(vector["algorithm"], vector["encryption"]))

    assert found.plaintext == Secret(vector["plaintext"].encode())
    assert (found.header["alg"], found.header["enc"]) == (vector["algorithm"], vector["encryption"])
    assert found.kid == vector["jwk"].get("kid")


def test_the_published_token_of_rsa1_5_is_refused() -> None:
    """RFC 7516 A.2: neither by asking for its algorithm nor under another does it decrypt."""
    jwk, content = ENCRYPTED["RFC 7516 A.1"]["jwk"], "A128CBC-HS256"

    assert refused(jwe_decrypt, JWE["RSA1_5"], jwk, **names("RSA1_5", content)) == (
        UnsupportedOperationError,
        "RSA1_5 is not supported: it is open to padding oracles (RFC 8725 §3.2); use RSA-OAEP-256",
    )
    assert refused(jwe_decrypt, JWE["RSA1_5"], jwk, **names("RSA-OAEP", content)) == (
        InvalidSignatureError,
        "the token was encrypted with algorithms that are not allowed; reject the token",
    )


@pytest.mark.parametrize("name", CBC["cases"])
def test_published_cbc_and_hmac(name: str) -> None:
    algorithm, ciphertext, tag = CBC["cases"][name].values()
    key = Secret(bytes(range(CONTENT_ALGORITHMS[algorithm].key_bytes)))
    encrypted = Encrypted(bytes.fromhex(CBC["iv"]), bytes.fromhex(ciphertext), bytes.fromhex(tag))
    turned = bytes([encrypted.tag[0] ^ 1]) + encrypted.tag[1:]
    aad = CBC["aad"].encode()

    assert decrypt(algorithm, key, encrypted, aad) == Secret(CBC["plaintext"].encode())
    assert decrypt(algorithm, key, encrypted._replace(tag=turned), aad) is None
    assert decrypt(algorithm, key, encrypted, aad[1:]) is None


def test_published_agreement_on_a_curve() -> None:
    """RFC 7518 C: Bob derives the key that Alice derived."""
    curve = {"kty": "EC", "crv": "P-256"}
    bob: Jwk = {
        **curve,
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    }
    alice: Jwk = {
        **curve,
        "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    }

    agreed = agreed_with_sender(decode(bob), "A128GCM", 128, {"epk": alice, "apu": "QWxpY2U", "apv": "Qm9i"})

    assert agreed == Secret(decode_segment("VqqN6vgjbSBcIijNcacQGg") or b"")


def test_published_agreement_on_x25519() -> None:
    """RFC 8037 A.6, with the secret half of RFC 7748 §6.1: the shared secret is the published one."""
    header = {"epk": {"kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}}
    shared = Secret(bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))

    agreed = agreed_with_sender(decode(published("x25519")), "ECDH-ES+A128KW", 128, header)

    assert agreed == derived(shared, "ECDH-ES+A128KW", 128, (b"", b""))
