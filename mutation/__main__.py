"""Mutation testing: change the code in one place at a time; some test has to fail. See docs/mutation.md.

Run it in a COPY of the workspace that is installed as editable (`nox -s mutation` makes one): it writes to the sources.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest

from mutation import measurement, processes
from mutation.operators import Mutant, mutants

ROOT = Path.cwd()
PRELOADED = (
    "sqlite3", "tempfile", "argparse", "tomllib", "jose.jwk", "jose.jws", "cryptography.x509",
    "cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.asymmetric.rsa",
)  # fmt: skip
LONGEST_TEST = 15.0
FIRST_TESTS = 15


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutation", description="break the code, see whether a test notices")
    parser.add_argument("targets", nargs="*", help="groups (core, ring, cli, nix, …) or files; all without it")
    parser.add_argument("--sample", type=float, default=1.0, help="the share of mutants that is tried")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--patience", type=float, default=20, help="seconds of tests that a mutant may see")
    parser.add_argument("--minimum", type=float, default=90, help="the least score, in percent")
    folder = Path(tempfile.gettempdir()) / "keywright-mutation"
    parser.add_argument(
        "--folder", type=Path, default=folder, help="for the measurement, results.jsonl and temporaries"
    )
    parser.add_argument("--measured", action="store_true", help="take the measurement of the last run")
    parser.add_argument("--tests", nargs="*", default=[], help="run these test files only")
    parser.add_argument("--only", type=Path, help="a file of results: its survivors and those out of time again")
    return parser.parse_args()


def group(file: str) -> str:
    """`nix` for a plugin's file; `core`, `ring`, `cli`, `config` or `stores` for one of the core's."""
    parts = Path(file).parts
    return parts[1] if parts[0] == "plugins" else (parts[3] if len(parts) > 4 else "core")


def chosen(options: argparse.Namespace) -> list[Mutant]:
    """The mutants to try: a sample of the targets', drawn file by file so that it does not move with other files."""
    if options.only:
        told = [json.loads(line) for line in options.only.read_text().splitlines()]
        open_ = [each for each in told if each["outcome"] == "survived" or each["killer"] == processes.TIME]
        wanted = {(each["file"], each["start"], each["after"]) for each in open_}
    found = []
    for path in sorted([*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]):
        file = str(path.relative_to(ROOT))
        if "/testing/" in file or (options.targets and not {group(file), file} & set(options.targets)):
            continue
        drawn = random.Random(f"{options.seed} {file}")
        found += [each for each in mutants(file, path.read_bytes()) if drawn.random() < options.sample]
    return [each for each in found if not options.only or (each.file, each.start, each.after) in wanted]


