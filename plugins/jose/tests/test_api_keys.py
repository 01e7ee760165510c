"""API keys: made once, checked by hash, ended, and good for nothing else; their text; and the commands."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import random
import re
from binascii import crc32
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from jose_support import MEMORY, Clock, Observer, hide, oct_key, refusal, refused

import keywright
from keywright import Context, KeyRing, Record, Registry, Secret, State
from keywright.errors import (
    ConfigError,
    CorruptedStoreError,
    ExpiredTokenError,
    FormatError,
    InvalidSignatureError,
    KeyNotFoundError,
    KeywrightError,
    MalformedTokenError,
    PolicyError,
    UnsupportedKeyError,
)
from keywright.testing import assert_hidden, everything_in
from keywright_jose import (
    ApiKey,
    NewApiKey,
    create_api_key,
    jwks,
    jws_encode,
    list_api_keys,
    revoke_api_key,
    verify_api_key,
)
from keywright_jose.api_keys import digest_of, find_api_key, hidden, key_id_of, new_api_key, new_key_id
from keywright_jose.jwk.usage import is_key_id

DAY = timedelta(days=1)
START = datetime(2030, 1, 1, tzinfo=UTC)
REFUSED = "the API key is not valid; reject the request"


@pytest.fixture(params=["memory", "file", "sqlite"])
def stored(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[KeyRing]:
    """A ring over each store that can be written to."""
    where = {} if request.param == "memory" else {"path": str(tmp_path / "keys")}
    config = {"default_store": "main", "stores": {"main": {"backend": request.param, **where}}}
    with keywright.open(config, clock=clock) as opened:
        yield opened


def test_made_and_checked(stored: KeyRing, clock: Clock) -> None:
    """Who has it is who its labels say; it is good until it ends."""
    made = create_api_key(stored, labels={"user_id": "7", "app": "shop"}, expires=START + DAY)

    found = verify_api_key(stored, made.api_key)

    assert found == ApiKey(made.key_id, {"app": "shop", "user_id": "7"}, START, START + DAY, "active", "")
    assert verify_api_key(stored, made.api_key.reveal()) == found
    assert verify_api_key(stored, made.api_key.reveal().decode()) == found
    assert list(list_api_keys(stored)) == [found]
    clock.now += DAY
    assert refused(verify_api_key, stored, made.api_key) == (
        ExpiredTokenError, "the API key has expired; create a new one with `keywright jose api-key create`",
    )  # fmt: skip
    assert [one.status for one in list_api_keys(stored)] == ["expired"]


def test_revoked(stored: KeyRing) -> None:
    made = create_api_key(stored, labels={"user_id": "7"})
    other = create_api_key(stored)

    revoked = revoke_api_key(stored, made.key_id, reason="lost")

    assert revoked == ApiKey(made.key_id, {"user_id": "7"}, START, None, "revoked", "lost")
    assert refused(verify_api_key, stored, made.api_key) == (InvalidSignatureError, REFUSED)
    assert verify_api_key(stored, other.api_key).key_id == other.key_id
    assert {one.key_id: one.status for one in list_api_keys(stored)} == {
        made.key_id: "revoked", other.key_id: "active",
    }  # fmt: skip
    assert stored.show(f"api-keys/{made.key_id}").versions[0].info.state is State.DESTROYED
    assert stored.open_store().get(f"api-keys/{made.key_id}", 1).payload is None
    assert refused(stored.enable, f"api-keys/{made.key_id}")[0] is PolicyError
    assert revoke_api_key(stored, made.key_id, reason="again").reason == "lost"


def test_no_telling_why(ring: KeyRing, clock: Clock) -> None:
    """Unknown, with another secret, revoked, compromised, disabled, or expired and with another secret: one message."""
    made = {name: create_api_key(ring) for name in ("wrong", "revoked", "compromised", "disabled")}
    made["expired"] = create_api_key(ring, expires=START + DAY)
    revoke_api_key(ring, made["revoked"].key_id)
    ring.compromise(f"api-keys/{made['compromised'].key_id}")
    ring.disable(f"api-keys/{made['disabled'].key_id}")
    clock.now += DAY

    given = {name: one.api_key for name, one in made.items()}
    given["wrong"] = new_api_key(made["wrong"].key_id)
    given["expired"] = new_api_key(made["expired"].key_id)
    given["unknown"] = new_api_key(new_key_id())

    for name, text in given.items():
        error = refused(verify_api_key, ring, text)
        assert error == (InvalidSignatureError, REFUSED), name
    ring.enable(f"api-keys/{made['disabled'].key_id}")
    assert verify_api_key(ring, made["disabled"].api_key).status == "active"


def test_the_secret_of_another(ring: KeyRing) -> None:
    """A key_id with the secret of another key_id is refused, its checksum fixed."""
    from keywright_jose.api_keys import _checksum

    one, other = create_api_key(ring), create_api_key(ring)
    start = one.api_key.reveal()[:21] + other.api_key.reveal()[21:64]

    assert refused(verify_api_key, ring, start + _checksum(Secret(start))) == (InvalidSignatureError, REFUSED)


def test_the_tombstones_hash_is_nobodys(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a secret whose hash were what stands in for one that is gone would be refused."""
    made = create_api_key(ring)
    revoke_api_key(ring, made.key_id)
    monkeypatch.setattr("keywright_jose.api_keys.digest_of", lambda _: Secret(bytes(32)))

    assert refused(verify_api_key, ring, made.api_key)[0] is InvalidSignatureError
    assert refused(verify_api_key, ring, new_api_key(new_key_id()))[0] is InvalidSignatureError


