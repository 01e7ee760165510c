"""`nix key check`: each deviation of a key file by its sentence, and never a byte of a key."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import nacl.signing
import nix_messages as say
import pytest
from nix_messages import NAME, PUBLIC, PUBLIC_TEXT, SECRET, TEXT
from nix_signing import Run, as_another_user

from keywright import Registry
from keywright_nix.cli.check import check_file, check_files

File = Callable[..., str]

NAME_BYTES, PAYLOAD = NAME.encode(), SECRET.encode()
ZERO_PUBLIC = bytes(nacl.signing.SigningKey(bytes(32)).verify_key)
ONE_LINE_FEED = "a line feed ends the file, and Nix writes none; remove it"
WINDOWS_END = (
    "a Windows line end (carriage return, line feed) ends the file, which other programs than Nix may not read; "
    "remove it"
)
BYTE_ORDER_MARK = "a byte order mark starts the file, and Nix reads it as part of the key's name; save it without"
COMMA = "the key's name has a comma, which reads as the end of one key and the start of the next; rename it"
COMMENT = "the key's name has a '#', which begins a comment in nix.conf; rename it"
HIDDEN = "the key's name has as much base64 in a row as a key, so it is not shown; choose another name"
NOT_ITS_HALF = "the public half of this ed25519 key does not belong to its secret half; import a key whose halves match"
SMALL_ORDER = (
    "the public half of this ed25519 key is a point of low order, for which signatures are forged without a secret; "
    "import another key"
)


@pytest.fixture
def file(tmp_path: Path) -> File:
    """Writes a file, 0600 unless said otherwise, and gives its path."""

    def write(data: bytes, *, mode: int = 0o600, name: str = "key") -> str:
        path = tmp_path / name
        path.unlink(missing_ok=True)  # a file that was 0400 is replaced, not written to
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    return write


def deviations(registry: Registry, path: str) -> tuple[str, ...]:
    return check_file(path, registry.key_type("ed25519")).deviations


def test_a_sound_file(command: Run, file: File) -> None:
    """One line says what it is, and the code is 0; a public key may be read and written by all."""
    for data, mode, shown in (
        (TEXT, 0o600, f"secret key {NAME}"),
        (TEXT, 0o400, f"secret key {NAME}"),
        (PUBLIC_TEXT, 0o600, f"public key {NAME}"),
        (PUBLIC_TEXT, 0o666, f"public key {NAME}"),
        *((f"{long}:{PUBLIC}".encode(), 0o600, f"public key {long}") for long in ("a" * 40, "-" * 41)),
    ):
        path = file(data, mode=mode)

        assert command("check", path) == (0, f"{path}: sound ({shown})\n".encode(), b"")


def test_a_secret_key_that_others_may_use(registry: Registry, file: File) -> None:
    for mode in (0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777):
        assert deviations(registry, file(TEXT, mode=mode)) == (
            f"has the mode {mode:04o}; only its owner may read a secret key: run `chmod 600` on it",
        )


DEVIATIONS: dict[str, tuple[bytes, list[str]]] = {
    "line feed": (TEXT + b"\n", [ONE_LINE_FEED]),
    "line feed after a public key": (PUBLIC_TEXT + b"\n", [ONE_LINE_FEED]),
    "two line feeds": (TEXT + b"\n\n", [say.LINE_FEEDS_CUT]),
    "Windows line end": (TEXT + b"\r\n", [WINDOWS_END]),
    "Windows line end without padding, which Nix refuses": (TEXT[:-2] + b"\r\n", [say.SPACE]),
    "byte order mark": (b"\xef\xbb\xbf" + TEXT, [BYTE_ORDER_MARK]),
    "no padding": (TEXT[:-2], [say.PADDING_CHANGED]),
    "spare bits": (TEXT[:-3] + b"x==", [say.SPARE_BITS_IGNORED]),
    "halves that do not belong together": (NAME_BYTES + b":" + b64encode(bytes(range(64))), [NOT_ITS_HALF]),
    "seed of zeros": (
        NAME_BYTES + b":" + b64encode(bytes(32) + ZERO_PUBLIC),
        ["the seed is all zeros, so the key is publicly known; create a new one"],
    ),
    "point of small order": (NAME_BYTES + b":" + b64encode(bytes(32)), [SMALL_ORDER]),
    "space in the name": (b"a b:" + PAYLOAD, [say.ODD_NAME_KEPT]),
    "leading line feed": (b"\n" + TEXT, [say.ODD_NAME_KEPT]),
    "a name that steers terminals": (b"\x1b[2J:" + PAYLOAD, [say.ODD_NAME_KEPT]),
    "a name that is not UTF-8": (b"\xff:" + PAYLOAD, [say.NOT_UTF8]),
    "comma in the name": (b"a,b:" + PAYLOAD, [COMMA]),
    "comma and space in the name": (b"a, b:" + PAYLOAD, [say.ODD_NAME_KEPT]),
    "a comment's sign in the name": (b"a#b:" + PAYLOAD, [COMMENT]),
    "both in the name": (b"#,:" + PAYLOAD, [COMMA, COMMENT]),
    "a padded seed for a name": (PAYLOAD[:43] + b"=:" + PUBLIC.encode(), [HIDDEN]),
    "a bare seed for a name": (PAYLOAD[:43] + b":" + PUBLIC.encode(), [HIDDEN]),
    "41 digits for a name": (PAYLOAD[:41] + b":" + PUBLIC.encode(), [HIDDEN]),
    "a seed after a word for a name": (b"key=" + PAYLOAD[:43] + b":" + PUBLIC.encode(), [HIDDEN]),
    "empty": (b"", [say.EMPTY]),
    "no colon": (PAYLOAD, [say.NO_COLON]),
    "cut short": (TEXT[:-4], [say.length(63)]),
    "PEM": (b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n", [say.PEM]),
    "as large as may be": (bytes(65_536), [say.NO_COLON]),
    "too large": (bytes(65_537), ["has more than 65536 bytes, so it is not a key"]),
    "several at once": (
        b"\xef\xbb\xbfa,b:" + PAYLOAD[:-2] + b"\n",
        [BYTE_ORDER_MARK, ONE_LINE_FEED, say.PADDING_CHANGED, COMMA],
    ),
}


@pytest.mark.parametrize("case", DEVIATIONS)
def test_deviations(command: Run, file: File, case: str) -> None:
    """Each deviation is a line with the file's name, the code is 1, and no key is printed."""
    data, deviations = DEVIATIONS[case]
    path = file(data)

    code, out, err = command("check", path)

    assert out.decode().splitlines() == [f"{path}: {one}" for one in deviations]
    assert (code, err) == (1, b"")
    assert all(data[at : at + 12] not in out for at in range(len(NAME) + 1, len(data) - 12, 7) if data[at])


