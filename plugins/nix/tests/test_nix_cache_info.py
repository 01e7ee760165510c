"""`nix-cache-info`: which store a binary cache is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nix_signing import refusal

from keywright.errors import FormatError, StoreUnavailableError
from keywright_nix.cache import read_store_dir, store_dir_of


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        pytest.param(b"StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n", b"/nix/store", id="as Nix writes it"),
        pytest.param(b"Priority: 40\nStoreDir: /gnu/store", b"/gnu/store", id="last, cut short"),
        pytest.param(b"StoreDir:/nix/store\r\n", b"/nix/store", id="Windows line end, no space"),
        pytest.param(b"StoreDir:\t /nix/store \n", b"/nix/store", id="spaces"),
        pytest.param(b"StoreDir: /nix/store\nStoreDir: /nix/store\n", b"/nix/store", id="twice the same"),
        pytest.param(b"StoreDir: /a/b.c/.d\n", b"/a/b.c/.d", id="dots"),
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"Priority: 40\n\n\xff\nStoreDir\n", b"", id="none, and lines that are no fields"),
        pytest.param(b"storedir: /nix/store\n StoreDir: /x\nXStoreDir: /y\n", b"", id="other names"),
    ],
)
def test_what_is_read(text: bytes, directory: bytes) -> None:
    """As Nix reads it: lines of name, colon and value, whitespace around the value taken away."""
    assert store_dir_of(text) == directory


_NO_DIRECTORY = "x: the StoreDir is no directory of a store; write one, such as /nix/store"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            b"StoreDir: /nix/store\nStoreDir: /gnu/store\n",
            "x: has two StoreDir that differ, so that no client takes the cache; leave one",
            id="two",
        ),
        *(
            pytest.param(b"StoreDir: %b\n" % value, _NO_DIRECTORY, id=repr(value))
            for value in (
                b"",
                b"store",
                b"/",
                b"/nix/store/",
                b"/nix/../store",
                b"/nix//store",
                b"/nix;",
                b"/n\xc3\xa4",
            )
        ),
    ],
)
def test_what_no_client_could_use_is_refused(text: bytes, told: str) -> None:
    """Two directories, or one that is none."""
    with refusal(FormatError, told):
        store_dir_of(text, where="x")


@given(text=st.binary() | st.lists(st.sampled_from([b"StoreDir", b":", b" ", b"\n", b"/a", b"/b"])).map(b"".join))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    """Nothing but FormatError comes out, and what is read is a directory."""
    try:
        directory = store_dir_of(text)
    except FormatError:
        directory = b""

    assert directory == b"" or (directory.startswith(b"/") and b"StoreDir:" in text)


def test_the_file_of_a_cache(tmp_path: Path) -> None:
    """It is read where it is, by a symbolic link too; where there is none, the cache says none."""
    assert read_store_dir(str(tmp_path)) == b""

    (tmp_path / "elsewhere").write_bytes(b"StoreDir: /nix/store\n" + b"x" * (65_536 - 21))
    (tmp_path / "nix-cache-info").symlink_to("elsewhere")

    assert read_store_dir(str(tmp_path)) == b"/nix/store"


def test_it_is_closed(tmp_path: Path) -> None:
    """Neither what is read nor what is refused stays open."""
    path = tmp_path / "nix-cache-info"
    before = len(os.listdir("/dev/fd"))

    for size in (0, 65_537):
        path.write_bytes(b"x" * size)
        with suppress(FormatError):
            read_store_dir(str(tmp_path))

    assert len(os.listdir("/dev/fd")) == before


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Too large, a directory, a pipe, a link in a circle, malformed: each is refused with its path."""
    path = tmp_path / "nix-cache-info"
    told = []

    def collect() -> None:
        with pytest.raises((FormatError, StoreUnavailableError)) as caught:
            read_store_dir(str(tmp_path))
        told.append(str(caught.value))

    path.write_bytes(b"x" * 65_537)
    collect()
    path.write_bytes(b"StoreDir: x\n")
    collect()
    path.unlink()
    path.mkdir()
    collect()
    path.rmdir()
    os.mkfifo(path)
    collect()
    path.unlink()
    path.symlink_to("nix-cache-info")
    collect()

    assert told == [
        f"{path}: has more than 65536 bytes; put what Nix made in its place",
        f"{path}: the StoreDir is no directory of a store; write one, such as /nix/store",
        f"{path}: is no regular file; put what Nix made in its place",
        f"{path}: is no regular file; put what Nix made in its place",
        f"{path}: cannot be read (Too many levels of symbolic links); check the disk",
    ]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="root becomes another user")
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """What may not be read is said to be denied."""
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(directory.stat().st_mode | 0o055)
    path = tmp_path / "nix-cache-info"
    path.write_bytes(b"StoreDir: /nix/store\n")
    path.chmod(0o600)
    program = (
        "import sys\nfrom keywright.errors import AccessDeniedError\n"
        "from keywright_nix.cache import read_store_dir\n"
        "try:\n    read_store_dir(sys.argv[1])\nexcept AccessDeniedError as error:\n    print(error)\n"
    )

    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: cannot be read (Permission denied); run as who may\n"
