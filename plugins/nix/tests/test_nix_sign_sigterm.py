"""`keywright nix sign` and SIGTERM, the signal that a service manager ends a process by."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from base64 import b64encode
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from nix_signing import CA, KEY, KEYWRIGHT, MakeCache, Run

from keywright.errors import ConfigError
from keywright_nix.parallel import TerminatedError, raising_on_sigterm


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A secret key called a-1, for its owner alone."""
    path = tmp_path / "secret-key"
    path.touch(mode=0o600)
    path.write_bytes(b"a-1:" + b64encode(bytes(KEY) + bytes(KEY.verify_key)))
    return str(path)


def started(cache: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """A run that has done some narinfos and not all."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    # Not the first ones: what is in place may not have been counted yet.
    while not any(b"Sig: a-1:" in (cache / f"{number:032}.narinfo").read_bytes() for number in range(100, 3000, 9)):
        assert process.poll() is None
    return process


def terminate_twice(cleaned: list[bool]) -> None:
    """The second one comes while the first is cleared up after."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        cleaned.append(True)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "JSON"])
def test_a_run_that_is_terminated(make_cache: MakeCache, key_file: str, jobs: int, as_json: bool) -> None:
    """It takes away what is half done, says what is done, and the same command does the rest."""
    cache = make_cache(3000, tail=CA)
    command = [KEYWRIGHT, "nix", "sign", str(cache), "--key-file", key_file, "--jobs", str(jobs)]
    process = started(cache, [*command, *(["--json"] if as_json else [])])

    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 143
    note, end = err.decode().splitlines()
    done = re.fullmatch(
        r"keywright: stopped early, with at least this done: signed (\d+), already signed 0; run the same command "
        "again to finish",
        note,
    )
    assert end == "keywright: terminated"
    error = {"type": "TerminatedError", "message": "terminated", "exit": 143}
    assert out == (json.dumps({"error": error}, sort_keys=True).encode() + b"\n" if as_json else b"")
    assert not [name for name in os.listdir(cache) if name.startswith(".")]
    signed = sum(b"Sig: a-1:" in path.read_bytes() for path in cache.glob("*.narinfo"))
    assert done is not None
    assert 0 < int(done[1]) <= signed < 3000
    again = subprocess.run(command, capture_output=True, timeout=60)
    assert again.stdout.decode() == f"signed {3000 - signed}, already signed {signed}\n"


def test_a_worker_leaves_it_to_its_parent(make_cache: MakeCache, key_file: str) -> None:
    """A signal that reaches the workers alone ends nothing."""
    cache = make_cache(3000, tail=CA)
    process = started(cache, [KEYWRIGHT, "nix", "sign", str(cache), "--key-file", key_file, "--jobs", "2"])
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    for worker in workers:
        os.kill(int(worker), signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert len(workers) == 2
    assert (process.returncode, out, err) == (0, b"signed 3000, already signed 0\n", b"")


def test_afterwards_it_does_what_it_did_before(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """A program that runs the command in its own process has its signals back, whatever came of it."""
    with pytest.raises(ConfigError):
        nix_command("sign", f"{make_cache(1)}/missing", "--key-file", key_file)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "its own"])
def test_a_program_that_has_its_own_way(own: Any) -> None:
    """A signal that is ignored or handled already stays so."""
    before = signal.signal(signal.SIGTERM, own)
    try:
        with raising_on_sigterm():
            os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_it_strikes_once() -> None:
    """A second one does not strike what cleans up after the first."""
    cleaned: list[bool] = []

    with pytest.raises(TerminatedError), raising_on_sigterm():
        terminate_twice(cleaned)

    assert cleaned == [True]


def test_in_a_thread(nix_command: Run, make_cache: MakeCache, key_file: str) -> None:
    """Where no signal can be heard the command works as ever."""
    outs: list[tuple[int, bytes, bytes]] = []
    cache = str(make_cache(1))

    thread = Thread(target=lambda: outs.append(nix_command("sign", cache, "--key-file", key_file)))
    thread.start()
    thread.join()

    assert outs == [(0, b"signed 1, already signed 0\n", b"")]
