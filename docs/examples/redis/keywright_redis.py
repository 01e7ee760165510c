"""keywright plugin: the store backend `redis`, records on a Redis server that several machines share.

A write is as durable as the server is. Run it with `appendonly yes`, `appendfsync always` and `maxmemory-policy
noeviction`, or it may lose keys; `keywright doctor` checks this. The append-only file contains the old bytes of
destroyed and replaced payloads until the server rewrites it (`BGREWRITEAOF`): use a seal.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from keywright import (
    Capabilities,
    Guard,
    Options,
    Problem,
    Record,
    RecordInfo,
    Revision,
    Secret,
    Setting,
    State,
    StoreBackend,
    check_name,
    decode_info,
    encode_info,
    hookimpl,
)
from keywright.errors import (
    AccessDeniedError,
    ConfigError,
    ConflictError,
    CorruptedStoreError,
    KeyExistsError,
    KeyNotFoundError,
    ReadOnlyStoreError,
    StoreError,
    StoreUnavailableError,
    UnsupportedOperationError,
)

KEYWRIGHT_API = 1

TIMEOUT = 5  # seconds, to connect and for each reply
DURABLE = (("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction"))

# PREFIX:names is a sorted set of names. PREFIX:info:NAME is a hash, version to revision (32 characters), blank and
# metadata. PREFIX:payload:NAME is a hash, version to payload. The server runs a script as one step.
GET = "return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])}"
REVISION = """
    local function revision(key, version)
        return string.sub(redis.call('HGET', key, version) or 'absent', 1, 32)
    end
"""
WRITE = f"""{REVISION}
    local name, version, expected, info, payload_is, payload = unpack(ARGV)
    if KEYS[4] and revision(KEYS[4], ARGV[7]) ~= ARGV[8] then return 'guard' end
    if revision(KEYS[2], version) ~= expected then return 'changed' end
    redis.call('ZADD', KEYS[1], 0, name)
    redis.call('HSET', KEYS[2], version, info)
    if payload_is == 'new' then redis.call('HSET', KEYS[3], version, payload) end
    if payload_is == 'none' then redis.call('HDEL', KEYS[3], version) end
    return 'done'
"""
REMOVE = f"""{REVISION}
    if redis.call('HLEN', KEYS[2]) * 2 ~= #ARGV - 1 then return 'changed' end
    for i = 2, #ARGV, 2 do
        if revision(KEYS[2], ARGV[i]) ~= ARGV[i + 1] then return 'changed' end
    end
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('DEL', KEYS[2], KEYS[3])
    return 'done'
