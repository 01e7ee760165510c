"""`keywright nix verify`: which paths lack signatures, what is said of each, and the traps in trusted keys."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nix_signing import MakeCache, Run, bound, public, refusal, sig
from support.errors import joined, printed

from keywright.errors import ConfigError
from keywright_nix.cache import Cache


def sign(path: Path, name: str, number: int) -> None:
    """Add its signature to a narinfo."""
    data = path.read_bytes()
    path.write_bytes(data + sig(bound(name, number), data))


Verify = Callable[..., tuple[int, str, str]]

A, B = public("a-1", 1), public("b-1", 2)
AB = f"{A} {B}"
STORE_PATH = f"/nix/store/{0:032}-hello"


@pytest.fixture
def verify(nix_command: Run) -> Verify:
    """Runs `nix verify` over places: exit code, stdout and stderr as text."""

    def run(*places: Path, trusted: str = A, needed: int = 1, as_json: bool = False) -> tuple[int, str, str]:
        options = ("--trusted-public-keys", trusted, "--sigs-needed", str(needed))
        code, out, err = nix_command("verify", *map(str, places), *options, as_json=as_json)
        return code, out.decode(), err.decode()

    return run


@pytest.fixture
def file(make_cache: MakeCache) -> Path:
    return next(make_cache(1).glob("*.narinfo"))


def test_a_cache_that_is_good(verify: Verify, nix_command: Run, make_cache: MakeCache) -> None:
    """Nothing is printed but the count, and nothing written; a cache may be named by a URL."""
    cache = make_cache(3)
    for path in cache.glob("*.narinfo"):
        sign(path, "a-1", 1)
    (cache / ".keywright-x.narinfo").touch()  # what a killed run left
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}

    by_url = nix_command("verify", f"file://{cache}", "--trusted-public-keys", f"{B} {A}")

    assert verify(cache) == (0, "verified 3, bad 0\n", "")
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == before
    assert by_url == (0, b"verified 3, bad 0\n", b"")


def test_what_is_good(verify: Verify, file: Path) -> None:
    """Two distinct keys are two; a signature of an unknown key may be spelled in any way."""
    sign(file, "a-1", 1)
    sign(file, "b-1", 2)
    file.write_bytes(file.read_bytes() + b"Sig: z-1:x\n")

    assert verify(file, trusted=AB, needed=2) == (0, "verified 1, bad 0\n", "")


ONE_OF_TWO = "1 valid trusted signatures, 2 required (a-1)"
# The signatures, which keys are trusted and how many of them are needed, and what is said.
WRONG: dict[str, tuple[list[tuple[str, int]], str, int, str]] = {
    "none": ([], A, 1, "0 valid trusted signatures, 1 required; the narinfo has none"),
    "not trusted": ([("c-1", 3)], A, 1, "0 valid trusted signatures, 1 required; 1 are by keys that are not trusted"),
    "forged": ([("a-1", 9)], A, 1, "0 valid trusted signatures, 1 required; under a-1 one is not valid"),
    "one of two": ([("a-1", 1), ("b-1", 9)], AB, 2, f"{ONE_OF_TWO}; under b-1 one is not valid"),
    "one alone": ([("a-1", 1)], AB, 2, ONE_OF_TWO),
    "one, beside a forged one of its own name": ([("a-1", 9), ("a-1", 1)], AB, 2, ONE_OF_TWO),
    "one, and two that are not trusted": (
        *([("a-1", 1), ("c-1", 3), ("d-1", 4)], AB, 2),
        f"{ONE_OF_TWO}; 2 are by keys that are not trusted",
    ),
    "the same one twice": ([("a-1", 1), ("a-1", 1)], AB, 2, ONE_OF_TWO),
    "one key under two names": (
        *([("a-1", 1), ("z-1", 1)], f"{A} {public('z-1', 1)} {B}", 2),
        "1 valid trusted signatures, 2 required (a-1, z-1); one key under two names counts once",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong(verify: Verify, file: Path, case: str) -> None:
    signers, trusted, needed, rule = WRONG[case]
    for name, number in signers:
        sign(file, name, number)

    code, out, _ = verify(file, trusted=trusted, needed=needed)

    assert (code, out) == (1, f"{STORE_PATH}: {rule}\nverified 0, bad 1\n")


def test_an_unpadded_copy_counts_once(verify: Verify, file: Path) -> None:
    """Nix 2.8 counts a signature and its unpadded spelling as two; here the key counts."""
    sign(file, "a-1", 1)
    line = file.read_bytes().splitlines()[-1]
    file.write_bytes(file.read_bytes() + line.rstrip(b"=") + b"\n")

    code, out, _ = verify(file, trusted=AB, needed=2)

    assert (code, out) == (1, f"{STORE_PATH}: 1 valid trusted signatures, 2 required (a-1)\nverified 0, bad 1\n")


@pytest.mark.parametrize("place", [0, 1, 2], ids=["alone", "after a canonical one", "before one"])
def test_a_signature_that_is_spelled_otherwise_counts(verify: Verify, make_cache: MakeCache, place: int) -> None:
    """Nix counts it, so it counts; how many narinfos have one is a warning, and part of the JSON."""
    paths = sorted(make_cache(5).glob("*.narinfo"))
    for path in paths:
        sign(path, "a-1", 1)
    for number, path in enumerate(paths[1:]):
        *lines, last = path.read_bytes().splitlines()
        spare_bits = last[:-3] + bytes([last[-3] + 1]) + b"=="  # of the last character 2 bits count
        respelled = (last.rstrip(b"="), last[:-1], last + b" and more", spare_bits)[number]
        signatures = ([respelled], [last, respelled], [respelled, last])[place]
        path.write_bytes(b"\n".join([*lines, *signatures, b""]))

    code, out, err = verify(paths[0].parent)
    document = json.loads(verify(paths[0].parent, as_json=True)[1])

    warning = (
        "4 narinfos have a signature that is not written as Nix writes it, which other programs may refuse; drop it "
        "and sign again"
    )
    assert (code, out, err) == (0, "verified 5, bad 0\n", printed(warning, kind="warning"))
    assert document["warnings"] == [warning]


def test_what_a_signature_covers_cannot_be_changed(verify: Verify, file: Path) -> None:
    sign(file, "a-1", 1)
    sound = file.read_bytes()
    for old, new in (
        (b"-hello\n", b"-hallo\n"),
        (b"NarHash: sha256:0", b"NarHash: sha256:1"),
        (b"NarSize: 120", b"NarSize: 121"),
        (b"References: ", b"References: %032d-x" % 0),
    ):
        file.write_bytes(sound.replace(old, new))

        assert verify(file)[0] == 1, new


def test_a_wrong_signature_beside_a_right_one_is_a_warning(verify: Verify, file: Path) -> None:
    sign(file, "a-1", 9)
    sign(file, "a-1", 1)

    code, out, err = verify(file)

    assert (code, out) == (0, "verified 1, bad 0\n")
    assert err == (
        "warning: 1 narinfos have a signature under a-1 that is not valid, beside one that is\nhint: `nix "
        "store verify` fails on them: run `keywright nix sign CACHE --drop NAME`, then sign again\n"
    )


def test_json(verify: Verify, make_cache: MakeCache) -> None:
    cache = make_cache(2)
    paths = sorted(cache.glob("*.narinfo"))
    sign(paths[0], "a-1", 9)
    paths[1].write_bytes(b"")

    code, out, err = verify(cache, as_json=True)

    *lines, last = [json.loads(line) for line in out.splitlines()]
    message = f"{paths[1]}: the narinfo is incomplete: its last line does not end"
    assert sorted(lines, key=len) == [
        {"error": {"type": "FormatError", "message": message, "hint": "fetch it again", "exit_code": 65}},
        {
            "file": str(paths[0]),
            "path": STORE_PATH,
            "needed": 1,
            "holding": [],
            "not_holding": ["a-1"],
            "message": f"{STORE_PATH}: 0 valid trusted signatures, 1 required; under a-1 one is not valid",
        },
    ]
    assert last == {"verified": 0, "bad": 1, "gone": 0, "faults": 1, "malformed_keys": 0, "warnings": []}
    assert (code, err) == (65, printed(f"{message}; fetch it again"))


def test_faults(verify: Verify, make_cache: MakeCache) -> None:
    cache = make_cache(1)
    sign(next(cache.glob("*.narinfo")), "a-1", 1)
    (cache / "x.narinfo").symlink_to("y")
    (cache / "nix-cache-info").write_bytes(b"StoreDir: store\n")

    code, out, err = verify(cache)

    assert (code, out) == (65, "verified 1, bad 0, faults 2\n")
    assert joined(err).splitlines() == [
        f"error: {cache}/nix-cache-info: StoreDir is not a store directory; write one, such as /nix/store",
        f"error: {cache}/x.narinfo: is a symbolic link; sign the file that it leads to",
    ]


def test_arguments_that_do_not_fit(verify: Verify, file: Path) -> None:
    no_key = "--trusted-public-keys has no valid Nix key; pass NAME:BASE64, separated by spaces"
    for trusted, needed, message in (
        ("", 1, no_key),
        ("a-1:x", 1, no_key),
        (A, 0, "--sigs-needed must be a whole number, 1 or more"),
    ):
        with refusal(ConfigError, message):
            verify(file, trusted=trusted, needed=needed)


def test_keys_to_trust_are_required(nix_command: Run, file: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Whom to trust is never guessed, nor taken from Nix's own configuration."""
    with pytest.raises(SystemExit) as caught:
        nix_command("verify", str(file))

    assert caught.value.code == 2
    assert b"the following arguments are required: --trusted-public-keys\n" in capfdbinary.readouterr().err


