"""Clocks that jump: nothing crashes, no key is lost, no revision comes twice, and no old key signs again."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hostile.surroundings import record
from kills.worker import Open

import keywright
from keywright import KeyRing, Revision
from keywright.errors import KeywrightError

NOW = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def at(kind: str, store_path: Path) -> Callable[[datetime], KeyRing]:
    """A ring over the store that takes some time for now."""
    config = {"default_store": "it", "stores": {"it": {"backend": kind, "path": str(store_path)}}}
    return lambda now: keywright.open(config, clock=lambda: now)


@pytest.mark.parametrize("jump", [-YEAR, -timedelta(microseconds=1), YEAR, 200 * YEAR], ids=str)
def test_a_clock_that_jumps_between_commands(at: Callable[[datetime], KeyRing], jump: timedelta) -> None:
    """The version made last signs, whatever the clock said when it was made, and all verify."""
    with at(NOW) as ring:
        ring.generate("a", type="ed25519", format="nix")
        first = ring.sign("a", b"hello")
    with at(NOW + jump) as ring:
        ring.rotate("a")
        ring.label("a@2", {"jumped": "yes"})
        signer = ring.signer("a")
        second = signer.sign(b"hello")
    revisions = []
    for now in (NOW, NOW + jump, NOW - YEAR, NOW + YEAR):
        with at(now) as ring:
            infos = [one.info for one in ring.show("a").versions]
            revisions.append([info.revision for info in infos])

            assert [info.version for info in infos] == [1, 2]
            assert ring.signer("a").version == signer.version == 2
            ring.verify("a", b"hello", first)
            ring.verify("a", b"hello", second)
            assert ring.export("a@1")
    assert revisions == [revisions[0]] * 4
    with at(NOW - YEAR) as ring:
        ring.disable("a@2")
        with pytest.raises(KeywrightError, match="version 2 is disabled, and an older one never takes its place"):
            ring.sign("a", b"hello")
        ring.enable("a@2")
        ring.destroy("a@1")
        assert ring.signer("a").version == 2


def test_a_clock_that_jumps_under_an_open_ring(kind: str, store_path: Path) -> None:
    """A ring, and a signer that it bound, go on at any time."""
    time = [NOW]
    config = {"default_store": "it", "stores": {"it": {"backend": kind, "path": str(store_path)}}}
    with keywright.open(config, clock=lambda: time[0]) as ring:
        ring.generate("a", type="ed25519", format="nix")
        signer = ring.signer("a")
        for version, jump in enumerate((-YEAR, 2 * YEAR, -3 * YEAR, timedelta(0)), start=2):
            time[0] += jump
            ring.rotate("a")
            ring.verify("a", b"hello", signer.sign(b"hello"))
            assert ring.signer("a").version == version


@pytest.mark.parametrize(
    "year",
    [
        pytest.param(1971, id="long ago"),
        pytest.param(2100, id="in the future"),
        pytest.param(2400, id="beyond 64 bits of nanoseconds"),
    ],
)
def test_files_of_another_time(place: Path, opened: Open, year: int) -> None:
    """Whatever times the files of a store have, all of it works, and no revision comes twice."""
    seen: list[Revision] = []
    with opened() as store:
        seen.append(store.create(record()).revision)

    written = round(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    for path in place.rglob("*"):
        os.utime(path, (written, written))
    with opened() as store:
        seen.append(store.versions("a")[0].revision)
        for number in range(3):
            seen.append(store.update(record(n=str(number)), expected=seen[-1]).revision)
        seen.append(store.create(record("b")).revision)
        store.remove("b", expected=[seen[-1]])
        seen.append(store.create(record("b")).revision)

        assert store.get("a", 1).info.labels == {"n": "2"}
        assert len({*seen[1:]}) == len(seen) - 1
