"""keywright in other shapes than an installed environment: a folder, an archive, without its metadata, bundled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipapp import create_archive

import pytest
from support.installed import build_wheels, install_into

MAIN = "import sys\nfrom keywright.cli import main\nsys.exit(main())\n"
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install -t FOLDER` leaves: keywright, its plugins, and all that they need."""
    work = tmp_path_factory.mktemp("packaging")
    install_into(work / "folder", *build_wheels(work / "dist"))
    return work / "folder"


def python(*arguments: str | Path, home: Path, cwd: Path, path: str = "") -> Done:
    """Run Python without its site-packages."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-S", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )


def outcome(done: Done) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("path", ["", "{folder}"], ids=["by -m alone", "by PYTHONPATH"])
def test_a_folder_of_everything_that_is_the_current_directory(folder: Path, home: Path, path: str) -> None:
    """Functions on Lambda start so (datadog-lambda-python#548, serverless-python-requirements#441)."""
    done = python("-m", "keywright", "generate", "a", home=home, cwd=folder, path=path.format(folder=folder))

    assert outcome(done) == (0, "a@1\n", "")


def test_a_folder_of_everything_elsewhere(folder: Path, home: Path) -> None:
    """The path names it."""
    assert outcome(python("-m", "keywright", "generate", "a", home=home, cwd=home, path=str(folder))) == (
        0,
        "a@1\n",
        "",
    )


def test_an_archive_of_what_is_pure_python(folder: Path, home: Path, tmp_path: Path) -> None:
    """A zip file has keywright and the plugins, and the path the binary modules (takluyver/entrypoints#24)."""
    pure, archive = tmp_path / "pure", tmp_path / "keywright.pyz"
    for item in (*folder.glob("keywright*"), *folder.glob("pluggy*")):
        shutil.copytree(item, pure / item.name)
    (pure / "__main__.py").write_text(MAIN)
    create_archive(pure, archive)
    binary = tmp_path / "binary"
    shutil.copytree(folder, binary, ignore=shutil.ignore_patterns("keywright*", "pluggy*"))

    done = python(archive, "generate", "a", home=home, cwd=home, path=str(binary))

    assert outcome(done) == (0, "a@1\n", "")
    assert python(archive, "--version", home=home, cwd=home).stdout.startswith("keywright 0.")


def test_an_archive_of_everything_says_what_it_cannot_have(folder: Path, home: Path, tmp_path: Path) -> None:
    """Python imports no binary module from a zip file, and the error names the file."""
    whole, archive = tmp_path / "whole", tmp_path / "keywright.pyz"
    shutil.copytree(folder, whole)
    (whole / "__main__.py").write_text(MAIN)
    create_archive(whole, archive)

    code, out, err = outcome(python(archive, "generate", "a", home=home, cwd=home))

    assert (code, out) == (2, "")
    assert err.startswith('error: the plugin "keytypes" needs the module "')
    assert f"hint: binary modules cannot be imported from {archive}: unpack it" in err


def test_without_metadata(folder: Path, home: Path, tmp_path: Path) -> None:
    """Nothing says which plugins exist or which version this is, and the errors say so (jaraco/keyring#324)."""
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("*.dist-info"))

    version, plugins, generate = (
        python("-m", "keywright", *words.split(), home=home, cwd=home, path=str(bare))
        for words in ("--version", "plugins", "generate a")
    )

    assert [one.returncode for one in (version, plugins, generate)] == [2, 2, 2]
    assert version.stderr.startswith("error: the version is unknown: the metadata of keywright-core is missing")
    assert plugins.stderr.startswith(f"error: no plugin is installed; searched {bare}")
    assert "`Registry.add` (docs/guides/embedding.md)" in plugins.stderr
    assert "hint: installed: none (`keywright plugins` prints what was searched)" in generate.stderr


EMBEDDED = """
import keywright, keywright_keytypes, keywright_nix.plugin, keywright.stores.memory
registry = keywright.Registry()
for plugin in (keywright_keytypes, keywright_nix.plugin, keywright.stores.memory):
    registry.add(plugin, plugin.__name__)
assert not registry.failures, registry.failures
with keywright.open({"stores": {"m": {"backend": "memory"}}}, registry=registry) as ring:
    print(ring.generate("a").reference)
"""


def test_plugins_can_be_added_by_hand(folder: Path, home: Path, tmp_path: Path) -> None:
    """As the guide for embedding shows, for programs that have no metadata."""
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("*.dist-info"))

    assert outcome(python("-c", EMBEDDED, home=home, cwd=home, path=str(bare))) == (0, "a@1\n", "")
