"""keywright plugin: the format `hex-ed25519`, a key on one line: `secret KID SEED` or `public KID KEY`, both in hex."""

import re
from collections.abc import Sequence

from keywright import Format, Key, Secret, hookimpl
from keywright.errors import MalformedKeyError, UnsupportedKeyError

KEYWRIGHT_API = 1


class HexFormat:
    """Seed and public half are 32 bytes, in lower-case hex. The kid is visible ASCII; attributes are not carried."""

    name = "hex-ed25519"
    key_types = ("ed25519",)
    carries_kid = True

    def encode_secret(self, key: Key) -> Secret:
        if key.secret is None:
            raise UnsupportedKeyError("this key has no secret half to write in hex; write its public half")
        return Secret(self._line(b"secret", key, key.secret))

    def encode_public(self, key: Key) -> bytes:
        if key.public is None:
            raise UnsupportedKeyError("the public half of this key is not known; derive it before writing it in hex")
        return self._line(b"public", key, Secret(key.public))

    def decode(self, data: Secret, *, default_kid: str) -> Key:  # noqa: ARG002  (a line always holds a kid)
        if not re.fullmatch(rb"(secret|public) [!-~]+ [0-9a-f]{64}\n?", data.reveal()):
            raise MalformedKeyError(
                "a hex key is `secret KID SEED` or `public KID KEY` on one line, 64 digits at its end"
            )
        half, kid = data.reveal().split()[:2]
        raw = Secret(bytes.fromhex(data.reveal().split()[2].decode()))
        is_secret = half == b"secret"
        return Key("ed25519", kid.decode(), raw if is_secret else None, None if is_secret else raw.reveal())

    def default_kid(self, name: str, version: int, key: Key) -> str:  # noqa: ARG002  (the name says enough)
        return f"{name}-{version}"

    def sniff(self, data: Secret) -> bool:
        return data.reveal().startswith((b"secret ", b"public "))

    def _line(self, half: bytes, key: Key, raw: Secret) -> bytes:
        if key.type not in self.key_types or len(raw) != 32 or not re.fullmatch("[!-~]+", key.kid):
            raise UnsupportedKeyError(
                "hex-ed25519 writes ed25519 keys whose kid is visible ASCII; choose one with --kid"
            )
        return b"%b %b %b" % (half, key.kid.encode(), raw.reveal().hex().encode())


@hookimpl
def keywright_register_formats() -> Sequence[Format]:
    return [HexFormat()]
