"""What the operating system refuses becomes a typed error, and nothing of the write stays."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from refusals import refuses
from support.errors import text_of

from keywright import Record, Secret
from keywright.errors import (
    AccessDeniedError,
    DurabilityError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
)
from keywright_file import TIMEOUT
from keywright_file.files import READ_ERRORS, UNCERTAIN_ERRORS, UNDONE_ERRORS, WRITE_ERRORS
from keywright_file.store import FileStore
from keywright_file.write import apply

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]

DENIED = "access is denied (Permission denied)"
OWNER = "run as the store's owner, or change its permissions"
HELD = "and the store is as it was; check the disk"
UNKNOWN = "check the disk, then read the record again before you rely on it"
MESSAGES = [
    (READ_ERRORS, errno.EACCES, AccessDeniedError, f"{DENIED}; {OWNER}"),
    (WRITE_ERRORS, errno.EACCES, AccessDeniedError, f"{DENIED}, nothing was written; {OWNER}"),
    (
        *(WRITE_ERRORS, errno.EROFS, ReadOnlyStoreError),
        "the file system is mounted read-only, nothing was written; remount it, or use another store",
    ),
    (
        *(WRITE_ERRORS, errno.ENOSPC, StoreUnavailableError),
        "the disk is full (No space left on device), nothing was written; free disk space and try again",
    ),
    (
        *(WRITE_ERRORS, errno.EIO, StoreUnavailableError),
        "Input/output error, nothing was written; fix the cause and try again",
    ),
    (
        *(READ_ERRORS, errno.EMFILE, StoreUnavailableError),
        "Too many open files; fix the cause and try again",
    ),
    (
        *(UNDONE_ERRORS, errno.EIO, DurabilityError),
        f"the system did not confirm a write (Input/output error), so it was undone {HELD}",
    ),
    (
        *(UNCERTAIN_ERRORS, errno.ENOSPC, DurabilityError),
        f"the change was made, but the system did not confirm or complete it (No space left on device); {UNKNOWN}",
    ),
]


def test_message() -> None:
    """Each reason of the system's has its error, which says what became of the write and what to do."""
    for during, number, kind, message in MESSAGES:
        with refuses(kind, f"x: {message}"), during.about("x"):
            raise OSError(number, "a reason that holds input")


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a file system or becomes another user")


@pytest.fixture
def mounted(root: Path) -> Iterator[Callable[[str], None]]:
    """Mounts a tmpfs with the given options at the root, or mounts it again."""
    needs_root()
    root.mkdir(mode=0o700)

    def mount(options: str) -> None:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(root)], capture_output=True)
        if done.returncode:
            pytest.skip("mounting a tmpfs is not allowed here")

    yield mount
    subprocess.run(["umount", str(root)], capture_output=True)


def test_no_room(mounted: Callable[[str], None], reopen: Reopen, make: Make, root: Path) -> None:
    """On a full disk a write is refused, leaves nothing behind, and the keys that are there stay readable."""
    mounted("size=64k,mode=700")
    with reopen() as store:
        info = store.create(make())
        (root / ".filler").write_bytes(b"x" * 8192)

        with pytest.raises(StoreUnavailableError) as full:
            store.create(make("b", payload=b"canary-two" * 6000))

        assert text_of(full.value) == (
            f"b@1 in {root}: the disk is full (No space left on device), nothing was written; "
            "free disk space and try again"
        )
        assert os.listdir(root / ".keywright/tmp") == []
        assert list(store.names()) == ["a"]
        assert store.get("a", 1) == Record(info, Secret(b"canary-one"))


def test_read_only_mount(mounted: Callable[[str], None], reopen: Reopen, make: Make, root: Path) -> None:
    """On a read-only mount reading works, leftovers included, and every write is refused."""
    mounted("size=1m,mode=700")
    with reopen() as store:
        info = store.create(make())
    (root / ".keywright/tmp/file").write_bytes(b"left")
    mounted("remount,ro")

    with reopen() as store:
        assert store.get("a", 1) == Record(info, Secret(b"canary-one"))
        assert list(store.names()) == ["a"]
        writes: list[Callable[[], object]] = [
            lambda: store.create(make("b")),
            lambda: store.update_info(make(x="y").info, info.revision),
            lambda: store.remove("a", [info.revision]),
        ]
        for write in writes:
            with pytest.raises(ReadOnlyStoreError):
                write()


def test_the_first_error_is_told(make: Make, root: Path) -> None:
    """What stopped a write is said, not what then could not be cleaned up."""
    needs_root()
    FileStore(str(root), TIMEOUT).create(make())
    foreign = root / ".keywright/tmp/version"

    def stop(_: object) -> None:
        foreign.mkdir()
        os.chown(foreign, 65_534, 65_534)
        raise DurabilityError("what stopped it")

    with refuses(DurabilityError, "what stopped it"):
        apply(str(root), "test", stop, patience=1)


