"""Keys bound for use: `Signer`, `Verifier`, `Encrypter` and `Decrypter`, looked up again when they may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, NoReturn, TypeVar

from keywright.errors import InvalidSignatureError
from keywright.ring.arguments import check_bytes
from keywright.ring.process_lock import ProcessLock

if TYPE_CHECKING:
    from keywright.key import Key


_T = TypeVar("_T")


class Found(NamedTuple, Generic[_T]):
    """What a look-up found.

    Attributes:
        bound: what signs or verifies.
        since: the time of the look-up.
        until: when it has to be looked up again; None: never.
        era: the ring's, from before the look-up (see `Resolved`).
        process: the process that looked; what is bound may be a session with a device, which no child inherits.
    """

    bound: _T
    since: datetime
    until: datetime | None
    era: object
    process: int


class Resolved(Generic[_T]):
    """Looked up when it is made; using it is then a plain call. Safe to use from threads, and after a fork.

    When the clock says that other versions count by now, or the look-up is older than the ring's `refresh`, or the
    clock was set back behind the look-up, or its ring made or changed a key, or the process forked, it is looked up
    again.
    """

    __slots__ = ("_clock", "_era", "_found", "_lock", "_resolve")

    def __init__(
        self, resolve: Callable[[], Found[_T]], clock: Callable[[], datetime], era: Callable[[], object]
    ) -> None:
        """Resolve for the first time. `era` returns an object that is another after each change that the ring made.

        Raises: whatever `resolve` raises.
        """
        self._resolve = resolve
        self._clock = clock
        self._era = era
        self._lock = ProcessLock()
        # One tuple, so that no thread sees a new time beside an old key.
        self._found = resolve()

    def current(self) -> _T:
        """What counts now.

        Raises:
            PolicyError: no version may be used so by now.
            KeyNotFoundError, StoreError: it had to be looked up again, and could not be.
        """
        found = self._found
        if self._holds(found):
            return found.bound
        with self._lock.mine():
            if not self._holds(self._found):
                self._found = self._resolve()
            return self._found.bound

    def _holds(self, found: Found[_T]) -> bool:
        if found.era is not self._era() or found.process != os.getpid():
            return False
        return found.until is None or found.since <= self._clock() < found.until

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


class Signer(Resolved[BoundKey]):
    """Signs with the primary of a name: `current()` is the version that does. `Resolved` says when it looks again."""

    __slots__ = ()

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`, in JOSE form.

        Raises: as `current`, and ConfigError: `data` is no bytes.
        """
        try:
            return self.current().sign(data)
        except TypeError:
            check_bytes(data=data)
            raise

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound.name

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

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<signer, not resolved>"  # a traceback with locals asks while the first look-up fails
        bound = self._found.bound
        return f"<signer {bound.name}@{bound.version} {bound.algorithm}>"


class BoundVerifier(NamedTuple):
    """One version, bound for verifying.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        algorithm: the JWA name of the signatures that it checks.
        public: the public half as `Key.public` has it, None for `oct`.
        verify: message and signature in; raises InvalidSignatureError if the signature does not hold.
    """

    name: str
    version: int
    kid: str
    key_type: str
    algorithm: str
    public: bytes | None
    verify: Callable[[bytes, bytes], None]


class Verifier(Resolved[tuple[BoundVerifier, ...]]):
    """Verifies with the versions of a name that may: `current()` has the primary first, then newest to oldest.

    There is always one at least. See `Resolved` for when it looks again.
    """

    __slots__ = ()

    def verify(self, data: bytes, signature: bytes) -> BoundVerifier:
        """The version under which the signature holds.

        Raises:
            InvalidSignatureError: it holds under none.
            PolicyError, KeyNotFoundError, StoreError: as `current`.
            ConfigError: `data` or `signature` is no bytes.
        """
        for bound in self.current():
            try:
                bound.verify(data, signature)
            except InvalidSignatureError:
                continue
            except TypeError:
                check_bytes(data=data, signature=signature)
                raise
            return bound
        raise InvalidSignatureError(
            f"the signature holds under no version of {self.name} that may verify; check the data"
        )

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound[0].name

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<verifier, not resolved>"  # a traceback with locals asks while the first look-up fails
        versions = ", ".join(f"{bound.version} {bound.algorithm}" for bound in self._found.bound)
        return f"<verifier {self.name}: {versions}>"


class EncryptionKey(NamedTuple):
    """One version, to encrypt for.

    Attributes:
        name, version, kid: which key this is.
        key: its public half alone where it has one; of `oct` the secret one.
    """

    name: str
    version: int
    kid: str
    key: Key


class Encrypter(Resolved[EncryptionKey]):
    """The primary of a name, to encrypt for: `current()` is that version. `Resolved` says when it looks again.

    The core encrypts nothing. What does, such as `keywright_jose.jwe_encrypt`, takes this for a key.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound.name

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<encrypter, not resolved>"  # a traceback with locals asks while the first look-up fails
        bound = self._found.bound
        return f"<encrypter {bound.name}@{bound.version}>"


class DecryptionKey(NamedTuple):
    """One version that may decrypt.

    Attributes:
        name, version, kid: which key this is.
        key_type: the name of its type.
        load: the key, with its secret half where there is one to be had. Read when it is first asked for, and kept
            for as long as the `Decrypter` does not look again.
    """

    name: str
    version: int
    kid: str
    key_type: str
    load: Callable[[], Key]


class Decrypter(Resolved[tuple[DecryptionKey, ...]]):
    """The versions of a name that may decrypt: `current()` has the primary first, then newest to oldest.

    There is always one at least. See `Resolved` for when it looks again. The core decrypts nothing. What does, such as
    `keywright_jose.jwe_decrypt`, takes this for a key.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The key's name."""
        return self._found.bound[0].name

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<decrypter, not resolved>"  # a traceback with locals asks while the first look-up fails
        versions = ", ".join(str(bound.version) for bound in self._found.bound)
        return f"<decrypter {self.name}: {versions}>"
