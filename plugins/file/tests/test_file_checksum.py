"""A key file that was damaged from outside is an error, never another key."""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keywright import Record, Secret, State
from keywright.errors import DamagedStoreError
from keywright_file.layout import checksum_of, is_checksum
from keywright_file.store import FileStore

Reopen = Callable[[], AbstractContextManager[FileStore]]
Make = Callable[..., Record]
OCT = b'{"k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow","kty":"oct"}'
RESTORE = "; restore it from a backup"


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
def test_names_of_checksums(reopen: Reopen, make: Make, root: Path, name: str, is_one: bool) -> None:
    """A file beside the key that is named otherwise is one that keywright did not write."""
    with reopen() as store:
        store.create(make())
        (root / "a/@1" / name).touch()

        assert is_checksum(name) == is_one
        for call in (lambda: store.get("a", 1), lambda: store.versions("a")):
            if is_one:
                call()
            else:
                with pytest.raises(DamagedStoreError) as found:
                    call()
                assert str(found.value) == (
                    f"a@1 in {root}: a file (`a/@1/{name}`) that keywright did not write stands beside the key; move "
                    "it away"
                )


def damages(data: bytes) -> list[bytes]:
    """Every flip of a bit, every truncation, and some that are longer."""
    flips = [bytes([*data[:at], data[at] ^ 1 << bit, *data[at + 1 :]]) for at in range(len(data)) for bit in range(8)]
    return flips + [data[:length] for length in range(len(data))] + [data + more for more in (b"\0", b"\n", data)]


@pytest.mark.parametrize(
    ("file", "message"), [("key", "the key file is damaged"), ("meta.json", "the metadata is damaged")]
)
def test_every_damage_shows(reopen: Reopen, make: Make, root: Path, file: str, message: str) -> None:
    """A file with any one bit flipped, or cut short anywhere, is refused, though it may be a valid key."""
    with reopen() as store:
        info = store.create(make(payload=OCT))
        path = root / "a/@1" / file
        whole = path.read_bytes()

        for data in damages(whole):
            path.write_bytes(data)
            with pytest.raises(DamagedStoreError) as found:
                store.get("a", 1)
            assert str(found.value) == f"a@1 in {root}: {message}{RESTORE}"

        path.write_bytes(whole)
        os.utime(path, ns=(path.stat().st_atime_ns, (root / "a/@1/meta.json").stat().st_mtime_ns))
        assert store.get("a", 1).payload == Secret(OCT)
        assert store.versions("a")[0].version == info.version


def test_empty_payload_that_grew(reopen: Reopen, make: Make, root: Path) -> None:
    """A payload of no bytes has a checksum too."""
    with reopen() as store:
        store.create(make(payload=b""))
        (root / "a/@1/key").write_bytes(b"x")

        with pytest.raises(DamagedStoreError):
            store.get("a", 1)


CHECKSUMS = [
    pytest.param([], "the checksum of the key file is missing", id="missing"),
    pytest.param([checksum(b"other")], "the key file is damaged", id="wrong"),
    pytest.param([checksum(b"other"), checksum(b"another")], "the key file is damaged", id="two-wrong"),
    pytest.param([checksum(b"canary-one"), checksum(b"other")], None, id="two"),
]


@pytest.mark.parametrize(("left", "message"), CHECKSUMS)
def test_checksums_beside_a_key(reopen: Reopen, make: Make, root: Path, left: list[str], message: str | None) -> None:
    """One that fits is enough, for an interrupted update leaves two; none that fits is damage, and so is none."""
    place = root / "a/@1"
    with reopen() as store:
        info = store.create(make())
        (place / checksum(b"canary-one")).unlink()
        for name in left:
            (place / name).touch(mode=0o600)

        if message is None:
            assert store.get("a", 1) == Record(info, Secret(b"canary-one"))
        else:
            with pytest.raises(DamagedStoreError) as found:
                store.get("a", 1)
            assert str(found.value) == f"a@1 in {root}: {message}{RESTORE}"
            assert list(store.examine()) == [str(found.value)]
        assert list(store.names()) == ["a"]
    with reopen() as store:
        assert files(place) == sorted(["key", "meta.json", *left])


def test_versions_read_no_key(reopen: Reopen, make: Make, root: Path) -> None:
    """Metadata is told of a version whose key is damaged; that its checksum is lost shows all the same."""
    with reopen() as store:
        info = store.create(make())
        (root / "a/@1/key").write_bytes(b"damaged")
        seen = store.versions("a")
        (root / "a/@1" / checksum(b"canary-one")).unlink()

        with pytest.raises(DamagedStoreError):
            store.versions("a")

        assert [version.name for version in seen] == [info.name]


def test_a_damaged_key_takes_no_metadata(reopen: Reopen, make: Make, root: Path) -> None:
    """What would hide the damage is refused, and leaves it as it is."""
    with reopen() as store:
        store.create(make())
        (root / "a/@1/key").write_bytes(b"damaged")
        before = files(root / "a/@1")

        for change in (make(x="y"), make(payload=b"canary-two"), make(payload=None)):
            with pytest.raises(DamagedStoreError) as found:
                store.update(change, expected=store.versions("a")[0].revision)
            assert str(found.value) == f"a@1 in {root}: the key file is damaged{RESTORE}"

        assert files(root / "a/@1") == before
        assert (root / "a/@1/key").read_bytes() == b"damaged"


