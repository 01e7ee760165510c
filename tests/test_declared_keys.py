"""`config check` finds what a declared key could never be, before somebody asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Keywright

STORE = '[stores.main]\nbackend = "file"\npath = "keys"\n'
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
            "the kid of this key cannot be a Nix key name: it holds a colon, and Nix takes the name to end at the "
            "first one; choose one with --kid",
            id="a kid that the format refuses",
        ),
        pytest.param(
            STORE + '[keys.a]\nattributes = { use = "sig" }\n',
            65,
            "format 'nix' does not carry: use; leave it out, or name another --format",
            id="an attribute that the format has no place for",
        ),
        pytest.param(
            'default_store = "both"\n' + STORE + CHAIN + "[keys.a]\n",
            5,
            "store 'both' is a chain without write_to, so it takes no writes; set it",
            id="a chain that takes no writes",
        ),
        pytest.param(
            STORE + POLICY + "[keys.a]\n",
            5,
            "generate of a is refused by plugin 'policy': rule 1 (a) allows the types oct, and not ed25519; use "
            "another, or change the rule",
            id="what a rule forbids",
        ),
    ],
)
def test_what_could_never_be_made(home: Path, keywright: Keywright, document: str, code: int, fault: str) -> None:
    """It is told by its place, in the words that `generate` or `rotate` would be refused with; nothing is made."""
    (home / "keywright.toml").write_text(document)

    checked = keywright("config", "check")

    assert checked.stderr.decode() == f"keywright: {home}/keywright.toml: keys.a: {fault}\n"
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
    """A key that was made before the rule goes on, so it is no fault that it could not be made now."""
    (home / "keywright.toml").write_text(STORE + "[keys.a]\n")
    assert keywright("ensure").returncode == 0
    (home / "keywright.toml").write_text(STORE + "[keys.a]\n" + POLICY)

    assert keywright("config", "check").returncode == 0


@pytest.mark.parametrize("path", ["keys", "keys/audit.jsonl"], ids=["the same", "inside"])
def test_a_log_in_the_place_of_a_store(home: Path, keywright: Keywright, path: str) -> None:
    """The log's file would be taken for a key, or the other way round; both commands tell."""
    (home / "keywright.toml").write_text(f'{STORE}[plugin.audit]\npath = "{path}"\n')
    sentence = "plugin 'audit': plugin.audit.path is in the place of store 'main'; set another path"

    examined, checked = keywright("doctor"), keywright("config", "check")

    assert sentence in examined.stdout.decode().splitlines()
    assert f"keywright: {sentence}" in checked.stderr.decode().splitlines()
    assert (examined.returncode, checked.returncode) == (1, 2)


def test_rules_that_a_profile_replaces_are_told(home: Path, keywright: Keywright) -> None:
    """They replace the whole list, as lists do; `config check` notes it, for nobody misses a rule that is gone."""
    profile = "[profiles.dev.plugin.policy]\nrules = [{ sealed = true }]\n"
    (home / "keywright.toml").write_text(STORE + POLICY + profile)

    plain, checked = keywright("config", "check"), keywright("--profile", "dev", "config", "check")

    assert (plain.returncode, plain.stderr) == (0, b"")
    assert checked.returncode == 0
    assert checked.stderr.decode() == (
        f"keywright: note: {home}/keywright.toml (profile dev): plugin.policy.rules replaces the whole list of "
        f"{home}/keywright.toml; repeat what should hold\n"
    )


def test_one_that_cannot_be_made_stops_no_other(home: Path, keywright: Keywright) -> None:
    """What `ensure` made is told, and so is what it could not make; the exit code is the first failure's."""
    other = '[stores.other]\nbackend = "file"\npath = "other"\n'
    (home / "keywright.toml").write_text(f'default_store = "main"\n{STORE}{other}[keys.a]\n[keys.b]\n[keys.c]\n')
    assert keywright("generate", "b", "--store", "other").returncode == 0

    plain, again = keywright("ensure"), keywright("ensure", "--json")

    assert (plain.returncode, plain.stdout) == (4, b"a@1\nc@1\n")
    assert plain.stderr.decode() == (
        "keywright: store 'other' has b already, and the configuration now points it at store 'main'; move it with "
        "`keywright migrate --from other --to main b`, or say --new-here for a second key\n"
    )
    document = json.loads(again.stdout)
    assert (document["name"], document["error"]["exit"]) == ("b", 4)
    assert keywright("ensure", "a", "unknown").returncode == 2


def test_each_that_cannot_be_made_is_told(home: Path, keywright: Keywright) -> None:
    """Not only the first of them."""
    (home / "keywright.toml").write_text(
        f'default_store = "main"\n{STORE}[stores.other]\nbackend = "file"\npath = "other"\n[keys.a]\n[keys.b]\n'
    )
    for name in ("a", "b"):
        assert keywright("generate", name, "--store", "other").returncode == 0

    plain, documents = keywright("ensure"), keywright("ensure", "--json")

    assert plain.stderr.count(b"keywright: store 'other' has ") == 2
    assert [json.loads(line)["name"] for line in documents.stdout.splitlines()] == ["a", "b"]


def test_a_log_in_the_place_of_a_store_by_another_name(home: Path, keywright: Keywright) -> None:
    """A link leads to the place all the same; a place whose name only begins alike is another."""
    (home / "keys").mkdir(0o700)
    (home / "link").symlink_to("keys")
    sentence = "plugin 'audit': plugin.audit.path is in the place of store 'main'; set another path"

    for path, is_told in (("link/audit.jsonl", True), ("keys2/audit.jsonl", False), ("keys.jsonl", False)):
        (home / "keywright.toml").write_text(f'{STORE}[plugin.audit]\npath = "{path}"\n')
        checked = keywright("config", "check")
        assert (f"keywright: {sentence}" in checked.stderr.decode().splitlines()) == is_told
