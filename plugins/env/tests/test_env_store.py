"""Keys in environment variables, and in the files that variables point to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import pytest
from refusals import refuses
from support.errors import text_of
from support.problems import lines_of

from keywright import CheckedStore, RecordInfo, Secret, Store
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    CorruptedStoreError,
    KeyNotFoundError,
    KeywrightError,
    StoreUnavailableError,
    UnsupportedOperationError,
)

Opener = Callable[..., AbstractContextManager[Store]]
TABLE = {"a": "TEST_KEY", "a@3": "TEST_KEY_3", "a@10": "TEST_KEY_10", "b/c@2": "TEST_KEY_B", "b": "TEST_KEY_NONE"}


def test_a_name_has_a_default_variable(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """Upper case, and every other character as an underscore; it holds version 1."""
    for name, variable in (
        ("a", "KEYWRIGHT_KEY_A"),
        ("prod/jwt", "KEYWRIGHT_KEY_PROD_JWT"),
        ("cache.example.org-1", "KEYWRIGHT_KEY_CACHE_EXAMPLE_ORG_1"),
        ("a__b", "KEYWRIGHT_KEY_A__B"),
    ):
        monkeypatch.setenv(variable, "the key")
        with opened() as store:
            record = store.get(name, 1)

            assert record.payload == Secret(b"the key")
            assert record.info == RecordInfo(name=name, version=1)
            assert store.versions(name) == (record.info,)


def test_the_table_says_which_variable_holds_which_version(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """A bare name is version 1; versions ascend by number, and only what is set is there."""
    for variable in ("TEST_KEY", "TEST_KEY_3", "TEST_KEY_10", "TEST_KEY_B"):
        monkeypatch.setenv(variable, f"in {variable}")

    with opened(TABLE) as store:
        versions = [info.version for info in store.versions("a")]
        payloads = [store.get("a", version).payload for version in versions]

        assert versions == [1, 3, 10]
        assert payloads == [Secret(b"in TEST_KEY"), Secret(b"in TEST_KEY_3"), Secret(b"in TEST_KEY_10")]
        assert [info.reference for info in store.versions("b/c")] == ["b/c@2"]
        assert store.versions("b") == ()
        assert list(store.names()) == ["a", "b/c"]


def test_default_variables_are_not_listed(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """A variable does not tell which name it stands for."""
    monkeypatch.setenv("KEYWRIGHT_KEY_A_B", "x")

    with opened() as store:
        assert list(store.names()) == []
        assert store.get("a.b", 1).payload == store.get("a-b", 1).payload == Secret(b"x")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"cache.example.org-1:AAAA==\n", id="newline kept"),
        pytest.param(b" spaces ", id="spaces kept"),
        pytest.param(bytes(range(1, 256)), id="every byte a variable can hold"),
    ],
)
def test_bytes_come_back_exactly(opened: Opener, value: bytes) -> None:
    """Nothing is stripped or decoded, in a variable or in a file."""
    script = (
        "import sys; from keywright import Options; from keywright_env import EnvBackend\n"
        "with EnvBackend().open(Options({'variables': {}})) as store:\n"
        "    sys.stdout.buffer.write(store.get('a', 1).payload.reveal())"
    )
    environment = {os.fsencode(key): os.fsencode(text) for key, text in os.environ.items()}

    answer = subprocess.run(
        [sys.executable, "-c", script], env={**environment, b"KEYWRIGHT_KEY_A": value}, stdout=subprocess.PIPE
    )

    assert answer.stdout == value


@pytest.mark.parametrize("content", [bytes(range(256)) + b"\n", bytes(1_048_576)], ids=["every byte", "a mebibyte"])
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o444, 0o755])
def test_container_secrets_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: Opener, mode: int, content: bytes
) -> None:
    """A symbolic link to a link to a file that everybody may read, as Kubernetes mounts them; exactly its bytes."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "key").write_bytes(content)
    (tmp_path / "..2026" / "key").chmod(mode)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "key").symlink_to("..data/key")
    monkeypatch.setenv("TEST_KEY_FILE", str(tmp_path / "key"))

    with opened({"a": "TEST_KEY"}) as store:
        assert store.get("a", 1).payload == Secret(content)
        assert store.versions("a") == (RecordInfo(name="a", version=1),)
        assert list(store.names()) == ["a"]


