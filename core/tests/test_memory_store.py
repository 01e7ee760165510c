"""The store backend `memory`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from keywright.errors import ConflictError, KeyExistsError, KeyNotFoundError, UnsupportedOperationError
from keywright.protocols import Capabilities
from keywright.records import Record, RecordInfo, Revision
from keywright.secret import Secret
from keywright.settings.model import Options
from keywright.settings.values import check_options
from keywright.stores.memory import MemoryBackend, MemoryStore
from keywright.testing import OpenWritableStore, PluginContract, WritableStoreContract


class TestMemoryStore(WritableStoreContract):
    """The contract of writable stores."""

    capabilities = MemoryBackend.capabilities

    @pytest.fixture
    def open_store(self) -> OpenWritableStore:
        """One id, so that opening anew finds what was written."""
        backend = MemoryBackend()
        return lambda: backend.open(Options({"id": "shared"}))


class TestMemoryPlugin(PluginContract):
    """The contract of plugins."""

    module = "keywright.stores.memory"


def _opened(backend: MemoryBackend, identity: str) -> AbstractContextManager[MemoryStore]:
    return backend.open(Options({"id": identity}))


def test_an_empty_id_opens_a_fresh_store_each_time() -> None:
    """Without an id, nothing is shared between two openings."""
    backend = MemoryBackend()
    with _opened(backend, "") as store:
        store.create(Record(RecordInfo(name="a", version=1), None))

    with _opened(backend, "") as store:
        assert list(store.names()) == []


def test_two_ids_are_two_stores() -> None:
    """Stores of different ids share nothing."""
    backend = MemoryBackend()
    with _opened(backend, "one") as store:
        store.create(Record(RecordInfo(name="a", version=1), None))

    with _opened(backend, "two") as store:
        assert list(store.names()) == []


def test_the_id_is_empty_unless_given() -> None:
    """The setting `id` has the default `""`."""
    options = check_options({}, MemoryBackend.settings, owner="o", path="p", source="s")

    assert options.text("id") == ""


def test_the_capabilities_say_that_it_ends_with_the_process() -> None:
    """A memory store keeps metadata and takes writes, and is neither shared nor persistent."""
    assert MemoryBackend.capabilities == Capabilities(
        writable=True, metadata=True, signing=False, shared=False, persistent=False
    )


def test_a_revision_of_a_removed_record_never_recurs() -> None:
    """A name that was removed and made again is not mistaken for the one before."""
    store = MemoryStore()
    record = Record(RecordInfo(name="a", version=1), None)
    before = store.create(record)
    store.remove("a", expected=[before.revision])

    after = store.create(record)

    assert after.revision != before.revision


def test_what_comes_out_cannot_change_what_is_held() -> None:
    """Labels of a record that was read are the reader's own."""
    store = MemoryStore()
    store.create(Record(RecordInfo(name="a", version=1, labels={"x": "1"}), None))

    for info in (store.get("a", 1).info, store.versions("a")[0]):
        assert isinstance(info.labels, dict)
        info.labels["x"] = "2"

    assert store.get("a", 1).info.labels == {"x": "1"}


_INFO = RecordInfo(name="a", version=1)


def _get_absent_name(store: MemoryStore) -> None:
    store.get("b", 1)


def _get_absent_version(store: MemoryStore) -> None:
    store.get("a", 2)


def _create_taken(store: MemoryStore) -> None:
    store.create(Record(_INFO, None))


def _update_stale(store: MemoryStore) -> None:
    store.update(Record(_INFO, None), expected=Revision("x"))


def _update_both(store: MemoryStore) -> None:
    info = store.get("a", 1).info
    store.update(Record(RecordInfo(name="a", version=1, kid="k"), None), expected=info.revision)


def _remove_stale(store: MemoryStore) -> None:
    store.remove("a", expected=[])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        pytest.param(
            _get_absent_name,
            KeyNotFoundError,
            "b: the store has no such name; `keywright list` shows those it has",
            id="absent name",
        ),
        pytest.param(
            _get_absent_version,
            KeyNotFoundError,
            "a@2: the store has no such version; `keywright show a` lists those it has",
            id="absent version",
        ),
        pytest.param(
            _create_taken,
            KeyExistsError,
            "a@1: is in the store already; nothing was written; take the next version",
            id="taken version",
        ),
        pytest.param(
            _update_stale,
            ConflictError,
            "a@1: changed since it was read; nothing was written, read it again",
            id="stale update",
        ),
        pytest.param(
            _update_both,
            UnsupportedOperationError,
            "a@1: metadata and payload do not change in one update; make two updates",
            id="both at once",
        ),
        pytest.param(
            _remove_stale,
            ConflictError,
            "a: changed since it was read; nothing was removed, read it again",
            id="stale remove",
        ),
    ],
)
def test_messages(act: Callable[[MemoryStore], None], error: type[Exception], message: str) -> None:
    """Each refusal says subject, rule and way out."""
    store = MemoryStore()
    store.create(Record(_INFO, Secret(b"payload")))

    with pytest.raises(error) as caught:
        act(store)

    assert str(caught.value) == message
