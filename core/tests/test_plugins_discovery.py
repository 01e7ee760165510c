"""Discovery: which entry points are found, and whose they are, without importing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest
from tables import cases

import keywright
from keywright.plugins.discovery import COMMANDS, PLUGINS, EntryPoint, find_entry_points, passed_over

POINT = "[keywright]\nhex = hexfmt\n"


def install(folder: Path, metadata: str, entry_points: str | bytes = POINT) -> Path:
    """Lay down `METADATA/entry_points.txt` as an installer does."""
    directory = folder / metadata
    directory.mkdir(parents=True)
    text = entry_points.encode() if isinstance(entry_points, str) else entry_points
    (directory / "entry_points.txt").write_bytes(text)
    return directory


@cases(
    ("metadata", "distribution", "version"),
    {
        "wheel": ("hexfmt-1.0.dist-info", "hexfmt", "1.0"),
        "development": ("hexfmt.egg-info", "hexfmt", ""),
        "egg-info": ("hexfmt-1.0-py3.11.egg-info", "hexfmt", "1.0-py3.11"),
        "spelt-otherwise": ("My_Hex.Format-2.1rc1.dist-info", "my-hex-format", "2.1rc1"),
        "runs-of-separators": ("my__hex-1.dist-info", "my-hex", "1"),
    },
)
def test_metadata_directory(tmp_path: Path, metadata: str, distribution: str, version: str) -> None:
    """The distribution's name is normalised and its version is read from the directory's name."""
    install(tmp_path, metadata)

    assert find_entry_points([str(tmp_path)]) == [EntryPoint("hex", "hexfmt", distribution, version)]


@cases(
    ("text", "found"),
    {
        "sorted-by-name": ("[keywright]\nb = m2\na = m1\n", [("a", "m1"), ("b", "m2")]),
        "crlf": ("[keywright]\r\na = m\r\n", [("a", "m")]),
        "spaces": ("[keywright]\n  a=m:part.of  \n", [("a", "m:part.of")]),
        "comment": ("[keywright]\n# a = m\n\nb = m\n", [("b", "m")]),
        "other-groups": ("[console_scripts]\na = m\n[keywright]\nb = m\n[other]\nc = m\n", [("b", "m")]),
        "longer-group": ("[keywright.other]\na = m\n", []),
        "group-in-a-comment": ("# [keywright]\na = m\n", []),
        "no-pairs": ("[keywright]\nnothing\n= m\na =\n", []),
        "empty": ("", []),
        "not-utf-8": (b"[keywright]\nb = m\n\xff\xfe = \xff\n", [("b", "m"), ("��", "�")]),
    },
)
def test_entry_points_file(tmp_path: Path, text: str | bytes, found: list[tuple[str, str]]) -> None:
    """Of a file, the pairs of the group `keywright` count, and nothing in it is an error."""
    install(tmp_path, "hexfmt-1.0.dist-info", text)

    assert [(one.name, one.value) for one in find_entry_points([str(tmp_path)])] == found


def test_another_group(tmp_path: Path) -> None:
    """Each group has its own lines, though one's name begins with the other's."""
    text = "[keywright]\nhex = hexfmt\n[keywright.commands]\nhex = hexfmt.commands\n[keywright.other]\nno = no\n"
    install(tmp_path, "hexfmt-1.0.dist-info", text)
    install(tmp_path, "plain-1.0.dist-info")

    found, both = (find_entry_points([str(tmp_path)], groups=groups) for groups in ((COMMANDS,), (PLUGINS, COMMANDS)))

    assert both == [
        EntryPoint("hex", "hexfmt", "hexfmt", "1.0"),
        EntryPoint("hex", "hexfmt", "plain", "1.0"),
        *found,
    ]
    assert found == [EntryPoint("hex", "hexfmt.commands", "hexfmt", "1.0", COMMANDS)]


def test_the_first_on_the_path_wins(tmp_path: Path) -> None:
    """A distribution that is there twice counts where it comes first, however it is spelt, as it does for imports.

    So does a newer version that is not a plugin any more.
    """
    install(tmp_path / "one", "hex_fmt-2.0.dist-info")
    install(tmp_path / "two", "Hex.Fmt-1.0.dist-info", "[keywright]\nold = hexfmt\n")
    (tmp_path / "three" / "hexfmt-2.0.dist-info").mkdir(parents=True)
    install(tmp_path / "four", "hexfmt-1.0.dist-info")

    found, none = (
        find_entry_points([str(tmp_path / name) for name in names]) for names in (("one", "two"), ("three", "four"))
    )

    assert found == [EntryPoint("hex", "hexfmt", "hex-fmt", "2.0")]
    assert none == []


def test_two_distributions_with_one_name_are_both_found(tmp_path: Path) -> None:
    """Whether a name is usable is not for discovery to say; but what an uninstall by pip left (`~`) does not count."""
    for metadata in ("b-1.dist-info", "a-2.dist-info", "~exfmt-1.0.dist-info"):
        install(tmp_path, metadata)

    assert find_entry_points([str(tmp_path)]) == [
        EntryPoint("hex", "hexfmt", "a", "2"),
        EntryPoint("hex", "hexfmt", "b", "1"),
    ]


def as_file(folder: Path) -> str:
    (folder / "hexfmt-1.0.dist-info").write_text(POINT)
    return str(folder)


def as_directory(folder: Path) -> str:
    (folder / "hexfmt-1.0.dist-info" / "entry_points.txt").mkdir(parents=True)
    return str(folder)


def as_zip(folder: Path) -> str:
    with ZipFile(folder / "plugins.zip", "w") as archive:
        archive.writestr("hexfmt-1.0.dist-info/entry_points.txt", POINT)
        archive.writestr("hexfmt-1.0.dist-info/METADATA", "Name: HexFmt\nVersion: 1.0\n")
    return str(folder / "plugins.zip")


@cases(
    "entry",
    {
        "missing": lambda folder: str(folder / "missing"),
        "no-path-at-all": lambda folder: f"{folder}\0",
        "metadata-that-is-a-file": as_file,
        "entry-points-that-are-a-directory": as_directory,
    },
)
def test_what_cannot_be_read_is_skipped(tmp_path: Path, entry: Callable[[Path], str]) -> None:
    """An entry of the path that holds nothing readable is passed over, and the rest is found."""
    odd = tmp_path / "odd"
    odd.mkdir()
    install(tmp_path / "sound", "sound-1.0.dist-info")

    found = find_entry_points([entry(odd), str(tmp_path / "sound")])

    assert found == [EntryPoint("hex", "hexfmt", "sound", "1.0")]


LIST = """
import os, sys
from keywright.plugins.discovery import find_entry_points
if hasattr(os, "getuid") and os.getuid() == 0:
    os.setuid(65534)
