"""The ring labels versions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from keywright import KeyRing, State
from keywright.errors import ConfigError, KeyNotFoundError

Rings = Callable[..., KeyRing]
Refused = Callable[[type[Exception], str], AbstractContextManager[None]]

NAME = "a label name is 1 to 63 of A-Z, a-z, 0-9, '.', '_', '/' and '-', starting with a letter or digit"


def test_labels_are_written_and_taken_off(ring: Rings) -> None:
    """Labels are added to those that are there, replaced, and taken off by None; they come sorted."""
    opened = ring()
    opened.generate("a", labels={"b": "1", "c": "1"})

    info = opened.label("a", {"c": "2", "b": None, "a": "1", "never there": None})

    assert list(info.labels.items()) == [("a", "1"), ("c", "2")]
    assert opened.show("a").versions[0].info == info


def test_labels_are_a_versions_own(ring: Rings) -> None:
    """A label is written on the version that is named, in whatever state; the next version takes the last one's."""
    opened = ring()
    opened.generate("a")
    opened.rotate("a")
    opened.destroy("a@1")

    opened.label("a@1", {"why": "leaked"})
    opened.label("a", {"user_id": "7"})

    assert [one.info.labels for one in opened.show("a").versions] == [{"why": "leaked"}, {"user_id": "7"}]
    assert opened.show("a").versions[0].info.state is State.DESTROYED
    assert opened.rotate("a").labels == {"user_id": "7"}


def test_what_is_there_already_is_not_written(ring: Rings) -> None:
    """Labels that change nothing leave the record as it is."""
    opened = ring()
    before = opened.generate("a", labels={"x": "1"})

    assert opened.label("a", {"x": "1", "y": None}) == before


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"a": ""}, id="nothing"),
        pytest.param({"A/b.c-d_9": "x"}, id="every kind of character"),
        pytest.param({"x" * 63: "x" * 256}, id="longest"),
        pytest.param({"x": "naïve 鍵"}, id="any script"),
    ],
)
def test_labels_are_printable_text(ring: Rings, labels: dict[str, str]) -> None:
    """What is within the rule is kept as it is."""
    opened = ring()
    opened.generate("a")

    assert opened.label("a", labels).labels == labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param({"": "x"}, NAME, id="no name"),
        pytest.param({"x" * 64: "x"}, NAME, id="a long name"),
        pytest.param({"-x": "x"}, NAME, id="a name with a wrong start"),
        pytest.param({"x=y": "x"}, NAME, id="a name with an equals sign"),
        pytest.param({"ä": "x"}, NAME, id="a name of another script"),
        pytest.param({"x\n": "x"}, NAME, id="a name with a line feed"),
        pytest.param({"x": "a\nb"}, "label x must be printable text of at most 256 bytes", id="a line feed"),
        pytest.param({"x": "\x1b[2J"}, "label x must be printable text of at most 256 bytes", id="an escape"),
        pytest.param({"x": "x" * 257}, "label x must be printable text of at most 256 bytes", id="too long"),
        pytest.param({"x": "é" * 129}, "label x must be printable text of at most 256 bytes", id="too many bytes"),
        pytest.param({"x": "\ud800"}, "label x must be printable text of at most 256 bytes", id="a lone surrogate"),
        pytest.param({"x": 7}, "label x must be printable text of at most 256 bytes", id="a number"),
    ],
)
def test_what_is_no_label_is_refused(
    ring: Rings, refused: Refused, labels: dict[str, str | None], message: str
) -> None:
    """A label outside the rule is refused, and the labels stay as they were."""
    opened = ring()
    before = opened.generate("a", labels={"x": "1"})

    with refused(ConfigError, message):
        opened.label("a", labels)

    assert opened.show("a").versions[0].info == before


def test_configured_labels_are_checked(ring: Rings, refused: Refused) -> None:
    """A label in [keys.NAME] is checked like any other when it is used, and told with its place."""
    with refused(ConfigError, f"given settings: keys.a.labels: {NAME}"):
        ring(keys={"a": {"labels": {"no good": "x"}}}).generate("a")


def test_what_is_not_there_takes_no_label(ring: Rings, refused: Refused) -> None:
    """A version that is not there is told."""
    opened = ring()
    opened.generate("a")

    with refused(KeyNotFoundError, "a has no version 2 in store 'main'; it has: 1"):
        opened.label("a@2", {"x": "1"})