def test_on_a_terminal_lines_stand_alone(
    nix_command: Run, make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar is taken away before a line is printed, or its rest would stand behind the line."""
    arguments = ("verify", str(make_cache(3)), "--trusted-public-keys", A)
    plain = nix_command(*arguments)[1].decode()
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    shown = b""

    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb", buffering=0) as screen:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", terminal)
            patch.setattr("sys.stderr", terminal)
            nix_command(*arguments)
        while part := screen.read(65_536):
            shown += part

    assert b" of 3 narinfos" in shown
    assert [line.rpartition("\x1b[K")[2] for line in shown.decode().split("\r\n")] == plain.split("\n")


def test_traps_are_reported(verify: Verify, file: Path) -> None:
    """What Nix would make of odd trusted keys is a warning each, and the rest is done."""
    sign(file, "a-1", 1)
    trusted = f"{A},{B} {public('a-1', 2)}"

    code, out, err = verify(file, trusted=trusted)
    document = json.loads(verify(file, trusted=trusted, as_json=True)[1])

    assert (code, out) == (0, "verified 1, bad 0\n")
    lines = err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("warning: --trusted-public-keys: key ") for line in lines)
    assert document["warnings"] == [line.removeprefix("warning: ") for line in lines]


def test_a_key_with_which_nix_refuses_to_work(verify: Verify, file: Path) -> None:
    """All is verified and yet the answer is no, with a warning for each; a narinfo that is malformed counts more."""
    sign(file, "a-1", 1)
    for trusted, malformed in (
        (f"{A} rubbish", 1),
        (f"{A} b-1:AAAA c-1:", 2),
        (f"{A} {B.rstrip('=')},{B}", 1),  # joined by a comma, without padding
    ):
        code, out, err = verify(file, trusted=trusted)
        in_json = verify(file, trusted=trusted, as_json=True)

        summary = f"verified 1, bad 0, malformed keys {malformed}, and Nix would refuse to work at all\n"
        assert (code, out) == (1, summary)
        assert err.count("is left out, and Nix would refuse to work at all") == malformed
        assert "rubbish" not in err
        document = json.loads(in_json[1])
        assert (in_json[0], document["malformed_keys"], len(document["warnings"])) == (1, malformed, malformed)

    file.write_bytes(b"")
    assert verify(file, trusted=f"{A} rubbish")[0] == 65


def test_a_narinfo_of_another_store_is_a_fault(verify: Verify, make_cache: MakeCache) -> None:
    cache = make_cache(2)
    odd, even = sorted(cache.glob("*.narinfo"))
    odd.write_bytes(odd.read_bytes().replace(b"/nix/store", b"/nix/store2"))
    for path in (odd, even):
        sign(path, "a-1", 1)
    message = f"{odd}: StorePath is in another store than nix-cache-info names; remove the narinfo from this cache"

    whole = verify(cache)
    single = verify(odd)

    assert whole == (65, "verified 1, bad 0, faults 1\n", printed(message))
    assert single == (65, "verified 0, bad 0, faults 1\n", printed(message))


def test_a_cache_may_be_of_another_store(verify: Verify, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"/nix/store", b"/gnu/store"))
    sign(file, "a-1", 1)
    info = file.with_name("nix-cache-info")
    info.unlink()

    assert verify(file.parent) == (0, "verified 1, bad 0\n", "")
    for text in (b"Priority: 40\n", b"StoreDir: /gnu/store\n"):
        info.write_bytes(text)

        assert verify(file.parent) == (0, "verified 1, bad 0\n", "")


def test_more_signatures_than_keys(verify: Verify, file: Path) -> None:
    sign(file, "a-1", 1)
    warning = "--sigs-needed 2: no path can have so many, because 1 keys are trusted"

    code, _, err = verify(file, needed=2)
    document = json.loads(verify(file, needed=2, as_json=True)[1].splitlines()[-1])
    twice = verify(file, trusted=f"{A} {public('z-1', 1)}", needed=2)[2].splitlines()

    assert (code, err) == (1, printed(warning, kind="warning"))
    assert document["warnings"] == [warning]
    assert twice[1:] == [f"warning: {warning}"]


def test_a_narinfo_that_goes_meanwhile_is_no_fault(
    verify: Verify, make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache(2)
    for path in cache.glob("*.narinfo"):
        sign(path, "a-1", 1)
    names = Cache.names

    def names_and_one_that_went(self: Cache) -> Iterator[str]:
        yield from names(self)
        yield "went.narinfo"

    monkeypatch.setattr(Cache, "names", names_and_one_that_went)

    assert verify(cache) == (0, "verified 2, bad 0, gone 1\n", "")