print([one.distribution for one in find_entry_points(sys.argv[1:] or None) if one.name == "hex"])
"""


def listed(*arguments: str, here: Path, path: str = "") -> str:
    """What a process of its own finds, as a user without privileges."""
    return subprocess.run(
        [sys.executable, "-c", LIST, *arguments],
        cwd=here,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own is not."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
@pytest.mark.parametrize("locked", ["", "hexfmt-1.0.dist-info", "hexfmt-1.0.dist-info/entry_points.txt"])
def test_what_may_not_be_read_is_skipped(public_folder: Path, locked: str) -> None:
    """A folder or file that this user may not read is passed over, and the rest is found."""
    install(public_folder / "one", "hexfmt-1.0.dist-info")
    install(public_folder / "two", "sound-1.0.dist-info")
    folders = [str(public_folder / "one"), str(public_folder / "two")]
    before = listed(*folders, here=public_folder)
    mode = (public_folder / "one" / locked).stat().st_mode

    (public_folder / "one" / locked).chmod(0)
    after = listed(*folders, here=public_folder)
    (public_folder / "one" / locked).chmod(mode)

    assert (before, after) == ("['hexfmt', 'sound']\n", "['sound']\n")


def test_an_archive_is_searched(tmp_path: Path) -> None:
    """A zip file on the path is asked for its distributions as a folder is."""
    assert find_entry_points([as_zip(tmp_path)]) == [EntryPoint("hex", "hexfmt", "hexfmt", "1.0")]


@cases(
    ("path", "found"),
    {
        "nothing": ("", []),
        "absolute": ("{here}", []),
        "absolute, with a slash": ("{here}/", []),
        "by a link": ("{link}", []),
        "another folder": ("{other}", ["hexfmt"]),
    },
)
@pytest.mark.parametrize("name", ["here", "site-packages"])
def test_the_current_directory_does_not_count(public_folder: Path, name: str, path: str, found: list[str]) -> None:
    """A distribution where the process started is not a plugin, however the folder is called or was put on the path."""
    here, other, link = public_folder / name, public_folder / "other", public_folder / "link"
    install(here, "stray-1.0.dist-info")
    install(other, "hexfmt-1.0.dist-info")
    link.symlink_to(here)

    assert listed(here=here, path=path.format(here=here, other=other, link=link)) == f"{found}\n"


@pytest.mark.parametrize("here", ["", "."])
def test_relative_entries_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    """They mean another folder whenever the program changes its directory; what was passed over can be asked for."""
    install(tmp_path, "hexfmt-1.0.dist-info")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [here])

    assert (find_entry_points(), passed_over()) == ([], ["."])


def test_a_change_of_directory_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is the same in each directory, folders of the path among them."""
    install(tmp_path, "hexfmt-1.0.dist-info")
    monkeypatch.syspath_prepend(tmp_path)
    elsewhere = find_entry_points()

    for folder in (str(tmp_path), sysconfig.get_path("purelib"), "/"):
        monkeypatch.chdir(folder)
        assert find_entry_points() == elsewhere
    assert EntryPoint("hex", "hexfmt", "hexfmt", "1.0") in elsewhere


