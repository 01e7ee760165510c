"""The metadata that stores keep beside a payload."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final
from zlib import crc32

from fuzz_targets.contract import attempt, require
from fuzz_targets.json_mutations import mutated_object
from fuzz_targets.target import Target
from keywright import Attributes, RecordInfo, State, check_name, decode_info, encode_info
from keywright.errors import DamagedStoreError

__all__ = ["INFO", "TARGET", "WORDS", "mutate", "resealed"]

_WHERE: Final = "the file"


def check(data: bytes) -> None:
    """What is read is written so that it reads the same; damage of one bit is seen."""
    info = attempt(lambda: decode_info(data, where=_WHERE, revision="7"), DamagedStoreError, given=(data,))
    if info is None:
        return
    require(info.revision == "7" and info.version >= 1 and check_name(info.name) == info.name, "a record of no name")
    written = encode_info(info)
    again = decode_info(written, where=_WHERE, revision="7")
    require(repr(again) == repr(info) and again.attributes.plain().keys() == info.attributes.plain().keys(), "unstable")
    require(encode_info(again) == written, "metadata have two canonical spellings")
    bit = crc32(data) % (8 * len(written))
    flipped = bytearray(written)
    flipped[bit // 8] ^= 1 << bit % 8
    refused = attempt(lambda: decode_info(bytes(flipped), where=_WHERE), DamagedStoreError, given=(data,))
    require(refused is None, "a flipped bit goes unseen")


def resealed(data: bytes) -> bytes:
    """JSON metadata with the checksum that fits, if they are JSON at all."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict):
        return data
    document.pop("crc32", None)
    rest = json.dumps(document, sort_keys=True, separators=(",", ":"))[1:].encode() + b"\n"
    return b'{"crc32":"%08x",' % crc32(rest) + rest


def mutate(data: bytes, random: Random) -> bytes | None:
    """As `mutated_object`, with a checksum that fits, mostly."""
    made = mutated_object(data, random, WORDS)
    return resealed(made) if made is not None and random.randrange(8) else made


INFO = RecordInfo(
    name="cache.example.org",
    version=3,
    key_type="ed25519",
    format="nix",
    kid="cache.example.org-3",
    public=bytes(range(32)),
    attributes=Attributes({"use": "sig", "key_ops": ["verify"]}),
    state=State.DISABLED,
    state_since=datetime(2026, 11, 21, 20, 52, 13, 1, UTC),
    reason="audit",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    activates=datetime(2026, 2, 1, tzinfo=UTC),
    expires=datetime(9999, 12, 31, tzinfo=UTC),
    overlap=timedelta(days=14),
    labels={"team": "infra"},
)
WORDS = (
    "metadata_version", "name", "version", "key_type", "format", "kid", "public", "attributes", "state", "state_since",
    "reason", "created", "activates", "expires", "overlap", "labels", "crc32", "enabled", "compromised", "destroyed",
    "AA==", "A", "a@1", "../a", "2026-11-21T20:52:13+00:00", "2026-W47-6T00:00:00Z", "20261121T205213Z",
    "0001-01-01T00:00:00+23:59", "2026-11-21", "2026-11-21T20:52:13",
)  # fmt: skip

TARGET = Target(
    check,
    seeds=(
        encode_info(INFO),
        encode_info(RecordInfo(name="a", version=1)),
        encode_info(RecordInfo(name="b/c", version=999_999_999, state=State.DESTROYED)),
        encode_info(INFO).replace(b'"metadata_version":1', b'"metadata_version":2'),
        resealed(encode_info(INFO).replace(b'"metadata_version":1', b'"metadata_version":2')),
    ),
    words=tuple(f'"{word}"'.encode() for word in WORDS),
    maximum_bytes=4096,
    mutate=mutate,
)
