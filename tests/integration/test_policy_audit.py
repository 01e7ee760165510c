"""Rules and the log of what is done, over the whole program."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import COMMAND, Keywright
from support.errors import joined

import keywright as library
from keywright.testing import assert_hidden

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "policy-and-audit.md"

STORES = """
default_store = "files"
[stores.files]
backend = "file"
path = "keys"
[stores.db]
backend = "sqlite"
path = "keys.db"
"""

AUDIT = """
[plugin.audit]
path = "log/audit.jsonl"
required = true
"""


def _policy(rule: str) -> str:
    return f"[plugin.policy]\nrules = [{{ {rule} }}]\n"


def _logged(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "log" / "audit.jsonl").read_bytes().splitlines()]


def _told(line: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return line["operation"], f"{line['name']}@{line['version']}", line["store"], line.get("outcome", "…")


@pytest.mark.parametrize(
    ("rule", "arguments", "message"),
    [
        pytest.param(
            'types = ["ed25519"]',
            ("generate", "a", "--type", "oct"),
            "generate of a is refused by plugin 'policy': rule 1 (*): allows the types ed25519, not oct; use "
            "one of the types that it allows, or change the rule",
            id="type",
        ),
        pytest.param(
            "minimum_bits = { rsa = 3072 }",
            ("generate", "a", "--type", "rsa", "--bits", "2048"),
            "generate of a is refused by plugin 'policy': rule 1 (*): requires rsa keys of at least 3072 bits, and "
            "this one has 2048; use a larger one, or change the rule",
            id="bits",
        ),
        pytest.param(
            "sealed = true",
            ("generate", "a"),
            "generate of a is refused by plugin 'policy': rule 1 (*): requires a store with a seal, and "
            "store 'files' has none; set stores.files.seal, or pass another --store",
            id="seal",
        ),
    ],
)
def test_a_rule_refuses_before_anything_is_written(
    home: Path, keywright: Keywright, rule: str, arguments: tuple[str, ...], message: str
) -> None:
    """Exit code 5, one line, and no store where one would have been made; the log has the refusal."""
    (home / "keywright.toml").write_text(STORES + AUDIT + _policy(rule))

    done = keywright(*arguments)

    assert (done.returncode, done.stdout, joined(done.stderr)) == (5, b"", f"error: {message}\n")
    assert not list(home.glob("keys/*"))
    assert [_told(line) for line in _logged(home)] == [
        ("generate", "a@1", "files", "…"),
        ("generate", "a@1", "files", "PolicyError"),
    ]


def test_a_migration_keeps_the_rules_of_where_it_goes(home: Path, keywright: Keywright) -> None:
    """Keys that were there before a rule go on; they are not put where the rule forbids it, and stay where they are."""
    (home / "keywright.toml").write_text(STORES)
    assert keywright("generate", "prod/a").returncode == keywright("generate", "dev/a").returncode == 0
    (home / "keywright.toml").write_text(STORES + AUDIT + _policy('names = "prod/*", sealed = true'))

    done = keywright("migrate", "--from", "files", "--to", "db")

    assert done.returncode == 5
    assert done.stdout.startswith(b"dev/a@1: copied\n")
    assert (
        b"migrate of prod/a is refused by plugin 'policy': rule 1 (prod/*): requires a store with a seal" in done.stderr
    )
    assert keywright("--store", "db", "list").stdout.startswith(b"dev/a@1\t")
    assert keywright("sign", "prod/a", input=b"data").returncode == 0
    assert [_told(line) for line in _logged(home)] == [
        ("migrate", "dev/a@1", "db", "…"),
        ("migrate", "dev/a@1", "db", "done"),
        ("migrate", "prod/a@1", "db", "…"),
        ("migrate", "prod/a@1", "db", "PolicyError"),
        ("bind", "prod/a@1", "files", "…"),
        ("bind", "prod/a@1", "files", "done"),
    ]


def test_a_life_is_logged(home: Path, keywright: Keywright) -> None:
    """Everything that changes a key, hands it out or binds it, before and after, by whom; what only looks is not."""
    (home / "keywright.toml").write_text(STORES + AUDIT)
    life = [
        ("generate", "a"),
        ("generate", "a"),
        ("rotate", "a"),
        ("label", "a@1", "team=web"),
        ("disable", "a@1"),
        ("enable", "a@1"),
        ("sign", "a", "keywright.toml"),
        ("export", "a"),
        ("list",),
        ("show", "a"),
        ("export", "a", "--secret"),
        ("compromise", "a@1", "--yes"),
        ("destroy", "a@1", "--yes"),
    ]

    codes = [keywright(*arguments).returncode for arguments in life]

    assert codes == [0, 4, *[0] * 11]
    lines = _logged(home)
    assert [_told(line) for line in lines[1::2]] == [
        ("generate", "a@1", "files", "done"),
        ("generate", "a@1", "files", "KeyExistsError"),
        ("rotate", "a@2", "files", "done"),
        ("label", "a@1", "files", "done"),
        ("disable", "a@1", "files", "done"),
        ("enable", "a@1", "files", "done"),
        ("bind", "a@2", "files", "done"),
        ("export", "a@2", "files", "done"),
        ("compromise", "a@1", "files", "done"),
        ("destroy", "a@1", "files", "done"),
    ]
    assert [(line["kind"], _told(line)[:3]) for line in lines[::2]] == [
        ("intent", _told(line)[:3]) for line in lines[1::2]
    ]
    assert (lines[1]["kid"], lines[5]["kid"]) == ("a-1", "a-2")
    assert {line["who"] for line in lines} == {pwd.getpwuid(os.geteuid()).pw_name}
    assert keywright("audit", "verify").returncode == 0


def test_binding_a_signer_is_an_event_and_signing_is_not(home: Path) -> None:
    """A thousand signatures by one signer leave two lines."""
    (home / "keywright.toml").write_text(STORES + AUDIT)
    with library.open(home / "keywright.toml") as ring:
        ring.generate("a")
        signer = ring.signer("a")
        for number in range(1000):
            signer.sign(b"%d" % number)

    assert [_told(line) for line in _logged(home)[2:]] == [("bind", "a@1", "files", end) for end in ("…", "done")]


def test_what_must_be_logged_and_cannot_be_does_not_happen(home: Path, keywright: Keywright) -> None:
    """Nothing is made, signed or handed out while the log cannot be written; looking goes on."""
    (home / "keywright.toml").write_text(STORES + AUDIT)
    assert keywright("generate", "a").returncode == 0
    (home / "log").chmod(0o777)
    refused = [("generate", "b"), ("rotate", "a"), ("sign", "a", "keywright.toml"), ("export", "a", "--secret")]

    done = [keywright(*arguments) for arguments in refused]

    reason = f"{home}/log/audit.jsonl: the directory of the audit log may be changed by other users"
    hint = "run `chmod go-w` on it"
    assert [(one.returncode, one.stdout) for one in done] == [(5, b"")] * 4
    assert done[0].stderr.decode() == f"error: generate of b is refused by plugin 'audit': {reason}\nhint: {hint}\n"
    assert keywright("list").stdout.startswith(b"a@1\t")
    (home / "log").chmod(0o700)
    assert keywright("rotate", "a").returncode == 0
    assert keywright("audit", "verify").returncode == 0


def test_what_need_not_be_logged_happens_and_is_told(home: Path, keywright: Keywright) -> None:
    """Without `required` the operation is done, and stderr says what the log lacks."""
    (home / "keywright.toml").write_text(STORES + '[plugin.audit]\npath = "no/where/audit.jsonl"\n')

    done = keywright("generate", "a")

    reason = "its parent directory does not exist; create it, or set another path"
    assert (done.returncode, done.stdout) == (0, b"a@1\n")
    assert done.stderr.decode() == (
        f"warning: plugin 'audit' did not record generate of a: {home}/no/where/audit.jsonl: {reason}\n"
    )


def test_ten_commands_at_once_write_one_chain(home: Path, keywright: Keywright, environment: dict[str, str]) -> None:
    """Whatever becomes of their rotations, each has its two lines."""
    (home / "keywright.toml").write_text(STORES + AUDIT)
    assert keywright("generate", "a").returncode == 0
    command = [COMMAND, "rotate", "a"]
    running = [
        subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(10)
    ]
    codes = [one.wait() for one in running]

    verified = json.loads(keywright("audit", "verify", "--json").stdout)

    assert set(codes) <= {0, 4}
    assert (verified["lines"], verified["faults"], verified["notes"]) == (22, [], [])
    outcomes = [line["outcome"] for line in _logged(home) if line["kind"] == "outcome"]
    assert outcomes.count("done") == 1 + codes.count(0)


def test_eight_labels_at_once_have_an_outcome_for_each_intent(
    home: Path, keywright: Keywright, environment: dict[str, str]
) -> None:
    """Who comes in between has the others try again, and what was tried in vain says so: no intent stands alone."""
    (home / "keywright.toml").write_text(STORES + AUDIT)
    assert keywright("generate", "a").returncode == 0
    running = [
        subprocess.Popen([COMMAND, "label", "a", f"l{number}=x"], cwd=home, env=environment, stdout=subprocess.DEVNULL)
        for number in range(8)
    ]
    codes = [one.wait() for one in running]

    assert codes == [0] * 8
    by_process: dict[int, list[str]] = {}
    for line in _logged(home)[2:]:
        by_process.setdefault(line["pid"], []).append(line.get("outcome", "…"))
    for told in by_process.values():
        assert told == ["…", "ConflictError"] * (len(told) // 2 - 1) + ["…", "done"]
    assert len(by_process) == 8
    assert len(json.loads(keywright("show", "a", "--json").stdout)["versions"][0]["labels"]) == 8


def test_no_secret_comes_into_the_log(home: Path, keywright: Keywright) -> None:
    """Keys of every kind are imported, rotated and exported, well-formed and not; none of their bytes is in the log."""
    (home / "keywright.toml").write_text(STORES + AUDIT)
    secrets = []
    for name, arguments in {
        "a": (),
        "b": ("--type", "oct"),
        "c": ("--type", "ec-p256"),
        "d": ("--type", "rsa"),
    }.items():
        made = keywright("generate", f"made/{name}", *arguments)
        exported = keywright("export", f"made/{name}", "--secret")
        assert made.returncode == exported.returncode == 0
        secrets.append(exported.stdout)
        for data in (exported.stdout, exported.stdout[:-7], exported.stdout * 2):
            keywright("import", f"taken/{name}", input=data)
        keywright("--debug", "import", f"made/{name}", input=exported.stdout)

    log = (home / "log" / "audit.jsonl").read_bytes()

    for exported_secret in secrets:
        # A Nix key names its kid, which is public, and a JWK has public members.
        public = re.sub(rb'"(k|d|p|q|dp|dq|qi)":"[^"]+"', b"", exported_secret)
        assert_hidden(
            library.Secret(exported_secret), log, public=public.partition(b":")[0] if public[:1] != b"{" else public
        )
    assert b"taken/d" in log


def test_a_misspelt_plugin_is_not_passed_over(home: Path, keywright: Keywright) -> None:
    """A policy that was asked for and is not there, or not allowed, refuses the ring."""
    answers = []
    for document in (
        f"{STORES}[plugin.polcy]\nrules = []\n",
        f'plugins = ["keytypes", "nix", "file"]\n{STORES}{AUDIT}',
    ):
        (home / "keywright.toml").write_text(document)
        answers.append(keywright("generate", "a"))

    assert [answer.returncode for answer in answers] == [2, 2]
    assert b"(did you mean 'policy'?)" in answers[0].stderr
    assert not (home / "keys").exists()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        pytest.param("[plugin.policy]\n", "plugin.policy", id="no rules"),
        pytest.param("[plugin.policy]\nrules = []\n", "plugin.policy", id="an empty list of rules"),
        pytest.param(
            _policy("minimum_bits = { rssa = 3072 }"),
            "plugin.policy: rule 1: minimum_bits has a key type that is not installed (did you mean 'rsa'?); "
            "available: ec-p256, ec-p384, ec-p521, ed25519, oct, rsa, x25519",
            id="key type",
        ),
        pytest.param(
            _policy('names = "prod/*", formats = "jkw"'),
            "plugin.policy: rule 1: formats has a format that is not installed (did you mean 'jwk'?); available: ",
            id="format",
        ),
        pytest.param(
            _policy('operations = ["generate", "exprot"]'),
            "plugin.policy: rule 1: operations must be of these (did you mean 'export'?): generate, import, ",
            id="operation",
        ),
    ],
)
def test_a_policy_that_would_bind_nothing_refuses_everything(
    home: Path, keywright: Keywright, policy: str, message: str
) -> None:
    """A table without rules, or a misspelt type, is not taken for a policy; `config check` does not pass it either."""
    (home / "keywright.toml").write_text(STORES + policy)

    for answer in (keywright("generate", "a"), keywright("config", "check")):
        assert (answer.returncode, answer.stdout) == (2, b"")
        assert joined(answer.stderr).startswith(f"error: {home}/keywright.toml: {message}")
    assert not (home / "keys").exists()


def test_the_guide_can_be_followed(home: Path, keywright: Keywright) -> None:
    """Its configuration is one, its refusals are what is printed, and its commands do what it says."""
    text = GUIDE.read_text()
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        assert tomllib.loads(block)
    (home / "keywright.toml").write_text(STORES + "\n".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)))

    assert keywright("config", "check").returncode == 0
    refusals = re.findall(r"^\$ keywright (.*)\n(error: .*\nhint: .*)$", text, re.MULTILINE)
    assert refusals
    for command, answer in refusals:
        done = keywright(*command.split())
        assert (done.returncode, done.stderr.decode()) == (5, f"{answer}\n")
