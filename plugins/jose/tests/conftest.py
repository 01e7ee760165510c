"""What the tests of this folder share: published keys, a way to catch refusals, the program `jose`."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from keywright import Secret
from keywright.errors import KeywrightError
from keywright.testing import assert_hidden, traceback_with_locals
from keywright_jose.jwk.format import JwkFormat

Jwk = dict[str, Any]
Jose = Callable[..., bytes]

_BILBO_RSA = {  # RFC 7520 §3.4
    "kty": "RSA",
    "kid": "bilbo.baggins@hobbiton.example",
    "use": "sig",
    "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMa"
    "JMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6c"
    "S6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwd"
    "q_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
    "e": "AQAB",
    "d": "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3X"
    "TGgdrhCku9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe"
    "04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07"
    "lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ",
    "p": "3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4Vupk8rw9JR0AzZ0N"
    "2fvuIAmr_WCsmGpeNqQnev1T7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJlsPp6Zv8bUq0k",
    "q": "uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrUeq3MP15vMMON8lHT"
    "eZu2lmKvwqW7anV5UzhM1iZ7z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB3pVFJ0s7pFc",
    "dp": "B8PVvXkvJrj2L-GYQ7v3y9r6Kw5g9SahXBwsWUzp19TVlgI-YV85q1NIb1rxQtD-IsXXR3-TanevuRPRt5OBOdiMGQp8pbt2"
    "6gljYfKU_E9xn-RULHz0-ed9E9gXLKD4VGngpz-PfQ_q29pk5xWHoJp009Qf1HvChixRX59ehik",
    "dq": "CLDmDGduhylc9o7r84rEUVn7pzQ6PF83Y-iBZx5NT-TpnOZKF1pErAMVeKzFEl41DlHHqqBLSM0W1sOFbwTxYWZDm6sI6og5"
    "iTbwQGIC3gnJKbi_7k_vJgGHwHxgPaX2PnvP-zyEkDERuf-ry4c_Z11Cq9AqC2yeL6kdKT1cYF8",
    "qi": "3PiqvXQN0zwMeE-sBvZgi289XP9XCQF3VWqPzMKnIgQp7_Tugo6-NZBKCQsMf3HaEGBjTVJs_jcK8-TRXvaKe-7ZMaQj8VfB"
    "dYkssbu0NKDDhjJ-GtiseaDVWt7dcH0cfwxgFUHpQh7FoCrjFJ6h6ZEpMF6xmujs4qMpPz8aaI4",
}

_PUBLISHED: dict[str, Jwk] = {
    "oct": {  # RFC 7520 §3.5
        "kty": "oct",
        "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037",
        "use": "sig",
        "alg": "HS256",
        "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    },
    "oct-enc": {  # RFC 7520 §3.6
        "kty": "oct",
        "kid": "1e571774-2e08-40da-8308-e8d68773842d",
        "use": "enc",
        "alg": "A256GCM",
        "k": "AAPapAv4LbFbiVawEjagUBluYqN5rhna-8nuldDvOx8",
    },
    "ec-p256": {  # RFC 7517 A.2
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "use": "enc",
        "kid": "1",
    },
    "ec-p384": {  # RFC 6979 A.2.6
        "kty": "EC",
        "crv": "P-384",
        "d": "a509rS4bjBwFsZh1tmWfTeI8O2Z78pe6mqR3QHhxN9iW1XJOTHCoJfhyyepg0u31",
        "x": "7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT",
        "y": "gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg",
    },
    "ec-p521": {  # RFC 7520 §3.2
        "kty": "EC",
        "kid": "bilbo.baggins@hobbiton.example",
        "use": "sig",
        "crv": "P-521",
        "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
        "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
        "d": "AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt",
    },
    "ed25519": {  # RFC 8037 A.1
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    "x25519": {  # RFC 7748 §6.1, Bob
        "kty": "OKP",
        "crv": "X25519",
        "d": "XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os",
        "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
    },
    "x25519-public": {  # RFC 8037 A.6
        "kty": "OKP",
        "crv": "X25519",
        "kid": "Bob",
        "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
    },
    "rsa": _BILBO_RSA,
    "rsa-public": {name: _BILBO_RSA[name] for name in ("kty", "kid", "use", "n", "e")},  # RFC 7520 §3.3
}

_SECRET_MEMBER = re.compile(r'"(?:k|d|p|q|dp|dq|qi|hidden)"\s*:\s*([^,}]*)')


@pytest.fixture
def published() -> dict[str, Jwk]:
    """Keys from RFCs, by name: a fresh copy."""
    return {name: dict(jwk) for name, jwk in _PUBLISHED.items()}


@pytest.fixture(scope="session")
def jwk_format() -> JwkFormat:
    """The format."""
    return JwkFormat()


@pytest.fixture(scope="session")
def refusal() -> Callable[[Callable[[], object]], KeywrightError]:
    """Calls something that is to be refused, and returns the error."""
    return _refusal


def _refusal(call: Callable[[], object]) -> KeywrightError:
    try:
        call()
    except KeywrightError as error:
        return error
    raise AssertionError("nothing was refused")


@pytest.fixture(scope="session")
def assert_nothing_shows() -> Callable[[KeywrightError, bytes], None]:
    """Fails if a traceback of the error, locals and context included, shows a secret member of some JSON."""
    return _assert_nothing_shows


def _assert_nothing_shows(error: KeywrightError, document: bytes) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = traceback_with_locals(error)
    for value in _SECRET_MEMBER.findall(document.decode(errors="replace")):
        for run in re.findall(r"[A-Za-z0-9_-]{12,}", value):
            assert_hidden(Secret(run.encode()), shown)
            assert_hidden(Secret(base64.urlsafe_b64decode(run[: len(run) // 4 * 4])), shown)


@pytest.fixture(scope="session")
def jose() -> Jose:
    """Runs the real `jose` with arguments and input, and returns its output."""
    program = shutil.which("jose")
    if program is None:
        if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
            pytest.fail("jose is not installed, and KEYWRIGHT_REQUIRE_PEERS is set")
        pytest.skip("jose is not installed")

    def run(*arguments: str, given: bytes = b"") -> bytes:
        return subprocess.run([program, *arguments], input=given, capture_output=True, check=True, timeout=30).stdout

    return run


@pytest.fixture(scope="session")
def hide() -> Callable[[object], Secret]:
    """One JSON document as the bytes of a file."""
    return _hide


def _hide(document: object) -> Secret:
    from json import dumps

    return Secret(dumps(document).encode())
