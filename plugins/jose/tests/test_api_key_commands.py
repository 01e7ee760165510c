"""`keywright jose api-key …`: what is printed, read, asked, and refused."""

from __future__ import annotations

import json
import os
import pty
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jose_support import Clock, refused

from keywright import Context, KeyRing
from keywright.errors import (
    ConfigError,
    ExpiredTokenError,
    FormatError,
    InvalidSignatureError,
    MalformedTokenError,
)
from keywright_jose import NewApiKey, create_api_key, list_api_keys, revoke_api_key, verify_api_key

DAY = timedelta(days=1)
START = datetime(2030, 1, 1, tzinfo=UTC)
TIMES = (
    "--expires takes a time such as 2027-01-31T12:00:00Z, a date, or a duration from now such as 90d, of at most 36500d"
)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(ring: KeyRing, command: Callable[..., Any]) -> Run:
    def run_command(name: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
        code, out, err = command(f"api-key {name}", *arguments, ring=ring, **options)
        return code, out.decode(), err.decode()

    return run_command


def text_of(made: NewApiKey) -> bytes:
    return made.api_key.reveal()


def test_create(ring: KeyRing, run: Run) -> None:
    """Two lines: key_id, and the API key this once; it is good as it stands there."""
    code, out, err = run("create", "--label", "user_id=7", "--label", "note=a=b")

    lines = re.fullmatch("key_id: ([a-z2-7]{16})\napi_key: (kwk_[a-z2-7]{16}_[0-9A-Za-z]{49})\n", out)
    assert lines is not None
    forgotten = f"store 'main' forgets all when the process ends, api-keys/{lines[1]} among it"
    assert (code, err) == (0, f"keywright: warning: {forgotten}; name another with --store\n")
    found = verify_api_key(ring, lines[2])
    assert (found.key_id, found.labels) == (lines[1], {"note": "a=b", "user_id": "7"})


def test_create_json(ring: KeyRing, run: Run) -> None:
    document = json.loads(run("create", as_json=True)[1])

    assert document.keys() == {"key_id", "api_key"}
    assert verify_api_key(ring, document["api_key"]).key_id == document["key_id"]


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        ("90d", START + 90 * DAY),
        ("2w", START + 14 * DAY),
        ("36500d", START + 36_500 * DAY),
        ("2030-06-01", datetime(2030, 6, 1, tzinfo=UTC)),
        ("2030-06-01T12:00:00+02:00", datetime(2030, 6, 1, 10, tzinfo=UTC)),
    ],
)
def test_expires(ring: KeyRing, run: Run, expires: str, end: datetime) -> None:
    run("create", "--expires", expires)

    assert [one.expires for one in list_api_keys(ring)] == [end]


OVER = "expires must be after the activation and after now, or the key would never sign"
NO_PAIR = "--label takes NAME=VALUE; write it so"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--expires", "soon"], TIMES, id="no time"),
        pytest.param(["--expires", "2030-06-01T12:00:00"], TIMES, id="no zone"),
        pytest.param(["--expires", "36501d"], TIMES, id="too long"),
        pytest.param(["--expires", "٣d"], TIMES, id="digits of another script"),
        pytest.param(["--expires", "90"], TIMES, id="a number, of seconds or of days"),
        pytest.param(["--expires", "2029-01-01"], OVER, id="over"),
        pytest.param(["--label", "user_id"], NO_PAIR, id="no ="),
        pytest.param(["--label", "=7"], NO_PAIR, id="no name"),
        pytest.param(["--label", "a=1", "--label", "a=2"], "--label names one thing twice; leave one out", id="twice"),
    ],
)
def test_what_cannot_be_made(ring: KeyRing, run: Run, arguments: list[str], message: str) -> None:
    assert refused(run, "create", *arguments) == (ConfigError, message)
    assert list(ring.names()) == []


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_verify(ring: KeyRing, run: Run, end: bytes) -> None:
    """key_id and labels of what stands on stdin, a line end after it or none."""
    made = create_api_key(ring, labels={"user_id": "7", "app": "shop"}, expires=START + DAY)

    found = run("verify", given=text_of(made) + end)

    assert found == (0, f"key_id: {made.key_id}\nlabel: app=shop\nlabel: user_id=7\n", "")
    assert json.loads(run("verify", given=text_of(made) + end, as_json=True)[1]) == {
        "key_id": made.key_id, "labels": {"app": "shop", "user_id": "7"}, "created": "2030-01-01T00:00:00Z",
        "expires": "2030-01-02T00:00:00Z", "status": "active", "reason": "",
    }  # fmt: skip