def test_malformed_costs_no_look_up(ring: KeyRing) -> None:
    ring.open_store = None  # type: ignore[method-assign,assignment]  # any call fails the test

    assert refused(verify_api_key, ring, "kwk_")[0] is MalformedTokenError


def test_one_look_up(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_api_key(ring)
    store = ring.open_store()
    asked: list[str] = []
    get = store.get
    for name in ("versions", "names"):
        monkeypatch.setattr(store, name, None)

    def counted(name: str, version: int) -> Record:
        asked.append(name)
        return get(name, version)

    monkeypatch.setattr(store, "get", counted)

    verify_api_key(ring, made.api_key)
    refused(verify_api_key, ring, new_api_key(new_key_id()))

    assert len(asked) == 2


def test_what_is_stored(ring: KeyRing) -> None:
    made = create_api_key(ring, labels={"user_id": "7"})
    name = f"api-keys/{made.key_id}"

    stored = ring.load(name)

    assert (stored.type, stored.kid) == ("oct", made.key_id)
    assert stored.secret == Secret(sha256(made.api_key.reveal()[21:64]).digest())
    assert stored.attributes == {"alg": "keywright-api-key", "key_ops": ["verify"]}
    assert stored.secret is not None
    assert stored.secret.reveal() not in made.api_key.reveal()


def test_it_is_good_for_nothing_else(ring: KeyRing) -> None:
    made = create_api_key(ring)
    name = f"api-keys/{made.key_id}"
    jwk = json.loads(ring.export(name, secret=True).reveal())
    hint = "pass the name of a key for signatures; `keywright generate NAME` creates one"
    another_alg = f"{name}@1 is not for signatures (its alg); {hint}"

    assert refused(ring.sign, name, b"data") == (PolicyError, another_alg)
    assert refused(ring.signer, name, algorithm="HS256") == (PolicyError, another_alg)
    assert refused(ring.verifier, name) == (PolicyError, another_alg)
    assert refused(jws_encode, {}, jwk, signature_algorithm="HS256")[0] is PolicyError
    assert refused(jwks, ring, [name])[0] is UnsupportedKeyError


def test_a_key_that_is_no_api_key(ring: KeyRing) -> None:
    """Some other key by such a name is neither listed, nor revoked, nor good as one."""
    key_id = new_key_id()
    text = new_api_key(key_id)
    octets = sha256(text.reveal()[21:64]).digest()
    ring.import_key(f"api-keys/{key_id}", hide(oct_key(octets, kid="other")))
    ring.generate("api-keys/partner", type="oct")

    assert list(list_api_keys(ring)) == []
    assert refused(verify_api_key, ring, text) == (InvalidSignatureError, REFUSED)
    assert refused(revoke_api_key, ring, key_id)[0] is KeyNotFoundError
    assert ring.show(f"api-keys/{key_id}").versions[0].info.state is State.ENABLED


def test_damage_is_not_a_no(tmp_path: Path) -> None:
    """A store that lost the hash says so, and does not refuse the user."""
    config = {"default_store": "main", "stores": {"main": {"backend": "file", "path": str(tmp_path / "keys")}}}
    with keywright.open(config) as ring:
        made = create_api_key(ring)
        for path in tmp_path.rglob("key"):
            path.write_bytes(b"{}")

        assert refused(verify_api_key, ring, made.api_key)[0] is CorruptedStoreError


def test_which_are_listed(ring: KeyRing) -> None:
    made = [create_api_key(ring, labels={"user_id": user, "app": app}) for user in "12" for app in ("a", "b")]

    assert [one.key_id for one in list_api_keys(ring)] == sorted(one.key_id for one in made)
    found = list_api_keys(ring, labels={"user_id": "2", "app": "b"})
    assert [one.key_id for one in found] == [made[3].key_id]


NO_ID = "not a valid key_id: it has 16 characters of a-z and 2-7; list them with `keywright jose api-key list`"
UNKNOWN = "the store has no API key with this key_id; list them with `keywright jose api-key list`"


@pytest.mark.parametrize(
    ("key_id", "kind", "message"),
    [("mfrggzdfmztwq2lk", KeyNotFoundError, UNKNOWN), ("../../etc", ConfigError, NO_ID), (7, ConfigError, NO_ID)],
    ids=["unknown", "none", "a number"],
)
def test_which_cannot_be_revoked(ring: KeyRing, key_id: Any, kind: type[KeywrightError], message: str) -> None:
    assert refused(revoke_api_key, ring, key_id) == (kind, message)
    assert refused(find_api_key, ring, key_id) == (kind, message)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"labels": {"user id": "7"}}, id="a label's name"),
        pytest.param({"labels": {"user_id": 7}}, id="a number"),
        pytest.param({"labels": {"user_id": "a\nb"}}, id="a line feed"),
        pytest.param({"expires": START}, id="over already"),
        pytest.param({"expires": datetime(2031, 1, 1)}, id="no zone"),  # noqa: DTZ001  (that is what is refused)
    ],
)
def test_what_cannot_be_made(ring: KeyRing, options: dict[str, Any]) -> None:
    assert refused(create_api_key, ring, **options)[0] is ConfigError
    assert list(ring.names()) == []


