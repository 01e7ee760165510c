"""`keywright jose jwk …`, which read no configuration, and `keywright jose jwks`, the public set of a ring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import add_flag, add_output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context
    from keywright_jose.jwk.members import Members


RECOMMENDED_SIZES = """\
HS256 / HS384 / HS512                          256 / 384 / 512, at least (§3.2)
A128KW, A128GCMKW, A128GCM                     128, exactly (§4.4, §4.7, §5.3)
A192KW, A192GCMKW, A192GCM                     192, exactly
A256KW, A256GCMKW, A256GCM                     256, exactly
A128CBC-HS256 / A192CBC-HS384 / A256CBC-HS512  256 / 384 / 512, exactly (§5.2)\
"""


def configure_create_secret_key(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwk create-secret-key`."""
    sizes = "512, 1024, 2048, 4096 or any other multiple of 8 from 128 to 8192 (default: 2048)"
    parser.add_argument("--bits", type=int, default=2048, metavar="BITS", help=f"size in bits: {sizes}")
    _configure_output(parser)
    parser.add_argument_group("recommended sizes of a secret key, in bits, by use (RFC 7518)", RECOMMENDED_SIZES)


def configure_create_curve_key(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwk create-curve-key`."""
    curves = "P-256, P-384, P-521 (sign, agree), Ed25519 (sign) or X25519 (agree) (default: P-256)"
    parser.add_argument("--curve", default="P-256", metavar="CURVE", help=curves)
    _configure_output(parser)


def configure_create_rsa_key(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwk create-rsa-key`."""
    sizes = "a multiple of 8 from 2048 to 8192 (default: 3072)"
    parser.add_argument("--bits", type=int, default=3072, metavar="BITS", help=f"size of the modulus in bits: {sizes}")
    _configure_output(parser)


def configure_thumbprint(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwk thumbprint`."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="the JWK, secret or public; - or nothing: stdin")
    add_output(parser)


def _configure_output(parser: ArgumentParser) -> None:
    forms = "object: JSON (the default); base64: that JSON in standard base64"
    parser.add_argument("--format", choices=("object", "base64"), default="object", help=forms)
    add_output(parser)


def create_secret_key(arguments: Namespace, context: Context) -> int:
    """Run `jose jwk create-secret-key`. Returns the exit code."""
    from keywright_jose.jwk.create import secret_key

    return _print_key(secret_key(arguments.bits), arguments, context)


def create_curve_key(arguments: Namespace, context: Context) -> int:
    """Run `jose jwk create-curve-key`. Returns the exit code."""
    from keywright_jose.jwk.create import curve_key

    return _print_key(curve_key(arguments.curve), arguments, context)


def create_rsa_key(arguments: Namespace, context: Context) -> int:
    """Run `jose jwk create-rsa-key`. Returns the exit code."""
    from keywright_jose.jwk.create import rsa_key

    return _print_key(rsa_key(arguments.bits), arguments, context)


def thumbprint(arguments: Namespace, context: Context) -> int:
    """Run `jose jwk thumbprint`. Returns the exit code."""
    from keywright_jose.jwk.codec import encoded_thumbprint

    text = encoded_thumbprint(context.read_input(arguments.file))
    line = f'{{"thumbprint": "{text}"}}\n' if context.json else f"{text}\n"
    context.write_result(line.encode(), output=arguments.output, force=arguments.force)
    return 0


def _print_key(members: Members, arguments: Namespace, context: Context) -> int:
    from keywright_jose.jwk.members import write_base64, write_members

    is_base64 = arguments.format == "base64"
    context.write_key(
        write_base64(members) if is_base64 else write_members(members),
        format="jwk",
        secret=True,
        is_base64=is_base64,
        line=True,
        output=arguments.output,
        force=arguments.force,
    )
    return 0


def configure_print_set(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwks`."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="a name in the ring; none: all asymmetric keys of the format jwk"
    )
    output = "bring FILE up to date instead: a new one has mode 0644, and one that is right already is not touched"
    parser.add_argument("-o", "--output", metavar="FILE", help=output)
    add_flag(parser, "--force", "replace FILE though it is not a public JWK Set")


def print_set(arguments: Namespace, context: Context) -> int:
    """Print the set, or bring a file up to date.

    Raises:
        KeyNotFoundError, PolicyError, UnsupportedKeyError, InvalidKeyError: as `jwks`.
        KeyExistsError, AccessDeniedError: as `check_published`, without `--force`.
        ConfigError, AccessDeniedError, StoreUnavailableError, DurabilityError: as `write_public`.
    """
    from keywright_jose.jwk.set import encode_set, public_keys

    keys = public_keys(context.ring, arguments.names, report=context.note)
    if arguments.output is None or arguments.output == "-":
        context.write(encode_set(keys))
        return 0
    from keywright_jose.cli.published_set import check_published, write_public

    if not arguments.force:
        check_published(arguments.output)
    changed = write_public(arguments.output, encode_set(keys))
    if context.json:
        references = [key.reference for key in keys]
        context.print_json({"output": arguments.output, "changed": changed, "references": references})
    return 0
