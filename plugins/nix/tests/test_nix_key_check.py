"""`nix key check`: each deviation of a key file by its sentence, and never a byte of a key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import nacl.signing
import pytest

from keywright import Registry
from keywright_nix.cli.check import check_file, check_files

Run = Callable[..., tuple[int, bytes, bytes]]

# Nix 2.8 manual page nix3-key-convert-secret-to-public, section Examples.
NAME = b"cache.example.org-0"
SECRET = NAME + b":E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
PUBLIC = NAME + b":tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="
PAYLOAD = SECRET.partition(b":")[2]
ZERO_PUBLIC = bytes(nacl.signing.SigningKey(bytes(32)).verify_key)
LINE_FEED = "a line feed ends the file, and Nix writes none; take it out"
NOT_PRINTING = (
    "the key's name holds whitespace, a control character or another one that does not print; it can never stand in "
    "trusted-public-keys"
)
FOLLOWED = "something follows the base64 padding; it was left out"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Writes a file, 0600 unless said otherwise, and gives its path."""

    def write(data: bytes, *, mode: int = 0o600, name: str = "key") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    return write


def deviations(registry: Registry, path: str) -> tuple[str, ...]:
    return check_file(path, registry.key_type("ed25519")).deviations


@pytest.mark.parametrize(
    ("data", "mode", "half"),
    [
        pytest.param(SECRET, 0o600, "secret", id="secret key"),
        pytest.param(SECRET, 0o400, "secret", id="secret key, read-only"),
        pytest.param(PUBLIC, 0o600, "public", id="public key"),
        pytest.param(PUBLIC, 0o666, "public", id="public key that all may read and write"),
    ],
)
def test_a_sound_file(command: Run, file: Callable[..., str], data: bytes, mode: int, half: str) -> None:
    """One line says what it is, and the code is 0."""
    path = file(data, mode=mode)

    assert command("check", path) == (0, f"{path}: sound ({half} key cache.example.org-0)\n".encode(), b"")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777], ids=oct)
