"""Every row of the table: refused by name with its fault, taken without it."""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hostile_tokens.case import Case, Given
from hostile_tokens.encrypted_cases import encrypted_cases
from hostile_tokens.page import TABLE, start_of_row
from hostile_tokens.peers import call_ours
from hostile_tokens.sound import HEADER, OCT, PAYLOAD, text, token
from hypothesis import given, strategies as st
from support.errors import text_of

from keywright import Secret
from keywright.errors import KeywrightError, MalformedKeyError, MalformedTokenError
from keywright_jose import jwe_decode, jws_decode, jws_encode, signer, verifier, verify
from keywright_jose.jwk.format import JwkFormat

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "hostile-tokens.md"
CASES = [case for cases in TABLE.values() for case in cases]
ROWS = [pytest.param(case, id=case.name) for case in CASES]
TWINS = {id(case.good): pytest.param(case, id=f"{case.call} {case.name}") for case in reversed(CASES)}
NAMES = {
    "HS256",
    "RS256",
    "Ed25519",
    "A256GCM",
    "A128CBC-HS256",
    "algorithms",
    "key_ops",
}  # what our own words and the table's tokens both hold


def test_the_table_is_long_enough() -> None:
    """Enough of each kind, and each row with a name of its own."""
    signed, encrypted, keys = (len(cases) for cases in TABLE.values())

    assert (signed >= 200, encrypted >= 70, keys >= 90) == (True, True, True)
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", TWINS.values())
def test_what_has_no_fault_is_taken(case: Case) -> None:
    """A table of refusals proves nothing about a program that refuses everything."""
    call_ours(case.call, case.good)


@pytest.mark.parametrize("case", ROWS)
def test_what_has_one_fault_is_refused_by_name(case: Case) -> None:
    """By the error of the row, in one line that quotes nothing of what it was given."""
    with pytest.raises(KeywrightError) as caught:
        call_ours(case.call, case.bad)

    error = caught.value
    assert type(error) is case.error
    assert text_of(error).isprintable()
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert quoted(text_of(error), case.bad) <= NAMES


def quoted(message: str, given: Given) -> set[str]:
    """The words of six characters and more that a message has from the token or key, its segments decoded."""
    token_ = given.token if isinstance(given.token, bytes) else given.token.encode()
    shown = token_ + b"".join(_decoded(part) for part in token_.split(b".")[:2]) + repr(given.key).encode()
    return {word for word in re.findall(r"[\w-]{6,}", message) if word.encode() in shown}


def _decoded(part: bytes) -> bytes:
    try:
        return urlsafe_b64decode(part + b"==")
    except ValueError:
        return b""


def test_the_page_shows_the_table() -> None:
    """`nox -s hostile_tokens` printed the page from these very rows."""
    page = PAGE.read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "Error |" in line]

    assert [row for row in map(start_of_row, CASES) if not any(line.startswith(f"{row} |") for line in rows)] == []
    assert len(rows) == len(CASES)
    assert f"| of {len(CASES)} | keywright |" in page
    assert f"| refuses | {len(CASES)} |" in page


# 64 MiB, in every place where someone else's bytes come in.
SIZE = 64 << 20
DIRECT = next(encrypted_cases()).good
HUGE: list[Any] = [
    pytest.param(lambda text_: verify(text_, OCT), MalformedTokenError, id="verify"),
    pytest.param(lambda text_: verify(text_.encode(), OCT), MalformedTokenError, id="verify bytes"),
    pytest.param(lambda text_: verifier(OCT).verify(text_), MalformedTokenError, id="verifier"),
    pytest.param(lambda text_: jws_decode(text_, OCT), MalformedTokenError, id="jws_decode"),
    pytest.param(
        lambda text_: jwe_decode(text_, DIRECT.key, key_algorithm="dir", content_algorithm="A256GCM"),
        MalformedTokenError,
        id="jwe_decode",
    ),
    pytest.param(lambda text_: JwkFormat().decode(Secret(text_.encode()), default_kid=""), MalformedKeyError, id="JWK"),
]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: "A" * SIZE, id="one segment"),
        pytest.param(lambda: "A." * (SIZE // 2), id="dots"),
        pytest.param(lambda: f"{text(HEADER)}.{'A' * SIZE}.{text(bytes(32))}", id="signed token"),
        pytest.param(lambda: f"{str(DIRECT.token).rpartition('.')[0]}{'A' * SIZE}.{'A' * 22}", id="encrypted token"),
        pytest.param(lambda: f'{{"kty":"oct","k":"{"A" * SIZE}"}}', id="JWK"),
    ],
)
@pytest.mark.parametrize(("call", "error"), HUGE)
def test_64_mebibytes_are_refused_at_once(
    call: Callable[[str], object], error: type[KeywrightError], make: Callable[[], str]
) -> None:
    """What is far too large is not read, whatever it looks like."""
    given_ = make()

    began = time.process_time()
    with pytest.raises(error):
        call(given_)

    assert time.process_time() - began < 0.5


