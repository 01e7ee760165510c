"""The contract kit: it passes what is sound, and catches what is not."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from keywright.errors import KeyNotFoundError, MalformedKeyError, UnsupportedKeyError
from keywright.key import Attributes, Key
from keywright.protocols import Format
from keywright.secret import Secret
from keywright.testing import FormatContract, Sample, assert_hidden

_CAUGHT = (AssertionError, pytest.fail.Exception, KeyNotFoundError, ValueError)


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_without_its_packages_it_says_what_to_install(package: str) -> None:
    """Where pytest or hypothesis is missing, the import error names the extra that brings them."""
    program = f"import sys; sys.modules[{package!r}] = None; import keywright.testing"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert result.stderr.splitlines()[-1] == (
        "ImportError: keywright.testing needs pytest and hypothesis; install keywright-core[testing]"
    )


class Toy:
    """A format for ed25519 keys: `secret KID SEED PUBLIC` or `public KID PUBLIC`, halves in lower-case hexadecimal."""

    name = "toy"
    key_types = ("ed25519",)
    _pattern = re.compile(rb"public [a-z0-9.-]+ [0-9a-f]{64}|secret [a-z0-9.-]+ [0-9a-f]{64} [0-9a-f]{64}")

    def encode_secret(self, key: Key) -> Secret:
        kid = self._kid(key)
        if key.secret is None or key.public is None:
            raise UnsupportedKeyError("a toy key needs both halves")
        return Secret(f"secret {kid} {key.secret.reveal().hex()} {key.public.hex()}".encode())

    def encode_public(self, key: Key) -> bytes:
        if key.public is None:
            raise UnsupportedKeyError("a toy key needs its public half")
        return f"public {self._kid(key)} {key.public.hex()}".encode()

    def decode(self, data: Secret, *, default_kid: str) -> Key:
        if not self._pattern.fullmatch(data.reveal()):
            raise MalformedKeyError("this is no toy key")
        return Key(
            "ed25519",
            data.reveal().split()[1].decode(),
            Secret(bytes.fromhex(data.reveal().split()[2].decode())) if data.reveal()[0] == ord("s") else None,
            bytes.fromhex(data.reveal().split()[-1].decode()),
        )

    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return f"{name}-{version}"

    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith((b"secret ", b"public "))

    def _kid(self, key: Key) -> str:
        if key.type not in self.key_types:
            raise UnsupportedKeyError("a toy key is of type ed25519")
        if not key.kid or not set(key.kid) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-"):
            raise UnsupportedKeyError("the kid of a toy key is of a-z, 0-9, '.' and '-'")
        return key.kid


# RFC 8032 §7.1, test 1
_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
_SAMPLES = (
    Sample(
        f"secret k {_SEED} {_PUBLIC}".encode(),
        key=Key("ed25519", "k", Secret(bytes.fromhex(_SEED)), bytes.fromhex(_PUBLIC), Attributes()),
    ),
    Sample(f"public k {_PUBLIC}".encode(), key=Key("ed25519", "k", None, bytes.fromhex(_PUBLIC), Attributes())),
)


class TestToy(FormatContract):
    """The contract of formats, for a sound one."""

    samples = _SAMPLES

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return Toy()


class _LeaksIntoPublic(Toy):
    def encode_public(self, key: Key) -> bytes:
        return super().encode_public(key) + (b"" if key.secret is None else key.secret.reveal().hex().encode())


class _QuotesInput(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        try:
            return super().decode(data, default_kid=default_kid)
        except MalformedKeyError:
            raise MalformedKeyError(f"{data.reveal()!r} is no toy key") from None


class _ShowsLocals(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        text = data.reveal().decode(errors="replace")
        key = super().decode(data, default_kid=default_kid)
        return key if text else replace(key)


class _IgnoresCase(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().lower()), default_kid=default_kid)


class _Strips(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(Secret(data.reveal().rstrip(b"\0=")), default_kid=default_kid)


class _PadsWhatIsShort(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        return super().decode(
            Secret(data.reveal() + b"0" if len(data) == 137 else data.reveal()), default_kid=default_kid
        )


class _TakesAnyType(Toy):
    def encode_secret(self, key: Key) -> Secret:
        return super().encode_secret(replace(key, type="ed25519"))


class _RaisesItsOwn(Toy):
    def decode(self, data: Secret, *, default_kid: str) -> Key:
        data.reveal().decode("ascii")
        return super().decode(data, default_kid=default_kid)


class _KidFromSecret(Toy):
    def default_kid(self, name: str, version: int, key: Key) -> str | None:
        return "" if key.secret is None else key.secret.reveal().hex()


_FORMAT_FAULTS = [
    (_LeaksIntoPublic, "test_format_06_public_encodings_hold_nothing_secret"),
    (_QuotesInput, "test_format_35_no_message_quotes_the_input"),
    (_QuotesInput, "test_format_36_no_traceback_shows_the_secret"),
    (_ShowsLocals, "test_format_36_no_traceback_shows_the_secret"),
    (_IgnoresCase, "test_format_31_every_flipped_bit_is_refused_or_another_key"),
    (_Strips, "test_format_32_junk_around_a_key_is_refused_or_another_key"),
    (_PadsWhatIsShort, "test_format_30_every_truncation_is_refused"),
    (_TakesAnyType, "test_format_08_foreign_key_types_are_refused"),
    (_RaisesItsOwn, "test_format_34_arbitrary_data_are_refused_or_a_key"),
    (_KidFromSecret, "test_format_12_the_default_kid_fits_and_gives_nothing_away"),
]


class _ToyContract(FormatContract):
    samples = _SAMPLES


@pytest.mark.parametrize(("format_class", "method"), _FORMAT_FAULTS)
def test_a_faulty_format_is_caught(format_class: type[Toy], method: str) -> None:
    """Each planted fault fails the rule that forbids it."""
    arguments: dict[str, object] = {"format": format_class()}
    if method.startswith("test_format_32"):
        arguments["junk"] = b"\0"

    with pytest.raises(_CAUGHT):
        getattr(_ToyContract(), method)(**arguments)


_HIDDEN = Secret(b"canary-7f3b-sings-not")


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("xx canary-7f3b-sings-not xx", id="plain"),
        pytest.param("y-7f3b-sing", id="a part"),
        pytest.param(_HIDDEN.reveal().hex(), id="hex"),
        pytest.param(_HIDDEN.reveal().hex().upper()[7:], id="hex, upper case, odd start"),
        pytest.param("x Y2FuYXJ5LTdmM2Itc2luZ3Mtbm90 x", id="base64"),
        pytest.param("Y2FuYXJ5\nLTdmM2It\nc2luZ3Mt\nbm90", id="base64, wrapped"),
        pytest.param("eGNhbmFyeS03ZjNiLXNpbmdzLW5vdA", id="base64, one byte further"),
        pytest.param(repr(list(_HIDDEN.reveal())), id="list of numbers"),
        pytest.param(str(int.from_bytes(_HIDDEN.reveal())), id="one number"),
        pytest.param(str(int.from_bytes(_HIDDEN.reveal(), "little")), id="one number, little-endian"),
        pytest.param("b'\\x63\\x61\\x6e\\x61\\x72\\x79\\x2d\\x37\\x66'", id="bytes literal"),
        pytest.param(_HIDDEN.reveal(), id="bytes"),
    ],
)
def test_assert_hidden_finds_a_secret_in_any_spelling(shown: str | bytes) -> None:
    """A secret is found in the clear, in hexadecimal, base64, Python's spellings and as a number."""
    with pytest.raises(pytest.fail.Exception) as caught:
        assert_hidden(_HIDDEN, shown)

    assert str(caught.value) == "a secret shows in a text that must not hold it"


def test_assert_hidden_passes_over_what_is_public() -> None:
    """Stretches that the public half holds too, and ones that say nothing, are no leak."""
    assert_hidden(_HIDDEN, "<secret> canary-", public=b"")
    assert_hidden(_HIDDEN, "canary-7f3b", public=b"canary-7f3b")
    assert_hidden(Secret(bytes(32)), bytes(100))


@pytest.mark.parametrize("shown", [b"b'\\xzz'", b"b'\0'", b"b'\\d'", b"b'" + b"\\" * 3 + b"'"])
def test_what_only_looks_like_a_literal_holds_no_secret(shown: bytes) -> None:
    """Random bytes that look like a bytes literal and are none are no reason to fail."""
    assert_hidden(Secret(b"0123456789abcdef"), shown)
