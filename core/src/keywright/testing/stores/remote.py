"""The contract of stores that are not on this machine's disk."""

from __future__ import annotations

from typing import ClassVar

from keywright.testing.stores.writable import WritableStoreContract


class RemoteStoreContract(WritableStoreContract):
    """The rules for a writable store on another machine, such as a server that several machines use.

    Subclass it as `TestX`, declare what the store can do, and give it the fixture that `WritableStoreContract` needs.
    `open_store` connects again each time; all processes that open it get the same store.

    It has the rules of `WritableStoreContract`. Those that other machines rely on cannot be declined: what was
    written is there after reopening and after the writer was killed (STORE-69), one of many writers wins a version
    (STORE-60), rotations leave no hole (STORE-61), no update is lost (STORE-62), readers see whole records (STORE-63),
    and a process that forks keeps a working store on both sides (STORE-64, STORE-65). The capabilities `shared` and
    `persistent` are therefore required (STORE-14).

        class TestServer(RemoteStoreContract):
            capabilities = ServerBackend.capabilities

            @pytest.fixture
            def open_store(self, server):
                options = Options({"url": server.new_database()})
                return lambda: ServerBackend().open(options)
    """

    proves: ClassVar[frozenset[str]] = frozenset({"shared", "persistent"})