def test_the_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """A variable that comes or goes is seen by an open store."""
    with opened({"a": "TEST_KEY"}) as store:
        before = store.versions("a")
        monkeypatch.setenv("TEST_KEY", "x")
        after = store.versions("a")

    assert (len(before), len(after)) == (0, 1)


@pytest.mark.parametrize(
    ("there", "versions"),
    [
        pytest.param(["TEST_KEY"], 1, id="the oldest"),
        pytest.param(["TEST_KEY_3"], 3, id="one in the middle"),
        pytest.param(["TEST_KEY", "TEST_KEY_3_FILE"], 3, id="two, one in a file"),
        pytest.param([], [], id="none"),
        pytest.param(["TEST_KEY_10"], [10], id="the newest alone"),
        pytest.param(["TEST_KEY", "TEST_KEY_10_FILE"], [1, 10], id="the newest in a file"),
    ],
)
def test_an_older_key_does_not_step_in_for_a_newer_one(
    monkeypatch: pytest.MonkeyPatch, opened: Opener, there: list[str], versions: list[int] | int
) -> None:
    """If the newest version of the table is not set, no older one becomes the primary; older ones may be gone."""
    for variable in there:
        monkeypatch.setenv(variable, "x")

    with opened(TABLE) as store:
        if isinstance(versions, list):
            assert [info.version for info in store.versions("a")] == versions
            return
        message = (
            f'no environment variable for key "a@10" is set, but one for version {versions} is; set TEST_KEY_10, or '
            'remove "a@10" from the setting `variables`'
        )
        with refuses(CorruptedStoreError, message):
            store.versions("a")


NOT_SET = (
    'no environment variable for key "a@1" is set; set TEST_KEY to the key, or TEST_KEY_FILE to the path of a file '
    "with the key"
)
NOT_CONFIGURED = 'no environment variable is configured for key "{0}"; add "{0}" to the setting `variables`'


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        pytest.param("a", 1, NOT_SET, id="not set"),
        *(
            pytest.param(name, version, NOT_CONFIGURED.format(f"{name}@{version}"), id=what)
            for what, name, version in (
                ("not in the table", "a", 2),
                ("only version 1 has a default variable", "c", 2),
                ("a name in the table has no default variable", "b/c", 1),
                ("the default variable would be the file of another name", "a.file", 1),
                ("no name", "../a", 2),
            )
        ),
    ],
)
def test_what_no_variable_holds_is_not_found(
    monkeypatch: pytest.MonkeyPatch, opened: Opener, name: str, version: int, message: str
) -> None:
    """The error names what could be set, or configured."""
    monkeypatch.setenv("KEYWRIGHT_KEY_A_FILE", "/nowhere")
    monkeypatch.setenv("KEYWRIGHT_KEY_B_C", "x")

    with opened(TABLE) as store:
        with refuses(KeyNotFoundError, message):
            store.get(name, version)
        assert [info for info in store.versions(name) if info.version == version] == []


OPENED = "points to a file that cannot be opened: {}; check the path"
NO_FILE = "does not point to a regular file; point it to the key's file"
WRITABLE = (
    "points to a file that other users may write; run `chmod go-w` on it, and check that the key in it is still yours"
)
EMPTY = "points to an empty file; write the key into it, or unset the variable"
LARGE = "points to a file of over 1 MiB, larger than any key; point it to the key's"


def made(path: Path, mode: int) -> None:
    path.write_bytes(b"x")
    path.chmod(mode)


