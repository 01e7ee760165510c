"""`keywright jose jws …` with keys in files, run with the core's parser and context."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jose_support import refusal, refused
from support.errors import text_of

from keywright import KeyRing, Secret
from keywright.errors import (
    ConfigError,
    FormatError,
    InvalidSignatureError,
    MalformedKeyError,
    MalformedTokenError,
)
from keywright.testing import assert_hidden, everything_in
from keywright_jose import create_secret_key, signer, verify
from keywright_jose.jwk.usage import SIGNING

Run = Callable[..., bytes]

KEY = {**create_secret_key(256), "alg": "HS256", "kid": "a"}
NO_KEYS = "the key file is not a valid JWK or JWK Set; it must be one JSON object in UTF-8, without duplicate members"
OTHER = {**create_secret_key(256), "alg": "HS256", "kid": "b"}


@pytest.fixture
def run(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    (tmp_path / "key.jwk").write_text(json.dumps(KEY))
    monkeypatch.chdir(tmp_path)

    def run_command(name: str, *arguments: str, **options: Any) -> bytes:
        code, out, err = command(f"jws {name}", *arguments, **options)
        assert (code, err) == (0, b"")
        return bytes(out)

    return run_command


@pytest.mark.parametrize(
    "given",
    [b'{"a":1}', b'\n {"a": 1}\r\n\t', '{"a":"\N{LATIN SMALL LETTER E WITH ACUTE}"}'.encode()],
    ids=["compact", "spaces around", "UTF-8"],
)
@pytest.mark.parametrize("arguments", [(), ("-",), ("claims",)])
def test_sign_reads_claims_from_stdin_or_a_file(
    run: Run, tmp_path: Path, given: bytes, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "claims").write_bytes(given)

    out = run("sign", "--key-file", "key.jwk", *arguments, given=b"" if "claims" in arguments else given)

    assert out.endswith(b"\n")
    assert json.loads(verify(out.decode().strip(), KEY).payload) == json.loads(given)


def test_sign_writes_the_members_that_were_asked_for(run: Run) -> None:
    """`--header` takes texts and JSON, an `=` in the text included; `--json` makes a document."""
    document = json.loads(
        run("sign", "--key-file", "key.jwk", "--header", "typ=a=b", "--header", 'v:={"n": [1, true]}', "--header", "x=",
            given=b"{}", as_json=True)
    )  # fmt: skip

    assert set(document) == {"token"}
    assert verify(document["token"], KEY).header == {"alg": "HS256", "typ": "a=b", "v": {"n": [1, True]}, "x": ""}


def test_sign_reads_the_key_from_stdin(run: Run, tmp_path: Path) -> None:
    (tmp_path / "claims").write_bytes(b"{}")

    out = run("sign", "--key-file", "-", "claims", given=json.dumps(KEY).encode())

    assert verify(out.decode().strip(), KEY).payload == b"{}"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_verify_takes_one_line_ending(run: Run, ending: bytes) -> None:
    token = signer(KEY).sign({"a": "\N{LATIN SMALL LETTER E WITH ACUTE}\x9b"}).encode()

    out = run("verify", "--key-file", "key.jwk", given=token + ending)

    assert out == b'{"a": "\\u00e9\\u009b"}\n'
    for other in (b"\n\n", b" ", b" \n"):
        assert refused(run, "verify", "--key-file", "key.jwk", given=token + other)[0] is MalformedTokenError


def test_verify_takes_a_set(run: Run, tmp_path: Path) -> None:
    (tmp_path / "jwks").write_text(f" {json.dumps({'keys': [KEY, OTHER]})}\n")
    token = signer(OTHER, headers={"kid": "b"}).sign({"n": 1}).encode()

    document = json.loads(run("verify", "--key-file", "jwks", given=token, as_json=True))

    assert document == {"header": {"alg": "HS256", "kid": "b"}, "claims": {"n": 1}, "kid": "b", "reference": None}


def test_a_key_of_the_ring_verifies_with_the_algorithm_of_the_token(run: Run, ring: KeyRing) -> None:
    """Of those that are allowed, in any order; a token with another one is refused."""
    ring.generate("hs", type="oct", bits=512)
    token = run("sign", "--key", "hs", "--algorithm", "HS384", ring=ring, given=b"{}")

    for others in (("HS256", "HS384"), ("HS384", "HS512")):
        allowed = [word for name in others for word in ("--algorithm", name)]
        assert run("verify", "--key", "hs", *allowed, ring=ring, given=token) == b"{}\n"
    found = refused(run, "verify", "--key", "hs", "--algorithm", "HS512", ring=ring, given=token)
    assert found[0] is InvalidSignatureError


def test_verify_gives_the_payload_as_it_was_signed(run: Run) -> None:
    """With `--signature-only` any octets come out, and times count for nothing."""
    token = signer(KEY).sign(b"\x00\xff\n").encode()

    assert run("verify", "--key-file", "key.jwk", "--signature-only", given=token) == b"\x00\xff\n"
    document = json.loads(run("verify", "--key-file", "key.jwk", "--signature-only", given=token, as_json=True))
    assert document == {
        "header": {"alg": "HS256"},
        "kid": "a",
        "reference": None,
        "payload": "AP8K",
        "encoding": "base64",
    }


DRIFT = "--time-drift must be seconds, or a duration (s, m, h, d, w or y) such as 15m, from 0s to 10m"
TTL = "--ttl must be seconds, or a duration (s, m, h, d, w or y) such as 15m, from 1s to 3650d"
NOPE = f"--algorithm is not a signature algorithm; use one of {', '.join(SIGNING)}"


STDIN = "the key and the {} cannot both be read from standard input; pass a file for one of them"
PAIR = "--header is not NAME=TEXT or NAME:=JSON; such as sub=alice or admin:=true"
UNCHECKED = "--signature-only checks no claims; leave out --claim and --time-drift"
ONE_VALUE = "--claim NAME:=JSON has no valid JSON after :=; for text write NAME=TEXT"
SIGN, VERIFY = ("sign", "--key-file", "key.jwk"), ("verify", "--key-file", "key.jwk")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("sign", "--key-file", "-"), STDIN.format("claims"), id="stdin"),
        pytest.param(("sign", "--key-file", "-", "-"), STDIN.format("claims"), id="-"),
        pytest.param(("verify", "--key-file", "-"), STDIN.format("token"), id="verify"),
        pytest.param((*SIGN, "--header", "typ"), PAIR, id="no ="),
        pytest.param((*SIGN, "--header", "=a"), PAIR, id="no name"),
        pytest.param((*SIGN, "--header", ":=1"), PAIR, id="no name before :="),
        pytest.param((*SIGN, "--header", "a=1", "--header", "a:=1"), ("--header gives one name twice; remove "
                                                                     "one of them"),
                     id="twice"),
        *(pytest.param((*VERIFY, "--claim", f"a:={value}"), ONE_VALUE, id=f"JSON {value}")
          for value in ("", "a", "NaN", "1e999", '1,"b":2', '1,"value":2', "1}{", "[", '{"a":1,"a":2}', "\udcff")),
        pytest.param((*VERIFY, "--signature-only", "--claim", "a=b"), UNCHECKED, id="claims unchecked"),
        pytest.param((*VERIFY, "--signature-only", "--time-drift", "0"), UNCHECKED, id="times unchecked"),
        pytest.param((*VERIFY, "--time-drift", "601"), DRIFT, id="drift"),
        pytest.param((*VERIFY, "--time-drift", "11m"), DRIFT, id="minutes"),
        *(pytest.param((*SIGN, "--ttl", ttl), TTL, id=f"ttl {ttl}")
          for ttl in ("0", "3651d", "15M", "1.5", "-1", "m", "")),
        pytest.param((*SIGN, "--algorithm", "NOPE"), NOPE, id="no algorithm"),
        pytest.param(("sign", "--key", "ours", "--algorithm", "NOPE"), NOPE, id="none of a ring's"),
        pytest.param((*VERIFY, "--algorithm", "NOPE"), NOPE, id="none allowed"),
        pytest.param((*SIGN, "--header", "alg=HS256"),
                     "--header cannot have alg: the signer sets it, or it is not supported; leave it out",
                     id="header alg"),
        pytest.param((*SIGN, "--header", "typ:=1"), ("the header member typ must be text that is not empty; "
                                                    "pass text, or leave it out"),
                     id="header typ"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(run: Run, arguments: tuple[str, ...], message: str) -> None:
    assert refused(run, *arguments, given=b"{}") == (ConfigError, message)


@pytest.mark.parametrize("given", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"{} {}", b"\xff", b"[" * 100_000])
def test_claims_that_are_none(run: Run, given: bytes) -> None:
    assert refused(run, "sign", "--key-file", "key.jwk", given=given) == (
        FormatError,
        (
            "the claims are not a valid JSON object; pass one object in UTF-8 with each member once, such as "
            '{"sub": "alice"}'
        ),
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: "", id="empty"),
        pytest.param(lambda text: text[:-1], id="open end"),
        pytest.param(lambda text: text + text, id="twice"),
        pytest.param(lambda text: f"[{text}]", id="list"),
        pytest.param(lambda text: text[:-1] + ',"alg":"HS256"}', id="member twice"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text[:-1] + f',"a":{"[" * 100_000}', id="deep"),
    ],
)
def test_key_files_that_are_none(run: Run, tmp_path: Path, change: Callable[[str], str]) -> None:
    (tmp_path / "key.jwk").write_text(change(json.dumps(KEY)))

    for arguments in (SIGN, VERIFY):
        error = refusal(run, *arguments, given=b"{}")
        assert (type(error), text_of(error)) == (MalformedKeyError, NO_KEYS)
        assert_hidden(Secret(str(KEY["k"]).encode()), everything_in(error))


def test_a_key_in_a_file_does_not_show(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key.jwk").write_text(json.dumps({**KEY, "use": "enc"}))

    for arguments in (SIGN, VERIFY):
        error = refusal(run, *arguments, given=b"{}")
        assert_hidden(Secret(str(KEY["k"]).encode()), everything_in(error))


@pytest.mark.parametrize(("ttl", "seconds"), [("900", 900), ("15m", 900), ("2h", 7200), ("1w", 604_800)])
def test_a_ttl_in_units(run: Run, ttl: str, seconds: int) -> None:
    token = run("sign", "--key-file", "key.jwk", "--ttl", ttl, given=b"{}")

    claims = json.loads(run("verify", "--key-file", "key.jwk", "--time-drift", "10m", given=token))

    assert claims["exp"] - claims["iat"] == seconds
