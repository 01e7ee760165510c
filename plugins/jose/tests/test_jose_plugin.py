"""The plugin module: what it registers, and how little it loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.errors import text_of

import keywright_jose
from keywright import Format
from keywright.testing import PluginContract
from keywright_jose import plugin
from keywright_jose.jwk.format import JwkFormat

_PROBE = """
import sys
import keywright.errors
from keywright import Commands, Key, hookimpl  # what these load is keywright's, not the plugin's
before = set(sys.modules)
from keywright_jose import plugin
plugin.keywright_register_formats()
plugin.keywright_add_commands(Commands())
print(*sorted(set(sys.modules) - before))
"""


def test_registering_loads_nothing_else() -> None:
    loaded = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True).stdout.split()

    formats = {"keywright_jose.jwk", "keywright_jose.jwk.format"}
    assert set(loaded) == {"keywright_jose", "keywright_jose.plugin", "keywright_jose.cli"} | formats


class TestJosePlugin(PluginContract):
    """The contract that every plugin module fulfils."""

    module = "keywright_jose.plugin"


def test_one_format_is_registered() -> None:
    (registered,) = plugin.keywright_register_formats()

    assert isinstance(registered, Format)
    assert isinstance(registered, JwkFormat)
    assert registered.name == "jwk"
    assert registered.key_types == ("oct", "ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa")


def test_what_it_does_not_export_it_does_not_have() -> None:
    """Names load on first use; one that is not exported is an AttributeError that names it."""
    with pytest.raises(AttributeError) as caught:
        keywright_jose.nothing  # type: ignore[attr-defined]  # noqa: B018  (looking is what is tested)

    assert text_of(caught.value) == "module 'keywright_jose' has no attribute 'nothing'"


@pytest.mark.parametrize("arguments", ["create-secret-key --bits 256", "create-curve-key --curve P-256"])
def test_making_a_key_needs_no_configuration(tmp_path: Path, arguments: str) -> None:
    """A configuration that says nonsense about stores keeps no one from making a JWK."""
    (tmp_path / "keywright.toml").write_text("[stores.main]\nbackend = 1\n")

    done = subprocess.run(
        [sys.executable, "-m", "keywright", "jose", "jwk", *arguments.split()],
        capture_output=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout[:1]) == (0, b"{")


def test_every_export_loads_on_first_use() -> None:
    probe = "import keywright_jose as it; print([name for name in it.__all__ if getattr(it, name, None) is None])"

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("[]\n", "")