@pytest.mark.parametrize("given", [b"", b"\n", b"\r\n"])
def test_verify_of_nothing(run: Run, given: bytes) -> None:
    assert refused(run, "verify", given=given) == (
        ConfigError,
        "standard input is empty; give the API key there: keywright jose api-key verify < api-key.txt",
    )


def test_verify_refuses(ring: KeyRing, run: Run, clock: Clock) -> None:
    """Each fault is the error whose exit code is promised: 65, 1 and 1."""
    made = create_api_key(ring, expires=START + DAY)
    gone = create_api_key(ring)
    revoke_api_key(ring, gone.key_id)
    clock.now += DAY

    assert refused(run, "verify", given=b"kwk_")[0] is MalformedTokenError
    assert refused(run, "verify", given=text_of(made) + b"\n\n")[0] is MalformedTokenError
    assert refused(run, "verify", given=b"k" * 5000)[0] is FormatError
    assert refused(run, "verify", given=text_of(gone))[0] is InvalidSignatureError
    assert refused(run, "verify", given=text_of(made))[0] is ExpiredTokenError


def test_list(ring: KeyRing, run: Run, clock: Clock) -> None:
    """A line for each, parted by tabs; revoked ones too; JSON lines on demand."""
    made = [
        create_api_key(ring, labels={"user_id": str(number)}, expires=START + DAY if number == 1 else None)
        for number in range(3)
    ]
    revoke_api_key(ring, made[2].key_id, reason="lost")
    clock.now += DAY
    rows = {
        made[0].key_id: "active\t2030-01-01T00:00:00Z\t-\tuser_id=0",
        made[1].key_id: "expired\t2030-01-01T00:00:00Z\t2030-01-02T00:00:00Z\tuser_id=1",
        made[2].key_id: "revoked\t2030-01-01T00:00:00Z\t-\tuser_id=2",
    }

    assert run("list") == (0, "".join(f"{key_id}\t{rows[key_id]}\n" for key_id in sorted(rows)), "")
    assert run("list", "--label", "user_id=1")[1] == f"{made[1].key_id}\t{rows[made[1].key_id]}\n"
    (line,) = run("list", "--label", "user_id=2", as_json=True)[1].splitlines()
    assert json.loads(line) == {
        "key_id": made[2].key_id, "labels": {"user_id": "2"}, "created": "2030-01-01T00:00:00Z", "expires": None,
        "status": "revoked", "reason": "lost",
    }  # fmt: skip
    assert run("list", "--label", "user_id=9") == (0, "", "")


def test_list_on_a_terminal(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    from keywright_jose.cli.api_keys import row_of

    create_api_key(ring, labels={"user_id": "7"})
    (found,) = list_api_keys(ring)
    master, terminal = pty.openpty()
    with open(terminal, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        row = row_of(found)
    os.close(master)

    assert row == f"{found.key_id}  active    2030-01-01T00:00:00Z  -                     user_id=7"


def test_revoke(ring: KeyRing, run: Run) -> None:
    made = create_api_key(ring)

    assert run("revoke", made.key_id, "--yes", "--reason", "lost") == (0, f"{made.key_id}\n", "")
    assert [(one.status, one.reason) for one in list_api_keys(ring)] == [("revoked", "lost")]
    assert json.loads(run("revoke", made.key_id, "--yes", as_json=True)[1])["status"] == "revoked"


def test_revoke_asks(ring: KeyRing, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_api_key(ring, labels={"user_id": "7"})
    questions: list[str] = []

    def no(_: Context, question: str, *, yes: bool) -> bool:
        questions.append(question)
        return yes

    with monkeypatch.context() as patch:
        patch.setattr(Context, "confirm", no)
        assert run("revoke", made.key_id) == (1, "", "keywright: nothing was revoked\n")
        assert json.loads(run("revoke", made.key_id, as_json=True)[1])["status"] == "active"
    assert questions == [f"Revoke the API key {made.key_id}, user_id=7 for good?"] * 2
    assert refused(run, "revoke", made.key_id) == (
        ConfigError, "there is no terminal to ask on; say --yes if you are sure",
    )  # fmt: skip
    assert verify_api_key(ring, made.api_key).status == "active"
