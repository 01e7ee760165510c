"""Store paths, apart from the narinfos that they stand in."""

from __future__ import annotations

import pytest

from keywright_nix.store_path import is_store_directory, split_store_path

HASH = b"0123456789abcdfghijklmnpqrsvwxyz"  # each character that it may have


def test_a_path_is_split() -> None:
    for name in (b"x", b"x" * 211, b"+-._?=09azAZ", b"...", b".x", b"..x", b"-", b"x.drv"):
        assert split_store_path(b"/nix/store/%b-%b" % (HASH, name)) == (b"/nix/store", HASH + b"-" + name)


def test_a_base_name_that_is_none() -> None:
    """As Nix's rule has it (`src/libstore/path.cc`)."""
    names = (b"", b"x" * 212, b".", b"..", b".-x", b"..-x", b"a/b", b"a b", b"a,b", b"a\n")
    bases = [*(HASH + b"-" + name for name in names), *(HASH + rest for rest in (b"", b"x", b"_x"))]
    bases += [odd + HASH[1:] + b"-x" for odd in (b"", b"00", b"e", b"o", b"t", b"u", b"A", b"-")]
    for base in bases:
        with pytest.raises(ValueError, match="not a store path"):
            pytest.fail(f"{base!r}: {split_store_path(b'/nix/store/' + base)}")


def test_a_store_directory() -> None:
    """Absolute, of printing ASCII, without what would split a fingerprint or mean another directory."""
    sound = [b"/nix/store", b"/n", b"/a/.b/..c/d.", b"/...", b"/!#$%&'()*+-.09:<=>?@AZ[\\]^_`az{|}~"]
    others = [b"", b"/", b"nix", b"/nix/", b"//nix", b"/a//b", b"/.", b"/..", b"/a/./b", b"/a/../b"]
    others += [b"/a" + odd for odd in (b",", b";", b" ", b"\n", b"\0", b"\x7f", b"\x80", b"/..", b"/.")]

    assert [path for path in [*sound, *others] if is_store_directory(path)] == sound
