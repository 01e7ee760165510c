"""What is to be done to each narinfo, and by which keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Bound", "Job"]


class Bound(NamedTuple):
    """A key that signs.

    Attributes:
        name: the Nix key name.
        public: 32 bytes.
        sign: message in, signature of 64 bytes out.
        varies: two signatures of one message may differ, as those of a store do that adds random bits to them.
    """

    name: str
    public: bytes
    sign: Callable[[bytes], bytes]
    varies: bool = False


class Job(NamedTuple):
    """What is to be done to each narinfo.

    Attributes:
        keys: each gives the key that signs now, so that one that was compromised meanwhile stops.
        drop: the names of keys whose signatures are taken away.
        vouching: name and 32 bytes of the public key that must have signed before; None: nobody need have.
        dry_run: nothing is written.
        store_dir: the store that every path must be of, such as `/nix/store`; empty: any.
    """

    keys: tuple[Callable[[], Bound], ...]
    drop: frozenset[str] = frozenset()
    vouching: tuple[str, bytes] | None = None
    dry_run: bool = False
    store_dir: bytes = b""

    @property
    def only_adds(self) -> bool:
        """Whether it does nothing but to add signatures."""
        return not (self.drop or self.vouching)
