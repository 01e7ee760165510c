"""The key of Nix's manual, and what is said of malformed keys by the format and by the commands that read them."""

from __future__ import annotations

# Nix 2.8 manual page nix3-key-generate-secret, section Format, and nix3-key-convert-secret-to-public, section Examples.
NAME = "cache.example.org-0"
SECRET = "E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
PUBLIC = "tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="
TEXT = f"{NAME}:{SECRET}".encode()
PUBLIC_TEXT = f"{NAME}:{PUBLIC}".encode()

UNPRINTABLE = "holds whitespace, a control character or another one that does not print"

# Refusals.
EMPTY = "the Nix key is empty; it must be NAME:BASE64"
NO_COLON = "the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"
NO_NAME = "the Nix key has no name before its colon; write NAME:BASE64"
NO_PAYLOAD = "nothing follows the colon of the Nix key; write NAME:BASE64"
SECOND_COLON = (
    "the Nix key has a second colon, and Nix takes the name to end at the first; write NAME:BASE64 with no colon in "
    "the name"
)
NOT_UTF8 = "the name of the Nix key is not UTF-8; give it another before the colon"
ODD_NAME = f"the name of the Nix key {UNPRINTABLE}; give it another (--kid), or pass --lenient"
SPACE = (
    "the base64 of the Nix key holds a space, tab or carriage return; take it out (a file with Windows line ends has "
    "them)"
)
LINE_FEED = (
    "the base64 of the Nix key holds a line feed, or more than one ends it; put it on one line, or pass --lenient"
)
URL_SAFE = "the base64 of the Nix key is of the URL-safe kind, with '-' and '_'; Nix reads '+' and '/' in their place"
CHARACTER = "the base64 of the Nix key has a character that base64 does not have; copy it again"
BAD_PADDING = (
    "the base64 of the Nix key is cut short or padded wrongly; it ends in '==' (secret key) or '=' (public key): "
    "copy it whole"
)
SPARE_BITS = (
    "the last base64 character of the Nix key sets bits that belong to no byte, so it was changed since it was made; "
    "copy it again, or pass --lenient"
)
PEM = "this is PEM, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"
OPENSSH = "this is an OpenSSH key, and a Nix key is NAME:BASE64 on one line; read it with the format that it is in"


def length(size: int) -> str:
    """The refusal of another number of bytes."""
    return f"the base64 of the Nix key stands for {size} bytes; a secret key has 64 and a public key 32: copy it whole"


# Deviations, which a lenient reading accepts.
LINES_JOINED = "the base64 is broken into lines; they were joined"
PADDING_CHANGED = "the base64 padding is missing or of the wrong length; it was put right"
LINE_FEEDS_CUT = "more than one line feed ends the key; they were left out"
REST_CUT = "something follows the base64 padding; it was left out"
SPARE_BITS_IGNORED = "the last base64 character sets bits that belong to no byte; they were ignored"
ODD_NAME_KEPT = f"the key's name {UNPRINTABLE}; it can never stand in trusted-public-keys"
