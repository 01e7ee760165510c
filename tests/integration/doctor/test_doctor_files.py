"""`keywright doctor` over a store of files: each planted fault is told in one exact sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from support.rings import Ring

import keywright


def _other_key(root: Path) -> None:
    _replace_key(root, (root / "b" / "@1" / "key").read_bytes())


def _replace_key(root: Path, data: bytes) -> None:
    """As somebody would who knows of the checksum."""
    (root / "a" / "@1" / "key").write_bytes(data)
    next((root / "a" / "@1").glob("crc32-*")).rename(root / "a" / "@1" / f"crc32-{crc32(data):08x}")


def _leftover_key(root: Path) -> None:
    kept = (root / "a" / "@1" / "key").read_bytes()
    with keywright.open({"stores": {"file": {"backend": "file", "path": str(root)}}}) as ring:
        ring.destroy("a")
    (root / "a" / "@1" / "key").write_bytes(kept)
    (root / "a" / "@1" / "key").chmod(0o600)


def _stray(root: Path) -> None:
    # Deeper than a writer ever leaves it, so that opening the store does not clear it.
    (root / ".keywright" / "tmp" / "x" / "y").mkdir(parents=True)


def _pending(root: Path) -> None:
    (root / ".keywright" / "pending").write_text("a@1\n")
    (root / ".keywright" / "pending").chmod(0o600)
    (root / "a" / "@1" / "meta.json").unlink()


CHMOD = "take that away with chmod"

# What is done below the store's root, and what is said; PATH is the root.
FILE_FAULTS: list[tuple[str, Callable[[Path], object], list[str]]] = [
    ("key open to others", lambda root: (root / "a/@1/key").chmod(0o640), [
        ("store 'file': a@1 in PATH: the key file may be read or changed by others; take that away with chmod 0600, "
        "and count the key as seen"),
    ]),
    ("metadata open to others", lambda root: (root / "a/@1/meta.json").chmod(0o644), [
        f"store 'file': a@1 in PATH: the file `meta.json` may be read by other users; {CHMOD} 0600",
    ]),
    ("metadata writable by others", lambda root: (root / "a/@1/meta.json").chmod(0o666), [
        f"store 'file': a@1 in PATH: the file may be changed by other users; {CHMOD} go-w",
    ]),
    ("directory open to others", lambda root: (root / "a").chmod(0o755), [
        f"store 'file': a in PATH: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("version open to others", lambda root: (root / "a/@1").chmod(0o750), [
        f"store 'file': a@1 in PATH: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("private area open to others", lambda root: (root / ".keywright").chmod(0o755), [
        f"store 'file': PATH/.keywright: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("temporaries open to others", lambda root: (root / ".keywright/tmp").chmod(0o755), [
        f"store 'file': PATH/.keywright/tmp: the directory may be read by other users; {CHMOD} 0700",
    ]),
    ("lock open to others", lambda root: (root / ".keywright/lock").chmod(0o644), [
        f"store 'file': PATH/.keywright/lock: the file `lock` may be read by other users; {CHMOD} 0600",
    ]),
    ("hard link", lambda root: os.link(root / "a/@1/key", root.parent / "second"), [
        ("store 'file': a@1 in PATH: a file has a second name (a hard link), through which it may be read, changed or "
        "outlive its end; make it a copy of its own"),
    ]),
    ("stray temporary", _stray, [
        "store 'file': PATH: interrupted writes left files in .keywright/tmp, which may hold keys; remove them",
    ]),
    ("pending note", _pending, [
        "store 'file': PATH: an interrupted write is not completed; mend what else is found, then write to the store",
        "store 'file': a@1 in PATH: a file is missing; restore it from a backup",
    ]),
    ("stranger in the private area", lambda root: (root / ".keywright/other").touch(), [
        ("store 'file': PATH: something (`.keywright/other`) that keywright did not write stands beside the store's "
        "own; move it away"),
    ]),
    ("unknown file beside a key", lambda root: (root / "a/@1/other").touch(), [
        ("store 'file': a@1 in PATH: a file (`a/@1/other`) that keywright did not write stands beside the key; move it "
        "away"),
    ]),
    ("copy that an editor left", lambda root: (root / "a/@1/.key.swp").touch(), [
        ("store 'file': a@1 in PATH: a file (`a/@1/.key.swp`) that keywright did not write stands beside the key; move "
        "it away"),
    ]),
    ("file among the names", lambda root: (root / "a/other").touch(), [
        "store 'file': a in PATH: a file or link (`a/other`) stands among the names; move it away",
    ]),
    ("no name", lambda root: (root / "UPPER").mkdir(), [
        "store 'file': PATH: a directory (`UPPER`) among the names has no name's name; move it away",
    ]),
    ("no version", lambda root: (root / "a/@01").mkdir(), [
        "store 'file': a in PATH: a directory (`a/@01`) among the versions has no version's name; move it away",
    ]),
    ("version without a name", lambda root: (root / "@1").mkdir(), [
        "store 'file': PATH: a version (`@1`) stands where only names belong; move it away",
    ]),
    ("half removed", lambda root: (root / "a/@removed").touch(), [
        ("store 'file': a in PATH: a removal was interrupted, and hides its versions; remove the directory, or "
        "@removed in it"),
    ]),
    ("key of a destroyed version", _leftover_key, [
        "store 'file': a@1 in PATH: the file `key` of a version that has no secret is still there; remove that file",
    ]),
    ("key lost", lambda root: (root / "a/@1/key").unlink(), [
        "store 'file': a@1 in PATH: the key file is missing; restore it from a backup",
    ]),
    ("metadata damaged", lambda root: (root / "a/@1/meta.json").write_text("{}"), [
        "store 'file': a@1 in PATH: the metadata is damaged; restore it from a backup",
    ]),
    ("another key", _other_key, [
        "a@1 in store 'file': is another key than its metadata says; restore it from a backup",
    ]),
    ("key changed", lambda root: (root / "a/@1/key").write_bytes(b"canary"), [
        "store 'file': a@1 in PATH: the key file is damaged; restore it from a backup",
    ]),
    ("no key", lambda root: _replace_key(root, b"canary"), [
        ("a@1 in store 'file': does not decode: the Nix key has no colon; write its name and a colon before the "
        "base64: NAME:BASE64"),
    ]),
    ("marker damaged", lambda root: (root / ".keywright/format").write_bytes(b"x"), [
        "store 'file': PATH: the marker .keywright/format is damaged; restore it from a backup",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "expected"), [pytest.param(plant, said, id=name) for name, plant, said in FILE_FAULTS]
)
def test_faults_in_a_store_of_files(ring: Ring, plant: Callable[[Path], object], expected: list[str]) -> None:
    """Each is told once, and nothing else is."""
    ring.make("a", "b")

    plant(Path(ring.keys))

    assert [said.replace(ring.keys, "PATH") for said in ring.findings()] == expected
