"""Find words that sources, tests and documentation do not use: `python tests/words.py` prints each place.

The words are understood by few readers, or say less than a standard word. The changelog, which quotes, is left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

WORDS = {
    r"mend(s|ed)?": "fix",
    "anew": "again, new",
    "nobody|somebody|whoever": "no process, another process, the caller",
    "not to be had": "not available",
    "put away": "disabled, destroyed",
    "for good": "permanently",
    "there are:": "available:",
    r"say --[a-z-]+": "pass --…",
    "is none": "does not exist",
    "way out": "hint",
}
ROOT = Path(__file__).parents[1]
FOLDERS = ("core", "plugins", "tests", "docs", "bench", "fuzz", "mutation")
PLACES = ("*.md", "*.py", *(f"{folder}/**/*.{kind}" for folder in FOLDERS for kind in ("py", "md", "txt")))
EXCEPT = (ROOT / "docs" / "changelog.md", Path(__file__))


def main() -> int:
    """Print the places. Returns 1 if there is one."""
    found = 0
    for path in sorted({path for place in PLACES for path in ROOT.glob(place)}.difference(EXCEPT)):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            for words, better in WORDS.items():
                match = re.search(rf"(?<!\w)(?:{words})(?!\w)", line, re.IGNORECASE)
                if match and not match[0].endswith("None"):  # Python's `is None`
                    print(f"{path.relative_to(ROOT)}:{number}: {match[0]!r}: write {better}")
                    found += 1
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
