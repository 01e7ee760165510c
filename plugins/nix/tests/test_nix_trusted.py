"""`trusted-public-keys`: what Nix would make of it, and each trap by its name."""

from __future__ import annotations

from base64 import b64encode

import nacl.signing
import pytest
from nix_messages import CHARACTER, EXPOSED, NO_COLON, PADDING_CHANGED, REST_CUT, SPARE_BITS_IGNORED, length
from nix_signing import bound, public

from keywright_nix.signature import parse_trusted

A, B = public("a-1", 1), public("b-1", 2)
KEYS = {"a-1": bound("a-1", 1).public, "b-1": bound("b-1", 2).public}
SECRET = "a-1:" + b64encode((1).to_bytes(32) + KEYS["a-1"]).decode()
UNSOUND = "a-1:" + b64encode(bytes(32)).decode()
SPARE = A[:-2] + chr(ord(A[-2]) + 1) + "="  # canonical, that character stands for 4 bits and two zeros


OUT = "is left out, and Nix would refuse to work at all:"
NO_TEXT = "is left out: its name is not Unicode text; give the key another name"
COMMENT = "its name has a '#', which begins a comment in nix.conf, so Nix refuses to work; rename the key"


def test_sound_keys() -> None:
    for text in (f"{A} {B}", f"  {A}\n\t{B}\r\n", f"{A}\n{B}"):
        assert parse_trusted(text) == (KEYS, (), 0)
    assert parse_trusted(" \n") == ({}, (), 0)


ANOTHER_KEY = "is a different key with a name that another one has, and Nix ignores it; rename one of the two"

# By what is wrong: the text, the names of the keys that Nix takes from it, and the warning.
TRAPS = {
    "joined by a comma": (
        f"{A},{B}",
        ["a-1"],
        "key 1 (a-1): a comma follows it, and Nix ignores what comes after that; separate keys by spaces",
    ),
    "joined by a comma, without padding": (
        f"{A.rstrip('=')},{B}",
        [],
        f"key 1 (a-1) {OUT} the base64 of the Nix key has a comma in it; separate keys by spaces",
    ),
    "two keys of one name": (
        f"{A} {public('a-1', 3)}",
        ["a-1"],
        f"key 2 (a-1) {ANOTHER_KEY}",
    ),
    "twice": (f"{A} {A}", ["a-1"], "key 2 (a-1) is listed twice; remove one"),
    "one key under two names": (
        f"{A} {public('c-1', 1)}",
        ["a-1", "c-1"],
        "key 2 (c-1) is listed under another name too, and counts once; remove one",
    ),
    "what Nix reads all the same": (f"{B} {A[:-1]}", ["b-1", "a-1"], f"key 2 (a-1): {PADDING_CHANGED}"),
    "spare bits": (SPARE, ["a-1"], f"key 1 (a-1): {SPARE_BITS_IGNORED}"),
    "a name that does not print": (
        public("a\u00a0b"),
        ["a\u00a0b"],
        "key 1: its name has a character that does not print; rename the key",
    ),
    "malformed": (f"{B} a-1:AAAA", ["b-1"], f"key 2 (a-1) {OUT} {length(3)}"),
    "a name alone": ("cache.example.org-1", [], f"key 1 {OUT} {NO_COLON}"),
    "a secret key": (
        SECRET,
        [],
        f"key 1 (a-1) {OUT} {EXPOSED}",
    ),
    "a point of small order": (
        UNSOUND,
        [],
        "key 1 (a-1) is left out: no signature is accepted under such a point; remove it",
    ),
    "a name that is not text, which Nix takes": (f"{B} \udcff{A}", ["b-1"], f"key 2 {NO_TEXT}"),
    "a name that is not text, and a key after it": (
        f"{A} \udcff{public('c-1', 3)} {B}",
        ["a-1", "b-1"],
        f"key 2 {NO_TEXT}",
    ),
    "a name that is not text, first surrogate": (f"\ud800{A}", [], f"key 1 {NO_TEXT}"),
    "a name that is not text, last surrogate": (f"\udfff{A}", [], f"key 1 {NO_TEXT}"),
    **{
        f"parted by what parts nothing, {ord(odd):x}": (f"{A}{odd}{B}", ["a-1"], f"key 1 (a-1): {REST_CUT}")
        for odd in ("\v", "\f", "\u00a0", "\x1c")
    },
    "a name that is not text, and no key": (f"\udcff{A[:-4]}", [], f"key 1 {OUT} {length(30)}"),
    "no text in the base64": (f"a-1:\udcff{A[4:]}", [], f"key 1 (a-1) {OUT} {CHARACTER}"),
    "no text behind the padding, which Nix takes": (f"{A}\ud800", ["a-1"], f"key 1 (a-1): {REST_CUT}"),
    "a comment's sign in the name": (public("a#b"), ["a#b"], f"key 1 (a#b): {COMMENT}"),
    "a name that may be a key": (
        f"{'S' * 41}=:{A[4:]} {'S' * 41}=:{A[4:]}",
        ["S" * 41 + "="],
        "key 2 is listed twice; remove one",
    ),
    "the longest invalid name": (
        f"{'S' * 40}:{A[4:]} {'S' * 40}:{A[4:]}",
        ["S" * 40],
        f"key 2 ({'S' * 40}) is listed twice; remove one",
    ),
    "a long invalid name": (
        f"{'-' * 41}:{A[4:]} {'-' * 41}:{A[4:]}",
        ["-" * 41],
        f"key 2 ({'-' * 41}) is listed twice; remove one",
    ),
}


