"""Damage, links and what keywright did not write are errors: never another key, and never "no keys"."""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses
from support.errors import text_of
from support.problems import lines_of

from keywright import Record, Secret, State
from keywright.errors import AccessDeniedError, CorruptedStoreError, KeyExistsError, StoreUnavailableError, key_exists
from keywright_file import TIMEOUT
from keywright_file.layout import checksum_of, is_checksum
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
RESTORE = "; restore it from a backup"
AWAY = "; move it out of the store"
HIDDEN = "name hidden: it looks like a secret"
METADATA = "the metadata is damaged" + RESTORE
MISPLACED = f"expected a file or directory of the store, found a link or a special file{RESTORE}"
CHANGED = "may be changed by other users; run `chmod go-w` on it"


def swap_for_link(path: Path) -> None:
    kept = path.parent.parent / ".kept"
    path.rename(kept)
    path.symlink_to(kept)


def other_metadata(place: Path) -> None:
    other = place.parent.parent / "b" / "@1" / "meta.json"
    (place / "meta.json").write_bytes(other.read_bytes())


def quoted_metadata(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"jwk", b"canary-two") + b"canary")


def swap_for_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


DAMAGES = [
    pytest.param(lambda p: (p / "meta.json").unlink(), "a file is missing" + RESTORE, id="no-metadata"),
    pytest.param(lambda p: (p / "meta.json").write_bytes(b""), METADATA, id="empty-metadata"),
    pytest.param(lambda p: os.truncate(p / "meta.json", 40), METADATA, id="truncated-metadata"),
    pytest.param(lambda p: (p / "meta.json").write_bytes(b"\xff\0"), METADATA, id="binary-metadata"),
    pytest.param(lambda p: quoted_metadata(p / "meta.json"), METADATA, id="metadata-that-would-be-quoted"),
    pytest.param(other_metadata, "the metadata is another key's" + RESTORE, id="another-name"),
    pytest.param(lambda p: (p / "key").unlink(), "the key file is missing" + RESTORE, id="no-key"),
    pytest.param(
        lambda p: (p / "key~").write_bytes(b"x"),
        "unexpected file (`a/@1/key~`) beside the key" + AWAY,
        id="unknown-file",
    ),
    pytest.param(
        lambda p: [(p / name).unlink() for name in ("key", "meta.json")], "a file is missing" + RESTORE, id="empty"
    ),
    *(
        pytest.param(
            lambda p, part=part: swap_for_link(p / part) if part else swap_for_link(p),
            MISPLACED,
            id=f"link-{part or 'directory'}",
        )
        for part in ("", "meta.json")
    ),
    pytest.param(
        lambda p: swap_for_fifo(p / "key"),
        MISPLACED,
        id="fifo",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_damaged_version(
    store: FileStore, make: Make, root: Path, damage: Callable[[Path], object], message: str
) -> None:
    """A version that is not as it was written is reported as damaged by get, versions, update and remove."""
    infos = [store.create(make(name)) for name in ("a", "b")]
    damage(root / "a" / "@1")

    calls: list[Callable[[], object]] = [
        lambda: store.get("a", 1),
        lambda: store.update_info(make().info, infos[0].revision),
    ]
    for call in calls:
        with refuses(CorruptedStoreError, f"a@1 in {root}: {message}"):
            call()
    with pytest.raises(CorruptedStoreError):
        store.remove("a", [infos[0].revision])
    with pytest.raises(CorruptedStoreError):
        store.versions("a")
    assert store.get("b", 1).info == infos[1]


def test_a_names_directory_is_named(store: FileStore, make: Make, root: Path) -> None:
    """Where it is no fault of one version, the message says which name it is and where."""
    store.create(make())
    (root / "a").chmod(0o720)
    with refuses(AccessDeniedError, f"a in {root}: the directory {CHANGED}"):
        store.versions("a")
    (root / "a").rename(root / ".elsewhere")
    (root / "a").write_bytes(b"x")

    with refuses(CorruptedStoreError, f"a in {root}: {MISPLACED}"):
        store.versions("a")


@pytest.mark.parametrize("file", ["a/@1/key", "a/@1/meta.json", ".keywright/format", ".keywright/pending"])
def test_huge_file(make: Make, root: Path, file: str) -> None:
    """A file that is longer than any that is written is not read, however much memory there is."""
    FileStore(str(root), TIMEOUT).create(make())
    (root / file).touch(mode=0o600)
    os.truncate(root / file, 1 << 40)

    store = FileStore(str(root), TIMEOUT)
    with pytest.raises(CorruptedStoreError) as found:
        store.create(make("b")) if "pending" in file else store.get("a", 1)

    assert text_of(found.value).endswith(f": a file is longer than any that keywright writes{RESTORE}")


@pytest.mark.parametrize("kind", [0o010000, 0o020000], ids=["FIFO", "device"])
def test_lock_that_is_no_file(reopen: Reopen, make: Make, root: Path, kind: int) -> None:
    """What can be locked but keeps no time is not taken for the lock, by writers and by readers that need it."""
    if os.geteuid() != 0:
        pytest.skip("only root can make devices")
    with reopen() as store:
        store.create(make())
        (root / ".keywright/lock").unlink()
        os.mknod(root / ".keywright/lock", 0o600 | kind, os.makedev(1, 5))
        (root / "a/@1/key").unlink()

        for call in (lambda: store.create(make("b")), lambda: store.get("a", 1)):
            with pytest.raises(CorruptedStoreError) as found:
                call()
            assert text_of(found.value).endswith(f": {MISPLACED}")


STRAYS = [
    pytest.param("a/@x", True, "a in {root}: unexpected directory (`a/@x`): it is not a valid version", id="x"),
    pytest.param("a/@01", True, "a in {root}: unexpected directory (`a/@01`): it is not a valid version", id="01"),
    pytest.param("a/@", True, "a in {root}: unexpected directory (`a/@`): it is not a valid version", id="at"),
    pytest.param(
        "a/notes", False, "a in {root}: unexpected file or link (`a/notes`) among the names", id="file-in-name"
    ),
    pytest.param("README", False, "{root}: unexpected file or link (`README`) among the names", id="file-at-root"),
    pytest.param("@1", False, "{root}: unexpected file or link (`@1`) among the names", id="file-at-root-as-version"),
    pytest.param("@1", True, "{root}: unexpected version (`@1`) among the names", id="version-at-root"),
    pytest.param("Upper", True, "{root}: unexpected directory (`Upper`): it is not a valid name", id="capital"),
    pytest.param("a/Up", True, "{root}: unexpected directory (`a/Up`): it is not a valid name", id="capital-below"),
    pytest.param("é" * 40, False, f"{{root}}: unexpected file or link (`{'é' * 40}`) among the names", id="40"),
    pytest.param("é" * 41, False, f"{{root}}: unexpected file or link ({HIDDEN}) among the names", id="41"),
    pytest.param("a\n", False, f"{{root}}: unexpected file or link ({HIDDEN}) among the names", id="line-feed"),
    pytest.param(
        "a/x-" + "aB3" * 7, False, f"a in {{root}}: unexpected file or link ({HIDDEN}) among the names", id="key"
    ),
]


@pytest.mark.parametrize(("stray", "directory", "message"), STRAYS)
def test_strays_among_the_names(
    store: FileStore, make: Make, root: Path, stray: str, directory: bool, message: str
) -> None:
    """What is neither a version nor a name is reported, for it may be a key that someone moved."""
    store.create(make())
    (root / stray).mkdir() if directory else (root / stray).write_bytes(b"x")

    with pytest.raises(CorruptedStoreError) as found:
        list(store.names())

    assert text_of(found.value) == message.format(root=root) + AWAY
    assert [one for one in lines_of(store.check()) if "may be read" not in one] == [text_of(found.value)]


def test_root_that_is_a_link(reopen: Reopen, make: Make, root: Path) -> None:
    """A root behind a link works; a link to nothing is not an empty store."""
    root.symlink_to(root.with_name("real"))
    message = f"{root} is a broken link; mount or create its target, or set another `path`"
    with refuses(StoreUnavailableError, message), reopen():
        pass
    root.with_name("real").mkdir(mode=0o700)
    with reopen() as store:
        store.create(make())

    assert (root.with_name("real") / "a/@1/key").exists()


NO_MARKER = (
    " is not empty and has no .keywright/format, so it is not a store, or one that lost its marker; set `path` to a "
    "directory of its own, or restore the marker from a backup"
)
BAD_MARKER = ": the marker .keywright/format is damaged; restore it from a backup"
NO_STORE = [
    pytest.param({"": b"precious"}, " is not a directory; set `path` to a directory", id="file"),
    pytest.param({".bashrc": b"x"}, NO_MARKER, id="foreign"),
    pytest.param({"a/@1/key": b"x"}, NO_MARKER, id="lost"),
    pytest.param({"a/@1/key": b"x", ".keywright/format": b""}, BAD_MARKER, id="empty"),
    pytest.param({"a/@1/key": b"x", ".keywright/format": b"keywright"}, BAD_MARKER, id="cut"),
    pytest.param(
        {"a/@1/key": b"x", ".keywright/format": b"keywright file store 2\n"},
        " was written by a newer keywright; upgrade keywright",
        id="newer",
    ),
]


@pytest.mark.parametrize(("there", "message"), NO_STORE)
def test_what_is_no_store(reopen: Reopen, make: Make, root: Path, there: dict[str, bytes], message: str) -> None:
    """It is refused by readers and writers, and left as it is: neither an empty store nor overwritten."""
    for name, content in there.items():
        (root / name).parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        (root / name).write_bytes(content)

    with refuses(CorruptedStoreError, f"{root}{message}"), reopen():
        pass
    with pytest.raises(CorruptedStoreError):
        FileStore(str(root), TIMEOUT).create(make())

    assert {name: (root / name).read_bytes() for name in there} == there
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == there.keys() - {""}


def test_a_root_that_is_swapped_is_checked_again(store: FileStore, make: Make, root: Path) -> None:
    """A store that is open while its directory is replaced by another is not read through the old one."""
    store.create(make())
    root.rename(root.with_name("old"))
    root.mkdir(mode=0o700)
    (root / "foreign").write_bytes(b"x")

    with pytest.raises(CorruptedStoreError):
        store.get("a", 1)


SEEN = (
    "other users may read or change the key file; run `chmod 0600` on it, and replace the key if others may have "
    "read it"
)
OPEN_TO_OTHERS = [
    pytest.param("", 0o770, f"the directory {CHANGED}", id="root-g"),
    pytest.param("", 0o707, f"the directory {CHANGED}", id="root-o"),
    pytest.param("a", 0o720, f"the directory {CHANGED}", id="name"),
    pytest.param("a/@1", 0o702, f"the directory {CHANGED}", id="version"),
    pytest.param("a/@1/meta.json", 0o620, f"the file {CHANGED}", id="metadata"),
    pytest.param("a/@1/key", 0o602, f"the file {CHANGED}", id="key-written"),
    *(pytest.param("a/@1/key", mode, SEEN, id=f"key-{mode:o}") for mode in (0o640, 0o604, 0o610)),
]


@pytest.mark.parametrize(("path", "mode", "message"), OPEN_TO_OTHERS)
def test_unsafe_permissions(store: FileStore, make: Make, root: Path, path: str, mode: int, message: str) -> None:
    """A directory or file that others may change, or a key that they may read, is refused."""
    store.create(make())
    for readable in ("", "a", "a/@1", "a/@1/meta.json"):  # others may see which keys exist
        (root / readable).chmod(0o755)
    assert store.get("a", 1).payload is not None
    (root / path).chmod(mode)

    with refuses(AccessDeniedError, f"{root if not path else f'a@1 in {root}'}: {message}"):
        store.get("a", 1)


OCT = b'{"k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow","kty":"oct"}'


@pytest.fixture
def root(quick_root: Path) -> Path:
    return quick_root


def checksum(payload: bytes) -> str:
    return f"crc32-{crc32(payload):08x}"


def files(place: Path) -> list[str]:
    return sorted(os.listdir(place))


def test_check_value() -> None:
    """The CRC-32 is the usual one: its check value (CRC-32/ISO-HDLC in the catalogue of CRCs) is cbf43926."""
    assert checksum_of(Secret(b"123456789")) == "crc32-cbf43926"
    assert checksum_of(Secret(b"")) == "crc32-00000000"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("crc32-cbf43926", True),
        ("crc32-CBF43926", False),
        ("crc32-cbf4392", False),
        ("crc32-cbf439260", False),
        ("crc32_cbf43926", False),
        ("crc32-cbf4392g", False),
        ("crc32-cbf4392²", False),
    ],
)
def test_names_of_checksums(store: FileStore, make: Make, root: Path, name: str, is_one: bool) -> None:
    """A file beside the key that is named otherwise is one that keywright did not write."""
    store.create(make())
    (root / "a/@1" / name).touch()

    assert is_checksum(name) == is_one
    for call in (lambda: store.get("a", 1), lambda: store.versions("a")):
        if is_one:
            call()
        else:
            with pytest.raises(CorruptedStoreError) as found:
                call()
            assert text_of(found.value) == (
                f"a@1 in {root}: unexpected file (`a/@1/{name}`) beside the key; move it out of the store"
            )


