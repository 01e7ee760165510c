"""The ring reads: names, list, show, load, export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

from keywright import lifecycle
from keywright.errors import ConfigError
from keywright.keys import check_name, parse_reference
from keywright.ring.base import RingBase
from keywright.ring.conversion import encode_key, warn
from keywright.ring.given_texts import check_texts
from keywright.ring.labels import check_labels
from keywright.ring.opened import secret_of
from keywright.ring.operation import describe
from keywright.secret import Secret

if TYPE_CHECKING:
    from keywright.keys import Key
    from keywright.records import RecordInfo
    from keywright.ring.conversion import Report

__all__ = ["Named", "Reading"]


class Named(NamedTuple):
    """A name, and the phases of its versions, ascending."""

    name: str
    versions: tuple[lifecycle.VersionPhase, ...]


class Reading(RingBase):
    """Reads what stores hold."""

    def names(self, prefix: str = "", *, store: str | None = None) -> Iterator[str]:
        """The names of one store that start with `prefix`, in the order of their bytes.

        Raises:
            ConfigError: `prefix` is no text.
        """
        _check_prefix(prefix)
        return (name for name, _ in self._names(prefix, store))

    def list(
        self, prefix: str = "", *, labels: Mapping[str, str] | None = None, store: str | None = None
    ) -> Iterator[Named]:
        """The names of one store, with the phases of their versions; `labels`: those whose newest version has them.

        Raises:
            ConfigError: `prefix` is no text, or a label is none.
        """
        _check_prefix(prefix)
        wanted = check_labels({} if labels is None else labels)
        for name, opened in self._names(prefix, store):
            infos = [opened.described(info) for info in opened.store.versions(name)]
            if infos and all(infos[-1].labels.get(label) == value for label, value in wanted.items()):
                yield Named(name, lifecycle.phases(infos, self._clock()))

    def show(self, name: str, *, store: str | None = None) -> Named:
        """The versions of one name and their phases.

        Raises:
            KeyNotFoundError: there is no such name.
        """
        opened = self.open_store(store, name=check_name(name))
        infos = [opened.described(info) for info in self._versions(opened, name)]
        return Named(name, lifecycle.phases(infos, self._clock()))

    def resolve(self, reference: str, *, for_good: bool = False, store: str | None = None) -> RecordInfo:
        """The version that `NAME@N` names; of `NAME` the primary, or the only version that there is.

        With `for_good`, as `compromise` and `destroy` take it: of `NAME` the only version, and no other.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has several versions and no primary; with `for_good`, it has several versions.
        """
        opened, info = self._resolve(parse_reference(reference), store, any_single=True, no_other=for_good)
        return opened.described(info)

    def load(self, reference: str, *, store: str | None = None) -> Key:
        """The key of `NAME@N`, or of the primary of `NAME`, with its secret half where there is one to be had.

        To hand out a secret half is an `export`, for those who review and observe.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
        """
        return self._loaded(*self._resolve(parse_reference(reference), store))

    @overload
    def export(
        self,
        reference: str,
        *,
        secret: Literal[False] = False,
        format: str | None = None,
        strict: bool = False,
        store: str | None = None,
        report: Report = warn,
    ) -> bytes: ...
    @overload
    def export(
        self,
        reference: str,
        *,
        secret: Literal[True],
        format: str | None = None,
        strict: bool = False,
        store: str | None = None,
        report: Report = warn,
    ) -> Secret: ...
    def export(
        self,
        reference: str,
        *,
        secret: bool = False,
        format: str | None = None,
        strict: bool = False,
        store: str | None = None,
        report: Report = warn,
    ) -> bytes | Secret:
        """The public half, or with `secret` the secret half, of `NAME@N` or the primary of `NAME`.

        Without `format` in its own. `report` hears what the format left behind; with `strict` that is refused.

        Raises:
            KeyNotFoundError: there is no such name or version.
            PolicyError: `NAME` has no primary.
            NotExportableError: the secret half was destroyed, never leaves its store, or never came along.
            UnsupportedKeyError: the format cannot carry the key; `oct` keys have no public half.
            ConfigError: `format` is empty.
        """
        check_texts(format=format)
        opened, plain = self._resolve(parse_reference(reference), store)
        info = opened.described(plain)
        format_ = self.plugins.format(info.format or "" if format is None else format)
        if not secret:
            public = opened.public_key(info)
            return encode_key(format_, public, secret=False, strict=strict, lenient=True, report=report)

        def reveal() -> bytes | Secret:
            key = secret_of(opened.load(plain), info, opened)
            return encode_key(format_, key, secret=True, strict=strict, lenient=True, report=report)

        return self._perform(lambda: describe("export", opened, info, self._clock()), reveal, changes=False)


def _check_prefix(prefix: object) -> None:
    if not isinstance(prefix, str):
        raise ConfigError("prefix must be text; leave it out for all names")
