"""Print the budgets beside their peers, all measured in one run. `nox -s bench` installs wheels and peers first."""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from nix import nix_rows
from start import discovery_rows, start_rows
from stores import keyring_rows, ring_rows, store_rows
from tokens import jose_rows


def main() -> None:
    """Measure and print; a figure is a median, a ratio the median of ratios of runs next to each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=31, metavar="N", help="how often each thing is measured")
    parser.add_argument("--large", action="store_true", help="1,000,000 keys and 200,000 narinfos too: half an hour")
    parser.add_argument("--only", metavar="PART", default="", help="the parts whose title holds this")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {given.runs} runs each\n")
    parts: dict[str, Callable[..., Iterator[str]]] = {
        "Whole processes": start_rows,
        "Discovery": discovery_rows,
        "Stores": partial(store_rows, large=given.large),
        "Rings": ring_rows,
        "Keyring": keyring_rows,
        "Tokens": jose_rows,
        "Nix": partial(nix_rows, large=given.large),
    }
    with tempfile.TemporaryDirectory() as directory:
        for title, rows in parts.items():
            if given.only.lower() not in title.lower():
                continue
            print(title)
            home = Path(directory) / title.split()[0].lower()
            home.mkdir()
            for row in rows(home, runs=given.runs):
                print("  " + row, flush=True)
            print()


if __name__ == "__main__":
    main()
