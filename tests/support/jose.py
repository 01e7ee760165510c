"""The program `jose`, and halves of JWKs, for tests that compare with other implementations."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

Jwk = dict[str, Any]
Jose = Callable[..., subprocess.CompletedProcess[bytes]]

SECRET = ("d", "p", "q", "dp", "dq", "qi")


def public(key: Jwk) -> Jwk:
    """What verifies or encrypts: all of an `oct` key, the public half of another."""
    return {name: value for name, value in key.items() if key["kty"] == "oct" or name not in SECRET}
