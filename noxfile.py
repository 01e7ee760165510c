"""The developer's front door: `nox -l` lists what there is, `nox` runs what every change must pass."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "types", "tests", "build"]
nox.options.reuse_existing_virtualenvs = True

PLUGINS = sorted(f"./{path.parent}" for path in Path("plugins").glob("*/pyproject.toml"))
TOKEN_PEERS = ("jwcrypto", "joserfc", "PyJWT", "authlib")
PINNED_GROUPS = ("test", "lint", "types", "build")
CAMPAIGN = {"PYTHONPATH": "tests:tests/campaign"}
DISTRIBUTIONS = ["./core", *PLUGINS, "."]


def sync(session: nox.Session, *groups: str) -> None:
    """Install the workspace and dependency groups into the session's environment."""
    chosen = [argument for group in groups for argument in ("--group", group)]
    session.run_install(
        "uv", "sync", "--quiet", "--all-packages", "--no-default-groups", *chosen,
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
    )  # fmt: skip


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run all tests; on other Pythons than this one where they are installed."""
    sync(session, "test", "docs")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def coverage(session: nox.Session) -> None:
    """Run all tests and report branch coverage, processes that tests start included."""
    sync(session, "test")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "0", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python="3.11")
def minimums(session: nox.Session) -> None:
    """Run the tests with the oldest versions that the distributions say they work with."""
    session.install("--resolution", "lowest-direct", *DISTRIBUTIONS)
    session.install("pytest>=8", "pytest-xdist", "hypothesis", "jwcrypto", "joserfc", "pynacl", "jsonschema")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def pin(session: nox.Session) -> None:
    """Write constraints.txt: today's versions of all that the checkout installs, with their hashes."""
    groups = [argument for group in PINNED_GROUPS for argument in ("--group", group)]
    session.run_install(
        "uv", "export", "--quiet", "--upgrade", "--all-packages", "--no-emit-workspace", "--no-default-groups", *groups,
        "--no-header", "--no-annotate", "--output-file", "constraints.txt",
    )  # fmt: skip


@nox.session(python="3.11")
def pinned(session: nox.Session) -> None:
    """The test suite with exactly the versions of constraints.txt, whose hashes are checked."""
    session.install("--require-hashes", "-r", "constraints.txt")
    editable = [argument for path in DISTRIBUTIONS for argument in ("-e", path)]
    session.install("--no-deps", "--no-build-isolation", *editable)
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Check style and form, which module may import which, and the words of sources and documentation."""
    sync(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("python", "tests/words.py")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """Check types, strictly, over sources, tests and this file."""
    sync(session, "types", "test")
    session.install("nox")
    session.run("mypy")


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link is an error."""
    sync(session, "docs")
    session.run("mkdocs", "build", "--strict", "--quiet", *session.posargs)


