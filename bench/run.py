"""Print the budgets beside their peers, all measured in one run. `nox -s bench` installs wheels and peers first."""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

from start import discovery_rows, start_rows
from stores import create_rows, get_rows

RUNS = 31


def main() -> None:
    """Measure and print; a figure is a median, a ratio the median of ratios of runs next to each other."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {runs} runs each\n")
    with tempfile.TemporaryDirectory() as directory:
        parts = {
            "Whole processes": start_rows,
            "Discovery": discovery_rows,
            "Creating a record": create_rows,
            "Getting a record": get_rows,
        }
        for title, rows in parts.items():
            print(title)
            home = Path(directory) / title.split()[0].lower()
            home.mkdir()
            for row in rows(home, runs=runs):
                print("  " + row)
            print()


if __name__ == "__main__":
    main()