def test_a_key_in_the_place_of_a_path(command: Run, file: File) -> None:
    """It is not printed; what the argument should have been is said, and that the key is not a secret any more."""
    sound = file(PUBLIC_TEXT)
    told = (
        "looks like a key, and this command takes the path of its file; if it is a secret one, the shell's history and "
        "other users may have seen it in the process list: create a new one"
    )

    code, out, err = command("check", sound, TEXT.decode())
    in_json = command("check", TEXT.decode(), as_json=True)

    assert (code, err) == (1, b"")
    assert out.decode().splitlines()[1:] == [f"argument 2: {told}"]
    assert command("check", TEXT.decode(), sound)[0] == 1
    assert (in_json[0], json.loads(in_json[1])) == (
        1,
        {"file": None, "half": None, "name": None, "deviations": [told]},
    )


def test_what_looks_like_a_key_and_exists_is_a_path(registry: Registry, file: File, tmp_path: Path) -> None:
    name = "a:" + "b" * 43
    path = file(PUBLIC_TEXT, name=name)
    (tmp_path / f"{name}c").symlink_to("nowhere")

    assert check_file(path, registry.key_type("ed25519")).deviations == ()
    assert check_file(f"{path}c", registry.key_type("ed25519")).path == f"{path}c"


def test_the_mode_of_what_is_no_key(registry: Registry, file: File) -> None:
    """If it is unknown which half it is, an open mode is reported with that condition."""
    rule = "has the mode 0644; if it contains a secret key, run `chmod 600` on it"

    assert deviations(registry, file(b"", mode=0o644))[1:] == (rule,)
    assert deviations(registry, file(b"", mode=0o600))[1:] == ()