def test_64_mebibytes_of_nesting_are_refused_at_once() -> None:
    """Nor is what would be deep."""
    for document in ("[" * SIZE, '{"a":' * (SIZE // 5)):
        began = time.process_time()
        with pytest.raises(MalformedTokenError):
            jws_decode(document, OCT)
        with pytest.raises(MalformedKeyError):
            JwkFormat().decode(Secret(document.encode()), default_kid="")
        assert time.process_time() - began < 0.5


def test_64_mebibytes_to_sign_are_refused() -> None:
    """What no one could verify is not signed, in the time that writing it takes."""
    claims, payload = {"sub": "a" * SIZE}, b"a" * SIZE
    bound = signer(OCT)

    for call in (partial(jws_encode, claims, OCT), partial(bound.sign, payload)):
        with pytest.raises(KeywrightError):
            call()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)
MEMBERS = ("kty", "k", "crv", "x", "y", "d", "n", "e", "kid", "use", "key_ops", "alg", "keys")
KEYS = st.dictionaries(st.sampled_from(MEMBERS), JSON) | st.fixed_dictionaries(
    {"kty": st.sampled_from(["oct", "EC", "OKP", "RSA"]), "crv": st.sampled_from(["P-256", "Ed25519", "X25519"])},
    optional={name: st.binary(max_size=40).map(text) | JSON for name in MEMBERS if name not in ("kty", "crv")},
)
TOKENS = st.text(max_size=60) | st.binary(max_size=60) | st.just(token()) | JSON


@given(token_=TOKENS, key=KEYS | JSON, algorithms=JSON)
def test_whatever_is_passed_our_errors_come_out(token_: Any, key: Any, algorithms: Any) -> None:
    """Tokens, keys, sets, allowed algorithms and expectations of any kind, also beside ones that are right."""
    calls: list[Callable[[], object]] = [
        lambda: verify(token_, key, algorithms=algorithms),
        lambda: verify(token_, {"keys": [key]}, algorithms=["HS256", "ES256", "EdDSA"]),
        lambda: jws_decode(token_, OCT, check_claims=algorithms, time_drift=key),
        lambda: jws_decode(token_, key, signature_algorithm=algorithms),
        lambda: jwe_decode(token_, key, key_algorithm=algorithms, content_algorithm="A256GCM"),
        lambda: jwe_decode(token_, DIRECT.key, key_algorithm="dir", content_algorithm=algorithms),
        lambda: jwe_decode(token_, key, key_algorithm="ECDH-ES", content_algorithm="A256GCM"),
        lambda: JwkFormat().decode(Secret(json.dumps(key).encode(errors="surrogatepass")), default_kid=""),
        lambda: signer(key, algorithms),
    ]

    for call in calls:
        try:
            call()
        except KeywrightError:
            continue


@given(st.binary(max_size=120))
def test_whatever_is_signed_or_encrypted_our_errors_come_out(payload: bytes) -> None:
    """Any octets as header and claims, behind a signature that holds, and as a key."""
    for given_ in (token(payload), token(payload=payload), token(b'{"alg":"HS256",%s}' % payload, PAYLOAD)):
        for call in (
            partial(jws_decode, given_, OCT),
            partial(jwe_decode, given_ + ".AA.AA", DIRECT.key, key_algorithm="dir", content_algorithm="A256GCM"),
        ):
            try:
                call()
            except KeywrightError:
                continue
    with suppress(KeywrightError):  # a payload may well be a key: hypothesis has found one
        JwkFormat().decode(Secret(payload), default_kid="")
