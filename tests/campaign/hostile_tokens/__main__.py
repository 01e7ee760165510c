"""The page of who accepts what: `python -m hostile_tokens` prints it, over the libraries that are installed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from hostile_tokens.case import Case
from hostile_tokens.page import TABLE, page
from hostile_tokens.peers import ACCEPTS, NOT_ASKED, PEERS, REFUSES, our_outcome, outcome

Row = tuple[Case, tuple[str, ...]]


def main() -> None:
    """Print it."""
    # A warning is not a refusal.
    warnings.simplefilter("ignore")
    versions = {peer.distribution: _version(peer.distribution) for peer in PEERS}
    peers = [peer for peer in PEERS if versions[peer.distribution]]
    rows = {
        title: [(case, (our_outcome(case), *(outcome(case, peer) for peer in peers))) for case in cases]
        for title, cases in TABLE.items()
    }
    names = ["keywright", *(peer.distribution for peer in peers)]
    tested = ", ".join(f"{name} {version_}" for name, version_ in versions.items() if version_)
    made = f"{datetime.now(UTC):%d %B %Y}".lstrip("0")
    ground = f"Made on {made}, with Python {python_version()}, cryptography {_version('cryptography')}, {tested}."
    print(page(ground, names, _totals(rows, len(names)), rows), end="")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _totals(rows: dict[str, list[Row]], count: int) -> Sequence[tuple[str, tuple[int, ...]]]:
    outcomes = [found for each in rows.values() for _, found in each]
    forbidden = [found for each in rows.values() for case, found in each if case.is_forbidden]

    def counted(given: list[tuple[str, ...]], start: str) -> tuple[int, ...]:
        return tuple(sum(found[at].startswith(start) for found in given) for at in range(count))

    return (
        ("refuses", counted(outcomes, REFUSES)),
        ("**accepts**", counted(outcomes, ACCEPTS)),
        ("of these, what a standard forbids", counted(forbidden, ACCEPTS)),
        ("crashes", counted(outcomes, "crashes")),
        ("not asked", counted(outcomes, NOT_ASKED)),
    )


if __name__ == "__main__":
    main()
