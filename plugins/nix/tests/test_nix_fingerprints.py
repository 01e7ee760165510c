"""`keywright nix sign -`: fingerprints as JSON lines, and that nothing else is ever signed."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from nix_signing import KEY, Run, refusal

from keywright.errors import ConfigError, FormatError
from keywright_nix.narinfo import NarInfo
from keywright_nix.store_path import is_path_fingerprint

HASH = "0" * 32
PATH = f"1;/nix/store/{HASH}-hello;sha256:{'0' * 52};120;/nix/store/{HASH}-a,/nix/store/{HASH}-b"
LEAF = f"1;/nix/store/{HASH}-hello;sha256:{'0' * 52};120;"
OUTPUT = "syd87l2rxw8cbsxmxl853h0r6pdwhwjr-hello"
OLD_REALISATION = f'{{"dependentRealisations":{{}},"id":"sha256:{"0" * 64}!out","outPath":"{OUTPUT}"}}'
NEW_REALISATION = f'{{"key":{{"drvPath":"{OUTPUT}.drv","outputName":"out"}},"value":{{"outPath":"{OUTPUT}"}}}}'


def ours(message: str) -> str:
    """The signature of a fingerprint."""
    return "a-1:" + b64encode(KEY.sign(message.encode()).signature).decode()


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A secret key called a-1."""
    path = tmp_path / "secret-key"
    path.write_bytes(b"a-1:" + b64encode(bytes(KEY) + bytes(KEY.verify_key)))
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("message", [PATH, LEAF, OLD_REALISATION, NEW_REALISATION])
def test_fingerprints_are_signed(nix_command: Run, key_file: str, message: str) -> None:
    """A line comes back with all its members, in order, and the signature."""
    line = json.dumps({"path": "x", "fingerprint": message, "n": [1, None]})

    code, out, err = nix_command("sign", "-", "--key-file", key_file, given=line.encode() + b"\n")

    assert out.decode() == json.dumps({**json.loads(line), "signatures": [ours(message)]}) + "\n"
    assert (code, err) == (0, b"keywright: signed 1 fingerprints\n")


def test_the_fingerprint_of_a_narinfo(make_cache: Callable[..., Path]) -> None:
    """What our narinfos are signed by is a fingerprint here."""
    [path] = make_cache(1).glob("*.narinfo")

    assert is_path_fingerprint(NarInfo.parse(path.read_bytes()).fingerprint())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], [ours(LEAF)], id="none"),
        pytest.param(["b-1:x"], ["b-1:x", ours(LEAF)], id="another"),
        pytest.param([ours(LEAF)], [ours(LEAF)], id="ours"),
        pytest.param(
            [{"keyName": "b-1", "sig": "x"}],
            [{"keyName": "b-1", "sig": "x"}, {"keyName": "a-1", "sig": ours(LEAF)[4:]}],
            id="as objects",
        ),
        pytest.param(
            [{"keyName": "a-1", "sig": ours(LEAF)[4:]}], [{"keyName": "a-1", "sig": ours(LEAF)[4:]}], id="ours, so"
        ),
        pytest.param(["b-1:x", ours(LEAF)[:-2], "c-1:y"], ["b-1:x", "c-1:y", ours(LEAF)], id="ours without padding"),
        pytest.param(["a-1:x", "a-12:y"], ["a-1:x", "a-12:y", ours(LEAF)], id="one that does not hold"),
        pytest.param(
            [{"keyName": "a-1", "sig": ours(LEAF)[4:-2]}, {"keyName": "a-1"}, {}],
            [{"keyName": "a-1"}, {}, {"keyName": "a-1", "sig": ours(LEAF)[4:]}],
            id="objects that are odd",
        ),
    ],
)
def test_signatures_that_are_there(nix_command: Run, key_file: str, before: list[object], after: list[object]) -> None:
    """They are kept, and ours is added in their spelling if it is not among them."""
    line = json.dumps({"fingerprint": LEAF, "signatures": before})

    _, out, _ = nix_command("sign", "-", "--key-file", key_file, given=line.encode())

    assert json.loads(out)["signatures"] == after


