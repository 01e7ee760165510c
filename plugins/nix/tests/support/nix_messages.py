"""The key of Nix's manual, and what is said of malformed keys by the format and by the commands that read them."""

from __future__ import annotations

# Nix 2.8 manual page nix3-key-generate-secret, section Format, and nix3-key-convert-secret-to-public, section Examples.
NAME = "cache.example.org-0"
SECRET = "E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="
PUBLIC = "tVeHVMaFaKi8lieGBErmScEOuxlSJLA7eO6IPrT1VGc="
TEXT = f"{NAME}:{SECRET}".encode()
PUBLIC_TEXT = f"{NAME}:{PUBLIC}".encode()

UNPRINTABLE = "has whitespace, a control character or another one that does not print"

# Refusals.
EMPTY = "the Nix key is empty; it must be NAME:BASE64"
EXPOSED = "it is a secret key, which is no longer secret; replace the key, and pass the new public half"
NO_COLON = "the Nix key has no colon; write its name and a colon before the base64: NAME:BASE64"
NO_NAME = "the Nix key has no name before its colon; write NAME:BASE64"
NO_PAYLOAD = "nothing follows the colon of the Nix key; write NAME:BASE64"
SECOND_COLON = (
    "the Nix key has a second colon, and for Nix the name ends at the first; write NAME:BASE64 with no colon in "
    "the name"
)
NOT_UTF8 = "the name of the Nix key is not UTF-8; write another before the colon"
ODD_NAME = f"the name of the Nix key {UNPRINTABLE}; set another with --kid, or pass --lenient"
SPACE = (
    "the base64 of the Nix key has a space, tab or carriage return in it; remove it (files with Windows line "
    "ends have them)"
)
LINE_FEED = (
    "the base64 of the Nix key has a line feed in it, or several at its end; put it on one line, or pass --lenient"
)
URL_SAFE = "the base64 of the Nix key is URL-safe, with '-' and '_'; write '+' and '/' instead"
CHARACTER = "the base64 of the Nix key has a character that base64 does not have; copy it again"
BAD_PADDING = (
    "the base64 of the Nix key is cut short or padded wrongly; it ends in '==' (secret key) or '=' (public key): "
    "copy it whole"
)
SPARE_BITS = (
    "the base64 of the Nix key is not canonical: its last character has unused bits set; "
    "copy it again, or pass --lenient"
)
PEM = "this is PEM, not a Nix key; pass NAME:BASE64 on one line, or another --format"
OPENSSH = "this is an OpenSSH key, not a Nix key; pass NAME:BASE64 on one line, or another --format"


def length(size: int) -> str:
    """The refusal of another number of bytes."""
    return f"the base64 of the Nix key has {size} bytes; a secret key has 64 and a public key 32: copy it whole"


# Deviations, which a lenient reading accepts.
LINES_JOINED = "the base64 is broken into lines; they were joined"
PADDING_CHANGED = "the base64 padding is missing or of the wrong length; it was corrected"
LINE_FEEDS_CUT = "more than one line feed ends the key; they were left out"
REST_CUT = "something follows the base64 padding; it was left out"
SPARE_BITS_IGNORED = "the last base64 character sets bits that belong to no byte; they were ignored"
ODD_NAME_KEPT = f"the key's name {UNPRINTABLE}; it can never stand in trusted-public-keys"
