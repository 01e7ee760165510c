"""The ring makes keys: generate, ensure, import, rotate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from keywright.errors import ConfigError, KeyExistsError, MalformedKeyError, NotExportableError, UnsupportedKeyError
from keywright.names import check_name
from keywright.record import RecordInfo
from keywright.ring.base import RingBase
from keywright.ring.conversion import decode_key, find_format, warn
from keywright.ring.given_data import NOT_BYTES, hide
from keywright.ring.given_texts import check_texts
from keywright.ring.operation import describe
from keywright.ring.plan import Plan, Wanted, import_plan, make_plan
from keywright.ring.rotation import plan_rotation
from keywright.ring.times import check_duration
from keywright.ring.version import generate_version, store_key

if TYPE_CHECKING:
    from keywright.config import KeyTable
    from keywright.events import Operation, ReviewRequest
    from keywright.key import Key
    from keywright.ring.conversion import Report
    from keywright.ring.opened import OpenedStore
    from keywright.secret import Secret

__all__ = ["Making"]


class Making(RingBase):
    """Makes versions, and nothing but the first or the next."""

    def generate(
        self,
        name: str,
        *,
        type: str | None = None,
        format: str | None = None,
        kid: str | None = None,
        labels: Mapping[str, str] | None = None,
        attributes: Mapping[str, object] | None = None,
        activates: datetime | None = None,
        expires: datetime | None = None,
        store: str | None = None,
        **options: object,
    ) -> RecordInfo:
        """Make a key and store it as version 1 of `name`.

        Type and format imply each other where one is given, by argument or by `[keys.NAME]`; neither: ed25519 as
        nix. `kid` may hold `{name}` and `{version}`. `options` are settings of the key type, such as `bits=3072`.

        Raises:
            InvalidNameError: `name` is none.
            KeyExistsError: the name has a version, tombstones included.
            UnsupportedKeyError: the format cannot carry the key.
            ConfigError: an option, label or time is wrong, a text is empty, or the format does not carry the type.
        """
        opened = self.open_store(store, name=check_name(name))
        wanted = Wanted(
            type=type,
            format=format,
            kid=kid,
            labels=labels,
            attributes=attributes,
            activates=activates,
            expires=expires,
            options=options,
        )
        now = self._clock()
        plan = make_plan(self.plugins, self.config.key(name), wanted, now=now)

        def make() -> RecordInfo:
            self._check_new(opened, name)
            return generate_version(opened, plan, name, 1, (), now)

        return self._perform(lambda: self._planned("generate", opened, name, 1, plan), make)

    def ensure(self, *names: str, store: str | None = None) -> tuple[RecordInfo, ...]:
        """Make what `[keys.…]` declares and no version of was ever made; with `names`, those alone.

        Returns what was made. Raises: as `generate`, and ConfigError: a name has no `[keys.NAME]` table.
        """
        for name in names:
            if check_name(name) not in self.config.keys:
                path = self.config.key(name).path
                raise ConfigError(f"{name} is not declared, so it is not known what to make; add a table {path}")
        made = []
        for name in names or self.config.keys:
            if not self.open_store(store, name=name).store.versions(name):
                try:
                    made.append(self.generate(name, store=store))
                except KeyExistsError:
                    # Somebody else ensured it first: what was wanted is there.
                    continue
        return tuple(made)

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
        expires: datetime | None = None,
        store: str | None = None,
        report: Report = warn,
    ) -> RecordInfo:
        """Store a key that was made elsewhere as version 1 of `name`, in its own format.

        With `as_next` it becomes the version after the last one.

        Without `format` the data tells. `public` stores a public key, which verifies and cannot sign. `lenient`
        reads what other programs accept, and `report` hears how it deviates.

        Raises:
            InvalidNameError: `name` is none.
            FormatError: the data is a key of no format or of several.
            MalformedKeyError: it is no key of the format, or not given as bytes. InvalidKeyError: its parts do not
                belong together.
            NotExportableError: it is a public key and `public` was not said.
            UnsupportedKeyError: it is a secret key and `public` was said.
            KeyExistsError: the name has a version, tombstones included, and `as_next` was not said.
            KeyNotFoundError: `as_next` was said, and the name has no version.
            ConfigError: `format` or `kid` is empty, a label is none, or the key would never sign.
        """
        encoded = hide(data)
        del data  # text, given by mistake, would show in a traceback
        if encoded is None:
            raise MalformedKeyError(NOT_BYTES)
        check_texts(format=format, kid=kid)
        opened = self.open_store(store, name=check_name(name))
        format_ = self.plugins.format(format) if format is not None else find_format(self.plugins, encoded)
        key = decode_key(self.plugins, format_, encoded, lenient=lenient, report=report)
        _check_half(key, public=public)
        now = self._clock()
        plan = import_plan(self.plugins.key_type(key.type), format_, kid=kid, labels=labels, expires=expires, now=now)
        named = replace(key, kid=key.kid if kid is None else kid)

        others = self._versions(opened, name) if as_next else ()
        version = others[-1].version + 1 if others else 1

        def store_it() -> RecordInfo:
            if not as_next:
                self._check_new(opened, name)
            return store_key(opened, plan, named, name, version, others, now, lenient=lenient)

        def planned() -> ReviewRequest:
            return self._planned("import", opened, name, version, plan, kid=named.kid, bits=plan.key_type.bits(key))

        return self._perform(planned, store_it)

    def rotate(
        self,
        name: str,
        *,
        activate_in: timedelta | None = None,
        overlap: timedelta | None = None,
        kid: str | None = None,
        expires: datetime | None = None,
        attributes: Mapping[str, object] | None = None,
        store: str | None = None,
        **options: object,
    ) -> RecordInfo:
        """Make the next version of `name`; it signs at once, or `activate_in` from now.

        The versions before verify for `overlap` after that. Of both, None: as `[keys.NAME]` says, else at once and
        without end. Type, format, size, labels and attributes go on as they were unless `[keys.NAME]` says otherwise
        (certificates do not: they are of the last version's key). Of two rotations at once, one makes the version
        and the other gets KeyExistsError.

        Raises:
            KeyNotFoundError: there is no such name; generate makes version 1.
            KeyExistsError: somebody else made the version meanwhile, or another version holds its kid.
            PolicyError: the kid, size or attributes of the next version would have to be guessed, or the last one is
                a public key of somebody else's.
            ConfigError: an option, time or duration is wrong, a text is empty, or no new key has the size of the last.
        """
        opened = self.open_store(store, name=check_name(name))
        now = self._clock()
        opened.writable  # noqa: B018  (a read-only store is refused before its keys are opened)
        others = self._versions(opened, name)
        last = others[-1]
        # By a clock that is behind, the overlap of the versions before would be over before it began.
        now = max(now, last.created or now)
        table = self.config.key(name)
        activates = _activation(table, activate_in, now)
        wanted = Wanted(
            kid=kid, activates=activates, expires=expires, overlap=overlap, attributes=attributes, options=options
        )
        plan = plan_rotation(self.plugins, table, opened, last, wanted, now)
        version = last.version + 1

        def planned() -> ReviewRequest:
            return self._planned("rotate", opened, name, version, plan)

        return self._perform(planned, lambda: generate_version(opened, plan, name, version, others, now))

    def _check_new(self, opened: OpenedStore, name: str) -> None:
        if opened.writable.versions(name):
            raise KeyExistsError(
                f"store {opened.name!r} has {name} already; rotate makes its next version, or import --next if it is "
                "made elsewhere"
            )

    def _planned(
        self,
        operation: Operation,
        opened: OpenedStore,
        name: str,
        version: int,
        plan: Plan,
        *,
        kid: str = "",
        bits: int | None = None,
    ) -> ReviewRequest:
        if bits is None and "bits" in plan.options:
            bits = plan.options.integer("bits")
        key_type, format_ = plan.key_type.name, plan.format.name
        info = RecordInfo(name=name, version=version, kid=kid, key_type=key_type, format=format_, labels=plan.labels)
        return describe(operation, opened, info, self._clock(), bits)


def _activation(table: KeyTable, activate_in: timedelta | None, now: datetime) -> datetime | None:
    if activate_in is None:
        activate_in = cast("timedelta | None", table.common()["activate_in"])
    check_duration("activate_in", activate_in)
    # Without a wait there is no time: the version signs at once on every clock.
    return now + activate_in if activate_in else None


def _check_half(key: Key, *, public: bool) -> None:
    if key.secret is None and not public:
        raise NotExportableError("the data is a public key, and a secret key belongs here; say --public to keep it")
    if key.secret is not None and public:
        raise UnsupportedKeyError(
            "the data is a secret key; leave out --public, or convert it to its public half first"
        )