@pytest.mark.parametrize("started", ["-m", "-c"])
def test_the_folder_of_keywright_counts_even_as_the_current_directory(public_folder: Path, started: str) -> None:
    """What was installed by `pip install -t .` is used from there, as on Lambda (datadog-lambda-python#548)."""
    core = Path(keywright.__file__).parent
    shutil.copytree(core, public_folder / "keywright", ignore=shutil.ignore_patterns("__pycache__"))
    install(public_folder, "hexfmt-1.0.dist-info")
    (public_folder / "ask.py").write_text(LIST)
    arguments = ["-m", "ask"] if started == "-m" else ["-c", LIST]

    done = subprocess.run([sys.executable, "-S", *arguments], cwd=public_folder, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("['hexfmt']\n", "")


def test_the_site_folder_counts_even_as_the_current_directory(public_folder: Path) -> None:
    """Someone who looks around where Python installs packages still has all plugins."""
    program = "from keywright.plugins.discovery import find_entry_points as f; print([one.name for one in f()])"
    elsewhere, there = (
        subprocess.run([sys.executable, "-c", program], cwd=here, capture_output=True, text=True, check=True).stdout
        for here in (public_folder, sysconfig.get_path("purelib"))
    )

    assert there == elsewhere
    assert "'nix'" in there


def test_it_agrees_with_importlib() -> None:
    """In this very environment it finds what `importlib.metadata` finds, of the same distributions."""
    known = {
        (point.name, point.value, distribution.name.lower().replace("_", "-"), distribution.version)
        for distribution in distributions()
        for point in distribution.entry_points.select(group="keywright")
    }

    found = {tuple(one)[:-1] for one in find_entry_points()}

    assert found == known
    assert found


def test_it_does_not_load_importlib_metadata() -> None:
    """The reason why it exists: `importlib.metadata` costs more than the rest of the start."""
    program = "import sys; from keywright.plugins.discovery import find_entry_points as f; f(); print(*sys.modules)"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "keywright.plugins.discovery" in result.stdout.split()
    assert "importlib.metadata" not in result.stdout.split()
