"""The campaign: `python -m kills 5000` kills so many processes for each store, and prints what became of the keys."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from kills.rounds import Figures, Place, run
from kills.worker import OPENERS

_PROGRESS_SECONDS = 5.0
_COLUMNS = (
    "store",
    "on",
    "processes",
    "kills",
    "inside",
    "opening",
    "stores",
    "done",
    "refused",
    "took effect",
    "lost",
    "strays",
    "seconds",
)


def main() -> None:
    """Run it; an error ends it with what was lost and how to see that again."""
    parser = argparse.ArgumentParser(prog="kills", description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=5000, help="for each store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", action="append", choices=sorted(OPENERS), help="default: each")
    parser.add_argument("--disk", type=Path, help="a directory on a disk; default: the system's temporary directory")
    asked = parser.parse_args()
    rows = []
    for kind in asked.store or sorted(OPENERS):
        for medium, directory in (("disk", asked.disk), ("memory", _memory())):
            for workers in (1, 4):
                figures = _campaign(kind, medium, directory, asked.kills // 4, workers, asked.seed)
                rows.append(_row(kind, medium, workers, figures))
    _print_table(rows)


def _memory() -> Path | None:
    return Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


def _campaign(kind: str, medium: str, directory: Path | None, kills: int, workers: int, seed: int) -> Figures:
    shown = time.monotonic()

    def progress(figures: Figures) -> None:
        nonlocal shown
        if time.monotonic() - shown > _PROGRESS_SECONDS or figures.kills >= kills:
            shown = time.monotonic()
            line = f"{kind} on {medium}, {workers} at a time: {figures.kills} of {kills} kills, {figures.done} writes"
            print(line, file=sys.stderr, flush=True)

    place = Path(mkdtemp(dir=directory, prefix="keywright-kills-"))
    figures = run(Place(kind, OPENERS[kind], place), kills=kills, workers=workers, seed=seed, progress=progress)
    rmtree(place)  # if it failed, it is kept
    return figures


def _row(kind: str, medium: str, workers: int, figures: Figures) -> tuple[str, ...]:
    counts = (figures.kills, figures.inside, figures.opening, figures.stores, figures.done, figures.refused)
    # What is lost or stray ends the run before it comes here.
    return (kind, medium, str(workers), *map(str, counts), str(figures.took_effect), "0", "0", f"{figures.seconds:.0f}")


def _print_table(rows: list[tuple[str, ...]]) -> None:
    print(f"| {' | '.join(_COLUMNS)} |")
    print(f"|{'---|' * len(_COLUMNS)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
