"""An example plugin and keywright, built as wheels and installed in a fresh environment outside the checkout."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from support.peers import find_peer

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "docs" / "examples"
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"


class Run(Protocol):
    """Runs `keywright ARGUMENTS`, which succeeds and prints exactly `stderr` there, and returns its stdout."""

    def __call__(self, *arguments: str, input: str = "", stderr: str = "") -> str: ...


def install(example: Path, folder: Path, *packages: str) -> Path:
    """Build the wheels in `folder`, and install them and other packages there. Returns the command `keywright`."""
    shutil.copytree(example, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    _uv("build", "--quiet", "--wheel", "--out-dir", folder / "dist", folder / "source", cwd=folder)
    wheels = build_wheels(folder / "dist")
    _uv("venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    _uv("pip", "install", "--quiet", "--python", folder / "venv", *wheels, *packages, cwd=folder)
    return folder / "venv" / _SCRIPTS / "keywright"


def run_own_tests(command: Path, environment: dict[str, str]) -> str:
    """Run the example's own tests of its plugin where it is installed. Returns what pytest printed."""
    done = subprocess.run(
        [command.with_name("python"), "-m", "pytest", "-q", "-k", "Plugin"],
        cwd=command.parents[2] / "source", env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def build_wheels(folder: Path) -> list[Path]:
    """Copy the wheels of keywright to `folder`, built once for a test run. Returns all wheels there."""
    run = next(one for one in folder.parents if re.fullmatch(r"pytest-\d+", one.name))  # of all processes of the run
    built = run / "wheels"
    with open(run / "wheels.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _uv("build", "--quiet", "--wheel", "--out-dir", run / "building", "--all-packages", cwd=REPOSITORY)
            os.rename(run / "building", built)
    folder.mkdir(exist_ok=True)
    for wheel in built.glob("*.whl"):
        shutil.copy2(wheel, folder)
    return sorted(folder.glob("*.whl"))


def install_into(folder: Path, *packages: str | Path) -> None:
    """Install packages and what they need in a folder that is no environment, as `pip install -t` does."""
    folder.mkdir(parents=True)
    _uv("pip", "install", "--quiet", "--python", sys.executable, "--target", folder, *packages, cwd=folder)


def runner(command: Path, home: Path, environment: dict[str, str]) -> Run:
    """Runs the installed command in `home`."""

    def run(*arguments: str, input: str = "", stderr: str = "") -> str:
        result = subprocess.run(
            [command, *arguments], input=input, capture_output=True, text=True, cwd=home, env=environment
        )
        assert (result.returncode, result.stderr) == (0, stderr)
        return result.stdout

    return run


def _uv(*arguments: str | Path, cwd: Path) -> None:
    """Run uv outside of this environment."""
    program = shutil.which("uv") or os.environ.get("UV")  # uv sets the latter for what it runs, `pipx run uv` too
    if program is None:
        program = find_peer("uv")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    result = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr
