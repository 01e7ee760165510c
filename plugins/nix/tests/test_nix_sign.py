"""Signing a narinfo: which signatures it has afterwards."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from nix_signing import OTHER_A, A, B, M, MakeCache, bound, job, outcome_of, sig, signed, varying

from keywright.errors import FormatError
from keywright_nix.narinfo import NarInfo
from keywright_nix.rewrite import Outcome
from keywright_nix.signing import Bound


@pytest.fixture
def file(make_cache: MakeCache) -> Path:
    """One narinfo without signatures."""
    return make_cache(1) / f"{0:032}.narinfo"


def test_signatures_are_added(file: Path) -> None:
    """Each key adds its line, sorted among those that are there, and the rest stays as it was."""
    bare = file.read_bytes()

    kinds = [signed(file, job(M)), signed(file, job(B, A))]

    assert kinds == ["changed", "changed"]
    assert file.read_bytes() == bare + sig(A, bare) + sig(B, bare) + sig(M, bare)


def test_a_second_run_changes_nothing(file: Path) -> None:
    """What is signed already is not touched."""
    signed(file, job(A, B))
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)

    assert [signed(file, job(A, B)), signed(file, job(B)), signed(file, job(A))] == ["unchanged"] * 3

    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_signatures_are_dropped(file: Path) -> None:
    """Those under the given names are taken away, malformed ones too; names that only begin so stay."""
    bare = file.read_bytes()
    ours = sig(A, bare)
    others = b"Sig: a-11:x\nSig: a-2:y\n"
    file.write_bytes(bare + b"Sig: a-1:rubbish\n" + ours + others)

    assert [signed(file, job(drop=("a-1", "c-1"))), signed(file, job(drop=("a-1", "c-1")))] == ["changed", "unchanged"]

    assert file.read_bytes() == bare + others


def test_dropping_a_name_and_signing_under_it(file: Path) -> None:
    """Wrong signatures under our own name are replaced by ours; a second run finds nothing to do."""
    bare = file.read_bytes()
    file.write_bytes(bare + sig(OTHER_A, bare))

    kinds = [signed(file, job(A, drop=("a-1",))), signed(file, job(A, drop=("a-1",)))]

    assert kinds == ["changed", "unchanged"]
    assert file.read_bytes() == bare + sig(A, bare)


def test_another_signature_under_our_name(file: Path) -> None:
    """It may be another key's, so it stays, and is told."""
    bare = file.read_bytes()
    file.write_bytes(bare + sig(OTHER_A, bare))

    outcomes = [outcome_of(file, job(A, B)) for _ in range(2)]

    assert outcomes == [Outcome("changed", clashing=("a-1",)), Outcome("unchanged", clashing=("a-1",))]
    assert sorted(file.read_bytes().removeprefix(bare).splitlines(keepends=True)) == sorted(
        [sig(A, bare), sig(OTHER_A, bare), sig(B, bare)]
    )


class TestSignaturesThatDiffer:
    """Signatures of our own key that are not the ones that we would make."""

    def test_a_key_whose_signatures_vary(self, file: Path) -> None:
        """However often it is run, there is one signature, and the key is not asked for a second."""
        key = varying("a-1")
        calls = []

        def sign(message: bytes) -> bytes:
            calls.append(message)
            return key.sign(message)

        kinds = [signed(file, job(key._replace(sign=sign), B)) for _ in range(3)]

        assert kinds == ["changed", "unchanged", "unchanged"]
        info = NarInfo.parse(file.read_bytes())
        assert (len(calls), [text[:4] for text in info.signatures]) == (1, ["a-1:", "b-1:"])
        assert info.verify([f"a-1:{b64encode(A.public).decode()}"]) == {"a-1"}

    def test_one_that_another_program_made(self, file: Path) -> None:
        """What holds under our key counts as signed, however it came about."""
        bare = file.read_bytes()
        file.write_bytes(bare + sig(varying("a-1"), bare))

        assert outcome_of(file, job(A)) == Outcome("unchanged")

    @pytest.mark.parametrize("key", [A, varying("a-1")], ids=["in this process", "in a store"])
    def test_one_that_is_spelled_otherwise(self, file: Path, key: Bound) -> None:
        """A signature that Nix reads and would not write so is spelled anew, and nobody else's is touched."""
        bare = file.read_bytes()
        line = sig(A, bare)
        other = sig(B, bare).replace(b"=", b"")
        file.write_bytes(bare + line.replace(b"=", b"") + other)

        outcomes = [outcome_of(file, job(key)) for _ in range(2)]

        assert outcomes == [Outcome("changed"), Outcome("unchanged")]
        assert file.read_bytes() == bare + line + other

    def test_two_spellings_of_one(self, file: Path) -> None:
        """The one that Nix would write stays alone."""
        bare = file.read_bytes()
        line = sig(A, bare)
        file.write_bytes(bare + line + line.replace(b"=", b""))

        assert outcome_of(file, job(A)) == Outcome("changed")

        assert file.read_bytes() == bare + line

    @pytest.mark.parametrize("key", [A, varying("a-1")], ids=["in this process", "in a store"])
    @pytest.mark.parametrize(
        "line", [b"Sig: a-1:x\n", b"Sig: a-1:\n", b"Sig: a-1:\xff\n", b"Sig: a-1:" + b"A" * 88 + b"\n"]
    )
    def test_one_that_does_not_hold(self, file: Path, key: Bound, line: bytes) -> None:
        """It stays beside ours, and is told each time."""
        file.write_bytes(file.read_bytes() + line)

        outcomes = [outcome_of(file, job(key)) for _ in range(2)]

        assert outcomes == [Outcome("changed", clashing=("a-1",)), Outcome("unchanged", clashing=("a-1",))]
        assert file.read_bytes().count(b"\nSig: ") == 2
        assert line in file.read_bytes()


