"""The contract of writable stores that keep their records in files of their own."""

from __future__ import annotations

from keywright.testing.stores.damaged import DamagedStoreContract
from keywright.testing.stores.denied import DeniedStoreContract
from keywright.testing.stores.private import PrivateStoreContract
from keywright.testing.stores.synced import SyncedStoreContract

__all__ = ["OnDiskStoreContract"]


class OnDiskStoreContract(PrivateStoreContract, DeniedStoreContract, SyncedStoreContract, DamagedStoreContract):
    """What a writable store promises that keeps its records in files of its own, besides `WritableStoreContract`.

    Subclass it as `TestX`, say what the store can do, and give it two fixtures and a method:

    * `capabilities`: as the store's backend declares them;
    * `place`: the path of the file or directory that the store keeps its records in. It lies in the fixture
      `directory`, which the contract provides, and does not exist yet; what the store keeps beside it has a longer
      name that begins with the same;
    * `open_store`: a function that opens the store at `place` anew each time it is called;
    * `newer(place)`: makes a closed store look as a newer keywright would have written it;
    * `syncs_in_python = False` if a library calls fsync for you.

        class TestFile(OnDiskStoreContract):
            capabilities = FileBackend.capabilities

            @pytest.fixture
            def place(self, directory): return directory / "keys"

            @pytest.fixture
            def open_store(self, place):
                options = Options({"path": str(place), "timeout": timedelta(seconds=5)})
                return lambda: FileBackend().open(options)

            def newer(self, place):
                (place / ".keywright" / "format").write_bytes(b"keywright file store 2\\n")
    """
