"""The plugin follows the contracts of formats and plugins.

The samples are the test vectors of PASERK: k4.local.json, k4.secret.json, k4.public.json and k4.pid.json of
https://github.com/paseto-standard/test-vectors; those of k4.secret were read in the reference implementation,
https://github.com/paragonie/paserk-php, which also has the secret halves. The second vector of each file is the example
of the specification, too. Not every k4.public key is a point of the curve, which a format does not check.
"""

from importlib.metadata import entry_points

import pytest
from keywright_paserk import PaserkFormat

from keywright import Format, Key, Secret
from keywright.errors import UnsupportedKeyError
from keywright.testing import FormatContract, PluginContract, Sample

ZERO = bytes(32)
SECOND = bytes.fromhex("707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f")
THIRD = SECOND[:-1] + b"\x90"
# The public keys of these three seeds.
OF_ZERO = bytes.fromhex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")
OF_SECOND = bytes.fromhex("1ce56a48c82ff99162a14bc544612674e5d61fb9317e65d4055780fdbcb4dc35")
OF_THIRD = bytes.fromhex("60fe37571a5d6e7d30b15154ce4a9fb92c70c870848f4ccdf1626588097f73f7")


def local(text: bytes, octets: bytes) -> Sample:
    """A test vector of k4.local.json."""
    return Sample(b"k4.local." + text, "a", Key("oct", "a", Secret(octets)))


def secret(text: bytes, seed: bytes, public: bytes) -> Sample:
    """A test vector of k4.secret.json."""
    return Sample(b"k4.secret." + text, "b", Key("ed25519", "b", Secret(seed), public))


def public(text: bytes, key: bytes) -> Sample:
    """A test vector of k4.public.json."""
    return Sample(b"k4.public." + text, "c", Key("ed25519", "c", None, key))


class TestPaserkFormat(FormatContract):
    """Every published vector of the three types."""

    samples = (
        local(b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ZERO),
        local(b"cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8", SECOND),
        local(b"cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjpA", THIRD),
        secret(
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA7aie8zrakLWKjqNAqbw1zZTIVdx3iQ6Y6wEihi1naKQ", ZERO, OF_ZERO
        ),
        secret(
            b"cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8c5WpIyC_5kWKhS8VEYSZ05dYfuTF-ZdQFV4D9vLTcNQ", SECOND, OF_SECOND
        ),
        secret(
            b"cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjpBg_jdXGl1ufTCxUVTOSp-5LHDIcISPTM3xYmWICX9z9w", THIRD, OF_THIRD
        ),
        public(b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ZERO),
        public(b"cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8", SECOND),
        public(b"cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjpA", THIRD),
    )

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return PaserkFormat()


@pytest.mark.skipif(
    "keywright_paserk" not in [entry.value for entry in entry_points(group="keywright")],
    reason="keywright-paserk is not installed, and the contract looks up its entry point",
)
class TestPaserkPlugin(PluginContract):
    """The module, once `pip install .` was run."""

    module = "keywright_paserk"


@pytest.mark.parametrize(
    ("key", "kid"),
    [
        pytest.param(ZERO, "k4.pid.S_XQmeEwHbbvRmiyfXfHYpLGjXGzjTRSDoT1YtTakWFE", id="k4.pid-1"),
        pytest.param(SECOND, "k4.pid.9ShR3xc8-qVJ_di0tc9nx0IDIqbatdeM2mqLFBJsKRHs", id="k4.pid-2"),
        pytest.param(THIRD, "k4.pid.-nyvbaTz8U6TQz7OZWW-iB3va31iAxIpUgzUcVQVmW9A", id="k4.pid-3"),
    ],
)
def test_the_default_kid_is_the_paserk_id(key: bytes, kid: str) -> None:
    """A public key gets its published PASERK id, whatever it is stored as."""
    assert PaserkFormat().default_kid("web", 7, Key("ed25519", "", None, key)) == kid


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(Key("oct", "", Secret(bytes(64))), id="512 bits"),
        pytest.param(Key("x25519", "", Secret(bytes(32)), bytes(32)), id="another type"),
        pytest.param(Key("ed25519", "", Secret(bytes(32))), id="no public half"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(key: Key) -> None:
    """PASERK v4 has 256-bit symmetric keys and Ed25519 keys with both halves."""
    with pytest.raises(UnsupportedKeyError):
        PaserkFormat().encode_secret(key)
    with pytest.raises(UnsupportedKeyError):
        PaserkFormat().encode_public(key)