CHECKSUMS = [
    pytest.param([], "the checksum of the key file is missing", id="missing"),
    pytest.param([checksum(b"other")], "the key file is damaged", id="wrong"),
    pytest.param([checksum(b"other"), checksum(b"another")], "the key file is damaged", id="two-wrong"),
    pytest.param([checksum(b"canary-one"), checksum(b"other")], None, id="two"),
]


@pytest.mark.parametrize(("left", "message"), CHECKSUMS)
def test_checksums_beside_a_key(reopen: Reopen, make: Make, root: Path, left: list[str], message: str | None) -> None:
    """One that fits is enough, as after an interrupted update; without one it is damage."""
    place = root / "a/@1"
    with reopen() as store:
        info = store.create(make())
        (place / checksum(b"canary-one")).unlink()
        for name in left:
            (place / name).touch(mode=0o600)

        if message is None:
            assert store.get("a", 1) == Record(info, Secret(b"canary-one"))
        else:
            with pytest.raises(CorruptedStoreError) as found:
                store.get("a", 1)
            assert text_of(found.value) == f"a@1 in {root}: {message}{RESTORE}"
            assert lines_of(store.check()) == [text_of(found.value)]
        assert list(store.names()) == ["a"]
    with reopen() as store:
        assert files(place) == sorted(["key", "meta.json", *left])