def test_a_secret_key_that_others_may_use(registry: Registry, file: Callable[..., str], mode: int) -> None:
    """Any access for group or others is told."""
    path = file(SECRET, mode=mode)

    assert deviations(registry, path) == (
        f"has the mode {mode:04o}; a secret key is its owner's alone: make it 0600 (chmod 600)",
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(SECRET + b"\n", [LINE_FEED], id="line feed"),
        pytest.param(PUBLIC + b"\n", [LINE_FEED], id="line feed after a public key"),
        pytest.param(
            SECRET + b"\n\n", ["more than one line feed ends the key; they were left out"], id="two line feeds"
        ),
        pytest.param(
            SECRET + b"\r\n",
            [
                (
                    "a Windows line end (carriage return, line feed) ends the file, which other programs than Nix may "
                    "not read; take it out"
                )
            ],
            id="Windows line end",
        ),
        pytest.param(
            SECRET[:-2] + b"\r\n",
            [
                (
                    "the base64 of the Nix key holds a space, tab or carriage return; take it out (a file with Windows "
                    "line ends has them)"
                )
            ],
            id="Windows line end without padding, which Nix refuses",
        ),
        pytest.param(
            b"\xef\xbb\xbf" + SECRET,
            ["a byte order mark starts the file, and Nix takes it for a part of the key's name; save it without"],
            id="byte order mark",
        ),
        pytest.param(
            SECRET[:60] + b"\n" + SECRET[60:], ["the base64 is broken into lines; they were joined"], id="broken lines"
        ),
        pytest.param(
            SECRET[:-2], ["the base64 padding is missing or of the wrong length; it was put right"], id="no padding"
        ),
        pytest.param(SECRET + b" ", [FOLLOWED], id="space at the end"),
        pytest.param(SECRET + b"junk", [FOLLOWED], id="junk after the padding"),
        pytest.param(
            SECRET[:-3] + b"x==",
            ["the last base64 character sets bits that belong to no byte; they were ignored"],
            id="spare bits",
        ),
        pytest.param(
            SECRET.replace(b"+", b"-").replace(b"/", b"_"),
            [
                (
                    "the base64 of the Nix key is of the URL-safe kind, with '-' and '_'; Nix reads '+' and '/' in "
                    "their place"
                )
            ],
            id="URL-safe",
        ),
        pytest.param(
            NAME + b":" + b64encode(bytes(range(64))),
            ["the public half of this ed25519 key does not belong to its secret half; import a key whose halves match"],
            id="halves that do not belong together",
        ),
        pytest.param(
            NAME + b":" + b64encode(bytes(32) + ZERO_PUBLIC),
            ["the seed is all zeros, so everybody has this key; make a new one"],
            id="seed of zeros",
        ),
        pytest.param(
            NAME + b":" + b64encode(bytes(32)),
            [
                (
                    "the public half of this ed25519 key is a point of low order, for which signatures are forged "
                    "without a secret; import another key"
                )
            ],
            id="point of small order",
        ),
        pytest.param(b":" + PAYLOAD, ["the Nix key has no name before its colon; write NAME:BASE64"], id="no name"),
        pytest.param(
            b"a:b:" + PAYLOAD,
            [
                (
                    "the Nix key has a second colon, and Nix takes the name to end at the first; write NAME:BASE64 "
                    "with no colon in the name"
                )
            ],
            id="colon in the name",
        ),
        pytest.param(b"a b:" + PAYLOAD, [NOT_PRINTING], id="space in the name"),
        pytest.param(b"\n" + SECRET, [NOT_PRINTING], id="leading line feed"),
        pytest.param(b"\x1b[2J:" + PAYLOAD, [NOT_PRINTING], id="a name that steers terminals"),
        pytest.param(
            b"\xff:" + PAYLOAD,
            ["the name of the Nix key is not UTF-8; give it another before the colon"],
            id="a name that is not UTF-8",
        ),
        pytest.param(
            b"a,b:" + PAYLOAD,
            ["the key's name holds a comma, which reads as the end of one key and the start of the next; rename it"],
            id="comma in the name",
        ),
        pytest.param(
            b"a#b:" + PAYLOAD,
            ["the key's name holds a '#', where nix.conf takes a comment to begin; rename it"],
            id="a comment's sign in the name",
        ),
        pytest.param(
            b"#,:" + PAYLOAD,
            [
                "the key's name holds a comma, which reads as the end of one key and the start of the next; rename it",
                "the key's name holds a '#', where nix.conf takes a comment to begin; rename it",
            ],
            id="both in the name",
        ),
        *(
            pytest.param(
                name + b":" + PUBLIC.partition(b":")[2],
                ["the key's name holds as much base64 in a row as a key does, so it is not shown; write a name there"],
                id=f"a seed for a name, {what}",
            )
            for what, name in (
                ("padded", PAYLOAD[:43] + b"="),
                ("bare", PAYLOAD[:43]),
                ("41 digits", PAYLOAD[:41]),
                ("after a word", b"key=" + PAYLOAD[:43]),
            )
        ),
        pytest.param(b"", ["the Nix key is empty; it must be NAME:BASE64"], id="empty"),
        pytest.param(
            PAYLOAD,
            ["the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"],
            id="no colon",
        ),
        pytest.param(
            SECRET[:-4],
            [
                "the base64 of the Nix key stands for 63 bytes; a secret key has 64 and a public key 32: copy it whole",
            ],
            id="cut short",
        ),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n",
            ["this is PEM, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"],
            id="PEM",
        ),
        pytest.param(
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n",
            ["this is an OpenSSH key, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"],
            id="OpenSSH",
        ),
        pytest.param(b"a, b:" + PAYLOAD, [NOT_PRINTING], id="comma and space in the name"),
        pytest.param(
            bytes(65_536),
            ["the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"],
            id="as large as may be",
        ),
        pytest.param(bytes(65_537), ["has more than 65536 bytes, so it is no key"], id="too large"),
        pytest.param(
            b"\xef\xbb\xbf" + b"a,b:" + PAYLOAD[:-2] + b"\n",
            [
                "a byte order mark starts the file, and Nix takes it for a part of the key's name; save it without",
                LINE_FEED,
                "the base64 padding is missing or of the wrong length; it was put right",
                "the key's name holds a comma, which reads as the end of one key and the start of the next; rename it",
            ],
            id="several at once",
        ),
    ],
)
def test_deviations(command: Run, file: Callable[..., str], data: bytes, told: list[str]) -> None:
    """Each deviation is a line with the file's name, the code is 1, and no key is printed."""
    path = file(data)

    code, out, err = command("check", path)

    assert out.decode().splitlines() == [f"{path}: {one}" for one in told]
    assert (code, err) == (1, b"")
    assert all(data[place : place + 12] not in out for place in range(len(NAME) + 1, len(data) - 12, 7) if data[place])


