"""Realisations: the path of a content-addressed derivation's output, and what its signatures cover."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, cast

from keywright import JsonProblem, read_json
from keywright.errors import FormatError
from keywright_nix.store_path import BASE_NAME

_THROUGH_2_34 = {"dependentRealisations", "id", "outPath"}
_FROM_2_35 = {"key", "value"}
_OUTPUT: Final = "[0-9a-zA-Z+._?=-]{1,211}"
_ID: Final = re.compile(f"sha256:[0-9a-f]{{64}}!{_OUTPUT}")
_OUTPUT_NAME: Final = re.compile(_OUTPUT)
_PATH: Final = re.compile(rf"(?:/[!-~]+/)?{BASE_NAME.pattern.decode()}")


def realisation_fingerprint(text: bytes | str, *, where: str = "realisation") -> bytes:
    """What a signature of a realisation covers: its JSON, compact, members sorted, without signatures.

    Through Nix 2.34 (`src/libstore/realisation.cc`) `{"dependentRealisations":{…},"id":"sha256:HEX!out","outPath":…}`;
    from 2.35 `{"key":{"drvPath":…,"outputName":…},"value":{"outPath":…}}`. `text` has either shape, signatures or not.

    Raises:
        FormatError: It has neither.
    """
    document = read_json(text)
    if isinstance(document, JsonProblem):
        raise FormatError(f"{where}: is not valid JSON, or has a duplicate member", hint="fetch it again")
    covered = _covered(document)
    if covered is None:
        rule = "lacks what a realisation has, or has more than this keywright knows"
        raise FormatError(f"{where}: {rule}", hint="fetch it again")
    # As nlohmann's `dump` writes it: no spaces, members sorted. (All that is covered is ASCII.)
    return json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()


def _covered(document: object) -> dict[str, object] | None:
    if not isinstance(document, dict):
        return None
    outer = {name: value for name, value in document.items() if name != "signatures"}
    if outer.keys() == _THROUGH_2_34 and isinstance(outer["dependentRealisations"], dict):
        dependent = outer["dependentRealisations"]
        sound = _all_like(_ID, [outer["id"], *dependent]) and _all_like(_PATH, [outer["outPath"], *dependent.values()])
        return outer if sound else None
    if document.keys() != _FROM_2_35 or not (isinstance(outer["key"], dict) and isinstance(outer["value"], dict)):
        return None
    key = cast("Mapping[str, object]", outer["key"])
    value = {name: inner for name, inner in outer["value"].items() if name != "signatures"}
    if key.keys() != {"drvPath", "outputName"} or value.keys() != {"outPath"}:
        return None
    sound = _all_like(_PATH, [key["drvPath"], value["outPath"]]) and _all_like(_OUTPUT_NAME, [key["outputName"]])
    return {"key": key, "value": value} if sound else None


def _all_like(pattern: re.Pattern[str], values: list[object]) -> bool:
    return all(isinstance(value, str) and pattern.fullmatch(value) for value in values)
