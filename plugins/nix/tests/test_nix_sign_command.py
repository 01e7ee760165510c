"""`keywright nix sign`: what it does with caches, fingerprints and options, and what it prints and returns."""

from __future__ import annotations

import io
import json
import os
from base64 import b64encode
from pathlib import Path

import pytest
from nix_messages import NO_COLON
from nix_signing import KEY, PUBLIC, MakeCache, Run, holds, refusal, signed_narinfo
from support.errors import joined, printed

from keywright import Context, KeyRing, Registry, failure_document
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    FormatError,
    InvalidNameError,
    KeyNotFoundError,
    MalformedKeyError,
    PolicyError,
    ReadOnlyStoreError,
    StoreUnavailableError,
)
from keywright_nix.cache import Cache
from keywright_nix.cli.problems import Problems
from keywright_nix.cli.sign import sign_fingerprints
from keywright_nix.narinfo import NarInfo


def no_config() -> None:
    raise ConfigError("this test has no configuration")


def test_the_exit_code_is_that_of_the_first_problem(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """It is that of the same error by itself, and 0 without any; its document has it too, and each is printed."""
    for kind, code in (
        *((FormatError, 65), (AccessDeniedError, 5), (ReadOnlyStoreError, 5), (StoreUnavailableError, 6)),
        *((ConfigError, 2), (PolicyError, 5), (KeyNotFoundError, 3)),
    ):
        problems = Problems(Context(registry, read_config=no_config))  # type: ignore[arg-type]  # it never returns
        error = kind("x: is wrong", hint="fix it")
        assert problems.exit_code == 0

        problems.add(error)
        problems.add(InvalidNameError("later"))

        assert (problems.exit_code, problems.first) == (code, error)
        assert capsys.readouterr().err == "error: x: is wrong\nhint: fix it\nerror: later\n"
        document = {"type": kind.__name__, "message": "x: is wrong", "hint": "fix it", "exit_code": code}
        assert failure_document(error)["error"] == document


def test_json(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    cache = make_cache(2)
    bad = cache / "bad.narinfo"
    bad.write_bytes(b"x")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file, as_json=True)

    message = f"{bad}: the narinfo is incomplete: its last line does not end"
    assert json.loads(out) == {
        "changed": 2,
        "unchanged": 0,
        "not_vouched_for": 0,
        "gone": 0,
        "faults": 1,
        "clashing": {},
        "dry_run": False,
        "error": {"type": "FormatError", "message": message, "hint": "fetch it again", "exit_code": 65},
    }
    assert (code, err.decode()) == (65, printed(f"{message}; fetch it again"))
    bad.unlink()
    again = json.loads(nix_command("sign", str(cache), "--key-file", key_file, as_json=True)[1])
    assert (again["unchanged"], again["faults"], "error" in again) == (2, 0, False)


def test_faults(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Each fault is a line on stderr, the rest is signed, and the exit code is that of the first."""
    cache = make_cache(1)
    (cache / "link.narinfo").symlink_to("x")
    os.mkfifo(cache / "pipe.narinfo")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

    assert (code, out) == (65, b"signed 1, already signed 0, faults 2\n")
    assert sorted(joined(err).splitlines()) == [
        f"error: {cache}/link.narinfo: is a symbolic link; sign the file that it leads to",
        f"error: {cache}/pipe.narinfo: is not a regular file; remove it from the cache",
    ]


def test_odd_names(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """A file with an odd name is signed; if it is faulty the line on stderr stays one line."""
    for number, odd in enumerate((b"\xff", b"\n", b"\x1b[2J")):
        cache = make_cache(1, name=f"cache{number}")
        good, bad = (cache / os.fsdecode(odd + end + b".narinfo") for end in (b"1", b"2"))
        good.write_bytes(next(cache.glob("0*.narinfo")).read_bytes())
        bad.touch()

        code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

        assert (code, out) == (65, b"signed 2, already signed 0, faults 1\n")
        assert joined(err).count("\n") == 1
        assert b"\x1b" not in err
        assert holds(good, PUBLIC) == {"a-1"}


def test_drop(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    cache = make_cache(3)
    bare = {path: path.read_bytes() for path in cache.glob("*.narinfo")}
    nix_command("sign", str(cache), "--key-file", key_file)

    outs = [nix_command("sign", str(cache), "--drop", "a-1", "--drop", "b-1") for _ in range(2)]

    assert outs == [(0, b"changed 3, unchanged 0\n", b""), (0, b"changed 0, unchanged 3\n", b"")]
    assert {path: path.read_bytes() for path in bare} == bare


def test_dry_run(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """--dry-run tells what would be done, also while another one signs, and does nothing."""
    cache = make_cache(2)

    with Cache(str(cache)).locked():
        (cache / ".keywright-x.narinfo").touch()  # as a killed run leaves it
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in cache.iterdir()}
        signing = nix_command("sign", str(cache), "--key-file", key_file, "--dry-run")
        dropping = nix_command("sign", str(cache), "--drop", "a-1", "--dry-run")

    assert signing == (0, b"to sign 2, already signed 0\n", b"")
    assert dropping == (0, b"to change 0, unchanged 2\n", b"")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in cache.iterdir()} == before


def test_only_signed_by(nix_command: Run, make_cache: MakeCache, key_file: str, ring: KeyRing) -> None:
    cache = make_cache(3)
    vouched = min(cache.glob("*.narinfo"))
    nix_command("sign", str(vouched), "--key-file", key_file)

    out = nix_command("sign", str(cache), "--key", "cache", "--only-signed-by", PUBLIC, config=ring.config)

    assert out == (0, b"signed 1, already signed 0, not vouched for 2\n", b"")
    assert holds(vouched, ring.export("cache").decode()) == {"cache-1"}


def test_another_signature_under_our_name(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    cache = make_cache(2, tail=b"Sig: a-1:" + b64encode(bytes(64)) + b"\n")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

    assert (code, out) == (0, b"signed 2, already signed 0\n")
    assert err == (
        b"warning: 2 narinfos have an invalid signature under a-1, which Nix refuses\nhint: remove it with --drop a-1\n"
    )


def test_several_places(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Directories, URLs and files are done one after the other, and counted together; one may be empty."""
    first, second, third = (make_cache(2, name=name) for name in ("one", "t wo", "three"))
    single, empty = str(next(third.glob("*.narinfo"))), str(make_cache(0, name="empty"))

    out = nix_command("sign", str(first), f"file://{second}".replace(" ", "%20"), single, empty, "--key-file", key_file)

    assert out == (0, b"signed 5, already signed 0\n", b"")


def test_one_place_twice(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    cache = make_cache(2)
    (cache / "bad.narinfo").write_bytes(b"x")
    link = cache.with_name("link")
    link.symlink_to(cache)

    out = nix_command("sign", str(link), f"file://{cache}", f"{cache}/", "--key-file", key_file)

    assert out[:2] == (65, b"signed 2, already signed 0, faults 1\n")
    assert out[2].startswith(f"error: {link}/bad.narinfo: ".encode())


def test_a_path_of_another_store(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """What a cache's own nix-cache-info does not name is a fault; where that is not clear, nothing is signed."""
    ours, theirs = make_cache(2), make_cache(2, name="theirs")
    (theirs / "nix-cache-info").write_bytes(b"StoreDir: /gnu/store\n")

    code, out, err = nix_command("sign", str(ours), str(theirs), "--key-file", key_file)

    assert (code, out) == (65, b"signed 2, already signed 0, faults 2\n")
    rule = "StorePath is in another store than nix-cache-info names; remove the narinfo from this cache"
    assert sorted(joined(err).splitlines()) == [f"error: {theirs}/{n:032}.narinfo: {rule}" for n in range(2)]
    (theirs / "nix-cache-info").write_bytes(b"StoreDir: /nix/store\nStoreDir: /gnu/store\n")
    with pytest.raises(FormatError):
        nix_command("sign", str(theirs), "--key-file", key_file)
    assert not any(b"Sig" in path.read_bytes() for path in theirs.glob("*.narinfo"))


def test_a_narinfo_of_a_million_lines(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """It is signed like any other if it is sound, and named with its line if not; both keep every byte."""
    cache = make_cache(1)
    [path] = cache.glob("*.narinfo")
    long = path.read_bytes() + b"".join(b"%x: \n" % number for number in range(1_000_000))
    path.write_bytes(long)
    bad = cache / "bad.narinfo"
    bad.write_bytes(long + b"x\n")

    code, out, err = nix_command("sign", str(cache), "--key-file", key_file)

    rule = "is not a field; a field is a name, a colon, a space and a value; fetch the narinfo again"
    assert (code, out) == (65, b"signed 1, already signed 0, faults 1\n")
    assert err.decode() == printed(f"{bad}:1000007: {rule}")
    assert (path.read_bytes() == signed_narinfo(long), bad.read_bytes() == long + b"x\n") == (True, True)


def test_a_directory_of_other_files(nix_command: Run, key_file: str, tmp_path: Path) -> None:
    place = tmp_path / "photos"
    place.mkdir()
    for name in ("a.jpeg", ".keywright-a.tmp", "narinfo"):
        (place / name).write_bytes(b"x")
    before = {path.name: path.stat().st_ctime_ns for path in [place, *place.iterdir()]}
    rule = "is not a binary cache: it has neither nix-cache-info nor a narinfo; check the path"

    with refusal(ConfigError, f"{place}: {rule}"):
        nix_command("sign", str(place), "--key-file", key_file)

    assert {path.name: path.stat().st_ctime_ns for path in [place, *place.iterdir()]} == before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("watched", [False, True])
def test_the_directory_is_not_read_for_a_bar_that_is_not_drawn(
    nix_command: Run, make_cache: MakeCache, key_file: str, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    cache = make_cache(3)
    terminal = Terminal()
    looks = []
    scandir = os.scandir

    def look(path: str) -> object:
        looks.append(path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", look)
    if watched:
        monkeypatch.setattr("sys.stderr", terminal)

    nix_command("sign", str(cache), "--key-file", key_file, "--jobs", "1")

    assert ("1 of 3 narinfos" in terminal.getvalue()) == watched
    assert len(looks) == (3 if watched else 2)


def test_arguments_that_do_not_fit(nix_command: Run, make_cache: MakeCache) -> None:
    cache = str(make_cache())
    name = "--drop requires the name of a key, without the colon and what follows"
    for arguments, message in (
        ((), "no key to sign with or to drop is given; pass --key, --key-file or --drop"),
        (("--drop", ""), name),
        (("--drop", PUBLIC), name),
        *(
            (("--drop", "a", "--jobs", number), "--jobs must be a whole number from 1 to 64")
            for number in ("0", "-1", "65")
        ),
        (
            ("-", "--key-file", "x"),
            "- (fingerprints on standard input) cannot be combined with caches; leave the other caches out",
        ),
    ):
        with refusal(ConfigError, message):
            nix_command("sign", cache, *arguments)
    for_narinfos = "--drop, --only-signed-by, --dry-run and --jobs cannot be combined with -; leave them out"
    for arguments, message in (
        *((option, for_narinfos) for option in (("--drop", "a"), ("--only-signed-by", "a"), ("--dry-run",))),
        (("--jobs", "1"), for_narinfos),
        (
            ("--key-file", "-"),
            "the key and the fingerprints cannot both be read from standard input; pass the path of a key file",
        ),
        ((), "no key to sign with is given; pass --key or --key-file"),
    ):
        with refusal(ConfigError, message):
            nix_command("sign", "-", *arguments)
    with refusal(MalformedKeyError, f"--only-signed-by: {NO_COLON}"):
        nix_command("sign", cache, "--drop", "a", "--only-signed-by", "a-1")


def test_what_was_done_when_it_stops_early(
    nix_command: Run, make_cache: MakeCache, key_file: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    cache = make_cache(2)

    with pytest.raises(ConfigError):
        nix_command("sign", str(cache), str(cache / "missing"), "--key-file", key_file)

    out, err = capfdbinary.readouterr()
    assert out == b""
    assert err == (
        b"stopped early, with at least this done: signed 2, already signed 0; run the same command again to finish\n"
    )


# `nix sign -`: fingerprints as JSON lines, and nothing else is ever signed.


HASH = "0" * 32
PATH = f"1;/nix/store/{HASH}-hello;sha256:{'0' * 52};120;/nix/store/{HASH}-a,/nix/store/{HASH}-b"
LEAF = f"1;/nix/store/{HASH}-hello;sha256:{'0' * 52};120;"
OUTPUT = "syd87l2rxw8cbsxmxl853h0r6pdwhwjr-hello"
OLD_REALISATION = f'{{"dependentRealisations":{{}},"id":"sha256:{"0" * 64}!out","outPath":"{OUTPUT}"}}'
NEW_REALISATION = f'{{"key":{{"drvPath":"{OUTPUT}.drv","outputName":"out"}},"value":{{"outPath":"{OUTPUT}"}}}}'


def ours(message: str) -> str:
    return "a-1:" + b64encode(KEY.sign(message.encode()).signature).decode()


def test_fingerprints_are_signed(nix_command: Run, key_file: str, make_cache: MakeCache) -> None:
    [path] = make_cache(1).glob("*.narinfo")
    of_a_narinfo = NarInfo.parse(path.read_bytes()).fingerprint().decode()
    for message in (PATH, LEAF, OLD_REALISATION, NEW_REALISATION, of_a_narinfo):
        line = json.dumps({"path": "x", "fingerprint": message, "n": [1, None]})

        code, out, err = nix_command("sign", "-", "--key-file", key_file, given=line.encode() + b"\n")

        assert out.decode() == json.dumps({**json.loads(line), "signatures": [ours(message)]}) + "\n"
        assert (code, err) == (0, b"signed 1 fingerprints\n")


def test_signatures_that_are_present(nix_command: Run, key_file: str) -> None:
    """They are kept, and ours is added in their spelling if it is not among them."""
    text = ours(LEAF)
    other, own = {"keyName": "b-1", "sig": "x"}, {"keyName": "a-1", "sig": text[4:]}
    unpadded = {"keyName": "a-1", "sig": text[4:-2]}
    cases: list[tuple[list[object], list[object]]] = [
        ([], [text]),
        (["b-1:x"], ["b-1:x", text]),
        ([text], [text]),
        ([other], [other, own]),
        ([own], [own]),
        (["b-1:x", text[:-2], "c-1:y"], ["b-1:x", "c-1:y", text]),
        (["a-1:x", "a-12:y"], ["a-1:x", "a-12:y", text]),
        ([unpadded, {"keyName": "a-1"}, {}], [{"keyName": "a-1"}, {}, own]),
    ]
    for before, after in cases:
        line = json.dumps({"fingerprint": LEAF, "signatures": before})

        _, out, _ = nix_command("sign", "-", "--key-file", key_file, given=line.encode())

        assert json.loads(out)["signatures"] == after


UNSOUND = [
    *("", "hello", '{"outPath":"x"}', PATH + "\n", PATH + ",", PATH + ";"),
    *(PATH + f",/nix/store/{HASH}-b", PATH + f",/other/store/{HASH}-c", PATH.replace("-a,", "-c,")),
    *(PATH.replace("1;", "2;", 1), PATH.replace("-hello", "")),
    *(PATH.replace("sha256:", name) for name in ("sha1:", "")),
    *(PATH.replace("0" * 52, digits) for digits in ("0" * 64, "z" + "0" * 51)),
    *(PATH.replace(";120;", f";{size};") for size in ("0", "0120", "-1", "18446744073709551616")),
    *(OLD_REALISATION + " ", OLD_REALISATION.replace(":{}", ": {}"), NEW_REALISATION[:-1] + ',"signatures":[]}'),
]


def test_nothing_else_is_signed(nix_command: Run, key_file: str) -> None:
    """A text that Nix would not spell so is refused with its line; those before it are answered."""
    rule = (
        "has a fingerprint that is not written as Nix writes those of paths and realisations; pass the fingerprint as "
        "Nix signs it, such as 1;/nix/store/…"
    )
    for message in UNSOUND:
        lines = [json.dumps({"fingerprint": LEAF}), json.dumps({"fingerprint": message})]

        with refusal(FormatError, f"standard input:2: {rule}", message):
            nix_command("sign", "-", "--key-file", key_file, given="\n".join(lines).encode())


def test_a_line_that_is_no_such_object_is_refused(nix_command: Run, key_file: str) -> None:
    """It has a text as fingerprint and signatures that can be added to, and is read up to 8 MiB and no further."""
    no_object = (
        "is not a JSON object with a text as fingerprint, or has a duplicate member; "
        'write {"fingerprint": TEXT} on each line'
    )
    no_list = "has signatures that are not a list of strings or objects; pass a list, or leave them out"
    kinds: list[object] = ["x", 1, None, [1], ["x", {}], {}]
    cases = {
        no_object: [
            *(b"\n", b"[]\n", b"{}\n", b"\xff\n", b"[" * 100_000, b'{"fingerprint": 1}\n', b'{"fingerprint": "x"\n'),
            b'{"fingerprint": "x", "fingerprint": "y"}\n',
            *(b'{"fingerprint": "x", "n": %b}' % number for number in (b"NaN", b"1e999", b"1" * 5000)),
        ],
        no_list: [json.dumps({"fingerprint": LEAF, "signatures": kind}).encode() for kind in kinds],
        "has more than 8388608 bytes; give one object a line": [b" " * (8 * 1024 * 1024 + 1)],
    }
    for rule, lines in cases.items():
        for line in lines:
            with refusal(FormatError, f"standard input:1: {rule}", line[:150]):
                nix_command("sign", "-", "--key-file", key_file, given=line)


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)

    with refusal(ConfigError, "standard input is closed, so there is nothing to read; pass JSON lines"):
        sign_fingerprints(None, [])  # type: ignore[arg-type]  # it is not used before the first line