def test_no_descriptor_stays_open(reopen: Reopen, make: Make, root: Path) -> None:
    """Neither a success nor a failure leaves a descriptor behind."""
    with reopen() as store:
        store.create(make())
    before = len(os.listdir("/dev/fd"))

    with reopen() as store:
        for name in ("a", "b", "a/b"):
            for call in (lambda: store.create(make(name)), lambda: store.get(name, 7), lambda: store.versions(name)):  # noqa: B023  called at once
                with suppress(StoreError):
                    call()
        for limit in (1, None):
            list(store.names(limit=limit))
        (root / "a").chmod(0o770)
        for _ in range(3):
            with pytest.raises(AccessDeniedError):
                store.get("a", 1)

    assert len(os.listdir("/dev/fd")) == before


def strace(path: Path, code: str, *inject: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("strace")
    if program is None:
        if os.environ.get("KEYWRIGHT_REQUIRE_PEERS"):
            pytest.fail("strace is not installed")
        pytest.skip("strace is not installed")
    setup = (
        "import datetime, sys; from keywright import *; from keywright.errors import *; "
        f"from keywright_file.store import FileStore; store = FileStore({str(path)!r}, {TIMEOUT!r})\n"
        "def rec(name, payload=b'canary-new', **more):\n"
        "    payload = payload and Secret(payload)\n"
        "    return Record(RecordInfo(name=name, version=1, **more), payload)\n"
    )
    report = (
        "\nexcept KeywrightError as error:\n    print(f'{type(error).__name__}: {error}')\nelse:\n    print('done')"
    )
    script = setup + "try:\n    " + code + report
    options = [option for rule in inject for option in ("-e", f"inject={rule}")]
    names = ",".join(rule.partition(":")[0] for rule in inject)
    command = [program, "-f", "-o", "/dev/null", "-e", f"trace={names}", *options, sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True)


CREATE = "store.create(rec('new'))"
DESTROY = "store.destroy(rec('old', state=State.DESTROYED).info, store.versions('old')[0].revision)"


REPLACE = "store.replace_payload('old', 1, Secret(b'canary-new'), store.versions('old')[0].revision)"
KEPT = Secret(b"canary-one")
FAULTS = [
    pytest.param(CREATE, "write:error=ENOSPC:when=1", "StoreUnavailableError: …nothing was written", KEPT, id="full"),
    pytest.param(CREATE, "renameat:error=EIO:when=1", "StoreUnavailableError: …nothing was written", KEPT, id="rename"),
    pytest.param(CREATE, "renameat:error=EEXIST:when=1", "KeyExistsError: …nothing was written", KEPT, id="taken"),
    pytest.param(CREATE, "flock:error=ENOLCK:when=1", "StoreUnavailableError: …nothing was written", KEPT, id="lock"),
    pytest.param(
        CREATE, "mkdirat:error=EROFS:when=1", "ReadOnlyStoreError: …nothing was written", KEPT, id="read-only"
    ),
    pytest.param(CREATE, "fchmod:error=EPERM:when=2", "AccessDeniedError: …nothing was written", KEPT, id="denied"),
    pytest.param(CREATE, "flock:error=EIO:when=2", "done", KEPT, id="unlock-create"),
    # Until the new key is in its place the old one stays.
    pytest.param(
        REPLACE, "renameat:error=EIO:when=1", "StoreUnavailableError: …nothing was written", KEPT, id="replace"
    ),
    pytest.param(REPLACE, "fsync:error=EIO:when=4", "DurabilityError: …the store is as it was", KEPT, id="sync"),
    # Once the tombstone is in its place, the next write completes the rest.
    pytest.param(DESTROY, "unlinkat:error=EIO:when=1", "DurabilityError: …the change was made", None, id="unlink"),
    pytest.param(DESTROY, "flock:error=EIO:when=2", "done", None, id="unlock-destroy"),
]


@pytest.mark.peer
@pytest.mark.parametrize(("code", "rule", "answer", "payload"), FAULTS)
def test_failed_call(
    reopen: Reopen, make: Make, root: Path, code: str, rule: str, answer: str, payload: Secret | None
) -> None:
    """A system call that fails leaves the old state or the new one, the error says which, and nothing else stays."""
    with reopen() as store:
        store.create(make("old"))
    before = sorted(os.listdir(root / "old/@1"))
    error, _, outcome = answer.partition("…")

    done = strace(root, code, rule)

    assert done.returncode == 0
    assert done.stdout.startswith(error)
    assert outcome in done.stdout
    assert FileStore(str(root), TIMEOUT).get("old", 1).payload == payload  # not entered: nothing is completed yet
    with reopen() as store:
        assert list(store.names()) == ["new", "old"] if (code, answer) == (CREATE, "done") else ["old"]
    assert sorted(os.listdir(root / "old/@1")) == (before if payload else ["meta.json"])
    assert os.listdir(root / ".keywright/tmp") == []


def test_failed_close(reopen: Reopen, make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, or the lock, has nothing to lose where it cannot be closed."""
    with reopen() as store:
        store.create(make())
    lock = (root / ".keywright/lock").stat().st_ino
    real_close = os.close

    def close(descriptor: int) -> None:
        status = os.fstat(descriptor)
        real_close(descriptor)
        if stat.S_ISDIR(status.st_mode) or status.st_ino == lock:
            raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(os, "close", close)

    with reopen() as store:
        info = store.create(make("b"))
        assert store.get("b", 1) == Record(info, Secret(b"canary-one"))
        store.remove("b", [info.revision])
        assert list(store.names()) == ["a"]