def test_versions_read_no_key(store: FileStore, make: Make, root: Path) -> None:
    """Metadata is told of a version whose key is damaged; that its checksum is lost shows all the same."""
    info = store.create(make())
    (root / "a/@1/key").write_bytes(b"damaged")
    seen = store.versions("a")
    (root / "a/@1" / checksum(b"canary-one")).unlink()

    with pytest.raises(CorruptedStoreError):
        store.versions("a")

    assert [version.name for version in seen] == [info.name]


def test_a_damaged_key_can_be_destroyed(store: FileStore, make: Make, root: Path) -> None:
    """Most of a secret may still be in it."""
    store.create(make())
    (root / "a/@1/key").write_bytes(b"canary-on")

    store.destroy(make(payload=None, state=State.DESTROYED).info, store.versions("a")[0].revision)

    assert store.get("a", 1).payload is None
    assert files(root / "a/@1") == ["meta.json"]


def test_payloads_with_one_checksum(store: FileStore, make: Make, root: Path) -> None:
    """Two payloads that have the same CRC-32, as these words have, take each other's place."""
    words = (b"plumless", b"buckeroo")
    info = store.create(make(payload=words[0]))
    info = store.replace_payload("a", 1, Secret(words[1]), info.revision)

    assert checksum(words[0]) == checksum(words[1])
    assert store.get("a", 1) == Record(info, Secret(words[1]))
    assert files(root / "a/@1") == [checksum(words[1]), "key", "meta.json"]


