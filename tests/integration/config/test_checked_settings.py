"""`doctor` and `config check` find what would be refused later: seals, secrets, logs, keys that could never be."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support import COMMAND, Keywright
from support.errors import joined

import keywright as library
from keywright import Options, Problem, Registry, Setting, Store, StoreBackend, hookimpl
from keywright.stores.memory import MemoryBackend
from keywright.testing import assert_hidden

STORE = '[stores.main]\nbackend = "file"\npath = "keys"\n'
SEAL = '[seals.master]\nseal = "passphrase"\nmemory = 19\ntime = 2\nlanes = 1\npassphrase = { file = "secret" }\n'
SEALED = STORE + 'seal = "master"\n' + SEAL
AUDIT = '[plugin.audit]\npath = "log/audit.jsonl"\n'

LINK = (
    "a link or another kind of file is in the place of the audit log or its directory; move it away, or set "
    "another path"
)

EDITED = '{"kind":"intent","name":"a","previous":null,"hash":"' + "0" * 64 + '"}'
BY_OTHERS = "may be changed by other users; run `chmod go-w` on it"
NO_DIRECTORY = "its parent directory does not exist; create it, or set another path"


@pytest.fixture
def sealed(home: Path, keywright: Keywright) -> Path:
    """A home with a sealed store that holds two keys."""
    (home / "keywright.toml").write_text(SEALED)
    (home / "secret").touch(0o600)
    (home / "secret").write_text("orbit maple quiet\n")
    for name in ("a", "b"):
        assert keywright("generate", name).returncode == 0
    assert keywright("doctor").returncode == keywright("config", "check").returncode == 0
    return home


def told(keywright: Keywright, *, code: int) -> tuple[list[str], list[str]]:
    """What doctor says, and what config check says; `code` is the exit code of the latter."""
    examined, checked = keywright("doctor"), keywright("config", "check")
    assert (examined.returncode, checked.returncode) == (1, code)
    assert (examined.stderr, checked.stdout) == (b"", b"")
    return joined(examined.stdout).splitlines(), joined(checked.stderr).splitlines()


@pytest.mark.parametrize(
    ("spoil", "code", "fault", "whose"),
    [
        pytest.param(
            "printf 'c4n4ry!' > secret", 6,
            "{home}/keywright.toml: seals.master: seal 'passphrase': passphrase has fewer than 8 characters, "
            "so it can be guessed; use a longer one",
            "seal 'master': ",
            id="refused by the seal",
        ),
        pytest.param(
            "rm secret", 2,
            "{home}/keywright.toml: seals.master.passphrase points to a file in {home}, which cannot be read (No such "
            "file or directory); check the path",
            "seal 'master': ",
            id="not there",
        ),
        pytest.param(  # it is refused nowhere: a container's secrets can look so
            "chmod 644 secret", 2,
            "seal 'master': seals.master.passphrase points to a file in {home}, which other users may read; run `chmod "
            "go-r` on it, and replace the secret if others may have read it",
            "",
            id="read by others",
        ),
    ],
)  # fmt: skip
def test_a_passphrase_that_is_not_as_it_should_be(
    sealed: Path, keywright: Keywright, spoil: str, code: int, fault: str, whose: str
) -> None:
    """It is reported once, by the seal's name, and not again of each record that does not open; it is not shown."""
    subprocess.run(["sh", "-euc", spoil], cwd=sealed, check=True)
    fault = fault.format(home=sealed)

    examined, checked = told(keywright, code=code)

    assert (examined, checked) == ([whose + fault], [f"error: {fault}"])
    assert_hidden(library.Secret(b"c4n4ry!"), "".join(examined + checked))
    assert (keywright("sign", "a", input=b"message").returncode == 0) == (whose == "")


