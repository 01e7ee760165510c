"""The ring takes keys in that were made elsewhere: import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from keywright.errors import (
    ConfigError,
    KeyExistsError,
    MalformedKeyError,
    NotExportableError,
    PolicyError,
    UnsupportedKeyError,
)
from keywright.keys import Key, check_name
from keywright.records import RecordInfo, State
from keywright.ring.conversion import decode_key, find_format, warn
from keywright.ring.given_data import NOT_BYTES, check_not_empty, hide
from keywright.ring.given_texts import check_kid, check_mappings, check_texts
from keywright.ring.making import Making, activation_of
from keywright.ring.plan import Plan, import_plan
from keywright.ring.version import store_key
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.events import ReviewRequest
    from keywright.protocols import Format
    from keywright.ring.conversion import Report
    from keywright.ring.opened import OpenedStore

__all__ = ["Importing"]


class Importing(Making):
    """Stores keys that were made elsewhere."""

    def import_key(
        self,
        name: str,
        data: bytes | Secret,
        *,
        format: str | None = None,
        public: bool = False,
        lenient: bool = False,
        as_next: bool = False,
        kid: str | None = None,
        labels: Mapping[str, str] | None = None,
        activate_in: timedelta | None = None,
        overlap: timedelta | None = None,
        expires: datetime | None = None,
        store: str | None = None,
        new_here: bool = False,
        report: Report = warn,
    ) -> RecordInfo:
        """Store a key that was made elsewhere as version 1 of `name`, in its own format.

        With `as_next` it becomes the version after the last one, with its labels; `activate_in` and `overlap` are then
        as for `rotate`, `[keys.NAME]` included. Without `format` the data tells. `public` stores a public key, which
        verifies and cannot sign. `lenient` reads what other programs accept, and `report` hears how it deviates.
        `new_here` is as for `generate`.

        Raises:
            InvalidNameError: `name` is none.
            FormatError: the data is a key of no format or of several.
            MalformedKeyError: it is no key of the format, empty, or not given as bytes.
            InvalidKeyError: its parts do not belong together.
            NotExportableError: it is a public key and `public` was not said.
            UnsupportedKeyError: it is a secret key and `public` was said.
            KeyExistsError: the name has a version, tombstones included, and `as_next` was not said; or one of its
                versions is this very key; or another store has the name, and `new_here` was not said.
            StoreUnavailableError: another store could not be asked whether it has the name.
            KeyNotFoundError: `as_next` was said, and the name has no version.
            PolicyError: a public key would follow on a key of our own, so that nothing would sign.
            ConfigError: `format` or `kid` is empty, `kid` has more than 1024 characters, a label is none, the key would
                never sign, or `activate_in` or `overlap` was said without `as_next`, or `new_here` with it.
        """
        encoded = hide(data)
        del data  # text, given by mistake, would show in a traceback
        if encoded is None:
            raise MalformedKeyError(NOT_BYTES)
        check_texts(format=format)
        check_kid(kid)
        check_mappings(labels={} if labels is None else labels)
        if not as_next and (activate_in is not None or overlap is not None):
            raise ConfigError("activate_in and overlap are for a next version; say --next, or leave them out")
        if as_next and new_here:
            raise ConfigError("a next version goes where the name is; leave out --next or --new-here")
        opened = self.open_store(store, name=check_name(name))
        check_not_empty(encoded)
        format_ = self.plugins.format(format) if format is not None else find_format(self.plugins, encoded)
        key = decode_key(self.plugins, format_, encoded, lenient=lenient, report=report)
        _check_half(key, public=public)
        others = self._versions(opened, name) if as_next else ()
        now = self._clock()
        if others:
            now = max(now, others[-1].created or now)  # as in `rotate`
            _check_succession(opened, key, others)
        plan = self._import_plan(name, key, format_, others, kid, labels, activate_in, overlap, expires, now)
        named = replace(key, kid=key.kid if kid is None else kid)
        version = others[-1].version + 1 if others else 1

        def store_it() -> RecordInfo:
            if not as_next:
                self._check_new(opened, name, store=store, new_here=new_here)
            return store_key(opened, plan, named, name, version, others, now, lenient=lenient)

        def planned() -> ReviewRequest:
            return self._planned("import", opened, name, version, plan, kid=named.kid, bits=plan.key_type.bits(key))

        return self._perform(planned, store_it)

    def _import_plan(
        self,
        name: str,
        key: Key,
        format_: Format,
        others: Sequence[RecordInfo],
        kid: str | None,
        labels: Mapping[str, str] | None,
        activate_in: timedelta | None,
        overlap: timedelta | None,
        expires: datetime | None,
        now: datetime,
    ) -> Plan:
        activates = None
        if others:
            table = self.config.key(name)
            activates = activation_of(table, activate_in, now)
            overlap = cast("timedelta | None", table.common()["overlap"]) if overlap is None else overlap
            labels = {**others[-1].labels, **(labels or {})}
        return import_plan(
            self.plugins.key_type(key.type),
            format_,
            kid=kid,
            labels=labels,
            activates=activates,
            expires=expires,
            overlap=overlap,
            now=now,
        )


def _check_half(key: Key, *, public: bool) -> None:
    if key.secret is None and not public:
        raise NotExportableError("the data is a public key, and a secret key belongs here; say --public to keep it")
    if key.secret is not None and public:
        raise UnsupportedKeyError(
            "the data is a secret key; leave out --public, or convert it to its public half first"
        )


def _check_succession(opened: OpenedStore, key: Key, others: Sequence[RecordInfo]) -> None:
    """Refuse a key that a version is already (it may be compromised), and one that would leave nothing to sign with."""
    for other in others:
        same = other.public == key.public
        if key.public is None and other.public is None and other.state is not State.DESTROYED:
            same = opened.load(other).secret == key.secret
        elif key.public is None or other.public is None:
            same = False
        if same:
            raise KeyExistsError(f"the key is {other.reference} already; a next version has to be another key")
    last = others[-1]
    ours = opened.signing is not None or last.state is State.DESTROYED or opened.load(last).secret is not None
    if key.secret is None and ours:
        raise PolicyError(
            f"{last.reference} is a key of our own, and with a public key after it nothing would sign; rotate it, or "
            "import the public key by another name"
        )