FILES: dict[str, tuple[Callable[[Path], object], type[KeywrightError], str]] = {
    "missing": (lambda key: None, StoreUnavailableError, OPENED.format("No such file or directory")),
    "loop": (
        lambda key: key.symlink_to(key),
        StoreUnavailableError,
        OPENED.format("Too many levels of symbolic links"),
    ),
    "directory": (lambda key: key.mkdir(), AccessDeniedError, NO_FILE),
    "pipe": (lambda key: os.mkfifo(key, 0o600), AccessDeniedError, NO_FILE),
    "device": (lambda key: key.symlink_to("/dev/zero"), AccessDeniedError, NO_FILE),
    "group-writable": (lambda key: made(key, 0o620), AccessDeniedError, WRITABLE),
    "all-writable": (lambda key: made(key, 0o602), AccessDeniedError, WRITABLE),
    "empty": (lambda key: key.touch(), CorruptedStoreError, EMPTY),
    "too-large": (lambda key: key.write_bytes(bytes(1_048_577)), CorruptedStoreError, LARGE),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_a_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: Opener, what: str
) -> None:
    """Each has its error, none waits, and no descriptor stays open."""
    prepare, error, message = FILES[what]
    prepare(tmp_path / "key")
    monkeypatch.setenv("TEST_KEY_FILE", str(tmp_path / "key"))
    before = os.listdir("/dev/fd")

    with opened(TABLE) as store, refuses(error, f"TEST_KEY_FILE {message}"):
        store.get("a", 1)

    assert os.listdir("/dev/fd") == before


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux has a file that opens and does not read")
def test_a_file_whose_reading_fails_is_unavailable(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """What the system says when it cannot read is passed on."""
    monkeypatch.setenv("TEST_KEY_FILE", "/proc/self/mem")

    with opened(TABLE) as store, pytest.raises(StoreUnavailableError) as caught:
        store.get("a", 1)

    assert text_of(caught.value) == (
        "TEST_KEY_FILE points to a file that cannot be read: Input/output error; check the path and the disk"
    )


def test_a_file_that_this_user_may_not_read_is_refused(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """Another user's secret is access denied, not a missing key."""
    descriptor, path = tempfile.mkstemp()
    os.close(descriptor)
    os.chmod(path, 0o000)
    monkeypatch.setenv("TEST_KEY_FILE", path)
    reading, writing = os.pipe()

    with opened(TABLE) as store:
        child = os.fork()
        if not child:
            answer = "read"
            try:
                if os.geteuid() == 0:
                    os.setresuid(65534, 65534, 65534)
                store.get("a", 1)
            except BaseException as error:
                answer = f"{type(error).__name__}: {text_of(error)}{error.__context__ or ''}"
            os.write(writing, answer.encode())
            os._exit(0)
        os.waitpid(child, 0)
    os.unlink(path)

    assert os.read(reading, 1000).decode() == (
        "AccessDeniedError: TEST_KEY_FILE points to a file that this user may not read; make it readable for this "
        "user only"
    )


@pytest.mark.parametrize("call", ["get", "versions"])
def test_a_variable_and_its_file_are_not_chosen_between(
    monkeypatch: pytest.MonkeyPatch, opened: Opener, call: str
) -> None:
    """Both set: no one knows which is meant."""
    monkeypatch.setenv("TEST_KEY", "x")
    monkeypatch.setenv("TEST_KEY_FILE", "/nowhere")

    with opened(TABLE) as store, pytest.raises(ConfigError) as caught:
        _ = store.get("a", 1) if call == "get" else store.versions("a")

    assert text_of(caught.value) == (
        "the environment variables TEST_KEY and TEST_KEY_FILE are both set; unset TEST_KEY, or unset TEST_KEY_FILE"
    )


GRAMMAR = (
    "key names have only a-z, 0-9, '.', '_' and '-', in segments joined by '/' that start with a letter or "
    "digit; use something like cache.example.org or prod/jwt"
)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({"a": "X", "Upper": "Y"}, f"variables: the name in entry 2 is not valid: {GRAMMAR}", id="no name"),
        pytest.param(
            {"a@0": "X"},
            "variables: the name in entry 1 is not valid: the version after @ is not a whole number from 1; "
            "write NAME@3, or NAME alone for the primary",
            id="no version",
        ),
        pytest.param(
            {"a": "X", "a@1": "Y"}, "variables: a and a@1 are the same version; remove one of them", id="twice"
        ),
        *(
            pytest.param(
                {"a@2": variable},
                'variables."a@2" must be the name of an environment variable: not empty, and without = and NUL',
                id=what,
            )
            for what, variable in (("empty", ""), ("equals", "A=B"), ("NUL", "A\0"), ("surrogate", "A\ud800"))
        ),
    ],
)
def test_a_wrong_table_is_refused(opened: Opener, table: dict[str, str], message: str) -> None:
    """When the store is opened, before any key is asked for."""
    with refuses(ConfigError, message), opened(table):
        pass


