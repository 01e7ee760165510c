"""Store paths, apart from the narinfos that they stand in."""

from __future__ import annotations

import pytest

from keywright_nix.store_path import is_store_directory, split_store_path

HASH = b"0123456789abcdfghijklmnpqrsvwxyz"  # each character that it may have


@pytest.mark.parametrize(
    "name",
    [b"x", b"x" * 211, b"+-._?=09azAZ", b"...", b".x", b"..x", b"-", b"x.drv"],
    ids=repr,
)
def test_a_path_is_parted(name: bytes) -> None:
    """Directory and base name."""
    assert split_store_path(b"/nix/store/%b-%b" % (HASH, name)) == (b"/nix/store", HASH + b"-" + name)


@pytest.mark.parametrize(
    "base",
    [
        *(
            HASH + b"-" + name
            for name in (b"", b"x" * 212, b".", b"..", b".-x", b"..-x", b"a/b", b"a b", b"a,b", b"a\n")
        ),
        *(HASH + rest for rest in (b"", b"x", b"_x")),
        *(odd + HASH[1:] + b"-x" for odd in (b"", b"00", b"e", b"o", b"t", b"u", b"A", b"-")),
    ],
    ids=repr,
)
def test_a_base_name_that_is_none(base: bytes) -> None:
    """As Nix's rule has it (`src/libstore/path.cc`)."""
    with pytest.raises(ValueError, match="no store path"):
        split_store_path(b"/nix/store/" + base)


@pytest.mark.parametrize(
    "path", [b"/nix/store", b"/n", b"/a/.b/..c/d.", b"/...", b"/!#$%&'()*+-.09:<=>?@AZ[\\]^_`az{|}~"], ids=repr
)
def test_a_store_directory(path: bytes) -> None:
    """Absolute, of printing ASCII."""
    assert is_store_directory(path)


@pytest.mark.parametrize(
    "path",
    [
        *(b"", b"/", b"nix", b"/nix/", b"//nix", b"/a//b", b"/.", b"/..", b"/a/./b", b"/a/../b"),
        *(b"/a" + odd for odd in (b",", b";", b" ", b"\n", b"\0", b"\x7f", b"\x80", b"/..", b"/.")),
    ],
    ids=repr,
)
def test_what_is_no_store_directory(path: bytes) -> None:
    """What would part a fingerprint, or mean another directory."""
    assert not is_store_directory(path)