def test_making_and_revoking_are_events(clock: Clock, observer: Observer) -> None:
    """As for any key; a check is not an event."""
    registry = Registry.load()
    registry.add(observer, "observer")
    with keywright.open(MEMORY, clock=clock, registry=registry) as ring:
        made = create_api_key(ring, labels={"user_id": "7"})
        verify_api_key(ring, made.api_key)
        revoke_api_key(ring, made.key_id)

    assert [(event.operation, event.outcome) for event in observer.events] == [("import", "done"), ("destroy", "done")]
    assert_hidden(Secret(made.api_key.reveal()[21:]), repr(observer.events))


def test_the_secret_is_nowhere(stored: KeyRing, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a file of the store, a log, a repr, a pickle, a list, an error or its traceback with locals."""
    caplog.set_level(logging.DEBUG)
    made = create_api_key(stored, labels={"user_id": "7"})
    secret = Secret(made.api_key.reveal()[21:])
    found = verify_api_key(stored, made.api_key)
    wrong = Secret(made.api_key.reveal()[:-1] + b"\n")
    errors = [
        refusal(verify_api_key, stored, wrong),
        refusal(verify_api_key, stored, wrong.reveal().decode()),
        refusal(verify_api_key, stored, b"kwk" + made.api_key.reveal()),
    ]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    revoke_api_key(stored, made.key_id)
    errors.append(refusal(verify_api_key, stored, made.api_key))
    with pytest.raises(TypeError):
        pickle.dumps(made)

    shown: list[str | bytes] = [
        *files,
        caplog.text,
        repr(made),
        str(made),
        f"{made}",
        repr(copy.deepcopy(made)),
        repr(found),
    ]
    shown += [repr(list(list_api_keys(stored))), repr(stored.show(f"api-keys/{made.key_id}"))]
    shown += [everything_in(error) for error in errors]
    shown += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]

    assert len(errors) == 4
    for text in shown:
        assert_hidden(secret, text)


def test_a_refusal_of_the_store_shows_no_secret(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"default_store": "main", "stores": {"main": {"backend": "env"}}}
    made: list[NewApiKey] = []

    def watched(*both: Any) -> NewApiKey:
        made.append(NewApiKey(*both))
        return made[0]

    monkeypatch.setattr("keywright_jose.api_keys.NewApiKey", watched)
    with keywright.open(config, clock=clock) as ring:
        shown = everything_in(refusal(create_api_key, ring))

    assert_hidden(Secret(made[0].api_key.reveal()[21:]), shown)
    assert_hidden(Secret(sha256(made[0].api_key.reveal()[21:64]).digest()), shown)


@pytest.mark.parametrize("kid", [None, "k-{version}"])
def test_an_api_key_is_not_rotated(stored: KeyRing, kid: str | None) -> None:
    """No one would get the next one; the key that was handed out goes on being good."""
    made = create_api_key(stored)

    assert refused(stored.rotate, f"api-keys/{made.key_id}", kid=kid) == (
        UnsupportedKeyError,
        (
            "API keys cannot be rotated, because the owner would not receive the new one; create another with "
            "`keywright jose api-key create`, and revoke this one"
        ),
    )
    assert [one.info.version for one in stored.show(f"api-keys/{made.key_id}").versions] == [1]
    assert verify_api_key(stored, made.api_key).key_id == made.key_id


def test_what_only_lies_among_api_keys_is_none(stored: KeyRing) -> None:
    """A key that someone put below `api-keys/` by another name, or whose kid is not a key_id, is not listed or "
    "found."""
    document = b'{"alg":"keywright-api-key","k":"%s","key_ops":["verify"],"kid":"%s","kty":"oct"}'
    octets = b"A" * 43
    for name, kid in (("api-keys/backup", "aaaaaaaaaaaaaaaa"), ("api-keys/bbbbbbbbbbbbbbbb", "cccccccccccccccc")):
        stored.import_key(name, document % (octets, kid.encode()), format="jwk")
    stored.import_key("api-keys/short", b'{"k":"%s","kid":"short","kty":"oct"}' % octets, format="jwk")
    made = create_api_key(stored)

    assert [one.key_id for one in list_api_keys(stored)] == [made.key_id]
    for key_id in ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"):
        assert refused(find_api_key, stored, key_id)[0] is KeyNotFoundError


def test_api_keys_cannot_be_foretold() -> None:
    """They come from the operating system's generator, and not from one that a seed decides about."""
    key_id = new_key_id()

    made = []
    for _ in range(2):
        random.seed(1)
        made.append(new_api_key(key_id))

    assert made[0] != made[1]


def test_another_store_need_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name was drawn, so no one has it; a store that is out of reach keeps no API key from being made."""
    monkeypatch.delenv("KEYS_DIR", raising=False)
    stores = {"here": {"backend": "memory"}, "prod": {"backend": "file", "path": {"env": "KEYS_DIR"}}}
    with keywright.open({"default_store": "here", "stores": stores}) as ring:
        assert verify_api_key(ring, create_api_key(ring).api_key).status == "active"


DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_ID = "mfrggzdfmztwq2lk"
SECRET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
# The checksum by another program: `printf '%s' kwk_…abcdefg | gzip -c | tail -c8 | od -An -N4 -tu4`, then base 62.
API_KEY = f"kwk_{KEY_ID}_{SECRET}2GdLBY"
SHAPE = "the API key is incomplete, or has extra characters; copy the whole key: kwk_, 16 characters, _ and 49 more"
CHECKSUM = "the API key has a wrong character: its checksum does not match; copy it again"


def test_the_shape() -> None:
    key_id = new_key_id()
    text = new_api_key(key_id).reveal().decode()

    assert re.fullmatch("kwk_[a-z2-7]{16}_[0-9A-Za-z]{49}", text)
    assert text[4:20] == key_id == key_id_of(hidden(text))
    checksum = 0
    for digit in text[-6:]:
        checksum = checksum * 62 + DIGITS.index(digit)
    assert checksum == crc32(text[:-6].encode())


def test_a_known_one() -> None:
    assert key_id_of(hidden(API_KEY)) == KEY_ID
    assert (
        digest_of(hidden(API_KEY)).reveal().hex() == "71d84b1859bad11abcb3dfd9353c8d1873aafd883ffaf6f2c9df7cbcfc3e1850"
    )


def test_each_is_another() -> None:
    """Neither key_id nor secret comes twice; all characters come; one key_id has many secrets."""
    ids = {new_key_id() for _ in range(200)}
    secrets = [new_api_key(KEY_ID).reveal()[21:64].decode() for _ in range(200)]

    assert len(ids) == len(set(secrets)) == 200
    assert set("".join(ids)) == set("abcdefghijklmnopqrstuvwxyz234567")
    assert set("".join(secrets)) == set(DIGITS)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(API_KEY[:-1], id="truncated"),
        pytest.param(API_KEY + "0", id="longer"),
        pytest.param(API_KEY + "\n", id="a line feed after it"),
        pytest.param(API_KEY[:-1] + "\n", id="a line feed in place of the last character"),
        pytest.param(API_KEY[:-1] + "\ud800", id="a surrogate"),
        pytest.param(API_KEY[:-1] + "é", id="a letter outside of ASCII"),
        pytest.param(API_KEY.upper(), id="capitals"),
        pytest.param(API_KEY.replace("kwk_", "kwp_"), id="another prefix"),
        pytest.param(API_KEY.replace("_", "-"), id="hyphens"),
        pytest.param(API_KEY.replace("mfrg", "mfr1"), id="a key_id with a 1"),
        pytest.param(API_KEY.replace(SECRET, SECRET[:-1] + "-"), id="a secret with a hyphen"),
        pytest.param("kwk_" * 2**24, id="64 MiB"),
        pytest.param(b"\xff" * 70, id="no ASCII"),
    ],
)
def test_what_is_none(text: object) -> None:
    assert refused(key_id_of, hidden(text)) == (MalformedTokenError, SHAPE)


@given(st.integers(0, 69), st.sampled_from(DIGITS))
def test_one_wrong_character(place: int, character: str) -> None:
    wrong = API_KEY[:place] + character + API_KEY[place + 1 :]
    if wrong == API_KEY:
        return

    kind, message = refused(key_id_of, hidden(wrong))
    assert kind is MalformedTokenError
    assert message in (SHAPE, CHECKSUM)


def test_a_wrong_checksum() -> None:
    for text in (API_KEY.replace("FGH", "FHG"), API_KEY[:-1] + "A"):
        assert refused(key_id_of, hidden(text)) == (MalformedTokenError, CHECKSUM)


def test_key_ids() -> None:
    assert is_key_id(KEY_ID)
    assert not any(map(is_key_id, ("", KEY_ID[:-1], KEY_ID + "a", KEY_ID.upper(), KEY_ID + "\n", None, 7, API_KEY)))


TIMES = (
    "--expires is not a valid time or duration; "
    "use 2027-01-31, 2027-01-31T12:00:00Z, or a duration from now such as 90d, of at most 36500d"
)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(ring: KeyRing, command: Callable[..., Any]) -> Run:
    def run_command(name: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
        code, out, err = command(f"api-key {name}", *arguments, ring=ring, **options)
        return code, out.decode(), err.decode()

    return run_command


def text_of(made: NewApiKey) -> bytes:
    return made.api_key.reveal()


def test_create(ring: KeyRing, run: Run) -> None:
    """Two lines: key_id, and the API key this once; it is good as it stands there."""
    code, out, err = run("create", "--label", "user_id=7", "--label", "note=a=b")

    lines = re.fullmatch("key_id: ([a-z2-7]{16})\napi_key: (kwk_[a-z2-7]{16}_[0-9A-Za-z]{49})\n", out)
    assert lines is not None
    forgotten = f'the store of "api-keys/{lines[1]}" is in memory only, so the key is lost now'
    assert (code, err) == (0, f"warning: {forgotten}\nhint: pass another with --store\n")
    found = verify_api_key(ring, lines[2])
    assert (found.key_id, found.labels) == (lines[1], {"note": "a=b", "user_id": "7"})


def test_create_json(ring: KeyRing, run: Run) -> None:
    document = json.loads(run("create", as_json=True)[1])

    assert document.keys() == {"key_id", "api_key"}
    assert verify_api_key(ring, document["api_key"]).key_id == document["key_id"]


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        ("90d", START + 90 * DAY),
        ("2w", START + 14 * DAY),
        ("36500d", START + 36_500 * DAY),
        ("2030-06-01", datetime(2030, 6, 1, tzinfo=UTC)),
        ("2030-06-01T12:00:00+02:00", datetime(2030, 6, 1, 10, tzinfo=UTC)),
    ],
)
def test_expires(ring: KeyRing, run: Run, expires: str, end: datetime) -> None:
    run("create", "--expires", expires)

    assert [one.expires for one in list_api_keys(ring)] == [end]


OVER = "expires must be after the activation and after now, or the key would never sign; pass a later time"
NO_PAIR = "--label requires NAME=VALUE; such as team=web"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--expires", "soon"], TIMES, id="no time"),
        pytest.param(["--expires", "2030-06-01T12:00:00"], TIMES, id="no zone"),
        pytest.param(["--expires", "36501d"], TIMES, id="too long"),
        pytest.param(["--expires", "٣d"], TIMES, id="digits of another script"),
        pytest.param(["--expires", "90"], TIMES, id="a number, of seconds or of days"),
        pytest.param(["--expires", "2029-01-01"], OVER, id="over"),
        pytest.param(["--label", "user_id"], NO_PAIR, id="no ="),
        pytest.param(["--label", "=7"], NO_PAIR, id="no name"),
        pytest.param(
            ["--label", "a=1", "--label", "a=2"], "--label gives one name twice; remove one of them", id="twice"
        ),
    ],
)
def test_wrong_arguments_of_create(ring: KeyRing, run: Run, arguments: list[str], message: str) -> None:
    assert refused(run, "create", *arguments) == (ConfigError, message)
    assert list(ring.names()) == []


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_verify(ring: KeyRing, run: Run, end: bytes) -> None:
    """key_id and labels of what stands on stdin, a line end after it or none."""
    made = create_api_key(ring, labels={"user_id": "7", "app": "shop"}, expires=START + DAY)

    found = run("verify", given=text_of(made) + end)

    assert found == (0, f"key_id: {made.key_id}\nlabel: app=shop\nlabel: user_id=7\n", "")
    assert json.loads(run("verify", given=text_of(made) + end, as_json=True)[1]) == {
        "key_id": made.key_id, "labels": {"app": "shop", "user_id": "7"}, "created": "2030-01-01T00:00:00Z",
        "expires": "2030-01-02T00:00:00Z", "status": "active", "reason": "",
    }  # fmt: skip


@pytest.mark.parametrize("given", [b"", b"\n", b"\r\n"])
def test_verify_of_nothing(run: Run, given: bytes) -> None:
    assert refused(run, "verify", given=given) == (
        ConfigError,
        "standard input is empty; pass the API key there: keywright jose api-key verify < api-key.txt",
    )


def test_verify_refuses(ring: KeyRing, run: Run, clock: Clock) -> None:
    """Each fault is the error whose exit code is promised: 65, 1 and 1."""
    made = create_api_key(ring, expires=START + DAY)
    gone = create_api_key(ring)
    revoke_api_key(ring, gone.key_id)
    clock.now += DAY

    assert refused(run, "verify", given=b"kwk_")[0] is MalformedTokenError
    assert refused(run, "verify", given=text_of(made) + b"\n\n")[0] is MalformedTokenError
    assert refused(run, "verify", given=b"k" * 5000)[0] is FormatError
    assert refused(run, "verify", given=text_of(gone))[0] is InvalidSignatureError
    assert refused(run, "verify", given=text_of(made))[0] is ExpiredTokenError


def test_list(ring: KeyRing, run: Run, clock: Clock) -> None:
    """A line for each, parted by tabs; revoked ones too; JSON lines on demand."""
    made = [
        create_api_key(ring, labels={"user_id": str(number)}, expires=START + DAY if number == 1 else None)
        for number in range(3)
    ]
    revoke_api_key(ring, made[2].key_id, reason="lost")
    clock.now += DAY
    rows = {
        made[0].key_id: "active\t2030-01-01T00:00:00Z\t-\tuser_id=0",
        made[1].key_id: "expired\t2030-01-01T00:00:00Z\t2030-01-02T00:00:00Z\tuser_id=1",
        made[2].key_id: "revoked\t2030-01-01T00:00:00Z\t-\tuser_id=2",
    }

    assert run("list") == (0, "".join(f"{key_id}\t{rows[key_id]}\n" for key_id in sorted(rows)), "")
    assert run("list", "--label", "user_id=1")[1] == f"{made[1].key_id}\t{rows[made[1].key_id]}\n"
    (line,) = run("list", "--label", "user_id=2", as_json=True)[1].splitlines()
    assert json.loads(line) == {
        "key_id": made[2].key_id, "labels": {"user_id": "2"}, "created": "2030-01-01T00:00:00Z", "expires": None,
        "status": "revoked", "reason": "lost",
    }  # fmt: skip
    assert run("list", "--label", "user_id=9") == (0, "", "")


def test_list_on_a_terminal(ring: KeyRing, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_api_key(ring, labels={"user_id": "7"})
    monkeypatch.setattr("keywright.cli.render.is_terminal", lambda: True)

    assert run("list")[1].splitlines() == [
        "KEY ID            STATUS  CREATED               EXPIRES  LABELS",
        f"{made.key_id}  active  2030-01-01T00:00:00Z  -        user_id=7",
    ]


def test_revoke(ring: KeyRing, run: Run) -> None:
    made = create_api_key(ring)

    assert run("revoke", made.key_id, "--yes", "--reason", "lost") == (0, f"{made.key_id}\n", "")
    assert [(one.status, one.reason) for one in list_api_keys(ring)] == [("revoked", "lost")]
    assert json.loads(run("revoke", made.key_id, "--yes", as_json=True)[1])["status"] == "revoked"


def test_revoke_asks(ring: KeyRing, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_api_key(ring, labels={"user_id": "7"})
    questions: list[str] = []

    def no(_: Context, question: str, *, yes: bool) -> bool:
        questions.append(question)
        return yes

    with monkeypatch.context() as patch:
        patch.setattr(Context, "confirm", no)
        assert run("revoke", made.key_id) == (1, "", "Nothing was revoked\n")
        assert json.loads(run("revoke", made.key_id, as_json=True)[1])["status"] == "active"
    assert questions == [f"Revoke the API key {made.key_id}, user_id=7 permanently?"] * 2
    assert refused(run, "revoke", made.key_id) == (
        ConfigError, "not a terminal; pass --yes to confirm",
    )  # fmt: skip
    assert verify_api_key(ring, made.api_key).status == "active"