"""


class RedisStore:
    """A `GuardedStore` and `CheckedStore`. Safe to use from threads and across forks."""

    def __init__(self, url: str, password: Secret | None, prefix: str) -> None:
        self._url, self._password, self._prefix = url, password, prefix
        # Connections that no call is using, by process: a forked child opens its own.
        self._idle: dict[int, list[Any]] = {}

    def __repr__(self) -> str:
        return f"<redis store {self._url}>"

    def close(self) -> None:
        """Close the connections of this process."""
        for client in self._idle.pop(os.getpid(), []):
            client.close()

    def get(self, name: str, version: int) -> Record:
        """One record. Raises as `keywright.Store.get`."""
        keys = self._keys(name)
        entry, payload = map(_hidden, self._call("EVAL", GET, 2, keys[1], keys[2], version))
        if entry is None:
            raise KeyNotFoundError(
                f"{self._url} has no {name}@{version}", hint="`keywright list` prints the keys that exist"
            )
        return Record(self._info(f"{name}@{version}", entry), payload)

    def versions(self, name: str) -> Sequence[RecordInfo]:
        """All versions, ascending. Raises as `keywright.Store.versions`."""
        entries = self._call("HGETALL", self._keys(name)[1]).items()
        infos = [self._info(f"{name}@{version.decode(errors='replace')}", Secret(entry)) for version, entry in entries]
        return sorted(infos, key=lambda info: info.version)

    def names(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> Iterator[str]:
        """Names in the order of their bytes. Raises as `keywright.Store.names`."""
        start, last = (text.encode(errors="surrogatepass") for text in (prefix, after))
        lowest, highest = b"(" + last if last >= start and last else b"[" + start, b"(" + start + b"\xff"
        count = -1 if limit is None else limit
        found = self._call("ZRANGEBYLEX", f"{self._prefix}:names", lowest, highest, "LIMIT", 0, count)
        return (name.decode(errors="replace") for name in found)

    def create(self, record: Record, *, guard: Guard | None = None) -> RecordInfo:
        """Add a version. Raises as `keywright.GuardedStore.create`."""
        check_name(record.info.name, reserved=True)
        if record.info.state is State.DESTROYED and record.payload is not None:
            raise UnsupportedOperationError(
                f"{record.info.reference}: a destroyed version has no payload", hint="leave the payload out"
            )
        taken = KeyExistsError(
            f"{record.info.reference} exists already in {self._url}; nothing was written", hint="use the next version"
        )
        payload = "none" if record.payload is None else record.payload  # an empty one is false
        return self._write(record.info, "absent", payload, guard, taken)

    def update_info(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace metadata. Raises as `keywright.GuardedStore.update_info`."""
        old = self._expected(info.name, info.version, expected)
        if info.state is State.DESTROYED and old.payload is not None:
            raise UnsupportedOperationError(f"{info.reference}: a destroyed version has no payload", hint="use destroy")
        return self._write(info, expected, "kept", guard)

    def replace_payload(
        self, name: str, version: int, payload: Secret, expected: Revision, *, guard: Guard | None = None
    ) -> RecordInfo:
        """Replace the payload. Raises as `keywright.GuardedStore.replace_payload`."""
        old = self._expected(name, version, expected)
        if old.payload is None:
            raise UnsupportedOperationError(f"{name}@{version}: has no payload to replace", hint="import it instead")
        return self._write(old.info, expected, payload, guard)

    def destroy(self, info: RecordInfo, expected: Revision, *, guard: Guard | None = None) -> RecordInfo:
        """Replace metadata and delete the payload. Raises as `keywright.GuardedStore.destroy`."""
        if info.state is not State.DESTROYED:
            raise UnsupportedOperationError(f"{info.reference}: its state is not destroyed", hint="use update_info")
        self._expected(info.name, info.version, expected)
        return self._write(info, expected, "none", guard)

    def remove(self, name: str, expected: Sequence[Revision]) -> None:
        """Remove a whole name. Raises as `keywright.WritableStore.remove`."""
        infos = self.versions(name)
        if not infos:
            raise KeyNotFoundError(f"{self._url} has no {name}", hint="`keywright list` prints the keys that exist")
        seen = [text for info in infos for text in (info.version, info.revision)]
        if [info.revision for info in infos] != list(expected) or (
            self._call("EVAL", REMOVE, 3, *self._keys(name), name, *seen) != b"done"
        ):
            raise _changed(name)

    def check(self) -> Iterator[Problem]:
        """The settings of the server with which it may lose records. As `keywright.CheckedStore.check`."""
        for setting, durable in DURABLE:
            found = self._call("CONFIG GET", setting).get(setting)
            if found != durable:
                message = f"the server may lose keys: {setting} is not {durable}"
                yield Problem(self._url, message, f"set `{setting} {durable}`")

    def _keys(self, name: str) -> tuple[str, str, str]:
        return f"{self._prefix}:names", f"{self._prefix}:info:{name}", f"{self._prefix}:payload:{name}"

    def _info(self, reference: str, entry: Secret) -> RecordInfo:
        where = f"{self._url}: {reference}"
        revision = entry.reveal()[:32].decode(errors="replace")
        info = decode_info(entry.reveal()[33:], where=where, revision=revision)
        if info.reference != reference:
            raise CorruptedStoreError(f"{where}: contains another record", hint="restore it from a backup")
        return info

    def _expected(self, name: str, version: int, expected: Revision) -> Record:
        """The record, if it has this revision. While it has, its content stays the same: `_write` compares again."""
        record = self.get(name, version)
        if record.info.revision != expected:
            raise _changed(f"{name}@{version}")
        return record

    def _write(
        self,
        info: RecordInfo,
        expected: str,
        payload: Secret | str,
        guard: Guard | None,
        taken: StoreError | None = None,
    ) -> RecordInfo:
        """Write a version that has the revision `expected`; `payload` is a new one, `kept` or `none`."""
        info = replace(info, labels=dict(info.labels), revision=Revision(os.urandom(16).hex()))
        keys = [*self._keys(info.name), *([self._keys(guard.name)[1]] if guard else [])]
        entry = info.revision.encode() + b" " + encode_info(info)
        payload_is = ("new", payload) if isinstance(payload, Secret) else (payload, "")
        guarded = (guard.version, guard.revision) if guard else ()
        done = self._call(
            "EVAL", WRITE, len(keys), *keys, info.name, info.version, expected, entry, *payload_is, *guarded
        )
        if done == b"guard" and guard:
            raise _changed(f"{guard.name}@{guard.version}")
        if done != b"done":
            raise taken or _changed(info.reference)
        return info

    def _call(self, *command: str | int | bytes | Secret) -> Any:
        """The reply to a command. It is sent once: a client that tries again after a lost reply may write twice."""
        from redis import RedisError

        client = None
        try:
            client = self._client()
            reply = client.execute_command(*(part.reveal() if isinstance(part, Secret) else part for part in command))
        except (RedisError, OSError) as failure:
            error = self._translated(failure)
        except BaseException:  # interrupted: the reply may still arrive, for the next command
            if client is not None:
                client.close()
            raise
        else:
            self._idle.setdefault(os.getpid(), []).append(client)
            return reply
        if client is not None:
            client.close()
        raise error  # not inside `except`: the context of the error would contain the command

    def _client(self) -> Any:
        """A client that no other thread or process uses, with a connection of its own."""
        from redis import Redis, RedisError
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        idle = self._idle.setdefault(os.getpid(), [])
        while idle:
            with suppress(IndexError, RedisError, OSError):  # another thread took it, or the server has closed it
                client = idle.pop()
                if not client.connection.can_read():
                    return client
                client.close()
        return Redis.from_url(
            self._url,
            **({} if self._password is None else {"password": self._password.reveal().decode()}),
            single_connection_client=True,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
        )

    def _translated(self, failure: Exception) -> StoreError:
        from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, ResponseError

        # That a command of a script was denied is said in the text alone: by Redis 7.0, and by later ones.
        denied = any(text in str(failure) for text in ("The user executing the script can't run", "ACL failure"))
        if denied or isinstance(failure, AuthenticationError | NoPermissionError):
            return AccessDeniedError(f"{self._url}: access denied", hint="check `password` and the user's permissions")
        if isinstance(failure, ReadOnlyError):
            return ReadOnlyStoreError(f"{self._url}: the server is a read-only replica", hint="use the primary")
        if isinstance(failure, ResponseError):
            return StoreUnavailableError(f"{self._url}: the server refused a command", hint="see the server's log")
        return StoreUnavailableError(
            f"{self._url}: no reply", hint="check that the server is running; if this was a write, it may have happened"
        )