@pytest.mark.parametrize("case", TRAPS)
def test_traps(case: str) -> None:
    """Each trap has its sentence, which holds no bytes of a key; the keys are those under which Nix verifies."""
    text, names, warning = TRAPS[case]

    keys, warnings, malformed = parse_trusted(text)

    assert list(keys) == names
    assert warnings == (warning,)
    assert malformed == ("Nix would refuse to work at all" in warning)


def test_several_things_of_one_key() -> None:
    keys, warnings, malformed = parse_trusted(f"x a#\u00ad:{A[4:]},y y a#b:{A[4:-1]}")

    assert list(keys) == ["a#\u00ad", "a#b"]
    assert [warning.partition(":")[0] for warning in warnings if "would refuse" in warning] == [
        "key 1 is left out, and Nix would refuse to work at all",
        "key 3 is left out, and Nix would refuse to work at all",
    ]
    assert [warning for warning in warnings if "would refuse" not in warning] == [
        f"key 2: {COMMENT}",
        "key 2: a comma follows it, and Nix ignores what comes after that; separate keys by spaces",
        f"key 4 (a#b): {COMMENT}",
        "key 4 (a#b): the base64 padding is missing or of the wrong length; it was corrected",
        "key 4 (a#b) is listed under another name too, and counts once; remove one",
    ]
    assert malformed == 2


def test_of_a_long_text_in_the_names_place_nothing_is_told() -> None:
    """Beyond 40 characters it may be a secret; a malformed key is named by its position then."""
    assert parse_trusted(f"{'-' * 40}:AAAA").warnings[0].startswith(f"key 1 ({'-' * 40}) is left out")
    assert parse_trusted(f"{'-' * 41}:AAAA").warnings[0].startswith("key 1 is left out")


def test_of_two_keys_the_first_counts() -> None:
    """As with Nix, even where nothing verifies under the first."""
    assert parse_trusted(f"{A} {public('a-1', 3)}").keys == {"a-1": KEYS["a-1"]}
    assert parse_trusted(f"{UNSOUND} {A}").keys == {}


def test_a_key_in_the_place_of_the_name_is_not_shown() -> None:
    for number in range(1, 20):
        seed = b64encode(nacl.signing.SigningKey(number.to_bytes(32)).encode()).decode()

        for text in (f"{seed}:a-1", seed, f"{seed}:", f"{seed.rstrip('=')}:{seed[:20]}", f":{seed}"):
            warnings = parse_trusted(text).warnings

            assert len(warnings) == 1
            assert warnings[0].startswith("key 1 is left out")
            assert seed[:12] not in warnings[0]
