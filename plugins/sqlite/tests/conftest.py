"""What the tests of the sqlite store share."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.errors import text_of

from keywright import Attributes, Options, Record, RecordInfo, Secret, State, WritableStore, encode_info
from keywright_sqlite import SqliteBackend
from keywright_sqlite.database import image
from keywright_sqlite.links import link, record_check

Opener = Callable[..., AbstractContextManager[WritableStore]]

SETUP = """
import os, sys, time
from datetime import timedelta
from keywright import Options, Record, RecordInfo, Secret, State
from keywright.errors import KeyExistsError
from keywright_sqlite import SqliteBackend
from dataclasses import replace
def opened(path, seconds=30):
    return SqliteBackend().open(Options({"path": path, "timeout": timedelta(seconds=seconds)}))
path = sys.argv[1]
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a test's database is, or will be."""
    return str(tmp_path / "keys.db")


@pytest.fixture
def opened() -> Opener:
    """Opens the store at a path."""

    def open_at(path: str, *, seconds: float = 5) -> AbstractContextManager[WritableStore]:
        options = Options({"path": path, "timeout": timedelta(seconds=seconds)})
        return SqliteBackend().open(options)

    return open_at


@pytest.fixture
def store(path: str, opened: Opener) -> Iterator[WritableStore]:
    """An opened store that holds nothing yet."""
    with opened(path) as store:
        yield store


@pytest.fixture
def make() -> Callable[..., Record]:
    """Builds records with some of everything in their metadata."""

    def record(
        name: str = "cache.example.org",
        version: int = 1,
        payload: bytes | None = b"a secret payload",
        state: State = State.ENABLED,
        kid: str = "cache.example.org-1",
    ) -> Record:
        info = RecordInfo(
            name=name,
            version=version,
            key_type="ed25519",
            format="nix",
            kid=kid,
            public=bytes(range(32)),
            attributes=Attributes({"alg": "EdDSA", "key_ops": ["sign"]}),
            state=state,
            created=datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC),
            overlap=timedelta(days=14),
            labels={"user_id": "7"},
        )
        return Record(info, None if payload is None else Secret(payload))

    return record


@pytest.fixture
def fill() -> Callable[[str, list[tuple[str, int]]], None]:
    """Makes a database of many records without payloads, given in their order, in one transaction."""

    def make_database(path: str, keys: list[tuple[str, int]]) -> None:
        Path(path).write_bytes(image())
        os.chmod(path, 0o600)
        references = [f"{name}@{version}" for name, version in keys]
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("UPDATE record SET next = ?", (link("@0", references[0]),))
            for (name, version), reference, behind in zip(keys, references, [*references[1:], None], strict=True):
                info = encode_info(RecordInfo(name=name, version=version))
                check = record_check(reference, "r", None, info)
                raw.execute(
                    "INSERT INTO record VALUES (?, ?, ?, 'r', NULL, ?, ?)",
                    (name, version, link(reference, behind), check, info),
                )

    return make_database


@pytest.fixture
def run(path: str) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts Python on a script that has `opened` and `path` at hand."""

    def start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", SETUP + script, path, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE
        )

    return start


@pytest.fixture
def shared_directory() -> Iterator[str]:
    """A directory that other users can reach, unlike pytest's own."""
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    yield directory
    os.chmod(directory, 0o755)
    shutil.rmtree(directory)


@pytest.fixture
def unprivileged() -> Callable[[Callable[[], str]], str]:
    """Calls a function in a child process that is not root, and returns its text, or `CLASS: MESSAGE` of its error."""

    def call(function: Callable[[], str]) -> str:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                if os.geteuid() == 0:
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                answer = function()
            except BaseException as error:
                answer = f"{type(error).__name__}: {text_of(error)}"
            os.write(writing, answer.encode())
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            answer = pipe.read().decode()
        os.waitpid(child, 0)
        return answer

    return call
