"""Configuration files to start from, and lines to make others of."""

from __future__ import annotations

from random import Random
from typing import Final

__all__ = ["LINES", "SEEDS", "mutate"]

LINES: Final = (
    b"[stores.local]", b"[stores.ci]", b"[seals.a]", b'[keys."cache.example.org"]', b"[keys.a]", b"[profiles.ci]",
    b"[profiles.ci.stores.local]", b"[keys.a.labels]", b"[keys.a.attributes]", b"[stores.ci.variables]",
    b'backend = "file"', b'backend = "sqlite"', b'backend = "env"', b'seal = "a"', b'path = "keys"', b'timeout = "5s"',
    b'default_store = "local"', b'plugins = ["nix", "file"]', b'type = "ed25519"', b'format = "jwk"', b'store = "ci"',
    b'kid = "{name}-{version}"', b'rotate_every = "90d"', b'overlap = "2w"', b'activate_in = "0s"', b"bits = 2048",
    b'labels = { team = "infra" }', b'attributes = { use = "sig", key_ops = ["sign"] }', b'"a/b@2" = "VARIABLE"',
    b'path = { env = "KEYWRIGHT_FUZZ_CANARY" }', b'path = { file = "canary" }', b'default_store = { file = "canary" }',
    b'default_store = { env = "KEYWRIGHT_FUZZ_CANARY" }', b'seal = { file = "canary" }',
    b'backend = { file = "canary" }',
    b'plugins = { env = "KEYWRIGHT_FUZZ_CANARY" }', b"x = nan", b"x = 1979-05-27", b"x = [1, [2, { y = 3 }]]",
)  # fmt: skip


def mutate(data: bytes, random: Random) -> bytes:
    """Lines taken away, put in, doubled and swapped."""
    lines = data.split(b"\n")
    for _ in range(random.randrange(1, 4)):
        at, other = random.randrange(len(lines)), random.randrange(len(lines))
        step = random.randrange(5)
        if step == 0 and len(lines) > 1:
            del lines[at]
        elif step == 1:
            lines.insert(at, lines[other])
        elif step == 2:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines.insert(at, random.choice(LINES))
    return b"\n".join(lines)


SEEDS: Final = (
    "",
    """
default_store = "local"
plugins = ["nix", "file"]
[stores.local]
backend = "file"
path = "keys"
seal = "a"
[seals.a]
seal = "age"
""",
    """
[stores.local]
backend = "sqlite"
path = "keys.db"
timeout = "5s"

[keys."cache.example.org"]
type = "ed25519"
format = "nix"
rotate_every = "90d"
overlap = "2w"
labels = { team = "infra" }
""",
    """
default_store = "ci"
[stores.local]
backend = "file"
path = "k"
[stores.ci]
backend = "env"
[stores.ci.variables]
"prod/jwt@2" = "JWT"
[profiles.ci]
default_store = "local"
[profiles.ci.stores.local]
backend = "sqlite"
""",
    """
[stores.local]
backend = { env = "KEYWRIGHT_FUZZ_CANARY" }
""",
    """
default_store = { file = "canary" }
[stores.local]
backend = "file"
""",
    """
[stores.local]
backend = "file"
[keys.a]
kid = "{name}-{version}"
attributes = { use = "sig", key_ops = ["sign"], deep = [1, { a = true }] }
bits = 2048
""",
    "[keys.cache.example.org]\ntype = 'oct'\n",
)