@pytest.mark.parametrize("held", [b"canary-one", b"canary-two"], ids=["old", "new"])
def test_open_settles_which_checksum_stays(reopen: Reopen, make: Make, root: Path, held: bytes) -> None:
    """Where an update of the payload was interrupted, the next open keeps the checksum that fits."""
    place = root / "a/@1"
    with reopen() as store:
        store.create(make(payload=held))
    for payload in (b"canary-one", b"canary-two"):
        (place / checksum(payload)).touch(mode=0o600)
    (root / ".keywright/pending").write_text("a@1\n")
    (root / ".keywright/pending").chmod(0o600)

    with reopen() as store:
        assert store.get("a", 1).payload == Secret(held)

    assert files(place) == [checksum(held), "key", "meta.json"]
    assert not (root / ".keywright/pending").exists()


@pytest.mark.parametrize(("file", "problem"), [("key", "key file"), ("meta.json", "metadata")])
def test_a_damaged_version_is_not_settled(reopen: Reopen, make: Make, root: Path, file: str, problem: str) -> None:
    """Where neither checksum fits, nothing is taken away, readers go on, and writers are told."""
    place = root / "a/@1"
    with reopen() as store:
        store.create(make())
        store.create(make("b"))
    (place / file).write_bytes(b"damaged")
    (place / checksum(b"canary-two")).touch()
    (root / ".keywright/pending").write_text("a@1\n")
    (root / ".keywright/pending").chmod(0o600)
    before = files(place)

    with reopen() as store:
        assert store.get("b", 1).payload == Secret(b"canary-one")
        with refuses(CorruptedStoreError, f"a@1 (left by an interrupted write): the {problem} is damaged{RESTORE}"):
            store.create(make("c"))

    assert files(place) == before


