"""`keywright doctor` where a store does not open, fails or is not there, and where plugins failed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from support.rings import Ring

import keywright
from keywright import Capabilities, Options, Record, RecordInfo, Setting, StoreBackend, hookimpl
from keywright.errors import ConfigError
from keywright.testing import assert_hidden


def test_stores_that_do_not_open(ring: Ring) -> None:
    """A finding each, whatever the reason, and the next store is examined all the same."""
    ring.make("a")
    (Path(ring.keys) / "a" / "@1").chmod(0o750)
    Path(ring.db).write_bytes(b"canary" * 100)
    os.chmod(ring.db, 0o600)
    (ring.home / "plain").touch()

    told = ring.findings(
        stores={
            "absent": {"backend": "absent"},
            "bad": {"backend": "file"},
            "damaged": {"backend": "sqlite", "path": ring.db},
            "file": {"backend": "file", "path": ring.keys},
            "plain": {"backend": "file", "path": str(ring.home / "plain")},
        }
    )

    assert [said.partition("; installed")[0] for said in told] == [
        "store 'absent': given settings: stores.absent.backend: no store backend is called 'absent'",
        (
            "store 'bad': given settings: stores.bad.path is missing: store backend 'file' needs it, a path, as text; "
            "correct that"
        ),
        f"store 'damaged': {ring.db} is no SQLite database; restore it from a backup, or correct `path`",
        f"store 'file': a@1 in {ring.keys}: the directory may be read by other users; take that away with chmod 0700",
        f"store 'plain': {ring.home / 'plain'}: is no directory; set `path` to one, or to where one can be made",
    ]
    assert told[0].endswith("; install, allow or mend its plugin, or correct the name")
    assert_hidden(keywright.Secret(b"canary"), "\n".join(told))


class _Broken:
    """A store that fails as no store should."""

    name = "broken"
    settings: Sequence[Setting] = ()
    capabilities = Capabilities(writable=False, metadata=True)

    def open(self, _: Options) -> AbstractContextManager[_Broken]:
        return nullcontext(self)

    def examine(self) -> Iterator[str]:
        yield "it creaks; oil it"
        raise RuntimeError("canary")

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        yield "a"
        yield "b"
        raise ValueError("canary")

    def versions(self, name: str) -> Sequence[RecordInfo]:
        if name == "a":
            raise KeyError("canary")
        return (RecordInfo(name=name, version=1, key_type="ed25519", public=b"too short"),)

    def get(self, name: str, version: int) -> Record:
        return Record(self.versions(name)[0], None)


class _Plugin:
    KEYWRIGHT_API = 1

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (_Broken(),)


def test_a_broken_store(ring: Ring) -> None:
    """What fails with no error of ours is a finding without its words; a public half is checked too."""
    ring.registry.add(_Plugin(), "creaking")

    report = "report it to the plugin's author"
    assert ring.findings(stores={"x": {"backend": "broken"}}) == [
        "store 'x': it creaks; oil it",
        f"store 'x': a plugin failed with RuntimeError; {report}",
        f"a in store 'x': a plugin failed with KeyError; {report}",
        "b@1 in store 'x': the public half of an ed25519 key has 32 bytes (RFC 8032 §5.1.5); give the point alone",
        f"store 'x': a plugin failed with ValueError; {report}",
    ]


def test_plugins_that_failed(ring: Ring) -> None:
    """Each is a finding, with a way out where it says none itself."""
    ring.registry.add(object(), "old", "dist", "1.0")

    assert ring.findings() == [
        (
            "plugin 'old' of dist 1.0: does not say which keywright API it is for; this keywright has API 1: install a "
            "version that fits"
        )
    ]


def test_a_store_that_is_not_configured(ring: Ring) -> None:
    """The ring's own store is an argument, so this is no finding but an error."""
    with ring.open(store="other") as opened, pytest.raises(ConfigError) as caught:
        opened.examine()

    assert str(caught.value) == "given settings: stores.other is not configured; there are: db, env, file"