class Campaign:
    """The pytest plugin that stands where tests would be run: it tries mutants instead."""

    def __init__(self, options: argparse.Namespace, out: TextIO) -> None:
        self.options, self.out = options, out
        self.results: list[dict[str, Any]] = []
        self.killers: dict[str, set[str]] = defaultdict(set)

    def pytest_collection_finish(self) -> None:
        processes.preload(ROOT, PRELOADED)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        folder: Path = self.options.folder
        if not self.options.measured:
            self.measure(session, folder / "measurement")
        self.covering, self.seconds, failed = measurement.read(folder / "measurement", ROOT)
        for test in failed:
            print(f"left out, fails with nothing broken: {test}", file=self.out)
        self.items = {item.nodeid: item for item in session.items if item.nodeid in self.seconds}
        # A test that runs few files says more about each of them.
        self.breadth = Counter(test for lines in self.covering.values() for test in set().union(*lines.values()))
        self.living = processes.functions(ROOT)
        gc.freeze()  # a child's collector would touch, and so copy, every page
        tried, start = chosen(self.options), time.monotonic()
        print(f"{len(tried)} mutants, {len(self.items)} tests", file=self.out, flush=True)
        with (folder / "results.jsonl").open("w") as results:
            for serial, mutant in enumerate(tried, int(time.time()) % 10**7 * 10):
                result = self.attempt(session, mutant, serial)
                self.results.append(result)
                print(json.dumps(result), file=results, flush=True)
        print(f"{time.monotonic() - start:.0f} s", file=self.out)
        return True

    def measure(self, session: pytest.Session, folder: Path) -> None:
        """Runs all tests once, nothing broken, to learn which runs what."""
        folder.parent.mkdir(exist_ok=True)

        def work(_: int) -> None:
            measured = measurement.Measurement(ROOT, folder)
            session.config.pluginmanager.register(measured)
            processes.place_temporaries(session, folder / "t")
            with measured.running():
                for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                    session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

        done, _ = processes.forked(work, folder, limit=3600)
        if not done:
            pytest.exit("the measurement did not come to its end", returncode=3)

    def tests_for(self, mutant: Mutant) -> list[list[str]]:
        """Tests for the mutant, the likeliest killers per second first; in two parts only where it runs at import.

        Those that run its lines. For what runs at import: those that have its module's name or killed a neighbour,
        then, for collecting them takes a while, all others that run its file.
        """
        lines, stem = self.covering.get(mutant.file, {}), Path(mutant.file).stem.strip("_")
        first, last = mutant.lines
        found = {test for line in range(first, last + 1) for test in lines.get(line, ())} if mutant.function else set()
        if found:
            return [self.ranked(found, mutant, stem)]
        named = {test for test in self.seconds if stem in Path(test.partition("::")[0]).name}
        near = self.ranked(named | self.killers[mutant.file], mutant, stem)
        users = {test for tests in lines.values() for test in tests}
        far = self.ranked(users - set(near), mutant, stem)
        return [near, far] if near else [far[:FIRST_TESTS], far[FIRST_TESTS:]]

    def ranked(self, tests: set[str], mutant: Mutant, stem: str) -> list[str]:
        """Those of the tests that patience allows, in order."""
        cases, cost = Counter[str](), dict[str, float]()
        for test in sorted(tests & self.items.keys(), key=self.seconds.__getitem__):
            function = test.partition("[")[0]
            cases[function] += 1  # cases of one function count ever less
            likely = (test in self.killers[mutant.file]) + (stem in function) + (group(mutant.file) in function)
            cost[test] = self.seconds[test] * cases[function] * self.breadth[test] / 5**likely
        kept, total = [], 0.0
        for test in sorted(cost, key=cost.__getitem__):
            total += self.seconds[test]
            if self.seconds[test] < LONGEST_TEST and total < self.options.patience:
                kept.append(test)
        return kept

    def attempt(self, session: pytest.Session, mutant: Mutant, serial: int) -> dict[str, Any]:
        """Tries one mutant: killed, survived, or not run by any test."""
        parts = self.tests_for(mutant)
        path = ROOT / mutant.file
        temporary = self.options.folder / "t"

        start = time.monotonic()
        survived, killer = True, ""
        with processes.written(path, mutant, serial) as (original, mutated):

            def work(writer: int, tests: list[str]) -> None:
                living = self.living.get(str(path), [])
                if len(parts) > 1 or not processes.change_in_place(living, str(path), original, mutated):
                    processes.run_in_new_modules(tests, ROOT, temporary, writer)
                processes.run(session, [self.items[test] for test in tests], temporary, writer)

            for part in parts:
                limit = 3 * sum(self.seconds[test] for test in part) + 10
                if part and survived:
                    survived, killer = processes.forked(partial(work, tests=part), temporary, limit)
        if killer in self.items:
            self.killers[mutant.file].add(killer)
        outcome = "survived" if survived else "killed"
        told = {"outcome": outcome, "killer": killer, "tests": sum(map(len, parts)), "group": group(mutant.file)}
        return {**mutant._asdict(), **told, "seconds": round(time.monotonic() - start, 2)}


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


def main() -> int:
    options = arguments()
    options.folder = options.folder.resolve()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pytest's dots, of all the children too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the file being mutated is put back
    campaign = Campaign(options, out)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    done = pytest.main([*processes.OPTIONS, *options.tests], plugins=[campaign])
    if done:
        print(f"pytest collects no tests, or the measurement failed (pytest's exit code {int(done)})", file=out)
        return int(done)
    return report(campaign.results, ROOT / "mutation" / "explained.toml", options.minimum, out)


sys.exit(main())
