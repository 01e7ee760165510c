"""The ring binds keys to encrypt for, and to decrypt with."""

from __future__ import annotations

from datetime import timedelta

from support.rings import Refused, Rings, Wait

from keywright import Key, Secret
from keywright.errors import PolicyError


def test_what_is_encrypted_for(ring: Rings) -> None:
    """The primary: of a key with a public half nothing else, of another the secret."""
    opened = ring()
    info = opened.generate("box", type="x25519", format="jwk")
    opened.generate("oct", type="oct", bits=256)

    asymmetric, symmetric = opened.encrypter("box"), opened.encrypter("oct")

    assert asymmetric.current()[:3] == ("box", 1, info.kid)
    assert asymmetric.current().key == Key("x25519", info.kid, None, info.public, info.attributes)
    assert symmetric.current().key == opened.load("oct")
    assert (asymmetric.name, repr(asymmetric)) == ("box", "<encrypter box@1>")


def test_what_decrypts(ring: Rings, wait: Wait) -> None:
    """Each version that would verify: the primary first, then newest to oldest, each with its secret."""
    opened = ring()
    for version in range(1, 4):
        opened.generate("box", type="x25519") if version == 1 else opened.rotate(
            "box", overlap=timedelta(hours=version)
        )
        wait(minutes=1)
    opened.rotate("box", activate_in=timedelta(hours=5), overlap=timedelta(hours=9))

    decrypter = opened.decrypter("box")

    assert [bound.version for bound in decrypter.current()] == [3, 4, 2, 1]
    for bound in decrypter.current():
        key = opened.load(f"box@{bound.version}")
        assert (bound.name, bound.kid, bound.key_type) == ("box", key.kid, "x25519")
        assert bound.load() == key
        assert bound.load() is bound.load()
    assert (decrypter.name, repr(decrypter)) == ("box", "<decrypter box: 3, 4, 2, 1>")
    assert [bound.version for bound in opened.decrypter("box@2").current()] == [2]


def test_they_look_again_when_the_clock_says_so(ring: Rings, wait: Wait) -> None:
    """When an announced version takes over, and when an overlap ends, without any refresh."""
    opened = ring()
    opened.generate("box", type="x25519")
    opened.rotate("box", activate_in=timedelta(hours=1), overlap=timedelta(hours=1))
    encrypter, decrypter = opened.encrypter("box", refresh=None), opened.decrypter("box", refresh=None)

    seen = []
    for _ in range(3):
        seen.append((encrypter.current().version, [bound.version for bound in decrypter.current()]))
        wait(hours=1)

    assert seen == [(1, [1, 2]), (2, [2, 1]), (2, [2])]


def test_they_look_again_after_a_while(ring: Rings, shared: dict[str, str], wait: Wait) -> None:
    """What another process does is seen after `refresh`, for which secrets are kept; what this ring does at once."""
    opened, other = ring(stores={"main": shared}), ring(stores={"main": shared})
    opened.generate("box", type="x25519")
    encrypter, decrypter = opened.encrypter("box"), opened.decrypter("box", refresh=timedelta(seconds=10))
    before = decrypter.current()[0].load()

    other.rotate("box")
    at_once = (encrypter.current().version, len(decrypter.current()))
    wait(seconds=10)
    later = (encrypter.current().version, len(decrypter.current()))
    again = decrypter.current()[1].load()
    wait(seconds=50)
    last = encrypter.current().version
    opened.rotate("box")

    assert (at_once, later, last) == ((1, 1), (1, 2), 2)
    assert (encrypter.current().version, len(decrypter.current())) == (3, 3)
    assert before == again
    assert before is not again


def test_a_store_without_metadata(ring: Rings, plain: dict[str, Secret]) -> None:
    """The kid and the public half are read from the payload."""
    made = ring()
    made.generate("box", type="x25519", format="jwk")
    plain["box"] = made.export("box", secret=True)
    opened = ring(stores={"ci": {"backend": "plain"}})

    assert opened.encrypter("box").current().key == made.encrypter("box").current().key
    (bound,) = opened.decrypter("box").current()
    assert (bound.kid, bound.key_type) == (made.load("box").kid, "x25519")
    assert bound.load() == made.load("box")


def test_no_version_will_do(ring: Rings, refused: Refused) -> None:
    """The reason is reported, with a hint."""
    opened = ring()
    opened.generate("box", type="x25519")
    opened.rotate("box", overlap=timedelta(0))

    with refused(PolicyError, "box@1 is not encrypted for now, box@2 is; leave the version out"):
        opened.encrypter("box@1")
    with refused(
        PolicyError,
        "box@1 may not decrypt: version 1 is retired; have the data encrypted for an enabled version",
    ):
        opened.decrypter("box@1")
    opened.disable("box@2")
    with refused(
        PolicyError,
        "box has no version to encrypt for: version 2 is disabled, and older versions are not used again; "
        "run `keywright enable box@2`, or run `keywright rotate box`",
    ):
        opened.encrypter("box")
    with refused(
        PolicyError,
        "box may not decrypt: version 1 is retired, version 2 is disabled; have the data encrypted for an "
        "enabled version",
    ):
        opened.decrypter("box")