@pytest.mark.parametrize(
    ("text", "fault", "more"),
    [
        pytest.param(  # or it would be found wrong on the day it is needed
            '[seals.master]\nseal = "master-key"\nkey = { env = "LATER" }\n',
            ("seals.master.key points to the environment variable LATER, which is not set; set it, or change "
            "the setting"), "",
            id="no store names it",
        ),
        pytest.param(
            'seal = "master"\n[seals.master]\nseal = "pasphrase"\n',
            "seals.master.seal: no seal is called 'pasphrase' (did you mean 'passphrase'?); installed: master-key, "
            "passphrase", "",
            id="not installed",
        ),
    ],
)  # fmt: skip
def test_a_seal_that_cannot_be_opened_is_told_once(
    home: Path, keywright: Keywright, text: str, fault: str, more: str
) -> None:
    """Whether no store names it, or one does and cannot be opened either."""
    (home / "keywright.toml").write_text(STORE + text)
    fault = f"{home}/keywright.toml: {fault}"

    examined, checked = told(keywright, code=2)

    assert (examined, checked) == ([f"seal 'master': {fault}{more}"], [f"error: {fault}"])
    assert keywright("doctor", "--store", "main").returncode == (1 if "pasphrase" in text else 0)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        pytest.param("", NO_DIRECTORY, id="nothing above it"),
        pytest.param("mkdir -p a/log; chmod 777 a/log", f"the directory of the audit log {BY_OTHERS}", id="open"),
        pytest.param("mkdir -p a b; ln -s ../b a/log", LINK, id="a link to a directory"),
        pytest.param("mkdir -p a/log; ln -s x a/log/audit.jsonl", LINK, id="a link"),
        pytest.param("mkdir -p a/log/audit.jsonl", LINK, id="a directory"),
        pytest.param("mkdir -p a/log; mkfifo a/log/audit.jsonl", LINK, id="a pipe"),
        pytest.param("touch a", LINK, id="a file in its way"),
        pytest.param(
            "mkdir -p a/log; touch a/log/audit.jsonl; chmod 622 a/log/audit.jsonl",
            f"the audit log {BY_OTHERS}",
            id="a log that others may write",
        ),
        pytest.param(
            "mkdir -p a/log; echo hello > a/log/audit.jsonl; chmod 600 a/log/audit.jsonl",
            "is not an audit log, and nothing was written to it; set another path",
            id="another file",
        ),
        pytest.param(
            "mkdir -p a/log; echo '" + EDITED + "' > a/log/audit.jsonl; chmod 600 a/log/audit.jsonl",
            "the last line of the audit log was modified; run `keywright audit verify`, and move the file "
            "away to begin a new one",
            id="a last line that was edited",
        ),
    ],
)
def test_a_log_that_could_not_be_written(home: Path, keywright: Keywright, spoil: str, fault: str) -> None:
    """It is reported before a key is made, in the words that the first line would be refused with; nothing is made."""
    subprocess.run(["sh", "-euc", f"umask 077; {spoil}"], cwd=home, check=True)
    (home / "keywright.toml").write_text(STORE + AUDIT.replace("log/", "a/log/") + "required = true\n")
    before = sorted(home.rglob("*"))
    sentence = f"{home}/a/log/audit.jsonl: {fault}"

    examined, checked = told(keywright, code=2)

    assert (examined, checked) == ([sentence], [f"error: {sentence}"])
    assert sorted(home.rglob("*")) == before
    refused = keywright("generate", "a")
    assert refused.returncode == 5
    assert fault in joined(refused.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
@pytest.mark.parametrize("made", ["", "mkdir log", "mkdir log; touch log/audit.jsonl"], ids=["none", "empty", "log"])
def test_a_log_that_somebody_else_may_not_write(home: Path, environment: dict[str, str], made: str) -> None:
    """The user who runs the program is meant: what root keeps is read by another, and not written."""
    subprocess.run(["sh", "-euc", f"umask 022; {made}"], cwd=home, check=True)
    (home / "keywright.toml").write_text('[stores.main]\nbackend = "env"\n' + AUDIT)
    for directory in (home, *home.parents):
        directory.chmod(directory.stat().st_mode | 0o055)
        if directory.name.startswith("pytest-of-"):
            break

    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*become, COMMAND, "--version"], cwd=home, env=environment, capture_output=True).returncode:
        pytest.skip("another user cannot run this Python: a checkout in a home directory that is closed to others")

    done = subprocess.run(
        [*become, COMMAND, "config", "check"],
        cwd=home,
        env=environment,
        capture_output=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr.decode()) == (
        2,
        (
            f"error: {home}/log/audit.jsonl: the audit log cannot be written (Permission "
            "denied)\nhint: run as its owner, or change its permissions\n"
        ),
    )


