"""`nix trusted-public-keys`: the keys of a ring that clients of a binary cache must trust, in a form to paste."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from keywright import Key, format_time
from keywright.errors import ConfigError, FormatError, KeyNotFoundError, PolicyError, UnsupportedKeyError
from keywright_nix.key import NixFormat
from keywright_nix.signature import parse_public_key

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from datetime import datetime

    from keywright import Context, KeyRing, RecordInfo

_VERIFYING = ("announced", "signing", "verifying")


def configure_trusted(parser: ArgumentParser) -> None:
    """Add the arguments of `nix trusted-public-keys`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="a name in the ring; none: all that hold Nix keys")
    parser.add_argument(
        "--format",
        choices=("nix.conf", "json", "nixos"),
        help="a line for nix.conf (the default), a JSON list with references and phases, or a line for NixOS",
    )


def run_trusted(arguments: Namespace, context: Context) -> int:
    """Print the keys that verify now or will, of each name oldest first.

    Raises:
        ConfigError: `--json` with another format.
        KeyNotFoundError, PolicyError, UnsupportedKeyError: As `published_keys`.
    """
    format_ = arguments.format or ("json" if context.json else "nix.conf")
    if context.json and format_ != "json":
        raise ConfigError("--json and --format cannot be combined", hint="leave one of them out")
    keys = published_keys(context.ring, arguments.names, report=context.warn)
    if format_ == "json":
        until = [None if key.verifies_until is None else format_time(key.verifies_until) for key in keys]
        context.print_json(
            {"keys": [{**key._asdict(), "verifies_until": end} for key, end in zip(keys, until, strict=True)]}
        )
    elif format_ == "nixos":
        context.print(f"nix.settings.trusted-public-keys = [ {' '.join(_quoted(key.public_key) for key in keys)} ];")
    else:
        context.print(f"trusted-public-keys = {' '.join(key.public_key for key in keys)}")
    return 0


def _quoted(text: str) -> str:
    """A string of the Nix language, in which `${` starts code."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'


class Published(NamedTuple):
    """A version that verifies now, or is announced.

    Attributes:
        name: The Nix key name.
        reference: `NAME@N` in the ring.
        public_key: `NAME:BASE64`.
        phase: `announced`, `signing` or `verifying`.
        verifies_until: When it stops to verify, as far as is known now; None: no end is known.
    """

    name: str
    reference: str
    public_key: str
    phase: str
    verifies_until: datetime | None


def published_keys(ring: KeyRing, names: Sequence[str] = (), *, report: Callable[[str], None]) -> list[Published]:
    """The public keys of these names of the ring, of each name oldest first; without names, of all Nix keys in it.

    Announced versions are included, because clients must trust them before they sign; superseded ones as long as they
    verify. `report` is called with a message for each key that is left out, which happens only without names.

    Raises:
        KeyNotFoundError: A name does not exist, or no Nix key verifies.
        PolicyError: No version of a name verifies, or two keys have one Nix name, so that Nix would drop one.
        UnsupportedKeyError: A key of a given name is not valid for Nix.
    """
    found = [one for name in names for one in _of_name(ring, name)]
    if not names:
        found = list(_of_ring(ring, report))
        if not found:
            raise KeyNotFoundError(
                "the store has no Nix key that verifies now",
                hint="create one with `keywright generate NAME --format nix`, or pass --store",
            )
    return _distinct(found)


def _of_name(ring: KeyRing, name: str) -> list[Published]:
    versions = ring.show(name).versions
    found = [
        Published(one.info.kid, one.info.reference, _public_key(one.info), one.phase.value, one.verifies_until)
        for one in versions
        if one.phase.value in _VERIFYING
    ]
    if not found:
        raise PolicyError(
            f"no version of {name} verifies now, so it should not be trusted",
            hint=f"create one with `keywright rotate {name}`",
        )
    return found


def _of_ring(ring: KeyRing, report: Callable[[str], None]) -> Iterator[Published]:
    for _, versions in ring.list():
        for info, phase, _, until in versions:
            if phase.value in _VERIFYING and (info.key_type, info.format) == ("ed25519", "nix"):
                try:
                    yield Published(info.kid, info.reference, _public_key(info), phase.value, until)
                except UnsupportedKeyError as error:
                    report(f"left out: {error.text}")


def _public_key(info: RecordInfo) -> str:
    """`NAME:BASE64`, as Nix accepts it.

    Raises:
        UnsupportedKeyError: It is not a Nix key, or one under which nothing would verify.
    """
    try:
        text = NixFormat().encode_public(Key(info.key_type, info.kid, None, info.public)).decode()
        parse_public_key(text)
    except FormatError as error:
        raise UnsupportedKeyError(
            f"{info.reference} cannot be in trusted-public-keys: {error}", hint="pass the NAMEs of Nix keys"
        ) from None
    if "#" in text:
        raise UnsupportedKeyError(
            f"{info.reference} cannot be in trusted-public-keys: its Nix name has a '#', which begins a comment in "
            f"nix.conf",
            hint="create a key with another name",
        )
    return text


def _distinct(found: list[Published]) -> list[Published]:
    """Each key once."""
    by_name: dict[str, Published] = {}
    for one in found:
        first = by_name.setdefault(one.name, one)
        if first.public_key != one.public_key:
            raise PolicyError(
                f"{first.reference} and {one.reference} are different keys with the Nix name {one.name}, and Nix "
                f"would ignore the second",
                hint="print only the one that clients need",
            )
    return list(by_name.values())
