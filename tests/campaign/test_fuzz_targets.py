"""The fuzz targets hold on plain Python: their seeds, and some inputs made of them, keep each contract."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from keywright import Key, Secret
from keywright.errors import FormatError, KeywrightError, MalformedKeyError
from keywright_nix.key import NixFormat, decode_base64
from keywright_nix.signature import TrustedKeys

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))

from fuzz_targets import NAMES, load
from fuzz_targets.contract import ContractBrokenError, attempt

FUZZ = Path(__file__).parents[2] / "fuzz"
_EXAMPLES = {"command_line": 30, "file_store": 100, "sqlite_store": 100}
_CANARY = b"Quotd8canaRy"


@pytest.fixture(autouse=True, scope="module")
def own_environment() -> Iterator[None]:
    """Targets set `HOME` and other variables for their whole process, which here has other tests too."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_every_target_is_run_and_documented() -> None:
    """Each target of a module is in `NAMES`, which the campaign goes by, and has a row in the README."""
    modules = [import_module(f"fuzz_targets.{path.stem}") for path in FUZZ.glob("fuzz_targets/[a-z]*.py")]

    assert sorted(name for module in modules for name in getattr(module, "TARGETS", ())) == sorted(NAMES)
    assert [name for name in NAMES if f"| `{name}` |" not in (FUZZ / "README.md").read_text()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_keeps_the_contract(name: str) -> None:
    """Each seed of a target passes its check, as do the empty input and its words."""
    target = load(name)

    for data in (b"", *target.seeds, *target.words):
        target.check(data)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_made_of_the_seeds_keep_the_contract(name: str) -> None:
    """Inputs that are anything, and such that the target's own mutations make of its seeds, pass its check."""
    target = load(name)

    @settings(max_examples=_EXAMPLES.get(name, 200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=st.sampled_from(target.seeds), other=st.binary(max_size=200), number=st.integers(0, 2**32))
    def law(seed: bytes, other: bytes, number: int) -> None:
        random = Random(number)
        at = random.randrange(len(seed) + 1)
        target.check(seed[:at] + other[:8] + seed[at:])
        target.check(other)
        made = None if target.mutate is None else target.mutate(seed, random)
        if made is not None:
            target.check(made[: target.maximum_bytes])

    law()


def _refusing(message: str, kind: type[Exception] = MalformedKeyError) -> Callable[[], object]:
    def refuse() -> object:
        raise kind(message)

    return refuse


@pytest.mark.parametrize(
    "refuse",
    [
        pytest.param(_refusing(""), id="no message"),
        pytest.param(_refusing("the key is wrong\ncorrect it"), id="two lines"),
        pytest.param(_refusing(f"the key {_CANARY.decode()} is wrong; correct it"), id="input"),
        pytest.param(_refusing("the key is wrong; correct it", KeywrightError), id="base class"),
    ],
)
def test_a_refusal_that_breaks_the_contract_is_a_finding(refuse: Callable[[], object]) -> None:
    """A message that is empty, goes over two lines or quotes the input is a finding, and so is the base class."""
    with pytest.raises(ContractBrokenError):
        attempt(refuse, KeywrightError, given=(_CANARY,))


def test_another_exception_is_a_finding() -> None:
    """What is not among the classes that may be raised passes through, so that the fuzzer sees it."""
    with pytest.raises(ValueError, match="invalid"):
        attempt(_refusing("invalid", ValueError), FormatError, given=())


def test_a_cause_that_quotes_the_input_is_a_finding() -> None:
    """An error whose traceback would print another one with the input in it is a finding."""

    def refuse() -> object:
        try:
            raise ValueError(_CANARY.decode())
        except ValueError as error:
            raise MalformedKeyError("the key is wrong; correct it") from error

    with pytest.raises(ContractBrokenError, match="a message quotes the input"):
        attempt(refuse, FormatError, given=(_CANARY,))


def test_a_lenient_decoder_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that takes what is not canonical fails its target."""
    read = NixFormat.decode_lenient

    def decode(self: NixFormat, data: Secret, *, default_kid: str) -> Key:
        return read(self, data, default_kid=default_kid)[0]

    target = load("nix")
    monkeypatch.setattr(NixFormat, "decode", decode)

    with pytest.raises(ContractBrokenError, match="what was read strictly is not written as it was"):
        target.check(b"a b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n")


def test_a_short_way_that_differs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick reader of narinfos that takes another fingerprint than the strict one fails its target."""
    target = load("narinfo")
    monkeypatch.setattr("fuzz_targets.nix.read_fast_path", lambda _: (b"", [], b"", b"1;/nix/store/x;;1;"))

    with pytest.raises(ContractBrokenError, match="the two ways to read a narinfo differ"):
        target.check(target.seeds[0])


def test_a_list_of_keys_that_is_read_otherwise_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of trusted keys that drops one, or is silent about a malformed one, fails its target."""
    target = load("narinfo")
    monkeypatch.setattr("fuzz_targets.nix.parse_trusted", lambda _: TrustedKeys({}, ("x",), 0))

    with pytest.raises(ContractBrokenError, match="Nix trusts other keys"):
        target.check(b"a-1:tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc=")
    with pytest.raises(ContractBrokenError, match="Nix refuses another number of keys"):
        target.check(b"a-1")


def test_a_decoder_that_shows_the_secret_in_a_local_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder in whose frames the secret stands bare when it refuses fails its target."""
    # In a module of that name, for only our own frames are looked at.
    namespace: dict[str, object] = {"__name__": "keywright_nix.broken", "strictly": decode_base64, "Secret": Secret}
    exec("def read(payload):\n    bare = payload.reveal()\n    return strictly(Secret(bare))", namespace)
    monkeypatch.setattr("keywright_nix.key.decode_base64", namespace["read"])

    with pytest.raises(ContractBrokenError, match="a local variable of a frame that raises holds the secret"):
        load("nix").check(b"cache.example.org-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe")
