"""A third-party format without key ids, built and installed as users do it, and used on the command line.

It is the example `docs/examples/paserk`. The keys are test vectors of PASERK; their source is named in its test.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
from support.installed import EXAMPLES, Run, install, run_own_tests, runner

SEED = bytes.fromhex("707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f")
PUBLIC = bytes.fromhex("1ce56a48c82ff99162a14bc544612674e5d61fb9317e65d4055780fdbcb4dc35")
K4_LOCAL = "k4.local.cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8"
K4_SECRET = "k4.secret.cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8c5WpIyC_5kWKhS8VEYSZ05dYfuTF-ZdQFV4D9vLTcNQ"
K4_PUBLIC = "k4.public.HOVqSMgv-ZFioUvFRGEmdOXWH7kxfmXUBVeA_by03DU"

LOST_SECRET = "warning: the secret form of format 'paserk' does not carry: kid\n"
LOST_PUBLIC = "warning: the public form of format 'paserk' does not carry: kid\n"
PID = re.compile(r"k4\.pid\.[\w-]{44}", re.ASCII)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `keywright` command of a fresh environment, which has the example's wheel and what its own tests need."""
    return install(EXAMPLES / "paserk", tmp_path_factory.mktemp("paserk"), "pytest", "hypothesis")


@pytest.fixture
def run(installed: Path, home: Path, environment: dict[str, str]) -> Run:
    """That command, run in an empty home with a file store (the default) and a SQLite store."""
    (home / "keywright.toml").write_text(
        'default_store = "files"\n'
        '[stores.files]\nbackend = "file"\npath = "keys"\n'
        '[stores.db]\nbackend = "sqlite"\npath = "keys.db"\n'
    )
    return runner(installed, home, environment)


def kids(run: Run, name: str, store: str = "files") -> list[str]:
    """The kids of the versions of a name, ascending."""
    return [version["kid"] for version in json.loads(run("show", name, "--store", store, "--json"))["versions"]]


def test_its_own_tests_pass_once_it_is_installed(installed: Path, environment: dict[str, str]) -> None:
    """The contract of plugins, which looks up the entry point, is not skipped there."""
    printed = run_own_tests(installed, environment)

    assert "passed" in printed
    assert "is not installed" not in printed


def test_an_ed25519_key_is_generated_exported_and_rotated(run: Run) -> None:
    """It is the implied type; the kid is the PASERK id of the public half, which a reader derives again."""
    assert run("generate", "web", "--format", "paserk") == "web@1\n"
    assert re.fullmatch(r"k4\.secret\.[\w-]{86}", run("export", "web", "--secret"))
    assert re.fullmatch(r"k4\.public\.[\w-]{43}", run("export", "web"))

    assert run("rotate", "web") == "web@2\n"

    first, second = kids(run, "web")
    assert PID.fullmatch(first)
    assert PID.fullmatch(second)
    assert first != second


def test_an_oct_key_is_generated_exported_and_rotated(run: Run) -> None:
    """Its kid counts versions, for one made of the key would be a hash of a secret."""
    assert run("generate", "session", "--type", "oct", "--format", "paserk") == "session@1\n"
    assert run("rotate", "session") == "session@2\n"

    assert re.fullmatch(r"k4\.local\.[\w-]{43}", run("export", "session", "--secret", stderr=LOST_SECRET))
    assert kids(run, "session") == ["session-1", "session-2"]


@pytest.mark.parametrize("key_type", ["ed25519", "oct"])
def test_its_keys_sign_and_verify(run: Run, home: Path, key_type: str) -> None:
    """A signature by the version before is still valid after a rotation."""
    (home / "message").write_text("hello")
    run("generate", "a", "--type", key_type, "--format", "paserk")
    old = run("sign", "a", "message").strip()
    run("rotate", "a")
    new = run("sign", "a", "message").strip()

    assert run("verify", "a", "message", "--signature", old) == "a@1\n"
    assert run("verify", "a", "message", "--signature", new) == "a@2\n"


def test_convert_writes_it_from_nix_and_jwk(run: Run) -> None:
    """The published texts come out; the kid of the other format is reported as lost."""
    nix = f"web-1:{b64encode(SEED + PUBLIC).decode()}"
    jwk = json.dumps({"kty": "oct", "kid": "web-1", "k": urlsafe_b64encode(SEED).rstrip(b"=").decode()})

    def converted(data: str, source: str, *more: str, stderr: str) -> str:
        return run("convert", "--from", source, "--to", "paserk", *more, input=data, stderr=stderr)

    assert converted(nix, "nix", "--secret", stderr=LOST_SECRET) == K4_SECRET
    assert converted(nix, "nix", stderr=LOST_PUBLIC) == K4_PUBLIC
    assert converted(jwk, "jwk", "--secret", stderr=LOST_SECRET) == K4_LOCAL


def test_convert_reads_it(run: Run) -> None:
    """The other format gets the kid that is given, or its own; between two without kid nothing is lost."""
    nix = run("convert", "--from", "paserk", "--to", "nix", "--secret", "--kid", "web-1", input=K4_SECRET)
    jwk = json.loads(run("convert", "--from", "paserk", "--to", "jwk", "--secret", input=K4_LOCAL))

    assert nix == f"web-1:{b64encode(SEED + PUBLIC).decode()}"
    assert (jwk["kty"], jwk["k"]) == ("oct", urlsafe_b64encode(SEED).rstrip(b"=").decode())
    assert run("convert", "--from", "paserk", "--to", "paserk", "--strict", input=K4_SECRET) == K4_PUBLIC


@pytest.mark.parametrize(
    ("text", "imported", "exported", "stderr"),
    [
        pytest.param(K4_LOCAL, [], ["--secret"], LOST_SECRET, id="local"),
        pytest.param(K4_SECRET, [], ["--secret"], "", id="secret"),
        pytest.param(K4_PUBLIC, ["--public"], [], "", id="public"),
    ],
)
def test_a_published_key_is_imported(
    run: Run, text: str, imported: list[str], exported: list[str], stderr: str
) -> None:
    """`import` recognizes it, with a line end too, and the same text is exported; a counted kid is reported as lost."""
    run("import", "old", *imported, input=f"{text}\n")

    assert run("export", "old", *exported, stderr=stderr) == text


def test_its_keys_migrate_from_files_to_sqlite(run: Run) -> None:
    """With the kids, which only the metadata has; a second run finds all of it identical."""
    run("generate", "web", "--format", "paserk", "--kid", "team-1")
    run("generate", "session", "--type", "oct", "--format", "paserk")
    run("rotate", "session")
    run("import", "partner", "--public", input=K4_PUBLIC)
    names = ("partner", "session", "web")
    before = {name: kids(run, name) for name in names}
    secret = run("export", "web", "--secret", stderr=LOST_SECRET)

    first = run("migrate", "--from", "files", "--to", "db")
    again = run("migrate", "--from", "files", "--to", "db")
    run("migrate", "--from", "files", "--to", "db", "--delete-source", "--allow-referenced")

    assert first.splitlines()[-1] == "copied 4, identical 0"
    assert again == "copied 0, identical 4\n"
    assert {name: kids(run, name, "db") for name in names} == before
    assert before["web"] == ["team-1"]
    assert run("export", "web", "--secret", "--store", "db", stderr=LOST_SECRET) == secret
    assert run("list") == ""
    run("doctor", stderr="No problems found (2 stores)\n")
