"""What a signature of a realisation covers, in the shapes of Nix through 2.34 and from 2.35."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    """Compact, members sorted, nothing escaped that need not be."""
    assert realisation_fingerprint(json.dumps(document, indent=2)).decode() == covered
    assert realisation_fingerprint(covered) == covered.encode()


def test_paths_may_have_their_store() -> None:
    """A base name or a full path, as the writer spelled it: that is what was signed."""
    path = f"/nix/store/{PATH}"

    covered = realisation_fingerprint(json.dumps({**OLD, "outPath": path}))

    assert json.loads(covered)["outPath"] == path


def test_the_longest_output_name() -> None:
    """211 characters, as a store path's name."""
    document = {name: value for name, value in OLD.items() if name != "signatures"}
    text = json.dumps({**document, "id": ID.replace("out", "x" * 211)}, sort_keys=True, separators=(",", ":"))

    assert realisation_fingerprint(text) == text.encode()


_NONE = "r: is no JSON document, or has a member twice; fetch it again"
_LACKS = "r: lacks what a realisation has, or has more than this keywright knows; fetch it again"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"", _NONE, id="empty"),
        pytest.param(b"\xff", _NONE, id="no UTF-8"),
        pytest.param(b"[" * 100_000, _NONE, id="deep"),
        pytest.param(b'{"id":1,"id":2}', _NONE, id="member twice"),
        pytest.param(b"[]", _LACKS, id="list"),
        pytest.param(json.dumps({**OLD, "more": 1}).encode(), _LACKS, id="more"),
        pytest.param(json.dumps({**OLD, "id": 1}).encode(), _LACKS, id="number"),
        pytest.param(json.dumps({**OLD, "outPath": ""}).encode(), _LACKS, id="empty path"),
        pytest.param(json.dumps({**OLD, "id": "I owe you"}).encode(), _LACKS, id="id that is none"),
        pytest.param(json.dumps({**OLD, "id": ID.replace("ab", "b", 1)}).encode(), _LACKS, id="63 digits"),
        pytest.param(json.dumps({**OLD, "id": ID.replace("ab", "AB", 1)}).encode(), _LACKS, id="capital digits"),
        pytest.param(json.dumps({**OLD, "id": ID.replace("out", "x" * 212)}).encode(), _LACKS, id="long output"),
        pytest.param(json.dumps({**OLD, "id": ID.replace("out", "")}).encode(), _LACKS, id="no output"),
        pytest.param(json.dumps({**OLD, "id": ID.replace("out", "\u00e4")}).encode(), _LACKS, id="no ASCII"),
        pytest.param(json.dumps({**OLD, "outPath": "I owe you"}).encode(), _LACKS, id="path that is none"),
        pytest.param(json.dumps({**OLD, "dependentRealisations": {"a": PATH}}).encode(), _LACKS, id="dependent"),
        pytest.param(json.dumps({**NEW, "key": {"drvPath": "x", "outputName": "y"}}).encode(), _LACKS, id="derivation"),
        pytest.param(
            json.dumps({**NEW, "key": {"drvPath": PATH, "outputName": "I owe"}}).encode(), _LACKS, id="output"
        ),
        pytest.param(json.dumps({**OLD, "dependentRealisations": []}).encode(), _LACKS, id="dependents as list"),
        pytest.param(json.dumps({**NEW, "signatures": []}).encode(), _LACKS, id="signatures beside the key"),
        pytest.param(json.dumps({**NEW, "key": {}}).encode(), _LACKS, id="empty key"),
        pytest.param(json.dumps({**NEW, "value": []}).encode(), _LACKS, id="value as list"),
        pytest.param(json.dumps({**NEW, "value": {"outPath": PATH, "x": 1}}).encode(), _LACKS, id="more in the value"),
        pytest.param(json.dumps({**NEW, "value": {"outPath": PATH[1:]}}).encode(), _LACKS, id="path cut short"),
        pytest.param(json.dumps({**NEW, "value": {"outPath": f"nix/{PATH}"}}).encode(), _LACKS, id="relative path"),
        pytest.param(json.dumps({**NEW, "value": {"outPath": 1}}).encode(), _LACKS, id="path as number"),
    ],
)
def test_what_is_no_realisation_is_refused(text: bytes, message: str) -> None:
    """Another document, or one with members that a signature might cover and we do not know."""
    with pytest.raises(FormatError) as caught:
        realisation_fingerprint(text, where="r")

    assert str(caught.value) == message


@given(data=st.binary() | st.text().map(lambda text: json.dumps(text).encode()))
def test_any_bytes_are_refused_or_covered(data: bytes) -> None:
    """Nothing but FormatError comes out."""
    with pytest.raises(FormatError):
        realisation_fingerprint(data)
