"""How long a whole process takes: keywright beside the bare interpreter and its peers."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from timing import Prepare, row, time_in_turn

PYTHON = sys.executable
BIN = Path(PYTHON).parent
ED25519 = "import cryptography.hazmat.primitives.asymmetric.ed25519"
JWCRYPTO = "from jwcrypto import jwk; jwk.JWK.generate(kty='oct', size=256).export()"


def start_rows(home: Path, *, runs: int) -> Iterator[str]:
    """Whole processes, and the first budget."""
    config = home / "keywright.toml"
    config.write_text('[stores.keys]\nbackend = "file"\npath = "keys"\n')
    command = [str(BIN / "keywright")]
    generate = [*command, "--config", str(config), "generate"]
    commands: dict[str, Prepare] = {
        "python -c pass": lambda _: [PYTHON, "-c", "pass"],
        "python -c 'import …ed25519'": lambda _: [PYTHON, "-c", ED25519],
        "keywright generate (file store)": lambda number: [*generate, f"b-{number}"],
        "keywright nix key generate-secret": lambda _: [*command, "nix", "key", "generate-secret", "--key-name", "b-1"],
        "keywright jose jwk create-secret-key": lambda _: [*command, "jose", "jwk", "create-secret-key"],
        "keyring get": lambda _: [str(BIN / "keyring"), "get", "service", "user"],
        "jwcrypto, oct key": lambda _: [PYTHON, "-c", JWCRYPTO],
    }
    if nix := shutil.which("nix"):
        commands["nix key generate-secret"] = lambda _: [nix, "key", "generate-secret", "--key-name", "b-1"]
    env = _peer_environment(home)
    timed = time_in_turn(commands, runs=runs, env=env)
    yield from (row(f"{one.name}, ms", one.median * 1000) for one in timed.values())
    ours = timed["keywright generate (file store)"]
    yield row("generate / import …ed25519", ours.over(timed["python -c 'import …ed25519'"]), at_most=2.0)
    yield row("generate / keyring get", ours.over(timed["keyring get"]), at_most=0.6)
    if cpp := timed.get("nix key generate-secret"):
        for name, at_most in (("nix key generate-secret", 1.5), ("jose jwk create-secret-key", 1.7)):
            yield row(f"{name} / C++ nix", timed[f"keywright {name}"].over(cpp), at_most=at_most)


def discovery_rows(home: Path, *, runs: int) -> Iterator[str]:
    """What 140 more installed distributions cost, and the second budget."""
    crowds = {count: _crowd(home / f"installed-{count}", count) for count in (10, 150)}
    command = [str(BIN / "keywright"), "nix", "key", "generate-secret", "--key-name", "bench-1"]

    def among(count: int) -> Prepare:
        return lambda _: ["env", f"PYTHONPATH={crowds[count]}", *command]

    timed = time_in_turn({f"{count} distributions more": among(count) for count in crowds}, runs=runs, env={})
    few, many = timed.values()
    yield from (row(f"{one.name}, ms", one.median * 1000) for one in (few, many))
    yield row("150 distributions instead of 10, ms more", many.beyond(few) * 1000, at_most=3)


def _crowd(directory: Path, count: int) -> Path:
    """A directory with so many installed distributions, each with a console script, as most have."""
    for number in range(count):
        info = directory / f"package_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\npackage-{number} = package_{number}:main\n")
    return directory


def _peer_environment(home: Path) -> Mapping[str, str]:
    """A keyring that has one password in a plain file, and Nix's experimental command."""
    data = home / "python_keyring"
    data.mkdir()
    (data / "keyring_pass.cfg").write_text("[service]\nuser = c2VjcmV0\n")
    return {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(home),
        "NIX_CONFIG": "experimental-features = nix-command",
    }