@nox.session(python="3.11")
def build(session: nox.Session) -> None:
    """Build every wheel, install them in a clean environment, and make a key with them."""
    wheels = Path(session.create_tmp()).resolve()
    for old in wheels.glob("*.whl"):
        old.unlink()
    session.run_install("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(wheels))
    session.install(*(str(wheel) for wheel in sorted(wheels.glob("*.whl"))))
    session.run(
        "keywright", "generate", "build.check", "--option", "stores.default.path", str(wheels / os.urandom(4).hex())
    )
    session.run("keywright", "plugins", "--check")


@nox.session(python="3.11")
def bundles(session: nox.Session) -> None:
    """Bundle keywright with shiv, pex and PyInstaller, and generate a key with each."""
    folder = Path(session.create_tmp()).resolve()
    session.run_install("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(folder))
    session.install(*(str(wheel) for wheel in sorted(folder.glob("*.whl"))), "shiv", "pex", "pyinstaller")
    shiv, pex, frozen = folder / "keywright.pyz", folder / "keywright.pex", folder / "frozen" / "keywright"
    session.run("shiv", "-q", "-c", "keywright", "-o", str(shiv), "--find-links", str(folder), "keywright", silent=True)
    session.run("pex", "-c", "keywright", "-o", str(pex), "--find-links", str(folder), "keywright")
    (folder / "main.py").write_text("import sys\nfrom keywright.cli import main\nsys.exit(main())\n")
    packages = ["keywright", *(f"keywright_{Path(plugin).name}" for plugin in PLUGINS)]
    session.run(
        "pyinstaller", "--log-level", "ERROR", "--noconfirm", "--onefile", "--name", frozen.name,
        "--distpath", str(frozen.parent), "--workpath", str(folder / "work"), "--specpath", str(folder),
        "--recursive-copy-metadata", "keywright",
        *(argument for package in packages for argument in ("--collect-all", package)), str(folder / "main.py"),
    )  # fmt: skip
    for number, bundle in enumerate((shiv, pex, frozen)):
        home = {"HOME": str(folder / f"home{number}")}
        session.run(str(bundle), "plugins", "--check", env=home, external=True)
        session.run(str(bundle), "generate", "cache.example.org", env=home, external=True)


@nox.session(python="3.11")
def campaigns(session: nox.Session) -> None:
    """Everything that the tests run a sample of: all faults, kills, hostile tokens and fuzz targets. Takes hours."""
    for name in ("laws", "faults", "kills", "hostile_tokens", "fuzz"):
        session.notify(name)


@nox.session(python="3.11")
def laws(session: nox.Session) -> None:
    """Run the tests with new examples of Hypothesis, which are the same otherwise, and at steps that are skipped."""
    sync(session, "test")
    session.run("pytest", "--hypothesis-profile=campaign", *session.posargs, env={"KEYWRIGHT_EVERY_STEP": "1"})


@nox.session(python="3.11")
def faults(session: nox.Session) -> None:
    """Fail every system call of the file and SQLite stores in every way, and print what came of it."""
    sync(session, "test")
    session.run("python", "-m", "faults.campaign", *session.posargs, env=CAMPAIGN)


@nox.session(python="3.11")
def kills(session: nox.Session) -> None:
    """Kill thousands of writing processes and compare each store with what they said (KEYWRIGHT_KILLS=5000)."""
    sync(session, "test")
    count = os.environ.get("KEYWRIGHT_KILLS", "5000")
    session.run("python", "-m", "kills", count, *session.posargs, env=CAMPAIGN)


@nox.session(python="3.11")
def fuzz(session: nox.Session) -> None:
    """Fuzz every decoder for ten minutes each, or the targets and seconds that are named."""
    sync(session, "fuzz")
    session.run("python", "fuzz/campaign.py", *session.posargs)


@nox.session(python="3.11")
def hostile_tokens(session: nox.Session) -> None:
    """Print who accepts which hostile token and key: this library, and others (docs/reference/hostile-tokens.md)."""
    sync(session, "test")
    session.install("PyJWT", "authlib")
    session.run("python", "-W", "ignore", "-m", "hostile_tokens", *session.posargs, env=CAMPAIGN)


@nox.session(python="3.11")
def mutation(session: nox.Session) -> None:
    """Break the code in one place at a time, in a copy of this checkout: some test has to notice (docs/mutation.md)."""
    copy = Path(session.create_tmp()).resolve() / "checkout"
    shutil.rmtree(copy, ignore_errors=True)
    # Without `.venv`, `.git` and the like, which are at the root; fixtures have such names too.
    shutil.copytree(".", copy, ignore=lambda folder, names: [n for n in names if folder == "." and n.startswith(".")])
    session.chdir(copy)
    sync(session, "test", "docs")
    session.run("python", "-m", "mutation", *session.posargs)


@nox.session(python="3.11")
def bench(session: nox.Session) -> None:
    """Print the budgets of this machine: wheels, not an editable checkout, beside their peers."""
    wheels = Path(session.create_tmp()).resolve()
    session.run_install("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(wheels))
    built = [str(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    session.install("--compile-bytecode", "--reinstall", *built, "keyring", "keyrings.alt", *TOKEN_PEERS)
    session.run("python", "bench/run.py", *session.posargs)
