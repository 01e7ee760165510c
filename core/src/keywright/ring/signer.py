"""`Signer`: a key bound for signing, resolved once."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, NoReturn

from keywright.ring.process_lock import ProcessLock

__all__ = ["BoundKey", "Found", "Signer"]


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


class Found(NamedTuple):
    """What a look-up found.

    Attributes:
        bound: the version that signs.
        since: the time of the look-up.
        until: when it has to be looked up again; None: never.
        era: the ring's, from before the look-up (see `Signer`).
        process: the process that looked; what is bound may be a session with a device, which no child inherits.
    """

    bound: BoundKey
    since: datetime
    until: datetime | None
    era: object
    process: int


class Signer:
    """Signs with the primary of a name. Safe to use from threads, and after a fork.

    The key is looked up when the signer is made; a signature is then a plain call. When the clock says that another
    version signs by now, or the look-up is older than the ring's `refresh`, or the clock was set back behind the
    look-up, or its ring made or changed a key, or the process forked, it is looked up again.
    """

    __slots__ = ("_clock", "_era", "_found", "_lock", "_resolve")

    def __init__(self, resolve: Callable[[], Found], clock: Callable[[], datetime], era: Callable[[], object]) -> None:
        """Resolve for the first time. `era` returns an object that is another after each change that the ring made.

        Raises: whatever `resolve` raises.
        """
        self._resolve = resolve
        self._clock = clock
        self._era = era
        self._lock = ProcessLock()
        # One tuple, so that no thread sees a new time beside an old key.
        self._found = resolve()

    def current(self) -> BoundKey:
        """The version that signs now.

        Raises:
            PolicyError: no version signs by now.
            KeyNotFoundError, StoreError: it had to be looked up again, and could not be.
        """
        found = self._found
        if self._holds(found):
            return found.bound
        with self._lock.mine():
            if not self._holds(self._found):
                self._found = self._resolve()
            return self._found.bound

    def _holds(self, found: Found) -> bool:
        if found.era is not self._era() or found.process != os.getpid():
            return False
        return found.until is None or found.since <= self._clock() < found.until

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`, in JOSE form. Raises: as `current`."""
        return self.current().sign(data)

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

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Signer is not pickled: it holds a key; pass the key's name instead, and bind it there")

    def __repr__(self) -> str:
        if not hasattr(self, "_found"):
            return "<signer, not resolved>"  # a traceback with locals asks while the first look-up fails
        bound = self._found.bound
        return f"<signer {bound.name}@{bound.version} {bound.algorithm}>"
