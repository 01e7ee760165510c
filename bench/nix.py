"""Signing a binary cache again: `keywright nix sign` beside `nix store sign --all`."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import Prepare, Timed, row, time_in_turn

KEYWRIGHT = str(Path(sys.executable).with_name("keywright"))
PLACES = {"disk": (None, 3.0), "tmpfs": ("/dev/shm", 1.5)}  # where (None: the disk), and the budget
OURS = ("keywright --jobs 1", "keywright --jobs 2")
SIZES = (2_000, 20_000, 200_000)
RUNS = {2_000: 15, 20_000: 5}
REFERENCES = 8
DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
# Sorts after the signature that is there already, as the next key of a rotation does; and before it.
NEXT, OTHER = "cache.example.org-2", "a.example.org-1"
ENVIRONMENT = {"NIX_CONFIG": "experimental-features = nix-command"}
# How much memory a program takes, asked by a small one: what its parent takes would count too.
PEAK = (
    "import os, subprocess, sys; it = subprocess.Popen(sys.argv[1:], stdout=2); print(os.wait4(it.pid, 0)[2].ru_maxrss)"
)


def nix_rows(home: Path, *, runs: int, large: bool) -> Iterator[str]:
    """2,000 and 20,000 narinfos on the disk and in memory; with `large` what 200,000 take."""
    if shutil.which("nix") is None:
        yield "nix is not installed"
        return
    keys = {name: make_key(home, name) for name in (NEXT, OTHER)}
    for place, (directory, budget) in PLACES.items():
        with TemporaryDirectory(dir=directory or home) as where:
            seconds = []
            for size in SIZES[:2]:
                made = make_cache(Path(where) / "made", size)
                timed = sign_in_turn(made, keys[NEXT], runs=min(runs, RUNS[size]))
                seconds.append(timed["keywright --jobs 1"].median)
                yield from _rows(f"{size:,} on {place}", timed, size, budget)
                if size == SIZES[0]:
                    timed = sign_in_turn(made, keys[OTHER], runs=min(runs, RUNS[size]))
                    yield from _rows(f"{size:,} on {place}, replaced", timed, size, None)
                shutil.rmtree(made)
            yield row(f"time for {SIZES[1]:,} / {SIZES[0]:,}, {place}", seconds[1] / seconds[0], at_most=12)
    sizes = (SIZES[0], SIZES[2]) if large else SIZES[:2]
    few, many = (peak_memory(home, size, keys[NEXT]) for size in sizes)
    yield row(f"memory for {sizes[1]:,}, MiB", many / 1024)
    yield row(f"memory for {sizes[1]:,} / {sizes[0]:,}", many / few, at_most=1.2)


def _rows(what: str, timed: dict[str, Timed], size: int, budget: float | None) -> Iterator[str]:
    nix = timed["nix"]
    yield row(f"nix, {what}, narinfos a second", size / nix.median)
    for name in OURS:
        yield row(f"{name}, {what}, narinfos a second", size / timed[name].median)
    for name in OURS:
        yield row(f"nix / {name}, {what}", nix.over(timed[name]), at_least=budget)


def sign_in_turn(made: Path, key: Path, *, runs: int) -> dict[str, Timed]:
    """Both programs, ours with one process and two, each time on a fresh copy.

    Raises:
        RuntimeError: the narinfos that they leave are not the same, byte for byte.
    """
    ours = [KEYWRIGHT, "nix", "sign", "--key-file", str(key)]
    places = {name: made.with_name(name.replace(" ", "")) for name in ("nix", *OURS)}

    def on_a_copy(name: str) -> Prepare:
        place = places[name]
        nix = ["nix", "store", "sign", "--all", "--store", f"file://{place}", "--key-file", str(key)]
        command = nix if name == "nix" else [*ours, str(place), *name.split()[1:]]

        def prepare(_: int) -> list[str]:
            shutil.rmtree(place, ignore_errors=True)
            # With a sync, so that no command waits for what was copied.
            subprocess.run(["sh", "-c", 'cp -a "$1" "$2" && sync -f "$2"', "-", made, place], check=True)
            return command

        return prepare

    timed = time_in_turn({name: on_a_copy(name) for name in places}, runs=runs, env=ENVIRONMENT)
    theirs = contents(places["nix"])
    if any(contents(place) != theirs for place in places.values()) or theirs == contents(made):
        raise RuntimeError("the narinfos that nix and keywright signed are not the same")
    for place in places.values():
        shutil.rmtree(place)
    return timed


def peak_memory(home: Path, size: int, key: Path) -> int:
    """The most that signing so many narinfos takes at once, in KiB."""
    with TemporaryDirectory(dir=home) as where:
        made = make_cache(Path(where) / "made", size)
        sign = [KEYWRIGHT, "nix", "sign", "--key-file", str(key), "--jobs", "1", str(made)]
        done = subprocess.run([sys.executable, "-c", PEAK, *sign], check=True, capture_output=True, text=True)
        if contents(made).count(b"\nSig: ") != 2 * size:
            raise RuntimeError("keywright did not sign every narinfo")
    return int(done.stdout)


def make_key(home: Path, name: str) -> Path:
    """A file with a fresh secret key."""
    path = home / name
    path.touch(mode=0o600)
    done = subprocess.run([KEYWRIGHT, "nix", "key", "generate-secret", "--key-name", name], capture_output=True)
    path.write_bytes(done.stdout)
    return path


def make_cache(directory: Path, size: int) -> Path:
    """A cache of so many narinfos, each with references and a signature. Signing needs no archives."""
    directory.mkdir()
    (directory / "nix-cache-info").write_text("StoreDir: /nix/store\n")
    draw = random.Random(size)
    names = [f"{digits(draw, 32)}-package-{number % 977}-1.{number % 31}" for number in range(size)]
    for name in names:
        (directory / f"{name[:32]}.narinfo").write_text(narinfo(draw, name, draw.sample(names, REFERENCES)))
    return directory


def narinfo(draw: random.Random, name: str, references: list[str]) -> str:
    """The text of a narinfo as Nix writes it."""
    archive = f"0{digits(draw, 51)}"
    lines = {
        "StorePath": f"/nix/store/{name}",
        "URL": f"nar/{archive}.nar.xz",
        "Compression": "xz",
        "FileHash": f"sha256:{archive}",
        "FileSize": draw.randrange(1, 10**7),
        "NarHash": f"sha256:1{digits(draw, 51)}",
        "NarSize": draw.randrange(1, 10**8),
        "References": " ".join(sorted(references)),
        "Deriver": f"{digits(draw, 32)}{name[32:]}.drv",
        "Sig": f"cache.example.org-1:{b64encode(draw.randbytes(64)).decode()}",
    }
    return "".join(f"{field}: {value}\n" for field, value in lines.items())


def digits(draw: random.Random, count: int) -> str:
    """So many of Nix's base32."""
    return "".join(draw.choices(DIGITS, k=count))


def contents(directory: Path) -> bytes:
    """All narinfos, one after the other."""
    return b"".join(path.read_bytes() for path in sorted(directory.glob("*.narinfo")))
