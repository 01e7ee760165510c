"""`nix key generate-secret` and `nix key convert-secret-to-public`: results, refusals, and Nix's options."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from argparse import ArgumentParser
from base64 import b64decode, b64encode
from importlib.metadata import version

import pytest
from nix_messages import BAD_PADDING, EMPTY, NAME, PUBLIC_TEXT, SECRET, TEXT, UNPRINTABLE
from nix_signing import Run, refusal

from keywright import Commands, Registry, Secret
from keywright.errors import InvalidKeyError, InvalidNameError, MalformedKeyError
from keywright_nix.key import NixFormat

COMMANDS = ["generate-secret", "convert-secret-to-public"]
# Nix's manual: the pages of both commands and "Options" of the page nix.
OPTIONS = [
    *(["--log-format", format_] for format_ in ("raw", "internal-json", "bar", "bar-with-logs")),
    *([option] for option in ("--debug", "-L", "--print-build-logs", "--quiet", "-v", "-vv", "-vL", "--verbose")),
    *(["--offline"], ["--refresh"]),
    *(["--option", "cores", "4"], ["--option", "cores", "4", "--option", "max-jobs", "1"]),
    *(["--experimental-features", "nix-command flakes"], ["--extra-experimental-features", "nix-command"]),
]


def test_generate_secret(command: Run, registry: Registry) -> None:
    """It prints a fresh secret key of the name, sound and without a line feed, and nothing else."""
    runs = [command("generate-secret", "--key-name", "cache.example.org-1") for _ in range(2)]

    for code, out, err in runs:
        key = registry.key_type("ed25519").validate(NixFormat().decode(Secret(out), default_kid=""))
        assert (code, err) == (0, b"")
        assert len(out) == len("cache.example.org-1:") + 88
        assert key.kid == "cache.example.org-1"
    assert runs[0] != runs[1]


def test_a_missing_name_is_told_in_the_words_of_nix(command: Run) -> None:
    assert command("generate-secret") == (1, b"", b"error: required argument '--key-name' is missing\n")


def test_bad_names_are_refused(command: Run) -> None:
    for name, rule in (
        ("", "is empty"),
        ("a:b", "has a colon, and for Nix the name ends at the first one"),
        ("a\udcff", "is not Unicode text"),
        *((odd, UNPRINTABLE) for odd in ("a b", "a\n", "a\u00a0b")),
    ):
        with refusal(InvalidNameError, f"--key-name {rule}; use something like cache.example.org-1", name):
            command("generate-secret", "--key-name", name)


def test_convert_secret_to_public(command: Run) -> None:
    for end in (b"", b"\n"):
        assert command("convert-secret-to-public", given=TEXT + end) == (0, PUBLIC_TEXT, b"")


def test_what_is_no_secret_key(command: Run) -> None:
    for given, message in (
        (b"", EMPTY),
        (PUBLIC_TEXT, "standard input is a public Nix key already; pass the secret key"),
        (TEXT[:-2], BAD_PADDING),
    ):
        with refusal(MalformedKeyError, message):
            command("convert-secret-to-public", given=given)


def test_halves_that_do_not_belong_together(command: Run) -> None:
    """A public half that is not the seed's is refused, where Nix would print it."""
    for public in (bytes(32), bytes(range(32))):
        mismatched = f"{NAME}:".encode() + b64encode(b64decode(SECRET)[:32] + public)

        with pytest.raises(InvalidKeyError):
            command("convert-secret-to-public", given=mismatched)


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_options_of_nix_are_accepted(command: Run, arguments: list[str]) -> None:
    """Each option of Nix's manual is taken by both commands, before and after the others, and changes nothing."""
    generated = command("generate-secret", *arguments, "--key-name", "a", *arguments)
    converted = command("convert-secret-to-public", *arguments, given=TEXT)

    assert (generated[0], generated[1][:2], generated[2]) == (0, b"a:", b"")
    assert converted == (0, PUBLIC_TEXT, b"")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_version_is_printed_whatever_is_missing(command: Run, name: str) -> None:
    document = json.loads(command(name, "--version", as_json=True)[1])

    assert command(name, "--version") == (0, f"keywright {version('keywright-nix')}\n".encode(), b"")
    assert document == {"name": "keywright", "version": version("keywright-nix")}


@pytest.mark.parametrize(
    "arguments",
    [["extra"], ["--log-format", "json"], ["--key-n", "a"], ["--option", "cores"], ["--lenient"], ["--store", "x"]],
    ids=" ".join,
)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_nix_does_not_accept_either(command: Run, name: str, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command(name, *arguments)

    assert caught.value.code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_what_has_no_effect(registry: Registry, name: str) -> None:
    commands = Commands()
    registry.add_commands(commands)
    found = commands.table["nix", "key", name]
    parser = ArgumentParser(allow_abbrev=False, prog=f"keywright nix key {name}")
    found.configure(parser)

    text = " ".join(parser.format_help().split())

    idle = sorted({argument for option in OPTIONS for argument in option if argument.startswith("--")})
    assert all(argument in text for argument in idle)
    assert text.count("accepted as Nix accepts it; no effect here") == len(idle)
    assert " options of Nix without effect here: " in text
    assert ("--key-name" in text) == (name == "generate-secret")
    assert not found.global_options


def test_json(command: Run) -> None:
    """With --json, the key is the text of a document, and a missing name is one too, beside Nix's line."""
    secret = json.loads(command("generate-secret", "--key-name", "a", as_json=True)[1])
    public = json.loads(command("convert-secret-to-public", given=secret["data"].encode(), as_json=True)[1])
    code, missing, told = command("generate-secret", as_json=True)

    assert (secret["format"], secret["half"], secret["data"][:2]) == ("nix", "secret", "a:")
    assert (public["format"], public["half"], public["data"][:2]) == ("nix", "public", "a:")
    assert (code, told) == (1, b"error: required argument '--key-name' is missing\n")
    assert json.loads(missing) == {
        "error": {
            "type": "ConfigError",
            "message": "required argument '--key-name' is missing",
            "hint": None,
            "exit_code": 1,
        }
    }


def test_every_example_runs(registry: Registry) -> None:
    """Each example of a nix command calls it, alone or in another's arguments, with arguments that it takes."""
    commands = Commands()
    registry.add_commands(commands)
    seen = []

    for path, found in commands.table.items():
        for example in found.examples if path[0] == "nix" else ():
            call = re.search(
                rf"(?:^|\$\()keywright {' '.join(path)}((?: (?![<>])[^ )]+)*)", re.sub('"[^"]*"', "X", example)
            )
            assert call, example
            parser = ArgumentParser()
            parser.add_argument("--json", action="store_true") if found.global_options else None
            found.configure(parser)
            parser.parse_intermixed_args(call[1].split())
            seen.append(path)

    assert len(set(seen)) == 6


def test_what_nix_takes_twice_is_taken_twice() -> None:
    """Where keywright's own command line takes each option once, these commands repeat them as Nix does."""
    twice = [
        *("--key-name", "b", "--log-format", "raw", "--log-format", "bar"),
        *("--option", "cores", "4", "--option", "cores", "2"),
        *("--experimental-features", "a", "--experimental-features", "b"),
    ]
    given = ["nix", "key", "generate-secret", *twice, "--key-name", "c"]

    done = subprocess.run([sys.executable, "-m", "keywright", *given], capture_output=True, timeout=60)

    assert (done.returncode, done.stdout[:2], done.stderr) == (0, b"c:", b"")
