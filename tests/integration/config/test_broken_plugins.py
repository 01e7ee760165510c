"""Broken plugins in a whole process: the rest works, and what is missing is explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.errors import joined

START = "from keywright import hookimpl\nKEYWRIGHT_API = 1\n"

FORMAT = (
    START
    + """
class Format:
    name = "NAME"
    key_types = ("ed25519",)
    carries_kid = True
    def encode_secret(self, key): ...
    def encode_public(self, key): ...
    def decode(self, data, *, default_kid): ...
    def default_kid(self, name, version, key): ...
    def sniff(self, data): return False

@hookimpl
def keywright_register_formats():
    return [Format()]
"""
)

KEY_TYPE = (
    START
    + """
from keywright import Setting
class Type:
    name = "sloppy"
    settings = SETTINGS
    algorithms = ()
    def generate(self, options): ...
    def validate(self, key): ...
    def bits(self, key): ...
    def signer(self, key, algorithm): ...
    def verifier(self, key, algorithm): ...

@hookimpl
def keywright_register_key_types():
    return [Type()]
"""
)

HAS = "this keywright has API 1: install a version that fits"

BROKEN = [
    pytest.param("raise RuntimeError('boom')", "failed on import with RuntimeError: boom", id="raises-at-import"),
    pytest.param(
        "raise BaseException('boom')", "failed on import with BaseException: boom", id="raises-anything-at-import"
    ),
    pytest.param("import sys\nsys.exit(0)", "failed on import with SystemExit: 0", id="exits-at-import"),
    pytest.param(
        "import absent_library",
        "failed on import with ModuleNotFoundError: No module named 'absent_library'",
        id="misses-a-library",
    ),
    pytest.param(
        START + "@hookimpl\ndef keywright_register_format(): return []",
        "implements keywright_register_format, which is not a hook of keywright (did you mean "
        "'keywright_register_formats'?)",
        id="misspells-a-hook",
    ),
    pytest.param(
        FORMAT.replace("KEYWRIGHT_API = 1", ""), f"does not say which keywright API it is for; {HAS}", id="no-api"
    ),
    pytest.param(
        FORMAT.replace("KEYWRIGHT_API = 1", "KEYWRIGHT_API = 2"), f"is for keywright API 2; {HAS}", id="another-api"
    ),
    pytest.param(
        FORMAT.replace("def sniff", "def smell").replace("def decode", "def read").replace("NAME", "wanted"),
        "returned an object from keywright_register_formats that is not a format: it lacks decode, sniff",
        id="half-a-format",
    ),
    pytest.param(
        FORMAT.replace("return [Format()]", "return Format()"),
        "failed in keywright_register_formats with TypeError: it returned Format, and not a list or tuple",
        id="returns-one-object",
    ),
    pytest.param(
        FORMAT.replace("return [Format()]", "raise SystemExit('no')"),
        "failed in keywright_register_formats with SystemExit: no",
        id="exits-in-a-hook",
    ),
    pytest.param(
        KEY_TYPE.replace("SETTINGS", "(Setting('kid', 'text', None),)"),
        "returned an object from keywright_register_key_types that is not a key type: its setting 'kid' has a name "
        "that "
        "means something else for a key type: choose another",
        id="takes-an-option",
    ),
    pytest.param(
        KEY_TYPE.replace("SETTINGS", "('bits',)"),
        "returned an object from keywright_register_key_types that is not a key type: its settings hold str, where a "
        "Setting belongs",
        id="settings-of-text",
    ),
    pytest.param(
        START + "@hookimpl(wrapper=True)\ndef keywright_register_key_types(): return (yield)",
        "wraps keywright_register_key_types, which is refused: a plugin cannot wrap the hooks of others",
        id="wraps-a-hook",
    ),
]  # fmt: skip

Run = Callable[..., subprocess.CompletedProcess[str]]
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Lays down a distribution of one module in a folder of its own, as an installer would."""

    def lay_down(distribution: str, source: str, *, name: str = "bad", commands: str = "") -> None:
        module = f"{distribution}_module"
        metadata = tmp_path / "site" / f"{distribution}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "entry_points.txt").write_text(
            f"[keywright]\n{name} = {module}\n" + (f"[keywright.commands]\n{name} = {commands}\n" if commands else "")
        )
        (tmp_path / "site" / f"{module}.py").write_text(source)

    return lay_down


