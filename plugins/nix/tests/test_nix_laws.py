"""Laws of the format `nix` over generated keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keywright import Key, Secret
from keywright.errors import MalformedKeyError, UnsupportedKeyError
from keywright_nix.key import NixFormat

FORMAT = NixFormat()

names = st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable() and " " not in name and ":" not in name)
halves = st.binary(min_size=32, max_size=32)
keys = st.builds(
    lambda name, seed, public: Key("ed25519", name, Secret(seed), public),
    names,
    halves,
    halves,
)


def read(data: bytes) -> Key | None:
    try:
        return FORMAT.decode(Secret(data), default_kid="")
    except MalformedKeyError:
        return None


@given(keys)
def test_round_trip(key: Key) -> None:
    """What is encoded decodes to the same key, strictly and leniently, and is sniffed."""
    secret, public = FORMAT.encode_secret(key), FORMAT.encode_public(key)

    assert FORMAT.decode(secret, default_kid="") == key
    assert FORMAT.decode_lenient(secret, default_kid="") == (key, ())
    assert FORMAT.decode(Secret(public), default_kid="") == key.without_secret()
    assert FORMAT.sniff(secret)
    assert FORMAT.sniff(Secret(public))


@given(keys)
def test_the_public_text_is_made_of_public_things(key: Key) -> None:
    """The public encoding is the same whether or not the key still has its secret half."""
    assert FORMAT.encode_public(key) == FORMAT.encode_public(key.without_secret())


@given(st.one_of(st.binary(max_size=120), st.builds(lambda n, p: n + b":" + p, st.binary(), st.binary())))
def test_anything_at_all(data: bytes) -> None:
    """Any bytes are a key or a MalformedKeyError, in either reading, and nothing strict is refused leniently."""
    strict = read(data)
    try:
        lenient, deviations = FORMAT.decode_lenient(Secret(data), default_kid="")
    except MalformedKeyError:
        assert strict is None
    else:
        assert (strict is None) == bool(deviations)
        assert strict in (None, lenient)
    FORMAT.sniff(Secret(data))


@given(st.text(max_size=20), halves, halves)
def test_a_kid_is_refused_or_read_back(kid: str, seed: bytes, public: bytes) -> None:
    """Encoding refuses the kids that nobody could read back; of the others, decoding refuses the odd ones."""
    key = Key("ed25519", kid, Secret(seed), public)

    try:
        text = FORMAT.encode_secret(key)
    except UnsupportedKeyError:
        assert kid == "" or ":" in kid
        return
    if " " in kid or not kid.isprintable():
        assert FORMAT.decode_lenient(text, default_kid="")[0] == key
        assert read(text.reveal()) is None
    else:
        assert FORMAT.decode(text, default_kid="") == key


@given(keys)
def test_no_truncation_is_the_same_key(key: Key) -> None:
    """Every truncation, at either end, is refused or another key."""
    text = FORMAT.encode_secret(key).reveal()

    for cut in range(1, len(text) + 1):
        assert read(text[:-cut]) is None
        assert read(text[cut:]) != key


@given(keys, st.integers(0, 255), st.booleans())
def test_no_other_text_is_the_same_key(key: Key, character: int, public: bool) -> None:
    """No change of one byte to `character`, at any place, gives the same key; nor does an insertion, but for the
    one line feed at the end."""
    text = FORMAT.encode_public(key) if public else FORMAT.encode_secret(key).reveal()
    wanted = key.without_secret() if public else key

    for place in range(len(text)):
        changed = text[:place] + bytes([character]) + text[place + 1 :]
        assert changed == text or read(changed) != wanted
        assert read(text[:place] + bytes([character]) + text[place:]) != wanted
    assert (read(text + bytes([character])) == wanted) == (character == ord("\n"))
