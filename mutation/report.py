"""What a campaign found: the score by group, and every survivor that nobody has explained yet."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, TextIO


def explanations(path: Path) -> dict[tuple[str, ...], str]:
    """Why a mutant that survives does so, by file, line as it stands there, text before and text after."""
    told = tomllib.loads(path.read_text()).get("survivor", []) if path.exists() else []
    return {(each["file"], each["line"], each["before"], each["after"]): each["why"] for each in told}


def report(results: list[dict[str, Any]], explained: Path, minimum: float, out: TextIO) -> int:
    """Prints the table and the survivors; 1 where the score of all together is below `minimum` percent."""
    reasons = explanations(explained)
    survivors = [each for each in results if each["outcome"] == "survived"]
    for each in survivors:
        text = Path(each["file"]).read_text().splitlines()[each["line"] - 1].strip()
        each["why"] = reasons.get((each["file"], text, each["before"], each["after"]), "")
        if not each["why"]:
            before, after = (" ".join(each[side].split())[:200] for side in ("before", "after"))
            print(f"{each['file']}:{each['line']} {each['kind']}: {before}  ->  {after}", file=out)
    totals = Counter(each["group"] for each in results)
    left = Counter(each["group"] for each in survivors)
    known = Counter(each["group"] for each in survivors if each["why"])
    print("| group | mutants | killed | survived | explained | score |", file=out)
    print("| --- | --: | --: | --: | --: | --: |", file=out)
    for name in sorted(totals):
        print(row(name, totals[name], left[name], known[name]), file=out)
    print(row("all", totals.total(), left.total(), known.total()), file=out)
    return int(100 * left.total() > (100 - minimum) * totals.total())


def row(name: str, total: int, left: int, known: int) -> str:
    """A line of the table; the score counts an explained survivor as what it is, a survivor."""
    return f"| {name} | {total} | {total - left} | {left} | {known} | {100 * (total - left) / max(total, 1):.1f} % |"
