"""The text of a key, `NAME:BASE64`, read and written."""

from __future__ import annotations

from binascii import b2a_base64

from keywright import Secret
from keywright.errors import MalformedKeyError
from keywright_nix.names import fault_in
from keywright_nix.payload import read_leniently, read_strictly

__all__ = ["read_key", "read_key_leniently", "write_key"]

_OPENSSH_PUBLIC = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")


def write_key(name: str, raw: Secret) -> Secret:
    """`NAME:BASE64`, without a line feed, of the 32 bytes of a public key or the 64 of a secret one."""
    return Secret(name.encode() + b":" + b2a_base64(raw.reveal(), newline=False))


def read_key(data: Secret) -> tuple[str, Secret]:
    """Name, and the 32 bytes of a public key or the 64 of a secret one; one line feed may follow the key.

    Raises:
        MalformedKeyError: it is anything else. That the halves belong together is not looked at.
    """
    text = Secret(data.reveal().removesuffix(b"\n"))
    colon = _colon(text)
    # The payload first: only what stands before a sound payload is surely a name, and no key put there by mistake.
    raw = read_strictly(Secret(text.reveal()[colon + 1 :]))
    name = _name(Secret(text.reveal()[:colon]))
    fault = fault_in(name)
    if fault:
        raise MalformedKeyError(f"the name of the Nix key {fault}; give it another (--kid), or say --lenient")
    return name, raw


def read_key_leniently(data: Secret) -> tuple[str, Secret, tuple[str, ...]]:
    """As `read_key`, of all that Nix reads, and a sentence each on how it deviates from what `read_key` takes.

    Raises:
        MalformedKeyError: Nix would refuse it too, its name is not UTF-8, or its "name" is the head of a PEM file or
            an OpenSSH key.
    """
    text = Secret(data.reveal().removesuffix(b"\n"))
    colon = _colon(text)
    raw, deviations = read_leniently(Secret(text.reveal()[colon + 1 :]))
    name = _name(Secret(text.reveal()[:colon]))
    fault = fault_in(name)
    if fault:
        deviations = (f"the key's name {fault}; it can never stand in trusted-public-keys", *deviations)
    return name, raw, deviations


def _colon(text: Secret) -> int:
    """Where the name ends."""
    if not text:
        raise MalformedKeyError("the Nix key is empty; it must be NAME:BASE64")
    if text.reveal().startswith(b"-----BEGIN OPENSSH ") or (
        text.reveal().startswith(_OPENSSH_PUBLIC) and b" AAAA" in text.reveal()[:64]
    ):
        raise MalformedKeyError(
            "this is an OpenSSH key, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"
        )
    if text.reveal().startswith(b"-----BEGIN "):
        raise MalformedKeyError(
            "this is PEM, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"
        )
    colon = text.reveal().find(b":")
    if colon < 0:
        raise MalformedKeyError("the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64")
    if colon == 0:
        raise MalformedKeyError("the Nix key has no name before its colon; write NAME:BASE64")
    return colon


def _name(name: Secret) -> str:
    try:
        return name.reveal().decode()
    except UnicodeDecodeError:
        pass
    # Raised here, not in the handler: the context of an error would carry the input.
    raise MalformedKeyError("the name of the Nix key is not UTF-8; give it another before the colon")
