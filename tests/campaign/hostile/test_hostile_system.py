"""Stores on a system without room, without permission, with small limits, an odd clock, and Ctrl-C."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hostile.surroundings import OTHER_USER, as_other_user, contents, fill, in_child, needs_root, record, told
from kills.worker import Open
from support import Keywright
from support.errors import text_of
from support.rings import NOW

import keywright
from keywright import KeyRing, Record, RecordInfo, Revision, State
from keywright.cli import main
from keywright.errors import KeywrightError, ReadOnlyStoreError, StoreUnavailableError

FULL = {
    "file": (
        "{name}@1 in {path}: the disk is full (No space left on device), nothing was written; "
        "free disk space and try again"
    ),
    "sqlite": "{path}: the disk is full; nothing was written; free disk space and try again",
}


def make_until_full(opened: Open) -> tuple[dict[str, Record], str, str]:
    """What could be made, what could not, and why."""
    made: dict[str, Record] = {}
    with opened() as store:
        for number in range(1000):
            new = record(f"k{number}", payload=b"canary-%03d;" % number * 20)
            try:
                made[new.info.name] = replace(new, info=store.create(new))
            except StoreUnavailableError as error:
                assert {name: store.get(name, 1) for name in store.names()} == made  # the same handle still reads
                return made, new.info.name, text_of(error)
    raise AssertionError("it never filled up")


def test_a_disk_that_fills_up(
    kind: str, place: Path, store_path: Path, opened: Open, mounted: Callable[[str], None]
) -> None:
    """The key that does not fit is refused and leaves no trace; those before it stay; room is all that is missing."""
    mounted("size=64k,mode=700")
    (place / ".filler").write_bytes(b"x" * 8192)

    made, refused, message = make_until_full(opened)

    assert message == FULL[kind].format(name=refused, path=store_path)
    assert made
    with opened() as store:
        assert {name: store.get(name, 1) for name in store.names()} == made
    assert f"canary-{refused[1:]:0>3}".encode() not in contents(place)

    (place / ".filler").unlink()
    with opened() as store:
        assert {name: store.get(name, 1) for name in store.names()} == made
        tombstone = replace(made["k0"].info, state=State.DESTROYED)
        store.destroy(tombstone, made["k0"].info.revision)
        assert b"canary-000" not in contents(place)
        store.create(record(refused))
        assert store.get(refused, 1).payload == record().payload


@pytest.mark.parametrize("what", ["destroy", "remove"])
def test_the_end_of_a_key_on_a_full_disk(
    kind: str, place: Path, opened: Open, mounted: Callable[[str], None], what: str
) -> None:
    """It is done or refused, never half done; with room again it can be done."""
    mounted("size=128k,mode=700")
    with opened() as store:
        info = store.create(record())

    def end(info: RecordInfo) -> None:
        with opened() as store:
            if what == "remove":
                store.remove("a", [info.revision])
            else:
                store.destroy(replace(info, state=State.DESTROYED), info.revision)

    fill(place / ".filler")
    outcome = told(lambda: end(info))
    (place / ".filler").unlink()

    assert outcome == "done" or outcome.startswith("StoreUnavailableError: ")
    with opened() as store:
        if outcome != "done":
            assert store.get("a", 1) == Record(info, record().payload)
            end(info)
        assert [one.state for one in store.versions("a")] == ([] if what == "remove" else [State.DESTROYED])
        assert b"canary-one" not in contents(place)


def test_reading_on_a_full_disk(place: Path, opened: Open, mounted: Callable[[str], None]) -> None:
    """Where not one byte fits any more, keys are read."""
    mounted("size=64k,mode=700")
    with opened() as store:
        info = store.create(record())
    fill(place / ".filler")

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        assert list(store.names()) == ["a"]


def _shown(stderr: bytes) -> str:
    """Error and hint in one line, as `text_of` has them."""
    return stderr.decode().replace("\nhint: ", "; ")


def test_a_full_disk_on_the_command_line(
    kind: str, place: Path, configured: Path, keywright: Keywright, mounted: Callable[[str], None]
) -> None:
    """Exit 6 and one line; what was made before is there, and with room again the same command works."""
    mounted("size=64k,mode=700")
    (place / ".filler").write_bytes(b"x" * 12_288)
    made = []
    for number in range(100):
        done = keywright("generate", f"k{number}")
        if done.returncode:
            break
        made.append(f"k{number}")

    assert done.returncode == 6
    assert done.stdout == b""
    assert _shown(done.stderr) in [
        f"error: {line.format(name=f'k{len(made)}', path=configured)}\n"
        for line in (
            FULL[kind],
            "{path}: SQLite reports SQLITE_IOERR_SHMSIZE; nothing was written; check the disk and try again",
        )
    ]

    (place / ".filler").unlink()
    listed = keywright("list", "--json")
    assert listed.stdout.count(b"\n") == len(made)
    assert all(keywright("export", name).returncode == 0 for name in made)
    assert keywright("generate", f"k{len(made)}").returncode == 0
    assert keywright("doctor").returncode == 0


def test_few_descriptors(opened: Open) -> None:
    """Each write is done, or refused by a typed error and leaves no trace, however few files may be open."""
    with opened() as store:
        info = store.create(record())
    outcomes = []
    for spare in range(12):
        outcomes.append(in_child(partial(with_descriptors, spare, partial(write, opened, f"n{spare}"))))
        with opened() as store:
            assert store.get("a", 1) == Record(info, record().payload)
            assert (f"n{spare}" in store.names()) == (outcomes[-1] == "done")

    assert outcomes[-1] == "done"
    assert outcomes[0] != "done"
    assert all(outcome == "done" or outcome.startswith("StoreUnavailableError: ") for outcome in outcomes), outcomes


def write(opened: Open, name: str) -> None:
    with opened() as store:
        store.create(record(name, payload=b"canary-two"))


def with_descriptors(spare: int, call: Callable[[], object]) -> str:
    """Call it in a process that may open so many files more."""
    used = max(int(name) for name in os.listdir("/dev/fd")) + 1
    for descriptor in range(used):
        with suppress(OSError):
            os.fstat(descriptor)
            continue
        os.open("/dev/null", os.O_RDONLY)  # no gap below
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, hard))
    return told(call)


def test_little_memory(place: Path, opened: Open) -> None:
    """A key that does not fit into memory leaves the store as it was."""
    with opened() as store:
        info = store.create(record())

    def write() -> str:
        large = record("large", payload=b"canary-large" * 2_000_000)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20), -1))
        try:
            with opened() as store:
                store.create(large)
        except MemoryError:
            return "MemoryError"
        except Exception as error:
            return f"{type(error).__name__}: {text_of(error)}"
        return "done"

    outcome = in_child(write)

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        assert ("large" in store.names()) == (outcome == "done")
        if outcome != "done":
            assert b"canary-large" not in contents(place)


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


MOUNT = {
    "file": (
        "{what} in {path}: the file system is mounted read-only, nothing was written; remount it, or use another store"
    ),
    "sqlite": (
        "{path}: this user may not write the file or its directory, nothing was written; run as its "
        "owner, or set `path` to a file in a directory that you can write to"
    ),
}


def test_a_read_only_mount(kind: str, store_path: Path, opened: Open, mounted: Callable[[str], None]) -> None:
    """A store on a file system that was mounted read-only is read, and not written."""
    mounted("size=1m,mode=700")
    with opened() as store:
        info = store.create(record())
    mounted("remount,ro")

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        assert list(store.names()) == ["a"]
        writes: Sequence[tuple[str, Callable[[], object]]] = [
            ("b@1", lambda: store.create(record("b"))),
            ("a@1", lambda: store.update_info(record(new="label").info, info.revision)),
            ("a", lambda: store.remove("a", [info.revision])),
        ]
        for what, write in writes:
            with pytest.raises(ReadOnlyStoreError) as refused:
                write()
            assert text_of(refused.value) == MOUNT[kind].format(what=what, path=store_path)


def test_a_read_only_mount_on_the_command_line(
    kind: str, configured: Path, keywright: Keywright, mounted: Callable[[str], None]
) -> None:
    """What reads works as ever; what writes is exit 5."""
    mounted("size=1m,mode=700")
    assert keywright("generate", "a").returncode == 0
    mounted("remount,ro")

    for command in (["list"], ["show", "a"], ["export", "a"], ["export", "a", "--secret"], ["doctor"]):
        assert keywright(*command).returncode == 0, command
    assert keywright("sign", "a", input=b"hello").returncode == 0
    for command, what in [
        (["generate", "b"], "b@1"),
        (["rotate", "a"], "a@2"),
        (["label", "a", "x=y"], "a@1"),
        (["destroy", "a@1", "--yes"], "a@1"),
    ]:
        done = keywright(*command)
        assert (done.returncode, done.stdout) == (5, b""), command
        assert _shown(done.stderr) == "error: " + MOUNT[kind].format(what=what, path=configured) + "\n"


def test_no_store_on_a_read_only_mount(kind: str, opened: Open, mounted: Callable[[str], None]) -> None:
    """Where there is no store and none can be made, there are no keys, and a write says why."""
    mounted("size=1m,mode=700")
    mounted("remount,ro")

    with opened() as store:
        assert list(store.names()) == []
        with pytest.raises(ReadOnlyStoreError):
            store.create(record())


def own(place: Path, *, mode: int) -> None:
    """Give all below to the unprivileged user; directories get this mode."""
    for directory, _, files in os.walk(place, topdown=False):
        for name in files:
            os.chown(os.path.join(directory, name), OTHER_USER, OTHER_USER)
        os.chown(directory, OTHER_USER, OTHER_USER)
        os.chmod(directory, mode)


OWNED = {
    "file": (
        "AccessDeniedError: {path}: access is denied (Permission denied); run as the store's owner, or "
        "change its permissions"
    ),
    "sqlite": (
        "AccessDeniedError: {path} belongs to another user, who could change it; use a store of your own, or have "
        "root `chown` it"
    ),
}


def test_another_users_store(kind: str, place: Path, store_path: Path, opened: Open) -> None:
    """A store for its owner alone is not an empty store to another user."""
    needs_root()
    with opened() as store:
        store.create(record())
    own(place, mode=0o700)
    os.chmod(place, 0o755)
    os.chown(place, 0, 0)

    def open_it() -> str:
        with opened() as store:
            return str(list(store.names()))

    assert as_other_user(open_it) == "['a']"

    assert as_other_user(open_it, OTHER_USER - 1) == OWNED[kind].format(path=store_path)


def test_a_store_in_a_sticky_directory(kind: str, place: Path, opened: Open) -> None:
    """In a directory like /tmp, where everybody makes and no one else removes, a store works."""
    os.chmod(place, 0o1777)

    with opened() as store:
        info = store.create(record())

    with opened() as store:
        assert store.get("a", 1) == Record(info, record().payload)
        store.remove("a", [info.revision])


def test_a_name_taken_by_another_user_in_a_sticky_directory(
    kind: str, place: Path, store_path: Path, opened: Open
) -> None:
    """Who was there first with a store of that name is refused, by name, and not handed a key."""
    needs_root()
    os.chmod(place, 0o1777)

    def squat() -> None:
        with opened() as store:
            store.create(record())

    assert as_other_user(squat) == "None"

    def use() -> str:
        with opened() as store:
            store.create(record("b", payload=b"canary-two"))
        return "done"

    assert as_other_user(use, OTHER_USER - 1).startswith("AccessDeniedError: ")
    assert b"canary-two" not in b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())


YEAR = timedelta(days=365)


@pytest.fixture
def at(kind: str, store_path: Path) -> Callable[[datetime], KeyRing]:
    """A ring over the store that takes some time for now."""
    config = {"default_store": "it", "stores": {"it": {"backend": kind, "path": str(store_path)}}}
    return lambda now: keywright.open(config, clock=lambda: now)


@pytest.mark.parametrize("jump", [-YEAR, -timedelta(microseconds=1), YEAR, 200 * YEAR], ids=str)
def test_a_clock_that_jumps_between_commands(at: Callable[[datetime], KeyRing], jump: timedelta) -> None:
    """The version made last signs, whatever the clock said when it was made, and all verify."""
    with at(NOW) as ring:
        ring.generate("a", type="ed25519", format="nix")
        first = ring.sign("a", b"hello")
    with at(NOW + jump) as ring:
        ring.rotate("a")
        ring.label("a@2", {"jumped": "yes"})
        signer = ring.signer("a")
        second = signer.sign(b"hello")
    revisions = []
    for now in (NOW, NOW + jump, NOW - YEAR, NOW + YEAR):
        with at(now) as ring:
            infos = [one.info for one in ring.show("a").versions]
            revisions.append([info.revision for info in infos])

            assert [info.version for info in infos] == [1, 2]
            assert ring.signer("a").version == signer.version == 2
            ring.verify("a", b"hello", first)
            ring.verify("a", b"hello", second)
            assert ring.export("a@1")
    assert revisions == [revisions[0]] * 4
    with at(NOW - YEAR) as ring:
        ring.disable("a@2")
        with pytest.raises(KeywrightError, match="version 2 is disabled, and older versions are not used again"):
            ring.sign("a", b"hello")
        ring.enable("a@2")
        ring.destroy("a@1")
        assert ring.signer("a").version == 2


def test_a_clock_that_jumps_under_an_open_ring(kind: str, store_path: Path) -> None:
    """A ring, and a signer that it bound, go on at any time."""
    time = [NOW]
    config = {"default_store": "it", "stores": {"it": {"backend": kind, "path": str(store_path)}}}
    with keywright.open(config, clock=lambda: time[0]) as ring:
        ring.generate("a", type="ed25519", format="nix")
        signer = ring.signer("a")
        for version, jump in enumerate((-YEAR, 2 * YEAR, -3 * YEAR, timedelta(0)), start=2):
            time[0] += jump
            ring.rotate("a")
            ring.verify("a", b"hello", signer.sign(b"hello"))
            assert ring.signer("a").version == version


@pytest.mark.parametrize(
    "year",
    [
        pytest.param(1971, id="long ago"),
        pytest.param(2100, id="in the future"),
        pytest.param(2400, id="beyond 64 bits of nanoseconds"),
    ],
)
def test_files_of_another_time(place: Path, opened: Open, year: int) -> None:
    """Whatever times the files of a store have, all of it works, and no revision comes twice."""
    seen: list[Revision] = []
    with opened() as store:
        seen.append(store.create(record()).revision)

    written = round(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    for path in place.rglob("*"):
        os.utime(path, (written, written))
    with opened() as store:
        seen.append(store.versions("a")[0].revision)
        for number in range(3):
            seen.append(store.update_info(record(n=str(number)).info, seen[-1]).revision)
        seen.append(store.create(record("b")).revision)
        store.remove("b", [seen[-1]])
        seen.append(store.create(record("b")).revision)

        assert store.get("a", 1).info.labels == {"n": "2"}
        assert len({*seen[1:]}) == len(seen) - 1