@pytest.fixture
def run(tmp_path: Path, home: Path, environment: dict[str, str]) -> Run:
    """Runs `python -m keywright` with that folder on the path, and its own home and data directory."""
    more = {"PYTHONPATH": str(tmp_path / "site"), "XDG_DATA_HOME": str(tmp_path / "data")}

    def call(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "keywright", *arguments],
            input=input,
            capture_output=True,
            text=True,
            cwd=home,
            env={**environment, **more},
            timeout=60,
        )

    return call


def formats(plugins: str) -> str:
    """The formats that `plugins --json` lists, as messages list them."""
    provided = [one for plugin in json.loads(plugins)["plugins"] for one in plugin["provides"]]
    return ", ".join(sorted(one.removeprefix("format ") for one in provided if one.startswith("format ")))


@pytest.mark.parametrize(("source", "reason"), BROKEN)
def test_a_broken_plugin(install: Install, run: Run, source: str, reason: str) -> None:
    """The rest is listed and works, the cause is named in the list, and a format that is missing quotes it."""
    install("broken", source)

    listed = run("plugins", "--json")
    generated = run("generate", "cache.example.org")
    missing = run("convert", "--from", "wanted", "--to", "nix", input="key")

    subject = "plugin 'bad' of broken 1.0"
    document = json.loads(listed.stdout)
    assert document["failures"] == [{"subject": subject, "reason": reason}]
    assert {"keytypes", "nix", "jose", "sqlite"} <= {plugin["name"] for plugin in document["plugins"]}
    assert (listed.returncode, listed.stderr) == (0, "")
    assert (generated.returncode, generated.stdout, generated.stderr) == (0, "cache.example.org@1\n", "")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == (
        f"error: no format is called 'wanted'\nhint: installed: {formats(listed.stdout)}. {subject}: {reason}\n"
    )


def test_a_plugin_that_fails_to_add_commands(install: Install, run: Run) -> None:
    """The other commands are there, and the list of plugins names the cause, once."""
    install("broken", START + "@hookimpl\ndef keywright_add_commands(commands): raise OSError('no')")

    listed = run("plugins", "--check", "--json")
    made = run("nix", "key", "generate-secret", "--key-name", "cache-1")

    reason = "failed in keywright_add_commands with OSError: no"
    assert json.loads(listed.stdout)["failures"] == [{"subject": "plugin 'bad'", "reason": reason}]
    assert listed.returncode == 1
    assert (made.returncode, made.stdout[:8], made.stderr) == (0, "cache-1:", "")


def test_the_check_says_no_or_yes(install: Install, run: Run) -> None:
    """`plugins --check` exits 1 with the cause on stderr if anything failed, else 0; without the option with 0."""
    install("sound", FORMAT.replace("NAME", "wanted"), name="good")
    sound = run("plugins", "--check")
    install("broken", "raise RuntimeError('boom')")

    checked, listed = run("plugins", "--check"), run("plugins")

    told = "warning: plugin 'bad' of broken 1.0: failed on import with RuntimeError: boom\n"
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "\ngood\tsound 1.0\tformat wanted\n" in f"\n{sound.stdout}"
    assert (checked.returncode, checked.stderr) == (1, told)
    assert (listed.returncode, listed.stderr) == (0, told)
    assert "\nnix\tkeywright-nix 0.2.0\tformat nix, commands\n" in checked.stdout


@pytest.mark.parametrize(
    ("name", "provides", "subject", "reason", "told", "otherwise"),
    [
        pytest.param(
            "nix", "wanted", "plugin 'nix'",
            "is claimed by keywright-nix 0.2.0 and thief 1.0, so neither is loaded; uninstall one",
            "no format is called 'nix'; installed: {formats}. plugin 'nix': {reason}", ("--type", "oct"),
            id="plugin",
        ),
        pytest.param(
            "bad", "nix", "format 'nix'",
            "is claimed by plugin 'bad' of thief 1.0 and plugin 'nix' of keywright-nix 0.2.0, so neither is used; "
            "uninstall one, or leave it out of `plugins`",
            "format 'nix' {reason}", ("--format", "jwk"),
            id="format",
        ),
    ],
)  # fmt: skip
def test_a_name_that_is_claimed_twice(
    install: Install,
    run: Run,
    name: str,
    provides: str,
    subject: str,
    reason: str,
    told: str,
    otherwise: tuple[str, str],
) -> None:
    """Of two plugins or formats of one name neither is used, and both owners are named; everything else works."""
    install("thief", FORMAT.replace("NAME", provides), name=name)

    listed, generated, other = run("plugins", "--json"), run("generate", "a"), run("generate", "a", *otherwise)

    assert json.loads(listed.stdout)["failures"] == [{"subject": subject, "reason": reason}]
    message = told.format(formats=formats(listed.stdout), reason=reason)
    assert (generated.returncode, generated.stdout) == (2, "")
    assert joined(generated.stderr) == "error: " + message + "\n"
    assert (other.returncode, other.stdout) == (0, "a@1\n")


