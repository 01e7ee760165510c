"""`keywright rotate --due`, as cron would call it."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import COMMAND, Keywright
from support.errors import joined, printed

CONFIG = """
default_store = "main"
[stores.main]
backend = "{backend}"
path = "keys"
[keys.a]
rotate_every = "1s"
[keys.b]
rotate_every = "1s"
type = "oct"
[keys.c]
"""


@pytest.fixture
def due(home: Path, keywright: Keywright, request: pytest.FixtureRequest) -> None:
    """Three names of which two are due."""
    (home / "keywright.toml").write_text(CONFIG.format(backend=getattr(request, "param", "sqlite")))
    assert keywright("ensure").returncode == 0
    time.sleep(1.1)


@pytest.mark.usefixtures("due")
def test_it_rotates_what_is_due(keywright: Keywright) -> None:
    """A reference for each version that was made; a dry run says the same, makes none, and ends with exit code 1."""
    dry = keywright("rotate", "--due", "--dry-run")
    done = keywright("rotate", "--due", "--json")

    assert dry.returncode == 1
    assert [line.split(b": due since ")[0] for line in dry.stdout.splitlines()] == [b"a@1", b"b@1"]
    assert done.returncode == 0
    assert [json.loads(line)["reference"] for line in done.stdout.splitlines()] == ["a@2", "b@2"]
    assert keywright("show", "c").stdout.count(b"\n") == 1


@pytest.mark.parametrize("due", ["sqlite", "file"], indirect=True)
@pytest.mark.usefixtures("due")
def test_ten_at_once_make_one_version(home: Path, environment: dict[str, str], keywright: Keywright) -> None:
    """Of ten that start at once each version is made by one, and no one fails."""

    def rotate(_number: int) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [COMMAND, "rotate", "--due", "a"], cwd=home, env=environment, capture_output=True, timeout=60
        )

    started = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(rotate, range(10)))
    took = time.monotonic() - started

    assert {one.returncode for one in done} == {0}, [one.stderr for one in done]
    made = b"".join(one.stdout for one in done).split()
    # If all of it took longer than `rotate_every`, what was made first may be due again: still none is made twice.
    assert len(set(made)) == len(made)
    assert 1 <= len(made) <= 1 + took
    assert keywright("show", "a").stdout.count(b"\n") == 1 + len(made)


@pytest.mark.usefixtures("due")
def test_a_name_that_fails_is_told_and_the_rest_is_done(home: Path, keywright: Keywright) -> None:
    """What is wrong with one name goes to stderr; the exit code is that of the first error."""
    path = home / "keywright.toml"
    path.write_text(path.read_text().replace("[keys.a]", '[keys.a]\nkid = "always-the-same"'))
    assert keywright("rotate", "--due").stdout == b"a@2\nb@2\n"
    time.sleep(1.1)

    done = keywright("rotate", "--due")

    assert done.returncode == 5
    assert done.stdout == b"b@3\n"
    assert done.stderr == (
        b"error: a: the kid of a would stay the same\nhint: set keys.a.kid to a text with {version}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--dry-run a", "--dry-run works only with --due; add --due, or run `keywright show NAME` for one key"),
        ("", "rotate needs one NAME, none given; pass one NAME, or --due to rotate every key that is due"),
        ("a b", "rotate needs one NAME, 2 given; pass one NAME, or --due to rotate every key that is due"),
        (
            "--due --bits 512",
            "--due cannot be combined with --bits; set it in [keys.NAME], or rotate one NAME without --due",
        ),
        (
            "--due --kid x",
            "--due cannot be combined with --kid; set it in [keys.NAME], or rotate one NAME without --due",
        ),
    ],
)
def test_arguments_that_do_not_fit(keywright: Keywright, arguments: str, message: str) -> None:
    """What cannot be meant is refused before anything is read."""
    done = keywright("rotate", *arguments.split())

    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", printed(message))


def test_a_table_that_is_misspelt_is_told(home: Path, keywright: Keywright) -> None:
    """Cron must not do nothing for ever because of a letter; nor doctor find nothing."""
    (home / "keywright.toml").write_text('[stores.a]\nbackend = "memory"\n[keys.a]\nrotate_evry = "1s"\n')
    message = (
        f"{home}/keywright.toml: keys.a.rotate_evry is not a setting of key type 'ed25519' (did you mean "
        "'rotate_every'?)"
    )

    due, doctor = keywright("rotate", "--due"), keywright("doctor")

    assert due.returncode == 2
    assert due.stderr.decode() == (
        printed(f"a: {message}")
        + "warning: no key has rotate_every, so no key is ever due\nhint: set keys.NAME.rotate_every\n"
    )
    assert doctor.returncode == 1
    assert "rotate_evry" in doctor.stdout.decode()


def test_where_nothing_signs_until_then_that_is_said(home: Path, keywright: Keywright) -> None:
    """After a compromise, a version that is only announced leaves no one able to sign: rotate says so."""
    (home / "keywright.toml").write_text('[stores.a]\nbackend = "sqlite"\npath = "k"\n[keys.a]\nactivate_in = "7d"\n')
    assert keywright("generate", "a").returncode == 0
    assert keywright("compromise", "a@1", "--yes").returncode == 0

    announced, at_once = keywright("rotate", "a"), keywright("rotate", "a", "--activate-in", "0s")

    (activates,) = (
        one["activates"]
        for one in json.loads(keywright("--json", "show", "a").stdout)["versions"]
        if one["version"] == 2
    )
    assert announced.stderr.decode() == (
        f'warning: no version of "a" can sign before {activates[:19]}Z\n'
        "hint: `keywright rotate a --activate-in 0s` creates one that signs now\n"
    )
    assert b"no version" not in at_once.stderr


@pytest.mark.parametrize(
    ("store", "code", "kind", "message"),
    [
        pytest.param(
            '[stores.ci]\nbackend = "env"\n', 65, "UnsupportedOperationError",
            "store 'ci' has no creation time of a@1, so it is unknown when it is due; leave out "
            "keys.a.rotate_every, or migrate it to a store with metadata",
            id="no age",
        ),
        pytest.param(
            '[stores.a]\nbackend = "file"\npath = "k"\n', 5, "PolicyError",
            "no version of a signs, so it is not rotated automatically: version 1 is compromised, and older "
            "versions are not used again; run `keywright rotate a` by hand, or leave out keys.a.rotate_every",
            id="nothing signs",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_due_is_told(
    home: Path, keywright: Keywright, store: str, code: int, kind: str, message: str
) -> None:
    """Of a key without an age, or that no version signs for, stderr says so, JSON too; the exit code is no 0."""
    (home / "keywright.toml").write_text(f'{store}[keys.a]\nrotate_every = "1d"\n')
    key = keywright("nix", "key", "generate-secret", "--key-name", "a-1").stdout.decode()
    if code == 5:
        assert keywright("generate", "a").returncode == keywright("compromise", "a", "--yes").returncode == 0

    for more in ((), ("--dry-run",), ("--json",)):
        done = keywright("rotate", "--due", *more, env={"KEYWRIGHT_KEY_A": key})

        assert (done.returncode, done.stderr.decode()) == (code, printed(f"a: {message}"))
    assert json.loads(done.stdout) == {
        "name": "a",
        "newest": "a@1",
        "since": None,
        "error": {
            "type": kind,
            "message": message.rpartition("; ")[0],
            "hint": message.rpartition("; ")[2],
            "exit_code": code,
        },
    }


@pytest.mark.usefixtures("due")
def test_json_has_a_line_for_each_that_failed(home: Path, keywright: Keywright) -> None:
    """What could not be rotated stands among what was."""
    path = home / "keywright.toml"
    path.write_text(path.read_text().replace("[keys.b]", '[keys.b]\nkid = "k-{version}"\nbits = 7'))

    lines = [json.loads(line) for line in keywright("rotate", "--due", "--json").stdout.splitlines()]

    assert [line.get("reference") for line in lines] == ["a@2", None]
    assert {name: lines[1][name] for name in ("name", "newest", "since")} == {
        "name": "b",
        "newest": None,
        "since": None,
    }
    assert (lines[1]["error"]["type"], lines[1]["error"]["exit_code"]) == ("ConfigError", 2)


@pytest.mark.usefixtures("due")
def test_each_name_that_fails_is_reported(home: Path, keywright: Keywright) -> None:
    """Not only the first of them."""
    path = home / "keywright.toml"
    path.write_text(
        path.read_text().replace("[keys.a]", "[keys.a]\nbits = 7").replace("[keys.b]", "[keys.b]\nbits = 7")
    )

    plain, documents = keywright("rotate", "--due"), keywright("rotate", "--due", "--json")

    assert [line.partition(b": ")[2][:3] for line in joined(plain.stderr).encode().splitlines()] == [b"a: ", b"b: "]
    assert [json.loads(line)["name"] for line in documents.stdout.splitlines()] == ["a", "b"]


def test_a_store_that_was_swapped_is_told(home: Path, keywright: Keywright) -> None:
    """Cron hears that the configuration points at a store without the key, as `rotate` says it, with its exit code."""
    config = home / "keywright.toml"
    stores = "".join(f'[stores.{name}]\nbackend = "file"\npath = "{name}"\n' for name in ("old", "new"))
    config.write_text(f'default_store = "old"\n{stores}[keys.a]\nrotate_every = "1s"\n')
    assert keywright("rotate", "--due").stderr == b""
    assert keywright("generate", "a").returncode == 0
    config.write_text(config.read_text().replace('default_store = "old"', 'default_store = "new"'))
    by_name = keywright("rotate", "a")

    for arguments in ((), ("--dry-run",), ("a",)):
        done = keywright("rotate", "--due", *arguments)

        assert (done.returncode, done.stdout) == (3, b"")
        assert done.stderr == by_name.stderr.replace(b"error: ", b"error: a: ")
    assert by_name.stderr == (
        b"error: store 'new' has no key a, and store 'old' has it\n"
        b"hint: move it with `keywright migrate --from old --to new a`, or pass --store old\n"
    )


def test_what_a_destroyed_key_had_is_said_on_the_command_line(home: Path, keywright: Keywright) -> None:
    """`--no-attributes` says that there are none; beside an `--attribute` it is refused."""
    (home / "keywright.toml").write_text('[stores.a]\nbackend = "file"\npath = "k"\n')
    assert keywright("generate", "a", "--type", "oct").returncode == 0
    assert keywright("destroy", "a", "--yes").returncode == 0

    both = keywright("rotate", "a", "--no-attributes", "--attribute", "use=sig")
    done = keywright("rotate", "a", "--no-attributes", "--bits", "256")

    assert both.returncode == 2
    assert both.stderr == b"error: --no-attributes and --attribute exclude each other\nhint: remove one\n"
    assert (done.returncode, done.stdout) == (0, b"a@2\n")
