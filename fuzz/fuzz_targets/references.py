"""Names and references, against a second grammar, and what is derived from a name."""

from __future__ import annotations

import re

from fuzz_targets.contract import attempt, require
from fuzz_targets.target import Target
from keywright import check_name, parse_reference
from keywright.errors import InvalidNameError
from keywright_env.store import default_variable
from keywright_nix.key import numbered_name, problem_in

__all__ = ["TARGET"]

_SEGMENT = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z))[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?")
_VERSION = re.compile("[1-9][0-9]{0,8}")


def check(data: bytes) -> None:
    """What is read prints as it was; what the grammar allows is read, and nothing else."""
    text = data.decode(errors="surrogateescape")
    # A name is repeated by no message, however harmless it looks.
    reference = attempt(lambda: parse_reference(text), InvalidNameError, given=(data,))
    name = attempt(lambda: check_name(text), InvalidNameError, given=(data,))
    written, at, version = text.partition("@")
    allowed = _is_name(written) and (not at or _VERSION.fullmatch(version) is not None)
    require((reference is not None) == allowed, "the grammar of references says otherwise")
    require((name is not None) == _is_name(text), "the grammar of names says otherwise")
    if reference is not None:
        require(str(reference) == text, "a reference prints as another text")
        require(parse_reference(str(reference)) == reference, "a reference does not come back")
        _check_derived(reference.name, reference.version or 1)


def _is_name(text: str) -> bool:
    return len(text.encode(errors="surrogateescape")) <= 200 and all(map(_SEGMENT.fullmatch, text.split("/")))


def _check_derived(name: str, version: int) -> None:
    require(problem_in(numbered_name(name, version)) is None, "a name makes no Nix key name")
    require(numbered_name(name, version) != numbered_name(name, version + 1), "two versions share a Nix key name")
    variable = default_variable(name)
    require(variable is None or re.fullmatch("KEYWRIGHT_KEY_[A-Z0-9_]+", variable) is not None, "no variable's name")


TARGET = Target(
    check,
    seeds=(b"cache.example.org", b"prod/jwt@3", b"a-5@999999999", b"con.txt", b"a@0", b"a/b_c/d-0@10", b"com1", b"a."),
    words=(*b"@ / .. ../ con lpt9 nul. @0 @01 \xc2\xb2 -0 _file".split(), b"\n", b"\0"),
    maximum_bytes=256,
)
