"""The contract kit: it passes what is sound, and catches what is not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from inspect import signature

import pytest

from keywright.errors import KeyNotFoundError, MalformedKeyError, UnsupportedKeyError
from keywright.key import Attributes, Key
from keywright.protocols import Format, WritableStore
from keywright.record import Record, RecordInfo, Revision
from keywright.secret import Secret
from keywright.stores.memory import MemoryStore
from keywright.testing import FormatContract, Sample, WritableStoreContract, assert_hidden

_HELD = ("a", "a/1", "a/b", "ab", "b")
_CAUGHT = (AssertionError, pytest.fail.Exception, KeyNotFoundError, ValueError)


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_without_its_packages_it_says_what_to_install(package: str) -> None:
    """Where pytest or hypothesis is missing, the import error names the extra that brings them."""
    program = f"import sys; sys.modules[{package!r}] = None; import keywright.testing"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert result.stderr.splitlines()[-1] == (
        "ImportError: keywright.testing needs pytest and hypothesis; install keywright-core[testing]"
    )


class _NeverCommits(MemoryStore):
    """Nothing wrong inside: its opener makes a fresh one each time."""


class _Overwrites(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        self._records.get(record.info.name, {}).pop(record.info.version, None)
        return super().create(record)


class _IgnoresRevisions(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        return super().update(record, expected=self.get(record.info.name, record.info.version).info.revision)


class _RevisionsRecur(MemoryStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        super().remove(name, expected=expected)
        self._writes = 0


class _SortsVersionsAsText(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return sorted(super().versions(name), key=lambda info: str(info.version))


class _ForgetsTombstones(MemoryStore):
    def versions(self, name: str) -> Sequence[RecordInfo]:
        return tuple(info for info in super().versions(name) if info.state != "destroyed")


class _StripsPayloads(MemoryStore):
    def get(self, name: str, version: int) -> Record:
        record = super().get(name, version)
        return Record(record.info, record.payload and Secret(record.payload.reveal().rstrip(b"\n")))


class _LosesMicroseconds(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        created = record.info.created and record.info.created.replace(microsecond=0)
        return super().create(Record(replace(record.info, created=created), record.payload))


class _TakesPrefixesBySegment(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        found = [n for n in super().names(after=after) if not prefix or n == prefix or n.startswith(prefix + "/")]
        return iter(found[:limit])


class _IncludesAfter(MemoryStore):
    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        return iter([name for name in super().names(prefix) if name >= after][:limit])


class _RemovesWhatIsBelow(MemoryStore):
    def remove(self, name: str, *, expected: Sequence[Revision]) -> None:
        super().remove(name, expected=expected)
        for below in list(self.names(name + "/")):
            super().remove(below, expected=[info.revision for info in self.versions(below)])


class _UpdatesBothAtOnce(MemoryStore):
    def update(self, record: Record, *, expected: Revision) -> RecordInfo:
        old = self.get(record.info.name, record.info.version)
        changed = super().update(Record(record.info, old.payload), expected=expected)
        return super().update(Record(changed, record.payload), expected=changed.revision)


class _ShowsPayloadsInLocals(MemoryStore):
    def create(self, record: Record) -> RecordInfo:
        payload = record.payload and record.payload.reveal()
        stored = super().create(record)
        return stored if payload else replace(stored)


_INFO = RecordInfo(name="a", version=1, created=datetime(2026, 11, 21, 20, 52, 13, 1, tzinfo=UTC))

_STORE_FAULTS: list[tuple[type[MemoryStore], str, dict[str, object]]] = [
    (_NeverCommits, "test_store_20_what_was_created_is_there_after_reopening", {}),
    (_NeverCommits, "test_store_56_any_history_gives_what_the_model_says", {}),
    (_Overwrites, "test_store_21_a_taken_version_is_refused", {}),
    (_Overwrites, "test_store_34_one_of_many_threads_wins_a_version", {}),
    (_IgnoresRevisions, "test_store_26_an_update_from_another_revision_is_refused", {}),
    (_IgnoresRevisions, "test_store_35_one_of_many_threads_wins_an_update", {}),
    (_RevisionsRecur, "test_store_27_a_revision_never_recurs_when_content_does", {}),
    (_SortsVersionsAsText, "test_store_24_versions_ascend_as_numbers", {}),
    (_ForgetsTombstones, "test_store_29_a_destroyed_version_stays_as_a_tombstone", {}),
    (_StripsPayloads, "test_store_50_payloads_come_back_byte_for_byte", {"data": b"line\n"}),
    (_StripsPayloads, "test_store_52_records_come_back_whole", {"record": Record(_INFO, Secret(b"\n"))}),
    (_LosesMicroseconds, "test_store_23_metadata_survive_exactly", {"info": _INFO}),
    (_TakesPrefixesBySegment, "test_store_07_a_prefix_is_a_plain_string", {}),
    (_IncludesAfter, "test_store_08_after_is_exclusive_and_need_not_be_there", {}),
    (_IncludesAfter, "test_store_10_pages_join_to_the_whole", {}),
    (_RemovesWhatIsBelow, "test_store_30_remove_takes_the_whole_name_and_no_other", {}),
    (_UpdatesBothAtOnce, "test_store_54_metadata_and_payload_do_not_change_at_once", {}),
    (_ShowsPayloadsInLocals, "test_store_55_no_error_shows_a_payload", {}),
]


@pytest.mark.parametrize(("store_class", "method", "example"), _STORE_FAULTS)
def test_a_faulty_store_is_caught(store_class: type[MemoryStore], method: str, example: dict[str, object]) -> None:
    """Each planted fault fails the rule that forbids it, and the store without the fault passes."""
    assert _fails(method, store_class, example)
    assert not _fails(method, MemoryStore, example)


def _fails(method: str, store_class: type[MemoryStore], example: dict[str, object]) -> bool:
    contract, store = WritableStoreContract(), store_class()

    def open_store() -> AbstractContextManager[WritableStore]:
        return nullcontext(store_class() if store_class is _NeverCommits else store)

    rule = getattr(WritableStoreContract, method)
    if example and hasattr(rule, "hypothesis"):
        rule = rule.hypothesis.inner_test  # this example alone: looking for a smaller one takes seconds
    arguments: dict[str, object] = {"open_store": open_store, **example}
    if "held" in signature(rule).parameters:
        arguments["held"] = {name: Secret(name.encode()) for name in _HELD}
        for name in _HELD:
            store.create(Record(RecordInfo(name=name, version=1), Secret(name.encode())))
    try:
        rule(contract, **arguments)
    except _CAUGHT:
        return True
    return False


class Toy:
    """A format for ed25519 keys: `secret KID SEED PUBLIC` or `public KID PUBLIC`, halves in lower-case hexadecimal."""

    name = "toy"
    key_types = ("ed25519",)
    _pattern = re.compile(rb"public [a-z0-9.-]+ [0-9a-f]{64}|secret [a-z0-9.-]+ [0-9a-f]{64} [0-9a-f]{64}")

    def encode_secret(self, key: Key) -> Secret:
        kid = self._kid(key)
        if key.secret is None or key.public is None:
            raise UnsupportedKeyError("a toy key needs both halves")
        return Secret(f"secret {kid} {key.secret.reveal().hex()} {key.public.hex()}".encode())

    def encode_public(self, key: Key) -> bytes:
        if key.public is None:
            raise UnsupportedKeyError("a toy key needs its public half")
        return f"public {self._kid(key)} {key.public.hex()}".encode()

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        if not self._pattern.fullmatch(data.reveal()):
            raise MalformedKeyError("this is no toy key")
        return Key(
            "ed25519",
            data.reveal().split()[1].decode(),
            Secret(bytes.fromhex(data.reveal().split()[2].decode())) if data.reveal()[0] == ord("s") else None,
            bytes.fromhex(data.reveal().split()[-1].decode()),
        )

    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return f"{name}-{version}"

    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith((b"secret ", b"public "))

    def _kid(self, key: Key) -> str:
        if key.type not in self.key_types:
            raise UnsupportedKeyError("a toy key is of type ed25519")
        if not key.kid or not set(key.kid) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-"):
            raise UnsupportedKeyError("the kid of a toy key is of a-z, 0-9, '.' and '-'")
        return key.kid


# RFC 8032 §7.1, test 1
_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
_SAMPLES = (
    Sample(
        f"secret k {_SEED} {_PUBLIC}".encode(),
        key=Key("ed25519", "k", Secret(bytes.fromhex(_SEED)), bytes.fromhex(_PUBLIC), Attributes()),
    ),
    Sample(f"public k {_PUBLIC}".encode(), key=Key("ed25519", "k", None, bytes.fromhex(_PUBLIC), Attributes())),
)


class TestToy(FormatContract):
    """The contract of formats, for a sound one."""

    samples = _SAMPLES

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return Toy()


class _LeaksIntoPublic(Toy):
    def encode_public(self, key: Key) -> bytes:
        return super().encode_public(key) + (b"" if key.secret is None else key.secret.reveal().hex().encode())


class _QuotesInput(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        try:
            return super().decode(data, default_kid=default_kid)
        except MalformedKeyError:
            raise MalformedKeyError(f"{data.reveal()!r} is no toy key") from None


class _ShowsLocals(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        text = data.reveal().decode(errors="replace")
        key = super().decode(data, default_kid=default_kid)
        return key if text else replace(key)


class _IgnoresCase(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().lower()), default_kid=default_kid)


class _Strips(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().rstrip(b"\0=")), default_kid=default_kid)


class _PadsWhatIsShort(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(
            Secret(data.reveal() + b"0" if len(data) == 137 else data.reveal()), default_kid=default_kid
        )


class _TakesAnyType(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(replace(key, type="ed25519"))


class _RaisesItsOwn(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        data.reveal().decode("ascii")
        return super().decode(data, default_kid=default_kid)


class _KidFromSecret(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return "" if key.secret is None else key.secret.reveal().hex()


_FORMAT_FAULTS = [
    (_LeaksIntoPublic, "test_format_06_public_encodings_hold_nothing_secret"),
    (_QuotesInput, "test_format_35_no_message_quotes_the_input"),
    (_QuotesInput, "test_format_36_no_traceback_shows_the_secret"),
    (_ShowsLocals, "test_format_36_no_traceback_shows_the_secret"),
    (_IgnoresCase, "test_format_31_every_flipped_bit_is_refused_or_another_key"),
    (_Strips, "test_format_32_junk_around_a_key_is_refused_or_another_key"),
    (_PadsWhatIsShort, "test_format_30_every_truncation_is_refused"),
    (_TakesAnyType, "test_format_08_foreign_key_types_are_refused"),
    (_RaisesItsOwn, "test_format_34_arbitrary_data_are_refused_or_a_key"),
    (_KidFromSecret, "test_format_12_the_default_kid_fits_and_gives_nothing_away"),
]


class _ToyContract(FormatContract):
    samples = _SAMPLES


@pytest.mark.parametrize(("format_class", "method"), _FORMAT_FAULTS)
def test_a_faulty_format_is_caught(format_class: type[Toy], method: str) -> None:
    """Each planted fault fails the rule that forbids it."""
    arguments: dict[str, object] = {"format": format_class()}
    if method.startswith("test_format_32"):
        arguments["junk"] = b"\0"

    with pytest.raises(_CAUGHT):
        getattr(_ToyContract(), method)(**arguments)


_HIDDEN = Secret(b"canary-7f3b-sings-not")


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("xx canary-7f3b-sings-not xx", id="plain"),
        pytest.param("y-7f3b-sing", id="a part"),
        pytest.param(_HIDDEN.reveal().hex(), id="hex"),
        pytest.param(_HIDDEN.reveal().hex().upper()[7:], id="hex, upper case, odd start"),
        pytest.param("x Y2FuYXJ5LTdmM2Itc2luZ3Mtbm90 x", id="base64"),
        pytest.param("Y2FuYXJ5\nLTdmM2It\nc2luZ3Mt\nbm90", id="base64, wrapped"),
        pytest.param("eGNhbmFyeS03ZjNiLXNpbmdzLW5vdA", id="base64, one byte further"),
        pytest.param(repr(list(_HIDDEN.reveal())), id="list of numbers"),
        pytest.param(str(int.from_bytes(_HIDDEN.reveal())), id="one number"),
        pytest.param(str(int.from_bytes(_HIDDEN.reveal(), "little")), id="one number, little-endian"),
        pytest.param("b'\\x63\\x61\\x6e\\x61\\x72\\x79\\x2d\\x37\\x66'", id="bytes literal"),
        pytest.param(_HIDDEN.reveal(), id="bytes"),
    ],
)
def test_assert_hidden_finds_a_secret_in_any_spelling(shown: str | bytes) -> None:
    """A secret is found in the clear, in hexadecimal, base64, Python's spellings and as a number."""
    with pytest.raises(pytest.fail.Exception) as caught:
        assert_hidden(_HIDDEN, shown)

    assert str(caught.value) == "a secret shows in a text that must not hold it"


def test_assert_hidden_passes_over_what_is_public() -> None:
    """Stretches that the public half holds too, and ones that say nothing, are no leak."""
    assert_hidden(_HIDDEN, "<secret> canary-", public=b"")
    assert_hidden(_HIDDEN, "canary-7f3b", public=b"canary-7f3b")
    assert_hidden(Secret(bytes(32)), bytes(100))


@pytest.mark.parametrize("shown", [b"b'\\xzz'", b"b'\0'", b"b'\\d'", b"b'" + b"\\" * 3 + b"'"])
def test_what_only_looks_like_a_literal_holds_no_secret(shown: bytes) -> None:
    """Random bytes that look like a bytes literal and are none are no reason to fail."""
    assert_hidden(Secret(b"0123456789abcdef"), shown)