@pytest.mark.parametrize("name", [b"a" * 40, b"-" * 41], ids=["40 letters", "41 hyphens"])
def test_a_long_name_that_is_no_key(command: Run, file: Callable[..., str], name: bytes) -> None:
    """It is shown like any."""
    path = file(name + b":" + PUBLIC.partition(b":")[2])

    assert command("check", path) == (0, b"%b: sound (public key %b)\n" % (path.encode(), name), b"")


def test_a_key_in_the_place_of_a_path(command: Run, file: Callable[..., str]) -> None:
    """It is not printed; what the argument should have been is said, and that the key is no secret any more."""
    sound = file(PUBLIC)
    told = (
        "looks like a key, and this command takes the path of its file; if it is a secret one, the shell's history and "
        "whoever lists processes may have it: make a new one"
    )

    code, out, err = command("check", sound, SECRET.decode())
    in_json = command("check", SECRET.decode(), as_json=True)

    assert (code, err) == (1, b"")
    assert out.decode().splitlines()[1:] == [f"argument 2: {told}"]
    assert command("check", SECRET.decode(), sound)[0] == 1
    assert (in_json[0], json.loads(in_json[1])) == (
        1,
        {"file": None, "half": None, "name": None, "deviations": [told]},
    )


def test_a_file_whose_name_looks_like_a_key(registry: Registry, file: Callable[..., str], tmp_path: Path) -> None:
    """If it is there, or a link of that name, it is a path."""
    name = "a:" + "b" * 43
    path = file(PUBLIC, name=name)
    (tmp_path / f"{name}c").symlink_to("nowhere")

    assert check_file(path, registry.key_type("ed25519")).deviations == ()
    assert check_file(f"{path}c", registry.key_type("ed25519")).path == f"{path}c"


@pytest.mark.parametrize("mode", [0o644, 0o600], ids=oct)
def test_the_mode_of_what_is_no_key(registry: Registry, file: Callable[..., str], mode: int) -> None:
    """Where nobody can tell which half it is, an open mode is told with that condition."""
    path = file(b"", mode=mode)

    found = deviations(registry, path)

    rule = "has the mode 0644; if it holds a secret, make it 0600 (chmod 600)"
    assert found[1:] == ((rule,) if mode == 0o644 else ())