def test_a_log_that_is_sound_is_left_alone(home: Path, keywright: Keywright) -> None:
    """Nothing is found before the log is made, nor afterwards, and no line is written."""
    (home / "keywright.toml").write_text(STORE + AUDIT)

    codes = [keywright("doctor").returncode, keywright("config", "check").returncode]
    assert not (home / "log").exists()
    assert keywright("generate", "a").returncode == 0
    written = (home / "log" / "audit.jsonl").read_bytes()
    codes += [keywright("doctor").returncode, keywright("config", "check").returncode]

    assert codes == [0, 0, 0, 0]
    assert (home / "log" / "audit.jsonl").read_bytes() == written


def test_config_check_has_them_in_its_document(sealed: Path, keywright: Keywright) -> None:
    """With `--json`, each fault is one of `faults`."""
    (sealed / "secret").chmod(0o644)
    (sealed / "secret").write_text("short")

    done = keywright("config", "check", "--json")

    assert [fault["type"] for fault in json.loads(done.stdout)["problems"]] == ["ConfigError", "SealError"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            'default_store = "b"\n' + STORE, "default_store names a store that is not configured", id="a store"
        ),
        pytest.param('plugins = ["absent"]\n' + STORE, "plugins names 'absent'", id="a plugin"),
        pytest.param(STORE + "nonsense = 1\n", "nonsense", id="a setting"),
        pytest.param("stores = 1\n", "stores", id="no table"),
        pytest.param(None, "does not exist", id="no file"),
    ],
)
def test_the_document_of_config_check_has_one_shape(
    home: Path, keywright: Keywright, text: str | None, fault: str
) -> None:
    """`error`, `problems` and `source` are there, wherever the fault lies."""
    path = home / "given.toml"
    if text is not None:
        path.write_text(text)

    done = keywright("config", "check", "--json", "--config", str(path))

    document = json.loads(done.stdout)
    assert (done.returncode, document.keys()) == (2, {"error", "problems", "source"})
    assert (document["problems"], document["source"]) == ([document["error"]], str(path))
    assert fault in document["error"]["message"]
    assert done.stderr.decode().splitlines()[0] == f"error: {document['error']['message']}"


_OPEN = Problem("the door", "is open", "close it")


class Examined:
    """A plugin whose object for a ring says what is wrong with it, or fails."""

    KEYWRIGHT_API = 1

    def __init__(self, *problems: Problem, fails: bool = False) -> None:
        self._problems, self._fails = problems, fails

    @hookimpl
    def keywright_configure(self, options: Options) -> object:
        return self if self._problems else None

    def check(self) -> Iterator[Problem]:
        yield from self._problems
        if self._fails:
            raise ZeroDivisionError("canary")


@pytest.mark.parametrize(
    ("plugin", "problems"),
    [
        pytest.param(Examined(_OPEN), [_OPEN], id="a fault"),
        pytest.param(
            Examined(_OPEN, fails=True),
            [
                _OPEN,
                Problem("plugin 'watch'", "a plugin failed with ZeroDivisionError", "report it to the plugin's author"),
            ],
            id="fails",
        ),
        pytest.param(Examined(), [], id="does not listen"),
    ],
)
def test_a_plugin_is_asked_for_a_ring_that_it_listens_to(plugin: Examined, problems: list[Problem]) -> None:
    """What `keywright_configure` returned is asked, and no plugin that was not configured."""
    registry = Registry.load(("memory",))
    registry.add(plugin, "watch")
    stores = {"main": {"backend": "memory"}}

    with (
        library.open({"stores": stores, "plugin": {"watch": {}}}, registry=registry) as ring,
        library.open({"stores": stores}, registry=registry) as other,
    ):
        found, not_found = list(ring.examine()), list(other.examine())

    assert found == problems
    assert not_found == []