UNSOUND = [
    "",
    "hello",
    PATH + "\n",
    PATH.replace("1;", "2;", 1),
    PATH.replace("-hello", ""),
    PATH.replace("sha256:", "sha1:"),
    PATH.replace("sha256:", ""),
    PATH.replace("0" * 52, "0" * 64),
    PATH.replace("0" * 52, "z" + "0" * 51),
    PATH.replace(";120;", ";0;"),
    PATH.replace(";120;", ";0120;"),
    PATH.replace(";120;", ";-1;"),
    PATH.replace(";120;", ";18446744073709551616;"),
    PATH + ",",
    PATH + f",/nix/store/{HASH}-b",
    PATH + f",/other/store/{HASH}-c",
    PATH.replace("-a,", "-c,"),
    PATH + ";",
    OLD_REALISATION + " ",
    OLD_REALISATION.replace(":{}", ": {}"),
    NEW_REALISATION[:-1] + ',"signatures":[]}',
    '{"outPath":"x"}',
]


@pytest.mark.parametrize("message", UNSOUND)
def test_nothing_else_is_signed(nix_command: Run, key_file: str, message: str) -> None:
    """A text that Nix would not spell so is refused with its line; those before it are answered."""
    lines = [json.dumps({"fingerprint": LEAF}), json.dumps({"fingerprint": message})]

    with refusal(
        FormatError,
        "standard input:2: has a fingerprint that is not spelled as Nix spells a path's or a realisation's; correct it",
    ):
        nix_command("sign", "-", "--key-file", key_file, given="\n".join(lines).encode())


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"fingerprint": 1}\n',
        b'{"fingerprint": "x", "fingerprint": "y"}\n',
        b'{"fingerprint": "x", "n": NaN}\n',
        b'{"fingerprint": "x", "n": 1e999}\n',
        b'{"fingerprint": "x"\n',
        b"\xff\n",
        b"[" * 100_000,
        b'{"fingerprint": "x", "n": ' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_no_such_object(nix_command: Run, key_file: str, line: bytes) -> None:
    """A line that is no JSON object with a text as fingerprint is refused."""
    with refusal(
        FormatError, "standard input:1: is no JSON object with a text as fingerprint, or has a member twice; correct it"
    ):
        nix_command("sign", "-", "--key-file", key_file, given=line)


@pytest.mark.parametrize("signatures", ["x", 1, None, [1], ["x", {}], {}])
def test_signatures_of_no_known_kind(nix_command: Run, key_file: str, signatures: object) -> None:
    """What cannot be added to is refused."""
    line = json.dumps({"fingerprint": LEAF, "signatures": signatures}).encode()

    with refusal(FormatError, ("standard input:1: has signatures that are no list of texts or of objects; correct it")):
        nix_command("sign", "-", "--key-file", key_file, given=line)


def test_a_line_without_end(nix_command: Run, key_file: str) -> None:
    """A line is read up to 8 MiB, and no further."""
    with refusal(FormatError, "standard input:1: has more than 8388608 bytes; give one object a line"):
        nix_command("sign", "-", "--key-file", key_file, given=b" " * (8 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["-", "cache", "--key-file", "x"],
            "- stands for fingerprints on standard input; leave the other caches out",
            id="another cache",
        ),
        *(
            pytest.param(
                ["-", "--key-file", "x", *extra],
                "--drop, --only-signed-by, --dry-run and --jobs are for narinfos; leave them out with -",
                id=extra[0],
            )
            for extra in (["--drop", "a"], ["--only-signed-by", "a"], ["--dry-run"], ["--jobs", "1"])
        ),
        pytest.param(
            ["-", "--key-file", "-"],
            "standard input cannot hold both the key and the fingerprints; name a key file",
            id="the key on stdin",
        ),
        pytest.param(["-"], "there is no key to sign with; name one with --key or --key-file", id="no key"),
    ],
)
def test_arguments_that_do_not_fit(nix_command: Run, arguments: list[str], message: str) -> None:
    """They are refused before anything is read."""
    with refusal(ConfigError, message):
        nix_command("sign", *arguments)


def test_a_closed_standard_input(key_file: str, monkeypatch: pytest.MonkeyPatch, registry: object) -> None:
    """Without a stdin there is nothing to sign."""
    from keywright_nix.cli.fingerprints import sign_fingerprints

    monkeypatch.setattr("sys.stdin", None)

    with refusal(ConfigError, "standard input is closed, so there is nothing to read; give JSON lines"):
        sign_fingerprints(None, [])  # type: ignore[arg-type]  # it is not used before a line is there
