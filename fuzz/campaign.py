"""Run targets and say what came of it: `python fuzz/campaign.py [TARGET…] [SECONDS] [--at-once N]`."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_targets import NAMES, load  # the line above makes it importable
from fuzz_targets.target import Target

_SECONDS = 600
_LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1")
_STATUS = re.compile(r"cov: ([0-9]+) ft: [0-9]+ corp: ([0-9]+)")
_EXECUTED = re.compile(r"stat::number_of_executed_units: ([0-9]+)")
_LONGEST_LOG = 4000


class _Outcome(NamedTuple):
    target: str
    executions: int
    corpus: int
    coverage: int
    finding: str
    log: str


def main() -> int:
    """Print a line for each target. Returns 1 if one has a finding."""
    arguments = _arguments()
    directory = Path(arguments.directory or tempfile.mkdtemp(prefix="keywright-fuzz-"))
    print(f"{'target':14} {'executions':>12} {'corpus':>8} {'coverage':>9}  finding", flush=True)
    failed = False
    with ThreadPoolExecutor(arguments.at_once) as pool:
        for outcome in pool.map(lambda name: _run(name, arguments.seconds, directory / name), arguments.targets):
            counts = f"{outcome.executions:>12,} {outcome.corpus:>8,} {outcome.coverage:>9,}"
            print(f"{outcome.target:14} {counts}  {outcome.finding or 'none'}", flush=True)
            if outcome.finding:
                failed = True
                print(outcome.log, flush=True)
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="TARGET|SECONDS", help=f"of {', '.join(NAMES)}; 600 seconds each")
    parser.add_argument("--at-once", type=int, default=1, help="so many targets run side by side")
    parser.add_argument("--directory", help="where corpora and findings stay (default: a new temporary one)")
    arguments = parser.parse_args()
    arguments.targets = [word for word in arguments.words if not word.isdecimal()] or list(NAMES)
    unknown = set(arguments.targets) - set(NAMES)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; available: {', '.join(NAMES)}")
    numbers = [int(word) for word in arguments.words if word.isdecimal()]
    arguments.seconds = numbers[-1] if numbers else _SECONDS
    return arguments


def _run(name: str, seconds: int, directory: Path) -> _Outcome:
    target = load(name)
    corpus, dictionary = _prepared(target, directory)
    command = [sys.executable, str(Path(__file__).with_name("run_target.py")), name, str(corpus), *_LIMITS]
    command += [f"-max_total_time={seconds}", f"-max_len={target.maximum_bytes}", f"-artifact_prefix={directory}/"]
    command += [f"-dict={dictionary}"] if target.words else []
    log = directory / "log"
    # libFuzzer ends its process without a chance to clean up.
    with log.open("wb") as file, _scratch() as temporary:
        code = subprocess.call(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": temporary},
        )
    text = log.read_text(errors="replace")
    status = _STATUS.findall(text) or [("0", "0")]
    executed = _EXECUTED.findall(text) or ["0"]
    kept = [str(path) for path in directory.glob("*-*") if path.is_file()]
    finding = "" if code == 0 else f"exit {code}: {', '.join(kept) or 'no input kept'}"
    tail = "\n".join(line for line in text.splitlines() if not line.startswith(("#", "INFO:")))[-_LONGEST_LOG:]
    return _Outcome(name, int(executed[-1]), int(status[-1][1]), int(status[-1][0]), finding, tail)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A directory in memory, where there is such a place."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    return tempfile.TemporaryDirectory(prefix="keywright-fuzz-", dir=memory, ignore_cleanup_errors=True)


def _prepared(target: Target, directory: Path) -> tuple[Path, Path]:
    corpus, dictionary = directory / "corpus", directory / "words.dict"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    spelt = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    dictionary.write_text("".join(f'"{word}"\n' for word in spelt))
    return corpus, dictionary


if __name__ == "__main__":
    sys.exit(main())
