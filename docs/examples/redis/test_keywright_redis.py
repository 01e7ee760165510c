"""The store keeps the contract of remote stores, on a real Redis server that the tests start."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support.lossy_proxy import LossyProxy
from support.redis_server import redis_server

from keywright import Options, Record, RecordInfo, Secret
from keywright.errors import AccessDeniedError, ConfigError, StoreUnavailableError
from keywright.testing import RemoteStoreContract
from keywright.testing.leaks import assert_hidden, everything_in

pytest.importorskip("redis")

from keywright_redis import RedisBackend, RedisStore
from redis import Redis

Opener = Callable[[], AbstractContextManager[RedisStore]]

PASSWORD = Secret(b"open-sesame-42")
RECORD = Record(RecordInfo(name="a", version=1), Secret(b"xyzzy-plugh-plover"))


def opener(url: str, *, password: Secret | None = None, prefix: str = "keywright") -> Opener:
    """A function that opens the store on that server."""
    options = Options.of(RedisBackend.settings, url=url, password=password, prefix=prefix)
    return lambda: RedisBackend().open(options)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server."""
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


class RedisNetwork(LossyProxy):
    """Between the store and the server; `READER` may only read."""

    def __init__(self, folder: Path, url: str, prefix: str) -> None:
        super().__init__(folder / "proxy", Path(url.removeprefix("unix://")), lambda request: b"'Z" in request)
        self.url = f"unix://{folder / 'proxy'}"
        self.prefix = prefix

    @contextmanager
    def denied(self) -> Iterator[Opener]:
        """As the user `reader`."""
        url = self.url.replace("unix://", "unix://reader@")
        yield opener(url, password=PASSWORD, prefix=self.prefix)


class TestRedisStore(RemoteStoreContract):
    """Each test has a prefix of its own on one server."""

    capabilities = RedisBackend.capabilities
    secrets = (PASSWORD,)

    @pytest.fixture
    def network(self, tmp_path: Path, url: str) -> Iterator[RedisNetwork]:
        """A proxy of its own for each test."""
        with Redis.from_url(url) as client:
            client.acl_setuser(
                "reader", enabled=True, reset=True, passwords=[f"+{PASSWORD.reveal().decode()}"], keys=["*"],
                categories=["+@read", "+@connection"], commands=["+eval"],
            )  # fmt: skip
        network = RedisNetwork(tmp_path, url, os.urandom(8).hex())
        yield network
        network.close()

    @pytest.fixture
    def open_store(self, network: RedisNetwork) -> Opener:
        """Opens the store of one test."""
        return opener(network.url, prefix=network.prefix)

    @pytest.fixture
    def dump(self, url: str, network: RedisNetwork) -> Callable[[], bytes]:
        """What the database has. The append-only file is not looked at: it has the past until it is rewritten."""

        def dump() -> bytes:
            with Redis.from_url(url) as client:
                return b" ".join(client.dump(key) or b"" for key in client.scan_iter(f"{network.prefix}:*"))

        return dump


def test_records_survive_a_kill_of_the_server(tmp_path: Path) -> None:
    """What `create` reported as done is there after the server was killed and started again."""
    with redis_server(tmp_path) as url, opener(url)() as store:
        stored = store.create(RECORD)

    with redis_server(tmp_path) as url, opener(url)() as store:
        assert store.get("a", 1) == Record(stored, RECORD.payload)


def test_a_server_that_may_lose_keys_is_reported(tmp_path: Path) -> None:
    """`check` reports each setting that is not durable, and how to set it."""
    with redis_server(tmp_path, "--appendfsync", "everysec") as url, opener(url)() as store:
        (problem,) = store.check()

    assert problem.message == "the server may lose keys: appendfsync is not always"
    assert problem.hint == "set `appendfsync always`"


def test_the_password_opens_the_store(tmp_path: Path) -> None:
    """The password is sent; without it, or with another one, access is denied. No error contains it."""
    with redis_server(tmp_path, "--requirepass", "open-sesame") as url:
        with opener(url, password=Secret(b"open-sesame"))() as store:
            store.create(RECORD)
        for password in (None, Secret(b"open-barley")):
            with opener(url, password=password)() as store, pytest.raises(AccessDeniedError) as caught:
                store.get("a", 1)
            assert str(caught.value) == f"{url}: access denied"
            assert_hidden(Secret(b"open-barley"), everything_in(caught.value))


def test_an_unreachable_server_is_reported(tmp_path: Path) -> None:
    """Each call raises StoreUnavailableError, without the payload; and the store works again with the server."""
    with redis_server(tmp_path) as url:
        pass
    with opener(url)() as store:
        with pytest.raises(StoreUnavailableError) as caught:
            store.create(RECORD)
        assert str(caught.value) == f"{url}: no reply"
        assert_hidden(RECORD.payload or Secret(b""), everything_in(caught.value))

        with redis_server(tmp_path):
            store.create(RECORD)
        with redis_server(tmp_path):  # the connection of before is closed
            assert store.get("a", 1).payload == RECORD.payload


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("redis://u:open-sesame@localhost", "url contains a password", id="password"),
        pytest.param("unix:///socket?password=open-sesame", "url contains a password", id="query"),
        pytest.param("https://open-sesame", "url is not the URL of a Redis server", id="scheme"),
    ],
)
def test_urls_that_are_refused(url: str, message: str) -> None:
    """A URL is not quoted: it may contain a password."""
    with pytest.raises(ConfigError) as caught, opener(url)():
        pass

    assert str(caught.value) == message
