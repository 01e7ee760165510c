"""Ctrl-C at any moment of a command: exit 130, and the old state or the new."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import keywright
from keywright.cli import main

TRIALS = 40
LONGEST_SECONDS = 0.03  # what a command takes in a process that has imported what it needs


class Interrupted:
    """The command line in forked children, each interrupted at some moment."""

    def __init__(self, config: Path, errors: Path) -> None:
        self.config = config
        self.errors = errors
        self.chance = Random(5)

    def __call__(self, *arguments: str) -> int:
        """The exit code of a command that gets a SIGINT before it can be done, or a little later."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os._exit(self._run(arguments, writing))
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        time.sleep(self.chance.uniform(0, LONGEST_SECONDS))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGINT)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _run(self, arguments: tuple[str, ...], ready: int) -> int:
        code = 99
        sys.settrace(None)  # coverage has a lock that an interrupt leaves locked
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = ["keywright", "--config", str(self.config), *arguments]
            sink = os.open(self.errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
            os.write(ready, b"\n")
            code = main()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt:
            return 130 if code == 99 else code  # outside of `main`
        except SystemExit as error:
            return int(error.code or 0)
        except BaseException as error:
            os.write(2, f"escaped: {type(error).__name__}\n".encode())
        return code


def held(config: Path) -> dict[str, tuple[str, dict[str, str], str]]:
    """All that the store holds, but for revisions and times."""
    with keywright.open(str(config)) as ring:
        assert [*ring.examine()] == []
        return {
            one.info.reference: (one.info.state.value, dict(one.info.labels), one.info.kid)
            for named in ring.list()
            for one in named.versions
        }


def test_ctrl_c_at_any_moment(configured: Path, home: Path) -> None:
    """Exit 130 with the old state or the new, or exit 0 with the new; never a traceback."""
    config, errors = home / "keywright.toml", home / "errors"
    with keywright.open(str(config)) as ring:
        ring.generate("a", type="ed25519", format="nix")
    run = Interrupted(config, errors)
    codes = []
    version = 1
    for number in range(TRIALS):
        before = held(config)
        kid, labels = f"a-{version + 1}", before[f"a@{version}"][1]
        command, reference, expected = (
            (("rotate", "a"), f"a@{version + 1}", ("enabled", labels, kid)),  # they are taken over
            (("label", f"a@{version}", f"n={number}"), f"a@{version}", ("enabled", {"n": str(number)}, f"a-{version}")),
            (("destroy", f"b{number - 3}", "--yes"), f"b{number - 3}@1", ("destroyed", {}, f"b{number - 3}-1")),
            (("generate", f"b{number}", "--type", "ed25519"), f"b{number}@1", ("enabled", {}, f"b{number}-1")),
        )[number % 4]

        codes.append(run(*command))

        after = held(config)
        assert after in (before, {**before, reference: expected}), (command, errors.read_text())
        nothing_to_destroy = command[0] == "destroy" and codes[-1] == 3
        assert codes[-1] in (0, 130) or nothing_to_destroy, errors.read_text()
        assert after != before or codes[-1] != 0, f"{command} said that it is done"
        version = max(int(one.partition("@")[2]) for one in after if one.startswith("a@"))
    assert 130 in codes
    assert "Traceback" not in errors.read_text()
    assert "escaped" not in errors.read_text()
