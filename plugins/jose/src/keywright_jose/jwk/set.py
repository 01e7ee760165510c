"""The public JWK Set of a ring's keys (RFC 7517 §5): what is published so that others can verify tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from keywright import Attributes, Key, KeyRing, RecordInfo
from keywright.errors import ConfigError, InvalidKeyError, KeyNotFoundError, PolicyError, UnsupportedKeyError
from keywright_jose.jwk.codec import encode_public
from keywright_jose.jwk.usage import SIGNING, SIGNING_OPERATIONS
from keywright_jose.keys import public_object

_VERIFYING = ("announced", "signing", "verifying")


class PublicKey(NamedTuple):
    """A version that verifies now, or is announced.

    Attributes:
        kid: its own.
        reference: `NAME@N` in the ring.
        jwk: the public JWK as JSON in UTF-8, members sorted by name.
    """

    kid: str
    reference: str
    jwk: bytes


def jwks(ring: KeyRing, names: Collection[str] = ()) -> dict[str, list[dict[str, object]]]:
    """The JWK Set of these names of the ring; without names, of all asymmetric keys in its store kept as `jwk`.

    It has the versions that verify now and those that are announced, by name and then oldest first, each with public
    members only: what the format `jwk` publishes, with `kid`, with `use`, and if that is `sig` with the `alg` that the
    ring signs with. No secret is opened for it.

    Raises:
        KeyNotFoundError: there is no such name, or no such key at all.
        InvalidNameError: a name is not a valid key name.
        PolicyError: no version of a name verifies, or two keys have one kid.
        UnsupportedKeyError: a key that was asked for is symmetric, has no kid, or cannot be a JWK.
        InvalidKeyError: a key is weak or wrong, so that verifiers would refuse the set.
        ConfigError: `names` is not a list of strings.
    """
    from json import loads

    document: dict[str, list[dict[str, object]]] = loads(encode_set(public_keys(ring, names, report=lambda _: None)))
    return document


def public_keys(ring: KeyRing, names: Collection[str], *, report: Callable[[str], None]) -> list[PublicKey]:
    """The keys of the set. `report` is called with what was passed over, if no names are given. As `jwks`."""
    if not _is_list_of_texts(names):
        raise ConfigError("names must be a list of key names", hint="for a single key pass a list of one")
    infos = _of_names(ring, names) if names else _of_ring(ring, report)
    return _distinct([_public_key(ring, info) for info in infos])


def encode_set(keys: Sequence[PublicKey]) -> bytes:
    """The set as one line of JSON in UTF-8, ending in a line feed: for the same keys the same bytes."""
    return b'{"keys":[' + b",".join(key.jwk for key in keys) + b"]}\n"


def _is_list_of_texts(names: object) -> bool:
    if isinstance(names, str | bytes) or not isinstance(names, Collection):
        return False
    return all(isinstance(name, str) for name in names)


def _of_names(ring: KeyRing, names: Collection[str]) -> Iterator[RecordInfo]:
    for name in sorted(set(names)):
        infos = [one.info for one in ring.show(name).versions if one.phase.value in _VERIFYING]
        if not infos:
            raise PolicyError(
                f"no version of {name} verifies now, so there is nothing to publish",
                hint=f"create one with `keywright rotate {name}`",
            )
        yield from infos


def _of_ring(ring: KeyRing, report: Callable[[str], None]) -> list[RecordInfo]:
    found: list[RecordInfo] = []
    symmetric, others = 0, 0
    for _, versions in ring.list():
        infos = [one.info for one in versions if one.phase.value in _VERIFYING]
        ours = [info for info in infos if info.key_type != "oct" and info.format == "jwk"]
        symmetric += any(info.key_type == "oct" for info in infos)
        others += any(info.key_type != "oct" and info.format != "jwk" for info in infos)
        found += ours
    if symmetric:
        report(f"symmetric keys left out: {symmetric}; they cannot be published")
    if others:
        report(f"keys of other formats left out: {others}; name one to publish it")
    if not found:
        raise KeyNotFoundError(
            "the store has no asymmetric JWK that verifies now",
            hint="create one with `keywright generate NAME --type ec-p256 --format jwk`, or pass --store",
        )
    return found


def _public_key(ring: KeyRing, info: RecordInfo) -> PublicKey:
    if info.key_type == "oct":
        raise UnsupportedKeyError(
            f"{info.reference} is a symmetric key, which is never published",
            hint="sign with an asymmetric key",
        )
    if not info.kid:
        raise UnsupportedKeyError(
            f"{info.reference} has no kid, so tokens cannot refer to it", hint="import it with --kid"
        )
    key = Key(info.key_type, info.kid, None, info.public, _attributes(ring, info))
    try:
        jwk = encode_public(key)
        public_object(key)
    except (UnsupportedKeyError, InvalidKeyError) as error:
        raise error.prefixed(f"{info.reference} cannot be published: ") from None
    return PublicKey(info.kid, info.reference, jwk)


def _attributes(ring: KeyRing, info: RecordInfo) -> Attributes:
    """Its own, and what they leave open: `use`, and the `alg` that the ring signs with."""
    more: dict[str, object] = {}
    algorithms = ring.plugins.key_type(info.key_type).algorithms
    use = info.attributes.get("use") or _use(info, signs=bool(algorithms))
    if use:
        more["use"] = use
    if use == "sig" and algorithms:
        more["alg"] = algorithms[0]
    return Attributes({**more, **info.attributes})


def _use(info: RecordInfo, *, signs: bool) -> str:
    """The `use` that follows from the type, `alg` and `key_ops`; `""` where they say something else, or two things."""
    if not signs:
        return "enc"
    algorithm = info.attributes.get("alg")
    if algorithm is not None:
        return "sig" if algorithm in SIGNING else "enc" if str(algorithm).startswith(("ECDH-ES", "RSA")) else ""
    operations = info.attributes.get("key_ops") or ("verify",)
    if not isinstance(operations, tuple) or SIGNING_OPERATIONS.issuperset(operations):
        return "sig"
    return "enc" if SIGNING_OPERATIONS.isdisjoint(operations) else ""


def _distinct(keys: list[PublicKey]) -> list[PublicKey]:
    by_kid: dict[str, PublicKey] = {}
    for key in keys:
        first = by_kid.setdefault(key.kid, key)
        if first is not key:
            raise PolicyError(
                f"{first.reference} and {key.reference} have the same kid, so verifiers could not tell them apart",
                hint="publish one of them, by its name",
            )
    return keys
