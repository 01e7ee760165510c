"""Keys bound for use: which versions sign, verify, encrypt or decrypt now, with which algorithm, and until when.

`Signer`, `Verifier`, `Encrypter` and `Decrypter` are bound once, and looked up again when they may have changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, NoReturn, TypeVar, cast

from keywright import lifecycle
from keywright.errors import InvalidKeyError, InvalidSignatureError, PolicyError, UnsupportedOperationError
from keywright.files import ProcessLock
from keywright.keys import Reference, parse_reference
from keywright.ring.arguments import check_duration
from keywright.ring.codec import public_half
from keywright.ring.stores import check_secret

if TYPE_CHECKING:
    from keywright.errors import KeywrightError
    from keywright.keys import Attributes, Key
    from keywright.plugins.registry import Registry
    from keywright.protocols import BatchSigner, KeyType
    from keywright.records import RecordInfo
    from keywright.ring.context import Operations, RingContext
    from keywright.ring.stores import OpenStore

_BELONG: Final = "check that the data, the signature and the key belong together"
_SIGNING_KEY: Final = "pass the name of a key for signatures; `keywright generate NAME` creates one"

_T = TypeVar("_T")
_Binding = TypeVar("_Binding")


class Found(NamedTuple, Generic[_T]):
    """What a look-up found.

    Attributes:
        bound: what signs or verifies.
        since: the time of the look-up.
        until: when it has to be looked up again; None: never.
        generation: `Operations.generation` from before the look-up.
        process: the process that looked it up; what is bound may be a session with a device, which no child inherits.
    """

    bound: _T
    since: datetime
    until: datetime | None
    generation: object
    process: int


class CachedBinding(Generic[_T]):
    """Looked up when it is created; using it is then a plain call. Safe to use from threads, and after a fork.

    It is looked up again if by the clock other versions are in use, or the look-up is older than the ring's `refresh`,
    or the clock was set back before the look-up, or its ring created or changed a key, or the process forked.
    """

    __slots__ = ("_clock", "_found", "_lock", "_look_up", "_name", "_operations")

    def __init__(
        self, name: str, look_up: Callable[[], Found[_T]], clock: Callable[[], datetime], operations: Operations
    ) -> None:
        """Look `name` up for the first time. Raises: as `look_up`."""
        self._name = name
        self._look_up = look_up
        self._clock = clock
        self._operations = operations
        self._lock = ProcessLock()
        # One tuple, so that no thread sees a new time beside an old key.
        self._found = look_up()

    @property
    def name(self) -> str:
        """The key's name."""
        return self._name

    def current(self) -> _T:
        """What is in use now.

        Raises:
            PolicyError: no version may be used so any more.
            KeyNotFoundError, StoreError: it had to be looked up again, and could not be.
        """
        found = self._found
        if self._is_valid(found):
            return found.bound
        with self._lock.mine():
            if not self._is_valid(self._found):
                self._found = self._look_up()
            return self._found.bound

    def _is_valid(self, found: Found[_T]) -> bool:
        if found.generation is not self._operations.generation or found.process != os.getpid():
            return False
        return found.until is None or found.since <= self._clock() < found.until

    def _summary(self) -> str:
        """What `repr` shows of what was found."""
        raise NotImplementedError

    def __repr__(self) -> str:
        # A traceback that shows locals calls this while the first look-up fails.
        summary = f" {self._summary()}" if hasattr(self, "_found") else ", not resolved"
        return f"<{type(self).__name__.lower()}{summary}>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        kind = type(self).__name__
        raise TypeError(
            f"a {kind} cannot be pickled, because it contains a key: pass the key's name, and bind it in the other "
            f"process"
        )


class BoundKey(NamedTuple):
    """One version, bound. What a caller needs to stay together (a header's `kid` and the signature) is together here.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        algorithm: the JWA name that it signs with.
        public: the public half as `Key.public` has it, None for `oct`.
        sign: the message in, the signature out, in JOSE form (EC: r ‖ s).
    """

    name: str
    version: int
    kid: str
    key_type: str
    algorithm: str
    public: bytes | None
    sign: Callable[[bytes], bytes]

    def sign_many(self, messages: Sequence[bytes]) -> Sequence[bytes]:
        """The signatures of messages, in their order; in one step where the store that has the key can."""
        if hasattr(self.sign, "sign_many"):
            return cast("BatchSigner", self.sign).sign_many(messages)
        return [self.sign(message) for message in messages]