def test_a_damaged_key_can_be_destroyed(reopen: Reopen, make: Make, root: Path) -> None:
    """Most of a secret may still be in it."""
    with reopen() as store:
        store.create(make())
        (root / "a/@1/key").write_bytes(b"canary-on")

        store.update(make(payload=None, state=State.DESTROYED), expected=store.versions("a")[0].revision)

        assert store.get("a", 1).payload is None
        assert files(root / "a/@1") == ["meta.json"]


def test_payloads_with_one_checksum(reopen: Reopen, make: Make, root: Path) -> None:
    """Two payloads that have the same CRC-32, as these words have, take each other's place."""
    words = (b"plumless", b"buckeroo")
    with reopen() as store:
        info = store.create(make(payload=words[0]))
        info = store.update(make(payload=words[1]), expected=info.revision)

        assert checksum(words[0]) == checksum(words[1])
        assert store.get("a", 1) == Record(info, Secret(words[1]))
        assert files(root / "a/@1") == [checksum(words[1]), "key", "meta.json"]


def test_a_new_payload_leaves_one_checksum(reopen: Reopen, make: Make, root: Path) -> None:
    """An update of the payload takes away every checksum but its own."""
    with reopen() as store:
        info = store.create(make())
        (root / "a/@1" / checksum(b"stray")).touch()

        store.update(make(payload=b"canary-two"), expected=info.revision)

        assert files(root / "a/@1") == [checksum(b"canary-two"), "key", "meta.json"]


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


def test_a_damaged_key_is_not_settled(reopen: Reopen, make: Make, root: Path) -> None:
    """Where neither checksum fits, nothing is taken away, readers go on, and writers are told."""
    place = root / "a/@1"
    with reopen() as store:
        store.create(make())
        store.create(make("b"))
    (place / "key").write_bytes(b"damaged")
    (place / checksum(b"canary-two")).touch()
    (root / ".keywright/pending").write_text("a@1\n")
    (root / ".keywright/pending").chmod(0o600)
    before = files(place)

    with reopen() as store:
        assert store.get("b", 1).payload == Secret(b"canary-one")
        with pytest.raises(DamagedStoreError) as found:
            store.create(make("c"))

    assert str(found.value) == f"a@1 (left by an interrupted write): the key file is damaged{RESTORE}"
    assert files(place) == before


LEFT = [
    pytest.param("key", "the file `key` of a version that has no secret is still there; remove that file", id="key"),
    pytest.param(
        checksum(b"canary-one"),
        "the file `crc32-…` of a version that has no secret is still there; remove that file",
        id="checksum",
    ),
]


@pytest.mark.parametrize(("file", "message"), LEFT)
@pytest.mark.parametrize("state", [State.DESTROYED, State.ENABLED], ids=["destroyed", "public-only"])
def test_what_is_left_of_a_key(reopen: Reopen, make: Make, root: Path, state: State, file: str, message: str) -> None:
    """A key or checksum where none belongs is no payload and no damage, but the doctor is told, without its digits."""
    with reopen() as store:
        info = store.create(make())
        info = store.update(make(payload=None, state=state), expected=info.revision)
        path = root / "a/@1" / file
        path.touch(mode=0o600)

        assert store.get("a", 1).payload is None
        assert store.versions("a")[0].state is state
        assert list(store.examine()) == [f"a@1 in {root}: {message}"]


def test_what_is_left_of_a_key_and_others_may_read(reopen: Reopen, make: Make, root: Path) -> None:
    """The key file of a destroyed version is no payload, but whoever could read it has seen the key."""
    with reopen() as store:
        info = store.create(make())
        store.update(make(payload=None, state=State.DESTROYED), expected=info.revision)
        path = root / "a/@1/key"
        path.touch()
        path.chmod(0o644)

        assert list(store.examine()) == [
            (
                f"a@1 in {root}: the key file may be read or changed by others; take that away with chmod 0600, and "
                "count the key as seen"
            ),
            (f"a@1 in {root}: the file `key` of a version that has no secret is still there; remove that file"),
        ]


def test_examine_tells_of_a_second_checksum(reopen: Reopen, make: Make, root: Path) -> None:
    """A checksum that fits no key does no harm, but is one more that would be taken for right."""
    with reopen() as store:
        store.create(make())
        (root / "a/@1" / checksum(b"other")).touch(mode=0o600)

        assert list(store.examine()) == [
            (
                f"a@1 in {root}: the checksum of another payload stands beside the key; of the files `crc32-…`, keep "
                "that which has the CRC-32 of the key, and remove the others"
            )
        ]


def test_examine_looks_at_checksums_as_at_other_files(reopen: Reopen, make: Make, root: Path) -> None:
    """One that others may read, and a link in the place of one, are told."""
    with reopen() as store:
        store.create(make())
        path = root / "a/@1" / checksum(b"canary-one")
        path.chmod(0o644)
        exposed = list(store.examine())
        path.unlink()
        path.symlink_to("key")

        assert exposed == [
            f"a@1 in {root}: the file `crc32-…` may be read by other users; take that away with chmod 0600"
        ]
        assert list(store.examine()) == [
            f"a@1 in {root}: a link or another kind of file stands where the store keeps its own{RESTORE}"
        ]
