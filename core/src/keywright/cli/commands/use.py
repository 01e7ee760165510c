"""sign, verify: commands that use a key."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from keywright.cli.context import print_either, print_info
from keywright.errors import ConfigError

if TYPE_CHECKING:
    from keywright.cli.context import Context

_MAXIMUM_MESSAGE_BYTES = 1 << 30
_MAXIMUM_SIGNATURE_BYTES = 65_536
_LEAST_SIGNATURE_BYTES = 16


def configure_sign(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `sign`."""
    parser.add_argument("reference", metavar="KEY", help="the name whose primary signs")
    parser.add_argument("file", metavar="FILE", nargs="?", help="what to sign, at most 1 GiB; default and -: stdin")
    parser.add_argument("--algorithm", metavar="ALGORITHM", help="a JWA name, such as PS256; default: the key's own")


def run_sign(arguments: Namespace, context: Context) -> int:
    """Print the signature in base64."""
    # The message is read first: that can take long, and a key that is compromised meanwhile must not sign.
    message = context.read_input(arguments.file, limit=_MAXIMUM_MESSAGE_BYTES)
    bound = context.ring.signer(arguments.reference, algorithm=arguments.algorithm).current()
    signature = b64encode(bound.sign(message.reveal())).decode()
    about = {"reference": f"{bound.name}@{bound.version}", "kid": bound.kid, "algorithm": bound.algorithm}
    print_either(context, {**about, "signature": signature}, signature)
    return 0


def configure_verify(parser: ArgumentParser, _plugins: object) -> None:
    """Arguments of `verify`."""
    parser.add_argument("reference", metavar="KEY", help="NAME tries every version that may verify; or NAME@N")
    parser.add_argument("file", metavar="FILE", nargs="?", help="what was signed, at most 1 GiB; default and -: stdin")
    signature = "the file with the signature in base64, - for stdin; or the base64 itself"
    parser.add_argument("--signature", metavar="FILE", required=True, help=signature)
    parser.add_argument("--algorithm", metavar="ALGORITHM", help="a JWA name, such as PS256; default: the key's own")


def run_verify(arguments: Namespace, context: Context) -> int:
    """Print the version that made the signature; exit 1 if it is not valid."""
    signature = _signature(arguments, context)
    message = context.read_input(arguments.file, limit=_MAXIMUM_MESSAGE_BYTES)
    info = context.ring.verify(arguments.reference, message.reveal(), signature, algorithm=arguments.algorithm)
    return print_info(context, info)


def _signature(arguments: Namespace, context: Context) -> bytes:
    given: str = arguments.signature
    is_file = given == "-" or os.path.exists(given)
    if given == "-" and arguments.file in (None, "-"):
        raise ConfigError(
            "standard input cannot be both the signature and what was signed", hint="pass a file for one of them"
        )
    text = context.read_input(given, limit=_MAXIMUM_SIGNATURE_BYTES).reveal().strip() if is_file else given
    try:
        signature = b64decode(text, validate=True)
    except ValueError:
        signature = b""
    # What is shorter is no signature of any algorithm, but more likely the misspelled name of a file.
    if len(signature) < _LEAST_SIGNATURE_BYTES:
        what = (
            "the file of --signature does not contain base64" if is_file else "--signature is neither a file nor base64"
        )
        raise ConfigError(what, hint="pass what `keywright sign` printed, or the file with it")
    return signature