LEFT = "the file `{}` of a version that has no secret still exists; remove that file"
EXPOSED = "the file `crc32-…` may be read by other users; run `chmod 0600` on it"
SECOND = (
    "the checksum of another payload is beside the key; of the files `crc32-…`, keep the one with the CRC-32 of the "
    "key, and remove the others"
)
TOMBSTONE = {"payload": None, "state": State.DESTROYED}


@pytest.mark.parametrize(
    ("record", "file", "mode", "problems"),
    [
        pytest.param(TOMBSTONE, "key", 0o600, [LEFT.format("key")], id="key of a destroyed version"),
        pytest.param({"payload": None}, "key", 0o600, [LEFT.format("key")], id="key of a public key"),
        pytest.param(TOMBSTONE, checksum(b"x"), 0o600, [LEFT.format("crc32-…")], id="checksum of a destroyed version"),
        pytest.param({"payload": None}, checksum(b"x"), 0o600, [LEFT.format("crc32-…")], id="checksum of a public key"),
        pytest.param(TOMBSTONE, "key", 0o644, [SEEN, LEFT.format("key")], id="key that others may read"),
        pytest.param({}, checksum(b"other"), 0o600, [SECOND], id="second checksum"),
        pytest.param({}, checksum(b"canary-one"), 0o644, [EXPOSED], id="checksum that others may read"),
        pytest.param({}, checksum(b"canary-one"), None, [MISPLACED], id="link in place of a checksum"),
    ],
)
def test_doctor_reports_what_does_not_belong_to_a_key(
    store: FileStore, make: Make, root: Path, record: dict[str, Any], file: str, mode: int | None, problems: list[str]
) -> None:
    """It does no harm, is no payload and no damage; the digits of a checksum are not shown."""
    made = make(**record)
    store.create(made)
    path = root / "a/@1" / file
    path.touch()
    if mode is None:
        path.unlink()
        path.symlink_to("key")
    else:
        path.chmod(mode)

    assert store.get("a", 1).payload == made.payload
    assert store.versions("a")[0].state is made.info.state
    assert lines_of(store.check()) == [f"a@1 in {root}: {problem}" for problem in problems]


