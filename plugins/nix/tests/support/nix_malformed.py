"""Malformed Nix keys, and what is said of each: for the tests of the format, and for those beside Nix itself."""

from __future__ import annotations

from base64 import b64encode

import nix_messages as say
from nix_messages import NAME, PUBLIC, SECRET, TEXT

# tvix nix-compat/src/narinfo/verifying_keys.rs, go-nix pkg/narinfo/signature/signature_test.go.
TVIX_PUBLIC = "6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="
TVIX_SECRET = "cCta2MEsRNuYCgWYyeRXLyfoFpKhQJKn8gLMeXWAb7vIpRKKo/3JoxJ24OYa3DxT2JVV38KjK/1ywHWuMe2JE"


def of(size: int) -> bytes:
    return b"cache-1:" + b64encode(bytes(range(size)))


ODD_NAMES = {
    "space": "a b",
    "space before": " a",
    "space after": "a ",
    "space alone": " ",
    "tab": "a\tb",
    "line feed": "a\n",
    "line feed before": "\na",
    "NUL": "a\0",
    "DEL": "a\x7f",
    "no-break space": "a\u00a0b",
    "line separator": "a\u2028b",
    "next line (C1)": "a\u0085b",
    "zero-width space": "a\u200bb",
    "direction override": "a\u202eb",
    "byte order mark": "\ufeffa",
}
# What neither reading accepts, with the same words.
NEVER = {
    "empty": (b"", say.EMPTY),
    "no colon": (SECRET.encode(), say.NO_COLON),
    "empty name": (f":{SECRET}".encode(), say.NO_NAME),
    "nothing after the colon": (f"{NAME}:".encode(), say.NO_PAYLOAD),
    "line feed after the colon": (f"{NAME}:\n".encode(), say.NO_PAYLOAD),
    "colon in the name": (f"a:b:{SECRET}".encode(), say.SECOND_COLON),
    "name and base64 swapped": (f"{SECRET}:a b".encode(), say.SPACE),
    "name not UTF-8": (b"a\xff:" + SECRET.encode(), say.NOT_UTF8),
    "surrogate in the name": (b"a\xed\xa0\x80:" + SECRET.encode(), say.NOT_UTF8),
    "space after the colon": (f"{NAME}: {SECRET}".encode(), say.SPACE),
    "tab inside": (TEXT[:60] + b"\t" + TEXT[60:], say.SPACE),
    "carriage return before the padding": (TEXT[:-2] + b"\r==", say.SPACE),
    "URL-safe": (TEXT.replace(b"+", b"-").replace(b"/", b"_"), say.URL_SAFE),
    "NUL before the padding": (TEXT[:-2] + b"\0==", say.CHARACTER),
    "asterisk inside": (TEXT[:60] + b"*" + TEXT[61:], say.CHARACTER),
    "not ASCII": (TEXT[:60] + b"\xc3\xa9" + TEXT[62:], say.CHARACTER),
    "URL-safe and an asterisk": (TEXT[:60] + b"-*" + TEXT[62:], say.CHARACTER),
    "JWK": (b'{"kty":"oct","k":"AAAA"}', say.SECOND_COLON),
    "JWK of one member": (b'{"k":"AAAA"}', say.CHARACTER),
    "truncated at a group": (TEXT[:-4], say.length(63)),
    **{f"{size} bytes": (of(size), say.length(size)) for size in (1, 31, 33, 48, 63, 65, 96)},
    "hexadecimal": (b"cache-1:" + bytes(32).hex().encode(), say.length(48)),
    "PEM": (b"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", say.PEM),
    "PEM with a colon": (b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", say.PEM),
    # The key types of OpenSSH: sshd(8), AUTHORIZED_KEYS FILE FORMAT.
    "OpenSSH private key": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n", say.OPENSSH),
    "OpenSSH public key": (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host:22\n", say.OPENSSH),
    "OpenSSH RSA": (b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@host:22\n", say.OPENSSH),
    "OpenSSH ECDSA": (b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlz me@host:22\n", say.OPENSSH),
    "OpenSSH token, Ed25519": (b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1 me@host:22\n", say.OPENSSH),
    "OpenSSH token, ECDSA": (b"sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNo me@host:22\n", say.OPENSSH),
    # tvix verifying_keys.rs and signing_keys.rs, and go-nix.
    "published: public without a name": (TVIX_PUBLIC.encode(), say.NO_COLON),
    "published: public cut short": (f"cache.nixos.org-1:{TVIX_PUBLIC[:40]}".encode(), say.length(30)),
    "published: secret without a colon": (f"cache.example.com-1{TVIX_SECRET}".encode(), say.NO_COLON),
}
STRICT = {
    "line feed alone": (b"\n", say.EMPTY),
    "line feeds alone": (b"\n\n", say.NO_COLON),
    "colon at the end": (TEXT + b":", say.SECOND_COLON),
    **{f"name: {what}": (f"{name}:{SECRET}".encode(), say.ODD_NAME) for what, name in ODD_NAMES.items()},
    "two line feeds": (TEXT + b"\n\n", say.LINE_FEED),
    "line feed inside": (TEXT[:60] + b"\n" + TEXT[60:], say.LINE_FEED),
    "line feed after the colon, key behind": (f"{NAME}:\n{SECRET}".encode(), say.LINE_FEED),
    "Windows line end": (TEXT + b"\r\n", say.SPACE),
    "space at the end": (TEXT + b" ", say.SPACE),
    "NUL at the end": (TEXT + b"\0", say.CHARACTER),
    "one padding character short": (TEXT[:-1], say.BAD_PADDING),
    "no padding": (TEXT[:-2], say.BAD_PADDING),
    "one padding character over": (TEXT + b"=", say.BAD_PADDING),
    "four padding characters over": (TEXT + b"====", say.BAD_PADDING),
    "base64 after the padding": (TEXT + b"AAAA", say.BAD_PADDING),
    "padding inside": (TEXT[:60] + b"=" + TEXT[61:], say.BAD_PADDING),
    "padding alone": (b"cache-1:====", say.BAD_PADDING),
    "one digit": (b"cache-1:A===", say.BAD_PADDING),
    "truncated between groups": (TEXT[:-3], say.BAD_PADDING),
    "spare bits, secret": (TEXT[:-3] + b"x==", say.SPARE_BITS),
    "spare bits, public": (f"{NAME}:{PUBLIC[:-2]}d=".encode(), say.SPARE_BITS),
    "spare bits, public, the last digit an X": (f"{NAME}:{PUBLIC[:-2]}X=".encode(), say.SPARE_BITS),
    "only named as if it were OpenSSH's": (f"ssh-cache:{SECRET} AAAA".encode(), say.SPACE),
    "published: no padding": (f"cache.nixos.org-1:{TVIX_PUBLIC[:-1]}".encode(), say.BAD_PADDING),
    "published: secret cut short": (f"cache.example.com-1:{TVIX_SECRET}".encode(), say.BAD_PADDING),
}
LENIENT = {
    "line feeds after the colon": (b"a:\n\n", say.NO_PAYLOAD),
    "padding alone, leniently": (b"a:====", say.NO_PAYLOAD),
    "carriage return in place of the padding": (TEXT[:-2] + b"\r\n", say.SPACE),
    "NUL in place of the padding": (TEXT[:-2] + b"\0", say.CHARACTER),
    "padding inside, leniently": (TEXT[:60] + b"=" + TEXT[60:], say.length(30)),
    "one digit short": (TEXT[:-3], say.length(63)),
    "one digit over": (TEXT[:-2] + b"A", say.length(65)),
}


# What the lenient reading takes: the name, and the deviations that it reports.
LENIENTLY_READ: dict[str, tuple[bytes, str, tuple[str, ...]]] = {
    "canonical": (TEXT, NAME, ()),
    "one line feed": (TEXT + b"\n", NAME, ()),
    "line feeds at the end": (TEXT + b"\n\n\n", NAME, (say.LINE_FEEDS_CUT,)),
    "line feed inside": (TEXT[:60] + b"\n" + TEXT[60:], NAME, (say.LINES_JOINED,)),
    "line feed after the colon": (f"{NAME}:\n{SECRET}".encode(), NAME, (say.LINES_JOINED,)),
    "no padding": (TEXT[:-2], NAME, (say.PADDING_CHANGED,)),
    "no padding, one line feed": (TEXT[:-2] + b"\n", NAME, (say.PADDING_CHANGED,)),
    "no padding, two line feeds": (TEXT[:-2] + b"\n\n", NAME, (say.LINES_JOINED, say.PADDING_CHANGED)),
    "padding short": (TEXT[:-1], NAME, (say.PADDING_CHANGED,)),
    "padding long": (TEXT + b"=", NAME, (say.PADDING_CHANGED,)),
    "junk after the padding": (TEXT + b"junk:\xff", NAME, (say.REST_CUT,)),
    "line feed in the padding": (TEXT[:-1] + b"\n=", NAME, (say.REST_CUT,)),
    "Windows line end": (TEXT + b"\r\n", NAME, (say.REST_CUT,)),
    "space at the end": (TEXT + b" ", NAME, (say.REST_CUT,)),
    "NUL at the end": (TEXT + b"\0", NAME, (say.REST_CUT,)),
    "a digit after the padding": (TEXT + b"X", NAME, (say.REST_CUT,)),
    "spare bits": (TEXT[:-3] + b"x==", NAME, (say.SPARE_BITS_IGNORED,)),
    "space before the name": (f" {NAME}:{SECRET}".encode(), f" {NAME}", (say.ODD_NAME_KEPT,)),
    "line feed before the name": (f"\n{NAME}:{SECRET}".encode(), f"\n{NAME}", (say.ODD_NAME_KEPT,)),
    "byte order mark": (f"\ufeff{NAME}:{SECRET}".encode(), f"\ufeff{NAME}", (say.ODD_NAME_KEPT,)),
    "NUL in the name": (f"a\0b:{SECRET}".encode(), "a\0b", (say.ODD_NAME_KEPT,)),
    "all at once": (
        b"a b:" + TEXT[20:50] + b"\n" + TEXT[50:-3] + b"x=?",
        "a b",
        (say.ODD_NAME_KEPT, say.LINES_JOINED, say.REST_CUT, say.SPARE_BITS_IGNORED),
    ),
}