class Pointing:
    """A plugin with a secret of its own, and with a store backend that has one."""

    KEYWRIGHT_API = 1
    SETTINGS = (Setting("token", "secret", None, "what it says to a server"),)
    name = "pointing"
    settings = (Setting("password", "secret", None, "of the database"),)
    capabilities = MemoryBackend.capabilities

    @hookimpl
    def keywright_configure(self, options: Options) -> None:
        return None

    @hookimpl
    def keywright_register_store_backends(self) -> Sequence[StoreBackend]:
        return (self,)

    def open(self, options: Options) -> AbstractContextManager[Store]:
        return MemoryBackend().open(Options({"id": ""}))


@pytest.mark.parametrize("exposed", ["token", "password"])
def test_a_secret_of_a_plugin_or_a_store_that_others_may_read_is_told(tmp_path: Path, exposed: str) -> None:
    """Not of seals alone: whatever is declared as a secret, and points to a file that others may read."""
    for name in ("token", "password"):
        (tmp_path / name).write_text("c4n4ry")
        (tmp_path / name).chmod(0o644 if name == exposed else 0o600)
    registry = Registry.load(())
    registry.add(Pointing(), "pointing")
    document = {
        "stores": {"main": {"backend": "pointing", "password": {"file": str(tmp_path / "password")}}},
        "plugin": {"pointing": {"token": {"file": str(tmp_path / "token")}}},
    }

    with library.open(document, registry=registry) as ring:
        found = [f"{one.subject}: {one.message}; {one.hint}" for one in ring.examine()]

    place = {"token": "plugin 'pointing': plugin.pointing.token", "password": "store 'main': stores.main.password"}
    points = f"{place[exposed]} points to the file {tmp_path / exposed}"
    rule = "which other users may read; run `chmod go-r` on it, and replace the secret if others may have read it"
    assert found == [f"{points}, {rule}"]


CHAIN = '[stores.both]\nbackend = "chain"\nstores = ["main"]\n'
POLICY = '[plugin.policy]\nrules = [{ names = "a", types = ["oct"] }]\n'


@pytest.mark.parametrize(
    ("document", "code", "fault"),
    [
        pytest.param(
            STORE + '[keys.a]\nkid = "fixed-1"\nrotate_every = "90d"\n',
            2,
            "kid is the same for every version, so rotate_every could make none; set kid to a text with {version}",
            id="one kid for all",
        ),
        pytest.param(
            STORE + '[keys.a]\nkid = "a:b-{version}"\n',
            65,
            "the kid of this key cannot be a Nix key name: it has a colon, and for Nix the name ends at the "
            "first one; choose one with --kid",
            id="a kid that the format refuses",
        ),
        pytest.param(
            STORE + '[keys.a]\nattributes = { use = "sig" }\n',
            65,
            "format 'nix' does not carry: use; leave it out, or pass another --format",
            id="an attribute that the format has no place for",
        ),
        pytest.param(
            'default_store = "both"\n' + STORE + CHAIN + "[keys.a]\n",
            5,
            "store 'both' is read-only: a chain without write_to; set stores.both.write_to to one of its stores",
            id="a chain that takes no writes",
        ),
        pytest.param(
            STORE + POLICY + "[keys.a]\n",
            5,
            "generate of a is refused by plugin 'policy': rule 1 (a): allows the types oct, not ed25519; use "
            "one of the types that it allows, or change the rule",
            id="what a rule forbids",
        ),
    ],
)
def test_what_could_never_be_made(home: Path, keywright: Keywright, document: str, code: int, fault: str) -> None:
    """It is told by its place, in the words that `generate` or `rotate` would be refused with; nothing is made."""
    (home / "keywright.toml").write_text(document)

    checked = keywright("config", "check")

    assert joined(checked.stderr) == "error: " + f"{home}/keywright.toml: keys.a: {fault}\n"
    assert (checked.returncode, checked.stdout) == (code, b"")
    assert not list(home.glob("keys/a"))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(STORE + '[keys.a]\nkid = "fixed"\n', id="one kid, and no rotation by the clock"),
        pytest.param(STORE + '[keys.a]\nkid = "a-{version}"\nrotate_every = "90d"\n', id="a kid that counts"),
        pytest.param(STORE + '[keys.a]\ntype = "rsa"\nbits = 8192\nattributes = { use = "sig" }\n', id="slow to make"),
        pytest.param('[stores.ci]\nbackend = "env"\n[keys.a]\n', id="a store that others put keys in"),
        pytest.param(STORE + POLICY + '[keys.a]\ntype = "oct"\n', id="what a rule allows"),
    ],
)
def test_what_can_be_made(home: Path, keywright: Keywright, document: str) -> None:
    """Nothing is said, and nothing is made."""
    (home / "keywright.toml").write_text(document)

    checked = keywright("config", "check")

    assert (checked.returncode, checked.stderr) == (0, b"")
    assert not list(home.glob("keys/a"))


