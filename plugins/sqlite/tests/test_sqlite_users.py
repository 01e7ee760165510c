"""Who this process is: the user it acts as, and root as a user namespace sees it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record, WritableStore
from keywright_sqlite import files

Make = Callable[..., Record]
Opener = Callable[..., AbstractContextManager[WritableStore]]
Unprivileged = Callable[[Callable[[], str]], str]

NOBODY = 65534
CLONE_NEWUSER = 0x10000000  # linux/sched.h
PR_SET_DUMPABLE = 4  # linux/prctl.h

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as others")


@pytest.mark.parametrize(("owner", "writes"), [(NOBODY, True), (0, False)])
def test_writes_are_asked_for_as_the_user_that_we_act_as(shared_directory: str, owner: int, writes: bool) -> None:
    """What root, who started the process, may write does not count once it acts as somebody else."""
    path = Path(shared_directory) / "keys.db"
    path.touch(mode=0o600)
    os.chown(path, owner, owner)
    os.chown(shared_directory, NOBODY, NOBODY)

    os.seteuid(NOBODY)
    try:
        found = files.accepts_writes(str(path))
    finally:
        os.seteuid(0)

    assert found == writes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has user namespaces")
def test_root_outside_of_a_user_namespace_is_no_stranger(
    shared_directory: str, opened: Opener, make: Make, unprivileged: Unprivileged
) -> None:
    """In a container without root, `/` and `/tmp` are root's outside, who has no number there; a store works."""
    os.chown(shared_directory, NOBODY, NOBODY)
    path = os.path.join(shared_directory, "keys.db")
    system = ctypes.CDLL(None, use_errno=True)

    def use() -> str:
        system.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or its own /proc is root's, since it gave up being root
        if system.unshare(CLONE_NEWUSER):
            return os.strerror(ctypes.get_errno())
        Path("/proc/self/uid_map").write_text(f"0 {NOBODY} 1")
        outside = os.stat("/").st_uid
        with opened(path) as store:
            store.create(make("a"))
        with opened(path) as store:
            return f"{os.geteuid()} {outside} {list(store.names())}"

    told = unprivileged(use)

    if told in (os.strerror(1), os.strerror(28)):
        pytest.skip("this system lets nobody make a user namespace")
    assert told == f"0 {NOBODY} ['a']"
