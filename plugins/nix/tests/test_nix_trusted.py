"""`trusted-public-keys`: what Nix would make of it, and each trap by its name."""

from __future__ import annotations

from base64 import b64encode

import nacl.signing
import pytest

from keywright_nix.trusted import parse_trusted


def raw(number: int) -> bytes:
    """The public half of the seed `number`."""
    return bytes(nacl.signing.SigningKey(number.to_bytes(32)).verify_key)


def key(name: str, number: int = 1) -> str:
    """A public key as a text."""
    return f"{name}:{b64encode(raw(number)).decode()}"


A, B = key("a-1", 1), key("b-1", 2)
SECRET = "a-1:" + b64encode((1).to_bytes(32) + raw(1)).decode()
UNSOUND = "a-1:" + b64encode(bytes(32)).decode()
SPARE = A[:-2] + chr(ord(A[-2]) + 1) + "="  # canonical, that character stands for 4 bits and two zeros


@pytest.mark.parametrize(
    "text",
    [f"{A} {B}", f"  {A}\n\t{B}\r\n", f"{A}\n{B}"],
    ids=["line", "whitespace around", "lines"],
)
def test_sound_keys(text: str) -> None:
    """Keys parted by whitespace are read by name, and there is nothing to say."""
    assert parse_trusted(text) == ({"a-1": raw(1), "b-1": raw(2)}, (), 0)


def test_nothing_at_all() -> None:
    """No key is trusted."""
    assert parse_trusted(" \n") == ({}, (), 0)


@pytest.mark.parametrize(
    ("text", "names", "told"),
    [
        pytest.param(
            f"{A},{B}",
            ["a-1"],
            "key 1 (a-1): a comma follows it, and Nix drops what comes after that in silence; part keys by spaces "
            "alone",
            id="joined by a comma",
        ),
        pytest.param(
            f"{A.rstrip('=')},{B}",
            [],
            "key 1 (a-1) is left out, and Nix would refuse to work at all: the base64 of the Nix key holds a comma; "
            "part keys by spaces alone",
            id="joined by a comma, without padding",
        ),
        pytest.param(
            f"{A} {key('a-1', 3)}",
            ["a-1"],
            "key 2 (a-1) is another key of a name that is there already, and Nix drops it in silence; rename one of "
            "the two",
            id="two keys of one name",
        ),
        pytest.param(f"{A} {A}", ["a-1"], "key 2 (a-1) is there twice; leave one out", id="twice"),
        pytest.param(
            f"{A} {key('c-1', 1)}",
            ["a-1", "c-1"],
            "key 2 (c-1) is a key that is there already under another name, and counts once; leave one out",
            id="one key under two names",
        ),
        pytest.param(
            f"{B} {A[:-1]}",
            ["b-1", "a-1"],
            "key 2 (a-1): the base64 padding is missing or of the wrong length; it was put right",
            id="what Nix reads all the same",
        ),
        pytest.param(
            SPARE,
            ["a-1"],
            "key 1 (a-1): the last base64 character sets bits that belong to no byte; they were ignored",
            id="spare bits",
        ),
        pytest.param(
            key("a\u00a0b"),
            ["a\u00a0b"],
            "key 1: its name holds a character that does not print; give the key another name",
            id="a name that does not print",
        ),
        pytest.param(
            f"{B} a-1:AAAA",
            ["b-1"],
            "key 2 (a-1) is left out, and Nix would refuse to work at all: the base64 of the Nix key stands for 3 "
            "bytes; a secret key has 64 and a public key 32: copy it whole",
            id="malformed",
        ),
        pytest.param(
            "cache.example.org-1",
            [],
            "key 1 is left out, and Nix would refuse to work at all: the Nix key has no colon; write its name and a "
            "colon before the base64: NAME:BASE64",
            id="a name alone",
        ),
        pytest.param(
            SECRET,
            [],
            "key 1 (a-1) is left out, and Nix would refuse to work at all: it is a secret key, which is none any more; "
            "give the public half of a new one",
            id="a secret key",
        ),
        pytest.param(
            UNSOUND,
            [],
            "key 1 (a-1) is left out: no signature is accepted under such a point; remove it",
            id="a point of small order",
        ),
        pytest.param(
            f"{B} \udcff{A}",
            ["b-1"],
            "key 2 is left out: its name is no Unicode text; give the key another name",
            id="a name that is no text, which Nix takes",
        ),
        pytest.param(
            f"{A} \udcff{key('c-1', 3)} {B}",
            ["a-1", "b-1"],
            "key 2 is left out: its name is no Unicode text; give the key another name",
            id="a name that is no text, and a key after it",
        ),
        *(
            pytest.param(
                f"{odd}{A}",
                [],
                "key 1 is left out: its name is no Unicode text; give the key another name",
                id=f"a name that is no text, {ord(odd):x}",
            )
            for odd in ("\ud800", "\udfff")
        ),
        *(
            pytest.param(
                f"{A}{odd}{B}",
                ["a-1"],
                "key 1 (a-1): something follows the base64 padding; it was left out",
                id=f"parted by what parts nothing, {ord(odd):x}",
            )
            for odd in ("\v", "\f", "\u00a0", "\x1c")
        ),
        pytest.param(
            f"\udcff{A[:-4]}",
            [],
            "key 1 is left out, and Nix would refuse to work at all: the base64 of the Nix key stands for 30 bytes; a "
            "secret key has 64 and a public key 32: copy it whole",
            id="a name that is no text, and no key",
        ),
        pytest.param(
            f"a-1:\udcff{A[4:]}",
            [],
            "key 1 (a-1) is left out, and Nix would refuse to work at all: the base64 of the Nix key holds a character "
            "that is none of base64's; copy it again",
            id="no text behind the colon",
        ),
        pytest.param(
            f"{A}\ud800",
            ["a-1"],
            "key 1 (a-1): something follows the base64 padding; it was left out",
            id="no text behind the padding, which Nix takes",
        ),
        pytest.param(
            key("a#b"),
            ["a#b"],
            "key 1 (a#b): its name holds a '#', where nix.conf takes a comment to begin, and then Nix refuses to work; "
            "rename the key",
            id="a comment's sign in the name",
        ),
        pytest.param(
            f"{'S' * 41}=:{A[4:]} {'S' * 41}=:{A[4:]}",
            ["S" * 41 + "="],
            "key 2 is there twice; leave one out",
            id="a name that may be a key",
        ),
        pytest.param(
            f"{'S' * 40}:{A[4:]} {'S' * 40}:{A[4:]}",
            ["S" * 40],
            f"key 2 ({'S' * 40}) is there twice; leave one out",
            id="the longest name that is none",
        ),
        pytest.param(
            f"{'-' * 41}:{A[4:]} {'-' * 41}:{A[4:]}",
            ["-" * 41],
            f"key 2 ({'-' * 41}) is there twice; leave one out",
            id="a long name that is none",
        ),
    ],
)
def test_traps(text: str, names: list[str], told: str) -> None:
    """Each trap has its sentence, which holds no bytes of a key; the keys are those under which Nix verifies."""
    keys, warnings, malformed = parse_trusted(text)

    assert list(keys) == names
    assert warnings == (told,)
    assert malformed == ("Nix would refuse to work at all" in told)