def _hidden(data: bytes | None) -> Secret | None:
    return None if data is None else Secret(data)


def _changed(reference: str) -> ConflictError:
    return ConflictError(f"{reference} changed since it was read; nothing was written", hint="read it and try again")


class RedisBackend:
    """Opens stores on Redis servers; it connects at the first call."""

    name = "redis"
    settings = (
        Setting("url", "text", help="the server: redis://HOST:PORT/DB, rediss://… for TLS, unix:///PATH; no password"),
        Setting("password", "secret", default=None, help="the password, if the server asks for one"),
        Setting("prefix", "text", default="keywright", help="the start of the server's keys, to share a database"),
    )
    capabilities = Capabilities(writable=True, metadata=True, remote=True, guarded=True)

    @contextmanager
    def open(self, options: Options) -> Iterator[RedisStore]:
        """Open a store.

        Raises:
            ConfigError: the URL is not valid or contains a password.
        """
        url, password = options.text("url"), options["password"]
        if not url.startswith(("redis://", "rediss://", "unix://")):
            hint = 'set it as "redis://HOST:PORT/DB"'
            raise ConfigError("url is not the URL of a Redis server", hint=hint, setting="url")
        if urlsplit(url).password is not None or "password=" in urlsplit(url).query:
            hint = 'set password = { env = "VARIABLE" } instead'
            raise ConfigError("url contains a password", hint=hint, setting="url")
        store = RedisStore(url, password if isinstance(password, Secret) else None, options.text("prefix"))
        try:
            yield store
        finally:
            store.close()


@hookimpl
def keywright_register_store_backends() -> Sequence[StoreBackend]:
    """The backend of this plugin."""
    return [RedisBackend()]
