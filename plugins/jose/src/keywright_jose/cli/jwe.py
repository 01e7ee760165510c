"""`keywright jose jwe encrypt` and `decrypt`, with a key of the ring or one in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.errors import InvalidSignatureError
from keywright_jose.cli.options import (
    add_key_options,
    add_output_options,
    add_pairs_option,
    check_input,
    pairs,
    print_token,
    read_key_file,
    read_token,
    wrong_call,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Commands, Context, Secret
    from keywright_jose.jwe.algorithms import KeyAlgorithm
    from keywright_jose.jwe.keys import JweKeyInput
    from keywright_jose.jwe.token import Jwe


def add_jwe_commands(commands: Commands) -> None:
    """Add them to the table."""
    agreement = "--key-algorithm ECDH-ES --content-algorithm A256GCM"
    wrapping = "--key-algorithm A256KW --content-algorithm A256GCM"
    commands.add(
        "jose jwe encrypt",
        help="print an encrypted token (JWE) of any bytes",
        configure=_configure_encrypt,
        run=_encrypt,
        examples=(
            f"keywright jose jwe encrypt --key prod/box {agreement} < claims.json",
            f"keywright jose jwe encrypt --key-file a256kw.jwk {wrapping} --header cty=JWT token",
        ),
    )
    commands.add(
        "jose jwe decrypt",
        help="decrypt a token (JWE) and print what was encrypted; exit code 1 if it cannot be",
        configure=_configure_decrypt,
        run=_decrypt,
        examples=(
            f"keywright jose jwe decrypt --key prod/box {agreement} < token",
            f"keywright jose jwe decrypt --key-file a256kw.jwk {wrapping} -o plaintext token",
        ),
    )


def _configure_encrypt(parser: ArgumentParser) -> None:
    _configure_key(parser, "a JWK, of an asymmetric key the public one will do")
    add_pairs_option(parser, "--header", "one more member of the header")
    parser.add_argument("file", nargs="?", metavar="FILE", help="what to encrypt; - or nothing: stdin")


def _configure_decrypt(parser: ArgumentParser) -> None:
    _configure_key(parser, "a secret JWK, or a JWK Set of such")
    add_output_options(parser)
    parser.add_argument("file", nargs="?", metavar="TOKEN", help="the token; - or nothing: stdin")


def _configure_key(parser: ArgumentParser, what: str) -> None:
    add_key_options(parser, "a key of the ring, by name or as NAME@N", what)
    parser.add_argument(
        "--key-algorithm", required=True, metavar="A", help="alg, such as A256KW, ECDH-ES, RSA-OAEP-256"
    )
    parser.add_argument("--content-algorithm", required=True, metavar="A", help="enc, such as A256GCM, A128CBC-HS256")


def _encrypt(arguments: Namespace, context: Context) -> int:
    from keywright_jose.jwe.token import checked_headers, encrypted_token

    check_input(arguments, "plaintext")
    algorithm = _check_algorithms(arguments)
    with wrong_call():
        headers = checked_headers(pairs(arguments.header, "--header") or None, algorithm, "--header")
    plaintext = context.read_input(arguments.file)
    key = read_key_file(arguments, context) if arguments.key is None else _recipient(arguments.key, context)
    token = encrypted_token(plaintext, key, arguments.key_algorithm, arguments.content_algorithm, headers)
    return print_token(token, context)


def _decrypt(arguments: Namespace, context: Context) -> int:
    from keywright_jose.jwe.token import decrypted_token

    check_input(arguments, "token")
    _check_algorithms(arguments)
    token = read_token(arguments, context)
    key = read_key_file(arguments, context) if arguments.key is None else _versions(token, arguments.key, context)
    found = decrypted_token(token, key, arguments.key_algorithm, arguments.content_algorithm)
    context.write_result(
        _document(found) if context.json else found.plaintext, output=arguments.output, force=arguments.force
    )
    return 0


def _check_algorithms(arguments: Namespace) -> KeyAlgorithm:
    from keywright_jose.jwe.algorithms import check_content_algorithm, check_key_algorithm

    with wrong_call():
        check_content_algorithm(arguments.content_algorithm, "--content-algorithm")
        return check_key_algorithm(arguments.key_algorithm, "--key-algorithm")


def _versions(token: bytes, reference: str, context: Context) -> JweKeyInput:
    """Of `NAME` the versions that may decrypt; of `NAME@N` that one, whatever its phase.

    Of a token for another version of the key, say which; no secret is opened for that.
    """
    from keywright import parse_reference
    from keywright_jose.compact import read_header, split_token

    kid = read_header(split_token(token, 5)[0]).kid
    wanted = parse_reference(reference)
    versions = {one.info.kid: one for one in context.ring.show(wanted.name).versions}
    meant = None if kid is None else versions.get(kid)
    if wanted.version is not None:
        if meant is not None and meant.info.version != wanted.version:
            raise InvalidSignatureError(
                f"the token was encrypted for {meant.info.reference}, and {reference} does not decrypt it",
                hint=f"pass --key {meant.info.reference}",
            )
        return context.ring.load(reference)
    if meant is not None and meant.phase.value not in ("announced", "signing", "verifying"):
        gone = meant.phase.value == "destroyed"
        hint = "get a new token" if gone else f"to decrypt it nevertheless, pass --key {meant.info.reference}"
        raise InvalidSignatureError(
            f"the token was encrypted for {meant.info.reference}, which is {meant.phase.value}", hint=hint
        )
    return context.ring.decrypter(reference)


def _recipient(reference: str, context: Context) -> JweKeyInput:
    """Of an asymmetric key the public half, for which no secret is opened."""
    from keywright import Key
    from keywright.errors import PolicyError

    info = context.ring.resolve(reference)
    phases = {one.info.version: one.phase.value for one in context.ring.show(info.name).versions}
    if phases[info.version] not in ("signing", "announced"):
        raise PolicyError(
            f"{info.reference} is {phases[info.version]}, and nothing is encrypted for it any more",
            hint="rotate, or name the version that took its place",
        )
    if info.public is None:
        return context.ring.load(info.reference)
    return Key(info.key_type, info.kid, None, info.public, info.attributes)


def _document(found: Jwe) -> Secret:
    from base64 import b64encode
    from json import dumps

    from keywright import Secret

    about = {"encoding": "base64", "header": found.header, "kid": found.kid}
    return Secret(
        dumps(about | {"plaintext": b64encode(found.plaintext.reveal()).decode()}, sort_keys=True).encode() + b"\n"
    )
