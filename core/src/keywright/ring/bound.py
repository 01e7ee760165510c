"""Keys bound for use: `Signer`, `Verifier`, `Encrypter` and `Decrypter`, looked up again when they may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, NoReturn, TypeVar, cast

from keywright.errors import InvalidSignatureError
from keywright.files import ProcessLock

if TYPE_CHECKING:
    from keywright.keys import Key
    from keywright.protocols import BatchSigner
    from keywright.ring.review import Operations

_T = TypeVar("_T")


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
        raise TypeError(f"a {kind} is not pickled: it holds a key; pass the key's name instead, and bind it there")


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
            f"the signature holds under no version of {self._name} that may verify", hint="check the data"
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