def test_what_cannot_be_read(registry: Registry, tmp_path: Path) -> None:
    """Nothing there, a directory, a pipe without a writer, a path that no file has: a sentence each."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    paths = {
        str(tmp_path / "nowhere"): "cannot be read (No such file or directory)",
        str(tmp_path / "dangling"): "cannot be read (No such file or directory)",
        str(tmp_path): "is no regular file",
        str(tmp_path / "pipe"): "is no regular file",
        "/dev/zero": "is no regular file",
        "a\0b": "cannot be read (no file can have this path)",
        "\ud800": "cannot be read (no file can have this path)",
    }

    found = check_files(list(paths), registry.key_type("ed25519"))

    assert [(one.path, one.half, one.name, one.deviations) for one in found] == [
        (path, None, None, (told,)) for path, told in paths.items()
    ]


def test_a_symbolic_link_of_mine(registry: Registry, file: Callable[..., str], tmp_path: Path) -> None:
    """It is the file that it leads to: tools that decrypt secrets put them there so."""
    (tmp_path / "link").symlink_to(file(SECRET))

    assert deviations(registry, str(tmp_path / "link")) == ()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="root becomes another user")
def test_another_users_files(file: Callable[..., str], tmp_path: Path) -> None:
    """Who is not root is told of a key or a link that is somebody else's."""
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(directory.stat().st_mode | 0o055)
    (tmp_path / "link").symlink_to(file(SECRET, name="mine", mode=0o600))
    theirs = file(SECRET, name="theirs", mode=0o644)
    os.chown(theirs, 65_533, 65_533)
    os.chown(tmp_path / "mine", 65_534, 65_534)
    os.chown(tmp_path / "link", 65_533, 65_533, follow_symlinks=False)
    shut = file(SECRET, name="shut")
    program = (
        "import sys\nfrom keywright import Registry\nfrom keywright_nix.cli.check import check_files\n"
        "for one in check_files(sys.argv[1:], Registry.load().key_type('ed25519')):\n"
        "    print(*one.deviations, '--', sep='\\n')\n"
    )
    setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    done = subprocess.run(
        [*setpriv, sys.executable, "-c", program, str(tmp_path / "mine"), theirs, str(tmp_path / "link"), shut],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "--",
        "has the mode 0644; a secret key is its owner's alone: make it 0600 (chmod 600)",
        "belongs to another user, who can change it; have it made yours (chown)",
        "--",
        "is a symbolic link of another user, who can put another key there; name the file itself",
        "--",
        "cannot be read (Permission denied)",
        "--",
    ]


def test_two_files_with_different_keys_of_one_name(command: Run, file: Callable[..., str]) -> None:
    """A public key that is not the secret key's is told; the one that is, is sound."""
    secret, public = file(SECRET, name="secret"), file(PUBLIC, name="public")
    other = file(NAME + b":" + b64encode(ZERO_PUBLIC), name="other")

    code, out, _ = command("check", secret, public, other)

    assert code == 1
    assert out.decode().splitlines() == [
        f"{secret}: sound (secret key cache.example.org-0)",
        f"{public}: sound (public key cache.example.org-0)",
        f"{other}: has another key than {secret}, under the same name; they do not belong together",
    ]


def test_two_files_with_names_that_are_not_shown(command: Run, file: Callable[..., str]) -> None:
    """Their keys are not compared, for nothing could be said of them; in JSON the names are missing too."""
    seed, other = PAYLOAD[:43] + b"=", PAYLOAD[1:44]
    paths = [
        file(seed + b":" + PUBLIC.partition(b":")[2], name="one"),
        file(other + b":" + b64encode(ZERO_PUBLIC), name="two"),
    ]

    _, out, _ = command("check", *paths, as_json=True)

    told = "the key's name holds as much base64 in a row as a key does, so it is not shown; write a name there"
    assert [json.loads(line) for line in out.splitlines()] == [
        {"file": path, "half": "public", "name": None, "deviations": [told]} for path in paths
    ]


def test_json(command: Run, file: Callable[..., str]) -> None:
    """A document for each file, on a line of its own."""
    sound, bad = file(SECRET, name="sound"), file(PUBLIC + b"\n", name="bad")
    odd, none = file(b"a b:" + PAYLOAD, name="odd"), file(b"", name="none")

    code, out, _ = command("check", sound, bad, odd, none, as_json=True)

    assert code == 1
    assert [json.loads(line) for line in out.splitlines()] == [
        {"file": sound, "half": "secret", "name": NAME.decode(), "deviations": []},
        {"file": bad, "half": "public", "name": NAME.decode(), "deviations": [LINE_FEED]},
        {"file": odd, "half": "secret", "name": None, "deviations": [NOT_PRINTING]},
        {
            "file": none,
            "half": None,
            "name": None,
            "deviations": ["the Nix key is empty; it must be NAME:BASE64"],
        },
    ]


def test_a_path_that_steers_terminals(command: Run, tmp_path: Path) -> None:
    """It is escaped."""
    path = tmp_path / "\x1b[2J\n"

    _, out, _ = command("check", str(path))

    assert out.count(b"\n") == 1
    assert b"\x1b" not in out
    assert b"\\x1b[2J\\n" in out
