"""Another JSON object made of one: members taken away, doubled, renamed and given each other's values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

_ODD: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 1.5, 1e300, -0.0, 2**64, 10**400, "", "A", "AA", "AQ", "AR", "=", "\0", "\ud800", "é",
    [], {}, [1], ["sign"], ["sign", "sign"], {"a": {"a": [None]}}, [[[[]]]], "9" * 20,
)  # fmt: skip


def mutated_object(data: bytes, random: Random, words: Sequence[str]) -> bytes | None:
    """JSON with a few members changed; None if `data` is no JSON object. `words` are names and texts to try."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    for _ in range(random.randrange(1, 4)):
        _change(document, random, words)
    return _written(document, random)


def _change(document: dict[str, object], random: Random, words: Sequence[str]) -> None:
    names = list(document) or ["kty"]
    name, other = random.choice(names), random.choice((*names, *words))
    step = random.randrange(7)
    if step == 0:
        document.pop(name, None)
    elif step == 1:
        document[other] = document.get(name)
    elif step == 2:
        document[name] = random.choice(_ODD)
    elif step == 3:
        document[other] = random.choice((*_ODD, *words))
    elif step == 4:
        document[other], document[name] = document.get(name), document.get(other)
    elif step == 5:
        document[name] = [document.get(name)] if random.randrange(2) else {other: document.get(name)}
    else:
        document[name] = _changed_text(document.get(name), random)


def _changed_text(value: object, random: Random) -> object:
    if not isinstance(value, str):
        return value
    at = random.randrange(len(value) + 1)
    return value[:at] + random.choice(("", "A", "_", "-", "=", "+", "\n", "0", "ü")) + value[at + random.randrange(3) :]


def _written(document: dict[str, object], random: Random) -> bytes:
    compact = bool(random.randrange(2))
    text = json.dumps(
        document,
        separators=(",", ":") if compact else None,
        sort_keys=bool(random.randrange(2)),
        ensure_ascii=bool(random.randrange(2)),
    )
    if random.randrange(8) == 0 and len(text) > 2:  # a member twice
        text = f"{text[:-1]},{text[1:]}"
    return text.encode(errors="surrogatepass")
