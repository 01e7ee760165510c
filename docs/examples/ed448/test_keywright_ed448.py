"""The plugin follows the contracts of key types, formats and plugins.

The keys are test vectors of RFC 8032 §7.4 ("Blank", "1 octet"); jwcrypto computed the thumbprints.
"""

from importlib.metadata import entry_points

import pytest
from keywright_ed448 import Ed448

from keywright import Attributes, Format, Key, KeyType, Registry, Secret
from keywright.errors import InvalidKeyError, MalformedKeyError, UnsupportedKeyError
from keywright.testing import FormatContract, KeyTypeContract, PluginContract, Sample

BLANK = (
    "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b",
    "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180",
)
BLANK_SIGNATURE = (
    "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980"
    "ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600"
)
ONE = (
    "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
    "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
)
BLANK_X = "X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA"
BLANK_D = "bIKlYsuAjRDWMr6JyFE-v2ySnzTd-oyfY8mWDvbjSKNSjIo_zC8ETjmj_FuUSS-PAy51SaIAmPlb"
ONE_X = "Q7oo9DDN_0Vq5TFUX37NCsg0pV2TWMA3K_oMbGeYwIZq6gHrAHQoArhDjqTLghacI1FgYntMOpSA"
ONE_D = "xOqwXTVwB8Yy89u0hImSTVUrCP4MNToNSh8ArNosRjr76mfF6NKHfF47w5emWZSe-AIelU4KEidO"


def key(halves: tuple[str, str], kid: str = "", *, public: bool = False, **attributes: object) -> Key:
    """A key of a test vector."""
    secret = None if public else Secret(bytes.fromhex(halves[0]))
    return Key("ed448", kid, secret, bytes.fromhex(halves[1]), Attributes(attributes))


@pytest.fixture
def jwk() -> Format:
    """The format `jwk` as a ring has it once the plugin is installed."""
    import keywright_ed448

    import keywright_jose.plugin

    registry = Registry()
    registry.add(keywright_ed448, "ed448")
    registry.add(keywright_jose.plugin, "jose")
    return registry.format("jwk")


class TestEd448(KeyTypeContract):
    """The contract of key types."""

    @pytest.fixture
    def key_type(self) -> KeyType:
        """The key type under test."""
        return Ed448()


class TestJwk(FormatContract):
    """The contract of formats, for the JWKs of this key type."""

    samples = (
        Sample(
            f'{{"crv":"Ed448","d":"{BLANK_D}","kid":"a","kty":"OKP","x":"{BLANK_X}"}}'.encode(), "a", key(BLANK, "a")
        ),
        Sample(f'{{"crv":"Ed448","d":"{ONE_D}","kid":"b","kty":"OKP","x":"{ONE_X}"}}'.encode(), "b", key(ONE, "b")),
        Sample(
            f'{{"alg":"Ed448","crv":"Ed448","kid":"c","kty":"OKP","use":"sig","x":"{BLANK_X}"}}'.encode(),
            "c",
            key(BLANK, "c", public=True, alg="Ed448", use="sig"),
        ),
        Sample(f'{{"crv":"Ed448","kid":"d","kty":"OKP","x":"{ONE_X}"}}'.encode(), "d", key(ONE, "d", public=True)),
    )

    @pytest.fixture
    def format(self, jwk: Format) -> Format:
        """The format under test."""
        return jwk


@pytest.mark.skipif(
    "keywright_ed448" not in [entry.value for entry in entry_points(group="keywright")],
    reason="keywright-ed448 is not installed, and the contract looks up its entry point",
)
class TestEd448Plugin(PluginContract):
    """The module, once `pip install .` was run."""

    module = "keywright_ed448"


def test_the_signature_is_the_published_one() -> None:
    """Ed448 has no nonce, so a message has one signature."""
    assert Ed448().signer(key(BLANK), "Ed448")(b"").hex() == BLANK_SIGNATURE


@pytest.mark.parametrize(
    ("halves", "thumbprint"),
    [
        pytest.param(BLANK, "zQstisLFDWZb-FiVsZl6490ATVgxw_63L-xYldKyuUY", id="blank"),
        pytest.param(ONE, "dmWebDhaEkyn9NH-xdf-tgWROS-EpJOMf1USIWM0_Zg", id="one octet"),
    ],
)
def test_the_kid_is_the_thumbprint(jwk: Format, halves: tuple[str, str], thumbprint: str) -> None:
    """RFC 7638 counts the public members alone."""
    assert jwk.default_kid("web", 1, key(halves)) == jwk.default_kid("web", 2, key(halves, public=True)) == thumbprint


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'{{"crv":"Ed448","kty":"OKP","x":"{BLANK_X}="}}', id="padded"),
        pytest.param(f'{{"crv":"Ed448","kty":"OKP","x":"{BLANK_X[:-2]}"}}', id="short"),
        pytest.param(f'{{"crv":"Ed448","d":"{BLANK_D}","kty":"OKP"}}', id="without x"),
        pytest.param(f'{{"crv":"Ed448","k":"AAAA","kty":"OKP","x":"{BLANK_X}"}}', id="a member of another kty"),
        pytest.param(f'{{"alg":"EdDSA","crv":"Ed448","kty":"OKP","use":"enc","x":"{BLANK_X}"}}', id="alg of ed25519"),
    ],
)
def test_what_is_not_such_a_jwk_is_refused(jwk: Format, text: str) -> None:
    """By the key type, or by the format, which checks that the members are those that the type writes."""
    with pytest.raises(MalformedKeyError):
        jwk.decode(Secret(text.encode()), default_kid="")


def test_without_the_plugin_it_is_unsupported() -> None:
    """The format itself knows no Ed448."""
    from keywright_jose.jwk.format import JwkFormat

    with pytest.raises(UnsupportedKeyError):
        JwkFormat().decode(Secret(f'{{"crv":"Ed448","kty":"OKP","x":"{BLANK_X}"}}'.encode()), default_kid="")


@pytest.mark.parametrize("public", [bytes(57), b"\1" + bytes(56), b"\2" + bytes(56)], ids=["y 0", "y 1", "no point"])
def test_what_is_not_a_point_of_large_order_is_refused(public: bytes) -> None:
    """With a point of small order, anybody could sign."""
    with pytest.raises(InvalidKeyError):
        Ed448().validate(Key("ed448", public=public))