def test_several_things_of_one_key() -> None:
    """Each is told; the keys that are malformed are counted."""
    keys, warnings, malformed = parse_trusted(f"x a#\u00ad:{A[4:]},y y a#b:{A[4:-1]}")

    comment = (
        "its name holds a '#', where nix.conf takes a comment to begin, and then Nix refuses to work; rename the key"
    )
    assert list(keys) == ["a#\u00ad", "a#b"]
    assert [warning.partition(":")[0] for warning in warnings if "would refuse" in warning] == [
        "key 1 is left out, and Nix would refuse to work at all",
        "key 3 is left out, and Nix would refuse to work at all",
    ]
    assert [warning for warning in warnings if "would refuse" not in warning] == [
        f"key 2: {comment}",
        "key 2: a comma follows it, and Nix drops what comes after that in silence; part keys by spaces alone",
        f"key 4 (a#b): {comment}",
        "key 4 (a#b): the base64 padding is missing or of the wrong length; it was put right",
        "key 4 (a#b) is a key that is there already under another name, and counts once; leave one out",
    ]
    assert malformed == 2


def test_of_a_long_text_in_the_names_place_nothing_is_told() -> None:
    """Beyond 40 characters it may be a secret; a malformed key is named by its position then."""
    assert parse_trusted(f"{'-' * 40}:AAAA").warnings[0].startswith(f"key 1 ({'-' * 40}) is left out")
    assert parse_trusted(f"{'-' * 41}:AAAA").warnings[0].startswith("key 1 is left out")


def test_of_two_keys_the_first_counts() -> None:
    """As with Nix, even where nothing verifies under the first."""
    assert parse_trusted(f"{A} {key('a-1', 3)}").keys == {"a-1": raw(1)}
    assert parse_trusted(f"{UNSOUND} {A}").keys == {}


@pytest.mark.parametrize("number", range(1, 20))
def test_a_key_in_the_place_of_the_name_is_not_told(number: int) -> None:
    """Who turns name and key around, or leaves out the name, does not find the key in the warning."""
    seed = b64encode(nacl.signing.SigningKey(number.to_bytes(32)).encode()).decode()

    for text in (f"{seed}:a-1", seed, f"{seed}:", f"{seed.rstrip('=')}:{seed[:20]}", f":{seed}"):
        warnings = parse_trusted(text).warnings

        assert len(warnings) == 1
        assert warnings[0].startswith("key 1 is left out")
        assert seed[:12] not in warnings[0]
