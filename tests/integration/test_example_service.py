"""The example service of the guide to API keys, run as it stands there and called as a client would."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support import Keywright

from keywright import Secret
from keywright.testing import assert_hidden

HOUSE = Path(__file__).parents[2]
SERVICE = HOUSE / "docs" / "examples" / "service.py"
Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the service's stderr goes."""
    return tmp_path / "log"


@pytest.fixture
def call(home: Path, environment: dict[str, str], log: Path) -> Iterator[Call]:
    """Calls the service: status and JSON."""
    with log.open("wb") as stderr:
        service = subprocess.Popen(
            [sys.executable, SERVICE, "0"], stdout=subprocess.PIPE, stderr=stderr, cwd=home, env=environment, text=True
        )
    assert service.stdout is not None
    address = service.stdout.readline().strip()

    def ask(path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        try:
            with urlopen(Request(address + path, data=body, headers=headers), timeout=30) as answer:
                assert answer.headers["Cache-Control"] == "no-store"
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    yield ask
    service.send_signal(signal.SIGTERM)
    service.wait(timeout=30)
    service.stdout.close()


def test_a_secret_key(call: Call) -> None:
    """`{bits}` in, `{bits, key}` out: a JWK of that size, another each time."""
    status, first = call("/secret-key", b'{"bits": 512}')
    _, second = call("/secret-key", b'{"bits": 512}')

    assert (status, set(first), first["bits"]) == (200, {"bits", "key"}, 512)
    assert (first["key"]["kty"], len(first["key"]["k"])) == ("oct", 86)
    assert first != second


def test_an_api_key(call: Call, keywright: Keywright, log: Path) -> None:
    """It is made for a user, says who that is, and stops when it is revoked; the log does not hold it."""
    status, made = call("/api-keys", b'{"user_id": "7"}')

    bearer = {"Authorization": f"Bearer {made['api_key']}"}

    assert (status, set(made)) == (200, {"key_id", "api_key"})
    assert call("/whoami", **bearer) == (200, {"user_id": "7"})
    assert keywright("jose", "api-key", "revoke", made["key_id"], "--yes").returncode == 0
    assert call("/whoami", **bearer) == (401, {"error": "the API key is not valid"})
    assert_hidden(Secret(made["api_key"][21:].encode()), log.read_bytes())
    assert b"POST /api-keys" in log.read_bytes()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/whoami", None, 401),
        ("/secret-key", b'{"bits": 100}', 400),
        ("/secret-key", b'{"bits": "512"}', 400),
        ("/secret-key", b"{}", 400),
        ("/secret-key", b"[]", 400),
        ("/secret-key", b"[" * 500, 400),
        ("/api-keys", b'{"user_id": 7}', 400),
        ("/api-keys", b"\xff", 400),
        ("/elsewhere", b"{}", 400),
        ("/elsewhere", None, 400),
    ],
)
def test_refusals(call: Call, log: Path, path: str, body: bytes | None, status: int) -> None:
    """What is asked wrongly is answered, and breaks nothing."""
    assert call(path, body)[0] == status
    assert b"Traceback" not in log.read_bytes()


def test_the_guide_shows_it() -> None:
    """The page includes the file itself, which is short enough to be read there."""
    assert sum(bool(line.strip()) for line in SERVICE.read_text().splitlines()) <= 30
    assert '--8<-- "docs/examples/service.py"' in (HOUSE / "docs" / "guides" / "api-keys.md").read_text()