NOWHERE = "nowhere"


@pytest.fixture
def elsewhere(root: Path) -> Path:
    """A directory outside the store that links can lead to, open to its owner's group."""
    place = root.with_name("elsewhere")
    place.mkdir()
    place.chmod(0o750)
    (place / "precious").write_bytes(b"x")
    return place


@pytest.mark.parametrize("link", [True, False], ids=["link", "file"])
@pytest.mark.parametrize(
    ("stray", "fault"),
    [
        pytest.param(
            "a/@2",
            "(`a/@2`) in the place of a version; restore that version from a backup, or move the file away if "
            "there never was one",
            id="version",
        ),
        pytest.param("b", "(`b`) among the names; move it out of the store", id="name"),
    ],
)
def test_a_link_or_file_among_the_names(
    store: FileStore, make: Make, root: Path, elsewhere: Path, stray: str, fault: str, link: bool
) -> None:
    """It is neither a version nor a name, whatever it leads to; in the place of a version, one may be lost."""
    store.create(make())
    (root / stray).symlink_to(elsewhere) if link else (root / stray).write_bytes(b"x")
    subject = f"a in {root}" if stray == "a/@2" else str(root)

    with pytest.raises(CorruptedStoreError) as found:
        list(store.names())

    assert text_of(found.value) == f"{subject}: unexpected file or link {fault}"
    assert lines_of(store.check()) == [text_of(found.value)]


def test_a_link_takes_a_versions_place(store: FileStore, make: Make, root: Path) -> None:
    """A link to nothing is there all the same: the version may be on a volume that is not mounted."""
    store.create(make())
    (root / "a/@2").symlink_to(NOWHERE)

    with refuses(KeyExistsError, text_of(key_exists("a", 2))):
        store.create(make(version=2))

    assert os.readlink(root / "a/@2") == NOWHERE


def test_a_link_among_what_is_half_made(reopen: Reopen, make: Make, root: Path, elsewhere: Path) -> None:
    """It is swept away, and what it leads to keeps its content and its mode."""
    with reopen() as store:
        store.create(make())
    for name, target in (("version", elsewhere), ("file", Path(NOWHERE))):
        (root / ".keywright/tmp" / name).symlink_to(target)

    with reopen():
        pass

    assert os.listdir(root / ".keywright/tmp") == []
    assert os.listdir(elsewhere) == ["precious"]
    assert elsewhere.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("link", ["@removed", "@1/key"])
def test_a_link_where_a_removal_stopped(reopen: Reopen, make: Make, root: Path, link: str) -> None:
    """A link to nothing in the place of the mark or of a key does not keep the next open from the removal's end."""
    with reopen() as store:
        store.create(make())
    for file, data in (("a/@removed", b""), (".keywright/pending", b"a\n")):
        (root / file).write_bytes(data)
        (root / file).chmod(0o600)
    (root / "a" / link).unlink()
    (root / "a" / link).symlink_to(NOWHERE)

    with reopen() as store:
        assert list(store.names()) == []

    assert not (root / "a").exists()
    assert not (root / ".keywright/pending").exists()


def test_a_link_that_says_public_only(store: FileStore, make: Make, root: Path) -> None:
    """Where a link to nothing stands for the mark, an update's revision is still the one that the next reader sees."""
    store.create(make(payload=None))
    (root / "a/@1/public-only").unlink()
    (root / "a/@1/public-only").symlink_to(NOWHERE)
    (before,) = store.versions("a")

    after = store.update_info(make(payload=None, x="y").info, before.revision)

    assert store.versions("a") == (after,)