@pytest.mark.parametrize("key", ["CANARY-SECRET", "CANARY-SECRET" * 100, "/CANARY-SECRET/key", "/dev/null/CANARY"])
def test_a_key_in_the_place_of_a_path_is_not_shown(monkeypatch: pytest.MonkeyPatch, opened: Opener, key: str) -> None:
    """Who puts the key into VAR_FILE finds it in no message, traceback or local variable, and in no error beneath."""
    monkeypatch.setenv("TEST_KEY_FILE", key)
    del key  # this test's own frame is in the traceback, too

    with opened(TABLE) as store, pytest.raises(StoreUnavailableError) as caught:
        store.get("a", 1)

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    told = "".join(shown.format())
    assert "CANARY" not in told
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_system_that_cannot_tell_who_may_write_refuses_files(monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    """Where there are no POSIX permissions, variables work and files do not."""
    monkeypatch.setenv("TEST_KEY_FILE", "/nowhere")
    monkeypatch.delattr(os, "O_NONBLOCK")

    with opened(TABLE) as store, pytest.raises(UnsupportedOperationError) as caught:
        store.get("a", 1)

    assert text_of(caught.value) == (
        "TEST_KEY_FILE: this system cannot tell who may write a file; put the key into the variable itself"
    )


EXPOSED = (
    "TEST_KEY_FILE: points to a file that other users may read; run `chmod go-r` on it, and replace the key if others "
    "may have read it"
)
EMPTY_VARIABLE = "the environment variable {0} is set but empty; set it to {1}, or unset it"


@pytest.mark.parametrize(
    ("owner", "mode", "problems"),
    [
        *(pytest.param(65534, mode, [], id=f"{mode:o}") for mode in (0o400, 0o600)),
        *(pytest.param(65534, mode, [EXPOSED], id=f"{mode:o}") for mode in (0o640, 0o604, 0o444)),
        pytest.param(0, 0o444, [], id="root's, as container engines mount secrets"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_doctor_reports_a_file_that_others_may_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: Opener, owner: int, mode: int, problems: list[str]
) -> None:
    """The group or everybody, unless it is root's. No descriptor stays open."""
    path = tmp_path / "key"
    path.write_bytes(b"the key")
    path.chmod(mode)
    os.chown(path, owner, -1)
    monkeypatch.setenv("TEST_KEY_FILE", str(path))
    before = os.listdir("/dev/fd")

    assert _problems(opened) == problems
    assert os.listdir("/dev/fd") == before


@pytest.mark.parametrize(
    ("variable", "what"), [("TEST_KEY", "the key"), ("TEST_KEY_FILE", "a path")], ids=["variable", "file"]
)
def test_a_variable_that_is_set_but_empty_is_an_error(
    monkeypatch: pytest.MonkeyPatch, opened: Opener, variable: str, what: str
) -> None:
    """An empty secret is a mishap upstream, never "no such key"; `doctor` reports it, and nothing for a set one."""
    not_set = _problems(opened)
    monkeypatch.setenv("TEST_KEY_3", "the key")
    monkeypatch.setenv(variable, "")
    message = EMPTY_VARIABLE.format(variable, what)

    with opened({"a": "TEST_KEY"}) as store:
        with refuses(CorruptedStoreError, message):
            store.get("a", 1)
        assert len(store.versions("a")) == 1
    assert not_set == []
    assert _problems(opened) == [f"TEST_KEY: {message}"]


def _problems(opened: Opener) -> list[str]:
    with opened({"a": "TEST_KEY", "a@3": "TEST_KEY_3"}) as store:
        return lines_of(cast("CheckedStore", store).check())
