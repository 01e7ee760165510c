"""What a signature of a realisation covers, in the shapes of Nix through 2.34 and from 2.35."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st
from nix_signing import refusal

from keywright.errors import FormatError
from keywright_nix.realisation import realisation_fingerprint

ID = "sha256:" + "ab" * 32 + "!out"
A, B = "sha256:" + "0a" * 32 + "!a", "sha256:" + "0b" * 32 + "!b"
PATH = "syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0"
OLD = {"dependentRealisations": {B: PATH, A: PATH}, "id": ID, "outPath": PATH, "signatures": ["k:s"]}
NEW = {
    "value": {"outPath": PATH, "signatures": [{"keyName": "k", "sig": "s"}]},
    "key": {"outputName": "out", "drvPath": f"{PATH}.drv"},
}


@pytest.mark.parametrize(
    ("document", "covered"),
    [
        pytest.param(
            OLD,
            f'{{"dependentRealisations":{{"{A}":"{PATH}","{B}":"{PATH}"}},"id":"{ID}","outPath":"{PATH}"}}',
            id="2.34",
        ),
        pytest.param(
            NEW, f'{{"key":{{"drvPath":"{PATH}.drv","outputName":"out"}},"value":{{"outPath":"{PATH}"}}}}', id="2.35"
        ),
    ],
)
def test_the_fingerprint_is_the_document_without_signatures(document: dict[str, object], covered: str) -> None:
    assert realisation_fingerprint(json.dumps(document, indent=2)).decode() == covered
    assert realisation_fingerprint(covered) == covered.encode()


def test_paths_may_have_their_store() -> None:
    """A base name or a full path, as the writer spelled it: that is what was signed."""
    path = f"/nix/store/{PATH}"

    covered = realisation_fingerprint(json.dumps({**OLD, "outPath": path}))

    assert json.loads(covered)["outPath"] == path


def test_the_longest_output_name() -> None:
    document = {name: value for name, value in OLD.items() if name != "signatures"}
    text = json.dumps({**document, "id": ID.replace("out", "x" * 211)}, sort_keys=True, separators=(",", ":"))

    assert realisation_fingerprint(text) == text.encode()


NO_JSON = "r: is not valid JSON, or has a duplicate member; fetch it again"
LACKS = "r: lacks what a realisation has, or has more than this keywright knows; fetch it again"


def test_what_is_no_realisation_is_refused() -> None:
    """Another document, or one with members that a signature might cover and we do not know."""
    changes: list[object] = [
        *({**OLD, name: value} for name, value in (("more", 1), ("id", 1), ("outPath", ""), ("outPath", "I owe you"))),
        *({**OLD, "id": ID.replace("ab", digits, 1)} for digits in ("b", "AB")),
        *({**OLD, "id": ID.replace("out", name)} for name in ("x" * 212, "", "\u00e4")),
        {**OLD, "dependentRealisations": {"a": PATH}},
        {**OLD, "dependentRealisations": []},
        {**OLD, "id": "I owe you"},
        {**NEW, "key": {"drvPath": "x", "outputName": "y"}},
        {**NEW, "key": {"drvPath": PATH, "outputName": "I owe"}},
        {**NEW, "key": {}},
        {**NEW, "signatures": []},
        {**NEW, "value": []},
        {**NEW, "value": {"outPath": PATH, "x": 1}},
        *({**NEW, "value": {"outPath": path}} for path in (PATH[1:], f"nix/{PATH}", 1)),
    ]
    for text in ("[]", *map(json.dumps, changes)):
        with refusal(FormatError, LACKS, text):
            realisation_fingerprint(text, where="r")
    for data in (b"", b"\xff", b"[" * 100_000, b'{"id":1,"id":2}'):
        with refusal(FormatError, NO_JSON, data[:40]):
            realisation_fingerprint(data, where="r")


@given(data=st.binary() | st.text().map(lambda text: json.dumps(text).encode()))
def test_any_bytes_are_refused_or_covered(data: bytes) -> None:
    with pytest.raises(FormatError):
        realisation_fingerprint(data)
