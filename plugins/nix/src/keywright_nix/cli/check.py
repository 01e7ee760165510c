"""`nix key check`: examine key files, the text in them and the keys, and print no key."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from keywright import Secret
from keywright.errors import FormatError, InvalidKeyError, MalformedKeyError
from keywright_nix.key import NixFormat, hides_key, looks_like_key, problem_in

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context, Key, KeyType

MAXIMUM_BYTES: Final = 65_536
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WINDOWS_END: Final = b"\r\n"
_KEY_AS_PATH: Final = (
    "looks like a key, and this command takes the path of its file; if it is a secret one, the shell's history and "
    "other users may have seen it in the process list: create a new one"
)


def configure_check(parser: ArgumentParser) -> None:
    """Add the arguments of `nix key check`."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file with a secret or public Nix key")


def run_check(arguments: Namespace, context: Context) -> int:
    """Print a line for each deviation, and one for each file that has none; JSON lines with `--json`.

    Returns:
        0 if no file has a deviation, else 1.

    Raises:
        UnknownPluginError: No plugin provides the key type ed25519.
    """
    is_sound = True
    examined = check_files(arguments.files, context.registry.key_type("ed25519"))
    for position, found in enumerate(examined, start=1):
        is_sound = is_sound and not found.deviations
        path = (found.path if found.path.isprintable() else ascii(found.path)) or f"argument {position}"
        if context.json:
            about = {"file": found.path or None, "half": found.half, "name": found.name}
            context.print_json({**about, "deviations": list(found.deviations)})
        elif found.deviations:
            for deviation in found.deviations:
                context.print(f"{path}: {deviation}")
        else:
            context.print(f"{path}: sound ({found.half} key {found.name})")
    return 0 if is_sound else 1


class Examined(NamedTuple):
    """What was found about a file.

    Attributes:
        path: As it was given; empty if it looks like a key itself.
        half: `secret` or `public`; None if the file is not a Nix key.
        name: The name of the key, if it is valid and does not look like a key itself.
        public: The public half, 32 bytes, if it could be read.
        deviations: A sentence for each deviation, which contains nothing of the key but its name.
    """

    path: str
    half: str | None
    name: str | None
    public: bytes | None
    deviations: tuple[str, ...]


def check_files(paths: list[str], key_type: KeyType) -> Iterator[Examined]:
    """Examine each file, and whether two of them contain different keys of one name, such as halves of two pairs.

    `key_type` is that of ed25519.
    """
    seen: dict[str, Examined] = {}
    for path in paths:
        found = check_file(path, key_type)
        if found.name is not None and found.public is not None:
            first = seen.setdefault(found.name, found)
            if first.public != found.public:
                clash = f"has another key than {first.path}, under the same name; they do not belong together"
                found = found._replace(deviations=(*found.deviations, clash))
        yield found


def check_file(path: str, key_type: KeyType) -> Examined:
    """Examine one file that should contain a Nix key. Problems are in the result, not raised."""
    try:
        data, status = _read(path)
    except FormatError as error:
        return _no_key(path, error.text)
    except OSError as error:
        if looks_like_key(path) and not os.path.lexists(path):
            return _no_key("", _KEY_AS_PATH)
        return _no_key(path, f"cannot be read ({error.strerror})")
    except ValueError:
        return _no_key(path, "cannot be read (no file can have this path)")
    try:
        text, around = _unwrapped(data)
        key, deviations = NixFormat().decode_lenient(text, default_kid="")
    except MalformedKeyError as error:
        return _no_key(
            path, error.text, *_check_mode(status, rule="if it contains a secret key, run `chmod 600` on it")
        )
    is_secret = key.secret is not None
    all_deviations = (
        *(_check_access(path, status) if is_secret else ()),
        *around,
        *deviations,
        *_check_name(key.kid),
        *_check_key(key, key_type),
    )
    name = None if problem_in(key.kid) or hides_key(key.kid) else key.kid
    return Examined(path, "secret" if is_secret else "public", name, key.public, all_deviations)


def _no_key(path: str, *deviations: str) -> Examined:
    return Examined(path, None, None, None, deviations)


def _read(path: str) -> tuple[Secret, os.stat_result]:
    """The bytes and the status of a file.

    Raises:
        OSError, ValueError: It cannot be read.
        FormatError: It is not a regular file, or too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError("is not a regular file")
        if status.st_size > MAXIMUM_BYTES:
            raise FormatError(f"has more than {MAXIMUM_BYTES} bytes, so it is not a key")
        return Secret(os.read(descriptor, MAXIMUM_BYTES)), status
    finally:
        os.close(descriptor)


def _check_access(path: str, status: os.stat_result) -> Iterator[str]:
    """Who can read or replace a secret key. A public one may be anywhere."""
    yield from _check_mode(status, rule="only its owner may read a secret key: run `chmod 600` on it")
    if os.geteuid() == 0:
        return  # root keeps keys for the users of services
    if status.st_uid not in (0, os.geteuid()):
        yield "belongs to another user, who can change it; change its owner (chown)"
    if os.lstat(path).st_uid not in (0, os.geteuid()) and os.path.islink(path):
        yield "is a symbolic link of another user, who can replace it; pass the file itself"


def _check_mode(status: os.stat_result, *, rule: str) -> Iterator[str]:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        yield f"has the mode {mode:04o}; {rule}"


def _unwrapped(data: Secret) -> tuple[Secret, list[str]]:
    """The file without a byte order mark before the key and line ends after it, and a sentence for each.

    Raises:
        MalformedKeyError: Nix refuses the file for them.
    """
    NixFormat().decode_lenient(data, default_kid="")
    deviations = []
    if data.reveal().startswith(_BYTE_ORDER_MARK):
        deviations.append(
            "a byte order mark starts the file, and Nix reads it as part of the key's name; save it without"
        )
        data = Secret(data.reveal()[len(_BYTE_ORDER_MARK) :])
    if data.reveal().endswith(_WINDOWS_END):
        deviations.append(
            "a Windows line end (carriage return, line feed) ends the file, which other programs than Nix may "
            "not read; remove it"
        )
        data = Secret(data.reveal().rstrip(_WINDOWS_END))
    elif data.reveal().endswith(b"\n") and not data.reveal().endswith(b"\n\n"):
        deviations.append("a line feed ends the file, and Nix writes none; remove it")
    return data, deviations


def _check_name(name: str) -> Iterator[str]:
    if "," in name and not problem_in(name):
        yield "the key's name has a comma, which reads as the end of one key and the start of the next; rename it"
    if "#" in name:
        yield "the key's name has a '#', which begins a comment in nix.conf; rename it"
    if hides_key(name):
        yield "the key's name has as much base64 in a row as a key, so it is not shown; choose another name"


def _check_key(key: Key, key_type: KeyType) -> Iterator[str]:
    try:
        key_type.validate(key)
    except InvalidKeyError as error:
        yield error.text
    if key.secret is not None and not any(key.secret.reveal()):
        yield "the seed is all zeros, so the key is publicly known; create a new one"