class Signer(CachedBinding[BoundKey]):
    """Signs with the primary of a name: `current()` is that version. `CachedBinding` says when it looks again."""

    __slots__ = ()

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`, in JOSE form. Raises: as `current`."""
        return self.current().sign(data)

    def sign_many(self, messages: Sequence[bytes]) -> Sequence[bytes]:
        """The signatures of messages by one version, in their order. Raises: as `current`."""
        return self.current().sign_many(messages)

    @property
    def version(self) -> int:
        """The version that signs now. Raises: as `current`."""
        return self.current().version

    @property
    def kid(self) -> str:
        """Its id. Raises: as `current`."""
        return self.current().kid

    @property
    def algorithm(self) -> str:
        """The JWA name that it signs with. Raises: as `current`."""
        return self.current().algorithm

    @property
    def public(self) -> bytes | None:
        """Its public half, as `Key.public` has it; None for `oct`. Raises: as `current`."""
        return self.current().public

    def _summary(self) -> str:
        bound = self._found.bound
        return f"{self._name}@{bound.version} {bound.algorithm}"


class BoundVerifier(NamedTuple):
    """One version, bound for verifying.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        algorithm: the JWA name of the signatures that it checks.
        public: the public half as `Key.public` has it, None for `oct`.
        verify: message and signature in; raises InvalidSignatureError if the signature is not valid.
    """

    name: str
    version: int
    kid: str
    key_type: str
    algorithm: str
    public: bytes | None
    verify: Callable[[bytes, bytes], None]


class Verifier(CachedBinding[tuple[BoundVerifier, ...]]):
    """Verifies with the versions of a name that may: `current()` has the primary first, then newest to oldest.

    It has at least one version. `CachedBinding` says when it looks again.
    """

    __slots__ = ()

    def verify(self, data: bytes, signature: bytes) -> BoundVerifier:
        """The version under which the signature is valid.

        Raises:
            InvalidSignatureError: it is valid under no version.
            PolicyError, KeyNotFoundError, StoreError: as `current`.
        """
        for bound in self.current():
            try:
                bound.verify(data, signature)
            except InvalidSignatureError:
                continue
            return bound
        raise InvalidSignatureError(
            f"the signature is not valid under any version of {self._name} that may verify",
            hint=_BELONG,
        )

    def _summary(self) -> str:
        return f"{self._name}: " + ", ".join(f"{bound.version} {bound.algorithm}" for bound in self._found.bound)


class EncryptionKey(NamedTuple):
    """One version, to encrypt for.

    Attributes:
        name, version, kid: which key this is.
        key: its public half alone if it has one; of `oct` the secret one.
    """

    name: str
    version: int
    kid: str
    key: Key


class Encrypter(CachedBinding[EncryptionKey]):
    """The primary of a name, to encrypt for: `current()` is that version. `CachedBinding` says when it looks again.

    The core encrypts nothing. Functions that do, such as `keywright_jose.jwe_encrypt`, take this for a key.
    """

    __slots__ = ()

    def _summary(self) -> str:
        bound = self._found.bound
        return f"{self._name}@{bound.version}"


class DecryptionKey(NamedTuple):
    """One version that may decrypt.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        load: the key, with its secret half if that is available. Read on first use, and kept until the `Decrypter`
            looks again.
    """

    name: str
    version: int
    kid: str
    key_type: str
    load: Callable[[], Key]


class Decrypter(CachedBinding[tuple[DecryptionKey, ...]]):
    """The versions of a name that may decrypt: `current()` has the primary first, then newest to oldest.

    It has at least one version. `CachedBinding` says when it looks again. The core decrypts nothing. Functions that do,
    such as `keywright_jose.jwe_decrypt`, take this for a key.
    """

    __slots__ = ()

    def _summary(self) -> str:
        return f"{self._name}: " + ", ".join(str(bound.version) for bound in self._found.bound)


# Binding


def signer(
    context: RingContext, reference: str, algorithm: str | None, store: str | None, refresh: timedelta | None
) -> Signer:
    """`KeyRing.signer`."""
    wanted = parse_reference(reference)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> BoundKey:
        option = context.stores.option(opened, wanted.name)
        info = _primary(wanted, infos, now, option, use="that signs", other="does not sign, {} does")
        return context.operations.run(
            lambda: context.operations.describe("bind", opened, info),
            lambda: _bind_signer(context.registry, opened, info, algorithm),
            changes=False,
        )

    return _bind(Signer, context, wanted, store, refresh, bind, _signing_until)


def verifier(
    context: RingContext, reference: str, algorithm: str | None, store: str | None, refresh: timedelta | None
) -> Verifier:
    """`KeyRing.verifier`."""
    wanted = parse_reference(reference)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> tuple[BoundVerifier, ...]:
        return tuple(bound for _, bound in _bind_verifiers(context.registry, opened, wanted, infos, algorithm, now))

    return _bind(Verifier, context, wanted, store, refresh, bind, _verifying_until)


def encrypter(context: RingContext, reference: str, store: str | None, refresh: timedelta | None) -> Encrypter:
    """`KeyRing.encrypter`."""
    wanted = parse_reference(reference)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> EncryptionKey:
        option = context.stores.option(opened, wanted.name)
        primary = _primary(wanted, infos, now, option, use="to encrypt for", other="is not encrypted for now, {} is")
        info = opened.described(primary)
        key = context.operations.load(opened, info) if info.public is None else public_half(info)
        return EncryptionKey(info.name, info.version, info.kid, key)

    return _bind(Encrypter, context, wanted, store, refresh, bind, _signing_until)


def decrypter(context: RingContext, reference: str, store: str | None, refresh: timedelta | None) -> Decrypter:
    """`KeyRing.decrypter`."""
    wanted = parse_reference(reference)

    def bind_one(opened: OpenStore, info: RecordInfo) -> DecryptionKey:
        load = cache(lambda: context.operations.load(opened, info))
        return DecryptionKey(info.name, info.version, info.kid, info.key_type, load)

    def bind(opened: OpenStore, infos: Sequence[RecordInfo], now: datetime) -> tuple[DecryptionKey, ...]:
        able = _able_versions(wanted, infos, now, verify="decrypt", signed="encrypted for")
        return tuple(bind_one(opened, opened.described(info)) for info in able)

    return _bind(Decrypter, context, wanted, store, refresh, bind, _verifying_until)


def _bind(
    kind: Callable[[str, Callable[[], Found[_T]], Callable[[], datetime], Operations], _Binding],
    context: RingContext,
    reference: Reference,
    store: str | None,
    refresh: timedelta | None,
    bind: Callable[[OpenStore, Sequence[RecordInfo], datetime], _T],
    ends: Callable[[Sequence[RecordInfo], datetime], Iterator[datetime | None]],
) -> _Binding:
    """A `CachedBinding` of this kind. `ends` gives the times at which the versions that were bound change."""
    check_duration("refresh", refresh)

    def look_up() -> Found[_T]:
        generation, now = context.operations.generation, context.clock()
        opened = context.stores.get(store, name=reference.name)
        infos = context.stores.versions(opened, reference.name, reference.version)
        bound = bind(opened, infos, now)
        times = [end for end in ends(infos, now) if end is not None and end > now]
        if refresh is not None:
            times.append(now + refresh)
        return Found(bound, now, min(times, default=None), generation, os.getpid())

    return kind(reference.name, look_up, context.clock, context.operations)


def _signing_until(infos: Sequence[RecordInfo], now: datetime) -> Iterator[datetime | None]:
    """When the version that signs stops signing."""
    yield lifecycle.primary_until(infos, now)


def _verifying_until(infos: Sequence[RecordInfo], now: datetime) -> Iterator[datetime | None]:
    """When a version stops verifying or signing."""
    for one in lifecycle.phases(infos, now):
        yield from (one.superseded, one.verifies_until)


def _primary(
    reference: Reference, infos: Sequence[RecordInfo], now: datetime, option: str, *, use: str, other: str
) -> RecordInfo:
    """The primary, if the reference names it; `use` is what it is for, and `other` that it is not another version."""
    info = lifecycle.primary(infos, now)
    if info is None:
        reason, hint = lifecycle.why_not(infos, now, option)
        raise PolicyError(f"{reference.name} has no version {use}: {reason}", hint=hint)
    if reference.version not in (None, info.version):
        raise PolicyError(f"{reference} {other.format(info.reference)}", hint="leave the version out")
    return info


def _able_versions(
    reference: Reference,
    infos: Sequence[RecordInfo],
    now: datetime,
    *,
    verify: str = "verify",
    signed: str = "signed by",
) -> list[RecordInfo]:
    """The versions that the reference names and that may verify: the primary, then newest first.

    `verify` and `signed` are what messages call that.

    Raises:
        PolicyError: there are none.
    """
    able = [info for info in lifecycle.verifying(infos, now) if reference.version in (None, info.version)]
    if not able:
        phases = ", ".join(
            f"version {one.info.version} is {one.phase.value}"
            for one in lifecycle.phases(infos, now)
            if reference.version in (None, one.info.version)
        )
        raise PolicyError(f"{reference} may not {verify}: {phases}", hint=f"have the data {signed} an enabled version")
    return able


def _bind_signer(registry: Registry, opened: OpenStore, info: RecordInfo, algorithm: str | None) -> BoundKey:
    """Bind one version for signing.

    Raises:
        UnsupportedOperationError, PolicyError: as `choose_algorithm`.
        NotExportableError: there is no secret half to sign with.
        InvalidKeyError: the key is too weak for the algorithm.
    """
    signing = opened.signing
    key = check_secret(opened.load(info), info, opened) if signing is None else public_half(info)
    key_type = registry.key_type(key.type)
    chosen = choose_algorithm(key_type, key.attributes, algorithm, "sign", info.reference)
    sign = key_type.signer(key, chosen) if signing is None else signing.signer(info.name, info.version, chosen)
    return BoundKey(info.name, info.version, key.kid, key.type, chosen, key.public, sign)


def verify(
    context: RingContext,
    reference: str,
    data: bytes,
    signature: bytes,
    algorithm: str | None,
    store: str | None,
) -> RecordInfo:
    """`KeyRing.verify`."""
    wanted = parse_reference(reference)
    opened = context.stores.get(store, name=wanted.name)
    infos = context.stores.versions(opened, wanted.name, wanted.version)
    for info, bound in _bind_verifiers(context.registry, opened, wanted, infos, algorithm, context.clock()):
        try:
            bound.verify(data, signature)
        except InvalidSignatureError:
            continue
        return opened.described(info)
    if wanted.version is not None:
        raise InvalidSignatureError(
            f"the signature is not valid under {wanted}", hint="check the data, or leave out the version"
        )
    raise InvalidSignatureError(
        f"the signature is not valid under any version of {wanted} that may verify", hint=_BELONG
    )


def _bind_verifiers(
    registry: Registry,
    opened: OpenStore,
    reference: Reference,
    infos: Sequence[RecordInfo],
    algorithm: str | None,
    now: datetime,
) -> Iterator[tuple[RecordInfo, BoundVerifier]]:
    """The versions that the reference names and that may verify, bound one by one: the primary, then newest first.

    Raises:
        PolicyError: no version may verify, or the one that the reference names may not.
        UnsupportedOperationError, PolicyError, InvalidKeyError: no version can be used so; this is why the first
            one cannot.
    """
    able = _able_versions(reference, infos, now)
    refusals: list[KeywrightError] = []
    for info in able:
        try:
            key = opened.load(info) if info.public is None else public_half(info)
            key_type = registry.key_type(key.type)
            chosen = choose_algorithm(key_type, key.attributes, algorithm, "verify", info.reference)
            check = key_type.verifier(key, chosen)
        except (UnsupportedOperationError, PolicyError, InvalidKeyError) as refusal:
            # Versions may differ in type and use: the others may be usable.
            refusals.append(refusal)
        else:
            yield info, BoundVerifier(info.name, info.version, key.kid, key.type, chosen, key.public, check)
    if len(refusals) == len(able):
        raise refusals[0]


def choose_algorithm(
    key_type: KeyType, attributes: Attributes, requested: str | None, operation: str, reference: str
) -> str:
    """The JWA name to use for `operation`, `sign` or `verify`, with a key that has these `attributes`.

    Its own `alg` takes precedence, and its `use` and `key_ops` are obeyed (RFC 7517 §4.2 to §4.4).

    Raises:
        UnsupportedOperationError: the type cannot sign, or not with the algorithm that was asked for.
        PolicyError: the key is for another algorithm or use.
    """
    unable = f"{reference} is of type {key_type.name}, which cannot {operation}"
    if not key_type.algorithms:
        raise UnsupportedOperationError(unable, hint=_SIGNING_KEY)
    if requested is not None and requested not in key_type.algorithms:
        can = ", ".join(key_type.algorithms)
        raise UnsupportedOperationError(f"{unable} with this algorithm", hint=f"it can with: {can}")
    own = attributes.get("alg")
    if own is not None and own not in key_type.algorithms:
        raise PolicyError(f"{reference} is not for signatures (its alg)", hint=_SIGNING_KEY)
    if requested is not None and own is not None and requested != own:
        raise PolicyError(f"{reference} is restricted to {own} (its alg)", hint="leave out the algorithm")
    if attributes.get("use", "sig") != "sig":
        raise PolicyError(f"{reference} is not for signatures (its use)", hint=_SIGNING_KEY)
    operations = attributes.get("key_ops")
    # The public half of a signing key verifies, whatever its secret half lists (RFC 7517 §4.3 is about each half).
    allowed = (operation,) if operation == "sign" else ("sign", "verify")
    if isinstance(operations, tuple) and not any(one in operations for one in allowed):
        raise PolicyError(f"{reference} does not allow {operation} (its key_ops)", hint=_SIGNING_KEY)
    return str(requested or own or key_type.algorithms[0])
