"""What the tests in hostile surroundings share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from support.errors import text_of

from keywright import Record, RecordInfo, Secret

OTHER_USER: Final = 65_534


def needs_root() -> None:
    """Skip, or fail where peers are required, unless this is root."""
    if os.geteuid() == 0:
        return
    if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
        pytest.fail("this test needs root, and KEYWRIGHT_REQUIRE_PEERS is set")
    pytest.skip("needs root: mounts a file system or becomes another user")


def mount(place: Path, options: str) -> None:
    """Mount a tmpfs, or with `remount` among the options mount it again. Root in a container may be refused that."""
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
        pytest.fail(f"mounting failed, and KEYWRIGHT_REQUIRE_PEERS is set: {done.stderr.strip()}")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


def fill(filler: Path) -> None:
    """Write to a file until there is no room for another byte."""
    with filler.open("ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def record(name: str = "a", version: int = 1, payload: bytes | None = b"canary-one", **labels: str) -> Record:
    """A record of an `oct` key in no particular bytes."""
    info = RecordInfo(name=name, version=version, key_type="oct", format="jwk", labels=labels)
    return Record(info, None if payload is None else Secret(payload))


def contents(place: Path) -> bytes:
    """All bytes of all files below a directory."""
    return b"\0".join(path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file())


def told(function: Callable[[], object]) -> str:
    """`done`, or `CLASS: MESSAGE` of the error that the call ended in."""
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {text_of(error)}"
    return "done"


def in_child(function: Callable[[], object]) -> str:
    """What a call in a forked child says: the text that it returns, or `CLASS: MESSAGE` of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            answer = str(function())
        except BaseException as error:
            answer = f"{type(error).__name__}: {text_of(error)}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer


def as_other_user(function: Callable[[], object], user: int = OTHER_USER) -> str:
    """The same in a child that is an unprivileged user."""

    def call() -> object:
        os.setgroups([])
        os.setresgid(OTHER_USER, OTHER_USER, OTHER_USER)
        os.setresuid(user, user, user)
        return function()

    needs_root()
    return in_child(call)
