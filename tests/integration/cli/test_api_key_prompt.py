"""`keywright jose api-key verify` on a terminal."""

from __future__ import annotations

import os
from pathlib import Path

from support import COMMAND, Keywright, started

PROMPT = b"API key: "
NOTHING = "standard input is empty; give the API key there: keywright jose api-key verify < api-key.txt"


def typed_in(home: Path, environment: dict[str, str], text: str) -> tuple[int, str, str, str]:
    """Exit code, stdout, what came on stderr after the prompt, and what the terminal showed of what was typed."""
    ours, theirs = os.openpty()
    # Of a session of its own, or it would ask on the terminal that the tests run on.
    command = [COMMAND, "jose", "api-key", "verify"]
    with started(command, cwd=home, env=environment, stdin=theirs, start_new_session=True) as process:
        assert process.stderr is not None
        assert process.stderr.read(len(PROMPT)) == PROMPT
        os.write(ours, text.encode() + b"\n")
        out, err = process.communicate(timeout=60)
    # The last of its users gone, it is at its end after what it showed.
    os.close(theirs)
    try:
        shown = os.read(ours, 4096)
    except OSError:
        shown = b""
    os.close(ours)
    return process.returncode, out.decode(), err.decode().lstrip("\n"), shown.decode()


def test_it_asks_for_the_key(home: Path, environment: dict[str, str], keywright: Keywright) -> None:
    """Somebody at a terminal is asked, and what they type is not shown; who types nothing is told."""
    (home / "keywright.toml").write_text('[stores.a]\nbackend = "sqlite"\npath = "k"\n')
    made = dict(line.split(": ") for line in keywright("jose", "api-key", "create").stdout.decode().splitlines())

    assert typed_in(home, environment, made["api_key"]) == (0, f"key_id: {made['key_id']}\n", "", "")
    assert typed_in(home, environment, "") == (2, "", f"keywright: {NOTHING}\n", "")
