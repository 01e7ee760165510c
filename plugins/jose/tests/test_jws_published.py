"""Tokens that RFCs publish."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keywright import Secret
from keywright_jose import signer, verify
from keywright_jose.jwk.format import JwkFormat

Jwk = dict[str, Any]

JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
JOE_OCTETS = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'

APPENDIX_A = [
    pytest.param(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        JOE,
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        {
            "kty": "oct",
            "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        },
        {"typ": "JWT", "alg": "HS256"},
        JOE_OCTETS,
        id="RFC 7515 A.1",
    ),
    pytest.param(
        "eyJhbGciOiJSUzI1NiJ9",
        JOE,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        "cN_IoypGlUPQGe77Rw",
        {
            "kty": "RSA",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT"
            "-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7"
            "WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91"
            "kzk2PAcDTW9gb54h4FRWyuXpoQ",
            "e": "AQAB",
        },
        {"alg": "RS256"},
        JOE_OCTETS,
        id="RFC 7515 A.2",
    ),
    pytest.param(
        "eyJhbGciOiJFUzI1NiJ9",
        JOE,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        {"alg": "ES256"},
        JOE_OCTETS,
        id="RFC 7515 A.3",
    ),
    pytest.param(
        "eyJhbGciOiJFUzUxMiJ9",
        "UGF5bG9hZA",
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2Y"
        "BJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        {
            "kty": "EC",
            "crv": "P-521",
            "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        },
        {"alg": "ES512"},
        b"Payload",
        id="RFC 7515 A.4",
    ),
]


@pytest.mark.parametrize(("header", "payload", "signature", "key", "members", "octets"), APPENDIX_A)
def test_the_examples_of_the_standard_verify(
    header: str, payload: str, signature: str, key: Jwk, members: Jwk, octets: bytes
) -> None:
    """Byte for byte, line breaks inside the header and the payload included."""
    found = verify(f"{header}.{payload}.{signature}", key, algorithms=[members["alg"]])

    assert found == (members, octets, None, None)


# RFC 7520 §4, figure 7.
FRODO = (
    "It\N{RIGHT SINGLE QUOTATION MARK}s a dangerous business, Frodo, going out your door. You step onto the road, and "
    "if you don't keep your feet, there\N{RIGHT SINGLE QUOTATION MARK}s no knowing where you might be swept off to."
).encode()
FRODO_SEGMENT = (
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5k"
    "IGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
)
COOKBOOK = [
    pytest.param(
        "rsa",
        "RS256",
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
        "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDk"
        "oBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9Uzp"
        "ERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogo"
        "ree7vjbU5y18kDquDg",
        id="RFC 7520 §4.1",
    ),
    pytest.param(
        "rsa",
        "PS384",
        "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
        "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OL"
        "PpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shn"
        "r2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6"
        "oD4ifKo8DYM-X72Eaw",
        id="RFC 7520 §4.2",
    ),
    pytest.param(
        "ec-p521",
        "ES512",
        "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
        "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnA"
        "MDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
        id="RFC 7520 §4.3",
    ),
    pytest.param(
        "oct",
        "HS256",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9",
        "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        id="RFC 7520 §4.4",
    ),
]


@pytest.mark.parametrize(("key", "algorithm", "header", "signature"), COOKBOOK)
def test_the_cookbook_verifies_and_comes_out(
    published: dict[str, Jwk], key: str, algorithm: str, header: str, signature: str
) -> None:
    """Each token verifies; ours has the same header and payload, and where no chance is in it the same signature."""
    jwk = published[key]
    token = f"{header}.{FRODO_SEGMENT}.{signature}"
    public = jwk if key == "oct" else json.loads(JwkFormat().encode_public(decoded(jwk)))

    found = verify(token, public, algorithms=[algorithm])
    ours = signer(jwk, algorithm, headers={"kid": jwk["kid"]}).sign(FRODO)

    assert found == ({"alg": algorithm, "kid": jwk["kid"]}, FRODO, jwk["kid"], None)
    assert ours.rpartition(".")[0] == f"{header}.{FRODO_SEGMENT}"
    if algorithm in ("RS256", "HS256"):
        assert ours == token
    assert verify(ours, public, algorithms=[algorithm]) == found


def decoded(jwk: Jwk) -> Any:
    """The key of a JWK."""
    return JwkFormat().decode(Secret(json.dumps(jwk).encode()), default_kid="")