def test_what_cannot_be_read(registry: Registry, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    paths = {
        str(tmp_path / "nowhere"): "cannot be read (No such file or directory)",
        str(tmp_path / "dangling"): "cannot be read (No such file or directory)",
        str(tmp_path): "is not a regular file",
        str(tmp_path / "pipe"): "is not a regular file",
        "/dev/zero": "is not a regular file",
        "a\0b": "cannot be read (no file can have this path)",
        "\ud800": "cannot be read (no file can have this path)",
    }

    found = check_files(list(paths), registry.key_type("ed25519"))

    assert [(one.path, one.half, one.name, one.deviations) for one in found] == [
        (path, None, None, (told,)) for path, told in paths.items()
    ]


def test_a_symbolic_link_of_mine(registry: Registry, file: File, tmp_path: Path) -> None:
    """It is the file that it leads to: tools that decrypt secrets put them there so."""
    (tmp_path / "link").symlink_to(file(TEXT))

    assert deviations(registry, str(tmp_path / "link")) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="root becomes another user")
def test_another_users_files(file: File, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file(TEXT, name="mine", mode=0o600))
    theirs = file(TEXT, name="theirs", mode=0o644)
    os.chown(theirs, 65_533, 65_533)
    os.chown(tmp_path / "mine", 65_534, 65_534)
    os.chown(tmp_path / "link", 65_533, 65_533, follow_symlinks=False)
    shut = file(TEXT, name="shut")
    program = (
        "import sys\nfrom keywright import Registry\nfrom keywright_nix.cli.check import check_files\n"
        "for one in check_files(sys.argv[1:], Registry.load().key_type('ed25519')):\n"
        "    print(*one.deviations, '--', sep='\\n')\n"
    )

    shown = as_another_user(program, tmp_path / "mine", theirs, tmp_path / "link", shut)

    assert shown.splitlines() == [
        "--",
        "has the mode 0644; only its owner may read a secret key: run `chmod 600` on it",
        "belongs to another user, who can change it; change its owner (chown)",
        "--",
        "is a symbolic link of another user, who can replace it; pass the file itself",
        "--",
        "cannot be read (Permission denied)",
        "--",
    ]


def test_two_files_with_different_keys_of_one_name(command: Run, file: File) -> None:
    secret, public = file(TEXT, name="secret"), file(PUBLIC_TEXT, name="public")
    other = file(NAME_BYTES + b":" + b64encode(ZERO_PUBLIC), name="other")

    code, out, _ = command("check", secret, public, other)

    assert code == 1
    assert out.decode().splitlines() == [
        f"{secret}: sound (secret key cache.example.org-0)",
        f"{public}: sound (public key cache.example.org-0)",
        f"{other}: has another key than {secret}, under the same name; they do not belong together",
    ]


def test_two_files_with_names_that_are_not_shown(command: Run, file: File) -> None:
    """Their keys are not compared, for nothing could be said of them; in JSON the names are missing too."""
    seed, other = PAYLOAD[:43] + b"=", PAYLOAD[1:44]
    paths = [
        file(seed + b":" + PUBLIC.encode(), name="one"),
        file(other + b":" + b64encode(ZERO_PUBLIC), name="two"),
    ]

    _, out, _ = command("check", *paths, as_json=True)

    assert [json.loads(line) for line in out.splitlines()] == [
        {"file": path, "half": "public", "name": None, "deviations": [HIDDEN]} for path in paths
    ]


def test_json(command: Run, file: File) -> None:
    sound, bad = file(TEXT, name="sound"), file(PUBLIC_TEXT + b"\n", name="bad")
    odd, none = file(b"a b:" + PAYLOAD, name="odd"), file(b"", name="none")

    code, out, _ = command("check", sound, bad, odd, none, as_json=True)

    assert code == 1
    assert [json.loads(line) for line in out.splitlines()] == [
        {"file": sound, "half": "secret", "name": NAME, "deviations": []},
        {"file": bad, "half": "public", "name": NAME, "deviations": [ONE_LINE_FEED]},
        {"file": odd, "half": "secret", "name": None, "deviations": [say.ODD_NAME_KEPT]},
        {"file": none, "half": None, "name": None, "deviations": [say.EMPTY]},
    ]


def test_a_path_that_steers_terminals_is_escaped(command: Run, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J\n"

    _, out, _ = command("check", str(path))

    assert out.count(b"\n") == 1
    assert b"\x1b" not in out
    assert b"\\x1b[2J\\n" in out
