"""A stranger's plugin, built and installed as users do it: one file and an entry point, and all of keywright has it.

It is the example of the plugin guide, `docs/examples/stranger`.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from support.errors import text_of
from support.installed import EXAMPLES, Run, install, runner

from keywright import Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError

EXAMPLE = EXAMPLES / "stranger"

# RFC 8032 §7.1, TEST 1.
SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
KEY = Key("ed25519", "test-1", Secret(bytes.fromhex(SEED)), bytes.fromhex(PUBLIC))
CARRIES = "hex-ed25519 writes ed25519 keys whose kid is visible ASCII"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `keywright` command of a fresh environment, which has the wheels of keywright and of the example."""
    return install(EXAMPLE, tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def run(installed: Path, home: Path, environment: dict[str, str]) -> Run:
    """That command, run in an empty home."""
    return runner(installed, home, environment)


def test_it_is_listed(run: Run) -> None:
    """`plugins` shows it with its distribution and what it provides, and nothing failed."""
    listed = json.loads(run("plugins", "--check", "--json"))

    expected = {"name": "hex", "distribution": "keywright-hex", "version": "1.0", "provides": ["format hex-ed25519"]}
    assert expected in listed["plugins"]
    assert listed["failures"] == []


def test_generate_makes_keys_in_it(run: Run) -> None:
    """`generate --format` stores a key in it, of the type that it implies; `export` and `rotate` go on with it."""
    assert run("generate", "cache.example.org", "--format", "hex-ed25519") == "cache.example.org@1\n"
    assert run("rotate", "cache.example.org") == "cache.example.org@2\n"

    secret, public = run("export", "cache.example.org", "--secret"), run("export", "cache.example.org")

    assert re.fullmatch("secret cache.example.org-2 [0-9a-f]{64}", secret)
    assert re.fullmatch("public cache.example.org-2 [0-9a-f]{64}", public)


def test_convert_reads_and_writes_it(run: Run) -> None:
    """`convert` goes from it to the other formats and back."""
    nix = run("convert", "--from", "hex-ed25519", "--to", "nix", "--secret", input=f"secret test-1 {SEED}\n")

    assert nix == "test-1:" + b64encode(bytes.fromhex(SEED + PUBLIC)).decode()
    assert run("convert", "--from", "nix", "--to", "hex-ed25519", "--secret", input=nix) == f"secret test-1 {SEED}"
    assert run("convert", "--from", "nix", "--to", "hex-ed25519", input=nix) == f"public test-1 {PUBLIC}"


def test_import_knows_it_by_sight(run: Run) -> None:
    """`import` finds out by itself that data is in it."""
    run("import", "old", input=f"secret test-1 {SEED}\n")

    assert run("export", "old", "--format", "hex-ed25519") == f"public test-1 {PUBLIC}"


def test_configuration_names_it(run: Run, home: Path) -> None:
    """A `[keys.NAME]` table may ask for it, and another program can read the file that comes of it."""
    (home / "keywright.toml").write_text(
        '[stores.local]\nbackend = "file"\npath = "keys"\n[keys.mine]\nformat = "hex-ed25519"\n'
    )

    run("config", "check")
    run("ensure")

    assert run("export", "mine").startswith("public mine-1 ")
    assert (home / "keys" / "mine" / "@1" / "key").read_text() == run("export", "mine", "--secret")


def load() -> ModuleType:
    spec = spec_from_file_location("keywright_hex", EXAMPLE / "keywright_hex.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(
            KEY.without_secret(), "this key has no secret half to write in hex; write its public half", id="public"
        ),
        pytest.param(Key("ed25519", "a b", KEY.secret), f"{CARRIES}; choose one with --kid", id="kid"),
        pytest.param(Key("x25519", "a", KEY.secret), f"{CARRIES}; choose one with --kid", id="type"),
        pytest.param(Key("ed25519", "a", Secret(bytes(31))), f"{CARRIES}; choose one with --kid", id="length"),
    ],
)
def test_keys_that_it_cannot_carry(key: Key, message: str) -> None:
    """Each refusal of the example has its message."""
    (format,) = load().keywright_register_formats()

    with pytest.raises(UnsupportedKeyError) as caught:
        format.encode_secret(key)

    assert text_of(caught.value) == message


def test_other_refusals() -> None:
    """A key without public half has no public line, and data that is not a line is malformed."""
    (format,) = load().keywright_register_formats()

    with pytest.raises(UnsupportedKeyError) as unknown:
        format.encode_public(Key("ed25519", "a", KEY.secret))
    with pytest.raises(MalformedKeyError) as malformed:
        format.decode(Secret(b"secret a 00"), default_kid="")

    assert text_of(unknown.value) == "the public half of this key is not known; derive it before writing it in hex"
    assert text_of(malformed.value) == (
        "a hex key is `secret KID SEED` or `public KID KEY` on one line, 64 digits at its end"
    )