def test_a_rule_does_not_reach_back(home: Path, keywright: Keywright) -> None:
    """A key that was made before the rule goes on, so it is not a fault that it could not be made now."""
    (home / "keywright.toml").write_text(STORE + "[keys.a]\n")
    assert keywright("ensure").returncode == 0
    (home / "keywright.toml").write_text(STORE + "[keys.a]\n" + POLICY)

    assert keywright("config", "check").returncode == 0


def test_a_log_in_the_place_of_a_store(home: Path, keywright: Keywright) -> None:
    """Its file would be taken for a key, by a link too; a place whose name only begins alike is another."""
    (home / "keys").mkdir(0o700)
    (home / "link").symlink_to("keys")
    sentence = "plugin 'audit': plugin.audit.path is in the place of store 'main'; set another path"

    inside, outside = ("keys", "keys/audit.jsonl", "link/audit.jsonl"), ("keys2/audit.jsonl", "keys.jsonl")
    for path in (*inside, *outside):
        is_told = path in inside
        (home / "keywright.toml").write_text(f'{STORE}[plugin.audit]\npath = "{path}"\n')
        examined, checked = keywright("doctor"), keywright("config", "check")
        assert (sentence in joined(examined.stdout).splitlines()) == is_told, path
        assert (f"error: {sentence}" in joined(checked.stderr).splitlines()) == is_told, path
        assert not is_told or (examined.returncode, checked.returncode) == (1, 2)


def test_rules_that_a_profile_replaces_are_told(home: Path, keywright: Keywright) -> None:
    """They replace the whole list, as lists do; `config check` notes it, for no one misses a rule that is gone."""
    profile = "[profiles.dev.plugin.policy]\nrules = [{ sealed = true }]\n"
    (home / "keywright.toml").write_text(STORE + POLICY + profile)

    plain, checked = keywright("config", "check"), keywright("--profile", "dev", "config", "check")

    assert (plain.returncode, checked.returncode) == (0, 0)
    assert (
        joined(plain.stderr)
        == joined(checked.stderr)
        == (
            f"warning: {home}/keywright.toml (profile dev): plugin.policy.rules replaces the list in "
            f"{home}/keywright.toml; lists are not merged: repeat the entries that you want to keep\n"
        )
    )