class TestAnotherStore:
    """`StoreDir` of the cache's nix-cache-info."""

    @pytest.mark.parametrize("store", [b"", b"/nix/store"], ids=["not said", "the same"])
    def test_a_path_of_the_store(self, file: Path, store: bytes) -> None:
        """It is signed."""
        assert signed(file, job(A)._replace(store_dir=store)) == "changed"

    @pytest.mark.parametrize("directory", [b"/nix", b"/nix/store/sub", b"/nix/stor", b"/gnu/store", b"/nix/storee"])
    def test_a_path_of_another(self, file: Path, directory: bytes) -> None:
        """It is a fault, and left as it is."""
        before = file.read_bytes().replace(b": /nix/store/", b": " + directory + b"/")
        file.write_bytes(before)

        outcome = outcome_of(file, job(A)._replace(store_dir=b"/nix/store"))

        assert (outcome.kind, type(outcome.error)) == ("faulty", FormatError)
        assert str(outcome.error) == (
            f"{file}: StorePath is of another store than nix-cache-info says; take it out of this cache"
        )
        assert file.read_bytes() == before


class TestVouching:
    """`--only-signed-by`."""

    def test_what_the_old_key_signed_is_signed(self, file: Path) -> None:
        """A path with a valid signature of the old key gets the new one's, and loses the old if that is dropped."""
        bare = file.read_bytes()
        file.write_bytes(bare + b"Sig: a-1:rubbish\n" + sig(A, bare))

        assert signed(file, job(B, drop=("a-1",), vouching=A)) == "changed"

        assert file.read_bytes() == bare + sig(B, bare)

    @pytest.mark.parametrize("by", [None, OTHER_A, bound("a-2", 1), B], ids=["none", "forged", "renamed", "another"])
    def test_what_it_did_not_sign_is_left_alone(self, file: Path, by: Bound | None) -> None:
        """Without a valid signature under that very name nothing is added and nothing dropped."""
        bare = file.read_bytes()
        before = bare + (sig(by, bare) if by else b"")
        file.write_bytes(before)

        assert signed(file, job(M, drop=("b-1",), vouching=A)) == "not vouched for"

        assert file.read_bytes() == before

    def test_a_signature_of_another_path(self, make_cache: MakeCache) -> None:
        """A signature that was copied from another path vouches for nothing."""
        first, second = sorted(make_cache(2).glob("*.narinfo"))
        copied = second.read_bytes() + sig(A, first.read_bytes())
        second.write_bytes(copied)

        assert signed(second, job(B, vouching=A)) == "not vouched for"

        assert second.read_bytes() == copied

    def test_a_second_run(self, file: Path) -> None:
        """What was signed when the old key still vouched for it counts as signed already."""
        file.write_bytes(file.read_bytes() + sig(A, file.read_bytes()))
        task = job(B, drop=("a-1",), vouching=A)

        assert [signed(file, task), signed(file, task)] == ["changed", "unchanged"]


def test_zeros_after_a_loss_of_power_are_mended(file: Path) -> None:
    """Where ext4 wrote a longer file without its bytes, the next run writes the whole narinfo."""
    bare = file.read_bytes()
    file.write_bytes(bare + bytes(len(sig(A, bare))))

    assert [signed(file, job(A)), signed(file, job(A))] == ["changed", "unchanged"]

    assert file.read_bytes() == bare + sig(A, bare)