def test_a_module_of_commands_that_fails(install: Install, run: Run) -> None:
    """It is told by those who look, and the command is found by the hook."""
    install("sound", FORMAT.replace("NAME", "wanted"), name="good", commands="absent_module")

    listed, checked = run("plugins", "--json"), run("doctor")

    fault = (
        "names the module absent_module in keywright.commands, which is not used: "
        "ModuleNotFoundError: No module named 'absent_module'; correct the module, or leave the entry point out"
    )
    assert json.loads(listed.stdout)["failures"] == [{"subject": "plugin 'good'", "reason": fault}]
    assert f"plugin 'good': {fault}" in checked.stdout


def test_all_of_them_at_once(install: Install, run: Run) -> None:
    """However many are broken, each is listed once, and keys are still made."""
    for number, case in enumerate(BROKEN):
        install(f"broken{number}", str(case.values[0]), name=f"bad{number}")

    listed, generated = run("plugins", "--json"), run("generate", "cache.example.org")

    assert len(json.loads(listed.stdout)["failures"]) == len(BROKEN)
    assert (generated.returncode, generated.stdout, generated.stderr) == (0, "cache.example.org@1\n", "")


def test_an_interrupt_while_plugins_load(install: Install, run: Run) -> None:
    """Ctrl-C while a plugin is imported ends the command as Ctrl-C does, and is not a failure of the plugin's."""
    install("slow", "raise KeyboardInterrupt")

    stopped = run("plugins")

    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (130, "", "error: interrupted\n")


def test_a_format_that_fails_to_look(install: Install, run: Run) -> None:
    """A format that raises when it looks at data is named; with the format said, the key is imported all the same."""
    install("broken", FORMAT.replace("return False", "raise RuntimeError(data.reveal())").replace("NAME", "wanted"))
    key = '{"kty":"oct","k":"AyM1SysPpbyDfgZld3umjw"}'

    guessed, said = run("import", "a", input=key), run("import", "a", "--format", "jwk", input=key)

    assert (guessed.returncode, guessed.stdout) == (2, "")
    assert guessed.stderr == (
        "error: format 'wanted' failed with RuntimeError while the format of the data was looked for\n"
        "hint: pass --format, or leave that plugin out of `plugins`\n"
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "a@1\n", "")


def test_plugins_that_fail_to_review_or_observe(install: Install, run: Run) -> None:
    """A failing observer changes nothing, and a warning tells; a reviewer that fails is an objection, by name."""
    install("nosy", START + "@hookimpl\ndef keywright_observe(event): raise RuntimeError('boom')\n")
    generated = run("generate", "cache.example.org")
    install("strict", START + "@hookimpl\ndef keywright_review(request): raise RuntimeError('boom')\n", name="worse")
    refused, after = run("generate", "b"), run("list")

    warning = "warning: plugin 'bad' did not record generate of {}: RuntimeError: boom\n"
    assert (generated.returncode, generated.stdout) == (0, "cache.example.org@1\n")
    assert generated.stderr == warning.format("cache.example.org")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert refused.stderr == warning.format("b") + (
        "error: generate of b is refused by plugin 'worse': its review failed with RuntimeError: boom\n"
    )
    assert (after.returncode, after.stdout.count("\n")) == (0, 1)


def test_an_allow_list_keeps_a_broken_plugin_out(install: Install, run: Run, home: Path) -> None:
    """With `plugins = […]` in the configuration, what is not on it is not even imported by a command that uses keys."""
    install("nosy", "raise KeyboardInterrupt")
    (home / "keywright.toml").write_text(
        'plugins = ["keytypes", "nix", "sqlite"]\n[stores.a]\nbackend = "sqlite"\npath = "k"\n'
    )

    generated = run("generate", "cache.example.org")

    assert (generated.returncode, generated.stdout, generated.stderr) == (0, "cache.example.org@1\n", "")


def test_a_plugin_in_the_current_directory(install: Install, run: Run, tmp_path: Path, home: Path) -> None:
    """A distribution that lies in the current directory is not loaded, though `python -m` would import from there."""
    install("stray", "raise RuntimeError('boom')")
    for part in (tmp_path / "site").iterdir():
        os.rename(part, home / part.name)

    listed = run("plugins", "--check", "--json")

    assert (listed.returncode, json.loads(listed.stdout)["failures"]) == (0, [])
