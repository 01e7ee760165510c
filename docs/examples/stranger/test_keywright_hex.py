"""The format keeps the contract of formats. The samples are of RFC 8032 §7.1, TEST 1."""

import pytest
from keywright_hex import HexFormat

from keywright import Format, Key
from keywright.testing import FormatContract, Sample

SEED = b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = b"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


class TestHexFormat(FormatContract):
    """At least one secret and one public sample; the contract spoils them in every way it knows."""

    samples = (Sample(b"secret test-1 " + SEED), Sample(b"public test-1 " + PUBLIC))

    @pytest.fixture
    def format(self) -> Format:
        """The format under test."""
        return HexFormat()

    def complete(self, key: Key) -> Key:
        """The key type's part: the public half of the one seed that is used here."""
        return Key(key.type, key.kid, key.secret, bytes.fromhex(PUBLIC.decode()), key.attributes)