def test_one_that_cannot_be_made_stops_no_other(home: Path, keywright: Keywright) -> None:
    """What `ensure` made is reported, and so is what it could not make; the exit code is the first failure's."""
    other = '[stores.other]\nbackend = "file"\npath = "other"\n'
    (home / "keywright.toml").write_text(f'default_store = "main"\n{STORE}{other}[keys.a]\n[keys.b]\n[keys.c]\n')
    assert keywright("generate", "b", "--store", "other").returncode == 0

    plain, again = keywright("ensure"), keywright("ensure", "--json")

    assert (plain.returncode, plain.stdout) == (4, b"a@1\nc@1\n")
    assert joined(plain.stderr) == (
        "error: store 'other' has b already, and the configuration now points it at store 'main'; move it "
        "with `keywright migrate --from other --to main b`, or pass --allow-duplicate for a second key\n"
    )
    document = json.loads(again.stdout)
    assert (document["name"], document["error"]["exit_code"]) == ("b", 4)
    assert keywright("ensure", "a", "unknown").returncode == 2


def test_each_key_that_cannot_be_created_is_reported(home: Path, keywright: Keywright) -> None:
    """Not only the first of them."""
    (home / "keywright.toml").write_text(
        f'default_store = "main"\n{STORE}[stores.other]\nbackend = "file"\npath = "other"\n[keys.a]\n[keys.b]\n'
    )
    for name in ("a", "b"):
        assert keywright("generate", name, "--store", "other").returncode == 0

    plain, documents = keywright("ensure"), keywright("ensure", "--json")

    assert plain.stderr.count(b"error: store 'other' has ") == 2
    assert [json.loads(line)["name"] for line in documents.stdout.splitlines()] == ["a", "b"]


ODD = """
colour = "red"
default_store = "main"
[stores.main]
backend = "file"
path = "keys"
nope = 1
[stores.other]
Path = "keys"
[keys.a]
store = "other"
[profiles.ci]
default_store = "gone"
[profiles.dev.stores.main]
nope = 2
[profiles.prod.stores.db]
backend = "sqlite"
path = "keys.db"
nope = 3
"""


def test_config_check_has_all_problems_of_all_profiles(home: Path, keywright: Keywright) -> None:
    """Each is printed once, with the profile that it is of; what refers to a wrong table is not one of its own."""
    (home / "keywright.toml").write_text(ODD)
    source = f"{home}/keywright.toml"

    done = keywright("config", "check")
    of_one = keywright("config", "check", "--profile", "prod")

    errors = [line.removeprefix("error: ") for line in done.stderr.decode().splitlines() if line.startswith("error: ")]
    assert errors == [
        f"{source}: colour is not a known setting or table",
        f"{source}: stores.other.Path is not a setting name, which has only a-z, 0-9 and '_'",
        f"{source}: stores.main.nope is not a setting of store backend 'file'",
        f"{source} (profile ci): default_store names a store that is not configured",
        f"{source} (profile dev): stores.main.nope is not a setting of store backend 'file'",
        f"{source} (profile prod): stores.db.nope is not a setting of store backend 'sqlite'",
    ]
    assert (done.returncode, of_one.returncode) == (2, 2)
    assert b"(profile dev)" not in of_one.stderr


def test_config_check_names_the_profile_of_a_problem(home: Path, keywright: Keywright) -> None:
    """A profile can be wrong although the file is right without it."""
    (home / "keywright.toml").write_text(f'{STORE}[profiles.ci]\ndefault_store = "gone"\n')

    done = keywright("config", "check")

    assert done.returncode == 2
    assert b"(profile ci): default_store names a store that is not configured" in done.stderr
    (home / "keywright.toml").write_text(f"{STORE}[profiles.ci]\n[profiles.dev]\n")
    assert b"is valid (1 store, 2 profiles)" in keywright("config", "check").stdout


def test_an_error_of_the_backend_names_the_layer(home: Path, keywright: Keywright) -> None:
    """What only the backend can judge is reported with the profile that the setting came from."""
    (home / "keywright.toml").write_text(
        '[stores.e]\nbackend = "env"\n[profiles.p.stores.e]\nvariables = { "a b" = "X" }\n'
    )

    done = keywright("list", "--profile", "p")

    assert done.returncode == 2
    assert done.stderr.startswith(b"error: %s/keywright.toml (profile p): stores.e.variables: " % bytes(home))
